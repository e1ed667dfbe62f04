package deploy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// shipped merges a pull request of somebody to main, which the next deploy ships.
func (w *world) shipped(author, title string) (number int) {
	w.forge.do(func() {
		p := w.forge.add(integrations.PullRequest{Title: title, Author: author, Branch: "feature-" + title, Base: "main"}, "app/main.go")
		number = p.Number
		w.forge.merge(w.forge.find(number), author)
	})
	return number
}

// edits is somebody's edit of a pull request's text on GitHub, and its webhook if
// that arrives.
func (w *world) edits(who string, n int, change func(string) string, arrives bool) {
	w.t.Helper()
	var from string
	pr := w.forge.edit(n, func(p *integrations.PullRequest) {
		from, p.Body = p.Body, change(p.Body)
		w.forge.editors[n] = who
	})
	if arrives {
		w.edited(who, pr, from)
	}
}

func (w *world) edited(sender string, pr integrations.PullRequest, from string) {
	w.t.Helper()
	act, err := w.f.onPull(w.t.Context(), commands.Happening{Catalog: w.cat,
		Forge: &integrations.ForgeEvent{Action: "edited", Sender: sender, PullRequest: &pr, BodyFrom: &from}})
	if err != nil {
		w.t.Fatal(err)
	}
	w.update(func(tx *store.Tx) error { _, err := act(tx); return err })
}

// tick turns one box of a text, as GitHub's page does, whose editor ends lines so.
func tick(n int, to string) func(string) string {
	return func(text string) string {
		lines := strings.Split(text, "\n")
		for i, l := range lines {
			if strings.Contains(l, boxMark(n)) {
				_, rest, _ := strings.Cut(l, "] ")
				lines[i] = "- [" + to + "] " + strings.TrimSuffix(rest, "\r") + "\r"
			}
		}
		return strings.Join(lines, "\n")
	}
}

func (w *world) body(n int) string {
	w.forge.mu.Lock()
	defer w.forge.mu.Unlock()
	return w.forge.find(n).Body
}

// checked waits until an operation's boxes are so, in the store and on GitHub:
// "#2 by alice via slack".
func (w *world) checked(id string, want ...string) {
	w.t.Helper()
	var got []string
	w.wait(fmt.Sprintf("%s is checked: %v", id, want), func(tx *store.Tx) (bool, error) {
		op, err := tx.Operation(id)
		if err != nil {
			return false, err
		}
		got = nil
		shown := readBoxes(w.body(op.PR))
		for _, s := range op.Ships {
			if s.Checked != nil {
				got = append(got, fmt.Sprintf("#%d by %s via %s", s.Number, gate.FromStore(s.Checked.By).Display(), s.Checked.Via))
			}
			if gate.Boxed(s) && (shown[s.Number] != (s.Checked != nil) || s.Box != shown[s.Number]) {
				return false, nil
			}
		}
		return slices.Equal(got, want), nil
	})
}

// directs are the messages of a card to people, by their Slack id.
func (w *world) directs(op, card string) map[string]string {
	w.t.Helper()
	out := map[string]string{}
	w.view(func(tx *store.Tx) error {
		all, err := tx.SurfacesOf(op)
		for _, s := range all {
			if s.Card != card {
				continue
			}
			m, err := w.f.cards()[card](tx, s)
			if err != nil {
				return err
			}
			if out[s.Where["channel"]] != "" {
				w.t.Errorf("%s is told twice", s.Where["channel"])
			}
			out[s.Where["channel"]] = m.Text
		}
		return err
	})
	return out
}

func gated(t *testing.T) *world {
	w := newWorld(t)
	for i := range w.cat.Environments {
		w.cat.Environments[i].Ships, w.cat.Environments[i].TellAuthors = "gate", true
	}
	return w
}

func ships(subject, number string) map[string]string {
	return map[string]string{"subject": subject, "ships": number}
}

