package deploy

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/runner"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// A lock of somebody who is gone, as a step meets it, and a state that it could not save.
func gone(key string) integrations.Offer {
	return integrations.Offer{Kind: "unlock", Key: key, Label: "Release it", Words: "the thing is locked by eve (" + key + ")", Confirm: "Release " + key + "?"}
}

var unsaved = integrations.Offer{Kind: "save", Key: "s1", Label: "Save it", Words: "the thing was not saved", Confirm: "Save it?", Retry: "it would be made again"}

func met(offers ...integrations.Offer) error {
	return &integrations.Mendable{Offers: offers, Err: &integrations.CommandError{Step: "fake plan", Code: 1, Tail: "Error: locked"}}
}

// answers has a mend end with this.
func (w *world) answers(did string, err error) {
	w.tool.set(func(t *fakeTool) { t.mend = func(context.Context) (string, error) { return did, err } })
}

// waits has a mend end well when it is let go.
func (w *world) waits(did string) (release func()) {
	hold := make(chan struct{})
	w.tool.set(func(t *fakeTool) {
		t.mend = func(ctx context.Context) (string, error) {
			select {
			case <-hold:
				return did, nil
			case <-ctx.Done():
				return "", ctx.Err()
			}
		}
	})
	return func() { close(hold) }
}

func (w *world) taken() []string {
	var keys []string
	w.tool.set(func(t *fakeTool) { keys = slices.Clone(t.mends) })
	return keys
}

// shown waits until an operation's card says something, and returns it.
func (w *world) shown(op, part string) integrations.Message {
	w.t.Helper()
	var m integrations.Message
	w.wait(fmt.Sprintf("the card of %s says %q", op, part), func(tx *store.Tx) (bool, error) {
		var err error
		m, err = w.f.operationCard(tx, &store.Surface{Subject: op})
		return err == nil && strings.Contains(cardText(m), part), err
	})
	return m
}

// offers waits until an operation's card offers to release something.
func (w *world) offers(op string) (b *integrations.Button) {
	w.t.Helper()
	w.wait("the card of "+op+" offers it", func(tx *store.Tx) (bool, error) {
		m, err := w.f.operationCard(tx, &store.Surface{Subject: op})
		b = button(m, "Release it")
		return b != nil, err
	})
	return b
}

// mend waits for the newest job that sets something right, and its message.
func (w *world) mend(state string) (*store.Job, integrations.Message) {
	w.t.Helper()
	var j *store.Job
	w.wait("a mend is "+state, func(*store.Tx) (bool, error) {
		all := w.jobs(kindMend)
		if len(all) == 0 {
			return false, nil
		}
		j = all[len(all)-1]
		return j.State == state, nil
	})
	var m integrations.Message
	w.view(func(tx *store.Tx) (err error) {
		m, err = w.f.mendCard(tx, &store.Surface{Subject: j.ID})
		return err
	})
	return j, m
}

// What a plan met stands on the card with a button, which does exactly that, for those
// who may, and once.
func TestAnOfferIsTakenUpByWhoMay(t *testing.T) {
	w := newWorld(t)
	w.tool.set(func(t *fakeTool) { t.planFail = met(gone("lock-1")) })
	op := w.deploy("alice", "production")
	b := w.offers(op.ID)
	if b.Confirm != "Release lock-1?" || b.Version == 0 {
		t.Fatalf("its button is %+v", b)
	}
	verb, rest, _ := strings.Cut(b.Command, " ")
	job, what, _ := strings.Cut(rest, " ")
	args := map[string]string{"subject": job, "what": what}
	w.refused("dave", verb, "not_allowed", args)
	w.refused("carol", verb, "not_allowed", args)
	w.refused("bob", verb, "nothing_to_mend", map[string]string{"subject": job, "what": "save"})
	if _, err := w.press("bob", verb, b.Version+1, args); !isRefusal(err, "stale") {
		t.Fatalf("a button of another lock: %v", err)
	}
	if len(w.taken()) > 0 || len(w.jobs(kindMend)) > 0 {
		t.Fatal("it was done, and nobody who may had asked")
	}
	release := w.waits("It was released.")
	if _, err := w.press("bob", verb, b.Version, args); err != nil {
		t.Fatal(err)
	}
	m := w.shown(op.ID, "is at it, as bob asked: Release it.")
	if button(m, "Release it") != nil {
		t.Error("it is offered twice")
	}
	w.refused("alice", verb, "mending", args)
	release()
	j, post := w.mend(store.JobSucceeded)
	contains(t, cardText(post), "Release it, as bob asked; the thing is locked by eve (lock-1) · succeeded")
	contains(t, cardText(post), "It was released.")
	contains(t, cardText(w.shown(op.ID, "It was released.")), j.ID)
	if !slices.Equal(w.taken(), []string{"lock-1"}) || !j.Locks || j.Requester.Name != "bob" || w.audited("job mend", j.ID) < 2 {
		t.Errorf("it took up %q as %+v", w.taken(), j)
	}
	w.refused("bob", verb, "mended", args)
	w.tool.set(func(t *fakeTool) { t.planFail = nil })
	w.must("alice", "plan", about(op.ID))
	w.planned(op.ID)
}

