package devicekey_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"madoguchi/storage/devicekey"
)

// A character device is opened without blocking and waited for by poll. There is no /dev/tpmrm0 here: a terminal in raw
// mode with a software TPM behind it stands for it.
func TestTPMBehindACharacterDevice(t *testing.T) {
	s := newSoftware(t)
	master, slave := pseudoTerminal(t)
	conn, err := net.Dial("unix", s.socket())
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{}, 2)
	go func() { _, _ = io.Copy(conn, master); ended <- struct{}{} }()
	go func() { _, _ = io.Copy(master, conn); ended <- struct{}{} }()
	t.Cleanup(func() {
		_ = conn.Close()
		_ = master.Close()
		<-ended
		<-ended
	})
	tpm, err := devicekey.OpenTPM(slave, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tpm.Close)
	k, _ := create(t, tpm)
	sum := sha256.Sum256([]byte("x"))
	pub, _ := k.Public().(*ecdsa.PublicKey)
	if sig, err := k.Sign(rand.Reader, sum[:], crypto.SHA256); err != nil || !ecdsa.VerifyASN1(pub, sum[:], sig) {
		t.Fatal(err)
	}
}

// pseudoTerminal gives the master of a terminal in raw mode and the path of its slave, which is kept open.
func pseudoTerminal(t *testing.T) (*os.File, string) {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	master := os.NewFile(uintptr(fd), "ptmx")
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	path := fmt.Sprintf("/dev/pts/%d", n)
	slave, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = slave.Close() })
	mode, err := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	mode.Iflag, mode.Oflag, mode.Lflag = 0, 0, 0
	mode.Cflag = mode.Cflag&^(unix.CSIZE|unix.PARENB) | unix.CS8
	mode.Cc[unix.VMIN], mode.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(int(slave.Fd()), unix.TCSETS, mode); err != nil {
		t.Fatal(err)
	}
	return master, path
}
