package main

import (
	"crypto/x509"
	"fmt"
	"io"

	"madoguchi/daemon/trust"
	"madoguchi/hardware/card"
	"madoguchi/hardware/virtual"
)

// writeVirtualTrust writes the trust directory of the virtual cards: kind test, worthless for real ones.
func writeVirtualTrust(dir string, out io.Writer) error {
	d := trust.Dir{Path: dir, Name: "Madoguchi virtual cards", Kind: trust.Test}
	keys, err := virtual.IssuerKeys()
	if err != nil {
		return err
	}
	for _, k := range keys {
		d.Surface = append(d.Surface, card.IssuerKey{KeyID: k.KeyID, Key: k.Key})
	}
	sign, auth, err := virtual.JPKIRoots()
	if err != nil {
		return err
	}
	for _, root := range []struct {
		der  []byte
		into *[]*x509.Certificate
	}{{sign, &d.JPKISign}, {auth, &d.JPKIAuth}} {
		c, err := x509.ParseCertificate(root.der)
		if err != nil {
			return err
		}
		*root.into = append(*root.into, c)
	}
	if err := d.Write(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s: test trust for virtual cards; use it with --trust %s\n", dir, dir)
	return err
}

// checkTrust loads directories of both kinds and says what they hold.
func checkTrust(dirs []string, out io.Writer) error {
	set, err := trust.Options{AllowTest: true}.Load(dirs...)
	if err != nil {
		return err
	}
	for i := range set.Dirs {
		d := &set.Dirs[i]
		_, err := fmt.Fprintf(out, "%s: %q, %s: %d issuer keys, %d signature and %d authentication authorities\n",
			d.Path, d.Name, d.Kind, len(d.Surface), len(d.JPKISign), len(d.JPKIAuth))
		if err != nil {
			return err
		}
	}
	return nil
}
