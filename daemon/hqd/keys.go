package main

import (
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"madoguchi/daemon/hq/setup"
	"madoguchi/storage/record"
	"madoguchi/storage/seal"
)

const keysUsage = `usage: the root's directory R lives on a machine without a network; only the files DRAFT and LIST travel.
  hqd keys root-init -root R [-algorithm p256|ed25519]   make the root's key pair
  hqd keys rotate    -dir D -out DRAFT [-parts P,P] [-from 168h] [-life 17520h] [-keep 9600h]
                     make new opening keys and a draft of the next list with them
  hqd keys add       -dir D -out DRAFT -part P -id ID -suite 0x0050|0x647a -public BASE64 [-from 168h] [-life 17520h]
                     a draft with a key that was made elsewhere (a PKCS #11 token)
  hqd keys revoke    -dir D -out DRAFT -id KEY           a draft in which this key has ended
  hqd keys sign-list -root R -in DRAFT -out LIST         sign a draft; read what it prints before you carry it on
  hqd keys publish   -dir D -list LIST                   hand the list out; kiosks take it at their next contact
  hqd keys show      -dir D | -list LIST                 what a list says
DRAFT of an earlier command is continued when -out names a file that is there.
`

func runKeys(args []string, out io.Writer) error {
	if len(args) > 0 {
		verbs := map[string]func([]string, io.Writer) error{
			"root-init": keysRoot, "rotate": keysRotate, "add": keysAdd, "revoke": keysRevoke, "sign-list": keysSign, "publish": keysPublish, "show": keysShow,
		}
		if run, ok := verbs[args[0]]; ok {
			return run(args[1:], out)
		}
	}
	fmt.Fprint(os.Stderr, keysUsage)
	return errUsage
}

// flagsOf parses flags of which those named must be given.
func flagsOf(f *flag.FlagSet, args []string, needed ...string) error {
	if err := f.Parse(args); err != nil {
		return errUsage
	}
	for _, name := range needed {
		if f.Lookup(name).Value.String() == "" || f.NArg() > 0 {
			fmt.Fprint(os.Stderr, keysUsage)
			return errUsage
		}
	}
	return nil
}

func keysRoot(args []string, out io.Writer) error {
	f := flag.NewFlagSet("hqd keys root-init", flag.ContinueOnError)
	dir := f.String("root", "", "the root's directory")
	algorithm := f.String("algorithm", "p256", "p256 or ed25519")
	if err := flagsOf(f, args, "root"); err != nil {
		return err
	}
	root, err := setup.RootInit(*dir, *algorithm)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s SHA-256 %x\n", root.ID(), root.Fingerprint())
	return err
}

// draft reads the draft that is continued, or begins one from the published list.
func draft(l setup.Layout, path string) (*seal.List, error) {
	raw, err := os.ReadFile(path) //nolint:gosec // the operator names it
	if errors.Is(err, os.ErrNotExist) {
		return setup.NextDraft(l)
	}
	if err != nil {
		return nil, err
	}
	return seal.ParseDraft(raw)
}

// writeDraft writes the draft and says what to do with it.
func writeDraft(d *seal.List, path string, out io.Writer) error {
	d.Root = ""
	raw, err := d.Draft()
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "draft of list %d: %s; sign it where the root is: hqd keys sign-list\n", d.Version, path)
	return err
}

func keysRotate(args []string, out io.Writer) error {
	f := flag.NewFlagSet("hqd keys rotate", flag.ContinueOnError)
	dir, path := f.String("dir", "", "HQ's directory"), f.String("out", "", "the draft")
	parts := f.String("parts", "", "the parts whose key is followed by a new one (default: all)")
	from := f.Duration("from", 7*24*time.Hour, "when the new keys begin: kiosks must have the list by then")
	life := f.Duration("life", 2*365*24*time.Hour, "how long they live")
	keep := f.Duration("keep", 400*24*time.Hour, "how long ended keys stay listed, for records that come late")
	if err := flagsOf(f, args, "dir", "out"); err != nil {
		return err
	}
	l, now := setup.Layout(*dir), time.Now()
	d, err := draft(l, *path)
	if err != nil {
		return err
	}
	list := record.Parts()
	if *parts != "" {
		list = nil
		for p := range strings.SplitSeq(*parts, ",") {
			list = append(list, record.Part(p))
		}
	}
	for _, p := range list {
		if record.MaxPart(p) == 0 {
			return fmt.Errorf("unknown part %q", p)
		}
	}
	for _, p := range list {
		if err := setup.Rotate(l, d, setup.Rotation{Part: p, From: now.Add(*from), Life: *life, Keep: *keep, Now: now}); err != nil {
			return err
		}
	}
	return writeDraft(d, *path, out)
}

