package portrait

import "math"

// skull gives the head's base surface: a runs round the vertical axis (0 = front), t from chin to crown.
func (p *Params) skull(a, t float64) vec {
	st, ct := math.Sincos(t)
	y := p.crown * st
	round := 0.60
	if st < 0 {
		y = p.chin * st
		round = 0.60
	}
	ring := math.Pow(max(ct, 0), round)
	sa, ca := math.Sincos(a)
	w := p.faceW * ring * p.taper(y)
	x := w * power(sa, 0.9)
	x += p.asym * (y * y * 0.3) * ca
	depth := 1.06 * math.Pow(max(ct, 0), 0.45)
	if ca < 0 {
		depth = 1.30 * ring * lerp(1, 0.55, smooth(-0.3, -1.4, y))
	}
	return vec{x, y, depth * power(ca, p.front)}
}

// taper narrows the face below the cheekbones.
func (p *Params) taper(y float64) float64 {
	jaw := lerp(1, p.jawW, smooth(-0.15, -0.95, y))
	return jaw*lerp(1, p.chinW, smooth(-0.9, -1.6, y)) + p.cheek*bump(y+0.65, 0.3) + p.cheekbone*0.5*bump(y+0.25, 0.2)
}

// relief is the height of the features over the base surface, at frontal coordinates.
func (p *Params) relief(x, y float64) float64 {
	ax := math.Abs(x)
	ey := y - p.eyeY
	h := p.nose(x, y)
	h -= p.socket * bell(ax-p.eyeX, ey-0.02, 0.21, 0.14)
	h += (0.05 + p.socket*0.55) * bell(ax-p.eyeX, ey, p.eyeW*0.75, 0.085)
	h += p.ridge * bump(ey-p.browY+0.02, 0.09) * smooth(0.9, 0.5, ax)
	h += (0.05 + p.cheekbone) * bell(ax-0.58, y+0.36, 0.20, 0.17)
	h += p.cheek * bell(ax-0.45, y+0.75, 0.22, 0.25)
	lip := y - p.mouth()
	wide := smooth(p.mouthW*1.15, p.mouthW*0.5, ax)
	h += 0.05 * bell(ax, lip, p.mouthW, 0.24)
	h += wide * (p.lipUp*0.8*bump(lip-p.lipUp*0.55, 0.035) + p.lipLow*0.8*bump(lip+p.lipLow*0.6, 0.045) - 0.05*bump(lip, 0.018))
	h -= 0.025 * bump(ax, 0.035) * bump(lip-0.17, 0.07)
	h -= 0.07 * bell(ax, lip+0.25, 0.25, 0.06)
	h += 0.12 * bell(ax, y+p.chin*0.89, 0.20, 0.14)
	h -= p.age * 0.05 * bump(p.fold(ax, y), 0.035) * smooth(-0.4, -0.6, y) * smooth(-1.15, -0.95, y)
	return h
}

// fold is the distance to the line from nose wing to mouth corner.
func (p *Params) fold(ax, y float64) float64 {
	t := (-y - p.noseLen) / p.mouthY
	return ax - lerp(p.noseW+0.06, p.mouthW+0.14, clamp(t, -0.3, 1.3))
}

// mouth is the height of the line between the lips.
func (p *Params) mouth() float64 { return -p.noseLen - p.mouthY }

func (p *Params) nose(x, y float64) float64 {
	top := p.eyeY + 0.16
	t := (top - y) / (p.noseLen + top) // 0 at the root, 1 at the tip
	if t < -0.4 || t > 1.4 {
		return 0
	}
	ax := math.Abs(x)
	along := lerp(p.bridge, p.noseTip, smooth(0.05, 1.0, t)) + p.hump*bump(t-0.45, 0.2)
	along *= smooth(-0.35, 0.15, t) * smooth(1.22, 0.98, t)
	width := lerp(0.085, p.noseW*0.52, smooth(0.2, 1.0, t))
	h := along * bump(x, width)
	h += p.noseTip * 0.22 * bell(x, y+p.noseLen-0.02, p.noseW*0.42, 0.085)
	h += p.flare * 1.1 * bell(ax-p.noseW*0.86, y+p.noseLen+0.0, 0.062, 0.075)
	h -= 0.05 * bell(ax-p.noseW*1.35, y+p.noseLen, 0.05, 0.08)
	return h
}

