package audit_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"madoguchi/storage/audit"
	"madoguchi/storage/storagetest"
)

const device = "branch-012-kiosk-1"

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

type kit struct {
	*audit.Log
	dir string
	key *ecdsa.PrivateKey
}

func newKit(t testing.TB) *kit {
	k := &kit{dir: t.TempDir(), key: newKey(t)}
	k.reopen(t)
	return k
}

func (k *kit) reopen(t testing.TB) {
	t.Helper()
	if k.Log != nil {
		if err := k.Close(); err != nil {
			t.Fatal(err)
		}
	}
	l, err := audit.Open(k.dir, audit.Options{Device: device, Signer: k.key, Now: storagetest.At})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	k.Log = l
}

func (k *kit) fill(t testing.TB, n int) {
	t.Helper()
	for i := range n {
		if _, err := k.Append(audit.Leaf{Kind: audit.StaffIn, Staff: "tanuki", Count: int64(i)}); err != nil {
			t.Fatal(err)
		}
	}
}

// file is the one log in the directory.
func (k *kit) file(t testing.TB) string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(k.dir, "audit-*.log"))
	if err != nil || len(names) != 1 {
		t.Fatalf("got %v, %v", names, err)
	}
	return names[0]
}

// root6962 is RFC 6962, 2.1, as it is written there: the definition by halves, with no line of the package in it.
func root6962(leaves [][]byte) [32]byte {
	switch len(leaves) {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return sha256.Sum256(append([]byte{0}, leaves[0]...))
	}
	k := 1
	for k*2 < len(leaves) {
		k *= 2
	}
	l, r := root6962(leaves[:k]), root6962(leaves[k:])
	return sha256.Sum256(append(append([]byte{1}, l[:]...), r[:]...))
}

func TestTreeFollowsTheRFC(t *testing.T) {
	var tree audit.Tree
	var leaves [][]byte
	for n := range 300 {
		if got := tree.Root(); got != root6962(leaves) {
			t.Fatalf("%d leaves: %x", n, got)
		}
		again, ok := audit.NewTree(tree.Size(), tree.Edge())
		if !ok || again.Root() != tree.Root() {
			t.Fatalf("%d leaves: the edge does not carry the tree", n)
		}
		if _, ok := audit.NewTree(tree.Size()+1, tree.Edge()); ok && n&(n+1) != 0 && ones(n+1) != ones(n) {
			t.Fatal("an edge of another size was taken")
		}
		leaf := fmt.Appendf(nil, "leaf %d", n)
		leaves = append(leaves, leaf)
		tree.Append(leaf)
	}
}

func ones(n int) int {
	c := 0
	for ; n > 0; n &= n - 1 {
		c++
	}
	return c
}

func TestLeafHasNoPlaceForPeople(t *testing.T) {
	good := audit.Leaf{
		At: storagetest.At(), Kind: audit.Recorded, ID: "019a9f5e-1c00-7abc-8def-0123456789ab", Hash: strings.Repeat("0a", 32),
		Word: "verified", Staff: "Tanuki-041", Reason: "all-clear", Count: 7,
	}
	b, err := good.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	want := `{"at":"2026-11-20T01:02:03.456Z","count":7,"hash":"` + strings.Repeat("0a", 32) +
		`","id":"019a9f5e-1c00-7abc-8def-0123456789ab","kind":"recorded","reason":"all-clear","staff":"Tanuki-041","v":1,"word":"verified"}`
	if string(b) != want {
		t.Fatalf("got %s", b)
	}
	for name, change := range map[string]func(*audit.Leaf){
		"kind-unknown":              func(l *audit.Leaf) { l.Kind = "gossip" },
		"name":                      func(l *audit.Leaf) { l.Word = "佐藤花子" },
		"name-in-latin":             func(l *audit.Leaf) { l.Word = "Hanako Sato" },
		"my-number":                 func(l *audit.Leaf) { l.Word = "123456789018" },
		"my-number-after-word":      func(l *audit.Leaf) { l.Word = "n123456789018" },
		"my-number-with-hyphen":     func(l *audit.Leaf) { l.Reason = "n-1234-5678-9018" },
		"birthday":                  func(l *audit.Leaf) { l.Staff = "s19900412" },
		"pin":                       func(l *audit.Leaf) { l.Word = "1357" },
		"record-id-of-another-form": func(l *audit.Leaf) { l.ID = "123456789018" },
		"hash-is-text":              func(l *audit.Leaf) { l.Hash = "hanako" },
		"hash-in-capitals":          func(l *audit.Leaf) { l.Hash = strings.Repeat("0A", 32) },
		"long-word":                 func(l *audit.Leaf) { l.Word = strings.Repeat("a", 65) },
		"count-is-a-my-number":      func(l *audit.Leaf) { l.Count = 1<<40 + 1 },
	} {
		t.Run(name, func(t *testing.T) {
			l := good
			change(&l)
			if _, err := l.Bytes(); !errors.Is(err, audit.ErrLeaf) {
				t.Fatalf("got %v", err)
			}
		})
	}
}

