package virtual

import (
	"bytes"
	"image"
	"image/jpeg"
	"testing"
	"time"
)

func FuzzBaselineSize(f *testing.F) {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 64, 72)), nil); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte{0xFF, 0xD8, 0xFF, 0xFF, 0xFF, 0xC0, 0x00, 0x0B, 8, 0, 64, 0, 64, 1, 1, 0x11, 0})
	f.Add([]byte{0xFF, 0xD8, 0xFF, 0xE0, 0x00, 0x02, 0xFF, 0xC0, 0x00, 0x02})
	f.Fuzz(func(t *testing.T, raw []byte) {
		w, h, err := baselineSize(raw)
		if err == nil && (w < minSide || h < minSide || w > maxSide || h > maxSide) {
			t.Fatalf("got %dx%d without an error", w, h)
		}
	})
}

func FuzzParseProfile(f *testing.F) {
	f.Add([]byte(`{"id":"a","live":"a","label":{"ja":"あ","en":"a"},"pin_tries":3}`))
	f.Add([]byte(`{"id":"../a","live":"a","label":{"ja":"あ","en":"a"}} {}`))
	f.Add([]byte(`{"id":"a","live":"a","card":{"kind":"transit","atr":"plain","sign_ms":5}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		j, err := parseProfile(raw)
		if err == nil {
			if p, err := j.person(); err == nil && p.making.SignTime > 10*time.Second {
				t.Fatal("got a signature that takes too long")
			}
		}
		if err == nil && (!plainName(j.ID) || !plainName(j.Live)) {
			t.Fatalf("got the folder names %q and %q", j.ID, j.Live)
		}
	})
}
