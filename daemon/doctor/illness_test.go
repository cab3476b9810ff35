package doctor_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"madoguchi/daemon/config"
	"madoguchi/daemon/doctor"
	"madoguchi/face"
	"madoguchi/face/models"
	"madoguchi/storage/audit"
	"madoguchi/storage/queue/segment"
	"madoguchi/storage/storagetest"
)

// testDocumented: every complaint in the code was made by some illness, and docs/kioskctl.md explains it.
func testDocumented(t *testing.T, seen map[string]bool) {
	docs, err := os.ReadFile("../../docs/kioskctl.md")
	if err != nil {
		t.Fatal(err)
	}
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	call := regexp.MustCompile(`\bv\.(bad|note|unchecked|guard)\("([a-z0-9-]+)"`)
	found := 0
	for _, name := range sources {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.HasSuffix([]byte(name), []byte("_test.go")) {
			continue
		}
		for _, m := range call.FindAllSubmatch(b, -1) {
			found++
			code, grade := string(m[2]), map[string]string{"bad": " bad", "guard": " bad", "note": " note", "unchecked": " ?"}[string(m[1])]
			if !seen[code+grade] {
				t.Errorf("%s: no illness makes %q%s", name, code, grade)
			}
			if grade != " ?" && !bytes.Contains(docs, []byte("`"+code+"`")) {
				t.Errorf("docs/kioskctl.md does not explain %q", code)
			}
		}
	}
	if found < 80 {
		t.Errorf("only %d complaints were found: this proves nothing", found)
	}
}

var errElse = errors.New("something else")

// The block device that holds swap in these tests.
const (
	swapLine = "Filename Type Size Used Priority\n/dev/sda2 partition 1 0 -2\n"
	sda2     = "/sys/devices/sda/sda2"
)

// swapOn puts swap on /dev/sda2 (8:2).
func (w *world) swapOn() {
	w.put("/proc/swaps", swapLine)
	w.files["/dev/sda2"] = file{Info: doctor.Info{Mode: fs.ModeDevice | 0o660, Node: 8<<8 | 2}}
	w.files["/sys/dev/block/8:2"] = file{to: sda2}
	w.put(sda2+"/size", "1")
}

func (w *world) stopped() {
	w.liveErr = doctor.ErrStopped
	delete(w.files, group+"/cgroup.procs")
	delete(w.files, group+"/memory.swap.max")
}

