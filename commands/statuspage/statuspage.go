// Package statuspage tells customers what is going on, on a status page, from chat. Each
// change is shown first as customers will read it, and is posted when somebody confirms
// what they saw; those who subscribed to the page are written to only where that is
// confirmed by its own button. What is confirmed is written down before it is posted, and
// looked for before it is posted again, so that nothing stands there twice.
//
// Other features know nothing of this one: they can show a button whose line is
// `statuspage open "…"`, and whoever presses it gets a form. Offers makes such buttons.
package statuspage

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/runner"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/store"
)

const (
	right = "publish"
	kind  = "statuspage" // of its jobs

	cardNotice   = "notice"
	cardIncident = "page incident"
	placeMessage = "slack.message"

	keptNotices   = "statuspage-notice"
	keptIncidents = "statuspage-incident"
	keptReading   = "statuspage-reading"

	confirmFor = 5 * time.Minute     // how long what was shown may be confirmed
	postFor    = 15 * time.Minute    // how long it is tried to post what was confirmed
	settleFor  = 20 * time.Second    // a post whose answer was lost may arrive so long
	recheck    = 15 * time.Second    // how old a plan may be when it is posted
	askFor     = 24 * time.Hour      // then a question that nobody answered is closed
	keepFor    = 30 * 24 * time.Hour // what is over
)

// Reader reads the page. Its errors are told as they are.
type Reader interface {
	Components(ctx context.Context) ([]integrations.PageComponent, error)
	// Unresolved are the incidents that are open.
	Unresolved(ctx context.Context) ([]integrations.PageIncident, error)
	// Incident reads one; *integrations.Gone is that there is none.
	Incident(ctx context.Context, id string) (integrations.PageIncident, error)
	// FindIncident looks for the one that was opened with a nonce.
	FindIncident(ctx context.Context, nonce string) (i integrations.PageIncident, found bool, err error)
}

// Poster changes the page. Of *integrations.Later that is Unsent nothing was done; of any
// other one nobody knows. Any other error is a refusal, and nothing was done.
type Poster interface {
	OpenIncident(ctx context.Context, p integrations.PagePost) (integrations.PageIncident, error)
	UpdateIncident(ctx context.Context, id string, p integrations.PagePost) (integrations.PageIncident, error)
	SetComponent(ctx context.Context, id, status string) error
}

// Page is a status page.
type Page interface {
	Reader
	Poster
}

// Deps are what the feature works with.
type Deps struct {
	Store *store.Store
	Clock clock.Clock
	Log   *slog.Logger
	// Page is nil where none is configured.
	Page Page
	// Every is how often the page is looked at.
	Every time.Duration
	// Room is the channel where incidents have their messages; "" is where somebody asked.
	Room string
	// Channel turns a channel's name into its id; where it cannot, the name stays.
	Channel func(name string) string
}

type feature struct {
	Deps

	mu     sync.Mutex
	looked time.Time
}

// New is the feature.
func New(d Deps) commands.Feature {
	f := &feature{Deps: d}
	return commands.Feature{
		Name: "statuspage", Words: map[string]string{"ja": ja},
		Verbs: []commands.Verb{f.showVerb(), f.openVerb(), f.updateVerb(), f.resolveVerb(), f.componentVerb(), f.confirmVerb(), f.notifyVerb(), f.cancelVerb()},
		Ticks: []commands.Tick{{Name: "look at the status page", Every: time.Minute, Run: f.look}},
		Kinds: []runner.Kind{{Name: kind, Quiet: true, Run: f.run}},
		Cards: map[string]tell.Card{cardNotice: f.noticeCard, cardIncident: f.incidentCard},
		Prune: f.prune,
	}
}

func (f *feature) look(ctx context.Context) error { return errors.Join(f.ageing(ctx), f.watch(ctx)) }

// paged refuses where there is no page.
func (f *feature) paged() error {
	if f.Page != nil {
		return nil
	}
	return commands.Refuse("no_page", "No status page is configured.").WithHint("Whoever keeps the configuration adds `statuspage`; docs/statuspage.md shows how.").WithExample("help statuspage")
}

// prune forgets what was over long ago.
func (f *feature) prune(ctx context.Context) error {
	return f.Store.Update(ctx, func(tx *store.Tx) error {
		var old, gone []string
		err := errors.Join(notices(tx).Each("", func(id string, n Notice) error {
			if n.over() && tx.Now().Sub(n.Since) > keepFor {
				old = append(old, id)
			}
			return nil
		}), incidents(tx).Each("", func(id string, i Incident) error {
			if !i.Ended.IsZero() && tx.Now().Sub(i.Ended) > keepFor {
				gone = append(gone, id)
			}
			return nil
		}))
		for _, id := range old {
			err = errors.Join(err, notices(tx).Delete(id))
		}
		for _, id := range gone {
			err = errors.Join(err, incidents(tx).Delete(id))
		}
		return err
	})
}
