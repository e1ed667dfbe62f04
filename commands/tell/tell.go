// Package tell makes surfaces show what the store says. A surface (a Slack
// message, a pull request's comment, a commit status) is a projection: a
// transition marks it in its own transaction, and the teller renders the subject
// as it is now and puts that there, once, however often it changed meanwhile.
package tell

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/store"
)

// Card renders what a surface shows, from the store alone.
type Card func(tx *store.Tx, s *store.Surface) (integrations.Message, error)

// Manner is how surfaces of a place are told.
type Manner struct {
	// AtMostOnce: a post that may or may not have arrived is not repeated.
	AtMostOnce bool
	// Pace is the least time between two edits of one surface. Urgent marks pass it.
	Pace time.Duration
	// Key names in Where what surfaces of the place share: those with the same
	// value are posted one at a time, by rank and then in order.
	Key string
	// One names in Where what several surfaces show as one thing, such as a commit's
	// status: those with the same values are told one at a time, edits too.
	One []string
	// Edits is how many edits the place takes in any minute, all surfaces
	// together; 0 is as many as there are. Ends and questions go first, and ends
	// beyond forty are rolled up.
	Edits int
}

// Deps are what a Teller works with.
type Deps struct {
	Store   *store.Store
	Clock   clock.Clock
	Log     *slog.Logger
	Places  map[string]integrations.Place
	Manners map[string]Manner
	Cards   map[string]Card
	// Workers is how many surfaces are told side by side; 0 is 16.
	Workers int
}

// Teller tells. Run is its one loop.
type Teller struct {
	Deps
	wake  chan struct{}
	looks map[string]look // of what was due last, by surface; the loop's alone

	mu    sync.Mutex
	busy  map[string]string    // the surface being told, by key
	cool  map[string]time.Time // until when the place takes no post, by key
	rooms map[string]*room     // of places whose edits are limited
	rolls rollups
	slots map[string]string // what was shown last in what several surfaces show as one, by key
}

// keepSlots is how many of these are remembered. Without it a surface goes by what
// it showed itself.
const keepSlots = 20_000

// New makes a teller; every place that a surface names must be in d.Places.
func New(d Deps) *Teller {
	if d.Workers == 0 {
		d.Workers = 16
	}
	t := &Teller{Deps: d, wake: make(chan struct{}, 1), busy: map[string]string{}, cool: map[string]time.Time{}, rooms: map[string]*room{}, rolls: rollups{}, slots: map[string]string{}}
	for place, m := range d.Manners {
		if m.Edits > 0 {
			t.rooms[place] = newRoom(m.Edits)
		}
	}
	return t
}

// Run tells until ctx ends; it returns when the last post under way has ended.
func (t *Teller) Run(ctx context.Context) error {
	changed, stop := t.Store.Watch("surfaces")
	defer stop()
	var workers sync.WaitGroup
	defer workers.Wait()
	slots := make(chan struct{}, t.Workers)
	if err := t.doubt(ctx); err != nil && ctx.Err() == nil {
		t.Log.Error("doubt what is shown", "error", err)
	}
	for {
		next, err := t.round(ctx, &workers, slots)
		if err != nil && ctx.Err() == nil {
			t.Log.Error("read due surfaces", "error", err)
			next = time.Second
		}
		timer := t.Clock.NewTimer(next)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-changed:
		case <-t.wake:
		case <-timer.C():
		}
		timer.Stop()
	}
}

// years is further ahead than any surface is put off.
const years = 10 * 365 * 24 * time.Hour

// doubt forgets, at the start, what the surfaces that are to be told were seen to
// show: the process before may have been killed between an edit and its record,
// and if a subject is again as it was before that edit, the edit stands.
func (t *Teller) doubt(ctx context.Context) error {
	return t.Store.Update(ctx, func(tx *store.Tx) error {
		due, err := tx.DueSurfaces(t.Clock.Now().Add(years), 0)
		if err != nil {
			return err
		}
		for _, s := range due {
			if s.Ref == "" || s.Hash == "" {
				continue
			}
			s.Hash = ""
			if err := tx.PutSurface(s); err != nil {
				return err
			}
		}
		return nil
	})
}

// caught keeps a fault in one card or place from ending the process, at which it
// would be told again at every start.
func (t *Teller) caught(ctx context.Context, id string) {
	p := recover()
	if p == nil {
		return
	}
	t.Log.Error("telling panicked", "surface", id, "panic", p, "stack", string(debug.Stack()))
	t.put(ctx, id, func(s *store.Surface) { t.delay(s, fmt.Errorf("a fault in signalbox: %v", p)) })
}

