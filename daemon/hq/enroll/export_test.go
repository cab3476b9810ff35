package enroll

import "time"

// LimiterForTest opens the limiter to the tests.
type LimiterForTest struct{ l *limiter }

// NewLimiterForTest makes one.
func NewLimiterForTest(now func() time.Time) LimiterForTest {
	return LimiterForTest{&limiter{now: now}}
}

// Allow is allow.
func (l LimiterForTest) Allow(remote string) (bool, time.Duration) { return l.l.allow(remote) }

// Places counts what is remembered.
func (l LimiterForTest) Places() int { return len(l.l.places) }
