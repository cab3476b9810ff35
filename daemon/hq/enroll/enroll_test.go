package enroll_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	stdsync "sync"
	"sync/atomic"
	"testing"
	"time"

	"madoguchi/daemon/hq/device"
	"madoguchi/internal/secret"
	"madoguchi/storage/devicekey"
	"madoguchi/storage/enroll"
	"madoguchi/storage/seal"
	"madoguchi/storage/storagetest"
	"madoguchi/storage/sync"
	"madoguchi/storage/wire"
)

func TestEnrolThenSendThenVerify(t *testing.T) {
	h := newHQ(t)
	o := h.options(h.code(kiosk))
	r := h.enroll(o)
	b, err := sync.LoadBundle(o.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if b.Device != kiosk || b.URL != h.server.URL || r.Root != b.Root.Fingerprint() || r.TPM || r.Kept {
		t.Fatalf("got %+v", r)
	}
	leaf := b.TLS.Certificates[0].Leaf
	if want := h.clock.now().Truncate(time.Second).Add(90 * 24 * time.Hour); !leaf.NotAfter.Equal(want) || leaf.Subject.CommonName != kiosk {
		t.Fatalf("got %s until %s", leaf.Subject, leaf.NotAfter)
	}
	// What the kiosk signs now verifies with the key that HQ has registered.
	rec := storagetest.Record(storagetest.NewID(), 100)
	rec.Device = kiosk
	env, err := wire.Build(rec, b.Keys, b.Signer, 1, h.clock.now())
	if err != nil {
		t.Fatal(err)
	}
	if err := env.VerifyDevice(h.device(kiosk).Public); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{sync.FileKey: 0o600, sync.FileDeviceKey: 0o600, sync.FileKeys: 0o600, ".": 0o700} {
		info, err := os.Stat(filepath.Join(o.Dir, name))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: got %v, %v", name, info.Mode(), err)
		}
	}
	if left, err := os.ReadDir(filepath.Dir(o.Dir)); err != nil || len(left) != 1 {
		t.Fatalf("left behind: %v, %v", left, err)
	}
	if log := h.log.String(); !strings.Contains(log, "enrolled") || strings.Contains(log, string(o.Code.Reveal())) || strings.Contains(log, strings.ReplaceAll(string(o.Code.Reveal()), "-", "")) {
		t.Fatalf("the log says %s", log)
	}
}

// openssl, which is not our code, verifies the chain for its purpose and reads the certificate.
func TestOpenSSLJudgesTheCertificate(t *testing.T) {
	needOpenSSL(t)
	h := newHQ(t)
	o := h.options(h.code(kiosk))
	h.enroll(o)
	cert := filepath.Join(o.Dir, sync.FileCert)
	ca := filepath.Join(h.layout.CA(), "ca.crt.pem")
	verify := func(purpose string) error {
		return exec.Command("openssl", "verify", "-x509_strict", "-attime", "1795132923", "-CAfile", ca, "-untrusted", cert, "-purpose", purpose, cert).Run()
	}
	if err := verify("sslclient"); err != nil {
		t.Fatal(err)
	}
	if verify("sslserver") == nil {
		t.Fatal("the certificate serves for a server")
	}
	out, err := exec.Command("openssl", "x509", "-in", cert, "-noout", "-subject", "-ext", "extendedKeyUsage,basicConstraints").Output()
	if err != nil || !bytes.Contains(out, []byte("CN = "+kiosk)) || !bytes.Contains(out, []byte("TLS Web Client Authentication")) || !bytes.Contains(out, []byte("CA:FALSE")) {
		t.Fatalf("%v: %s", err, out)
	}
}

func needOpenSSL(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("missing: openssl")
		}
		t.Skip("SKIPPED, missing: openssl")
	}
}

