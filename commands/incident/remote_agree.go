package incident

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

const (
	agreeEvery = time.Minute
	mendEvery  = 10 * time.Minute
)

// agree reads what the other system says of its incidents, and has ours be the same: its
// webhooks may all have been lost. What people here have done meanwhile, and what is still
// on its way there, is left alone.
func (f *feature) agree(ctx context.Context) error {
	r := f.remote()
	if r == nil || f.Config().Channel == "" || f.Clock.Now().Before(f.notBefore) {
		return nil
	}
	asked := f.Clock.Now()
	all, err := r.Read.OpenIncidents(ctx, r.Services)
	if err == nil {
		all, err = f.withEnded(ctx, r, all)
	}
	var later *integrations.Later
	switch {
	case ctx.Err() != nil:
		return nil
	case err != nil:
		if errors.As(err, &later) {
			f.notBefore = asked.Add(later.After)
		}
		if !f.deaf {
			f.Log.Warn("the incidents elsewhere are not read", "system", r.System, "error", err)
		}
		f.deaf = true
		return nil // it is asked again
	}
	f.deaf = false
	missed := false
	for _, one := range all {
		err := f.Store.Update(ctx, func(tx *store.Tx) error {
			changed, err := f.agreeOn(tx, r, one, asked)
			missed = missed || changed
			return err
		})
		if err != nil {
			return fmt.Errorf("agree with %s: %w", r.System, err)
		}
	}
	return f.mend(ctx, r, missed)
}

// withEnded adds those which are open here and not there: they are over, or gone.
func (f *feature) withEnded(ctx context.Context, r *Remote, all []integrations.RemoteIncident) ([]integrations.RemoteIncident, error) {
	var ids []string
	err := f.Store.View(func(tx *store.Tx) error {
		ids = nil
		open, err := openOnes(tx)
		for _, i := range open {
			id := i.Key
			if e := i.Elsewhere; e != nil && e.Dedup != "" {
				id = e.ID
			}
			there := slices.ContainsFunc(all, func(o integrations.RemoteIncident) bool { return o.ID == id })
			if f.elsewhere(i) != nil && id != "" && !there {
				ids = append(ids, id)
			}
		}
		return err
	})
	for _, id := range ids {
		if err != nil {
			break
		}
		var one integrations.RemoteIncident
		one, err = r.Read.Incident(ctx, id)
		if errors.As(err, new(*integrations.Gone)) {
			one, err = integrations.RemoteIncident{ID: id, Status: integrations.RemoteResolved, ResolvedBy: integrations.AlertPerson{Name: "deleted"}}, nil
		}
		all = append(all, one)
	}
	return all, err
}

// agreeOn has one incident be as the other system has it, and says whether it was not.
func (f *feature) agreeOn(tx *store.Tx, r *Remote, there integrations.RemoteIncident, asked time.Time) (missed bool, err error) {
	key, a := trailKey(r.Source, there.ID), alertOf(r, there, asked)
	if _, err := f.join(tx, a); err != nil {
		return false, err
	}
	t, _, err := trails(tx).Get(key)
	if err != nil {
		return false, err
	}
	if t.Open == "" {
		if there.Status == integrations.RemoteResolved || f.held(tx, key) {
			return false, nil
		}
		if quiet, err := f.settled(tx, t, asked); err != nil || quiet {
			return false, err
		}
		if a.State = integrations.AlertFiring; there.Status == integrations.RemoteAcknowledged {
			a.State = integrations.AlertAcknowledged
		}
		i, err := f.take(tx, a, f.Catalog())
		if err != nil || i == nil {
			return false, err
		}
		return true, f.seen(tx, i.ID, there, asked)
	}
	i, found, err := records(tx).Get(t.Open)
	if err != nil || !found {
		return false, err
	}
	if e := i.Elsewhere; e != nil && (len(e.Wishes) > 0 || !e.Done.Before(asked)) || !i.Touched.Before(asked) {
		return false, nil
	}
	switch {
	case there.Status == integrations.RemoteResolved:
		a.State, a.By = integrations.AlertResolved, there.ResolvedBy
	case there.Status == integrations.RemoteAcknowledged && i.Acked.IsZero():
		a.State = integrations.AlertAcknowledged
	case there.Status == integrations.RemoteTriggered && !i.Acked.IsZero():
		a.State = integrations.AlertUnacknowledged
	default:
		return false, f.seen(tx, i.ID, there, asked)
	}
	if _, err := f.take(tx, a, f.Catalog()); err != nil {
		return false, err
	}
	return true, f.seen(tx, i.ID, there, asked)
}

// alertOf is an incident of the other system as its own alert would tell of it.
func alertOf(r *Remote, there integrations.RemoteIncident, at time.Time) integrations.Alert {
	severity := integrations.SeverityUnknown
	switch there.Urgency {
	case "high":
		severity = integrations.SeverityCritical
	case "low":
		severity = integrations.SeverityWarning
	}
	a := integrations.Alert{Source: r.Source, Key: there.ID, Kind: "read", Severity: severity, Title: there.Title, Service: there.Service, URL: there.URL, At: at, Opened: there.CreatedAt, Assigned: there.Assigned,
		Labels: map[string]string{labelDedup: there.Key}}
	if len(there.AcknowledgedBy) > 0 {
		a.By = there.AcknowledgedBy[0]
	}
	if a.Title == "" {
		a.Title = there.ID
	}
	return a
}

