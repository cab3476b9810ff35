package kiosk

import (
	"errors"
	"path/filepath"
	"testing"

	"madoguchi/daemon/config"
	"madoguchi/daemon/trust"
	"madoguchi/hardware/card"
	"madoguchi/hardware/virtual"
)

// Trust comes from the word "virtual" or from directories; records say so when any of it is for tests.
func TestOpenTrust(t *testing.T) {
	keys, err := virtual.IssuerKeys()
	if err != nil {
		t.Fatal(err)
	}
	write := func(kind trust.Kind, first byte) string {
		d := trust.Dir{Path: filepath.Join(t.TempDir(), "d"), Name: "x", Kind: kind}
		for _, k := range keys {
			id := append([]byte{first}, k.KeyID[1:]...)
			d.Surface = append(d.Surface, card.IssuerKey{KeyID: id, Key: k.Key})
		}
		if err := d.Write(); err != nil {
			t.Fatal(err)
		}
		return d.Path
	}
	real, test := write(trust.Production, '5'), write(trust.Test, '9')
	for _, tt := range []struct {
		name  string
		trust config.Trust
		keys  int
		test  bool
		want  error
	}{
		{"none", config.Trust{}, 0, false, nil},
		{"virtual", config.Trust{Issuers: config.Virtual}, 2, true, nil},
		{"production-directory", config.Trust{Issuers: real}, 2, false, nil},
		{"both-kinds", config.Trust{Issuers: real, Dirs: []string{test}, Test: true}, 4, true, nil},
		{"test-not-allowed", config.Trust{Issuers: test}, 0, false, trust.ErrTest},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := &devices{}
			err := d.openTrust(&config.Config{Trust: tt.trust})
			if !errors.Is(err, tt.want) || len(d.trust) != tt.keys || d.trustTest != tt.test {
				t.Fatalf("got %d keys, test %v, %v", len(d.trust), d.trustTest, err)
			}
		})
	}
}
