package torture_test

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"madoguchi/internal/child"
	"madoguchi/storage/queue"
	"madoguchi/storage/storagetest/dropfs"
)

func TestMain(m *testing.M) {
	child.Main(queue.Handlers())
	if text := os.Getenv(asKiosk); text != "" {
		if err := live(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// histories says how many; make torture sets thousands. TORTURE_SEED plays one again.
func histories(t *testing.T) (first, n uint64) {
	t.Helper()
	if s := os.Getenv("TORTURE_SEED"); s != "" {
		seed, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return seed, 1
	}
	if s := os.Getenv("TORTURE"); s != "" {
		n, err := strconv.ParseUint(s, 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		return rand.Uint64N(1 << 40), n
	}
	return 1, 200
}

// TestOutbox: after every history the records that were acknowledged are at HQ or on the shelf, each once, as they
// were captured; and HQ has nothing that was not captured.
func TestOutbox(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED in short mode: the random histories of the outbox; make test runs them")
	}
	first, n := histories(t)
	total := summary{}
	results := make(chan summary, n)
	t.Run("histories", func(t *testing.T) {
		for seed := first; seed < first+n; seed++ {
			t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
				t.Parallel()
				h := newHistory(t, seed, false)
				s, wrong := h.play(t)
				for _, w := range wrong {
					t.Errorf("seed %d: %s", seed, w)
				}
				results <- s
			})
		}
	})
	close(results)
	for s := range results {
		total.add(s)
	}
	t.Logf("%d histories: %+v", n, total)
	if n >= 100 && (total.Acked < 500 || total.Cuts < 50 || total.Shelf == 0 || total.Failed == 0) {
		t.Errorf("too little happened for this to show anything: %+v", total)
	}
}

// TestControl: on a disk that lies about fsync the same check must fail, else it sees nothing.
func TestControl(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED in short mode: the control of the outbox's histories; make test runs it")
	}
	caught := 0
	for seed := uint64(1); seed <= 8; seed++ {
		h := newHistory(t, seed, true)
		if _, wrong := h.play(t); len(wrong) > 0 {
			caught++
		}
	}
	if caught < 4 {
		t.Fatalf("a lying disk was noticed in %d of 8 histories", caught)
	}
}

// TestFlippedBits: with a bit flipped somewhere on the disk after each life nothing wrong ever reaches HQ, and no more
// is missing than was hit: one record for a bit.
func TestFlippedBits(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED in short mode: flipped bits; make test runs them")
	}
	hit := 0
	for seed := uint64(1); seed <= 24; seed++ {
		h := newHistory(t, seed, false)
		h.flips = true
		s, wrong := h.play(t)
		for _, w := range wrong {
			t.Errorf("seed %d: %s", seed, w)
		}
		hit += s.Missing + s.Quarantined
	}
	if hit == 0 {
		t.Error("no flipped bit hit anything: the test shows nothing")
	}
}

// summary counts what happened.
type summary struct{ Acked, Failed, Cuts, Kills, Rows, Shelf, Quarantined, Missing, Flips int }

func (s *summary) add(o summary) {
	s.Acked += o.Acked
	s.Failed += o.Failed
	s.Cuts += o.Cuts
	s.Kills += o.Kills
	s.Rows += o.Rows
	s.Shelf += o.Shelf
	s.Quarantined += o.Quarantined
	s.Missing += o.Missing
	s.Flips += o.Flips
}

// history is one run: a disk, an HQ, some lives.
type history struct {
	seed  uint64
	lying bool
	flips bool
	rng   *rand.Rand
	disk  *dropfs.Disk
	path  string
	hq    *hq

	tried map[string]string // id -> digest in hex
	acked map[string]bool
	shelf map[string]string // id -> code
	alarm string
	sum   summary
}

func newHistory(t *testing.T, seed uint64, lying bool) *history {
	t.Helper()
	h := &history{
		seed: seed, lying: lying, rng: rand.New(rand.NewPCG(seed, 5)), disk: dropfs.New(seed, lying), path: t.TempDir(),
		hq: newHQ(t, seed), tried: map[string]string{}, acked: map[string]bool{}, shelf: map[string]string{},
	}
	t.Cleanup(func() { _ = h.disk.Unmount() })
	return h
}

// play plays the history and gives what is wrong at its end.
func (h *history) play(t *testing.T) (summary, []string) {
	t.Helper()
	for range 2 + h.rng.IntN(3) {
		h.mount(t)
		if err := h.life(t); err != nil && !h.lying {
			return h.sum, []string{err.Error()}
		}
		if err := h.disk.Unmount(); err != nil {
			t.Fatal(err)
		}
		if h.flips && h.disk.Flip([]string{"", ".seg", "index.db", ".log"}[h.rng.IntN(4)]) {
			h.sum.Flips++
		}
	}
	h.hq.heal()
	h.mount(t)
	if err := h.last(t); err != nil {
		return h.sum, []string{err.Error()}
	}
	return h.sum, h.judge(t)
}

func (h *history) mount(t *testing.T) {
	t.Helper()
	err := h.disk.Mount(h.path)
	if err != nil && os.Getenv("CI") != "true" {
		t.Skipf("NOT TESTED: no FUSE here (root and /dev/fuse are needed): %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// process is one life of the kiosk.
type process struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *bufio.Scanner
	errs  *strings.Builder
	lines chan string
}

func (h *history) start(t *testing.T, drain bool) *process {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(job{Dir: h.path, Secret: h.hq.secret, Socket: h.hq.socket, Seed: h.rng.Uint64(), Drain: drain})
	if err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: exec.Command(exe), errs: &strings.Builder{}, lines: make(chan string, 1<<12)}
	p.cmd.Env = append(os.Environ(), asKiosk+"="+string(text), "GOMAXPROCS=2")
	p.cmd.Stderr = p.errs
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewScanner(out)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.lines)
		for p.out.Scan() {
			p.lines <- p.out.Text()
		}
	}()
	return p
}

