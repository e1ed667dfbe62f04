package pagerduty_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/pagerduty/pagerdutysim"
)

func take(person string, from, to time.Time) integrations.Override {
	return integrations.Override{Kind: integrations.OverrideTake, Person: person, Start: from, End: to}
}

func replace(instead, person string, from, to time.Time) integrations.Override {
	return integrations.Override{Kind: integrations.OverrideReplace, Person: person, Instead: instead, Start: from, End: to}
}

func add(person string, from, to time.Time) integrations.Override {
	return integrations.Override{Kind: integrations.OverrideAdd, Person: person, Start: from, End: to}
}

// make makes an override that must be made.
func (a *account) make(id string, o integrations.Override) string {
	a.Helper()
	remote, err := a.client.Override(a.Context(), id, o)
	if err != nil || remote == "" {
		a.Fatalf("%+v: %q, %v", o, remote, err)
	}
	return remote
}

func (a *account) has(id string, want ...string) {
	a.Helper()
	if d := cmp.Diff(want, a.overrides(id)); d != "" {
		a.Error(d)
	}
}

var evening = [2]time.Time{at("12-01 18:00"), at("12-01 22:00")}

func TestATakeOnLayersIsMadeReadAndCancelled(t *testing.T) {
	inAccount(t, config(daily("UTC", "2026-11-30 09:00")), func(a *account) {
		remote := a.make("PDAILY", take("alice", evening[0], evening[1]))
		a.has("PDAILY", "PALICE 12-01 18:00 to 12-01 22:00")
		a.want(a.timeline("PDAILY", noon, at("12-02 00:00")), "12-01 12:00 to 12-01 18:00 bob", "12-01 18:00 to 12-01 22:00 alice*", "12-01 22:00 to 12-02 00:00 bob")
		got, err := a.client.Overrides(a.Context(), "PDAILY", at("12-01 19:00"), at("12-01 20:00"))
		want := []integrations.Override{{Schedule: "PDAILY", Kind: "take", Person: "alice", Start: evening[0], End: evening[1], Order: 1, Remote: remote}}
		if d := cmp.Diff(want, got); d != "" || err != nil {
			a.Errorf("%v\n%s", err, d)
		}
		if got, err := a.client.Overrides(a.Context(), "PDAILY", at("12-02 19:00"), at("12-02 20:00")); err != nil || len(got) != 0 {
			a.Errorf("%+v, %v", got, err)
		}
		for range 2 { // once more is fine
			if err := a.client.Cancel(a.Context(), "PDAILY", remote); err != nil {
				a.Fatal(err)
			}
			a.has("PDAILY")
		}
	})
}

// One that runs is ended; one that is over stays.
func TestACancelOfOneThatRuns(t *testing.T) {
	inAccount(t, config(daily("UTC", "2026-11-30 09:00"), shifts("UTC")), func(a *account) {
		remote := a.make("PDAILY", take("alice", evening[0], evening[1]))
		add := a.make("PSHIFTS", add("bob", evening[0], evening[1]))
		a.pass(7 * time.Hour)
		for _, x := range [][2]string{{"PDAILY", remote}, {"PSHIFTS", add}} {
			if err := a.client.Cancel(a.Context(), x[0], x[1]); err != nil {
				a.Error(err)
			}
			a.refused(a.client.Cancel(a.Context(), x[0], x[1]), "cancel the override", x[0], "it is over")
		}
		a.has("PDAILY", "PALICE 12-01 18:00 to 12-01 19:00")
		a.has("PSHIFTS", "PBOB 12-01 18:00 to 12-01 19:00")
		a.refused(a.client.Cancel(a.Context(), "PDAILY", ""), "no id")
	})
}

