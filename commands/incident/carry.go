package incident

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// A silence is carried to the sources that have silences of their own, so that they call
// nobody elsewhere either. What each of them is to have is written down in the transaction
// of the verb, and a tick brings it there. It can be killed anywhere: that it tries is
// written down before it does, and what finds that written looks for the nonce first. It
// asks again only for what a look did not find some time after the answer was lost.

// A Source is one that alerts come from, as far as it can be asked for more.
type Source struct {
	Name string
	// Silencer is nil where no silence can be made there; Looker where it cannot be asked
	// what is wrong.
	Silencer integrations.AlertSilencer
	Looker   integrations.AlertLooker
}

// Carried is a silence at one source.
type Carried struct {
	Source string             `json:"source"`
	Quiet  integrations.Quiet `json:"quiet"`
	State  string             `json:"state"`
	ID     string             `json:"id,omitempty"` // at the source
	// Tried is when it was last asked to make it; zero where nothing can have come of it.
	Tried time.Time `json:"tried,omitzero"`
	Next  time.Time `json:"next,omitzero"` // nothing is done before
	Fails int       `json:"fails,omitempty"`
	Why   string    `json:"why,omitempty"` // it is as it is
}

// The states of what is carried.
const (
	carryWanted  = "wanted"
	carryMade    = "made"
	carryRefused = "refused" // the source has none, and gets none
	carryLifting = "lifting" // it is to have none any more
	carryLifted  = "lifted"
	carryStuck   = "stuck" // it has one until its end
)

const (
	keptCarried = "incident-carried"

	carryEvery  = 10 * time.Second
	settleFor   = 20 * time.Second // what was asked for and whose answer was lost may be made so long
	lookAgain   = 5 * time.Second
	slowest     = time.Minute
	keepCarried = 7 * 24 * time.Hour // what is over
)

func carried(tx *store.Tx) *store.Records[Carried] { return store.Feature[Carried](tx, keptCarried) }

// key tells turns of one silence at one source apart, the oldest first.
func (c *Carried) key() string {
	return fmt.Sprintf("%s/%s/%d", c.Quiet.ID, c.Source, c.Quiet.From.UnixNano())
}

// carriedOf are those of one silence, by their sources.
func carriedOf(tx *store.Tx, silence string) (out []Carried, err error) {
	err = carried(tx).Each(silence+"/", func(_ string, c Carried) error { out = append(out, c); return nil })
	return out, err
}

// over says that it has ended at its source by itself.
func (c *Carried) over(now time.Time) bool { return !now.Before(c.Quiet.Until) }

// due says that something is to be done at its source.
func (c *Carried) due(now time.Time) bool {
	_, does := carries[c.State]
	return does && !now.Before(c.Next)
}

// quiet is a silence in the words of the sources.
func (s *Silence) quiet(cat *integrations.Catalog) integrations.Quiet {
	q := integrations.Quiet{ID: s.ID, Reason: s.Reason, By: gate.FromStore(s.By).Display(), From: s.From, Until: s.Until}
	if s.Recurs != "" {
		q.By = "signalbox"
	}
	if service, ok := cat.Service(s.What); ok {
		q.Services = append([]string{service.Name}, service.Aliases...)
	}
	if s.Environment != "" {
		q.Environments = []string{s.Environment}
		if e, ok := cat.Environment(s.Environment); ok {
			q.Environments = append([]string{e.Name}, e.Aliases...)
		}
	}
	return q
}

// carry writes down what the sources are to have of a new silence.
func (f *feature) carry(tx *store.Tx, s *Silence, cat *integrations.Catalog) error {
	for _, source := range f.Sources() {
		if source.Silencer == nil {
			continue
		}
		c := Carried{Source: source.Name, Quiet: s.quiet(cat), State: carryWanted}
		c.Quiet.Nonce = ulid.Make().String()
		if err := source.Silencer.Keeps(c.Quiet); err != nil {
			c.State, c.Why = carryRefused, reasonOf(err)
		}
		if err := carried(tx).Put(c.key(), c); err != nil {
			return err
		}
	}
	return nil
}

// lift writes down that the sources are to have a silence no more.
func (f *feature) lift(tx *store.Tx, silence string) error {
	all, err := carriedOf(tx, silence)
	for _, c := range all {
		if err != nil || c.State != carryWanted && c.State != carryMade || c.over(f.Clock.Now()) {
			continue
		}
		c.State, c.Next, c.Fails, c.Why = carryLifting, time.Time{}, 0, ""
		err = carried(tx).Put(c.key(), c)
	}
	return err
}

