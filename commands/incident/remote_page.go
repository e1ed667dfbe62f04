package incident

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// A step of an escalation may have the other system page whom it pages for one of its
// services. What it opens for that belongs to the incident here: what happens there is
// shown here, and who acts here acts there.

// RemotePager opens and ends incidents there, as a machine does. Each may be told again:
// the key is the same.
type RemotePager interface {
	// Page opens one for a service that the configuration names.
	Page(ctx context.Context, service string, e integrations.RemoteEvent) error
	// Over ends it.
	Over(ctx context.Context, service, dedup string) error
}

const (
	actPage = "page"
	actOver = "over"

	// dedupMark begins the keys of what we open there.
	dedupMark = "signalbox/"
	// appearFor is how long what was opened there may take to be found.
	appearFor = 10 * time.Minute
	lookEvery = 10 * time.Second
)

// pageThere has the other system page for an incident; false where there is none.
func (f *feature) pageThere(tx *store.Tx, i *Incident, service string) (bool, error) {
	r := f.remote()
	if r == nil || r.Page == nil {
		f.Log.Warn("nobody is paged: no system that pages people is configured", "incident", i.ID, "service", service)
		return false, nil
	}
	if i.Elsewhere == nil {
		i.Elsewhere = &Elsewhere{}
	}
	e := i.Elsewhere
	e.Paged, e.ID = service, ""
	e.Dedup = fmt.Sprintf("%s%s/%x", dedupMark, i.ID, i.Opened.Unix()) // another signalbox has an incident of that number too
	return true, f.want(tx, i, Wish{Act: actPage})
}

// overHere tells the other system that what it was told of is over, by itself.
func (f *feature) overHere(tx *store.Tx, i *Incident) error {
	if i.Elsewhere == nil || i.Elsewhere.Dedup == "" {
		return nil
	}
	return f.want(tx, i, Wish{Act: actOver})
}

// event is what the other system is told of an incident.
func (i *Incident) event() integrations.RemoteEvent {
	a := i.Alert
	details := map[string]string{"incident": i.ID, "environment": i.Environment, "check": a.Check, "text": a.Text}
	e := integrations.RemoteEvent{
		Dedup: i.Elsewhere.Dedup, Summary: i.Title, Source: cmp.Or(a.Host, a.Instance, i.Service, i.Source, "signalbox"), Severity: i.Severity, At: i.Opened,
		Component: i.Service, Group: i.Environment, Class: a.Check, Details: map[string]string{}, Client: integrations.RemoteLink{Text: "signalbox"},
	}
	for name, v := range details {
		if v != "" {
			e.Details[name] = v
		}
	}
	for _, l := range []integrations.RemoteLink{{URL: a.URL, Text: "source"}, {URL: a.Runbook, Text: "runbook"}} {
		if l.URL != "" {
			e.Links = append(e.Links, l)
		}
	}
	return e
}

// do carries out one wish.
func (f *feature) do(ctx context.Context, i *Incident, w Wish) (integrations.RemoteActed, error) {
	none := integrations.RemoteActed{}
	r, e := f.elsewhere(i), i.Elsewhere
	switch {
	case r == nil:
		return none, errors.New("no system that pages people is configured for it any more")
	case w.Act == actPage || w.Act == actOver:
		if r.Page == nil {
			return none, errors.New("no system that pages people is configured for it any more")
		}
		if w.Act == actPage {
			return none, r.Page.Page(ctx, e.Paged, i.event())
		}
		return none, r.Page.Over(ctx, e.Paged, e.Dedup)
	case carriers[w.Act] == nil:
		return none, fmt.Errorf("there is no act %q", w.Act)
	}
	id := cmp.Or(e.ID, i.Key)
	if e.Dedup != "" && e.ID == "" {
		var err error
		if id, err = f.findThere(ctx, r, e.Dedup, w); err != nil || id == "" {
			return integrations.RemoteActed{Already: true}, err
		}
	}
	return carriers[w.Act](ctx, r.Act, integrations.RemoteAct{As: w.As, ID: id, Asked: w.At}, w)
}

// findThere looks for what was opened there; "" where it is over already.
func (f *feature) findThere(ctx context.Context, r *Remote, dedup string, w Wish) (string, error) {
	all, err := r.Read.OpenIncidents(ctx, r.Services)
	if err != nil {
		return "", err
	}
	n := slices.IndexFunc(all, func(o integrations.RemoteIncident) bool { return o.Key == dedup })
	switch {
	case n >= 0:
		return all[n].ID, nil
	case f.Clock.Now().Sub(w.At) < appearFor:
		return "", &integrations.Later{After: lookEvery, Err: fmt.Errorf("what %s opened for it is not there yet", r.System)}
	}
	return "", nil
}

// join finds the incident here for which the other system opened that of an alert, and has
// their alerts be of one.
func (f *feature) join(tx *store.Tx, a integrations.Alert) (joined bool, err error) {
	r := f.remote()
	dedup := a.Labels[labelDedup]
	if r == nil || a.Source != r.Source || !strings.HasPrefix(dedup, dedupMark) {
		return false, nil
	}
	id, _, _ := strings.Cut(strings.TrimPrefix(dedup, dedupMark), "/")
	i, found, err := records(tx).Get(id)
	if err != nil || !found || i.Elsewhere == nil || i.Elsewhere.Dedup != dedup {
		return false, err
	}
	if i.Elsewhere.ID == a.Key {
		return true, nil
	}
	i.Elsewhere.ID = a.Key
	if i.open() {
		if err := trails(tx).Put(trailKey(a.Source, a.Key), trail{Open: i.ID}); err != nil {
			return true, err
		}
	}
	return true, records(tx).Put(i.ID, i)
}

// labelDedup is the label of an alert in which the other system says what its incident was
// opened with.
const labelDedup = "incident_key"

// trailsOf are the trails that an open incident is the open one of: that of its alerts, and
// that of what the other system opened for it.
func (f *feature) trailsOf(i *Incident) (keys []string) {
	if i.Key != "" {
		keys = append(keys, trailKey(i.Source, i.Key))
	}
	if r := f.remote(); r != nil && i.Elsewhere != nil && i.Elsewhere.ID != "" {
		keys = append(keys, trailKey(r.Source, i.Elsewhere.ID))
	}
	return keys
}

// want has something done there; the caller puts the incident.
func (f *feature) want(tx *store.Tx, i *Incident, w Wish) error {
	e := i.Elsewhere
	w.N, w.At = e.Next, f.Clock.Now()
	e.Next++
	if e.Wishes = append(e.Wishes, w); e.Job {
		return nil // which comes to it
	}
	e.Job = true
	return beginCarrying(tx, i.ID, w.N)
}

func byWhom(w Wish) string {
	if w.By == (store.Person{}) {
		return "signalbox"
	}
	return gate.FromStore(w.By).Display()
}
