package enroll_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"madoguchi/internal/secret"
	"madoguchi/storage/devicekey"
	"madoguchi/storage/enroll"
	"madoguchi/storage/storagetest"
)

const kiosk = "branch-012-kiosk-1"

func newKey(t testing.TB) devicekey.Key {
	t.Helper()
	k, err := devicekey.NewFile()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func request(t testing.TB, code *secret.Bytes, tlsKey, device devicekey.Key) *enroll.Request {
	t.Helper()
	r, err := enroll.NewRequest(kiosk, code, tlsKey, device)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// frame is written from the description: the SHA-256 of each field with its length before it.
func frame(fields ...[]byte) [32]byte {
	var b []byte
	for _, f := range fields {
		b = binary.BigEndian.AppendUint32(b, uint32(len(f)))
		b = append(b, f...)
	}
	return sha256.Sum256(b)
}

func TestCodes(t *testing.T) {
	form := regexp.MustCompile(`^[0-9A-HJKMNP-TV-Z]{5}(-[0-9A-HJKMNP-TV-Z]{5}){3}$`)
	seen := map[string]bool{}
	for range 200 {
		c := string(enroll.NewCode().Reveal())
		if !form.MatchString(c) || seen[c] {
			t.Fatalf("got %q", c)
		}
		seen[c] = true
	}
	want := frame([]byte("madoguchi enrolment code v1"), []byte(kiosk), []byte("ABCDE0123411110XYZ00"))
	for _, typed := range []string{"ABCDE-01234-11110-XYZ00", "abcde 01234 11110 xyz00", "ABCDE01234ILilOXYZoO", " ABCDE-01234-11110-XYZ00\r\n"} {
		if got, err := enroll.HashCode(kiosk, secret.New([]byte(typed))); err != nil || got != want {
			t.Errorf("%q: got %x, %v", typed, got, err)
		}
	}
	for _, bad := range []string{"", "ABCDE-01234-11110-XYZ0", "ABCDE-01234-11110-XYZ000", "ABCDE-01234-11110-XYZ0U", "ABCDE-01234-11110-XYZ0é"} {
		if _, err := enroll.HashCode(kiosk, secret.New([]byte(bad))); !errors.Is(err, enroll.ErrCode) {
			t.Errorf("%q: got %v", bad, err)
		}
	}
	if other, _ := enroll.HashCode("another-kiosk", secret.New([]byte("ABCDE-01234-11110-XYZ00"))); other == want {
		t.Error("the hash is not bound to the device")
	}
}

// What is signed is checked with crypto/ecdsa and the description alone.
func TestProofByHand(t *testing.T) {
	tlsKey, device := newKey(t), newKey(t)
	code := secret.New([]byte("ABCDE-01234-11110-XYZ00"))
	r := request(t, code, tlsKey, device)
	hash := frame([]byte("madoguchi enrolment code v1"), []byte(kiosk), []byte("ABCDE0123411110XYZ00"))
	sum := frame([]byte("madoguchi enrolment proof v1"), []byte(kiosk), hash[:], r.CSR, r.DevicePublic)
	pub, _ := device.Public().(*ecdsa.PublicKey)
	if !ecdsa.VerifyASN1(pub, sum[:], r.Proof) {
		t.Fatal("the proof is not over what is described")
	}
	a, b, got, err := r.Check()
	if err != nil || !a.Equal(tlsKey.Public()) || !b.Equal(device.Public()) || got != hash {
		t.Fatal(err)
	}
	renew, err := enroll.NewRenewRequest(kiosk, tlsKey, device)
	if err != nil {
		t.Fatal(err)
	}
	sum = frame([]byte("madoguchi renewal proof v1"), []byte(kiosk), renew.CSR)
	if !ecdsa.VerifyASN1(pub, sum[:], renew.Proof) {
		t.Fatal("the renewal's proof is not over what is described")
	}
	renew.Proof = r.Proof
	if _, err := renew.Check(pub); !errors.Is(err, enroll.ErrProof) {
		t.Fatalf("the proof of an enrolment serves for a renewal: %v", err)
	}
}

func TestRequestForm(t *testing.T) {
	r := request(t, secret.New([]byte("ABCDE-01234-11110-XYZ00")), newKey(t), newKey(t))
	body, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.StdEncoding.EncodeToString
	want := `{"code":"ABCDE0123411110XYZ00","csr":"` + b64(r.CSR) + `","device":"` + kiosk + `","device_public":"` + b64(r.DevicePublic) +
		`","proof":"` + b64(r.Proof) + `","v":1}`
	if string(body) != want {
		t.Fatalf("got %s", body)
	}
	if _, err := enroll.ParseRequest(body); err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string][2]string{
		"unknown-member": {`"v":1`, `"v":1,"x":1`}, "other-version": {`"v":1`, `"v":2`}, "white-space": {`"v":1`, ` "v":1`},
		"bad-name": {kiosk, "Branch"}, "missing": {`"code":"ABCDE0123411110XYZ00",`, ""}, "twice": {`"v":1`, `"v":1,"v":1`},
	} {
		if _, err := enroll.ParseRequest([]byte(strings.Replace(want, edit[0], edit[1], 1))); !errors.Is(err, enroll.ErrForm) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	r.Wipe()
	if len(bytes.Trim(r.Code.Reveal(), "\x00")) != 0 {
		t.Fatal("the code was not wiped")
	}
}

// openssl, which is not our code, verifies the request and reads nothing but the name in it.
func TestOpenSSLJudgesTheRequest(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("missing: openssl")
		}
		t.Skip("SKIPPED, missing: openssl")
	}
	r := request(t, enroll.NewCode(), newKey(t), newKey(t))
	path := filepath.Join(t.TempDir(), "csr.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: r.CSR}), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("openssl", "req", "-in", path, "-verify", "-noout", "-text").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, want := range []string{"verify OK", "Subject: CN = " + kiosk + "\n", "NIST CURVE: P-256", "ecdsa-with-SHA256", "(none)"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q in %s", want, out)
		}
	}
}

