package portrait

import "math"

// vertex is one corner of a mesh: world position, normal, and two coordinates for the material.
type vertex struct {
	p, n vec
	u, v float64
}

// surface is one visible sample, as a material sees it.
type surface struct {
	p, n vec
	u, v float64
}

// paint is what a material answers: linear albedo, strength and exponent of the highlight.
type paint struct {
	colour      vec
	spec, shine float64
	glow        float64 // subsurface scattering, 0..1
}

// mesh is a grid of cols x rows vertices with one material.
type mesh struct {
	cols, rows int
	v          []vertex
	keep       func(u, v float64) bool // nil keeps all; otherwise cuts holes
	shade      func(s surface) paint
	noShadow   bool // does not take part in the shadow map
}

// grid samples f over [u0,u1]x[v0,v1] and derives the normals from neighbours. f gives position and material
// coordinates; the normal points to the side where f turns counter-clockwise.
func grid(cols, rows int, u0, u1, v0, v1 float64, f func(u, v float64) (p vec, mu, mv float64)) *mesh {
	m := &mesh{cols: cols, rows: rows, v: make([]vertex, cols*rows)}
	for j := range rows {
		for i := range cols {
			u := lerp(u0, u1, float64(i)/float64(cols-1))
			v := lerp(v0, v1, float64(j)/float64(rows-1))
			c := &m.v[j*cols+i]
			c.p, c.u, c.v = f(u, v)
		}
	}
	m.normals()
	return m
}

func (m *mesh) normals() {
	at := func(i, j int) vec { return m.v[clampInt(j, m.rows)*m.cols+clampInt(i, m.cols)].p }
	for j := range m.rows {
		for i := range m.cols {
			du := at(i+1, j).sub(at(i-1, j))
			dv := at(i, j+1).sub(at(i, j-1))
			m.v[j*m.cols+i].n = du.cross(dv).unit()
		}
	}
}

func clampInt(i, n int) int { return min(max(i, 0), n-1) }

// place moves every vertex.
func (m *mesh) place(f func(vec) vec, dir func(vec) vec) *mesh {
	for i := range m.v {
		m.v[i].p, m.v[i].n = f(m.v[i].p), dir(m.v[i].n)
	}
	return m
}

// sample is one entry of the picture buffer before shading.
type sample struct {
	z    float64 // 1/depth for the camera, depth for the shadow map; 0 = nothing
	s    surface
	mesh int32 // index + 1
}

// buffer is a picture buffer of w x h samples.
type buffer struct {
	w, h int
	px   []sample
}

func newBuffer(w, h int) *buffer { return &buffer{w: w, h: h, px: make([]sample, w*h)} }

// screen is a vertex in samples, with the value that is larger for nearer points and linear on the screen.
type screen struct{ x, y, z float64 }

// draw rasters a mesh. project maps a point to the screen.
func (b *buffer) draw(m *mesh, index int, project func(vec) screen) {
	pts := make([]screen, len(m.v))
	for i := range m.v {
		pts[i] = project(m.v[i].p)
	}
	for j := range m.rows - 1 {
		for i := range m.cols - 1 {
			a := j*m.cols + i
			c := a + m.cols
			b.triangle(m, index, pts, a, a+1, c)
			b.triangle(m, index, pts, a+1, c+1, c)
		}
	}
}

func (b *buffer) triangle(m *mesh, index int, pts []screen, i0, i1, i2 int) {
	p0, p1, p2 := pts[i0], pts[i1], pts[i2]
	if p0.z <= 0 || p1.z <= 0 || p2.z <= 0 {
		return
	}
	area := (p1.x-p0.x)*(p2.y-p0.y) - (p2.x-p0.x)*(p1.y-p0.y)
	if math.Abs(area) < 1e-9 {
		return
	}
	x0 := max(0, int(math.Ceil(min(p0.x, p1.x, p2.x)-0.5)))
	x1 := min(b.w-1, int(math.Floor(max(p0.x, p1.x, p2.x)-0.5)))
	y0 := max(0, int(math.Ceil(min(p0.y, p1.y, p2.y)-0.5)))
	y1 := min(b.h-1, int(math.Floor(max(p0.y, p1.y, p2.y)-0.5)))
	v0, v1, v2 := &m.v[i0], &m.v[i1], &m.v[i2]
	for y := y0; y <= y1; y++ {
		for x := x0; x <= x1; x++ {
			fx, fy := float64(x)+0.5, float64(y)+0.5
			w0 := ((p1.x-fx)*(p2.y-fy) - (p2.x-fx)*(p1.y-fy)) / area
			w1 := ((p2.x-fx)*(p0.y-fy) - (p0.x-fx)*(p2.y-fy)) / area
			w2 := 1 - w0 - w1
			if w0 < 0 || w1 < 0 || w2 < 0 {
				continue
			}
			z := w0*p0.z + w1*p1.z + w2*p2.z
			out := &b.px[y*b.w+x]
			if z <= out.z {
				continue
			}
			u, v := w0*v0.u+w1*v1.u+w2*v2.u, w0*v0.v+w1*v1.v+w2*v2.v
			if m.keep != nil && !m.keep(u, v) {
				continue
			}
			out.z, out.mesh = z, int32(index)+1 //nolint:gosec // a handful of meshes
			out.s = surface{
				p: v0.p.mul(w0).add(v1.p.mul(w1)).add(v2.p.mul(w2)),
				n: v0.n.mul(w0).add(v1.n.mul(w1)).add(v2.n.mul(w2)), u: u, v: v,
			}
		}
	}
}

// camera looks along -z from a distance; it maps world units to samples.
type camera struct {
	distance, scale, cx, cy float64 // scale: samples per unit at z = 0
}

func (c camera) project(p vec) screen {
	d := c.distance - p.z
	k := c.distance / d * c.scale
	return screen{c.cx + p.x*k, c.cy - p.y*k, 1 / d}
}

// shadow is an orthographic depth map seen from the key light.
type shadow struct {
	b          *buffer
	right, up  vec
	dir        vec
	scale, mid float64
}

const shadowSide = 420

func newShadow(dir vec, meshes []*mesh) *shadow {
	s := &shadow{b: newBuffer(shadowSide, shadowSide), dir: dir, scale: shadowSide / 5.2, mid: shadowSide / 2}
	s.right = vec{0, 1, 0}.cross(dir).unit()
	s.up = dir.cross(s.right)
	for i, m := range meshes {
		if !m.noShadow {
			s.b.draw(m, i, s.project)
		}
	}
	return s
}

// project maps to the light's screen, centred on the head.
func (s *shadow) project(p vec) screen {
	p.y += 0.3
	return screen{s.mid + p.dot(s.right)*s.scale, s.mid - p.dot(s.up)*s.scale, p.dot(s.dir) + 50}
}

// light is the fraction of the key light that reaches p, softened over a few map samples.
func (s *shadow) light(p, n vec) float64 {
	q := s.project(p.add(n.mul(0.03)))
	lit := 0.0
	for dy := -2; dy <= 2; dy++ {
		for dx := -2; dx <= 2; dx++ {
			x, y := int(q.x)+dx*2, int(q.y)+dy*2
			if x < 0 || y < 0 || x >= s.b.w || y >= s.b.h || s.b.px[y*s.b.w+x].z < q.z+0.05 {
				lit++
			}
		}
	}
	return lit / 25
}