func keysAdd(args []string, out io.Writer) error {
	f := flag.NewFlagSet("hqd keys add", flag.ContinueOnError)
	dir, path := f.String("dir", "", "HQ's directory"), f.String("out", "", "the draft")
	part, id := f.String("part", "", "the part"), f.String("id", "", "the key's id")
	suite, public := f.Uint("suite", 0x0050, "the HPKE id of the mechanism"), f.String("public", "", "the public key in base64")
	from := f.Duration("from", 7*24*time.Hour, "when the key begins")
	life := f.Duration("life", 2*365*24*time.Hour, "how long it lives")
	if err := flagsOf(f, args, "dir", "out", "part", "id", "public"); err != nil {
		return err
	}
	d, err := draft(setup.Layout(*dir), *path)
	if err != nil {
		return err
	}
	kem, err := seal.KEMOf(uint16(min(*suite, 0xffff))) //nolint:gosec // bounded here
	if err != nil {
		return err
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(*public)
	if err != nil {
		return errors.New("the public key is not base64")
	}
	pub, err := kem.NewPublicKey(raw)
	if err != nil {
		return errors.New("the public key is not one of this suite")
	}
	begin := time.Now().Add(*from).UTC().Truncate(time.Second)
	d.Keys = append(d.Keys, seal.Key{ID: *id, Part: record.Part(*part), NotBefore: begin, NotAfter: begin.Add(*life), Public: pub})
	return writeDraft(d, *path, out)
}

func keysRevoke(args []string, out io.Writer) error {
	f := flag.NewFlagSet("hqd keys revoke", flag.ContinueOnError)
	dir, path, id := f.String("dir", "", "HQ's directory"), f.String("out", "", "the draft"), f.String("id", "", "the key's id")
	if err := flagsOf(f, args, "dir", "out", "id"); err != nil {
		return err
	}
	d, err := draft(setup.Layout(*dir), *path)
	if err != nil {
		return err
	}
	if err := setup.RevokeKey(d, *id, time.Now()); err != nil {
		return err
	}
	return writeDraft(d, *path, out)
}

func keysSign(args []string, out io.Writer) error {
	f := flag.NewFlagSet("hqd keys sign-list", flag.ContinueOnError)
	root, in, path := f.String("root", "", "the root's directory"), f.String("in", "", "the draft"), f.String("out", "", "the signed list")
	if err := flagsOf(f, args, "root", "in", "out"); err != nil {
		return err
	}
	raw, err := os.ReadFile(*in)
	if err != nil {
		return err
	}
	d, err := seal.ParseDraft(raw)
	if err != nil {
		return err
	}
	if raw, err = setup.SignList(*root, d, time.Now()); err != nil {
		return err
	}
	if err := os.WriteFile(*path, raw, 0o600); err != nil {
		return err
	}
	return printList(d, out)
}

func keysPublish(args []string, out io.Writer) error {
	f := flag.NewFlagSet("hqd keys publish", flag.ContinueOnError)
	dir, path := f.String("dir", "", "HQ's directory"), f.String("list", "", "the signed list")
	if err := flagsOf(f, args, "dir", "list"); err != nil {
		return err
	}
	raw, err := os.ReadFile(*path)
	if err != nil {
		return err
	}
	if err := setup.Publish(setup.Layout(*dir), raw); err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, "published")
	return err
}

func keysShow(args []string, out io.Writer) error {
	f := flag.NewFlagSet("hqd keys show", flag.ContinueOnError)
	dir, path := f.String("dir", "", "HQ's directory: the published list"), f.String("list", "", "a draft or a list; its signature is not checked")
	if err := flagsOf(f, args); err != nil {
		return err
	}
	if *path == "" {
		s, err := setup.OpenList(setup.Layout(*dir))
		if err != nil {
			return err
		}
		return printList(s.List(), out)
	}
	raw, err := os.ReadFile(*path)
	if err != nil {
		return err
	}
	d, err := seal.ReadUnverified(raw)
	if err != nil {
		return err
	}
	return printList(d, out)
}

func printList(d *seal.List, out io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "list %d, issued %s, root %s\n", d.Version, d.Issued.UTC().Format(time.RFC3339), d.Root)
	for _, k := range d.Keys {
		fmt.Fprintf(&b, "  seal    %-14s %-28s 0x%04x  %s .. %s\n", k.Part, k.ID, k.Suite(), k.NotBefore.UTC().Format(time.RFC3339), k.NotAfter.UTC().Format(time.RFC3339))
	}
	for _, k := range d.Receipts {
		fmt.Fprintf(&b, "  receipt %-14s %-28s ed25519 %s .. %s\n", "", k.ID, k.NotBefore.UTC().Format(time.RFC3339), k.NotAfter.UTC().Format(time.RFC3339))
	}
	_, err := io.WriteString(out, b.String())
	return err
}
