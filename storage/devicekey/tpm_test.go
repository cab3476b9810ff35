package devicekey_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"madoguchi/storage/devicekey"
)

func mustP384(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func pemOf(t *testing.T, k any) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func need(t testing.TB, tools ...string) {
	t.Helper()
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal("missing: ", tool)
			}
			t.Skip("SKIPPED, missing: ", tool)
		}
	}
}

// software is a running swtpm.
type software struct {
	dir string
	cmd *exec.Cmd
}

func (s *software) socket() string { return filepath.Join(s.dir, "tpm.sock") }

// newSoftware makes a TPM with a seed of its own and starts it.
func newSoftware(t testing.TB) *software {
	t.Helper()
	need(t, "swtpm")
	dir, err := os.MkdirTemp("", "tpm") //nolint:usetesting // short: a socket's path has at most 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	s := &software{dir: dir}
	t.Cleanup(func() {
		s.stop()
		_ = os.RemoveAll(dir)
	})
	s.start(t)
	return s
}

func (s *software) start(t testing.TB) {
	t.Helper()
	s.cmd = exec.Command("swtpm", "socket", "--tpm2", "--tpmstate", "dir="+s.dir, "--flags", "not-need-init,startup-clear",
		"--server", "type=unixio,path="+s.socket())
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	end := time.Now().Add(20 * time.Second)
	for {
		c, err := net.Dial("unix", s.socket())
		if err == nil {
			_ = c.Close()
			return
		}
		if time.Now().After(end) {
			t.Fatal("swtpm did not start: ", err)
		}
		<-time.After(5 * time.Millisecond)
	}
}

func (s *software) stop() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		s.cmd = nil
	}
	_ = os.Remove(s.socket())
}

func (s *software) open(t testing.TB) *devicekey.TPM {
	t.Helper()
	tpm, err := devicekey.OpenTPM(s.socket(), 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tpm.Close)
	return tpm
}

func create(t testing.TB, tpm *devicekey.TPM) (devicekey.Key, []byte) {
	t.Helper()
	k, err := tpm.Create()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := k.PEM()
	if err != nil {
		t.Fatal(err)
	}
	return k, raw
}

func reload(tpm *devicekey.TPM, raw []byte) (devicekey.Key, error) {
	return devicekey.Parse(append([]byte(nil), raw...), func() (*devicekey.TPM, error) { return tpm, nil })
}

func TestTPMKeyConforms(t *testing.T) {
	s := newSoftware(t)
	tpm := s.open(t)
	k, raw := create(t, tpm)
	if !devicekey.IsTPM(raw) {
		t.Fatal("not a TPM's key file")
	}
	conform(t, k, func(raw []byte) (devicekey.Key, error) { return reload(tpm, raw) })
}

