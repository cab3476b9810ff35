package session_test

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"madoguchi/daemon/policy"
	"madoguchi/daemon/session"
	"madoguchi/daemon/staff"
	"madoguchi/face"
	"madoguchi/hardware/camera"
	"madoguchi/hardware/card"
	"madoguchi/hardware/virtual"
	"madoguchi/internal/secret"
	"madoguchi/storage/audit"
	"madoguchi/storage/record"
	"madoguchi/ui/console"
	"madoguchi/ui/screen"
)

// engine gives the same numbers for every picture.
type engine struct{ similar, live float64 }

func (engine) Model() string { return "test-engine" }
func (engine) Detect(img image.Image) ([]face.Detection, error) {
	b := img.Bounds()
	cx, cy, w := float64(b.Dx())/2, float64(b.Dy())/2, float64(b.Dy())/4
	if b.Dx() < b.Dy() { // the chip's photo
		w = float64(b.Dx()) / 2
	}
	d := face.Detection{Box: image.Rect(int(cx-w/2), int(cy-w/2), int(cx+w/2), int(cy+w/2)), Score: 0.9}
	d.Landmarks = [5]face.Point{
		{X: cx - w/5, Y: cy - w/6},
		{X: cx + w/5, Y: cy - w/6},
		{X: cx, Y: cy + w/20},
		{X: cx - w/6, Y: cy + w/4},
		{X: cx + w/6, Y: cy + w/4},
	}
	return []face.Detection{d}, nil
}

func (engine) Template(image.Image, face.Detection) (*face.Template, error) {
	return &face.Template{V: []float32{1}}, nil
}
func (e engine) Similarity(*face.Template, *face.Template) float64     { return e.similar }
func (e engine) Liveness(image.Image, face.Detection) (float64, error) { return e.live, nil }
func (engine) Close() error                                            { return nil }

// browser is the customer's browser: it keeps the last screen.
type browser struct {
	mu      sync.Mutex
	last    screen.Screen
	images  int
	preview bool
}

func (b *browser) Show(s screen.Screen) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last = s
}

func (b *browser) PutImage(_ string, data *secret.Bytes) screen.Image {
	b.mu.Lock()
	defer b.mu.Unlock()
	data.Wipe()
	b.images++
	return "handle"
}

func (b *browser) DropImages() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.images = 0
}

func (b *browser) Preview(on bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.preview = on
}

func (b *browser) Frame([]byte) {}

// shown is the last screen; filming whether the preview is on; held how many pictures the browser may load.
func (b *browser) shown() screen.Screen {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.last
}

func (b *browser) filming() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.preview
}

func (b *browser) held() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.images
}

// staffPage is the staff page with one browser, session 1.
type staffPage struct {
	mu     sync.Mutex
	last   console.View
	images int
}

func (p *staffPage) ShowAll(view func(uint64) console.View) {
	v := view(1)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = v
}

func (p *staffPage) PutImage(_ string, data *secret.Bytes) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	data.Wipe()
	p.images++
	return "handle"
}

func (p *staffPage) DropImages(...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.images = 0
}

func (p *staffPage) shown() console.View {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last
}

func (p *staffPage) held() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.images
}

// shelf keeps canonical bytes of every part, as HQ would open them.
type shelf struct {
	mu      sync.Mutex
	records []map[record.Part][]byte
	heads   []record.Record
	err     error
	full    error
}

func (s *shelf) Put(r *record.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	if err := r.Validate(); err != nil {
		return err
	}
	parts := map[record.Part][]byte{}
	for _, p := range record.Parts() {
		if p == record.PartIdentity && r.Identity == nil || p == record.PartImages && r.Images == nil ||
			p == record.PartCertificate && r.Certificate == nil || p == record.PartMyNumber && r.MyNumber == nil {
			continue
		}
		b, err := record.EncodePart(r, p)
		if err != nil {
			return err
		}
		if b.Len() > 0 {
			parts[p] = bytes.Clone(b.Reveal())
		}
	}
	s.records = append(s.records, parts)
	s.heads = append(s.heads, record.Record{ID: r.ID, Device: r.Device, Virtual: slices.Clone(r.Virtual)})
	return nil
}

func (s *shelf) Ready(...record.Part) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.full
}

func (s *shelf) fill(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.full = err
}

// journal is the log of a run.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}

