package deploy

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/commands/runner"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// Each pull request that a promotion ships has a box in its pull request's text,
// which its author ticks there or in Slack. Who has ticked stands in the store;
// the text is brought to agree with it, line by line and by a mark that nobody
// sees, so that what people wrote beside it stays. Our own edits tick nothing: an
// edit is taken in by what differs between the text before it and after it.

// boxes says whether the pull requests that an operation ships have boxes.
func (f *feature) boxes(op *store.Operation) bool {
	env, ok := f.Catalog().Environment(op.Environment)
	return ok && env.Ships != "off" && op.Kind == "deploy" && !op.Rollback
}

// boxMark ends the line of a box. A title cannot hold one: quiet breaks it.
func boxMark(number int) string { return fmt.Sprintf(" <!-- signalbox:ship %d -->", number) }

// boxLine is such a line, as people's editors leave it: before the box, the box,
// after it with the number.
var boxLine = regexp.MustCompile(`(?m)^([ \t]*[-*+] \[)([ xX])(\][^\n]*<!-- signalbox:ship (\d+) -->[ \t\r]*)$`)

// readBoxes tells which boxes of a text are ticked, by the number of their pull
// request. Of one that stands there twice the first counts.
func readBoxes(text string) map[int]bool {
	out := map[int]bool{}
	for _, m := range boxLine.FindAllStringSubmatch(text, -1) {
		n, err := strconv.Atoi(m[4])
		if _, twice := out[n]; err == nil && !twice {
			out[n] = m[2] != " "
		}
	}
	return out
}

// writeBoxes sets the boxes of a text and leaves everything else as it is.
func writeBoxes(text string, want map[int]bool) string {
	return boxLine.ReplaceAllStringFunc(text, func(line string) string {
		m := boxLine.FindStringSubmatch(line)
		n, err := strconv.Atoi(m[4])
		ticked, ours := want[n]
		switch {
		case err != nil || !ours || ticked == (m[2] != " "):
			return line
		case ticked:
			return m[1] + "x" + m[3]
		}
		return m[1] + " " + m[3]
	})
}

// wantedBoxes are the boxes as the store has them.
func wantedBoxes(op *store.Operation) map[int]bool {
	want := map[int]bool{}
	for _, s := range op.Ships {
		if gate.Boxed(s) {
			want[s.Number] = s.Checked != nil
		}
	}
	return want
}

// keepTicks carries the ticks of those that ship still over to what ships now,
// whose text was written with the ticks that are in now.
func keepTicks(was, now []store.Ship) []store.Ship {
	out := append([]store.Ship(nil), now...)
	for i := range out {
		s := &out[i]
		s.Box, s.BoxAt, s.Checked = gate.Boxed(*s) && s.Checked != nil, time.Time{}, nil
		for _, o := range was {
			if o.Number == s.Number && o.Author == s.Author && s.Number > 0 {
				s.Checked, s.BoxAt = o.Checked, o.BoxAt
			}
		}
	}
	return out
}

// ticks are boxes that somebody turned on GitHub with one edit.
type ticks struct {
	by    string // login; "" where nobody can tell
	at    time.Time
	boxes map[int]bool // as they are now, by pull request
}

// ticksOf finds what an edit of a pull request's text turned. Ours turns nothing.
func (f *feature) ticksOf(ctx context.Context, e *integrations.ForgeEvent) (ticks, error) {
	t := ticks{by: e.Sender, at: e.PullRequest.UpdatedAt, boxes: map[int]bool{}}
	if e.Action != "edited" || e.BodyFrom == nil {
		return t, nil
	}
	from := readBoxes(*e.BodyFrom)
	for n, ticked := range readBoxes(e.PullRequest.Body) {
		if was, there := from[n]; there && was != ticked {
			t.boxes[n] = ticked
		}
	}
	if len(t.boxes) == 0 {
		return t, nil
	}
	us, err := f.Forge.Login(ctx)
	if err == nil && strings.EqualFold(us, e.Sender) {
		t.boxes = nil
	}
	return t, err
}