// A kiosk holds a device key and a TLS key, and makes a new TLS key at each renewal: a TPM's three places must do.
func TestManyKeysInOneTPM(t *testing.T) {
	tpm := newSoftware(t).open(t)
	device, _ := create(t, tpm)
	sum := sha256.Sum256([]byte("x"))
	for range 6 {
		k, _ := create(t, tpm)
		for _, signer := range []devicekey.Key{device, k} {
			if _, err := signer.Sign(rand.Reader, sum[:], crypto.SHA256); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// openssl, which is not our code, verifies what the TPM signed.
func TestOpenSSLVerifiesTheTPMsSignature(t *testing.T) {
	need(t, "openssl")
	k, _ := create(t, newSoftware(t).open(t))
	message := []byte("what the device says")
	sum := sha256.Sum256(message)
	sig, err := k.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(k.Public())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	pub := write("pub.pem", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki}))
	verify := func(message []byte) error {
		return exec.Command("openssl", "dgst", "-sha256", "-verify", pub, "-signature", write("sig", sig), write("msg", message)).Run()
	}
	if err := verify(message); err != nil {
		t.Fatal("openssl refuses: ", err)
	}
	if verify([]byte("what the device did not say")) == nil {
		t.Fatal("openssl accepts another message")
	}
}

// tpm2-tools, which are not our code, load the blob's public half and say what the key may: sign, and never leave.
func TestToolsSayTheKeyCannotLeave(t *testing.T) {
	need(t, "tpm2_print")
	_, raw := create(t, newSoftware(t).open(t))
	block, _ := pem.Decode(raw)
	var f struct {
		Type            asn1.ObjectIdentifier
		EmptyAuth       bool `asn1:"optional,explicit,tag:0"`
		Parent          int
		Public, Private []byte
	}
	if _, err := asn1.Unmarshal(block.Bytes, &f); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "key.pub")
	if err := os.WriteFile(path, f.Public, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("tpm2_print", "-t", "TPM2B_PUBLIC", path).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, want := range []string{`attributes:\s+value: fixedtpm\|fixedparent\|sensitivedataorigin\|userwithauth\|noda\|sign\n`, `curve-id:\s+value: NIST p256`, `scheme:\s+value: ecdsa`, `scheme-halg:\s+value: sha256`} {
		if !regexp.MustCompile(want).Match(out) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
}

func TestTPMRestartsAndIsLost(t *testing.T) {
	s := newSoftware(t)
	tpm := s.open(t)
	k, raw := create(t, tpm)
	sum := sha256.Sum256([]byte("x"))
	s.stop()
	if _, err := k.Sign(rand.Reader, sum[:], crypto.SHA256); !errors.Is(err, devicekey.ErrLost) && !errors.Is(err, devicekey.ErrNoTPM) {
		t.Fatalf("got %v", err)
	}
	s.start(t)
	sig, err := k.Sign(rand.Reader, sum[:], crypto.SHA256)
	pub, _ := k.Public().(*ecdsa.PublicKey)
	if err != nil || !ecdsa.VerifyASN1(pub, sum[:], sig) {
		t.Fatal("after the TPM's restart: ", err)
	}
	tpm.Close()
	if _, err := reload(s.open(t), raw); err != nil {
		t.Fatal("after the program's restart: ", err)
	}
}

func TestKeyOfAnotherTPM(t *testing.T) {
	_, raw := create(t, newSoftware(t).open(t))
	other := newSoftware(t).open(t)
	if _, err := reload(other, raw); !errors.Is(err, devicekey.ErrForeign) {
		t.Fatalf("got %v", err)
	}
	if _, _ = create(t, other); t.Failed() {
		t.Fatal("the other TPM is out of order after the refusal")
	}
}

func TestTPMKeyFileIsStrict(t *testing.T) {
	tpm := newSoftware(t).open(t)
	_, raw := create(t, tpm)
	block, _ := pem.Decode(raw)
	for name, edit := range map[string]func([]byte) []byte{
		"trailing":    func(b []byte) []byte { return append(b, 0) },
		"cut":         func(b []byte) []byte { return b[:len(b)-1] },
		"other-type":  func(b []byte) []byte { b[9]++; return b },
		"public-half": func(b []byte) []byte { b[len(b)/2-20]++; return b },
		"private":     func(b []byte) []byte { b[len(b)-1]++; return b },
	} {
		t.Run(name, func(t *testing.T) {
			bad := edit(append([]byte(nil), block.Bytes...))
			_, err := reload(tpm, pem.EncodeToMemory(&pem.Block{Type: "TSS2 PRIVATE KEY", Bytes: bad}))
			if err == nil {
				t.Fatal("accepted")
			}
			if strings.Contains(err.Error(), "\n") && !errors.Is(err, devicekey.ErrTPM) {
				t.Fatalf("got %v", err)
			}
		})
	}
}

func TestOpenTPMRefuses(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"missing": filepath.Join(dir, "none"), "a-file": file, "a-directory": dir, "another-device": "/dev/null"} {
		t.Run(name, func(t *testing.T) {
			if _, err := devicekey.OpenTPM(path, time.Second); !errors.Is(err, devicekey.ErrNoTPM) {
				t.Fatalf("got %v", err)
			}
		})
	}
}

// A TPM that takes a command and never answers must not hold the kiosk.
func TestSilentTPMTimesOut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	begin := time.Now()
	if _, err := devicekey.OpenTPM(path, 50*time.Millisecond); !errors.Is(err, devicekey.ErrNoTPM) || !errors.Is(err, devicekey.ErrLost) {
		t.Fatalf("got %v", err)
	}
	if time.Since(begin) > 5*time.Second {
		t.Fatal("too late")
	}
}

func BenchmarkSignTPM(b *testing.B) {
	k, _ := create(b, newSoftware(b).open(b))
	benchSign(b, k)
}

func BenchmarkCreateTPM(b *testing.B) {
	tpm := newSoftware(b).open(b)
	for b.Loop() {
		if _, err := tpm.Create(); err != nil {
			b.Fatal(err)
		}
	}
}
