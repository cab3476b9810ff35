package push

import (
	"net/http"
	"strconv"
	"sync"

	"madoguchi/internal/secret"
)

// maxImages bounds the store: a session shows a handful.
const maxImages = 64

// Images holds pictures under random handles for as long as a screen shows them. It is safe for concurrent use.
type Images struct {
	mu sync.Mutex
	m  map[string]picture
}

type picture struct {
	mime string
	data *secret.Bytes
}

// NewImages makes an empty store.
func NewImages() *Images { return &Images{m: map[string]picture{}} }

// Put takes ownership of data and gives a handle of 128 bits. It gives the empty handle (no image), and wipes data,
// when the type is not one that browsers show or the store is full.
func (s *Images) Put(mime string, data *secret.Bytes) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if mime != "image/png" && mime != "image/jpeg" || data.Len() == 0 || len(s.m) >= maxImages {
		data.Wipe()
		return ""
	}
	handle := NewKey()
	s.m[handle] = picture{mime, data}
	return handle
}

// Drop wipes the pictures under the handles given, or all when none is given.
func (s *Images) Drop(handles ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(handles) == 0 {
		for h := range s.m {
			handles = append(handles, h)
		}
	}
	for _, h := range handles {
		s.m[h].data.Wipe()
		delete(s.m, h)
	}
}

// Serve answers with the picture, or 404.
func (s *Images) Serve(w http.ResponseWriter, handle string) {
	s.mu.Lock()
	p, ok := s.m[handle]
	data := p.data.Clone() // the original may be wiped while a slow browser reads
	s.mu.Unlock()
	defer data.Wipe()
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", p.mime)
	w.Header().Set("Content-Length", strconv.Itoa(data.Len()))
	_, _ = w.Write(data.Reveal())
}
