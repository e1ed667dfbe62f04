// Package groups knows who is in the groups that others keep, a GitHub team or a
// Slack user group. It reads them when their time has come, keeps what they
// answered for five minutes at most, and never asks while somebody waits for more
// than a moment: the policy (integrations.Catalog) only looks at what is here. A
// source that cannot answer has no members. bot/wire.go says which sources there
// are.
package groups

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
)

// Source is a kind of place where people stand in groups.
type Source struct {
	What  string // for texts: "GitHub team"
	Needs string // what to do so that it can be read
	// Read asks for the accounts in a group. ErrNotFound and *integrations.Gone say
	// that there is no such group, which is an answer: what was known is forgotten.
	Read func(ctx context.Context, name string) (accounts []string, err error)
	// Account is a person's account there, "" if they have none. Accounts are
	// compared without regard to case.
	Account func(integrations.Person) string
}

// Deps are what a Holder works with.
type Deps struct {
	Clock   clock.Clock
	Log     *slog.Logger
	Catalog func() *integrations.Catalog
	Sources map[string]Source // by the kinds of integrations.GroupSource
}

// The ages of an answer, in domain time.
const (
	tooOld     = 5 * time.Minute  // beyond it, it counts for nothing
	old        = 2 * time.Minute  // beyond it, a decision has it read again first
	every      = time.Minute      // they are read anyway
	againAfter = 10 * time.Second // a decision does not ask a source again that has just failed
)

// readWait is the wall time that a source has to answer when nobody waits.
const readWait = 20 * time.Second

// Holder keeps what the sources answered.
type Holder struct {
	Deps
	wake chan struct{}
	busy atomic.Int32

	mu    sync.Mutex
	known map[integrations.GroupSource]*entry
}

// entry is what is known of one source. turn is held by who reads it; the other
// fields are under Holder.mu.
type entry struct {
	turn     chan struct{}
	accounts map[string]bool // in lower case; nil before the first answer
	at       time.Time       // when the answer in accounts was asked for
	tried    time.Time       // when the source was last asked
	err      error           // of that, nil if it answered
}

// New makes a holder that knows nothing yet.
func New(d Deps) *Holder {
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	return &Holder{Deps: d, wake: make(chan struct{}, 1), known: map[integrations.GroupSource]*entry{}}
}

// Of is what a catalog's Members is to be.
func (h *Holder) Of(cat *integrations.Catalog) func(group string) ([]string, error) {
	return func(group string) ([]string, error) {
		var names []string
		var first error
		for _, s := range cat.Live[group] {
			accounts, err := h.accounts(s)
			if err != nil && first == nil {
				first = err
			}
			for _, p := range cat.People {
				if a := h.Sources[s.Kind].Account; a != nil && accounts[strings.ToLower(a(p))] {
					names = append(names, p.Name)
				}
			}
		}
		return names, first
	}
}

// accounts is the answer of a source, if it has one that is not too old.
func (h *Holder) accounts(s integrations.GroupSource) (map[string]bool, error) {
	what := fmt.Sprintf("the %s %s", h.Sources[s.Kind].What, s.Name)
	h.mu.Lock()
	defer h.mu.Unlock()
	e := h.known[s]
	switch {
	case e == nil || e.accounts == nil && e.err == nil:
		return nil, fmt.Errorf("%s has not been read yet", what)
	case e.accounts == nil:
		return nil, fmt.Errorf("%s cannot be read: %w", what, e.err)
	}
	age := h.Clock.Now().Sub(e.at)
	when := fmt.Sprintf("%s ago, which is too old", age.Round(time.Second))
	switch {
	case age >= 0 && age <= tooOld:
		return e.accounts, nil
	case age < 0:
		when = "before the clock was set back"
	}
	if e.err != nil {
		return nil, fmt.Errorf("%s was read %s, and cannot be read now: %w", what, when, e.err)
	}
	return nil, fmt.Errorf("%s was read %s", what, when)
}

