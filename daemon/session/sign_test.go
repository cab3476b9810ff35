package session_test

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"madoguchi/daemon/policy"
	"madoguchi/daemon/policy/methods"
	"madoguchi/daemon/session"
	"madoguchi/hardware/virtual"
	"madoguchi/internal/secret"
	"madoguchi/storage/record"
	"madoguchi/ui/screen"
)

// bySignature is a service of the JPKI method, with the in-person method beside it.
func bySignature(d *session.Deps) {
	d.Profile.PINRoute = false
	d.Profile.Service = policy.Service{
		Kind: policy.AddressChange, Act: methods.AML, Face: policy.FaceNone, Case: policy.CaseOptional,
		Methods: [policy.MaxMethods]methods.Code{methods.JPKISignature, methods.InPersonChip},
		Offline: policy.Offline{Pending: true, MaxHours: 24, MaxCount: 100},
	}
	der, _, err := virtual.JPKIRoots()
	if err != nil {
		panic(err)
	}
	root, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	d.Authorities = []*x509.Certificate{root}
}

// password types a signature password on the keyboard.
func (k *kiosk) password(s *secret.Bytes) {
	const board = "1234567890QWERTYUIOPASDFGHJKLZXCVBNM"
	for _, c := range s.Reveal() {
		k.tap(screen.InKey, k.browser.shown().Entry.Codes[strings.IndexByte(board, c)])
	}
}

func (k *kiosk) sign(id string) {
	k.t.Helper()
	k.want(screen.Document)
	k.do(screen.InNext)
	k.want(screen.Credential)
	k.password(k.person(id).SignPassword())
	k.do(screen.InSubmit)
	k.pass(2 * time.Second)
}

// What is signed is what was shown; the kiosk says "being checked", never "verified".
func TestSignature(t *testing.T) {
	run(t, bySignature, func(t *testing.T, k *kiosk) {
		k.signIn()
		k.toCredential("sato")
		k.want(screen.Document)
		shown := string(k.browser.shown().Document.Reveal())
		for _, want := range []string{"署名", "本人確認のために情報を読み取ること (identity 1)", "test-kiosk"} {
			if !strings.Contains(shown, want) {
				t.Errorf("the document does not say %s:\n%s", want, shown)
			}
		}
		k.pass(3 * time.Second) // the time in the document is the one that was shown
		if again := string(k.browser.shown().Document.Reveal()); again != shown {
			t.Errorf("the document changes while it is read:\n%s\n%s", shown, again)
		}
		k.sign("sato")
		k.want(screen.Review)
		if n := string(k.browser.shown().Review.Name.Reveal()); n != string(k.person("sato").Name().Reveal()) {
			t.Errorf("got another name than the card's")
		}
		k.do(screen.InConfirm)
		k.pass(time.Second)
		k.want(screen.Result)
		if r := k.browser.shown().Result; r.Outcome != screen.Pending || r.Code != "revocation-pending" {
			t.Fatalf("got %+v", r)
		}
		k.requireNotes("staff-in  s1")
		requireSigned(t, k, shown)
	})
}

// requireSigned checks the record: the evidence keeps the hash, the short-lived part the rest, and the signature holds.
func requireSigned(t *testing.T, k *kiosk, shown string) {
	t.Helper()
	parts := k.shelf.records[0]
	sum := sha256.Sum256([]byte(shown))
	for _, want := range []string{
		`"outcome":"pending_revocation"`, `"by":"machine"`, `"code":"jpki-signature"`, `"chain":"pass"`, `"route":"sign"`,
		`"scheme":"rsa-pkcs1-sha256","sha256":"` + hex.EncodeToString(sum[:]) + `"`, "6条1項1号カ",
	} {
		if !strings.Contains(string(parts[record.PartEvidence]), want) {
			t.Errorf("the evidence does not hold %s:\n%s", want, parts[record.PartEvidence])
		}
	}
	if !strings.Contains(string(parts[record.PartIdentity]), `"source":"sign-certificate"`) || parts[record.PartImages] != nil {
		t.Error("the identity is not the certificate's alone")
	}
	var frame struct {
		Value struct{ DER, CMS, Signature, Document string }
	}
	if err := json.Unmarshal(parts[record.PartCertificate], &frame); err != nil {
		t.Fatal(err)
	}
	if frame.Value.Document != shown || frame.Value.CMS != "" {
		t.Error("the document in the record is not the one that was shown")
	}
	der, err := base64.StdEncoding.DecodeString(frame.Value.DER)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := base64.StdEncoding.DecodeString(frame.Value.Signature)
	if err != nil {
		t.Fatal(err)
	}
	if err := rsa.VerifyPKCS1v15(cert.PublicKey.(*rsa.PublicKey), crypto.SHA256, sum[:], signature); err != nil {
		t.Errorf("the signature does not hold over what was shown: %v", err)
	}
}

