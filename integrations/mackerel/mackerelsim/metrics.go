package mackerelsim

import (
	"hash/fnv"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"
)

// shape is how a metric of a host goes: it swings around a middle, with the day and by
// itself.
type shape struct{ middle, swing, noise float64 }

// hostShapes are the metrics that an agent sends of its host
// (mackerel.io/docs/entry/spec/metrics), each as it is here.
var hostShapes = map[string]shape{
	"loadavg1": {1.1, 0.6, 0.5}, "loadavg5": {1.1, 0.6, 0.2}, "loadavg15": {1.1, 0.5, 0.05},
	"cpu.user.percentage": {34, 16, 9}, "cpu.system.percentage": {6, 2, 2}, "cpu.iowait.percentage": {1.2, 0.8, 1}, "cpu.idle.percentage": {58, -18, 8},
	"memory.used": {2.6 * gib, 0.4 * gib, 0.05 * gib}, "memory.cached": {3.1 * gib, 0.3 * gib, 0.02 * gib}, "memory.free": {1.9 * gib, -0.5 * gib, 0.1 * gib}, "memory.total": {8 * gib, 0, 0},
	"disk.xvda.reads.delta": {18, 10, 12}, "disk.xvda.writes.delta": {42, 20, 18},
	"interface.eth0.rxBytes.delta": {2.4e6, 1.3e6, 5e5}, "interface.eth0.txBytes.delta": {5.8e6, 3.1e6, 9e5},
	"filesystem.xvda1.used": {11.2 * gib, 0, 0.01 * gib},
}

const gib = 1 << 30

// quiet is how long of each day a host's agent sends nothing: a gap for those who draw.
const quietFrom, quietUntil = 4*time.Hour + 10*time.Minute, 4*time.Hour + 40*time.Minute // UTC

// serviceShapes are the metrics of each service besides those that it was sent.
var serviceShapes = map[string]shape{"access_latency.p50": {42, 12, 6}, "access_latency.p99": {310, 90, 70}, "access_num.2xx": {1800, 900, 120}, "access_num.5xx": {2, 1, 3}}

func (s *Sim) hostNames(c *call) (any, *refusal) {
	if _, no := s.host(c.id); no != nil {
		return nil, no
	}
	return map[string]any{"names": slices.Sorted(maps.Keys(hostShapes))}, nil
}

func (s *Sim) serviceNames(c *call) (any, *refusal) {
	if _, ok := s.services()[c.id]; !ok {
		return nil, refuse(http.StatusNotFound, "Service not found.")
	}
	names := slices.Collect(maps.Keys(serviceShapes))
	for _, v := range s.values {
		if v.Service == c.id {
			names = append(names, v.Name)
		}
	}
	slices.Sort(names)
	return map[string]any{"names": slices.Compact(names)}, nil
}

// point is one value at the wire.
type point struct {
	Time  int64   `json:"time"`
	Value float64 `json:"value"`
}

func (s *Sim) hostMetrics(c *call) (any, *refusal) {
	h, no := s.host(c.id)
	if no != nil {
		return nil, no
	}
	from, to, no := c.span()
	if no != nil {
		return nil, no
	}
	name := c.query.Get("name")
	how, ok := hostShapes[name]
	if !ok {
		return nil, refuse(http.StatusNotFound, "metric not found")
	}
	out := []point{}
	s.each(from, to, func(at time.Time, step time.Duration) {
		if since := at.Sub(at.Truncate(24 * time.Hour)); since >= quietFrom && since < quietUntil && strings.HasSuffix(h.ID, "1") {
			return
		}
		out = append(out, point{at.Unix(), how.at(h.ID+name, at, step)})
	})
	return map[string]any{"metrics": out}, nil
}

func (s *Sim) serviceMetrics(c *call) (any, *refusal) {
	if _, ok := s.services()[c.id]; !ok {
		return nil, refuse(http.StatusNotFound, "Service not found.")
	}
	from, to, no := c.span()
	if no != nil {
		return nil, no
	}
	name, known, out := c.query.Get("name"), false, []point{}
	if how, ok := serviceShapes[name]; ok {
		known = true
		s.each(from, to, func(at time.Time, step time.Duration) {
			out = append(out, point{at.Unix(), how.at(c.id+name, at, step)})
		})
	}
	for _, v := range s.values {
		if v.Service == c.id && v.Name == name {
			known = true
			if v.Time >= from && v.Time <= to {
				out = append(out, point{v.Time, v.Value})
			}
		}
	}
	if !known {
		return nil, refuse(http.StatusNotFound, "metric not found")
	}
	slices.SortStableFunc(out, func(a, b point) int { return int(a.Time - b.Time) })
	return map[string]any{"metrics": out}, nil
}

// each goes through the times of which there are values: every minute of a short span,
// and less often in a long one, as Mackerel rounds what it is asked for.
func (s *Sim) each(from, to int64, do func(at time.Time, step time.Duration)) {
	step := time.Minute
	switch long := time.Duration(to-from) * time.Second; {
	case long > 20*24*time.Hour:
		step = 2 * time.Hour
	case long > 6*24*time.Hour:
		step = 30 * time.Minute
	case long > 20*time.Hour:
		step = 5 * time.Minute
	}
	end := min(to, s.clock.Now().Add(-time.Minute).Unix())
	for at := time.Unix(from, 0).UTC().Add(step - 1).Truncate(step); at.Unix() <= end; at = at.Add(step) {
		do(at, step)
	}
}

// at is the value at a time: the same whenever it is asked for.
func (h shape) at(of string, at time.Time, step time.Duration) float64 {
	day := 2 * math.Pi * float64(at.Unix()%86400) / 86400
	slow := chance(of, at.Truncate(20*time.Minute))
	next := chance(of, at.Truncate(20*time.Minute).Add(20*time.Minute))
	share := float64(at.Sub(at.Truncate(20*time.Minute))) / float64(20*time.Minute)
	v := h.middle + h.swing*math.Sin(day-1) + h.noise*(slow+(next-slow)*share) + h.noise*0.4*chance(of+step.String(), at)
	return math.Round(max(v, 0)*1000) / 1000
}

// chance is a number of -1 to 1 that goes by a name and a time.
func chance(of string, at time.Time) float64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(of + at.UTC().Format(time.RFC3339)))
	x := h.Sum64()
	x ^= x >> 33 // FNV leaves the end of a text in the low bits alone
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	return float64(x>>11)/(1<<52) - 1
}
