package statuspage

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// faults are what can go wrong at a boundary: before a call is done, or after it and before
// that is known here.
var faults = map[string]error{
	"killed":    errKilled,
	"lost":      &integrations.Later{After: 2 * time.Second, Err: errors.New("connection reset by peer")},
	"throttled": &integrations.Later{After: 40 * time.Second, Err: errors.New("420 Too Many Requests"), Unsent: true},
	"refused":   errors.New("422 Unprocessable Entity: Name can't be blank"),
}

// fails is a fault at the nth boundary, as far as there is such a one: what says that
// nothing was done cannot come after it was.
func (s *site) fails(n int, fault string) (reached *bool) {
	reached = new(bool)
	k := 0
	s.fault = func(_ string, before bool) error {
		if k++; k-1 != n {
			return nil
		}
		*reached = true
		if !before && (fault == "throttled" || fault == "refused") {
			return nil
		}
		if fault == "killed" {
			panic(errKilled)
		}
		return faults[fault]
	}
	return reached
}

// Each kind of notice is broken at each boundary in each way: it is posted once or not at
// all, the subscribers are written to once where that was confirmed and never else, and
// what the card says is so.
func TestBrokenAtEachBoundary(t *testing.T) {
	for _, line := range []string{openLine, "statuspage update inc-1 identified --components web=major_outage We have found it.", "statuspage resolve inc-1 Over.", "statuspage component dns major_outage"} {
		for _, button := range []string{"Confirm", "Confirm and notify subscribers"} {
			if line == "statuspage component dns major_outage" && button != "Confirm" {
				continue
			}
			for fault := range faults {
				t.Run(fmt.Sprint(fault, " ", line, " ", button), func(t *testing.T) {
					t.Parallel()
					for n := 0; ; n++ {
						r := newRoom(t)
						r.site.post("", integrations.PagePost{Title: "Theirs", Status: "investigating", Body: "Hm.", Components: map[string]string{"c-api": "partial_outage"}})
						if line == openLine {
							r.site.set("c-api", "operational")
						}
						id := r.must(line)
						r.pressed(id, button)
						r.clock.move(recheck + time.Second) // so that the page is read again as well
						reached := r.site.fails(n, fault)
						got := r.goes(id, 10*time.Minute)
						if !*reached {
							if n < 2 {
								t.Errorf("there are only %d boundaries", n)
							}
							return
						}
						r.settled(n, fault, got, button != "Confirm")
					}
				})
			}
		}
	}
}

func (r *room) settled(n int, fault string, got Notice, notify bool) {
	r.t.Helper()
	want, writes := 1, 0
	if fault == "refused" && got.State == stateFailed {
		want = 0
	} else if got.State != statePosted {
		r.t.Errorf("broken at %d: it is %s: %s", n, got.State, got.Why)
	}
	posted := len(r.site.posts)
	if got.Ask.Act == actComponent {
		if posted = 0; r.site.components[2].Status == "major_outage" {
			posted = 1
		}
	}
	if posted != want {
		r.t.Errorf("broken at %d: it is posted %d times, and is %s", n, posted, got.State)
	}
	if notify {
		writes = want
	}
	if len(r.site.written) != writes {
		r.t.Errorf("broken at %d: subscribers read %q", n, r.site.written)
	}
	if got.State == statePosted && got.Ask.Act != actComponent && (got.Incident == "" || r.site.at(got.Incident) < 0) {
		r.t.Errorf("broken at %d: its incident is %q", n, got.Incident)
	}
}

// The page that is looked at again after a crash is the one that was posted to: an answer
// that was lost is not sent again before it had its time to arrive.
func TestALostPostIsLookedForAndGivenTime(t *testing.T) {
	r := newRoom(t)
	id := r.must(openLine)
	r.pressed(id, "Confirm")
	var calls []string
	r.site.fault = func(call string, before bool) error {
		if before {
			calls = append(calls, call)
		}
		if call == "open" && before && len(calls) == 1 {
			return faults["lost"]
		}
		return nil
	}
	began := r.clock.Now()
	if _, err := r.step(id); err != nil {
		t.Fatal(err)
	}
	has(t, r.shown(id), "its answer was lost, and it is looked for: “connection reset by peer”")
	lacks(t, r.shown(id), "[Cancel]") // for it may be posted
	if n := r.goes(id, time.Minute); n.State != statePosted || n.Since.Sub(began) < settleFor {
		t.Errorf("it is %s after %s", n.State, n.Since.Sub(began))
	}
	if i := slices.Index(calls[1:], "open"); i < 1 || calls[i] != "unresolved" || calls[1] != "find" {
		t.Errorf("it asked %v", calls)
	}
}