// A wrong password shows what is left, the last one is asked for, and a locked one shows the ways out; by one of them
// the same person is verified in person.
func TestSignaturePasswordIsLocked(t *testing.T) {
	run(t, bySignature, func(t *testing.T, k *kiosk) {
		k.signIn()
		k.toCredential("sato")
		k.do(screen.InNext)
		wrong := secret.Copy([]byte("WRONG99"))
		for left := 5; left > 0; left-- {
			k.want(screen.Credential)
			if e := k.browser.shown().Entry; e.TriesLeft != left || !e.TriesKnown {
				t.Fatalf("want %d tries left: %+v", left, e)
			}
			k.password(wrong)
			k.do(screen.InSubmit)
			if left == 1 {
				k.want(screen.LastTry)
				k.do(screen.InLastTryYes)
			}
			k.pass(2 * time.Second)
		}
		k.want(screen.Ways)
		if s := k.browser.shown(); s.Trouble.Code != "sign-blocked" || len(s.Ways) != 1 || s.Ways[0] != screen.RouteB {
			t.Fatalf("got %+v, ways %v", s.Trouble, s.Ways)
		}
		k.tap(screen.InRoute, 0)
		k.pass(time.Second)
		k.want(screen.Credential)
		k.numberB("sato")
		k.do(screen.InSubmit)
		k.pass(2 * time.Second)
		k.want(screen.Review)
		k.do(screen.InConfirm)
		k.want(screen.WaitStaff)
		k.decide("approve", "photo-same-person")
		k.want(screen.Result)
		e := string(k.shelf.records[0][record.PartEvidence])
		for _, want := range []string{`"outcome":"verified"`, `"code":"in-person-chip"`, `"sha256":""`, `"name":"ways","note":"sign-blocked"`} {
			if !strings.Contains(e, want) {
				t.Errorf("the evidence does not hold %s:\n%s", want, e)
			}
		}
	})
}

// A child's card is found before any password is asked for.
func TestNoSignatureCertificate(t *testing.T) {
	run(t, bySignature, func(t *testing.T, k *kiosk) {
		k.toCredential("kobayashi")
		k.want(screen.Ways)
		if s := k.browser.shown(); s.Trouble.Code != "no-sign-certificate" || len(s.Ways) != 1 {
			t.Fatalf("got %+v, ways %v", s.Trouble, s.Ways)
		}
	})
}

// A card without any PIN says so, and goes on with the numbers.
func TestCardWithoutPIN(t *testing.T) {
	run(t, bySignature, func(t *testing.T, k *kiosk) {
		c, err := k.person("suzuki").NewCard(virtual.Options{WithoutPIN: true})
		if err != nil {
			t.Fatal(err)
		}
		k.do(screen.InStart, screen.InLanguage, screen.InNoCase)
		k.tap(screen.InTick, 0)
		k.do(screen.InNext)
		if err := k.reader.Insert(c); err != nil {
			t.Fatal(err)
		}
		k.pass(time.Second)
		k.want(screen.Ways)
		if s := k.browser.shown(); s.Trouble.Code != "card-without-pin" && s.Trouble.Code != "no-sign-certificate" {
			t.Fatalf("got %+v", s.Trouble)
		}
		k.tap(screen.InRoute, 0)
		k.pass(time.Second)
		k.want(screen.Credential)
	})
}

// An expired certificate is told apart, and nothing of the signature is kept.
func TestCertificateExpired(t *testing.T) {
	run(t, func(d *session.Deps) {
		bySignature(d)
		now := d.Now
		d.Now = func() time.Time { return now().AddDate(4, 6, 0) } // the card is still good, its certificate is not
	}, func(t *testing.T, k *kiosk) {
		k.toCredential("suzuki")
		k.sign("suzuki")
		k.want(screen.Ways)
		if s := k.browser.shown(); s.Trouble.Code != "certificate-expired" || len(s.Ways) != 1 {
			t.Fatalf("got %+v, ways %v", s.Trouble, s.Ways)
		}
	})
}

// Without the authorities' certificates nothing is claimed, and people look.
func TestSignatureWithoutAuthorities(t *testing.T) {
	run(t, func(d *session.Deps) { bySignature(d); d.Authorities = nil }, func(t *testing.T, k *kiosk) {
		k.signIn()
		k.toCredential("sato")
		k.sign("sato")
		k.do(screen.InConfirm)
		k.want(screen.WaitStaff)
		if c := k.page.shown().Case; c.Reason != "proof-not-checked" || c.Route != "sign" {
			t.Fatalf("got %+v", c)
		}
		k.decide("approve", "document-checked")
		k.want(screen.Result)
		if r := k.browser.shown().Result; r.Outcome != screen.Pending {
			t.Fatalf("got %+v: staff do not know the revocations either", r)
		}
	})
}