// held says that a silence holds what is wrong already.
func (f *feature) held(tx *store.Tx, key string) bool {
	all, err := activeSilences(tx, f.Clock.Now())
	return err == nil && slices.ContainsFunc(all, func(s Silence) bool { _, known := s.Held[key]; return known })
}

// settled says that the last incident of a trail was ended here after the other system was
// asked, or is still to be ended there.
func (f *feature) settled(tx *store.Tx, t trail, asked time.Time) (bool, error) {
	n := len(t.Past)
	if n == 0 {
		return false, nil
	}
	if !t.Closed.Before(asked) {
		return true, nil
	}
	i, found, err := records(tx).Get(t.Past[n-1])
	if err != nil || !found || i.Elsewhere == nil {
		return false, err
	}
	return len(i.Elsewhere.Wishes) > 0 || !i.Elsewhere.Done.Before(asked), nil
}

// seen keeps who is called there, and that the rest is as it is there.
func (f *feature) seen(tx *store.Tx, id string, there integrations.RemoteIncident, asked time.Time) error {
	i, found, err := records(tx).Get(id)
	if err != nil || !found {
		return err
	}
	if i.Elsewhere == nil {
		i.Elsewhere = &Elsewhere{}
	}
	e := i.Elsewhere
	same := slices.Equal(e.Assigned, there.Assigned)
	e.Seen, e.Assigned = asked, there.Assigned
	if there.Title != "" && there.Title != i.Title && e.Dedup == "" {
		i.Title, same = there.Title, false
	}
	if i.AckedBy == (store.Person{}) && !i.Acked.IsZero() && len(there.AcknowledgedBy) > 0 {
		if by, ok := f.whose(there.AcknowledgedBy[0]); ok {
			i.AckedBy, i.AckedName, i.Owner, same = by, "", by, false
		}
	}
	if same {
		return records(tx).Put(id, i) // nothing of it is shown
	}
	return put(tx, &i, false)
}

// theirs says that the other system tells of an alert.
func (f *feature) theirs(a integrations.Alert) bool {
	r := f.remote()
	return r != nil && a.Source == r.Source
}

// overtaken says that a webhook of the other system tells of what was read since.
func (i *Incident) overtaken(a integrations.Alert) bool {
	e := i.Elsewhere
	if e == nil || a.Kind == "read" || a.State == integrations.AlertNoted || a.At.IsZero() {
		return false
	}
	return a.At.Before(e.Seen.Add(-skew))
}

// echo says that an alert tells what was done from here to the last incident of a trail.
func (f *feature) echo(tx *store.Tx, t trail, a integrations.Alert) (bool, error) {
	n := len(t.Past)
	if n == 0 || a.Kind == "read" || !f.theirs(a) {
		return false, nil
	}
	i, found, err := records(tx).Get(t.Past[n-1])
	if err != nil || !found || i.Elsewhere == nil {
		return false, err
	}
	e := i.Elsewhere
	return len(e.Wishes) > 0 || a.State == integrations.AlertAcknowledged && a.At.Before(e.Done.Add(skew)), nil
}

// mend has the other system tell us again where it has stopped to, and tells people so.
func (f *feature) mend(ctx context.Context, r *Remote, missed bool) error {
	now := f.Clock.Now()
	if r.Mend == nil || !missed && now.Sub(f.mended) < mendEvery {
		return nil
	}
	did, err := r.Mend(ctx)
	if ctx.Err() != nil {
		return nil
	}
	f.mended = now
	if err != nil {
		f.Log.Warn("it cannot be seen whether the other system tells us what happens", "system", r.System, "error", err)
	}
	if len(did) == 0 {
		return nil
	}
	f.Log.Warn("the other system had stopped to tell us what happens", "system", r.System, "did", strings.Join(did, ", "))
	return f.Store.Update(ctx, func(tx *store.Tx) error {
		at := strconv.FormatInt(now.Unix(), 10)
		return tell.Open(tx, store.Surface{ID: tell.ID(placeMessage, cardMended, at), Place: placeMessage, Card: cardMended, Subject: cardMended,
			Where: map[string]string{"channel": f.Channel(f.Config().Channel), "silent": "yes", "system": r.System, "did": strings.Join(did, ", ")}})
	})
}

// mendedCard says that nothing was told for a while.
func (f *feature) mendedCard(_ *store.Tx, s *store.Surface) (integrations.Message, error) {
	row := integrations.R("🔌 ", s.Where["system"], " had stopped to tell us what happens to its incidents, and does again: ", s.Where["did"], ". What was missed was read.")
	return integrations.Message{Text: row.Plain(), Blocks: []integrations.Block{{Text: row}}}, nil
}

// name says who did what an alert tells of, where we know them.
func (f *feature) name(i, was *Incident, a integrations.Alert) {
	by, ok := f.whose(a.By)
	if !ok {
		return
	}
	if was.Acked.IsZero() && !i.Acked.IsZero() {
		i.AckedBy, i.AckedName, i.Owner, i.By = by, "", by, by
	}
	if was.open() && !i.open() {
		i.OverBy, i.OverName = by, ""
	}
}

// knows says that a note came from here.
func (i *Incident) knows(a integrations.Alert) bool {
	return i.Elsewhere != nil && a.State == integrations.AlertNoted && slices.ContainsFunc(i.Notes, func(n Note) bool {
		return n.By != (store.Person{}) && strings.TrimSpace(n.Text) == strings.TrimSpace(a.Text)
	})
}
