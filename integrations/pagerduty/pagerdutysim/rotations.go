package pagerdutysim

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/teambition/rrule-go"
)

// Rotation is one of a schedule of shifts. All of a schedule go on at once.
type Rotation struct {
	ID     string  `json:"id"`
	Events []Event `json:"events"`
}

// Event makes shifts by a rule, for the members in their turn.
type Event struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	// Start and End are the first shift on the wall clock of Zone: "2026-12-07T09:00:00".
	Start string `json:"start"`
	End   string `json:"end"`
	Zone  string `json:"zone"` // the schedule's when empty
	// Since and Until are between which times there are shifts; zero is no bound.
	Since time.Time `json:"since,omitzero"`
	Until time.Time `json:"until,omitzero"`
	Rule  string    `json:"rule"` // "RRULE:FREQ=WEEKLY;BYDAY=MO,TU"
	// Every puts all members on each shift. Else each has Turn shifts (1 when 0) and the
	// next one follows; turns are counted from Start.
	Every   bool     `json:"every,omitempty"`
	Turn    int      `json:"turn"`
	Members []string `json:"members"` // "" is a place that nobody has
}

const wallLayout = "2006-01-02T15:04:05"

func (s *Sim) checkRotation(r *Rotation, zone string) error {
	if r.ID == "" {
		r.ID = s.id(true)
	}
	if len(r.Events) == 0 || len(r.Events) > 5 {
		return errors.New("a rotation has 1 to 5 events")
	}
	r.Events = slices.Clone(r.Events)
	for n := range r.Events {
		e := &r.Events[n]
		if e.ID == "" {
			e.ID = s.id(true)
		}
		e.Zone, e.Turn = cmp.Or(e.Zone, zone), max(e.Turn, 1)
		if _, err := time.LoadLocation(e.Zone); err != nil {
			return fmt.Errorf("the event %s: no zone is called %q", e.Name, e.Zone)
		}
		start, err := time.Parse(wallLayout, e.Start)
		end, err2 := time.Parse(wallLayout, e.End)
		if err != nil || err2 != nil || !start.Before(end) {
			return fmt.Errorf("the event %s: from %q to %q is no time", e.Name, e.Start, e.End)
		}
		if _, err := e.rule(start); err != nil {
			return fmt.Errorf("the event %s: %w", e.Name, err)
		}
		if len(e.Members) == 0 {
			return fmt.Errorf("the event %s: it has no members", e.Name)
		}
		for _, id := range e.Members {
			if _, ok := s.user(id); !ok && id != "" {
				return fmt.Errorf("the event %s: no user is %s", e.Name, id)
			}
		}
	}
	return nil
}

func (e Event) rule(start time.Time) (*rrule.RRule, error) {
	option, err := rrule.StrToROption(strings.TrimPrefix(e.Rule, "RRULE:"))
	if err != nil {
		return nil, fmt.Errorf("%q is no rule: %w", e.Rule, err)
	}
	option.Dtstart = start
	return rrule.NewRRule(*option)
}

// shift is a stretch with one member, "" for nobody.
type shift struct {
	start, end time.Time
	member     string
	rotation   string // or custom
	custom     string
	override   string
}

// shifts are those of an event that touch a span.
func (e Event) shifts(rotation string, from, to time.Time) (out []shift) {
	start, _ := time.Parse(wallLayout, e.Start) // it was checked
	end, _ := time.Parse(wallLayout, e.End)
	zone, err := time.LoadLocation(e.Zone)
	rule, err2 := e.rule(start)
	if err != nil || err2 != nil {
		return nil
	}
	for n, at := range rule.Between(start, wallOf(zone, to).AddDate(0, 0, 1), true) {
		one := shift{start: instant(zone, at), end: instant(zone, at.Add(end.Sub(start))), rotation: rotation}
		if !e.Since.IsZero() && one.start.Before(e.Since) {
			one.start = e.Since
		}
		if !e.Until.IsZero() && one.end.After(e.Until) {
			one.end = e.Until
		}
		if _, _, ok := clip(one.start, one.end, from, to); !ok || !one.start.Before(one.end) {
			continue
		}
		members := e.Members
		if !e.Every {
			members = members[n/e.Turn%len(members):][:1]
		}
		for _, m := range members {
			one.member = m
			out = append(out, one)
		}
	}
	return out
}

// planned are all shifts that touch a span, before overrides: of the rotations, and the
// custom ones.
func (sc *Schedule) planned(from, to time.Time) (out []shift) {
	for _, r := range sc.Rotations {
		for _, e := range r.Events {
			out = append(out, e.shifts(r.ID, from, to)...)
		}
	}
	for _, o := range sc.Custom {
		if _, _, ok := clip(o.Start, o.End, from, to); ok {
			out = append(out, shift{start: o.Start, end: o.End, member: o.User, custom: o.ID})
		}
	}
	return out
}

// concerns says that an override is about a shift.
func (o Override) concerns(sh shift) bool {
	return o.Instead == sh.member && o.Rotation == sh.rotation && o.CustomShift == sh.custom && o.Start.Before(sh.end) && o.End.After(sh.start)
}

// assigned are the shifts of a span with their overrides, cut at its ends. Of two
// overrides of the same member the one that was made last holds.
func (sc *Schedule) assigned(from, to time.Time) (out []shift) {
	for _, sh := range sc.planned(from, to) {
		start, end, ok := clip(sh.start, sh.end, from, to)
		if !ok {
			continue
		}
		points := []time.Time{start, end}
		for _, o := range sc.Overrides {
			if a, b, ok := clip(o.Start, o.End, start, end); ok && o.concerns(sh) {
				points = append(points, a, b)
			}
		}
		slices.SortFunc(points, time.Time.Compare)
		points = slices.CompactFunc(points, time.Time.Equal)
		for n := 0; n+1 < len(points); n++ {
			part := sh
			part.start, part.end = points[n], points[n+1]
			for _, o := range sc.Overrides {
				if o.concerns(sh) && !o.Start.After(part.start) && o.End.After(part.start) {
					part.member, part.override = o.User, o.ID
				}
			}
			out = append(out, part)
		}
	}
	slices.SortStableFunc(out, func(a, b shift) int { return a.start.Compare(b.start) })
	return out
}
