// Package face is the contract of face detection, matching and liveness: an engine gives numbers, a calibration
// gives them a meaning, and Judge turns both into a verdict that fails closed. Engines are face/opencv and, for
// tests, face/fake. Only daemon/... and face/... may import it.
package face

import "image"

// Outcome is the result of one check. The zero value is NotChecked, which is never a pass.
type Outcome string

// The outcomes.
const (
	NotChecked Outcome = "not-checked"
	Pass       Outcome = "pass"   // match, or live
	Unsure     Outcome = "unsure" // the band that people decide
	Fail       Outcome = "fail"   // no match, or a presentation attack
)

// Point is a position in pixels.
type Point struct{ X, Y float64 }

// Detection is one face found. Landmarks are, in image terms: left eye, right eye, nose tip, left and right mouth
// corner.
type Detection struct {
	Box       image.Rectangle
	Landmarks [5]Point
	Score     float64 // 0..1
}

// Template is a face's feature vector. It is biometric data: it is never stored or sent, and wiped after use.
type Template struct{ V []float32 }

// Wipe zeroes the template.
func (t *Template) Wipe() {
	if t != nil {
		clear(t.V)
		t.V = nil
	}
}

// Engine computes. It is not safe for concurrent use. Errors are about the engine or the image, never verdicts.
type Engine interface {
	// Model identifies the weights in use, for the record: names and shortened SHA-256 sums.
	Model() string
	// Detect finds faces, best first.
	Detect(img image.Image) ([]Detection, error)
	// Template computes the features of one face found in img.
	Template(img image.Image, d Detection) (*Template, error)
	// Similarity is the cosine similarity of two templates, -1..1.
	Similarity(a, b *Template) float64
	// Liveness is the score, 0..1, that the face is a person before the camera and not a picture or a screen.
	Liveness(img image.Image, d Detection) (float64, error)
	Close() error
}

// Calibration says what an engine's numbers mean for a population. Without one nothing is decided.
type Calibration struct {
	ID          string
	Model       string // must equal Engine.Model()
	Accept      float64
	Refuse      float64 // between Refuse and Accept is Unsure
	Live        float64 // at or above: live
	Attack      float64 // below: attack; between is Unsure
	VirtualOnly bool    // made from rendered faces: refused with a real camera
}

// Verdict is the result of a face step. Scores are in ten-thousandths, so that records hold integers.
type Verdict struct {
	Match       Outcome
	Score       int // best similarity, 1e-4; 0 when not checked
	Threshold   int // Calibration.Accept, 1e-4
	Live        Outcome
	LiveScore   int // 1e-4
	Reasons     []Reason
	Model       string
	Calibration string
	VirtualOnly bool
	Frames      int // frames that took part
	Best        int // index of the best frame among those given, -1 for none
}

// Reason is a stable code that says why a verdict is not a pass.
type Reason string

// The reasons.
const (
	ReasonNoModel            Reason = "no-model"
	ReasonNoCalibration      Reason = "no-calibration"
	ReasonCalibrationModel   Reason = "calibration-of-another-model"
	ReasonCalibrationVirtual Reason = "virtual-calibration-with-real-camera"
	ReasonNoCardFace         Reason = "no-card-face"
	ReasonCardImage          Reason = "card-image-unreadable"
	ReasonNoFace             Reason = "no-face"
	ReasonManyFaces          Reason = "more-than-one-face"
	ReasonFewFrames          Reason = "too-few-good-frames"
	ReasonBelow              Reason = "similarity-below-threshold"
	ReasonAttack             Reason = "presentation-attack-suspected"
	ReasonEngine             Reason = "engine-error"
)

// Hint tells the customer what to change; HintGood means that the frame can be used.
type Hint string

// The hints.
const (
	HintGood     Hint = "good"
	HintNoFace   Hint = "no-face"
	HintMany     Hint = "many-faces"
	HintCloser   Hint = "closer"
	HintBack     Hint = "back"
	HintCentre   Hint = "centre"
	HintDark     Hint = "dark"
	HintBright   Hint = "bright"
	HintStill    Hint = "still" // blurred
	HintStraight Hint = "straight"
)