func machineIllnesses() []illness {
	stopped := []string{"kioskd-stopped note", "unit-stopped bad"}
	with := func(more ...string) []string { return append(more, stopped...) }
	return []illness{
		{"clock", func(w *world) { w.maxError = 16 * time.Second }, []string{"clock-unsynchronised bad"}},
		{"clock-with-chrony", func(w *world) { w.maxError = 99 * time.Second; w.put("/run/chrony/x", "") }, []string{"clock-unsynchronised bad"}},
		{"clock-unseen", func(w *world) {
			w.probes.Clock = func() (doctor.Clock, error) { return doctor.Clock{}, fs.ErrPermission }
		}, []string{"clock ?"}},
		{"skew-some", func(w *world) { w.live.Skew = -31 * time.Second }, []string{"clock-skew note"}},
		{"skew-much", func(w *world) { w.live.Skew = -601 * time.Second }, []string{"clock-skew bad"}},
		{"skew-unknown", func(w *world) { w.live.SkewKnown = false }, []string{"clock-skew ?"}},
		{"swap-kept-out-by-the-kernel", func(w *world) { w.swapOn() }, []string{"swap-others note"}},
		{"swap-with-another-limit", func(w *world) { w.swapOn(); w.put(group+"/memory.swap.max", "max\n") }, []string{"swap-plain bad"}},
		{"swap-without-accounting", func(w *world) { w.swapOn(); delete(w.files, group+"/memory.swap.max") }, []string{"swap-plain bad"}},
		{"swap-kept-out-by-the-file", func(w *world) { w.swapOn(); w.stopped() }, with("swap-others note")},
		{"swap-let-in-by-a-drop-in", func(w *world) {
			w.swapOn()
			w.stopped()
			w.put("/etc/systemd/system/madoguchi-kioskd.service.d/x.conf", "[Service]\nMemorySwapMax=infinity\n")
		}, with("swap-plain bad")},
		{"swap-encrypted", func(w *world) { w.swapOn(); w.put(sda2+"/dm/uuid", "CRYPT-PLAIN-swap\n") }, nil},
		{"swap-on-lvm-on-luks", func(w *world) {
			w.swapOn()
			w.put(sda2+"/dm/uuid", "LVM-x\n")
			w.files[sda2+"/slaves/dm-0"] = file{to: "/sys/devices/dm-0"}
			w.put("/sys/devices/dm-0/dm/uuid", "CRYPT-LUKS2-x\n")
		}, nil},
		{"swap-on-lvm-half-plain", func(w *world) {
			w.swapOn()
			w.files[sda2+"/slaves/dm-0"] = file{to: "/sys/devices/dm-0"}
			w.files[sda2+"/slaves/sdb"] = file{to: "/sys/devices/sdb"}
			w.put("/sys/devices/dm-0/dm/uuid", "CRYPT-LUKS2-x\n")
			w.put("/sys/devices/sdb/size", "1")
		}, []string{"swap-others note"}},
		{"swap-in-a-file-of-unknown-place", func(w *world) {
			w.put("/proc/swaps", "Filename Type Size Used Priority\n/swapfile file 1 0 -2\n")
			w.files["/swapfile"] = file{Info: doctor.Info{Device: 42}}
		}, []string{"swap-others ?"}},
		{"swap-in-zram", func(w *world) {
			w.swapOn()
			w.files["/sys/dev/block/8:2"] = file{to: "/sys/devices/zram0"}
			w.put("/sys/devices/zram0/backing_dev", "none\n")
		}, nil},
		{"swap-in-zram-with-a-disk", func(w *world) {
			w.swapOn()
			w.files["/sys/dev/block/8:2"] = file{to: "/sys/devices/zram0"}
			w.put("/sys/devices/zram0/backing_dev", "/dev/sda3\n")
		}, []string{"swap-others note"}},
		{"swap-unseen", func(w *world) { w.deny("/proc/swaps") }, []string{"swap ?"}},
		{"core-by-the-unit", func(w *world) { w.put(unit, "[Service]\nMemorySwapMax=0\nLimitCORE=infinity\n") }, []string{"core-dumps bad"}},
		{"core-by-the-process", func(w *world) {
			w.put("/proc/77/limits", "Max core file size        0                    unlimited            bytes\n")
		}, []string{"core-dumps bad"}},
		{"core-files", func(w *world) { w.put("/proc/sys/kernel/core_pattern", "core\n") }, []string{"core-handler note"}},
		{"core-kept-by-systemd", func(w *world) { w.put("/proc/sys/kernel/core_pattern", "|/usr/lib/systemd/systemd-coredump %P\n") }, []string{"core-handler note"}},
		{"core-not-kept-by-systemd", func(w *world) {
			w.put("/proc/sys/kernel/core_pattern", "|/usr/lib/systemd/systemd-coredump %P\n")
			w.put("/etc/systemd/coredump.conf", "[Coredump]\nStorage=external\n")
			w.put("/etc/systemd/coredump.conf.d/kiosk.conf", "[Coredump]\nStorage=none\n")
		}, nil},
		{"core-to-another-program", func(w *world) { w.put("/proc/sys/kernel/core_pattern", "|/usr/share/apport/apport %p\n") }, []string{"core-handler note"}},
		{"core-unseen", func(w *world) { w.deny("/proc/sys/kernel/core_pattern") }, []string{"core ?"}},
		{"no-systemd", func(w *world) { delete(w.files, "/run/systemd/system/x") }, []string{"units ?"}},
		{"unit-gone", func(w *world) { delete(w.files, unit) }, []string{"core ?", "unit-missing bad"}},
		{"unit-masked", func(w *world) {
			w.files["/etc/systemd/system/madoguchi-kioskd.service"] = file{to: "/dev/null"}
			w.put("/etc/systemd/system/madoguchi-kioskd.service.d/x.conf", "[Service]\nLimitCORE=0\n")
		}, []string{"unit-masked bad"}},
		{"unit-disabled", func(w *world) {
			delete(w.files, "/etc/systemd/system/multi-user.target.wants/madoguchi-kioskd.service")
		}, []string{"unit-disabled bad"}},
		{"unit-stopped", func(w *world) { w.stopped() }, stopped},
		{"unit-unseen", func(w *world) {
			w.stopped()
			delete(w.files, "/sys/fs/cgroup/cgroup.controllers")
		}, []string{"kioskd-stopped note", "units ?"}},
		{"unit-mute", func(w *world) { w.liveErr = doctor.ErrStopped }, []string{"kioskd-stopped note", "unit-mute bad"}},
		{"out-of-service", func(w *world) {
			w.stopped()
			w.put("/sys/fs/cgroup/system.slice/madoguchi-kiosk-out-of-service.service/cgroup.procs", "78\n")
		}, []string{"kioskd-stopped note", "out-of-service bad"}},
		{"kioskd-unseen", func(w *world) { w.liveErr = fs.ErrPermission }, []string{"kioskd ?"}},
	}
}

