package main

import (
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"madoguchi/daemon/hq/setup"
)

// runInit makes a first installation, or what is missing of it.
func runInit(args []string, out io.Writer) error {
	f := flag.NewFlagSet("hqd init", flag.ContinueOnError)
	var o setup.Options
	f.StringVar(&o.Kiosk, "kiosk", "kiosk-1", "name of the kiosk: a-z, 0-9 and inner hyphens")
	f.StringVar(&o.Bundle, "bundle", "", "where the kiosk's bundle goes (default: kiosk below -dir)")
	f.StringVar(&o.URL, "url", "https://127.0.0.1:8443", "address of the receiver as the kiosk sees it")
	if err := parse(f, args, &o.Dir); err != nil {
		return err
	}
	o.Now = time.Now()
	if err := setup.Init(o); err != nil {
		return err
	}
	bundle := o.Bundle
	if bundle == "" {
		bundle = filepath.Join(o.Dir, "kiosk")
	}
	_, err := fmt.Fprintf(out, "hqd init: %s is ready; bundle of %s: %s\n", o.Dir, o.Kiosk, bundle)
	return err
}
