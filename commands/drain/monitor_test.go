package drain

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// watch is a fake Monitor of the fake fleet: each instance has a host, i-2 has h2.
type watch struct {
	fleet *fleet
	hosts map[string]*integrations.MonitoredHost // by instance; nil: it has none
	blind func() error                           // asked before each look
	lists bool                                   // those that are retired too
	open  []integrations.Alert                   // of every host
	deaf  func() error                           // asked before these are told
}

func (w *watch) host(instance string) *integrations.MonitoredHost {
	h, known := w.hosts[instance]
	if !known {
		h = &integrations.MonitoredHost{ID: "h" + strings.TrimPrefix(instance, "i-"), Name: instance, Status: integrations.HostWorking}
		w.hosts[instance] = h
	}
	return h
}

// HostByInstance does not find those that are retired, as a rule: Mackerel does not list
// them.
func (w *watch) HostByInstance(_ context.Context, instance string) (integrations.MonitoredHost, error) {
	if w.blind != nil {
		if err := w.blind(); err != nil {
			return integrations.MonitoredHost{}, err
		}
	}
	h := w.host(instance)
	if h == nil || h.Retired && !w.lists {
		return integrations.MonitoredHost{}, &integrations.Gone{Why: "no host of " + instance}
	}
	return *h, nil
}

func (w *watch) Hosts(context.Context) (out []integrations.MonitoredHost, err error) {
	if w.blind != nil {
		err = w.blind()
	}
	for _, b := range w.fleet.boxes {
		w.host(b.ID)
	}
	for instance, h := range w.hosts {
		if h != nil && !h.Retired {
			h.Instance = instance
			out = append(out, *h)
		}
	}
	return out, err
}

func (w *watch) change(call, id string, do func(h *integrations.MonitoredHost)) error {
	return w.fleet.change(call, func() error {
		for _, h := range w.hosts {
			if h != nil && h.ID == id && !h.Retired {
				do(h)
				return nil
			}
		}
		return &integrations.Gone{Why: "no host " + id}
	})
}

func (w *watch) SetStatus(_ context.Context, id, status string) error {
	return w.change("watch "+id+" "+status, id, func(h *integrations.MonitoredHost) { h.Status = status })
}

func (w *watch) OpenAlerts(context.Context, string) ([]integrations.Alert, bool, error) {
	if w.deaf != nil {
		if err := w.deaf(); err != nil {
			return nil, false, err
		}
	}
	return w.open, len(w.open) > 20, nil
}

func (w *watch) Retire(_ context.Context, id string) error {
	return w.change("retire "+id, id, func(h *integrations.MonitoredHost) { h.Retired = true })
}

func (r *room) told(prefix string) (out []string) {
	for _, c := range r.fleet.calls {
		if strings.HasPrefix(c, prefix) {
			out = append(out, c)
		}
	}
	return out
}

// Where nothing watches, or what watches does not know it, it is drained all the same.
func TestDrainedWithoutAMonitor(t *testing.T) {
	for what, spoil := range map[string]func(r *room){
		"none":               func(r *room) { r.f.Monitor = nil },
		"unknown":            func(r *room) { r.watch.hosts["i-2"] = nil },
		"retired":            func(r *room) { r.watch.host("i-2").Retired = true },
		"retired and listed": func(r *room) { r.watch.host("i-2").Retired, r.watch.lists = true, true },
	} {
		for _, back := range []bool{false, true} {
			t.Run(what, func(t *testing.T) {
				r := newRoom(t, 4)
				spoil(r)
				d := r.begins("drain web-2")
				times, was := 0, ""
				r.goes(func() bool {
					now := r.drain(d.ID)
					if why := now.Why; why != was {
						if was = why; strings.Contains(why, "does not know it") {
							times++
						}
					}
					return back && now.State == stateStop
				})
				want := stateDone
				if back {
					want = stateUndone
					r.must(bob, "undrain "+d.ID)
					r.goes(nil)
				}
				if d = r.drain(d.ID); d.State != want || d.Warning != "" {
					t.Errorf("it is %s: %s %s; %s", d.State, d.Why, d.Warning, r.story())
				}
				if once := map[bool]int{true: 1}[what != "none"]; times != once {
					t.Errorf("it was said %d times, want %d", times, once)
				}
				if got := append(r.told("watch"), r.told("retire")...); len(got) > 0 {
					t.Errorf("it told %v", got)
				}
			})
		}
	}
}

// What somebody made of it meanwhile is left, and so is what was in standby before.
func TestAStatusThatIsNotOursIsLeft(t *testing.T) {
	for was, now := range map[string]string{integrations.HostWorking: integrations.HostMaintenance, integrations.HostStandby: integrations.HostStandby, integrations.HostPoweroff: integrations.HostWorking} {
		t.Run(was, func(t *testing.T) {
			r := newRoom(t, 4)
			r.watch.host("i-2").Status = was
			d := r.begins("drain web-2")
			r.goes(func() bool { return r.drain(d.ID).State == stateFlush })
			if d = r.drain(d.ID); d.MonitorHost != "h2" || d.MonitorWas != was || r.watch.host("i-2").Status != integrations.HostStandby {
				t.Fatalf("it was %s and is %s: %s", d.MonitorWas, r.watch.host("i-2").Status, r.story())
			}
			r.watch.host("i-2").Status = now
			r.must(bob, "undrain "+d.ID)
			r.goes(nil)
			if d = r.drain(d.ID); d.State != stateUndone || r.watch.host("i-2").Status != now {
				t.Errorf("it is %s and %s: %s", d.State, r.watch.host("i-2").Status, r.story())
			}
			if got := r.told("watch"); len(got) > 1 || len(got) == 1 && was == integrations.HostStandby {
				t.Errorf("it told %v", got)
			}
		})
	}
}