func TestALimitIsWaitedForAndSaid(t *testing.T) {
	r := newRoom(t)
	id := r.must(openLine)
	r.pressed(id, "Confirm")
	r.site.fault = func(string, bool) error { return faults["throttled"] }
	if again, err := r.step(id); err != nil || again != 40*time.Second {
		t.Fatalf("it comes again after %s: %v", again, err)
	}
	has(t, r.shown(id), "Statuspage asks to wait 40 s: “420 Too Many Requests”", "[Cancel]")
	if n := r.goes(id, 2*postFor); n.State != stateFailed || len(r.site.posts) > 0 {
		t.Errorf("it is %s", n.State)
	}
	has(t, r.shown(id), "was not posted", "not within 15 minutes", "[Ask again]")
	r.site.fault = nil
	r.pressed(id, "Ask again")
	has(t, r.shown(id), "It was not posted: look at it again.")
	r.pressed(id, "Confirm")
	if n := r.goes(id, time.Minute); n.State != statePosted || len(r.site.posts) != 1 {
		t.Errorf("it is %s", n.State)
	}
}

func TestAPageThatIsNotConfiguredAnyMoreIsSaid(t *testing.T) {
	for tried, want := range map[bool]string{false: stateFailed, true: stateUnknown} {
		r := newRoom(t)
		id := r.must(openLine)
		r.pressed(id, "Confirm")
		if tried {
			r.site.fault = func(string, bool) error { return faults["lost"] }
			_, _ = r.step(id)
		}
		r.f.Page = nil
		if n := r.goes(id, time.Minute); n.State != want {
			t.Errorf("it is %s", n.State)
		}
		has(t, r.shown(id), "no status page is configured any more")
	}
}

func TestWhatWaitsCanBeCancelled(t *testing.T) {
	r := newRoom(t)
	id := r.must(openLine)
	r.pressed(id, "Confirm and notify subscribers")
	r.site.fault = func(string, bool) error { return faults["throttled"] }
	_, _ = r.step(id)
	r.pressed(id, "Cancel")
	r.site.fault = nil
	if n := r.goes(id, time.Minute); n.State != stateCancelled || len(r.site.posts) > 0 || len(r.site.written) > 0 {
		t.Errorf("it is %s, %q", n.State, r.site.posts)
	}
}

// What changed while a limit was waited for is not posted over: people are asked again, and
// their word that subscribers are written to is not kept for that.
func TestThePageChangesWhileItWaits(t *testing.T) {
	r := newRoom(t)
	id := r.must(openLine)
	r.pressed(id, "Confirm and notify subscribers")
	r.site.fault = func(string, bool) error { return faults["throttled"] }
	_, _ = r.step(id)
	r.site.fault = nil
	r.clock.move(time.Minute)
	r.site.set("c-web", "major_outage")
	if n := r.goes(id, time.Minute); n.State != stateAsking || len(r.site.posts) > 0 {
		t.Fatalf("it is %s", n.State)
	}
	has(t, r.shown(id), "The page has changed meanwhile", "web: major_outage → degraded_performance")
	r.pressed(id, "Confirm")
	if n := r.goes(id, time.Minute); n.State != statePosted || len(r.site.written) > 0 {
		t.Errorf("it is %s, subscribers read %q", n.State, r.site.written)
	}
}

