package main

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	gosync "sync"
	"syscall"
	"testing"
	"time"

	"madoguchi/daemon/hq/store/pgtest"
	"madoguchi/daemon/hq/store/s3test"
	"madoguchi/storage/storagetest"
	"madoguchi/storage/sync"
	"madoguchi/storage/wire"
)

// installed is an HQ with one kiosk's bundle.
func installed(tb testing.TB) (dir string, bundle *sync.Bundle) {
	tb.Helper()
	dir = tb.TempDir()
	start(tb, "init", "-dir", dir, "-kiosk", storagetest.Device)
	bundle, err := sync.LoadBundle(filepath.Join(dir, "kiosk"))
	if err != nil {
		tb.Fatal(err)
	}
	return dir, bundle
}

func built(tb testing.TB, b *sync.Bundle, id string, seq uint64, face int) *wire.Envelope {
	tb.Helper()
	e, err := wire.Build(storagetest.Record(id, face), b.Keys, b.Signer, seq, time.Now())
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

// Two receivers before one database: of any number of racing PUTs one is new, and all get the very same receipt.
func TestTwoReceiversOneDatabase(t *testing.T) {
	pg := pgtest.Start(t)
	dir, b := installed(t)
	database := pg.Database(t)
	var to []string
	for range 2 {
		p := start(t, "receiver", "-dir", dir, "-listen", "127.0.0.1:0", "-profile", "demo", "-store", database)
		to = append(to, "https://"+p.address(t).Host)
	}
	c := b.Client()
	var ids []string
	for round := range uint64(10) {
		e := built(t, b, storagetest.NewID(), round+1, 1000)
		ids = append(ids, e.Header.ID)
		var mu gosync.Mutex
		answers, receipts := map[int]int{}, map[string]int{}
		var wg gosync.WaitGroup
		for i := range 12 {
			wg.Go(func() {
				code, receipt := putWith(t, c, to[i%2], e.Header.ID, e.Bytes)
				mu.Lock()
				defer mu.Unlock()
				answers[code]++
				receipts[receipt]++
			})
		}
		wg.Wait()
		if answers[http.StatusCreated] != 1 || answers[http.StatusOK] != 11 || len(receipts) != 1 {
			t.Fatalf("answers %v, %d different receipts", answers, len(receipts))
		}
		for r := range receipts {
			if _, err := wire.VerifyReceipt([]byte(r), b.Receipts, b.Device, e.Header.ID, e.Digest); err != nil {
				t.Fatal(err)
			}
		}
		other := built(t, b, e.Header.ID, 99, 900)
		for _, hq := range to {
			if code, body := putWith(t, c, hq, e.Header.ID, other.Bytes); code != http.StatusConflict || body != `{"code":"conflict"}` {
				t.Fatalf("got %d %s", code, body)
			}
		}
	}
	h := &hq{dir: dir, bundle: b}
	v := h.opener(t, "-store", database)
	requireIDs(t, v, ids)
	if o, _ := v.open(t, ids[0]); !o.Passed {
		t.Fatalf("%+v", o.Verified)
	}
}

// A database that goes away is answered with "come again", without a restart of the receiver.
func TestDatabaseAway(t *testing.T) {
	pg := pgtest.Start(t)
	dir, b := installed(t)
	p := start(t, "receiver", "-dir", dir, "-listen", "127.0.0.1:0", "-profile", "demo", "-store", pg.Database(t))
	to := "https://" + p.address(t).Host
	c := b.Client()
	first, second := built(t, b, storagetest.NewID(), 1, 1000), built(t, b, storagetest.NewID(), 2, 1000)
	if code, _ := putWith(t, c, to, first.Header.ID, first.Bytes); code != http.StatusCreated {
		t.Fatal(code)
	}
	pg.Kill(t)
	for _, e := range []*wire.Envelope{first, second} {
		if code, body := putWith(t, c, to, e.Header.ID, e.Bytes); code != http.StatusServiceUnavailable || body != `{"code":"store"}` {
			t.Fatalf("got %d %s", code, body)
		}
	}
	pg.Run(t)
	for e, want := range map[*wire.Envelope]int{first: http.StatusOK, second: http.StatusCreated} {
		if code, body := putWith(t, c, to, e.Header.ID, e.Bytes); code != want {
			t.Fatalf("got %d %s, want %d", code, body, want)
		}
	}
}

// The bodies in a real S3 server, the rows in PostgreSQL; the opener finds both.
func TestBodiesInS3(t *testing.T) {
	s := s3test.Start(t)
	pg := pgtest.Start(t)
	dir, b := installed(t)
	keys := fmt.Sprintf("access_key = %q\nsecret_key = %q\n", s.Keys.Access, s.Keys.Secret)
	for _, role := range []string{"receiver", "opener", "sweep"} {
		if err := os.MkdirAll(filepath.Join(dir, role), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, role, "s3-keys.toml"), []byte(keys), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	config := filepath.Join(t.TempDir(), "hq.toml")
	text := fmt.Sprintf("dir = %q\nstore = %q\nbodies = %q\n[receiver]\nlisten = \"127.0.0.1:0\"\nprofile = \"demo\"\nmemory_mib = 32\n[opener]\nlisten = \"127.0.0.1:0\"\n", dir, pg.Database(t), s.Address())
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := start(t, "receiver", "-config", config)
	e := built(t, b, storagetest.NewID(), 1, 60_000)
	if code, body := putWith(t, b.Client(), "https://"+p.address(t).Host, e.Header.ID, e.Bytes); code != http.StatusCreated {
		t.Fatalf("got %d %s", code, body)
	}
	u := start(t, "opener", "-config", config).address(t)
	v := viewer{base: "http://" + u.Host, token: strings.TrimPrefix(u.Fragment, "t=")}
	if o, _ := v.open(t, e.Header.ID); !o.Passed {
		t.Fatalf("%+v", o.Verified)
	}
	if sweep := start(t, "sweep", "-config", config); sweep.line != "hqd sweep: 0 bodies removed\n" {
		t.Fatal(sweep.line)
	}
	s.Stop()
	v.get(t, "/v1/opened/"+storagetest.Device+"/"+e.Header.ID, http.StatusInternalServerError)
}

// The signal to stop: what is under way is finished, what is new is told to come again, and the process ends well.
func TestDrain(t *testing.T) {
	dir, b := installed(t)
	p := start(t, "receiver", "-dir", dir, "-listen", "127.0.0.1:0", "-profile", "demo")
	host := p.address(t).Host
	e := built(t, b, storagetest.NewID(), 1, 20_000)
	config := b.TLS.Clone()
	config.NextProtos, config.ServerName = []string{"http/1.1"}, "127.0.0.1"
	conn, err := tls.Dial("tcp", host, config)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	_, err = fmt.Fprintf(conn, "PUT /v1/records/%s HTTP/1.1\r\nHost: hq\r\nContent-Length: %d\r\nContent-Digest: %s\r\nExpect: 100-continue\r\n\r\n",
		e.Header.ID, len(e.Bytes), sync.ContentDigest(e.Bytes))
	if err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewReader(conn)
	if line, err := answers.ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") { // it now reads the body
		t.Fatalf("%q, %v", line, err)
	}
	if _, err := answers.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(e.Bytes[:5000]); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	c := b.Client()
	for n := uint64(2); ; n++ { // until the signal has come through
		late := built(t, b, storagetest.NewID(), n, 100)
		code, body := putWith(t, c, "https://"+host, late.Header.ID, late.Bytes)
		if code == http.StatusServiceUnavailable && body == `{"code":"draining"}` {
			break
		}
		if code != http.StatusCreated {
			t.Fatalf("got %d %s", code, body)
		}
	}
	if _, err := conn.Write(e.Bytes[5000:]); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(answers, nil)
	if err != nil || res.StatusCode != http.StatusCreated {
		t.Fatalf("what was under way was not finished: %v, %v", res, err)
	}
	receipt, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := wire.VerifyReceipt(receipt, b.Receipts, b.Device, e.Header.ID, e.Digest); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Fatalf("it did not end well: %v\n%s", err, p.log.String())
	}
}
