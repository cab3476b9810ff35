package e2e_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"madoguchi/daemon/staff"
	"madoguchi/hardware/hardwaretest/pcscd"
	"madoguchi/hardware/virtual/control"
	"madoguchi/internal/secret"
	"madoguchi/storage/record"
)

// programs is where TestMain built kioskd, hqd and kioskctl; the process in the namespace finds them there.
var programs string

const builtAt = "MADOGUCHI_E2E_PROGRAMS"

// TestMain builds the programs and runs everything in a network namespace of its own, so that a real pcscd and
// vpcd can run there.
func TestMain(m *testing.M) {
	if os.Getenv(asProbe) != "" {
		os.Exit(probe())
	}
	flag.Parse()
	if testing.Short() {
		fmt.Println("SKIPPED in short mode: the end-to-end tests; make test runs them")
		os.Exit(0)
	}
	programs = os.Getenv(builtAt)
	first := programs == ""
	if first {
		if err := build(); err != nil {
			fmt.Fprintln(os.Stderr, "e2e: the programs cannot be built:", err)
			os.Exit(1)
		}
	}
	code := pcscd.Main(m)
	if first {
		_ = os.RemoveAll(programs)
	}
	os.Exit(code)
}

func build() error {
	dir, err := os.MkdirTemp("", "madoguchi-e2e")
	if err != nil {
		return err
	}
	out, err := exec.Command("go", "build", "-o", dir+"/", "madoguchi/daemon/kioskd", "madoguchi/daemon/hqd", "madoguchi/daemon/kioskctl").CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	programs = dir
	return os.Setenv(builtAt, dir)
}

// process is one program under test; its output goes to files, which the leak test searches.
type process struct {
	cmd *exec.Cmd
	out string // path of stdout
	log string // path of stderr
}

func start(t testing.TB, dir, name string, args ...string) *process {
	t.Helper()
	n := 1
	for {
		if _, err := os.Stat(filepath.Join(dir, fmt.Sprintf("%s-%d.log", name, n))); err != nil {
			break
		}
		n++
	}
	p := &process{out: filepath.Join(dir, fmt.Sprintf("%s-%d.out", name, n)), log: filepath.Join(dir, fmt.Sprintf("%s-%d.log", name, n))}
	stdout, err := os.Create(p.out)
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := os.Create(p.log)
	if err != nil {
		t.Fatal(err)
	}
	p.cmd = exec.Command(filepath.Join(programs, name), args...)
	p.cmd.Stdout, p.cmd.Stderr = stdout, stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = stdout.Close()
	_ = stderr.Close()
	t.Cleanup(func() {
		p.stop(syscall.SIGTERM)
		if t.Failed() {
			b, _ := os.ReadFile(p.log)
			t.Logf("%s:\n%s", filepath.Base(p.log), tail(b, 3000))
		}
	})
	return p
}

func tail(b []byte, n int) []byte { return b[max(0, len(b)-n):] }

func (p *process) stop(sig os.Signal) {
	if p.cmd.ProcessState != nil {
		return
	}
	_ = p.cmd.Process.Signal(sig)
	_ = p.cmd.Wait()
}

// said waits until stdout holds a match and gives its first group.
func (p *process) said(t testing.TB, pattern string) string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	var found string
	eventually(t, "the program says "+pattern, func() bool {
		b, err := os.ReadFile(p.out)
		if err != nil {
			return false
		}
		if m := re.FindSubmatch(b); m != nil {
			found = string(m[1])
		}
		return found != ""
	})
	return found
}

// eventually polls, because what it waits for is another process.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	every := time.NewTicker(20 * time.Millisecond)
	defer every.Stop()
	end := time.After(90 * time.Second)
	for !ok() {
		select {
		case <-every.C:
		case <-end:
			t.Fatalf("after 90 s it is still not so: %s", what)
		}
	}
}

// freePort finds a port that is free now.
func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

const staffPIN = "135790"

// branch is HQ and one kiosk, each in processes of its own.
type branch struct {
	t        testing.TB
	dir      string
	hqAddr   string
	receiver *process
	kiosk    *process
	page     string // address of the kiosk's page with its token
	staff    string // address of the staff page
	hq       string // address of HQ's page
	token    string
}

type options struct {
	models    string // face models; "" means the environment's
	noHQ      bool   // the receiver is not started
	devices   string // overrides [devices]
	developer bool
	service   string // overrides [service]
}

// services is the table of the service, as an operator writes it.
func (o options) services() string {
	if o.service != "" {
		return o.service
	}
	return `[service]
id = "account-opening"
channel = "attended"
machine_may_decide = true
pin_route = true`
}

func models(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("FACE_MODELS")
	if dir == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("FACE_MODELS is not set, and under CI nothing is skipped")
		}
		t.Skip("SKIPPED: FACE_MODELS is not set: the whole verification needs the face models")
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	return abs
}