// ticked takes in what was turned on a pull request.
func (f *feature) ticked(tx *store.Tx, pr integrations.PullRequest, t ticks) error {
	if len(t.boxes) == 0 {
		return nil
	}
	p, err := tx.Pull(pr.RepoID, pr.Number)
	if err != nil || p.Operation == "" {
		return err
	}
	op, err := tx.Operation(p.Operation)
	if err != nil || op.Terminal() || !f.boxes(op) {
		return err
	}
	return f.turn(tx, op, t)
}

// turn takes boxes in that were turned on GitHub. One that somebody may not turn
// is turned back.
func (f *feature) turn(tx *store.Tx, op *store.Operation, t ticks) error {
	by := f.Catalog().PersonByGitHub(t.by)
	for i := range op.Ships {
		s := &op.Ships[i]
		now, turned := t.boxes[s.Number]
		if !gate.Boxed(*s) || !turned || t.at.Before(s.BoxAt) { // an older edit than one that is known
			continue
		}
		s.Box, s.BoxAt = now, t.at
		if now == (s.Checked != nil) {
			continue
		}
		row := store.AuditRow{Who: gate.ToStore(by), Act: "checked", Subject: op.ID, Service: op.Service, Environment: op.Environment,
			Outcome: "done", Detail: fmt.Sprintf("#%d by %s", s.Number, s.Author), Via: "github"}
		switch {
		case !f.mayCheck(f.Catalog(), op, *s, by):
			row.Outcome = "refused"
		case now:
			s.Checked = &store.Checked{By: gate.ToStore(by), Via: "github", At: f.Clock.Now()}
		default:
			s.Checked, row.Detail = nil, "taken back: "+row.Detail
		}
		if err := tx.Audit(row); err != nil {
			return err
		}
	}
	return f.boxesChanged(tx, op)
}

// authored says whether a shipped pull request is somebody's own.
func authored(s store.Ship, who integrations.Person) bool {
	return who.GitHub != "" && strings.EqualFold(who.GitHub, s.Author)
}

// mayCheck says whether somebody may turn the box of a shipped pull request: its
// author, and, for them, whoever may deploy or approve there.
func (f *feature) mayCheck(cat *integrations.Catalog, op *store.Operation, s store.Ship, who integrations.Person) bool {
	return authored(s, who) || cat.May(who, "deploy", op.Environment) || cat.May(who, "approve", op.Environment)
}

// boxesChanged stores an operation whose boxes were turned: its text is brought to
// agree, and merged applies that waited for nothing else are asked about again.
func (f *feature) boxesChanged(tx *store.Tx, op *store.Operation) error {
	if err := f.agree(tx, op); err != nil {
		return err
	}
	if len(gate.Unchecked(op)) == 0 {
		if err := f.letOnChecked(tx, op); err != nil {
			return err
		}
	}
	if err := f.markOperationPull(tx, op); err != nil {
		return err
	}
	return f.putOp(tx, op, true)
}

// letOnChecked queues the applies that waited for the boxes alone.
func (f *feature) letOnChecked(tx *store.Tx, op *store.Operation) error {
	all, err := (subject{op: op}).applies(tx)
	if err != nil {
		return err
	}
	for _, j := range all {
		if j.State != store.JobBlocked || len(j.Closed) != 1 || j.Closed[0] != "checked" {
			continue
		}
		j.State, j.Why, j.NotBefore = store.JobQueued, "", time.Time{}
		if err := f.letOn(tx, j); err != nil {
			return err
		}
	}
	return nil
}

// agree queues the edit of a text whose boxes are not those of the store.
func (f *feature) agree(tx *store.Tx, op *store.Operation) error {
	if op.PR == 0 || op.Terminal() || !f.boxes(op) {
		return nil
	}
	for _, s := range op.Ships {
		if gate.Boxed(s) && s.Box != (s.Checked != nil) {
			return f.queueBoxes(tx, op)
		}
	}
	return nil
}

func (f *feature) queueBoxes(tx *store.Tx, op *store.Operation) error {
	_, err := insertFresh(tx, &store.Job{Key: fmt.Sprintf("boxes|%s|%d", op.ID, op.Version), Kind: kindBoxes, Operation: op.ID, Repo: op.Repo, RepoID: op.RepoID,
		PR: op.PR, State: store.JobQueued, Created: f.Clock.Now()})
	return err
}

