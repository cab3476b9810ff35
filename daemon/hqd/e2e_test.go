package main

import (
	"bytes"
	"encoding/json"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"madoguchi/face/jp2"
	"madoguchi/internal/secret"
	"madoguchi/storage/record"
	"madoguchi/storage/storagetest"
)

func revealing() cmp.Option {
	return cmp.Options{cmpopts.EquateEmpty(), cmp.Comparer(func(a, b *secret.Bytes) bool { return bytes.Equal(a.Reveal(), b.Reveal()) })}
}

// withImages gives the record a real JPEG 2000 and a real PNG.
func withImages(t *testing.T, r *record.Record) *record.Record {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, 48, 64))
	for i := range img.Pix {
		img.Pix[i] = uint8(i * 7)
	}
	img.SetGray(3, 3, color.Gray{Y: 255})
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	face, err := jp2.Encode(img, 10)
	if err != nil {
		t.Fatal("encoding a JPEG 2000 image (cgo and libopenjp2-7-dev are needed): ", err)
	}
	r.Images = &record.Images{Name: secret.Copy(b.Bytes()), Address: secret.Copy(b.Bytes()), Face: secret.New(face)}
	return r
}

// opened is the answer of GET /v1/opened/{device}/{id}.
type opened struct {
	Passed   bool              `json:"passed"`
	Verified map[string]string `json:"verified"`
	Virtual  []string          `json:"virtual"`
	States   []struct {
		Part, State string
	} `json:"part_states"`
	Opened map[record.Part]json.RawMessage `json:"opened"`
}

func (p viewer) open(t *testing.T, id string) (opened, *record.Record) {
	t.Helper()
	var o opened
	if err := json.Unmarshal(p.get(t, "/v1/opened/"+storagetest.Device+"/"+id, http.StatusOK), &o); err != nil {
		t.Fatal(err)
	}
	var r record.Record
	for part, b := range o.Opened {
		if err := record.DecodePart(part, b, &r); err != nil {
			t.Fatal(part, err)
		}
	}
	return o, &r
}

func TestFromQueueToOpenedRecord(t *testing.T) {
	h := newHQ(t)
	recv := h.receiver(t, "127.0.0.1:0", "demo")
	p := h.opener(t)
	want := withImages(t, storagetest.Record(storagetest.NewID(), 20000))
	want.MyNumber = &record.MyNumber{Number: secret.New([]byte("123456789018")), Purpose: "payment report"}
	if err := h.outbox.Put(want); err != nil {
		t.Fatal(err)
	}
	outboxFiles(t, filepath.Join(h.dir, "outbox.bbolt"))
	h.uploadUntil(t, h.bundle.URL, sent)

	if diff := cmp.Diff([]string{want.ID}, p.ids(t)); diff != "" {
		t.Fatal(diff)
	}
	o, got := p.open(t, want.ID)
	want.MyNumber = nil // not in the default role
	if diff := cmp.Diff(want, got, revealing()); diff != "" {
		t.Fatal(diff)
	}
	verified := map[string]string{
		"Envelope": "passed", "Digests": "passed", "Signature": "passed", "Receipt": "passed", "Columns": "passed", "Canonical": "passed",
		"Complete": "", // the My Number stayed closed
	}
	if diff := cmp.Diff(verified, o.Verified); diff != "" || !o.Passed {
		t.Fatal(diff)
	}
	if last := o.States[len(o.States)-1]; last.Part != "my_number" || last.State != "no-key" {
		t.Fatalf("got %+v", last)
	}
	lookAtPages(t, p, want.ID)
	judge(t, h, want.ID)
	recv.stop(syscall.SIGTERM)
	noneOf(t, "receiver log", recv.log.Bytes())
}

// lookAtPages looks at the HTML and the images as a viewer would.
func lookAtPages(t *testing.T, p viewer, id string) {
	t.Helper()
	list := string(p.get(t, "/?lang=en", http.StatusOK))
	for _, want := range []string{id, storagetest.Device, `class="tag virtual"`} {
		if !strings.Contains(list, want) {
			t.Errorf("the list lacks %q", want)
		}
	}
	noneOf(t, "list page", []byte(list))
	one := string(p.get(t, "/records/"+storagetest.Device+"/"+id, http.StatusOK))
	for _, want := range []string{storagetest.Name, storagetest.Address, storagetest.Birth, storagetest.CaseRef, `data-verdict="passed"`, "/face\"", "number-b"} {
		if !strings.Contains(one, want) {
			t.Errorf("the record page lacks %q", want)
		}
	}
	for _, what := range []string{"face", "name", "address"} {
		img, err := png.Decode(bytes.NewReader(p.get(t, "/records/"+storagetest.Device+"/"+id+"/"+what, http.StatusOK)))
		if err != nil || img.Bounds().Dx() != 48 || img.Bounds().Dy() != 64 {
			t.Errorf("%s: %v", what, err)
		}
	}
	views := string(p.get(t, "/views", http.StatusOK))
	for _, what := range []string{"json", "record", "image face"} {
		if !strings.Contains(views, "<td>"+what+"</td>") {
			t.Errorf("the view log lacks %q", what)
		}
	}
}

// judge lets sqlite3, which is not our code, look at the database.
func judge(t *testing.T, h *hq, id string) {
	t.Helper()
	db := filepath.Join(h.dir, "store", "records.sqlite")
	for _, f := range []string{db, db + "-wal"} {
		noneOf(t, f, read(t, f))
	}
	if _, err := exec.LookPath("sqlite3"); err != nil {
		missing(t, "sqlite3 (apt-get install sqlite3)")
		return
	}
	out, err := exec.Command("sqlite3", "-readonly", db,
		"PRAGMA integrity_check; SELECT device, id, seq, virtual, parts FROM records").CombinedOutput()
	want := "ok\n" + storagetest.Device + "|" + id + "|1|camera,card,reader,trust|identity,images,evidence,my_number\n"
	if err != nil || !strings.HasPrefix(string(out), want) {
		t.Fatalf("sqlite3: %v\n%s", err, out)
	}
	if out, err := exec.Command("sqlite3", db, "UPDATE records SET device = 'x'").CombinedOutput(); err == nil || !bytes.Contains(out, []byte("never changed")) {
		t.Fatalf("a row could be changed: %s", out)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// noneOf searches for the values planted in the record.
func noneOf(t *testing.T, where string, b []byte) {
	t.Helper()
	for _, c := range append(storagetest.Canaries(), []byte("123456789018")) {
		if bytes.Contains(b, c) {
			t.Errorf("%s holds %q", where, c)
		}
	}
}

// missing skips loudly, or fails where nothing may be skipped.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("missing: %s", what)
	}
	t.Skipf("SKIPPED, missing: %s", what)
}

// outboxFiles searches the kiosk's queue, whatever files it has, for plain text.
func outboxFiles(t *testing.T, dir string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			files++
			noneOf(t, path, read(t, path))
		}
		return err
	})
	if err != nil || files == 0 {
		t.Fatalf("%d files, %v", files, err)
	}
}
