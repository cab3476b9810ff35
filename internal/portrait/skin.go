package portrait

import "math"

// face is the material of the head: everything that is painted on the relief.
func (p *Params) face(s surface) paint {
	x, y := s.u, s.v
	ax := math.Abs(x)
	c := p.complexion(x, y, ax)
	out := paint{spec: 0.16, shine: 14, glow: 1}
	out.spec += 0.10 * bell(x, y+p.noseLen-0.05, 0.10, 0.12)
	c = p.whiskers(c, x, y, ax)
	c, lip := p.lips(c, x, y)
	out.spec += 0.25 * lip
	nx := ax - p.noseW*0.58
	c = c.mix(srgb(0.16, 0.07, 0.06), 0.92*p.nostril*smooth(1.2, 0.7, math.Hypot(nx/0.075, (y+p.noseLen+0.075+0.25*nx)/0.036)))
	c = c.mul(1 - 0.35*bump(y+p.noseLen+0.10, 0.03)*smooth(p.noseW*1.1, p.noseW*0.7, ax))
	c = p.browsPaint(c, x, y, ax)
	c, wet := p.eyePaint(c, x, y)
	if wet > 0 {
		out.spec, out.shine, out.glow = lerp(out.spec, 0.7, wet), lerp(out.shine, 60, wet), out.glow*(1-wet)
	}
	out.colour = c
	return out
}

func (p *Params) complexion(x, y, ax float64) vec {
	c := p.skin
	c = c.mul(1 + 0.05*noise(x*4, y*4, p.Seed+1) + 0.035*noise(x*17, y*17, p.Seed+2) + 0.03*noise(x*45, y*45, p.Seed+3))
	red := 0.35*p.blush*bell(ax-0.55, y+0.42, 0.2, 0.16) + 0.22*bell(x, y+p.noseLen, 0.16, 0.12) + 0.12*bell(x, y+p.chin*0.9, 0.25, 0.15)
	c = c.mix(c.times(vec{1.02, 0.66, 0.62}), clamp(red, 0, 1))
	under := p.bags * bell(ax-p.eyeX, y-p.eyeY+0.15, 0.17, 0.055)
	c = c.mix(c.times(vec{0.66, 0.56, 0.60}), 0.75*under)
	c = c.mul(1 - 0.18*bell(ax-p.eyeX*0.62, y-p.eyeY-0.06, 0.09, 0.14))
	if p.age > 0.2 {
		c = p.wrinkles(c, x, y, ax)
	}
	if p.freckles > 0 && y < 0.1 && y > -0.9 {
		f := smooth(0.45, 0.7, noise(x*26, y*26, p.Seed+9)) * bell(ax-0.38, y+0.35, 0.35, 0.25)
		c = c.mix(c.times(vec{0.62, 0.48, 0.40}), p.freckles*f*0.8)
	}
	for _, m := range p.moles {
		if m.r > 0 {
			c = c.mix(srgb(0.20, 0.12, 0.10), 0.85*smooth(m.r*1.3, m.r*0.7, math.Hypot(x-m.x, y-m.y)))
		}
	}
	return c
}

func (p *Params) wrinkles(c vec, x, y, ax float64) vec {
	k := 0.0
	for i := range 3 { // forehead
		line := y - (0.52 + 0.12*float64(i)) - 0.03*math.Cos(x*3) - 0.015*noise(x*4, float64(i), p.Seed+20)
		k += 0.5 * bump(line, 0.010) * smooth(0.65, 0.35, ax)
	}
	for i := range 3 { // corners of the eyes
		line := (y - p.eyeY) - (0.06-0.06*float64(i))*(1+4*(ax-p.eyeX-p.eyeW))
		k += 0.6 * bump(line, 0.008) * smooth(p.eyeX+p.eyeW*1.02, p.eyeX+p.eyeW*1.15, ax) * smooth(p.eyeX+p.eyeW*1.9, p.eyeX+p.eyeW*1.5, ax)
	}
	k += 0.9 * bump(p.fold(ax, y), 0.018) * smooth(-0.45, -0.6, y) * smooth(-1.2, -0.95, y)
	k += 0.5 * bump(ax-0.07, 0.010) * bump(y-p.eyeY-0.24, 0.07)
	return c.mul(1 - 0.55*p.age*clamp(k, 0, 1))
}

func (p *Params) whiskers(c vec, x, y, ax float64) vec {
	if p.beard == beardNone {
		return c
	}
	m := p.mouth()
	upper := smooth(p.mouthW*1.25, p.mouthW*1.0, ax) * smooth(m+0.02, m+0.06, y) * smooth(-p.noseLen-0.08, -p.noseLen-0.14, y)
	chin := smooth(0.42, 0.30, ax) * smooth(m-0.10, m-0.22, y)
	jaw := smooth(m+0.10, m-0.25, y+0.9*(0.85-ax)*smooth(0.2, 0.8, ax)) + smooth(0.72, 0.86, ax)*smooth(-0.05, -0.3, y)
	k, ink := 0.0, 0.85
	switch p.beard {
	case beardStubble:
		k, ink = max(upper, chin, clamp(jaw, 0, 1)), 0.38
	case beardMoustache:
		k = upper
	case beardGoatee:
		k = max(upper, chin)
	case beardFull:
		k = max(upper, chin, clamp(jaw, 0, 1))
	}
	strand := 0.5 + 0.5*noise(x*38, y*16, p.Seed+30)
	return c.mix(p.hair.mul(0.8+0.5*strand), clamp(k*(0.55+0.6*strand), 0, 1)*ink)
}

