package birth

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// A new instance is in standby while it is provisioned and tested, its group waits for
// that, and it works when its steps have passed. Nobody is told.
func TestANewInstanceIsTestedBeforeItWorks(t *testing.T) {
	r := newRoom(t)
	one := r.fleet.launch(standby)
	b := r.reaches(stateSteps)
	if one.Tags[tagStatus] != standby || one.Tags[tagBirth] != b.ID || one.status != integrations.HostStandby || one.lifecycle != integrations.MemberWaiting {
		t.Errorf("while it is tested it says %v, is %s there and %s", one.Tags, one.status, one.lifecycle)
	}
	b = r.reaches(stateDone)
	if want := []string{"provision", "smoke"}; !slices.Equal(one.ran, want) {
		t.Errorf("%v ran on it, want %v", one.ran, want)
	}
	if _, marked := one.Tags[tagBirth]; one.Tags[tagStatus] != working || marked || one.status != integrations.HostWorking || one.lifecycle != integrations.MemberInService {
		t.Errorf("in the end it says %v, is %s there and %s", one.Tags, one.status, one.lifecycle)
	}
	if len(r.fleet.early) > 0 || b.Way != wayHook || b.Warning != "" || len(r.surfaces()) > 0 {
		t.Errorf("%v got requests too early; %+v; %v", r.fleet.early, b, r.surfaces())
	}
	if len(r.all()) != 1 {
		t.Errorf("others were born: %s", r.story())
	}
}

// With notify: all each birth has a message, which is a line in the end.
func TestEachBirthMayBeShown(t *testing.T) {
	r := newRoom(t)
	r.cfg.Notify = notifyAll
	r.fleet.launch("")
	b := r.reaches(stateSteps)
	if got := r.shown(b); !strings.Contains(got, "● marked  ● reached  ◐ provision  ○ smoke  ○ admitted  ○ working") {
		t.Error(got)
	}
	b = r.reaches(stateDone)
	if got := r.shown(b); !strings.Contains(got, "birth-1 new instance web-4: working\n✅ New instance web-4 · working · took") || r.surfaces()[cardOne] != 1 {
		t.Error(got, r.surfaces())
	}
}

// Nobody is touched who was there before the role was watched, who says of itself that
// it works, or who is born already.
func TestWhoIsBorn(t *testing.T) {
	r := newRoom(t)
	r.cfg.Roles = nil
	r.watch()
	r.fleet.launch(standby) // before the role is watched again
	r.clock.move(time.Minute)
	r.cfg.Roles = []Role{appRole}
	r.watch()
	r.clock.move(time.Minute)
	other := r.fleet.launch(working)
	r.watch()
	other.Tags[tagStatus] = standby // by somebody, for their own reasons
	ending := r.fleet.launch("")
	ending.State = integrations.InstanceEnding
	r.goes(5*time.Minute, nil)
	if len(r.all()) > 0 {
		t.Errorf("born: %s", r.story())
	}
	r.fleet.launch("")
	r.goes(20*time.Minute, nil)
	if all := r.all(); len(all) != 1 || all[0].State != stateDone {
		t.Fatalf("born: %s", r.story())
	}
	r.clock.move(keepOver + time.Hour)
	if err := r.f.prune(t.Context()); err != nil || len(r.all()) != 0 {
		t.Fatalf("kept: %s, %v", r.story(), err)
	}
	r.fleet.boxes["i-7"].Tags[tagStatus] = standby
	r.goes(5*time.Minute, nil)
	if len(r.all()) > 0 {
		t.Errorf("born again: %s", r.story())
	}
}

// One that fails calls people, has its monitoring call them, is kept waiting for as long
// as AWS lets it, and is tried again from the step that failed.
func TestOneThatFailsWaitsForAPerson(t *testing.T) {
	r := newRoom(t)
	one := r.fleet.launch(standby)
	one.fails = true
	r.reaches(stateFailed)
	r.goes(2*time.Hour, nil)
	b := r.birth()
	if b.State != stateFailed || one.lifecycle != integrations.MemberWaiting || one.Tags[tagStatus] != standby || one.status != integrations.HostWorking || len(r.fleet.early) > 0 {
		t.Fatalf("after two hours it is %s, says %v, is %s there: %s", one.lifecycle, one.Tags, one.status, r.story())
	}
	text := r.shown(b)
	for _, want := range []string{
		"birth-1 new instance web-4: failed · smoke ended with 1: “3 of 12 failed”", "✕ smoke", "alice: smoke ended", "AWS lets it wait until ", ", and then ends it.", "Its monitoring calls people for it, and its tag Status stays standby.",
		"[Retry: birth-retry birth-1]", "[End it…: birth-end birth-1]", "[Let in anyway…: birth-let-in birth-1]",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the message does not say %q:\n%s", want, text)
		}
	}
	if got := r.surfaces(); got[cardOne] != 1 || got[cardFailed] != 0 {
		t.Errorf("the first time the message calls: %v", got)
	}
	r.must("birth-retry birth-1")
	if b := r.reaches(stateFailed); b.Failures != 2 || r.surfaces()[cardFailed] != 1 {
		t.Errorf("it failed %d times, and calls are %v", b.Failures, r.surfaces())
	}
	one.fails = false
	r.must("birth-retry web-4")
	r.reaches(stateDone)
	if want := []string{"provision", "smoke", "smoke", "smoke"}; !slices.Equal(one.ran, want) || one.status != integrations.HostWorking || one.lifecycle != integrations.MemberInService {
		t.Errorf("%v ran, want %v; it is %s there and %s", one.ran, want, one.status, one.lifecycle)
	}
	if _, err := r.says("birth-retry birth-1"); err == nil {
		t.Error("one that works was tried again")
	}
}