// reasonOf is an error for people: in the words of others, but for one.
func reasonOf(err error) string {
	if errors.Is(err, integrations.ErrQuietNoService) {
		return err.Error()
	}
	return fmt.Sprintf("“%v”", err)
}

// saidOf is what is said of each state, without a reason and with one.
var saidOf = map[string][2]string{
	carryWanted:  {"⏳ %s does not have it yet.", "⏳ %s does not have it yet: %s"},
	carryMade:    {"🔕 %s calls nobody either.", ""},
	carryRefused: {"⚠️ %s does not have it.", "⚠️ %s does not have it: %s"},
	carryLifting: {"⏳ %s still has it.", "⏳ %s still has it: %s"},
	carryLifted:  {"🔔 %s has it no more.", ""},
	carryStuck:   {"⚠️ %s has it until its end.", "⚠️ %s has it until its end: %s"},
}

// carriedLines are those of the turn that is on, or was the last, and of what is to be
// removed of those before.
func (f *feature) carriedLines(tx *store.Tx, silence string) (out []string, err error) {
	all, err := carriedOf(tx, silence)
	for n, c := range all {
		if newer := n+1 < len(all) && all[n+1].Source == c.Source; newer && (c.State != carryLifting || c.over(f.Clock.Now())) {
			continue
		}
		said := saidOf[c.State]
		switch {
		case c.over(f.Clock.Now()) && (c.State == carryMade || c.State == carryStuck || c.State == carryLifting):
			out = append(out, fmt.Sprintf("🔔 %s has it no more.", c.Source))
		case c.Why != "" && said[1] != "":
			out = append(out, fmt.Sprintf(said[1], c.Source, c.Why))
		default:
			out = append(out, fmt.Sprintf(said[0], c.Source))
		}
	}
	return out, err
}

// carries are what is done at a source in each state. The errors are of the store.
var carries = map[string]func(f *feature, ctx context.Context, c *Carried, at integrations.AlertSilencer) error{
	carryWanted:  (*feature).makeThere,
	carryLifting: (*feature).liftThere,
}

// bring does what is due at the sources.
func (f *feature) bring(ctx context.Context) error {
	now := f.Clock.Now()
	var due []Carried
	err := f.Store.View(func(tx *store.Tx) error {
		due = nil
		return carried(tx).Each("", func(_ string, c Carried) error {
			if c.due(now) {
				due = append(due, c)
			}
			return nil
		})
	})
	sources := f.Sources()
	silent := map[string]bool{} // sources that did not answer: they are not waited for twice in a round
	for _, c := range due {
		if err != nil || ctx.Err() != nil {
			break
		}
		if silent[c.Source] {
			continue
		}
		var at integrations.AlertSilencer
		if n := slices.IndexFunc(sources, func(s Source) bool { return s.Name == c.Source }); n >= 0 {
			at = sources[n].Silencer
		}
		if at == nil {
			err = f.gone(ctx, &c)
			continue
		}
		err = carries[c.State](f, ctx, &c, at)
		silent[c.Source] = c.Fails > 0
	}
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("carry the silences: %w", err)
	}
	return nil
}

// record writes down what came of it, on what stands in the store by now.
func (f *feature) record(ctx context.Context, c *Carried, set func(now *Carried)) error {
	return f.Store.Update(ctx, func(tx *store.Tx) error {
		now, found, err := carried(tx).Get(c.key())
		if err != nil || !found {
			return err
		}
		was := now
		set(&now)
		if err := carried(tx).Put(c.key(), now); err != nil {
			return err
		}
		c.Fails = now.Fails
		if was.State == now.State && was.Why == now.Why {
			return nil
		}
		return tell.Mark(tx, c.Quiet.ID, false)
	})
}

// gone is what comes of a source that is not in the configuration any more.
func (f *feature) gone(ctx context.Context, c *Carried) error {
	return f.record(ctx, c, func(now *Carried) {
		now.Why = "it is not in the configuration any more"
		if now.State = carryRefused; now.ID != "" || !now.Tried.IsZero() {
			now.State = carryStuck
		}
	})
}

