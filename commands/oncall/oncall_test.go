package oncall

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

func TestWhoIsOnCall(t *testing.T) {
	night := Schedule{Name: "night", Zone: "UTC", Layers: []Layer{{Name: "all", People: []string{"bob + carol"}, From: "2026-03-01 00:00", Turn: "weekly"}}}
	r := newRoom(t, daily(), night)
	text := r.must(alice, "oncall").Private.Text
	for _, want := range []string{"platform: carol until 2026-03-05 09:00 JST, then alice", "night: bob + carol"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q lacks %q", text, want)
		}
	}
	if text := r.must(alice, "oncall platform at 2026-03-03 12:00").Private.Text; !strings.Contains(text, "platform: bob until 2026-03-04 09:00 JST, then carol") || strings.Contains(text, "night") {
		t.Errorf("then it is %q", text)
	}
	if text := r.must(bob, "oncall mine").Private.Text; !strings.Contains(text, "platform\nFri 6 Mar 09:00 – Sat 7 Mar 09:00") || !strings.Contains(text, "night") {
		t.Errorf("his are %q", text)
	}
	r.refuses(alice, "oncall take 2h", "which_schedule")
	r.expect("carol until 5 09:00, alice until 6 09:00, bob until 7 09:00")
}

func TestTheRosterOfTheGates(t *testing.T) {
	s := daily()
	s.Layers[0].Windows = []string{"mon-fri 09:00-18:00"}
	r := newRoom(t, s)
	r.cat.Environments = []integrations.Environment{{Name: "production", OnCall: []string{"platform", "bob"}}, {Name: "staging"}}
	people, err := r.f.OnCall("web", "production", r.clock.now)
	if err != nil || len(people) != 2 || !people[0].Same(carol) || !people[1].Same(bob) {
		t.Errorf("on call are %v, %v", people, err)
	}
	if people, err := r.f.OnCall("web", "staging", r.clock.now); err != nil || len(people) > 0 {
		t.Errorf("where nobody is configured there are %v, %v", people, err)
	}
	if people, err := r.f.OnCall("web", "production", r.clock.now.Add(10*time.Hour)); err == nil {
		t.Errorf("in a gap there are %v", people)
	}
	// It is asked in the middle of a transaction, too.
	err = r.store.Update(t.Context(), func(*store.Tx) error { _, err := r.f.OnCall("web", "production", r.clock.now); return err })
	if err != nil {
		t.Error(err)
	}
}

func TestTake(t *testing.T) {
	r := newRoom(t, daily())
	r.must(bob, `oncall take 2h --reason "carol is ill"`)
	r.expect("bob until 4 14:00, carol until 5 09:00, alice until 6 09:00")
	if all := r.told(cardChange); len(all) != 1 || !strings.HasPrefix(all[0], "alerts: ☎️ platform: bob takes the pager, and is on call until 2026-03-04 14:00 JST\nbefore:\nWed 4 Mar 12:00  carol\nThu 5 Mar 09:00  alice\n") {
		t.Errorf("it is told as %q", all)
	}
	if all := r.told(cardMoved); len(all) != 1 || !strings.HasPrefix(all[0], "U-carol: ☎️ Your next shift of platform has moved: it was 2026-03-04 12:00 JST – 2026-03-05 09:00 JST, and is now 2026-03-04 14:00 JST – ") {
		t.Errorf("those whose shift moved hear %q", all)
	}
	// The last one to take it has it, and what was under it comes up again.
	r.must(alice, "oncall take 1h")
	r.expect("alice until 4 13:00, bob until 4 14:00, carol until 5 09:00")
	r.must(alice, "oncall cancel")
	r.expect("bob until 4 14:00, carol until 5 09:00")
	r.refuses(alice, "oncall cancel", "nothing")
	r.must(carol, "oncall cancel rota-1")
	r.expect("carol until 5 09:00, alice until 6 09:00")
	r.refuses(carol, "oncall cancel rota-1", "over")
	r.refuses(carol, "oncall cancel rota-77", "unknown_change")
	if all := r.told(cardChange); !strings.Contains(all[0], "taken back") || len(all) != 4 {
		t.Errorf("what was taken back says %q", all)
	}
}

