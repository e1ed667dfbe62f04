package drain

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// Plan is what a drain would change, as it was looked at. What people confirm is its
// digest.
type Plan struct {
	Status      string        `json:"status"` // the tag
	State       string        `json:"state"`
	Group       string        `json:"group,omitempty"`
	Min         int           `json:"min"`
	Max         int           `json:"max"`
	Desired     int           `json:"desired"`
	HookTimeout time.Duration `json:"hook_timeout,omitempty"`
	Pools       []Floor       `json:"pools,omitempty"`
	Keep        bool          `json:"keep,omitempty"`
	Shrink      bool          `json:"shrink,omitempty"`
	Logs        string        `json:"logs"`
	Cluster     string        `json:"cluster,omitempty"` // whose tasks are moved away
	// Closed are the guards that refuse it.
	Closed []Closed `json:"closed,omitempty"`
}

// Floor is one pool, with its healthy instances before and after.
type Floor struct {
	Pool   string        `json:"pool"`
	Kind   string        `json:"kind"`
	Before int           `json:"before"`
	After  int           `json:"after"`
	Need   int           `json:"need"`
	Of     int           `json:"of"` // registered
	Bare   string        `json:"bare,omitempty"`
	Delay  time.Duration `json:"delay"`
}

// Digest is of all that a person confirms.
func (p Plan) Digest(instance string) string {
	b, err := json.Marshal(p)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(append([]byte(instance+"\n"), b...))
	return hex.EncodeToString(sum[:6])
}

// plan works out what draining a machine would come to.
func plan(q Question) Plan {
	p := Plan{Status: q.Machine.Status, State: q.Machine.State, Keep: q.Keep, Shrink: q.Shrink, Logs: q.Role.Logs, Cluster: q.Role.Cluster, Closed: guards(q)}
	if g := q.Machine.Group; g != nil {
		p.Group, p.Min, p.Max, p.Desired, p.HookTimeout = g.Name, g.Min, g.Max, g.Desired, g.HookTimeout
	}
	p.Pools = floors(q)
	return p
}

// seats are those of the instance.
func seats(m integrations.Machine) (out []integrations.Seat) {
	for _, p := range m.Pools {
		for _, s := range p.Seats {
			if s.Instance == m.ID && s.State != integrations.SeatUnused {
				out = append(out, s)
			}
		}
	}
	return out
}

// healthy lists the instances of a pool that take requests, without some.
func healthy(p integrations.Pool, without []string) (ids []string, zones map[string]int) {
	zones = map[string]int{}
	for _, s := range p.Seats {
		if s.State != integrations.SeatHealthy || slices.Contains(without, s.Instance) || slices.Contains(ids, s.Instance) {
			continue
		}
		ids = append(ids, s.Instance)
		zones[s.Zone]++
	}
	return ids, zones
}

// floors are the pools of a machine with how many are healthy without it. Instances
// that are on their way out themselves count as gone.
func floors(q Question) (out []Floor) {
	gone := []string{q.Machine.ID}
	for _, d := range q.Others {
		gone = append(gone, d.Instance)
	}
	for _, p := range q.Machine.Pools {
		registered := map[string]bool{}
		for _, s := range p.Seats {
			if s.State != integrations.SeatUnused && s.State != integrations.SeatDraining {
				registered[s.Instance] = true
			}
		}
		before, _ := healthy(p, nil)
		after, zones := healthy(p, gone)
		f := Floor{Pool: p.Name, Kind: p.Kind, Before: len(before), After: len(after), Of: len(registered), Delay: p.Delay,
			Need: max(1, q.Role.Healthy, p.MinHealthy, part(q.Role.HealthyPercent, len(registered)), part(p.MinHealthyPercent, len(registered)))}
		if !p.Spread {
			for _, z := range p.Zones {
				if zones[z] == 0 {
					f.Bare = z
					break
				}
			}
		}
		out = append(out, f)
	}
	return out
}

// part is so many hundredths of n, rounded up.
func part(percent, n int) int { return (percent*n + 99) / 100 }
