package finding_test

import (
	"path/filepath"
	"testing"

	"madoguchi/daemon/hq/opener/finding"
)

// BenchmarkPass works off 100 new records with file keys; the findings begin empty each time.
func BenchmarkPass(b *testing.B) {
	k := newKit(b, daily()...)
	for range 100 {
		k.put(b, nil)
	}
	for b.Loop() {
		db, err := finding.Open(b.Context(), filepath.Join(b.TempDir(), "findings"))
		if err != nil {
			b.Fatal(err)
		}
		w := &finding.Worker{Opener: k.worker.Opener, DB: db, Parts: k.worker.Parts, Now: k.worker.Now, Log: k.worker.Log}
		if done, err := w.Pass(b.Context()); err != nil || done != 100 {
			b.Fatal(done, err)
		}
		_ = db.Close()
	}
	b.ReportMetric(float64(100*b.N)/b.Elapsed().Seconds(), "records/s")
}
