package doctor_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"madoguchi/daemon/doctor"
	"madoguchi/storage/queue"
	"madoguchi/storage/storagetest"
)

// joined shows the real files below one folder, and the world's elsewhere.
type joined struct {
	tree
	real string
}

func (j joined) at(name string) doctor.Files {
	if name == j.real || strings.HasPrefix(name, j.real+"/") {
		return doctor.Machine{}
	}
	return &j.tree
}

func (j joined) Stat(name string) (doctor.Info, error)  { return j.at(name).Stat(name) }
func (j joined) Lstat(name string) (doctor.Info, error) { return j.at(name).Lstat(name) }
func (j joined) Read(name string, most int64) ([]byte, error) {
	return j.at(name).Read(name, most)
}
func (j joined) List(dir string) ([]string, error)         { return j.at(dir).List(dir) }
func (j joined) Resolve(name string) (string, error)       { return j.at(name).Resolve(name) }
func (j joined) Disk(name string) (d doctor.Disk, e error) { return j.tree.Disk(name) } // that of the test may be a tmpfs

// The names and forms that the doctor knows of the queue are those that the queue writes: beside an open one.
func TestRealQueue(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	q, err := queue.Open(filepath.Join(dir, "queue"), queue.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = q.Close() }()
	k, err := storagetest.NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for seq := range uint64(3) {
		e, err := k.Envelope(storagetest.NewID(), seq+1, 5000)
		if err != nil {
			t.Fatal(err)
		}
		if err := q.Put(e); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, e.Header.ID)
	}
	if err := q.Shelve(ids[1], "code"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "queue/index.db.broken-20261122T000000Z"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, newPKI(t))
	w.stopped()
	w.cfg.Kiosk.StateDir = dir
	w.put("/etc/passwd", fmt.Sprintf("madoguchi-kiosk:x:%d:990::/:/bin/false\n", os.Geteuid()))
	w.own("/run/madoguchi-kiosk/control.sock", 0o600, uint32(os.Geteuid()), daemon)  //nolint:gosec // a uid
	w.own("/run/madoguchi-kiosk/launcher.sock", 0o600, uint32(os.Geteuid()), daemon) //nolint:gosec // a uid
	i := w.files["/run/madoguchi-kiosk"]
	i.UID = uint32(os.Geteuid()) //nolint:gosec // a uid
	w.files["/run/madoguchi-kiosk"] = i
	w.probes.Files = joined{w.tree, dir}
	all := w.examine()
	want := []string{"kioskd-stopped note", "set-aside bad", "shelf-not-empty bad", "unit-stopped bad"}
	if diff := cmp.Diff(want, complaints(all)); diff != "" {
		t.Errorf("%s\n%+v", diff, all)
	}
	for _, f := range all {
		if f.Code == "queue-sealed" && !strings.HasPrefix(f.Text, "3 records") {
			t.Errorf("got %q", f.Text)
		}
		if f.Code == "set-aside" && !strings.Contains(f.Cure, dir+"/queue/index.db.broken-20261122T000000Z") {
			t.Errorf("the cure names no file: %q", f.Cure)
		}
	}
}

// The kernel answers without rights, and changes nothing.
func TestKernelClock(t *testing.T) {
	c, err := doctor.KernelClock()
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatalf("adjtimex(2) is not allowed here: %v", err)
	}
	if err != nil {
		t.Skipf("SKIPPED LOUDLY: adjtimex(2) is not allowed here: %v", err)
	}
	if c.MaxError < 0 {
		t.Errorf("got %v", c.MaxError)
	}
}
