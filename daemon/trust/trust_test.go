package trust_test

import (
	"errors"
	"strings"
	"testing"

	"madoguchi/daemon/trust"
)

func text(id string) string {
	return "[[issuer]]\nkey_id = \"" + id + "\"\nmodulus = \"" + strings.Repeat("c3", 256) + "\"\nexponent = 65537\nsource = \"disclosure 1\"\n"
}

const realID = "35303030303233080530303101020304" // 5000023...

func TestParse(t *testing.T) {
	keys, err := trust.Parse([]byte(text(realID)))
	if err != nil || len(keys) != 1 || keys[0].Key.N.BitLen() != 2048 || string(keys[0].KeyID[:7]) != "5000023" {
		t.Fatalf("got %v, %v", keys, err)
	}
}

func TestRefusals(t *testing.T) {
	if _, err := trust.Parse([]byte(text("39" + realID[2:]))); !errors.Is(err, trust.ErrVirtual) {
		t.Fatalf("a virtual key: %v", err)
	}
	for _, bad := range []string{
		text("3530"),
		strings.Replace(text(realID), "c3c3", "c3", 1),
		strings.Replace(text(realID), "65537", "3", 1),
		strings.Replace(text(realID), "disclosure 1", "", 1),
		text(realID) + "extra = 1\n",
	} {
		if _, err := trust.Parse([]byte(bad)); err == nil {
			t.Errorf("accepted %s", bad[:60])
		}
	}
}
