package tell

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

const patience = 30 * time.Second

func TestManyChangesAreOneEdit(t *testing.T) {
	r := newHall(t, Manner{})
	id := r.open("op-1", "one", nil)
	r.start()
	r.shows(id, "one")
	r.stop()
	for i := range 10 {
		r.says("op-1", fmt.Sprint("change ", i), true)
	}
	r.start()
	r.shows(id, "change 9")
	if posts := r.wall.all(); len(posts) != 2 || posts[1].Ref != "ref 1" {
		t.Errorf("ten changes were told as %q, want one edit of ref 1", r.wall.texts())
	}
}

func TestTheSameIsNotToldTwice(t *testing.T) {
	r := newHall(t, Manner{})
	id := r.open("op-1", "one", nil)
	r.start()
	r.shows(id, "one")
	r.says("op-1", "one", true)
	r.wait("the mark is taken", func() bool { s := r.surface(id); return s.Shown == s.Marked })
	if n := len(r.wall.all()); n != 1 {
		t.Errorf("the same text was told %d times", n)
	}
}

// A post whose intent stands and whose reference does not: the process died, or
// the answer was lost. The place is read before anything is posted again.
func TestAPostThatMayHaveBeenMade(t *testing.T) {
	for _, c := range []struct {
		name, found, ref string
		blind, once      bool
		posts            int
	}{
		{name: "found", found: "ref 77", ref: "ref 77", posts: 1},
		{name: "not found", ref: "ref 1", posts: 1},
		{name: "nobody can tell, told at least once", blind: true, ref: "ref 1", posts: 1},
		{name: "nobody can tell, told at most once", blind: true, once: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newHall(t, Manner{AtMostOnce: c.once})
			r.wall.found, r.wall.blind = c.found, c.blind
			id := r.open("op-1", "one", nil)
			r.update(func(tx *store.Tx) error {
				s, err := tx.Surface(id)
				if err != nil {
					return err
				}
				s.Nonce, s.IntentAt = "nonce", r.clock.Now()
				return tx.PutSurface(s)
			})
			r.start()
			r.wait("it is settled", func() bool { s := r.surface(id); return s.Shown == s.Marked })
			posts := r.wall.all()
			if len(posts) != c.posts || r.wall.finds != 1 {
				t.Fatalf("%d posts after %d looks", len(posts), r.wall.finds)
			}
			if s := r.surface(id); s.Ref != c.ref || c.once && s.Parked == "" {
				t.Errorf("its reference is %q (parked: %q), want %q", s.Ref, s.Parked, c.ref)
			}
			if c.found != "" && posts[0].Ref != c.found {
				t.Error("what was found was posted again instead of edited")
			}
			if c.posts > 0 && posts[0].Nonce != "nonce" {
				t.Errorf("it was posted with the nonce %q", posts[0].Nonce)
			}
		})
	}
}

// The answer is lost after the post was made: it is found, not made again.
func TestALostAnswer(t *testing.T) {
	r := newHall(t, Manner{})
	lost := false
	r.wall.answer = func(integrations.Post) error {
		if lost {
			return nil
		}
		lost, r.wall.found = true, "ref 1"
		return errors.New("connection reset")
	}
	id := r.open("op-1", "one", nil)
	r.start()
	r.wait("it is known", func() bool { s := r.surface(id); return s.Ref == "ref 1" && s.Shown == s.Marked })
	for _, p := range r.wall.all()[1:] {
		if p.Ref != "ref 1" {
			t.Error("it was posted twice")
		}
	}
}

