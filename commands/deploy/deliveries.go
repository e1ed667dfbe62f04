package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// GitHub never sends a webhook twice by itself, and keeps those that failed for
// three days. What they told is found by the reconciler; asking for them again
// brings it sooner, and in their own words.
const deliveryLife = 3 * 24 * time.Hour

// lostDelivery is a webhook that did not arrive, and what became of it.
type lostDelivery struct {
	Repo   string    `json:"repo"`
	Event  string    `json:"event"` // "pull_request closed"
	At     time.Time `json:"at"`    // of the attempt that failed first
	Status string    `json:"status"`
	Code   int       `json:"code,omitempty"`
	Asked  time.Time `json:"asked,omitzero"` // for it to be sent again, once
	Error  string    `json:"error,omitempty"`
	// Failed is a later attempt that did not arrive either; Arrived is when it was
	// seen that one did.
	Failed  time.Time `json:"failed,omitzero"`
	Arrived time.Time `json:"arrived,omitzero"`
}

// lostFeature keeps lost deliveries by their GUID, and hooksFeature by repository
// why its deliveries cannot be read.
const (
	lostFeature  = "lost delivery"
	hooksFeature = "unread deliveries"
)

// redeliver lists what did not arrive and asks GitHub to send each once more. A
// repository whose webhooks we may not look at is none of our business: that is
// said once.
func (f *feature) redeliver(ctx context.Context) error {
	var errs []error
	for _, repo := range f.Catalog().Repositories() {
		failed, err := f.Forge.FailedDeliveries(ctx, repo, f.Clock.Now().Add(-deliveryLife))
		switch {
		case errors.Is(err, integrations.ErrNotFound):
			errs = append(errs, f.unread(ctx, repo, err))
			continue
		case err != nil:
			errs = append(errs, err)
			continue
		}
		errs = append(errs, f.redeliverRepo(ctx, repo, failed))
	}
	return errors.Join(errs...)
}

// unread remembers, and logs the first time, that deliveries cannot be read.
func (f *feature) unread(ctx context.Context, repo string, why error) error {
	var known string
	err := f.Store.View(func(tx *store.Tx) (err error) {
		known, _, err = store.Feature[string](tx, hooksFeature).Get(repo)
		return err
	})
	if err != nil || known == why.Error() {
		return err
	}
	f.Log.Info("webhooks that fail cannot be listed, so none is asked for again; the reconciler finds what they told", "repo", repo, "error", why)
	return f.Store.Update(ctx, func(tx *store.Tx) error { return store.Feature[string](tx, hooksFeature).Put(repo, why.Error()) })
}

// redeliverRepo asks for what has not been asked for yet, oldest first, and
// writes down what became of the others.
func (f *feature) redeliverRepo(ctx context.Context, repo string, failed []integrations.Delivery) error {
	known := map[string]lostDelivery{}
	err := f.Store.View(func(tx *store.Tx) error {
		return store.Feature[lostDelivery](tx, lostFeature).Each("", func(guid string, d lostDelivery) error {
			if d.Repo == repo {
				known[guid] = d
			}
			return nil
		})
	})
	if err != nil {
		return err
	}
	news := map[string]lostDelivery{}
	still := map[string]bool{}
	for _, d := range slices.Backward(failed) {
		still[d.GUID] = true
		if was, ok := known[d.GUID]; !ok {
			news[d.GUID] = f.askAgain(ctx, repo, d)
		} else if d.Redelivery && !was.Failed.Equal(d.At) {
			was.Failed, was.Arrived = d.At, time.Time{}
			news[d.GUID] = was
		}
	}
	for guid, d := range known {
		if !still[guid] && d.Arrived.IsZero() {
			d.Arrived = f.Clock.Now()
			news[guid] = d
		}
	}
	return f.saveDeliveries(ctx, repo, known, news)
}

