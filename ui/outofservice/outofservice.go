// Package outofservice is the page that stands at the kiosk's addresses while kioskd cannot: a few words in Japanese and
// English, embedded, without a session, a device or a setting. The page that is already open is told to load it, and it
// loads kioskd's page as soon as that answers again. Only daemon/kiosk may import it.
package outofservice

import (
	"embed"
	"net/http"
	"time"

	"madoguchi/ui/push"
)

//go:embed files
var files embed.FS

// longest frame that an open page sends first; it is read and dropped.
const longest = 4096

// stub is a screen that an open page can take in; the next frame makes it load the whole page.
const stub = `<div id="app" class="app s0 c0" lang="ja" data-view="out-of-service"></div>`

// Handler answers at one address, e.g. "127.0.0.1:18080". The staff's page names the command that shows the cause.
func Handler(host string, staff bool) http.Handler {
	name := "files/customer.html"
	if staff {
		name = "files/staff.html"
	}
	guard := push.Guard{Host: host, Origin: "http://" + host}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		nonce := ""
		if r.URL.Path == "/" {
			nonce = push.NewKey()
		}
		push.Headers(w.Header(), nonce)
		socket := r.URL.Path == "/ws"
		if !guard.Check(w, r, socket) {
			return
		}
		switch r.URL.Path {
		case "/":
			page(w, name, nonce)
		case "/ws":
			tell(w, r)
		case "/out-of-service.css":
			send(w, "text/css; charset=utf-8", "files/page.css")
		case "/out-of-service.js":
			send(w, "text/javascript; charset=utf-8", "files/page.js")
		default:
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
}

func page(w http.ResponseWriter, name, nonce string) {
	b, err := files.ReadFile(name)
	if err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(http.StatusServiceUnavailable) // the script looks for anything better
	_, _ = w.Write(b)
	_, _ = w.Write([]byte(`<script src="/out-of-service.js" nonce="` + nonce + `"></script>` + "\n</body>\n</html>\n"))
}

func send(w http.ResponseWriter, mime, name string) {
	b, err := files.ReadFile(name)
	if err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", mime)
	_, _ = w.Write(b)
}

// tell makes a page of kioskd's load this one. A page loads itself anew when the daemon's boot id changes; one that has
// seen no screen yet knows no boot id, so it gets two.
func tell(w http.ResponseWriter, r *http.Request) {
	conn, err := push.Upgrade(w, r, longest)
	if err != nil {
		return
	}
	defer conn.Close(push.CloseDone, "out of service")
	conn.ReadTimeout(push.AuthTimeout)
	var first [longest]byte
	_, err = conn.Read(first[:])
	clear(first[:]) // it holds the session's secret
	if err != nil {
		return
	}
	for _, boot := range []string{"out-of-service-1", "out-of-service-2"} {
		if conn.Write(false, push.Down{Boot: boot, Screen: "out-of-service", HTML: []byte(stub)}.Encode(), time.Second) != nil {
			return
		}
	}
	_, _ = conn.Read(first[:]) // until the page has gone, or the time is over
}