// A rate limit delays and drops nothing, and no urgent mark overrules it.
func TestLaterIsLater(t *testing.T) {
	r := newHall(t, Manner{})
	limited := true
	tries := 0
	r.wall.refuse = func(integrations.Post) error {
		tries++
		if limited {
			return &integrations.Later{After: time.Hour, Err: errors.New("429")}
		}
		return nil
	}
	id := r.open("op-1", "one", nil)
	r.start()
	r.wait("it was refused", func() bool { return r.surface(id).Error != "" })
	r.says("op-1", "two", true)
	if due := r.surface(id).Due; due.Before(r.clock.Now().Add(30 * time.Minute)) {
		t.Errorf("it is due at %v, within the hour that the place asked for", due)
	}
	r.wall.mu.Lock()
	limited = false
	if tries != 1 {
		t.Errorf("it was tried %d times within the hour", tries)
	}
	r.wall.mu.Unlock()
	r.advance(time.Hour + time.Minute)
	r.shows(id, "two")
	if s := r.surface(id); s.Error != "" || s.Tries != 0 {
		t.Errorf("after it was shown: %q, %d tries", s.Error, s.Tries)
	}
}

// A place that is gone parks the surface and, with it, what stands under it:
// that would wait for a thread that never comes.
func TestGoneIsParked(t *testing.T) {
	r := newHall(t, Manner{Key: "channel"})
	r.wall.refuse = func(p integrations.Post) error {
		if p.Where["channel"] == "left" {
			return &integrations.Gone{Why: "the bot is not in the channel"}
		}
		return nil
	}
	root := r.open("op-1", "card", map[string]string{"channel": "left"})
	child := r.open("job-1", "log", map[string]string{"channel": "left", "under": root})
	orphan := r.open("job-2", "log", map[string]string{"channel": "left", "under": "nothing of the kind"})
	r.start()
	for _, id := range []string{root, child, orphan} {
		r.wait(id+" is parked", func() bool { return r.surface(id).Parked != "" })
	}
	marked := r.surface(child).Updated
	r.says("job-1", "more log", true)
	r.wait("nothing is due", r.teller.Idle)
	if s := r.surface(child); s.Parked == "" || s.Marked == 1 || marked.IsZero() {
		t.Errorf("after a mark: parked %q", s.Parked)
	}
	if n := len(r.wall.all()); n != 0 {
		t.Errorf("%d posts in a channel that was left", n)
	}
}

// What stands in a thread waits for the thread's root, and finds it.
func TestThreadWaitsForItsRoot(t *testing.T) {
	r := newHall(t, Manner{})
	child := ID("wall", "job-1")
	root := r.open("op-1", "", nil) // holds: it has nothing to show yet
	r.open("job-1", "log", map[string]string{"under": root})
	r.start()
	r.wait("the child was looked at", func() bool { return !r.surface(child).Due.IsZero() })
	if n := len(r.wall.all()); n != 0 {
		t.Fatalf("the log stands outside its thread: %q", r.wall.texts())
	}
	r.says("op-1", "card", true)
	r.shows(child, "log")
	if p := r.wall.all()[1]; p.Where["thread"] != "ref 1" {
		t.Errorf("the log stands in thread %q", p.Where["thread"])
	}
}

// What is not urgent keeps the pace; what people wait for does not.
func TestPace(t *testing.T) {
	r := newHall(t, Manner{Pace: time.Hour})
	id := r.open("op-1", "one", nil)
	r.start()
	r.shows(id, "one")
	r.says("op-1", "a line of log", false)
	if due := r.surface(id).Due; !due.After(r.clock.Now().Add(30 * time.Minute)) {
		t.Errorf("an edit within the pace is due at %v", due)
	}
	r.says("op-1", "the end", true)
	r.shows(id, "the end")
	if n := len(r.wall.all()); n != 2 {
		t.Errorf("told %q", r.wall.texts())
	}
}

// A card that cannot be rendered keeps no other from being told, and is told
// once it can be.
func TestACardThatPanics(t *testing.T) {
	r := newHall(t, Manner{})
	bad := r.open("op-1", "panic: a fault in a card", nil)
	good := r.open("op-2", "two", nil)
	r.start()
	r.shows(good, "two")
	r.wait("the fault is recorded", func() bool { return r.surface(bad).Error != "" })
	r.says("op-1", "mended", true)
	r.advance(time.Hour)
	r.shows(bad, "mended")
}