// kiosk is one session with virtual devices inside a synctest bubble.
type kiosk struct {
	t       *testing.T
	ctx     context.Context
	session *session.Session
	reader  *virtual.Reader
	camera  *virtual.Camera
	drawer  *virtual.Drawer
	browser *browser
	page    *staffPage
	shelf   *shelf
	log     *journal
	notes   *notes
}

// notes is the audit log: it takes entries of the right form only.
type notes struct {
	t    *testing.T
	mu   sync.Mutex
	list []audit.Leaf
}

func (n *notes) note(l audit.Leaf) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, err := l.Bytes(); err != nil {
		n.t.Errorf("%+v: %v", l, err)
	}
	n.list = append(n.list, l)
}

// words gives the entries since the last call, in short: kind, word, staff, reason.
func (n *notes) words() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var out []string
	for _, l := range n.list {
		out = append(out, strings.Trim(strings.Join([]string{string(l.Kind), l.Word, l.Staff, l.Reason}, " "), " "))
	}
	n.list = nil
	return out
}

// start is 2026-11-22 10:00 in Japan; the bubble's clock starts elsewhere.
func start() time.Time { return time.Date(2026, 11, 22, 1, 0, 0, 0, time.UTC) }

const staffPIN = "258025"

// run plays a script with a kiosk in a bubble.
func run(t *testing.T, change func(*session.Deps), script func(t *testing.T, k *kiosk)) {
	t.Helper()
	b := &browser{}
	bubble(t, b, b, change, script)
}

// runSeen is run with a browser that keeps all it was sent.
func runSeen(t *testing.T, change func(*session.Deps), script func(t *testing.T, k *kiosk, s *seen)) {
	t.Helper()
	s := &seen{}
	bubble(t, s, &s.browser, change, func(t *testing.T, k *kiosk) { script(t, k, s) })
}

func bubble(t *testing.T, shown session.Kiosk, b *browser, change func(*session.Deps), script func(t *testing.T, k *kiosk)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		people, err := virtual.People()
		if err != nil {
			t.Fatal(err)
		}
		cam, err := virtual.NewCamera()
		if err != nil {
			t.Fatal(err)
		}
		hash, err := staff.Hash(secret.Copy([]byte(staffPIN)))
		if err != nil {
			t.Fatal(err)
		}
		zero := time.Now()
		now := func() time.Time { return start().Add(time.Since(zero)) }
		roster, err := staff.NewRoster([]staff.Member{{ID: "s1", Name: "窓口", Hash: hash}}, now)
		if err != nil {
			t.Fatal(err)
		}
		k := &kiosk{
			t: t, reader: virtual.NewReader(), camera: cam, drawer: virtual.NewDrawer(people), browser: b,
			page: &staffPage{}, shelf: &shelf{}, log: &journal{}, notes: &notes{t: t},
		}
		d := session.Deps{
			Profile: policy.Profile{
				ID: "test", Channel: policy.Attended, MachineMayDecide: true, PINRoute: true, FaceTries: 2, CardTries: 3, MinorAge: 15,
			},
			Device: "test-kiosk", Version: "test", Reader: k.reader, Camera: camera.Camera(cam), Trust: trust(t),
			TrustVirtual: true, Engine: engine{similar: 0.9, live: 0.99},
			Calibration: &face.Calibration{ID: "c", Model: "test-engine", Accept: 0.7, Refuse: 0.5, Live: 0.7, Attack: 0.3, VirtualOnly: true},
			DecodeFace: func(context.Context, []byte) (image.Image, error) {
				g := image.NewGray(image.Rect(0, 0, 240, 300))
				g.SetGray(1, 1, color.Gray{Y: 200})
				return g, nil
			},
			Store: k.shelf, Queue: func() session.Queue { return session.Queue{} }, Kiosk: shown, Staff: k.page,
			Roster: roster, Audit: k.notes.note, Now: now, Log: slog.New(slog.NewJSONHandler(k.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		}
		if change != nil {
			change(&d)
		}
		k.session = session.New(d)
		ctx, cancel := context.WithCancel(t.Context())
		k.ctx = ctx
		done := make(chan error, 1)
		go func() { done <- k.session.Run(ctx) }()
		defer func() {
			cancel()
			if err := <-done; err == nil {
				t.Error("Run ended without its context's error")
			}
		}()
		synctest.Wait()
		script(t, k)
	})
}

