package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"madoguchi/daemon/credential"
	"madoguchi/daemon/hq/opener"
	"madoguchi/daemon/hq/opener/token"
	"madoguchi/daemon/hq/setup"
	"madoguchi/storage/record"
	"madoguchi/storage/seal"
)

const tokenUsage = `usage: FILE names the tokens; its form is in hqd(8). The PIN of the token NAME is the credential pin-NAME, or in its pin_file.
  hqd token init-keys -dir D -tokens FILE -out DRAFT [-parts P,P] [-from 168h] [-life 17520h]
                     make a key for each part in its token, and a draft of the next key list with their public halves;
                     sign it where the root is: hqd keys sign-list. Keep D/opener/*.token.toml safe: it is half the key
  hqd token check    -dir D -tokens FILE [-parts P,P]     are the tokens there, the PINs right, the keys whole?
`

func runToken(args []string, out io.Writer) error {
	if len(args) > 0 && args[0] == "init-keys" {
		return tokenInit(args[1:], out)
	}
	if len(args) > 0 && args[0] == "check" {
		return tokenCheck(args[1:], out)
	}
	fmt.Fprint(os.Stderr, tokenUsage)
	return errUsage
}

func loadTokens(path string) (*token.Config, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	c, err := token.ParseConfig(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return c, nil
}

// openTokens gives the key store of a role's tokens.
func openTokens(l setup.Layout, c *token.Config, role []record.Part, log *slog.Logger) (*token.Store, error) {
	return token.Open(token.Options{
		Tokens: c.Token, Parts: role, Now: time.Now, Log: log,
		Read: func(name string) ([]byte, error) {
			return credential.Source{}.Read("", filepath.Join(l.Opener(), name))
		},
		PIN: func(s token.Spec) ([]byte, error) {
			raw, err := credential.FromEnvironment().Read(s.PINCredential(), s.PINFile)
			if err != nil {
				return nil, err
			}
			for len(raw) > 0 && (raw[len(raw)-1] == '\n' || raw[len(raw)-1] == '\r') { // an editor's line end is not the PIN's
				raw = raw[:len(raw)-1]
			}
			return raw, nil
		},
	})
}

// openKeys gives the keys of a role: in the tokens that the file names, else in files. A purpose that has a token may
// have a file key too: what was sealed before the token still opens.
func openKeys(l setup.Layout, tokens string, role []record.Part, log *slog.Logger) (keys opener.KeyStore, done func(), err error) {
	c := &token.Config{}
	if tokens != "" {
		if c, err = loadTokens(tokens); err != nil {
			return nil, nil, err
		}
	}
	var inFiles []record.Part
	for _, p := range role {
		_, err := os.Stat(filepath.Join(l.Opener(), opener.FileOf(p)))
		_, tokened := c.Of(p)
		if !tokened || err == nil || credential.FromEnvironment().Has(credential.OpenPrefix+string(p)) {
			inFiles = append(inFiles, p)
		}
	}
	files, err := opener.LoadKeysWith(func(p record.Part) ([]byte, error) {
		return credential.FromEnvironment().Read(credential.OpenPrefix+string(p), filepath.Join(l.Opener(), opener.FileOf(p)))
	}, inFiles...)
	if err != nil {
		return nil, nil, err
	}
	files.Later(func(name string) ([]byte, error) {
		return credential.Source{}.Read("", filepath.Join(l.Opener(), name))
	})
	if tokens == "" {
		return files, func() {}, nil
	}
	s, err := openTokens(l, c, role, log)
	if err != nil {
		return nil, nil, err
	}
	return opener.Ring{s, files}, func() { _ = s.Close() }, nil
}

// tokenRole gives the tokens and the parts that a command is about: those named, or all that have a token.
func tokenRole(tokens, list string) (*token.Config, []record.Part, error) {
	c, err := loadTokens(tokens)
	if err != nil {
		return nil, nil, err
	}
	if list != "" {
		role, err := partsOf(list)
		for _, p := range role {
			if _, ok := c.Of(p); !ok {
				return nil, nil, fmt.Errorf("part %q has no token", p)
			}
		}
		return c, role, err
	}
	var role []record.Part
	for _, p := range record.Parts() {
		if _, ok := c.Of(p); ok {
			role = append(role, p)
		}
	}
	return c, role, nil
}

func tokenInit(args []string, out io.Writer) error {
	f := flag.NewFlagSet("hqd token init-keys", flag.ContinueOnError)
	dir, tokens, path := f.String("dir", "", "HQ's directory"), f.String("tokens", "", "file that names the tokens"), f.String("out", "", "the draft")
	parts := f.String("parts", "", "the parts that get a key (default: all that have a token)")
	from := f.Duration("from", 7*24*time.Hour, "when the new keys begin: kiosks must have the list by then")
	life := f.Duration("life", 2*365*24*time.Hour, "how long they live")
	if err := flagsOf(f, args, "dir", "tokens", "out"); err != nil {
		return err
	}
	l := setup.Layout(*dir)
	c, role, err := tokenRole(*tokens, *parts)
	if err != nil {
		return err
	}
	d, err := draft(l, *path)
	if err != nil {
		return err
	}
	s, err := openTokens(l, c, role, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	begin := time.Now().Add(*from).UTC().Truncate(time.Second)
	for _, p := range role {
		file, pub, err := s.InitKey(context.Background(), p, begin.Add(*life))
		if err != nil {
			return fmt.Errorf("part %s: %w", p, err)
		}
		if err := writeNew(filepath.Join(l.Opener(), token.FileOf(p, pub.ID)), file); err != nil {
			return fmt.Errorf("key %s is in the token, its other half is lost: %w", pub.ID, err)
		}
		pub.NotBefore = begin
		d.Keys = append(d.Keys, pub)
		if err := writeDraft(d, *path, io.Discard); err != nil { // after each: a later one may fail
			return err
		}
		if _, err := fmt.Fprintf(out, "%s %s\n", p, pub.ID); err != nil {
			return err
		}
	}
	return writeDraft(d, *path, out)
}

// writeNew writes a file durably that must not be there.
func writeNew(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		return errors.Join(err, f.Close(), os.Remove(path))
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// errTokens is the result of a check that found something.
var errTokens = errors.New("not every token and key is good")

func tokenCheck(args []string, out io.Writer) error {
	f := flag.NewFlagSet("hqd token check", flag.ContinueOnError)
	dir, tokens := f.String("dir", "", "HQ's directory"), f.String("tokens", "", "file that names the tokens")
	parts := f.String("parts", "", "the parts of the role (default: all that have a token)")
	if err := flagsOf(f, args, "dir", "tokens"); err != nil {
		return err
	}
	l := setup.Layout(*dir)
	c, role, err := tokenRole(*tokens, *parts)
	if err != nil {
		return err
	}
	entries, err := fs.ReadDir(os.DirFS(l.Opener()), ".")
	if err != nil {
		return err
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	s, err := openTokens(l, c, role, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	listed := map[string]seal.Key{}
	if list, err := setup.OpenList(l); err == nil {
		for _, k := range list.List().Keys {
			listed[k.ID] = k
		}
	}
	return printTokens(s.Check(context.Background(), names), listed, out)
}

func printTokens(states []token.State, listed map[string]seal.Key, out io.Writer) error {
	good := true
	var b strings.Builder
	for _, t := range states {
		fmt.Fprintf(&b, "token %s (%s, serial %s, %s) for %s: %s\n", t.Name, t.Label, t.Serial, t.Model, strings.Join(t.Parts, ","), word(t.Err))
		good = good && t.Err == nil
		slices.SortFunc(t.Keys, func(x, y token.KeyState) int { return strings.Compare(x.ID, y.ID) })
		for _, k := range t.Keys {
			where := "not in the published list"
			if p, ok := listed[k.ID]; ok {
				where = "listed until " + p.NotAfter.UTC().Format(time.RFC3339)
			}
			fmt.Fprintf(&b, "  key %s %s: %s; %s\n", k.Part, k.ID, word(k.Err), where)
			good = good && k.Err == nil
		}
	}
	if _, err := io.WriteString(out, b.String()); err != nil {
		return err
	}
	if !good {
		return errTokens
	}
	return nil
}

func word(err error) string {
	if err == nil {
		return "good"
	}
	return err.Error()
}
