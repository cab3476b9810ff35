package apdu

import "context"

// The limits of a chained answer, so that an evil card ends.
const (
	maxChained = MaxExtended + MaxShort
	maxRounds  = 300

	insVerify = 0x20
)

// Transport sends one encoded command and returns the response with its status word.
type Transport interface {
	Transmit(ctx context.Context, command []byte) ([]byte, error)
}

// Transmit encodes and sends c. It fetches the rest of an answer announced by 61xx (GET RESPONSE) and repeats a
// command once with the length the card corrects by 6Cxx. A command without Le and a VERIFY of any form are never
// repeated: no credential is ever sent twice, and the query 00 20 00 xx 00 never becomes a header with a length that
// a T=0 card would take for that of a PIN. The encoded command, which may hold a PIN, is wiped before Transmit returns.
//
// An error is the transport's own, ErrCommand or ErrResponse; a status word is not an error here, see
// Response.Err.
func Transmit(ctx context.Context, t Transport, c Command) (Response, error) {
	resp, err := once(ctx, t, c)
	if err == nil && resp.SW>>8 == 0x6C && c.Le > 0 && c.INS != insVerify {
		c.Le, c.Extended = lengthOf(resp.SW), false
		resp, err = once(ctx, t, c)
	}
	if err != nil || resp.SW>>8 != 0x61 {
		return resp, err
	}
	return rest(ctx, t, c.CLA, resp)
}

// once sends one command and wipes its encoding.
func once(ctx context.Context, t Transport, c Command) (Response, error) {
	b, err := c.Bytes()
	if err != nil {
		return Response{}, err
	}
	defer clear(b)
	raw, err := t.Transmit(ctx, b)
	if err != nil {
		return Response{}, err
	}
	return Parse(raw)
}

// rest collects the announced rest of an answer. A round without data, too many rounds or too many bytes are
// ErrResponse.
func rest(ctx context.Context, t Transport, cla byte, first Response) (Response, error) {
	all := append([]byte(nil), first.Data...)
	clear(first.Data)
	sw := first.SW
	for round := 0; sw>>8 == 0x61; round++ {
		get := Command{CLA: cla, INS: 0xC0, Le: lengthOf(sw)}
		resp, err := once(ctx, t, get)
		if err == nil && resp.SW>>8 == 0x6C {
			get.Le = lengthOf(resp.SW)
			resp, err = once(ctx, t, get)
		}
		if err != nil {
			clear(all)
			return Response{}, err
		}
		more := resp.SW>>8 == 0x61
		if more && len(resp.Data) == 0 || round >= maxRounds || len(all)+len(resp.Data) > maxChained {
			clear(all)
			return Response{}, ErrResponse
		}
		all = grow(all, resp.Data)
		clear(resp.Data)
		sw = resp.SW
	}
	return Response{Data: all, SW: sw}, nil
}

// grow appends like append, but wipes the array it leaves behind.
func grow(all, more []byte) []byte {
	if len(all)+len(more) <= cap(all) {
		return append(all, more...)
	}
	bigger := make([]byte, len(all), 2*(len(all)+len(more)))
	copy(bigger, all)
	clear(all)
	return append(bigger, more...)
}

// lengthOf is the length in the low byte of 61xx and 6Cxx, where 00 means 256.
func lengthOf(sw SW) int {
	if n := int(sw & 0xFF); n != 0 {
		return n
	}
	return MaxShort
}
