package deploy

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// driftedWorld has found a drift at a/production.
func driftedWorld(t *testing.T) (w *world, id string) {
	w, _ = driftWorld(t)
	w.plans("a/production", integrations.Plan{Step: "fake", Change: 2, Changes: []integrations.Change{
		{Address: "thing.a", Actions: []string{"update"}, Hash: "x"}, {Address: `thing.b["|`, Actions: []string{"delete", "create"}, Hash: "y"}}})
	w.tick(0)
	w.looked("a/production")
	return w, w.drift("a/production")
}

func (w *world) episode(id string) (e episode) {
	w.t.Helper()
	w.view(func(tx *store.Tx) (err error) {
		e, _, err = store.Feature[episode](tx, episodeFeature).Get(id)
		return err
	})
	return e
}

func (w *world) recorded(id string, n int) recorded {
	w.t.Helper()
	w.wait("the drift is on record", func(tx *store.Tx) (bool, error) {
		e, _, err := store.Feature[episode](tx, episodeFeature).Get(id)
		return e.Records == n, err
	})
	return *w.episode(id).Record
}

func buttonsOf(m integrations.Message) (out []integrations.Button) {
	for _, b := range m.Blocks {
		out = append(out, b.Buttons...)
	}
	return out
}

var onA = map[string]string{"target": "a/production"}

// A drift is put on record by one pull request, which holds a file outside of the
// target's paths, is assigned to who pressed, and is found by the second press.
func TestADriftIsPutOnRecord(t *testing.T) {
	w, id := driftedWorld(t)
	w.refused("alice", "record-drift", "not_drifted", map[string]string{"target": "b/production"})
	w.refused("carol", "record-drift", "not_allowed", onA)
	if b := buttonsOf(w.driftMessage(id)); len(b) < 2 || b[1].Label != "Open a PR" || b[1].Command != "record-drift a/production" {
		t.Fatalf("its buttons are %+v", b)
	}
	w.must("alice", "record-drift", onA)
	pull := w.recorded(id, 1)
	pr := *w.forge.find(pull.Number)
	if pr.Branch != "signalbox/"+id+"-1" || pr.Base != "main" || strings.Join(w.forge.assigned[pr.Number], ",") != "alice" {
		t.Errorf("it is %+v, assigned to %v", pr, w.forge.assigned[pr.Number])
	}
	contains(t, pr.Title, "a/production has drifted (+0 ~2 -0)")
	for _, part := range []string{"@alice asked", "`.signalbox/drift/a/production.md`", "/ops reapply a/production", "applies nothing"} {
		contains(t, pr.Body, part)
	}
	file := w.forge.pins[pr.Head]
	for _, part := range []string{"# a/production has drifted", "| `thing.a` | update |", "| `thing.b[\"¦` | delete, create |", "- drift: " + id} {
		contains(t, file, part)
	}
	m := w.driftMessage(id)
	contains(t, m.Text, "On record in "+pull.String()+", opened for alice: open.")
	if b := buttonsOf(m)[1]; b.Label != "Pull request" || b.URL != pr.URL {
		t.Errorf("its button is %+v", b)
	}
	r := w.must("bob", "record-drift", onA) // the second press
	contains(t, r.Private.Text, pull.String()+" records that already, opened for alice")
	if e := w.episode(id); e.Records != 1 {
		t.Errorf("%d were opened", e.Records)
	}

	// Closed while the drift goes on, there can be another one; the branch of the
	// first is deleted.
	w.hook(w.forge.edit(pr.Number, func(p *integrations.PullRequest) { p.State = "closed" }))
	contains(t, w.driftMessage(id).Text, "opened for alice: closed.")
	w.wait("its branch is deleted", func(*store.Tx) (bool, error) { return w.forge.gone(pr.Branch), nil })
	w.must("bob", "record-drift", onA)
	second := w.recorded(id, 2)
	if second.Number == pull.Number || w.forge.find(second.Number).Branch != "signalbox/"+id+"-2" {
		t.Errorf("the second is %+v", second)
	}
	w.plans("a/production", integrations.Plan{})
	w.tick(2 * time.Hour)
	w.looked("a/production")
	contains(t, w.driftMessage(id).Text, "is as it was merged again")
	contains(t, w.driftMessage(id).Text, "On record in "+second.String())
}