// A person lets one in although it failed, or has it ended, and says why.
func TestAPersonDecides(t *testing.T) {
	for line, want := range map[string]struct{ state, lifecycle, says string }{
		"birth-let-in birth-1 the test is wrong": {stateDone, integrations.MemberInService, "Let in anyway by alice: the test is wrong"},
		"birth-end birth-1 its disk is broken":   {stateGone, "Terminating", "alice had it ended: its disk is broken"},
	} {
		r := newRoom(t)
		one := r.fleet.launch(standby)
		one.fails = true
		r.reaches(stateFailed)
		verb, _, _ := strings.Cut(line, " ")
		if _, err := r.says(verb + " birth-1"); err == nil {
			t.Errorf("%s without a reason", verb)
		}
		r.must(line)
		b := r.reaches(want.state)
		if text := r.shown(b); one.lifecycle != want.lifecycle || !strings.Contains(text, want.says) {
			t.Errorf("%s: it is %s; %s", line, one.lifecycle, text)
		}
		rows := 0
		r.view(func(tx *store.Tx) error {
			all, err := tx.AuditRows(store.AuditFilter{Subject: "birth-1"})
			for _, row := range all {
				if row.Who.Slack == alice.Slack && strings.Contains(row.Detail, "the test is wrong") || strings.Contains(row.Detail, "its disk is broken") {
					rows++
				}
			}
			return err
		})
		if rows == 0 {
			t.Errorf("%s is not on record", line)
		}
	}
}

// Where its group has no launch hook, or has let it in already, or there is none, that
// is said plainly.
func TestWhatCannotWait(t *testing.T) {
	for name, tt := range map[string]struct {
		set    func(f *fleet)
		way    string
		says   string
		button string
	}{
		"no hook": {func(f *fleet) { f.hook = nil }, wayBare, "Its group web puts it into its load balancer by itself: it was tested while it took requests.", "[Drain…: drain i-4 --terminate]"},
		"its time is over": {func(f *fleet) { f.hook.Longest, f.hook.Ends = time.Minute, false }, wayEarly,
			"Its group web put it into its load balancer before its steps were over.", "[Drain…: drain i-4 --terminate]"},
		"no group": {func(f *fleet) { f.alone = true }, wayAlone, "No group looks after it", "[Drain…: drain i-4 --terminate]"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRoom(t)
			tt.set(r.fleet)
			one := r.fleet.launch("")
			one.fails = true
			r.reaches(stateFailed)
			r.goes(10*time.Minute, nil)
			b := r.birth()
			if text := r.shown(b); b.Way != tt.way || !strings.Contains(text, tt.says) || !strings.Contains(text, tt.button) || strings.Contains(text, "End it") {
				t.Errorf("its way is %q: %s", b.Way, text)
			}
			if _, err := r.says("birth-end birth-1 it is broken"); err == nil {
				t.Error("it was ended, and does not wait")
			}
			one.fails = false
			r.must("birth-retry birth-1")
			if r.reaches(stateDone); one.Tags[tagStatus] != working {
				t.Errorf("it says %v", one.Tags)
			}
		})
	}
}

// Nobody can tell whether a step ran: it is run again, and after three times a person is
// asked.
func TestUnknownIsNotFailed(t *testing.T) {
	for mute, want := range map[int]string{2: stateDone, 3: stateFailed} {
		r := newRoom(t)
		one := r.fleet.launch("")
		one.mute = mute
		b := r.reaches(want)
		if ran := len(one.ran); want == stateDone && ran != 4 || want == stateFailed && (ran != 3 || !strings.Contains(b.Why, "nobody can tell whether provision ran")) {
			t.Errorf("unknown %d times: it ran %v; %s", mute, one.ran, b.Why)
		}
	}
}

