//go:build linux

package pcscd

import (
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

//go:embed testdata/ifd.c
var shimSource []byte

// library is the driver behind the shim.
const library = "/usr/lib/pcsc/drivers/serial/libifdvpcd.so"

// StartWithoutReader starts a pcscd that has no reader driver, so no reader. See Daemon.UpWithReader.
func StartWithoutReader(tb testing.TB) *Daemon {
	tb.Helper()
	return start(tb, tb.TempDir())
}

// UpWithReader ends pcscd and starts it again with its usual reader.
func (d *Daemon) UpWithReader() {
	d.tb.Helper()
	d.Kill()
	d.config = ""
	d.Up()
}

// Shim is a reader that can be unplugged and that can be made to find no life in a card.
type Shim struct {
	tb              testing.TB
	unplugged, mute string
}

// StartShim starts a pcscd whose reader is the usual one behind a Shim. The shim is compiled with cc, which must be
// there; it has one slot, at Addr.
func StartShim(tb testing.TB) (*Daemon, *Shim) {
	tb.Helper()
	needed(tb)
	dir := tb.TempDir()
	s := &Shim{tb: tb, unplugged: filepath.Join(dir, "unplugged"), mute: filepath.Join(dir, "mute")}
	driver, config := filepath.Join(dir, "libifdshim.so"), filepath.Join(dir, "reader.conf.d")
	if err := s.compile(dir, driver); err != nil {
		tb.Fatal(err)
	}
	entry := fmt.Sprintf("FRIENDLYNAME \"Virtual PCD\"\nDEVICENAME /dev/null:0x8C7B\nLIBPATH %s\nCHANNELID 0x8C7B\n", driver)
	if err := errors.Join(os.Mkdir(config, 0o755), os.WriteFile(filepath.Join(config, "shim"), []byte(entry), 0o600)); err != nil {
		tb.Fatal(err)
	}
	return start(tb, config), s
}

// compile makes the driver.
func (s *Shim) compile(dir, driver string) error {
	source := filepath.Join(dir, "ifd.c")
	if err := os.WriteFile(source, shimSource, 0o600); err != nil {
		return err
	}
	cmd := exec.Command("cc", "-shared", "-fPIC", "-Wall", "-Werror", "-I/usr/include/PCSC", //nolint:noctx // short
		"-DDRIVER="+strconv.Quote(library), "-DUNPLUGGED="+strconv.Quote(s.unplugged), "-DMUTE="+strconv.Quote(s.mute),
		"-o", driver, source, "-ldl")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("cc: %w\n%s", err, out)
	}
	return nil
}

// Unplug takes the reader away; Plug brings it back.
func (s *Shim) Unplug() { s.set(s.unplugged, true) }

// Plug brings the reader back.
func (s *Shim) Plug() { s.set(s.unplugged, false) }

// Mute tells whether cards that are put on the reader from now on give no answer to power.
func (s *Shim) Mute(on bool) { s.set(s.mute, on) }

func (s *Shim) set(flag string, on bool) {
	s.tb.Helper()
	var err error
	if on {
		err = os.WriteFile(flag, nil, 0o600)
	} else if err = os.Remove(flag); errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	if err != nil {
		s.tb.Fatal(err)
	}
}
