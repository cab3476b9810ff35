package audit_test

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"madoguchi/storage/audit"
)

// follow brings a witness up to the log's end, as an uploader does.
func follow(t *testing.T, k *kit, seen audit.Seen) audit.Seen {
	t.Helper()
	for {
		b, err := k.Batch(seen.Tree.Size())
		if err != nil {
			t.Fatal(err)
		}
		raw, err := b.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if b, err = audit.ParseBatch(raw); err != nil {
			t.Fatal(err)
		}
		if seen, _, err = seen.Advance(b, device, &k.key.PublicKey); err != nil {
			t.Fatal(err)
		}
		if len(b.Leaves) == 0 {
			return seen
		}
	}
}

func TestWitnessFollows(t *testing.T) {
	k := newKit(t)
	k.fill(t, 2345)
	seen := follow(t, k, audit.Seen{})
	if seen.Tree.Size() != 2346 || seen.Origin != k.Origin() {
		t.Fatalf("%d leaves of %s", seen.Tree.Size(), seen.Origin)
	}
	k.fill(t, 3)
	k.reopen(t)
	if seen = follow(t, k, seen); seen.Tree.Size() != 2349 {
		t.Fatalf("%d leaves", seen.Tree.Size())
	}
}

// A log that was rolled back, and one that was rolled back and went on differently.
func TestWitnessRefusesRollbackAndFork(t *testing.T) {
	k := newKit(t)
	k.fill(t, 20)
	old, err := os.ReadFile(k.file(t))
	if err != nil {
		t.Fatal(err)
	}
	k.fill(t, 5)
	seen := follow(t, k, audit.Seen{})
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(k.file(t), old, 0o600); err != nil {
		t.Fatal(err)
	}
	k.Log = nil
	k.reopen(t)
	if _, err := k.Batch(seen.Tree.Size()); !errors.Is(err, audit.ErrRange) {
		t.Fatalf("got %v", err)
	}
	b, err := k.Batch(k.Size())
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := seen.Advance(b, device, &k.key.PublicKey); !errors.Is(err, audit.ErrShrunken) {
		t.Fatalf("got %v", err)
	}
	for range 5 {
		if _, err := k.Append(audit.Leaf{Kind: audit.Stopped}); err != nil {
			t.Fatal(err)
		}
	}
	if b, err = k.Batch(seen.Tree.Size()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := seen.Advance(b, device, &k.key.PublicKey); !errors.Is(err, audit.ErrForked) {
		t.Fatalf("the same length, another past: got %v", err)
	}
	k.fill(t, 3)
	if b, err = k.Batch(seen.Tree.Size()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := seen.Advance(b, device, &k.key.PublicKey); !errors.Is(err, audit.ErrForked) {
		t.Fatalf("longer, another past: got %v", err)
	}
}

func TestWitnessRefusals(t *testing.T) {
	k := newKit(t)
	k.fill(t, 5)
	all, err := k.Batch(0)
	if err != nil {
		t.Fatal(err)
	}
	seen := follow(t, k, audit.Seen{})
	pub := &k.key.PublicKey
	other := newKit(t)
	other.key = k.key
	other.reopen(t)
	foreign, err := other.Batch(0)
	if err != nil {
		t.Fatal(err)
	}
	change := func(f func(*audit.Batch)) audit.Batch {
		b := audit.Batch{From: all.From, Checkpoint: all.Checkpoint}
		for _, l := range all.Leaves {
			b.Leaves = append(b.Leaves, bytes.Clone(l))
		}
		f(&b)
		return b
	}
	for name, tt := range map[string]struct {
		seen audit.Seen
		b    audit.Batch
		want error
	}{
		"another-log":    {seen, foreign, audit.ErrOrigin},
		"leaf-changed":   {audit.Seen{}, change(func(b *audit.Batch) { b.Leaves[2] = bytes.Replace(b.Leaves[2], []byte("tanuki"), []byte("kitune"), 1) }), audit.ErrForked},
		"leaf-left-out":  {audit.Seen{}, change(func(b *audit.Batch) { b.Leaves = b.Leaves[1:] }), audit.ErrCheckpoint},
		"leaves-swapped": {audit.Seen{}, change(func(b *audit.Batch) { b.Leaves[2], b.Leaves[3] = b.Leaves[3], b.Leaves[2] }), audit.ErrForked},
		"leaf-of-a-name": {audit.Seen{}, change(func(b *audit.Batch) { b.Leaves[2] = bytes.Replace(b.Leaves[2], []byte("tanuki"), []byte("佐藤"), 1) }), audit.ErrLeaf},
		"no-checkpoint":  {audit.Seen{}, change(func(b *audit.Batch) { b.Checkpoint = nil }), audit.ErrCheckpoint},
	} {
		t.Run(name, func(t *testing.T) {
			got, _, err := tt.seen.Advance(tt.b, device, pub)
			if !errors.Is(err, tt.want) || got.Tree.Size() != tt.seen.Tree.Size() {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
		})
	}
	var place *audit.PlaceError
	if _, _, err := seen.Advance(all, device, pub); !errors.As(err, &place) || place.Want != 6 {
		t.Fatalf("sent again from the beginning: %v", err)
	}
	if _, _, err := (audit.Seen{}).Advance(audit.Batch{From: 6, Checkpoint: all.Checkpoint}, device, pub); !errors.As(err, &place) || place.Want != 0 {
		t.Fatalf("a gap: %v", err)
	}
}

func TestParseBatchIsStrict(t *testing.T) {
	for name, raw := range map[string]string{
		"empty": ``, "no-checkpoint": `{"from":0,"leaves":[],"checkpoint":""}`, "negative": `{"from":-1,"leaves":[],"checkpoint":"x"}`,
		"unknown-key": `{"from":0,"leaves":[],"checkpoint":"x","more":1}`, "two": `{"from":0,"leaves":[],"checkpoint":"x"}{}`,
		"empty-leaf": `{"from":0,"leaves":[""],"checkpoint":"x"}`, "no-base64": `{"from":0,"leaves":["*"],"checkpoint":"x"}`,
	} {
		if _, err := audit.ParseBatch([]byte(raw)); !errors.Is(err, audit.ErrBatch) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func FuzzParseBatch(f *testing.F) {
	f.Add([]byte(`{"from":0,"leaves":["e30="],"checkpoint":"madoguchi/audit/a/0123456789abcdef\n1\n"}`))
	key := newKey(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, err := audit.ParseBatch(raw)
		if err != nil {
			return
		}
		if _, _, err := (audit.Seen{}).Advance(b, device, &key.PublicKey); err == nil {
			t.Fatal("nobody signed this")
		}
	})
}

func FuzzParseLeaf(f *testing.F) {
	b, err := audit.Leaf{Kind: audit.StaffIn, Staff: "tanuki"}.Bytes()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, raw []byte) {
		l, err := audit.ParseLeaf(raw)
		if err != nil {
			return
		}
		again, err := l.Bytes()
		if err != nil || !bytes.Equal(again, raw) {
			t.Fatalf("%q became %q, %v", raw, again, err)
		}
	})
}

func BenchmarkAuditAppend(b *testing.B) {
	k := newKit(b)
	for b.Loop() {
		if _, err := k.Append(audit.Leaf{Kind: audit.StaffIn, Staff: "tanuki"}); err != nil {
			b.Fatal(err)
		}
	}
}
