package terraform

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/integrationstest"
	"github.com/signalbox-chatops/signalbox/integrations/kit/proc"
)

const pair = `
variable "password" {
  type      = string
  sensitive = true
}
resource "terraform_data" "one" {
  input = "one ${var.password}"
}
resource "terraform_data" "two" {
  depends_on = [terraform_data.one]
}
`

// offered is the only offer of an error.
func offered(t testing.TB, err error, kind string) integrations.Offer {
	t.Helper()
	offers := integrations.Offers(err)
	if len(offers) != 1 || offers[0].Kind != kind {
		t.Fatalf("it offers %+v, of %v", offers, err)
	}
	o := offers[0]
	if o.Key == "" || o.Label == "" || o.Words == "" || o.Confirm == "" || !strings.Contains(err.Error(), o.Words) {
		t.Errorf("it says too little: %+v, of %v", o, err)
	}
	return o
}

// The lock of somebody else is told, and released when a person says so: that very lock,
// and no other that is held by then.
func TestALockOfSomebodyElseIsReleasedWhenAsked(t *testing.T) {
	m := newModule(t)
	a, b := m.http(pair)
	_, planned := m.plan(a)
	b.lockAs("lock-1")
	r, _ := m.run()
	_, err := a.Plan(t.Context(), r)
	o := offered(t, err, offerUnlock)
	if o.Key != "lock-1" || !strings.Contains(o.Words, "lock lock-1") || strings.Contains(o.Words, "since") || o.Retry != "" {
		t.Errorf("it offers %+v", o)
	}
	if told := explain(err); strings.Contains(told, "OperationTypePlan") || strings.Contains(told, "-lock=false") || !strings.Contains(told, "ID=lock-1") {
		t.Errorf("it tells of its own lock, or not of the other: %s", told)
	}
	if err := a.Apply(t.Context(), planned); errors.Is(err, integrations.ErrUnknown) || offered(t, err, offerUnlock) != o {
		t.Errorf("an apply that meets it: %v", err)
	}
	probe, err := a.Probe(t.Context(), r)
	if err != nil || len(probe.Offers) != 1 || probe.Offers[0] != o || !strings.Contains(probe.Text, "The state is locked (lock lock-1)") || !strings.Contains(probe.Text, "would still change +2 ~0 -0") {
		t.Errorf("the probe says %+v (%v)", probe, err)
	}
	if b.locked() != "lock-1" {
		t.Fatal("it was released, and nobody had asked")
	}

	b.lockAs("lock-2")
	r, _ = m.run()
	if _, err := a.Mend(t.Context(), r, o); !errors.Is(err, integrations.ErrOutdated) || offered(t, err, offerUnlock).Key != "lock-2" {
		t.Errorf("of another lock it says %v", err)
	}
	if b.locked() != "lock-2" || b.frees != 1 { // the plan before all this gave its own back
		t.Fatalf("it released %q of somebody else", b.locked())
	}
	b.lockAs("lock-1")
	r, e := m.run()
	for range 2 { // the second as after a restart
		if did, err := a.Mend(t.Context(), r, o); err != nil || did != "The state's lock lock-1 was released." {
			t.Fatalf("it says %q, %v", did, err)
		}
	}
	if _, effects := e.Ran(); effects != 1 || b.frees != 2 || b.locked() != "" {
		t.Errorf("%d effects, %d releases, and %q holds it", effects, b.frees, b.locked())
	}
	r, e = m.run()
	if did, err := a.Mend(t.Context(), r, o); err != nil || did != "Nobody holds the state's lock any more." {
		t.Errorf("of what is released already it says %q, %v", did, err)
	}
	if _, effects := e.Ran(); effects != 0 {
		t.Error("it released it again")
	}
	m.apply(a)
}

// errored is an apply whose backend died in the middle.
func (m *module) errored(a *Applier, b *backend) (integrations.Run, error) {
	m.t.Helper()
	_, r := m.plan(a)
	b.do(func() { b.dead = false })
	b.stop("POST before")
	done := make(chan error, 1)
	go func() { done <- a.Apply(m.t.Context(), r) }()
	<-b.came
	b.do(func() { b.dead = true })
	b.release()
	err := <-done
	b.do(func() { b.dead = false })
	return r, err
}

