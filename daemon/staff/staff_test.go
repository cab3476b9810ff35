package staff_test

import (
	"errors"
	"testing"
	"time"

	"madoguchi/daemon/staff"
	"madoguchi/internal/secret"
)

// The hash of "2580" was made by Python's hashlib.pbkdf2_hmac("sha256", b"2580", bytes(range(16)), 1000, 32).
const hash2580 = "pbkdf2-sha256$1000$AAECAwQFBgcICQoLDA0ODw==$hdqJm5mLWbCO0Uw/jpVW0QJQAgZLbTYOjkTs67KHQ20="

func TestSignIn(t *testing.T) {
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	r, err := staff.NewRoster([]staff.Member{{ID: "s001", Name: "係員", Hash: hash2580}}, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	try := func(id, pin string) error {
		_, err := r.SignIn(id, secret.New([]byte(pin)))
		return err
	}
	if err := try("s001", "2580"); err != nil {
		t.Fatalf("the right PIN: %v", err)
	}
	if err := try("s002", "2580"); !errors.Is(err, staff.ErrWrong) {
		t.Fatalf("a stranger: %v", err)
	}
	for range 3 {
		if err := try("s001", "0000"); !errors.Is(err, staff.ErrWrong) {
			t.Fatalf("a wrong PIN: %v", err)
		}
	}
	if err := try("s001", "2580"); !errors.Is(err, staff.ErrLocked) {
		t.Fatalf("after three wrong PINs: %v", err)
	}
	now = now.Add(31 * time.Second)
	if err := try("s001", "0000"); !errors.Is(err, staff.ErrWrong) {
		t.Fatalf("after the lock: %v", err)
	}
	now = now.Add(31 * time.Second)
	if err := try("s001", "2580"); !errors.Is(err, staff.ErrLocked) {
		t.Fatalf("the lock does not double: %v", err)
	}
	now = now.Add(30 * time.Second)
	if err := try("s001", "2580"); err != nil {
		t.Fatalf("after the doubled lock: %v", err)
	}
}

func TestHash(t *testing.T) {
	h, err := staff.Hash(secret.New([]byte("123456")))
	if err != nil {
		t.Fatal(err)
	}
	r, err := staff.NewRoster([]staff.Member{{ID: "a", Hash: h}}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.SignIn("a", secret.New([]byte("123456"))); err != nil {
		t.Fatal(err)
	}
}

func TestRosterIsStrict(t *testing.T) {
	for _, bad := range [][]staff.Member{
		{{ID: "a", Hash: "1234"}},
		{{ID: "", Hash: hash2580}},
		{{ID: "a", Hash: hash2580}, {ID: "a", Hash: hash2580}},
		{{ID: "a", Hash: "pbkdf2-sha256$0$AA==$AA=="}},
	} {
		if _, err := staff.NewRoster(bad, time.Now); err == nil {
			t.Errorf("accepted %v", bad)
		}
	}
}