// A monitor that refuses at the beginning is a person's to decide about, before anything
// else is changed. Put back, its host is as it was, also where the refused change worked.
func TestAMonitorThatRefusesHoldsTheBeginning(t *testing.T) {
	for _, worked := range []bool{false, true} {
		r := newRoom(t, 4)
		once := false
		r.fleet.fault = func(call string, before bool) error {
			if before != worked && strings.HasPrefix(call, "watch") && !once {
				once = true
				return errors.New("403: no permission to write")
			}
			return nil
		}
		before := r.look("i-2")
		d := r.begins("drain web-2")
		r.goes(nil)
		if d = r.drain(d.ID); d.State != stateHold || d.Held != stateMark || !strings.Contains(d.Why, "its monitoring refuses: 403") {
			t.Fatalf("it is %s: %s", d.State, d.Why)
		}
		if d.Marked || len(r.told("tag")) > 0 {
			t.Errorf("its tags were changed: %s", r.story())
		}
		r.must(bob, "undrain "+d.ID)
		r.goes(nil)
		if d = r.drain(d.ID); d.State != stateUndone || r.look("i-2") != before {
			t.Errorf("it is %s: %s; it was %s", d.State, r.look("i-2"), before)
		}
	}
}

// One that does not answer for a while is waited for, in its own name.
func TestAMonitorThatAsksToWaitIsWaitedFor(t *testing.T) {
	for _, back := range []bool{false, true} {
		r := newRoom(t, 4)
		d := r.begins("drain web-2")
		silent := func() {
			until := r.clock.Now().Add(15 * time.Second)
			r.watch.blind = func() error {
				if r.clock.Now().Before(until) {
					return &integrations.Later{After: 4 * time.Second, Err: errors.New("no answer")}
				}
				return nil
			}
		}
		var whys []string
		watching := func() bool { whys = append(whys, r.drain(d.ID).Why); return false }
		r.goes(func() bool { return r.drain(d.ID).State == stateMark })
		silent()
		r.goes(func() bool { return !watching() && r.drain(d.ID).State == stateFlush })
		if !slices.Contains(whys, "its monitoring asks to wait: no answer") {
			t.Errorf("it waited because of %q", whys)
		}
		want := stateDone
		if whys = nil; back {
			want = stateUndone
			r.must(bob, "undrain "+d.ID)
			r.goes(func() bool { return r.drain(d.ID).State == stateUnmark })
		} else {
			r.goes(func() bool { return r.drain(d.ID).State == stateVerify })
		}
		silent()
		r.goes(watching)
		if d = r.drain(d.ID); d.State != want || d.Warning != "" {
			t.Errorf("it is %s: %s %s", d.State, d.Why, d.Warning)
		}
		if h := r.watch.host("i-2"); h.Retired == back || back && h.Status != integrations.HostWorking {
			t.Errorf("it is %+v: %s", h, r.story())
		}
		if back && !slices.Contains(whys, "its monitoring asks to wait: no answer") {
			t.Errorf("it waited because of %q", whys)
		}
	}
}

// What a monitor refuses or does not answer after the end is a warning: its instance is
// ended all the same, and replaced.
func TestAMonitorThatFailsAfterTheEndIsAWarning(t *testing.T) {
	for what, tt := range map[string]struct {
		err  error
		want string
	}{
		"refuses": {errors.New("403: no"), "its monitoring refuses: 403: no"},
		"silent":  {&integrations.Later{After: time.Second, Err: errors.New("no answer")}, "it is terminated, and after 10 min not all is as it was: its monitoring asks to wait: no answer"},
	} {
		for _, call := range []string{"look", "watch h2 poweroff", "retire"} {
			t.Run(what+" "+call, func(t *testing.T) {
				r := newRoom(t, 4)
				d := r.begins("drain web-2")
				r.goes(func() bool { return r.drain(d.ID).State == stateVerify })
				tries := 0
				if call == "look" {
					r.watch.blind = func() error { tries++; return tt.err }
				}
				r.fleet.fault = func(now string, before bool) error {
					if before && strings.HasPrefix(now, call) {
						tries++
						return tt.err
					}
					return nil
				}
				r.goes(nil)
				if d = r.drain(d.ID); d.State != stateDone || d.Holds > 0 || d.Warning != tt.want {
					t.Errorf("it is %s: %q", d.State, d.Warning)
				}
				if what == "refuses" && tries != 1 {
					t.Errorf("it was tried %d times", tries)
				}
				if in := len(r.fleet.scaling().Members); in != 4 {
					t.Errorf("%d are in its group", in)
				}
			})
		}
	}
}

// Where the configuration loses its monitor meanwhile, that is told, and nobody waits.
func TestAMonitorThatIsTakenAwayIsTold(t *testing.T) {
	r := newRoom(t, 4)
	d := r.begins("drain web-2")
	r.goes(func() bool { return r.drain(d.ID).State == stateFlush })
	r.f.Monitor = nil
	r.must(bob, "undrain "+d.ID)
	r.goes(nil)
	if d = r.drain(d.ID); d.State != stateUndone || !strings.Contains(d.Why, "host h2 in the monitoring may still be in standby, and was working") {
		t.Errorf("it is %s: %s", d.State, d.Why)
	}
}
