package oncall

import (
	"cmp"
	"fmt"
	"image"
	"image/color"
	"slices"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/calendar"
	"github.com/signalbox-chatops/signalbox/integrations/kit/picture"
)

// A weekPicture is the days ahead of one or several schedules: a block a schedule, a
// row a day, and along it the hours of that day's wall clock.
type weekPicture struct {
	title string
	zone  *time.Location
	// from is a moment of the first day that is drawn; days is how many are, 7 for 0.
	from time.Time
	days int
	now  time.Time
	// lanes are the schedules. Their shifts may begin before the first day and should
	// reach as far behind the last as it takes to say until when somebody is on call.
	lanes    []weekLane
	language string // "en" or "ja"
	// people share out the colors besides those who are on call, so that these stay
	// the same from week to week; it may be empty.
	people []string
}

// A weekLane is a schedule's timeline. Time that no shift covers is not known, and
// stays white; a gap is a shift with nobody in it.
type weekLane struct {
	name   string
	shifts []integrations.Shift
}

// Where the days stand in the picture, in pixels.
const (
	hourWide  = 47
	dayLeft   = 256
	dayRight  = dayLeft + 24*hourWide
	perPerson = 42 // the least height of one of several people in a bar
	mostInBar = 4  // people who are drawn in one; who else is on call is counted
	usualDays = 7
)

// A weekDrawing is a weekPicture while it is drawn.
type weekDrawing struct {
	weekPicture
	*picture.Canvas
	words  pictureWords
	paints map[string]picture.Paint
	y      int
	// nowAt is where the line of now stands in the day that is drawn; 0 for nowhere.
	nowAt int
	// unnamed are those whose whole name did not fit into a bar: they are in the key.
	unnamed map[string]bool
	// met says which marks were drawn, and have to be explained.
	met   struct{ now, override, gap bool }
	notes []string
}

// draw is the picture as PNG. Two drawings of the same are equal byte by byte.
func (w weekPicture) draw() ([]byte, error) {
	if w.days <= 0 {
		w.days = usualDays
	}
	w.lanes = slices.Clone(w.lanes)
	people := slices.Clone(w.people)
	first, end := earlier(midnight(w.from, w.zone, 0), w.now), later(midnight(w.from, w.zone, w.days), w.now.Add(time.Second))
	for i, l := range w.lanes {
		w.lanes[i].shifts = joined(l.shifts)
		for _, s := range w.lanes[i].shifts {
			if !s.End.After(first) || !s.Start.Before(end) {
				continue
			}
			for _, d := range s.On {
				people = append(people, d.Person)
			}
		}
	}
	people = uniqueSorted(people)
	c, err := picture.New(w.mostHigh(len(people)))
	if err != nil {
		return nil, err
	}
	d := &weekDrawing{weekPicture: w, Canvas: c, words: wordsOf(w.language), paints: picture.PaintsOf(people), unnamed: map[string]bool{}}
	d.header()
	for _, l := range d.lanes {
		d.lane(l)
	}
	d.key(people)
	return c.PNG(d.y + picture.Edge/2)
}

// row is the height of a day's row in a lane.
func (w weekPicture) row(l weekLane) int {
	crowd := 1
	for _, s := range l.shifts {
		crowd = max(crowd, min(len(s.On), mostInBar))
	}
	return max(rowHeight(w.days*len(w.lanes)), crowd*perPerson+rowSpace)
}

// mostHigh is more than the picture's height.
func (w weekPicture) mostHigh(people int) int {
	high := 600 + 60*people
	for _, l := range w.lanes {
		high += 320 + w.days*w.row(l)
	}
	for n := range w.days {
		d := w.date(n)
		high += 120 * (len(runsOf(w.zone, d.Year(), d.Month(), d.Day())) - 1) // a note
	}
	return high
}

// rowSpace is the white between two bars.
const rowSpace = 12

// rowHeight is lower the more rows there are, so that a picture does not become so tall
// that it is shown narrow.
func rowHeight(rows int) int {
	switch {
	case rows <= 7:
		return 104
	case rows <= 14:
		return 72
	}
	return 58
}

func uniqueSorted(s []string) []string {
	slices.Sort(s)
	return slices.Compact(s)
}

// date is the n-th day that is drawn, at noon: a time that every day has.
func (w weekPicture) date(n int) time.Time {
	f := w.from.In(w.zone)
	return calendar.At(w.zone, f.Year(), f.Month(), f.Day()+n, 12, 0, 0)
}

