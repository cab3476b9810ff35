package main

import (
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"madoguchi/storage/storagetest"
	"madoguchi/storage/sync"
	"madoguchi/storage/wire"
)

// BenchmarkUploadRoundTrip is one envelope from memory to a verified receipt, over mutual TLS to a receiver in a
// process of its own, with SQLite synchronous.
func BenchmarkUploadRoundTrip(b *testing.B) {
	dir := b.TempDir()
	start(b, "init", "-dir", dir, "-kiosk", storagetest.Device)
	p := start(b, "receiver", "-dir", dir, "-listen", "127.0.0.1:0", "-profile", "demo")
	bundle, err := sync.LoadBundle(filepath.Join(dir, "kiosk"))
	if err != nil {
		b.Fatal(err)
	}
	client := bundle.Client()
	to := "https://" + p.address(b).Host
	for name, size := range map[string]int{"60-kb": 60 << 10, "150-kb": 150 << 10} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(size))
			for n := uint64(1); b.Loop(); n++ {
				b.StopTimer()
				e, err := wire.Build(storagetest.Record(storagetest.NewID(), size*3/4), bundle.Keys, bundle.Signer, n, time.Now())
				if err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
				code, receipt := putWith(b, client, to, e.Header.ID, e.Bytes)
				if code != http.StatusCreated {
					b.Fatalf("got %d", code)
				}
				if _, err := wire.VerifyReceipt([]byte(receipt), bundle.Receipts, bundle.Device, e.Header.ID, e.Digest); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
