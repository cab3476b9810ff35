//go:build cgo

package token_test

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"madoguchi/daemon/hq/opener/token"
	"madoguchi/internal/secret"
	"madoguchi/storage/record"
	"madoguchi/storage/seal"
	"madoguchi/storage/storagetest"
)

// missing skips loudly; in CI nothing may be missing.
func missing(tb testing.TB, what string) {
	tb.Helper()
	if os.Getenv("CI") == "true" {
		tb.Fatalf("MISSING: %s", what)
	}
	tb.Skipf("SKIPPED: %s is missing; PKCS #11 is NOT tested", what)
}

const pin = "84236-opener"

// hsm is a SoftHSM of one test: its own directory of tokens.
type hsm struct {
	dir, module string
	files       string // the opener's directory
	pins        int    // how often the PIN was asked
	pin         string
	at          time.Time
}

func newHSM(tb testing.TB, labels ...string) *hsm {
	tb.Helper()
	h := &hsm{dir: tb.TempDir(), files: tb.TempDir(), pin: pin, at: time.Now()}
	for _, m := range []string{"/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm2.so", "/usr/lib64/libsofthsm2.so"} {
		if _, err := os.Stat(m); err == nil {
			h.module = m
		}
	}
	if _, err := exec.LookPath("softhsm2-util"); err != nil || h.module == "" {
		missing(tb, "SoftHSM (package softhsm2)")
	}
	conf := filepath.Join(h.dir, "softhsm2.conf")
	text := "directories.tokendir = " + h.tokens() + "\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = true\n"
	if err := errors.Join(os.WriteFile(conf, []byte(text), 0o600), os.Mkdir(h.tokens(), 0o700)); err != nil {
		tb.Fatal(err)
	}
	tb.Setenv("SOFTHSM2_CONF", conf)
	for _, l := range labels {
		h.run(tb, "softhsm2-util", "--init-token", "--free", "--label", l, "--so-pin", "so-"+pin, "--pin", pin)
	}
	return h
}

func (h *hsm) tokens() string { return filepath.Join(h.dir, "tokens") }

func (h *hsm) run(tb testing.TB, name string, args ...string) string {
	tb.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		tb.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// judge runs pkcs11-tool, which knows nothing of us.
func (h *hsm) judge(tb testing.TB, label string, args ...string) (string, error) {
	tb.Helper()
	if _, err := exec.LookPath("pkcs11-tool"); err != nil {
		missing(tb, "pkcs11-tool (package opensc)")
	}
	out, err := exec.Command("pkcs11-tool", append([]string{"--module", h.module, "--token-label", label, "--login", "--pin", pin}, args...)...).CombinedOutput()
	return string(out), err
}

func (h *hsm) spec(label string, parts ...record.Part) token.Spec {
	s := token.Spec{Name: label, Module: h.module, Label: label, Sessions: 2}
	for _, p := range parts {
		s.Parts = append(s.Parts, string(p))
	}
	return s
}

// store opens the tokens for a role. The test moves h.at.
func (h *hsm) store(tb testing.TB, role []record.Part, specs ...token.Spec) *token.Store {
	tb.Helper()
	s, err := token.Open(token.Options{
		Log: slog.New(slog.NewTextHandler(tb.Output(), nil)), Tokens: specs, Parts: role, Now: func() time.Time { return h.at },
		Read: func(name string) ([]byte, error) { return os.ReadFile(filepath.Join(h.files, name)) },
		PIN:  func(token.Spec) ([]byte, error) { h.pins++; return []byte(h.pin), nil },
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

// newKey makes a key and lays its file.
func (h *hsm) newKey(tb testing.TB, s *token.Store, p record.Part) seal.Key {
	tb.Helper()
	file, pub, err := s.InitKey(tb.Context(), p, storagetest.At().AddDate(2, 0, 0))
	if err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(h.path(pub), file, 0o600); err != nil {
		tb.Fatal(err)
	}
	return pub
}

func (h *hsm) path(k seal.Key) string { return filepath.Join(h.files, token.FileOf(k.Part, k.ID)) }

// files of the opener's directory.
func (h *hsm) names(tb testing.TB) (names []string) {
	tb.Helper()
	err := fs.WalkDir(os.DirFS(h.files), ".", func(path string, d fs.DirEntry, err error) error {
		if !d.IsDir() {
			names = append(names, path)
		}
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return names
}

const recordID = "0190a3f0-0000-7000-8000-000000000001"

// sealed seals a text to a key as the kiosk does.
func sealed(tb testing.TB, k seal.Key, text string) seal.Sealed {
	tb.Helper()
	keys, err := seal.NewPublicKeys([]seal.Key{k})
	if err != nil {
		tb.Fatal(err)
	}
	s, err := keys.Seal(storagetest.Device, recordID, k.Part, secret.New([]byte(text)), storagetest.At())
	if err != nil {
		tb.Fatal(err)
	}
	return s
}