func (d *weekDrawing) header() {
	const wide = picture.Width - 2*picture.Edge
	d.Large.Write(d, picture.Edge, 96, d.Large.Cut(d.title, wide), picture.Ink)
	when := d.words.span(d.date(0), d.date(d.days-1)) + ", " + d.zone.String()
	d.Text.Write(d, picture.Edge, 166, d.Text.Cut(when, wide), picture.Faint)
	d.y = 196
}

// lane draws a schedule: who is on call now, and the days.
func (d *weekDrawing) lane(l weekLane) {
	if l.name != "" && (len(d.lanes) > 1 || l.name != d.title) {
		d.y += 72
		d.Head.Write(d, picture.Edge, d.y, d.Head.Cut(l.name, picture.Width-2*picture.Edge), picture.Ink)
		d.y -= 6
	}
	d.current(l)
	d.y += 84
	top, row := d.y, d.row(l)
	for n := range d.days {
		if at := d.date(n); sameDate(at, d.now.In(d.zone)) {
			d.Fill(image.Rect(picture.Edge-16, top+n*row, picture.Width-picture.Edge+16, top+(n+1)*row), picture.Today)
		}
	}
	for h := 0; h <= 24; h += 6 {
		x := dayLeft + h*hourWide
		d.Fill(image.Rect(x-1, top-8, x+2, top+d.days*row+4), picture.Ruled)
		label := fmt.Sprint(h)
		d.Small.Write(d, x-d.Small.Width(label)/2, top-18, label, picture.Faint)
	}
	for n := range d.days {
		d.day(l, n, top+n*row, row)
	}
	d.y = top + d.days*row + 24
}

func sameDate(a, b time.Time) bool {
	return a.Year() == b.Year() && a.YearDay() == b.YearDay()
}

// current says who is on call now, in words.
func (d *weekDrawing) current(l weekLane) {
	s, until, next, ok := d.turn(l, d.words)
	if !ok {
		return
	}
	d.y += 74
	ink, swatch := picture.Ink, image.Rect(picture.Edge, d.y-38, picture.Edge+40, d.y+2)
	if s.Gap() {
		ink = picture.Alarm
		d.hole(swatch)
	} else {
		d.Fill(swatch, d.paints[s.On[0].Person].Ground)
	}
	d.TextBold.Write(d, swatch.Max.X+18, d.y, d.nowLine(s, until, next), ink)
}

// turn is the shift of now in a lane, until when it is, and who is next; "" where that is
// not known.
func (w weekPicture) turn(l weekLane, words pictureWords) (now integrations.Shift, until, next string, ok bool) {
	at := slices.IndexFunc(l.shifts, func(s integrations.Shift) bool { return !w.now.Before(s.Start) && w.now.Before(s.End) })
	if at < 0 {
		return now, "", "", false
	}
	now = l.shifts[at]
	if at+1 < len(l.shifts) && l.shifts[at+1].Start.Equal(now.End) { // else where it ends is not known
		far := !now.End.Before(midnight(w.now, w.zone, usualDays-1))
		until, next = words.moment(now.End.In(w.zone), far), words.gap
		if n := l.shifts[at+1]; !n.Gap() {
			next = namesOf(n.On, words)
		}
	}
	return now, until, next, true
}

// nowLine is as much as fits of who is on call, until when, and who is next.
func (d *weekDrawing) nowLine(s integrations.Shift, until, next string) string {
	const room, aName = picture.Width - 2*picture.Edge - 58, 480
	who := namesOf(s.On, d.words)
	short, then := d.TextBold.Cut(who, aName), d.TextBold.Cut(next, aName)
	for _, line := range []string{
		d.words.turn(who, until, next), d.words.turn(short, until, then), d.words.turn(who, until, ""), d.words.turn(short, until, ""),
	} {
		if d.TextBold.Width(line) <= room {
			return line
		}
	}
	return d.TextBold.Cut(d.words.turn(short, until, ""), room)
}

// namesOf are people as a list; nobody is "".
func namesOf(on []integrations.Duty, words pictureWords) string {
	var out []string
	for _, o := range on {
		out = append(out, o.Person)
	}
	return words.list(out)
}

