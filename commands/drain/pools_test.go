package drain

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// proxies are fake processes of HAProxy: each knows the instances of the fleet by their
// addresses, lets connections end in their own time, and forgets when it is reloaded.
type proxies struct {
	*fleet
	names  []string
	out    map[string]time.Time // "lb-1 i-2" → when it was told to leave
	away   map[string]bool      // a process that does not answer
	tagged bool                 // its configuration is made anew without what is draining
}

const endsAfter = 3 * time.Minute // the last of its connections

func (p *proxies) reload(name string) {
	for key := range p.out {
		if strings.HasPrefix(key, name+" ") {
			delete(p.out, key)
		}
	}
}

func (p *proxies) Holds(role string) bool { return role == "app" }

func (p *proxies) pool(name string, all []integrations.Instance) (integrations.Pool, error) {
	pool := integrations.Pool{ID: name + "/app", Name: name + "/app", Kind: integrations.PoolHAProxy, Delay: 5 * time.Minute, Spread: true}
	if p.away[name] {
		return pool, &integrations.Later{After: time.Second, Err: errors.New(name + " does not answer")}
	}
	for _, id := range p.ids() {
		b := p.boxes[id]
		if b.State == integrations.InstanceTerminated || p.tagged && b.Tags[tagStatus] == draining {
			continue
		}
		s := integrations.Seat{Pool: pool.ID, Kind: pool.Kind, Instance: b.Address, Address: b.Address, Port: 8080, State: integrations.SeatHealthy}
		for _, i := range all {
			if i.Address == b.Address {
				s.Instance = i.ID
			}
		}
		since, out := p.out[name+" "+id]
		if b.running {
			s.Connections = 2
		}
		if out && p.clock.Now().Sub(since) >= endsAfter {
			s.Connections = 0
		}
		switch {
		case out && s.Connections > 0:
			s.State = integrations.SeatDraining
		case out:
			s.State, s.Reason = integrations.SeatUnused, integrations.ReasonNotRegistered
		case !b.running || b.State != integrations.InstanceRunning:
			s.State = "unhealthy"
		}
		pool.Seats = append(pool.Seats, s)
	}
	return pool, nil
}

func (p *proxies) PoolsOf(_ context.Context, one integrations.Instance, all []integrations.Instance) (out []integrations.Pool, err error) {
	for _, name := range p.names {
		pool, err := p.pool(name, all)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(pool.Seats, func(s integrations.Seat) bool {
			return s.Instance == one.ID && s.State != integrations.SeatUnused
		}) {
			out = append(out, pool)
		}
	}
	return out, nil
}

func (p *proxies) Pools(_ context.Context, seats []integrations.Seat) (out []integrations.Pool, err error) {
	for _, seat := range seats {
		pool, err := p.pool(strings.TrimSuffix(seat.Pool, "/app"), []integrations.Instance{{ID: seat.Instance, Address: seat.Address}})
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(pool.Seats, func(s integrations.Seat) bool { return s.Address == seat.Address }) {
			seat.State, seat.Reason = integrations.SeatUnused, integrations.ReasonNotRegistered
			pool.Seats = append(pool.Seats, seat)
		}
		out = append(out, pool)
	}
	return out, nil
}

func (p *proxies) set(verb string, s integrations.Seat, do func(key string)) error {
	name := strings.TrimSuffix(s.Pool, "/app")
	return p.change(verb+" "+s.Pool+" "+s.Instance, func() error {
		if s.Kind != integrations.PoolHAProxy || s.Address != p.boxes[s.Instance].Address {
			return fmt.Errorf("no server has the address %q", s.Address)
		}
		if p.away[name] {
			return &integrations.Later{After: time.Second, Err: errors.New(name + " does not answer")}
		}
		if p.tagged && p.boxes[s.Instance].Tags[tagStatus] == draining && verb == "join" {
			return &integrations.Later{After: time.Second, Err: errors.New("it is not there yet")}
		}
		do(name + " " + s.Instance)
		return nil
	})
}

