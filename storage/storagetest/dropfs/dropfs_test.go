package dropfs_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	bolt "go.etcd.io/bbolt"

	"madoguchi/storage/storagetest/dropfs"
)

func mount(t *testing.T, d *dropfs.Disk, path string) {
	t.Helper()
	err := d.Mount(path)
	if err != nil && os.Getenv("CI") != "true" {
		t.Skipf("NOT TESTED: no FUSE here (root and /dev/fuse are needed): %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Unmount() })
}

// cut cuts the power and mounts again.
func cut(t *testing.T, d *dropfs.Disk, path string) {
	t.Helper()
	d.Cut()
	if err := d.Unmount(); err != nil {
		t.Fatal(err)
	}
	mount(t, d, path)
}

func write(t *testing.T, name string, data []byte, sync bool) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Write(data)
	if sync {
		err = errors.Join(err, f.Sync())
	}
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

func syncDir(t *testing.T, dir string) {
	t.Helper()
	d, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		t.Fatal(err)
	}
}

// What was synced survives every cut; what was not is sometimes lost; on a lying disk synced things are lost too.
func TestPowerCut(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789abcdef"), 4096) // 64 KiB
	for _, lying := range []bool{false, true} {
		lost, torn := 0, 0
		for seed := range uint64(12) {
			path := t.TempDir()
			d := dropfs.New(seed, lying)
			mount(t, d, path)
			write(t, filepath.Join(path, "sure"), data, true)
			syncDir(t, path)
			write(t, filepath.Join(path, "unsynced"), data, false)
			cut(t, d, path)
			got, err := os.ReadFile(filepath.Join(path, "sure"))
			if !lying && (err != nil || !bytes.Equal(got, data)) {
				t.Fatalf("seed %d: what was synced is gone: %v", seed, err)
			}
			if lying && !bytes.Equal(got, data) {
				lost++
			}
			if got, _ = os.ReadFile(filepath.Join(path, "unsynced")); !bytes.Equal(got, data) {
				torn++
			}
			if err := d.Unmount(); err != nil {
				t.Fatal(err)
			}
		}
		if lying && lost == 0 || torn == 0 {
			t.Fatalf("lying %v: %d synced files lost, %d others: the cut does nothing", lying, lost, torn)
		}
	}
}

func TestNamesSurviveTheirOwnSync(t *testing.T) {
	renamed := 0
	for seed := range uint64(12) {
		path := t.TempDir()
		d := dropfs.New(seed, false)
		mount(t, d, path)
		a, b := filepath.Join(path, "a"), filepath.Join(path, "b")
		write(t, a, []byte("old"), true)
		write(t, b, []byte("new"), true)
		syncDir(t, path)
		if err := os.Rename(b, a); err != nil {
			t.Fatal(err)
		}
		cut(t, d, path)
		got, err := os.ReadFile(a)
		if err != nil || string(got) != "old" && string(got) != "new" {
			t.Fatalf("seed %d: %q, %v: a rename is all or nothing", seed, got, err)
		}
		_, err = os.Stat(b)
		if (string(got) == "old") != (err == nil) {
			t.Fatalf("seed %d: %q beside %v", seed, got, err)
		}
		if string(got) == "new" {
			renamed++
		}
		if err := d.Unmount(); err != nil {
			t.Fatal(err)
		}
	}
	if renamed == 0 || renamed == 12 {
		t.Fatalf("%d of 12 renames survived: no chance in it", renamed)
	}
}

func TestFaults(t *testing.T) {
	path := t.TempDir()
	d := dropfs.New(1, false)
	mount(t, d, path)
	name := filepath.Join(path, "a")
	write(t, name, []byte("x"), true)
	for fault, want := range map[dropfs.Fault]error{dropfs.Full: syscall.ENOSPC, dropfs.ReadOnly: syscall.EROFS, dropfs.Failing: syscall.EIO} {
		d.Set(fault)
		if err := os.WriteFile(filepath.Join(path, "b"), []byte("x"), 0o600); !errors.Is(err, want) {
			t.Errorf("fault %d: %v", fault, err)
		}
		if b, err := os.ReadFile(name); err != nil || string(b) != "x" {
			t.Errorf("fault %d: reading: %v", fault, err)
		}
		d.Set(dropfs.Healthy)
	}
}

// asProgram makes the test binary be a program on the disk: a process that maps its files must not serve them too.
const asProgram = "MADOGUCHI_TEST_DROPFS"

func TestMain(m *testing.M) {
	if name := os.Getenv(asProgram); name != "" {
		if err := fill(name); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// fill writes a database and reads it back.
func fill(name string) error {
	db, err := bolt.Open(name, 0o600, nil)
	if err != nil {
		return err
	}
	for i := range 200 {
		if err := db.Update(func(tx *bolt.Tx) error {
			b, err := tx.CreateBucketIfNotExists([]byte("b"))
			if err != nil {
				return err
			}
			return b.Put([]byte{byte(i)}, bytes.Repeat([]byte{byte(i)}, 3000))
		}); err != nil {
			return err
		}
	}
	if err := db.View(func(tx *bolt.Tx) error {
		for i := range 200 {
			if !bytes.Equal(tx.Bucket([]byte("b")).Get([]byte{byte(i)}), bytes.Repeat([]byte{byte(i)}, 3000)) {
				return fmt.Errorf("key %d differs", i)
			}
		}
		return nil
	}); err != nil {
		return err
	}
	return db.Close()
}

// bbolt, with its mapped file, works on it.
func TestBolt(t *testing.T) {
	path := t.TempDir()
	d := dropfs.New(1, false)
	mount(t, d, path)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), asProgram+"="+filepath.Join(path, "db"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}
