package chip

// tpdu speaks T=0 (ISO/IEC 7816-3, 10.3 and 12.2), as a card does behind a reader that works on TPDU level. The
// fifth byte P3 is the length of the data sent, or else of the data wanted, never both: an answer to data is
// announced by 61xx and fetched with GET RESPONSE. A wanted length that is too long is corrected by 6Cxx. There is
// no extended form and no Le after data; both are 6700.
func (c *Card) tpdu(raw []byte) []byte {
	pending := c.pending
	c.pending = nil
	if len(raw) < 4 {
		return status(swLength)
	}
	cmd := command{cla: raw[0], ins: raw[1], p1: raw[2], p2: raw[3], le: -1}
	sends := false
	switch {
	case len(raw) == 4:
	case len(raw) == 5:
		cmd.le = orMax(int(raw[4]), maxShortLength)
	case len(raw) == 5+int(raw[4]):
		cmd.data, cmd.le, sends = raw[5:], maxShortLength, true
	default:
		return status(swLength)
	}
	if cmd.ins == 0xC0 && (cmd.cla == 0x00 || cmd.cla == 0x80) {
		return c.getResponse(cmd, pending)
	}
	out := c.execute(cmd)
	n := len(out) - 2
	switch {
	case n == 0:
		return out
	case sends:
		c.pending = out[:n]
		return remaining(n)
	case n < cmd.le:
		return []byte{0x6C, byte(n)}
	}
	return out
}

// getResponse hands out the pending answer. When less than all is asked for, the rest stays pending.
func (c *Card) getResponse(cmd command, pending []byte) []byte {
	n := len(pending)
	switch {
	case cmd.p1 != 0 || cmd.p2 != 0:
		c.pending = pending
		return status(swParameters)
	case n == 0:
		return status(swConditions)
	case cmd.le < 0 || len(cmd.data) > 0:
		return status(swLength)
	case cmd.le > n:
		c.pending = pending
		return []byte{0x6C, byte(n)}
	case cmd.le < n:
		c.pending = pending[cmd.le:]
		out := append([]byte(nil), pending[:cmd.le]...)
		return append(out, remaining(n-cmd.le)...)
	}
	return answer(pending)
}

// remaining announces n bytes; 00 stands for 256 and more.
func remaining(n int) []byte {
	if n > 0xFF {
		n = 0
	}
	return []byte{0x61, byte(n)}
}
