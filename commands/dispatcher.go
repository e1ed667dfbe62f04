package commands

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/store"
)

// Deps are what a Dispatcher works with.
type Deps struct {
	Store   *store.Store
	Clock   clock.Clock
	Log     *slog.Logger
	Catalog func() *integrations.Catalog
	Verbs   []Verb
	// Events are the handlers of what happens outside, by the beginning of the
	// stored event's kind. Kinds that begin with "github." are decoded for them.
	Events map[string][]Handler
	// DecodeHeard and DecodeForge read the body of a stored event. An error is
	// final: the event is decided as not readable.
	DecodeHeard func(kind string, body []byte) (integrations.Heard, error)
	DecodeForge func(kind string, body []byte) (*integrations.ForgeEvent, error)
	// TeamID is our workspace; people of others are strangers. nil or "": not known.
	TeamID func() string
	// ChannelID is the id of a channel by its name; *integrations.Gone if there is
	// none. Mentions come without a channel's name, so an environment's channels
	// that are configured by name need it.
	ChannelID func(ctx context.Context, name string) (string, error)
	// Guest says whether somebody is only a guest of our workspace. nil: nobody is.
	Guest func(ctx context.Context, user string) (bool, error)
	// Refresh brings what the policy asks others for, such as who is in a team, up to
	// date where it is old. It returns when its context ends, whatever it has got.
	// nil: it asks nobody.
	Refresh func(ctx context.Context)
	// Room is a channel's id by its name where that is known without asking; else the
	// name stays. nil: it stays.
	Room func(name string) string
	// Deaf says of a kind of event that it cannot be understood yet, so that it is
	// left where it is until Listen is called. nil: all can be.
	Deaf func(kind string) bool
	// Workers is how many events are decided side by side; 0 is 8.
	Workers int
}

const (
	pullMost = 256 // events that are pulled before their turn has come
	tries    = 3   // of a decision, before it is given up or steps aside

	staleAfter  = 2 * time.Minute
	decideWait  = 10 * time.Second // wall time for a verb to decide
	handlerWait = 30 * time.Second // wall time for a handler
	refreshWait = 2 * time.Second  // wall time that a decision waits for a Refresh
)

// Dispatcher decides what the doors accepted: each event once, in the order of
// its lane, in one transaction with everything that follows from it.
type Dispatcher struct {
	Deps
	slots chan struct{}
	room  chan struct{} // signalled when events may be pulled again
	asks  chan struct{} // taken by the loop, to show that it goes round
	wg    sync.WaitGroup
	keeps atomic.Bool // what changes something is kept for the next process

	mu      sync.Mutex
	lanes   map[string][]*item   // queued behind the one that is being decided
	taken   map[uint64]bool      // pulled and not yet decided
	active  int                  // lanes that are at work, not waiting for a timer
	full    bool                 // there may be more to pull
	begun   map[uint64]time.Time // wall time at which a try of an event began that has not ended
	left    int                  // events that were left, by Deaf, at the last pull
	known   map[string]bool      // keys of events decided lately
	recent  []string             // the same, oldest first
	decided chan struct{}        // closed, and made anew, when an event was decided
}

// An item is an event on its way through its lane.
type item struct {
	event *store.Event
	lane  string
	heard *integrations.Heard
	forge *integrations.ForgeEvent
	err   error // of decoding
	tried int
}

