package portrait_test

import (
	"testing"

	"madoguchi/internal/portrait"
)

func BenchmarkLive(b *testing.B) {
	p := portrait.New(3, portrait.Woman)
	for b.Loop() {
		p.Live(portrait.View{Yaw: 5, Room: 2, Noise: 3})
	}
}

func BenchmarkCard(b *testing.B) {
	p := portrait.New(3, portrait.Woman)
	for b.Loop() {
		p.Card(240, 300)
	}
}
