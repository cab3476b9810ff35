//go:build linux && cgo

package hardwaretest_test

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"madoguchi/hardware/hardwaretest/pcscd"
	"madoguchi/hardware/reader"
	"madoguchi/hardware/virtual"
	"madoguchi/hardware/virtual/vpcd"
)

// OpenSC is an independent judge of the virtual card: it knows JPKI from real cards, and nothing of this module.

const opensc11 = "opensc-pkcs11.so" // found by pkcs11-tool in its own folder

// judge is one card on a real pcscd, and the tools that look at it.
type judge struct {
	t      *testing.T
	dir    string
	person *virtual.Person
	card   *virtual.Card
}

func newJudge(t *testing.T) *judge {
	t.Helper()
	pcscd.Start(t)
	for _, tool := range []string{"opensc-tool", "pkcs15-tool", "pkcs11-tool"} {
		needTool(t, tool, "opensc")
	}
	needTool(t, "openssl", "openssl")
	slot := vpcd.NewSlot(pcscd.Addr)
	t.Cleanup(func() { _ = slot.Remove() })
	h := newHand(t, slot)
	ch := levelsOf(t, newPCSC())
	h.Insert()
	await(t, ch, reader.Card)
	return &judge{t: t, dir: t.TempDir(), person: h.person, card: h.card}
}

// run runs a tool in the judge's folder with an environment of its own: no OPENSC_DRIVER, the card must be found
// out; PINs travel in variables, never in arguments.
func (j *judge) run(pin []byte, name string, args ...string) (string, error) {
	j.t.Helper()
	ctx, cancel := context.WithTimeout(j.t.Context(), patient)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...) //nolint:gosec // the tools and arguments of these tests
	cmd.Dir = j.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + j.dir, "LC_ALL=C", "CARD_PIN=" + string(pin)}
	out, err := cmd.Output()
	if exit, ok := err.(*exec.ExitError); ok { //nolint:errorlint // as os/exec gives it
		j.t.Logf("%s %v: %v\n%s", name, args, err, exit.Stderr)
	}
	return string(out), err
}

// must is run of what has to work.
func (j *judge) must(pin []byte, name string, args ...string) string {
	j.t.Helper()
	out, err := j.run(pin, name, args...)
	if err != nil {
		j.t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return out
}

// certificate reads the text of a PEM certificate that pkcs15-tool gave.
func (j *judge) certificate(text string) *x509.Certificate {
	j.t.Helper()
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		j.t.Fatalf("no certificate in %q", text)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		j.t.Fatal(err)
	}
	return cert
}

func TestOpenSCNamesTheCard(t *testing.T) {
	j := newJudge(t)
	if out := j.must(nil, "opensc-tool", "--reader", "0", "--name"); strings.TrimSpace(out) != "jpki" {
		t.Fatalf("got %q, want jpki", out)
	}
}

func TestOpenSCReadsCertificates(t *testing.T) {
	j := newJudge(t)
	list := j.must(nil, "pkcs15-tool", "--list-certificates")
	for _, want := range []string{
		"[User Authentication Certificate]", "[Digital Signature Certificate]",
		"[User Authentication Certificate CA]", "[Digital Signature Certificate CA]",
	} {
		if !strings.Contains(list, want) {
			t.Errorf("no %s in\n%s", want, list)
		}
	}
	signRoot, authRoot, err := virtual.JPKIRoots()
	if err != nil {
		t.Fatal(err)
	}
	password := j.person.SignPassword().Reveal()
	for _, chain := range []struct {
		leaf, root string
		pin        []byte
		want       []byte
	}{{"1", "3", nil, authRoot}, {"2", "4", password, signRoot}} {
		args := []string{"--read-certificate", chain.leaf}
		if chain.pin != nil {
			if out, err := j.run(nil, "pkcs15-tool", args...); err == nil && strings.Contains(out, "BEGIN CERTIFICATE") {
				t.Error("the signature certificate is readable without its password")
			}
			args = append(args, "--verify-pin", "--auth-id", "2", "--pin", "env:CARD_PIN")
		}
		leaf := j.certificate(j.must(chain.pin, "pkcs15-tool", args...))
		root := j.certificate(j.must(nil, "pkcs15-tool", "--read-certificate", chain.root))
		if string(root.Raw) != string(chain.want) {
			t.Errorf("certificate %s is not the root of the virtual JPKI", chain.root)
		}
		if err := leaf.CheckSignatureFrom(root); err != nil {
			t.Errorf("certificate %s: %v", chain.leaf, err)
		}
	}
}

