package devicekey_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"madoguchi/storage/devicekey"
)

// conform is what both kinds of key must do.
func conform(t *testing.T, k devicekey.Key, reload func(raw []byte) (devicekey.Key, error)) {
	t.Helper()
	pub, ok := k.Public().(*ecdsa.PublicKey)
	if !ok {
		t.Fatalf("public key is a %T", k.Public())
	}
	sum := sha256.Sum256([]byte("message"))
	t.Run("signs-a-hash", func(t *testing.T) {
		sig, err := k.Sign(rand.Reader, sum[:], crypto.SHA256)
		if err != nil || !ecdsa.VerifyASN1(pub, sum[:], sig) {
			t.Fatal(err)
		}
		other := sha256.Sum256([]byte("massage"))
		if ecdsa.VerifyASN1(pub, other[:], sig) {
			t.Fatal("verifies for another message")
		}
	})
	t.Run("signs-nothing-else", func(t *testing.T) {
		for _, c := range []struct {
			digest []byte
			opts   crypto.SignerOpts
		}{{sum[:31], crypto.SHA256}, {nil, crypto.SHA256}, {sum[:], crypto.SHA384}, {sum[:], crypto.Hash(0)}, {sum[:], nil}, {append(sum[:], 0), crypto.SHA256}} {
			if _, err := k.Sign(rand.Reader, c.digest, c.opts); !errors.Is(err, devicekey.ErrHash) {
				t.Errorf("%d bytes, %v: got %v", len(c.digest), c.opts, err)
			}
		}
	})
	t.Run("signs-concurrently", func(t *testing.T) {
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				if sig, err := k.Sign(rand.Reader, sum[:], crypto.SHA256); err != nil || !ecdsa.VerifyASN1(pub, sum[:], sig) {
					t.Error(err)
				}
			})
		}
		all.Wait()
	})
	t.Run("comes-back-from-its-file", func(t *testing.T) {
		raw, err := k.PEM()
		if err != nil {
			t.Fatal(err)
		}
		again, err := reload(raw)
		if err != nil {
			t.Fatal(err)
		}
		if !pub.Equal(again.Public()) {
			t.Fatal("another key")
		}
		if sig, err := again.Sign(rand.Reader, sum[:], crypto.SHA256); err != nil || !ecdsa.VerifyASN1(pub, sum[:], sig) {
			t.Fatal(err)
		}
	})
	t.Run("makes-a-request-and-a-tls-connection", func(t *testing.T) { handshake(t, k) })
	t.Run("is-not-printed", func(t *testing.T) {
		if s := fmt.Sprintf("%v %+v %#v %s", k, k, k, k); strings.Count(s, "[device key]") != 4 {
			t.Fatalf("got %s", s)
		}
	})
}

// handshake uses the key as a TLS 1.3 client does.
func handshake(t *testing.T, k devicekey.Key) {
	t.Helper()
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "kiosk"}}, k)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := x509.ParseCertificateRequest(csr); err != nil || r.CheckSignature() != nil {
		t.Fatal("the request does not verify: ", err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	cert := tls.Certificate{Certificate: [][]byte{der}, PrivateKey: k}
	a, b := net.Pipe()
	server := tls.Server(a, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13, ClientAuth: tls.RequireAnyClientCert})
	client := tls.Client(b, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13, RootCAs: pool, ServerName: "localhost"})
	done := make(chan error, 1)
	go func() { done <- server.Handshake() }()
	if err := client.Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestFileKeyConforms(t *testing.T) {
	k, err := devicekey.NewFile()
	if err != nil {
		t.Fatal(err)
	}
	conform(t, k, func(raw []byte) (devicekey.Key, error) { return devicekey.Parse(raw, nil) })
}

func TestLoadChecksTheMode(t *testing.T) {
	k, err := devicekey.NewFile()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := k.PEM()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	for mode, want := range map[os.FileMode]error{0o600: nil, 0o400: nil, 0o640: devicekey.ErrMode, 0o604: devicekey.ErrMode, 0o620: devicekey.ErrMode} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := devicekey.Load(path, nil); !errors.Is(err, want) {
			t.Errorf("%o: got %v", mode, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	p384 := pemOf(t, mustP384(t))
	for name, c := range map[string]struct {
		raw  []byte
		want error
	}{
		"empty":        {nil, devicekey.ErrKey},
		"not-pem":      {[]byte("hello"), devicekey.ErrKey},
		"other-type":   {pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: []byte{1}}), devicekey.ErrKey},
		"not-pkcs8":    {pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte{1}}), devicekey.ErrKey},
		"other-curve":  {p384, devicekey.ErrKey},
		"tpm-and-none": {pem.EncodeToMemory(&pem.Block{Type: "TSS2 PRIVATE KEY", Bytes: []byte{1}}), devicekey.ErrNoTPM},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := devicekey.Parse(c.raw, nil); !errors.Is(err, c.want) {
				t.Fatalf("got %v", err)
			}
			for _, b := range c.raw {
				if b != 0 {
					t.Fatal("the bytes were not wiped")
				}
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	k, err := devicekey.NewFile()
	if err != nil {
		f.Fatal(err)
	}
	raw, err := k.PEM()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add(pem.EncodeToMemory(&pem.Block{Type: "TSS2 PRIVATE KEY", Bytes: []byte{0x30, 0}}))
	f.Fuzz(func(t *testing.T, raw []byte) {
		k, err := devicekey.Parse(append([]byte(nil), raw...), nil)
		if (k == nil) == (err == nil) {
			t.Fatal("a key and an error, or neither")
		}
	})
}

func BenchmarkSignFile(b *testing.B) {
	k, err := devicekey.NewFile()
	if err != nil {
		b.Fatal(err)
	}
	benchSign(b, k)
}

func benchSign(b *testing.B, k crypto.Signer) {
	sum := sha256.Sum256([]byte("message"))
	for b.Loop() {
		if _, err := k.Sign(rand.Reader, sum[:], crypto.SHA256); err != nil {
			b.Fatal(err)
		}
	}
}