// An answer that was lost, and two at once, make one pull request.
func TestADriftIsPutOnRecordOnce(t *testing.T) {
	w, id := driftedWorld(t)
	w.forge.do(func() { w.forge.errs["OpenPull answer"] = errors.New("connection reset") })
	open := make(chan struct{})
	reached := make(chan struct{}, 8)
	w.forge.do(func() { w.forge.before["OpenPull"] = func() { reached <- struct{}{}; <-open } })
	w.must("alice", "record-drift", onA)
	<-reached
	contains(t, w.must("bob", "record-drift", onA).Private.Text, "being opened already, for alice")
	close(open)
	w.wait("it is tried again", func(tx *store.Tx) (bool, error) {
		j, err := tx.JobByKey("record|signalbox/" + id + "-1")
		return err == nil && j.Attempt > 0 && j.State == store.JobQueued, err
	})
	w.forge.do(func() { delete(w.forge.errs, "OpenPull answer") })
	w.advance(time.Minute)
	pull := w.recorded(id, 1)
	n := 0
	for _, p := range w.forge.list(func(p *integrations.PullRequest) bool { return strings.HasPrefix(p.Branch, "signalbox/drift-") }) {
		if n++; p.Number != pull.Number {
			t.Errorf("another one is #%d", p.Number)
		}
	}
	if n != 1 {
		t.Errorf("%d were opened", n)
	}
}

// What cannot be opened is said in the message, and can be asked for again.
func TestADriftThatCannotBePutOnRecord(t *testing.T) {
	w, id := driftedWorld(t)
	w.forge.do(func() { w.forge.errs["CreateBranch"] = integrations.ErrMoved })
	w.must("alice", "record-drift", onA)
	w.wait("it failed", func(tx *store.Tx) (bool, error) {
		e, _, err := store.Feature[episode](tx, episodeFeature).Get(id)
		return e.RecordError != "", err
	})
	m := w.driftMessage(id)
	contains(t, m.Text, "The pull request could not be opened: ")
	if b := buttonsOf(m)[1]; b.Label != "Open a PR" {
		t.Errorf("its button is %+v", b)
	}
	w.forge.do(func() { delete(w.forge.errs, "CreateBranch") })
	w.must("bob", "record-drift", onA)
	if pull := w.recorded(id, 1); pull.By.Name != "bob" {
		t.Errorf("it is %+v", pull)
	}
	if e := w.episode(id); e.RecordError != "" {
		t.Errorf("it says still %q", e.RecordError)
	}
}

// A pull request of people on such a branch's name is no operation, and a target
// whose paths take in everything is named.
func TestTheRecordNamesTargetsThatTakeInItsFile(t *testing.T) {
	w, _ := driftedWorld(t)
	target, _ := w.cat.Target("web/staging")
	body := w.f.recordBody(target, "signalbox/drift-9-1", recordFile(target.Name), episode{Target: target.Name}, integrations.Person{Name: "alice"})
	contains(t, body, "The paths of web/staging take in this file")
	for name, want := range map[string]string{"web/production": ".signalbox/drift/web/production.md", "../../x": ".signalbox/drift/x.md", "a b/..": ".signalbox/drift/a-b.md"} {
		if got := recordFile(name); got != want {
			t.Errorf("%s is recorded in %s", name, got)
		}
	}
	var r *commands.Refusal
	if _, err := w.say("alice", "record-drift", map[string]string{"target": "nowhere"}); !errors.As(err, &r) || r.Code != "unknown_target" {
		t.Errorf("a record of nothing: %v", err)
	}
}