// What is not reached, or not known to its monitoring, is waited for, and not for ever.
func TestWhatDoesNotCome(t *testing.T) {
	r := newRoom(t)
	one := r.fleet.launch("")
	one.ready = r.clock.Now().Add(24 * time.Hour)
	if b := r.reaches(stateFailed); b.Failed != stateReach || !strings.Contains(b.Why, "Systems Manager does not reach it yet") {
		t.Errorf("it failed in %s: %s", b.Failed, b.Why)
	}
	r = newRoom(t)
	r.fleet.monitor = false
	r.fleet.launch("")
	if b := r.reaches(stateDone); !strings.Contains(b.Warning, "its monitoring does not know it") || r.surfaces()[cardOne] != 1 {
		t.Errorf("the warning is %q, of %v", b.Warning, r.surfaces())
	}
	r = newRoom(t)
	r.fleet.monitor = false
	one = r.fleet.launch("")
	r.reaches(stateSteps)
	one.monitored = true // as soon as it was provisioned, say
	if b := r.reaches(stateDone); b.Warning != "" || one.status != integrations.HostWorking || r.count("watch i-4 standby") != 1 {
		t.Errorf("the warning is %q, and it is %s there", b.Warning, one.status)
	}
}

// One that somebody else takes is left to them: a drain above all.
func TestOneThatIsTaken(t *testing.T) {
	r := newRoom(t)
	one := r.fleet.launch("")
	r.reaches(stateSteps)
	one.Tags[tagStatus] = "draining"
	if b := r.reaches(stateLeft); one.Tags[tagStatus] != "draining" || !strings.Contains(b.Why, "draining") {
		t.Errorf("it says %v: %s", one.Tags, b.Why)
	}
	r = newRoom(t)
	one = r.fleet.launch("")
	r.reaches(stateSteps)
	delete(r.fleet.boxes, one.ID)
	if b := r.reaches(stateGone); r.surfaces()[cardOne] != 1 {
		t.Errorf("it is gone, and nobody is told: %s", b.Why)
	}
}

// A read that does not show yet that it was let in has nothing done twice that is
// refused.
func TestAReadThatIsBehind(t *testing.T) {
	r := newRoom(t)
	r.fleet.launch("")
	r.reaches(stateEnter)
	r.fleet.stale = 60
	if b := r.reaches(stateDone); b.Failures > 0 || b.Warning != "" {
		t.Errorf("it failed: %s", r.story())
	}
	r.fleet.launch("")
	r.reaches(stateEnter)
	r.fleet.stale = 4
	if r.reaches(stateDone); r.count("let in i-5") != 1 {
		t.Errorf("it was let in more than once: %s", r.story())
	}
}

// One whose steps have passed before it waits is let in when it does.
func TestOneThatIsQuick(t *testing.T) {
	r := newRoom(t)
	r.fleet.launch("").ready = r.clock.Now()
	if b := r.reaches(stateEnter); b.Waits {
		t.Fatal("it waits already")
	}
	if b := r.reaches(stateDone); b.Failures > 0 || r.count("let in i-4") != 1 {
		t.Errorf("it failed: %s", r.story())
	}
}

// One that its load balancer does not find healthy does not work, unless a person lets
// it.
func TestOneThatIsNotHealthy(t *testing.T) {
	r := newRoom(t)
	one := r.fleet.launch("")
	one.sick = true
	if b := r.reaches(stateFailed); b.Failed != stateEnter || !strings.Contains(b.Why, "web: initial") || one.Tags[tagStatus] != standby {
		t.Errorf("it failed in %s and says %v: %s", b.Failed, one.Tags, b.Why)
	}
	r.must("birth-let-in birth-1 it is slow")
	if r.reaches(stateDone); one.Tags[tagStatus] != working {
		t.Errorf("it says %v", one.Tags)
	}
}

// One that cannot be let in is kept waiting all the same.
func TestALetInThatIsRefused(t *testing.T) {
	r := newRoom(t)
	one := r.fleet.launch("")
	r.fleet.fault = faults["refused"].of(r, "let in i-4")
	r.reaches(stateFailed)
	r.goes(30*time.Minute, nil)
	if b := r.birth(); b.Failed != stateEnter || one.lifecycle != integrations.MemberWaiting {
		t.Fatalf("it is %s, and %s: %s", b.State, one.lifecycle, b.Why)
	}
	r.fleet.fault = nil
	r.must("birth-retry birth-1")
	r.reaches(stateDone)
}

