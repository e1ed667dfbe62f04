package drain

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

const mostRows = 40

func (f *feature) instancesVerb() commands.Verb {
	return commands.Verb{
		Name: "instances", Summary: "List the instances, with their role, state, age and zone", Effect: commands.Reads,
		Args:     []commands.Arg{{Name: "role", Kind: commands.ArgWord, Optional: true, Help: "only one role: role=app"}},
		Examples: []string{"instances", "instances role=app"},
		Decide:   f.instances,
	}
}

func (f *feature) instances(ctx context.Context, c *commands.Call) (commands.Act, error) {
	if err := f.clouded(); err != nil {
		return nil, err
	}
	var roles []string
	if w := c.Arg("role"); w != "" {
		name, _ := roleOf(w)
		roles = []string{cmp.Or(name, w)}
	}
	all, err := f.Cloud.Instances(ctx, roles...)
	if err != nil {
		return nil, f.unread("The instances", err)
	}
	slices.SortFunc(all, func(a, b integrations.Instance) int {
		return cmpOr(strings.Compare(a.Role, b.Role), naturally(a.Name, b.Name), strings.Compare(a.ID, b.ID))
	})
	seen := make(chan sight, 1)
	go func() { seen <- f.sees(ctx) }() // waited for below
	places := f.places(ctx, all)
	watching := <-seen
	below := ""
	if len(roles) == 0 || watching.err != nil {
		below = watching.rest(all)
	}
	return func(tx *store.Tx) (commands.Reply, error) {
		going, err := list(tx, func(d *Drain) bool { return !d.over() && d.State != statePlanned })
		if err != nil {
			return commands.Reply{}, err
		}
		var notes map[string]integrations.Rich
		if f.Notes != nil {
			if notes, err = f.Notes(tx); err != nil {
				return commands.Reply{}, err
			}
		}
		l := listing{all: all, places: places, seen: watching, going: going, notes: notes, below: below}
		return commands.Reply{Private: f.listed(l)}, nil
	}, nil
}

// place is where an instance stands, by its group and by its pools.
type place struct {
	lifecycle string            // "" if it is in no group
	pools     map[string]string // states, by the pools' names
}

const groupsAtOnce, mostGroups = 4, 12

