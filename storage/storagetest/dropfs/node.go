package dropfs

import (
	"context"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// The methods below are go-fuse's interfaces of a file system; each is what its name says.
var (
	_ fs.NodeLookuper  = (*node)(nil)
	_ fs.NodeCreater   = (*node)(nil)
	_ fs.NodeMkdirer   = (*node)(nil)
	_ fs.NodeUnlinker  = (*node)(nil)
	_ fs.NodeRmdirer   = (*node)(nil)
	_ fs.NodeRenamer   = (*node)(nil)
	_ fs.NodeReaddirer = (*node)(nil)
	_ fs.NodeGetattrer = (*node)(nil)
	_ fs.NodeSetattrer = (*node)(nil)
	_ fs.NodeOpener    = (*node)(nil)
	_ fs.NodeReader    = (*node)(nil)
	_ fs.NodeWriter    = (*node)(nil)
	_ fs.NodeFsyncer   = (*node)(nil)
	_ fs.NodeAllocater = (*node)(nil)
	_ fs.NodeStatfser  = (*node)(nil)
	_ fs.InodeEmbedder = (*node)(nil)
)

func (n *node) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	defer n.lock()()
	if e := n.disk.reading(); e != 0 {
		return nil, e
	}
	what, ok := n.dir.now[name]
	if !ok {
		return nil, syscall.ENOENT
	}
	if known := n.GetChild(name); known != nil { // one inode for one file, whatever names it has
		if c, ok := known.Operations().(*node); ok && (c.dir == what || c.blob == what) {
			c.attr(&out.Attr)
			return known, 0
		}
	}
	return n.inode(ctx, what, out), 0
}

func (n *node) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	defer n.lock()()
	if e := n.disk.writing(); e != 0 {
		return nil, nil, 0, e
	}
	b := newBlob(mode & 0o777)
	n.dir.change(change{name: b})
	return n.inode(ctx, b, out), nil, 0, 0
}

func (n *node) Mkdir(ctx context.Context, name string, mode uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	defer n.lock()()
	if e := n.disk.writing(); e != 0 {
		return nil, e
	}
	d := newDir(mode & 0o777)
	n.dir.change(change{name: d})
	return n.inode(ctx, d, out), 0
}

func (n *node) Unlink(_ context.Context, name string) syscall.Errno {
	defer n.lock()()
	if e := n.disk.writing(); e != 0 {
		return e
	}
	n.dir.change(change{name: nil})
	return 0
}

func (n *node) Rmdir(_ context.Context, name string) syscall.Errno {
	defer n.lock()()
	if e := n.disk.writing(); e != 0 {
		return e
	}
	if d, ok := n.dir.now[name].(*dir); ok && len(d.now) > 0 {
		return syscall.ENOTEMPTY
	}
	n.dir.change(change{name: nil})
	return 0
}

func (n *node) Rename(_ context.Context, name string, to fs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	defer n.lock()()
	if e := n.disk.writing(); e != 0 {
		return e
	}
	other, ok := to.(*node)
	what := n.dir.now[name]
	switch {
	case !ok || flags != 0:
		return syscall.EINVAL
	case what == nil:
		return syscall.ENOENT
	case other.dir == n.dir:
		n.dir.change(change{name: nil, newName: what})
	default:
		other.dir.change(change{newName: what})
		n.dir.change(change{name: nil})
	}
	return 0
}

func (n *node) Readdir(context.Context) (fs.DirStream, syscall.Errno) {
	defer n.lock()()
	if e := n.disk.reading(); e != 0 {
		return nil, e
	}
	var list []fuse.DirEntry
	for name, what := range n.dir.now {
		mode := uint32(fuse.S_IFREG)
		if _, ok := what.(*dir); ok {
			mode = fuse.S_IFDIR
		}
		list = append(list, fuse.DirEntry{Name: name, Mode: mode})
	}
	return fs.NewListDirStream(list), 0
}

func (n *node) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	defer n.lock()()
	if e := n.disk.reading(); e != 0 {
		return e
	}
	n.attr(&out.Attr)
	return 0
}

func (n *node) Setattr(_ context.Context, _ fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	defer n.lock()()
	if e := n.disk.writing(); e != 0 {
		return e
	}
	if size, ok := in.GetSize(); ok && n.blob != nil {
		n.blob.truncate(int64(size)) //nolint:gosec // a test's files are small
	}
	if mode, ok := in.GetMode(); ok {
		if n.blob != nil {
			n.blob.mode = mode & 0o777
		} else {
			n.dir.mode = mode & 0o777
		}
	}
	n.attr(&out.Attr)
	return 0
}

func (n *node) Open(context.Context, uint32) (fs.FileHandle, uint32, syscall.Errno) {
	defer n.lock()()
	return nil, 0, n.disk.reading()
}

func (n *node) Read(_ context.Context, _ fs.FileHandle, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	defer n.lock()()
	if e := n.disk.reading(); e != 0 {
		return nil, e
	}
	size := int64(len(n.blob.now))
	if off >= size {
		return fuse.ReadResultData(nil), 0
	}
	return fuse.ReadResultData(append([]byte(nil), n.blob.now[off:min(size, off+int64(len(dest)))]...)), 0
}

func (n *node) Write(_ context.Context, _ fs.FileHandle, data []byte, off int64) (uint32, syscall.Errno) {
	defer n.lock()()
	if e := n.disk.writing(); e != 0 {
		return 0, e
	}
	n.blob.write(data, off)
	return uint32(len(data)), 0 //nolint:gosec // at most MaxWrite
}

func (n *node) Fsync(context.Context, fs.FileHandle, uint32) syscall.Errno {
	defer n.lock()()
	if n.disk.lying {
		return n.disk.reading()
	}
	if e := n.disk.writing(); e != 0 && e != syscall.ENOSPC && e != syscall.EROFS {
		return e
	}
	if n.dir != nil {
		n.dir.sync()
	} else {
		n.blob.sync()
	}
	return 0
}

// Allocate reserves nothing: memory is there. What counts is that a full disk refuses.
func (n *node) Allocate(_ context.Context, _ fs.FileHandle, off, size uint64, mode uint32) syscall.Errno {
	defer n.lock()()
	if e := n.disk.writing(); e != 0 {
		return e
	}
	const keepSize = 1
	if mode&keepSize == 0 {
		n.blob.grow(int64(off + size)) //nolint:gosec // a test's files are small
	}
	return 0
}

// Statfs shows a disk that is half empty, or full.
func (n *node) Statfs(_ context.Context, out *fuse.StatfsOut) syscall.Errno {
	defer n.lock()()
	out.Bsize, out.Frsize, out.NameLen = page, page, 255
	out.Blocks = 1 << 24 // 64 GiB
	out.Bfree = out.Blocks / 2
	if n.disk.fault == Full {
		out.Bfree = 0
	}
	out.Bavail = out.Bfree
	return 0
}

// find gives the files whose names end so.
func (d *dir) find(suffix string) []*blob {
	var list []*blob
	for name, what := range d.now {
		switch w := what.(type) {
		case *blob:
			if len(name) >= len(suffix) && name[len(name)-len(suffix):] == suffix {
				list = append(list, w)
			}
		case *dir:
			list = append(list, w.find(suffix)...)
		}
	}
	return list
}
