package control

import "context"

// Answering answers one line, for the fuzzer.
func Answering(h Hand, line []byte) Answer {
	v := &visit{hand: h, end: func() {}}
	a, _ := v.do(context.Background(), line)
	v.end()
	return a
}
