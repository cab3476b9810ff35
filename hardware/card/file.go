package card

import (
	"context"
	"errors"
	"time"

	"madoguchi/hardware/apdu"
	"madoguchi/hardware/tlv"
)

// The limits of reading one file, so that a hostile card ends.
const (
	maxFile   = 0x8000 + apdu.MaxShort // the 15-bit offset of READ BINARY ends here
	maxChunks = 600

	smallAnswer = 512 // larger ones are slow at 106 kbit/s for good reason
)

// now is the injected clock, the zero time without one.
func (c *Card) now() time.Time {
	if c.opt.Now == nil {
		return time.Time{}
	}
	return c.opt.Now()
}

// sfi is the short id of a file in this generation.
func (c *Card) sfi(f file) byte {
	e, _ := c.profile.entry(f)
	return e.SFI
}

// readObject selects the application of a file where needed and reads its one BER-TLV object, without filler. The
// bytes belong to the caller, who wipes Raw. A fixed size that does not fit is ErrMalformed.
func (c *Card) readObject(ctx context.Context, f file) (tlv.Object, error) {
	e, ok := c.profile.entry(f)
	if !ok {
		return tlv.Object{}, ErrNotFound
	}
	if err := c.selectApp(ctx, e.app); err != nil {
		return tlv.Object{}, err
	}
	raw, err := c.readFile(ctx, e.SFI, func(b []byte) (int, error) {
		got, _, size, err := tlv.Header(b)
		switch {
		case errors.Is(err, tlv.ErrTruncated):
			return len(b) + 1, nil // not even the header yet
		case err != nil || got != e.Tag || size > apdu.MaxExtended:
			return 0, ErrMalformed
		}
		return size, nil
	})
	if err != nil {
		return tlv.Object{}, err
	}
	object, err := tlv.First(raw)
	if err != nil {
		clear(raw)
		return tlv.Object{}, ErrMalformed
	}
	return object, nil
}

// readSet is readObject split into its parts. file is the whole object, to be wiped by the caller.
func (c *Card) readSet(ctx context.Context, f file) (set tlv.Set, file tlv.Object, err error) {
	if file, err = c.readObject(ctx, f); err != nil {
		return tlv.Set{}, file, err
	}
	if set, err = tlv.Children(file.Value); err != nil {
		clear(file.Raw)
		return tlv.Set{}, tlv.Object{}, ErrMalformed
	}
	return set, file, nil
}

// readHead reads the first bytes of a small file, up to n <= 256, by one short command that asks for exactly n. A
// file that is shorter gives what it has.
func (c *Card) readHead(ctx context.Context, f file, n int) ([]byte, error) {
	e, ok := c.profile.entry(f)
	if !ok {
		return nil, ErrNotFound
	}
	if err := c.selectApp(ctx, e.app); err != nil {
		return nil, err
	}
	return c.read(ctx, 0x80|e.SFI, 0, n)
}

// readFile reads a file by short EF id: by one extended command where that works, else in chunks of 256 bytes.
// size says from the bytes read so far how long the file is; what lies behind is cut off.
func (c *Card) readFile(ctx context.Context, sfi byte, size func([]byte) (int, error)) ([]byte, error) {
	first, err := c.readFirst(ctx, sfi)
	if err != nil {
		return nil, err
	}
	buf := first
	for chunk := 0; ; chunk++ {
		want, err := size(buf)
		if err == nil && len(buf) >= want {
			clear(buf[want:])
			return buf[:want:want], nil
		}
		if err == nil && (want > maxFile || len(buf) >= 0x8000 || chunk >= maxChunks) {
			err = ErrMalformed
		}
		if err == nil {
			buf, err = c.readMore(ctx, buf, want)
		}
		if err != nil {
			clear(buf)
			return nil, err
		}
	}
}

// readFirst selects and reads the file by its short EF id. It falls back to the short form, for good, when the
// extended one is refused by a status word or by the transport and the short one then works.
func (c *Card) readFirst(ctx context.Context, sfi byte) ([]byte, error) {
	if c.short {
		return c.read(ctx, 0x80|sfi, 0, apdu.MaxShort)
	}
	started := c.now()
	data, err := c.read(ctx, 0x80|sfi, 0, apdu.MaxExtended)
	if err == nil && len(data) <= smallAnswer && c.opt.SlowAfter > 0 && c.now().Sub(started) > c.opt.SlowAfter {
		c.short = true // a reader that chains extended commands badly: the answer stands, the next one is short
	}
	refused := errors.Is(err, apdu.ErrLength) || errors.Is(err, apdu.ErrUnspecific)
	answered := err == nil || isStatus(err) || errors.Is(err, ErrMalformed)
	if answered && !refused || ctx.Err() != nil {
		return data, err
	}
	short, shortErr := c.read(ctx, 0x80|sfi, 0, apdu.MaxShort)
	if shortErr == nil {
		c.short = true
		return short, nil
	}
	if !refused {
		return nil, &ExtendedError{Err: err}
	}
	return nil, shortErr
}

// readMore appends one chunk at the end of buf, which has want bytes in the end. No progress is ErrMalformed.
func (c *Card) readMore(ctx context.Context, buf []byte, want int) ([]byte, error) {
	le := min(want-len(buf), apdu.MaxShort)
	data, err := c.read(ctx, byte(len(buf)>>8), byte(len(buf)), le)
	if errors.Is(err, apdu.ErrEOF) {
		err = ErrMalformed // the file ends before its TLV does
	}
	if err != nil {
		return buf, err
	}
	if len(buf)+len(data) > cap(buf) { // grow once to the final size, and leave nothing behind
		bigger := make([]byte, len(buf), want+apdu.MaxShort)
		copy(bigger, buf)
		clear(buf)
		buf = bigger
	}
	buf = append(buf, data...)
	clear(data)
	return buf, nil
}

// read sends one READ BINARY. An answer without data is ErrMalformed.
func (c *Card) read(ctx context.Context, p1, p2 byte, le int) ([]byte, error) {
	resp, err := c.send(ctx, apdu.Command{INS: 0xB0, P1: p1, P2: p2, Le: le})
	if err != nil {
		return nil, err
	}
	if resp.SW != apdu.EndOfFile {
		if err := refusal(resp); err != nil {
			return nil, err
		}
	}
	if len(resp.Data) == 0 {
		return nil, ErrMalformed
	}
	if len(resp.Data) > le {
		clear(resp.Data[le:])
		resp.Data = resp.Data[:le]
	}
	return resp.Data, nil
}