// Run reads every source once a minute, until ctx ends.
func (h *Holder) Run(ctx context.Context) error {
	for {
		h.readAll(ctx)
		var again <-chan time.Time
		stop := func() bool { return true }
		if len(h.Catalog().Live) > 0 { // without any, nothing wakes a clock that is moved
			t := h.Clock.NewTimer(every)
			again, stop = t.C(), t.Stop
		}
		select {
		case <-ctx.Done():
			stop()
			return nil
		case <-again:
		case <-h.wake:
			stop()
		}
	}
}

// Wake has Run read again now: the catalog has changed.
func (h *Holder) Wake() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// Idle says whether nothing is being read.
func (h *Holder) Idle() bool { return h.busy.Load() == 0 }

func (h *Holder) readAll(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, readWait)
	defer cancel()
	h.refresh(ctx, h.Catalog(), func(*entry) bool { return true })
}

// Refresh has what is old read again before a decision. It returns when ctx ends,
// whatever has been answered by then.
func (h *Holder) Refresh(ctx context.Context) { h.RefreshFor(ctx, h.Catalog()) }

// RefreshFor does so for a catalog that is not in use yet.
func (h *Holder) RefreshFor(ctx context.Context, cat *integrations.Catalog) {
	now := h.Clock.Now()
	h.refresh(ctx, cat, func(e *entry) bool {
		age, since := now.Sub(e.at), now.Sub(e.tried)
		fresh := e.accounts != nil && age >= 0 && age <= old
		failed := e.err != nil && since >= 0 && since < againAfter
		return !fresh && !failed
	})
}

// refresh reads the sources that are due side by side, each once.
func (h *Holder) refresh(ctx context.Context, cat *integrations.Catalog, due func(*entry) bool) {
	h.busy.Add(1)
	defer h.busy.Add(-1)
	var all sync.WaitGroup
	defer all.Wait()
	seen := map[integrations.GroupSource]bool{}
	for _, sources := range cat.Live {
		for _, s := range sources {
			if seen[s] {
				continue
			}
			seen[s] = true
			if e := h.entry(s); h.isDue(e, due) {
				all.Go(func() { h.read(ctx, s, e, due) })
			}
		}
	}
}

func (h *Holder) entry(s integrations.GroupSource) *entry {
	h.mu.Lock()
	defer h.mu.Unlock()
	e := h.known[s]
	if e == nil {
		e = &entry{turn: make(chan struct{}, 1)}
		h.known[s] = e
	}
	return e
}

func (h *Holder) isDue(e *entry, due func(*entry) bool) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return due(e)
}

// read asks a source, unless somebody else has while we waited for our turn.
func (h *Holder) read(ctx context.Context, s integrations.GroupSource, e *entry, due func(*entry) bool) {
	select {
	case e.turn <- struct{}{}:
		defer func() { <-e.turn }()
	case <-ctx.Done():
		return
	}
	if !h.isDue(e, due) {
		return
	}
	asked := h.Clock.Now()
	accounts, err := h.ask(ctx, s)
	if err != nil && errors.Is(ctx.Err(), context.Canceled) {
		return // we are being stopped
	}
	h.mu.Lock()
	before := e.err
	e.tried, e.err = asked, cause(err)
	switch {
	case err == nil:
		e.at, e.accounts = asked, map[string]bool{}
		for _, a := range accounts {
			if a != "" {
				e.accounts[strings.ToLower(a)] = true
			}
		}
	case errors.Is(err, integrations.ErrNotFound) || errors.As(err, new(*integrations.Gone)):
		e.accounts = nil
	}
	h.mu.Unlock()
	if err != nil && before == nil { // once an outage
		h.Log.Warn("the members of a group cannot be read", "kind", s.Kind, "name", s.Name, "error", err)
	}
}

func (h *Holder) ask(ctx context.Context, s integrations.GroupSource) (accounts []string, err error) {
	source, ok := h.Sources[s.Kind]
	if !ok {
		return nil, fmt.Errorf("nothing here reads the kind %s", s.Kind)
	}
	return source.Read(ctx, s.Name)
}

// cause leaves out what was being done where an error wraps another: that a group
// could not be read is said around it.
func cause(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.New("it did not answer in time")
	}
	if inner := errors.Unwrap(err); inner != nil {
		return inner
	}
	return err
}
