package face_test

import (
	"errors"
	"image"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"madoguchi/face"
	"madoguchi/face/fake"
)

// stage is one Judge call under construction.
type stage struct {
	engine *fake.Engine
	cal    *face.Calibration
	real   bool
	card   image.Image
	frames []image.Image
}

// picture is a mid-grey chequered frame: bright and sharp enough for the guidance.
func picture() *image.Gray {
	img := image.NewGray(image.Rect(0, 0, 320, 240))
	for i := range img.Pix {
		img.Pix[i] = 100
		if (i%320/4+i/320/4)%2 == 0 {
			img.Pix[i] = 150
		}
	}
	return img
}

// scene is a good frame of the person whose similarity to the card is c.
func scene(img image.Image, c, live float64) fake.Scene {
	return fake.Scene{Found: []face.Detection{fake.Straight(img, 70)}, Vector: fake.Person(c), Live: live}
}

// newStage is a happy path: the card's face and five live frames at similarity 0.9.
func newStage() *stage {
	card := picture()
	s := &stage{
		engine: &fake.Engine{Script: map[image.Image]fake.Scene{card: scene(card, 1, 0)}},
		cal:    &face.Calibration{ID: "cal", Model: fake.Model, Accept: 0.7, Refuse: 0.5, Live: 0.6, Attack: 0.3},
		real:   true,
		card:   card,
	}
	for range 5 {
		s.add(0.9, 0.95)
	}
	return s
}

func (s *stage) add(c, live float64) {
	img := picture()
	s.frames = append(s.frames, img)
	s.engine.Script[img] = scene(img, c, live)
}

// change edits the scene of frame i, or of the card when i is -1.
func (s *stage) change(i int, f func(*fake.Scene)) {
	img := s.card
	if i >= 0 {
		img = s.frames[i]
	}
	sc := s.engine.Script[img]
	f(&sc)
	s.engine.Script[img] = sc
}

func (s *stage) judge() face.Verdict {
	return face.Judge(s.engine, s.cal, s.real, s.card, s.frames)
}

// reset drops all frames.
func (s *stage) reset() { s.frames = nil }

// want is what a case checks of the verdict.
type want struct {
	Match, Live face.Outcome
	Reasons     []face.Reason
	Frames      int
}

func none(r ...face.Reason) want { return want{face.NotChecked, face.NotChecked, r, 0} }

// judgeCase is the happy path with one thing changed.
type judgeCase struct {
	name string
	edit func(*stage)
	want want
}

func errBad() error { return errors.New("bad") }

// setUpCases are about engine and calibration.
func setUpCases() []judgeCase {
	return []judgeCase{
		{"all-well", func(*stage) {}, want{face.Pass, face.Pass, nil, 5}},
		{"model-without-name", func(s *stage) { s.engine.Nameless = true }, none(face.ReasonNoModel)},
		{"no-calibration", func(s *stage) { s.cal = nil }, none(face.ReasonNoCalibration)},
		{"zero-calibration", func(s *stage) { s.cal = &face.Calibration{} }, none(face.ReasonNoCalibration)},
		{"accept-everybody", func(s *stage) { s.cal.Accept, s.cal.Refuse = 0, 0 }, none(face.ReasonNoCalibration)},
		{"threshold-not-a-number", func(s *stage) { s.cal.Accept = math.NaN() }, none(face.ReasonNoCalibration)},
		{"everything-is-live", func(s *stage) { s.cal.Live, s.cal.Attack = 0, 0 }, none(face.ReasonNoCalibration)},
		{"other-model", func(s *stage) { s.cal.Model = "other" }, none(face.ReasonCalibrationModel)},
		{"virtual-calibration-real-camera", func(s *stage) { s.cal.VirtualOnly = true }, none(face.ReasonCalibrationVirtual)},
		{"virtual-calibration-virtual-camera", func(s *stage) { s.cal.VirtualOnly, s.real = true, false }, want{face.Pass, face.Pass, nil, 5}},
	}
}