func isRefusal(err error, code string) bool {
	var r *commands.Refusal
	return errors.As(err, &r) && r.Code == code
}

// An apply whose state was not saved is unknown. It is not tried again while that is so,
// unless somebody says so knowingly, nor settled while it is being set right; then it is
// looked at again.
func TestWhatAnApplyDidNotSaveIsSavedFirst(t *testing.T) {
	w := newWorld(t)
	w.tool.set(func(t *fakeTool) {
		t.fail = &integrations.Mendable{Offers: []integrations.Offer{unsaved}, Err: fmt.Errorf("%w: fake apply: exit code 1", integrations.ErrUnknown)}
		t.offers = []integrations.Offer{unsaved, gone("lock-1")}
	})
	op := w.mergedStill("staging")
	from := w.apply(op.ID, store.JobUnknown)
	if from.Why != "the thing was not saved" {
		t.Errorf("it says %q", from.Why)
	}
	m := w.shown(op.ID, "looked")
	contains(t, cardText(m), "did not put down what it changed, so web/staging stays locked: the thing was not saved.")
	if b := button(m, "Retry"); b == nil || !strings.Contains(b.Confirm, "Mind: it would be made again.") || b.Version != stampOf("s1") {
		t.Errorf("its retry is %+v", b)
	}
	if button(m, "Save it") == nil || button(m, "Release it") == nil {
		t.Error("it does not offer what its probe saw")
	}
	w.refused("alice", "resolve", "harm", map[string]string{"subject": from.ID, "outcome": "retry"})
	w.refused("alice", "mend", "several", about(op.ID))
	w.tool.set(func(t *fakeTool) { t.offers = nil })
	release := w.waits("It was saved.")
	w.must("alice", "mend", map[string]string{"subject": op.ID, "what": "save"})
	w.refused("alice", "resolve", "mending", map[string]string{"subject": from.ID, "outcome": "failed"})
	release()
	j, _ := w.mend(store.JobSucceeded)
	var kept string
	w.tool.set(func(t *fakeTool) { kept = t.kept })
	if want := filepath.Join(runner.KeepDir(from), "step-1"); kept != want || j.Locks || j.WorkDir == from.WorkDir {
		t.Errorf("it had %s, not %s, as %+v", kept, want, j)
	}
	w.wait("it was looked at again", func(*store.Tx) (bool, error) {
		probes := w.jobs(kindProbe)
		return len(probes) == 2 && probes[1].State == store.JobSucceeded, nil
	})
	m = w.shown(op.ID, "It was saved.")
	if button(m, "Save it") != nil || button(m, "Release it") != nil {
		t.Error("it offers what is not there any more")
	}
	if b := button(m, "Retry"); b == nil || b.Version != 0 {
		t.Errorf("its retry is %+v", b)
	}
	w.tool.set(func(t *fakeTool) { t.fail = nil })
	w.must("alice", "resolve", map[string]string{"subject": from.ID, "outcome": "retry"})
	w.reaches(op.ID, store.OpSucceeded)
	w.refused("alice", "mend", "nothing_to_mend", about(op.ID))
}

// Whoever knows better may have it tried again all the same; said to be failed, its
// target is dirty, and the warning stays with the retry.
func TestWhatWasNotSavedIsLeftKnowingly(t *testing.T) {
	w := newWorld(t)
	w.tool.set(func(t *fakeTool) {
		t.fail = &integrations.Mendable{Offers: []integrations.Offer{unsaved}, Err: integrations.ErrUnknown}
		t.offers = []integrations.Offer{unsaved}
	})
	op := w.mergedStill("staging")
	from := w.apply(op.ID, store.JobUnknown)
	w.shown(op.ID, "looked")
	w.must("alice", "resolve", map[string]string{"subject": from.ID, "outcome": "failed"})
	if len(w.dirty("web/staging")) != 1 {
		t.Error("its target is not dirty")
	}
	m := w.shown(op.ID, "The thing was not saved.")
	b := button(m, "Retry")
	if b == nil || !strings.Contains(b.Confirm, "Mind: it would be made again.") {
		t.Fatalf("its retry is %+v", b)
	}
	w.refused("alice", "retry", "harm", about(op.ID))
	w.tool.set(func(t *fakeTool) { t.fail = nil })
	if _, err := w.press("alice", "retry", b.Version, about(from.ID)); err != nil {
		t.Fatal(err)
	}
	w.reaches(op.ID, store.OpSucceeded)
}

