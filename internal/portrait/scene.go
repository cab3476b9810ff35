package portrait

import (
	"image"
	"math"
)

// background is the linear colour behind the person.
func background(x, y int, f frame, v View) vec {
	if v.Room == 0 {
		return srgb(0.80, 0.83, 0.86).mul(1 - 0.06*float64(y)/float64(f.h))
	}
	return room(float64(x)/float64(f.w), float64(y)/float64(f.h), v)
}

// room is an office: wall, skirting, a door or a window, a picture on the wall, everything a little out of focus.
func room(x, y float64, v View) vec {
	r := &random{s: v.Room * 977}
	walls := [...]vec{srgb(0.78, 0.76, 0.70), srgb(0.70, 0.74, 0.76), srgb(0.80, 0.78, 0.76), srgb(0.66, 0.68, 0.62)}
	c := walls[r.pick(len(walls))]
	c = c.mul(0.80 + 0.16*smooth(1, 0, math.Abs(x-0.5-0.35*v.Light)) + 0.10*(1-y))
	const soft = 0.006
	inside := func(x0, y0, x1, y1 float64) float64 {
		return smooth(x0-soft, x0+soft, x) * smooth(x1+soft, x1-soft, x) * smooth(y0-soft, y0+soft, y) * smooth(y1+soft, y1-soft, y)
	}
	door := r.between(0.02, 0.10)
	wood := srgb(0.50, 0.40, 0.30).mix(srgb(0.72, 0.70, 0.68), r.float())
	c = c.mix(wood.mul(0.8), inside(door-0.02, 0.10, door+0.21, 1.2))
	c = c.mix(wood.mul(1+0.06*noise(x*90, y*4, v.Room)), inside(door, 0.13, door+0.19, 1.2))
	c = c.mix(srgb(0.30, 0.30, 0.30), inside(door+0.16, 0.62, door+0.18, 0.65))
	left := r.between(0.72, 0.80)
	c = c.mix(srgb(0.25, 0.24, 0.24), inside(left, 0.14, left+0.17, 0.44))
	c = c.mix(srgb(0.85, 0.88, 0.86).mix(srgb(0.35, 0.50, 0.60), smooth(0.2, 0.42, y+0.05*math.Sin(x*40))), inside(left+0.012, 0.16, left+0.158, 0.42))
	c = c.mix(srgb(0.42, 0.40, 0.38), inside(left-0.06, 0.66, left+0.30, 1.2))
	c = c.mix(srgb(0.62, 0.58, 0.50), inside(left-0.07, 0.64, left+0.31, 0.67))
	return c.mul(1 + 0.02*noise(x*200, y*150, v.Room+1))
}

// Phone renders the attack that the liveness check must see: the person's picture on a phone or tablet that is
// held before the camera, with the screen's moire, its bluish cast, glare and bezel.
func (p *Params) Phone(v View) *image.RGBA {
	inner := p.render(frame{w: 240, h: 320, over: 2, scale: 74, cx: 120, cy: 160}, View{Yaw: v.Yaw, Pitch: v.Pitch, Light: v.Light, Room: v.Room + 3})
	out := image.NewRGBA(image.Rect(0, 0, 640, 480))
	const bezel = 16.0
	x0, y0 := 320-135+v.ShiftX*50, 235-190+v.ShiftY*50
	w, h := 270.0, 390.0
	skew := 0.05 + 0.02*v.Light
	f, t := frame{w: 640, h: 480}, newTone()
	for y := range 480 {
		for x := range 640 {
			fx, fy := float64(x)-x0, float64(y)-y0
			fx += skew * (fy - h/2) * (fx/w - 0.5) // slight perspective
			c := room(float64(x)/float64(f.w), float64(y)/float64(f.h), v)
			if fx >= 0 && fy >= 0 && fx < w && fy < h {
				c = srgb(0.035, 0.035, 0.04)
				sx, sy := (fx-bezel)/(w-2*bezel), (fy-bezel)/(h-2*bezel)
				if sx >= 0 && sy >= 0 && sx < 1 && sy < 1 {
					c = display2(inner, sx, sy, float64(x), float64(y))
				}
				c = c.add(glare(sx, sy))
			}
			set(out, t, x, y, c, v.Noise)
		}
	}
	return out
}

// display2 is the screen's own light: the picture, three gratings of moire and a blue cast.
func display2(img *image.RGBA, sx, sy, x, y float64) vec {
	b := img.Bounds()
	at := img.RGBAAt(int(sx*float64(b.Dx())), int(sy*float64(b.Dy())))
	m := 9*math.Sin(0.9*x+0.15*y) + 10*math.Sin(0.21*x-0.85*y) + 11*math.Sin(0.45*x+0.5*y)
	ch := func(v uint8, cast float64) float64 { return linear(clamp((float64(v)*0.95+m)/255*cast+0.02, 0, 1)) }
	return vec{ch(at.R, 0.94), ch(at.G, 0.98), ch(at.B, 1.08)}
}

// glare is a lamp's round reflection and a diagonal streak on the glass.
func glare(sx, sy float64) vec {
	g := 0.55*bell(sx-0.78, sy-0.16, 0.09, 0.06) + 0.16*bump(sx*0.8+sy-0.62, 0.05)
	return vec{g, g, g * 1.05}
}
