package doctor

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"madoguchi/storage/enroll"
	"madoguchi/storage/record"
	"madoguchi/storage/seal"
	"madoguchi/storage/sync"
)

// soon is when an end that only HQ can move is worth a word.
const soon = 30 * 24 * time.Hour

func days(d time.Duration) int { return int(d / (24 * time.Hour)) }

// certificates checks how long the kiosk's certificate and HQ's CA still last.
func (v *visit) certificates() {
	chain, err := v.chain()
	switch {
	case errors.Is(err, fs.ErrPermission):
		v.unchecked("certificate", "the kiosk's certificate", why(err))
	case err != nil:
		v.bad("bundle-broken", "the enrolment bundle "+v.cfg.HQ.Bundle+" has no certificate that can be read", "enrol with a new code; nothing in the queue is lost")
	default:
		v.leaf(chain[0])
		for _, c := range chain[1:] {
			v.authority(c)
		}
	}
	roots, err := v.pem(filepath.Join(v.cfg.HQ.Bundle, sync.FileCA))
	switch {
	case errors.Is(err, fs.ErrPermission):
		v.unchecked("ca", "HQ's CA", why(err))
	case err != nil:
		v.bad("bundle-broken", "the enrolment bundle "+v.cfg.HQ.Bundle+" has no CA of HQ that can be read", "enrol with a new code; nothing in the queue is lost")
	}
	for _, c := range roots {
		v.authority(c)
	}
}

// chain is the newer one of the bundle's certificate and the renewed one, with its issuers.
func (v *visit) chain() ([]*x509.Certificate, error) {
	first, err := v.pem(filepath.Join(v.cfg.HQ.Bundle, sync.FileCert))
	renewed, errRenewed := v.pem(filepath.Join(v.cfg.Kiosk.StateDir, enroll.FileRenewed))
	switch {
	case errors.Is(errRenewed, fs.ErrPermission):
		return nil, errRenewed // it may be the one that counts
	case len(renewed) > 0 && (len(first) == 0 || renewed[0].NotBefore.After(first[0].NotBefore)):
		return renewed, errRenewed
	}
	return first, err
}

var errNoCertificate = errors.New("no certificate")

// pem reads the certificates of a file, at least one. A key that stands beside them is wiped.
func (v *visit) pem(path string) ([]*x509.Certificate, error) {
	raw, err := v.Files.Read(path, smallFile)
	if err != nil {
		return nil, err
	}
	defer clear(raw)
	var out []*x509.Certificate
	for block, rest := pem.Decode(raw); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			c, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, errNoCertificate
			}
			out = append(out, c)
		}
		clear(block.Bytes)
	}
	if len(out) == 0 {
		return nil, errNoCertificate
	}
	return out, nil
}

// leaf judges the kiosk's own: in the last third of its life it ought to be renewed by itself.
func (v *visit) leaf(c *x509.Certificate) {
	now := v.Now()
	left, life := c.NotAfter.Sub(now), c.NotAfter.Sub(c.NotBefore)
	switch {
	case now.Before(c.NotBefore):
		v.bad("certificate-early", "the kiosk's certificate is not valid yet: the clock is behind", "set the clock (timedatectl)")
	case left <= 0:
		v.bad("certificate-ended", "the kiosk's certificate ended on "+c.NotAfter.UTC().Format(time.DateOnly), "enrol with a new code (kioskctl enroll); nothing in the queue is lost")
	case left < life/3:
		v.bad("certificate-due", fmt.Sprintf("the kiosk's certificate has %d days left, less than a third: its renewal is overdue", days(left)),
			"see what is said of HQ here, and kioskd's journal; else enrol with a new code")
	default:
		v.good("certificate", "the kiosk's certificate has %d days left", days(left))
	}
}