func TestATakeIsCutAtWhatHasBeen(t *testing.T) {
	r := newRoom(t, daily())
	r.must(bob, "oncall take 2h")
	r.at(4, "13:00")
	r.must(bob, "oncall cancel")
	r.expect("carol until 5 09:00, alice until 6 09:00")
	r.clock.now = r.clock.now.Add(-30 * time.Minute)
	r.expect("bob until 4 13:00, carol until 5 09:00") // what was stays as it was
}

func TestWhatIsNotTaken(t *testing.T) {
	r := newRoom(t, daily())
	for line, code := range map[string]string{
		"oncall take 2h":                                           "no_change", // she has it
		"oncall take 2h from 2026-03-01 9:00":                      "past",
		"oncall take 2000h":                                        "bad_span",
		"oncall take 2h nights":                                    "unknown_schedule",
		"oncall take 2h from soon":                                 "bad_time",
		"oncall tke 2h":                                            "unknown_verb",
		"oncall cancel swap-9":                                     "unknown_swap",
		"oncall swap carol friday":                                 "same_person",
		"oncall swap dave friday":                                  "unknown_person",
		"oncall accept swap-9":                                     "unknown_swap",
		"oncall cover dave from 13:00 to 14:00 by bob":             "unknown_person",
		"oncall cover bob from 13:00 to 14:00 by bob":              "same_person",
		"oncall cover carol from 14:00 to 2026-03-04 13:00 by bob": "backwards",
		"oncall cover carol from 2026-03-01 to 2026-03-02 by bob":  "past",
		"oncall cover carol from now to 2026-08-02 by bob":         "bad_span",
		"oncall cover alice from 13:00 to 14:00 by bob":            "no_change",
		`oncall take 2h from "2026-03-08 09:00" --reason "long"`:   "",
	} {
		if code == "" {
			r.must(carol, line)
			continue
		}
		r.refuses(carol, line, code)
	}
	if all := r.told(cardChange); len(all) != 1 {
		t.Errorf("what was refused is told: %q", all)
	}
}