// wishes are one of each kind that can be said.
var wishes = []struct {
	name, id string
	o        integrations.Override
	action   string // that makes it
	want     []string
}{
	{"take on layers", "PDAILY", take("alice", evening[0], evening[1]), "overrides.create", []string{"PALICE 12-01 18:00 to 12-01 22:00"}},
	{"replace on layers", "PDAILY", replace("bob", "alice", evening[0], evening[1]), "overrides.create", []string{"PALICE 12-01 18:00 to 12-01 22:00"}},
	{"take of a gap", "PSHIFTS", take("alice", evening[0], evening[1]), "custom_shifts.create", []string{"PALICE 12-01 18:00 to 12-01 22:00"}},
	{"take of two", "PSHIFTS", take("alice", at("12-02 10:00"), at("12-02 11:00")), "overrides_v3.create", []string{"PALICE 12-02 10:00 to 12-02 11:00 for PBOB", "PALICE 12-02 10:00 to 12-02 11:00 for PCAROL"}},
	{"replace", "PSHIFTS", replace("carol", "alice", at("12-02 10:00"), at("12-03 12:00")), "overrides_v3.create", []string{"PALICE 12-02 10:00 to 12-03 12:00 for PCAROL"}},
	{"add", "PSHIFTS", add("bob", evening[0], evening[1]), "custom_shifts.create", []string{"PBOB 12-01 18:00 to 12-01 22:00"}},
}

func TestWhatIsThereAlreadyIsNotMadeAgain(t *testing.T) {
	for _, tt := range wishes {
		t.Run(tt.name, func(t *testing.T) {
			inAccount(t, config(daily("UTC", "2026-11-30 09:00"), shifts("UTC")), func(a *account) {
				first := a.make(tt.id, tt.o)
				a.has(tt.id, tt.want...)
				a.client = a.with(token) // and after a restart
				if again := a.make(tt.id, tt.o); again != first {
					a.Errorf("it is %s, and was %s", again, first)
				}
				if n := a.calls(tt.action); n != 1 {
					a.Errorf("%d calls", n)
				}
				a.has(tt.id, tt.want...)
				if err := a.client.Cancel(a.Context(), tt.id, first); err != nil {
					a.Error(err)
				}
				a.has(tt.id)
			})
		})
	}
}

// Whether a change was made whose answer was lost is asked, at once and the next time.
func TestALostAnswerMakesNoSecondOverride(t *testing.T) {
	for _, tt := range wishes {
		t.Run(tt.name, func(t *testing.T) {
			inAccount(t, config(daily("UTC", "2026-11-30 09:00"), shifts("UTC")), func(a *account) {
				a.fault(pagerdutysim.Fault{Kind: "lost", Action: tt.action})
				remote := a.make(tt.id, tt.o)
				a.has(tt.id, tt.want...)
				if err := a.client.Cancel(a.Context(), tt.id, remote); err != nil {
					a.Fatal(err)
				}
				a.has(tt.id)
			})
			inAccount(t, config(daily("UTC", "2026-11-30 09:00"), shifts("UTC")), func(a *account) {
				a.timeline(tt.id, noon, noon.Add(time.Hour)) // the kind is known
				a.fault(pagerdutysim.Fault{Kind: "lost", Action: tt.action})
				list := map[string]string{"PDAILY": "overrides.list", "PSHIFTS": "overrides_v3.list"}[tt.id]
				started := false
				a.client = a.with(token)
				_, err := a.overrideThen(tt.id, tt.o, func() {
					started = true
					a.fault(pagerdutysim.Fault{Kind: "error", Status: 503, Action: list, Count: -1})
				}, tt.action)
				if later := isLater(err); !started || later == nil || later.Unsent {
					a.Fatalf("nobody can say that it was made: %v", err)
				}
				a.sim.ClearFaults()
				a.pass(time.Minute)
				remote := a.make(tt.id, tt.o)
				a.has(tt.id, tt.want...)
				if n := a.calls(tt.action); n != 1 || remote == "" {
					a.Errorf("%d calls", n)
				}
			})
			inAccount(t, config(daily("UTC", "2026-11-30 09:00"), shifts("UTC")), func(a *account) {
				a.fault(pagerdutysim.Fault{Kind: "reset", Action: tt.action})
				if _, err := a.client.Override(a.Context(), tt.id, tt.o); isLater(err) == nil {
					a.Errorf("it is not to come again: %v", err)
				}
				a.has(tt.id)
				a.make(tt.id, tt.o)
				a.has(tt.id, tt.want...)
			})
		})
	}
}