// New makes a dispatcher.
func New(d Deps) *Dispatcher {
	if d.Workers <= 0 {
		d.Workers = 8
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	return &Dispatcher{
		Deps: d, slots: make(chan struct{}, d.Workers), room: make(chan struct{}, 1), asks: make(chan struct{}), begun: map[uint64]time.Time{},
		lanes: map[string][]*item{}, taken: map[uint64]bool{}, known: map[string]bool{}, decided: make(chan struct{}),
	}
}

// Listen has what was left, by Deaf, looked at again.
func (d *Dispatcher) Listen() {
	select {
	case d.room <- struct{}{}:
	default:
	}
}

// VerbList is the language: what help shows and what lines are understood by.
func (d *Dispatcher) VerbList() []Verb { return d.Deps.Verbs }

// Run decides until ctx ends; it returns when the last decision under way has
// ended. What is not decided then is decided after the next start.
func (d *Dispatcher) Run(ctx context.Context) error {
	changed, stop := d.Store.Watch(store.TopicInbox)
	defer stop()
	defer d.wg.Wait()
	for {
		var again <-chan time.Time
		if err := d.pull(ctx); err != nil && ctx.Err() == nil {
			d.Log.Error("read the inbox", "error", err)
			timer := d.Clock.NewTimer(time.Second)
			defer timer.Stop()
			again = timer.C()
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		case <-d.room:
		case <-d.asks:
		case <-again:
		}
	}
}

// pull takes undecided events into their lanes.
func (d *Dispatcher) pull(ctx context.Context) error {
	for ctx.Err() == nil {
		d.mu.Lock()
		n := len(d.taken)
		n += d.left
		d.full = d.queued() >= pullMost
		d.mu.Unlock()
		if d.full {
			return nil
		}
		limit := n + pullMost
		var events []*store.Event
		err := d.Store.View(func(tx *store.Tx) (err error) {
			events, err = tx.Undecided(limit)
			return err
		})
		if err != nil {
			return err
		}
		left := 0
		for _, e := range events {
			if d.Deaf != nil && d.Deaf(e.Kind) {
				left++
				continue
			}
			d.take(ctx, e)
		}
		d.mu.Lock()
		d.left = left
		d.mu.Unlock()
		if len(events) < limit {
			return nil
		}
	}
	return nil
}

// queued counts the events that wait for others of their lane.
func (d *Dispatcher) queued() int {
	n := 0
	for _, q := range d.lanes {
		n += len(q)
	}
	return n + d.active
}

func (d *Dispatcher) take(ctx context.Context, e *store.Event) {
	d.mu.Lock()
	mine := d.taken[e.Seq]
	d.taken[e.Seq] = true
	d.mu.Unlock()
	if mine {
		return
	}
	it := d.decode(e)
	d.mu.Lock()
	defer d.mu.Unlock()
	if q, running := d.lanes[it.lane]; running {
		d.lanes[it.lane] = append(q, it)
		return
	}
	d.lanes[it.lane] = nil
	d.active++
	d.wg.Go(func() { d.run(ctx, it) })
}

// decode reads the event and finds its lane: what one person says in one
// channel, and what happens in one repository, is decided in its order.
func (d *Dispatcher) decode(e *store.Event) *item {
	it := &item{event: e, lane: e.Kind}
	switch {
	case e.BodyErr != nil:
		it.err = e.BodyErr
	case strings.HasPrefix(e.Kind, "github."):
		if it.forge, it.err = d.DecodeForge(e.Kind, e.Body); it.err == nil && it.forge != nil {
			it.lane = "forge\x00" + strings.ToLower(it.forge.Repo)
		}
	case len(d.handlers(e.Kind)) == 0:
		read, h := d.DecodeHeard, integrations.Heard{}
		if e.Kind == HostKind {
			read = func(_ string, body []byte) (integrations.Heard, error) { return decodeHost(body) }
		}
		if h, it.err = read(e.Kind, e.Body); it.err == nil {
			it.heard, it.lane = &h, "chat\x00"+h.User+"\x00"+h.Channel
		}
	}
	return it
}

// run decides an event and those that queue up behind it.
func (d *Dispatcher) run(ctx context.Context, it *item) {
	for it != nil {
		for !d.attempt(ctx, it) {
			wait := backOff(it.tried)
			if it.heard == nil && it.tried == tries {
				d.stepAside(ctx, it, wait)
				break
			}
			if !d.pause(ctx, wait) {
				return
			}
		}
		d.mu.Lock()
		if q := d.lanes[it.lane]; len(q) > 0 {
			it, d.lanes[it.lane] = q[0], q[1:]
		} else {
			delete(d.lanes, it.lane)
			d.active--
			it = nil
		}
		d.mu.Unlock()
	}
}

// stepAside lets the lane go on while an event that cannot be decided now is
// tried again by itself, for as long as it takes.
func (d *Dispatcher) stepAside(ctx context.Context, it *item, wait time.Duration) {
	d.mu.Lock()
	d.active++
	d.mu.Unlock()
	d.wg.Go(func() {
		for d.pause(ctx, wait) {
			if d.attempt(ctx, it) {
				d.mu.Lock()
				d.active--
				d.mu.Unlock()
				return
			}
			wait = backOff(it.tried)
		}
	})
}

// pause waits without counting as work; false means that it is over.
func (d *Dispatcher) pause(ctx context.Context, wait time.Duration) bool {
	d.mu.Lock()
	d.active--
	d.mu.Unlock()
	if clock.Sleep(ctx, d.Clock, wait) != nil {
		return false
	}
	d.mu.Lock()
	d.active++
	d.mu.Unlock()
	return true
}

func backOff(tried int) time.Duration {
	return min(5*time.Minute, 250*time.Millisecond<<min(tried, 12))
}

// attempt decides an event once; it reports whether that was the end of it.
func (d *Dispatcher) attempt(ctx context.Context, it *item) bool {
	select {
	case d.slots <- struct{}{}:
	case <-ctx.Done():
		return false
	}
	defer func() { <-d.slots }()
	it.tried++
	d.mu.Lock()
	d.begun[it.event.Seq] = time.Now()
	d.mu.Unlock()
	err := d.decide(ctx, it)
	d.mu.Lock()
	delete(d.begun, it.event.Seq)
	d.mu.Unlock()
	switch {
	case err == nil:
		d.finish(it.event, false)
		return true
	case errors.Is(err, errKept):
		d.finish(it.event, true)
		return true
	case ctx.Err() == nil && !errors.Is(err, store.ErrClosed):
		d.Log.Warn("an event could not be decided and is tried again", "event", it.event.Seq, "kind", it.event.Kind, "tried", it.tried, "error", err)
	}
	return false
}

// finish ends an event's way. One that is kept stays taken, so that this process
// does not pull it again.
func (d *Dispatcher) finish(e *store.Event, kept bool) {
	d.mu.Lock()
	if !kept {
		delete(d.taken, e.Seq)
	}
	for _, k := range e.Keys {
		if !d.known[k] {
			d.known[k] = true
			d.recent = append(d.recent, k)
		}
	}
	for len(d.recent) > 8192 {
		delete(d.known, d.recent[0])
		d.recent = d.recent[1:]
	}
	close(d.decided)
	d.decided = make(chan struct{})
	pull := d.full && d.queued() < pullMost/2
	d.mu.Unlock()
	if pull {
		select {
		case d.room <- struct{}{}:
		default:
		}
	}
}

// WaitDecided returns when the event with a key has been decided, or kept; the key may
// lack the prefix that its door gave it. It knows events decided since the start.
func (d *Dispatcher) WaitDecided(ctx context.Context, key string) error {
	for {
		d.mu.Lock()
		known, next := d.known[key], d.decided
		if !known {
			known = slices.ContainsFunc(d.recent, func(k string) bool {
				_, bare, ok := strings.Cut(k, ":")
				return ok && bare == key
			})
		}
		d.mu.Unlock()
		if known {
			return nil
		}
		select {
		case <-next:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Idle says whether all that was accepted is decided, or waits for its time to
// be tried again.
func (d *Dispatcher) Idle() bool {
	var undecided []*store.Event
	d.mu.Lock()
	limit := len(d.taken) + 1
	d.mu.Unlock()
	err := d.Store.View(func(tx *store.Tx) (err error) {
		undecided, err = tx.Undecided(limit)
		return err
	})
	d.mu.Lock()
	defer d.mu.Unlock()
	return err == nil && d.active == 0 && !slices.ContainsFunc(undecided, func(e *store.Event) bool { return !d.taken[e.Seq] })
}
