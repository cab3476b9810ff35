package virtual_test

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"madoguchi/hardware/reader"
	"madoguchi/hardware/virtual"
	"madoguchi/internal/secret"

	"github.com/google/go-cmp/cmp"
)

// objects cuts one level of BER-TLV with tags of two bytes, written for this test alone: whole objects by tag, in
// order. Filler ends it.
func objects(t *testing.T, b []byte) (tags []string, whole, value map[string][]byte) {
	t.Helper()
	whole, value = map[string][]byte{}, map[string][]byte{}
	for len(b) > 2 && b[0] != 0xFF || len(b) > 2 && b[1] != 0xFF {
		head, n := 3, int(b[2])
		switch b[2] {
		case 0x81:
			head, n = 4, int(b[3])
		case 0x82:
			head, n = 5, int(b[3])<<8|int(b[4])
		}
		tag := fmt.Sprintf("%X", b[:2])
		tags = append(tags, tag)
		whole[tag], value[tag] = b[:head+n], b[head:head+n]
		b = b[head+n:]
	}
	return tags, whole, value
}

// bench is one card under the judge's eyes.
type bench struct {
	*testing.T
	s       reader.Session
	verdict map[string]bool
	keys    [][]byte // the card's public key wherever it stands
}

func (b *bench) verify(p2 string, credential *secret.Bytes) {
	b.Helper()
	v := credential.Reveal()
	data(b.T, b.s, fmt.Sprintf("002000%s %02X%X", p2, len(v), v))
}

func (b *bench) read(sfi int) []byte {
	return data(b.T, b.s, fmt.Sprintf("00B0%02X00 000000", 0x80|sfi))
}

// holds lets openssl say whether key signed the message.
func (b *bench) holds(name string, key *rsa.PublicKey, signature, message []byte) {
	b.Helper()
	_, err := tryOpenssl(b.T, "dgst", "-sha256", "-verify", public(b.T, key), "-signature", file(b.T, "sig", signature), file(b.T, "m", message))
	b.verdict[name] = err == nil
}

func (b *bench) challenge(name string, key []byte) {
	b.Helper()
	c := []byte("a challenge chosen by the terminal")
	sum := sha256.Sum256(c)
	info := "3031300D060960864801650304020105000420" + hex.EncodeToString(sum[:])
	b.holds(name, cardKey(b.T, key), data(b.T, b.s, "802A0000 33"+info+"00"), c)
}

func (b *bench) text(p *virtual.Person) {
	b.Helper()
	data(b.T, b.s, selectText)
	key := municipality(b.T, b.read(4), "9000033") // judged by openssl inside
	b.verify("94", p.MyNumber())
	number := b.read(1)
	b.verify("95", numberB(p))
	_, _, outer := objects(b.T, b.read(2))
	_, whole, _ := objects(b.T, outer["FF20"])
	attributes := bytes.TrimPrefix(outer["FF20"], whole["DF21"])

	_, _, outer = objects(b.T, b.read(3))
	_, whole, value := objects(b.T, outer["FF30"])
	one, two := sha256.Sum256(number), sha256.Sum256(attributes)
	b.verdict["number-digest"] = len(number) == 17 && bytes.Equal(value["DF31"], one[:])
	b.verdict["attributes-digest"] = bytes.Equal(value["DF32"], two[:])
	b.holds("integrity", key, value["DF33"], append(bytes.Clone(whole["DF31"]), whole["DF32"]...))

	_, _, outer = objects(b.T, b.read(7))
	_, whole, value = objects(b.T, outer["FF50"])
	b.holds("card-key", key, value["DF52"], whole["DF51"])
	b.keys = append(b.keys, value["DF51"])
	b.challenge("challenge-text", value["DF51"])
}