// overrideThen does something as soon as a call was made.
func (a *account) overrideThen(id string, o integrations.Override, then func(), action string) (string, error) {
	a.Helper()
	a.after = func() {
		if a.calls(action) > 0 && then != nil {
			do := then
			then = nil
			do()
		}
	}
	defer func() { a.after = nil }()
	return a.client.Override(a.Context(), id, o)
}

// What has begun begins now, and is found again by whoever asks for it later.
func TestAnOverrideThatHasBegun(t *testing.T) {
	for _, id := range []string{"PDAILY", "PSHIFTS"} {
		inAccount(t, config(daily("UTC", "2026-11-30 09:00"), shifts("UTC")), func(a *account) {
			o := take("alice", at("12-01 11:00"), at("12-01 15:00"))
			first := a.make(id, o)
			who := map[string]string{"PDAILY": "PALICE 12-01 12:00 to 12-01 15:00", "PSHIFTS": "PALICE 12-01 12:00 to 12-01 15:00 for PCAROL"}[id]
			a.has(id, who)
			a.pass(time.Hour)
			if again := a.make(id, o); again != first {
				a.Errorf("it is %s, and was %s", again, first)
			}
			a.has(id, who)
			before := a.calls("")
			_, err := a.client.Override(a.Context(), id, take("alice", at("12-01 11:00"), at("12-01 12:30")))
			a.refused(err, "it is over")
			_, err = a.client.Override(a.Context(), id, take("alice", at("12-01 15:00"), at("12-01 15:00")))
			a.refused(err, "before it begins")
			if a.calls("") != before {
				a.Error("it asked for what cannot be")
			}
		})
	}
}

// Another's, or one of another time, is not ours.
func TestAnOverrideOfAnotherTimeIsAnother(t *testing.T) {
	inAccount(t, config(daily("UTC", "2026-11-30 09:00")), func(a *account) {
		a.make("PDAILY", take("alice", evening[0], evening[1]))
		a.make("PDAILY", take("carol", evening[0], evening[1]))
		a.make("PDAILY", take("alice", evening[0], evening[1].Add(time.Minute)))
		a.make("PDAILY", take("alice", evening[0].Add(time.Minute), evening[1]))
		if n := len(a.overrides("PDAILY")); n != 4 {
			a.Errorf("there are %d", n)
		}
	})
	inAccount(t, config(shifts("UTC")), func(a *account) {
		from, to := at("12-02 10:00"), at("12-02 11:00")
		custom := a.make("PSHIFTS", add("alice", from, to)) // besides bob and carol
		for _, o := range []integrations.Override{add("carol", from, to), add("alice", from, to.Add(time.Minute)), add("alice", from.Add(time.Minute), to)} {
			other := a.make("PSHIFTS", o)
			if err := a.client.Cancel(a.Context(), "PSHIFTS", other); err != nil || other == custom {
				a.Errorf("%+v: %s, %v", o, other, err)
			}
		}
		for _, o := range []integrations.Override{replace("carol", "alice", from, to), replace("bob", "alice", from, to)} {
			if got := a.make("PSHIFTS", o); got == custom {
				a.Errorf("%+v: the one that was added passes for it", o)
			}
		}
		a.has("PSHIFTS", "PALICE 12-02 10:00 to 12-02 11:00 for PCAROL", "PALICE 12-02 10:00 to 12-02 11:00 for PBOB", "PALICE 12-02 10:00 to 12-02 11:00")
	})
}

