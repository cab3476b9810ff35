//go:build ignore

// Command gen writes the keys and certificates of the virtual PKI that are missing under keys/. It never
// overwrites one. Run it with "go generate ./hardware/virtual/pki".
package main

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"log"
	"os"
	"time"

	"madoguchi/hardware/virtual/pki"
)

func main() {
	for _, s := range []pki.Surface{pki.Face, pki.Text, pki.Chain} {
		issuer := keys("virtual-issuer-"+string(s), 1)
		municipality := keys("virtual-municipality-"+string(s), 1)
		once("virtual-cv-"+string(s)+".bin", func() []byte {
			return must(pki.IssueCV(s, issuer[0], &municipality[0].PublicKey))
		})
	}
	keys("virtual-messaging", 1)
	for _, c := range []struct {
		s               pki.Surface
		issuer, subject string
	}{
		{pki.Link, "virtual-municipality-chain", "virtual-link"},
		{pki.Terminal, "virtual-terminal-ca", "virtual-terminal"},
	} {
		issuer, subject := keys(c.issuer, 1), keys(c.subject, 1)
		once("virtual-cv-"+string(c.s)+".bin", func() []byte {
			return must(pki.IssueCV(c.s, issuer[0], &subject[0].PublicKey))
		})
	}
	for _, u := range []pki.Use{pki.Sign, pki.Auth} {
		ca := keys("virtual-jpki-"+string(u)+"-ca", 1)
		once("virtual-jpki-"+string(u)+"-ca.crt", func() []byte {
			from := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
			der := must(pki.SelfSigned(u, ca[0], from, from.AddDate(30, 0, 0).Add(-time.Second)))
			return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
		})
	}
	for _, id := range []string{
		"sato", "suzuki", "tanaka", "kobayashi", "watanabe", "ito", "nguyen", "spare",
	} {
		keys("virtual-person-"+id, 3)
	}
}

// keys reads the keys of a file, or makes n of them.
func keys(name string, n int) []*rsa.PrivateKey {
	raw := once(name+".pem", func() []byte {
		var out bytes.Buffer
		for range n {
			der := must(x509.MarshalPKCS8PrivateKey(must(rsa.GenerateKey(rand.Reader, 2048))))
			must(0, pem.Encode(&out, &pem.Block{Type: "PRIVATE KEY", Bytes: der}))
		}
		return out.Bytes()
	})
	var out []*rsa.PrivateKey
	for block, rest := pem.Decode(raw); block != nil; block, rest = pem.Decode(rest) {
		out = append(out, must(x509.ParsePKCS8PrivateKey(block.Bytes)).(*rsa.PrivateKey))
	}
	return out
}

// once reads a file, or makes and writes it when it is missing.
func once(name string, create func() []byte) []byte {
	path := "keys/" + name
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		raw = create()
		err = os.WriteFile(path, raw, 0o644)
	}
	return must(raw, err)
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}
