// Command kioskctl is the operator's hand at a kiosk: it examines the whole kiosk, checks a configuration, asks for the
// page's address, makes staff PIN hashes, places virtual cards, and reads, counts and diagnoses cards. docs/kioskctl.md is
// its manual.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"madoguchi/daemon/launcher"
	"madoguchi/face/jp2"
	"madoguchi/internal/child"
)

const usage = `kioskctl COMMAND
  doctor [--config FILE] [--json]
                               what is wrong with this kiosk, and the cure of each finding; changes nothing
  config check FILE            check a configuration or a file of services, and say in plain words what it means
  config install [--config FILE] BUNDLE
                               stage services and legal methods that HQ signed; taken when no customer is there
  methods [--day YYYY-MM-DD] [--config FILE]
                               the dated table of legal methods: as shipped, or as in force at a kiosk
  page SOCKET                  print the kiosk page's address with a one-time token (RUNTIME_DIR/launcher.sock)
  staff-hash                   read a PIN from standard input, print its hash for [[staff]] pin_hash
  trust virtual DIR            write a test trust directory for virtual cards
  trust check DIR ...          load trust directories, strictly, and say what is in them

  card read --reader READER --secrets FILE|- [--json] [--route b|pin|jpki|all] [--trust DIR ...]
            [--save-face FILE] [--with-my-number] [--last-try] [--maintenance SOCKET]
                               read a test card and print JSON; --json prints it in one line. Other cards only with
                               --maintenance (RUNTIME_DIR/control.sock): kiosk out of service, staff signed in, audited
  card tries --reader READER [--all]
                               the try counters; costs no try
  card doctor [--reader READER]
                               what is wrong with readers, pcscd and card, and the cure
  card simulate --profile PERSON|FILE --vpcd HOST:PORT
                               a virtual card behind pcscd's vpcd, until interrupted
  READER is auto, the beginning of a PC/SC reader's name, or virtual:PERSON (no hardware)
  secrets: {"pin":"...","number_b":"...","sign_password":"...","staff":"...","staff_pin":"..."}; never in arguments

  enroll --url URL --device NAME (--ca FILE | --ca-sha256 PIN) --code-file FILE|- --dir BUNDLE
            [--tpm /dev/tpmrm0] [--root-sha256 PIN] [--group NAME]
                               make this kiosk known to HQ with a one-time code of hqd enroll-code
  enroll check --dir BUNDLE [--state DIR]
                               how the certificate and HQ's keys stand, and the cure

  queue status|shelf [SOCKET]  the way to HQ; the records that HQ refused
  queue retry [SOCKET] ID      send a refused record once more
  queue salvage [SOCKET] FILE  take over what is whole in a file that was set aside
  audit verify [SOCKET]        read the whole audit log from the disk, print its signed checkpoint
  audit export [SOCKET] FILE   write the audit log to a new file
                               SOCKET: RUNTIME_DIR/control.sock; without it that of the packaged kioskd
  audit verify FILE KEY        check an export against the device's public key or certificate (PEM)

  virtual SOCKET insert ID     place a virtual person's card (or drivers-licence, transit)
  virtual SOCKET remove        take the card away
  virtual SOCKET renew ID      a new card with all its tries at the next insert
  virtual SOCKET face ID       put a person (or attack-phone) before the camera
  virtual SOCKET folder DIR    show a folder of JPEGs
  virtual SOCKET nobody        an empty room
  virtual SOCKET status        what lies on the reader, what the camera shows, and the card's counters

exit codes: 0 ok, 1 error, 2 usage, 3 no reader or no card, 4 wrong credential (the tries left are printed),
            5 blocked, 6 not a My Number Card, 7 refused by duty
`

var errUsage = errors.New("usage")

// limit is how long a command may take; only simulate runs until it is interrupted.
const limit = 60 * time.Second

func main() {
	child.Main(jp2.Handlers())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout)
	stop()
	switch {
	case errors.Is(err, errUsage):
		fmt.Fprint(os.Stderr, usage)
		if text := err.Error(); text != errUsage.Error() {
			fmt.Fprintln(os.Stderr, "kioskctl:", text)
		}
	case err != nil:
		fmt.Fprintln(os.Stderr, "kioskctl:", err)
	}
	os.Exit(int(codeOf(err)))
}

func run(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	if len(args) >= 2 && args[0] == "card" && args[1] == "simulate" {
		return simulate(ctx, args[2:], out)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	switch {
	case len(args) >= 2 && args[0] == "config":
		return configCommand(args[1:], time.Now(), out)
	case len(args) >= 1 && args[0] == "methods":
		return methodsCommand(args[1:], time.Now(), out)
	case len(args) == 2 && args[0] == "page":
		url, err := launcher.Ask(ctx, args[1])
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(out, url)
		return err
	case len(args) == 1 && args[0] == "staff-hash":
		return staffHash(in, out)
	case len(args) == 3 && args[0] == "trust" && args[1] == "virtual":
		return writeVirtualTrust(args[2], out)
	case len(args) >= 3 && args[0] == "trust" && args[1] == "check":
		return checkTrust(args[2:], out)
	case len(args) >= 1 && args[0] == "enroll":
		return enrollCommand(ctx, args[1:], in, out)
	case len(args) >= 1 && args[0] == "doctor":
		return kioskDoctor(ctx, args[1:], out)
	case len(args) >= 1 && args[0] == "audit":
		return auditCommand(ctx, args[1:], out)
	case len(args) >= 1 && args[0] == "queue":
		return queueCommand(ctx, args[1:], out)
	case len(args) >= 2 && args[0] == "card":
		return cardCommand(ctx, args[1], args[2:], in, out)
	case len(args) >= 3 && args[0] == "virtual":
		return hand(ctx, args[1], args[2:], out)
	}
	return errUsage
}

func cardCommand(ctx context.Context, verb string, args []string, in io.Reader, out io.Writer) error {
	switch verb {
	case "read":
		return readCard(ctx, args, in, out)
	case "tries":
		return countTries(ctx, args, out)
	case "doctor":
		return cardDoctor(ctx, args, out)
	}
	return errUsage
}