// alt says in words what is most wanted of the picture: who is on call now.
func (w weekPicture) alt() string {
	words := wordsOf(w.language)
	out := w.title + ", " + words.span(w.date(0), w.date(cmp.Or(w.days, usualDays)-1))
	for _, l := range w.lanes {
		l.shifts = joined(l.shifts)
		if s, until, next, ok := w.turn(l, words); ok {
			out += ". "
			if len(w.lanes) > 1 {
				out += l.name + ": "
			}
			out += words.turn(namesOf(s.On, words), until, next)
		}
	}
	return out + "."
}

// day draws the n-th day of a schedule, from top on.
func (d *weekDrawing) day(l weekLane, n, top, row int) {
	date := d.date(n)
	runs := runsOf(d.zone, date.Year(), date.Month(), date.Day())
	y0, y1 := top+rowSpace/2, top+row-rowSpace/2
	face, ink := d.Text, picture.Faint
	if sameDate(date, d.now.In(d.zone)) {
		face, ink = d.TextBold, picture.Ink
	}
	d.write(face, picture.Edge, y0, y1, face.Cut(d.words.day(date), dayLeft-picture.Edge-28), ink)
	d.changes(date, runs)
	for _, s := range skipped(runs) {
		d.Fill(image.Rect(across(s.from), y0, across(s.to), y1), picture.Ruled)
	}
	d.nowAt = 0
	for _, r := range runs {
		if !d.now.Before(r.from) && d.now.Before(r.to) {
			d.nowAt = across(r.wall.from + d.now.Sub(r.from))
		}
	}
	for _, p := range piecesOf(l.shifts, runs) {
		d.piece(p, y0, y1)
	}
	if d.nowAt > 0 {
		d.met.now = true
		d.needle(d.nowAt, y0, y1)
	}
}

// write writes text in the middle of y0 to y1.
func (d *weekDrawing) write(face *picture.Letters, x, y0, y1 int, s string, ink color.Color) {
	face.Write(d, x, face.Middle(y0, y1), s, ink)
}

// across is where a time of day stands.
func across(wall time.Duration) int {
	return dayLeft + int(wall*hourWide/time.Hour)
}

// changes notes that the clock is changed on a day.
func (d *weekDrawing) changes(date time.Time, runs []run) {
	for i := 1; i < len(runs); i++ {
		was, is, form := runs[i-1].wall.to, runs[i].wall.from, d.words.marks.twice
		if is > was {
			form = d.words.marks.skip
		}
		note := fmt.Sprintf(form, d.words.day(date), clockTime(was), clockTime(is))
		if !slices.Contains(d.notes, note) {
			d.notes = append(d.notes, note)
		}
	}
}

func clockTime(wall time.Duration) string {
	return fmt.Sprintf("%02d:%02d", int(wall.Hours()), int(wall.Minutes())%60)
}

// key explains below what was drawn: the colors of those whose name found no room, the
// marks, and the notes.
func (d *weekDrawing) key(people []string) {
	d.y += 8
	x := picture.Edge
	place := func(text string, mark func(box image.Rectangle)) {
		text = d.Small.Cut(text, picture.Width-2*picture.Edge-60)
		wide := 52 + d.Small.Width(text) + 44
		if x > picture.Edge && x+wide-44 > picture.Width-picture.Edge {
			x, d.y = picture.Edge, d.y+60
		}
		mark(image.Rect(x, d.y+6, x+40, d.y+46))
		d.write(d.Small, x+54, d.y+6, d.y+46, text, picture.Ink)
		x += wide
	}
	start := d.y
	for _, p := range people {
		if d.unnamed[p] {
			place(p, func(box image.Rectangle) { d.Fill(box, d.paints[p].Ground) })
		}
	}
	if d.met.now {
		place(d.words.marks.now, func(b image.Rectangle) { d.needle((b.Min.X+b.Max.X)/2, b.Min.Y+6, b.Max.Y-6) })
	}
	if d.met.override {
		place(d.words.marks.override, func(b image.Rectangle) { d.Fill(b, picture.Ruled); d.ear(b) })
	}
	if d.met.gap {
		place(d.words.marks.gap, d.hole)
	}
	if x > picture.Edge || d.y > start {
		d.y += 60
	}
	if len(d.Lacking) > 0 {
		d.notes = append(d.notes, d.words.marks.lacking)
	}
	for _, n := range d.notes {
		for _, line := range d.Small.Wrap(n, picture.Width-2*picture.Edge) {
			d.write(d.Small, picture.Edge, d.y+6, d.y+46, line, picture.Faint)
			d.y += 52
		}
	}
}
