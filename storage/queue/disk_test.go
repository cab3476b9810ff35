package queue_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"madoguchi/storage/queue"
	"madoguchi/storage/wire"
)

// missing skips a test loudly, and fails it where everything has to be there.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("NOT TESTED: %s", what)
	}
	t.Skipf("NOT TESTED: %s", what)
}

// mount mounts a small file system for one test.
func mount(t *testing.T, source, kind, data string, flags uintptr) string {
	t.Helper()
	if os.Getuid() != 0 {
		missing(t, "mounting needs root")
	}
	dir := t.TempDir()
	if err := unix.Mount(source, dir, kind, flags, data); err != nil {
		missing(t, "mounting "+kind+": "+err.Error())
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

// blind are options of a queue whose watermarks see nothing coming.
func blind() queue.Options {
	o := benchOptions()
	o.Now, o.SegmentSize, o.Reserve = options().Now, 1<<20, 1<<20
	return o
}

// hog takes all that is left of a file system, as another program might.
func hog(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "hog")
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for n := 64 << 10; n > 0; n /= 2 {
		for {
			if _, err := f.Write(make([]byte, n)); err != nil {
				break
			}
		}
	}
	return path
}

// TestFullDisk: the disk fills up under the queue. What was acknowledged is there, what was refused is not, the reserved
// blocks took records on a disk that others filled, receipts still free room, and then there is room again.
func TestFullDisk(t *testing.T) {
	dir := mount(t, "tmpfs", "tmpfs", "size=24m", 0)
	k := newKit(t, small())
	k.close(t)
	k.path = filepath.Join(dir, "queue")
	k.reopen(t, blind())
	first := k.put(t, 60<<10)
	kept := map[string]*wire.Envelope{first.Header.ID: first}
	path := hog(t, dir)
	var refused []string
	for len(refused) < 5 && len(kept) < 1000 {
		e := k.envelope(t, 60<<10)
		switch err := k.Put(e); {
		case err == nil:
			kept[e.Header.ID] = e
		case errors.Is(err, queue.ErrFull):
			refused = append(refused, e.Header.ID)
		default:
			t.Fatal(err)
		}
	}
	if len(kept) < 20 || len(refused) < 5 {
		t.Fatalf("%d fitted into the reserved blocks", len(kept))
	}
	if err := k.EnsureRoom(); !errors.Is(err, queue.ErrFull) {
		t.Fatalf("got %v: a kiosk that cannot write takes no customer", err)
	}
	requireLevels(t, k.Queue, len(kept), 0)
	_ = hog(t, dir)
	item, ok, err := k.Peek()
	if !ok || err != nil {
		t.Fatal(err)
	}
	k.drop(t, item.ID, item.Digest) // on a disk that is quite full
	delete(kept, item.ID)
	if item, ok, err = k.Peek(); !ok || err != nil {
		t.Fatal(err)
	}
	if err := k.Shelve(item.ID, "hq-test"); err != nil {
		t.Fatal(err)
	}
	k.reopen(t, blind())
	if k.Stats().Quarantined != "" {
		t.Fatal("a full disk breaks nothing")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	late := k.put(t, 60<<10)
	kept[late.Header.ID] = late
	came, shelf := content(t, k.Queue)
	if len(came)+len(shelf) != len(kept) || len(shelf) != 1 {
		t.Fatalf("%d came and %d were shelved of %d", len(came), len(shelf), len(kept))
	}
	for id, e := range kept {
		if came[id] != e.Digest && shelf[id] == "" {
			t.Errorf("%s is gone", id)
		}
	}
	for _, id := range refused {
		if _, ok := came[id]; ok {
			t.Errorf("%s was refused and came", id)
		}
	}
}

// ext4 makes a file system in a file and mounts it; it gives the name of its device.
func ext4(t *testing.T) (dir, device string, again func()) {
	t.Helper()
	if os.Getuid() != 0 {
		missing(t, "mounting needs root")
	}
	image := filepath.Join(t.TempDir(), "image")
	f, err := os.Create(image)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Truncate(96<<20), f.Close()); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mkfs.ext4", "-q", "-F", image).CombinedOutput(); err != nil {
		missing(t, "mkfs.ext4: "+string(out))
	}
	out, err := exec.Command("losetup", "--find", "--show", image).Output()
	if err != nil {
		missing(t, "losetup: "+err.Error())
	}
	loop := strings.TrimSpace(string(out))
	t.Cleanup(func() { _ = exec.Command("losetup", "--detach", loop).Run() })
	dir = mount(t, loop, "ext4", "errors=remount-ro", 0)
	return dir, filepath.Base(loop), func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mount(loop, dir, "ext4", 0, "errors=remount-ro"); err != nil {
			t.Fatal(err)
		}
	}
}

// TestReadOnlyRemount: the kernel finds the file system damaged and makes it read-only. Nothing is acknowledged from
// then on and no customer is taken; when it is mounted again, all that was acknowledged is there and nothing else.
func TestReadOnlyRemount(t *testing.T) {
	dir, device, again := ext4(t)
	k := newKit(t, small())
	k.close(t)
	k.path = filepath.Join(dir, "queue")
	k.reopen(t, blind())
	a, b := k.put(t, 60<<10), k.put(t, 60<<10)
	trigger := "/sys/fs/ext4/" + device + "/trigger_fs_error"
	if err := os.WriteFile(trigger, []byte("1"), 0); err != nil {
		missing(t, "making ext4 read-only: "+err.Error())
	}
	lost := k.envelope(t, 60<<10)
	for range 2 {
		if err := k.Put(lost); err == nil {
			t.Fatal("acknowledged on a read-only file system")
		}
		if err := k.EnsureRoom(); !errors.Is(err, queue.ErrFull) {
			t.Fatalf("got %v: a kiosk that cannot write takes no customer", err)
		}
	}
	r, err := k.receipts.Verified(a.Header.ID, a.Digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Delete(r); err == nil {
		t.Fatal("deleted on a read-only file system")
	}
	_ = k.Close()
	k.Queue = nil
	again()
	k.reopen(t, blind())
	if n, err := k.NextSeq(); n != 3 || err != nil || k.Stats().Quarantined != "" {
		t.Fatalf("got %d, %v, %q", n, err, k.Stats().Quarantined)
	}
	came, shelf := content(t, k.Queue)
	if len(came) != 2 || came[a.Header.ID] != a.Digest || came[b.Header.ID] != b.Digest || len(shelf) != 0 {
		t.Fatalf("%d came, shelf %v", len(came), shelf)
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	k.Queue = nil
}