// places asks for the group and the pools of each group once. What cannot be read is
// left out: the list is worth having without.
func (f *feature) places(ctx context.Context, all []integrations.Instance) map[string]place {
	one := map[string]integrations.Instance{}
	for _, i := range all {
		if key := i.Site.String() + " " + cmp.Or(i.Group, i.ID); i.State == integrations.InstanceRunning && (i.Group != "" || slices.Contains(f.Config().Names(), i.Role)) && len(one) < mostGroups {
			one[key] = i
		}
	}
	out := map[string]place{}
	var mu sync.Mutex
	var asking errgroup.Group
	asking.SetLimit(groupsAtOnce)
	for _, i := range one {
		asking.Go(func() error {
			m, err := f.Cloud.Machine(ctx, i.Site, i.ID)
			if err != nil {
				f.Log.Warn("look at the group of an instance", "instance", i.ID, "error", err)
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			standing(m, out)
			return nil
		})
	}
	_ = asking.Wait() // none returns an error
	return out
}

// standing notes where the members of a group stand.
func standing(m integrations.Machine, out map[string]place) {
	at := func(id string) place {
		p, ok := out[id]
		if !ok {
			p.pools = map[string]string{}
		}
		return p
	}
	out[m.ID] = at(m.ID)
	if m.Group != nil {
		for _, one := range m.Group.Members {
			p := at(one.ID)
			p.lifecycle = one.Lifecycle
			out[one.ID] = p
		}
	}
	for _, pool := range m.Pools {
		for _, s := range pool.Seats {
			p := at(s.Instance)
			p.pools[pool.Name] = s.State
			out[s.Instance] = p
		}
	}
}

// disagree says how the tag of an instance, its group and its pools contradict one
// another; "" if they do not. takes is a pool that sends it requests, "" if none does.
func disagree(i integrations.Instance, p place) (wrong, takes string) {
	var ill string
	for _, name := range slices.Sorted(maps.Keys(p.pools)) {
		switch p.pools[name] {
		case integrations.SeatHealthy:
			takes = cmp.Or(takes, name)
		case integrations.SeatUnused:
		default:
			ill = cmp.Or(ill, name+": "+p.pools[name])
		}
	}
	switch {
	case i.Status == draining:
		wrong = "it says that it is draining, and no drain goes on"
	case i.Status == working && p.lifecycle != "" && p.lifecycle != integrations.MemberInService:
		wrong = fmt.Sprintf("it says %s, and its group %s", i.Status, p.lifecycle)
	case i.Status == working && ill != "":
		wrong = fmt.Sprintf("it says %s, and %s", i.Status, ill)
	case i.Status != working && i.Status != "" && takes != "":
		wrong = fmt.Sprintf("it says %s, and %s sends it requests", i.Status, takes)
	}
	return wrong, takes
}

const working = "working" // the tag Status of one that does its work

// listing is what the list of instances is made of.
type listing struct {
	all    []integrations.Instance
	places map[string]place // by their ids
	seen   sight
	going  []*Drain
	notes  map[string]integrations.Rich // by their ids
	below  string                       // a sentence at the end
}

func (f *feature) listed(l listing) *integrations.Message {
	all, m := l.all, &integrations.Message{}
	if len(all) == 0 {
		m = say("No instance runs.")
		m.Text += "\n"
	}
	role, rows, n := "\x00", integrations.Rich(nil), 0
	flush := func() {
		if len(rows) > 0 {
			m.Text += rows.Plain() + "\n"
			m.Blocks = append(m.Blocks, integrations.Block{Text: rows})
		}
		rows, n = nil, 0
	}
	for k, i := range all {
		if k == mostRows {
			flush()
			more := fmt.Sprintf("and %d more", len(all)-k)
			m.Text += more + "\n"
			m.Blocks = append(m.Blocks, integrations.Block{Context: integrations.R(more)})
			break
		}
		if i.Role != role || n == rowsABlock {
			flush()
		}
		if i.Role != role {
			role = i.Role
			rows = integrations.R(integrations.Bold(cmp.Or(role, "no role")), fmt.Sprintf(" · %d", count(all, role)))
		}
		n++
		if len(rows) > 0 {
			rows = append(rows, integrations.R("\n")...)
		}
		rows = append(rows, f.row(i, l)...)
	}
	flush()
	if l.below != "" {
		m.Text += l.below
		m.Blocks = append(m.Blocks, integrations.Block{Context: integrations.R(l.below)})
	}
	m.Text = strings.TrimRight(m.Text, "\n")
	return m
}

// where names the zone of an instance, and the account where there are several.
func (l listing) where(i integrations.Instance) string {
	for _, other := range l.all {
		if other.Site.Account != i.Site.Account {
			return i.Site.Account + "/" + i.Zone
		}
	}
	return i.Zone
}

const rowsABlock = 12 // which stays within 3,000 characters

func count(all []integrations.Instance, role string) (n int) {
	for _, i := range all {
		if i.Role == role {
			n++
		}
	}
	return n
}

// row is the line of one instance.
func (f *feature) row(i integrations.Instance, l listing) integrations.Rich {
	age, note := f.Clock.Now().Sub(i.Launched), l.notes[i.ID]
	row := integrations.R(cmp.Or(i.Name, "-"), " ", integrations.Code(i.ID), " · ", cmp.Or(i.Status, i.State), " · ", l.where(i), " · ", fmt.Sprintf("%s old", gate.Age(age)))
	known := len(note) > 0
	if known {
		row = append(append(row, integrations.R(" · ")...), note...)
	}
	for _, d := range l.going {
		if d.Instance == i.ID {
			known = true
			row = append(row, integrations.R(" · ", integrations.Code(d.ID), " ", word(d.State))...)
		}
	}
	if i.Notice != "" {
		row = append(row, integrations.R(" · ⚠️ ", fmt.Sprintf("EC2 takes it back (%s)", i.Notice))...)
	}
	if known { // somebody moves it: nothing contradicts anything meanwhile
		return row
	}
	wrong, takes := disagree(i, l.places[i.ID])
	for _, one := range []string{wrong, l.seen.unlike(i, takes, age)} {
		if one != "" {
			row = append(row, integrations.R(" · ⚠️ ", one)...)
		}
	}
	return row
}