// again is another run that is about what an earlier one left.
func (m *module) again(of integrations.Run) (integrations.Run, *integrationstest.Exec) {
	r, e := m.run()
	r.Keep = of.Keep
	return r, e
}

// A state that could not be saved is kept, told of without a word of what is in it, and
// pushed when a person says so.
func TestAStateThatCouldNotBeSaved(t *testing.T) {
	m := newModule(t)
	a, b := m.http("output \"first\" {\n value = 1\n}\nvariable \"password\" {}\n")
	m.apply(a) // so that the state has a lineage
	a, b = m.over(b, pair)
	r, err := m.errored(a, b)
	if !errors.Is(err, integrations.ErrUnknown) {
		t.Fatalf("the apply: %v", err)
	}
	o := offered(t, err, offerSave)
	if !strings.HasPrefix(o.Words, "the state was not saved: Failed to upload state: POST "+b.url) || !strings.HasSuffix(o.Words, "; 2 resources are in it") || o.Retry == "" {
		t.Errorf("it offers %+v", o)
	}
	kept := filepath.Join(r.Keep, erroredState)
	info, err2 := os.Stat(kept)
	if err2 != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("what was kept: %v (%v)", info, err2)
	}
	if told := err.Error() + o.Confirm + r.Exec.(*integrationstest.Exec).Left(t); strings.Contains(told, "hunter22") || strings.Contains(told, `"resources"`) {
		t.Errorf("the state is told: %s", told)
	}
	probed, _ := m.again(r)
	if probe, err := a.Probe(t.Context(), probed); err != nil || probe.Clean || len(probe.Offers) != 1 || probe.Offers[0].Key != o.Key || !strings.Contains(probe.Text, "The state was not saved; 2 resources are in it.") {
		t.Errorf("the probe says %+v (%v)", probe, err)
	}

	writes := b.writes
	mend, e := m.again(r)
	for range 2 { // the second as after a restart
		if did, err := a.Mend(t.Context(), mend, o); err != nil || did != "The state was saved." {
			t.Fatalf("it says %q, %v", did, explain(err))
		}
	}
	if _, effects := e.Ran(); effects != 1 || b.writes != writes+1 || !strings.Contains(b.text(), "one hunter22") {
		t.Errorf("%d effects, %d writes: %s", effects, b.writes-writes, b.text())
	}
	if strings.Contains(e.Left(t), "hunter22") {
		t.Errorf("the state is in a log: %s", e.Left(t))
	}
	if exists(kept) {
		t.Error("the state is kept although it is saved")
	}
	probed, _ = m.again(r)
	if probe, err := a.Probe(t.Context(), probed); err != nil || !probe.Clean || len(probe.Offers) > 0 {
		t.Errorf("the probe says %+v (%v)", probe, err)
	}
}

// over is the module with another body, its state where it was.
func (m *module) over(b *backend, body string) (*Applier, *backend) {
	m.t.Helper()
	a, _ := m.http(body)
	a.c.Backend = b.settings()
	return a, b
}

// unsavedPair is such a state, offered.
func unsavedPair(t *testing.T) (*module, *Applier, *backend, integrations.Run, integrations.Offer) {
	m := newModule(t)
	a, b := m.http("variable \"password\" {}\noutput \"first\" {\n value = 1\n}\n")
	m.apply(a)
	a, b = m.over(b, pair)
	r, err := m.errored(a, b)
	return m, a, b, r, offered(t, err, offerSave)
}

