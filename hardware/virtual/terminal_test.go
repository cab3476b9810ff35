package virtual_test

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"madoguchi/hardware/virtual"
)

const selectTerminalKey = "00A4020C 02 0016"

// keyFile is the public half of a private key of the virtual PKI, read from its file and not through package pki.
func keyFile(t *testing.T, name string) *rsa.PublicKey {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("pki", "keys", name))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(raw)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	private, ok := key.(*rsa.PrivateKey)
	if !ok {
		t.Fatal("not RSA")
	}
	return &private.PublicKey
}

// certified makes the two commands of 80 A2 by hand, with a signature by openssl.
func certified(t *testing.T, issuer, signer string) (head, tail string) {
	t.Helper()
	body := issuer + "0805303031 202601A8" + "39303030303734 0805303031 202601A8" + "9003010001 91820100" +
		hex.EncodeToString(keyFile(t, "virtual-terminal.pem").N.FillBytes(make([]byte, 256)))
	out := filepath.Join(t.TempDir(), "sig")
	openssl(t, "dgst", "-sha256", "-sign", "pki/keys/"+signer+".pem", "-out", out, file(t, "body", unhex(t, body)))
	signature, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return "80A206C1 000133 7F21820233 5F4E820129" + body, "80A200C1 000105 5F37820100" + hex.EncodeToString(signature)
}

const terminalCA = "39303030303733" // 9000073

// TestTerminal: a terminal that the authority has certified uses the authentication key without PIN, and that only.
func TestTerminal(t *testing.T) {
	c := newCard(t)
	s := open(t, c)
	head, tail := certified(t, terminalCA, "virtual-terminal-ca")
	play(t, s, []exchange{
		{selectJPKI, "9000"},
		{"802A0097 01 00 00", "6982"},
		{selectTerminalKey, "9000"},
		{"00B00000 00", "6981"},
		{"00200080", "6981"},
		{head, "9000"},
		{"802A0097 01 00 00", "6982"}, // half a certificate opens nothing, nor does it disturb
		{selectTerminalKey, "9000"},
		{tail, "9000"},
	})
	message := []byte("a challenge of the terminal")
	key, err := x509.ParseCertificate(trim(t, data(t, s, "00B08A00 000000")))
	if err != nil {
		t.Fatal(err)
	}
	public, ok := key.PublicKey.(*rsa.PublicKey)
	if !ok {
		t.Fatal("not RSA")
	}
	judge(t, public, data(t, s, "802A0397 1B"+hex.EncodeToString(message)+"00"), message)
	play(t, s, []exchange{
		{"802A009A 01 00 00", "6982"}, // the signature key stays shut
		{"00B08100 02", "6982"},
		{"00240198 04 35363738", "6982"}, // no PIN was verified
		{"00200098", "63C3"},
		{selectTerminalKey, "9000"},
		{tail, "6985"}, // the head is used up
		{selectJPKI, "9000"},
		{"802A0097 01 00 00", "6982"}, // SELECT takes the right away
	})
	play(t, s, []exchange{{selectTerminalKey, "9000"}, {head, "9000"}, {tail, "9000"}})
	c.PowerOff()
	c.PowerOn()
	play(t, s, []exchange{{selectJPKI, "9000"}, {"802A0097 01 00 00", "6982"}})
}

func TestTerminalRefused(t *testing.T) {
	head, tail := certified(t, terminalCA, "virtual-terminal-ca")
	_, forged := certified(t, terminalCA, "virtual-terminal")
	foreign, foreignTail := certified(t, "39303030303230", "virtual-terminal-ca")
	at := func(script ...exchange) []exchange {
		return append([]exchange{{selectJPKI, "9000"}, {selectTerminalKey, "9000"}}, script...)
	}
	for name, script := range map[string][]exchange{
		"wrong-signature":  at(exchange{head, "9000"}, exchange{forged, "6A80"}, exchange{tail, "6985"}),
		"wrong-issuer":     at(exchange{foreign, "9000"}, exchange{foreignTail, "6A88"}),
		"wrong-head":       at(exchange{strings.Replace(head, "7F21820233", "7F21820234", 1), "6A80"}),
		"wrong-tail":       at(exchange{head, "9000"}, exchange{strings.Replace(tail, "5F37820100", "5F38820100", 1), "6A80"}),
		"tail-first":       at(exchange{tail, "6985"}),
		"short-head":       at(exchange{"80A206C1 04 7F218202", "6700"}),
		"short-tail":       at(exchange{head, "9000"}, exchange{"80A200C1 04 5F378201", "6700"}, exchange{tail, "6985"}),
		"no-data":          at(exchange{"80A200C1", "6700"}),
		"parameters-of-cv": at(exchange{"80A20000", "6A86"}, exchange{"80A200AE", "6A86"}, exchange{"80A28000", "6A86"}, exchange{"80A200B6", "6A86"}),
		"p1":               at(exchange{"80A201C1", "6A86"}),
		"256-zeros":        {{selectJPKI, "9000"}, {"80A200C1 000100 " + hex.EncodeToString(make([]byte, 256)), "6700"}},
		"no-file":          {{selectJPKI, "9000"}, {head, "6986"}},
		"another-file":     {{selectJPKI, "9000"}, {"00A4020C 02 0017", "9000"}, {head, "6981"}},
		"head-elsewhere":   at(exchange{head, "9000"}, exchange{selectJPKI, "9000"}, exchange{selectTerminalKey, "9000"}, exchange{tail, "6985"}),
		"another-app":      {{selectText, "9000"}, {head, "6D00"}},
		"no-app":           {{head, "6D00"}},
		"no-short-form":    at(exchange{"80A206C1 FF" + hex.EncodeToString(make([]byte, 255)), "6700"}),
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, newCard(t))
			play(t, s, script)
			play(t, s, []exchange{{selectJPKI, "9000"}, {"802A0097 01 00 00", "6982"}})
		})
	}
}

// TestTerminalCertificate: the one that ships holds under its authority and is taken by every virtual card.
func TestTerminalCertificate(t *testing.T) {
	cv, err := os.ReadFile("pki/keys/virtual-cv-terminal.bin")
	if err != nil {
		t.Fatal(err)
	}
	if len(cv) != 568 || !bytes.HasPrefix(cv[10:], []byte("9000073\x08\x05")) || cv[26] != '9' {
		t.Fatalf("got %d bytes, ids %X", len(cv), cv[10:42])
	}
	openssl(t, "dgst", "-sha256", "-prverify", "pki/keys/virtual-terminal-ca.pem", "-signature", file(t, "sig", cv[312:]), file(t, "m", cv[10:307]))
	play(t, open(t, newCard(t, virtual.Options{WithoutPIN: true})), []exchange{ // also when the PIN is blocked
		{selectJPKI, "9000"},
		{selectTerminalKey, "9000"},
		{"80A206C1 000133" + hex.EncodeToString(cv[:307]), "9000"},
		{"80A200C1 000105" + hex.EncodeToString(cv[307:]), "9000"},
		{"00200098", "63C0"},
		{"802A0597 00", "6700"},
	})
}
