package queue_test

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"madoguchi/storage/queue"
)

const kb60 = 60 << 10

// bare is what a durable write costs at least: append 60 KB to a file, fdatasync.
type bare struct {
	f    *os.File
	at   int64
	body []byte
}

func newBare(b *testing.B) *bare {
	b.Helper()
	f, err := os.Create(filepath.Join(b.TempDir(), "bare"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = f.Close() })
	return &bare{f: f, body: make([]byte, kb60)}
}

func (w *bare) write(b *testing.B) time.Duration {
	b.Helper()
	start := time.Now()
	if _, err := w.f.WriteAt(w.body, w.at); err != nil {
		b.Fatal(err)
	}
	if err := unix.Fdatasync(int(w.f.Fd())); err != nil {
		b.Fatal(err)
	}
	w.at += kb60
	return time.Since(start)
}

// enqueue puts one record of 60 KB, timed, and lets it be receipted, untimed.
func (k *kit) enqueue(b *testing.B) time.Duration {
	b.Helper()
	e := k.envelope(b, kb60)
	start := time.Now()
	if err := k.Put(e); err != nil {
		b.Fatal(err)
	}
	took := time.Since(start)
	k.drop(b, e.Header.ID, e.Digest)
	return took
}

func p50(list []time.Duration) float64 {
	slices.Sort(list)
	return float64(list[len(list)/2]) / float64(time.Millisecond)
}

// benchOptions are those of a kiosk, on a disk of any fill.
func benchOptions() queue.Options {
	o := options()
	o.Now = time.Now
	o.Check = queue.CheckInChild
	o.Room.Disk = func(string) (uint64, uint64, error) { return math.MaxUint64, math.MaxUint64, nil }
	return o
}

// BenchmarkDurableEnqueue: a record of 60 KB made durable, against a bare write and fdatasync of as much, by turns.
// Sealing and the audit leaf are not in it. Goal: ratio <= 3.5.
func BenchmarkDurableEnqueue(b *testing.B) {
	b.Run("60-kb", func(b *testing.B) {
		k, w := newKit(b, benchOptions()), newBare(b)
		k.enqueue(b)
		var ours, theirs []time.Duration
		for b.Loop() {
			for range 10 {
				theirs = append(theirs, w.write(b))
				ours = append(ours, k.enqueue(b))
			}
		}
		b.ReportMetric(p50(ours), "p50-ms")
		b.ReportMetric(p50(theirs), "bare-p50-ms")
		b.ReportMetric(p50(ours)/p50(theirs), "ratio")
	})
}

// benchQueued is how many records a long outage leaves.
func benchQueued() (n, size int) {
	if s, err := strconv.Atoi(os.Getenv("QUEUE_BENCH_BODY")); err == nil {
		return 100_000, s
	}
	return 100_000, 1 << 10
}

// BenchmarkDurableEnqueueAfterBacklog: the same on a queue that held 100,000 records of which 90 % have gone, against an
// empty one, by turns. Goal: ratio <= 1.5. Bodies are of QUEUE_BENCH_BODY bytes (1 KiB).
func BenchmarkDurableEnqueueAfterBacklog(b *testing.B) {
	n, size := benchQueued()
	k, fresh := newKit(b, benchOptions()), newKit(b, benchOptions())
	all := queue.Fill(b, k.Queue, n, size)
	k.seq, fresh.seq = uint64(n), uint64(n)
	queue.Drain(b, k.Queue, all[:n/10*9])
	k.enqueue(b)
	fresh.enqueue(b)
	var drained, empty []time.Duration
	for b.Loop() {
		for range 10 {
			drained = append(drained, k.enqueue(b))
			empty = append(empty, fresh.enqueue(b))
		}
	}
	b.ReportMetric(p50(drained), "p50-ms")
	b.ReportMetric(p50(empty), "empty-p50-ms")
	b.ReportMetric(p50(drained)/p50(empty), "ratio")
}

// BenchmarkReadyWithBacklog: Open with 100,000 queued, with the check in a child, until the first record is read.
// Goal: < 1 s.
func BenchmarkReadyWithBacklog(b *testing.B) {
	n, size := benchQueued()
	k := newKit(b, benchOptions())
	queue.Fill(b, k.Queue, n, size)
	for b.Loop() {
		k.reopen(b, benchOptions())
		if _, ok, err := k.Peek(); !ok || err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms")
	if s := k.Stats(); s.Waiting != n || s.Quarantined != "" {
		b.Fatalf("%+v", s)
	}
}
