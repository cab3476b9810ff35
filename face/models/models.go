// Package models is the manifest of the face networks: which files there are, their sizes and their SHA-256. It is pure
// Go, so that a tool can check a folder of models without the library that runs them. Only face/opencv and daemon/...
// may import it.
package models

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// UnknownError reports a weight file whose bytes are not those of the manifest. They are refused: a network nobody has
// measured decides nothing.
type UnknownError struct{ File string }

func (e *UnknownError) Error() string {
	return fmt.Sprintf("face model %s: its SHA-256 is not in the manifest, so it is refused", e.File)
}

// MissingError reports a weight file that cannot be read.
type MissingError struct {
	File string
	Err  error
}

func (e *MissingError) Error() string { return fmt.Sprintf("face model %s: %v", e.File, e.Err) }

// Unwrap gives the cause, for errors.Is(err, fs.ErrNotExist).
func (e *MissingError) Unwrap() error { return e.Err }

// Model is one line of the manifest.
type Model struct {
	File string
	Size int64  // bytes
	Sum  string // SHA-256, hex
}

// Manifest lists the files that the engine knows, in the order detector, recogniser, anti-spoofing 2.7 and 4.0.
//
// Origin and licence: YuNet of ShiqiYu/libfacedetection.train (Apache-2.0), Intel Open Model Zoo
// face-reidentification-retail-0095 (Apache-2.0), MiniFASNet of minivision-ai/Silent-Face-Anti-Spoofing
// (Apache-2.0), the last three converted to ONNX.
func Manifest() [4]Model {
	return [4]Model{
		{"yunet_n_320_320.onnx", 317434, "81dbde155e982455488235acb8ec2dec5d647edf7cf7080d33e4abb69b93a0d2"},
		{"face-reidentification-retail-0095.onnx", 4446015, "035b5c7bfd4358ecf136aea7767d9b6a7da59bdbc9fdc00a55ce9d370a330a59"},
		{"minifasnet_v2_2.7_80x80.onnx", 1737916, "386910686885782867883030365f8f6d7bfb581d869fe73dc529d95cd15238ad"},
		{"minifasnet_v1se_4.0_80x80.onnx", 1736243, "92a7da0d540253e671afce5545131c3adbe570b6066fe2ed18f12294da23cf16"},
	}
}

// Name names the manifest as a calibration names what it was measured with.
func Name() string {
	m := Manifest()
	return fmt.Sprintf("yunet-n:%s intel-0095:%s minifasnet:%s+%s", m[0].Sum[:8], m[1].Sum[:8], m[2].Sum[:8], m[3].Sum[:8])
}

// Load reads the files and checks each against the manifest before any library sees a byte of it. Errors:
// *UnknownError, *MissingError.
func Load(dir string) ([4][]byte, error) {
	var out [4][]byte
	for i, m := range Manifest() {
		b, err := readCapped(filepath.Join(dir, m.File), m.Size)
		if err != nil {
			return out, &MissingError{File: m.File, Err: err}
		}
		sum := sha256.Sum256(b)
		if subtle.ConstantTimeCompare([]byte(hex.EncodeToString(sum[:])), []byte(m.Sum)) != 1 {
			return out, &UnknownError{File: m.File}
		}
		out[i] = b
	}
	return out, nil
}

// readCapped reads at most one byte more than size, enough to see that the file is not the one expected.
func readCapped(path string, size int64) ([]byte, error) {
	f, err := os.Open(filepath.Clean(path))
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // read only
	return io.ReadAll(io.LimitReader(f, size+1))
}
