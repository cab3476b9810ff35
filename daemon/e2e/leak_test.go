package e2e_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"madoguchi/hardware/virtual/control"
)

func status() control.Request { return control.Request{Do: control.Status} }

// disguises gives the forms in which a value could leak.
func disguises(v []byte) map[string][]byte {
	wide := []rune(string(v))
	for i, r := range wide {
		if r > 0x20 && r < 0x7f {
			wide[i] = r + 0xfee0
		}
	}
	return map[string][]byte{
		"as it is": v, "hex": []byte(hex.EncodeToString(v)), "HEX": []byte(strings.ToUpper(hex.EncodeToString(v))),
		"full width": []byte(string(wide)), "base64": []byte(strings.TrimRight(base64.StdEncoding.EncodeToString(v[:len(v)/3*3]), "=")),
	}
}

// frames collects what went over the page's websockets.
type frames struct {
	mu  sync.Mutex
	all bytes.Buffer
	n   int
}

func (f *frames) add(data string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all.WriteString(data + "\n")
	f.n++
}

func listen(t *testing.T, ctx context.Context) *frames {
	t.Helper()
	f := &frames{}
	if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	received, sent := chromedp.Events(ctx, network.WebSocketFrameReceived), chromedp.Events(ctx, network.WebSocketFrameSent)
	go func() {
		for e, err := range received {
			if err != nil {
				return
			}
			f.add(string(e.Response.PayloadData))
		}
	}()
	go func() {
		for e, err := range sent {
			if err != nil {
				return
			}
			f.add(string(e.Response.PayloadData))
		}
	}()
	return f
}

// The long secrets of a run occur nowhere: not in logs, not in the queue, not in HQ's database, not on the wire to
// the browser. (The four digits of a PIN are compared over two runs in daemon/session.)
func TestNothingLeaks(t *testing.T) {
	b := open(t, options{models: models(t)})
	c := b.customer()
	_ = b.clerk()
	wire := listen(t, c.ctx)
	c.arrive(b)
	c.toReview("sato")
	c.confirms("sato")
	c.at("result")
	receipt, _ := c.leaves()
	b.received(receipt)

	// A second one stays in the queue: HQ is away.
	b.receiver.stop(syscall.SIGKILL)
	c.toReview("suzuki")
	c.confirms("suzuki")
	c.at("result")
	c.leaves()
	b.kiosk.stop(os.Interrupt)

	secrets := map[string][]byte{}
	personal := map[string][]byte{} // may be on the screen, nowhere else
	for _, id := range []string{"sato", "suzuki"} {
		p := c.person(id)
		birth, expiry, code := p.NumberB()
		secrets[id+" 照合番号B"] = append(append(bytes.Clone(birth.Reveal()), expiry.Reveal()...), code.Reveal()...)
		secrets[id+" My Number"] = p.MyNumber().Reveal()
		secrets[id+" sign password"] = p.SignPassword().Reveal()
		secrets[id+" card serial"] = p.Serial().Reveal()
		personal[id+" name"] = p.Name().Reveal()
		personal[id+" address"] = p.Address().Reveal()
		personal[id+" photo"] = p.Face().Reveal()[200:600]
	}
	wire.mu.Lock()
	defer wire.mu.Unlock()
	if wire.n < 50 || !bytes.Contains(wire.all.Bytes(), []byte("review")) {
		t.Fatalf("only %d frames were seen: this test would prove nothing", wire.n)
	}
	search(t, "websocket frames", wire.all.Bytes(), secrets)
	searchFiles(t, b, secrets, personal)
}

// searchFiles searches every file of the branch: logs, queue, HQ's database, configuration.
func searchFiles(t *testing.T, b *branch, planted ...map[string][]byte) {
	t.Helper()
	found := 0
	err := filepath.WalkDir(b.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		found++
		for _, p := range planted {
			search(t, filepath.Base(path), data, p)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if found < 10 {
		t.Fatalf("only %d files were searched", found)
	}
	for _, must := range []string{"state/queue/index.db", "hq"} {
		if _, err := os.Stat(filepath.Join(b.dir, must)); err != nil {
			t.Fatalf("%s was not searched: %v", must, err)
		}
	}
}

// The daemon is killed in the middle, with everything of the customer in memory: nothing of them is on the disk, no
// record is made, and the next start serves the next customer.
func TestKilledInTheMiddle(t *testing.T) {
	b := open(t, options{models: models(t)})
	c := b.customer()
	c.arrive(b)
	c.toReview("sato")
	c.confirms("sato")
	b.kiosk.stop(syscall.SIGKILL)
	p := c.person("sato")
	searchFiles(t, b, map[string][]byte{
		"name": p.Name().Reveal(), "address": p.Address().Reveal(), "serial": p.Serial().Reveal(),
		"birth": p.Birth().Reveal(), "My Number": p.MyNumber().Reveal(), "photo": p.Face().Reveal()[200:600],
	})
	b.startKiosk()
	next := b.customer()
	next.arrive(b)
	next.press("start", "language")
	if got := b.arrived(); len(got) != 0 {
		t.Fatalf("an unfinished person is at HQ: %v", got)
	}
}

func search(t *testing.T, where string, in []byte, planted map[string][]byte) {
	t.Helper()
	for what, v := range planted {
		if len(v) < 6 {
			t.Fatalf("%s is too short to be searched for", what)
		}
		for form, d := range disguises(v) {
			if bytes.Contains(in, d) {
				t.Errorf("%s occurs in %s (%s)", what, where, form)
			}
		}
	}
}
