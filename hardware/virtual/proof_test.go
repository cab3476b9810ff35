package virtual_test

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"image/color"
	"image/png"
	"math/big"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"madoguchi/hardware/reader"
	"madoguchi/hardware/virtual"

	"github.com/google/go-cmp/cmp"
)

// public writes a public key as PEM for openssl.
func public(t *testing.T, key *rsa.PublicKey) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return file(t, "key.pem", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// cardKey reads the 265-byte form of a key by position: 90 03 e, 91 82 01 00 n.
func cardKey(t *testing.T, b []byte) *rsa.PublicKey {
	t.Helper()
	if len(b) != 265 || !bytes.Equal(b[:9], unhex(t, "9003010001 91820100")) {
		t.Fatalf("not a key of 265 bytes: %X", b[:min(9, len(b))])
	}
	return &rsa.PublicKey{E: 65537, N: new(big.Int).SetBytes(b[9:])}
}

// judge lets openssl verify an RSA signature with SHA-256.
func judge(t *testing.T, key *rsa.PublicKey, signature, message []byte) {
	t.Helper()
	out := openssl(t, "dgst", "-sha256", "-verify", public(t, key), "-signature", file(t, "sig", signature), file(t, "m", message))
	if !strings.Contains(out, "Verified OK") {
		t.Fatalf("openssl says %s", out)
	}
}

// municipality checks a CV certificate of 568 bytes under the issuer key with the given first id digits.
func municipality(t *testing.T, cv []byte, issuer string) *rsa.PublicKey {
	t.Helper()
	if len(cv) != 568 || !bytes.HasPrefix(cv, unhex(t, "7F21820233 5F4E820129")) {
		t.Fatalf("not a CV certificate: %d bytes, %X", len(cv), cv[:10])
	}
	body := cv[10 : 10+297]
	if !bytes.Equal(cv[307:312], unhex(t, "5F37820100")) {
		t.Fatalf("got %X, want the signature object", cv[307:312])
	}
	id := append([]byte(issuer), 0x08, 0x05)
	if !bytes.HasPrefix(body, id) || body[16] != '9' {
		t.Fatalf("got issuer %X, want %X", body[:16], id)
	}
	keys, err := virtual.IssuerKeys()
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if bytes.Equal(k.KeyID, body[:16]) {
			judge(t, k.Key, cv[312:], body)
			return cardKey(t, body[32:])
		}
	}
	t.Fatalf("no issuer key %X", body[:16])
	return nil
}

func TestFrontIsProven(t *testing.T) {
	for _, tampered := range []bool{false, true} {
		t.Run(fmt.Sprintf("tampered-%v", tampered), func(t *testing.T) {
			s := open(t, newCard(t, virtual.Options{TamperPhoto: tampered}))
			data(t, s, selectFace)
			key := municipality(t, data(t, s, "00B08400 000000"), "9000023")
			data(t, s, "00200092 0E 3535303231373230333532323835")
			// Positions by hand: 5 + 21 + 11 + 4 + 270 + 205 + 305 + 1005 + 261 + 11 + 43 = 2141.
			f := data(t, s, "00B08200 000000")
			want := "FF20820858 DF2112 001A 0025 0029 0137 0204 0335 0722 0827 0832"
			if !bytes.HasPrefix(f, unhex(t, want)) {
				t.Fatalf("got %X, want %s", f[:26], want)
			}
			if len(f)%512 != 0 || bytes.Trim(f[2141:], "\xFF") != nil || len(f) < 2143 {
				t.Errorf("got %d bytes, want 2141 and filler", len(f))
			}
			one, two, three := sha256.Sum256(f[26:311]), sha256.Sum256(f[311:821]), sha256.Sum256(f[821:1826])
			recovered := openssl(t, "pkeyutl", "-verifyrecover", "-pubin", "-inkey", public(t, key), "-in", file(t, "sig", f[1831:2087]))
			info := append(unhex(t, "3071300D0609608648016503040201050004 60"), one[:]...)
			info = append(append(info, two[:]...), three[:]...)
			if got := recovered == string(info); got == tampered {
				t.Errorf("the signature holds: %v, want %v", got, !tampered)
			}
			if !bytes.Equal(f[2087:2098], unhex(t, "DF2908 3230333530323137")) {
				t.Errorf("got %X, want the expiry", f[2087:2098])
			}
			challenge(t, s, cardKey(t, f[46:311]))
		})
	}
}

// challenge lets the card answer a challenge with its default key and judges the answer.
func challenge(t *testing.T, s reader.Session, key *rsa.PublicKey) {
	t.Helper()
	c := []byte("a challenge chosen by the terminal")
	sum := sha256.Sum256(c)
	info := "3031300D060960864801650304020105000420" + hex.EncodeToString(sum[:])
	judge(t, key, data(t, s, "802A0000 33"+info+"00"), c)
}

