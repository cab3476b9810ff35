package push

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
)

// Guard knows the one Host and the one Origin that a listener answers to. There is no switch to turn it off.
type Guard struct {
	Host   string // e.g. "127.0.0.1:18080"
	Origin string // e.g. "http://127.0.0.1:18080"
}

// Check answers the request itself and gives false when it does not come from our own page: 421 for a foreign
// Host (DNS rebinding), 403 for a foreign, null or, on a websocket, missing Origin, 405 for anything but reading.
func (g Guard) Check(w http.ResponseWriter, r *http.Request, websocket bool) bool {
	origin, has := r.Header["Origin"]
	switch site := r.Header.Get("Sec-Fetch-Site"); {
	case r.Host != g.Host:
		w.WriteHeader(http.StatusMisdirectedRequest)
	case has && (len(origin) != 1 || origin[0] != g.Origin), websocket && !has:
		w.WriteHeader(http.StatusForbidden)
	case site != "" && site != "same-origin" && site != "none":
		w.WriteHeader(http.StatusForbidden)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		w.WriteHeader(http.StatusMethodNotAllowed)
	default:
		return true
	}
	return false
}

// Headers sets the headers that every response carries. nonce is for the scripts of an HTML page, empty otherwise.
func Headers(h http.Header, nonce string) {
	script := "'none'"
	if nonce != "" {
		script = "'nonce-" + nonce + "'"
	}
	h.Set("Content-Security-Policy", "default-src 'none'; script-src "+script+"; style-src 'self'; "+
		"img-src 'self' blob:; font-src 'self'; connect-src 'self'; media-src 'self'; base-uri 'none'; "+
		"form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types kiosk")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=()")
}

// NewKey makes a random key of 128 bits, KeySize characters of base64url.
func NewKey() string {
	var raw [16]byte
	_, _ = rand.Read(raw[:]) // never fails: crypto/rand ends the process instead
	return base64.RawURLEncoding.EncodeToString(raw[:])
}

// KeyHash is what is kept of a key.
type KeyHash [sha256.Size]byte

// HashKey hashes a key.
func HashKey(key []byte) KeyHash { return sha256.Sum256(key) }

// Equal compares in constant time. The zero hash equals nothing.
func (h KeyHash) Equal(other KeyHash) bool {
	return h != KeyHash{} && subtle.ConstantTimeCompare(h[:], other[:]) == 1
}
