package portrait

// Kind is the coarse look of a person.
type Kind uint8

// The kinds.
const (
	Woman Kind = iota
	Man
	Girl
	OldMan
)

// Hair styles.
const (
	hairShort = iota
	hairParted
	hairFringe
	hairBob
	hairLong
	hairBack
	hairReceding
	hairStyles
)

// Beards.
const (
	beardNone = iota
	beardStubble
	beardMoustache
	beardGoatee
	beardFull
)

// Params describe one face. Lengths are in units of half a mean face's width (about 70 mm); the eyes are at height 0,
// the chin near -1.6. The zero value is not a face: use New.
type Params struct {
	Seed uint64
	Kind Kind

	faceW, jawW, chinW, chin, crown, cheek, cheekbone, front, asym float64
	eyeX, eyeY, eyeW, eyeH, eyeTilt, socket, crease, irisR         float64
	browY, browLen, browThick, browArch, browTilt, browInk, ridge  float64
	noseLen, noseW, noseTip, bridge, hump, flare, nostril          float64
	mouthY, mouthW, lipUp, lipLow, smile, lipInk                   float64
	age, bags, blush, freckles, tone, ruddy                        float64
	skin, iris, hair, lip, brow, cloth, collar                     vec
	style, beard, glasses                                          int
	hairline, volume, partX, sideLen, sideCut, curl, gloss         float64
	glassW, glassH, glassR                                         float64
	glassColour                                                    vec
	moles                                                          [3]mole
}

type mole struct{ x, y, r float64 }

// New draws a face of the kind from the seed. Different seeds give faces as different as the kind allows.
func New(seed uint64, kind Kind) *Params {
	r := &random{s: seed*0x9E37 + uint64(kind)<<56 + 17}
	p := &Params{Seed: seed, Kind: kind}
	p.shape(r)
	p.eyes(r)
	p.noseAndMouth(r)
	p.surface(r)
	p.headwear(r)
	p.adapt(r)
	return p
}

func (p *Params) shape(r *random) {
	p.faceW, p.jawW, p.chinW = r.between(0.90, 1.12), r.between(0.70, 1.0), r.between(0.45, 1.0)
	p.chin, p.crown = r.between(1.38, 1.74), r.between(1.28, 1.46)
	p.cheek, p.cheekbone = r.between(-0.04, 0.10), r.between(0, 0.12)
	p.front, p.asym = r.between(0.60, 0.95), r.between(-0.03, 0.03)
}

func (p *Params) eyes(r *random) {
	p.eyeX, p.eyeY = r.between(0.385, 0.50), r.between(-0.06, 0.06)
	p.eyeW, p.eyeH = r.between(0.165, 0.245), r.between(0.055, 0.105)
	p.eyeTilt, p.socket = r.between(-0.12, 0.28), r.between(0.02, 0.20)
	p.crease, p.irisR = r.float(), r.between(0.084, 0.102)
	p.browY, p.browLen = r.between(0.20, 0.38), r.between(0.20, 0.34)
	p.browThick, p.browArch = r.between(0.018, 0.075), r.between(-0.02, 0.10)
	p.browTilt, p.browInk = r.between(-0.16, 0.16), r.between(0.45, 1)
	p.ridge = r.between(0, 0.09)
	p.iris = srgb(0.13, 0.08, 0.05).mix(srgb(0.42, 0.26, 0.13), r.float()*r.float())
}

func (p *Params) noseAndMouth(r *random) {
	p.noseLen, p.noseW = r.between(0.48, 0.76), r.between(0.15, 0.29)
	p.noseTip, p.bridge = r.between(0.18, 0.42), r.between(0.02, 0.22)
	p.hump, p.flare, p.nostril = r.between(-0.04, 0.07), r.between(0.04, 0.13), r.between(0.3, 1)
	p.mouthY, p.mouthW = r.between(0.33, 0.47), r.between(0.24, 0.45)
	p.lipUp, p.lipLow = r.between(0.025, 0.095), r.between(0.04, 0.125)
	p.smile, p.lipInk = r.between(-0.005, 0.09), r.between(0.1, 0.9)
	p.lip = srgb(0.72, 0.42, 0.38).mix(srgb(0.66, 0.16, 0.20), r.float())
}

