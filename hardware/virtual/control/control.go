// Package control lets another process handle the virtual devices of a kiosk: it places and removes cards and
// chooses what the camera shows, over a unix socket that only the kiosk's own user can open.
//
// The protocol is one JSON object a line: Request, then Reply, any number of times. Only daemon/kioskd,
// daemon/kioskctl and tests may import this package.
package control

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"madoguchi/hardware/virtual"
)

// Command is what the other side may ask for.
type Command string

// The commands.
const (
	Insert      Command = "insert"       // ID: a person, or a kind of virtual.OtherKinds such as "transit"
	Remove      Command = "remove"       // take the card away
	Renew       Command = "renew"        // ID: throw the card away; the next Insert is a new one with all tries
	Show        Command = "show"         // ID: a person or a folder of live frames before the camera
	ShowFolder  Command = "show-folder"  // Path: a folder of JPEG files before the camera
	ShowNothing Command = "show-nothing" // an empty room
	FailCamera  Command = "fail-camera"  // the camera gives no pictures
	Status      Command = "status"       // nothing but the reply
	Fault       Command = "faults"       // Faults: replace those of the card placed, or with ID of any card of the drawer
	ResetStats  Command = "reset-stats"  // count the commands of the card placed anew; the reply has the old counters
)

// Request is one line to the kiosk.
type Request struct {
	Do   Command `json:"do"`
	ID   string  `json:"id,omitempty"`
	Path string  `json:"path,omitempty"`

	Faults *Faults `json:"faults,omitempty"`
}

// Reply is one line from the kiosk.
type Reply struct {
	Error string         `json:"error,omitempty"` // empty when it was done
	Card  string         `json:"card,omitempty"`  // who was placed last and not removed by this hand
	Gone  bool           `json:"gone,omitempty"`  // ... but lies there no more: it left by its faults
	Scene string         `json:"scene,omitempty"` // what the camera shows
	Stats *virtual.Stats `json:"stats,omitempty"` // counters of that card
	Tries map[string]int `json:"tries,omitempty"` // tries left on that card, e.g. "0408/0011"
}

const maxLine = 4096

var errRequest = errors.New("control: the request is not of the right form")

// parseRequest is strict: one JSON object, known fields, known command, with exactly the arguments it takes.
func parseRequest(line []byte) (Request, error) {
	var r Request
	if len(line) > maxLine {
		return r, errRequest
	}
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if d.Decode(&r) != nil {
		return Request{}, errRequest
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Request{}, errRequest
	}
	id, path, faults := false, false, false
	switch r.Do {
	case Insert, Renew, Show:
		id = true
	case ShowFolder:
		path = true
	case Fault:
		id, faults = r.ID != "", true
	case Remove, ShowNothing, FailCamera, Status, ResetStats:
	default:
		return Request{}, errRequest
	}
	if id != (r.ID != "") || path != (r.Path != "") || faults != (r.Faults != nil) {
		return Request{}, errRequest
	}
	if faults {
		if _, err := r.Faults.card(); err != nil {
			return Request{}, errRequest
		}
	}
	return r, nil
}
