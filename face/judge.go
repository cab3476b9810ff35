package face

import (
	"image"
	"math"
	"slices"
)

// Bounds of a face step.
const (
	minFrames = 3  // good frames below which nothing is decided
	maxFrames = 24 // frames looked at; more are ignored
	unit      = 10_000
)

// Judge compares the card's face with the live frames and scores liveness. It fails closed: whatever is missing,
// broken or doubtful gives NotChecked or Unsure, never Pass, and a reason.
//
// Match: the best similarity over the good frames decides. Live: the median of the good frames' scores decides,
// so that one bad frame does not accuse a customer; but a Pass also needs that no frame looks like an attack, that
// the very frame which matched is live, that all frames show the same face, and that no frame showed a second one.
// Otherwise one frame could carry a stranger's picture and the others a living face. Scores are compared in
// ten-thousandths, rounded down, so that the record explains the verdict.
//
// A card without a usable face leaves Match unchecked; Live is judged all the same. All templates are wiped.
func Judge(engine Engine, cal *Calibration, realCamera bool, card image.Image, frames []image.Image) Verdict {
	v := Verdict{Match: NotChecked, Live: NotChecked, Best: -1}
	if reason := usable(engine, cal, realCamera, &v); reason != "" {
		v.Reasons = append(v.Reasons, reason)
		return v
	}
	j := judge{engine: engine, cal: cal}
	defer j.wipe()
	j.readCard(card)
	for i, f := range frames[:min(len(frames), maxFrames)] {
		j.readFrame(i, f)
	}
	return j.conclude(v)
}

// usable checks engine and calibration and fills in what the record says of them.
func usable(engine Engine, cal *Calibration, realCamera bool, v *Verdict) Reason {
	if engine == nil {
		return ReasonNoModel
	}
	if v.Model = engine.Model(); v.Model == "" {
		return ReasonNoModel
	}
	if cal.Validate() != nil {
		return ReasonNoCalibration
	}
	v.Calibration, v.VirtualOnly, v.Threshold = cal.ID, cal.VirtualOnly, limit(cal.Accept)
	switch {
	case cal.Model != v.Model:
		return ReasonCalibrationModel
	case cal.VirtualOnly && realCamera:
		return ReasonCalibrationVirtual
	}
	return ""
}

// limit and score turn a threshold and a measurement into ten-thousandths.
func limit(v float64) int { return int(math.Round(v * unit)) }
func score(v float64) int { return int(math.Floor(min(max(v, 0), 1)*unit + 1e-6)) }

// good is one frame that takes part.
type good struct {
	index int
	tpl   *Template
	live  int
	match int
}

type judge struct {
	engine  Engine
	cal     *Calibration
	card    *Template
	good    []good
	reasons []Reason
	broken  bool // the engine failed: nothing it said is used
	many    bool
}

func (j *judge) wipe() {
	j.card.Wipe()
	for _, g := range j.good {
		g.tpl.Wipe()
	}
}

func (j *judge) because(r Reason) {
	if !slices.Contains(j.reasons, r) {
		j.reasons = append(j.reasons, r)
	}
}

func (j *judge) fail() {
	j.broken = true
	j.because(ReasonEngine)
}

// template computes and checks features.
func (j *judge) template(img image.Image, d Detection) *Template {
	t, err := j.engine.Template(img, d)
	if err != nil || t == nil || len(t.V) == 0 {
		t.Wipe()
		j.fail()
		return nil
	}
	return t
}

func (j *judge) readCard(card image.Image) {
	if card == nil || card.Bounds().Empty() {
		j.because(ReasonCardImage)
		return
	}
	found, err := j.engine.Detect(card)
	switch {
	case err != nil:
		j.fail()
	case len(found) == 0:
		j.because(ReasonNoCardFace)
	case len(found) > 1: // whose card it is cannot be said
		j.because(ReasonNoCardFace)
	default:
		j.card = j.template(card, found[0])
	}
}

