package doctor

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// swap checks that no memory with a customer's data reaches a disk in plain. The unit keeps kioskd's out
// (MemorySwapMax=0), where the kernel counts swap per unit; the browser, which shows the same data, is another process.
func (v *visit) swap() {
	b, err := v.Files.Read("/proc/swaps", smallFile)
	if err != nil {
		v.unchecked("swap", "swap", why(err))
		return
	}
	var plain, unseen []string
	areas := 0
	for i, line := range strings.Split(strings.TrimSpace(string(b)), "\n") {
		f := strings.Fields(line)
		if i == 0 || len(f) < 2 {
			continue
		}
		areas++
		switch v.swapArea(f[0], f[1]) {
		case covered:
		case open:
			plain = append(plain, f[0])
		case unknown:
			unseen = append(unseen, f[0])
		}
	}
	const cure = "swapoff -a and take it out of /etc/fstab, or encrypt it: /etc/crypttab with a random key (crypttab(5), option swap)"
	switch {
	case areas == 0:
		v.good("swap", "no swap")
	case len(plain) == 0 && len(unseen) == 0:
		v.good("swap", "all swap is encrypted or in memory")
	case !v.unitKeepsOut():
		v.bad("swap-plain", "swap that is not known to be encrypted: "+strings.Join(append(plain, unseen...), ", "), cure)
	case len(plain) > 0:
		v.note("swap-others", "swap in plain: "+strings.Join(plain, ", ")+"; the unit keeps kioskd out of it, but the browser shows customers' data too", cure)
	default:
		v.unchecked("swap-others", "whether "+strings.Join(unseen, ", ")+" is encrypted (the unit keeps kioskd out of swap, not the browser)", "its device cannot be traced")
	}
}

type cover uint8

const (
	unknown cover = iota
	open
	covered
)

// swapArea judges one line of /proc/swaps.
func (v *visit) swapArea(path, kind string) cover {
	i, err := v.Files.Stat(path)
	if err != nil {
		return unknown
	}
	number := i.Node
	if kind == "file" {
		number = i.Device
	}
	dir, err := v.Files.Resolve(fmt.Sprintf("/sys/dev/block/%d:%d", unix.Major(number), unix.Minor(number)))
	if err != nil {
		return unknown // e.g. btrfs, whose numbers name no device
	}
	return v.block(dir, 0)
}

// block judges a block device by its folder in /sys, through the layers below it.
func (v *visit) block(dir string, depth int) cover {
	if strings.HasPrefix(filepath.Base(dir), "zram") {
		if to, err := v.text(filepath.Join(dir, "backing_dev")); err == nil && to != "none" {
			return open // it writes to a disk what does not fit
		}
		return covered
	}
	if uuid, err := v.text(filepath.Join(dir, "dm/uuid")); err == nil && strings.HasPrefix(uuid, "CRYPT-") {
		return covered
	}
	below, err := v.Files.List(filepath.Join(dir, "slaves"))
	if err != nil || len(below) == 0 {
		return open
	}
	for _, name := range below {
		to, err := v.Files.Resolve(filepath.Join(dir, "slaves", name))
		if err != nil || depth > 8 {
			return unknown
		}
		if c := v.block(to, depth+1); c != covered {
			return c
		}
	}
	return covered
}

// unitKeepsOut says whether the kernel keeps the unit out of swap: of a running one the kernel's own limit counts, of a
// stopped one its file; without swap accounting neither has an effect.
func (v *visit) unitKeepsOut() bool {
	if limit, err := v.text(filepath.Join(groupOf(unitName), "memory.swap.max")); err == nil {
		return limit == "0"
	}
	accounting, err := v.text("/sys/fs/cgroup/cgroup.controllers")
	if err != nil || !slices.Contains(strings.Fields(accounting), "memory") || v.unitRuns() {
		return false
	}
	return v.unitSetting("MemorySwapMax") == "0"
}

// cores checks that a crash leaves no memory on the disk.
func (v *visit) cores() {
	pattern, err := v.text("/proc/sys/kernel/core_pattern")
	if err != nil {
		v.unchecked("core", "core dumps", why(err))
		return
	}
	if v.unitFile() != "" && v.unitSetting("LimitCORE") != "0" || v.dumps() {
		v.bad("core-dumps", "the unit allows core dumps of kioskd", "take LimitCORE out of the drop-ins of "+unitName+" (the shipped unit has LimitCORE=0), systemctl daemon-reload, restart it")
		return
	}
	handler, piped := strings.CutPrefix(pattern, "|")
	const cure = "systemd-coredump with Storage=none and ProcessSizeMax=0 in /etc/systemd/coredump.conf, or sysctl kernel.core_pattern=|/bin/false"
	switch {
	case v.unitFile() == "":
		v.unchecked("core", "core dumps of kioskd", unitName+" is not installed; kioskd itself forbids its own")
	case !piped && pattern != "":
		v.note("core-handler", "core dumps of other programs, the browser too, are written to files ("+pattern+"); kioskd's are off", cure)
	case piped && strings.Contains(handler, "systemd-coredump") && v.coredumpStorage() != "none":
		v.note("core-handler", "systemd-coredump keeps core dumps of other programs, the browser too; kioskd's are off", cure)
	case piped && !strings.Contains(handler, "systemd-coredump") && !strings.HasPrefix(handler, "/bin/false"):
		v.note("core-handler", "core dumps go to a program that need not heed limits; kioskd's are off all the same, the browser's are not", cure)
	default:
		v.good("core", "no core dumps are kept")
	}
}

// dumps says whether a running kioskd has a limit for core dumps other than nothing.
func (v *visit) dumps() bool {
	for _, pid := range v.processes(unitName) {
		b, err := v.Files.Read("/proc/"+pid+"/limits", smallFile)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(b)) {
			if f := strings.Fields(strings.TrimPrefix(line, "Max core file size")); strings.HasPrefix(line, "Max core file size") && len(f) > 1 && f[1] != "0" {
				return true // the hard limit: the soft one could be raised to it
			}
		}
	}
	return false
}

// coredumpStorage is Storage= of systemd-coredump.
func (v *visit) coredumpStorage() string {
	files := []string{"/usr/lib/systemd/coredump.conf", "/etc/systemd/coredump.conf"}
	for _, dir := range []string{"/usr/lib/systemd/coredump.conf.d", "/run/systemd/coredump.conf.d", "/etc/systemd/coredump.conf.d"} {
		names, _ := v.Files.List(dir) // most machines have none
		for _, name := range names {
			files = append(files, filepath.Join(dir, name))
		}
	}
	return v.setting("Storage", files)
}
