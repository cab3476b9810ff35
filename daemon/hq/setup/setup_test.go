package setup_test

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"madoguchi/daemon/hq/device"
	"madoguchi/daemon/hq/setup"
	"madoguchi/storage/storagetest"
	"madoguchi/storage/sync"
)

func options(dir string) setup.Options {
	return setup.Options{Dir: dir, Kiosk: "kiosk-1", URL: "https://127.0.0.1:8443", Now: storagetest.At()}
}

func initialise(t *testing.T, o setup.Options) {
	t.Helper()
	if err := setup.Init(o); err != nil {
		t.Fatal(err)
	}
}

// tree reads every file and checks its rights.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 && path != dir {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		if d.IsDir() {
			return nil
		}
		b, err := os.ReadFile(path)
		files[strings.TrimPrefix(path, dir)] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestInitIsIdempotentAndFinishes(t *testing.T) {
	dir := t.TempDir()
	initialise(t, options(dir))
	first := tree(t, dir)
	if len(first) != 29 {
		t.Fatalf("%d files", len(first))
	}
	initialise(t, options(dir))
	if diff := cmp.Diff(first, tree(t, dir)); diff != "" {
		t.Fatal("the second run changed something: ", diff)
	}
	for _, name := range []string{"receiver/keys.toml", "receiver/keys.json", "kiosk/keys.json", "opener/receipt.toml", "receiver/devices/kiosk-1.toml", "kiosk/ca.crt.pem"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	initialise(t, options(dir))
	if diff := cmp.Diff(first, tree(t, dir)); diff != "" {
		t.Fatal("an interrupted run was not finished as it had begun: ", diff)
	}
}

func TestRolesAreApart(t *testing.T) {
	dir := t.TempDir()
	initialise(t, options(dir))
	for name, content := range tree(t, dir) {
		if strings.Contains(content, "private = '") && !strings.HasPrefix(name, "/opener/") {
			t.Errorf("%s holds an opening key", name)
		}
		if strings.Contains(content, "PRIVATE") && strings.Contains(name, "root") && !strings.HasPrefix(name, "/root/") {
			t.Errorf("%s holds the root's private key", name)
		}
		if strings.HasPrefix(name, "/kiosk/") && name != "/kiosk/kiosk.key.pem" && name != "/kiosk/device.key.pem" && strings.Contains(content, "PRIVATE") {
			t.Errorf("%s holds a private key of HQ", name)
		}
	}
}

func TestSecondKiosk(t *testing.T) {
	dir := t.TempDir()
	initialise(t, options(dir))
	o := options(dir)
	o.Kiosk = "kiosk-2"
	if err := setup.Init(o); err == nil {
		t.Fatal("two kiosks in one bundle")
	}
	o.Bundle = filepath.Join(dir, "kiosk-2")
	initialise(t, o)
	a, err := sync.LoadBundle(filepath.Join(dir, "kiosk"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := sync.LoadBundle(o.Bundle)
	if err != nil {
		t.Fatal(err)
	}
	if a.Device != "kiosk-1" || b.Device != "kiosk-2" || !cmp.Equal(a.Receipts, b.Receipts) || bytes.Equal(a.TLS.Certificates[0].Certificate[0], b.TLS.Certificates[0].Certificate[0]) {
		t.Fatal("the bundles are mixed up")
	}
	for _, name := range []string{"kiosk-1", "kiosk-2"} {
		if d, err := device.Dir(setup.Layout(dir).Devices()).Lookup(name); err != nil || d.State != device.Active {
			t.Fatal(name, err)
		}
	}
	stolen := options(dir)
	stolen.Bundle = filepath.Join(dir, "again")
	if err := setup.Init(stolen); err == nil {
		t.Fatal("a second device key for a registered name")
	}
	for _, bad := range []string{"", "Kiosk", "a/b", "..", "-a"} {
		o := options(t.TempDir())
		if o.Kiosk = bad; setup.Init(o) == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestBundleMustFitTogether(t *testing.T) {
	dir := t.TempDir()
	initialise(t, options(dir))
	kiosk := filepath.Join(dir, "kiosk")
	for name, edit := range map[string][3]string{
		"other-name":    {sync.FileConfig, "kiosk-1", "kiosk-2"},
		"plain-http":    {sync.FileConfig, "https", "http"},
		"unknown-field": {sync.FileConfig, "version", "x = 1\nversion"},
		"no-ca":         {sync.FileCA, "CERTIFICATE", "NOTHING"},
		"device-key":    {sync.FileDeviceKey, "PRIVATE", "PUBLIC?"},
		"other-root":    {sync.FileRoot, "PUBLIC KEY", "CERTIFICATE"},
		"forged-keys":   {sync.FileKeys, `"version":1`, `"version":2`},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(kiosk, edit[0])
			good, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			bad := strings.ReplaceAll(string(good), edit[1], edit[2])
			if bad == string(good) {
				t.Fatal("nothing was changed")
			}
			if err := os.WriteFile(path, []byte(bad), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := sync.LoadBundle(kiosk); name != "device-key" && err == nil || name == "device-key" && err != nil && !strings.Contains(err.Error(), "device key") {
				t.Fatalf("got %v", err)
			}
			if err := os.WriteFile(path, good, 0o600); err != nil {
				t.Fatal(err)
			}
		})
	}
	if _, err := sync.LoadBundle(kiosk); err != nil {
		t.Fatal(err)
	}
}

// TestOpenSSL lets openssl, which is not our code, verify the certificates for their purposes.
func TestOpenSSL(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("missing: openssl")
		}
		t.Skip("SKIPPED, missing: openssl")
	}
	dir := t.TempDir()
	initialise(t, options(dir))
	verify := func(purpose, cert string) error {
		return exec.Command("openssl", "verify", "-x509_strict", "-attime", "1795132923", "-CAfile", filepath.Join(dir, "ca/ca.crt.pem"), "-untrusted", filepath.Join(dir, "receiver/issuer.crt.pem"), "-purpose", purpose, filepath.Join(dir, cert)).Run()
	}
	if err := verify("sslserver", "receiver/server.crt.pem"); err != nil {
		t.Error("server: ", err)
	}
	if err := verify("sslclient", "kiosk/kiosk.crt.pem"); err != nil {
		t.Error("kiosk: ", err)
	}
	if verify("sslserver", "kiosk/kiosk.crt.pem") == nil || verify("sslclient", "receiver/server.crt.pem") == nil {
		t.Error("a certificate serves for the other purpose")
	}
}
