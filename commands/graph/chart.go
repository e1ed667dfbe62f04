package graph

import (
	"fmt"
	"image"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/picture"
)

// A chart is a metric in a time, as it is drawn.
type chart struct {
	title, metric, system string
	from, until           time.Time
	zone                  *time.Location
	series                integrations.Series
	marks                 []mark
	language              string // "en" or "ja"
}

// Where things stand, in pixels.
const (
	plotTop    = 392
	plotBottom = 832
	tilesAt    = 268
	lineThick  = 5.0
	belowAxis  = 56 // from the axis to its labels' base
	markLine   = 60 // of a line below the chart
	mostMarks  = 4  // that are listed below
	mostGaps   = 2
)

// A drawing is a chart while it is drawn.
type drawing struct {
	chart
	*picture.Canvas
	words words
	axis  axis
	left  int // of the plot
	runs  [][]integrations.Point
}

// draw is the picture as PNG. Two drawings of the same are equal byte by byte.
func (ch chart) draw() ([]byte, error) {
	c, err := picture.New(plotBottom + belowAxis + markLine*(mostMarks+mostGaps+4))
	if err != nil {
		return nil, err
	}
	d := &drawing{chart: ch, Canvas: c, words: wordsOf(ch.language), runs: ch.runs()}
	least, most := ch.extremes()
	d.axis = ch.scale(least.Value, most.Value)
	d.header(least, most)
	d.measure()
	ways := d.ways()
	for _, way := range ways {
		d.Area(picture.Mix(picture.Blue.Ground, picture.Paper, 38), plotBottom-1, way...)
	}
	d.grid()
	d.deploys()
	for _, way := range ways {
		d.curve(way)
	}
	return c.PNG(d.below() + picture.Edge/2)
}

// scale is the axis of the values. Dots on stems are compared by their height, so that
// theirs begins at nothing.
func (ch chart) scale(least, most float64) axis {
	if ch.sparse() {
		least = min(least, 0)
	}
	return newAxis(least, most, ch.series.Unit)
}

// extremes are the least and the greatest value, the first of each.
func (ch chart) extremes() (least, most integrations.Point) {
	least, most = ch.series.Points[0], ch.series.Points[0]
	for _, p := range ch.series.Points {
		if p.Value < least.Value {
			least = p
		}
		if p.Value > most.Value {
			most = p
		}
	}
	return least, most
}

// every is the time between two values where nothing is missing: as it is said, else the
// one that is met most often in the middle.
func (ch chart) every() time.Duration {
	if ch.series.Every > 0 {
		return ch.series.Every
	}
	var between []time.Duration
	for i, p := range ch.series.Points[1:] {
		between = append(between, p.At.Sub(ch.series.Points[i].At))
	}
	if len(between) == 0 {
		return 0
	}
	slices.Sort(between)
	return between[len(between)/2]
}

// tolerated is how many times the usual time may lie between two values of one line: one
// that comes late is no gap.
const tolerated = 2.5

// sparse says that a metric has values now and then, as that of releases has: what lies
// between two of them is nothing that anybody measured, and no line leads there.
func (ch chart) sparse() bool {
	return len(ch.series.Points) == 1 || ch.every() > max(ch.until.Sub(ch.from)/fewest, seldom)
}

const (
	fewest = 24               // values in a chart that has a line
	seldom = 10 * time.Minute // between two values of a metric that has none
)

// runs are the values between which nothing is missing.
func (ch chart) runs() (out [][]integrations.Point) {
	limit := time.Duration(float64(ch.every()) * tolerated)
	sparse := ch.sparse()
	for i, p := range ch.series.Points {
		if i == 0 || sparse || p.At.Sub(ch.series.Points[i-1].At) > limit {
			out = append(out, nil)
		}
		out[len(out)-1] = append(out[len(out)-1], p)
	}
	return out
}