// head is the mesh of face and skull; material coordinates are the frontal ones.
func (p *Params) head() *mesh {
	m := grid(231, 261, -2.2, 2.2, -math.Pi/2, math.Pi/2, func(a, t float64) (vec, float64, float64) {
		// more columns where the features are
		a *= 0.55 + 0.45*math.Abs(a)/2.2
		q := p.skull(a, t)
		x, y := q.x, q.y
		q.z += p.relief(x, y) * smooth(-0.1, 0.35, math.Cos(a))
		return q, x, y
	})
	m.shade = p.face
	return m
}

// ears are two small shells.
func (p *Params) ears() []*mesh {
	var out []*mesh
	for _, side := range [2]float64{-1, 1} {
		m := grid(24, 24, 0, 2*math.Pi, 0, math.Pi/2, func(u, v float64) (vec, float64, float64) {
			su, cu := math.Sincos(side * u)
			sv, cv := math.Sincos(v)
			rim := 0.06 * bump(sv-0.85, 0.12)
			c := vec{side * (p.faceW*0.985 + 0.10*sv + rim), -0.10 + p.eyeY + 0.31*sv*su, -0.10 + 0.17*sv*cu - 0.05*cv}
			return c, 2, -0.1
		})
		m.shade = func(surface) paint {
			c := p.skin.times(vec{0.98, 0.80, 0.76})
			return paint{colour: c, spec: 0.1, shine: 12, glow: 1}
		}
		out = append(out, m)
	}
	return out
}

// body gives neck and shoulders, which do not turn with the head.
func (p *Params) body() []*mesh {
	thick := 0.52
	if p.Kind == Man || p.Kind == OldMan {
		thick = 0.62
	}
	if p.Kind == Girl {
		thick = 0.42
	}
	neck := grid(60, 30, -2.2, 2.2, -3.4, -0.8, func(a, y float64) (vec, float64, float64) {
		w := thick + 0.30*smooth(-1.8, -2.5, y)
		sa, ca := math.Sincos(a)
		return vec{w * sa, y, -0.28 + 0.06*y + thick*0.95*ca}, 3, y
	})
	neck.shade = func(s surface) paint {
		return paint{colour: p.skin.times(vec{0.92, 0.86, 0.84}), spec: 0.05, shine: 12, glow: 0.7}
	}
	broad := lerp(2.0, 2.7, smooth(0.4, 0.64, thick))
	torso := grid(90, 60, -math.Pi/2, math.Pi/2, -1.2, 1.5, func(a, t float64) (vec, float64, float64) {
		sa, ca := math.Sincos(a)
		st, ct := math.Sincos(t)
		c := math.Pow(max(ct, 0), 0.62)
		return vec{broad * power(sa, 0.85) * c, -4.25 + 2.35*st, -0.4 + 1.15*ca*c}, broad * sa * c, -4.25 + 2.35*st
	})
	torso.shade = func(s surface) paint {
		ax := math.Abs(s.u)
		c := p.cloth
		if open := (s.v + 3.1) * 0.9; ax < open+0.16 {
			c = p.collar
		}
		c = c.mul(1 + 0.10*noise(s.u*3, s.v*3, p.Seed+5) + 0.05*noise(s.u*40, s.v*40, p.Seed+6))
		return paint{colour: c, spec: 0.02, shine: 6}
	}
	torso.noShadow = true
	return []*mesh{neck, torso}
}
