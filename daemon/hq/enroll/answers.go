package enroll

import (
	"net/http"

	"madoguchi/storage/enroll"
)

// Answer is one answer of an endpoint other than 200 and 304: its codes, and whether it says when to come again.
type Answer struct {
	Status     int
	Codes      []string
	RetryAfter bool
}

// Answers lists what an endpoint can answer: the contract of docs/openapi/device.yaml.
func Answers(path string) []Answer {
	form := Answer{Status: http.StatusBadRequest, Codes: []string{"form"}}
	certificate := Answer{Status: http.StatusForbidden, Codes: []string{"certificate"}}
	gone := Answer{Status: http.StatusGone, Codes: []string{"revoked", "superseded", "unknown-device"}}
	size := Answer{Status: http.StatusRequestEntityTooLarge, Codes: []string{"size"}}
	fault := Answer{Status: http.StatusServiceUnavailable, Codes: []string{"store"}, RetryAfter: true}
	switch path {
	case enroll.PathEnroll:
		return []Answer{
			form,
			{Status: http.StatusForbidden, Codes: []string{"code"}},
			size,
			{Status: http.StatusUnprocessableEntity, Codes: []string{"csr", "proof"}},
			{Status: http.StatusTooManyRequests, Codes: []string{"rate"}, RetryAfter: true},
			fault,
		}
	case enroll.PathRenew:
		return []Answer{form, certificate, gone, size, {Status: http.StatusUnprocessableEntity, Codes: []string{"csr", "device", "proof"}}, fault}
	case enroll.PathKeys:
		return []Answer{certificate, gone, fault}
	}
	return nil
}