// TestOpenSCSigns lets pkcs11-tool sign with each key, and openssl verify with the key of the certificate.
func TestOpenSCSigns(t *testing.T) {
	j := newJudge(t)
	document := filepath.Join(j.dir, "document")
	if err := os.WriteFile(document, []byte("the document that is signed\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, key := range []struct {
		name, slot, id string
		ef             uint16
		tries          int
		pin            []byte
	}{
		{"authenticate", "0", "01", 0x0018, 3, j.person.PIN().Reveal()},
		{"sign", "1", "02", 0x001B, 5, j.person.SignPassword().Reveal()},
	} {
		t.Run(key.name, func(t *testing.T) {
			j.t = t
			j.must(key.pin, "pkcs11-tool", "--module", opensc11, "--slot-index", key.slot, "--login", "--pin", "env:CARD_PIN",
				"--sign", "--id", key.id, "--mechanism", "SHA256-RSA-PKCS", "--input-file", document, "--output-file", "signature")
			j.must(key.pin, "pkcs11-tool", "--module", opensc11, "--slot-index", key.slot, "--login", "--pin", "env:CARD_PIN",
				"--read-object", "--type", "cert", "--id", key.id, "--output-file", "cert.der")
			public := j.must(nil, "openssl", "x509", "-inform", "DER", "-in", "cert.der", "-noout", "-pubkey")
			if err := os.WriteFile(filepath.Join(j.dir, "public.pem"), []byte(public), 0o600); err != nil {
				t.Fatal(err)
			}
			verify := []string{"dgst", "-sha256", "-verify", "public.pem", "-signature", "signature"}
			if out := j.must(nil, "openssl", append(verify, document)...); !strings.Contains(out, "Verified OK") {
				t.Fatalf("openssl says %q", out)
			}
			if out, err := j.run(nil, "openssl", append(verify, "public.pem")...); err == nil {
				t.Fatalf("openssl verifies another document: %q", out)
			}
			if left := j.card.TriesLeft("jpki", key.ef); left != key.tries {
				t.Fatalf("%d tries left, want %d", left, key.tries)
			}
		})
	}
}

// TestOpenSCCountsTries types one wrong PIN and then the right one.
func TestOpenSCCountsTries(t *testing.T) {
	j := newJudge(t)
	wrong := []byte("0000")
	if string(j.person.PIN().Reveal()) == "0000" {
		wrong = []byte("1111")
	}
	login := func(pin []byte) error {
		_, err := j.run(pin, "pkcs15-tool", "--verify-pin", "--auth-id", "1", "--pin", "env:CARD_PIN")
		return err
	}
	if err := login(wrong); err == nil {
		t.Fatal("a wrong PIN is right")
	}
	if left := j.card.TriesLeft("jpki", 0x0018); left != 2 {
		t.Fatalf("%d tries left, want 2", left)
	}
	if out := j.must(nil, "pkcs15-tool", "--list-pins"); !strings.Contains(out, "Tries left     : 2") {
		t.Errorf("OpenSC does not see 2 tries:\n%s", out)
	}
	if err := login(j.person.PIN().Reveal()); err != nil {
		t.Fatal(err)
	}
	if left := j.card.TriesLeft("jpki", 0x0018); left != 3 {
		t.Fatalf("%d tries left, want 3", left)
	}
}