func (p *Params) surface(r *random) {
	p.age, p.bags, p.blush = r.between(0, 0.45), r.between(0, 0.7), r.float()
	p.freckles = max(0, r.between(-1.5, 1))
	p.tone, p.ruddy = r.float(), r.float()
	light, tan := vec{0.94, 0.79, 0.69}, vec{0.72, 0.54, 0.42}
	c := light.mix(tan, p.tone)
	p.skin = srgb(c.x, c.y-0.03*p.ruddy, c.z-0.04*(1-p.ruddy))
	for i := range p.moles {
		if r.chance(0.4) {
			p.moles[i] = mole{r.between(-0.7, 0.7), r.between(-1.2, 0.7), r.between(0.018, 0.04)}
		}
	}
	palette := [...]vec{srgb(0.08, 0.07, 0.07), srgb(0.14, 0.10, 0.08), srgb(0.25, 0.16, 0.10)}
	p.hair = palette[r.pick(len(palette))]
	clothes := [...]vec{srgb(0.18, 0.22, 0.34), srgb(0.85, 0.86, 0.88), srgb(0.45, 0.20, 0.22), srgb(0.25, 0.38, 0.32), srgb(0.55, 0.50, 0.42), srgb(0.2, 0.2, 0.2)}
	p.cloth, p.collar = clothes[r.pick(len(clothes))], clothes[r.pick(len(clothes))]
}

func (p *Params) headwear(r *random) {
	p.style = r.pick(hairStyles)
	p.hairline, p.volume = r.between(0.66, 0.98), r.between(0.08, 0.30)
	p.partX, p.sideLen, p.sideCut = r.between(-0.6, 0.6), r.between(0.9, 3.2), r.between(0.95, 1.35)
	p.curl, p.gloss = r.float()*r.float(), r.between(0.1, 0.5)
	if r.chance(0.45) {
		p.glasses = 1 + r.pick(3)
	}
	p.glassW, p.glassH, p.glassR = r.between(0.28, 0.37), r.between(0.17, 0.31), r.between(0.014, 0.045)
	frames := [...]vec{srgb(0.06, 0.06, 0.07), srgb(0.30, 0.14, 0.08), srgb(0.62, 0.60, 0.58), srgb(0.16, 0.18, 0.32)}
	p.glassColour = frames[r.pick(len(frames))]
	if r.chance(0.4) {
		p.beard = 1 + r.pick(beardFull)
	}
}

// adapt bends what was drawn towards the kind.
func (p *Params) adapt(r *random) {
	p.brow = p.hair
	defer p.proportions()
	switch p.Kind {
	case Woman:
		p.beard, p.age = beardNone, p.age*0.5
		p.browThick = min(p.browThick, 0.055)
		p.lipInk = lerp(p.lipInk, 1, 0.4)
		p.style = longer(p.style, r)
	case Girl:
		p.beard, p.age, p.bags, p.ridge = beardNone, 0, p.bags*0.3, 0
		p.chin, p.jawW, p.cheek = lerp(p.chin, 1.36, 0.7), min(p.jawW, 0.86), p.cheek+0.05
		p.eyeH, p.eyeW = max(p.eyeH, 0.09), max(p.eyeW, 0.20)
		p.noseLen, p.noseTip, p.bridge = p.noseLen*0.85, p.noseTip*0.8, p.bridge*0.5
		p.lipInk, p.hairline = p.lipInk*0.4, max(p.hairline, 0.9)
		p.style = longer(p.style, r)
	case Man, OldMan:
		p.browThick, p.lipInk = max(p.browThick, 0.035), p.lipInk*0.25
		p.jawW, p.ridge = max(p.jawW, 0.78), p.ridge+0.03
		if p.style == hairBob || p.style == hairLong {
			p.style = [...]int{hairShort, hairParted, hairFringe}[r.pick(3)]
		}
		if p.Kind == OldMan {
			p.age, p.bags = r.between(0.75, 1), r.between(0.5, 1)
			p.hair = srgb(0.35, 0.34, 0.34).mix(srgb(0.88, 0.88, 0.87), r.float())
			p.brow = p.hair.mix(srgb(0.2, 0.2, 0.2), 0.4)
		}
	}
	if p.style == hairReceding {
		p.hairline, p.volume = r.between(1.0, 1.3), 0.05
	}
}

// longer replaces the cropped styles, which read as a man's.
func longer(style int, r *random) int {
	switch style {
	case hairShort, hairReceding:
		return [...]int{hairFringe, hairBob, hairLong}[r.pick(3)]
	case hairBack, hairParted:
		return [...]int{style, hairBob, hairLong}[r.pick(3)]
	}
	return style
}

// proportions turns the mouth's place between nose and chin into a length, so that it always lies on the face.
func (p *Params) proportions() {
	p.chinW = max(p.chinW, 0.62*p.mouthW/(0.36*p.faceW*p.jawW))
	p.mouthY *= p.chin - p.noseLen
	p.browY = min(p.browY, 0.36)
}
