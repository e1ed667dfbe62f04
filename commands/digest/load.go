package digest

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/rota"
	"github.com/signalbox-chatops/signalbox/store"
)

// A schedule is how it was served.
type schedule struct {
	Name    string         `json:"name"`
	Known   time.Duration  `json:"known"`   // how much of the time is known
	Covered time.Duration  `json:"covered"` // of it somebody was on call
	Changes map[string]int `json:"changes,omitempty"`
	People  []load         `json:"people,omitempty"` // who had the most first
	// Weeks is over how many weeks Long is counted, until the end of the time; 0 where so
	// little is known that it says no more than the time itself.
	Weeks int `json:"weeks,omitempty"`
}

// A load is one person's part of a schedule.
type load struct {
	Person string         `json:"person"`
	Hours  rota.Load      `json:"hours,omitempty"`
	Pages  map[string]int `json:"pages,omitempty"` // by the kind of the hour
	Long   time.Duration  `json:"long,omitempty"`
}

func (l load) paged() (sum int) {
	for _, n := range l.Pages {
		sum += n
	}
	return sum
}

// longWeeks is over how many weeks it is looked whether the load is shared out evenly: in
// one week of a rotation that hands over weekly one person has it all.
const longWeeks = 12

// serve counts who was on call.
func (f *feature) serve(tx *store.Tx, c Config, zone *time.Location, r *report) error {
	if f.Served == nil {
		return nil
	}
	hours, since := c.hours(zone), r.To.In(zone).AddDate(0, 0, -7*longWeeks)
	long, err := f.Served(tx, since, r.To)
	if err != nil {
		return err
	}
	now, err := f.Served(tx, r.From, r.To)
	if err != nil {
		return err
	}
	for _, s := range now {
		one := schedule{Name: s.Schedule, Known: s.To.Sub(s.From), Covered: rota.Covered(s.Shifts, s.From, s.To)}
		for _, act := range s.Changes {
			if one.Changes == nil {
				one.Changes = map[string]int{}
			}
			one.Changes[act]++
		}
		one.fill(s, long, hours)
		r.Schedules = append(r.Schedules, one)
	}
	if f.Pages == nil {
		return nil
	}
	pages, err := f.Pages(tx, r.From, r.To)
	if err != nil {
		return err
	}
	r.page(pages, hours)
	return nil
}

// fill counts the hours of each person: those who take turns, and those who were on call.
// Who took turns once, and has left, is not compared with.
func (s *schedule) fill(now integrations.Served, all []integrations.Served, hours rota.Hours) {
	loads, long := hours.Loads(now.Shifts, now.From, now.To), map[string]rota.Load{}
	people := slices.Clone(now.People)
	if i := slices.IndexFunc(all, func(o integrations.Served) bool { return o.Schedule == now.Schedule }); i >= 0 {
		begun := all[i].From
		if n := slices.IndexFunc(all[i].Shifts, func(x rota.Shift) bool { return !x.Gap() }); n >= 0 {
			begun = all[i].Shifts[n].Start
		}
		long = hours.Loads(all[i].Shifts, all[i].From, all[i].To)
		if weeks := int(math.Round(all[i].To.Sub(begun).Hours() / (7 * 24))); weeks > 1 {
			s.Weeks = weeks
		}
	}
	for who := range loads {
		people = append(people, who)
	}
	if len(now.People) == 0 { // who takes turns is known by what they did alone
		for who := range long {
			people = append(people, who)
		}
	}
	slices.Sort(people)
	for _, who := range slices.Compact(people) {
		s.People = append(s.People, load{Person: who, Hours: loads[who], Long: long[who].Total()})
	}
	slices.SortStableFunc(s.People, func(a, b load) int { return cmp.Compare(b.Hours.Total(), a.Hours.Total()) })
}

// page counts the calls of each person. Somebody who is on call of several schedules has
// them with the first, and those of people who are on none are counted together.
func (r *report) page(pages []integrations.Page, hours rota.Hours) {
	for _, p := range pages {
		if !p.At.After(r.From) || p.At.After(r.To) {
			continue
		}
		l := r.person(p.Person)
		if l == nil {
			r.Strangers++
			continue
		}
		if l.Pages == nil {
			l.Pages = map[string]int{}
		}
		l.Pages[hours.Kind(p.At)]++
	}
}

// person is somebody's load in the first schedule that has them, nil if none has.
func (r *report) person(name string) *load {
	for i := range r.Schedules {
		for n := range r.Schedules[i].People {
			if l := &r.Schedules[i].People[n]; l.Person == name {
				return l
			}
		}
	}
	return nil
}

// equal is what everybody would have had of Long, had all had the same.
func (s schedule) equal() time.Duration {
	if len(s.People) == 0 {
		return 0
	}
	var sum time.Duration
	for _, l := range s.People {
		sum += l.Long
	}
	return sum / time.Duration(len(s.People))
}

// off is how far somebody is from the equal share, in percent of it.
func (s schedule) off(l load) int {
	equal := s.equal()
	if equal == 0 {
		return 0
	}
	return int(math.Round(100 * float64(l.Long-equal) / float64(equal)))
}

// spread is who had the most of Long and who the least; false where there is nothing to
// compare.
func (s schedule) spread() (most, least load, ok bool) {
	if s.Weeks == 0 || len(s.People) < 2 || s.equal() == 0 {
		return most, least, false
	}
	by := func(a, b load) int { return cmp.Or(cmp.Compare(a.Long, b.Long), cmp.Compare(b.Person, a.Person)) }
	return slices.MaxFunc(s.People, by), slices.MinFunc(s.People, by), true
}
