package trust_test

import (
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"madoguchi/daemon/trust"
	"madoguchi/hardware/card"
	"madoguchi/hardware/virtual"
)

// openssl runs the independent tool that writes the keys of these tests.
func openssl(t *testing.T, args ...string) {
	t.Helper()
	tool, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("NOT TESTED: openssl is missing")
		}
		t.Skip("NOT TESTED: openssl is missing")
	}
	if out, err := exec.CommandContext(t.Context(), tool, args...).CombinedOutput(); err != nil {
		t.Fatalf("openssl %v: %v\n%s", args, err, out)
	}
}

const (
	production = "35303030303233080530303101020304" // 5000023 08 05 001 ...
	virtualID  = "39303030303233080530303101020304"
	jlisTestID = "36303030303233080530303101020304"
)

// outside writes a directory with a shell's means: no line of package trust takes part.
func outside(t *testing.T, kind, id string) string {
	t.Helper()
	dir := t.TempDir()
	for _, sub := range []string{"jpki-sign", "jpki-auth", "surface"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	put(t, dir, "trust.json", `{"name":"an office","kind":"`+kind+`"}`)
	private := filepath.Join(t.TempDir(), "private.pem")
	openssl(t, "genrsa", "-out", private, "2048")
	openssl(t, "rsa", "-in", private, "-pubout", "-out", filepath.Join(dir, "surface", id+".pem"))
	for _, sub := range []string{"jpki-sign", "jpki-auth"} {
		openssl(t, "req", "-x509", "-new", "-key", private, "-subj", "/C=JP/O=OFFICE/OU="+sub, "-days", "30",
			"-addext", "keyUsage=critical,keyCertSign,cRLSign", "-out", filepath.Join(dir, sub, "g3.pem"))
	}
	return dir
}

func put(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestLoadsWhatAnOutsideToolWrote(t *testing.T) {
	dir := outside(t, "production", production)
	s, err := trust.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Dirs) != 1 || s.Dirs[0].Name != "an office" || s.Dirs[0].Kind != trust.Production || s.HasTest() {
		t.Fatalf("got %+v", s.Dirs)
	}
	if len(s.Surface) != 1 || hex.EncodeToString(s.Surface[0].KeyID) != production || s.Surface[0].Key.N.BitLen() != 2048 {
		t.Fatalf("got %+v", s.Surface)
	}
	if len(s.JPKISign) != 1 || len(s.JPKIAuth) != 1 || s.JPKISign[0].Subject.OrganizationalUnit[0] != "jpki-sign" {
		t.Fatal("the authorities are mixed up")
	}
}

func TestTestTrustIsOffByDefault(t *testing.T) {
	real, test := outside(t, "production", production), outside(t, "test", jlisTestID)
	if _, err := trust.Load(real, test); !errors.Is(err, trust.ErrTest) || !strings.Contains(err.Error(), test) {
		t.Fatalf("got %v", err)
	}
	s, err := trust.Options{AllowTest: true}.Load(real, test)
	if err != nil {
		t.Fatal(err)
	}
	if !s.HasTest() || len(s.Surface) != 2 || len(s.OnlyTest().Surface) != 1 || len(s.OnlyTest().JPKIAuth) != 1 {
		t.Fatalf("got %+v", s)
	}
	if !s.IsTestIssuer(jlisTestID) || s.IsTestIssuer(production) || s.IsTestIssuer("") {
		t.Fatal("the worlds are mixed")
	}
}

func TestRefusals(t *testing.T) {
	good := outside(t, "production", production)
	key, err := os.ReadFile(filepath.Join(good, "surface", production+".pem"))
	if err != nil {
		t.Fatal(err)
	}
	ca, err := os.ReadFile(filepath.Join(good, "jpki-sign", "g3.pem"))
	if err != nil {
		t.Fatal(err)
	}
	surface := filepath.Join("surface", production+".pem")
	for _, tt := range []struct {
		name, file, text string
		want             error
	}{
		{"unknown-key", "trust.json", `{"name":"n","kind":"production","valid":true}`, trust.ErrForm},
		{"second-object", "trust.json", `{"name":"n","kind":"production"}{}`, trust.ErrForm},
		{"no-kind", "trust.json", `{"name":"n"}`, trust.ErrForm},
		{"odd-kind", "trust.json", `{"name":"n","kind":"prod"}`, trust.ErrForm},
		{"no-name", "trust.json", `{"kind":"production"}`, trust.ErrForm},
		{"misspelt-folder", "jpki_sign", "", trust.ErrForm},
		{"not-pem", surface, "hello", trust.ErrForm},
		{"broken-pem", surface, strings.Replace(string(key), "M", "A", 1), trust.ErrForm},
		{"certificate-as-key", surface, string(ca), trust.ErrForm},
		{"key-as-certificate", "jpki-sign/g3.pem", string(key), trust.ErrForm},
		{"two-blocks", "jpki-auth/g3.pem", string(ca) + string(ca), trust.ErrForm},
		{"other-name", "jpki-auth/g3.crt", string(ca), trust.ErrForm},
		{"short-id", "surface/3530.pem", string(key), trust.ErrForm},
		{"upper-case-id", "surface/" + strings.Replace(production, "01020304", "0A020304", 1) + ".pem", string(key), trust.ErrForm},
		{"virtual-key-in-production", "surface/" + virtualID + ".pem", string(key), trust.ErrMixed},
		{"jlis-test-key-in-production", "surface/" + jlisTestID + ".pem", string(key), trust.ErrMixed},
		{"production-key-in-test", "trust.json", `{"name":"n","kind":"test"}`, trust.ErrMixed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(good)); err != nil {
				t.Fatal(err)
			}
			put(t, dir, tt.file, tt.text)
			_, err := trust.Options{AllowTest: true}.Load(dir)
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), filepath.Base(tt.file)) && errors.Is(tt.want, trust.ErrForm) {
				t.Fatalf("got %v, want %v that names %s", err, tt.want, tt.file)
			}
		})
	}
	t.Run("no-trust-json", func(t *testing.T) {
		if _, err := trust.Load(t.TempDir()); !errors.Is(err, os.ErrNotExist) {
			t.Fatalf("got %v", err)
		}
	})
	t.Run("end-entity-as-authority", func(t *testing.T) {
		dir, private := outside(t, "production", production), filepath.Join(t.TempDir(), "k.pem")
		openssl(t, "genrsa", "-out", private, "2048")
		openssl(t, "req", "-x509", "-new", "-key", private, "-subj", "/CN=x", "-addext", "basicConstraints=critical,CA:FALSE",
			"-out", filepath.Join(dir, "jpki-sign", "x.pem"))
		if _, err := trust.Load(dir); !errors.Is(err, trust.ErrForm) || !strings.Contains(err.Error(), "x.pem") {
			t.Fatalf("got %v", err)
		}
	})
	t.Run("same-id-other-key", func(t *testing.T) {
		if _, err := trust.Load(good, outside(t, "production", production)); !errors.Is(err, trust.ErrTwice) {
			t.Fatalf("got %v", err)
		}
	})
}

