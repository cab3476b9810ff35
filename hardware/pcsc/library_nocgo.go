//go:build !cgo

package pcsc

import (
	"fmt"

	"madoguchi/hardware/reader"
)

// library gives a service that says what is missing.
func library() service { return noService{} }

type noService struct{}

func (noService) establish() (pcscContext, error) {
	return nil, fmt.Errorf("%w: %w", reader.ErrService, ErrNoCgo)
}