func fileIllnesses() []illness {
	cut := []string{"clock-unsynchronised bad", "config ?"} // what names no file is looked at all the same
	broken := func(err error) func(*world) {
		return func(w *world) {
			w.maxError = time.Minute
			w.probes.Load = func(string) (*config.Config, error) { return nil, err }
		}
	}
	return []illness{
		{"config-missing", broken(fs.ErrNotExist), append([]string{"config-missing bad"}, cut...)},
		{"config-broken", broken(errElse), append([]string{"config-broken bad"}, cut...)},
		{"config-unseen", broken(fs.ErrPermission), cut},
		{"config-open", func(w *world) { w.own("/etc/madoguchi/kiosk.toml", 0o644, root, daemon) }, []string{"config-rights bad"}},
		{"config-of-a-stranger", func(w *world) { w.own("/etc/madoguchi/kiosk.toml", 0o600, stranger, stranger) }, []string{"config-rights bad"}},
		{"config-for-a-strange-group", func(w *world) { w.own("/etc/madoguchi/kiosk.toml", 0o640, root, stranger) }, []string{"config-rights bad"}},
		{"config-mode-unseen", func(w *world) { w.deny("/etc/madoguchi/kiosk.toml") }, []string{"config-rights ?"}},
		{"bundle-open", func(w *world) { w.own(bundle, fs.ModeDir|0o755, root, daemon) }, []string{"bundle-rights bad"}},
		{"bundle-writable", func(w *world) { w.own(bundle+"/root.pub.pem", 0o660, root, daemon) }, []string{"bundle-rights bad"}},
		{"key-open", func(w *world) {
			delete(w.files, "/etc/credstore.encrypted/device-key")
			w.put(bundle+"/device.key.pem", "-----BEGIN TSS2 PRIVATE KEY-----\nAAAA\n-----END TSS2 PRIVATE KEY-----\n")
		}, []string{"key-rights bad"}},
		{"state-open", func(w *world) { w.own(state, fs.ModeDir|0o755, daemon, daemon) }, []string{"state-rights bad"}},
		{"state-file-of-root", func(w *world) { w.own(state+"/queue/index.db", 0o600, root, root) }, []string{"state-rights bad"}},
		{"state-unseen", func(w *world) { w.deny(state) }, []string{"set-aside ?", "state-rights ?"}},
		{"state-part-unseen", func(w *world) { w.deny(state + "/audit") }, []string{"set-aside ?", "state-rights ?"}},
		{"socket-open", func(w *world) { w.own("/run/madoguchi-kiosk/control.sock", 0o666, daemon, daemon) }, []string{"runtime-rights bad"}},
		{"no-such-user", func(w *world) { w.put("/etc/passwd", "root:x:0:0::/root:/bin/sh\n") }, []string{"user-missing note"}},
		{"key-in-a-file", func(w *world) {
			delete(w.files, "/etc/credstore.encrypted/device-key")
			w.put(bundle+"/device.key.pem", "plain")
			w.own(bundle+"/device.key.pem", 0o640, root, daemon)
		}, []string{"key-in-file note"}},
		{"key-in-a-file-and-perhaps-sealed", func(w *world) {
			delete(w.files, "/etc/credstore.encrypted/device-key")
			w.put(bundle+"/device.key.pem", "plain")
			w.own(bundle+"/device.key.pem", 0o640, root, daemon)
			w.deny("/run/credentials/madoguchi-kioskd.service/device-key")
		}, []string{"key-in-file note"}},
		{"key-copy", func(w *world) {
			w.put(bundle+"/device.key.pem", "plain")
			w.own(bundle+"/device.key.pem", 0o600, root, root)
		}, []string{"key-plain-copy bad"}},
		{"key-missing", func(w *world) { delete(w.files, "/etc/credstore.encrypted/device-key") }, []string{"key-missing bad"}},
		{"key-unseen", func(w *world) { w.deny("/etc/credstore.encrypted/device-key") }, []string{"keys ?"}},
		{"tmpfs", func(w *world) { w.disk.Type = 0x01021994 }, []string{"disk-kind bad"}},
		{"overlayfs", func(w *world) { w.disk.Type = 0x794c7630 }, []string{"disk-kind bad"}},
		{"nfs", func(w *world) { w.disk.Type = 0x6969 }, []string{"disk-kind bad"}},
		{"fuse", func(w *world) { w.disk.Type = 0x65735546 }, []string{"disk-kind bad"}},
		{"read-only", func(w *world) { w.disk.ReadOnly = true }, []string{"disk-read-only bad"}},
		{"below-the-reserve", func(w *world) { w.disk.Free = 255 << 20 }, []string{"disk-full bad"}},
		{"full", func(w *world) { w.disk = doctor.Disk{Total: 40 << 30, Free: 6 << 30} }, []string{"disk-full bad"}},
		{"filling", func(w *world) { w.disk = doctor.Disk{Total: 20 << 30, Free: 6 << 30} }, []string{"disk-low note"}},
		{"full-says-kioskd", func(w *world) { w.live.Room = "full" }, []string{"disk-full bad"}},
		{"disk-unseen", func(w *world) { w.disk.Total = 0 }, []string{"disk ?"}},
		{"no-reserve", func(w *world) { delete(w.files, state+"/queue/reserve") }, []string{"reserve-missing bad"}},
		{"a-reserve-without-blocks", func(w *world) {
			w.own(state+"/queue/reserve", 0o600, daemon, daemon)
			w.empty(state + "/queue/reserve")
		}, []string{"reserve-missing bad"}},
		{"no-spare", func(w *world) { delete(w.files, state+"/queue/spare") }, []string{"spare-missing note"}},
		{"no-queue-yet", func(w *world) { delete(w.files, state+"/queue/index.db") }, []string{"reserve ?"}},
	}
}