// authority judges a certificate of HQ's.
func (v *visit) authority(c *x509.Certificate) {
	left := c.NotAfter.Sub(v.Now())
	switch {
	case left <= 0:
		v.bad("ca-ended", "a CA of HQ ended on "+c.NotAfter.UTC().Format(time.DateOnly), "enrol with a new code, after HQ has its new CA")
	case left < 3*soon:
		v.note("ca-ends", fmt.Sprintf("a CA of HQ ends in %d days", days(left)), "HQ makes its new CA; then every kiosk enrols anew")
	default:
		v.good("ca", "a CA of HQ has %d days left", days(left))
	}
}

// lists checks HQ's keys: a part whose keys have ended cannot be sealed, and without receipt keys nothing leaves.
func (v *visit) lists() {
	list, err := v.newestList()
	switch {
	case errors.Is(err, fs.ErrPermission):
		v.unchecked("hq-keys", "HQ's keys", why(err))
		return
	case err != nil:
		v.bad("hq-keys-broken", "there is no list of HQ's keys that HQ's root has signed", "enrol with a new code; nothing in the queue is lost")
		return
	}
	now := v.Now()
	last := map[record.Part]time.Time{}
	usable := map[record.Part]bool{}
	for _, k := range list.Keys {
		if k.NotAfter.After(last[k.Part]) {
			last[k.Part] = k.NotAfter
		}
		usable[k.Part] = usable[k.Part] || !now.Before(k.NotBefore) && now.Before(k.NotAfter)
	}
	var fine []string
	for _, part := range record.Parts() {
		left := last[part].Sub(now)
		switch {
		case last[part].IsZero() && needed(part):
			v.bad("hq-keys-missing", "HQ has no key for "+string(part)+": no customer is taken", "HQ publishes a list with one")
		case last[part].IsZero(): // a part that this HQ does not take
		case !usable[part]:
			v.bad("hq-keys-ended", "HQ has no key for "+string(part)+" that is valid now", "bring the line to HQ back: it hands out the new list; see also the clock")
		case left < soon:
			v.note("hq-keys-end", fmt.Sprintf("HQ's keys for %s end in %d days", part, days(left)), "HQ publishes a list with newer ones")
		default:
			fine = append(fine, fmt.Sprintf("%s %d", part, days(left)))
		}
	}
	if len(fine) > 0 {
		v.good("hq-keys", "HQ's keys, list %d, days left: %s", list.Version, strings.Join(fine, ", "))
	}
	receipts := 0
	for _, k := range list.Receipts {
		if !now.Before(k.NotBefore) && now.Before(k.NotAfter) {
			receipts++
		}
	}
	if receipts == 0 {
		v.bad("receipt-keys-missing", "HQ has no receipt key that is valid now: nothing leaves the queue", "HQ publishes a list with one")
	} else {
		v.good("receipt-keys", "HQ has %d valid receipt keys", receipts)
	}
}

// needed says whether every record has this part.
func needed(p record.Part) bool {
	return p == record.PartIdentity || p == record.PartImages || p == record.PartEvidence
}

// newestList is the newest signed list of the bundle and of the state directory.
func (v *visit) newestList() (*seal.List, error) {
	raw, err := v.Files.Read(filepath.Join(v.cfg.HQ.Bundle, sync.FileRoot), smallFile)
	if err != nil {
		return nil, err
	}
	root, err := seal.ParseRoot(raw)
	if err != nil {
		return nil, err
	}
	var best *seal.List
	var first error
	for _, path := range []string{filepath.Join(v.cfg.HQ.Bundle, sync.FileKeys), filepath.Join(v.cfg.Kiosk.StateDir, sync.FileKeys)} {
		raw, err := v.Files.Read(path, seal.MaxList+1)
		var l *seal.List
		if err == nil {
			l, err = seal.VerifyList(raw, root)
		}
		switch {
		case err != nil && first == nil && !errors.Is(err, fs.ErrNotExist):
			first = err
		case err == nil && (best == nil || l.Version > best.Version):
			best = l
		}
	}
	if best == nil && first == nil {
		first = fs.ErrNotExist
	}
	if best != nil && !errors.Is(first, fs.ErrPermission) {
		first = nil
	}
	return best, first
}
