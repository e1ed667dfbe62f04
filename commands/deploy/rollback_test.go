package deploy

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

func place(service, env string, more ...string) map[string]string {
	args := map[string]string{"subject": service, "environment": env}
	for i := 0; i < len(more); i += 2 {
		args[more[i]] = more[i+1]
	}
	return args
}

// newMain is one more commit on main.
func (w *world) newMain() (sha string) {
	w.forge.do(func() { sha = w.forge.commit("dave"); w.forge.branches["main"] = sha })
	return sha
}

// through takes an operation from its request to its end.
func (w *world) through(id, end string) *store.Operation {
	w.t.Helper()
	op := w.planned(id)
	if op.Environment == "production" {
		w.must("bob", "approve", about(op.ID))
	}
	w.must("alice", "merge", about(op.ID))
	return w.reaches(op.ID, end)
}

func (w *world) ship(env, end string) *store.Operation {
	w.t.Helper()
	// A failure before it left the target dirty; each of these is said to be the fix.
	return w.through(w.must("alice", "deploy", map[string]string{"service": "web", "environment": env, "fix": "true"}).Subject, end)
}

func (w *world) back(args map[string]string) *store.Operation {
	w.t.Helper()
	return w.planned(w.must("alice", "rollback", args).Subject)
}

func (w *world) card(id string) (m integrations.Message) {
	w.t.Helper()
	w.view(func(tx *store.Tx) (err error) {
		m, err = w.f.operationCard(tx, &store.Surface{Subject: id})
		return err
	})
	return m
}

// cardText is all that a card says.
func cardText(m integrations.Message) string {
	var b strings.Builder
	for _, bl := range m.Blocks {
		b.WriteString(bl.Text.Plain() + "\n" + bl.Context.Plain() + "\n")
	}
	return m.Text + "\n" + b.String()
}

func button(m integrations.Message, label string) *integrations.Button {
	for _, bl := range m.Blocks {
		for i := range bl.Buttons {
			if bl.Buttons[i].Label == label {
				return &bl.Buttons[i]
			}
		}
	}
	return nil
}

func (w *world) baseOf(env string) string {
	w.forge.mu.Lock()
	defer w.forge.mu.Unlock()
	return w.forge.branches["deployment/"+env]
}

// wantMade checks the commit that was made for an operation.
func (w *world) wantMade(op *store.Operation, tree string, parents ...string) {
	w.t.Helper()
	w.forge.mu.Lock()
	defer w.forge.mu.Unlock()
	made, ok := w.forge.made[op.Head]
	if !ok {
		w.t.Fatalf("the head %s of %s was not made for it", op.Head, op.ID)
	}
	if made.Tree != tree || !slices.Equal(made.Parents, parents) {
		w.t.Errorf("the head of %s has tree %s and parents %v, want %s and %v", op.ID, made.Tree, made.Parents, tree, parents)
	}
}

func (w *world) tree(sha string) string {
	w.forge.mu.Lock()
	defer w.forge.mu.Unlock()
	return w.forge.tree(sha)
}

// The tree of the last good merge comes back, on top of the base branch.
func TestRollbackBringsTheLastGoodTreeBack(t *testing.T) {
	w := newWorld(t)
	first := w.ship("staging", store.OpSucceeded)
	second := w.newMain()
	bad := w.ship("staging", store.OpSucceeded)
	op := w.back(place("web", "staging", "reason", "the login page is broken"))
	w.wantMade(op, w.tree(first.MergeSHA), bad.MergeSHA)
	if op.Undoes != bad.ID || op.Back != first.ID || !op.Rollback || op.Forward {
		t.Errorf("it undoes %s and brings back %s: %+v", op.Undoes, op.Back, op)
	}
	want := "Roll back web in staging (" + short(second) + " → " + short(first.ToSHA) + ")"
	pr := *w.forge.find(op.PR)
	if pr.Title != want {
		t.Errorf("the title is %q, want %q", pr.Title, want)
	}
	for _, part := range []string{"@alice asked in", "undoes operation `op-2`", "brings back what `op-1` brought", "the login page is broken", "What is taken back", "by @dave"} {
		contains(t, pr.Body, part)
	}
	w.must("alice", "merge", about(op.ID))
	w.reaches(op.ID, store.OpSucceeded)
	if got := w.tree(w.baseOf("staging")); got != w.tree(first.MergeSHA) {
		t.Errorf("the base branch holds %s", got)
	}
}

