package card_test

import (
	"context"
	"testing"
	"time"

	"madoguchi/hardware/card"
	"madoguchi/hardware/tlv"
)

// The radio model of a kiosk's reader: 20 ms for each command, 10 kB/s for its bytes both ways. It is computed, not
// slept.
func radio(commands, size int) float64 {
	return float64((time.Duration(commands)*20*time.Millisecond + time.Duration(size)*time.Second/10000).Microseconds()) / 1000
}

// floor finds the least that a task can take over the air from one run with extended commands: each file once,
// without its filler, by one command or by one for each 256 bytes.
type floor struct {
	inner                     card.Transport
	extended, short, overhead int // commands, commands, bytes besides files
	files                     int // bytes of the files
}

func (f *floor) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	sent := len(command)
	read := command[1] == 0xB0
	answer, err := f.inner.Transmit(ctx, command)
	if err != nil {
		return nil, err
	}
	f.extended++
	data := len(answer) - 2
	if !read || data <= 0 {
		f.short++
		f.overhead += sent + len(answer)
		return answer, nil
	}
	size := data
	if _, _, n, err := tlv.Header(answer); err == nil && n <= data && answer[0] != 'J' {
		size = n
	}
	f.short += (size + 255) / 256
	f.files += size
	f.overhead += 5 + 2
	return answer, nil
}

// BenchmarkCardBudget prints for every task of the budget: commands and bytes over the air, the time they would take
// by the radio model, and the floor of each; ns/op is the time in this process.
func BenchmarkCardBudget(b *testing.B) {
	p := person(b, "sato")
	for _, j := range jobs() {
		opt := card.Options{}
		if j.trust {
			opt.Trust = issuers(b)
		}
		least := &floor{}
		_, s := place(b, newCard(b, p), card.Options{})
		least.inner = s
		c, err := card.Open(b.Context(), least, opt)
		if err != nil {
			b.Fatal(err)
		}
		least.extended, least.short, least.overhead, least.files = 0, 0, 0, 0
		if err := j.run(b.Context(), c, p); err != nil {
			b.Fatal(err)
		}
		for _, short := range []bool{false, true} {
			name, floorCommands := j.name+"-extended", least.extended
			if short {
				name, floorCommands = j.name+"-short", least.short
			}
			b.Run(name, func(b *testing.B) {
				opt.Short = short
				var commands, size int
				for range b.N {
					b.StopTimer()
					c, session := place(b, newCard(b, p), opt)
					before := c.Traffic()
					b.StartTimer()
					if err := j.run(b.Context(), c, p); err != nil {
						b.Fatal(err)
					}
					b.StopTimer()
					after := c.Traffic()
					commands = after.Commands - before.Commands
					size = after.Sent - before.Sent + after.Received - before.Received
					_ = session.Close()
				}
				b.ReportMetric(float64(commands), "commands")
				b.ReportMetric(float64(floorCommands), "floor-commands")
				b.ReportMetric(float64(size), "bytes")
				b.ReportMetric(float64(least.files+least.overhead), "floor-bytes")
				b.ReportMetric(radio(commands, size), "radio-ms")
				b.ReportMetric(radio(floorCommands, least.files+least.overhead+7*(floorCommands-least.extended)), "floor-radio-ms")
			})
		}
	}
}
