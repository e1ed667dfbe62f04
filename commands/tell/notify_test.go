package tell

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// quietly is a catalog in which it is quiet for the next eight hours, and the
// digest comes in nine.
func quietly(r *hall, notify map[string]string) *integrations.Catalog {
	now := r.clock.Now().UTC()
	since := time.Duration(now.Hour())*time.Hour + time.Duration(now.Minute())*time.Minute
	day := func(d time.Duration) time.Duration { return d % (24 * time.Hour) }
	return &integrations.Catalog{Environments: []integrations.Environment{{
		Name: "production", Notify: notify,
		Quiet:  integrations.Hours{From: day(since + 23*time.Hour), To: day(since + 8*time.Hour)},
		Digest: integrations.Daily{At: day(since + 9*time.Hour)},
	}}}
}

func (r *hall) raise(cat *integrations.Catalog, subject string, change func(*Notice)) string {
	r.t.Helper()
	n := Notice{Environment: "production", Channel: "ops", Root: ID("wall", "op-1"), To: store.Person{Slack: "U0ALICE"},
		Surface: store.Surface{ID: ID("wall", subject), Place: "wall", Card: "said", Subject: subject}}
	change(&n)
	r.update(func(tx *store.Tx) error {
		if err := store.Feature[string](tx, "said").Put(subject, subject); err != nil {
			return err
		}
		return Raise(tx, cat, r.clock.Now(), n)
	})
	return n.ID
}

// Where an event is told is the configuration's to say.
func TestRaiseGoesItsWay(t *testing.T) {
	for _, row := range []struct{ event, way, want string }{
		{integrations.EventFailed, "", "ops under wall | op-1"},
		{integrations.EventFailed, integrations.WayChannel, "ops"},
		{integrations.EventFailed, integrations.WayDirect, "U0ALICE"},
		{integrations.EventFinished, "", "nowhere"},
		{integrations.EventFinished, integrations.WayDirect, "U0ALICE"},
		{integrations.EventLog, "", "ops under wall | op-1 silent"},
		{integrations.EventLog, integrations.WayNone, "nowhere"},
		{integrations.EventPlan, "", "nowhere"},
		{integrations.EventDestroys, "", "ops silent"},
	} {
		r := newHall(t, Manner{})
		r.open("op-1", "card", nil)
		cat := quietly(r, map[string]string{})
		if row.way != "" {
			cat.Environments[0].Notify[row.event] = row.way
		}
		id := r.raise(cat, "it", func(n *Notice) { n.Event = row.event })
		got := "nowhere"
		_ = r.store.View(func(tx *store.Tx) error {
			s, err := tx.Surface(id)
			if err != nil {
				return nil
			}
			got = s.Where["channel"]
			if s.Where["under"] != "" {
				got += " under " + s.Where["under"]
			}
			if s.Where["silent"] != "" {
				got += " silent"
			}
			return nil
		})
		if got != row.want {
			t.Errorf("%s told by %q goes to %q, want %q", row.event, row.way, got, row.want)
		}
	}
}

// Without a card there is no thread: what calls somebody stands in the channel, and
// a detail is left out.
func TestRaiseWithoutItsCard(t *testing.T) {
	r := newHall(t, Manner{})
	cat := quietly(r, nil)
	failed := r.raise(cat, "failed", func(n *Notice) { n.Event = integrations.EventFailed })
	if s := r.surface(failed); s.Where["channel"] != "ops" || s.Where["under"] != "" {
		t.Errorf("a failure stands in %v", s.Where)
	}
	r.raise(cat, "log", func(n *Notice) { n.Event = integrations.EventLog })
	_ = r.store.View(func(tx *store.Tx) error {
		if all, err := tx.SurfacesOf("log"); err != nil || len(all) > 0 {
			t.Errorf("a log stands in %d places, %v", len(all), err)
		}
		return nil
	})
}

// In quiet hours what is only good to know waits, also across an urgent change and
// a restart, and what asks somebody on call does not.
func TestQuietHours(t *testing.T) {
	r := newHall(t, Manner{})
	r.open("op-1", "card", nil)
	cat := quietly(r, nil)
	r.start()
	r.raise(cat, "destroys", func(n *Notice) { n.Event = integrations.EventDestroys })
	r.raise(cat, "window", func(n *Notice) { n.Event = integrations.EventWaits })
	r.raise(cat, "approve", func(n *Notice) { n.Event, n.OnCall = integrations.EventWaits, true })
	r.raise(cat, "failed", func(n *Notice) { n.Event = integrations.EventFailed })
	r.says("destroys", "destroys more", true)
	r.advance(7 * time.Hour)
	r.stop()
	r.start()
	r.advance(30 * time.Minute)
	if got := r.wall.texts(); slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, "destroys") || s == "window" }) || len(got) != 3 {
		t.Errorf("in quiet hours were told %q, want the card, the failure and the approval", got)
	}
	r.advance(time.Hour)
	got := r.wall.texts()
	slices.Sort(got)
	if want := []string{"approve", "card", "destroys more", "failed", "window"}; !slices.Equal(got, want) {
		t.Errorf("after them were told %q, want %q", got, want)
	}
}

// What goes into the digest is told in one message, at its time, with each thing in
// its thread.
func TestDigest(t *testing.T) {
	r := newHall(t, Manner{})
	r.teller.Cards[DigestCard] = func(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
		all, _, err := Digest(tx, s.Subject)
		return integrations.Message{Text: fmt.Sprint("digest of ", len(all))}, err
	}
	cat := quietly(r, nil)
	r.start()
	for i := range 3 {
		r.raise(cat, fmt.Sprint("drift-", i), func(n *Notice) { n.Event = integrations.EventDrift })
	}
	r.advance(8 * time.Hour)
	if got := r.wall.texts(); len(got) > 0 {
		t.Errorf("before its time were told %q", got)
	}
	r.stop()
	r.start()
	r.advance(2 * time.Hour)
	posts := r.wall.all()
	if len(posts) != 4 || posts[0].Message.Text != "digest of 3" {
		t.Fatalf("were told %q", r.wall.texts())
	}
	for _, p := range posts[1:] {
		if p.Where["thread"] != "ref 1" || p.Where["silent"] == "" {
			t.Errorf("%s stands in %v", p.Message.Text, p.Where)
		}
	}
	r.raise(cat, "drift-9", func(n *Notice) { n.Event = integrations.EventDrift })
	r.advance(22 * time.Hour)
	if n := len(r.wall.all()); n != 4 {
		t.Errorf("%d were told before the next one's time", n)
	}
	r.advance(2 * time.Hour)
	if got := r.wall.texts(); len(got) != 6 || got[4] != "digest of 1" {
		t.Errorf("the next day were told %q", got[4:])
	}
}

// Old digests are forgotten when a new one begins; their messages stay.
func TestDigestsArePruned(t *testing.T) {
	r := newHall(t, Manner{})
	cat := quietly(r, nil)
	r.raise(cat, "drift-1", func(n *Notice) { n.Event = integrations.EventDrift })
	if err := r.clock.Advance(t.Context(), keepRollups+48*time.Hour, nil); err != nil {
		t.Fatal(err)
	}
	r.raise(cat, "drift-2", func(n *Notice) { n.Event = integrations.EventDrift })
	n := 0
	_ = r.store.View(func(tx *store.Tx) error {
		return store.Feature[digested](tx, digestFeature).Each("", func(string, digested) error { n++; return nil })
	})
	if n != 1 {
		t.Errorf("%d digests are kept", n)
	}
}