// After a rollback git would not bring again what it took away: what ships next
// goes forward, by a commit with its tree. What ships after that is as ever.
func TestAfterARollbackAPromotionGoesForward(t *testing.T) {
	w := newWorld(t)
	first := w.ship("staging", store.OpSucceeded)
	second := w.newMain()
	w.ship("staging", store.OpSucceeded)
	undo := w.through(w.back(place("web", "staging")).ID, store.OpSucceeded)

	w.refused("alice", "deploy", "nothing_to_ship", map[string]string{"service": "web", "environment": "staging", "ref": first.ToSHA})
	op := w.planned(w.deploy("alice", "staging").ID) // all of main is in the history of the base branch
	w.wantMade(op, w.tree(second), undo.MergeSHA, second)
	if !op.Forward || op.ToSHA != second || op.Rollback {
		t.Errorf("it is %+v", op)
	}
	if len(op.Ships) == 0 {
		t.Error("what was rolled back is not listed among what ships")
	}
	w.through(op.ID, store.OpSucceeded)
	if got := w.tree(w.baseOf("staging")); got != w.tree(second) {
		t.Errorf("the base branch holds %s", got)
	}
	w.refused("alice", "deploy", "nothing_to_ship", map[string]string{"service": "web", "environment": "staging"})
	third := w.newMain()
	if op = w.ship("staging", store.OpSucceeded); op.Forward || op.Head != third {
		t.Errorf("the next one has head %s, forward %v; want %s", op.Head, op.Forward, third)
	}
}

// What came to main since is taken into a promotion that goes forward by another
// commit on its branch; whoever did so chose that head.
func TestIncludeGoesForwardToo(t *testing.T) {
	w := newWorld(t)
	w.ship("production", store.OpSucceeded)
	w.newMain()
	w.ship("production", store.OpSucceeded)
	w.through(w.back(place("web", "production")).ID, store.OpSucceeded)
	op := w.planned(w.deploy("alice", "production").ID)
	was := op.Head
	third := w.newMain()
	w.must("bob", "include", about(op.ID))
	op = w.op(op.ID, func(o *store.Operation) bool { return o.ToSHA == third && o.Head == o.Made })
	w.wait("planned at the new head", isPlanned(w, op.PR, op.Head))
	w.wantMade(op, w.tree(third), was, third)
	if op.Note != "" {
		t.Errorf("it says: %s", op.Note)
	}
	w.refused("bob", "approve", "own", about(op.ID))
	w.must("alice", "approve", about(op.ID))
	w.must("bob", "merge", about(op.ID))
	w.reaches(op.ID, store.OpSucceeded)
}

// A rollback can be taken back: what it took away comes again. Asked for once
// more without a word of what, it is said who did it already.
func TestARollbackOfARollback(t *testing.T) {
	w := newWorld(t)
	w.ship("staging", store.OpSucceeded)
	w.newMain()
	bad := w.ship("staging", store.OpSucceeded)
	undo := w.through(w.back(place("web", "staging")).ID, store.OpSucceeded)
	_, err := w.say("bob", "rollback", place("web", "staging"))
	var r *commands.Refusal
	if !errors.As(err, &r) || r.Code != "rolled_back" || len(r.Buttons) != 1 || r.Buttons[0].Command != "rollback "+undo.ID {
		t.Fatalf("a second rollback is answered %v with %+v", err, r)
	}
	contains(t, r.What, "op-3")
	op := w.back(about(undo.ID))
	w.wantMade(op, w.tree(bad.MergeSHA), undo.MergeSHA)
	contains(t, w.forge.find(op.PR).Body, "What comes again")
	w.through(op.ID, store.OpSucceeded)
	again := w.back(place("web", "staging", "version", "op-1")) // and it can be gone back from
	if again.Undoes != op.ID || again.Back != "op-1" {
		t.Errorf("it undoes %s and brings back %s", again.Undoes, again.Back)
	}
}

