package pagerdutysim

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// What somebody sees and does in PagerDuty's own pages. No limit and no misbehaviour of the
// API is theirs, and the kinds of schedules look the same.

// Stretch is a time with the ids of those who are on call, and of what put them there;
// nobody is a gap.
type Stretch struct {
	Start, End       time.Time
	Users, Overrides []string
}

// Final is who is on call on a schedule from a time until before another. It is an error
// if there is no such schedule, or no time between the two.
func (s *Sim) Final(schedule string, from, to time.Time) ([]Stretch, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sc := s.schedule(schedule)
	if sc == nil {
		return nil, fmt.Errorf("there is no schedule %q", schedule)
	}
	if !from.Before(to) {
		return nil, fmt.Errorf("from %s to %s is no time", from.Format(time.RFC3339), to.Format(time.RFC3339))
	}
	return sc.stretches(from, to), nil
}

// stretches are who is on call on a schedule.
func (sc *Schedule) stretches(from, to time.Time) []Stretch {
	if !sc.Shifts {
		return laid(sc.final(sc.zone(), from, to), from, to)
	}
	var all []entry
	for _, sh := range sc.assigned(from, to) {
		if sh.member != "" {
			all = append(all, entry{start: sh.start, end: sh.end, user: sh.member, id: sh.override})
		}
	}
	return laid(all, from, to)
}

// laid lays entries on one line.
func laid(all []entry, from, to time.Time) (out []Stretch) {
	points := []time.Time{from, to}
	for _, e := range all {
		points = append(points, e.start, e.end)
	}
	slices.SortFunc(points, time.Time.Compare)
	points = slices.CompactFunc(points, time.Time.Equal)
	for n := range len(points) - 1 {
		next := Stretch{Start: points[n].UTC(), End: points[n+1].UTC()}
		for _, e := range all {
			if e.start.After(points[n]) || !e.end.After(points[n]) {
				continue
			}
			if !slices.Contains(next.Users, e.user) {
				next.Users = append(next.Users, e.user)
			}
			if e.id != "" {
				next.Overrides = append(next.Overrides, e.id)
			}
		}
		if last := len(out) - 1; last >= 0 && slices.Equal(out[last].Users, next.Users) && slices.Equal(out[last].Overrides, next.Overrides) {
			out[last].End = next.End
			continue
		}
		out = append(out, next)
	}
	return out
}

// Put has a user on call in the place of whoever is, from a time until before another, and
// gives the ids of what that made. A time that has begun begins now; one that is over is
// an error. On a schedule of shifts it is an override of each who is on call then, or a
// custom shift where nobody is.
func (s *Sim) Put(schedule, user string, start, end time.Time) (ids []string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock.Now().UTC().Truncate(time.Second)
	if start.Before(now) {
		start = now
	}
	start, end = start.UTC().Truncate(time.Second), end.UTC().Truncate(time.Second)
	sc := s.schedule(schedule)
	_, known := s.user(user)
	switch {
	case sc == nil:
		return nil, fmt.Errorf("there is no schedule %q", schedule)
	case !known:
		return nil, fmt.Errorf("there is no user %q", user)
	case !start.Before(end):
		return nil, fmt.Errorf("it ends at %s, before it begins at %s", end.Format(time.RFC3339), start.Format(time.RFC3339))
	case !sc.Shifts:
		one := Override{ID: "Q" + s.id(false), Start: start, End: end, User: user}
		sc.Overrides = append(sc.Overrides, one)
		return []string{one.ID}, s.save()
	}
	var made []Override
	for _, sh := range sc.planned(start, end) {
		one := Override{Start: start, End: end, User: user, Rotation: sh.rotation, CustomShift: sh.custom, Instead: sh.member}
		if sh.member != "" && sh.member != user && !slices.Contains(made, one) {
			made = append(made, one)
		}
	}
	into := &sc.Overrides
	if len(made) == 0 {
		into, made = &sc.Custom, []Override{{Start: start, End: end, User: user}}
	}
	for _, o := range made {
		o.ID = s.id(true)
		ids, *into = append(ids, o.ID), append(*into, o)
	}
	return ids, s.save()
}

// TakeOut takes an override or a custom shift back: what runs ends now. It is an error if
// there is none of that id, or if it is over.
func (s *Sim) TakeOut(schedule, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	sc := s.schedule(schedule)
	if sc == nil {
		return fmt.Errorf("there is no schedule %q", schedule)
	}
	for _, list := range []*[]Override{&sc.Overrides, &sc.Custom} {
		if !slices.ContainsFunc(*list, func(o Override) bool { return o.ID == id }) {
			continue
		}
		if _, no := s.remove(list, &call{ids: []string{schedule, id}}); no != nil {
			return errors.New(strings.Join(no.errors, "; "))
		}
		return s.save()
	}
	return fmt.Errorf("the schedule has no override %q", id)
}
