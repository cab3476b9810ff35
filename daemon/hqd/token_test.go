package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"madoguchi/daemon/hq/opener/finding"
	"madoguchi/daemon/hq/setup"
	"madoguchi/internal/secret"
	"madoguchi/storage/record"
	"madoguchi/storage/seal"
	"madoguchi/storage/storagetest"
)

// hqd runs one command in this process.
func hqd(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := run(t.Context(), args, &out, nil)
	return out.String(), err
}

// softHSM makes a token of its own for the test, and the file that names it for all parts of the daily role and one
// token more for the My Number.
func softHSM(t *testing.T, dir string) (tokens string) {
	t.Helper()
	const module = "/usr/lib/softhsm/libsofthsm2.so"
	if _, err := os.Stat(module); err != nil {
		missing(t, "SoftHSM (apt-get install softhsm2)")
	}
	conf, pin := filepath.Join(dir, "softhsm2.conf"), filepath.Join(dir, "pin")
	tokens = filepath.Join(dir, "tokens.toml")
	err := errors.Join(
		os.Mkdir(filepath.Join(dir, "tokens"), 0o700), os.WriteFile(pin, []byte("pin-1234\n"), 0o600),
		os.WriteFile(conf, []byte("directories.tokendir = "+filepath.Join(dir, "tokens")+"\nlog.level = ERROR\n"), 0o600),
		os.WriteFile(tokens, fmt.Appendf(nil, `version = 1
[[token]]
name = "daily"
parts = ["identity", "images", "evidence"]
module = %q
label = "daily"
pin_file = %q
[[token]]
name = "my-number"
parts = ["my_number"]
module = %q
label = "my-number"
pin_file = %q
`, module, pin, module, pin), 0o600),
	)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("SOFTHSM2_CONF", conf)
	for _, label := range []string{"daily", "my-number"} {
		out, err := exec.Command("softhsm2-util", "--init-token", "--free", "--label", label, "--so-pin", "so-1234", "--pin", "pin-1234").CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	return tokens
}

type found struct {
	State, Part, Code string
}

// finding waits until the worker has looked at a record and it is no longer in a state.
func (p viewer) finding(t *testing.T, id, not string) found {
	t.Helper()
	end := time.Now().Add(30 * time.Second)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for time.Now().Before(end) {
		var o struct{ Finding *found }
		if err := json.Unmarshal(p.get(t, "/v1/opened/"+storagetest.Device+"/"+id, http.StatusOK), &o); err != nil {
			t.Fatal(err)
		}
		if o.Finding != nil && o.Finding.State != not {
			return *o.Finding
		}
		<-tick.C
	}
	t.Fatal("the worker found nothing")
	return found{}
}

// From the tokens' first keys to a record that only they open: keys are made, listed, signed by the root, published,
// sealed to by the kiosk, and used by the opener, whose role has no my_number.
func TestKeysInTokens(t *testing.T) {
	h := newHQ(t)
	tokens := softHSM(t, t.TempDir())
	draft, list := filepath.Join(h.dir, "draft"), filepath.Join(h.dir, "list")
	out, err := hqd(t, "token", "init-keys", "-dir", h.dir, "-tokens", tokens, "-out", draft, "-from", "0s", "-life", "20000h")
	if err != nil || strings.Count(out, "\n") != 5 {
		t.Fatal(out, err)
	}
	for _, args := range [][]string{
		{"keys", "sign-list", "-root", filepath.Join(h.dir, "root"), "-in", draft, "-out", list},
		{"keys", "publish", "-dir", h.dir, "-list", list},
	} {
		if out, err := hqd(t, args...); err != nil {
			t.Fatal(out, err)
		}
	}
	out, err = hqd(t, "token", "check", "-dir", h.dir, "-tokens", tokens)
	if err != nil || strings.Count(out, ": good; listed until") != 4 || strings.Count(out, ": good\n") != 2 {
		t.Fatal(out, err)
	}
	for _, p := range []string{"identity", "images", "my_number"} { // evidence keeps its file beside the token
		if err := os.Remove(filepath.Join(h.dir, "opener", p+".key.toml")); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	store, err := seal.OpenStore(filepath.Join(t.TempDir(), "keys.json"), h.bundle.Root, raw)
	if err != nil {
		t.Fatal(err)
	}
	h.outbox.Keys = store.Public()

	h.receiver(t, "127.0.0.1:0", "demo")
	p := h.opener(t, "-tokens", tokens)
	want := withImages(t, storagetest.Record(storagetest.NewID(), 20000))
	want.MyNumber = &record.MyNumber{Number: secret.New([]byte("123456789018")), Purpose: "payment report"}
	if err := h.outbox.Put(want); err != nil {
		t.Fatal(err)
	}
	h.uploadUntil(t, h.bundle.URL, sent)
	if f := p.finding(t, want.ID, ""); f != (found{State: "opened"}) {
		t.Fatalf("got %+v", f)
	}
	o, got := p.open(t, want.ID)
	if string(got.Identity.Name.Reveal()) != storagetest.Name || got.MyNumber != nil || !o.Passed {
		t.Fatalf("got %+v", o.Verified)
	}
	if last := o.States[len(o.States)-1]; last.Part != "my_number" || last.State != "no-key" {
		t.Fatalf("got %+v", last)
	}
	if one := string(p.get(t, "/records/"+storagetest.Device+"/"+want.ID, http.StatusOK)); !strings.Contains(one, `data-finding="opened"`) {
		t.Error("the page does not show the finding")
	}
	if list := string(p.get(t, "/?lang=en", http.StatusOK)); !strings.Contains(list, "opened, all checks passed") {
		t.Error("the list does not show the finding")
	}
}

// The opener starts on a new installation before the receiver ever ran, says so, and works when the receiver came and
// while it is down.
func TestOpenerComesFirst(t *testing.T) {
	h := newHQ(t)
	p := h.opener(t)
	p.get(t, "/v1/records", http.StatusServiceUnavailable)
	recv := h.receiver(t, "127.0.0.1:0", "demo")
	first := storagetest.Record(storagetest.NewID(), 2000)
	if err := h.outbox.Put(first); err != nil {
		t.Fatal(err)
	}
	h.uploadUntil(t, h.bundle.URL, sent)
	recv.stop(syscall.SIGTERM)
	if f := p.finding(t, first.ID, ""); f.State != "opened" {
		t.Fatalf("got %+v", f)
	}
}

// Killed again and again while it works off what came in, the opener has one finding for each record at the end.
func TestOpenerIsKilled(t *testing.T) {
	const records = 120
	h := newHQ(t)
	h.receiver(t, "127.0.0.1:0", "demo")
	for range records {
		if err := h.outbox.Put(storagetest.Record(storagetest.NewID(), 2000)); err != nil {
			t.Fatal(err)
		}
	}
	h.uploadUntil(t, h.bundle.URL, sent)
	db, err := finding.Open(t.Context(), setup.Layout(h.dir).Findings())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	// beyond waits until there are more findings than before, and gives their number.
	beyond := func(before int) (n int) {
		end := time.Now().Add(30 * time.Second)
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for n <= before {
			counts, err := db.Counts(t.Context())
			if err != nil || len(counts) > 1 || len(counts) == 1 && counts[0].State != finding.Opened || time.Now().After(end) {
				t.Fatal(counts, err)
			}
			for _, c := range counts {
				n = c.N
			}
			<-tick.C
		}
		return n
	}
	killed, n := 0, 0
	for ; n < records; killed++ {
		p := start(t, "opener", "-dir", h.dir, "-listen", "127.0.0.1:0")
		n = beyond(n)
		p.stop(syscall.SIGKILL)
	}
	if counts, err := db.Counts(t.Context()); err != nil || len(counts) != 1 || counts[0].N != records {
		t.Fatal(counts, err)
	}
	t.Logf("killed %d times", killed)
}

func TestTokenCommandsRefuse(t *testing.T) {
	h := newHQ(t)
	tokens := softHSM(t, t.TempDir())
	for name, args := range map[string][]string{
		"no-verb":     {"token"},
		"no-tokens":   {"token", "check", "-dir", h.dir},
		"no-such":     {"token", "check", "-dir", h.dir, "-tokens", tokens + "x"},
		"not-a-part":  {"token", "init-keys", "-dir", h.dir, "-tokens", tokens, "-out", filepath.Join(h.dir, "d"), "-parts", "x"},
		"no-token-of": {"token", "init-keys", "-dir", h.dir, "-tokens", tokens, "-out", filepath.Join(h.dir, "d"), "-parts", "certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			if out, err := hqd(t, args...); err == nil {
				t.Fatal(out)
			}
		})
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(tokens), "pin"), []byte("wrong-pin"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := hqd(t, "token", "check", "-dir", h.dir, "-tokens", tokens)
	if !errors.Is(err, errTokens) || !strings.Contains(out, "the PIN was refused") || strings.Contains(out, "wrong-pin") {
		t.Fatal(out, err)
	}
}