// What is no longer as it was offered is not done, and what is there now is offered; an
// interrupted one is asked for again.
func TestAMendThatDoesNotWork(t *testing.T) {
	w := newWorld(t)
	w.tool.set(func(t *fakeTool) { t.planFail = met(gone("lock-1")) })
	op := w.deploy("alice", "staging")
	w.offers(op.ID)
	w.answers("", &integrations.Mendable{Offers: []integrations.Offer{gone("lock-2")}, Err: integrations.ErrOutdated})
	w.must("bob", "mend", about(op.ID))
	_, post := w.mend(store.JobFailed)
	contains(t, cardText(post), "It is not as it was when this was offered; the thing is locked by eve (lock-2).")
	if b := button(w.shown(op.ID, "locked by eve (lock-2)"), "Release it"); b == nil || b.Confirm != "Release lock-2?" || b.Version != stampOf("lock-2") {
		t.Errorf("its button is %+v", b)
	}
	w.answers("", fmt.Errorf("%w: fake unlock", integrations.ErrUnknown))
	first := w.jobs(kindMend)
	w.must("bob", "mend", about(op.ID))
	w.wait("the second is over", func(*store.Tx) (bool, error) {
		all := w.jobs(kindMend)
		return len(all) == len(first)+1 && all[len(all)-1].Terminal(), nil
	})
	_, post = w.mend(store.JobFailed)
	contains(t, cardText(post), "when it is asked for again, it looks first whether it came through")
	w.answers("It was released.", nil)
	w.must("bob", "mend", about(op.ID))
	w.mend(store.JobSucceeded)
	if got := w.taken(); !slices.Equal(got, []string{"lock-1", "lock-2", "lock-2"}) {
		t.Errorf("it took up %q", got)
	}
}

// An offer is good for the attempt that made it: what a later one met takes its place,
// and a job that waits to take it up does not begin.
func TestAnOfferEndsWithItsAttempt(t *testing.T) {
	j := &store.Job{ID: "job-1", State: store.JobFailed, Attempt: 1}
	rec := record{}
	rec.offer(offered{Offer: gone("a"), Attempt: 1})
	rec.offer(offered{Offer: gone("b"), Attempt: 1})
	if err := setRecord(j, rec); err != nil {
		t.Fatal(err)
	}
	if got := offersOf(j); len(got) != 1 || got[0].Key != "b" {
		t.Errorf("it offers %+v", got)
	}
	for _, change := range []func(){func() { j.State = store.JobRunning }, func() { j.State, j.Attempt = store.JobFailed, 2 }} {
		if change(); len(offersOf(j)) > 0 {
			t.Errorf("as %+v it offers %+v", j, offersOf(j))
		}
	}
	w := newWorld(t)
	w.update(func(tx *store.Tx) error {
		j.Key, j.Kind, j.Target, j.Version = "k", kindApply, "web/staging", 0
		if err := tx.PutJob(j); err != nil {
			return err
		}
		m := &store.Job{}
		if err := setRecord(m, record{From: "job-1", Mend: &offered{Offer: gone("b"), Attempt: 1}}); err != nil {
			return err
		}
		v, err := w.f.mendGate(tx, m, nil)
		if v.State != store.JobCancelled {
			t.Errorf("it begins: %+v", v)
		}
		return err
	})
}

// What only a plan met is set right with no more than a plan may.
func TestAMendHasTheCredentialsOfTheRunThatOfferedIt(t *testing.T) {
	target := integrations.Target{
		PlanEnv:  map[string]integrations.Secret{"WHO": integrations.NewSecret("reader")},
		ApplyEnv: map[string]integrations.Secret{"WHO": integrations.NewSecret("writer")},
	}
	for kind, want := range map[string]string{kindApply: "writer", kindPlan: "reader", kindDrift: "reader"} {
		if env := credentials(target, &store.Job{Kind: kind}); env["WHO"].Reveal() != want {
			t.Errorf("of %s it has those of the %s", kind, env["WHO"].Reveal())
		}
	}
}
