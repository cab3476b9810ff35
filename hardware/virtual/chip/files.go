package chip

import (
	"bytes"
	"crypto/rand"
)

func (c *Card) selectFile(cmd command) []byte {
	switch cmd.p1 {
	case 0x00:
		return c.selectMaster(cmd)
	case 0x02:
		return c.selectEF(cmd)
	case 0x04:
		return c.selectApplication(cmd)
	}
	return status(swParameters)
}

// selectMaster answers 00 A4 00 00: of no use on a My Number Card, which answers 6A86 right after power-up and
// 9000 without any effect once an application is selected.
func (c *Card) selectMaster(cmd command) []byte {
	switch {
	case len(cmd.data) > 0 && !bytes.Equal(cmd.data, []byte{0x3F, 0x00}):
		return status(swNoFile)
	case c.layout.MasterFile:
		c.enter(&c.layout.Applications[0])
		return status(swOK)
	case len(cmd.data) > 0:
		return status(swNoFile)
	case c.onMaster():
		return status(swParameters)
	}
	return status(swOK)
}

// onMaster tells the state right after power-up: no application, or the issuer security domain again.
func (c *Card) onMaster() bool { return c.selected == nil || c.selected.Domain }

// selectApplication matches the whole id or its first five bytes and more, as JICSAP allows.
func (c *Card) selectApplication(cmd command) []byte {
	if cmd.p2 != 0x0C && cmd.p2 != 0x00 {
		return status(swParameters)
	}
	if len(cmd.data) == 0 {
		return status(swLength)
	}
	for i := range c.layout.Applications {
		app := &c.layout.Applications[i]
		if bytes.Equal(app.AID, cmd.data) || (len(cmd.data) >= 5 && bytes.HasPrefix(app.AID, cmd.data)) {
			c.enter(app)
			return status(swOK)
		}
	}
	return status(swNoFile)
}

func (c *Card) enter(app *Application) {
	c.selected, c.current = app, nil
	c.stats.count(&c.stats.Selects, app.Name)
	c.session.end() // as on real cards, whatever happens to the rights
	if !c.layout.KeepRightsOnSelect {
		c.dropRights()
	}
}

func (c *Card) selectEF(cmd command) []byte {
	if cmd.p2 != 0x0C && cmd.p2 != 0x00 {
		return status(swParameters)
	}
	if len(cmd.data) != 2 {
		return status(swLength)
	}
	if c.selected == nil {
		return status(swNoFile)
	}
	f := c.selected.file(uint16(cmd.data[0])<<8 | uint16(cmd.data[1]))
	if f == nil {
		return status(swNoFile)
	}
	c.current = f
	return status(swOK)
}

// short makes the file with a short id the current one.
func (c *Card) short(id byte) (*File, uint16) {
	if c.selected == nil {
		return nil, swNoCurrentEF
	}
	f := c.selected.short(id)
	if f == nil {
		return nil, swNoFile
	}
	c.current = f
	return f, 0
}

func (c *Card) readBinary(cmd command) []byte {
	f, offset := c.current, int(cmd.p1)<<8|int(cmd.p2)
	if cmd.p1&0x80 != 0 {
		if cmd.p1&0x60 != 0 {
			return status(swParameters)
		}
		var sw uint16
		if f, sw = c.short(cmd.p1 & 0x1F); sw != 0 {
			return status(sw)
		}
		offset = int(cmd.p2)
	}
	if f == nil {
		return status(swNoCurrentEF)
	}
	c.stats.count(&c.stats.Reads, c.name(f))
	switch {
	case f.internal() || f.Records != nil:
		return status(swWrongType)
	case cmd.le < 0 || len(cmd.data) > 0:
		return status(swLength)
	case !c.allowed(f):
		return status(swSecurity)
	case offset >= len(f.Data):
		return status(swOffset)
	}
	return answer(f.Data[offset:min(offset+cmd.le, len(f.Data))])
}

// readRecord reads by number (P2 = short id << 3 | 4, or 04 for the current file).
func (c *Card) readRecord(cmd command) []byte {
	if cmd.p2&0x07 != 0x04 {
		return status(swParameters)
	}
	f := c.current
	if id := cmd.p2 >> 3; id != 0 {
		var sw uint16
		if f, sw = c.short(id); sw != 0 {
			return status(sw)
		}
	}
	if f == nil {
		return status(swNoCurrentEF)
	}
	c.stats.count(&c.stats.Reads, c.name(f))
	switch {
	case f.Records == nil:
		return status(swWrongType)
	case cmd.le < 0 || len(cmd.data) > 0:
		return status(swLength)
	case !c.allowed(f):
		return status(swSecurity)
	case cmd.p1 == 0 || int(cmd.p1) > len(f.Records):
		return status(swNoRecord)
	}
	r := f.Records[cmd.p1-1]
	return answer(r[:min(cmd.le, len(r))])
}

func (c *Card) challenge(cmd command) []byte {
	switch {
	case cmd.p1 != 0 || cmd.p2 != 0:
		return status(swParameters)
	case cmd.extended:
		return status(swConditions)
	case cmd.le < 0 || len(cmd.data) > 0:
		return status(swLength)
	}
	b := make([]byte, cmd.le)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return answer(b)
}

// getData finds the objects of the master file. A length wanted that is too short for the object is 6700, as cards
// answer for objects of more than 256 bytes; that they do so for shorter ones is assumed.
func (c *Card) getData(cmd command) []byte {
	tag := uint16(cmd.p1)<<8 | uint16(cmd.p2)
	for _, o := range c.layout.Objects {
		switch {
		case o.Tag != tag || (!o.Anywhere && !c.onMaster()):
		case cmd.le < len(o.Data) || len(cmd.data) > 0:
			return status(swLength)
		default:
			return answer(o.Data)
		}
	}
	return status(swNoObject)
}
