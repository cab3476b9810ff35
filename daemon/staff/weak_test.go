package staff_test

import (
	"errors"
	"testing"

	"madoguchi/daemon/staff"
)

func TestWeak(t *testing.T) {
	const salt, key = "AAAAAAAAAAAAAAAAAAAAAA==", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" // 16 and 32 bytes
	for _, tt := range []struct {
		name, hash string
		weak, bad  bool
	}{
		{"as-made", "pbkdf2-sha256$210000$" + salt + "$" + key, false, false},
		{"more", "pbkdf2-sha256$600000$" + salt + "$" + key, false, false},
		{"one-round-less", "pbkdf2-sha256$209999$" + salt + "$" + key, true, false},
		{"short-salt", "pbkdf2-sha256$210000$AAAA$" + key, true, false},
		{"short-key", "pbkdf2-sha256$210000$" + salt + "$AAAA", true, false},
		{"plain", "258025", false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			weak, err := staff.Weak(tt.hash)
			if weak != tt.weak || errors.Is(err, staff.ErrHash) != tt.bad {
				t.Fatalf("got %v, %v", weak, err)
			}
		})
	}
}