func TestPinnedCAAndRoot(t *testing.T) {
	h := newHQ(t)
	block, _ := pem.Decode(h.ca)
	list, err := os.ReadFile(filepath.Join(h.layout.Receiver(), sync.FileRoot))
	if err != nil {
		t.Fatal(err)
	}
	root, err := seal.ParseRoot(list)
	if err != nil {
		t.Fatal(err)
	}
	wrong := sha256.Sum256([]byte("another"))
	for _, c := range []struct {
		name  string
		trust enroll.Trust
		want  error
	}{
		{"wrong-pin", enroll.Trust{CAPin: wrong}, enroll.ErrServer},
		{"wrong-root", enroll.Trust{CA: h.ca, Root: wrong}, enroll.ErrServer},
		{"right-pin-and-root", enroll.Trust{CAPin: sha256.Sum256(block.Bytes), Root: root.Fingerprint()}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := h.options(h.code(kiosk))
			o.Trust = c.trust
			if _, err := enroll.Enroll(context.Background(), o); !errors.Is(err, c.want) {
				t.Fatalf("got %v", err)
			}
			if _, err := sync.LoadBundle(o.Dir); (err == nil) != (c.want == nil) {
				t.Fatalf("bundle: %v", err)
			}
		})
	}
	t.Run("a-leaf-is-no-ca", func(t *testing.T) {
		o := h.options(h.code(kiosk))
		o.Trust = enroll.Trust{CAPin: sha256.Sum256(h.server.TLS.Certificates[0].Certificate[0])}
		if _, err := enroll.Enroll(context.Background(), o); !errors.Is(err, enroll.ErrServer) {
			t.Fatalf("got %v", err)
		}
	})
}

// Codes that are wrong in any way get one and the same answer.
func TestBadCodesGetOneAnswer(t *testing.T) {
	h := newHQ(t)
	used := h.code(kiosk)
	h.enroll(h.options(used))
	device, tlsKey := newKey(t), newKey(t)
	ask := func(name string, code *secret.Bytes) string {
		r, err := enroll.NewRequest(name, code, tlsKey, device)
		if err != nil {
			t.Fatal(err)
		}
		body, err := r.Encode()
		if err != nil {
			t.Fatal(err)
		}
		h.clock.pass(time.Minute) // the limit of attempts is another test
		status, answer := h.post(enroll.PathEnroll, body, nil)
		if status != 403 {
			t.Fatalf("%s: status %d %s", name, status, answer)
		}
		return answer
	}
	answers := map[string]string{}
	answers["used"] = ask(kiosk, used)
	answers["unknown-device"] = ask("branch-999-kiosk-9", enroll.NewCode())
	h.code("branch-013-kiosk-1")
	answers["wrong"] = ask("branch-013-kiosk-1", enroll.NewCode())
	answers["of-another-device"] = ask("branch-014-kiosk-1", h.code("branch-013-kiosk-1"))
	replaced := h.code("branch-015-kiosk-1")
	h.code("branch-015-kiosk-1")
	answers["replaced"] = ask("branch-015-kiosk-1", replaced)
	revoked := h.code("branch-016-kiosk-1")
	if err := h.codes().Revoke("branch-016-kiosk-1"); err != nil {
		t.Fatal(err)
	}
	answers["revoked"] = ask("branch-016-kiosk-1", revoked)
	old := h.code("branch-017-kiosk-1")
	h.clock.pass(24 * time.Hour)
	answers["expired"] = ask("branch-017-kiosk-1", old)
	for name, got := range answers {
		if got != "{\"code\":\"code\"}\n" {
			t.Errorf("%s: got %q", name, got)
		}
	}
	o := h.options(used)
	if _, err := enroll.Enroll(context.Background(), o); !errors.Is(err, enroll.ErrRefused) {
		t.Fatalf("got %v", err)
	}
}