// What was kept does not go over what somebody has written since, whether we or Terraform
// find that, and what is there already is not pushed again.
func TestAKeptStateThatIsLate(t *testing.T) {
	m, a, b, r, o := unsavedPair(t)
	before := b.text()
	for _, c := range []struct {
		name string
		now  func(kept string) string
		ours bool
		want string
	}{
		{"written since", func(kept string) string {
			return strings.Replace(strings.Replace(kept, "one hunter22", "another", 1), `"serial": 2`, `"serial": 9`, 1)
		}, true, "its serial is 9 and that of what was kept"},
		{"another lineage", func(kept string) string {
			return strings.Replace(strings.Replace(kept, `"lineage": "`, `"lineage": "0`, 1), `"serial": 2`, `"serial": 1`, 1)
		}, false, "lineage"},
	} {
		kept, err := os.ReadFile(filepath.Join(r.Keep, erroredState))
		if err != nil {
			t.Fatal(err)
		}
		b.do(func() { b.state = []byte(c.now(string(kept))) })
		there, writes := b.text(), b.writes
		if there == string(kept) {
			t.Fatalf("%s: nothing was changed in %s", c.name, kept)
		}
		mend, _ := m.again(r)
		_, err = a.Mend(t.Context(), mend, o)
		if err == nil || errors.Is(err, integrations.ErrOutdated) != c.ours || !strings.Contains(explain(err), c.want) || strings.Contains(explain(err), "\x1b") {
			t.Errorf("%s: it says %s", c.name, explain(err))
		}
		if b.text() != there || b.writes != writes || !exists(filepath.Join(r.Keep, erroredState)) {
			t.Errorf("%s: it went over it, or was forgotten", c.name)
		}
	}
	b.do(func() { b.state = []byte(before) })
	mend, _ := m.again(r)
	other := o
	other.Key = "another"
	if _, err := a.Mend(t.Context(), mend, other); !errors.Is(err, integrations.ErrOutdated) {
		t.Errorf("of another state than was offered it says %v", err)
	}
	if _, err := a.Mend(t.Context(), mend, integrations.Offer{Kind: "melt"}); err == nil {
		t.Error("it does what it never offered")
	}
}

// errKilled is the death of the bot at a boundary.
var errKilled = errors.New("the bot is killed here")

// boundary is an Exec whose bot dies before or after the effect.
type boundary struct {
	integrations.Exec
	after bool
}

func (x boundary) Effect(ctx context.Context, name string, c integrations.Command) (integrations.Output, error) {
	if !x.after {
		return integrations.Output{}, errKilled
	}
	if out, err := x.Exec.Effect(ctx, name, c); err != nil {
		return out, err
	}
	return integrations.Output{}, errKilled
}

// Wherever the bot is killed on the way, what was asked for happens once.
func TestAMendIsKilledAtEachBoundary(t *testing.T) {
	for _, after := range []bool{false, true} {
		m, a, b, r, o := unsavedPair(t)
		writes := b.writes
		mend, e := m.again(r)
		mend.Exec = boundary{e, after}
		if _, err := a.Mend(t.Context(), mend, o); !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		mend.Exec = e
		if did, err := a.Mend(t.Context(), mend, o); err != nil || did != "The state was saved." || b.writes != writes+1 || exists(mend.Keep) {
			t.Errorf("save, after %v: %q, %v, %d writes", after, did, err, b.writes-writes)
		}
		b.lockAs("lock-1")
		_, err := a.Plan(t.Context(), func() integrations.Run { r, _ := m.run(); return r }())
		o, frees := offered(t, err, offerUnlock), b.frees
		r, e = m.run()
		r.Exec = boundary{e, after}
		if _, err := a.Mend(t.Context(), r, o); !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		r.Exec = e
		if did, err := a.Mend(t.Context(), r, o); err != nil || did != "The state's lock lock-1 was released." || b.frees != frees+1 {
			t.Errorf("unlock, after %v: %q, %v, %d releases", after, did, err, b.frees-frees)
		}
	}
}

// kill begins a mend, kills its command when the backend has got a request, and lets the
// backend go on.
func kill(t *testing.T, a *Applier, b *backend, at string, r integrations.Run, o integrations.Offer) {
	t.Helper()
	b.stop(at)
	done := make(chan error, 1)
	go func() {
		_, err := a.Mend(t.Context(), r, o)
		done <- err
	}()
	<-b.came
	if err := proc.Kill(r.Exec.(*integrationstest.Exec).Current()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, integrations.ErrUnknown) {
		t.Errorf("killed at %q it says %v", at, err)
	}
}

