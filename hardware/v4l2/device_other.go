//go:build !linux

package v4l2

// devices gives none: Video4Linux is Linux.
func devices() system { return none{} }

type none struct{}

func (none) paths(string) []string { return nil }

func (none) open(string) (device, error) { return nil, ErrNoCamera }