// header are the title, what time it is of, and the numbers people look for.
func (d *drawing) header(least, most integrations.Point) {
	room := picture.Width - 2*picture.Edge
	name := d.Large.Cut(d.title, room/2)
	d.Large.Write(d, picture.Edge, 92, name, picture.Ink)
	at := picture.Edge + d.Large.Width(name) + 28
	d.Text.Write(d, at, 92, d.Text.Cut(d.metric, picture.Width-picture.Edge-at), picture.Faint)
	d.Small.Write(d, picture.Edge, 156, d.Small.Cut(d.words.span(d.from.In(d.zone), d.until.In(d.zone))+" · "+d.system, room), picture.Faint)
	last := d.series.Points[len(d.series.Points)-1]
	for i, tile := range []struct {
		name string
		p    integrations.Point
	}{{d.words.last, last}, {d.words.least, least}, {d.words.most, most}} {
		x := picture.Edge + i*room/3
		d.Head.Write(d, x, tilesAt, d.Head.Cut(say(tile.p.Value, d.series.Unit), room/3-20), picture.Ink)
		d.Small.Write(d, x, tilesAt+54, d.Small.Cut(tile.name+" · "+d.words.moment(tile.p.At.In(d.zone), d.long()), room/3-20), picture.Faint)
	}
}

// long says whether the time alone does not tell which day it is.
func (d *drawing) long() bool {
	a, b := d.from.In(d.zone), d.until.In(d.zone)
	return a.YearDay() != b.YearDay() || a.Year() != b.Year()
}

// measure makes room for the labels of the values.
func (d *drawing) measure() {
	for _, l := range d.axis.labels() {
		d.left = max(d.left, d.Small.Width(l.text))
	}
	d.left += picture.Edge + 20
}

// grid are the lines of round values and of round times, with their labels.
func (d *drawing) grid() {
	for _, l := range d.axis.labels() {
		y := int(d.y(l.value))
		d.Fill(image.Rect(d.left, y-1, picture.Width-picture.Edge, y+2), picture.Ruled)
		d.Small.Write(d, d.left-20-d.Small.Width(l.text), d.Small.Middle(y, y), l.text, picture.Faint)
	}
	free := 0 // from here on a label does not touch the one before
	for _, at := range ticks(d.from, d.until, d.zone) {
		x := int(d.x(at))
		d.Fill(image.Rect(x-1, plotBottom, x+2, plotBottom+14), picture.Faint)
		text := d.words.tick(at)
		wide := d.Small.Width(text)
		from := min(max(x-wide/2, picture.Edge/2), picture.Width-picture.Edge/2-wide)
		if from >= free {
			d.Small.Write(d, from, plotBottom+belowAxis, text, picture.Faint)
			free = from + wide + 24
		}
	}
	d.Fill(image.Rect(d.left, plotBottom-1, picture.Width-picture.Edge, plotBottom+2), picture.Faint)
}

// x is where a time stands, and y a value.
func (d *drawing) x(at time.Time) float64 {
	share := float64(at.Sub(d.from)) / float64(d.until.Sub(d.from))
	return float64(d.left) + share*float64(picture.Width-picture.Edge-d.left)
}

func (d *drawing) y(v float64) float64 {
	return plotBottom - (v-d.axis.bottom)/(d.axis.top-d.axis.bottom)*(plotBottom-plotTop)
}

// ways are the lines through the values.
func (d *drawing) ways() (out [][]picture.Spot) {
	for _, run := range d.runs {
		out = append(out, thin(run, d.x, d.y))
	}
	return out
}

// curve draws a line. A value that stands alone is a dot on a stem.
func (d *drawing) curve(way []picture.Spot) {
	d.Line(picture.Blue.Ground, lineThick, way...)
	if len(way) > 1 {
		return
	}
	d.Line(picture.Blue.Ground, 4*lineThick, way...)
	if d.sparse() {
		d.Line(picture.Blue.Ground, lineThick-1, way[0], picture.Spot{X: way[0].X, Y: plotBottom})
	}
}

// thin is the way of a line in which no column of pixels has more than four spots: its
// first value, its least, its greatest and its last, so that no peak is lost.
func thin(run []integrations.Point, x func(time.Time) float64, y func(float64) float64) (way []picture.Spot) {
	for i := 0; i < len(run); {
		column := int(x(run[i].At))
		end, least, most := i, i, i
		for ; end < len(run) && int(x(run[end].At)) == column; end++ {
			if run[end].Value < run[least].Value {
				least = end
			}
			if run[end].Value > run[most].Value {
				most = end
			}
		}
		keep := []int{i, least, most, end - 1}
		slices.Sort(keep)
		for _, n := range slices.Compact(keep) {
			way = append(way, picture.Spot{X: x(run[n].At), Y: y(run[n].Value)})
		}
		i = end
	}
	return way
}

