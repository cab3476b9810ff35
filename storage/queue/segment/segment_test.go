package segment_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"madoguchi/storage/queue/segment"
)

func at() time.Time { return time.Date(2026, 4, 1, 9, 0, 0, 0, time.UTC) }

const id = "01890a5d-ac96-774b-bcce-b302099a8057"

// TestLayout compares with bytes laid out by hand from the package comment (CRC-32C by another program).
func TestLayout(t *testing.T) {
	h := segment.Header{Number: 7, Floor: 300, Made: at(), Device: "kiosk-1"}
	want := "4d44475345470001" + "0000000000000007" + "000000000000012c" + "0000019d48456280" + "07" + hex.EncodeToString([]byte("kiosk-1"))
	got := h.Append(nil)
	if len(got) != 128 || hex.EncodeToString(got[:40]) != want || !bytes.Equal(got[40:124], make([]byte, 84)) || hex.EncodeToString(got[124:]) != "80cfe19c" {
		t.Errorf("header:\n%x\n%s", got, want)
	}
	f := segment.Frame{Kind: segment.Record, Length: 3, Segment: 7, Offset: 128, Seq: 301, At: at(), Digest: sha256.Sum256([]byte("abc")), ID: id}
	want = "4d444746524d0001" + "52000000" + "00000003" + "0000000000000007" + "0000000000000080" + "000000000000012d" + "0000019d48456280" +
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" + hex.EncodeToString([]byte(id)) + "0000000000000000" + "ad1bc596"
	got = f.Append(nil)
	if hex.EncodeToString(got) != want {
		t.Errorf("frame:\n%x\n%s", got, want)
	}
}

// file builds a segment of three records with notes between.
func file() (b []byte, frames []segment.Frame) {
	b = segment.Header{Number: 3, Floor: 9, Made: at(), Device: "kiosk-1"}.Append(nil)
	for i, body := range []string{"first body", "second, longer body", "3rd"} {
		f := segment.Frame{
			Kind: segment.Record, Length: uint32(len(body)), Segment: 3, Offset: uint64(len(b)), Seq: uint64(10 + i), At: at(),
			Digest: sha256.Sum256([]byte(body)), ID: id,
		}
		b = append(f.Append(b), body...)
		n := segment.Frame{Kind: segment.Committed, Segment: 3, Offset: uint64(len(b)), Seq: f.Seq, At: at(), Digest: sha256.Sum256(nil), ID: id}
		b = n.Append(b)
		frames = append(frames, f, n)
	}
	return b, frames
}

func scan(t *testing.T, b []byte, number uint64) (whole []segment.Frame, damaged [][2]int64) {
	t.Helper()
	if err := segment.Scan(b, 0, number, func(p segment.Piece) error {
		if p.Whole {
			whole = append(whole, p.Frame)
		} else {
			damaged = append(damaged, [2]int64{p.From, p.To})
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return whole, damaged
}

func TestScan(t *testing.T) {
	b, frames := file()
	if h, ok := segment.ParseHeader(b); !ok || h != (segment.Header{Number: 3, Floor: 9, Made: at(), Device: "kiosk-1"}) {
		t.Fatalf("got %+v, %v", h, ok)
	}
	whole, damaged := scan(t, b, 3)
	if diff := cmp.Diff(frames, whole); diff != "" || len(damaged) != 0 {
		t.Fatal(diff, damaged)
	}
	if whole, _ = scan(t, append(b, make([]byte, 5000)...), 3); len(whole) != 6 {
		t.Fatal("zeros behind the last frame are no damage")
	}
	if whole, damaged = scan(t, b, 4); len(whole) != 0 || len(damaged) != 1 {
		t.Fatal("frames of another segment are not ours")
	}
	if whole, _ = scan(t, append(b[:128:128], b[120:]...), 3); len(whole) != 0 {
		t.Fatal("frames that lie elsewhere than they say")
	}
}

// TestEveryFlippedBit: a flipped bit costs the frame that it hits and no other.
func TestEveryFlippedBit(t *testing.T) {
	b, frames := file()
	for bit := range len(b) * 8 {
		c := bytes.Clone(b)
		c[bit/8] ^= 1 << (bit % 8)
		want := 0
		for _, f := range frames {
			if hit := uint64(bit / 8); hit < f.Offset || hit >= f.Offset+128+uint64(f.Length) {
				want++
			}
		}
		whole, _ := scan(t, c, 3)
		if len(whole) != want {
			t.Fatalf("bit %d: %d whole frames, want %d", bit, len(whole), want)
		}
	}
}

func TestCutAnywhere(t *testing.T) {
	b, frames := file()
	for n := range len(b) {
		want := 0
		for _, f := range frames {
			if f.Offset+128+uint64(f.Length) <= uint64(n) {
				want++
			}
		}
		if whole, _ := scan(t, b[:n], 3); len(whole) != want {
			t.Fatalf("cut at %d: %d whole frames, want %d", n, len(whole), want)
		}
	}
}

// FuzzScan: whatever the bytes are, the pieces follow each other, and a whole one hashes to what its header says.
func FuzzScan(f *testing.F) {
	b, _ := file()
	f.Add(b, uint64(3))
	f.Add(b[128:], uint64(3))
	f.Add(append(bytes.Clone(b[:300]), b...), uint64(3))
	f.Add([]byte("MDGFRM\x00\x01"), uint64(0))
	f.Fuzz(func(t *testing.T, b []byte, number uint64) {
		last := int64(0)
		err := segment.Scan(b, 0, number, func(p segment.Piece) error {
			if p.From < last || p.To <= p.From || p.To > int64(len(b)) {
				t.Fatalf("a piece from %d to %d after %d", p.From, p.To, last)
			}
			if p.Whole && (p.Frame.Segment != number || p.Frame.Offset != uint64(p.From) || sha256.Sum256(p.Body) != p.Frame.Digest) {
				t.Fatalf("not whole: %+v", p.Frame)
			}
			last = p.To
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if h, ok := segment.ParseHeader(b); ok && !bytes.Equal(h.Append(nil), b[:128]) && len(bytes.TrimRight(b[97:124], "\x00")) == 0 {
			if again, ok := segment.ParseHeader(h.Append(nil)); !ok || again != h {
				t.Fatal("the header does not come back")
			}
		}
	})
}