// A command that is killed before it had an effect is done when it is asked for again;
// after it had, it is found done. A push that is killed leaves its own lock, which is
// offered in turn.
func TestACommandOfAMendIsKilled(t *testing.T) {
	m, a, b, r, o := unsavedPair(t)
	mend, _ := m.again(r)
	writes := b.writes
	kill(t, a, b, "LOCK after", mend, o)
	b.release()
	mend, _ = m.again(r)
	_, err := a.Mend(t.Context(), mend, o)
	if first := offered(t, err, offerUnlock); first.Key != b.locked() || b.writes != writes || !exists(mend.Keep) {
		t.Errorf("a push that had only locked offers %+v, %d writes", first, b.writes-writes)
	}
	b.do(func() { b.lock = nil })
	mend, _ = m.again(r)
	kill(t, a, b, "POST after", mend, o)
	b.release()
	mend, e := m.again(r)
	if did, err := a.Mend(t.Context(), mend, o); err != nil || did != "The state was saved already." || b.writes != writes+1 {
		t.Errorf("a push that had come through: %q, %v, %d writes", did, err, b.writes-writes)
	}
	if _, effects := e.Ran(); effects != 0 || exists(mend.Keep) {
		t.Errorf("%d effects, or it is kept still", effects)
	}

	left := b.locked()
	run, _ := m.run()
	_, err = a.Plan(t.Context(), run)
	unlock := offered(t, err, offerUnlock)
	if unlock.Key != left || left == "" {
		t.Errorf("the lock of a push that was killed is %q, and it offers %+v", left, unlock)
	}
	run, _ = m.run()
	frees := b.frees
	kill(t, a, b, "UNLOCK after", run, unlock)
	b.release()
	run, e = m.run()
	if did, err := a.Mend(t.Context(), run, unlock); err != nil || did != "Nobody holds the state's lock any more." {
		t.Errorf("a release that had come through: %q, %v", did, err)
	}
	if _, effects := e.Ran(); effects != 0 || b.locked() != "" || b.frees != frees+2 { // the look took and gave it back
		t.Errorf("%d effects, %q holds it, %d releases", effects, b.locked(), b.frees-frees)
	}
}

// A push that meets a lock offers that, and comes through after it.
func TestAPushMeetsALock(t *testing.T) {
	m, a, b, r, o := unsavedPair(t)
	b.lockAs("lock-7")
	mend, _ := m.again(r)
	_, err := a.Mend(t.Context(), mend, o)
	unlock := offered(t, err, offerUnlock)
	if unlock.Key != "lock-7" || strings.Contains(explain(err), "\x1b") {
		t.Errorf("it says %s", explain(err))
	}
	run, _ := m.again(r)
	if _, err := a.Mend(t.Context(), run, unlock); err != nil {
		t.Fatal(explain(err))
	}
	mend, _ = m.again(r)
	if did, err := a.Mend(t.Context(), mend, o); err != nil || did != "The state was saved." {
		t.Errorf("it says %q, %v", did, err)
	}
}

// What stands in the work tree under that name and is no file is not followed.
func TestALinkIsNotKept(t *testing.T) {
	m := newModule(t)
	m.write(pair)
	outside := filepath.Join(t.TempDir(), "shadow")
	if err := os.WriteFile(outside, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	r, _ := m.run()
	if err := os.Symlink(outside, filepath.Join(m.tree, "network", "production", erroredState)); err != nil {
		t.Fatal(err)
	}
	err := m.step(nil).Apply(t.Context(), r) // there is no plan file
	if !errors.Is(err, integrations.ErrUnknown) || len(integrations.Offers(err)) > 0 || exists(r.Keep) {
		t.Errorf("an apply beside a link: %v", err)
	}
}