func (b *bench) face(p *virtual.Person) {
	b.Helper()
	data(b.T, b.s, selectFace)
	key := municipality(b.T, b.read(4), "9000023")
	birth, _, _ := p.NumberB()
	b.verify("91", birth)
	b.signed("age", key, b.read(1), "FF10", "DF11 DF12 DF13")
	b.verify("93", p.MyNumber())
	b.signed("number-image", key, b.read(5), "FF40", "DF41 DF42 DF43")
	b.verify("92", numberB(p))
	b.front(key, b.read(2))
}

// signed judges an object whose last part signs all before it.
func (b *bench) signed(name string, key *rsa.PublicKey, raw []byte, tag, parts string) {
	b.Helper()
	_, _, outer := objects(b.T, raw)
	tags, whole, value := objects(b.T, outer[tag])
	if got := strings.Join(tags, " "); got != parts {
		b.Fatalf("%s: got the parts %s, want %s", name, got, parts)
	}
	b.keys = append(b.keys, value[tags[1]])
	b.holds(name, key, value[tags[2]], append(bytes.Clone(whole[tags[0]]), whole[tags[1]]...))
}

// front judges the signature over three digests: openssl opens it, the digests are compared one by one.
func (b *bench) front(key *rsa.PublicKey, raw []byte) {
	b.Helper()
	_, _, outer := objects(b.T, raw)
	_, whole, value := objects(b.T, outer["FF20"])
	recovered, _ := tryOpenssl(b.T, "pkeyutl", "-verifyrecover", "-pubin", "-inkey", public(b.T, key), "-in", file(b.T, "sig", value["DF28"]))
	head := string(unhex(b.T, "3071300D0609608648016503040201050004 60"))
	digests, found := strings.CutPrefix(recovered, head)
	for i, group := range []struct{ name, tags string }{
		{"front-person", "DF22 DF23 DF24"}, {"front-images", "DF25 DF26"}, {"front-photo", "DF27"},
	} {
		h := sha256.New()
		for tag := range strings.FieldsSeq(group.tags) {
			h.Write(whole[tag])
		}
		b.verdict[group.name] = found && len(digests) == 96 && digests[32*i:32*i+32] == string(h.Sum(nil))
	}
	b.keys = append(b.keys, value["DF24"])
	b.challenge("challenge-face", value["DF24"])
}

// jpki judges certificate and signature of one use.
func (b *bench) jpki(name string, root []byte, sfi, ca, key int, p2 string, credential *secret.Bytes) {
	b.Helper()
	b.verify(p2, credential)
	der := trim(b.T, b.read(sfi))
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		b.Fatal(err)
	}
	if !bytes.Equal(trim(b.T, b.read(ca)), root) {
		b.Errorf("%s: the CA certificate on the card is not the root", name)
	}
	then := cert.NotBefore.Add(time.Hour).Unix() // so that the test does not age
	_, err = tryOpenssl(b.T, "verify", "-attime", fmt.Sprint(then), "-check_ss_sig", "-x509_strict", "-CAfile", certificate(b.T, root), certificate(b.T, der))
	b.verdict[name+"-chain"] = err == nil
	public, ok := cert.PublicKey.(*rsa.PublicKey)
	if !ok {
		b.Fatal("not RSA")
	}
	message := []byte("契約書")
	sum := sha256.Sum256(message)
	b.holds(name+"-signature", public, data(b.T, b.s, fmt.Sprintf("802A02%02X 20%X00", 0x80|key, sum)), message)
}

func numberB(p *virtual.Person) *secret.Bytes {
	birth, expiry, code := p.NumberB()
	return secret.New([]byte(string(birth.Reveal()) + string(expiry.Reveal()) + string(code.Reveal())))
}