// turnBoxes has a pull request's text show the boxes as the store has them. What
// people turned there meanwhile, and no webhook told of, is taken in first.
func (f *feature) turnBoxes(ctx context.Context, r *runner.Run) runner.End {
	op, err := f.operation(r.Job.Operation)
	if err != nil {
		return runner.Failed(err)
	}
	if op.Terminal() || op.PR == 0 || !f.boxes(op) {
		return runner.End{State: store.JobNoop}
	}
	pr, err := f.Forge.Pull(ctx, op.Repo, op.PR)
	if err != nil {
		return again(r.Job, err)
	}
	if t := unseen(op, pr); len(t.boxes) > 0 {
		if t.by, err = f.editor(ctx, op); err != nil {
			return again(r.Job, err)
		}
		err := r.Update(ctx, func(tx *store.Tx, _ *store.Job) (err error) {
			if op, err = tx.Operation(op.ID); err != nil {
				return err
			}
			return f.turn(tx, op, t)
		})
		if err != nil {
			return runner.Failed(err)
		}
	}
	want := wantedBoxes(op)
	if text := writeBoxes(pr.Body, want); text != pr.Body {
		if err := f.Forge.UpdatePull(ctx, op.Repo, op.PR, pr.Title, text); err != nil {
			return again(r.Job, err)
		}
	}
	return runner.End{State: store.JobSucceeded, Save: func(tx *store.Tx, _ *store.Job) error {
		now, err := tx.Operation(op.ID)
		if err != nil {
			return err
		}
		for i := range now.Ships {
			s := &now.Ships[i]
			if written, ok := want[s.Number]; ok && gate.Boxed(*s) {
				s.Box = written
			}
		}
		if err := tx.PutOperation(now); err != nil { // nothing that is shown has changed
			return err
		}
		return f.agree(tx, now)
	}}
}

// editor is who edited the text of an operation's pull request last, "" where
// that was us or nobody can tell.
func (f *feature) editor(ctx context.Context, op *store.Operation) (string, error) {
	us, err := f.Forge.Login(ctx)
	if err != nil {
		return "", err
	}
	by, err := f.Forge.BodyEditor(ctx, op.Repo, op.PR)
	if err != nil {
		f.Log.Info("who ticked a box is not known, so that it is turned back", "operation", op.ID, "error", err)
		return nobodyKnown, nil
	}
	if by == "" || strings.EqualFold(by, us) {
		return nobodyKnown, nil
	}
	return by, nil
}

// unseen are the boxes of a text that differ from what was last known of it.
func unseen(op *store.Operation, pr integrations.PullRequest) ticks {
	t := ticks{at: pr.UpdatedAt, boxes: map[int]bool{}}
	shown := readBoxes(pr.Body)
	for _, s := range op.Ships {
		if now, there := shown[s.Number]; there && gate.Boxed(s) && now != s.Box {
			t.boxes[s.Number] = now
		}
	}
	return t
}

// reconcileBoxes queues a look at the boxes of an open pull request that are not
// as they were last known, or not as they should be.
func (f *feature) reconcileBoxes(ctx context.Context, pr integrations.PullRequest) error {
	if !strings.HasPrefix(pr.Branch, "signalbox/") {
		return nil
	}
	look := func(tx *store.Tx) (*store.Operation, error) {
		op, err := f.ownOperation(tx, pr)
		if err != nil || op == nil || op.State != store.OpOpen || !f.boxes(op) {
			return nil, err
		}
		for n, ticked := range wantedBoxes(op) {
			if now, there := readBoxes(pr.Body)[n]; there && now != ticked {
				return op, nil
			}
		}
		if len(unseen(op, pr).boxes) > 0 {
			return op, nil
		}
		return nil, nil
	}
	var found *store.Operation
	err := f.Store.View(func(tx *store.Tx) (err error) { found, err = look(tx); return err })
	if err != nil || found == nil {
		return err
	}
	return f.Store.Update(ctx, func(tx *store.Tx) error {
		op, err := look(tx)
		if err != nil || op == nil {
			return err
		}
		return f.queueBoxes(tx, op)
	})
}
