package assets_test

import (
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"madoguchi/ui/assets"
)

func TestAssetsAreServedUnderHashedNames(t *testing.T) {
	s := assets.New()
	hashed := regexp.MustCompile(`^/a/[a-z.]+\.[0-9a-f]{12}\.(css|js|svg)$`)
	for name, mime := range map[string]string{
		"kiosk.css": "text/css", "console.css": "text/css", "link.js": "text/javascript", "kiosk.js": "text/javascript",
		"console.js": "text/javascript", "idiomorph.min.js": "text/javascript", "favicon.svg": "image/svg+xml",
	} {
		p := s.Path(name)
		if !hashed.MatchString(p) {
			t.Errorf("%s has the path %q", name, p)
		}
		w := httptest.NewRecorder()
		s.Serve(w, p)
		if w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), mime) || w.Body.Len() < 100 {
			t.Errorf("%s: %d %v, %d bytes", name, w.Code, w.Header(), w.Body.Len())
		}
		for _, never := range []string{"eval(", "new Function", "document.write", "localStorage", "document.cookie"} {
			if strings.Contains(w.Body.String(), never) {
				t.Errorf("%s uses %s", name, never)
			}
		}
	}
	if s.Path("missing.js") != "" {
		t.Error("a missing file has a path")
	}
	w := httptest.NewRecorder()
	s.Serve(w, "/a/../assets.go")
	if w.Code != 404 {
		t.Errorf("got %d", w.Code)
	}
}
