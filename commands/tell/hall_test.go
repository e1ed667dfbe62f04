package tell

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/store"
)

// A wall is a place that remembers what was put there.
type wall struct {
	mu      sync.Mutex
	posts   []integrations.Post // every Show that worked
	found   string              // what Find answers
	finds   int
	blind   bool                            // cannot be read back
	refuse  func(p integrations.Post) error // before the post is made
	answer  func(p integrations.Post) error // after it is made
	showing func(p integrations.Post)       // called at each Show
}

func (w *wall) Show(ctx context.Context, p integrations.Post) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.showing != nil {
		w.showing(p)
	}
	if w.refuse != nil {
		if err := w.refuse(p); err != nil {
			return "", err
		}
	}
	w.posts = append(w.posts, p)
	if w.answer != nil {
		if err := w.answer(p); err != nil {
			return "", err
		}
	}
	if p.Ref != "" {
		return p.Ref, nil
	}
	return fmt.Sprint("ref ", len(w.posts)), nil
}

func (w *wall) Find(context.Context, integrations.Post) (string, bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.finds++
	if w.blind {
		return "", false, integrations.ErrNotReadable
	}
	return w.found, w.found != "", nil
}

func (w *wall) all() []integrations.Post {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.posts)
}

func (w *wall) texts() (out []string) {
	for _, p := range w.all() {
		out = append(out, p.Message.Text)
	}
	return out
}

// A hall is a teller on a real store; what a subject says is a feature record.
type hall struct {
	t      *testing.T
	store  *store.Store
	clock  *clock.Movable
	wall   *wall
	teller *Teller
	stop   func()
}

func newHall(t *testing.T, m Manner) *hall {
	t.Helper()
	clk := clock.NewMovable(0)
	s, err := store.Open(filepath.Join(t.TempDir(), "signalbox.db"), store.Options{Now: clk.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	r := &hall{t: t, store: s, clock: clk, wall: &wall{}}
	r.teller = New(Deps{Store: s, Clock: clk, Log: slog.New(slog.DiscardHandler), Places: map[string]integrations.Place{"wall": r.wall},
		Manners: map[string]Manner{"wall": m}, Cards: RollupCards()})
	r.teller.Cards["said"] = func(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
		text, _, err := store.Feature[string](tx, "said").Get(s.Subject)
		if strings.HasPrefix(text, "panic") {
			panic(text)
		}
		m := integrations.Message{Text: text, Hold: text == ""}
		if strings.HasPrefix(text, "end") {
			m.Final = text
		}
		m.Asks = strings.HasPrefix(text, "ask")
		return m, err
	}
	return r
}

func (r *hall) start() {
	r.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.teller.Run(ctx) }()
	var once sync.Once
	r.stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				r.t.Error(err)
			}
		})
	}
	r.t.Cleanup(func() { r.stop() })
}

// says stores what a subject says now and marks its surfaces.
func (r *hall) says(subject, text string, urgent bool) {
	r.t.Helper()
	r.update(func(tx *store.Tx) error {
		if err := store.Feature[string](tx, "said").Put(subject, text); err != nil {
			return err
		}
		return Mark(tx, subject, urgent)
	})
}

func (r *hall) open(subject, text string, where map[string]string) string {
	r.t.Helper()
	id := ID("wall", subject)
	r.update(func(tx *store.Tx) error {
		if err := store.Feature[string](tx, "said").Put(subject, text); err != nil {
			return err
		}
		return Open(tx, store.Surface{ID: id, Place: "wall", Card: "said", Subject: subject, Where: where})
	})
	return id
}

func (r *hall) update(do func(tx *store.Tx) error) {
	r.t.Helper()
	if err := r.store.Update(context.Background(), do); err != nil {
		r.t.Fatal(err)
	}
}

func (r *hall) surface(id string) (s *store.Surface) {
	r.t.Helper()
	if err := r.store.View(func(tx *store.Tx) (err error) { s, err = tx.Surface(id); return err }); err != nil {
		r.t.Fatal(err)
	}
	return s
}

func (r *hall) wait(what string, ok func() bool) {
	r.t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			r.t.Fatalf("waited in vain: %s; the wall shows %q", what, r.wall.texts())
		}
	}
}

func (r *hall) shows(id, text string) {
	r.t.Helper()
	r.wait("the wall shows "+text, func() bool {
		posts := r.wall.all()
		s := r.surface(id)
		return len(posts) > 0 && posts[len(posts)-1].Message.Text == text && s.Shown == s.Marked
	})
}

// advance moves the clock timer by timer. The loop must sleep meanwhile: how long
// it does is worked out at one time and begins at another.
func (r *hall) advance(d time.Duration) {
	r.t.Helper()
	settle := func(context.Context) error {
		quiet := 0
		r.wait("nothing can be told", func() bool {
			if quiet++; !r.teller.Idle() {
				quiet = 0
			}
			return quiet == 5
		})
		return nil
	}
	_ = settle(r.t.Context())
	if err := r.clock.Advance(r.t.Context(), d, settle); err != nil {
		r.t.Fatal(err)
	}
}