// One that another was made over does not count any more, so it is made once more.
func TestAPagerThatIsTakenBack(t *testing.T) {
	for _, kind := range []string{"", "lost"} {
		inAccount(t, config(daily("UTC", "2026-11-30 09:00")), func(a *account) {
			first := a.make("PDAILY", take("alice", evening[0], evening[1]))
			a.make("PDAILY", take("carol", evening[0], evening[1].Add(-time.Hour)))
			if kind != "" {
				a.fault(pagerdutysim.Fault{Kind: kind, Action: "overrides.create"})
			}
			again := a.make("PDAILY", take("alice", evening[0], evening[1]))
			if again == first || strings.Contains(again, first) {
				a.Errorf("it is %s, and was %s", again, first)
			}
			a.want(a.timeline("PDAILY", evening[0], evening[1]), "12-01 18:00 to 12-01 22:00 alice*")
			a.make("PDAILY", take("alice", evening[0], evening[1]))
			if n := len(a.overrides("PDAILY")); n != 3 {
				a.Errorf("there are %d", n)
			}
			got, err := a.client.Overrides(a.Context(), "PDAILY", evening[0], evening[1])
			if err != nil || len(got) != 3 { // two of them look the same
				a.Errorf("%+v, %v", got, err)
			}
		})
	}
}

// Of several members on one shift each is replaced.
func TestATakeOfAShiftThatSeveralHave(t *testing.T) {
	s := shifts("UTC")
	s.Rotations[1].Events[0].Members = []string{"PCAROL", "PEVE"}
	inAccount(t, config(s), func(a *account) {
		a.make("PSHIFTS", take("alice", at("12-01 13:00"), at("12-01 14:00")))
		a.has("PSHIFTS", "PALICE 12-01 13:00 to 12-01 14:00 for PCAROL", "PALICE 12-01 13:00 to 12-01 14:00 for PEVE")
		a.want(a.timeline("PSHIFTS", at("12-01 13:00"), at("12-01 14:00")), "12-01 13:00 to 12-01 14:00 alice*")
	})
}

// What PagerDuty has no way to say is refused with what it has, and nothing is changed.
func TestWhatPagerDutyCannotSayIsRefused(t *testing.T) {
	for _, tt := range []struct {
		name, id string
		o        integrations.Override
		want     []string
	}{
		{"add on layers", "PDAILY", add("alice", evening[0], evening[1]), []string{"alice cannot be added", "take puts them on instead"}},
		{"remove on layers", "PDAILY", integrations.Override{Kind: "remove", Instead: "bob", Start: evening[0], End: evening[1]}, []string{"cannot take bob off call without somebody else", "take or replace"}},
		{"remove on shifts", "PSHIFTS", integrations.Override{Kind: "remove", Instead: "bob", Start: evening[0], End: evening[1]}, []string{"cannot take bob off call without somebody else", "take or replace"}},
		{"a kind that there is not", "PSHIFTS", integrations.Override{Kind: "swap", Person: "bob", Start: evening[0], End: evening[1]}, []string{`"swap"`, "take, replace and add"}},
		{"replace of one who is not on, on layers", "PDAILY", replace("carol", "alice", evening[0], evening[1]), []string{"carol is not on call", "nothing to replace"}},
		{"replace of one who is on for a part, on layers", "PDAILY", replace("bob", "alice", evening[0], at("12-02 12:00")), []string{"only for a part", "replace 2026-12-01T18:00:00Z to 2026-12-02T09:00:00Z"}},
		{"replace of one who is not on, on shifts", "PSHIFTS", replace("alice", "carol", at("12-02 10:00"), at("12-02 11:00")), []string{"alice is not on call", "there is bob, carol"}},
		{"replace in a gap", "PSHIFTS", replace("alice", "carol", evening[0], evening[1]), []string{"alice is not on call", "nobody is"}},
		{"take of a time with a gap in it", "PSHIFTS", take("alice", at("12-01 16:00"), at("12-01 18:00")), []string{"nobody is on call for a part", "replace", "add alice"}},
		{"take of what one has", "PSHIFTS", take("bob", at("12-02 18:00"), at("12-02 19:00")), []string{"bob is the one on call"}},
		{"one without an email", "PDAILY", take("zoe", evening[0], evening[1]), []string{"zoe has no email", "people: [{name: zoe"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inAccount(t, config(daily("UTC", "2026-11-30 09:00"), shifts("UTC")), func(a *account) {
				_, err := a.client.Override(a.Context(), tt.id, tt.o)
				a.refused(err, append(tt.want, "pagerduty override "+tt.id)...)
				for _, c := range a.sim.Calls() {
					if strings.Contains(c, "create") {
						a.Errorf("it called %s", c)
					}
				}
			})
		})
	}
	inAccount(t, config(daily("UTC", "2026-11-30 09:00")), func(a *account) {
		_, err := a.client.Override(a.Context(), "PDAILY", take("dan", evening[0], evening[1]))
		if !isGone(err) || !strings.Contains(err.Error(), "find the user dan@example.com") {
			a.Error(err)
		}
	})
}

