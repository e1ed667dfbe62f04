package deploy

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// The cards of this feature.
const (
	cardOperation  = "operation"
	cardLog        = "job log"
	cardLogFile    = "job log file"
	cardConfirm    = "confirm"
	cardPlan       = "plan"
	cardComment    = "pull comment"
	cardGate       = "gate status"
	cardTarget     = "target status"
	cardDeployment = "deployment"
	cardAttention  = "attention"
	cardAsk        = "approval"
	cardPass       = "pass"
	cardWaived     = "waived"
	cardReview     = "open review"
	cardOpened     = "gate opened"
	cardFinished   = "finished"
	cardPulled     = "pulled"
	cardBots       = "bots"
	cardGraph      = "annotation"
	cardReleases   = "release times"
)

// The places where they stand.
const (
	placeMessage    = "slack.message"
	placeFile       = "slack.file"
	placeComment    = "github.comment"
	placeStatus     = "github.status"
	placeDeployment = "github.deployment"
	placeAnnotation = "mackerel.annotation"
	placeMetric     = "mackerel.metric"
)

func cardID(op string) string { return tell.ID(placeMessage, op, cardOperation) }

// openCard opens the one card of an operation; one without a channel is shown
// on GitHub alone.
func (f *feature) openCard(tx *store.Tx, op *store.Operation) error {
	if op.Channel == "" {
		return nil
	}
	return f.raise(tx, op, integrations.EventOpened, store.Surface{ID: cardID(op.ID), Place: placeMessage, Card: cardOperation, Subject: op.ID})
}

// raise tells of an event of an operation, as the configuration says.
func (f *feature) raise(tx *store.Tx, op *store.Operation, event string, s store.Surface) error {
	return f.raiseOnCall(tx, op, event, false, s)
}

// raiseOnCall is raise; onCall says that somebody is asked who cannot wait for the
// end of the quiet hours.
func (f *feature) raiseOnCall(tx *store.Tx, op *store.Operation, event string, onCall bool, s store.Surface) error {
	to := op.Requester
	if event == integrations.EventWaits && op.Ask != nil && s.Card == cardAsk {
		to = op.Ask.Person
	}
	return tell.Raise(tx, f.Catalog(), f.Clock.Now(), tell.Notice{Surface: s, Event: event, Service: op.Service, Environment: op.Environment,
		Channel: op.Channel, Root: cardID(op.ID), To: gate.ToStore(known(f.Catalog(), to)), OnCall: onCall})
}

// openJobSurfaces opens what shows one apply: the log in the card's thread, the
// whole log as a file at its end, and the deployment on GitHub.
func (f *feature) openJobSurfaces(tx *store.Tx, op *store.Operation, j *store.Job) error {
	if err := f.markBeside(tx, j); err != nil {
		return err
	}
	deployment := store.Surface{ID: tell.ID(placeDeployment, j.ID), Place: placeDeployment, Card: cardDeployment, Subject: j.ID, Where: map[string]string{"repo": j.Repo}}
	if err := tell.Open(tx, deployment); err != nil {
		return err
	}
	if op.Channel == "" {
		return nil
	}
	log := store.Surface{ID: tell.ID(placeMessage, j.ID, cardLog), Place: placeMessage, Card: cardLog, Subject: j.ID}
	if err := f.raise(tx, op, integrations.EventLog, log); err != nil {
		return err
	}
	file := store.Surface{ID: tell.ID(placeFile, j.ID), Place: placeFile, Card: cardLogFile, Subject: j.ID}
	if f.Catalog().Way(op.Service, op.Environment, integrations.EventLogFile) != integrations.WayNone {
		file.Where = map[string]string{"always": "yes"}
	}
	return f.raise(tx, op, integrations.EventLog, file)
}

// openConfirm asks, in a message of its own, about a plan that nobody reviewed.
// Each change set is asked about once.
func (f *feature) openConfirm(tx *store.Tx, op *store.Operation, j *store.Job) error {
	if op.Channel == "" {
		return nil
	}
	digest := recordOf(j).Plans.Digest()
	return f.raise(tx, op, integrations.EventConfirm, store.Surface{
		ID: tell.ID(placeMessage, j.ID, cardConfirm, strconv.Itoa(j.Attempt)), Place: placeMessage, Card: cardConfirm, Subject: j.ID,
		Where: map[string]string{"digest": digest},
	})
}

