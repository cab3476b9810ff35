package console

import (
	"encoding/json"
	"slices"
	"strconv"
	"unicode/utf8"

	"madoguchi/internal/secret"
	"madoguchi/ui/push"
)

// Limits of a frame from a staff page.
const (
	maxFrame = 4096
	maxNote  = 200 // characters
	maxName  = 64  // bytes of a staff id, a case id or a reason
	maxPIN   = 32

	maxPerson = 200 // bytes of a representative's name
)

// fields is a frame as it came. pin and key point into the frame, which is wiped after use.
type fields struct {
	kind, staff, caseID, reason, note string
	relation, document, name          string
	pin, key                          []byte
	n                                 uint64
	seen                              []string
}

// parse reads one frame of a staff page and its count. Every error is push.ErrFrame.
func parse(frame []byte) (Input, uint64, error) {
	f, err := scan(frame)
	if err != nil || f.n == 0 {
		return Input{}, 0, push.ErrFrame
	}
	in := Input{Kind: InputKind(f.kind), Staff: f.staff, Case: f.caseID, Reason: f.reason, Note: f.note}
	ok := false
	switch in.Kind {
	case InSignIn:
		ok = f.only("staff", "pin") && f.staff != "" && len(f.pin) > 0
		if ok {
			in.PIN = secret.Copy(f.pin)
		}
	case InApprove:
		ok = f.only("case", "reason", "note") && f.caseID != "" && slices.Contains(ApproveReasons(), f.reason)
	case InRefuse:
		ok = f.only("case", "reason", "note") && f.caseID != "" && slices.Contains(RefuseReasons(), f.reason)
	case InOther:
		ok = f.only("reason") && slices.Contains(OtherMethods(), f.reason)
	case InRepresent:
		ok = f.only("case", "reason", "note", "relation", "document", "name") && f.caseID != "" && f.name != "" &&
			slices.Contains(RepresentReasons(), f.reason) && slices.Contains(Relations(), f.relation) &&
			slices.Contains(Documents(), f.document)
		if ok {
			in.Relation, in.Document, in.Name = f.relation, f.document, secret.Copy([]byte(f.name))
		}
	case InSignOut, InHelped, InCancel:
		ok = f.only()
	case InLang:
		ok = f.only("reason") && (f.reason == "ja" || f.reason == "en")
	}
	if !ok {
		return Input{}, 0, push.ErrFrame
	}
	return in, f.n, nil
}

// parseAuth reads the first frame: the session secret, or nothing.
func parseAuth(frame []byte) ([]byte, error) {
	f, err := scan(frame)
	if err != nil || f.kind != push.TypeAuth || !slices.Equal(f.seen, []string{"t", "k"}) {
		return nil, push.ErrFrame
	}
	if len(f.key) != 0 && len(f.key) != push.KeySize {
		return nil, push.ErrFrame
	}
	return f.key, nil
}

// only is true when the frame had exactly these fields beside t and n.
func (f *fields) only(names ...string) bool {
	return slices.Equal(f.seen, append([]string{"t", "n"}, names...))
}

func scan(frame []byte) (fields, error) {
	var f fields
	if len(frame) > maxFrame {
		return f, push.ErrFrame
	}
	err := push.Object(frame, func(key, val []byte, quoted bool) error {
		name := string(key)
		if slices.Contains(f.seen, name) || quoted == (name == "n") {
			return push.ErrFrame
		}
		f.seen = append(f.seen, name)
		return f.set(name, val)
	})
	return f, err
}

func (f *fields) set(name string, val []byte) (err error) {
	switch name {
	case "t":
		f.kind, err = words(val, maxName)
	case "n":
		f.n, err = strconv.ParseUint(string(val), 10, 32)
	case "staff":
		f.staff, err = words(val, maxName)
	case "case":
		f.caseID, err = words(val, maxName)
	case "reason":
		f.reason, err = words(val, maxName)
	case "relation":
		f.relation, err = words(val, maxName)
	case "document":
		f.document, err = words(val, maxName)
	case "name":
		f.name, err = words(val, maxPerson)
	case "note":
		f.note, err = words(val, maxFrame)
		if utf8.RuneCountInString(f.note) > maxNote {
			err = push.ErrFrame
		}
	case "pin":
		f.pin = val
		err = plain(val, maxPIN)
	case "k":
		f.key = val
		err = plain(val, push.KeySize)
	default:
		err = push.ErrFrame
	}
	if err != nil {
		return push.ErrFrame
	}
	return nil
}

// plain allows printable ASCII without escapes, which can be taken as it stands and needs no copy.
func plain(val []byte, most int) error {
	if len(val) > most {
		return push.ErrFrame
	}
	for _, c := range val {
		if c < 0x21 || c > 0x7e || c == '\\' {
			return push.ErrFrame
		}
	}
	return nil
}

// words undoes the escapes of a JSON string.
func words(val []byte, most int) (string, error) {
	var s string
	if !utf8.Valid(val) {
		return "", push.ErrFrame
	}
	if err := json.Unmarshal(append(append([]byte{'"'}, val...), '"'), &s); err != nil || len(s) > most {
		return "", push.ErrFrame
	}
	return s, nil
}
