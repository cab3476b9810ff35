// Package storagetest holds what the tests of storage and of HQ share: a made-up record with values to search for,
// key pairs as HQ and a kiosk have them, envelopes of any size, and receipts. Only tests and benchmarks may import it.
package storagetest

import (
	"bytes"
	"time"

	"github.com/google/uuid"

	"madoguchi/internal/secret"
	"madoguchi/storage/record"
)

// Values planted in Record, for tests that search for them where they must not be.
const (
	Name    = "窓口 花子"
	Address = "東京都千代田区霞が関一丁目2番3号"
	Birth   = "19840229"
	Serial  = "123456789012345"
	CaseRef = "CASE-7788-KITSUNE"
	Staff   = "staff-tanuki-041"
)

// Device is the device name of Record.
const Device = "branch-012-kiosk-1"

// At is when the record was made.
func At() time.Time { return time.Date(2026, 11, 20, 1, 2, 3, 456_000_000, time.UTC) }

// NewID makes a fresh record id.
func NewID() string { return uuid.Must(uuid.NewV7()).String() }

// Canaries are the planted values, as bytes.
func Canaries() [][]byte {
	return [][]byte{[]byte(Name), []byte(Address), []byte(Birth), []byte(Serial), []byte(CaseRef), []byte(Staff), bytes.Repeat([]byte{0xfa, 0xce}, 16)}
}

// Record makes a complete, valid record about nobody, with a face image of faceBytes bytes.
func Record(id string, faceBytes int) *record.Record {
	text := func(s string) *secret.Bytes { return secret.New([]byte(s)) }
	face := bytes.Repeat([]byte{0xfa, 0xce}, faceBytes/2+16)
	return &record.Record{
		ID: id, Device: Device, Created: At(), Virtual: []string{"camera", "card", "reader", "trust"},
		Identity: &record.Identity{
			Name: text(Name), Address: text(Address), Birth: text(Birth), Sex: text("2"), CardSerial: text(Serial),
			Municipality: "13101", CardExpiry: "2031-02-28", Source: "chip-text-by-number-b",
		},
		Images: &record.Images{
			Name: text("\x89PNG name"), Address: text("\x89PNG address"), Face: secret.New(face),
		},
		Evidence: evidence(),
	}
}

func evidence() *record.Evidence {
	at := At()
	return &record.Evidence{
		Service: "account-opening",
		Method:  record.Method{Code: record.MethodInPerson, Statute: "犯収法施行規則6条1項1号", Note: "to be confirmed by counsel"},
		Channel: "attended", PresentedTo: Staff,
		Case:    record.Case{Kind: "number", Ref: CaseRef},
		Started: at.Add(-time.Minute), Finished: at,
		Steps:    []record.Step{{Name: "consent", At: at.Add(-50 * time.Second)}, {Name: "card", At: at.Add(-40 * time.Second), Note: "number-b"}},
		Consents: []record.Consent{{ID: "read", Version: "1", SHA256: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", Lang: "ja", Given: true, At: at.Add(-50 * time.Second)}},
		Card:     record.CardEvidence{Kind: "my-number-card", Route: "number-b", Genuineness: "genuine", Issuer: "39", Confirmed: true},
		Face: record.FaceEvidence{
			Match: "pass", Score: 8123, Threshold: 6300, Live: "pass", LiveScore: 9001, Model: "test-model",
			Calibration: "virtual-1", VirtualOnly: true, Frames: 5,
		},
		Decision: record.Decision{Outcome: "verified", By: "machine", At: at},
		Software: "test", Reader: "virtual", Camera: "virtual",
	}
}