func TestAppendAndReopen(t *testing.T) {
	k := newKit(t)
	if k.Size() != 1 {
		t.Fatalf("a new log has %d leaves", k.Size())
	}
	k.fill(t, 2500)
	before, err := k.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	origin := k.Origin()
	k.reopen(t)
	after, err := k.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	a, err := audit.OpenCheckpoint(before, device, &k.key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	b, err := audit.OpenCheckpoint(after, device, &k.key.PublicKey)
	if err != nil || a != b || a.Origin != origin || a.Size != 2501 {
		t.Fatalf("%+v, %+v, %v", a, b, err)
	}
	var leaves [][]byte
	if err := k.Each(0, func(i int64, leaf []byte) bool {
		if i != int64(len(leaves)) {
			t.Fatalf("leaf %d at %d", i, len(leaves))
		}
		leaves = append(leaves, leaf)
		return true
	}); err != nil {
		t.Fatal(err)
	}
	if len(leaves) != 2501 || a.Root != tlog.Hash(root6962(leaves)) {
		t.Fatal("the root is not that of the leaves")
	}
	for _, from := range []int64{0, 1, 1023, 1024, 1025, 2047, 2048, 2500} {
		got := int64(-1)
		if err := k.Each(from, func(i int64, leaf []byte) bool {
			got = i
			if !bytes.Equal(leaf, leaves[i]) {
				t.Fatalf("from %d: leaf %d differs", from, i)
			}
			return false
		}); err != nil || got != from {
			t.Fatalf("from %d: %d, %v", from, got, err)
		}
	}
}

// TestTornTail: what a power cut leaves of a frame that was never acknowledged goes, everything before it stays.
func TestTornTail(t *testing.T) {
	k := newKit(t)
	k.fill(t, 10)
	whole, err := os.ReadFile(k.file(t))
	if err != nil {
		t.Fatal(err)
	}
	k.fill(t, 1)
	longer, err := os.ReadFile(k.file(t))
	if err != nil {
		t.Fatal(err)
	}
	path := k.file(t)
	for cut := len(whole); cut < len(longer); cut++ {
		for name, tail := range map[string][]byte{
			"cut": longer[len(whole):cut], "zeros": append(bytes.Clone(longer[len(whole):cut]), make([]byte, len(longer)-cut)...),
		} {
			if err := k.Close(); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, append(bytes.Clone(whole), tail...), 0o600); err != nil {
				t.Fatal(err)
			}
			k.reopen(t)
			if k.Size() != 11 || k.Quarantined() != "" {
				t.Fatalf("%s at %d: %d leaves, %q", name, cut, k.Size(), k.Quarantined())
			}
		}
	}
	k.fill(t, 3)
	k.reopen(t)
	if k.Size() != 14 {
		t.Fatalf("%d leaves", k.Size())
	}
}

// TestDamage: a flipped bit inside is noticed, the file is kept, and a new log says that it begins.
func TestDamage(t *testing.T) {
	for name, at := range map[string]int{"magic": 3, "origin": 30, "first-leaf": 120, "middle": 5000, "last-but-one": -300} {
		t.Run(name, func(t *testing.T) {
			k := newKit(t)
			k.fill(t, 50)
			origin := k.Origin()
			path := k.file(t)
			if err := k.Close(); err != nil {
				t.Fatal(err)
			}
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			at := (at + len(raw)) % len(raw)
			raw[at] ^= 0x10
			if err := os.WriteFile(path, raw, 0o600); err != nil {
				t.Fatal(err)
			}
			k.reopen(t)
			kept, err := os.ReadFile(k.Quarantined())
			if err != nil || !bytes.Equal(kept, raw) || k.Origin() == origin || k.Size() != 2 {
				t.Fatalf("%q, %v, %s, %d leaves", k.Quarantined(), err, k.Origin(), k.Size())
			}
			k.reopen(t)
			if k.Quarantined() != "" || k.Size() != 2 {
				t.Fatal("the new log does not last")
			}
		})
	}
}

