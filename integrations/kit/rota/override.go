package rota

import (
	"cmp"
	"slices"
)

// kinds are what an override may say, and what it must name to say it.
var kinds = map[string]struct {
	person, instead bool // which of the two it names
	heard           func(s *said, i int, o Override)
}{
	Take:    {person: true, heard: func(s *said, i int, _ Override) { s.take = i }},
	Replace: {person: true, instead: true, heard: func(s *said, i int, o Override) { s.note(&s.replaced, o.Instead, i) }},
	Add:     {person: true, heard: func(s *said, i int, o Override) { s.note(&s.added, o.Person, i) }},
	Remove:  {instead: true, heard: func(s *said, i int, o Override) { s.note(&s.removed, o.Instead, i) }},
}

var kindNames = []string{Take, Replace, Add, Remove}

// said is what the overrides of an instant say, each by the number of the last one that
// says it: the later it was made, the greater the number.
type said struct {
	all                      []Override // that hold, the one made last at the end
	take                     int        // -1 where there is none
	replaced, added, removed []about
	out                      []Duty // what overridden gave last
}

// hear begins anew with the overrides of an instant.
func (s *said) hear() {
	s.take, s.replaced, s.added, s.removed = -1, s.replaced[:0], s.added[:0], s.removed[:0]
	for i, o := range s.all {
		if k, ok := kinds[o.Kind]; ok {
			k.heard(s, i, o)
		}
	}
}

// about is the last override of a kind that names a person.
type about struct {
	person string
	last   int
}

func (s *said) note(list *[]about, person string, i int) {
	*list = append(slices.DeleteFunc(*list, func(a about) bool { return a.person == person }), about{person, i})
}

// lastOf is the number of the last one about a person, -1 if there is none.
func lastOf(list []about, person string) int {
	for _, a := range list {
		if a.person == person {
			return a.last
		}
	}
	return -1
}

// overridden is who is on call at an instant whose layers have base, each person once,
// by the rules that the package's comment tells. The result is good until the next call.
func (s *said) overridden(base []Duty) []Duty {
	out := s.out[:0]
	if s.take >= 0 && len(base) == 0 {
		out = append(out, Duty{Person: s.all[s.take].Person, Override: s.all[s.take].ID})
	}
	for _, d := range base {
		if d, ok := s.place(d); ok {
			out = insert(out, d)
		}
	}
	for _, a := range s.added {
		layer, inBase := "", false
		if i := find(base, a.person); i >= 0 {
			layer, inBase = base[i].Layer, true
		}
		undone := a.last < s.take || a.last < lastOf(s.removed, a.person) || inBase && a.last < lastOf(s.replaced, a.person)
		if !undone && find(out, a.person) < 0 {
			out = append(out, Duty{Person: a.person, Layer: layer, Override: s.all[a.last].ID})
		}
	}
	s.out = out
	return out
}

// place says who has the place of somebody in base; ok is false if nobody does. By a
// take, a remove of that person made later says nothing new, unless they are the taker.
func (s *said) place(d Duty) (_ Duty, ok bool) {
	replace, remove := lastOf(s.replaced, d.Person), lastOf(s.removed, d.Person)
	by := max(replace, s.take)
	if by < 0 {
		return d, remove < 0
	}
	o := &s.all[by]
	taken := by == s.take
	if remove > by && (!taken || o.Person == d.Person) {
		return Duty{}, false
	}
	if o.Person == d.Person {
		return d, true
	}
	return Duty{Person: o.Person, Layer: d.Layer, Override: o.ID, Instead: d.Person}, true
}

// insert adds somebody who is not there yet; of somebody who is, it remembers whom
// they put aside.
func insert(on []Duty, d Duty) []Duty {
	i := find(on, d.Person)
	if i < 0 {
		return append(on, d)
	}
	if on[i].Override == "" {
		on[i].Override, on[i].Instead = d.Override, d.Instead
	}
	return on
}

// find is where somebody stands among those who are on call, -1 if they do not.
func find(on []Duty, person string) int {
	for i := range on {
		if on[i].Person == person {
			return i
		}
	}
	return -1
}

// changes are the overrides of a schedule within [lo, hi), and those of one instant.
type changes struct {
	all  []Override // in the order in which they were made
	when []span     // of each
	cuts []int64    // where one begins or ends, in order
	now  said       // by those that hold until the next cut
}

func changesOf(overrides []Override, lo, hi int64) *changes {
	c := &changes{}
	for i := range overrides {
		o := &overrides[i]
		if minute(o.Start) < hi && minute(o.End) > lo {
			c.all = append(c.all, *o)
		}
	}
	slices.SortStableFunc(c.all, func(a, b Override) int { return cmp.Compare(a.Order, b.Order) })
	for i := range c.all {
		w := span{minute(c.all[i].Start), minute(c.all[i].End)}
		c.when = append(c.when, w)
		c.cuts = append(c.cuts, w.from, w.to)
	}
	slices.Sort(c.cuts)
	c.cuts = append(slices.Compact(c.cuts), hi)
	c.hold(lo)
	return c
}

// at changes who is on call by the layers at an instant, which may only grow from call
// to call, and tells until when nothing changes in that.
func (c *changes) at(sec int64, base []Duty) (on []Duty, until int64) {
	if len(c.cuts) > 1 && c.cuts[0] <= sec {
		c.hold(sec)
	}
	if len(c.now.all) == 0 {
		return base, c.cuts[0]
	}
	return c.now.overridden(base), c.cuts[0]
}

func (c *changes) hold(sec int64) {
	for len(c.cuts) > 1 && c.cuts[0] <= sec {
		c.cuts = c.cuts[1:]
	}
	c.now.all = c.now.all[:0]
	for i, w := range c.when {
		if w.from <= sec && sec < w.to {
			c.now.all = append(c.now.all, c.all[i])
		}
	}
	c.now.hear()
}
