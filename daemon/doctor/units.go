package doctor

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"madoguchi/daemon/control"
)

// The units of a kiosk.
const (
	unitName   = "madoguchi-kioskd.service"
	screenUnit = "madoguchi-kiosk-out-of-service.service"
)

// unitDirs are where systemd looks for units, the first one counts.
func unitDirs() []string {
	return []string{"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"}
}

// groupOf is the unit's folder in the tree of control groups.
func groupOf(unit string) string { return "/sys/fs/cgroup/system.slice/" + unit }

// unitFile is the unit's file, or empty.
func (v *visit) unitFile() string {
	for _, dir := range unitDirs() {
		if path := filepath.Join(dir, unitName); v.there(path) {
			return path
		}
	}
	return ""
}

// unitSetting is a setting of the unit as its file and drop-ins on the disk have it: the last one counts.
func (v *visit) unitSetting(key string) string {
	files := []string{v.unitFile()}
	seen := map[string]string{} // a drop-in's name counts once, from the first folder
	for _, dir := range unitDirs() {
		names, _ := v.Files.List(filepath.Join(dir, unitName+".d")) // most have none
		for _, name := range names {
			if _, twice := seen[name]; !twice && strings.HasSuffix(name, ".conf") {
				seen[name] = filepath.Join(dir, unitName+".d", name)
			}
		}
	}
	var names []string
	for name := range seen {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		files = append(files, seen[name])
	}
	return v.setting(key, files)
}

// setting is the last value of a key in files of systemd's form.
func (v *visit) setting(key string, files []string) string {
	value := ""
	for _, path := range files {
		b, err := v.Files.Read(path, smallFile)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(b)) {
			if name, to, ok := strings.Cut(strings.TrimSpace(line), "="); ok && strings.TrimSpace(name) == key {
				value = strings.TrimSpace(to)
			}
		}
	}
	return value
}

// processes are the numbers of the unit's processes.
func (v *visit) processes(unit string) []string {
	b, err := v.Files.Read(filepath.Join(groupOf(unit), "cgroup.procs"), smallFile)
	if err != nil {
		return nil
	}
	return strings.Fields(string(b))
}

func (v *visit) unitRuns() bool { return len(v.processes(unitName)) > 0 }

// running asks kioskd how it is.
func (v *visit) running(ctx context.Context) {
	if v.cfg == nil {
		return
	}
	live, err := v.Live(ctx, filepath.Join(v.cfg.Kiosk.RuntimeDir, control.Socket))
	switch {
	case err == nil:
		v.live = &live
		v.good("kioskd", "kioskd runs and answers")
	case errors.Is(err, ErrStopped):
		v.note("kioskd-stopped", "kioskd does not run", "systemctl start "+unitName+"; journalctl -u "+unitName+" says why it stopped")
	default:
		v.mute = true
		v.unchecked("kioskd", "what kioskd says of itself", why(err))
	}
}

// units checks whether systemd starts and runs the kiosk, from its files: no other program is run. So "failed" is not
// told from "stopped", and a unit that was changed without daemon-reload is not seen.
func (v *visit) units() {
	if !v.there("/run/systemd/system") {
		v.unchecked("units", "whether the kiosk starts by itself", "systemd does not run this machine")
		return
	}
	path := v.unitFile()
	if path == "" {
		v.bad("unit-missing", unitName+" is not installed", "apt-get install --reinstall madoguchi-kiosk")
		return
	}
	before := len(v.out)
	if to, err := v.Files.Resolve(path); err == nil && to == "/dev/null" {
		v.bad("unit-masked", unitName+" is masked", "systemctl unmask --now "+unitName)
		return
	}
	if !v.there("/etc/systemd/system/multi-user.target.wants/" + unitName) {
		v.bad("unit-disabled", unitName+" does not start with the machine", "systemctl enable "+unitName)
	}
	switch {
	case len(v.processes(screenUnit)) > 0:
		v.bad("out-of-service", "the kiosk shows the out-of-service page: kioskd failed several times",
			"journalctl -u "+unitName+"; cure what it says, then systemctl start "+unitName)
	case !v.unitRuns() && v.there("/sys/fs/cgroup/cgroup.controllers"):
		v.bad("unit-stopped", unitName+" does not run", "systemctl start "+unitName+"; journalctl -u "+unitName+" says why it stopped")
	case !v.unitRuns():
		v.unchecked("units", "whether "+unitName+" runs", "no unified tree of control groups")
	case v.cfg != nil && v.live == nil && !v.mute:
		v.bad("unit-mute", unitName+" runs and does not answer at its control socket", "systemctl restart "+unitName)
	}
	if len(v.out) == before {
		v.good("units", "%s is enabled and runs", unitName)
	}
}