// Messages of one channel come in the order in which they were opened.
func TestOrderWithinAChannel(t *testing.T) {
	r := newHall(t, Manner{Key: "channel"})
	var want []string
	for i := range 20 {
		r.open(fmt.Sprint("op-", i), fmt.Sprint("message ", i), map[string]string{"channel": "ops"})
		want = append(want, fmt.Sprint("message ", i))
	}
	r.start()
	r.wait("all are told", func() bool { return len(r.wall.all()) == 20 })
	if got := r.wall.texts(); !slices.Equal(got, want) {
		t.Errorf("told in the order %q", got)
	}
}

func TestAnEditWhoseAnswerWasLostIsNotTrusted(t *testing.T) {
	r := newHall(t, Manner{})
	id := r.open("op-1", "queued", nil)
	r.start()
	r.shows(id, "queued")
	r.wall.mu.Lock()
	r.wall.answer = func(integrations.Post) error { return errors.New("the answer was lost") }
	r.wall.mu.Unlock()
	r.says("op-1", "running", true)
	r.wait("an edit without an answer", func() bool { return r.surface(id).Tries > 0 })
	r.wall.mu.Lock()
	r.wall.answer = nil
	r.wall.mu.Unlock()
	r.says("op-1", "queued", true) // as it was last known to show
	r.advance(time.Minute)
	r.shows(id, "queued")
}

func TestAnEditThatAKillCutShortIsNotTrusted(t *testing.T) {
	r := newHall(t, Manner{})
	id := r.open("op-1", "queued", nil)
	r.start()
	r.shows(id, "queued")
	r.stop()
	r.says("op-1", "running", true)
	if _, err := r.wall.Show(t.Context(), integrations.Post{Ref: "ref 1", Message: integrations.Message{Text: "running"}}); err != nil {
		t.Fatal(err) // the process before made the edit, and was killed before it wrote that down
	}
	r.says("op-1", "queued", true)
	r.start()
	r.shows(id, "queued")
}

// What a surface has shown does not stand any more when another one showed
// something else in the same place since.
func TestWhatAnotherShowedSinceIsShownOver(t *testing.T) {
	r := newHall(t, Manner{One: []string{"sha"}})
	where := map[string]string{"sha": "abc"}
	b := r.open("b", "ready", where)
	r.start()
	r.shows(b, "ready")
	a := r.open("a", "two of them", where)
	r.shows(a, "two of them")
	r.says("b", "ready", true)
	r.wait("it is told", func() bool { return r.surface(b).Shown == r.surface(b).Marked })
	if texts := r.wall.texts(); texts[len(texts)-1] != "ready" {
		t.Errorf("it was told as %q", texts)
	}
	n := len(r.wall.texts())
	r.says("b", "ready", true)
	r.wait("it is looked at", func() bool { return r.surface(b).Shown == r.surface(b).Marked })
	if texts := r.wall.texts(); len(texts) != n {
		t.Errorf("what stands there is told again: %q", texts)
	}
}

// Two surfaces that show one thing are told one after the other: what one of them
// said before must not land on what the other says since.
func TestWhatShowsOneThingIsToldOneAtATime(t *testing.T) {
	r := newHall(t, Manner{One: []string{"sha"}})
	where := map[string]string{"sha": "abc"}
	a, b := r.open("a", "planning", where), r.open("b", "planning", where)
	r.start()
	r.shows(a, "planning")
	r.shows(b, "planning")
	slow, hold := make(chan bool), make(chan bool)
	r.wall.mu.Lock()
	r.wall.showing = func(p integrations.Post) {
		if p.Message.Text == "slow" { // it is on its way for a while
			r.wall.mu.Unlock()
			close(slow)
			<-hold
			r.wall.mu.Lock()
		}
	}
	r.wall.mu.Unlock()
	r.says("a", "slow", true)
	<-slow
	r.says("b", "done", true)
	for range 20 {
		time.Sleep(time.Millisecond) // it could be told, if it did not wait its turn
	}
	close(hold)
	r.wait("both are told", func() bool {
		return r.surface(a).Shown == r.surface(a).Marked && r.surface(b).Shown == r.surface(b).Marked
	})
	if texts := r.wall.texts(); texts[len(texts)-1] != "done" {
		t.Errorf("it was told as %q", texts)
	}
}
