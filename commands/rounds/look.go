package rounds

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// A round is what was found at a moment.
type round struct {
	ID   string        `json:"id"`
	At   time.Time     `json:"at"`
	Zone string        `json:"zone"`
	Late time.Duration `json:"late,omitempty"`
	// Away are the hosts that are not watched, by their status; Standby those that are
	// and for which nobody is called.
	Away    []group `json:"away,omitempty"`
	Standby []group `json:"standby,omitempty"`
	// Unknown are instances that run and have no host; Gone are hosts whose instance none
	// of the accounts has.
	Unknown []machine `json:"unknown,omitempty"`
	Gone    []string  `json:"gone,omitempty"`
	Bare    []string  `json:"bare,omitempty"` // hosts without a role
	// Downtimes are those under way.
	Downtimes []integrations.Downtime `json:"downtimes,omitempty"`
	Forgotten []integrations.Rich     `json:"forgotten,omitempty"`
	Unread    []unread                `json:"unread,omitempty"`
}

// things is how many there are to look at. One that is in standby on purpose is none, nor
// is a downtime.
func (r round) things() (n int) {
	for _, g := range r.Away {
		n += len(g.Hosts)
	}
	return n + len(r.Unknown) + len(r.Gone) + len(r.Bare) + len(r.Forgotten) + len(r.Unread)
}

// A group is the hosts of one status and one role.
type group struct {
	Status string `json:"status"`
	Role   string `json:"role"` // "service:role", "" without one
	Hosts  []host `json:"hosts"`
}

// A host has its status since a moment; Longer says that this is when it was first seen,
// so that it may have had it for longer.
type host struct {
	Name   string    `json:"name"`
	Since  time.Time `json:"since"`
	Longer bool      `json:"longer,omitempty"`
}

// A machine is an instance that runs.
type machine struct {
	ID       string    `json:"id"`
	Name     string    `json:"name,omitempty"`
	Role     string    `json:"role,omitempty"`
	Zone     string    `json:"zone,omitempty"`
	Launched time.Time `json:"launched"`
}

// An unread is somebody who could not be asked.
type unread struct {
	What string `json:"what"`
	Why  string `json:"why"`
}

// Who may not answer.
const (
	theMonitoring = "the monitoring"
	theDowntimes  = "its downtimes"
	theInstances  = "the instances"
)

// registers is how old an instance is before it is missed in its monitoring.
const registers = 15 * time.Minute

// facts are what was asked for.
type facts struct {
	hosts     []integrations.MonitoredHost
	downtimes []integrations.Downtime
	instances []integrations.Instance
	at        time.Time
	unread    []unread
	seen      bool // hosts were listed
	counted   bool // instances were
}

// ask asks everybody, at once.
func (f *feature) ask(ctx context.Context, now time.Time) facts {
	out := facts{at: now}
	var asking errgroup.Group
	var noHosts, noDowntimes, noInstances error
	if f.Monitor != nil {
		asking.Go(func() error { out.hosts, noHosts = f.Monitor.Hosts(ctx); return nil })
		asking.Go(func() error { out.downtimes, noDowntimes = f.Monitor.Downtimes(ctx, now); return nil })
	}
	if f.Monitor != nil && f.Cloud != nil {
		asking.Go(func() error { out.instances, noInstances = f.Cloud.Instances(ctx); return nil })
	}
	_ = asking.Wait() // none returns an error
	for _, one := range []struct {
		what string
		err  error
	}{{theMonitoring, noHosts}, {theDowntimes, noDowntimes}, {theInstances, noInstances}} {
		if one.err != nil {
			f.Log.Warn("go round", "what", one.what, "error", one.err)
			out.unread = append(out.unread, unread{one.what, one.err.Error()})
		}
	}
	out.seen = f.Monitor != nil && noHosts == nil
	out.counted = f.Monitor != nil && f.Cloud != nil && noInstances == nil
	return out
}

// fill puts what was found into a round.
func (f *feature) fill(tx *store.Tx, r *round, found facts) error {
	r.Unread, r.Downtimes = found.unread, found.downtimes
	if found.seen {
		since, err := sighted(tx, found)
		if err != nil {
			return err
		}
		r.hosts(found, since)
	}
	if found.seen && found.counted {
		r.compare(found, f.Config().LeaveOut)
	}
	for _, list := range f.Forgotten {
		rows, err := list(tx)
		if err != nil {
			return err
		}
		r.Forgotten = append(r.Forgotten, rows...)
	}
	return nil
}

// hosts sorts the hosts by what is the matter with them.
func (r *round) hosts(found facts, since map[string]host) {
	sorted := slices.SortedFunc(slices.Values(found.hosts), func(a, b integrations.MonitoredHost) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID))
	})
	for _, h := range sorted {
		if len(h.Roles) == 0 {
			r.Bare = append(r.Bare, h.Name)
		}
		switch h.Status {
		case integrations.HostMaintenance, integrations.HostPoweroff:
			r.Away = put(r.Away, h, since[h.ID])
		case integrations.HostStandby:
			r.Standby = put(r.Standby, h, since[h.ID])
		}
	}
	for _, all := range [][]group{r.Away, r.Standby} {
		slices.SortStableFunc(all, func(a, b group) int {
			return cmp.Or(strings.Compare(a.Status, b.Status), strings.Compare(a.Role, b.Role))
		})
	}
}

// put adds a host to the group of its status and its first role.
func put(all []group, h integrations.MonitoredHost, since host) []group {
	role := ""
	if len(h.Roles) > 0 {
		role = h.Roles[0]
	}
	n := slices.IndexFunc(all, func(g group) bool { return g.Status == h.Status && g.Role == role })
	if n < 0 {
		n, all = len(all), append(all, group{Status: h.Status, Role: role})
	}
	all[n].Hosts = append(all[n].Hosts, since)
	return all
}

// compare sets the hosts against the instances.
func (r *round) compare(found facts, leaveOut []string) {
	known, there := map[string]bool{}, map[string]bool{}
	for _, h := range found.hosts {
		known[h.Instance] = true
	}
	for _, i := range found.instances {
		if i.State != integrations.InstanceTerminated {
			there[i.ID] = true
		}
		if i.State != integrations.InstanceRunning || known[i.ID] || found.at.Sub(i.Launched) < registers || slices.Contains(leaveOut, i.Role) {
			continue
		}
		r.Unknown = append(r.Unknown, machine{ID: i.ID, Name: i.Name, Role: i.Role, Zone: i.Zone, Launched: i.Launched})
	}
	slices.SortFunc(r.Unknown, func(a, b machine) int {
		return cmp.Or(strings.Compare(a.Role, b.Role), strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID))
	})
	for _, h := range found.hosts {
		if h.Instance != "" && !there[h.Instance] {
			r.Gone = append(r.Gone, h.Name+" "+h.Instance)
		}
	}
	slices.Sort(r.Gone)
}
