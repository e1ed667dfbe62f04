package picture

import (
	"image"
	"image/color"
	"image/draw"
	"math"

	"golang.org/x/image/vector"
)

// A Spot is a place in a picture, in pixels and parts of them.
type Spot struct{ X, Y float64 }

// Line draws a line of that thickness along a way, round at its corners and ends. A way
// of one spot is a dot.
func (c *Canvas) Line(col color.Color, thick float64, way ...Spot) {
	if len(way) == 0 {
		return
	}
	z, box := c.rasterizer(thick, way)
	for i, p := range way {
		dot(z, box, p, thick/2)
		if i > 0 {
			bar(z, box, way[i-1], p, thick/2)
		}
	}
	z.Draw(c, box, image.NewUniform(col), image.Point{})
}

// Area fills what lies between a way and a base line below it.
func (c *Canvas) Area(col color.Color, base float64, way ...Spot) {
	if len(way) < 2 {
		return
	}
	all := append([]Spot{{way[0].X, base}}, way...)
	all = append(all, Spot{way[len(way)-1].X, base})
	z, box := c.rasterizer(0, all)
	trace(z, box, all)
	z.DrawOp = draw.Over
	z.Draw(c, box, image.NewUniform(col), image.Point{})
}

// rasterizer is one for what lies around some spots.
func (c *Canvas) rasterizer(thick float64, way []Spot) (*vector.Rasterizer, image.Rectangle) {
	least, most := way[0], way[0]
	for _, p := range way {
		least, most = Spot{min(least.X, p.X), min(least.Y, p.Y)}, Spot{max(most.X, p.X), max(most.Y, p.Y)}
	}
	around := int(math.Ceil(thick/2)) + 1
	box := image.Rect(int(least.X)-around, int(least.Y)-around, int(math.Ceil(most.X))+around, int(math.Ceil(most.Y))+around)
	return vector.NewRasterizer(box.Dx(), box.Dy()), box
}

// trace draws a polygon. All that one line is made of turn the same way round, so that
// where they lie over one another they do not cancel out.
func trace(z *vector.Rasterizer, box image.Rectangle, points []Spot) {
	for i, p := range points {
		x, y := float32(p.X-float64(box.Min.X)), float32(p.Y-float64(box.Min.Y))
		if i == 0 {
			z.MoveTo(x, y)
		} else {
			z.LineTo(x, y)
		}
	}
	z.ClosePath()
}

const corners = 16 // of a dot

func dot(z *vector.Rasterizer, box image.Rectangle, p Spot, radius float64) {
	var points []Spot
	for n := range corners {
		sin, cos := math.Sincos(-2 * math.Pi * float64(n) / corners)
		points = append(points, Spot{p.X + radius*cos, p.Y + radius*sin})
	}
	trace(z, box, points)
}

func bar(z *vector.Rasterizer, box image.Rectangle, p, q Spot, radius float64) {
	long := math.Hypot(q.X-p.X, q.Y-p.Y)
	if long == 0 {
		return
	}
	n := Spot{-(q.Y - p.Y) / long * radius, (q.X - p.X) / long * radius}
	trace(z, box, []Spot{{p.X + n.X, p.Y + n.Y}, {q.X + n.X, q.Y + n.Y}, {q.X - n.X, q.Y - n.Y}, {p.X - n.X, p.Y - n.Y}})
}