func (p *Params) lips(c vec, x, y float64) (vec, float64) {
	ax := math.Abs(x)
	t := ax / p.mouthW
	if t > 1.15 {
		return c, 0
	}
	line := p.mouth() + p.smile*t*t
	body := math.Sqrt(max(1-t*t, 0))
	bow := 0.80 + 0.25*bump(t-0.28, 0.16) - 0.12*bump(t, 0.12)
	up, low := line+p.lipUp*1.25*body*bow, line-p.lipLow*1.2*math.Pow(body, 0.8)
	const edge = 0.018
	k := smooth(up+edge, up-edge, y) * smooth(low-edge, low+edge, y) * smooth(1.05, 0.97, t)
	tint := p.skin.times(vec{0.92, 0.60, 0.58}).mix(p.lip, p.lipInk)
	if y > line {
		tint = tint.mul(0.85)
	}
	tint = tint.mul(1 + 0.12*noise(x*60, y*8, p.Seed+40))
	c = c.mix(tint, k*0.9)
	c = c.mix(srgb(0.25, 0.09, 0.08), 0.85*bump(y-line, 0.011)*smooth(1.06, 0.9, t))
	c = c.mul(1 - 0.25*bell(ax-p.mouthW, y-line, 0.035, 0.03))
	c = c.mul(1 - 0.16*bell(x, y-low+0.05, p.mouthW*0.6, 0.035))
	return c, k
}

func (p *Params) browsPaint(c vec, x, y, ax float64) vec {
	u := (ax - p.eyeX*0.98) / p.browLen // -1 inner, 1 outer
	if u < -1.2 || u > 1.25 {
		return c
	}
	centre := p.eyeY + p.browY + p.browTilt*0.25*u + p.browArch*(1-(u-0.25)*(u-0.25)) + p.asym*0.5*math.Copysign(1, x)
	half := p.browThick * (1 - 0.55*smooth(-0.3, 1.1, u)) * smooth(-1.15, -0.85, u) * smooth(1.15, 0.8, u)
	if half <= 0 {
		return c
	}
	d := math.Abs(y-centre) / half
	strand := 0.5 + 0.5*noise(ax*50-y*28, y*14, p.Seed+50)
	return c.mix(p.brow.mul(0.9), smooth(1.25, 0.7, d)*p.browInk*(0.72+0.35*strand))
}

// eyePaint paints one eye: lids, white, iris, lashes and the crease above.
func (p *Params) eyePaint(c vec, x, y float64) (vec, float64) {
	side := math.Copysign(1, x)
	dx := side*x - p.eyeX // towards the temple
	dy := y - p.eyeY - p.eyeTilt*0.35*dx - 0.3*p.asym*side
	t := dx / p.eyeW
	if math.Abs(t) > 1.5 || math.Abs(dy) > 0.3 {
		return c, 0
	}
	arc := max(1-t*t, 0)
	skew := 1 + 0.18*t
	up, low := p.eyeH*math.Pow(arc, 0.65)*(2-skew), -p.eyeH*0.62*math.Pow(arc, 0.8)*skew
	crease := up + 0.045 + 0.035*p.crease
	c = c.mul(1 - (0.12+0.45*p.crease)*bump(dy-crease, 0.012)*smooth(1.2, 0.8, math.Abs(t)))
	c = c.mul(1 - 0.22*smooth(crease+0.03, up, dy)*smooth(up-0.05, up, dy)*smooth(1.2, 0.7, math.Abs(t)))
	in := smooth(up+0.008, up-0.008, dy) * smooth(low-0.008, low+0.008, dy) * smooth(1.02, 0.97, math.Abs(t))
	if in > 0 {
		c = c.mix(p.ball(dx, dy, t, up), in)
	}
	lash := 0.010 + 0.010*p.lashes() + 0.010*smooth(0.2, 1, t)*p.lashes()
	c = c.mix(srgb(0.07, 0.05, 0.05), 0.93*bump(dy-up, lash)*smooth(1.16, 1.0, math.Abs(t)))
	c = c.mix(srgb(0.30, 0.16, 0.13), 0.5*bump(dy-low, 0.009)*smooth(1.1, 0.9, math.Abs(t)))
	return c, in
}

// lashes is how strongly the upper lid is drawn.
func (p *Params) lashes() float64 {
	if p.Kind == Woman || p.Kind == Girl {
		return 1
	}
	return 0.35
}

func (p *Params) ball(dx, dy, t, up float64) vec {
	c := srgb(0.90, 0.88, 0.86).mix(srgb(0.75, 0.60, 0.56), smooth(0.6, 1.05, math.Abs(t)))
	r := math.Hypot(dx, dy-0.006)
	if r < p.irisR*1.15 {
		iris := p.iris.mul(0.7 + 0.6*smooth(0.3, 0.8, r/p.irisR) + 0.15*noise(math.Atan2(dy, dx)*6, 0, p.Seed+60))
		iris = iris.mix(srgb(0.03, 0.02, 0.02), smooth(p.irisR*0.8, p.irisR, r))
		iris = iris.mix(vec{}, smooth(p.irisR*0.48, p.irisR*0.40, r))
		c = c.mix(iris, smooth(p.irisR*1.06, p.irisR*0.96, r))
	}
	c = c.mul(1 - 0.55*smooth(0.055, 0, up-dy)) // shadow of the lid
	return c.mix(vec{0.9, 0.9, 0.9}, 0.9*smooth(0.024, 0.014, math.Hypot(dx+0.02, dy-0.03)))
}
