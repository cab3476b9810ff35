//go:build cgo

package token

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/miekg/pkcs11"

	"madoguchi/storage/record"
)

// Check looks at every token of this role and at every key: those of which a file is there (files are the names in the
// opener's directory) and those that only the token has. Each key's two halves are put together, and the token makes
// one exchange with it.
func (s *Store) Check(_ context.Context, files []string) []State {
	var all []State
	for _, t := range s.all {
		st := State{Name: t.spec.Name, Label: t.spec.Label, Serial: t.spec.Serial, Parts: t.spec.Parts}
		var labels []string
		st.Err = t.do(func(c *pkcs11.Ctx, ses pkcs11.SessionHandle, cn *conn) error {
			st.Label, st.Serial, st.Model = cn.info.Label, cn.info.SerialNumber, cn.info.Model
			var err error
			labels, err = privateLabels(c, ses)
			return err
		})
		for _, p := range s.o.Parts {
			if s.byPart[p] != t {
				continue
			}
			for _, name := range files {
				id, ok := strings.CutPrefix(strings.TrimSuffix(name, ".token.toml"), string(p)+".")
				if !ok || FileOf(p, id) != name {
					continue
				}
				st.Keys = append(st.Keys, KeyState{ID: id, Part: string(p), Err: s.try(t, p, id)})
				labels = slices.DeleteFunc(labels, func(l string) bool { return l == id })
			}
		}
		for _, id := range labels {
			st.Keys = append(st.Keys, KeyState{ID: id, Err: fmt.Errorf("%w: the file with its other half is not there", errUnit)})
		}
		all = append(all, st)
	}
	return all
}

// try makes one exchange with a key: its own public half as the other side.
func (s *Store) try(t *slot, p record.Part, id string) error {
	if _, err := s.load(t, p, id); err != nil {
		return err
	}
	h, err := s.half(p, id)
	if err != nil {
		return err
	}
	return t.do(func(c *pkcs11.Ctx, ses pkcs11.SessionHandle, cn *conn) error {
		key, err := cn.handle(c, ses, object{pkcs11.CKO_PRIVATE_KEY, id})
		if err != nil {
			return err
		}
		secret, err := derive(c, ses, key, h.public[pqPublic:])
		clear(secret)
		return err
	})
}

func privateLabels(c *pkcs11.Ctx, s pkcs11.SessionHandle) ([]string, error) {
	all, err := search(c, s, pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_PRIVATE_KEY))
	if err != nil {
		return nil, err
	}
	var labels []string
	for _, h := range all {
		got, err := c.GetAttributeValue(s, h, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_LABEL, nil)})
		if err != nil {
			return nil, err
		}
		labels = append(labels, string(got[0].Value))
	}
	return labels, nil
}
