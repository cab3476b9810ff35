package chip

import (
	"bytes"
	"crypto/rand"
)

// anotherPUPI draws the pseudo-unique id of a Type B card: four random bytes, different from the last ones.
func anotherPUPI(last []byte) []byte {
	for {
		id := make([]byte, 4)
		_, _ = rand.Read(id) // never fails (crypto/rand)
		if !bytes.Equal(id, last) {
			return id
		}
	}
}

// ReaderCommand answers the commands of class FF that a reader answers by itself (PC/SC part 3, 3.2.2.1): only FF
// CA 00 00, the id of anticollision. It never reaches the card and is not counted. false: not such a command. On
// Type B this id is new at each activation and names nobody.
func (c *Card) ReaderCommand(cmd []byte) ([]byte, bool) {
	if len(cmd) < 5 || cmd[0] != 0xFF || cmd[1] != 0xCA {
		return nil, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	id := c.layout.UID
	if id == nil {
		id = c.pupi
	}
	switch {
	case cmd[2] != 0 || cmd[3] != 0 || len(cmd) != 5:
		return status(swParameters), true
	case !c.powered || len(id) == 0:
		return status(0x6A81), true
	case int(cmd[4]) != 0 && int(cmd[4]) < len(id):
		return []byte{0x6C, byte(len(id))}, true
	}
	return answer(id), true
}