// What was passed over by a rollback is not gone back to unasked.
func TestRollbackPassesOverWhatWasTakenBack(t *testing.T) {
	w := newWorld(t)
	for range 3 {
		w.newMain()
		w.ship("staging", store.OpSucceeded)
	}
	w.through(w.back(place("web", "staging", "version", "op-1")).ID, store.OpSucceeded) // op-2 and op-3 go
	w.newMain()
	w.ship("staging", store.OpSucceeded)
	op := w.back(place("web", "staging"))
	if op.Undoes != "op-5" || op.Back != "op-4" || op.TreeOf != w.op("op-1", nil).MergeSHA {
		t.Errorf("it undoes %s and brings back %s, by the tree of %s", op.Undoes, op.Back, op.TreeOf)
	}
}

func TestRollbackToWhatSomebodyNames(t *testing.T) {
	w := newWorld(t)
	first := w.ship("staging", store.OpSucceeded)
	w.newMain()
	second := w.ship("staging", store.OpSucceeded)
	w.newMain()
	third := w.ship("staging", store.OpSucceeded)
	elsewhere := w.ship("production", store.OpSucceeded)
	for _, word := range []string{first.ID, first.ToSHA, short(first.ToSHA), strings.ToUpper(short(first.MergeSHA)), first.MergeSHA} {
		op := w.back(place("web", "staging", "version", word))
		if op.Back != first.ID || op.Undoes != third.ID {
			t.Errorf("%s: it brings back %s", word, op.Back)
		}
		w.must("alice", "cancel", about(op.ID))
		w.reaches(op.ID, store.OpClosed)
	}
	for word, code := range map[string]string{
		elsewhere.ID: "not_good", elsewhere.MergeSHA: "not_good", "op-99": "not_good", "abc": "not_good", "main": "not_good",
		third.ID: "nothing_to_roll_back", short(third.ToSHA): "nothing_to_roll_back",
	} {
		w.refused("alice", "rollback", code, place("web", "staging", "version", word))
	}
	_, err := w.say("alice", "rollback", place("web", "staging", "version", "v7"))
	var r *commands.Refusal
	if errors.As(err, &r); r == nil || !strings.Contains(r.Hint, second.ID) || !strings.Contains(r.Hint, first.ID) || strings.Contains(r.Hint, third.ID) || r.Example != "rollback web in staging to "+second.ID {
		t.Errorf("it is answered %+v", r)
	}
	w.refused("alice", "rollback", "which_version", place("web", "staging", "reason", "op-1"))
}

// What failed is taken back to the newest that succeeded; the first one to what
// was there before.
func TestRuleAFailureOffersRetryAndRollBack(t *testing.T) {
	w := newWorld(t)
	before := w.baseOf("staging")
	w.tool.set(func(f *fakeTool) { f.fail = errors.New("no") })
	op := w.ship("staging", store.OpFailed)
	var labels []string
	for _, b := range w.card(op.ID).Blocks {
		for _, b := range b.Buttons {
			labels = append(labels, b.Label)
		}
	}
	if !slices.Equal(labels, []string{"Retry", "Roll back", "Log"}) {
		t.Errorf("it offers %v", labels)
	}
	contains(t, button(w.card(op.ID), "Roll back").Confirm, "which was there before the first deploy from here")
	op = w.back(about(op.ID))
	w.wantMade(op, w.tree(before), w.op("op-1", nil).MergeSHA)
	w.must("alice", "cancel", about(op.ID))
	w.reaches(op.ID, store.OpClosed)

	w.tool.set(func(f *fakeTool) { f.fail = nil })
	w.newMain()
	good := w.ship("staging", store.OpSucceeded)
	w.tool.set(func(f *fakeTool) { f.fail = errors.New("no") })
	for range 2 { // two failures in a row
		w.newMain()
		op = w.ship("staging", store.OpFailed)
	}
	back := w.back(about(op.ID))
	if back.Back != good.ID {
		t.Errorf("it goes back to %s, want %s", back.Back, good.ID)
	}
}