// openPlanMessage shows a plan that was asked for in chat.
func (f *feature) openPlanMessage(tx *store.Tx, channel, job string) error {
	return tell.Open(tx, store.Surface{ID: tell.ID(placeMessage, job, cardPlan), Place: placeMessage, Card: cardPlan, Subject: job, Where: map[string]string{"channel": channel}})
}

// openStatuses opens the commit statuses of a pull request's head: the one that
// is required, and one for each target.
func (f *feature) openStatuses(tx *store.Tx, p *store.Pull, targets []string) error {
	open := func(card, context, target string) error {
		return tell.Open(tx, store.Surface{
			ID: tell.ID(placeStatus, pullSubject(p.RepoID, p.Number), p.Head, context), Place: placeStatus, Card: card, Subject: pullSubject(p.RepoID, p.Number),
			Where: map[string]string{"repo": p.Repo, "sha": p.Head, "context": context, "target": target},
		})
	}
	if err := open(cardGate, "signalbox/gate", ""); err != nil {
		return err
	}
	for _, t := range targets {
		if err := open(cardTarget, "signalbox/"+t, t); err != nil {
			return err
		}
	}
	return nil
}

// openComment opens the one comment that shows a pull request's plans.
func (f *feature) openComment(tx *store.Tx, p *store.Pull) error {
	return tell.Open(tx, store.Surface{
		ID: tell.ID(placeComment, pullSubject(p.RepoID, p.Number)), Place: placeComment, Card: cardComment, Subject: pullSubject(p.RepoID, p.Number),
		Where: map[string]string{"repo": p.Repo, "pr": strconv.Itoa(p.Number)},
	})
}

// openAttention calls whoever asked, in the card's thread, when a job needs a
// person: an edit of the card makes no phone ring.
func (f *feature) openAttention(tx *store.Tx, op *store.Operation, j *store.Job) error {
	if op.Channel == "" {
		return nil
	}
	event := integrations.EventFailed
	if j.State == store.JobBlocked {
		event = integrations.EventWaits
	}
	return f.raise(tx, op, event, store.Surface{
		ID: tell.ID(placeMessage, j.ID, cardAttention, strconv.Itoa(j.Attempt), j.State), Place: placeMessage, Card: cardAttention, Subject: j.ID,
		Where: map[string]string{"state": j.State, "attempt": strconv.Itoa(j.Attempt)},
	})
}

// showEvery is how often everything that is under way is shown anew. A card tells
// of more than its own operation: of holds, of who is ahead in line, of what came
// since. Each of these marks it when it changes, and this mends what none of them
// thought of. One that reads the same is not edited, but an age in it changes.
const showEvery = 10 * time.Minute

// shownAnew is how many of the newest operations that are over are among them.
const shownAnew = 20

// showAnew marks what shows the live operations, the newest that are over, the
// holds and the open pull requests, each in a transaction of its own.
func (f *feature) showAnew(ctx context.Context) error {
	subjects := map[string]bool{}
	err := f.Store.View(func(tx *store.Tx) error {
		live, err := tx.LiveOperations()
		if err != nil {
			return err
		}
		newest, err := tx.Operations("", shownAnew)
		if err != nil {
			return err
		}
		for _, op := range append(live, newest...) {
			subjects[op.ID] = true
			jobs, err := (subject{op: op}).applies(tx)
			if err != nil {
				return err
			}
			for _, j := range jobs {
				subjects[j.ID] = true
			}
		}
		holds, err := tx.Holds()
		if err != nil {
			return err
		}
		for _, h := range holds {
			subjects[h.ID] = true
		}
		open, err := tx.OpenPulls("")
		for _, p := range open {
			subjects[pullSubject(p.RepoID, p.Number)] = true
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, s := range slices.Sorted(maps.Keys(subjects)) {
		if err := f.Store.Update(ctx, func(tx *store.Tx) error { return tell.Mark(tx, s, false) }); err != nil {
			return fmt.Errorf("show %s anew: %w", s, err)
		}
	}
	return nil
}

func (f *feature) markPull(tx *store.Tx, j *store.Job) error {
	if j.PR == 0 {
		return nil
	}
	return tell.Mark(tx, pullSubject(j.RepoID, j.PR), true)
}

// markPullOf has what shows a pull request and its operation shown anew.
func (f *feature) markPullOf(tx *store.Tx, p *store.Pull) error {
	if p.Operation != "" {
		if err := tell.Mark(tx, p.Operation, true); err != nil {
			return err
		}
	}
	return f.markHead(tx, p)
}
