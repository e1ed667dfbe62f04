package picture

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
// message, with letters that can still be read there. Width is that of all of them, Edge
// what stays free at each side, in pixels.
const (
	Width = 1440
	Edge  = 52

	pixelsTitle, pixelsHead, pixelsText, pixelsSmall = 62.0, 52.0, 46.0, 38.0
)

// The colors of what is no bar.
var (
	Paper = color.RGBA{0xff, 0xff, 0xff, 0xff}
	Ink   = color.RGBA{0x1d, 0x1c, 0x1d, 0xff}
	Faint = color.RGBA{0x61, 0x60, 0x61, 0xff} // letters that are less looked at
	Ruled = color.RGBA{0xdd, 0xdd, 0xdd, 0xff} // lines
	Today = color.RGBA{0xff, 0xf4, 0xd6, 0xff} // the row of today
	Alarm = color.RGBA{0xb3, 0x1b, 0x1b, 0xff}
)

// A Canvas is a picture that is being drawn.
type Canvas struct {
	*image.RGBA
	Large, Head, Text, TextBold, Small, SmallBold *Letters
	// Lacking are the letters that were to be written and that no font has; a picture
	// says below what stands for them.
	Lacking map[rune]bool
}

// New is an empty picture of that height, in pixels.
func New(height int) (*Canvas, error) {
	c := &Canvas{RGBA: image.NewRGBA(image.Rect(0, 0, Width, height)), Lacking: map[rune]bool{}}
	c.Fill(c.Bounds(), Paper)
	for _, l := range []struct {
		to   **Letters
		size float64
		bold bool
	}{
		{&c.Large, pixelsTitle, true}, {&c.Head, pixelsHead, true}, {&c.Text, pixelsText, false}, {&c.TextBold, pixelsText, true},
		{&c.Small, pixelsSmall, false}, {&c.SmallBold, pixelsSmall, true},
	} {
		made, err := newLetters(l.size, l.bold, c.Lacking)
		if err != nil {
			return nil, err
		}
		*l.to = made
	}
	return c, nil
}

// PNG is the picture down to bottom.
func (c *Canvas) PNG(bottom int) ([]byte, error) {
	var out bytes.Buffer
	if err := png.Encode(&out, c.SubImage(image.Rect(0, 0, Width, bottom))); err != nil {
		return nil, fmt.Errorf("write the picture: %w", err)
	}
	return out.Bytes(), nil
}

// Fill fills a rectangle.
func (c *Canvas) Fill(r image.Rectangle, col color.Color) {
	draw.Draw(c, r, image.NewUniform(col), image.Point{}, draw.Src)
}

// Shape fills a polygon.
func (c *Canvas) Shape(col color.Color, points ...image.Point) {
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

// Hatch fills with slanting stripes, each as wide as the space beside it: whoever
// sees no red sees them all the same.
func (c *Canvas) Hatch(r image.Rectangle, stripe, ground color.RGBA) {
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
		line[at] = Mix(stripe, ground, share)
	}
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			c.SetRGBA(x, y, line[(x+y)%every])
		}
	}
}

// Mix is a color of which share of 255 is the first.
func Mix(a, b color.RGBA, share int) color.RGBA {
	part := func(x, y uint8) uint8 { return uint8((int(x)*share + int(y)*(255-share) + 127) / 255) }
	return color.RGBA{part(a.R, b.R), part(a.G, b.G), part(a.B, b.B), 0xff}
}

// Frame draws a line around the inside of r.
func (c *Canvas) Frame(r image.Rectangle, thick int, col color.Color) {
	for _, side := range []image.Rectangle{
		{r.Min, image.Pt(r.Max.X, r.Min.Y+thick)}, {image.Pt(r.Min.X, r.Max.Y-thick), r.Max},
		{r.Min, image.Pt(r.Min.X+thick, r.Max.Y)}, {image.Pt(r.Max.X-thick, r.Min.Y), r.Max},
	} {
		c.Fill(side.Intersect(r), col)
	}
}