// TestDamageWhileOpen: what is read back is checked against what was appended.
func TestDamageWhileOpen(t *testing.T) {
	k := newKit(t)
	k.fill(t, 50)
	f, err := os.OpenFile(k.file(t), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if _, err := f.WriteAt([]byte("x"), 3000); err != nil {
		t.Fatal(err)
	}
	if err := k.Each(0, func(int64, []byte) bool { return true }); !errors.Is(err, audit.ErrDamaged) {
		t.Fatalf("got %v", err)
	}
	if _, err := k.Batch(0); !errors.Is(err, audit.ErrDamaged) {
		t.Fatalf("got %v", err)
	}
}

func TestSecondProcessIsRefused(t *testing.T) {
	k := newKit(t)
	if _, err := audit.Open(k.dir, audit.Options{Device: device, Signer: k.key, Now: storagetest.At}); err == nil {
		t.Fatal("two writers")
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := audit.Open(k.dir, audit.Options{Device: "another", Signer: k.key, Now: storagetest.At}); err == nil {
		t.Fatal("a log of another device")
	}
	if _, err := k.Append(audit.Leaf{Kind: audit.Stopped}); !errors.Is(err, os.ErrClosed) {
		t.Fatalf("got %v", err)
	}
}

// TestCheckpointByOpenssl: an independent tool verifies the signature over the note's text.
func TestCheckpointByOpenssl(t *testing.T) {
	tool, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("NOT TESTED: openssl is missing")
		}
		t.Skip("NOT TESTED: openssl is missing")
	}
	k := newKit(t)
	k.fill(t, 5)
	c, err := k.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	text, sigs, ok := strings.Cut(string(c), "\n\n")
	text += "\n"
	line := strings.Fields(sigs)
	if !ok || len(line) != 3 || line[0] != "—" || line[1] != k.Origin() {
		t.Fatalf("got %q", c)
	}
	sig, err := base64.StdEncoding.DecodeString(line[2])
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&k.key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	if id := sha256.Sum256(der); !bytes.Equal(sig[:4], id[:4]) {
		t.Fatal("the key id is not that of the key")
	}
	dir := t.TempDir()
	for name, b := range map[string][]byte{
		"pub": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), "sig": sig[4:], "text": []byte(text),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), tool, "dgst", "-sha256", "-verify", "pub", "-signature", "sig", "text")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != "Verified OK" {
		t.Fatalf("%s, %v", out, err)
	}
	lines := strings.Split(text, "\n")
	if len(lines) != 5 || lines[0] != k.Origin() || lines[1] != "6" || lines[3] != "2026-11-20T01:02:03Z" {
		t.Fatalf("got %q", lines)
	}
}

func TestCheckpointRefusals(t *testing.T) {
	k := newKit(t)
	c, err := k.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	pub := &k.key.PublicKey
	for name, tt := range map[string]struct {
		c      []byte
		device string
		key    *ecdsa.PublicKey
		want   error
	}{
		"other-key":    {c, device, &newKey(t).PublicKey, audit.ErrSignature},
		"other-device": {c, "another", pub, audit.ErrCheckpoint},
		"no-key":       {c, device, nil, audit.ErrSignature},
		"other-size":   {bytes.Replace(c, []byte("\n1\n"), []byte("\n2\n"), 1), device, pub, audit.ErrSignature},
		"other-time":   {bytes.Replace(c, []byte("2026"), []byte("2027"), 1), device, pub, audit.ErrSignature},
		"no-signature": {bytes.Split(c, []byte("\n\n"))[0], device, pub, audit.ErrCheckpoint},
		"empty":        {nil, device, pub, audit.ErrCheckpoint},
		"long":         {make([]byte, audit.MaxCheckpoint+1), device, pub, audit.ErrCheckpoint},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := audit.OpenCheckpoint(tt.c, tt.device, tt.key); !errors.Is(err, tt.want) {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
		})
	}
}

// TestDurationOfClock: an unset time is the log's own.
func TestTimeIsFilledIn(t *testing.T) {
	k := newKit(t)
	own := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, at := range []time.Time{{}, own} {
		if _, err := k.Append(audit.Leaf{Kind: audit.Stopped, At: at}); err != nil {
			t.Fatal(err)
		}
	}
	var got []time.Time
	_ = k.Each(1, func(_ int64, b []byte) bool {
		l, err := audit.ParseLeaf(b)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, l.At)
		return true
	})
	if len(got) != 2 || !got[0].Equal(storagetest.At()) || !got[1].Equal(own) {
		t.Fatalf("got %v", got)
	}
}
