package oncall

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"

	"golang.org/x/image/vector"
)

// Pictures are four times as wide as the 360 pixels in which Slack shows them beside a
// message, with letters that can still be read there.
const (
	pictureWidth = 1440
	pictureEdge  = 52

	pixelsTitle, pixelsText, pixelsSmall = 62.0, 46.0, 38.0
)

var (
	paper    = color.RGBA{0xff, 0xff, 0xff, 0xff}
	inkDark  = color.RGBA{0x1d, 0x1c, 0x1d, 0xff}
	inkFaint = color.RGBA{0x61, 0x60, 0x61, 0xff}
	ruled    = color.RGBA{0xdd, 0xdd, 0xdd, 0xff}
	todays   = color.RGBA{0xff, 0xf4, 0xd6, 0xff}
	alarming = color.RGBA{0xb3, 0x1b, 0x1b, 0xff}
)

// A canvas is a picture that is being drawn.
type canvas struct {
	*image.RGBA
	large, head, text, textBold, small, smallBold *letters
	lacking                                       map[rune]bool
}

// newCanvas is an empty picture of that height, in pixels.
func newCanvas(height int) (*canvas, error) {
	c := &canvas{RGBA: image.NewRGBA(image.Rect(0, 0, pictureWidth, height)), lacking: map[rune]bool{}}
	c.fill(c.Bounds(), paper)
	for _, l := range []struct {
		to   **letters
		size float64
		bold bool
	}{
		{&c.large, pixelsTitle, true}, {&c.head, 52, true}, {&c.text, pixelsText, false}, {&c.textBold, pixelsText, true},
		{&c.small, pixelsSmall, false}, {&c.smallBold, pixelsSmall, true},
	} {
		made, err := newLetters(l.size, l.bold, c.lacking)
		if err != nil {
			return nil, err
		}
		*l.to = made
	}
	return c, nil
}

// png is the picture down to bottom.
func (c *canvas) png(bottom int) ([]byte, error) {
	var out bytes.Buffer
	if err := png.Encode(&out, c.SubImage(image.Rect(0, 0, pictureWidth, bottom))); err != nil {
		return nil, fmt.Errorf("write the picture: %w", err)
	}
	return out.Bytes(), nil
}

func (c *canvas) fill(r image.Rectangle, col color.Color) {
	draw.Draw(c, r, image.NewUniform(col), image.Point{}, draw.Src)
}

// shape fills a polygon.
func (c *canvas) shape(col color.Color, points ...image.Point) {
	var box image.Rectangle
	for _, p := range points {
		box = box.Union(image.Rectangle{p, p.Add(image.Pt(1, 1))})
	}
	z := vector.NewRasterizer(box.Dx(), box.Dy())
	for i, p := range points {
		to := z.LineTo
		if i == 0 {
			to = z.MoveTo
		}
		to(float32(p.X-box.Min.X), float32(p.Y-box.Min.Y))
	}
	z.ClosePath()
	z.Draw(c, box, image.NewUniform(col), image.Point{})
}

// hatch fills with slanting stripes, each as wide as the space beside it: whoever
// sees no red sees them all the same.
func (c *canvas) hatch(r image.Rectangle, stripe, ground color.RGBA) {
	const every = 28 // pixels along x
	var line [every]color.RGBA
	for at := range line {
		share := 255 // of the stripe; at its two edges it is half
		switch {
		case at == 0, at == every/2:
			share = 128
		case at > every/2:
			share = 0
		}
		line[at] = mix(stripe, ground, share)
	}
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			c.SetRGBA(x, y, line[(x+y)%every])
		}
	}
}

// mix is a color of which share of 255 is the first.
func mix(a, b color.RGBA, share int) color.RGBA {
	part := func(x, y uint8) uint8 { return uint8((int(x)*share + int(y)*(255-share) + 127) / 255) }
	return color.RGBA{part(a.R, b.R), part(a.G, b.G), part(a.B, b.B), 0xff}
}

// hole is how a gap in a schedule looks.
func (c *canvas) hole(r image.Rectangle) {
	c.hatch(r, mix(alarming, paper, 110), paper)
	c.frame(r, 4, alarming)
}

// frame draws a line around the inside of r.
func (c *canvas) frame(r image.Rectangle, thick int, col color.Color) {
	for _, side := range []image.Rectangle{
		{r.Min, image.Pt(r.Max.X, r.Min.Y+thick)}, {image.Pt(r.Min.X, r.Max.Y-thick), r.Max},
		{r.Min, image.Pt(r.Min.X+thick, r.Max.Y)}, {image.Pt(r.Max.X-thick, r.Min.Y), r.Max},
	} {
		c.fill(side.Intersect(r), col)
	}
}

// ear marks an override: the corner of a bar is folded over.
func (c *canvas) ear(bar image.Rectangle) {
	size := min(bar.Dx()/2, bar.Dy()/2, 34)
	corner := image.Pt(bar.Max.X, bar.Min.Y)
	c.shape(paper, corner, image.Pt(corner.X-size, corner.Y), image.Pt(corner.X, corner.Y+size))
	c.shape(inkDark, image.Pt(corner.X-size, corner.Y), image.Pt(corner.X, corner.Y+size), image.Pt(corner.X-size, corner.Y+size))
}
