package tell

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// A look is what a surface would show, as of its last mark.
type look struct {
	marked uint64
	hash   string // what it showed then
	rank   rank
	since  time.Time // that it has had this rank
	end    string    // how the subject ended, if nobody was shown that yet
	same   bool      // it shows that already, or is to show nothing
}

// leastWait keeps us from asking a place that says "later" at once again.
const leastWait = 200 * time.Millisecond

// linePatience is how many may be told in a channel before an end that has no
// message yet; one that would stand further behind is rolled up. A channel takes
// one post a second, and a roll-up may come in between. How long the channel takes
// nothing does not count: the roll-up would wait for that too.
const linePatience = 3

// rememberLook is how long we know since when somebody waits for what is not due.
const rememberLook = time.Minute

// A turn is one pass over what is due: it tells what there is room for, by rank,
// puts off the rest, and rolls up the ends that cannot wait.
type turn struct {
	*Teller
	ctx  context.Context
	now  time.Time
	live int
	next time.Duration // until there may be more to do

	busy     map[string]string // as it was before due was read: what has ended since is in due still
	due      []*store.Surface
	looks    map[string]look
	unposted map[string]bool // what others that are due stand under
	line     map[string]int  // how many are told before, by key
	ahead    map[string]int  // edits that were put off, by place
	later    map[string]time.Time
	over     []*store.Surface
}

// round starts telling what can be told now. It returns how long to sleep when
// nothing changes.
func (t *Teller) round(ctx context.Context, workers *sync.WaitGroup, slots chan struct{}) (time.Duration, error) {
	u := &turn{Teller: t, ctx: ctx, now: t.Clock.Now(), next: time.Minute,
		looks: map[string]look{}, line: map[string]int{}, ahead: map[string]int{}, later: map[string]time.Time{}}
	if err := u.read(); err != nil {
		return 0, err
	}
	for _, s := range u.due {
		if !u.turnOf(s) {
			continue
		}
		select {
		case slots <- struct{}{}:
		default: // all workers are busy: one that ends wakes this loop
			return u.next, u.settle()
		}
		if !u.admit(s) {
			<-slots
			continue
		}
		key := t.key(s)
		t.claim(key, s.ID)
		workers.Add(1)
		go func() {
			defer workers.Done()
			defer t.free(key)
			defer func() { <-slots }()
			defer t.caught(ctx, s.ID)
			t.tell(ctx, s.ID)
		}()
	}
	return u.next, u.settle()
}