// The button's end is worked out beforehand; drawn for something else, or on an
// older operation's card, it is answered.
func TestTheButtonRollsBackWhatItWasDrawnFor(t *testing.T) {
	w := newWorld(t)
	first := w.ship("staging", store.OpSucceeded)
	w.newMain()
	second := w.ship("staging", store.OpSucceeded)
	b := button(w.card(second.ID), "Roll back")
	if b == nil || b.Command != "rollback "+second.ID || b.Version == 0 {
		t.Fatalf("the card has %+v", b)
	}
	contains(t, b.Confirm, "takes web in staging back from "+short(second.ToSHA)+" to "+short(first.ToSHA)+" (op-1 of ")
	if _, err := w.press("bob", "rollback", b.Version+2, about(second.ID)); err == nil {
		t.Error("a button that was drawn for something else opened a rollback")
	}
	w.newMain()
	third := w.ship("staging", store.OpSucceeded)
	if old := button(w.card(second.ID), "Roll back"); old != nil {
		t.Errorf("an older operation's card offers %+v", old)
	}
	_, err := w.press("bob", "rollback", b.Version, about(second.ID))
	var r *commands.Refusal
	if !errors.As(err, &r) || r.Code != "not_newest" || !strings.Contains(r.What, third.ID+" was deployed since") {
		t.Errorf("the old button is answered %v", err)
	}
	b = button(w.card(third.ID), "Roll back")
	reply, err := w.press("bob", "rollback", b.Version, about(third.ID))
	if err != nil {
		t.Fatal(err)
	}
	if op := w.planned(reply.Subject); op.Back != second.ID {
		t.Errorf("it goes back to %s", op.Back)
	}
}

// What was destroyed does not come back with its data, and what others changed
// since was never tried together: the card and the pull request say so.
func TestRollbackWarns(t *testing.T) {
	w := newWorld(t)
	w.ship("production", store.OpSucceeded)
	w.newMain()
	w.tool.set(func(f *fakeTool) {
		f.plan = integrations.Plan{Step: "fake", Destroy: 1, Changes: []integrations.Change{{Address: "db.main", Actions: []string{"delete"}, Hash: "x"}}}
	})
	op := w.planned(w.deploy("alice", "production").ID)
	w.must("bob", "approve", about(op.ID))
	w.must("alice", "merge", map[string]string{"subject": op.ID, "destroys": "web/production"})
	w.reaches(op.ID, store.OpSucceeded)
	w.tool.set(func(f *fakeTool) { f.plan = onePlan("b") })
	contains(t, cardText(w.card(op.ID)), "op-2 destroyed or replaced db.main, and the data in that does not come back")

	pr := w.forge.newPull(integrations.PullRequest{Title: "by hand", Author: "bob", Branch: "hand", Base: "deployment/production", Head: "eee"}, "app/main.go")
	w.hook(pr)
	w.wait("planned", isPlanned(w, pr.Number, "eee"))
	w.forge.do(func() {
		w.forge.reviews[pr.Number] = []integrations.Review{{Author: "alice", State: "APPROVED", Head: "eee"}}
	})
	w.hook(w.forge.mergeAs(pr.Number, "bob"))
	w.reaches("op-3", store.OpSucceeded)
	text := cardText(w.card(op.ID))
	contains(t, text, "op-3 (merge of #3 “by hand” in production) changed web/production since")
	back := w.back(place("web", "production"))
	contains(t, w.forge.find(back.PR).Body, "changed web/production since")
	contains(t, cardText(w.card(back.ID)), "Rolling back may not be enough: op-2 destroyed")
}

// A hold stops a rollback and a dirty target does not; the right is its own; and
// where a second person is wanted, one is.
func TestRuleARollbackSkipsNoHoldAndNoSecondPerson(t *testing.T) {
	w := newWorld(t)
	w.ship("production", store.OpSucceeded)
	w.newMain()
	last := w.ship("production", store.OpSucceeded)
	w.refused("dave", "rollback", "not_allowed", about(last.ID))
	hold := &store.Hold{ID: "hold-1", Kind: store.HoldHold, Service: "web", Environment: "production", Owner: store.Person{Name: "bob", Slack: "UB"}, Reason: "a migration", Created: w.clock.Now()}
	w.update(func(tx *store.Tx) error { return tx.PutHold(hold, 0) })
	w.refused("alice", "rollback", "hold", place("web", "production"))
	w.update(func(tx *store.Tx) error {
		if err := tx.DeleteHold("hold-1", hold.Version); err != nil {
			return err
		}
		return tx.PutHold(&store.Hold{ID: "hold-2", Kind: store.HoldDirty, Target: "web/production", Reason: "half applied", Created: w.clock.Now()}, 0)
	})
	w.refused("alice", "deploy", "nothing_to_ship", map[string]string{"service": "web", "environment": "production"})
	op := w.back(place("web", "production"))
	w.refused("alice", "approve", "own", about(op.ID))
	w.refused("alice", "merge", "approvals", about(op.ID))
	w.must("bob", "merge", about(op.ID))
	w.reaches(op.ID, store.OpSucceeded)
}

