// Package doctor looks at a whole kiosk, from the configuration to the way to HQ, and says what is wrong with it and the
// cure of each finding. It changes nothing, takes no lock, touches no card, and prints nothing that is secret or of a
// person. Everything outside comes in as a probe, so that each finding has its test; what a probe cannot see is said as
// such, and is never "ok". Only daemon/kioskctl may import it.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"madoguchi/daemon/config"
	"madoguchi/face"
	"madoguchi/storage/audit"
)

// Grade is how bad a finding is.
type Grade string

// The grades.
const (
	OK   Grade = "ok"
	Note Grade = "note" // worth knowing; the kiosk works, or it could not be checked
	Bad  Grade = "bad"  // the kiosk does not work, or not safely, or soon will not
)

// Finding is one result. Code is stable, for monitoring; docs/kioskctl.md lists them.
type Finding struct {
	Code      string `json:"code"`
	Grade     Grade  `json:"grade"`
	Text      string `json:"text"`
	Cure      string `json:"cure,omitempty"`
	Unchecked bool   `json:"unchecked,omitempty"` // nobody looked: it may be good or bad
}

// Healthy says whether none is Bad.
func Healthy(all []Finding) bool {
	for _, f := range all {
		if f.Grade == Bad {
			return false
		}
	}
	return true
}

// Probes are the doctor's senses. All are required.
type Probes struct {
	Config      string // path of kioskd's configuration
	Load        func(path string) (*config.Config, error)
	Files       Files
	Now         func() time.Time
	Environ     func(name string) string
	Clock       func() (Clock, error)
	Live        func(ctx context.Context, socket string) (Live, error)  // what a running kioskd says of its queue
	Audit       func(ctx context.Context, socket string) (int64, error) // a running kioskd verifies its log; entries
	AuditFiles  func(dir string) (audit.Inspected, error)
	Readers     func(ctx context.Context, match string) ([]Reader, error)
	Camera      func(ctx context.Context, device string) (usable bool, err error)
	Models      func(dir string) error
	Calibration func(path string) (*face.Calibration, error)
	Picture     func(ctx context.Context) error // decodes a JPEG 2000 picture in a child process
	HQ          HQ
}

// Live is what a running kioskd says.
type Live struct {
	Waiting, Shelved int
	Oldest           time.Time
	Room             string // "ok", "warn" or "full"
	Quarantined      string
	LastError        string // a code
	Skew             time.Duration
	SkewKnown        bool
}

// ErrStopped is what Live gives when no kioskd listens at the socket.
var ErrStopped = errors.New("kioskd does not run")

// visit is one examination.
type visit struct {
	*Probes
	cfg  *config.Config // nil: it did not load
	user account
	live *Live // nil: kioskd does not run, or cannot be asked
	mute bool  // it may run, and cannot be asked
	out  []Finding
}

// Examine makes all checks. It takes as long as the network's time-outs when HQ is silent; ctx ends it earlier.
func Examine(ctx context.Context, p Probes) []Finding {
	v := &visit{Probes: &p}
	v.user = v.lookUp(serviceUser)
	v.config()
	v.running(ctx)
	v.units()
	v.clock()
	v.swap()
	v.cores()
	if v.cfg == nil {
		v.unchecked("config", "everything that the configuration names", "it did not load")
		return v.out
	}
	v.rights()
	v.keys()
	v.disk()
	v.outbox()
	v.sealed()
	v.audit(ctx)
	v.staff()
	v.reader(ctx)
	v.camera(ctx)
	v.face()
	v.picture(ctx)
	v.certificates()
	v.lists()
	v.hq(ctx)
	return v.out
}

func (v *visit) good(code, format string, args ...any) {
	v.out = append(v.out, Finding{Code: code, Grade: OK, Text: fmt.Sprintf(format, args...)})
}

func (v *visit) note(code, text, cure string) {
	v.out = append(v.out, Finding{Code: code, Grade: Note, Text: text, Cure: cure})
}

func (v *visit) bad(code, text, cure string) {
	v.out = append(v.out, Finding{Code: code, Grade: Bad, Text: text, Cure: cure})
}

// unchecked says that nobody looked, and why.
func (v *visit) unchecked(code, what, why string) {
	v.out = append(v.out, Finding{Code: code, Grade: Note, Unchecked: true, Text: "could not be checked: " + what + " (" + why + ")"})
}

// why says a failure to look in few words, without what an error may quote.
func why(err error) string {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "no rights; run it as root"
	case errors.Is(err, fs.ErrNotExist):
		return "it is not there"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return "no time was left"
	}
	return "it cannot be read"
}

// config loads the configuration. What is wrong in it is not quoted: the lines around it may be PIN hashes.
func (v *visit) config() {
	cfg, err := v.Load(v.Config)
	switch {
	case errors.Is(err, fs.ErrPermission):
		v.unchecked("config", v.Config, why(err))
	case errors.Is(err, fs.ErrNotExist):
		v.bad("config-missing", "there is no configuration at "+v.Config, "write it (kioskd(8)), or name it with --config")
	case err != nil:
		v.bad("config-broken", v.Config+" does not load", "kioskctl config check "+v.Config+" says where")
	default:
		v.cfg = cfg
		v.good("config", "%s loads", v.Config)
	}
}
