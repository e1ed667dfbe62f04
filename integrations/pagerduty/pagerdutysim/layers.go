package pagerdutysim

import (
	"fmt"
	"slices"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/kit/calendar"
)

// Layer is a turn of users. Later layers of a schedule go before earlier ones.
type Layer struct {
	ID    string    `json:"id"`
	Name  string    `json:"name"` // "Layer 1" when empty
	Start time.Time `json:"start"`
	End   time.Time `json:"end,omitzero"` // zero: never
	// Virtual is from when turns are counted; Start when zero. Turns are counted on the
	// wall clock of the schedule's zone, so a day is one there even where it has 25 hours.
	Virtual time.Time `json:"virtual,omitzero"`
	Turn    int       `json:"turn"` // seconds
	Users   []string  `json:"users"`
	// Restrictions are when the layer has anybody at all; none is always.
	Restrictions []Restriction `json:"restrictions,omitempty"`
}

// Restriction is a window on the wall clock of the schedule's zone.
type Restriction struct {
	Day     int    `json:"day,omitempty"` // 1 is Monday, 7 Sunday; 0 is every day
	From    string `json:"from"`          // "09:00:00"
	Seconds int    `json:"seconds"`
}

func (s *Sim) checkLayer(l *Layer, n int) error {
	if l.Name == "" {
		l.Name = fmt.Sprintf("Layer %d", n+1)
	}
	if l.ID == "" {
		l.ID = s.id(false)
	}
	if l.Virtual.IsZero() {
		l.Virtual = l.Start
	}
	if l.Turn <= 0 || l.Start.IsZero() || len(l.Users) == 0 {
		return fmt.Errorf("%s: it needs a start, a turn in seconds and users", l.Name)
	}
	for _, id := range l.Users {
		if _, ok := s.user(id); !ok {
			return fmt.Errorf("%s: no user is %s", l.Name, id)
		}
	}
	for _, r := range l.Restrictions {
		if _, err := time.Parse(time.TimeOnly, r.From); err != nil || r.Day < 0 || r.Day > 7 || r.Seconds <= 0 {
			return fmt.Errorf("%s: the restriction %+v is not a day, a time and seconds", l.Name, r)
		}
	}
	return nil
}

// entry is a stretch of a schedule with one user.
type entry struct {
	start, end time.Time
	user       string
	id         string // of the override, "" of a turn
	origin     string // two of one are one
}

// instant is when the wall clock of a zone shows what is written as UTC.
func instant(zone *time.Location, wall time.Time) time.Time {
	return calendar.At(zone, wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second())
}

// wallOf is what the wall clock of a zone shows, written as UTC.
func wallOf(zone *time.Location, t time.Time) time.Time {
	t = t.In(zone)
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
}

// clip is the part of a stretch that lies in another.
func clip(start, end, from, to time.Time) (time.Time, time.Time, bool) {
	if start.Before(from) {
		start = from
	}
	if end.After(to) {
		end = to
	}
	return start, end, start.Before(end)
}

// entries are the turns of a layer in a span, cut at its ends.
func (l Layer) entries(zone *time.Location, from, to time.Time) (out []entry) {
	if l.Start.After(from) {
		from = l.Start
	}
	if !l.End.IsZero() && l.End.Before(to) {
		to = l.End
	}
	turn := time.Duration(l.Turn) * time.Second
	anchor := wallOf(zone, l.Virtual)
	begins := func(k int) time.Time { return instant(zone, anchor.Add(time.Duration(k)*turn)) }
	k := int(wallOf(zone, from).Sub(anchor)/turn) - 1
	for begins(k).After(from) {
		k--
	}
	for ; begins(k).Before(to); k++ {
		start, end, ok := clip(begins(k), begins(k+1), from, to)
		if !ok {
			continue
		}
		user := l.Users[((k%len(l.Users))+len(l.Users))%len(l.Users)]
		for _, w := range l.windows(zone, start, end) {
			out = append(out, entry{start: w[0], end: w[1], user: user, origin: fmt.Sprintf("%s/%d/%d", l.ID, k, w[0].Unix())})
		}
	}
	return out
}

// windows are the parts of a turn in which the layer has anybody.
func (l Layer) windows(zone *time.Location, from, to time.Time) (out [][2]time.Time) {
	if len(l.Restrictions) == 0 {
		return [][2]time.Time{{from, to}}
	}
	wall := wallOf(zone, from)
	first := time.Date(wall.Year(), wall.Month(), wall.Day()-8, 0, 0, 0, 0, time.UTC)
	for day := first; instant(zone, day).Before(to); day = day.AddDate(0, 0, 1) {
		for _, r := range l.Restrictions {
			if r.Day != 0 && r.Day%7 != int(day.Weekday()) {
				continue
			}
			at, err := time.Parse(time.TimeOnly, r.From)
			if err != nil {
				continue // it was checked
			}
			opens := day.Add(time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute + time.Duration(at.Second())*time.Second)
			if start, end, ok := clip(instant(zone, opens), instant(zone, opens.Add(time.Duration(r.Seconds)*time.Second)), from, to); ok {
				out = append(out, [2]time.Time{start, end})
			}
		}
	}
	slices.SortFunc(out, func(a, b [2]time.Time) int { return a[0].Compare(b[0]) })
	return joined(out)
}

// joined makes one of those that touch.
func joined(in [][2]time.Time) (out [][2]time.Time) {
	for _, w := range in {
		if n := len(out); n > 0 && !w[0].After(out[n-1][1]) {
			if w[1].After(out[n-1][1]) {
				out[n-1][1] = w[1]
			}
			continue
		}
		out = append(out, w)
	}
	return out
}

// covering are the overrides of a schedule of layers in a span, cut at its ends.
func (sc *Schedule) covering(from, to time.Time) (out []entry) {
	for _, o := range sc.Overrides {
		if start, end, ok := clip(o.Start, o.End, from, to); ok {
			out = append(out, entry{start: start, end: end, user: o.User, id: o.ID, origin: o.ID})
		}
	}
	return out
}

// final is who is on call in a span: the override that was made last, else the last layer
// that has anybody.
func (sc *Schedule) final(zone *time.Location, from, to time.Time) (out []entry) {
	var all []entry // later ones go before earlier ones
	for _, l := range sc.Layers {
		all = append(all, l.entries(zone, from, to)...)
	}
	all = append(all, sc.covering(from, to)...)
	var points []time.Time
	for _, e := range all {
		points = append(points, e.start, e.end)
	}
	slices.SortFunc(points, time.Time.Compare)
	points = slices.CompactFunc(points, time.Time.Equal)
	for n := 0; n+1 < len(points); n++ {
		for i := len(all) - 1; i >= 0; i-- {
			e := all[i]
			if e.start.After(points[n]) || !e.end.After(points[n]) {
				continue
			}
			e.start, e.end = points[n], points[n+1]
			if last := len(out) - 1; last >= 0 && out[last].origin == e.origin && out[last].end.Equal(e.start) {
				out[last].end = e.end
			} else {
				out = append(out, e)
			}
			break
		}
	}
	return out
}