// What Write writes loads again, and openssl reads its keys.
func TestWriteIsLoaded(t *testing.T) {
	keys, err := virtual.IssuerKeys()
	if err != nil {
		t.Fatal(err)
	}
	sign, auth, err := virtual.JPKIRoots()
	if err != nil {
		t.Fatal(err)
	}
	d := trust.Dir{Path: filepath.Join(t.TempDir(), "v"), Name: "virtual", Kind: trust.Test}
	for _, k := range keys {
		d.Surface = append(d.Surface, card.IssuerKey{KeyID: k.KeyID, Key: k.Key})
	}
	for der, into := range map[*[]byte]*[]*x509.Certificate{&sign: &d.JPKISign, &auth: &d.JPKIAuth} {
		c, err := x509.ParseCertificate(*der)
		if err != nil {
			t.Fatal(err)
		}
		*into = append(*into, c)
	}
	if err := d.Write(); err != nil {
		t.Fatal(err)
	}
	if err := d.Write(); err == nil {
		t.Fatal("a directory was overwritten")
	}
	s, err := trust.Options{AllowTest: true}.Load(d.Path)
	if err != nil || len(s.Surface) != len(keys) || len(s.JPKISign) != 1 || len(s.JPKIAuth) != 1 {
		t.Fatalf("got %+v, %v", s, err)
	}
	openssl(t, "x509", "-in", filepath.Join(d.Path, "jpki-sign", "ca-1.pem"), "-noout")
	id := hex.EncodeToString(keys[0].KeyID)
	openssl(t, "pkey", "-pubin", "-in", filepath.Join(d.Path, "surface", id+".pem"), "-noout")
	raw, err := os.ReadFile(filepath.Join(d.Path, "surface", id+".pem"))
	if b, rest := pem.Decode(raw); err != nil || b == nil || len(rest) > 0 {
		t.Fatal("not one PEM block")
	}
}
