package portrait

import "math"

// vec is a point, a direction or a linear colour.
type vec struct{ x, y, z float64 }

func (a vec) add(b vec) vec     { return vec{a.x + b.x, a.y + b.y, a.z + b.z} }
func (a vec) sub(b vec) vec     { return vec{a.x - b.x, a.y - b.y, a.z - b.z} }
func (a vec) mul(s float64) vec { return vec{a.x * s, a.y * s, a.z * s} }
func (a vec) times(b vec) vec   { return vec{a.x * b.x, a.y * b.y, a.z * b.z} }
func (a vec) dot(b vec) float64 { return a.x*b.x + a.y*b.y + a.z*b.z }
func (a vec) mix(b vec, t float64) vec {
	return vec{a.x + (b.x-a.x)*t, a.y + (b.y-a.y)*t, a.z + (b.z-a.z)*t}
}

func (a vec) cross(b vec) vec {
	return vec{a.y*b.z - a.z*b.y, a.z*b.x - a.x*b.z, a.x*b.y - a.y*b.x}
}

func (a vec) unit() vec {
	n := math.Sqrt(a.dot(a))
	if n == 0 {
		return vec{0, 0, 1}
	}
	return a.mul(1 / n)
}

// turn rotates about the x axis by pitch, then about the y axis by yaw, then about the z axis by roll (radians).
func (a vec) turn(yaw, pitch, roll float64) vec {
	s, c := math.Sincos(pitch)
	a = vec{a.x, a.y*c - a.z*s, a.y*s + a.z*c}
	s, c = math.Sincos(yaw)
	a = vec{a.x*c + a.z*s, a.y, -a.x*s + a.z*c}
	s, c = math.Sincos(roll)
	return vec{a.x*c - a.y*s, a.x*s + a.y*c, a.z}
}

// srgb makes a linear colour from an sRGB one, 0..1 each.
func srgb(r, g, b float64) vec { return vec{linear(r), linear(g), linear(b)} }

// linear is close to v^2.2 for 0..1 and much cheaper.
func linear(v float64) float64 { return v * v * (0.8 + 0.2*v) }

// tone is the inverse of linear as a table, with a soft shoulder above 0.6: linear 0..4 to 0..255.
type tone [4096]float64

const toneSteps = 1024 // per unit

func newTone() *tone {
	var t tone
	for i := range t {
		v := (float64(i) + 0.5) / toneSteps
		if v > 0.6 {
			v = 0.6 + 0.4*(1-math.Exp(-(v-0.6)/0.4))
		}
		t[i] = 255 * math.Pow(v, 1/2.2)
	}
	return &t
}

func (t *tone) display(v float64) float64 {
	f := clamp(v*toneSteps, 0, float64(len(t)-2))
	i := int(f)
	return lerp(t[i], t[i+1], f-float64(i))
}

func clamp(v, lo, hi float64) float64 { return min(max(v, lo), hi) }
func lerp(a, b, t float64) float64    { return a + (b-a)*t }

// smooth is 0 below a, 1 above b (or the other way round when a > b) and smooth between.
func smooth(a, b, v float64) float64 {
	t := clamp((v-a)/(b-a), 0, 1)
	return t * t * (3 - 2*t)
}

// bump is a Gaussian bell of width s.
func bump(v, s float64) float64 { return math.Exp(-v * v / (2 * s * s)) }

// bell is a two-dimensional Gaussian.
func bell(x, y, sx, sy float64) float64 { return math.Exp(-x*x/(2*sx*sx) - y*y/(2*sy*sy)) }

// power keeps the sign: for superellipses.
func power(v, p float64) float64 { return math.Copysign(math.Pow(math.Abs(v), p), v) }

// random is splitmix64: the same numbers on every machine and in every Go release.
type random struct{ s uint64 }

func (r *random) next() uint64 {
	r.s += 0x9E3779B97F4A7C15
	return scramble(r.s)
}

func scramble(z uint64) uint64 {
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// float is uniform in [0, 1).
func (r *random) float() float64 { return float64(r.next()>>11) / (1 << 53) }

func (r *random) between(lo, hi float64) float64 { return lo + (hi-lo)*r.float() }

// chance is true with probability p.
func (r *random) chance(p float64) bool { return r.float() < p }

// pick is uniform in 0..n-1.
func (r *random) pick(n int) int { return int(r.float() * float64(n)) }

// hash is a random number in [0, 1) that belongs to a lattice point.
func hash(x, y int, seed uint64) float64 {
	h := scramble(seed ^ uint64(uint32(x))<<32 ^ uint64(uint32(y))) //nolint:gosec // wraps on purpose
	return float64(h>>11) / (1 << 53)
}

// noise is smooth value noise in [-1, 1].
func noise(x, y float64, seed uint64) float64 {
	fx, fy := math.Floor(x), math.Floor(y)
	i, j := int(fx), int(fy)
	tx, ty := smooth(0, 1, x-fx), smooth(0, 1, y-fy)
	top := lerp(hash(i, j, seed), hash(i+1, j, seed), tx)
	bottom := lerp(hash(i, j+1, seed), hash(i+1, j+1, seed), tx)
	return 2*lerp(top, bottom, ty) - 1
}
