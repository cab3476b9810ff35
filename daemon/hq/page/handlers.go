package page

import (
	"bytes"
	"errors"
	"image"
	"image/png"
	"net/http"
	"strconv"

	"madoguchi/daemon/hq/opener"
	"madoguchi/daemon/hq/opener/finding"
	"madoguchi/daemon/hq/store"
	"madoguchi/daemon/hq/viewlog"
	"madoguchi/internal/secret"
	"madoguchi/storage/record"
)

// maxPixels bounds the images of the card that are decoded.
const maxPixels = 4 << 20

// list is the first page: the records, or the sign-in.
func (s *server) list(w http.ResponseWriter, r *http.Request) {
	if _, ok := s.sessions.viewer(r); !ok {
		s.render(w, r, signInPage(s.frame(w, r, "sign-in"))) //nolint:contextcheck // components get the context in Render
		return
	}
	n, _ := strconv.Atoi(r.URL.Query().Get("page"))
	n = max(n, 0)
	rows, err := s.Store.List(r.Context(), perPage+1, n*perPage)
	if err != nil {
		s.fault(w, "list", err)
		return
	}
	gaps, err := s.Store.Gaps(r.Context())
	if err != nil {
		s.fault(w, "gaps", err)
		return
	}
	v := listView{frame: s.frame(w, r, "records"), Page: n, Gaps: gaps, Rows: rows, Found: map[string]*finding.Finding{}}
	if len(rows) > perPage {
		v.Rows, v.More = rows[:perPage], true
	}
	for _, row := range v.Rows {
		f, err := s.found(r.Context(), row.Device, row.ID)
		if err != nil {
			s.fault(w, "finding", err)
			return
		}
		v.Found[row.Device+"/"+row.ID] = f
	}
	s.render(w, r, listPage(v)) //nolint:contextcheck // components get the context in Render
}

// listView is the list of records.
type listView struct {
	frame
	Rows []store.Row
	Gaps []store.Gap
	Page int
	More bool
	// Found are the findings by device/id; nil: none yet.
	Found map[string]*finding.Finding
}

// recordView is one record opened.
type recordView struct {
	frame
	*opener.Opened
	Views   []viewlog.View
	Found   *finding.Finding // nil: none yet
	Kakunin bool             // it has a page of its own
}

// open logs the view first and then opens: nothing is shown that was not logged. It answers the request itself when
// there is nothing to show.
func (s *server) open(w http.ResponseWriter, r *http.Request, viewer, what string, parts ...record.Part) (*opener.Opened, bool) {
	dev, id := r.PathValue("device"), r.PathValue("id")
	if !record.ValidDevice(dev) || !record.ValidID(id) {
		http.NotFound(w, r)
		return nil, false
	}
	if err := s.Views.Append(r.Context(), viewlog.View{At: s.Now(), Viewer: viewer, Device: dev, Record: id, What: what}); err != nil {
		s.fault(w, "view log", err)
		return nil, false
	}
	o, err := s.Opener.Open(r.Context(), dev, id, parts...)
	if errors.Is(err, store.ErrShredded) {
		http.Error(w, label(language(w, r), "trouble-shredded"), http.StatusGone)
		return nil, false
	}
	if errors.Is(err, store.ErrNotFound) {
		http.NotFound(w, r)
		return nil, false
	}
	if err != nil {
		s.fault(w, "open", err)
		return nil, false
	}
	return o, true
}

func (s *server) record(w http.ResponseWriter, r *http.Request, viewer string) {
	o, ok := s.open(w, r, viewer, "record")
	if !ok {
		return
	}
	defer o.Wipe()
	views, err := s.Views.Of(r.Context(), o.Row.Device, o.Row.ID, 20)
	if err != nil {
		s.fault(w, "view log", err)
		return
	}
	found, err := s.found(r.Context(), o.Row.Device, o.Row.ID)
	if err != nil {
		s.fault(w, "finding", err)
		return
	}
	s.render(w, r, recordPage(recordView{frame: s.frame(w, r, "record"), Opened: o, Views: views, Found: found, Kakunin: s.Kakunin != nil})) //nolint:contextcheck // components get the context in Render
}

// image serves one image of the card as a PNG made here: the bytes of the card never reach a browser's decoder.
func (s *server) image(w http.ResponseWriter, r *http.Request, viewer string) {
	what := r.PathValue("image")
	if what != "face" && what != "name" && what != "address" {
		http.NotFound(w, r)
		return
	}
	o, ok := s.open(w, r, viewer, "image "+what, record.PartImages)
	if !ok {
		return
	}
	defer o.Wipe()
	img, err := s.decode(r, o.Record.Images, what)
	if err != nil {
		http.Error(w, "this image cannot be shown", http.StatusUnsupportedMediaType)
		return
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		s.fault(w, "image", err)
		return
	}
	w.Header().Set("Content-Type", "image/png")
	_, _ = w.Write(b.Bytes())
	clear(b.Bytes())
}

func (s *server) decode(r *http.Request, images *record.Images, what string) (image.Image, error) {
	if images == nil {
		return nil, errors.New("page: no images")
	}
	if what == "face" {
		return s.Face(r.Context(), images.Face.Reveal())
	}
	b := images.Name
	if what == "address" {
		b = images.Address
	}
	return decodePNG(b)
}

func decodePNG(b *secret.Bytes) (image.Image, error) {
	c, err := png.DecodeConfig(bytes.NewReader(b.Reveal()))
	if err != nil || c.Width*c.Height > maxPixels {
		return nil, errors.New("page: not a PNG of reasonable size")
	}
	return png.Decode(bytes.NewReader(b.Reveal()))
}

func (s *server) views(w http.ResponseWriter, r *http.Request, _ string) {
	list, err := s.Views.Newest(r.Context(), 200)
	if err != nil {
		s.fault(w, "view log", err)
		return
	}
	s.render(w, r, viewsPage(viewsView{frame: s.frame(w, r, "views"), Views: list})) //nolint:contextcheck // components get the context in Render
}

// viewsView is the log of views.
type viewsView struct {
	frame
	Views []viewlog.View
}