// tell shows one surface as its subject is now and records what came of it.
func (t *Teller) tell(ctx context.Context, id string) {
	s, m, err := t.render(id)
	if err != nil {
		t.put(ctx, id, func(s *store.Surface) { t.delay(s, err) })
		return
	}
	hash := digest(m)
	switch {
	case s.Parked != "" || s.Shown >= s.Marked:
		return
	case m.Hold, t.stands(s, hash):
		t.put(ctx, id, func(now *store.Surface) { now.Shown = s.Marked })
		return
	}
	switch due, parked, err := t.threadRoot(s); {
	case err != nil:
		t.put(ctx, id, func(now *store.Surface) { t.delay(now, err) })
		return
	case parked != "":
		t.put(ctx, id, func(now *store.Surface) { now.Parked = parked })
		return
	case !due.IsZero():
		t.put(ctx, id, func(now *store.Surface) { now.Due = due })
		return
	}
	t.show(ctx, s, m, hash)
}

// stands says whether a surface shows that already. Where several show one thing,
// what counts is what the last of them made of it.
func (t *Teller) stands(s *store.Surface, hash string) bool {
	if len(t.Manners[s.Place].One) > 0 {
		t.mu.Lock()
		defer t.mu.Unlock()
		if last, known := t.slots[t.key(s)]; known && last != hash {
			return false
		}
	}
	return s.Ref != "" && s.Hash == hash
}

// shown remembers what was shown last of one thing.
func (t *Teller) shown(s *store.Surface, hash string) {
	if len(t.Manners[s.Place].One) == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.slots) >= keepSlots {
		clear(t.slots)
	}
	t.slots[t.key(s)] = hash
}

// show posts or edits. What may have been posted already is looked for first.
func (t *Teller) show(ctx context.Context, s *store.Surface, m integrations.Message, hash string) {
	place, ok := t.Places[s.Place]
	if !ok {
		t.put(ctx, s.ID, func(now *store.Surface) { now.Parked = "no place is called " + s.Place })
		return
	}
	if s.Ref == "" {
		done, err := t.before(ctx, place, s, m)
		if err != nil {
			t.put(ctx, s.ID, func(now *store.Surface) { t.failed(now, err) })
			return
		}
		if done {
			return
		}
	}
	t.shown(s, "") // until there is an answer nobody knows
	ref, err := place.Show(ctx, post(s, m))
	if err != nil {
		if ctx.Err() == nil {
			t.put(ctx, s.ID, func(now *store.Surface) { t.failed(now, err) })
		}
		return
	}
	t.shown(s, hash)
	t.put(context.WithoutCancel(ctx), s.ID, func(now *store.Surface) {
		now.Ref, now.Hash, now.Shown, now.End = ref, hash, s.Marked, m.Final
		now.Tries, now.Error = 0, ""
		pace := t.Manners[s.Place].Pace
		if s.Card == rollCard {
			pace = rollUpEvery
		}
		now.Due = time.Time{}
		if now.Urgent <= now.Shown { // nothing urgent came meanwhile
			now.Due = t.Clock.Now().Add(pace)
		}
	})
}

// before commits the intent of a first post, or, where an intent stands already,
// looks whether the post was made. done says that nothing is left to do.
func (t *Teller) before(ctx context.Context, place integrations.Place, s *store.Surface, m integrations.Message) (done bool, err error) {
	if s.IntentAt.IsZero() {
		s.Nonce, s.IntentAt = ulid.Make().String(), t.Clock.Now()
		return false, t.put(ctx, s.ID, func(now *store.Surface) { now.Nonce, now.IntentAt = s.Nonce, s.IntentAt })
	}
	ref, found, err := place.Find(ctx, post(s, m))
	switch {
	case errors.Is(err, integrations.ErrNotReadable):
		if t.Manners[s.Place].AtMostOnce {
			return true, t.put(ctx, s.ID, func(now *store.Surface) {
				now.Shown, now.Parked = s.Marked, "it may have been shown before a restart and is not repeated"
			})
		}
		return false, nil
	case err != nil:
		return false, fmt.Errorf("look for an earlier post: %w", err)
	case found:
		s.Ref = ref
		return false, t.put(ctx, s.ID, func(now *store.Surface) { now.Ref = ref })
	}
	return false, nil
}

func post(s *store.Surface, m integrations.Message) integrations.Post {
	return integrations.Post{Where: s.Where, Ref: s.Ref, Nonce: s.Nonce, Since: s.IntentAt, Message: m}
}

