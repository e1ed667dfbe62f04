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
	take                     int // -1 where there is none
	replaced, added, removed []about
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
// and in which these overrides hold, the one made last at the end. It looks at base
// alone and never at what another override made of it.
//
// Everybody in base has a place. Of the takes, and of the replaces and removes that
// name the person as Instead, the last made says who has it:
//
//   - take T: T has it. A remove of that person made later finds them gone and changes
//     nothing, unless they are T.
//   - replace A by B: B has A's place. With A not in base it says nothing, even where
//     another override puts A on call: A by B and B by C make B of A, and two replaces
//     that swap two people who are on call together swap their places.
//   - remove A: nobody has it. That holds against a replace of A made before; one made
//     later holds against it.
//
// So a take is over where every place was given away by replaces made after it, and
// where it shares, T stands once, in the first place that is left. Where base is empty,
// the last take alone is on call.
//
// Then come those who were added, in the order in which it was said. An add puts
// nobody aside. It is undone by a take made later, by a later remove of the same
// person, and by a later replace of them where they are in base.
//
// Nobody is on call twice: the first place counts. An override that changes nothing is
// named nowhere.
func overridden(base []Duty, overrides []Override) []Duty {
	s := said{take: -1}
	for i, o := range overrides {
		if k, ok := kinds[o.Kind]; ok {
			k.heard(&s, i, o)
		}
	}
	var out []Duty
	if s.take >= 0 && len(base) == 0 {
		out = append(out, Duty{Person: overrides[s.take].Person, Override: overrides[s.take].ID})
	}
	for _, d := range base {
		if d, ok := s.place(d, overrides); ok {
			out = insert(out, d)
		}
	}
	for _, a := range s.added {
		layer, inBase := "", false
		for _, d := range base {
			if d.Person == a.person {
				layer, inBase = d.Layer, true
			}
		}
		undone := a.last < s.take || a.last < lastOf(s.removed, a.person) || inBase && a.last < lastOf(s.replaced, a.person)
		if !undone && !slices.ContainsFunc(out, func(d Duty) bool { return d.Person == a.person }) {
			out = append(out, Duty{Person: a.person, Layer: layer, Override: overrides[a.last].ID})
		}
	}
	return out
}

// place says who has the place of somebody in base; ok is false if nobody does.
func (s said) place(d Duty, overrides []Override) (_ Duty, ok bool) {
	replace, remove := lastOf(s.replaced, d.Person), lastOf(s.removed, d.Person)
	by := max(replace, s.take)
	if by < 0 {
		return d, remove < 0
	}
	o := overrides[by]
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
	i := slices.IndexFunc(on, func(o Duty) bool { return o.Person == d.Person })
	if i < 0 {
		return append(on, d)
	}
	if on[i].Override == "" {
		on[i].Override, on[i].Instead = d.Override, d.Instead
	}
	return on
}

// changes are the overrides of a schedule within [lo, hi), and those of one instant.
type changes struct {
	all  []Override // in the order in which they were made
	when []span     // of each
	cuts []int64    // where one begins or ends, in order
	now  []Override // those that hold until the next cut
}

func changesOf(overrides []Override, lo, hi int64) *changes {
	c := &changes{}
	for _, o := range overrides {
		if minute(o.Start) < hi && minute(o.End) > lo {
			c.all = append(c.all, o)
		}
	}
	slices.SortStableFunc(c.all, func(a, b Override) int { return cmp.Compare(a.Order, b.Order) })
	for _, o := range c.all {
		w := span{minute(o.Start), minute(o.End)}
		c.when = append(c.when, w)
		c.cuts = append(c.cuts, w.from, w.to)
	}
	slices.Sort(c.cuts)
	c.cuts = append(slices.Compact(c.cuts), hi)
	c.hold(lo)
	return c
}

// at are the overrides that hold at an instant, which may only grow from call to call,
// and until when nothing changes in that.
func (c *changes) at(sec int64) (now []Override, until int64) {
	if len(c.cuts) > 1 && c.cuts[0] <= sec {
		c.hold(sec)
	}
	return c.now, c.cuts[0]
}

func (c *changes) hold(sec int64) {
	for len(c.cuts) > 1 && c.cuts[0] <= sec {
		c.cuts = c.cuts[1:]
	}
	c.now = c.now[:0]
	for i, w := range c.when {
		if w.from <= sec && sec < w.to {
			c.now = append(c.now, c.all[i])
		}
	}
}
