package sqlitestore_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"madoguchi/daemon/hq/store/sqlitestore"
	"madoguchi/daemon/hq/store/storetest"
)

const asReader = "MADOGUCHI_TEST_READER_OF"

// The opener may read the receiver's directory and not write in it. It reads while the receiver is down, because the
// receiver leaves its -wal and -shm files.
func TestReaderWithoutRights(t *testing.T) {
	if path := os.Getenv(asReader); path != "" {
		readAs(t, path)
		return
	}
	if os.Geteuid() != 0 {
		const what = "root: a reader of another user cannot be tried"
		if os.Getenv("CI") == "true" {
			t.Fatalf("missing: %s", what)
		}
		t.Skipf("SKIPPED, missing: %s", what)
	}
	dir, err := os.MkdirTemp("", "rights") //nolint:usetesting // t.TempDir is within a directory that others cannot enter
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	copied, path := filepath.Join(dir, "reader"), filepath.Join(dir, "store", "records.sqlite")
	b, err := os.ReadFile(exe)
	if err = errors.Join(err, os.WriteFile(copied, b, 0o755), os.Mkdir(filepath.Dir(path), 0o750), os.Chmod(dir, 0o755)); err != nil { //nolint:gosec // a program of the test
		t.Fatal(err)
	}
	const group = 65534
	reads := func() (string, error) {
		for _, f := range []string{"", "records.sqlite", "records.sqlite-wal", "records.sqlite-shm"} { // as the set-group-id of the directory does
			if err := os.Chown(filepath.Join(filepath.Dir(path), f), 0, group); err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
		}
		cmd := exec.Command(copied, "-test.run", "^TestReaderWithoutRights$")
		cmd.Dir, cmd.Env = "/", append(os.Environ(), asReader+"="+path)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: group}}
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	for _, while := range []string{"new", "again"} {
		w := open(t, path, nil)
		if while == "new" {
			if _, _, err := w.Insert(t.Context(), storetest.Row("kiosk-1", storetest.ID(storetest.Now()), 1, 100)); err != nil {
				t.Fatal(err)
			}
		}
		if out, err := reads(); err != nil {
			t.Fatalf("%s, beside the receiver: %s", while, out)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if out, err := reads(); err != nil {
			t.Fatalf("%s, after the receiver: %s", while, out)
		}
	}
	// The control: without the receiver's files it cannot.
	if err := errors.Join(os.Remove(path+"-wal"), os.Remove(path+"-shm")); err != nil {
		t.Fatal(err)
	}
	if out, err := reads(); err == nil {
		t.Fatalf("the test proves nothing: %s", out)
	}
}

func readAs(t *testing.T, path string) {
	t.Helper()
	if f, err := os.Create(filepath.Join(filepath.Dir(path), "x")); err == nil {
		_ = f.Close()
		t.Fatal("the directory can be written")
	}
	r, err := sqlitestore.OpenReader(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	rows, err := r.List(t.Context(), 10, 0)
	if err != nil || len(rows) != 1 {
		t.Fatal(len(rows), err)
	}
}
