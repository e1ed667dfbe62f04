package statuspage

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/runner"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// A job of this kind posts one notice. It can be killed anywhere: that it tries is written
// down before it does, and a run that finds it written looks for the nonce first. It sends
// again only what a look did not find, some time after the answer was lost.

type jobData struct {
	Notice string `json:"notice"`
	Turn   int    `json:"turn"`
}

func begin(tx *store.Tx, n *Notice) error {
	data, err := json.Marshal(jobData{n.ID, n.Turn})
	if err != nil {
		return err
	}
	_, _, err = tx.InsertJob(&store.Job{Key: fmt.Sprintf("%s turn %d", n.ID, n.Turn), Kind: kind, State: store.JobQueued, Data: data})
	return err
}

func (f *feature) run(ctx context.Context, r *runner.Run) runner.End {
	var data jobData
	if err := json.Unmarshal(r.Job.Data, &data); err != nil {
		return runner.Failed(fmt.Errorf("read what %s is for: %w", r.Job.ID, err))
	}
	again, err := f.step(ctx, data)
	switch {
	case ctx.Err() != nil, errors.Is(err, errMoved):
		return runner.End{State: store.JobQueued, Uncounted: true}
	case err != nil:
		return runner.End{State: store.JobQueued, Uncounted: true, After: afterTrouble, Err: err}
	case again < 0:
		return runner.End{State: store.JobSucceeded}
	}
	return runner.End{State: store.JobQueued, Uncounted: true, After: max(again, time.Millisecond)}
}

const afterTrouble = 5 * time.Second

// step does what is next, and says after how long it is to be called again; less than 0: it
// is done. An error is of the store.
func (f *feature) step(ctx context.Context, data jobData) (time.Duration, error) {
	var n Notice
	err := f.Store.View(func(tx *store.Tx) (err error) { n, _, err = notices(tx).Get(data.Notice); return err })
	if err != nil || n.State != stateSending || n.Turn != data.Turn {
		return -1, err
	}
	if f.Page == nil {
		return f.end(ctx, &n, n.unsent(), "no status page is configured any more")
	}
	a, now := acts()[n.Ask.Act], f.Clock.Now()
	if now.Sub(n.At) > postFor {
		return f.end(ctx, &n, n.unsent(), fmt.Sprintf("not within %d minutes: ", int(postFor.Minutes()))+n.Why)
	}
	if !n.Tried.IsZero() {
		i, found, err := a.find(f, ctx, &n)
		switch {
		case ctx.Err() != nil:
			return 0, ctx.Err()
		case err != nil:
			return f.unfound(ctx, &n, err)
		case found:
			return f.posted(ctx, &n, i)
		}
		if left := n.Tried.Add(settleFor).Sub(now); left > 0 {
			return min(left, afterTrouble), nil // it may be on its way
		}
		n.Tried = time.Time{} // it never came; the page is read again before it is sent again
		n.Planned = time.Time{}
	}
	if now.Sub(n.Planned) > recheck {
		if again, done, err := f.replan(ctx, &n); done || err != nil {
			return again, err
		}
	}
	n.Tried = now
	if err := f.save(ctx, &n, nil); err != nil {
		return 0, err
	}
	i, err := a.post(f, ctx, &n)
	if err == nil {
		return f.posted(ctx, &n, i)
	}
	return f.unposted(ctx, &n, err)
}

// unsent is the end of what is not tried any more.
func (n *Notice) unsent() string {
	if n.Tried.IsZero() {
		return stateFailed
	}
	return stateUnknown
}

// replan looks whether the page is still as it was shown; if not, people are asked again.
func (f *feature) replan(ctx context.Context, n *Notice) (again time.Duration, done bool, err error) {
	p, err := f.plan(ctx, n.Ask)
	var no *commands.Refusal
	switch {
	case ctx.Err() != nil:
		return 0, true, ctx.Err()
	case errors.As(err, &no) && no.Code == "unread": // what was tried is so no more
		n.Why = no.What
		return afterTrouble, true, f.save(ctx, n, nil)
	case errors.As(err, &no):
		again, err = f.end(ctx, n, stateFailed, no.What)
		return again, true, err
	case err != nil:
		return 0, true, err
	case p.digest() != n.Plan.digest():
		return -1, true, f.Store.Update(ctx, func(tx *store.Tx) error {
			_, err := f.askAgain(tx, n, p, "The page has changed meanwhile: look at it again.")
			return err
		})
	}
	n.Planned = f.Clock.Now()
	return 0, false, nil
}

// unfound is what comes of a look that nobody answered: it is tried again.
func (f *feature) unfound(ctx context.Context, n *Notice, err error) (time.Duration, error) {
	after := afterTrouble
	var later *integrations.Later
	if errors.As(err, &later) && later.Err != nil {
		after, err = max(later.After, time.Second), later.Err
	}
	n.Why = fmt.Sprintf("its answer was lost, and it cannot be looked for: “%v”", err)
	return after, f.save(ctx, n, nil)
}