// brokenCases are about the card and a failing engine.
func brokenCases() []judgeCase {
	return []judgeCase{
		{"no-card-picture", func(s *stage) { s.card = nil }, want{face.NotChecked, face.Pass, []face.Reason{face.ReasonCardImage}, 5}},
		{"empty-card-picture", func(s *stage) { s.card = image.NewGray(image.Rectangle{}) }, want{face.NotChecked, face.Pass, []face.Reason{face.ReasonCardImage}, 5}},
		{"card-without-face", func(s *stage) { s.change(-1, func(c *fake.Scene) { c.Found = nil }) }, want{face.NotChecked, face.Pass, []face.Reason{face.ReasonNoCardFace}, 5}},
		{"card-with-two-faces", func(s *stage) { s.change(-1, func(c *fake.Scene) { c.Found = append(c.Found, c.Found[0]) }) }, want{face.NotChecked, face.Pass, []face.Reason{face.ReasonNoCardFace}, 5}},
		{"card-detect-error", func(s *stage) { s.change(-1, func(c *fake.Scene) { c.DetectErr = errBad() }) }, none(face.ReasonEngine)},
		{"card-template-error", func(s *stage) { s.change(-1, func(c *fake.Scene) { c.VectorErr = errBad() }) }, none(face.ReasonEngine)},
		{"card-template-empty", func(s *stage) { s.change(-1, func(c *fake.Scene) { c.Vector = nil }) }, none(face.ReasonEngine)},
		{"card-template-zero", func(s *stage) { s.change(-1, func(c *fake.Scene) { c.Vector = []float32{0, 0} }) }, none(face.ReasonEngine)},
		{"frame-detect-error", func(s *stage) { s.change(4, func(c *fake.Scene) { c.DetectErr = errBad() }) }, none(face.ReasonEngine)},
		{"frame-template-error", func(s *stage) { s.change(4, func(c *fake.Scene) { c.VectorErr = errBad() }) }, none(face.ReasonEngine)},
		{"frame-template-zero", func(s *stage) { s.change(4, func(c *fake.Scene) { c.Vector = []float32{0, 0} }) }, none(face.ReasonEngine)},
		{"frame-liveness-error", func(s *stage) { s.change(4, func(c *fake.Scene) { c.LiveErr = errBad() }) }, none(face.ReasonEngine)},
		{"liveness-not-a-number", func(s *stage) { s.change(4, func(c *fake.Scene) { c.Live = math.NaN() }) }, none(face.ReasonEngine)},
		{"liveness-above-one", func(s *stage) { s.change(4, func(c *fake.Scene) { c.Live = 7 }) }, none(face.ReasonEngine)},
	}
}

// frameCases are about how many faces the frames show.
func frameCases() []judgeCase {
	return []judgeCase{
		{"no-frames", func(s *stage) { s.reset() }, none(face.ReasonFewFrames, face.ReasonNoFace)},
		{"nil-frames", func(s *stage) { s.frames = make([]image.Image, 9) }, none(face.ReasonFewFrames, face.ReasonNoFace)},
		{"two-frames", func(s *stage) { s.frames = s.frames[:2] }, want{face.NotChecked, face.NotChecked, []face.Reason{face.ReasonFewFrames}, 2}},
		{"three-frames", func(s *stage) { s.frames = s.frames[:3] }, want{face.Pass, face.Pass, nil, 3}},
		{"frames-without-face", func(s *stage) {
			for i := range s.frames {
				s.change(i, func(c *fake.Scene) { c.Found = nil })
			}
		}, none(face.ReasonFewFrames, face.ReasonNoFace)},
		{"always-two-faces", func(s *stage) {
			for i := range s.frames {
				s.change(i, func(c *fake.Scene) { c.Found = append(c.Found, c.Found[0]) })
			}
		}, none(face.ReasonManyFaces, face.ReasonFewFrames)},
		{"once-two-faces", func(s *stage) { s.change(1, func(c *fake.Scene) { c.Found = append(c.Found, c.Found[0]) }) }, want{face.Unsure, face.Unsure, []face.Reason{face.ReasonManyFaces}, 4}},
		{"faint-second-find-is-ignored", func(s *stage) {
			s.change(1, func(c *fake.Scene) {
				faint := c.Found[0]
				faint.Score = 0.61
				c.Found = append(c.Found, faint)
			})
		}, want{face.Pass, face.Pass, nil, 5}},
	}
}