// rootWait is how often a surface looks whether the root of its thread is there.
const rootWait = 100 * time.Millisecond

// threadRoot fills in the thread of a surface that stands under another one. If
// that one is not there yet, due is when to look again; if it never will be,
// parked says why.
func (t *Teller) threadRoot(s *store.Surface) (due time.Time, parked string, err error) {
	under := s.Where["under"]
	if under == "" {
		return time.Time{}, "", nil
	}
	var root *store.Surface
	err = t.Store.View(func(tx *store.Tx) (err error) {
		root, err = tx.Surface(under)
		return err
	})
	switch {
	case errors.Is(err, store.ErrNotFound):
		return time.Time{}, "what it stands under is not there", nil
	case err != nil:
		return time.Time{}, "", err
	case root.Ref != "":
		s.Where["thread"] = root.Ref
		return time.Time{}, "", nil
	case root.Parked != "":
		return time.Time{}, root.Parked, nil
	}
	due = t.Clock.Now().Add(rootWait)
	if root.Due.After(due) {
		due = root.Due
	}
	return due, "", nil
}

func (t *Teller) render(id string) (s *store.Surface, m integrations.Message, err error) {
	err = t.Store.View(func(tx *store.Tx) error {
		if s, err = tx.Surface(id); err != nil {
			return err
		}
		card, ok := t.Cards[s.Card]
		if !ok {
			return fmt.Errorf("surface %q: no card is called %q", id, s.Card)
		}
		m, err = card(tx, s)
		return err
	})
	if err != nil {
		t.Log.Error("render surface", "surface", id, "error", err)
	}
	return s, m, err
}

// failed records a failure: parked when the place is gone, tried again later
// otherwise, for as long as it takes.
func (t *Teller) failed(s *store.Surface, err error) {
	var gone *integrations.Gone
	if errors.As(err, &gone) {
		s.Parked, s.Error = gone.Why, err.Error()
		t.Log.Warn("surface parked", "surface", s.ID, "why", gone.Why)
		return
	}
	s.Hash = "" // it may show what was tried: only its answer was lost
	t.unposted(s)
	atMostOnce := t.Manners[s.Place].AtMostOnce
	var later *integrations.Later
	var again time.Time
	if errors.As(err, &later) {
		again = t.heed(s, cmp.Or(later.After, backoff(s.Tries+1)))
		if s.Ref != "" && t.rooms[s.Place] != nil {
			t.Log.Warn("place takes no edits", "place", s.Place, "error", err)
			return // what is to be told when is the loop's to say
		}
		if s.Ref == "" && (atMostOnce || later.Unsent) {
			s.IntentAt = time.Time{} // it was certainly not shown, so there is nothing to look for
		}
	} else if atMostOnce {
		s.Shown, s.Parked, s.Error = s.Marked, "it may have been shown and is not repeated", err.Error()
		t.Log.Warn("answer not shown", "surface", s.ID, "error", err)
		return
	}
	if t.delay(s, err); later != nil {
		s.Due = again
	}
	t.Log.Warn("surface delayed", "surface", s.ID, "error", err, "tries", s.Tries)
}

// unposted has a roll-up whose post failed take lines as before it was tried.
func (t *Teller) unposted(s *store.Surface) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r := t.rolls[s.ID]; r != nil && s.Ref == "" {
		r.posted = false
	}
}

func (t *Teller) delay(s *store.Surface, err error) {
	s.Tries++
	s.Error = err.Error()
	s.Due = t.Clock.Now().Add(backoff(s.Tries))
}

// backoff is how long to wait after so many tries in vain.
func backoff(tries int) time.Duration { return min(time.Minute, 200*time.Millisecond<<min(tries, 10)) }

func (t *Teller) put(ctx context.Context, id string, change func(*store.Surface)) error {
	err := t.Store.Update(ctx, func(tx *store.Tx) error {
		s, err := tx.Surface(id)
		if err != nil {
			return err
		}
		change(s)
		return tx.PutSurface(s)
	})
	if err != nil && ctx.Err() == nil && !errors.Is(err, store.ErrNotFound) { // one that was forgotten meanwhile needs no record
		t.Log.Error("record surface", "surface", id, "error", err)
	}
	return err
}

// Shows says whether a surface was told what m says.
func Shows(s *store.Surface, m integrations.Message) bool { return s.Ref != "" && digest(m) == s.Hash }

func digest(m integrations.Message) string {
	b, err := json.Marshal(m)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:12])
}
