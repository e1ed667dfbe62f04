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
	places := f.places(ctx, all)
	return func(tx *store.Tx) (commands.Reply, error) {
		going, err := list(tx, func(d *Drain) bool { return !d.over() && d.State != statePlanned })
		if err != nil {
			return commands.Reply{}, err
		}
		return commands.Reply{Private: f.listed(all, places, going)}, nil
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
		if key := i.Site.String() + " " + cmp.Or(i.Group, i.ID); i.State == integrations.InstanceRunning && (i.Group != "" || slices.Contains(f.Config().names(), i.Role)) && len(one) < mostGroups {
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
// another; "" if they do not.
func disagree(i integrations.Instance, p place, going bool) string {
	var takes, ill string
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
	case going:
		return ""
	case i.Status == draining:
		return "it says that it is draining, and no drain goes on"
	case i.Status == working && p.lifecycle != "" && p.lifecycle != integrations.MemberInService:
		return fmt.Sprintf("it says %s, and its group %s", i.Status, p.lifecycle)
	case i.Status == working && ill != "":
		return fmt.Sprintf("it says %s, and %s", i.Status, ill)
	case i.Status != working && i.Status != "" && takes != "":
		return fmt.Sprintf("it says %s, and %s sends it requests", i.Status, takes)
	}
	return ""
}

const working = "working" // the tag Status of one that does its work

func (f *feature) listed(all []integrations.Instance, places map[string]place, going []*Drain) *integrations.Message {
	if len(all) == 0 {
		return say("No instance runs.")
	}
	var lines []string
	role := "\x00"
	for _, i := range all {
		if i.Role != role {
			role = i.Role
			n := 0
			for _, o := range all {
				if o.Role == role {
					n++
				}
			}
			lines = append(lines, fmt.Sprintf("%s · %d", cmp.Or(role, "no role"), n))
		}
		line := fmt.Sprintf("  %s %s · %s · %s · %s old", cmp.Or(i.Name, "-"), i.ID, cmp.Or(i.Status, i.State), i.Zone, gate.Age(f.Clock.Now().Sub(i.Launched)))
		known := false
		for _, d := range going {
			if d.Instance == i.ID {
				known = true
				line += fmt.Sprintf(" · %s: %s", d.ID, word(d.State))
			}
		}
		if wrong := disagree(i, places[i.ID], known); wrong != "" {
			line += " · ⚠️ " + wrong
		}
		lines = append(lines, line)
	}
	if more := len(lines) - mostRows; more > 0 {
		lines = append(lines[:mostRows], fmt.Sprintf("and %d more", more))
	}
	text := strings.Join(lines, "\n")
	return &integrations.Message{Text: text, Blocks: []integrations.Block{{Code: text}}}
}