// A request that openssl makes is taken when it asks for the name alone, and refused when it asks for more.
func TestRequestsMadeByOpenSSL(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("missing: openssl")
		}
		t.Skip("SKIPPED, missing: openssl")
	}
	device := newKey(t)
	for _, c := range []struct {
		name string
		args []string
		good bool
	}{
		{"the-name", []string{"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-subj", "/CN=" + kiosk}, true},
		{"two-names", []string{"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-subj", "/CN=other/CN=" + kiosk}, false},
		{"an-organisation", []string{"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-subj", "/O=x/CN=" + kiosk}, false},
		{"an-address", []string{"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-subj", "/CN=" + kiosk, "-addext", "subjectAltName=DNS:hq.example"}, false},
		{"a-ca", []string{"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-subj", "/CN=" + kiosk, "-addext", "basicConstraints=CA:TRUE"}, false},
		{"another-curve", []string{"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384", "-subj", "/CN=" + kiosk}, false},
		{"rsa", []string{"-newkey", "rsa:2048", "-subj", "/CN=" + kiosk}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			args := append([]string{"req", "-new", "-sha256", "-nodes", "-outform", "DER", "-keyout", filepath.Join(dir, "k"), "-out", filepath.Join(dir, "csr")}, c.args...)
			if out, err := exec.Command("openssl", args...).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			der, err := os.ReadFile(filepath.Join(dir, "csr"))
			if err != nil {
				t.Fatal(err)
			}
			r := &enroll.RenewRequest{CSR: der, Device: kiosk}
			sum := frame([]byte("madoguchi renewal proof v1"), []byte(kiosk), der)
			if r.Proof, err = device.Sign(rand.Reader, sum[:], crypto.SHA256); err != nil {
				t.Fatal(err)
			}
			pub, _ := device.Public().(*ecdsa.PublicKey)
			if _, err := r.Check(pub); (err == nil) != c.good || !c.good && !errors.Is(err, enroll.ErrCSR) {
				t.Fatalf("got %v", err)
			}
		})
	}
}

func TestHealth(t *testing.T) {
	at := storagetest.At()
	leaf := &x509.Certificate{NotBefore: at, NotAfter: at.Add(90 * 24 * time.Hour)}
	for days, want := range map[float64]enroll.Health{-0.1: enroll.NotYetValid, 0: enroll.Good, 59.9: enroll.Good, 60: enroll.Due, 89.9: enroll.Due, 90: enroll.Expired, 1000: enroll.Expired} {
		if got := enroll.HealthOf(leaf, at.Add(time.Duration(days*24*float64(time.Hour)))); got != want {
			t.Errorf("day %v: got %s", days, got)
		}
	}
}

func FuzzParseRequest(f *testing.F) {
	body, err := request(f, enroll.NewCode(), newKey(f), newKey(f)).Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(body)
	f.Add([]byte(`{"code":"","csr":"","device":"a","device_public":"","proof":"","v":1}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := enroll.ParseRequest(b)
		if err != nil {
			return
		}
		if again, err := r.Encode(); err != nil || !bytes.Equal(again, b) {
			t.Fatal("two spellings of one request")
		}
		_, _, _, _ = r.Check()
	})
}

func FuzzParseRenewRequest(f *testing.F) {
	device := newKey(f)
	pub, _ := device.Public().(*ecdsa.PublicKey)
	r, err := enroll.NewRenewRequest(kiosk, newKey(f), device)
	if err != nil {
		f.Fatal(err)
	}
	body, err := r.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(body)
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := enroll.ParseRenewRequest(b)
		if err != nil {
			return
		}
		if _, err := r.Check(pub); err == nil && !bytes.Equal(b, body) {
			t.Fatal("a forged renewal was accepted")
		}
	})
}

func FuzzParseAnswer(f *testing.F) {
	body, err := (&enroll.Answer{CA: [][]byte{{1}}, Chain: [][]byte{{2}, {3}}, Device: kiosk, Keys: []byte("{}"), Root: []byte{4}}).Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(body)
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := enroll.ParseAnswer(b)
		if err != nil {
			return
		}
		if again, err := a.Encode(); err != nil || !bytes.Equal(again, b) {
			t.Fatal("two spellings of one answer")
		}
	})
}