func newKey(t *testing.T) devicekey.Key {
	t.Helper()
	k, err := devicekey.NewFile()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// Of many that use one code at once, one is enrolled.
func TestACodeIsUsedOnce(t *testing.T) {
	h := newHQ(t)
	code := h.code(kiosk)
	var good atomic.Int32
	var all stdsync.WaitGroup
	for range 8 {
		o := h.options(code)
		all.Go(func() {
			switch _, err := enroll.Enroll(context.Background(), o); {
			case err == nil:
				good.Add(1)
			case !errors.Is(err, enroll.ErrRefused):
				t.Error(err)
			}
		})
	}
	all.Wait()
	if good.Load() != 1 {
		t.Fatalf("%d were enrolled", good.Load())
	}
}

func TestBadProofsAreRefusedAndTheCodeStays(t *testing.T) {
	h := newHQ(t)
	code := h.code(kiosk)
	device, tlsKey := newKey(t), newKey(t)
	other, err := enroll.NewRequest(kiosk, code, newKey(t), newKey(t))
	if err != nil {
		t.Fatal(err)
	}
	named, err := enroll.NewRequest("another-kiosk", code, tlsKey, device)
	if err != nil {
		t.Fatal(err)
	}
	wrongCode, err := enroll.NewRequest(kiosk, enroll.NewCode(), tlsKey, device)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		edit func(r *enroll.Request)
		want string
	}{
		{"proof-over-another-request", func(r *enroll.Request) { r.CSR = other.CSR }, "proof"},
		{"another-device-key", func(r *enroll.Request) { r.DevicePublic = other.DevicePublic }, "proof"},
		{"another-proof", func(r *enroll.Request) { r.Proof = other.Proof }, "proof"},
		{"proof-over-another-code", func(r *enroll.Request) { r.Proof = wrongCode.Proof }, "proof"},
		{"no-proof", func(r *enroll.Request) { r.Proof = nil }, "proof"},
		{"request-for-another-name", func(r *enroll.Request) { r.CSR = named.CSR }, "csr"},
		{"request-that-does-not-verify", func(r *enroll.Request) { r.CSR = flip(r.CSR, len(r.CSR)-1) }, "csr"},
		{"no-request", func(r *enroll.Request) { r.CSR = nil }, "csr"},
		{"device-key-malformed", func(r *enroll.Request) { r.DevicePublic = r.DevicePublic[:20] }, "proof"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h.clock.pass(5 * time.Minute)
			r, err := enroll.NewRequest(kiosk, code, tlsKey, device)
			if err != nil {
				t.Fatal(err)
			}
			c.edit(r)
			body, err := r.Encode()
			if err != nil {
				t.Fatal(err)
			}
			if status, answer := h.post(enroll.PathEnroll, body, nil); status != 422 || answer != "{\"code\":\""+c.want+"\"}\n" {
				t.Fatalf("got %d %s", status, answer)
			}
		})
	}
	t.Run("one-key-for-both", func(t *testing.T) {
		r, err := enroll.NewRequest(kiosk, code, device, device)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := r.Encode()
		if status, _ := h.post(enroll.PathEnroll, body, nil); status != 422 {
			t.Fatalf("got %d", status)
		}
	})
	h.enroll(h.options(code)) // the honest kiosk still can
}

func flip(b []byte, i int) []byte {
	b = bytes.Clone(b)
	b[i] ^= 1
	return b
}

// A request that was overheard, or sent twice, gives nobody a second certificate.
func TestReplayIsRefused(t *testing.T) {
	h := newHQ(t)
	r, err := enroll.NewRequest(kiosk, h.code(kiosk), newKey(t), newKey(t))
	if err != nil {
		t.Fatal(err)
	}
	body, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{200, 403, 403} {
		if status, _ := h.post(enroll.PathEnroll, body, nil); status != want {
			t.Fatalf("time %d: got %d", i, status)
		}
	}
}

func TestMalformedBodies(t *testing.T) {
	h := newHQ(t)
	for _, c := range []struct {
		name string
		body []byte
		want int
	}{
		{"empty", nil, 400},
		{"not-json", []byte("hello"), 400},
		{"object", []byte("{}"), 400},
		{"too-large", bytes.Repeat([]byte(" "), enroll.MaxRequest+1), 413},
	} {
		t.Run(c.name, func(t *testing.T) {
			if status, _ := h.post(enroll.PathEnroll, c.body, nil); status != c.want {
				t.Fatalf("got %d", status)
			}
		})
	}
}

func TestAttemptsAreLimited(t *testing.T) {
	h := newHQ(t)
	code := h.code(kiosk)
	for i := range 12 {
		status, _ := h.post(enroll.PathEnroll, []byte("{}"), nil)
		if want := 400; i < 10 && status != want || i >= 10 && status != 429 {
			t.Fatalf("attempt %d: got %d", i, status)
		}
	}
	if _, err := enroll.Enroll(context.Background(), h.options(code)); !errors.Is(err, enroll.ErrBusy) {
		t.Fatalf("got %v", err)
	}
	h.clock.pass(10 * time.Minute)
	h.enroll(h.options(code))
}

