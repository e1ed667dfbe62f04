package drain

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// registers is how old an instance is before it is missed in its monitoring: an agent is
// installed and started first.
const registers = 15 * time.Minute

// sight is what the monitoring says of all instances.
type sight struct {
	asked bool // something watches them
	err   error
	hosts map[string][]integrations.MonitoredHost // by the ids of their instances
}

// sees asks the monitoring once. That it does not answer is said in the list, which is
// worth having without.
func (f *feature) sees(ctx context.Context) sight {
	if f.Monitor == nil {
		return sight{}
	}
	all, err := f.Monitor.Hosts(ctx)
	if err != nil {
		f.Log.Warn("list the hosts of the monitoring", "error", err)
		return sight{asked: true, err: err}
	}
	out := sight{asked: true, hosts: map[string][]integrations.MonitoredHost{}}
	for _, h := range all {
		if h.Instance != "" && !h.Retired {
			out.hosts[h.Instance] = append(out.hosts[h.Instance], h)
		}
	}
	return out
}

// unlike says how an instance and its host in the monitoring contradict each other; "" if
// they do not, or if nobody can tell. takes is a pool that sends it requests.
func (s sight) unlike(i integrations.Instance, takes string, age time.Duration) string {
	if !s.asked || s.err != nil {
		return ""
	}
	hosts, runs := s.hosts[i.ID], i.State == integrations.InstanceRunning
	switch {
	case len(hosts) == 0 && runs && age >= registers:
		return "its monitoring does not know it"
	case len(hosts) == 0:
		return ""
	case len(hosts) > 1:
		return fmt.Sprintf("its monitoring has %d hosts for it", len(hosts))
	}
	at := hosts[0].Status
	calls := at == integrations.HostWorking
	switch {
	case !runs && calls:
		return fmt.Sprintf("it is %s, and its monitoring says %s", i.State, at)
	case !runs:
		return ""
	case at == integrations.HostMaintenance, at == integrations.HostPoweroff:
		return fmt.Sprintf("nobody watches it: its monitoring says %s", at)
	case i.Status == working && !calls, i.Status != working && i.Status != "" && calls:
		return fmt.Sprintf("it says %s, and its monitoring %s", i.Status, at)
	case i.Status == "" && !calls && takes != "":
		return fmt.Sprintf("%s sends it requests, and its monitoring says %s", takes, at)
	}
	return ""
}

// mostGone is how many hosts without an instance are named.
const mostGone = 10

// rest is what is said of the monitoring below the list of all instances: hosts whose
// instance none of the accounts has.
func (s sight) rest(all []integrations.Instance) string {
	if s.err != nil {
		return fmt.Sprintf("Their monitoring cannot be read now, and is not compared: “%v”.", s.err)
	}
	var gone []integrations.MonitoredHost
	for id, hosts := range s.hosts {
		if !slices.ContainsFunc(all, func(i integrations.Instance) bool { return i.ID == id }) {
			gone = append(gone, hosts...)
		}
	}
	if len(gone) == 0 {
		return ""
	}
	slices.SortFunc(gone, func(a, b integrations.MonitoredHost) int {
		return cmpOr(naturally(a.Name, b.Name), strings.Compare(a.ID, b.ID))
	})
	var names []string
	for _, h := range gone[:min(len(gone), mostGone)] {
		names = append(names, fmt.Sprintf("%s %s (%s)", h.Name, h.Instance, h.Status))
	}
	list := strings.Join(names, ", ")
	if more := len(gone) - mostGone; more > 0 {
		return fmt.Sprintf("In the monitoring, and no instance of these accounts: %s, and %d more.", list, more)
	}
	return fmt.Sprintf("In the monitoring, and no instance of these accounts: %s.", list)
}
