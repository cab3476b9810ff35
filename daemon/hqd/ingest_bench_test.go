package main

import (
	"context"
	"net"
	"net/http"
	"slices"
	gosync "sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"madoguchi/daemon/hq/store"
	"madoguchi/daemon/hq/store/pgtest"
	"madoguchi/storage/storagetest"
	"madoguchi/storage/sync"
	"madoguchi/storage/wire"
)

// The bench's load: kiosks that send at once, and records per measured step.
const (
	benchKiosks = 8
	benchStep   = 200
)

// BenchmarkIngestPostgres is records of 60 KB over mutual TLS into hqd in a process of its own and PostgreSQL with fsync,
// against the same rows put bare by pgx over as many connections, in turns. Each iteration is 200 records both ways.
func BenchmarkIngestPostgres(b *testing.B) {
	pg := pgtest.Start(b)
	dir, bundle := installed(b)
	database := pg.Database(b)
	p := start(b, "receiver", "-dir", dir, "-listen", "127.0.0.1:0", "-profile", "demo", "-store", database,
		"-device-rate", "1000000", "-device-burst", "1000000")
	to := "https://" + p.address(b).Host
	pg.Exec(b, database, `CREATE TABLE bare (LIKE records INCLUDING STORAGE, PRIMARY KEY (device, id))`)
	var clients []*http.Client
	var bare []*pgx.Conn
	for range benchKiosks {
		clients = append(clients, bundle.Client())
		c, err := pgx.Connect(b.Context(), database)
		if err != nil {
			b.Fatal(err)
		}
		bare = append(bare, c)
	}
	b.Cleanup(func() {
		for _, c := range bare {
			_ = c.Close(context.WithoutCancel(b.Context()))
		}
	})
	var viaHQ, direct []time.Duration // per iteration
	var size int
	var failed atomic.Bool
	seq := uint64(0)
	batch := func() (list []*wire.Envelope) {
		for range benchStep {
			seq++
			e := built(b, bundle, storagetest.NewID(), seq, 38<<10)
			size = len(e.Bytes)
			list = append(list, e)
		}
		return list
	}
	put := func(worker int, e *wire.Envelope) {
		if code, body := putWith(b, clients[worker], to, e.Header.ID, e.Bytes); code != http.StatusCreated && !failed.Swap(true) {
			b.Errorf("got %d %s", code, body)
		}
	}
	insert := func(worker int, e *wire.Envelope) {
		r := store.NewRow(e, make([]byte, 350), time.Now())
		month, err := store.Month(r.ID)
		if err != nil {
			b.Error(err)
		}
		if _, err := bare[worker].Exec(b.Context(), `INSERT INTO bare (month, device, id, seq, created, received, virtual, parts, digest, body, suspect, receipt, envelope)
			VALUES ($1, $2, $3, $4, $5, $6, '', $7, $8, '', false, $9, $10)`,
			month, r.Device, r.ID, int64(r.Seq), r.Created, r.Received, store.JoinParts(r.Parts), r.Digest[:], r.Receipt, r.Envelope); err != nil { //nolint:gosec // counted here
			b.Error(err)
		}
	}
	timed(batch(), put) // warm up: connections, plans
	timed(batch(), insert)
	for i := 0; b.Loop() && !b.Failed(); i++ {
		b.StopTimer()
		one, two := batch(), batch()
		b.StartTimer()
		if i%2 == 0 {
			viaHQ, direct = append(viaHQ, timed(one, put)), append(direct, timed(two, insert))
		} else {
			direct, viaHQ = append(direct, timed(two, insert)), append(viaHQ, timed(one, put))
		}
	}
	rate := func(d []time.Duration) float64 { return benchStep / median(d).Seconds() }
	b.ReportMetric(rate(viaHQ), "hqd-rec/s")
	b.ReportMetric(rate(direct), "bare-rec/s")
	b.ReportMetric(rate(viaHQ)/rate(direct), "ratio")
	b.ReportMetric(float64(size), "envelope-B")
}

// timed puts all records through the workers.
func timed(list []*wire.Envelope, put func(worker int, e *wire.Envelope)) time.Duration {
	var next atomic.Int64
	var wg gosync.WaitGroup
	began := time.Now()
	for w := range benchKiosks {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(list); i = int(next.Add(1)) - 1 {
				put(w, list[i])
			}
		})
	}
	wg.Wait()
	return time.Since(began)
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

// BenchmarkUploadWire counts the bytes on the line per record of 60 KB: on a connection that stays, and on a new one.
func BenchmarkUploadWire(b *testing.B) {
	dir, bundle := installed(b)
	p := start(b, "receiver", "-dir", dir, "-listen", "127.0.0.1:0", "-profile", "demo", "-device-burst", "1000000")
	to := "https://" + p.address(b).Host
	for _, c := range []struct {
		name  string
		fresh bool
	}{{"kept-connection", false}, {"new-connection", true}} {
		b.Run(c.name, func(b *testing.B) {
			var sent, got atomic.Int64
			client := counting(bundle, &sent, &got)
			seq, size := uint64(0), int64(0)
			put := func() {
				seq++
				e := built(b, bundle, storagetest.NewID(), seq, 38<<10)
				size = int64(len(e.Bytes))
				if code, body := putWith(b, client, to, e.Header.ID, e.Bytes); code != http.StatusCreated {
					b.Fatalf("got %d %s", code, body)
				}
				if c.fresh {
					client.CloseIdleConnections()
				}
			}
			put() // the handshake of a connection that stays is not counted
			sent.Store(0)
			got.Store(0)
			n := int64(0)
			for ; b.Loop(); n++ {
				put()
			}
			b.ReportMetric(float64(sent.Load())/float64(n), "up-B/rec")
			b.ReportMetric(float64(got.Load())/float64(n), "down-B/rec")
			b.ReportMetric(float64(sent.Load()+got.Load())/float64(n)/float64(size), "wire/envelope")
		})
	}
}

// counting is the bundle's client over connections that count.
func counting(bundle *sync.Bundle, sent, got *atomic.Int64) *http.Client {
	c := bundle.Client()
	t, ok := c.Transport.(*http.Transport)
	if !ok {
		panic("the bundle's client has another transport")
	}
	t.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		return &countedConn{conn, sent, got}, err
	}
	return c
}

type countedConn struct {
	net.Conn
	sent, got *atomic.Int64
}

func (c *countedConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.sent.Add(int64(n))
	return n, err
}

func (c *countedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.got.Add(int64(n))
	return n, err
}
