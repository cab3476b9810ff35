package witness

import "net/http"

// Answer is one kind of answer other than success, for the OpenAPI document's test.
type Answer struct {
	Status     int
	Codes      []string
	RetryAfter bool
}

// Answers lists what a path may answer beside 200; docs/openapi/device.yaml holds the same.
func Answers(path string) []Answer {
	list := []Answer{
		{http.StatusBadRequest, []string{"digest"}, false},
		{http.StatusForbidden, []string{"certificate"}, false},
		{http.StatusGone, []string{"revoked", "superseded", "unknown-device"}, false},
		{http.StatusRequestEntityTooLarge, []string{"size"}, false},
		{http.StatusServiceUnavailable, []string{"busy", "store"}, true},
	}
	switch path {
	case PathAudit:
		return append(
			list,
			Answer{http.StatusConflict, []string{"another-log", "forked", "place", "shrunken"}, false},
			Answer{http.StatusUnprocessableEntity, []string{"batch", "leaf", "signature"}, false},
		)
	case PathHeartbeat:
		return append(list, Answer{http.StatusUnprocessableEntity, []string{"heartbeat"}, false})
	}
	return nil
}
