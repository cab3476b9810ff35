package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"

	"madoguchi/daemon/credential"
	"madoguchi/storage/devicekey"
	"madoguchi/storage/queue/segment"
	"madoguchi/storage/sync"
	"madoguchi/storage/wire"
)

// Where systemd keeps sealed credentials, and delivers them to the running unit.
const (
	credentialStore = "/etc/credstore.encrypted"
	delivered       = "/run/credentials/" + unitName
)

// keys says how the two private keys are kept.
func (v *visit) keys() {
	v.key(credential.DeviceKey, filepath.Join(v.cfg.HQ.Bundle, sync.FileDeviceKey))
	v.key(credential.KioskTLS, filepath.Join(v.cfg.HQ.Bundle, sync.FileKey))
}

func (v *visit) key(name, path string) {
	sealed, errSealed := v.sealedCredential(name)
	raw, err := v.Files.Read(path, 64<<10)
	tpm := err == nil && devicekey.IsTPM(raw)
	clear(raw)
	switch {
	case sealed && err == nil && !tpm:
		v.bad("key-plain-copy", name+" is sealed, and "+path+" still holds it in plain", "shred -u "+path)
	case sealed:
		v.good("keys", "%s: a sealed credential of systemd", name)
	case tpm:
		v.good("keys", "%s: in the TPM", name)
	case err == nil && errSealed != nil:
		v.note("key-in-file", name+" lies in plain in "+path+" (whether it is sealed too could not be seen)", "run it as root")
	case err == nil:
		v.note("key-in-file", name+" lies in plain in "+path+": whoever takes the disk has it",
			"seal it (units.md, \"Private keys\"), or enrol with --tpm /dev/tpmrm0; at the least encrypt the disk")
	case errSealed != nil || !errors.Is(err, fs.ErrNotExist):
		v.unchecked("keys", name, "no rights; run it as root")
	default:
		v.bad("key-missing", "there is no "+name+": no sealed credential, and no "+path, "enrol with a new code")
	}
}

// sealedCredential says whether systemd has the credential. An error means that it cannot be seen.
func (v *visit) sealedCredential(name string) (bool, error) {
	var unseen error
	for _, dir := range []string{delivered, credentialStore} {
		_, err := v.Files.Stat(filepath.Join(dir, name))
		switch {
		case err == nil:
			return true, nil
		case !errors.Is(err, fs.ErrNotExist):
			unseen = err
		}
	}
	return false, unseen
}

// What is read of the queue's bodies.
const (
	maxSegments = 16       // the newest
	maxSegment  = 64 << 20 // bytes of one
)

// sealed reads the bodies of the queue: each must be a sealed envelope of this kiosk, and nothing else.
func (v *visit) sealed() {
	dir := filepath.Join(v.cfg.Kiosk.StateDir, "queue")
	names, err := v.Files.List(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return // disk says what is missing
	}
	if err != nil {
		v.unchecked("queue-sealed", "whether all that waits is sealed", why(err))
		return
	}
	var segments []string
	for _, name := range names {
		if strings.HasSuffix(name, ".seg") {
			segments = append(segments, name)
		}
	}
	skipped := max(0, len(segments)-maxSegments)
	segments = segments[skipped:]
	records, plain := 0, 0
	for _, name := range segments {
		r, p, err := v.bodies(filepath.Join(dir, name))
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) { // a running kiosk drops segments meanwhile
				skipped++
			}
			continue
		}
		records, plain = records+r, plain+p
	}
	if plain > 0 {
		v.bad("queue-plain", fmt.Sprintf("%d of %d records in the queue's files are no sealed envelopes", plain, records),
			"stop the kiosk, keep the folder "+dir+" as it is, and report it: kioskd writes sealed envelopes only")
		return
	}
	if skipped > 0 {
		v.unchecked("queue-sealed", fmt.Sprintf("whether what is in %d older or unreadable segments is sealed", skipped), "not read")
	}
	v.good("queue-sealed", "%d records in the queue's files, all sealed", records)
}

// bodies counts the whole records of a segment and those of them that are no envelopes. What is not whole is the tail of
// a write, or damage, which kioskd finds and shelves.
func (v *visit) bodies(path string) (records, plain int, err error) {
	b, err := v.Files.Read(path, maxSegment)
	if err != nil {
		return 0, 0, err
	}
	number, err := strconv.ParseUint(strings.TrimSuffix(filepath.Base(path), ".seg"), 16, 64)
	if err != nil {
		return 0, 0, err
	}
	err = segment.Scan(b, 0, number, func(p segment.Piece) error {
		if !p.Whole || p.Frame.Kind != segment.Record {
			return nil
		}
		records++
		if _, err := wire.Parse(p.Body); err != nil {
			plain++
		}
		return nil
	})
	return records, plain, err
}
