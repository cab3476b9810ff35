package portrait

import (
	"image"
	"math"
)

// View is how the person is seen.
type View struct {
	Yaw, Pitch, Roll float64 // degrees; positive yaw turns to the picture's right, positive pitch looks down
	Light            float64 // -1 key light from the picture's left, 1 from the right
	Brightness       float64 // 0 means 1
	ShiftX, ShiftY   float64 // of the person, in units
	Room             uint64  // seed of the background; 0 is the plain ground of an application photo
	Noise            uint64  // seed of the sensor's noise; 0 is none
}

// frame says where the face is in the picture.
type frame struct {
	w, h, over int     // pixels, and samples per pixel and side
	scale      float64 // pixels per unit
	cx, cy     float64 // pixels of the point between the eyes and the mouth
}

// Card renders the portrait of an application photo: plain ground, face filling the picture, grey or colour as the
// caller converts it.
func (p *Params) Card(w, h int) *image.RGBA {
	f := frame{w: w, h: h, over: 2, scale: float64(w) / 3.3, cx: float64(w) / 2, cy: float64(h) * 0.50}
	return p.render(f, View{})
}

// Live renders 640x480 of a person standing before a kiosk's camera: the face is at most a quarter of the picture's
// height wide, so that the anti-spoofing net sees the surroundings.
func (p *Params) Live(v View) *image.RGBA {
	if v.Room == 0 {
		v.Room = 1
	}
	f := frame{w: 640, h: 480, over: 2, scale: 54, cx: 320, cy: 232}
	return p.render(f, v)
}

func (p *Params) render(f frame, v View) *image.RGBA {
	meshes := p.meshes(v)
	key := vec{0.75*v.Light - 0.12, 0.55, 0.85}.unit()
	sh := newShadow(key, meshes)
	k := float64(f.over)
	cam := camera{distance: 11, scale: f.scale * k, cx: f.cx * k, cy: (f.cy - 0.35*f.scale) * k}
	cam.cx += v.ShiftX * cam.scale
	cam.cy += v.ShiftY * cam.scale
	b := newBuffer(f.w*f.over, f.h*f.over)
	for i, m := range meshes {
		b.draw(m, i, cam.project)
	}
	return p.resolve(f, v, b, meshes, sh, key)
}

// meshes builds the person in pose.
func (p *Params) meshes(v View) []*mesh {
	moving := append([]*mesh{p.head()}, p.hairMeshes()...)
	if p.style == hairShort || p.style == hairParted || p.style == hairBack || p.style == hairReceding || p.style == hairFringe {
		moving = append(moving, p.ears()...)
	}
	moving = append(moving, p.spectacles()...)
	const deg = math.Pi / 180
	pivot := vec{0, -1.0, -0.3}
	dir := func(n vec) vec { return n.turn(v.Yaw*deg, v.Pitch*deg, v.Roll*deg) }
	for _, m := range moving {
		m.place(func(q vec) vec { return dir(q.sub(pivot)).add(pivot) }, dir)
	}
	return append(moving, p.body()...)
}

// resolve shades the samples and averages them to pixels.
func (p *Params) resolve(f frame, v View, b *buffer, meshes []*mesh, sh *shadow, key vec) *image.RGBA {
	out := image.NewRGBA(image.Rect(0, 0, f.w, f.h))
	lamp := lighting{key: key, power: 1.0, shadow: sh}
	if v.Brightness > 0 {
		lamp.power = v.Brightness
	}
	n, t := float64(f.over*f.over), newTone()
	for y := range f.h {
		for x := range f.w {
			var sum vec
			var ground *vec
			for j := range f.over {
				for i := range f.over {
					s := &b.px[(y*f.over+j)*b.w+x*f.over+i]
					if s.mesh == 0 {
						if ground == nil {
							g := background(x, y, f, v).mul(lamp.power)
							ground = &g
						}
						sum = sum.add(*ground)
						continue
					}
					sum = sum.add(lamp.on(s.s, meshes[s.mesh-1].shade(s.s)))
				}
			}
			set(out, t, x, y, sum.mul(1/n), v.Noise)
		}
	}
	return out
}

// set writes one pixel, with the noise of a sensor.
func set(out *image.RGBA, t *tone, x, y int, c vec, seed uint64) {
	o := out.PixOffset(x, y)
	grain := 0.0
	for i, v := range [3]float64{c.x, c.y, c.z} {
		d := t.display(v)
		if seed != 0 {
			// the sum of uniform numbers is close to a normal distribution; most of the noise is common to the channels
			if i == 0 {
				grain = hash(x, y, seed) + hash(x, y, seed+7) + hash(x, y, seed+13) - 1.5
			}
			d += 3.2*grain + 3*(hash(x, y, seed+21+uint64(i))-0.5) //nolint:gosec // small
		}
		out.Pix[o+i] = byte(clamp(d+0.5, 0, 255))
	}
	out.Pix[o+3] = 255
}

// lighting is one key light with shadows, a weak light from the other side and a bright ceiling.
type lighting struct {
	key    vec
	power  float64
	shadow *shadow
}

func (l lighting) on(s surface, m paint) vec {
	n := s.n.unit()
	if n.z < 0 && s.p.z > -5 {
		n = n.mul(-1) // thin shells are seen from both sides
	}
	d := n.dot(l.key)
	lit := l.shadow.light(s.p, n)
	wrap := 0.25 * m.glow
	diffuse := max((d+wrap)/(1+wrap), 0) * lerp(0.12*m.glow, 1, lit)
	fill := max(n.dot(vec{-l.key.x, 0.1, 0.6}.unit()), 0)
	sky := 0.5 + 0.5*n.y
	white := 0.78*diffuse + 0.20*fill + 0.13 + 0.16*sky
	c := m.colour.mul(white)
	// light that went through skin comes out red at the edge of the shadow
	edge := m.glow * 0.10 * bump(d, 0.25)
	c = c.add(m.colour.times(vec{edge, edge * 0.25, edge * 0.15}))
	if h := n.dot(l.key.add(vec{0, 0, 1}).unit()); h > 0.5 && lit > 0 {
		g := m.spec * 0.7 * lit * math.Pow(h, m.shine)
		c = c.add(vec{g, g, g})
	}
	return c.mul(l.power)
}