// take takes in one line of a life.
func (h *history) take(line string) {
	f := strings.Fields(line)
	switch {
	case len(f) == 3 && f[0] == "try":
		h.tried[f[1]] = f[2]
	case len(f) == 2 && f[0] == "ack":
		h.acked[f[1]] = true
		h.sum.Acked++
	case len(f) == 2 && f[0] == "failed":
		h.sum.Failed++
	case len(f) == 3 && f[0] == "shelf":
		h.shelf[f[1]] = f[2]
	case len(f) == 2 && f[0] == "ready":
		h.sum.Quarantined++
	case len(f) == 2 && f[0] == "alarm":
		h.alarm = f[1]
	}
}

// life runs the kiosk for a while, with faults of the disk, and ends it: by kill, by a power cut, or cleanly.
func (h *history) life(t *testing.T) error {
	t.Helper()
	p := h.start(t, false)
	until := time.After(time.Duration(20+h.rng.IntN(130)) * time.Millisecond)
	var faulty <-chan time.Time
	if h.rng.IntN(3) == 0 {
		faulty = time.After(time.Duration(h.rng.IntN(80)) * time.Millisecond)
	}
	ready, disturbed := false, false
	for ending := false; !ending; {
		select {
		case line, ok := <-p.lines:
			if !ok {
				err := p.cmd.Wait()
				if disturbed && !ready { // nothing can start on a disk that fails; the next life does
					return nil
				}
				if ready || h.lying {
					return fmt.Errorf("the kiosk ended by itself: %w: %s", err, p.errs)
				}
				return fmt.Errorf("the kiosk does not start: %w: %s", err, p.errs)
			}
			if strings.HasPrefix(line, "ready") && !ready {
				ready = true
				until = time.After(time.Duration(10+h.rng.IntN(120)) * time.Millisecond)
			}
			h.take(line)
		case <-faulty:
			h.disk.Set([]dropfs.Fault{dropfs.Full, dropfs.ReadOnly, dropfs.Failing}[h.rng.IntN(3)])
			if h.rng.IntN(2) == 0 {
				time.AfterFunc(time.Duration(5+h.rng.IntN(30))*time.Millisecond, func() { h.disk.Heal() })
			}
			faulty, disturbed = nil, true
		case <-until:
			if ready || h.rng.IntN(4) == 0 { // now and then the end comes during the start
				ending = true
			} else {
				until = time.After(5 * time.Millisecond)
			}
		}
	}
	return h.end(p)
}

// end ends a life.
func (h *history) end(p *process) error {
	switch h.rng.IntN(4) {
	case 0:
		_ = p.in.Close()
		h.disk.Heal()
	case 1:
		h.sum.Kills++
		_ = p.cmd.Process.Kill()
	default:
		h.sum.Cuts++
		h.disk.Cut()
		_ = p.cmd.Process.Kill()
	}
	for line := range p.lines { // what is in the pipe was said before the end
		h.take(line)
	}
	err := p.cmd.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() >= 0 && strings.Contains(p.errs.String(), "panic") {
		return fmt.Errorf("the kiosk panicked: %s", p.errs)
	}
	return nil
}

// last is the life after all faults: everything must come to HQ or to the shelf.
func (h *history) last(t *testing.T) error {
	t.Helper()
	p := h.start(t, true)
	_ = time.AfterFunc(90*time.Second, func() { _ = p.cmd.Process.Kill() })
	ended := false
	for line := range p.lines {
		h.take(line)
		ended = ended || line == "end"
	}
	if err := p.cmd.Wait(); err != nil || !ended {
		return fmt.Errorf("the last life did not drain: %w: %s", err, p.errs)
	}
	return nil
}

// judge compares what was captured with what is at HQ and on the shelf.
func (h *history) judge(t *testing.T) (wrong []string) {
	t.Helper()
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	rows := h.hq.rows(t)
	h.sum.Rows, h.sum.Shelf = len(rows), len(h.shelf)
	for id := range h.acked {
		_, atHQ := rows[id]
		_, shelved := h.shelf[id]
		if h.flips { // what is damaged after HQ had it, its answer lost, is in both places
			if !atHQ && !shelved {
				h.sum.Missing++
			} else if shelved && h.shelf[id] != "hq-poison" {
				h.sum.Quarantined++
			}
			continue
		}
		if atHQ == shelved {
			say("%s was acknowledged; at HQ: %v, on the shelf: %v", id, atHQ, shelved)
		}
	}
	for id, digest := range rows {
		if want, tried := h.tried[id]; !tried || want != hex.EncodeToString(digest[:]) {
			say("%s is at HQ with digest %x, captured was %q", id, digest, want)
		}
	}
	if h.flips {
		if h.sum.Missing > h.sum.Flips {
			say("%d records are missing after %d flipped bits", h.sum.Missing, h.sum.Flips)
		}
		return wrong
	}
	for id, code := range h.shelf {
		if code != "hq-poison" || !poison(id) {
			say("%s is on the shelf for %q", id, code)
		}
	}
	if h.alarm != "" || len(h.hq.memory.alarms) > 0 {
		say("the audit log alarmed the witness: %s %v", h.alarm, h.hq.memory.alarms)
	}
	return wrong
}