func TestNobodyCanTellAndThenItTurnsUp(t *testing.T) {
	r := newRoom(t)
	id := r.must(openLine)
	r.pressed(id, "Confirm")
	r.site.fault = func(call string, before bool) error {
		if call != "open" || !before {
			return faults["lost"]
		}
		return nil
	}
	if n := r.goes(id, 2*postFor); n.State != stateUnknown || len(r.site.posts) != 1 {
		t.Fatalf("it is %s, posted %d times", n.State, len(r.site.posts))
	}
	has(t, r.shown(id), "nobody can tell whether it was posted")
	if _, err := r.says("statuspage confirm "+id, 0); err == nil {
		t.Error("it can be posted again")
	}
	r.site.fault = nil
	if err := r.f.watch(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := r.notice(id); n.State != statePosted || n.Incident == "" {
		t.Errorf("it is %s", n.State)
	}
}

// story is anything that can happen, in any order.
type story struct {
	*room
	ids  []string
	loud int // presses of the button that has subscribers written to
}

func (s *story) some(rt *rapid.T) string { return rapid.SampledFrom(s.ids).Draw(rt, "notice") }

func (s *story) ask(rt *rapid.T) {
	lines := []string{openLine, `statuspage open "Other" Hm.`, "statuspage update inc-1 identified Found.", "statuspage resolve inc-1 Over.", "statuspage component dns partial_outage", "statuspage component dns operational"}
	if reply, err := s.says(rapid.SampledFrom(lines).Draw(rt, "line"), 0); err == nil {
		s.ids = append(s.ids, reply.Subject)
	}
}

func (s *story) presses(rt *rapid.T) {
	label := rapid.SampledFrom([]string{"Confirm", "Confirm", "Confirm and notify subscribers", "Cancel", "Ask again"}).Draw(rt, "button")
	for _, b := range s.message(s.some(rt)).Blocks {
		for _, button := range b.Buttons {
			if button.Label != label {
				continue
			}
			if reply, err := s.says(button.Command, button.Version); err == nil && reply.Outcome == "confirmed, subscribers are notified" {
				s.loud++
				if label != "Confirm and notify subscribers" {
					rt.Fatalf("%s has them written to", label)
				}
			}
		}
	}
}

func (s *story) types(rt *rapid.T) {
	verb := rapid.SampledFrom([]string{"statuspage notify ", "statuspage confirm "}).Draw(rt, "verb")
	_, _ = s.says(verb+s.some(rt), rapid.Uint64Range(0, 2).Draw(rt, "version"))
}

func (s *story) breaks(rt *rapid.T) {
	s.site.fails(rapid.IntRange(0, 6).Draw(rt, "boundary"), rapid.SampledFrom([]string{"killed", "lost", "throttled", "refused"}).Draw(rt, "fault"))
	if rapid.Bool().Draw(rt, "mend") {
		s.site.fault = nil
	}
}

func (s *story) elsewhere(rt *rapid.T) {
	s.site.set(rapid.SampledFrom([]string{"c-web", "c-dns"}).Draw(rt, "component"), rapid.SampledFrom(integrations.ComponentStatuses).Draw(rt, "state"))
}

func (s *story) waits(rt *rapid.T) {
	s.clock.move(time.Duration(rapid.IntRange(1, 400).Draw(rt, "seconds")) * time.Second)
	_ = s.f.look(s.t.Context())
}

func (s *story) holds(rt *rapid.T) {
	if len(s.site.written) > s.loud {
		rt.Fatalf("%d presses, and subscribers read %q", s.loud, s.site.written)
	}
	all := slices.Clone(s.site.posts)
	slices.Sort(all)
	if len(slices.Compact(all)) != len(s.site.posts) {
		rt.Fatalf("posted twice: %q", s.site.posts)
	}
}

// Whatever is typed, pressed, broken, killed and changed elsewhere, in any order: nobody is
// written to without a press of the button that says so, and nothing is posted twice.
func TestNobodyIsWrittenToUnlessThatIsConfirmed(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := &story{room: newRoom(t)}
		survives := func(do func(*rapid.T)) func(*rapid.T) {
			return func(rt *rapid.T) {
				defer func() {
					if p := recover(); p != nil && p != any(errKilled) {
						panic(p)
					}
				}()
				do(rt)
			}
		}
		about := func(do func(*rapid.T)) func(*rapid.T) {
			return survives(func(rt *rapid.T) {
				if len(s.ids) > 0 {
					do(rt)
				}
			})
		}
		rt.Repeat(map[string]func(*rapid.T){
			"ask": survives(s.ask), "press": about(s.presses), "type": about(s.types), "break": s.breaks, "elsewhere": s.elsewhere, "wait": survives(s.waits), "": s.holds,
			"work": about(func(rt *rapid.T) { _, _ = s.step(s.some(rt)) }),
		})
	})
}