// judged is everything openssl says about one card. CV certificates that do not hold end the test.
func judged(t *testing.T, p *virtual.Person, o virtual.Options) map[string]bool {
	t.Helper()
	c, err := p.NewCard(o)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{T: t, s: open(t, c), verdict: map[string]bool{}}
	signRoot, authRoot, err := virtual.JPKIRoots()
	if err != nil {
		t.Fatal(err)
	}
	if o.Kind == "" {
		b.text(p)
		b.face(p)
		same := true
		for _, k := range b.keys {
			same = same && bytes.Equal(k, b.keys[0])
		}
		b.verdict["one-card-key-everywhere"] = same && len(b.keys) == 4
	}
	data(t, b.s, selectJPKI)
	if !o.WithoutPIN {
		b.jpki("auth", authRoot, 0x0A, 0x0B, 0x17, "98", p.PIN())
		if p.SignCertificate() {
			b.jpki("sign", signRoot, 0x01, 0x02, 0x1A, "9B", p.SignPassword())
		}
	}
	return b.verdict
}

// TestEverythingSigned: openssl finds every signature and certificate of every virtual person's card good.
func TestEverythingSigned(t *testing.T) {
	all, err := virtual.People()
	if err != nil {
		t.Fatal(err)
	}
	if testing.Short() {
		all = all[:2]
	}
	for i := range all {
		t.Run(all[i].ID, func(t *testing.T) {
			want := good(!all[i].SignCertificate())
			if d := cmp.Diff(want, judged(t, &all[i], virtual.Options{})); d != "" {
				t.Error("(-want +got):", d)
			}
		})
	}
}

// good is the list of what must hold, by hand.
func good(withoutSign bool) map[string]bool {
	want := map[string]bool{}
	for name := range strings.FieldsSeq(`number-digest attributes-digest integrity card-key challenge-text age
		number-image front-person front-images front-photo challenge-face one-card-key-everywhere
		auth-chain auth-signature sign-chain sign-signature`) {
		want[name] = true
	}
	if withoutSign {
		delete(want, "sign-chain")
		delete(want, "sign-signature")
	}
	return want
}

// TestEveryVariantSigned: what each way of making a card changes, and nothing else. The false ones are the controls
// of the judge.
func TestEveryVariantSigned(t *testing.T) {
	jpkiOnly := "auth-chain auth-signature sign-chain sign-signature"
	for _, tc := range []struct {
		name      string
		o         virtual.Options
		bad, only string
	}{
		{"minimal-lengths", virtual.Options{MinimalLengths: true}, "", ""},
		{"rights-stay", virtual.Options{KeepRightsOnSelect: true}, "", ""},
		{"wrong-offsets", virtual.Options{WrongOffsets: true}, "", ""},
		{"merged", virtual.Options{MergedLicence: true, MergedResidence: true}, "", ""},
		{"without-pin", virtual.Options{WithoutPIN: true}, "", "all but jpki"},
		{"android", virtual.Options{Kind: virtual.KindPhoneAndroid}, "", jpkiOnly},
		{"iphone", virtual.Options{Kind: virtual.KindPhoneIPhone}, "", jpkiOnly},
		{"juki", virtual.Options{Kind: virtual.KindJuki}, "", jpkiOnly},
		{"tampered", virtual.Options{TamperPhoto: true}, "front-photo", ""},
		{"cloned", virtual.Options{Cloned: true}, "challenge-text challenge-face", ""},
		{
			"foreign-issuer",
			virtual.Options{ForeignIssuer: true},
			"integrity card-key age number-image front-person front-images front-photo", "",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			want := good(false)
			switch tc.only {
			case "":
			case "all but jpki":
				maps.DeleteFunc(want, func(k string, _ bool) bool { return strings.Contains(jpkiOnly, k) })
			default:
				maps.DeleteFunc(want, func(k string, _ bool) bool { return !strings.Contains(tc.only, k) })
			}
			for k := range strings.FieldsSeq(tc.bad) {
				want[k] = false
			}
			if d := cmp.Diff(want, judged(t, person(t, "yamada"), tc.o)); d != "" {
				t.Error("(-want +got):", d)
			}
		})
	}
}

func modulus(t *testing.T, c *x509.Certificate) []byte {
	t.Helper()
	key, ok := c.PublicKey.(*rsa.PublicKey)
	if !ok {
		t.Fatal("not RSA")
	}
	return key.N.Bytes()
}