func (j *judge) readFrame(i int, frame image.Image) {
	if j.broken || frame == nil || frame.Bounds().Empty() {
		return
	}
	found, err := j.engine.Detect(frame)
	if err != nil {
		j.fail()
		return
	}
	hint, d := DefaultGuidance().Assess(frame, found)
	switch hint {
	case HintGood:
	case HintMany:
		j.many = true
		return
	default:
		return
	}
	live, err := j.engine.Liveness(frame, d)
	if err != nil || !(live >= 0 && live <= 1) {
		j.fail()
		return
	}
	if t := j.template(frame, d); t != nil {
		j.good = append(j.good, good{index: i, tpl: t, live: score(live)})
	}
}

// conclude turns the measurements into the verdict.
func (j *judge) conclude(v Verdict) Verdict {
	v.Frames = len(j.good)
	if !j.broken && j.enough() {
		if j.compare(&v); !j.broken {
			j.liveness(&v)
		}
	}
	if j.broken {
		v.Match, v.Live, v.Score, v.LiveScore, v.Best, v.Frames = NotChecked, NotChecked, 0, 0, -1, 0
	}
	v.Reasons = j.reasons
	return v
}

// enough says whether the frames suffice to decide anything.
func (j *judge) enough() bool {
	if j.many {
		j.because(ReasonManyFaces)
	}
	if len(j.good) >= minFrames {
		return true
	}
	j.because(ReasonFewFrames)
	if len(j.good) == 0 && !j.many {
		j.because(ReasonNoFace)
	}
	return false
}

// compare decides Match.
func (j *judge) compare(v *Verdict) {
	best := 0
	for i := range j.good {
		if j.card == nil {
			break
		}
		s := j.engine.Similarity(j.card, j.good[i].tpl)
		if !(s >= -1.0001 && s <= 1.0001) {
			j.fail()
			return
		}
		j.good[i].match = score(s)
		if j.good[i].match > j.good[best].match {
			best = i
		}
	}
	if j.card == nil {
		best = j.liveliest()
	} else {
		v.Score = j.good[best].match
		v.Match = band(v.Score, limit(j.cal.Refuse), limit(j.cal.Accept))
	}
	v.Best = j.good[best].index
	if !j.sameFace(best) {
		j.many = true
		j.because(ReasonManyFaces)
	}
	if j.many && v.Match == Pass {
		v.Match = Unsure
	}
	if v.Match == Fail || (v.Match == Unsure && v.Score < v.Threshold) {
		j.because(ReasonBelow)
	}
}

func (j *judge) liveliest() int {
	best := 0
	for i, g := range j.good {
		if g.live > j.good[best].live {
			best = i
		}
	}
	return best
}

// sameFace says whether every frame shows the face of the best one.
func (j *judge) sameFace(best int) bool {
	for i, g := range j.good {
		if i == best {
			continue
		}
		s := j.engine.Similarity(j.good[best].tpl, g.tpl)
		if !(s >= -1.0001 && s <= 1.0001) {
			j.fail()
			return false
		}
		if score(s) < limit(j.cal.Refuse) {
			return false
		}
	}
	return true
}

// liveness decides Live.
func (j *judge) liveness(v *Verdict) {
	scores := make([]int, len(j.good))
	ofBest := 0
	for i, g := range j.good {
		scores[i] = g.live
		if g.index == v.Best {
			ofBest = g.live
		}
	}
	slices.Sort(scores)
	v.LiveScore = scores[(len(scores)-1)/2] // the lower of the two middle ones
	attack, live := limit(j.cal.Attack), limit(j.cal.Live)
	v.Live = band(v.LiveScore, attack, live)
	if v.Live == Pass && (scores[0] < attack || ofBest < live) {
		v.Live = Unsure
	}
	if v.Live != Pass {
		j.because(ReasonAttack)
	}
	if v.Live == Pass && j.many {
		v.Live = Unsure
	}
}

// band: below lo Fail, at or above hi Pass, between Unsure.
func band(v, lo, hi int) Outcome {
	switch {
	case v >= hi:
		return Pass
	case v < lo:
		return Fail
	}
	return Unsure
}
