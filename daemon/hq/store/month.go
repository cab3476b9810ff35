package store

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
)

// A record's month is the UTC month of its id's time (UUIDv7, RFC 9562, 5.7). The kiosk's clock made it, so it can be
// wrong: these bounds around the time of receipt say what is possible. A kiosk is offline for days, not for years.
const (
	MonthsBack  = 24
	MonthsAhead = 1
)

// Month gives the first instant of the UTC month of a record's id.
func Month(id string) (time.Time, error) {
	u, err := uuid.Parse(id)
	if err != nil || u.Version() != 7 {
		return time.Time{}, fmt.Errorf("store: %q is no UUIDv7", id)
	}
	var ms int64
	for _, b := range u[:6] {
		ms = ms<<8 | int64(b)
	}
	return monthOf(time.UnixMilli(ms)), nil
}

func monthOf(t time.Time) time.Time {
	y, m, _ := t.UTC().Date()
	return time.Date(y, m, 1, 0, 0, 0, 0, time.UTC)
}

// Possible says whether a record of that month can have been received at that time.
func Possible(month, received time.Time) bool {
	now := monthOf(received)
	return !month.Before(now.AddDate(0, -MonthsBack, 0)) && !month.After(now.AddDate(0, MonthsAhead, 0))
}

// MonthsAround lists the months for which partitions are made ahead: the last, this and the next three.
func MonthsAround(now time.Time) []time.Time {
	var out []time.Time
	for i := -1; i <= 3; i++ {
		out = append(out, monthOf(now).AddDate(0, i, 0))
	}
	return out
}

// Codes of findings and of log lines. They are stable: alarms are built on them.
const (
	CodeImpossibleMonth = "store-impossible-month"  // a record's id has a time far past or far future
	CodePartition       = "store-partition-missing" // a month has no partition of its own; rows go to the default one
	CodeOrphanBodies    = "store-orphan-bodies"     // bodies without a row were removed
	alarmFor            = 31 * 24 * time.Hour       // how long an impossible month keeps the level up
)

// Level is how bad it is.
type Level string

// The levels.
const (
	LevelOK    Level = "ok"
	LevelAlarm Level = "alarm"
)

// Finding is one thing to look at.
type Finding struct {
	Code   string
	Count  int       // rows, or months
	Latest time.Time // of the newest row; zero when it says nothing
}

// Health is the state of a store. Version is that of its schema.
type Health struct {
	Level    Level
	Version  int
	Findings []Finding
}

// Judge makes the health from the count of impossible rows, the time of the newest, and the months without partition.
func Judge(version, impossible int, latest time.Time, missing int, now time.Time) Health {
	h := Health{Level: LevelOK, Version: version}
	if impossible > 0 {
		h.Findings = append(h.Findings, Finding{Code: CodeImpossibleMonth, Count: impossible, Latest: latest})
		if now.Sub(latest) < alarmFor {
			h.Level = LevelAlarm
		}
	}
	if missing > 0 {
		h.Findings = append(h.Findings, Finding{Code: CodePartition, Count: missing})
		h.Level = LevelAlarm
	}
	return h
}

// Alarm writes the log line of an impossible month.
func Alarm(log *slog.Logger, r Row, month time.Time) {
	log.Error("a record's id has an impossible time; it was stored", slog.String("code", CodeImpossibleMonth),
		slog.String("device", r.Device), slog.String("id", r.ID), slog.String("month", month.Format("2006-01")))
}