// An end that is refused is no step: it is tried again from where it failed before.
func TestAnEndThatIsRefused(t *testing.T) {
	r := newRoom(t)
	one := r.fleet.launch("")
	one.fails = true
	r.reaches(stateFailed)
	r.fleet.fault = faults["refused"].of(r, "abandon i-4")
	r.must("birth-end birth-1 it is broken")
	r.goes(time.Minute, func() bool { return r.birth().Failures == 2 })
	if b := r.birth(); b.Failures != 2 || b.Failed != stateSteps || !strings.Contains(b.Why, "UnauthorizedOperation") {
		t.Errorf("it failed in %s: %s", b.Failed, b.Why)
	}
	one.fails = false
	r.must("birth-retry birth-1")
	if b := r.reaches(stateDone); b.EndedBy != nil {
		t.Errorf("it says that %s had it ended", b.EndedBy.By.Name)
	}
}

// What a person decides is not overwritten by a step that was under way.
func TestADecisionDuringAStep(t *testing.T) {
	r := newRoom(t)
	r.fleet.launch("").fails = true
	r.reaches(stateFailed)
	r.goes(5*time.Minute, nil)
	before := r.birth()
	before.Warning = "read before" // so that it is written
	r.must("birth-retry birth-1")
	if _, err := r.step(before); !errors.Is(err, errMoved) {
		t.Errorf("it was written over: %v", err)
	}
	if b := r.birth(); b.State != stateSteps || b.Turn != 1 {
		t.Errorf("it is %s, of turn %d", b.State, b.Turn)
	}
}

// The lists say who is born, and what needs somebody comes first.
func TestLists(t *testing.T) {
	r := newRoom(t)
	if got := r.must("births"); got != "No instance was born here yet." {
		t.Error(got)
	}
	r.fleet.launch("").fails = true
	r.reaches(stateFailed)
	r.fleet.launch("")
	r.reaches(stateDone)
	got := r.must("births")
	if first, second, _ := strings.Cut(got, "\n"); !strings.HasPrefix(first, "✋ birth-1 web-4 (i-4) · app · failed · ") || !strings.HasPrefix(second, "✅ birth-2 web-5 (i-5) · app · working · ") {
		t.Error(got)
	}
	r.view(func(tx *store.Tx) error {
		failed, err := Failed(tx)
		going, err2 := Going(tx)
		if err != nil || err2 != nil || len(failed) != 1 || len(going) != 1 || going["i-4"].Plain() != "birth-1 failed" {
			t.Errorf("failed %v, going %v", failed, going)
		}
		return nil
	})
}

// check names the groups that do not wait, with the command that has them wait.
func TestFindings(t *testing.T) {
	r := newRoom(t)
	say := func() string {
		var out []string
		for _, f := range Findings(t.Context(), r.fleet, r.cfg) {
			out = append(out, f.What+": "+f.Say+": "+f.Do)
		}
		return strings.Join(out, "\n")
	}
	if got := say(); !strings.Contains(got, "Births in web (main/ap-northeast-1): new instances wait at the launch hook signalbox-birth") {
		t.Error(got)
	}
	r.fleet.hook.Longest = 10 * time.Minute
	if got := say(); !strings.Contains(got, "AWS lets an instance wait at signalbox-birth for 10m0s at the longest, and the steps of app may take 16m0s") {
		t.Error(got)
	}
	r.fleet.hook = nil
	if got := say(); !strings.Contains(got, "aws autoscaling put-lifecycle-hook --region ap-northeast-1 --auto-scaling-group-name web --lifecycle-hook-name signalbox-birth --lifecycle-transition autoscaling:EC2_INSTANCE_LAUNCHING") {
		t.Error(got)
	}
}

// A script is its words, whatever stands in them.
func TestScripts(t *testing.T) {
	if got, want := appRole.Steps[1].script(), "# signalbox:birth test smoke\nexec '/opt/smoke' 'it'\\''s' 'all'\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestMistakes(t *testing.T) {
	c := Config{Notify: "loud", Roles: []Role{{Name: "app", Hook: "a hook"}, {Name: "worker", Steps: []Step{
		{Name: "two words", Kind: "other", Run: "bin/test", Args: []string{"a\nb"}, Limit: 48 * time.Hour}, {Name: "x", Run: "/x"}, {Name: "x", Run: "/x"},
	}}}}
	err := c.Validate()
	if err == nil {
		t.Fatal("right")
	}
	for _, want := range []string{"notify: ", "roles.app.hook: ", "roles.app.steps: ", "roles.worker.steps[0].name: ", "roles.worker.steps[0].kind: ",
		"roles.worker.steps[0].run: ", "roles.worker.steps[0].args[0]: ", "roles.worker.steps[0].limit: ", "roles.worker.steps[2].name: "} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not said: %v", want, err)
		}
	}
	if err := (Config{Roles: []Role{appRole}}).Validate(); err != nil {
		t.Error(err)
	}
}