// empty takes a file's blocks.
func (w *world) empty(name string) {
	f := w.files[name]
	f.Blocks = 0
	w.files[name] = f
}

// addSegment lays a segment with one record.
func (w *world) addSegment(body []byte) {
	h := segment.Header{Number: 1, Made: time.Now(), Device: "kiosk-1"}
	f := segment.Frame{
		Kind: segment.Record, Length: uint32(len(body)), Segment: 1, Offset: segment.HeaderSize, Seq: 1, At: time.Now(), //nolint:gosec // short
		Digest: sha(body), ID: storagetest.NewID(),
	}
	name := state + "/queue/0000000000000001.seg"
	w.put(name, string(append(f.Append(h.Append(nil)), body...)))
	w.own(name, 0o600, daemon, daemon)
}

func queueIllnesses() []illness {
	stopped := []string{"kioskd-stopped note", "unit-stopped bad"}
	aside := func(name string) func(*world) {
		return func(w *world) { w.own(state+name, 0o600, daemon, daemon) }
	}
	return []illness{
		{"sealed", func(w *world) {
			k, err := storagetest.NewKeys()
			if err != nil {
				w.Fatal(err)
			}
			e, err := k.Envelope(storagetest.NewID(), 1, 2000)
			if err != nil {
				w.Fatal(err)
			}
			w.addSegment(e.Bytes)
		}, nil},
		{"not-sealed", func(w *world) { w.addSegment([]byte(`{"name":"tanuki"}`)) }, []string{"queue-plain bad"}},
		{"torn-tail", func(w *world) {
			w.addSegment([]byte(`{"name":"tanuki"}`))
			f := w.files[state+"/queue/0000000000000001.seg"]
			f.data = f.data[:len(f.data)-1]
			w.files[state+"/queue/0000000000000001.seg"] = f
		}, nil},
		{"segment-unseen", func(w *world) {
			w.addSegment(nil)
			w.deny(state + "/queue/0000000000000001.seg")
		}, []string{"queue-sealed ?", "state-rights ?"}},
		{"queue-unseen", func(w *world) {
			w.deny(state + "/queue")
			w.deny(state + "/queue/shelf")
			w.stopped()
		}, append([]string{"queue-sealed ?", "set-aside ?", "shelf ?", "state-rights ?"}, stopped...)},
		{"shelf", func(w *world) { w.live.Shelved = 2 }, []string{"shelf-not-empty bad"}},
		{"shelf-of-a-stopped-one", func(w *world) {
			w.stopped()
			aside("/queue/shelf/0190.rec")(w)
		}, append([]string{"shelf-not-empty bad"}, stopped...)},
		{"index-set-aside", aside("/queue/index.db.broken-20261122T000000Z"), []string{"set-aside bad"}},
		{"old-queue-set-aside", aside("/queue.db.broken-20261122T000000Z"), []string{"set-aside bad"}},
		{"set-aside-says-kioskd", func(w *world) { w.live.Quarantined = "/elsewhere/index.db.broken-x" }, []string{"set-aside bad"}},
		{"log-set-aside", aside("/audit/audit-0123456789abcdef.log.broken-20261122T000000Z"), []string{"audit-set-aside bad"}},
		{"keys-set-aside", aside("/keys.json.damaged"), []string{"keys-set-aside bad"}},
		{"old-records", func(w *world) { w.live.Waiting, w.live.Oldest = 1, time.Now().Add(-721*time.Hour) }, []string{"upload-old bad"}},
		{"young-records", func(w *world) { w.live.Waiting, w.live.Oldest = 1, time.Now().Add(-719*time.Hour) }, nil},
		{"upload-fails", func(w *world) { w.live.LastError = "network" }, []string{"upload-failing note"}},
		{"log-damaged-says-kioskd", func(w *world) {
			w.probes.Audit = func(context.Context, string) (int64, error) { return 0, errElse }
		}, []string{"audit-damaged bad"}},
		{"log-too-long", func(w *world) {
			w.probes.Audit = func(context.Context, string) (int64, error) { return 0, context.DeadlineExceeded }
		}, []string{"audit ?"}},
		{"kioskd-ends-meanwhile", func(w *world) {
			w.probes.Audit = func(context.Context, string) (int64, error) { return 0, doctor.ErrStopped }
		}, []string{"audit ?"}},
		{"log-of-a-stopped-one", func(w *world) { w.stopped() }, stopped},
		{"log-torn", func(w *world) { w.stopped(); w.inspect.Torn = true }, append([]string{"audit-torn note"}, stopped...)},
		{"log-damaged", func(w *world) { w.stopped(); w.log(audit.ErrDamaged) }, append([]string{"audit-damaged bad"}, stopped...)},
		{"two-logs", func(w *world) { w.stopped(); w.log(errElse) }, append([]string{"audit-damaged bad"}, stopped...)},
		{"no-log", func(w *world) { w.stopped(); w.log(fs.ErrNotExist) }, append([]string{"audit ?"}, stopped...)},
		{"log-unseen", func(w *world) { w.stopped(); w.log(fs.ErrPermission) }, append([]string{"audit ?"}, stopped...)},
	}
}

