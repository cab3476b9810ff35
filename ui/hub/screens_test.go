package hub_test

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"slices"
	"strings"
	"testing"

	"madoguchi/internal/secret"
	"madoguchi/ui/browsertest"
	"madoguchi/ui/screen"
	"madoguchi/ui/screen/screentest"
)

// faults lists what is wrong with the layout of the screen shown: things that stick out sideways, controls smaller
// than 51 px (12.7 mm at 4.03 px/mm), words that do not fit their button, controls that overlap.
const faults = `(() => {
	const out = [], w = innerWidth
	if (document.documentElement.scrollWidth > w) out.push('page is wider than the screen')
	for (const e of document.querySelectorAll('.body, .dock'))
		if (e.scrollWidth > e.clientWidth + 1) out.push(e.id + ' is wider than its place')
	const shown = [...document.querySelectorAll('#app button, #app summary')].filter(b => b.getClientRects().length)
	const boxes = shown.map(b => b.getBoundingClientRect())
	shown.forEach((b, i) => {
		const r = boxes[i]
		if (r.width < 51 || r.height < 51) out.push(b.id + ' is only ' + Math.round(r.width) + 'x' + Math.round(r.height))
		if (r.left < -1 || r.right > w + 1) out.push(b.id + ' sticks out')
		if (b.scrollWidth > b.clientWidth + 1) out.push(b.id + ' has words that do not fit')
		if (!b.closest('.body') && (r.top < -1 || r.bottom > innerHeight + 1)) out.push(b.id + ' is off the screen')
		boxes.forEach((q, j) => {
			if (j > i && shown[j].closest('.ask') === b.closest('.ask') && shown[j].closest('.body') === b.closest('.body') &&
				q.left < r.right - 1 && r.left < q.right - 1 && q.top < r.bottom - 1 && r.top < q.bottom - 1)
				out.push(b.id + ' overlaps ' + shown[j].id)
		})
	})
	for (const e of document.querySelectorAll('#app h1, #app h2, #app p, #app dd, #app dt')) {
		if (!e.getClientRects().length) continue
		const r = e.getBoundingClientRect()
		if (r.left < -1 || r.right > w + 1) out.push((e.id || e.className || e.tagName) + ' text sticks out')
	}
	const body = document.getElementById('body'), hidden = body.scrollHeight - body.clientHeight
	return { out, hidden: hidden > 2 ? hidden : 0 }
})()`

type layout struct {
	Out    []string `json:"out"`
	Hidden int      `json:"hidden"`
}

func TestScreensFit(t *testing.T) {
	k := newKiosk(t, nil)
	k.Show(screen.Screen{Kind: screen.Idle})
	ctx := k.open(t)
	browsertest.Faults(t, ctx)
	for _, set := range settings() {
		k.DropImages()
		img := screentest.Images{
			Face: k.PutImage("image/png", photo(t)),
			Name: k.PutImage("image/png", glyphs(t, 360, 44)), Address: k.PutImage("image/png", glyphs(t, 560, 88)),
		}
		for i, s := range screentest.All(set, img) {
			s.Screen.Instance = uint64(1000*(1+set.Size) + 100*set.Contrast + i)
			if set.Lang == "en" {
				s.Screen.Instance += 10000
			}
			name := fmt.Sprintf("%s-%s-s%d-c%d", s.Name, set.Lang, set.Size, set.Contrast)
			k.show(t, ctx, s.Screen)
			got := browsertest.Eval[layout](t, ctx, faults)
			if len(got.Out) > 0 {
				t.Errorf("%s: %s", name, strings.Join(got.Out, "; "))
			}
			// a long explanation above a keypad may scroll: the keypad and the way on stay in sight
			long := strings.HasPrefix(s.Name, "developer") || slices.Contains([]string{"consent-missing", "credential-blocked"}, s.Name)
			if got.Hidden > 0 && set.Size == 0 && !long {
				t.Errorf("%s: at normal size nothing may need scrolling, %d px do", name, got.Hidden)
			}
			browsertest.Shot(t, ctx, name)
		}
	}
}

func settings() []screen.Settings {
	var list []screen.Settings
	for _, lang := range []string{"ja", "en"} {
		for size := range 3 {
			for contrast := range 2 {
				list = append(list, screen.Settings{Lang: lang, Size: size, Contrast: contrast})
			}
		}
	}
	return list
}

// photo draws a grey head and shoulders in the size of a card's photo.
func photo(t *testing.T) *secret.Bytes {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, 480, 600))
	for y := range 600 {
		for x := range 480 {
			dx, head, body := x-240, y-250, y-640
			shade := uint8(215)
			switch {
			case dx*dx*13+head*head*8 < 13*150*150:
				shade = 150
			case dx*dx+body*body < 240*240:
				shade = 90
			}
			img.SetGray(x, y, color.Gray{Y: shade})
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return secret.New(b.Bytes())
}

// glyphs draws what looks like a line of printed characters.
func glyphs(t *testing.T, w, h int) *secret.Bytes {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.SetGray(x, y, color.Gray{Y: 255})
			if x%40 > 6 && x%40 < 34 && y%44 > 6 && y%44 < 38 && (x/4+y/5)%3 == 0 {
				img.SetGray(x, y, color.Gray{})
			}
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return secret.New(b.Bytes())
}
