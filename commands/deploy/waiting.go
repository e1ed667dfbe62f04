package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// openTimes remembers how the windows and cool-downs of each live operation
// stood, so that it is shown anew when one opens or closes.
type openTimes struct {
	mu   sync.Mutex
	last map[string]string // operation or pull request -> the gates of time that were closed
}

// timed are the gates that open and close without anybody doing anything to the
// operation: with the clock, or by what becomes of another one.
var timed = []string{"window", "cool-down", "fresh", "promotion"}

// waiting looks, every minute, at what waits: an approval is asked for once more,
// a window that opened is said, an open review is brought up. Each has a
// transaction of its own, so that a fault in one keeps no other waiting.
func (f *feature) waiting(ctx context.Context) error {
	var live []*store.Operation
	var open []*store.Pull
	var reviews []string
	err := f.Store.View(func(tx *store.Tx) (err error) {
		if live, err = tx.LiveOperations(); err != nil {
			return err
		}
		if open, err = tx.OpenPulls(""); err != nil {
			return err
		}
		reviews, err = openReviews(tx)
		return err
	})
	if err != nil {
		return err
	}
	f.times.forget(live, open)
	var errs []error
	each := func(what string, do func(tx *store.Tx) (stood, error)) {
		if ctx.Err() != nil {
			return
		}
		var s stood
		err := f.Store.Update(ctx, func(tx *store.Tx) (err error) { s, err = do(tx); return err })
		if err != nil {
			errs = append(errs, fmt.Errorf("look at what %s waits for: %w", what, err))
			return
		}
		f.times.keep(s) // only what is stored was shown
	}
	for _, op := range live {
		each(op.ID, func(tx *store.Tx) (stood, error) { return f.waitingOne(tx, op.ID) })
	}
	for _, p := range open {
		each(fmt.Sprintf("%s#%d", p.Repo, p.Number), func(tx *store.Tx) (stood, error) { return f.showPullTimes(tx, p.RepoID, p.Number) })
	}
	for _, id := range reviews {
		each(id, func(tx *store.Tx) (stood, error) { return stood{}, f.nagReviews(tx, id) })
	}
	return errors.Join(append(errs, ctx.Err())...)
}

func (f *feature) waitingOne(tx *store.Tx, id string) (stood, error) {
	v, err := f.view(tx, id)
	if err != nil {
		return stood{}, err
	}
	if err := f.unstuck(tx, v.op); err != nil {
		return stood{}, err
	}
	if v.op.State == store.OpOpen && v.pull != nil {
		before := v.op.Ask
		level := 0
		if before != nil {
			level = before.Level
		}
		if err := f.askApproval(tx, v.op, v.pull); err != nil {
			return stood{}, err
		}
		if err := f.selfMergeOf(tx, v.pull); err != nil {
			return stood{}, err
		}
		if v.op.Ask != nil && (before == nil || v.op.Ask.Level != level) {
			if err := tx.PutOperation(v.op); err != nil {
				return stood{}, err
			}
		}
	}
	for _, j := range v.jobs {
		if j.State == store.JobBlocked {
			if err := f.reopened(tx, v.op, v.pull, j); err != nil {
				return stood{}, err
			}
		}
	}
	return f.showTimes(tx, v)
}

// showTimes has an operation shown anew when a gate of time has opened or closed.
func (f *feature) showTimes(tx *store.Tx, v view) (stood, error) {
	q := f.question(gate.AtCard, f.Catalog(), v.op, v.pull)
	var closed []string
	for _, c := range gate.Ask(tx, q, timed...) {
		closed = append(closed, c.Gate)
	}
	now := stood{v.op.ID, strings.Join(closed, " ")}
	if !f.times.changed(now) {
		return now, nil
	}
	if err := f.markOperationPull(tx, v.op); err != nil {
		return now, err
	}
	return now, tell.Mark(tx, v.op.ID, true)
}

// showPullTimes does the same for a pull request of people.
func (f *feature) showPullTimes(tx *store.Tx, repoID int64, number int) (stood, error) {
	p, err := tx.Pull(repoID, number)
	if err != nil || p.State != "open" || p.Operation != "" || len(p.Targets) == 0 {
		return stood{}, err
	}
	var closed []string
	for _, c := range f.closedFor(tx, p, nil) {
		if slices.Contains(timed, c.Gate) {
			closed = append(closed, c.Gate)
		}
	}
	now := stood{pullSubject(p.RepoID, p.Number), strings.Join(closed, " ")}
	if !f.times.changed(now) {
		return now, nil
	}
	return now, f.markHead(tx, p)
}

// stood is how the gates of time stood of an operation or a pull request.
type stood struct{ subject, closed string }

func (o *openTimes) changed(now stood) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	was, seen := o.last[now.subject]
	return !seen || was != now.closed // after a restart nobody knows what it showed
}

