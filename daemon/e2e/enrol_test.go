package e2e_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"madoguchi/daemon/hq/store/sqlitestore"
	"madoguchi/storage/audit"
	"madoguchi/ui/browsertest"
)

// hqd runs one of HQ's commands.
func (b *branch) hqd(args ...string) string {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 30*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, filepath.Join(programs, "hqd"), args...).CombinedOutput()
	if err != nil {
		b.t.Fatalf("hqd %v: %v: %s", args, err, out)
	}
	return string(out)
}

// beat is the last heartbeat of a kiosk at HQ, and its audit entries of a kind.
func (b *branch) beat(device string, kind audit.Kind) (beat string, entries int) {
	b.t.Helper()
	r, err := sqlitestore.OpenReader(b.t.Context(), filepath.Join(b.dir, "hq", "store", "records.sqlite"))
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	list, err := r.Heartbeats(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	for _, x := range list {
		if x.Device == device {
			beat = string(x.JSON)
		}
	}
	leaves, err := r.AuditLeaves(b.t.Context(), device, 0, 1000)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, raw := range leaves {
		if l, err := audit.ParseLeaf(raw); err == nil && l.Kind == kind {
			entries++
		}
	}
	return beat, entries
}

// A second kiosk of the branch is enrolled with a one-time code, goes into service, and is put out of it by HQ.
func TestEnrolledKiosk(t *testing.T) {
	b := open(t, options{})
	hqDir := filepath.Join(b.dir, "hq")
	said := b.hqd("enroll-code", "-dir", hqDir, "-device", "second-kiosk")
	code := regexp.MustCompile(`[0-9A-Z]{5}(-[0-9A-Z]{5}){3}`).FindString(said)
	if code == "" {
		t.Fatalf("no code in %q", said)
	}
	bundle := filepath.Join(b.dir, "bundle")
	enroll := []string{
		"enroll", "--url", "https://" + b.hqAddr, "--ca", filepath.Join(hqDir, "receiver", "ca.crt.pem"), "--device", "second-kiosk",
		"--code-file", "-", "--dir", bundle,
	}
	if out, err := b.kioskctl("WRONG-WRONG-WRONG-WRONG\n", enroll...); err == nil || strings.Contains(out, code) {
		t.Fatalf("a wrong code: %v: %s", err, out)
	}
	if out, err := b.kioskctl(code+"\n", enroll...); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if out, err := b.kioskctl(code+"\n", append(enroll[:len(enroll)-1], bundle+"2")...); err == nil {
		t.Fatalf("the code was taken twice: %s", out)
	}
	b.kiosk.stop(syscall.SIGTERM)
	path := filepath.Join(b.dir, "kiosk.toml")
	config, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(config), filepath.Join(hqDir, "kiosk"), bundle, 1)
	text = strings.Replace(text, b.state(), b.state()+"2", 1)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	b.startKiosk()
	eventually(t, "the new kiosk is in service and HQ has its heartbeat and its audit log", func() bool {
		beat, starts := b.beat("second-kiosk", audit.Started)
		return strings.Contains(beat, `"state":"`) && starts == 1
	})
	if out := b.hqd("audit", "status", "-dir", hqDir); !regexp.MustCompile(`log +second-kiosk +\d+ entries`).MatchString(out) || strings.Contains(out, "ALARM") {
		t.Fatalf("audit status: %s", out)
	}
	b.hqd("audit", "retire", "-dir", hqDir, "-device", "e2e-kiosk")
	if out := b.hqd("audit", "status", "-dir", hqDir); !strings.Contains(out, "e2e-kiosk@") {
		t.Fatalf("audit status: %s", out)
	}
	b.hqd("device", "revoke", "-dir", hqDir, "-device", "second-kiosk", "-reason", "lost")
	b.kiosk.stop(syscall.SIGTERM)
	b.startKiosk()
	c := b.customer()
	c.arrive(b)
	c.at("out-of-service")
	if view := browsertest.Eval[string](t, c.ctx, "document.body.innerText"); !strings.Contains(view, "本部で利用停止") {
		t.Errorf("the screen says %q", view)
	}
}