func (w *world) log(err error) {
	w.probes.AuditFiles = func(string) (audit.Inspected, error) { return audit.Inspected{}, err }
}

func deviceIllnesses() []illness {
	readers := func(err error) func(*world) {
		return func(w *world) {
			w.probes.Readers = func(context.Context, string) ([]doctor.Reader, error) { return nil, err }
		}
	}
	loaded := func(err error) func(*world) {
		return func(w *world) { w.probes.Models = func(string) error { return err } }
	}
	calibrated := func(err error) func(*world) {
		return func(w *world) {
			w.probes.Calibration = func(string) (*face.Calibration, error) { return nil, err }
		}
	}
	picture := func(err error) func(*world) {
		return func(w *world) { w.probes.Picture = func(context.Context) error { return err } }
	}
	return []illness{
		{"reader-virtual", func(w *world) { w.cfg.Devices.Reader = config.Virtual }, []string{"reader-virtual note"}},
		{"no-cgo", readers(doctor.ErrNoPCSC), []string{"reader-cgo bad"}},
		{"no-pcscd", readers(doctor.ErrService), []string{"reader-service bad"}},
		{"pcscd-silent", readers(errors.Join(doctor.ErrService, context.DeadlineExceeded)), []string{"reader ?"}},
		{"no-reader", func(w *world) { w.readers = nil }, []string{"reader-none bad"}},
		{"only-a-sam", func(w *world) { w.readers = []doctor.Reader{{Name: "SAM", SAM: true, Virtual: true}} }, []string{"reader-none bad"}},
		{"no-polkit-rule", func(w *world) { delete(w.files, "/usr/share/polkit-1/rules.d/50-madoguchi-kiosk.rules") }, []string{"reader-polkit bad"}},
		{"pcscd-without-polkit", func(w *world) {
			delete(w.files, "/usr/share/polkit-1/rules.d/50-madoguchi-kiosk.rules")
			delete(w.files, "/usr/share/polkit-1/actions/org.debian.pcsc-lite.policy")
		}, nil},
		{"camera-virtual", func(w *world) { w.cfg.Devices.Camera = config.Virtual }, []string{"camera-virtual note"}},
		{"no-camera", func(w *world) { delete(w.files, "/dev/video0"); w.put("/dev/null", "") }, []string{"camera-none bad"}},
		{"not-this-camera", func(w *world) { w.cfg.Devices.CameraDevice = "/dev/v4l/by-id/x" }, []string{"camera-none bad"}},
		{"camera-of-video", func(w *world) { w.own("/dev/video0", fs.ModeDevice|fs.ModeCharDevice|0o660, root, 44) }, nil},
		{"camera-closed", func(w *world) { w.own("/dev/video0", fs.ModeDevice|fs.ModeCharDevice|0o660, root, stranger) }, []string{"camera-rights bad"}},
		{"camera-without-format", func(w *world) { w.usable = false }, []string{"camera-format bad"}},
		{"camera-unseen", func(w *world) {
			w.probes.Camera = func(context.Context, string) (bool, error) { return false, context.DeadlineExceeded }
		}, []string{"camera ?"}},
		{"no-models-named", func(w *world) { w.cfg.Face.Models = "" }, []string{"models-missing note"}},
		{"no-models", loaded(&models.MissingError{File: "a", Err: fs.ErrNotExist}), []string{"models-missing note"}},
		{"other-models", loaded(&models.UnknownError{File: "a"}), []string{"models-unknown bad"}},
		{"models-unseen", loaded(&models.MissingError{File: "a", Err: fs.ErrPermission}), []string{"models ?"}},
		{"no-calibration", func(w *world) { w.cfg.Face.Calibration = "" }, []string{"calibration-none note"}},
		{"calibration-virtual", func(w *world) { w.cfg.Face.Calibration = config.Virtual }, []string{"calibration-virtual note"}},
		{"calibration-broken", calibrated(face.ErrCalibration), []string{"calibration-broken bad"}},
		{"calibration-unseen", calibrated(fs.ErrPermission), []string{"calibration ?"}},
		{"calibration-of-other-models", func(w *world) { w.calib.Model = "x" }, []string{"calibration-foreign bad"}},
		{"calibration-for-virtual-cameras", func(w *world) { w.calib.VirtualOnly = true }, []string{"calibration-foreign bad"}},
		{"no-pictures", picture(errElse), []string{"jpeg2000-broken bad"}},
		{"pictures-too-late", picture(context.Canceled), []string{"jpeg2000 ?"}},
	}
}

func peopleIllnesses() []illness {
	hash := func(h string) func(*world) { return func(w *world) { w.cfg.Staff[0].PINHash = h } }
	return []illness{
		{"nobody", func(w *world) { w.cfg.Staff = nil }, []string{"staff-empty bad"}},
		{"no-hash", hash("258025"), []string{"staff-hash bad"}},
		{"weak-hash", hash("pbkdf2-sha256$1000$AAAAAAAAAAAAAAAAAAAAAA==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="), []string{"staff-weak bad"}},
		{"twice", func(w *world) { w.cfg.Staff = append(w.cfg.Staff, w.cfg.Staff[0]) }, []string{"staff-twice bad"}},
	}
}
