package deploy

import (
	"context"
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
	last map[string]string // operation -> the gates of time that were closed
}

// timed are the gates that open and close with the clock alone.
var timed = []string{"window", "cool-down", "fresh"}

// waiting looks, every minute, at what waits: an approval is asked for once more,
// a window that opened is said, an open review is brought up.
func (f *feature) waiting(ctx context.Context) error {
	return f.Store.Update(ctx, func(tx *store.Tx) error {
		live, err := tx.LiveOperations()
		if err != nil {
			return err
		}
		for _, op := range live {
			if err := f.waitingOne(tx, op.ID); err != nil {
				return fmt.Errorf("look at what %s waits for: %w", op.ID, err)
			}
		}
		f.times.forget(live)
		open, err := tx.OpenPulls("")
		if err != nil {
			return err
		}
		for _, p := range open {
			if err := f.showPullTimes(tx, p); err != nil {
				return err
			}
		}
		recent, err := tx.Operations("", reviewsLookBack)
		if err != nil {
			return err
		}
		for _, op := range recent {
			if err := f.nagReviews(tx, op); err != nil {
				return err
			}
		}
		return nil
	})
}

// reviewsLookBack is how many of the newest operations are looked through for
// open reviews.
const reviewsLookBack = 200

func (f *feature) waitingOne(tx *store.Tx, id string) error {
	v, err := f.view(tx, id)
	if err != nil {
		return err
	}
	if err := f.unstuck(tx, v.op); err != nil {
		return err
	}
	if v.op.State == store.OpOpen && v.pull != nil {
		before := v.op.Ask
		level := 0
		if before != nil {
			level = before.Level
		}
		if err := f.askApproval(tx, v.op, v.pull); err != nil {
			return err
		}
		if v.op.Ask != nil && (before == nil || v.op.Ask.Level != level) {
			if err := tx.PutOperation(v.op); err != nil {
				return err
			}
		}
	}
	if err := f.showTimes(tx, v); err != nil {
		return err
	}
	for _, j := range v.jobs {
		if j.State == store.JobBlocked {
			if err := f.reopened(tx, v.op, v.pull, j); err != nil {
				return err
			}
		}
	}
	return nil
}

// showTimes has an operation shown anew when a gate of time has opened or closed.
func (f *feature) showTimes(tx *store.Tx, v view) error {
	q := f.question(gate.AtCard, f.Catalog(), v.op, v.pull)
	var closed []string
	for _, c := range gate.Ask(tx, q, timed...) {
		closed = append(closed, c.Gate)
	}
	if !f.times.changed(v.op.ID, strings.Join(closed, " ")) {
		return nil
	}
	if err := f.markOperationPull(tx, v.op); err != nil {
		return err
	}
	return tell.Mark(tx, v.op.ID, true)
}

// showPullTimes does the same for a pull request of people.
func (f *feature) showPullTimes(tx *store.Tx, p *store.Pull) error {
	if p.Operation != "" || len(p.Targets) == 0 {
		return nil
	}
	var closed []string
	for _, c := range f.closedFor(tx, p, nil) {
		if slices.Contains(timed, c.Gate) {
			closed = append(closed, c.Gate)
		}
	}
	if !f.times.changed(pullSubject(p.RepoID, p.Number), strings.Join(closed, " ")) {
		return nil
	}
	return f.markHead(tx, p)
}

func (o *openTimes) changed(op, closed string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	was, seen := o.last[op]
	if o.last == nil {
		o.last = map[string]string{}
	}
	o.last[op] = closed
	return !seen || was != closed // after a restart nobody knows what it showed
}

func (o *openTimes) forget(live []*store.Operation) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for id := range o.last {
		if strings.HasPrefix(id, "op-") && !slices.ContainsFunc(live, func(op *store.Operation) bool { return op.ID == id }) {
			delete(o.last, id)
		}
	}
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
	return tell.Open(tx, store.Surface{ID: id, Place: placeMessage, Card: cardOpened, Subject: j.ID,
		Where: map[string]string{"channel": op.Channel, "under": cardID(op.ID), "attempt": fmt.Sprint(j.Attempt)}})
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
	j, err := tx.Job(s.Subject)
	if err != nil {
		return integrations.Message{}, err
	}
	op, err := tx.Operation(j.Operation)
	if err != nil {
		return integrations.Message{}, err
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
