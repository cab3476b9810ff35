package tlv

// Simple is one object of JICSAP simple TLV (ISO/IEC 7816-4, 5.2.1): a tag of one byte, 01 to FE, and a length of
// one byte, or of FF and two bytes. Value is a part of the input.
type Simple struct {
	Tag   byte
	Value []byte
}

// AllSimple reads the objects that make up b, one after the other. Trailing FF are filler.
func AllSimple(b []byte) ([]Simple, error) {
	var out []Simple
	for len(b) > 0 && !isFiller(b) {
		if len(out) == maxObjects || b[0] == 0 || b[0] == filler {
			return nil, ErrMalformed
		}
		length, header, err := simpleLength(b)
		if err != nil {
			return nil, err
		}
		end := header + length
		if end > len(b) {
			return nil, ErrTruncated
		}
		out = append(out, Simple{Tag: b[0], Value: b[header:end:end]})
		b = b[end:]
	}
	return out, nil
}

// simpleLength reads the length that follows the tag, and gives the size of tag and length.
func simpleLength(b []byte) (length, header int, err error) {
	if len(b) < 2 {
		return 0, 0, ErrTruncated
	}
	if b[1] != 0xFF {
		return int(b[1]), 2, nil
	}
	if len(b) < 4 {
		return 0, 0, ErrTruncated
	}
	return int(b[2])<<8 | int(b[3]), 4, nil
}
