package chip

// The status words of the card.
const (
	swOK            = 0x9000
	swNoTry         = 0x63C0
	swSecurity      = 0x6982
	swNoSecureForm  = 0x6882
	swWrongType     = 0x6981
	swBlocked       = 0x6984
	swConditions    = 0x6985
	swNoCurrentEF   = 0x6986
	swObjectMissing = 0x6987 // of secure messaging
	swObjectWrong   = 0x6988
	swNoSession     = 0x69FC // secure messaging without a session key
	swNoEnvironment = 0x66F1 // nothing configured that could take a session key
	swLength        = 0x6700
	swChannel       = 0x6881
	swData          = 0x6A80
	swNoFile        = 0x6A82
	swNoRecord      = 0x6A83
	swParameters    = 0x6A86
	swNoObject      = 0x6A88
	swOffset        = 0x6B00
	swInstruction   = 0x6D00
	swClass         = 0x6E00
	swNoDiagnosis   = 0x6F00
	maxShortLength  = 256
	maxLength       = 65536
)

// The instructions that also exist under secure messaging, and its class.
const (
	insVerify   = 0x20
	insSelect   = 0xA4
	insRead     = 0xB0
	classSecure = 0x08
)

// command is a parsed command APDU. le is -1 when no answer data is expected.
type command struct {
	cla, ins, p1, p2 byte
	data             []byte
	le               int
	extended         bool
}

// parse cuts a command APDU in its seven forms (ISO 7816-3, 12.1.3).
func parse(b []byte) (command, bool) {
	if len(b) < 4 {
		return command{}, false
	}
	c := command{cla: b[0], ins: b[1], p1: b[2], p2: b[3], le: -1}
	body := b[4:]
	switch {
	case len(body) == 0:
		return c, true
	case len(body) == 1:
		c.le = orMax(int(body[0]), maxShortLength)
		return c, true
	case body[0] != 0:
		lc := int(body[0])
		return c.withData(body[1:], lc, 1)
	case len(body) < 3:
		return command{}, false
	}
	c.extended = true
	n := int(body[1])<<8 | int(body[2])
	if len(body) == 3 {
		c.le = orMax(n, maxLength)
		return c, true
	}
	if n == 0 {
		return command{}, false
	}
	return c.withData(body[3:], n, 2)
}

// withData takes lc bytes of data and an optional Le of width bytes.
func (c command) withData(body []byte, lc, width int) (command, bool) {
	if len(body) < lc {
		return command{}, false
	}
	c.data = body[:lc]
	switch rest := body[lc:]; {
	case len(rest) == 0:
	case len(rest) != width:
		return command{}, false
	case width == 1:
		c.le = orMax(int(rest[0]), maxShortLength)
	default:
		c.le = orMax(int(rest[0])<<8|int(rest[1]), maxLength)
	}
	return c, true
}

func orMax(n, most int) int {
	if n == 0 {
		return most
	}
	return n
}

// status is an answer without data.
func status(sw uint16) []byte { return []byte{byte(sw >> 8), byte(sw)} }

// answer is data followed by 9000.
func answer(data []byte) []byte {
	out := make([]byte, 0, len(data)+2)
	out = append(out, data...)
	return append(out, 0x90, 0x00)
}