// read finds what is due and sorts it: by rank; what people wait for by how long
// they do, details by how long ago they were told; and then as it came.
func (u *turn) read() error {
	u.mu.Lock()
	u.busy = maps.Clone(u.Teller.busy)
	u.mu.Unlock()
	err := u.Store.View(func(tx *store.Tx) (err error) {
		if u.due, err = tx.DueSurfaces(u.now, 0); err != nil {
			return err
		}
		if at, ok := tx.NextDue(u.now); ok {
			u.next = min(u.next, at.Sub(u.now))
		}
		if u.live, err = tx.Locking(); err != nil {
			return err
		}
		for _, s := range u.due {
			u.looks[s.ID] = u.lookAt(tx, s)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for id, l := range u.Teller.looks {
		if _, due := u.looks[id]; !due && l.rank == rankCall && u.now.Sub(l.since) < rememberLook {
			u.looks[id] = l
		}
	}
	u.Teller.looks = u.looks // the others of what is not due any more are forgotten
	u.unposted = unposted(u.due)
	u.mu.Lock()
	defer u.mu.Unlock()
	slices.SortStableFunc(u.due, u.before)
	return nil
}

func (u *turn) before(a, b *store.Surface) int {
	la, lb := u.looks[a.ID], u.looks[b.ID]
	if by := cmp.Compare(la.rank, lb.rank); by != 0 {
		return by
	}
	if la.rank == rankCall {
		return la.since.Compare(lb.since)
	}
	if r := u.rooms[a.Place]; la.rank == rankDetail && r != nil {
		return r.last[a.ID].Compare(r.last[b.ID])
	}
	return 0
}

func unposted(due []*store.Surface) map[string]bool {
	out := map[string]bool{}
	for _, s := range due {
		if s.Ref == "" {
			out[s.ID] = true
		}
	}
	return out
}

// lookAt renders a surface where it matters, once for each mark.
func (u *turn) lookAt(tx *store.Tx, s *store.Surface) look {
	was, ok := u.Teller.looks[s.ID]
	if ok && was.marked == s.Marked && was.hash == s.Hash && (was.end == "" || s.End != was.end) {
		return was
	}
	manner := u.Manners[s.Place]
	l := look{marked: s.Marked, hash: s.Hash, rank: rankState, since: u.now}
	if manner.AtMostOnce {
		l.rank = rankCall
	}
	if manner.Edits == 0 {
		return l
	}
	m, err := u.glance(tx, s)
	if err != nil {
		return l // telling it comes to the same, and says so
	}
	if l.rank = rankOf(s, m, manner); ok && was.rank == l.rank {
		l.since = was.since
	}
	if s.Card == rollCard && s.Ref == "" {
		l.since = s.Created // its lines have waited since then
	}
	if fresh(s, m) && s.Where["channel"] != "" {
		l.end = m.Final
	}
	l.same = m.Hold || s.Ref != "" && digest(m) == s.Hash
	return l
}

// glance is a card whose fault, if it has one, is not ours.
func (u *turn) glance(tx *store.Tx, s *store.Surface) (m integrations.Message, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("a fault in signalbox: %v", p)
		}
	}()
	card, ok := u.Cards[s.Card]
	if !ok {
		return m, fmt.Errorf("no card is called %q", s.Card)
	}
	return card(tx, s)
}

// turnOf says whether nothing has to be told before s.
func (u *turn) turnOf(s *store.Surface) bool {
	if s.Ref == "" && u.unposted[s.Where["under"]] {
		return false // its thread is about to be there
	}
	key := u.key(s)
	telling, busy := u.busy[key]
	u.mu.Lock()
	cool := u.cool[key].Sub(u.now)
	u.mu.Unlock()
	if telling == s.ID && busy {
		u.line[key]++
		return false
	}
	if u.looks[s.ID].same {
		return !busy || s.Ref != ""
	}
	before := u.line[key]
	u.line[key]++
	if cool > 0 {
		u.next = min(u.next, cool)
	}
	if !busy && before == 0 && cool <= 0 {
		return true
	}
	if s.Ref == "" && u.looks[s.ID].end != "" && before > linePatience {
		u.over = append(u.over, s)
	}
	return false
}

// admit says whether there is room to tell s now; if not, it is put off or rolled up.
func (u *turn) admit(s *store.Surface) bool {
	l := u.looks[s.ID]
	if l.same {
		u.later[s.ID] = time.Time{}
		return false
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if s.Card == rollCard && u.rolls.telling(s, u.now) {
		return true // there was room when its lines came
	}
	r := u.rooms[s.Place]
	if r == nil || s.Ref == "" {
		return true
	}
	wait := r.wait(u.now, l.rank, l.end != "", u.live, u.ahead[s.Place])
	switch {
	case wait == 0:
		r.take(u.now, s.ID, l.end != "")
		return true
	case l.end != "":
		u.over = append(u.over, s)
	default:
		u.putOff(s, wait)
	}
	return false
}

func (u *turn) putOff(s *store.Surface, wait time.Duration) {
	u.ahead[s.Place]++
	u.later[s.ID] = u.now.Add(wait)
	u.next = min(u.next, wait)
}

// settle records, in one transaction, what this turn decided and did not tell.
func (u *turn) settle() error {
	if len(u.later)+len(u.over) == 0 {
		return nil
	}
	lines := u.rollUp()
	err := u.Store.Update(u.ctx, func(tx *store.Tx) error {
		for id, at := range u.later {
			if err := u.change(tx, id, func(s *store.Surface) {
				if at.IsZero() {
					s.Shown = max(s.Shown, u.looks[id].marked)
				} else if s.Marked == u.looks[id].marked {
					s.Due = at
				}
			}); err != nil {
				return err
			}
		}
		return u.saveLines(tx, lines)
	})
	if err != nil && u.ctx.Err() == nil {
		return fmt.Errorf("record what is told later: %w", err)
	}
	return nil
}

func (u *turn) change(tx *store.Tx, id string, change func(*store.Surface)) error {
	s, err := tx.Surface(id)
	if err != nil {
		return err
	}
	change(s)
	return tx.PutSurface(s)
}

// key names what is told one at a time: posts in one channel, what several
// surfaces show as one thing, and else each surface by itself, for edits of
// different messages do not wait for each other.
func (t *Teller) key(s *store.Surface) string {
	if one := t.Manners[s.Place].One; len(one) > 0 {
		name := []string{s.Place}
		for _, k := range one {
			name = append(name, s.Where[k])
		}
		return strings.Join(name, "\x00")
	}
	if k := t.Manners[s.Place].Key; k != "" && s.Ref == "" {
		return strings.Join([]string{s.Place, s.Where[k]}, "\x00")
	}
	return s.ID
}

// Idle says whether nothing is under way and nothing could be told now.
func (t *Teller) Idle() bool {
	var due []*store.Surface
	now := t.Clock.Now()
	err := t.Store.View(func(tx *store.Tx) (err error) {
		due, err = tx.DueSurfaces(now, 0)
		return err
	})
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil || len(t.busy) > 0 {
		return false
	}
	roots := unposted(due)
	for _, s := range due {
		if !roots[s.Where["under"]] && !t.cool[t.key(s)].After(now) {
			return false
		}
	}
	return true
}

// Rests says whether nothing is under way, and nothing will be told before a time
// unless something changes: neither what is due later nor what waits for its place.
func (t *Teller) Rests(before time.Time) bool {
	var due []*store.Surface
	err := t.Store.View(func(tx *store.Tx) (err error) {
		due, err = tx.DueSurfaces(before, 0)
		return err
	})
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil || len(t.busy) > 0 {
		return false
	}
	return !slices.ContainsFunc(due, func(s *store.Surface) bool { return t.cool[t.key(s)].Before(before) })
}

func (t *Teller) claim(key, id string) {
	t.mu.Lock()
	t.busy[key] = id
	t.mu.Unlock()
}

func (t *Teller) free(key string) {
	t.mu.Lock()
	delete(t.busy, key)
	t.mu.Unlock()
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// heed remembers until when a place takes nothing, for all that waits for it. What
// was refused is due then too, and not a moment later: it keeps its turn.
func (t *Teller) heed(s *store.Surface, after time.Duration) (until time.Time) {
	until = t.Clock.Now().Add(max(after, leastWait))
	t.mu.Lock()
	defer t.mu.Unlock()
	if r := t.rooms[s.Place]; r != nil && s.Ref != "" {
		r.closed = until
	} else if t.Manners[s.Place].Key != "" && s.Ref == "" {
		for key, at := range t.cool {
			if !at.After(t.Clock.Now()) {
				delete(t.cool, key)
			}
		}
		t.cool[t.key(s)] = until
	}
	return until
}
