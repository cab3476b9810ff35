package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"madoguchi/hardware/card"
	"madoguchi/hardware/reader"
	"madoguchi/hardware/virtual"
)

// hanako's credentials, from the profile that ships.
const hanako = `{"pin":"1357","number_b":"02041220314821","sign_password":"SATO2026A"}`

func kioskctl(t *testing.T, stdin string, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := run(t.Context(), args, strings.NewReader(stdin), &out)
	return out.String(), err
}

// testTrust writes the trust directory of the virtual cards.
func testTrust(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "trust")
	if _, err := kioskctl(t, "", "trust", "virtual", dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

func read(t *testing.T, person, route, stdin string, more ...string) (string, error) {
	t.Helper()
	args := []string{
		"card", "read", "--reader", "virtual:" + person, "--route", route, "--trust", testTrust(t),
		"--secrets", "-", "--json",
	}
	return kioskctl(t, stdin, append(args, more...)...)
}

func decode(t *testing.T, text string) report {
	t.Helper()
	var r report
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return r
}

const (
	good   = `{"checked":true,"valid":true,"reason":""}`
	unseen = `{"checked":false,"valid":false,"reason":"not-read"}`
)

// The exact JSON of route pin, but for what the machine measures.
func TestReadByPINPrintsExactly(t *testing.T) {
	got, err := read(t, "sato", "pin", hanako)
	if err != nil {
		t.Fatal(err)
	}
	r := decode(t, got)
	face, err := os.ReadFile("../../hardware/virtual/people/sato/face.jp2")
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(face)
	var size bytes.Buffer
	size.WriteString(`"bytes":` + number(len(face)) + `,"sha256":"` + hex.EncodeToString(sum[:]) + `"`)
	want := `{"kind":"my-number","serial":"900100000000017","expires_on":"2031-04-12","tries":{"text-pin":3},` +
		`"attributes":{"name":"佐藤　花子","address":"東京都架空区見本町一丁目２番３号","birth":"1990-04-12","sex":"2"},` +
		`"face":{"width":240,"height":300,` + size.String() + `},` +
		`"authenticity":{"my_number":` + good + `,"attributes":` + good + `,"name_image":` + good + `,"address_image":` + good +
		`,"face":` + good + `,"card_key":` + good + `,"not_a_copy":` + good + `},` +
		`"certificates":{"auth":{"serial":"6FE38F25","not_before":"2025-10-27","not_after":"2030-04-12","issuer":"` +
		`OU=Worthless test authority of virtual cards,OU=JPKI for user authentication,O=MADOGUCHI-VIRTUAL,C=JP",` +
		`"attributes":null},"sign":null},"apdus":` + number(r.APDUs) + `,"bytes_read":` + number(r.BytesRead) +
		`,"elapsed_ms":` + number(int(r.ElapsedMS)) + "}\n"
	if got != want {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
}

func number(n int) string {
	b, _ := json.Marshal(n)
	return string(b)
}

// Whole readings with detection, tries and close stay within their budgets of commands.
func TestBudgets(t *testing.T) {
	for _, tt := range []struct {
		route string
		most  int
	}{{"pin", 24}, {"jpki", 16}, {"b", 14}} {
		t.Run(tt.route, func(t *testing.T) {
			text, err := read(t, "sato", tt.route, hanako)
			if err != nil {
				t.Fatal(err)
			}
			r := decode(t, text)
			t.Logf("%d commands, %d bytes", r.APDUs, r.BytesRead)
			if r.APDUs > tt.most || r.APDUs < 10 || r.BytesRead < 2000 {
				t.Fatalf("%d commands, %d bytes; at most %d commands", r.APDUs, r.BytesRead, tt.most)
			}
		})
	}
}

func TestReadByB(t *testing.T) {
	text, err := read(t, "sato", "b", hanako)
	if err != nil {
		t.Fatal(err)
	}
	r := decode(t, text)
	if r.Attributes == nil || r.Attributes.Name != "佐藤　花子" || r.Face == nil || r.Face.Width != 240 {
		t.Fatalf("got %s", text)
	}
	a := r.Authenticity
	if !a.Face.Valid || !a.NameImage.Valid || !a.NotACopy.Valid || a.MyNumber.Checked || a.Attributes.Checked {
		t.Fatalf("got %+v", a)
	}
	if strings.Contains(text, "904172653088") {
		t.Fatal("the My Number was printed")
	}
}

func TestReadByJPKI(t *testing.T) {
	text, err := read(t, "sato", "jpki", hanako)
	if err != nil {
		t.Fatal(err)
	}
	sign := decode(t, text).Certificates.Sign
	want := certificateJSON{
		Serial: "09B2B405", NotBefore: "2025-10-27", NotAfter: "2030-04-12",
		Issuer:     "OU=Worthless test authority of virtual cards,OU=JPKI for digital signature,O=MADOGUCHI-VIRTUAL,C=JP",
		Attributes: &attributesJSON{"佐藤　花子", "東京都架空区見本町一丁目２番３号", "1990-04-12", "2"},
	}
	if sign == nil || sign.Attributes == nil || *sign.Attributes != *want.Attributes {
		t.Fatalf("got %s", text)
	}
	sign.Attributes = want.Attributes
	if *sign != want {
		t.Fatalf("got %+v", sign)
	}
}

// A child's card has no signature certificate: route all goes on without, and no password is sent.
func TestChildsCard(t *testing.T) {
	text, err := read(t, "kobayashi", "all", `{"pin":`+pinOf(t, "kobayashi")+`,"sign_password":"CHILD1234"}`)
	if err != nil {
		t.Fatal(err)
	}
	r := decode(t, text)
	if r.Certificates.Sign != nil || r.Certificates.Auth == nil || r.Attributes.Birth != "2014-06-18" {
		t.Fatalf("got %s", text)
	}
	if _, err := read(t, "kobayashi", "jpki", `{"sign_password":"CHILD1234"}`); !errors.Is(err, card.ErrNoCertificate) {
		t.Fatalf("got %v", err)
	}
}

// pinOf is the PIN of a virtual person in quotes.
func pinOf(t *testing.T, id string) string {
	t.Helper()
	people, err := virtual.People()
	if err != nil {
		t.Fatal(err)
	}
	p, err := virtual.NewDrawer(people).Person(id)
	if err != nil {
		t.Fatal(err)
	}
	return `"` + string(p.PIN().Reveal()) + `"`
}

func TestSaveFaceAndMyNumber(t *testing.T) {
	file := filepath.Join(t.TempDir(), "face.jp2")
	text, err := read(t, "sato", "all", hanako, "--save-face", file, "--with-my-number")
	if err != nil {
		t.Fatal(err)
	}
	if r := decode(t, text); r.MyNumber != "904172653088" || r.Certificates.Sign == nil {
		t.Fatalf("got %s", text)
	}
	got, err := os.ReadFile(file)
	want, err2 := os.ReadFile("../../hardware/virtual/people/sato/face.jp2")
	if err != nil || err2 != nil || !bytes.Equal(got, want) {
		t.Fatal("not the face of the chip")
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the file is open to others: %v", info.Mode())
	}
	if _, err := read(t, "sato", "b", hanako, "--save-face", file); !errors.Is(err, os.ErrExist) {
		t.Fatalf("an existing file was replaced: %v", err)
	}
}

// productionTrust pretends that the virtual issuer's keys were production ones, under ids of production.
func productionTrust(t *testing.T) string {
	t.Helper()
	dir := testTrust(t)
	keys, err := filepath.Glob(filepath.Join(dir, "surface", "39*.pem"))
	if err != nil || len(keys) != 2 {
		t.Fatal("no keys")
	}
	for _, k := range keys {
		if err := os.Rename(k, filepath.Join(dir, "surface", "35"+filepath.Base(k)[2:])); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "trust.json"), []byte(`{"name":"p","kind":"production"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// No trust is built in: the virtual issuer's keys count only when a directory names them.
func TestNoTrustIsBuiltIn(t *testing.T) {
	args := []string{"card", "read", "--reader", "virtual:sato", "--secrets", "-"}
	text, err := kioskctl(t, hanako, args...)
	if err != nil || decode(t, text).Authenticity.Face.Checked {
		t.Fatalf("got %q, %v", text, err)
	}
	text, err = kioskctl(t, hanako, append(args, "--trust", testTrust(t))...)
	if err != nil || !decode(t, text).Authenticity.Face.Valid {
		t.Fatalf("got %q, %v", text, err)
	}
}

func TestExitCodes(t *testing.T) {
	for _, tt := range []struct {
		name, person, route, secrets string
		want                         code
		says                         string
	}{
		{"wrong-pin", "sato", "pin", `{"pin":"2468"}`, codeWrong, "tries left: 2"},
		{"wrong-number-b", "sato", "b", `{"number_b":"02041220314822"}`, codeWrong, "tries left: 9"},
		{"wrong-password", "sato", "jpki", `{"sign_password":"WRONG2026"}`, codeWrong, "tries left: 4"},
		{"pin-form", "sato", "pin", `{"pin":"135"}`, codeUsage, "no try is lost"},
		{"small-letters", "sato", "jpki", `{"sign_password":"sato2026a"}`, codeUsage, "no try is lost"},
		{"missing-pin", "sato", "pin", `{"number_b":"02041220314821"}`, codeUsage, "needs pin"},
		{"unknown-secret", "sato", "pin", `{"pin":"1357","puk":"1"}`, codeUsage, "nothing else"},
		{"number-not-string", "sato", "pin", `{"pin":1357}`, codeUsage, "plain strings"},
		{"trailing", "sato", "pin", hanako + hanako, codeUsage, "plain strings"},
		{"licence", "drivers-licence", "b", hanako, codeKind, "drivers-licence"},
		{"transit", "transit", "pin", hanako, codeKind, "not a My Number Card"},
		{"blocked", "watanabe", "pin", `{"pin":"1357"}`, codeBlocked, "nothing was sent"},
		{"empty-reader", "", "b", hanako, codeNoCard, "no card"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text, err := read(t, tt.person, tt.route, tt.secrets)
			if codeOf(err) != tt.want || text != "" || !strings.Contains(err.Error(), tt.says) {
				t.Fatalf("code %d, want %d; %q, %v", codeOf(err), tt.want, text, err)
			}
			for _, leak := range []string{"2468", "02041220314822", "WRONG2026", "SATO", "sato2026a", "1357"} {
				if strings.Contains(err.Error(), leak) {
					t.Fatalf("a credential in %v", err)
				}
			}
		})
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{
		{},
		{"card"},
		{"card", "write"},
		{"card", "read"},
		{"card", "tries"},
		{"card", "simulate"},
		{"card", "read", "--reader", "virtual:sato"},
		{"card", "read", "--reader", "virtual:sato", "--secrets", "-", "--route", "face"},
		{"card", "read", "--reader", "virtual:sato", "--secrets", "-", "1357"},
		{"card", "read", "--reader", "virtual:sato", "--secrets", "-", "--pin", "1357"},
		{"card", "read", "--reader", "virtual:sato", "--secrets", "-", "--with-my-number"},
		{"card", "read", "--reader", "virtual:sato", "--secrets", "-", "--route", "jpki", "--save-face", "f"},
		{"trust"},
		{"trust", "virtual"},
	} {
		if _, err := kioskctl(t, hanako, args...); codeOf(err) != codeUsage || strings.Contains(err.Error(), "1357") {
			t.Errorf("%v: %v", args, err)
		}
	}
}

func TestCodeOfTypedErrors(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want code
	}{
		{nil, codeOK},
		{reader.ErrService, codeNoCard},
		{reader.ErrReaderLost, codeNoCard},
		{reader.ErrBusy, codeError},
		{card.AuthError{Left: 0}, codeBlocked},
		{&card.VerifyUnknownError{Err: reader.ErrTimeout}, codeError},
		{card.ErrLastTry, codeRefused},
	} {
		if got := codeOf(tt.err); got != tt.want {
			t.Errorf("%v: got %d, want %d", tt.err, got, tt.want)
		}
	}
}

func TestTriesAndDoctor(t *testing.T) {
	text, err := kioskctl(t, "", "card", "tries", "--reader", "virtual:sato")
	want := `"tries":{"auth-pin":3,"face-a":10,"face-b":10,"sign-password":5,"text-a":10,"text-b":10,"text-pin":3}`
	if err != nil || !strings.Contains(text, want) {
		t.Fatalf("got %s, %v", text, err)
	}
	if text, err = kioskctl(t, "", "card", "tries", "--reader", "virtual:sato", "--all"); err != nil || !strings.Contains(text, `"juki-pin":3`) {
		t.Fatalf("got %s, %v", text, err)
	}
	if text, err = kioskctl(t, "", "card", "doctor", "--reader", "virtual:sato"); err != nil || !strings.Contains(text, "extended length works") {
		t.Fatalf("got %s, %v", text, err)
	}
	if text, err = kioskctl(t, "", "card", "doctor", "--reader", "virtual:"); err != nil || !strings.Contains(text, "no card on the reader") {
		t.Fatalf("got %s, %v", text, err)
	}
}