func (p *proxies) Leave(_ context.Context, s integrations.Seat) error {
	return p.set("leave", s, func(key string) {
		if _, already := p.out[key]; !already {
			p.out[key] = p.clock.Now()
		}
	})
}

func (p *proxies) Join(_ context.Context, s integrations.Seat) error {
	return p.set("join", s, func(key string) { delete(p.out, key) })
}

// behind is a room whose instances stand behind two of them too.
func behind(t *testing.T, n int) (*room, *proxies) {
	r := newRoom(t, n)
	p := &proxies{fleet: r.fleet, names: []string{"lb-1", "lb-2"}, out: map[string]time.Time{}, away: map[string]bool{}}
	r.f.Cloud = With(r.fleet, map[string]Pooler{integrations.PoolHAProxy: p})
	r.feat = New(r.f.Deps)
	return r, p
}

// states are those of an instance in both.
func (p *proxies) states(id string) string {
	var out []string
	for _, name := range p.names {
		pool, err := p.pool(name, []integrations.Instance{p.boxes[id].Instance})
		if err != nil {
			return err.Error()
		}
		state := "none"
		for _, s := range pool.Seats {
			if s.Instance == id {
				state = s.State
			}
		}
		out = append(out, state)
	}
	return strings.Join(out, " ")
}

// A whole drain behind HAProxy: the tag before the pools, every process, and each again
// that forgets.
func TestDrainBehindHAProxy(t *testing.T) {
	r, p := behind(t, 4)
	r.fleet.boxes["i-2"].conns = 4 // as the host counts them, and HAProxy does
	d := r.begins("drain web-2")
	var pools []string
	for _, f := range d.Plan.Pools {
		pools = append(pools, fmt.Sprintf("%s %d→%d", f.Pool, f.Before, f.After))
	}
	if got := strings.Join(pools, ", "); got != "web 4→3, lb-1/app 4→3, lb-2/app 4→3" {
		t.Errorf("its floors are %s", got)
	}
	r.goes(func() bool { return r.drain(d.ID).State == stateWait && p.states("i-2") == "draining draining" })
	if tag, left := slices.Index(r.fleet.calls, "tag i-2"), slices.Index(r.fleet.calls, "leave lb-1/app i-2"); tag < 0 || left < tag {
		t.Errorf("it left before its tag was changed: %s", r.story())
	}
	if d = r.drain(d.ID); d.Connections > 4 {
		t.Errorf("it has %d connections", d.Connections)
	}
	began := r.clock.Now()
	p.reload("lb-1")
	if p.states("i-2") != "healthy draining" {
		t.Fatalf("after a reload it is %s", p.states("i-2"))
	}
	r.goes(func() bool { return r.drain(d.ID).State != stateWait })
	if d = r.drain(d.ID); d.State != stateStop || r.clock.Now().Sub(began) < endsAfter || p.states("i-2") != "unused unused" {
		t.Errorf("it is %s after %v, and %s: %s", d.State, r.clock.Now().Sub(began), p.states("i-2"), d.Why)
	}
	for _, at := range []string{stateStop, stateFlush, stateTerminate} {
		r.goes(func() bool { return r.drain(d.ID).State == at })
		p.reload("lb-2")
		// It has no connection in the end, whatever the time.
		p.fleet.boxes["i-2"].running = p.fleet.boxes["i-2"].running && at == stateStop
		if _, err := r.step(r.drain(d.ID)); err != nil {
			t.Fatal(err)
		}
		if got := p.states("i-2"); !strings.HasPrefix(got, "unused ") || strings.HasSuffix(got, "healthy") || strings.HasSuffix(got, "unhealthy") {
			t.Errorf("%s: after a reload it stays %s", at, got)
		}
		if len(r.fleet.ended) > 0 {
			t.Errorf("%s: it was ended while a pool had it", at)
		}
	}
	r.goes(nil)
	if d = r.drain(d.ID); d.State != stateDone || d.Warning != "" || !slices.Equal(r.fleet.ended, []string{"i-2"}) {
		t.Errorf("it is %s: %s %s", d.State, d.Why, d.Warning)
	}
}

