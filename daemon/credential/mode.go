package credential

import (
	"io/fs"
	"syscall"
)

// private: a regular file that only its owner reads, or root's file that a group may read, as the packages lay it.
func private(info fs.FileInfo) bool {
	mode := info.Mode()
	if !mode.IsRegular() || mode.Perm()&0o037 != 0 {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && (mode.Perm()&0o040 == 0 || st.Uid == 0)
}
