package portrait

import "math"

// hairMeshes gives the cap on the skull and, for longer styles, the curtain round the neck.
func (p *Params) hairMeshes() []*mesh {
	lift := func(q vec, a float64) vec {
		top := smooth(0.1, 1.1, q.y)
		n := vec{q.x, (q.y - 0.2) * 0.9, q.z * 0.9}.unit()
		k := 0.035 + p.volume*(0.35+0.65*top) + 0.05*p.curl*noise(a*5, q.y*5, p.Seed+70)
		return q.add(n.mul(k))
	}
	dome := grid(150, 110, -math.Pi, math.Pi, -0.75, math.Pi/2, func(a, t float64) (vec, float64, float64) {
		q := p.skull(a, t)
		q.z += 0.03
		y := q.y
		return lift(q, a), a, y
	})
	dome.keep = p.covers
	dome.shade = p.strands
	out := []*mesh{dome}
	if p.style == hairBob || p.style == hairLong {
		out = append(out, p.curtain())
	}
	return out
}

// covers says whether hair grows at angle a and height y: above the hairline and, at the sides, down to the ear.
func (p *Params) covers(a, y float64) bool {
	aa := math.Abs(a)
	jag := 0.035*noise(a*22, 0, p.Seed+71) + 0.02*noise(a*60, 1, p.Seed+72)
	line := p.frontLine(a) + jag
	side := -0.15
	if p.style == hairShort || p.style == hairReceding {
		side = -0.02
	}
	// from the temple backwards the line falls to the sideburn
	line = lerp(line, side, smooth(1.0, 1.28, aa))
	if aa > 1.6 {
		line = -0.75
	}
	return y > line
}

// frontLine is the height of the hairline, or of the lower edge of the fringe, over the forehead.
func (p *Params) frontLine(a float64) float64 {
	switch p.style {
	case hairFringe:
		return p.eyeY + p.browY + 0.10 + 0.06*math.Cos(a*2.2+p.partX) + 0.03*noise(a*9, 3, p.Seed+73)
	case hairParted:
		d := a - p.partX
		return lerp(p.hairline, p.eyeY+p.browY+0.16, smooth(0.05, 0.9, math.Abs(d))*0.9)
	case hairBob:
		if p.partX > 0 {
			return p.eyeY + p.browY + 0.08 + 0.04*noise(a*11, 4, p.Seed+74)
		}
		return lerp(p.hairline, 0.35, smooth(0.1, 1.0, math.Abs(a-p.partX*0.5)))
	case hairLong:
		return lerp(p.hairline, 0.25, smooth(0.15, 1.0, math.Abs(a-p.partX*0.6)))
	case hairReceding:
		return p.hairline - 0.35*bump(a, 0.25) + 0.1*math.Abs(a)
	}
	return p.hairline + 0.06*math.Cos(a*3)
}

// curtain is the hair that hangs at the sides and behind.
func (p *Params) curtain() *mesh {
	end := -p.sideLen
	if p.style == hairBob {
		end = -lerp(0.8, 1.7, clamp((p.sideLen-0.9)/2.3, 0, 1))
	}
	m := grid(140, 60, p.sideCut*0.8, 2*math.Pi-p.sideCut*0.8, end, 0.75, func(a, y float64) (vec, float64, float64) {
		sa, ca := math.Sincos(a)
		fall := smooth(0.7, -0.6, y)
		w := (p.faceW*1.0 + 0.05 + p.volume*0.5) * (1 + 0.10*fall*p.volume*3)
		w += 0.06*p.curl*math.Sin(y*9+a*2) + 0.02*noise(a*14, y*1.5, p.Seed+75)
		if p.style == hairBob {
			w *= 1 - 0.18*smooth(end+0.5, end, y)
		}
		return vec{w * sa, y, -0.12 + 1.0*ca}, a, y
	})
	m.keep = func(a, y float64) bool {
		d := min(a, 2*math.Pi-a)
		return d > p.sideCut+0.10*noise(y*2.5, a, p.Seed+76)-0.12*smooth(-0.2, -1.4, y) && y > end+0.10*noise(a*16, 0, p.Seed+77)
	}
	m.shade = p.strands
	return m
}

// strands is the material of hair.
func (p *Params) strands(s surface) paint {
	f := 26.0
	wave := p.curl * 0.25 * math.Sin(s.v*7+s.u*3)
	n := 0.5*noise((s.u+wave)*f, s.v*1.3, p.Seed+80) + 0.35*noise((s.u+wave)*f*3, s.v*2, p.Seed+81) + 0.25*noise(s.u*5, s.v*5, p.Seed+82)
	band := bump(s.v-1.05+0.1*noise(s.u*8, 0, p.Seed+83), 0.16) * p.gloss
	c := p.hair.mul(clamp(1+0.75*n, 0.25, 2))
	c = c.add(vec{0.10, 0.10, 0.11}.mul(band * (0.6 + 0.6*n)))
	return paint{colour: c, spec: 0.10 + 0.10*p.gloss, shine: 18}
}

// spectacles are the rims, the bridge and the temples.
func (p *Params) spectacles() []*mesh {
	if p.glasses == 0 {
		return nil
	}
	shade := func(surface) paint { return paint{colour: p.glassColour, spec: 0.6, shine: 40} }
	z := 1.06 + p.bridge*0.5 + 0.20
	sharp := [...]float64{1, 1, 0.55, 0.75}[p.glasses] // 1 round, below 1 boxy
	rim := func(side float64) func(u float64) vec {
		return func(u float64) vec {
			s, c := math.Sincos(u)
			x := p.eyeX + p.glassW*power(c, sharp)
			return vec{side * x, p.eyeY - 0.04 + p.glassH*power(s, sharp), z - 0.16*x*x}
		}
	}
	var out []*mesh
	add := func(path func(u float64) vec, u0, u1 float64, n int) {
		m := tube(path, u0, u1, n, p.glassR)
		m.shade = shade
		out = append(out, m)
	}
	for _, side := range [2]float64{-1, 1} {
		if p.glasses == 3 { // upper rim only
			add(rim(side), -0.15, math.Pi+0.15, 60)
		} else {
			add(rim(side), 0, 2*math.Pi, 90)
		}
		outer := rim(side)(0.25)
		add(func(u float64) vec {
			return vec{lerp(outer.x, side*(p.faceW+0.08), smooth(0, 0.3, u)), outer.y, lerp(outer.z, -0.2, u)}
		}, 0, 1, 30)
	}
	inner := p.eyeX - p.glassW
	add(func(u float64) vec { return vec{inner * u, p.eyeY + 0.04 + 0.03*math.Cos(u*1.5), z + 0.02} }, -1, 1, 20)
	return out
}

// tube is a thin round bar along a path.
func tube(path func(u float64) vec, u0, u1 float64, n int, r float64) *mesh {
	return grid(9, n, 0, 2*math.Pi, u0, u1, func(a, u float64) (vec, float64, float64) {
		const h = 1e-3
		along := path(u + h).sub(path(u - h)).unit()
		side := along.cross(vec{0, 0, 1}).unit()
		up := side.cross(along)
		s, c := math.Sincos(a)
		return path(u).add(side.mul(c * r)).add(up.mul(s * r)), a, u
	})
}