// unposted is what comes of a post that did not work, or of which nobody knows.
func (f *feature) unposted(ctx context.Context, n *Notice, err error) (time.Duration, error) {
	if ctx.Err() != nil {
		return 0, ctx.Err() // it stays tried, and the next run looks
	}
	var later *integrations.Later
	if !errors.As(err, &later) {
		return f.end(ctx, n, stateFailed, fmt.Sprintf("“%v”", err))
	}
	after := max(later.After, time.Second)
	if later.Unsent {
		n.Tried = time.Time{}
		n.Why = fmt.Sprintf("Statuspage asks to wait %d s: “%v”", int(after.Seconds()), later.Err)
	} else {
		n.Why = fmt.Sprintf("its answer was lost, and it is looked for: “%v”", later.Err)
	}
	return after, f.save(ctx, n, nil)
}

// save writes a notice as it is now.
func (f *feature) save(ctx context.Context, n *Notice, also func(tx *store.Tx) error) error {
	err := f.Store.Update(ctx, func(tx *store.Tx) error {
		if err := put(tx, n); err != nil || also == nil {
			return err
		}
		return also(tx)
	})
	if err == nil {
		n.Version++
	}
	return err
}

// posted is the end that was wanted.
func (f *feature) posted(ctx context.Context, n *Notice, i integrations.PageIncident) (time.Duration, error) {
	n.State, n.Since, n.Why, n.Incident, n.URL = statePosted, f.Clock.Now(), "", i.ID, i.URL
	seen := f.Clock.Now()
	return -1, f.save(ctx, n, func(tx *store.Tx) error {
		if i.ID != "" {
			if err := errors.Join(keep(tx, i, seen, cmp.Or(f.home(), n.Room)), about(tx, i.ID, n.Ask.About)); err != nil {
				return err
			}
		}
		outcome := "posted, subscribers were not notified"
		if n.Notify {
			outcome = "posted, subscribers were notified"
		}
		return tx.Audit(audit(n, outcome))
	})
}

func (f *feature) end(ctx context.Context, n *Notice, state, why string) (time.Duration, error) {
	n.State, n.Since, n.Why = state, f.Clock.Now(), why
	return -1, f.save(ctx, n, func(tx *store.Tx) error { return tx.Audit(audit(n, state)) })
}

func audit(n *Notice, outcome string) store.AuditRow {
	row := store.AuditRow{Act: "statuspage", Subject: n.ID, Outcome: outcome, Via: "runner", Who: n.Confirmed, Detail: n.Plan.Title}
	for _, m := range n.Plan.Moves {
		row.Detail += fmt.Sprintf("; %s: %s → %s", m.Name, m.From, m.To)
	}
	if n.Incident != "" {
		row.Detail += "; " + n.Incident
	}
	if n.Why != "" {
		row.Detail += "; " + n.Why
	}
	return row
}

func (n *Notice) content() integrations.PagePost {
	p := integrations.PagePost{Title: n.Plan.Title, Status: n.Plan.Status, Body: n.Plan.Body, Impact: n.Plan.Impact, Notify: n.Notify, Nonce: n.Nonce, Components: map[string]string{}}
	for _, m := range n.Plan.Moves {
		p.Components[m.ID] = m.To
	}
	return p
}

func (f *feature) findOpen(ctx context.Context, n *Notice) (integrations.PageIncident, bool, error) {
	return f.Page.FindIncident(ctx, n.Nonce)
}

func (f *feature) postOpen(ctx context.Context, n *Notice) (integrations.PageIncident, error) {
	return f.Page.OpenIncident(ctx, n.content())
}

func (f *feature) findUpdate(ctx context.Context, n *Notice) (integrations.PageIncident, bool, error) {
	i, err := f.Page.Incident(ctx, n.Ask.Incident)
	return i, err == nil && i.Nonce == n.Nonce, err
}

func (f *feature) postUpdate(ctx context.Context, n *Notice) (integrations.PageIncident, error) {
	return f.Page.UpdateIncident(ctx, n.Ask.Incident, n.content())
}

func (f *feature) findComponent(ctx context.Context, n *Notice) (integrations.PageIncident, bool, error) {
	all, err := f.Page.Components(ctx)
	for _, c := range all {
		for _, m := range n.Plan.Moves {
			if c.ID == m.ID && c.Status == m.To {
				return integrations.PageIncident{}, true, nil
			}
		}
	}
	return integrations.PageIncident{}, false, err
}

func (f *feature) postComponent(ctx context.Context, n *Notice) (integrations.PageIncident, error) {
	for _, m := range n.Plan.Moves {
		if err := f.Page.SetComponent(ctx, m.ID, m.To); err != nil {
			return integrations.PageIncident{}, err
		}
	}
	return integrations.PageIncident{}, nil
}
