package virtual_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"madoguchi/hardware/reader"
	"madoguchi/hardware/virtual"
)

// yamada is the person of the transcripts: name 15 bytes, address 54 bytes (the example of public card notes), and
// the 照合番号B 55021720352285.
const yamada = `{
  "id": "yamada", "label": {"ja": "山田", "en": "Yamada"}, "note": {"ja": "試験", "en": "Test"},
  "name": "山田　太郎", "address": "東京都架空区見本一丁目２番地３号室東",
  "birth": "19800217", "birth_printed": "550217", "sex": "1", "my_number": "123456789018",
  "serial": "900000000000001", "municipality": "13990", "expiry": "20350217", "security_code": "2285",
  "pin": "1234", "sign_password": "ABC123", "sign_certificate": true, "pin_tries": 3, "live": "yamada"
}`

// people is a folder with yamada and a person without signature certificate; images of 200, 300, 1000 and 40 bytes.
func people() fstest.MapFS {
	child := strings.NewReplacer(
		`"yamada", "label"`, `"child", "label"`, `"ABC123"`, `""`, `true`, `false`, `"pin_tries": 3`, `"pin_tries": 0`,
		`"live": "yamada"`, `"live": "other"`,
	).Replace(yamada)
	out := fstest.MapFS{"README.md": {Data: []byte("not a person")}, "other/live-1.jpg": {Data: picture(64, 80)}}
	for id, p := range map[string]string{"yamada": yamada, "child": child} {
		out[id+"/profile.json"] = &fstest.MapFile{Data: []byte(p)}
		out[id+"/name.png"] = &fstest.MapFile{Data: bytes.Repeat([]byte{0x11}, 200)}
		out[id+"/address.png"] = &fstest.MapFile{Data: bytes.Repeat([]byte{0x22}, 300)}
		out[id+"/face.jp2"] = &fstest.MapFile{Data: bytes.Repeat([]byte{0x33}, 1000)}
		out[id+"/code.png"] = &fstest.MapFile{Data: bytes.Repeat([]byte{0x44}, 40)}
	}
	out["yamada/live-1.jpg"] = &fstest.MapFile{Data: picture(96, 128)}
	out["yamada/live-2.jpg"] = &fstest.MapFile{Data: picture(100, 128)}
	return out
}

func person(t testing.TB, id string) *virtual.Person {
	t.Helper()
	all, err := virtual.LoadPeople(people())
	if err != nil {
		t.Fatal(err)
	}
	for i := range all {
		if all[i].ID == id {
			return &all[i]
		}
	}
	t.Fatalf("no person %s", id)
	return nil
}

func newCard(t testing.TB, o ...virtual.Options) *virtual.Card {
	t.Helper()
	c, err := person(t, "yamada").NewCard(o...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func open(t testing.TB, c *virtual.Card) reader.Session {
	t.Helper()
	r := virtual.NewReader()
	if err := r.Insert(c); err != nil {
		t.Fatal(err)
	}
	s, err := r.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// unhex reads hex with spaces.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func send(t testing.TB, s reader.Session, command string) []byte {
	t.Helper()
	out, err := s.Transmit(t.Context(), unhex(t, command))
	if err != nil {
		t.Fatalf("%s: %v", command, err)
	}
	return out
}

// data sends a command that must succeed and returns the data of the answer.
func data(t testing.TB, s reader.Session, command string) []byte {
	t.Helper()
	out := send(t, s, command)
	if n := len(out) - 2; n < 0 || out[n] != 0x90 || out[n+1] != 0x00 {
		t.Fatalf("%s: got %X, want 9000 at the end", command, out)
	}
	return out[:len(out)-2]
}

// exchange is one line of a transcript: what is sent and the whole answer, both by hand.
type exchange struct{ send, want string }

func play(t *testing.T, s reader.Session, transcript []exchange) {
	t.Helper()
	for i, e := range transcript {
		if got := send(t, s, e.send); !bytes.Equal(got, unhex(t, e.want)) {
			t.Fatalf("line %d: %s\n got %X\nwant %s", i+1, e.send, got, e.want)
		}
	}
}

// The applications, as SELECT commands.
const (
	selectJPKI   = "00A4040C0A D392F000260100000001"
	selectFace   = "00A4040C0A D3921000310001010402"
	selectText   = "00A4040C0A D3921000310001010408"
	selectJuki   = "00A4040C0A D3921000310001010401"
	selectCommon = "00A4040C0A D3921000310001010100"
)

// openssl runs the independent judge, who must be content.
func openssl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := tryOpenssl(t, args...)
	if err != nil {
		t.Fatalf("openssl %v: %v\n%s", args, err, out)
	}
	return out
}

// tryOpenssl runs the judge, whose refusal is an error.
func tryOpenssl(t *testing.T, args ...string) (string, error) {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("openssl is missing, and in CI nothing is skipped")
		}
		t.Skip("SKIPPED: openssl is missing, the certificates of the virtual card were not judged")
	}
	out, err := exec.CommandContext(t.Context(), path, args...).CombinedOutput()
	return string(out), err
}

func file(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// edited is a profile with some fields changed.
func edited(t *testing.T, change map[string]any) []byte {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(yamada), &m); err != nil {
		t.Fatal(err)
	}
	maps.Copy(m, change)
	out, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// oaep encrypts to a public key of 2048 bits and exponent 65537, given by its modulus.
func oaep(t testing.TB, modulus, message []byte) []byte {
	t.Helper()
	key := &rsa.PublicKey{E: 65537, N: new(big.Int).SetBytes(modulus)}
	out, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, key, message, nil)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
