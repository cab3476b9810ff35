// Package opencv is the default face engine: YuNet finds faces, Intel's face-reidentification-retail-0095 compares
// them and Minivision's anti-spoofing pair scores whether a picture or a screen is shown. The networks run in
// Debian's OpenCV (dnn) behind a C shim of our own; all geometry is plain Go. The weights are not part of the
// product: Open reads them from a folder and refuses any byte it does not know.
//
// Only daemon/... and the tests of face may import it.
package opencv

import "errors"

// ErrNoCgo is what Open returns in a binary built without cgo.
var ErrNoCgo = errors.New("face engine: this binary was built without cgo, so faces cannot be checked")

// ErrClosed reports the use of an engine after Close.
var ErrClosed = errors.New("face engine: closed")

// ErrDetection reports a detection that does not fit the picture it is used with.
var ErrDetection = errors.New("face engine: detection does not fit the picture")

// EngineError is a failure inside the library. Its text is the library's and holds no personal data.
type EngineError struct{ Op, Text string }

func (e *EngineError) Error() string { return "face engine: " + e.Op + ": " + e.Text }