// askAgain has one delivery sent again. An order that GitHub does not take is not
// repeated: the reconciler comes to the same end.
func (f *feature) askAgain(ctx context.Context, repo string, d integrations.Delivery) lostDelivery {
	l := lostDelivery{Repo: repo, Event: d.Event, At: d.At, Status: d.Status, Code: d.Code}
	if d.Action != "" {
		l.Event += " " + d.Action
	}
	if err := f.Forge.Redeliver(ctx, repo, d); err != nil {
		l.Error = err.Error()
		f.Log.Warn("a webhook that did not arrive is not sent again", "repo", repo, "delivery", d.GUID, "event", l.Event, "status", d.Status, "error", err)
		return l
	}
	l.Asked = f.Clock.Now()
	f.Log.Info("a webhook that did not arrive is sent again", "repo", repo, "delivery", d.GUID, "event", l.Event, "status", d.Status)
	return l
}

// saveDeliveries writes what is new and forgets what GitHub has forgotten.
func (f *feature) saveDeliveries(ctx context.Context, repo string, known, news map[string]lostDelivery) error {
	var old []string
	for guid, d := range known {
		if _, again := news[guid]; !again && f.Clock.Now().Sub(d.At) > deliveryLife+24*time.Hour {
			old = append(old, guid)
		}
	}
	return f.Store.Update(ctx, func(tx *store.Tx) error {
		unread := store.Feature[string](tx, hooksFeature)
		if why, _, err := unread.Get(repo); err != nil {
			return err
		} else if why != "" {
			if err := unread.Delete(repo); err != nil {
				return err
			}
		}
		all := store.Feature[lostDelivery](tx, lostFeature)
		for guid, d := range news {
			if err := all.Put(guid, d); err != nil {
				return err
			}
		}
		for _, guid := range old {
			if err := all.Delete(guid); err != nil {
				return err
			}
		}
		return nil
	})
}

func (f *feature) deliveriesVerb() commands.Verb {
	return commands.Verb{
		Name: "deliveries", Aliases: []string{"webhooks"}, Summary: "List the webhooks that did not arrive, and what became of them", Effect: commands.Reads, Examples: []string{"deliveries"},
		Detail: "GitHub sends a webhook once; one that failed is asked for again once, and the reconciler finds what it told in any case.",
		Decide: func(context.Context, *commands.Call) (commands.Act, error) {
			return func(tx *store.Tx) (commands.Reply, error) { return f.deliveries(tx) }, nil
		},
	}
}

// deliveriesShown is how many a message lists.
const deliveriesShown = 20

func (f *feature) deliveries(tx *store.Tx) (commands.Reply, error) {
	var all []lostDelivery
	err := store.Feature[lostDelivery](tx, lostFeature).Each("", func(_ string, d lostDelivery) error { all = append(all, d); return nil })
	if err != nil {
		return commands.Reply{}, err
	}
	slices.SortFunc(all, func(a, b lostDelivery) int { return b.At.Compare(a.At) })
	m := integrations.Message{Text: "No webhook failed to arrive in the last 3 days."}
	if f.Hooks == 0 {
		m.Text = fmt.Sprintf("Webhooks that fail are not looked for here; GitHub is asked every %s what there is.", gate.Age(f.Poll))
	}
	if len(all) > 0 {
		m.Text = "Webhooks that did not arrive:"
	}
	for _, d := range all[:min(len(all), deliveriesShown)] {
		m.Text += "\n" + d.line()
	}
	if more := len(all) - deliveriesShown; more > 0 {
		m.Text += fmt.Sprintf("\nand %d more", more)
	}
	err = store.Feature[string](tx, hooksFeature).Each("", func(repo, why string) error {
		m.Text += fmt.Sprintf("\nThose of %s cannot be listed: %s", repo, why)
		return nil
	})
	return commands.Reply{Private: &m}, err
}

func (d lostDelivery) line() string {
	what := fmt.Sprintf("%s of %s at %s: %s", d.Event, d.Repo, gate.Clock(d.At), d.Status)
	switch {
	case d.Error != "":
		return what + "; GitHub does not send it again: " + d.Error
	case !d.Arrived.IsZero():
		return what + "; sent again, and arrived"
	case !d.Failed.IsZero():
		return what + "; sent again, and failed again"
	}
	return what + "; sent again " + gate.Clock(d.Asked)
}