// TestClone: the data of a clone are genuine, its answer to a challenge is not.
func TestClone(t *testing.T) {
	s := open(t, newCard(t, virtual.Options{Cloned: true}))
	data(t, s, selectFace)
	data(t, s, "00200092 0E 3535303231373230333532323835")
	key := cardKey(t, data(t, s, "00B08200 000000")[46:311])
	sum := sha256.Sum256([]byte("fresh"))
	sig := data(t, s, "802A0200 20"+hex.EncodeToString(sum[:])+"00")
	if rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], sig) == nil {
		t.Error("the clone answers like the card")
	}
}

func TestTextIsProven(t *testing.T) {
	s := open(t, newCard(t))
	data(t, s, selectText)
	key := municipality(t, data(t, s, "00B08400 000000"), "9000033")
	data(t, s, "00200091 04 31323334")
	number, attributes := data(t, s, "00B08100 00"), data(t, s, "00B08200 00")
	f := data(t, s, "00B08300 000000")
	one, two := sha256.Sum256(number), sha256.Sum256(attributes[14:104])
	if !bytes.Equal(f[5:8], unhex(t, "DF3120")) || !bytes.Equal(f[8:40], one[:]) || !bytes.Equal(f[43:75], two[:]) {
		t.Error("the digests are not those of the files")
	}
	judge(t, key, f[80:336], f[5:75])
	k := data(t, s, "00B08700 000000")
	judge(t, key, k[280:536], k[5:275])
	challenge(t, s, cardKey(t, k[10:275]))
}

func TestAgeAndNumberImage(t *testing.T) {
	s := open(t, newCard(t))
	data(t, s, selectFace)
	key := municipality(t, data(t, s, "00B08400 000000"), "9000023")
	data(t, s, "00200091 06 353530323137")
	f := data(t, s, "00B08100 000000")
	if !bytes.Equal(f[5:16], unhex(t, "DF1108 3139383030323137")) {
		t.Errorf("got %X, want the birth date", f[5:16])
	}
	judge(t, key, f[291:547], f[5:286])
	data(t, s, "00200093 0C 313233343536373839303138")
	f = data(t, s, "00B08500 000000")
	at := bytes.Index(f, []byte("\x89PNG"))
	img, err := png.Decode(bytes.NewReader(f[at:]))
	if err != nil {
		t.Fatal(err)
	}
	if b := img.Bounds(); b.Dx() != 72 || b.Dy() != 12 || img.ColorModel() != color.GrayModel {
		t.Errorf("got %v %v, want 72x12 grey", b, img.ColorModel())
	}
}

func TestJPKICertificates(t *testing.T) {
	s := open(t, newCard(t))
	data(t, s, selectJPKI)
	data(t, s, "0020009B 06 414243313233")
	signRoot, authRoot, err := virtual.JPKIRoots()
	if err != nil {
		t.Fatal(err)
	}
	sign := trim(t, data(t, s, "00B08100 000000"))
	auth := trim(t, data(t, s, "00B08A00 000000"))
	if !bytes.Equal(trim(t, data(t, s, "00B08200 000000")), signRoot) || !bytes.Equal(trim(t, data(t, s, "00B08B00 000000")), authRoot) {
		t.Error("the CA certificates on the card are not the roots")
	}
	const then = "1780000000" // 2026-05-28, so that the test does not age
	for name, pair := range map[string][2][]byte{"sign": {sign, signRoot}, "auth": {auth, authRoot}} {
		out := openssl(t, "verify", "-attime", then, "-check_ss_sig", "-x509_strict", "-CAfile", certificate(t, pair[1]), certificate(t, pair[0]))
		if !strings.Contains(out, ": OK") {
			t.Errorf("%s: openssl says %s", name, out)
		}
	}
	text := openssl(t, "x509", "-noout", "-text", "-nameopt", "utf8,sep_comma_plus_space", "-in", certificate(t, sign))
	for _, want := range []string{
		"O=MADOGUCHI-VIRTUAL", "Digital Signature, Non Repudiation", "CN=Kaso-shi-13990",
		"Not Before: Oct 27 00:00:00 2025 GMT", "Not After : Feb 17 14:59:59 2030 GMT",
		"1.2.392.200149.8.5.5.1", "1.2.392.200149.8.5.5.6",
	} {
		if !strings.Contains(strings.ReplaceAll(text, " = ", "="), want) {
			t.Errorf("the signature certificate lacks %q:\n%s", want, text)
		}
	}
	var oids []string
	for _, after := range strings.Split(text, "1.2.392.200149.8.5.5.")[1:] {
		oids = append(oids, after[:1])
	}
	if d := cmp.Diff([]string{"1", "4", "3", "5", "2", "6"}, oids); d != "" {
		t.Error("otherNames (-want +got):", d)
	}
	for _, value := range []string{"山田　太郎", "319800217", "東京都架空区見本一丁目２番地３号室東"} {
		if !bytes.Contains(sign, []byte(value)) || bytes.Contains(auth, []byte(value)) {
			t.Errorf("%s must be in the signature certificate and nowhere else", value)
		}
	}
}