// A box is ticked on GitHub or in Slack, by its author or by whoever may for them;
// the text of the pull request agrees.
func TestBoxesAreTickedInBothPlaces(t *testing.T) {
	w := gated(t)
	a, c, r := w.shipped("alice", "One"), w.shipped("carol", "Two <!-- signalbox:ship 9 -->"), w.shipped("renovate[bot]", "Three")
	op := w.planned(w.deploy("alice", "staging").ID)
	contains(t, w.body(op.PR), fmt.Sprintf("- [ ] #%d One by @alice (1 commit) <!-- signalbox:ship %d -->\n", a, a))
	contains(t, w.body(op.PR), fmt.Sprintf("- #%d Three by @renovate[bot] (1 commit)\n", r))
	if got := readBoxes(w.body(op.PR)); len(got) != 2 {
		t.Fatalf("the boxes are %v", got)
	}

	w.edits("carol", op.PR, func(s string) string { return tick(c, "x")("Beside it.\r\n" + s) }, true)
	w.checked(op.ID, fmt.Sprintf("#%d by carol via github", c))
	w.must("alice", "checked", about(op.ID))
	w.checked(op.ID, fmt.Sprintf("#%d by alice via slack", a), fmt.Sprintf("#%d by carol via github", c))
	contains(t, w.body(op.PR), "Beside it.\r\n") // what people wrote stays
	w.refused("alice", "checked", "already", about(op.ID))

	w.edits("carol", op.PR, tick(c, " "), true) // she takes it back
	w.checked(op.ID, fmt.Sprintf("#%d by alice via slack", a))
	w.refused("carol", "checked", "not_yours", ships(op.ID, fmt.Sprint("#", a)))
	w.refused("bob", "checked", "not_yours", about(op.ID))
	w.refused("bob", "checked", "not_shipped", ships(op.ID, "#4711"))
	w.refused("bob", "checked", "not_shipped", ships(op.ID, fmt.Sprint("#", r))) // nobody's
	contains(t, w.must("bob", "checked", ships(op.ID, fmt.Sprint("#", c))).Private.Text, fmt.Sprintf("You checked #%d for carol", c))
	w.checked(op.ID, fmt.Sprintf("#%d by alice via slack", a), fmt.Sprintf("#%d by bob via slack", c))

	w.edits("mallory", op.PR, tick(a, " "), true) // who may not: it is turned back
	w.checked(op.ID, fmt.Sprintf("#%d by alice via slack", a), fmt.Sprintf("#%d by bob via slack", c))
}