// What one more override would do to a shift that has one PagerDuty does not say.
func TestAnOverrideOnAnOverrideIsRefused(t *testing.T) {
	inAccount(t, config(shifts("UTC")), func(a *account) {
		from, to := at("12-02 18:00"), at("12-02 20:00")
		first := a.make("PSHIFTS", replace("bob", "alice", from, to))
		_, err := a.client.Override(a.Context(), "PSHIFTS", replace("alice", "carol", from, to))
		_, id, _ := strings.Cut(first, "/")
		a.refused(err, "alice is on call there by the override "+id, "cancel that one first")
		if err := a.client.Cancel(a.Context(), "PSHIFTS", first); err != nil {
			a.Fatal(err)
		}
		a.make("PSHIFTS", replace("bob", "carol", from, to))
		a.has("PSHIFTS", "PCAROL 12-02 18:00 to 12-02 20:00 for PBOB")
	})
}

// A custom shift is overridden by its own id.
func TestAnOverrideOfACustomShift(t *testing.T) {
	inAccount(t, config(shifts("UTC")), func(a *account) {
		a.make("PSHIFTS", add("alice", evening[0], evening[1]))
		a.make("PSHIFTS", replace("alice", "bob", evening[0], evening[1]))
		a.has("PSHIFTS", "PBOB 12-01 18:00 to 12-01 22:00 for PALICE", "PALICE 12-01 18:00 to 12-01 22:00")
		a.want(a.timeline("PSHIFTS", evening[0], evening[1]), "12-01 18:00 to 12-01 22:00 bob*")
		got, err := a.client.Overrides(a.Context(), "PSHIFTS", evening[0], evening[1])
		if err != nil || len(got) != 2 || got[0].Kind != "replace" || got[0].Person != "bob" || got[0].Instead != "alice" || got[1].Kind != "add" || got[1].Person != "alice" {
			a.Errorf("%+v, %v", got, err)
		}
	})
}

// Lists are read to their end, and an override that lies in two pieces is one.
func TestAllOverridesAreRead(t *testing.T) {
	d, s := daily("UTC", "2026-11-30 09:00"), shifts("UTC")
	for n := range 120 {
		from := noon.Add(time.Duration(n) * time.Hour)
		s.Custom = append(s.Custom, pagerdutysim.Override{ID: "C" + from.Format("0215"), Start: from, End: from.Add(time.Hour), User: "PBOB"})
	}
	d.Overrides = []pagerdutysim.Override{{ID: "Q1", Start: noon, End: noon.AddDate(0, 0, 150), User: "PALICE"}}
	inAccount(t, config(d, s), func(a *account) {
		got, err := a.client.Overrides(a.Context(), "PSHIFTS", noon, noon.AddDate(0, 0, 30))
		if err != nil || len(got) != 120 {
			a.Errorf("%d, %v", len(got), err)
		}
		if !slices.IsSortedFunc(got, func(a, b integrations.Override) int { return a.Start.Compare(b.Start) }) {
			a.Error("they are in no order")
		}
		got, err = a.client.Overrides(a.Context(), "PDAILY", noon, noon.AddDate(0, 0, 200))
		if err != nil || len(got) != 1 || got[0].Remote != "Q1" || !got[0].Start.Equal(noon) || !got[0].End.Equal(noon.AddDate(0, 0, 150)) {
			a.Errorf("%+v, %v", got, err)
		}
		_, err = a.client.Overrides(a.Context(), "PDAILY", noon, noon)
		a.refused(err, "is no time")
	})
}
