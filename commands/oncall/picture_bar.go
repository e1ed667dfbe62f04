package oncall

import (
	"fmt"
	"image"
	"image/color"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/picture"
)

// needle points at now.
func (d *weekDrawing) needle(x, y0, y1 int) {
	d.Fill(image.Rect(x-6, y0-rowSpace/2, x+6, y1+rowSpace/2), picture.Paper)
	d.Fill(image.Rect(x-3, y0-rowSpace/2, x+3, y1+rowSpace/2), picture.Ink)
	d.Shape(picture.Ink, image.Pt(x-18, y0-rowSpace/2), image.Pt(x+18, y0-rowSpace/2), image.Pt(x, y0+18))
}

// beside is where a text of that width goes that would stand at x: away from the
// needle, where there is room for it.
func (d *weekDrawing) beside(x, wide int, bar image.Rectangle) int {
	const clear = 22
	if d.nowAt < x-clear/2 || d.nowAt > x+wide+clear/2 {
		return x
	}
	if right := d.nowAt + clear; right+wide+8 <= bar.Max.X {
		return right
	}
	if left := d.nowAt - clear - wide; left >= bar.Min.X+8 {
		return left
	}
	return x
}

// piece draws a bar, with a part for each person.
func (d *weekDrawing) piece(p piece, y0, y1 int) {
	middle := (y0 + y1) / 2
	switch p.half {
	case halfFirst:
		y1 = middle - 1
	case halfSecond:
		y0 = middle + 1
	}
	bar := image.Rect(across(p.from), y0, across(p.to), y1)
	if len(p.on) == 0 {
		d.gap(bar)
		return
	}
	shown := p.on[:min(len(p.on), mostInBar)]
	for _, duty := range p.on[len(shown):] {
		d.unnamed[duty.Person] = true
	}
	for i, duty := range shown {
		part := bar
		part.Min.Y, part.Max.Y = y0+i*(y1-y0)/len(shown), y0+(i+1)*(y1-y0)/len(shown)
		if i > 0 {
			part.Min.Y += 2
		}
		if p.fresh(duty) { // a white line between two turns
			part.Min.X += 2
		}
		more := 0
		if i == len(shown)-1 {
			more = len(p.on) - len(shown)
		}
		d.part(part, duty, p, more)
	}
}

// gap draws that nobody is on call: even a minute of it can be seen.
func (d *weekDrawing) gap(bar image.Rectangle) {
	const narrowest = 10
	d.met.gap = true
	if less := narrowest - bar.Dx(); less > 0 {
		bar.Min.X, bar.Max.X = bar.Min.X-less/2, bar.Max.X+less-less/2
	}
	d.hole(bar)
	if wide := d.SmallBold.Width(d.words.gap); wide+40 <= bar.Dx() && bar.Dy() >= 40 {
		x := d.beside(bar.Min.X+(bar.Dx()-wide)/2, wide, bar)
		d.Fill(image.Rect(x-12, bar.Min.Y+4, x+wide+12, bar.Max.Y-4), picture.Paper)
		d.write(d.SmallBold, x, bar.Min.Y, bar.Max.Y, d.words.gap, picture.Alarm)
	}
}

// part draws one person's part of a bar.
func (d *weekDrawing) part(bar image.Rectangle, duty integrations.Duty, p piece, more int) {
	if bar.Empty() {
		return
	}
	colors := d.paints[duty.Person]
	d.Fill(bar, colors.Ground)
	room := bar.Dx() - 2*padding
	if duty.Override != "" {
		d.met.override = true
		d.ear(bar)
		room -= 26
	}
	name := duty.Person
	if more > 0 {
		name += fmt.Sprintf(" +%d", more)
	}
	names, at := []string{name}, ""
	if duty.Instead != "" {
		names = []string{fmt.Sprintf(d.words.instead, name, duty.Instead), name}
	}
	if p.fresh(duty) && p.from > 0 {
		at = clockTime(p.from) + " "
	}
	if !d.label(bar, at, names, room, colors.Ink) {
		d.unnamed[duty.Person] = true
	}
}

// padding is what stays free at both ends of a bar, in pixels.
const padding = 12

// label writes the first of some names that fits, behind when it begins if that fits too,
// and clear of the needle if it can be; the last name is cut where it has to be. It says
// whether a whole one fitted.
func (d *weekDrawing) label(bar image.Rectangle, at string, names []string, room int, ink color.Color) bool {
	if bar.Dy() < perPerson-4 {
		return false
	}
	face := d.TextBold
	if bar.Dy() < 56 {
		face = d.SmallBold
	}
	write := func(face *picture.Letters, s string, x int) {
		d.write(face, x, bar.Min.Y, bar.Max.Y, s, ink)
	}
	x, name := bar.Min.X+padding, names[len(names)-1]
	for _, n := range names {
		for _, s := range []string{at + n, n} {
			if wide := face.Width(s); wide <= room && d.beside(x, wide, bar) == x {
				write(face, s, x)
				return true
			}
		}
		// Elsewhere without the time, which is not the one that it would stand at.
		if wide := face.Width(n); wide <= room && d.beside(x, wide, bar) != x {
			write(face, n, d.beside(x, wide, bar))
			return true
		}
	}
	if wide := face.Width(name); wide <= room {
		write(face, name, x)
		return true
	}
	if s := face.Cut(name, room); s != "" {
		write(face, s, x)
		return false
	}
	letter := picture.First(name)
	for _, f := range []*picture.Letters{face, d.SmallBold} {
		wide := f.Width(letter)
		if at := bar.Min.X + (bar.Dx()-wide)/2; wide <= bar.Dx()-2 && d.beside(at, wide, bar) == at {
			write(f, letter, at)
			break
		}
	}
	return false
}

// hole is how a gap in a schedule looks.
func (d *weekDrawing) hole(r image.Rectangle) {
	d.Hatch(r, gapStripe, picture.Paper)
	d.Frame(r, 4, picture.Alarm)
}

// gapStripe is the color of the stripes of a gap.
var gapStripe = picture.Mix(picture.Alarm, picture.Paper, 110)

// ear marks an override: the corner of a bar is folded over.
func (d *weekDrawing) ear(bar image.Rectangle) {
	size := min(bar.Dx()/2, bar.Dy()/2, 34)
	corner := image.Pt(bar.Max.X, bar.Min.Y)
	d.Shape(picture.Paper, corner, image.Pt(corner.X-size, corner.Y), image.Pt(corner.X, corner.Y+size))
	d.Shape(picture.Ink, image.Pt(corner.X-size, corner.Y), image.Pt(corner.X, corner.Y+size), image.Pt(corner.X-size, corner.Y+size))
}