// Our own edits tick nothing, also when they are told of late; what no webhook
// told of is found, with who did it.
func TestTicksThatNoWebhookToldOf(t *testing.T) {
	w := gated(t)
	a, c := w.shipped("alice", "One"), w.shipped("carol", "Two")
	op := w.planned(w.deploy("alice", "staging").ID)
	w.cat.People = append(w.cat.People, integrations.Person{Name: "robot", GitHub: "signalbox"}) // who would be let do it
	w.cat.Groups["deployers"] = append(w.cat.Groups["deployers"], "robot")
	before := w.body(op.PR)
	pr, err := w.forge.Pull(t.Context(), repo, op.PR)
	if err != nil {
		t.Fatal(err)
	}
	pr.Body = tick(a, "x")(before)
	w.edited("signalbox", pr, before)
	w.checked(op.ID)

	reconcile := func() {
		t.Helper()
		if err := w.f.reconcile(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	w.edits("carol", op.PR, tick(c, "x"), false)
	reconcile()
	w.checked(op.ID, fmt.Sprintf("#%d by carol via github", c))
	w.edits("carol", op.PR, tick(a, "x"), false) // she may not deploy, so it is none of hers
	reconcile()
	w.checked(op.ID, fmt.Sprintf("#%d by carol via github", c))
	w.forge.do(func() { w.forge.errs["BodyEditor"] = errors.New("GitHub is away") })
	w.edits("alice", op.PR, tick(a, "x"), false) // nobody can tell who
	reconcile()
	w.checked(op.ID, fmt.Sprintf("#%d by carol via github", c))
	jobs := len(w.jobs(kindBoxes))
	reconcile()
	if now := len(w.jobs(kindBoxes)); now != jobs {
		t.Errorf("%d looks where nothing had changed", now-jobs)
	}
}

// Where the environment says so, the merge waits; each author is asked once, and
// told once when it is live.
func TestTheMergeWaitsForTheBoxes(t *testing.T) {
	w := gated(t)
	a, c := w.shipped("alice", "One"), w.shipped("carol", "Two")
	w.shipped("renovate[bot]", "Three")
	w.shipped("mallory", "Four") // whom nobody has linked
	op := w.planned(w.deploy("alice", "staging").ID)
	asked := w.directs(op.ID, cardCheck)
	if len(asked) != 2 {
		t.Fatalf("asked are %v", asked)
	}
	contains(t, asked["UC"], fmt.Sprintf("with your #%d “Two”. Have you checked it?", c))
	w.refused("alice", "merge", "checked", about(op.ID))
	w.must("alice", "checked", about(op.ID))
	contains(t, w.directs(op.ID, cardCheck)["UA"], "It is checked.")

	later := w.shipped("carol", "Five")
	w.must("alice", "include", about(op.ID))
	op = w.op(op.ID, func(o *store.Operation) bool { return len(o.Ships) > 0 && len(shippedBySomebody(o, "carol")) == 2 })
	w.planned(op.ID)
	w.checked(op.ID, fmt.Sprintf("#%d by alice via slack", a))
	contains(t, w.directs(op.ID, cardCheck)["UC"], fmt.Sprintf("#%d “Five”", later)) // the same message
	w.must("carol", "checked", about(op.ID))
	w.refused("alice", "merge", "checked", about(op.ID))
	for _, s := range shippedBySomebody(op, "mallory") {
		w.must("alice", "checked", ships(op.ID, fmt.Sprint(s.Number)))
	}
	w.must("alice", "merge", about(op.ID))
	w.reaches(op.ID, store.OpSucceeded)
	live := w.directs(op.ID, cardLive)
	if want := fmt.Sprintf("Your #%d “Two”, #%d “Five” are live in staging, with %s.", c, later, op.ID); live["UC"] != want || len(live) != 2 {
		t.Errorf("told are %v, want %q", live, want)
	}
	w.update(func(tx *store.Tx) error { // once, also when it is stored again
		o, err := tx.Operation(op.ID)
		if err != nil {
			return err
		}
		return w.f.putOp(tx, o, true)
	})
	w.directs(op.ID, cardLive)

	back := w.must("alice", "rollback", about(op.ID)).Subject
	w.planned(back)
	if text := w.body(w.op(back, nil).PR); len(readBoxes(text)) > 0 {
		t.Errorf("a rollback has boxes: %s", text)
	}
	w.must("alice", "merge", about(back))
	w.reaches(back, store.OpSucceeded)
	if told := w.directs(back, cardLive); len(told) > 0 {
		t.Errorf("a rollback tells %v", told)
	}
}

func shippedBySomebody(op *store.Operation, login string) (out []store.Ship) {
	for _, s := range op.Ships {
		if s.Author == login {
			out = append(out, s)
		}
	}
	return out
}

// A merge on GitHub that skipped the boxes waits for them, and goes on by the last.
func TestAMergeOnGitHubWaitsForTheBoxes(t *testing.T) {
	w := gated(t)
	w.shipped("alice", "One")
	op := w.planned(w.deploy("alice", "staging").ID)
	w.hook(w.forge.mergeAs(op.PR, "bob"))
	if j := w.apply(op.ID, store.JobBlocked); !slices.Equal(j.Closed, []string{"checked"}) {
		t.Fatalf("it is closed by %v", j.Closed)
	}
	w.must("alice", "checked", about(op.ID))
	w.apply(op.ID, store.JobSucceeded)
}

// Where boxes are only shown nobody is asked or kept, and off has none.
func TestBoxesThatAreOnlyShown(t *testing.T) {
	for _, how := range []string{"", "show", "off"} {
		w := newWorld(t)
		w.cat.Environments[0].Ships = how
		w.shipped("alice", "One")
		op := w.planned(w.deploy("alice", "staging").ID)
		if has := len(readBoxes(w.body(op.PR))) > 0; has == (how == "off") {
			t.Errorf("ships: %q: boxes are there: %v", how, has)
		}
		var card integrations.Message
		w.view(func(tx *store.Tx) (err error) {
			s, err := tx.Surface(cardID(op.ID))
			if err != nil {
				return err
			}
			card, err = w.f.operationCard(tx, s)
			return err
		})
		if has := strings.Contains(fmt.Sprint(card), "☐ "); has == (how == "off") {
			t.Errorf("ships: %q: the card shows boxes: %v", how, has)
		}
		if how == "off" {
			w.refused("alice", "checked", "no_boxes", about(op.ID))
		}
		if asked := w.directs(op.ID, cardCheck); len(asked) > 0 {
			t.Errorf("ships: %q: asked are %v", how, asked)
		}
		w.must("alice", "merge", about(op.ID))
		w.reaches(op.ID, store.OpSucceeded)
		if told := w.directs(op.ID, cardLive); len(told) > 0 {
			t.Errorf("ships: %q: told are %v", how, told)
		}
		w.stop()
	}
}