// deploys are the dashed lines of what was deployed.
func (d *drawing) deploys() {
	free := 0
	for i, m := range d.marks {
		next := picture.Width // nobody's label stands under the next mark
		if i+1 < len(d.marks) {
			next = int(d.x(d.marks[i+1].at)) - 20
		}
		x, paint := int(d.x(m.at)), markColor(m)
		for y := plotTop - 8; y < plotBottom; y += 18 {
			d.Fill(image.Rect(x-2, y, x+2, min(y+11, plotBottom)), paint)
		}
		d.Shape(paint, image.Pt(x-15, plotTop-36), image.Pt(x+15, plotTop-36), image.Pt(x, plotTop-12))
		wide := d.Small.Width(m.id)
		from := x + 22
		if from+wide > picture.Width-picture.Edge/2 {
			from = x - 22 - wide
		}
		if from >= free && from+wide <= next {
			d.Small.Write(d, from, plotTop-12, m.id, paint)
			free = x + 44 + wide
		}
	}
}

// below says what the marks are and where values are missing; it is how far it came down.
func (d *drawing) below() int {
	y := plotBottom + belowAxis + 8
	line := func(draw func(base int)) {
		y += markLine
		draw(y)
	}
	write := func(base, x int, text string) {
		d.Small.Write(d, x, base, d.Small.Cut(text, picture.Width-picture.Edge-x), picture.Faint)
	}
	shown := d.marks[max(0, len(d.marks)-mostMarks):]
	for _, m := range shown {
		line(func(base int) {
			d.Shape(markColor(m), image.Pt(picture.Edge, base-26), image.Pt(picture.Edge+30, base-26), image.Pt(picture.Edge+15, base-4))
			write(base, picture.Edge+48, d.words.deploy(m, d.words.moment(m.at.In(d.zone), d.long())))
		})
	}
	if more := len(d.marks) - len(shown); more > 0 {
		line(func(base int) { write(base, picture.Edge+48, d.words.more(more)) })
	}
	for _, text := range d.gaps() {
		line(func(base int) { write(base, picture.Edge, text) })
	}
	if len(d.Lacking) > 0 {
		line(func(base int) { write(base, picture.Edge, d.words.lacking) })
	}
	return y
}

// gaps says where values are missing. Of dots that stand alone nothing is missing.
func (d *drawing) gaps() (out []string) {
	if d.sparse() {
		return nil
	}
	for i, run := range d.runs[min(1, len(d.runs)):] {
		before := d.runs[i][len(d.runs[i])-1]
		out = append(out, d.words.gap(d.words.moment(before.At.In(d.zone), d.long()), d.words.moment(run[0].At.In(d.zone), d.long())))
	}
	if more := len(out) - mostGaps; more > 0 {
		out = append(out[:mostGaps], d.words.moreGaps(more))
	}
	return out
}

// alt says what the picture shows.
func (ch chart) alt() string {
	least, most := ch.extremes()
	w, last := wordsOf(ch.language), ch.series.Points[len(ch.series.Points)-1]
	long := (&drawing{chart: ch}).long()
	parts := []string{ch.title + " " + ch.metric, w.span(ch.from.In(ch.zone), ch.until.In(ch.zone))}
	for _, p := range []struct {
		name string
		p    integrations.Point
	}{{w.last, last}, {w.least, least}, {w.most, most}} {
		parts = append(parts, fmt.Sprintf("%s %s (%s)", p.name, say(p.p.Value, ch.series.Unit), w.moment(p.p.At.In(ch.zone), long)))
	}
	for _, m := range ch.marks {
		parts = append(parts, w.deploy(m, w.moment(m.at.In(ch.zone), long)))
	}
	return strings.Join(parts, w.comma)
}

// finite says whether it is a number that can be drawn.
func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
