package chip

import (
	"bytes"
	"crypto/rsa"
	"time"
)

// Layout is everything that is on a card when it leaves the factory.
type Layout struct {
	ATR          []byte
	Applications []Application

	KeepRightsOnSelect bool   // SELECT of an application leaves verified PINs verified (public sources disagree)
	BlockedQuery       uint16 // answer to a VERIFY without data on a blocked PIN; 0 means 63C0
	MasterFile         bool   // 00 A4 00 00 selects the first application (driver's licence)
	Only               uint16 // when set, the answer to every command (cards without ISO applications)
	Dead               bool   // does not even answer to power: a card nobody can talk to

	FirstFails bool          // 6F00 to the first command after each power-up
	SignTime   time.Duration // how long a signature takes (0.3 to 1 s on real cards)
	TPDU       bool          // speaks T=0: short commands only, 61xx and 6Cxx (see tpdu.go)
	UID        []byte        // what FF CA 00 00 tells; nil is a PUPI, drawn anew at each power-up
	Objects    []Object      // what GET DATA finds
}

// Object is one data object for GET DATA.
type Object struct {
	Tag      uint16
	Data     []byte
	Anywhere bool // also while an application is selected; else on the level of the master file only
}

// Application is one dedicated file, selected by its id.
type Application struct {
	Name       string // short name in Stats, e.g. "0408"
	AID        []byte
	Files      []File
	DefaultKey uint16   // private key that 80 2A uses for P2 = 00; 0 when there is none
	Answers    bool     // its keys answer INTERNAL AUTHENTICATE
	Domain     bool     // the issuer security domain: selecting it is the state right after power-up
	Session    *Session // secure messaging; nil when it has none
	Messaging  uint16   // without Session: the answer to 80 AE; 0 means 66F1
	Terminals  bool     // knows 80 A2
	AltChange  bool     // PINs change by 80 32 instead of 00 24
}

// Access lists the PINs of which any one opens a file. Nil is free for all, Never opens for nobody.
type Access []uint16

// Never is the access rule that nothing satisfies.
func Never() Access { return Access{} }

// File is one elementary file. Exactly one of Data, Records, PIN, Key and Verifier is used.
type File struct {
	ID       uint16
	Data     []byte          // transparent file, with its filler
	Records  [][]byte        // record file
	PIN      *PIN            // PIN or password
	Key      *rsa.PrivateKey // private key
	Verifier *Verifier       // public key that terminals are checked with
	Access   Access          // who may read the data or use the key
	Terminal bool            // ... and so may a terminal whose certificate was accepted
}

// Format is what a new PIN must look like.
type Format uint8

// The formats.
const (
	Fixed    Format = iota // can never be changed (照合番号, birth date)
	Digits4                // four digits
	Password               // 6 to 16 of A-Z0-9, at least one letter and one digit
)

// PIN is a secret with its try counter. Left = 0 is blocked.
type PIN struct {
	Value     []byte
	Max, Left int
	Format    Format
}

func (f Format) accepts(v []byte) bool {
	digits, letters := 0, 0
	for _, b := range v {
		switch {
		case b >= '0' && b <= '9':
			digits++
		case b >= 'A' && b <= 'Z':
			letters++
		default:
			return false
		}
	}
	switch f {
	case Digits4:
		return len(v) == 4 && digits == 4
	case Password:
		return len(v) >= 6 && len(v) <= 16 && digits > 0 && letters > 0
	case Fixed:
		return false
	}
	return false
}

func (f *File) isPIN() bool { return f.PIN != nil }
func (f *File) isKey() bool { return f.Key != nil }

// internal files hold what only the card itself uses; they are no data.
func (f *File) internal() bool { return f.isPIN() || f.isKey() || f.Verifier != nil }

func (a *Application) file(id uint16) *File {
	for i := range a.Files {
		if a.Files[i].ID == id {
			return &a.Files[i]
		}
	}
	return nil
}

// short finds a file by its short id, the low five bits of its id. A file with just that id comes first: on a
// driver's licence 2F01 and 0001 share their low bits.
func (a *Application) short(id byte) *File {
	if f := a.file(uint16(id)); f != nil {
		return f
	}
	for i := range a.Files {
		if byte(a.Files[i].ID&0x1F) == id {
			return &a.Files[i]
		}
	}
	return nil
}

// clone copies what a card changes during its life: the list of files and the PINs.
func (l Layout) clone() Layout {
	l.ATR = bytes.Clone(l.ATR)
	apps := make([]Application, len(l.Applications))
	copy(apps, l.Applications)
	for i := range apps {
		files := make([]File, len(apps[i].Files))
		copy(files, apps[i].Files)
		for j := range files {
			if p := files[j].PIN; p != nil {
				c := *p
				c.Value = bytes.Clone(p.Value)
				files[j].PIN = &c
			}
		}
		apps[i].Files = files
	}
	l.Applications = apps
	return l
}