// makeThere has the source make it, once.
func (f *feature) makeThere(ctx context.Context, c *Carried, at integrations.AlertSilencer) error {
	now := f.Clock.Now()
	if c.over(now) {
		return f.record(ctx, c, func(n *Carried) { n.State, n.Why = carryRefused, cmp.Or(n.Why, "it was over before that") })
	}
	if !c.Tried.IsZero() {
		id, found, err := at.FindSilence(ctx, c.Quiet.Nonce)
		switch {
		case err != nil:
			return f.unfound(ctx, c, err)
		case found:
			return f.made(ctx, c, id)
		case now.Sub(c.Tried) < settleFor:
			return f.record(ctx, c, func(n *Carried) { n.Next = now.Add(lookAgain) }) // it may be on its way
		}
	}
	if err := at.Keeps(c.Quiet); err != nil {
		return f.record(ctx, c, func(n *Carried) { n.State, n.Why, n.Tried = carryRefused, reasonOf(err), time.Time{} })
	}
	wanted := false
	err := f.record(ctx, c, func(n *Carried) {
		if wanted = n.State == carryWanted; wanted {
			n.Tried = now
		}
	})
	if err != nil || !wanted {
		return err
	}
	q := c.Quiet
	q.From = now
	id, err := at.Silence(ctx, q)
	if err == nil {
		return f.made(ctx, c, id)
	}
	return f.failed(ctx, c, err, func(n *Carried, sent bool) {
		if !sent {
			n.Tried = time.Time{}
		}
	}, carryRefused)
}

// made writes down that the source has it. Whoever wants it away by then gets it away.
func (f *feature) made(ctx context.Context, c *Carried, id string) error {
	return f.record(ctx, c, func(n *Carried) {
		n.ID, n.Fails, n.Next = id, 0, time.Time{}
		if n.State == carryWanted {
			n.State, n.Why = carryMade, ""
		}
	})
}

// liftThere has the source end it before its time.
func (f *feature) liftThere(ctx context.Context, c *Carried, at integrations.AlertSilencer) error {
	now := f.Clock.Now()
	lifted := func(n *Carried) { n.State, n.Why, n.Fails = carryLifted, "", 0 }
	id := c.ID
	switch {
	case c.over(now), id == "" && c.Tried.IsZero():
		return f.record(ctx, c, lifted)
	case id == "":
		found, err := false, error(nil)
		switch id, found, err = at.FindSilence(ctx, c.Quiet.Nonce); {
		case err != nil:
			return f.unfound(ctx, c, err)
		case !found && now.Sub(c.Tried) < settleFor:
			return f.record(ctx, c, func(n *Carried) { n.Next = now.Add(lookAgain) })
		case !found:
			return f.record(ctx, c, lifted)
		}
	}
	if err := at.Unsilence(ctx, id, c.Quiet.Nonce); err != nil {
		return f.failed(ctx, c, err, func(n *Carried, _ bool) { n.ID = id }, carryStuck)
	}
	return f.record(ctx, c, lifted)
}

// unfound is what comes of a look that nobody answered: it is looked for again, for as long
// as it lasts.
func (f *feature) unfound(ctx context.Context, c *Carried, err error) error {
	var later *integrations.Later
	if !errors.As(err, &later) {
		later = &integrations.Later{After: slowest, Err: err}
	}
	return f.failed(ctx, c, later, func(n *Carried, _ bool) {
		n.Why = fmt.Sprintf("its answer was lost, and it cannot be looked for: %s", reasonOf(later.Err))
	}, "")
}

// failed is what comes of a call that did not go well: what may go well later is tried
// again, and a refusal is the end of it, in the state refused. also is told whether
// anything may have been done.
func (f *feature) failed(ctx context.Context, c *Carried, err error, also func(n *Carried, sent bool), refused string) error {
	if ctx.Err() != nil {
		return nil // it stays tried, and the next round looks
	}
	f.Log.Warn("a silence is not carried to its source", "silence", c.Quiet.ID, "source", c.Source, "state", c.State, "error", err)
	var later *integrations.Later
	now := f.Clock.Now()
	return f.record(ctx, c, func(n *Carried) {
		if !errors.As(err, &later) {
			n.Fails, n.Why = 0, reasonOf(err)
			if n.State == c.State {
				n.State = refused
			}
			also(n, false)
			return
		}
		n.Why = reasonOf(later.Err)
		n.Fails++
		n.Next = now.Add(max(later.After, min(lookAgain<<min(n.Fails-1, 6), slowest)))
		also(n, !later.Unsent)
	})
}
