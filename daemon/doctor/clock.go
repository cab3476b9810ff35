package doctor

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Clock is what the kernel knows of its clock.
type Clock struct {
	MaxError time.Duration // the kernel's bound; grows without a source
}

// KernelClock asks the kernel, changing nothing (adjtimex(2) with no modes needs no rights).
func KernelClock() (Clock, error) {
	var t unix.Timex
	if _, err := unix.Adjtimex(&t); err != nil {
		return Clock{}, err
	}
	return Clock{MaxError: time.Duration(t.Maxerror) * time.Microsecond}, nil
}

// synchronised is systemd's own measure for "System clock synchronized" (ntp_synced): the kernel's bound on the error
// is below 16 s. The flag STA_UNSYNC alone would not do: chrony without rtcsync leaves it set on purpose.
const synchronised = 16 * time.Second

// skewWorth is a difference from HQ's clock that is worth a word.
const skewWorth = 30 * time.Second

// clock checks the time of this machine, against the kernel's source and against HQ.
func (v *visit) clock() {
	c, err := v.Clock()
	switch {
	case err != nil:
		v.unchecked("clock", "whether the clock is synchronised", why(err))
	case c.MaxError >= synchronised:
		cure := "no time service runs: apt-get install systemd-timesyncd (or chrony), and name the bank's time server in it"
		if s := v.timeService(); s != "" {
			cure = s + " runs and has no source: name a time server that this kiosk can reach (UDP 123)"
		}
		v.bad("clock-unsynchronised", "the clock is not synchronised", cure)
	default:
		v.good("clock", "the clock is synchronised, to %s", c.MaxError.Round(time.Millisecond))
	}
	switch {
	case v.live == nil || v.cfg == nil:
	case !v.live.SkewKnown:
		v.unchecked("clock-skew", "the difference from HQ's clock", "kioskd has not heard of HQ since its start")
	case v.cfg.Upload.MaxSkewMinutes > 0 && v.live.Skew.Abs() > time.Duration(v.cfg.Upload.MaxSkewMinutes)*time.Minute:
		v.bad("clock-skew", fmt.Sprintf("the clock differs from HQ's by %s: no customer is taken", v.live.Skew.Round(time.Second)),
			"set the clock (timedatectl); if it is right, it is HQ's that is wrong")
	case v.live.Skew.Abs() > skewWorth:
		v.note("clock-skew", fmt.Sprintf("the clock differs from HQ's by %s", v.live.Skew.Round(time.Second)), "see which of the two is right (timedatectl)")
	default:
		v.good("clock-skew", "HQ's clock agrees, to %s", v.live.Skew.Abs().Round(time.Millisecond))
	}
}

// timeService names the service that has left its traces below /run.
func (v *visit) timeService() string {
	for _, s := range []struct{ name, path string }{
		{"chrony", "/run/chrony"}, {"ntpsec", "/run/ntpd.pid"}, {"systemd-timesyncd", "/run/systemd/timesync"},
	} {
		if v.there(s.path) {
			return s.name
		}
	}
	return ""
}