func TestClockSkew(t *testing.T) {
	h := newHQ(t)
	for _, c := range []struct {
		name string
		skew time.Duration
		want error
	}{
		{"half-an-hour-behind", -30 * time.Minute, nil},
		{"half-an-hour-ahead", 30 * time.Minute, nil},
		{"years-behind", -5 * 365 * 24 * time.Hour, enroll.ErrClock},
		{"years-ahead", 20 * 365 * 24 * time.Hour, enroll.ErrClock},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := h.options(h.code(kiosk))
			o.Now = func() time.Time { return h.clock.now().Add(c.skew) }
			if _, err := enroll.Enroll(context.Background(), o); !errors.Is(err, c.want) {
				t.Fatalf("got %v", err)
			}
		})
	}
}

// A kiosk that is enrolled again keeps its device key; with a new one the former key stays good for what was queued,
// unless the device was revoked.
func TestEnrolAgain(t *testing.T) {
	h := newHQ(t)
	o := h.options(h.code(kiosk))
	h.enroll(o)
	first := fingerprintOf(t, h.device(kiosk).Public)
	before, err := sync.LoadBundle(o.Dir)
	if err != nil {
		t.Fatal(err)
	}
	h.clock.pass(time.Minute)
	o.Code = h.code(kiosk)
	if r := h.enroll(o); !r.Kept || fingerprintOf(t, h.device(kiosk).Public) != first {
		t.Fatal("the device key was not kept")
	}
	t.Run("the-former-certificate-is-superseded", func(t *testing.T) {
		if status, answer := h.post(enroll.PathRenew, nil, &before.TLS.Certificates[0]); status != 410 || !strings.Contains(answer, "superseded") {
			t.Fatalf("got %d %s", status, answer)
		}
	})
	elsewhere := h.options(h.code(kiosk))
	h.clock.pass(time.Minute)
	h.enroll(elsewhere)
	d := h.device(kiosk)
	if len(d.Former) != 1 || fingerprintOf(t, d.Former[0].Public) != first || d.Former[0].Withdrawn {
		t.Fatalf("got %+v", d.Former)
	}
	sum := sha256.Sum256([]byte("queued"))
	sig, err := before.Signer.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	check := verifier(sum, sig)
	if d.Verify(false, check) != nil {
		t.Fatal("what was queued before is refused")
	}
	if err := device.Dir(h.layout.Devices()).Revoke(kiosk, device.Stolen, h.clock.now()); err != nil {
		t.Fatal(err)
	}
	third := h.options(h.code(kiosk))
	h.clock.pass(time.Minute)
	h.enroll(third)
	d = h.device(kiosk)
	if len(d.Former) != 2 || !d.Former[1].Withdrawn || d.State != device.Active {
		t.Fatalf("got %+v", d)
	}
	stolen, err := sync.LoadBundle(elsewhere.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if sig, err = stolen.Signer.Sign(rand.Reader, sum[:], crypto.SHA256); err != nil {
		t.Fatal(err)
	}
	if check = verifier(sum, sig); d.Verify(false, check) == nil || d.Verify(true, check) != nil {
		t.Fatal("a withdrawn key verifies new records, or does not verify stored ones")
	}
}

func TestAnotherKiosksBundleIsNotReplaced(t *testing.T) {
	h := newHQ(t)
	o := h.options(h.code(kiosk))
	h.enroll(o)
	o.Device, o.Code = "another-kiosk", h.code("another-kiosk")
	if _, err := enroll.Enroll(context.Background(), o); err == nil {
		t.Fatal("accepted")
	}
	if b, err := sync.LoadBundle(o.Dir); err != nil || b.Device != kiosk {
		t.Fatal(err)
	}
}

// verifier checks one signature.
func verifier(sum [32]byte, sig []byte) func(*ecdsa.PublicKey) error {
	return func(k *ecdsa.PublicKey) error {
		if !ecdsa.VerifyASN1(k, sum[:], sig) {
			return errors.New("does not verify")
		}
		return nil
	}
}