func TestJPKISignatures(t *testing.T) {
	message := []byte("契約書")
	sum := sha256.Sum256(message)
	hash := hex.EncodeToString(sum[:])
	s := open(t, newCard(t))
	play(t, s, []exchange{{selectJPKI, "9000"}, {"0020009B 06 414243313233", "9000"}})
	cert, err := x509.ParseCertificate(trim(t, data(t, s, "00B08100 000000")))
	if err != nil {
		t.Fatal(err)
	}
	key, ok := cert.PublicKey.(*rsa.PublicKey)
	if !ok {
		t.Fatal("not RSA")
	}
	plain := fmt.Sprintf("%02X%X", len(message), message)
	for name, command := range map[string]string{
		"digest-info": "802A009A 33 3031300D060960864801650304020105000420" + hash + "00",
		"hash":        "802A029A 20" + hash + "00",
		"message":     "802A039A" + plain + "00",
	} {
		t.Run(name, func(t *testing.T) { judge(t, key, data(t, s, command), message) })
	}
	t.Run("current-file", func(t *testing.T) {
		data(t, s, "00A4020C 02 001A")
		judge(t, key, data(t, s, "802A0280 20"+hash+"00"), message)
	})
	t.Run("pss", func(t *testing.T) {
		sig := data(t, s, "802A059A"+plain+"00")
		out := openssl(t, "dgst", "-sha256", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:auto",
			"-verify", public(t, key), "-signature", file(t, "sig", sig), file(t, "m", message))
		if !strings.Contains(out, "Verified OK") {
			t.Error(out)
		}
	})
	t.Run("caps", func(t *testing.T) {
		data(t, s, "802A009A F5"+strings.Repeat("00", 245)+"00")
		play(t, s, []exchange{{"802A009A F6" + strings.Repeat("00", 246) + "00", "6985"}})
	})
	t.Run("authentication-key-stays-shut", func(t *testing.T) {
		play(t, s, []exchange{{"802A0297 20" + hash + "00", "6982"}})
	})
}

// trim cuts the filler by the length of the DER object.
func trim(t *testing.T, b []byte) []byte {
	t.Helper()
	if len(b) < 4 || b[0] != 0x30 || b[1] != 0x82 {
		t.Fatalf("not a certificate")
	}
	return b[:4+int(b[2])<<8+int(b[3])]
}

func certificate(t *testing.T, der []byte) string {
	t.Helper()
	return file(t, "cert.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// TestIssuerKeysAreMarked reads the ids as stored, not as the code makes them.
func TestIssuerKeysAreMarked(t *testing.T) {
	for _, name := range []string{"face", "text"} {
		cv, err := os.ReadFile("pki/keys/virtual-cv-" + name + ".bin")
		if err != nil {
			t.Fatal(err)
		}
		if cv[10] != '9' || cv[26] != '9' {
			t.Errorf("%s: got ids that start with %q and %q, want 9", name, cv[10], cv[26])
		}
	}
}

// TestExpiredCard: the certificates of an expired card end with its last day (here also a birthday), in Japan.
func TestExpiredCard(t *testing.T) {
	fsys := fstest.MapFS{"p.json": {Data: edited(t, map[string]any{"expiry": "20240217", "live": "sato"})}}
	p, err := virtual.LoadProfile(fsys, "p.json")
	if err != nil {
		t.Fatal(err)
	}
	c, err := p.NewCard()
	if err != nil {
		t.Fatal(err)
	}
	s := open(t, c)
	data(t, s, selectJPKI)
	root, leaf := certificate(t, trim(t, data(t, s, "00B08B00 000000"))), certificate(t, trim(t, data(t, s, "00B08A00 000000")))
	for at, good := range map[string]bool{ // seconds since 1970: one before and one after 2024-02-17 14:59:59 UTC
		"1708181998": true, "1708182000": false,
	} {
		out, err := tryOpenssl(t, "verify", "-attime", at, "-check_ss_sig", "-CAfile", root, leaf)
		if (err == nil) != good || (!good && !strings.Contains(out, "expired")) {
			t.Errorf("at %s: openssl says %s", at, out)
		}
	}
	play(t, s, []exchange{{"00A4040C 07 A0000001510000", "9000"}, {"00CA00F2 08", "3230323430323137 9000"}})
}
