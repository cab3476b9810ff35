package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// HQ signs new services, the operator stages them, and the idle kiosk ends by itself so that its next start has them in
// force. A bundle for production with test words does not even get HQ's signature.
func TestConfigurationOfHQ(t *testing.T) {
	b := open(t, options{})
	tool := func(name string, args ...string) (string, error) {
		out, err := exec.CommandContext(t.Context(), filepath.Join(programs, name), args...).CombinedOutput()
		return string(out), err
	}
	write := func(name, text string) string {
		path := filepath.Join(b.dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	telecom, err := os.ReadFile("../../packaging/deb/kiosk/profiles/telecom.toml")
	if err != nil {
		t.Fatal(err)
	}
	write("telecom.toml", string(telecom))
	bundle := filepath.Join(b.dir, "bundle.json")
	sign := func(draft string) (string, error) {
		return tool("hqd", "config", "sign", "-root", filepath.Join(b.dir, "hq", "root"), "-in", write("draft.toml", draft), "-out", bundle)
	}
	if out, err := sign("production = true\ndevices = [\"test\"]\nservices = \"telecom.toml\"\n"); err == nil || !strings.Contains(out, "duty 11") {
		t.Fatalf("%v: %s", err, out)
	}
	if out, err := sign("services = \"telecom.toml\"\n"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if out, err := tool("kioskctl", "config", "install", "--config", filepath.Join(b.dir, "kiosk.toml"), bundle); err != nil ||
		!strings.Contains(out, "bundle 1 waits in ") {
		t.Fatalf("%v: %s", err, out)
	}
	late := time.AfterFunc(30*time.Second, func() { _ = b.kiosk.cmd.Process.Signal(syscall.SIGKILL) })
	err = b.kiosk.cmd.Wait()
	if !late.Stop() || err != nil {
		t.Fatalf("the idle kiosk does not take the bundle: %v", err)
	}
	b.startKiosk()
	eventually(t, "the bundle is in force", func() bool {
		log, err := os.ReadFile(b.kiosk.log)
		return err == nil && strings.Contains(string(log), `"msg":"configuration of HQ","version":1,"new":true`)
	})
	if out, err := tool("kioskctl", "audit", "export", filepath.Join(b.dir, "run", "control.sock"), filepath.Join(b.dir, "audit.log")); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	leaves, err := os.ReadFile(filepath.Join(b.dir, "audit.log"))
	if err != nil {
		t.Fatal(err)
	}
	at := -1
	for _, want := range []string{`"kind":"maintenance"`, `"kind":"stopped"`, `"kind":"started"`, `"kind":"configured"`} {
		next := strings.Index(string(leaves)[at+1:], want)
		if next < 0 {
			t.Fatalf("%s is missing or out of order in\n%s", want, leaves)
		}
		at += 1 + next
	}
}