// decisionCases are about scores.
func decisionCases() []judgeCase {
	return []judgeCase{
		{"somebody-else", func(s *stage) {
			s.reset()
			for range 4 {
				s.add(0.3, 0.9)
			}
		}, want{face.Fail, face.Pass, []face.Reason{face.ReasonBelow}, 4}},
		{"opposite-vectors", func(s *stage) {
			s.reset()
			for range 4 {
				s.add(-1, 0.9)
			}
		}, want{face.Fail, face.Pass, []face.Reason{face.ReasonBelow}, 4}},
		{"between-the-bands", func(s *stage) {
			s.reset()
			for range 4 {
				s.add(0.6, 0.9)
			}
		}, want{face.Unsure, face.Pass, []face.Reason{face.ReasonBelow}, 4}},
		{"a-picture-all-along", func(s *stage) {
			s.reset()
			for range 4 {
				s.add(0.9, 0.1)
			}
		}, want{face.Pass, face.Fail, []face.Reason{face.ReasonAttack}, 4}},
		{"liveness-between-the-bands", func(s *stage) {
			s.reset()
			for range 4 {
				s.add(0.9, 0.5)
			}
		}, want{face.Pass, face.Unsure, []face.Reason{face.ReasonAttack}, 4}},
		{"one-frame-looks-like-an-attack", func(s *stage) { s.change(2, func(c *fake.Scene) { c.Live = 0.2 }) }, want{face.Pass, face.Unsure, []face.Reason{face.ReasonAttack}, 5}},
		{"one-frame-is-doubtful", func(s *stage) { s.change(2, func(c *fake.Scene) { c.Live = 0.5 }) }, want{face.Pass, face.Pass, nil, 5}},
		{"the-matching-frame-is-doubtful", func(s *stage) {
			s.change(2, func(c *fake.Scene) { c.Live, c.Vector = 0.5, fake.Person(0.95) })
		}, want{face.Pass, face.Unsure, []face.Reason{face.ReasonAttack}, 5}},
		{"faces-change-between-frames", func(s *stage) {
			s.reset()
			s.add(0.95, 0.9)
			s.add(0.1, 0.9)
			s.add(0.1, 0.9)
		}, want{face.Unsure, face.Unsure, []face.Reason{face.ReasonManyFaces}, 3}},
		{"bad-frames-do-not-count", func(s *stage) {
			s.change(0, func(c *fake.Scene) { c.Found[0] = fake.Straight(s.frames[0], 10) })
			s.change(1, func(c *fake.Scene) { c.Found[0].Box = c.Found[0].Box.Add(image.Pt(120, 0)) })
			s.change(2, func(c *fake.Scene) { c.Found[0].Landmarks[2].X += 40 })
		}, want{face.NotChecked, face.NotChecked, []face.Reason{face.ReasonFewFrames}, 2}},
	}
}

func TestJudge(t *testing.T) {
	for _, tc := range slices.Concat(setUpCases(), brokenCases(), frameCases(), decisionCases()) {
		t.Run(tc.name, func(t *testing.T) {
			s := newStage()
			tc.edit(s)
			v := s.judge()
			if d := cmp.Diff(tc.want, want{v.Match, v.Live, v.Reasons, v.Frames}); d != "" {
				t.Errorf("verdict (-want +got):\n%s", d)
			}
			if v.Match == face.NotChecked && v.Score != 0 || v.Live == face.NotChecked && v.LiveScore != 0 {
				t.Errorf("a score without a check: %+v", v)
			}
			for i, tpl := range s.engine.Issued {
				if tpl.V != nil {
					t.Errorf("template %d was not wiped", i)
				}
			}
		})
	}
}

func TestJudgeRecord(t *testing.T) {
	s := newStage()
	s.change(3, func(c *fake.Scene) { c.Vector = []float32{0.99, 0.1410674} })
	s.change(1, func(c *fake.Scene) { c.Live = 0.65 })
	got := s.judge()
	want := face.Verdict{
		Match: face.Pass, Score: 9900, Threshold: 7000, Live: face.Pass, LiveScore: 9500,
		Model: "fake", Calibration: "cal", Frames: 5, Best: 3,
	}
	if got.Score == 9899 { // the square root is not exact
		got.Score = 9900
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// Just below a threshold is below it in the record as well.
func TestJudgeRoundsDown(t *testing.T) {
	s := newStage()
	s.reset()
	for range 3 {
		s.add(0.69999, 0.9)
	}
	v := s.judge()
	if v.Match != face.Unsure || v.Score != 6999 || v.Threshold != 7000 {
		t.Errorf("got %s at %d of %d", v.Match, v.Score, v.Threshold)
	}
}

func TestJudgeWithoutEngine(t *testing.T) {
	s := newStage()
	v := face.Judge(nil, s.cal, true, s.card, s.frames)
	want := face.Verdict{Match: face.NotChecked, Live: face.NotChecked, Best: -1, Reasons: []face.Reason{face.ReasonNoModel}}
	if d := cmp.Diff(want, v); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// A flood of frames is not looked at.
func TestJudgeBoundsFrames(t *testing.T) {
	s := newStage()
	for range 100 {
		s.add(0.9, 0.9)
	}
	if v := s.judge(); v.Frames != 24 || len(s.engine.Issued) != 25 {
		t.Errorf("%d frames, %d templates", v.Frames, len(s.engine.Issued))
	}
}
