// Package dropfs is a file system in memory (FUSE) for tests, whose power can be cut: what no fsync made sure is then
// kept or lost page by page and name by name, by chance, as a disk with its caches would. It can also be full, be
// read-only, fail, or lie about fsync. It needs root and /dev/fuse. A program that maps files of it must be another
// process: a page fault that waits for its own process never ends. Only tests import it.
package dropfs

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// Disk is the content that outlives mounts.
type Disk struct {
	mu    sync.Mutex
	root  *dir
	rng   *rand.Rand
	fault Fault
	lying bool

	server *fuse.Server
}

// Fault is how the disk fails for now.
type Fault int

// The faults. Cut is between Cut and the next Mount: everything fails.
const (
	Healthy  Fault = iota
	Full           // nothing can be written: ENOSPC
	ReadOnly       // as after a remount by the kernel: EROFS
	Failing        // writes and fsyncs fail: EIO
	Cut
)

// New makes an empty disk. A lying one says yes to fsync and does nothing: the control of every test here.
func New(seed uint64, lying bool) *Disk {
	return &Disk{root: newDir(0o755), rng: rand.New(rand.NewPCG(seed, 1)), lying: lying} //nolint:gosec // a seeded test
}

// Mount mounts the disk as it is.
func (d *Disk) Mount(path string) error {
	d.mu.Lock()
	d.fault = Healthy
	root := &node{disk: d, dir: d.root}
	d.mu.Unlock()
	zero := time.Duration(0)
	server, err := fs.Mount(path, root, &fs.Options{
		MountOptions: fuse.MountOptions{
			DirectMountStrict: true, FsName: "dropfs", Name: "dropfs", MaxWrite: 128 << 10, DisableXAttrs: true, MaxBackground: 16,
		},
		EntryTimeout: &zero, AttrTimeout: &zero, NegativeTimeout: &zero,
	})
	if err != nil {
		return fmt.Errorf("dropfs: %w", err)
	}
	d.server = server
	return nil
}

// Unmount unmounts; no program may have files open any more.
func (d *Disk) Unmount() error {
	if d.server == nil {
		return nil
	}
	var err error
	for range 100 { // a process killed just now lets go a moment later
		if err = d.server.Unmount(); err == nil {
			d.server = nil
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return err
}

// Set sets the fault.
func (d *Disk) Set(f Fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fault = f
}

// Heal ends a fault, but not a power cut.
func (d *Disk) Heal() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fault != Cut {
		d.fault = Healthy
	}
}

// Cut cuts the power: from now on everything fails, and the disk has what a disk would have. The programs on it are the
// caller's to kill, and the mount to unmount, before the disk is mounted again.
func (d *Disk) Cut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fault = Cut
	d.root = d.root.survive(d.rng)
}

// Flip flips one bit somewhere in a file whose name ends so, in what is sure. It says whether there was one.
func (d *Disk) Flip(suffix string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	files := d.root.find(suffix)
	if len(files) == 0 {
		return false
	}
	b := files[d.rng.IntN(len(files))]
	if len(b.now) == 0 {
		return false
	}
	i := d.rng.IntN(len(b.now))
	b.now[i] ^= 1 << d.rng.IntN(8)
	b.sync()
	b.sure[i] = b.now[i]
	return true
}

// writing gives the errno of a write, and of a read after a cut.
func (d *Disk) writing() syscall.Errno {
	switch d.fault {
	case Full:
		return syscall.ENOSPC
	case ReadOnly:
		return syscall.EROFS
	case Failing, Cut:
		return syscall.EIO
	case Healthy:
	}
	return 0
}

func (d *Disk) reading() syscall.Errno {
	if d.fault == Cut {
		return syscall.EIO
	}
	return 0
}

// node is a file or a directory as the kernel knows it.
type node struct {
	fs.Inode
	disk *Disk
	dir  *dir
	blob *blob
}

func (n *node) lock() func() {
	n.disk.mu.Lock()
	return n.disk.mu.Unlock
}

// inode makes the kernel's form of what a name stands for.
func (n *node) inode(ctx context.Context, what any, out *fuse.EntryOut) *fs.Inode {
	child := &node{disk: n.disk}
	mode := uint32(fuse.S_IFREG)
	switch w := what.(type) {
	case *dir:
		child.dir, mode = w, fuse.S_IFDIR
	case *blob:
		child.blob = w
	}
	child.attr(&out.Attr)
	return n.NewInode(ctx, child, fs.StableAttr{Mode: mode})
}

func (n *node) attr(a *fuse.Attr) {
	a.Nlink = 1
	if n.dir != nil {
		a.Mode = fuse.S_IFDIR | n.dir.mode
		return
	}
	a.Mode = fuse.S_IFREG | n.blob.mode
	a.Size = uint64(len(n.blob.now))
	a.Blocks = (a.Size + 511) / 512
}
