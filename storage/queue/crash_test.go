package queue_test

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	bolt "go.etcd.io/bbolt"

	"madoguchi/internal/child"
	"madoguchi/storage/queue"
	"madoguchi/storage/storagetest"
	"madoguchi/storage/wire"
)

// crashPath makes the test binary be a process that fills a queue until it is killed.
const crashPath = "MADOGUCHI_TEST_CRASH_QUEUE"

func TestMain(m *testing.M) {
	child.Main(queue.Handlers())
	if path := os.Getenv(crashPath); path != "" {
		if err := fill(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// crashOptions make segments of a few records.
func crashOptions() queue.Options {
	o := small()
	o.SegmentSize = 256 << 10
	return o
}

// fill puts records and says so on stdout only after Put has returned; it deletes every third.
func fill(path string) error {
	q, err := queue.Open(path, crashOptions())
	if err != nil {
		return err
	}
	keys, err := storagetest.NewKeys()
	if err != nil {
		return err
	}
	receipts, err := storagetest.NewReceipts()
	if err != nil {
		return err
	}
	for n := 0; ; n++ {
		var e *wire.Envelope
		if err := q.PutNext(func(seq uint64) (*wire.Envelope, error) {
			var err error
			e, err = keys.Envelope(storagetest.NewID(), seq, 2000+rand.IntN(100<<10))
			return e, err
		}); err != nil {
			return err
		}
		fmt.Printf("put %s %d %x\n", e.Header.ID, e.Header.Seq, e.Digest)
		if n%3 == 2 {
			r, err := receipts.Verified(e.Header.ID, e.Digest)
			if err != nil {
				return err
			}
			fmt.Printf("del %s\n", e.Header.ID) // from here on it may be there or not
			if err := q.Delete(r); err != nil {
				return err
			}
		}
	}
}

// TestKilled: what Put acknowledged is there after kill -9, whole and once, over several lives of one file.
func TestKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue")
	acked := map[string]string{} // id -> digest
	seqs := map[uint64]bool{}
	for life := range 6 {
		kill(t, path, 5+rand.IntN(40), acked, seqs)
		q, err := queue.Open(path, crashOptions())
		if err != nil {
			t.Fatalf("life %d: %v", life, err)
		}
		if q.Stats().Quarantined != "" {
			t.Fatalf("life %d: the file was found broken", life)
		}
		if err := q.Close(); err != nil {
			t.Fatal(err)
		}
		requireClean(t, path)
	}
	q, err := queue.Open(path, crashOptions())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = q.Close() }()
	seen := map[string]bool{}
	for {
		item, ok, err := q.Peek()
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			break
		}
		if seen[item.ID] {
			t.Fatalf("%s is there twice", item.ID)
		}
		seen[item.ID] = true
		if want, ok := acked[item.ID]; ok && want != fmt.Sprintf("%x", item.Digest) {
			t.Fatalf("%s has changed", item.ID)
		}
		if err := q.Shelve(item.ID, "counted"); err != nil {
			t.Fatal(err)
		}
	}
	for id := range acked {
		if !seen[id] {
			t.Errorf("%s was acknowledged and is gone", id)
		}
	}
	if len(acked) < 20 {
		t.Fatalf("only %d records were acknowledged: the test shows nothing", len(acked))
	}
}

// kill runs one life: it reads n lines and kills without warning.
func kill(t *testing.T, path string, n int, acked map[string]string, seqs map[uint64]bool) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), crashPath+"="+path)
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewScanner(out)
	for line := 0; in.Scan(); line++ {
		if line == n {
			_ = cmd.Process.Kill() // lines already in the pipe are read on: they were acknowledged
		}
		var id, digest string
		var seq uint64
		if c, _ := fmt.Sscanf(in.Text(), "put %s %d %s", &id, &seq, &digest); c == 3 {
			if seqs[seq] {
				t.Fatalf("number %d was used twice", seq)
			}
			acked[id], seqs[seq] = digest, true
		} else if c, _ := fmt.Sscanf(in.Text(), "del %s", &id); c == 1 {
			delete(acked, id)
		}
	}
	_ = cmd.Wait()
	if stderr.Len() > 0 {
		t.Fatal(stderr.String())
	}
}

// requireClean lets bbolt check its own structure.
func requireClean(t *testing.T, path string) {
	t.Helper()
	db, err := bolt.Open(filepath.Join(path, "index.db"), 0o600, &bolt.Options{ReadOnly: true, PreLoadFreelist: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if err := db.View(func(tx *bolt.Tx) error {
		for err := range tx.Check() {
			return err
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}
