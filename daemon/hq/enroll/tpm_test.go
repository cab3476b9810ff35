package enroll_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"madoguchi/storage/devicekey"
	"madoguchi/storage/enroll"
	"madoguchi/storage/storagetest"
	"madoguchi/storage/sync"
	"madoguchi/storage/wire"
)

// softTPM starts swtpm and gives its socket.
func softTPM(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("swtpm"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("missing: swtpm")
		}
		t.Skip("SKIPPED, missing: swtpm")
	}
	dir, err := os.MkdirTemp("", "tpm") //nolint:usetesting // short: a socket's path has at most 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "s")
	cmd := exec.Command("swtpm", "socket", "--tpm2", "--tpmstate", "dir="+dir, "--flags", "not-need-init,startup-clear", "--server", "type=unixio,path="+socket)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = os.RemoveAll(dir)
	})
	for end := time.Now().Add(20 * time.Second); ; <-time.After(5 * time.Millisecond) {
		c, err := net.Dial("unix", socket)
		if err == nil {
			_ = c.Close()
			return socket
		}
		if time.Now().After(end) {
			t.Fatal("swtpm did not start: ", err)
		}
	}
}

// Both keys in a TPM: enrolment, mutual TLS, renewal, the next start, a new enrolment.
func TestKioskWithATPM(t *testing.T) {
	socket := softTPM(t)
	h := newHQ(t)
	o := h.options(h.code(kiosk))
	o.TPM = socket
	if r := h.enroll(o); !r.TPM {
		t.Fatalf("got %+v", r)
	}
	for _, name := range []string{sync.FileKey, sync.FileDeviceKey} {
		if raw := h.read(filepath.Join(o.Dir, name)); !devicekey.IsTPM(raw) || bytes.Contains(raw, []byte("BEGIN PRIVATE KEY")) {
			t.Fatalf("%s is no blob of a TPM", name)
		}
	}
	k := &kioskKit{hqKit: h, dir: o.Dir, state: t.TempDir()}
	k.start()
	rec := storagetest.Record(storagetest.NewID(), 100)
	rec.Device = kiosk
	env, err := wire.Build(rec, k.bundle.Keys, k.bundle.Signer, 1, k.clock.now())
	if err != nil {
		t.Fatal(err)
	}
	if err := env.VerifyDevice(h.device(kiosk).Public); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		k.clock.pass(61 * day)
		k.renew(true)
		if status, _ := k.get(); status != 200 {
			t.Fatal(status)
		}
	}
	if raw := h.read(filepath.Join(k.state, enroll.FileRenewed)); !devicekey.IsTPM(raw) {
		t.Fatal("the renewed key is not in the TPM")
	}
	k.bundle.TPM.Close()
	k.start()
	if status, _ := k.get(); status != 200 {
		t.Fatal(status)
	}
	k.bundle.TPM.Close()
	o.Code = h.code(kiosk)
	if r := h.enroll(o); !r.Kept {
		t.Fatal("the device key in the TPM was not kept")
	}
	t.Run("on-another-machine", func(t *testing.T) {
		cfg := filepath.Join(o.Dir, sync.FileConfig)
		other := bytes.ReplaceAll(h.read(cfg), []byte(socket), []byte(softTPM(t)))
		if err := os.WriteFile(cfg, other, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := sync.LoadBundle(o.Dir); !errors.Is(err, devicekey.ErrForeign) {
			t.Fatalf("got %v", err)
		}
	})
	t.Run("without-a-tpm", func(t *testing.T) {
		none := h.options(h.code(kiosk))
		none.TPM = filepath.Join(t.TempDir(), "tpmrm0")
		if _, err := enroll.Enroll(context.Background(), none); err == nil {
			t.Fatal("accepted")
		}
	})
}