func TestCover(t *testing.T) {
	r := newRoom(t, daily())
	r.must(alice, "oncall cover carol from 2026-03-04 to 2026-03-08 by bob")
	// Only carol's own: alice stays where she is.
	r.expect("bob until 5 09:00, alice until 6 09:00, bob until 8 00:00, carol until 8 09:00, alice until 9 09:00")
	err := r.store.View(func(tx *store.Tx) error {
		all, err := overridesOf(tx, "platform")
		if len(all) != 1 || !all[0].Start.Equal(r.clock.now) {
			t.Errorf("what was is covered too: %+v", all)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var who []string
	for _, text := range r.told(cardMoved) {
		who = append(who, text[:strings.Index(text, ":")])
	}
	if strings.Join(who, " ") != "U-carol U-bob" {
		t.Errorf("%v are told", who)
	}
}

func TestSwap(t *testing.T) {
	r := newRoom(t, daily())
	r.must(alice, "oncall swap bob thursday") // hers; his next one is on Friday
	r.expect("carol until 5 09:00, alice until 6 09:00, bob until 7 09:00, carol until 8 09:00")
	r.refuses(alice, "oncall swap bob thursday", "asked")
	r.refuses(carol, "oncall accept swap-1", "not_asked")
	r.refuses(carol, "oncall decline swap-1", "not_asked")
	r.refuses(carol, "oncall cancel swap-1", "not_yours")
	r.must(bob, "oncall accept swap-1")
	r.expect("carol until 5 09:00, bob until 6 09:00, alice until 7 09:00, carol until 8 09:00")
	r.refuses(bob, "oncall accept swap-1", "over")
	// Taking back either half takes back both.
	r.must(bob, "oncall cancel swap-1")
	r.expect("carol until 5 09:00, alice until 6 09:00, bob until 7 09:00, carol until 8 09:00")

	r.must(alice, "oncall swap bob friday") // his; hers is the next one of her own
	r.must(bob, "oncall decline swap-2")
	r.must(alice, "oncall swap bob friday for 2026-03-08")
	r.must(alice, "oncall cancel swap-3")
	r.refuses(bob, "oncall accept swap-3", "over")
	r.refuses(alice, "oncall swap bob 2026-03-06 for 2026-03-07", "no_shift")
	texts := strings.Join(r.told(cardSwap), "\n")
	for _, want := range []string{"the swap of alice and bob is done", "the swap of alice and bob is declined", "the swap of alice and bob is cancelled"} {
		if !strings.Contains(texts, want) {
			t.Errorf("the messages lack %q:\n%s", want, texts)
		}
	}
}

// A swap is of two shifts as they were when it was asked.
func TestASwapOfWhatHasChanged(t *testing.T) {
	r := newRoom(t, daily())
	r.must(alice, "oncall swap bob thursday")
	r.must(carol, `oncall take 2h from "2026-03-06 12:00"`)
	if reply := r.must(bob, "oncall accept swap-1"); reply.Private == nil || !strings.Contains(reply.Private.Text, "Nothing was exchanged") {
		t.Errorf("it says %+v", reply)
	}
	r.expect("carol until 5 09:00, alice until 6 09:00, bob until 6 12:00, carol until 6 14:00, bob until 7 09:00")
	r.must(alice, "oncall swap carol thursday for 2026-03-07")
	r.must(bob, `oncall take 1h from "2026-03-05 12:00"`) // the other half is not as it was
	if reply := r.must(carol, "oncall accept swap-2"); reply.Private == nil || !strings.Contains(reply.Private.Text, "Nothing was exchanged") {
		t.Errorf("it says %+v", reply)
	}
	r.must(carol, "oncall swap bob 2026-03-07 for 2026-03-09")
	r.clock.now = time.Date(2026, 3, 7, 9, 0, 0, 0, r.cfg.Schedules[0].zone()) // nobody has looked yet
	r.refuses(bob, "oncall accept swap-3", "over")
	r.ticks()
	if all := r.told(cardSwap); !strings.Contains(all[2], "expired") {
		t.Errorf("it says %q", all)
	}
}

// A roster that is edited in the configuration changes at the next handoff, and whose
// shift moves hears of it.
func TestAnEditedRoster(t *testing.T) {
	r := newRoom(t, daily())
	r.ticks()
	r.expect("carol until 5 09:00, alice until 6 09:00, bob until 7 09:00")
	r.cfg.Schedules[0].Layers[0].People = []string{"bob", "carol"} // alice leaves
	r.ticks()
	r.starts()
	r.ticks()
	r.expect("carol until 5 09:00, bob until 6 09:00, carol until 7 09:00")
	if all := r.told(cardChange); len(all) != 1 || !strings.Contains(all[0], "the roster was changed in the configuration") {
		t.Errorf("it is told as %q", all)
	}
	if all := r.told(cardMoved); len(all) != 2 || !strings.Contains(all[0], "U-alice: ") || !strings.Contains(all[0], "is now none in sight") || !strings.HasPrefix(all[1], "U-bob: ") {
		t.Errorf("those whose shift moved hear %q", all)
	}
	r.clock.now = r.clock.now.Add(-24 * time.Hour)
	r.expect("bob until 4 09:00, carol until 5 09:00") // what was stays as it was
}

// Whoever has the turn keeps it to its end, even if they are no longer in the roster.
func TestARosterThatLosesWhoIsOn(t *testing.T) {
	r := newRoom(t, daily())
	r.ticks()
	r.cfg.Schedules[0].Layers[0].People = []string{"alice", "bob"}
	r.ticks()
	r.expect("carol until 5 09:00, alice until 6 09:00, bob until 7 09:00")
}

func TestWithoutASchedule(t *testing.T) {
	r := newRoom(t, daily())
	r.cfg = Config{}
	for _, line := range []string{"oncall", "oncall next", "oncall mine"} {
		u := commands.Parse(r.verbs, &r.cat, line, false)
		u.Call.Who = alice
		act, err := u.Call.Verb.Decide(t.Context(), u.Call)
		if err != nil {
			t.Fatal(err)
		}
		err = r.store.View(func(tx *store.Tx) error { _, err := act(tx); return err })
		var no *commands.Refusal
		if !errors.As(err, &no) || no.Code != "no_schedules" {
			t.Errorf("%s: %v", line, err)
		}
	}
}
