package drain

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// several roles share pools and groups differently in each world: drains are asked for
// at any time, of anything, kept or not, put back, paused; instances fall ill; deploys
// lock the group; processes are killed and answers lost. No pool ever has fewer healthy
// than its floor because of us, and nothing is terminated unproved.
func TestNoFloorIsBroken(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(3, 8).Draw(rt, "instances")
		r := newRoomAt(t, n, t.TempDir()) // of the test: rapid's own has no folders
		defer r.close()
		r.guarded()
		r.cfg.Roles = append(r.cfg.Roles, Role{Name: "worker", Unit: "worker.service", Logs: "fluentd", Buffers: appRole.Buffers})
		p := &r.fleet.pools[0]
		p.Spread = rapid.Bool().Draw(rt, "across zones")
		p.MinHealthyPercent = rapid.SampledFrom([]int{80, 50, 0}).Draw(rt, "percent")
		r.cfg.Roles[0].Healthy = rapid.IntRange(0, n).Draw(rt, "healthy")
		for i := range rapid.IntRange(0, 3).Draw(rt, "workers") { // of no group, in the same pool
			b := r.fleet.launch("worker", "")
			b.Name = fmt.Sprint("worker-", i+1)
		}
		r.cfg.Roles[1].Alone = true
		r.clock.move(time.Hour)
		w := &trial{room: r, rt: rt}
		r.fleet.watch = w.watches(r.fleet.watch)
		for range rapid.IntRange(4, 25).Draw(rt, "moves") {
			rapid.SampledFrom([]func(){w.drain, w.drain, w.role, w.back, w.ill, w.ill, w.well, w.deploy, w.breaks, w.goOn, w.goOn, w.goOn}).Draw(rt, "move")()
		}
		r.fleet.fault, r.fleet.group.Tags = nil, nil
		w.well()
		r.goes(nil)
		for _, d := range r.all() {
			if !d.rests() {
				rt.Errorf("%s goes on for ever: %s %s", d.ID, d.State, d.Why)
			}
		}
	})
}

type trial struct {
	*room
	rt   *rapid.T
	sick []string
}

func (w *trial) pick() string {
	var names []string
	for _, id := range w.fleet.ids() {
		if w.fleet.boxes[id].State == integrations.InstanceRunning {
			names = append(names, id)
		}
	}
	return rapid.SampledFrom(names).Draw(w.rt, "which")
}

func (w *trial) confirm(id, digest string) {
	_, _ = w.says(alice, "drain-confirm "+id+" "+digest) // what is refused is refused
}

func (w *trial) drain() {
	line := "drain " + w.pick() + rapid.SampledFrom([]string{"", " --keep"}).Draw(w.rt, "how")
	if reply, err := w.says(alice, line); err == nil && reply.Subject != "" {
		d := w.room.drain(reply.Subject)
		w.confirm(d.ID, d.Plan.Digest(d.Instance))
	}
}

func (w *trial) role() {
	if reply, err := w.says(alice, "drain role=app"); err == nil && reply.Subject != "" {
		w.confirm(reply.Subject, w.roll(reply.Subject).Digest)
	}
}

func (w *trial) back() {
	if all := w.all(); len(all) > 0 {
		_, _ = w.says(bob, "undrain "+rapid.SampledFrom(all).Draw(w.rt, "back").ID)
	}
}

// ill has an instance fall ill, which is nobody's fault.
func (w *trial) ill() {
	id := w.pick()
	w.fleet.boxes[id].seats["tg/web"] = w.clock.Now().Add(24 * time.Hour)
	w.sick = append(w.sick, id)
}

func (w *trial) well() {
	for _, id := range w.sick {
		if b := w.fleet.boxes[id]; b.seats["tg/web"].After(w.clock.Now()) {
			b.seats["tg/web"] = w.clock.Now().Add(-time.Hour)
		}
	}
	w.sick = nil
}

func (w *trial) deploy() {
	if w.fleet.group.Tags == nil {
		w.fleet.group.Tags = map[string]string{tagLock: "job-1"}
	} else {
		w.fleet.group.Tags = nil
	}
}

func (w *trial) breaks() {
	every := rapid.IntRange(2, 6).Draw(w.rt, "every")
	name := rapid.SampledFrom([]string{"killed", "lost", "throttled", "none"}).Draw(w.rt, "fault")
	n := 0
	w.fleet.fault = func(_ string, before bool) error {
		if n++; n%every == 0 && name != "none" {
			return faults[name](w.room, before)
		}
		return nil
	}
}

func (w *trial) goOn() {
	steps := rapid.IntRange(1, 60).Draw(w.rt, "steps")
	w.goes(func() bool { steps--; return steps < 0 })
}

// watches looks after each change that takes an instance out whether the floor is kept.
// What falls ill may break it; we may not take more away then.
func (w *trial) watches(was func(string)) func(string) {
	return func(call string) {
		was(call)
		verb, _, _ := strings.Cut(call, " ")
		if !slices.Contains([]string{"standby", "leave", "terminate"}, verb) {
			return
		}
		for _, p := range w.fleet.pools {
			p = w.fleet.pool(p)
			ids, zones := healthy(p, nil)
			in := map[string]bool{}
			for _, s := range p.Seats {
				if s.State != integrations.SeatUnused && s.State != integrations.SeatDraining {
					in[s.Instance] = true
				}
			}
			need := max(1, part(p.MinHealthyPercent, len(in)))
			if len(ids) < need {
				w.rt.Errorf("after %s %d of %d are healthy in %s, of at least %d", call, len(ids), len(in), p.Name, need)
			}
			for _, z := range p.Zones {
				if !p.Spread && zones[z] == 0 && verb != "terminate" {
					w.rt.Errorf("after %s nobody is healthy in %s", call, z)
				}
			}
		}
	}
}
