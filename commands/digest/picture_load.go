package digest

import (
	"fmt"
	"image"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/kit/picture"
	"github.com/signalbox-chatops/signalbox/integrations/kit/rota"
)

// loadPicture shows who was on call for how long, in which hours, and how that is shared
// out over the last weeks.
type loadPicture struct {
	report
	words words
}

// loadOf is the picture of the load; there is none where nobody was on call.
func loadOf(r report, language string) drawing {
	for _, s := range r.Schedules {
		if s.Covered > 0 {
			return loadPicture{r, wordsOf(language)}
		}
	}
	return nil
}

const (
	hoursLeft, hoursRight = 400, 1010
	hoursShort            = 690 // where the bars end if there are pages beside them
	pagesLeft, pagesRight = 850, 1090
	mostPeople            = 14 // of a schedule
)

// kindPaints are the colors of hours: the darkest are those of the night.
var kindPaints = map[string]picture.Paint{rota.Working: picture.Sky, rota.Evening: picture.Yellow, rota.Weekend: picture.Orange, rota.Sleeping: picture.Navy}

func (p loadPicture) title() string { return p.words.onCall + ", " + p.words.days(p.report) }

func (p loadPicture) draw() ([]byte, error) {
	high := 500
	for _, x := range p.Schedules {
		high += 330 + rowHigh*min(len(x.People), mostPeople)
	}
	s, err := newSheet(p.words, high, p.words.onCall, p.words.days(p.report))
	if err != nil {
		return nil, err
	}
	for _, x := range p.Schedules {
		if x.Covered > 0 {
			p.schedule(s, x)
		}
	}
	s.line()
	var marks []mark
	for _, kind := range rota.Kinds {
		if p.has(kind) {
			marks = append(marks, mark{color: kindPaints[kind].Ground, name: p.words.kinds[kind]})
		}
	}
	s.key(marks)
	p.notes(s)
	return s.end()
}

// has says whether anybody had hours of a kind, or was called in them.
func (p loadPicture) has(kind string) bool {
	for _, x := range p.Schedules {
		if slices.ContainsFunc(x.People, func(l load) bool { return l.Hours[kind] > 0 || l.Pages[kind] > 0 }) {
			return true
		}
	}
	return false
}

// notes say what the last column is.
func (p loadPicture) notes(s *sheet) {
	var weeks []int
	for _, x := range p.Schedules {
		if x.Weeks > 0 && x.equal() > 0 && !slices.Contains(weeks, x.Weeks) {
			weeks = append(weeks, x.Weeks)
			s.Small.Write(s, picture.Edge, s.Small.Middle(s.y, s.y+40), fmt.Sprintf(p.words.share, p.words.weeks(x.Weeks)), picture.Faint)
			s.y += 56
		}
	}
}

// schedule draws the people of one.
func (p loadPicture) schedule(s *sheet, x schedule) {
	s.y += 66
	s.Head.Write(s, picture.Edge, s.y, s.Head.Cut(x.Name, hoursLeft-picture.Edge-24), picture.Ink)
	s.SmallBold.Write(s, hoursLeft, s.y, p.words.hours, picture.Ink)
	if p.Paged {
		s.SmallBold.Write(s, pagesLeft, s.y, p.words.pages, picture.Ink)
	}
	if x.Weeks > 0 {
		s.right(s.SmallBold, picture.Width-picture.Edge, s.y, p.words.weeks(x.Weeks), picture.Ink)
	}
	s.y += 26
	shown := x.People[:min(len(x.People), mostPeople)]
	hours, pages := time.Hour, 1
	for _, l := range shown {
		hours, pages = max(hours, l.Hours.Total()), max(pages, l.paged())
	}
	for _, l := range shown {
		p.person(s, x, l, hours, pages)
	}
	s.more(len(x.People) - len(shown))
}

// person draws one person's load; the longest bars are of hours, and of pages.
func (p loadPicture) person(s *sheet, x schedule, l load, hours time.Duration, pages int) {
	y0, y1 := s.row(l.Person, hoursLeft-picture.Edge-24)
	right := hoursRight
	if p.Paged {
		right = hoursShort
	}
	var parts, calls []part
	for _, kind := range rota.Kinds {
		d, n := l.Hours[kind], l.Pages[kind]
		parts = append(parts, part{kind, int(int64(right-hoursLeft) * int64(d/time.Second) / int64(hours/time.Second)), hoursTold(d), d == 0})
		calls = append(calls, part{kind, (pagesRight - pagesLeft) * n / pages, fmt.Sprint(n), n == 0})
	}
	s.stack(hoursLeft, y0, y1, parts, p.words.hoursN(hoursTold(l.Hours.Total())))
	if p.Paged {
		s.stack(pagesLeft, y0, y1, calls, fmt.Sprint(l.paged()))
	}
	if x.Weeks > 0 && x.equal() > 0 {
		s.right(s.Small, picture.Width-picture.Edge, s.Small.Middle(y0, y1), signed(x.off(l)), picture.Faint)
	}
}

// A part is one kind's piece of a bar, in pixels, and its number.
type part struct {
	kind string
	wide int
	told string
	none bool
}

// stack draws parts side by side, each with its number where that fits, and the sum behind
// them.
func (s *sheet) stack(x, y0, y1 int, parts []part, sum string) {
	count := 0
	for _, p := range parts {
		if !p.none {
			count++
		}
	}
	for _, p := range parts {
		if p.none {
			continue
		}
		bar := image.Rect(x, y0, x+max(leastPart, p.wide), y1)
		s.Fill(bar, kindPaints[p.kind].Ground)
		if wide := s.Small.Width(p.told); count > 1 && wide+16 <= bar.Dx() {
			s.Small.Write(s, bar.Min.X+(bar.Dx()-wide)/2, s.Small.Middle(y0, y1), p.told, kindPaints[p.kind].Ink)
		}
		x = bar.Max.X + 2
	}
	if count > 0 {
		x += 14
	}
	s.SmallBold.Write(s, x, s.SmallBold.Middle(y0, y1), sum, picture.Ink)
}

// signed are percent above an equal share, or below it.
func signed(percent int) string {
	switch {
	case percent > 0:
		return fmt.Sprintf("+%d %%", percent)
	case percent < 0:
		return fmt.Sprintf("−%d %%", -percent)
	}
	return "0 %"
}

func (p loadPicture) alt() string {
	lines := []string{p.title()}
	for _, x := range p.Schedules {
		if x.Covered == 0 {
			continue
		}
		var people []string
		for _, l := range x.People {
			text := l.Person + " " + p.words.hoursN(hoursTold(l.Hours.Total()))
			if x.Weeks > 0 && x.equal() > 0 {
				text += " (" + p.words.weeks(x.Weeks) + " " + signed(x.off(l)) + ")"
			}
			people = append(people, text)
		}
		lines = append(lines, x.Name+": "+strings.Join(people, ", "))
	}
	return strings.Join(lines, ". ") + "."
}
