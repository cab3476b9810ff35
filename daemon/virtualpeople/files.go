package main

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"

	"madoguchi/face/jp2"
	"madoguchi/internal/portrait"
)

// cardFile is the face as a card holds it: grey JPEG 2000.
func cardFile(p *portrait.Params) ([]byte, error) {
	return jp2.Encode(p.Card(cardWidth, cardHeight), cardRatio)
}

func jpegFile(img image.Image) ([]byte, error) {
	var b bytes.Buffer
	err := jpeg.Encode(&b, img, &jpeg.Options{Quality: jpegQuality})
	return b.Bytes(), err
}

// writeAll writes every file of every person; profiles are written by hand.
func writeAll(dir, font string) error {
	words, err := newLettering(font)
	if err != nil {
		return err
	}
	for _, who := range people() {
		p := portrait.New(who.seed, who.kind)
		if who.card {
			if err := writeCard(filepath.Join(dir, who.id), p, words); err != nil {
				return fmt.Errorf("%s: %w", who.id, err)
			}
		}
		if err := writeFrames(filepath.Join(dir, who.id), views(who.seed), p.Live); err != nil {
			return fmt.Errorf("%s: %w", who.id, err)
		}
		if who.id == attackOf {
			if err := writeFrames(filepath.Join(dir, attackFolder), views(who.seed), p.Phone); err != nil {
				return fmt.Errorf("%s: %w", attackFolder, err)
			}
		}
	}
	return nil
}

func writeFrames(dir string, all []portrait.View, draw func(portrait.View) *image.RGBA) error {
	for i, v := range all {
		b, err := jpegFile(draw(v))
		if err != nil {
			return err
		}
		if len(b) > 60_000 {
			return fmt.Errorf("frame %d has %d bytes", i, len(b))
		}
		if err := save(dir, fmt.Sprintf("live-%d.jpg", i), b); err != nil {
			return err
		}
	}
	return nil
}

func writeCard(dir string, p *portrait.Params, words *lettering) error {
	face, err := cardFile(p)
	if err != nil {
		return err
	}
	if err := save(dir, "face.jp2", face); err != nil {
		return err
	}
	profile, err := readProfile(dir)
	if err != nil {
		return err
	}
	for name, img := range map[string]*image.Gray{
		"name.png":    words.lines(profile.Name, 18, 200),
		"address.png": words.lines(profile.Address, 16, 260),
		"code.png":    words.lines(profile.SecurityCode, 11, 40),
	} {
		b, err := bilevel(img)
		if err != nil {
			return err
		}
		if err := save(dir, name, b); err != nil {
			return err
		}
	}
	return nil
}

func save(dir, name string, b []byte) error {
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // committed, public files
		return err
	}
	return os.WriteFile(filepath.Join(dir, name), b, 0o644) //nolint:gosec // committed, public files
}