// What was drained comes back as it was, also where HAProxy's configuration is made of
// the tag, so that it has no such server until the tag is back.
func TestUndrainBehindHAProxy(t *testing.T) {
	for _, at := range []string{stateWait, stateFlush, stateOut} {
		for _, status := range []string{"working", ""} {
			for _, tagged := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, Status %q, configuration made of it: %v", at, status, tagged), func(t *testing.T) {
					r, p := behind(t, 4)
					if p.tagged = tagged; status == "" {
						delete(r.fleet.boxes["i-2"].Tags, tagStatus)
					}
					before := r.look("i-2")
					r.fleet.watch = func(call string) {
						if now, has := r.fleet.boxes["i-2"].Tags[tagStatus]; call == "tag i-2" && has && now == "" {
							t.Error("its Status is nothing, and it had none")
						}
					}
					line := "drain web-2"
					if at == stateOut {
						line += " --keep"
					}
					d := r.begins(line)
					r.goes(func() bool { return r.drain(d.ID).State == at })
					r.must(alice, "undrain "+d.ID)
					r.goes(nil)
					if d = r.drain(d.ID); d.State != stateUndone || p.states("i-2") != "healthy healthy" {
						t.Errorf("it is %s (%s), and %s", d.State, d.Why, p.states("i-2"))
					}
					r.endsSurplus()
					if after := r.look("i-2"); after != before {
						t.Errorf("it was\n%s\nand is\n%s", before, after)
					}
				})
			}
		}
	}
}

// One that does not answer is waited for: it may send requests.
func TestAProxyThatIsAway(t *testing.T) {
	r, p := behind(t, 4)
	p.away["lb-2"] = true
	if _, err := r.says(alice, "drain web-2"); err == nil || !strings.Contains(err.Error(), "lb-2 does not answer") {
		t.Errorf("planned without lb-2: %v", err)
	}
	p.away["lb-2"] = false
	d := r.begins("drain web-2")
	r.goes(func() bool { return r.drain(d.ID).State == stateWait })
	p.away["lb-2"] = true
	r.goes(nil)
	if d = r.drain(d.ID); d.State != stateHold || d.Held != stateWait || !strings.Contains(d.Why, "lb-2 does not answer") || len(r.fleet.ended) > 0 {
		t.Fatalf("it is %s: %s", d.State, d.Why)
	}
	p.away["lb-2"] = false
	r.must(alice, "drain-retry "+d.ID)
	r.goes(nil)
	if d = r.drain(d.ID); d.State != stateDone {
		t.Errorf("it is %s: %s", d.State, d.Why)
	}
}

// Their floors are counted like others.
func TestFloorOfAProxy(t *testing.T) {
	r, p := behind(t, 3)
	r.cfg.Roles[0].Healthy = 2
	p.out["lb-2 i-3"] = r.clock.Now().Add(-time.Hour)
	reply := r.must(alice, "drain web-2")
	if reply.Outcome != "refused" || !strings.Contains(reply.Private.Text, "G3 healthy floor: lb-2/app would keep 1 healthy of 2, and needs 2.") {
		t.Errorf("%q: %v", reply.Outcome, reply.Private)
	}
}

// Instances of other roles, and a cloud without more pools, are as they were.
func TestWithIsTheCloudForOthers(t *testing.T) {
	r, p := behind(t, 3)
	p.away["lb-1"] = true
	r.fleet.boxes["i-2"].Role = "batch"
	m, err := r.f.Cloud.Machine(t.Context(), r.fleet.at, "i-2")
	if err != nil || len(m.Pools) != 1 {
		t.Errorf("%+v, %v", m.Pools, err)
	}
	pools, err := r.f.Cloud.Pools(t.Context(), r.fleet.at, seats(m))
	if err != nil || len(pools) != 1 {
		t.Errorf("%+v, %v", pools, err)
	}
	r.fleet.finish(r.fleet.boxes["i-3"])
	r.clock.move(time.Minute)
	r.fleet.settle()
	if m, err := r.f.Cloud.Machine(t.Context(), r.fleet.at, "i-3"); err != nil || m.State != integrations.InstanceTerminated {
		t.Errorf("terminated: %+v, %v", m, err)
	}
}