func (o *openTimes) keep(now stood) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.last == nil {
		o.last = map[string]string{}
	}
	if now.subject != "" {
		o.last[now.subject] = now.closed
	}
}

// forget drops what is over.
func (o *openTimes) forget(live []*store.Operation, open []*store.Pull) {
	there := map[string]bool{}
	for _, op := range live {
		there[op.ID] = true
	}
	for _, p := range open {
		there[pullSubject(p.RepoID, p.Number)] = true
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for id := range o.last {
		if !there[id] {
			delete(o.last, id)
		}
	}
}

// promoted has the operations shown anew that wait for a service to have run in
// another environment first, when an operation there is over.
func (f *feature) promoted(tx *store.Tx, over *store.Operation) error {
	if over.Service == "" {
		return nil
	}
	live, err := tx.LiveOperations()
	if err != nil {
		return err
	}
	for _, op := range live {
		env, _ := f.Catalog().Environment(op.Environment)
		if op.Service != over.Service || env.After != over.Environment {
			continue
		}
		if err := errors.Join(tell.Mark(tx, op.ID, true), f.markOperationPull(tx, op)); err != nil {
			return err
		}
	}
	return nil
}

// clockGates are those that keep a merged job waiting until a time.
var clockGates = []string{"window", "cool-down"}

// byTime says whether a blocked job waits for a time and for nothing else.
func byTime(j *store.Job) bool {
	return len(j.Closed) > 0 && !slices.ContainsFunc(j.Closed, func(g string) bool { return !slices.Contains(clockGates, g) })
}

// reopened looks whether the windows or the cool-down that a blocked job waited
// for are over. It starts by itself only where the environment says so; else
// somebody is asked, once for each time that it was blocked.
func (f *feature) reopened(tx *store.Tx, op *store.Operation, p *store.Pull, j *store.Job) error {
	if j.Unread && f.Clock.Now().Sub(j.Updated) >= unreadWait {
		return f.startOver(tx, j, "what could not be read is read again")
	}
	if !byTime(j) {
		return nil
	}
	q, _ := f.applyQuestion(gate.AtCard, op, p, j)
	if len(gate.Ask(tx, q, clockGates...)) > 0 {
		return nil
	}
	if env, _ := f.Catalog().Environment(op.Environment); env.OnOpen == "run" {
		return f.startOver(tx, j, "what it waited for is over")
	}
	if op.Channel == "" {
		return nil
	}
	id := tell.ID(placeMessage, j.ID, cardOpened, j.Waited.UTC().Format(time.RFC3339))
	if _, err := tx.Surface(id); err == nil {
		return nil // it was asked
	}
	return f.raise(tx, op, integrations.EventWaits, store.Surface{ID: id, Place: placeMessage, Card: cardOpened, Subject: j.ID,
		Where: map[string]string{"attempt": fmt.Sprint(j.Attempt)}})
}

// unreadWait is how long after a job was blocked because something could not be
// read that is read again. Nobody decided that it has to wait.
const unreadWait = time.Minute

// startOver queues a blocked job by itself; it asks every gate again.
func (f *feature) startOver(tx *store.Tx, j *store.Job, why string) error {
	j.State, j.Why, j.NotBefore = store.JobQueued, why, time.Time{}
	if err := tx.PutJob(j); err != nil {
		return err
	}
	row := store.AuditRow{Who: j.Requester, Act: "job " + j.Kind, Subject: j.ID, Target: j.Target, Outcome: j.State, Detail: j.Why, Via: "clock"}
	if err := tx.Audit(row); err != nil {
		return err
	}
	return f.applyChanged(tx, j, true)
}

// openedCard asks whether what waited for a window is to start now.
func (f *feature) openedCard(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	j, op, err := jobAndOperation(tx, s.Subject)
	if err != nil {
		return integrations.Message{}, err
	}
	if overBefore(s, j.State != store.JobBlocked) {
		return integrations.Message{Hold: true}, nil
	}
	text := integrations.R(integrations.Who(known(f.Catalog(), op.Requester)), ": what ", integrations.Bold(j.Target), " waited for is over")
	if j.State != store.JobBlocked {
		text = integrations.R(text, "; since then ", j.ID, " is ", j.State, ".")
		return integrations.Message{Text: op.ID + " " + text.Plain(), Blocks: []integrations.Block{{Text: text}}}, nil
	}
	text = integrations.R(text, ". It does not start by itself.")
	return integrations.Message{Text: op.ID + " " + text.Plain(), Blocks: []integrations.Block{{Text: text}, {Buttons: []integrations.Button{
		{Label: "Retry", Command: "retry " + j.ID, Style: "primary"},
		{Label: "Cancel", Command: "cancel " + j.ID, Confirm: "Drop this apply? The merge stays."},
	}}}}, nil
}
