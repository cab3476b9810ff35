package main

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// operate runs one command of hqd.
func operate(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := run(t.Context(), args, &out, slog.New(slog.DiscardHandler))
	return out.String(), err
}

func must(t *testing.T, args ...string) string {
	t.Helper()
	out, err := operate(t, args...)
	if err != nil {
		t.Fatalf("hqd %v: %v", args, err)
	}
	return out
}

func TestOperateKiosks(t *testing.T) {
	dir := t.TempDir()
	must(t, "init", "-dir", dir)
	out := must(t, "enroll-code", "-dir", dir, "-device", "branch-1", "-valid", "2h")
	for _, want := range []string{`(?m)^device +branch-1$`, `(?m)^code +[0-9A-Z]{5}(-[0-9A-Z]{5}){3}$`, `(?m)^CA SHA-256 +[0-9a-f]{64}$`, `(?m)^root SHA-256 +[0-9a-f]{64}$`} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("no %s in %s", want, out)
		}
	}
	for _, bad := range [][]string{
		{"enroll-code", "-dir", dir, "-device", "Branch 1"},
		{"enroll-code", "-dir", dir, "-device", "b", "-valid", "1000h"},
		{"enroll-code", "-device", "b"},
		{"device", "revoke", "-dir", dir, "-device", "kiosk-1"},
		{"device", "revoke", "-dir", dir, "-device", "kiosk-1", "-reason", "annoyed"},
		{"device", "revoke", "-dir", dir, "-device", "nobody", "-reason", "lost"},
		{"device", "forget", "-dir", dir},
		{"device"},
	} {
		if out, err := operate(t, bad...); err == nil {
			t.Errorf("%v: %s", bad, out)
		}
	}
	must(t, "enroll-code", "-dir", dir, "-device", "kiosk-1")
	must(t, "device", "revoke", "-dir", dir, "-device", "kiosk-1", "-reason", "stolen")
	if _, err := os.Stat(filepath.Join(dir, "receiver/codes/kiosk-1.code")); !os.IsNotExist(err) {
		t.Error("a revoked kiosk keeps its code")
	}
	if out := must(t, "device", "list", "-dir", dir); !regexp.MustCompile(`^kiosk-1 revoked revoked \S+Z stolen\n$`).MatchString(out) {
		t.Errorf("got %q", out)
	}
	if _, err := operate(t, "enroll-code", "-dir", dir, "-device", "kiosk-1"); err == nil {
		t.Error("a revoked kiosk gets a code without a word")
	}
	must(t, "enroll-code", "-dir", dir, "-device", "kiosk-1", "-reinstate")
}

func TestOperateKeys(t *testing.T) {
	dir := t.TempDir()
	root, draft, list := filepath.Join(dir, "root"), filepath.Join(dir, "draft.json"), filepath.Join(dir, "list.json")
	must(t, "init", "-dir", dir)
	if out := must(t, "keys", "show", "-dir", dir); !strings.HasPrefix(out, "list 1, issued ") || strings.Count(out, "0x647a") != 5 {
		t.Fatalf("got %s", out)
	}
	must(t, "keys", "rotate", "-dir", dir, "-out", draft, "-parts", "identity,images", "-from", "24h")
	must(t, "keys", "rotate", "-dir", dir, "-out", draft, "-parts", "evidence")
	if _, err := operate(t, "keys", "publish", "-dir", dir, "-list", draft); err == nil {
		t.Fatal("a draft was published")
	}
	if out := must(t, "keys", "sign-list", "-root", root, "-in", draft, "-out", list); !strings.HasPrefix(out, "list 2, ") || strings.Count(out, "  seal ") != 8 {
		t.Fatalf("got %s", out)
	}
	if _, err := operate(t, "keys", "sign-list", "-root", root, "-in", draft, "-out", list); err == nil {
		t.Fatal("signed twice")
	}
	must(t, "keys", "publish", "-dir", dir, "-list", list)
	if out := must(t, "keys", "show", "-dir", dir); !strings.HasPrefix(out, "list 2, ") {
		t.Fatalf("got %s", out)
	}
	next := filepath.Join(dir, "next.json")
	id := regexp.MustCompile(`identity-[0-9a-f]{10}`).FindString(must(t, "keys", "show", "-dir", dir))
	must(t, "keys", "revoke", "-dir", dir, "-out", next, "-id", id)
	if out := must(t, "keys", "show", "-list", next); !strings.HasPrefix(out, "list 3, ") {
		t.Fatalf("got %s", out)
	}
	for _, bad := range [][]string{
		{"keys"},
		{"keys", "eat"},
		{"keys", "rotate", "-dir", dir},
		{"keys", "rotate", "-dir", dir, "-out", next, "-parts", "soul"},
		{"keys", "revoke", "-dir", dir, "-out", next, "-id", "nobody"},
		{"keys", "add", "-dir", dir, "-out", next, "-part", "identity", "-id", "hsm-1", "-suite", "32", "-public", "AAAA"},
		{"keys", "add", "-dir", dir, "-out", next, "-part", "identity", "-id", "hsm-1", "-public", "AAAA"},
	} {
		if _, err := operate(t, bad...); err == nil {
			t.Errorf("%v was accepted", bad)
		}
	}
	other := filepath.Join(dir, "other")
	if out := must(t, "keys", "root-init", "-root", other, "-algorithm", "ed25519"); !regexp.MustCompile(`^root-[0-9a-f]{16} SHA-256 [0-9a-f]{64}\n$`).MatchString(out) {
		t.Errorf("got %q", out)
	}
}
