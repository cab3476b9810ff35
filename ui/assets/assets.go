// Package assets holds the style sheets and scripts of our pages, embedded and served under names that carry a
// digest. No build step and no node: link.js, kiosk.js and console.js are read as they are, idiomorph.min.js is
// version 0.8.0 (0BSD, idiomorph.LICENSE), and the colours of the style sheets are values of the Digital Agency's
// design tokens 1.1.9 (MIT, design-tokens.LICENSE). Only ui/hub, ui/console and daemon/hq pages may import it.
package assets

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"path"
	"strings"
)

//go:embed files
var files embed.FS

// Prefix is the path under which assets are served.
const Prefix = "/a/"

// Set is the assets by served path.
type Set struct {
	paths map[string]string // name -> path
	bytes map[string][]byte // path -> content
}

// New reads the embedded files.
func New() *Set {
	s := &Set{paths: map[string]string{}, bytes: map[string][]byte{}}
	list, err := files.ReadDir("files")
	if err != nil {
		return s // cannot be: the directory is embedded
	}
	for _, f := range list {
		b, err := files.ReadFile("files/" + f.Name())
		if err != nil {
			continue
		}
		sum := sha256.Sum256(b)
		ext := path.Ext(f.Name())
		p := Prefix + strings.TrimSuffix(f.Name(), ext) + "." + hex.EncodeToString(sum[:6]) + ext
		s.paths[f.Name()], s.bytes[p] = p, b
	}
	return s
}

// Path gives the path of a file by its plain name, empty when there is none.
func (s *Set) Path(name string) string { return s.paths[name] }

// Serve answers a request for an asset, or 404.
func (s *Set) Serve(w http.ResponseWriter, p string) {
	b, ok := s.bytes[p]
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", mime(p))
	_, _ = w.Write(b)
}

func mime(p string) string {
	switch path.Ext(p) {
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	}
	return "application/octet-stream"
}
