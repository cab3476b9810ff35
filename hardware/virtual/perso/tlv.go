package perso

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"slices"
)

// form writes BER-TLV objects. Cards write every length from 128 up as 82 hi lo, even below 256.
type form struct{ minimal bool }

// tlv is one object with a one- or two-byte tag.
func (f form) tlv(tag uint16, parts ...[]byte) []byte {
	var out []byte
	if tag > 0xFF {
		out = append(out, byte(tag>>8))
	}
	out = append(out, byte(tag))
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	switch {
	case n < 0x80:
		out = append(out, byte(n))
	case n < 0x100 && f.minimal:
		out = append(out, 0x81, byte(n))
	default:
		out = append(out, 0x82, byte(n>>8), byte(n))
	}
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

// withOffsets is an outer object that begins with the table DF21 of the file offsets of the objects after it.
func (f form) withOffsets(tag uint16, wrong bool, objects [][]byte) []byte {
	table := make([]byte, 2*len(objects))
	draft := f.tlv(tag, f.tlv(0xDF21, table), bytes.Join(objects, nil))
	offset := len(draft) - len(bytes.Join(objects, nil))
	for i, o := range objects {
		table[2*i], table[2*i+1] = byte(offset>>8), byte(offset)
		if wrong {
			table[2*i], table[2*i+1] = 0x7F, 0xFF
		}
		offset += len(o)
	}
	return f.tlv(tag, f.tlv(0xDF21, table), bytes.Join(objects, nil))
}

// pad fills a file with FF up to the next multiple of n, with two bytes of filler at least.
func pad(b []byte, n int) []byte {
	size := (len(b) + 2 + n - 1) / n * n
	return append(slices.Clip(b), bytes.Repeat([]byte{0xFF}, size-len(b))...)
}

// signature signs SHA-256 of the parts by PKCS #1 v1.5.
func signature(key *rsa.PrivateKey, parts ...[]byte) ([]byte, error) {
	sum := sha256.Sum256(bytes.Join(parts, nil))
	s, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	if err != nil {
		return nil, fmt.Errorf("perso: %w", err)
	}
	return s, nil
}

func hash(parts ...[]byte) []byte {
	sum := sha256.Sum256(bytes.Join(parts, nil))
	return sum[:]
}

// threeHashes is the DigestInfo of 0402/0002: a SHA-256 algorithm id with an octet string of three digests.
func threeHashes(digests ...[]byte) []byte {
	head := []byte{
		0x30, 0x71, 0x30, 0x0D, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00,
		0x04, 0x60,
	}
	return append(head, bytes.Join(digests, nil)...)
}