func open(t testing.TB, o options) *branch {
	t.Helper()
	b := &branch{t: t, dir: t.TempDir(), hqAddr: freePort(t)}
	hqDir := filepath.Join(b.dir, "hq")
	if out, err := exec.Command(filepath.Join(programs, "hqd"), "init", "-dir", hqDir, "-kiosk", "e2e-kiosk", "-url", "https://"+b.hqAddr).CombinedOutput(); err != nil {
		t.Fatalf("hqd init: %v: %s", err, out)
	}
	if !o.noHQ {
		b.startReceiver()
	}
	opener := start(t, b.dir, "hqd", "opener", "-dir", hqDir, "-listen", "127.0.0.1:0")
	b.hq = opener.said(t, `(http://\S+)/#t=`)
	b.token = opener.said(t, `#t=(\S+)`)
	hash, err := staff.Hash(secret.Copy([]byte(staffPIN)))
	if err != nil {
		t.Fatal(err)
	}
	devices := o.devices
	if devices == "" {
		devices = "reader = \"virtual\"\ncamera = \"virtual\"\ncontrol = \"" + b.socket() + "\""
	}
	config := fmt.Sprintf(`developer = %v
[kiosk]
listen = "127.0.0.1:0"
staff_listen = "127.0.0.1:0"
state_dir = %q
runtime_dir = %q
print_url = true
[devices]
%s
[face]
models = %q
calibration = "virtual"
[trust]
issuers = "virtual"
[hq]
bundle = %q
%s
[[staff]]
id = "staff-1"
name = "窓口 一郎"
pin_hash = %q
`, o.developer, b.state(), filepath.Join(b.dir, "run"), devices, o.models, filepath.Join(hqDir, "kiosk"), o.services(), hash)
	path := filepath.Join(b.dir, "kiosk.toml")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	b.startKiosk()
	return b
}

func (b *branch) startKiosk() {
	b.t.Helper()
	b.kiosk = start(b.t, b.dir, "kioskd", "-config", filepath.Join(b.dir, "kiosk.toml"), "-verbose")
	b.page = b.kiosk.said(b.t, `kiosk: (\S+)`)
	b.staff = b.kiosk.said(b.t, `staff: (\S+)`)
}

func (b *branch) state() string  { return filepath.Join(b.dir, "state") }
func (b *branch) socket() string { return filepath.Join(b.dir, "virtual.sock") }

func (b *branch) startReceiver() {
	b.t.Helper()
	b.receiver = start(b.t, b.dir, "hqd", "receiver", "-dir", filepath.Join(b.dir, "hq"), "-listen", b.hqAddr, "-profile", "demo")
	b.receiver.said(b.t, `(https://)`)
}

// hand moves virtual cards and faces as kioskctl does.
func (b *branch) hand(r control.Request) control.Reply {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 10*time.Second)
	defer cancel()
	reply, err := control.Send(ctx, b.socket(), r)
	if err != nil {
		b.t.Fatal(err)
	}
	return reply
}

func (b *branch) get(path string, into any) {
	b.t.Helper()
	if !b.tryGet(path, into) {
		b.t.Fatalf("%s: HQ's store is not there", path)
	}
}

// tryGet is get, and false when HQ's store is not there (yet).
func (b *branch) tryGet(path string, into any) bool {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, b.hq+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+b.token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if res.StatusCode == http.StatusServiceUnavailable {
		return false
	}
	if err != nil || res.StatusCode != http.StatusOK {
		b.t.Fatalf("%s: %d %v %s", path, res.StatusCode, err, body)
	}
	if err := json.Unmarshal(body, into); err != nil {
		b.t.Fatal(err)
	}
	return true
}

// arrived lists the ids at HQ.
func (b *branch) arrived() []string {
	var list struct {
		Records []struct {
			ID string `json:"id"`
		} `json:"records"`
	}
	b.tryGet("/v1/records", &list)
	var ids []string
	for _, r := range list.Records {
		ids = append(ids, r.ID)
	}
	return ids
}

// opened is one record as HQ opened it.
type opened struct {
	Passed  bool                            `json:"passed"`
	Virtual []string                        `json:"virtual"`
	Opened  map[record.Part]json.RawMessage `json:"opened"`
	record  record.Record
}

// received waits for a record with this receipt number and opens it.
func (b *branch) received(receipt string) opened {
	b.t.Helper()
	var id string
	eventually(b.t, "record "+receipt+" is at HQ", func() bool {
		ids := b.arrived()
		i := slices.IndexFunc(ids, func(id string) bool { return strings.HasSuffix(id, receipt) })
		if i >= 0 {
			id = ids[i]
		}
		return i >= 0
	})
	var o opened
	b.get("/v1/opened/e2e-kiosk/"+id, &o)
	for part, bytes := range o.Opened {
		if err := record.DecodePart(part, bytes, &o.record); err != nil {
			b.t.Fatalf("part %s: %v", part, err)
		}
	}
	if !o.Passed {
		b.t.Errorf("HQ's own checks did not pass for %s", id)
	}
	return o
}
