package torture_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"madoguchi/storage/audit"
	"madoguchi/storage/outbox"
	"madoguchi/storage/queue"
	"madoguchi/storage/seal"
	"madoguchi/storage/storagetest"
	"madoguchi/storage/sync"
	"madoguchi/storage/wire"
)

// asKiosk makes the test binary be a kiosk's storage; the value is its job.
const asKiosk = "MADOGUCHI_TORTURE"

// job is what one life of a kiosk does.
type job struct {
	Dir    string // on the disk
	Secret string // keys, on another disk
	Socket string // of HQ
	Seed   uint64
	Drain  bool // capture nothing, bring everything to HQ, and end
}

// say writes a line that the parent reads; it is in the pipe before the next thing happens.
func say(format string, args ...any) { _, _ = fmt.Fprintf(os.Stdout, format+"\n", args...) }

// live is the whole program: a queue, an audit log, an uploader, and captures as fast as the disk allows.
func live(text string) error {
	var j job
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		return err
	}
	rng := rand.New(rand.NewPCG(j.Seed, 2))
	var offset time.Duration
	now := func() time.Time { return time.Now().Add(offset) }
	keys, receipts, signer, err := loadKeys(j.Secret)
	if err != nil {
		return err
	}
	check := queue.CheckHere
	if rng.IntN(5) == 0 {
		check = queue.CheckInChild
	}
	q, err := queue.Open(filepath.Join(j.Dir, "queue"), queue.Options{
		Now: now, Check: check, SegmentSize: 96 << 10, Room: queue.RoomOptions{Enough: 1},
	})
	if err != nil {
		return fmt.Errorf("queue: %w", err)
	}
	log, err := audit.Open(filepath.Join(j.Dir, "audit"), audit.Options{Device: storagetest.Device, Signer: signer, Now: now})
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	next, err := q.NextSeq()
	if err != nil {
		return err
	}
	if err := outbox.Reconcile(log, next); err != nil {
		return fmt.Errorf("reconcile: %w", err)
	}
	levels := make(chan sync.Levels, 64)
	up, err := sync.New(sync.Options{
		Queue: q, Client: &http.Client{Transport: transport(j.Socket)}, URL: "https://hq.test", Device: storagetest.Device,
		Receipts: receipts, Now: time.Now, Audit: log,
		Jitter: func(most time.Duration) time.Duration {
			return min(most, time.Duration(rng.Int64N(int64(5*time.Millisecond))))
		},
		Report: func(l sync.Levels) {
			select {
			case levels <- l:
			default:
			}
		},
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- up.Run(ctx) }()
	say("ready %s", q.Stats().Quarantined)
	if j.Drain {
		err = drain(q, levels)
	} else {
		o := &outbox.Outbox{Queue: q, Keys: keys, Signer: signer, Device: storagetest.Device, Now: now, Audit: speaking{log}}
		capture(o, rand.New(rand.NewPCG(j.Seed, 3)), &offset)
	}
	cancel()
	if ended := <-done; !errors.Is(ended, context.Canceled) {
		err = errors.Join(err, ended)
	}
	return errors.Join(err, log.Close(), q.Close())
}

// speaking says what an entry binds a record to: the digest that HQ must have, if it has the record at all.
type speaking struct{ *audit.Log }

func (s speaking) Append(l audit.Leaf) (int64, error) {
	if l.Kind == audit.Recorded {
		say("try %s %s", l.ID, l.Hash)
	}
	return s.Log.Append(l)
}

// capture captures until standard input ends, which is how the parent asks for a clean stop.
func capture(o *outbox.Outbox, rng *rand.Rand, offset *time.Duration) {
	stop := make(chan struct{})
	go func() {
		_, _ = bufio.NewReader(os.Stdin).ReadByte()
		close(stop)
	}()
	for {
		select {
		case <-stop:
			return
		default:
		}
		if rng.IntN(6) == 0 { // the clock jumps
			*offset = time.Duration(rng.Int64N(int64(96*time.Hour))) - 48*time.Hour
		}
		id := storagetest.NewID()
		if err := o.Put(storagetest.Record(id, 500+rng.IntN(40_000))); err != nil {
			say("failed %s", id)
			time.Sleep(time.Millisecond)
			continue
		}
		say("ack %s", id)
		time.Sleep(time.Duration(rng.Int64N(int64(3 * time.Millisecond))))
	}
}

// drain waits until nothing waits for HQ, and says what lies on the shelf.
func drain(q *queue.Queue, levels <-chan sync.Levels) error {
	end := time.After(60 * time.Second)
	for {
		select {
		case <-end:
			return fmt.Errorf("not drained: %d waiting", q.Stats().Waiting)
		case l := <-levels:
			if l.AuditAlarm != "" {
				say("alarm %s", l.AuditAlarm)
			}
			if l.Waiting > 0 || q.Stats().Waiting > 0 || l.AuditSeen == 0 && l.AuditAlarm == "" {
				continue
			}
			list, err := q.Shelf()
			if err != nil {
				return err
			}
			for _, s := range list {
				say("shelf %s %s", s.ID, s.Code)
			}
			say("end")
			return nil
		}
	}
}

// transport speaks plain HTTP on a unix socket where an https address is asked for: TLS has its own tests.
func transport(socket string) *http.Transport {
	return &http.Transport{
		DialTLSContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
		MaxConnsPerHost: 1,
	}
}

func loadKeys(dir string) (*seal.PublicKeys, wire.ReceiptKeys, *ecdsa.PrivateKey, error) {
	raw, err := os.ReadFile(filepath.Join(dir, "keys.toml"))
	if err != nil {
		return nil, nil, nil, err
	}
	keys, err := seal.ParsePublicKeys(raw)
	if err != nil {
		return nil, nil, nil, err
	}
	pub, err := os.ReadFile(filepath.Join(dir, "receipt.pub"))
	if err != nil {
		return nil, nil, nil, err
	}
	if raw, err = os.ReadFile(filepath.Join(dir, "device.pem")); err != nil {
		return nil, nil, nil, err
	}
	block, _ := pem.Decode(raw)
	key, err := x509.ParseECPrivateKey(block.Bytes)
	return keys, wire.ReceiptKeys{"receipt-1": ed25519.PublicKey(pub)}, key, err
}