// A rollback that waited behind a deploy goes on if that is what it was to take
// back, and is closed with a word if something else came to the base branch.
func TestARollbackThatWaited(t *testing.T) {
	w := newWorld(t)
	first := w.ship("staging", store.OpSucceeded)
	w.newMain()
	hold := make(chan struct{})
	op := w.planned(w.deploy("alice", "staging").ID)
	early := w.must("bob", "rollback", place("web", "staging", "queue", "true")).Subject // of op-1, behind op-2
	w.refused("bob", "rollback", "reserved", place("web", "staging"))
	w.tool.set(func(f *fakeTool) { f.gate = hold })
	w.must("alice", "merge", about(op.ID))
	w.op(op.ID, func(o *store.Operation) bool { return o.MergeSHA != "" })
	late := w.must("bob", "rollback", place("web", "staging", "queue", "true")).Subject // of op-2, while it is applied
	w.tool.set(func(f *fakeTool) { f.gate = nil })
	close(hold)
	w.reaches(op.ID, store.OpSucceeded)
	contains(t, w.reaches(early, store.OpClosed).Note, "op-2 was deployed since this was asked for")
	if got := w.planned(late); got.Undoes != op.ID || got.Back != first.ID {
		t.Errorf("it undoes %s and brings back %s", got.Undoes, got.Back)
	}
}

// The commit is made once for all that points to it: a lost reply leaves one
// that nothing points to, and a later attempt takes the one that is written down.
func TestRollbackMakesOneHead(t *testing.T) {
	for _, at := range []string{"CreateCommit answer", "CreateBranch", "OpenPull", "OpenPull answer"} {
		t.Run(at, func(t *testing.T) {
			w := newWorld(t)
			w.ship("staging", store.OpSucceeded)
			w.newMain()
			w.ship("staging", store.OpSucceeded)
			w.forge.do(func() { w.forge.errs[at] = errors.New("the line is dead") })
			id := w.must("alice", "rollback", place("web", "staging")).Subject
			w.wait("it is to be tried again", func(tx *store.Tx) (bool, error) {
				all, err := tx.JobsOf(id)
				return len(all) > 0 && all[0].State == store.JobQueued && all[0].Error != "", err
			})
			w.forge.do(func() { delete(w.forge.errs, at) })
			op := w.planned(id)
			w.forge.mu.Lock()
			made, pulls := len(w.forge.made), len(w.forge.pulls)
			w.forge.mu.Unlock()
			if at != "CreateCommit answer" && made != 1 || op.Head != op.Made || pulls != 3 {
				t.Errorf("%d commits, %d pull requests, head %s, made %s", made, pulls, op.Head, op.Made)
			}
		})
	}
}

// A push to a rollback's branch is said and drops approvals; a push back to the
// head that we made is that head again.
func TestAPushToARollback(t *testing.T) {
	w := newWorld(t)
	w.ship("production", store.OpSucceeded)
	w.newMain()
	w.ship("production", store.OpSucceeded)
	op := w.back(place("web", "production"))
	w.must("bob", "approve", about(op.ID))
	for _, head := range []string{"eee", op.Made} {
		w.hook(w.forge.edit(op.PR, func(p *integrations.PullRequest) { p.Head = head }))
		w.wait("planned at "+head, isPlanned(w, op.PR, head))
		note := w.op(op.ID, nil).Note
		contains(t, note, map[bool]string{false: "Somebody pushed to the branch: ", true: "as it was asked for"}[head == op.Made])
	}
}