func trust(t *testing.T) []card.IssuerKey {
	t.Helper()
	keys, err := virtual.IssuerKeys()
	if err != nil {
		t.Fatal(err)
	}
	var out []card.IssuerKey
	for _, k := range keys {
		out = append(out, card.IssuerKey{KeyID: k.KeyID, Key: k.Key})
	}
	return out
}

// do sends inputs one after the other, as taps on the screen shown.
func (k *kiosk) do(kinds ...screen.InputKind) {
	for _, kind := range kinds {
		k.tap(kind, 0)
	}
}

func (k *kiosk) tap(kind screen.InputKind, index int) {
	k.session.Customer(k.ctx, screen.Input{Kind: kind, Index: index, Instance: k.browser.shown().Instance})
	synctest.Wait()
}

func (k *kiosk) want(kind screen.Kind) {
	k.t.Helper()
	if k.browser.shown().Kind != kind {
		trouble := ""
		if k.browser.shown().Trouble != nil {
			trouble = k.browser.shown().Trouble.Code
		}
		k.t.Fatalf("the screen is %s (trouble %q), want %s\n%s", k.browser.shown().Kind, trouble, kind, k.log)
	}
}

// pass lets time pass.
func (k *kiosk) pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func (k *kiosk) insert(id string) {
	k.t.Helper()
	c, err := k.drawer.Card(id)
	if err != nil {
		k.t.Fatal(err)
	}
	if err := k.reader.Insert(c); err != nil {
		k.t.Fatal(err)
	}
	synctest.Wait()
	k.pass(time.Second)
}

func (k *kiosk) lift() {
	if err := k.reader.Remove(); err != nil {
		k.t.Fatal(err)
	}
	synctest.Wait()
	k.pass(time.Second)
}

// typed types digits on the pad 1..9, 0.
func (k *kiosk) typed(secrets ...*secret.Bytes) {
	for _, s := range secrets {
		for _, d := range s.Reveal() {
			position := (int(d-'0') + 9) % 10
			if e := k.browser.shown().Entry; e != nil {
				position = e.Codes[position]
			}
			k.tap(screen.InKey, position)
		}
	}
}

func (k *kiosk) person(id string) *virtual.Person {
	p, err := k.drawer.Person(id)
	if err != nil {
		k.t.Fatal(err)
	}
	return p
}

func (k *kiosk) numberB(id string) {
	birth, expiry, code := k.person(id).NumberB()
	k.typed(birth, expiry, code)
}

func (k *kiosk) signIn() {
	k.session.StaffInput(k.ctx, console.Input{Kind: console.InSignIn, Session: 1, Staff: "s1", PIN: secret.Copy([]byte(staffPIN))})
	synctest.Wait()
	if k.page.shown().Staff != "s1" {
		k.t.Fatalf("not signed in: %+v", k.page.shown())
	}
}

func (k *kiosk) decide(kind console.InputKind, reason string) {
	if k.page.shown().Case == nil {
		k.t.Fatal("staff see no case")
	}
	k.session.StaffInput(k.ctx, console.Input{Kind: kind, Session: 1, Case: k.page.shown().Case.ID, Reason: reason})
	synctest.Wait()
	k.pass(time.Second)
}

// toCredential goes from idle to the keypad with a person's card.
func (k *kiosk) toCredential(id string) {
	k.t.Helper()
	k.want(screen.Idle)
	k.do(screen.InStart, screen.InLanguage, screen.InNoCase)
	k.want(screen.Consent)
	k.tap(screen.InTick, 0)
	k.tap(screen.InTick, 1)
	k.do(screen.InNext)
	k.want(screen.PlaceCard)
	k.insert(id)
}

// toReview goes on to what was read.
func (k *kiosk) toReview(id string) {
	k.t.Helper()
	k.toCredential(id)
	k.want(screen.Credential)
	k.numberB(id)
	k.do(screen.InSubmit)
	k.pass(2 * time.Second)
	k.want(screen.Review)
}

// toFace confirms, with the person before the camera.
func (k *kiosk) toFace(id string) {
	k.t.Helper()
	k.toReview(id)
	if err := k.camera.Show(id); err != nil {
		k.t.Fatal(err)
	}
	k.do(screen.InConfirm)
	k.want(screen.Face)
}
