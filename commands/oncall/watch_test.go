package oncall

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// posts compares the posts with what they must begin with.
func (r *room) posts(want ...string) {
	r.t.Helper()
	got := r.told(cardHandoff)
	bad := len(got) != len(want)
	for i := range min(len(got), len(want)) {
		bad = bad || !strings.HasPrefix(got[i], "alerts: ☎️ platform: "+want[i])
	}
	if bad {
		r.t.Errorf("posted is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestEachHandoffIsPostedOnce(t *testing.T) {
	r := newRoom(t, daily())
	r.ticks() // what was before it was watched is not posted
	r.posts()
	r.at(5, "08:59:30")
	r.posts()
	for _, at := range []string{"09:00", "09:00:30", "09:01"} {
		r.at(5, at)
		r.starts()
		r.ticks()
	}
	r.posts("alice is on call until 2026-03-06 09:00 JST\nnext:\nFri 6 Mar 09:00")
	r.at(6, "09:00")
	r.posts("alice", "bob")
}

func TestAHandoffDuringAStandstill(t *testing.T) {
	r := newRoom(t, daily())
	r.at(5, "08:59")
	r.starts()
	r.at(5, "09:03") // facts (b) 29
	r.posts("alice is on call until 2026-03-06 09:00 JST (late by 3 min)")

	r.at(8, "10:00") // three handoffs were missed: one post, of the newest
	r.posts("alice", "alice is on call until 2026-03-09 09:00 JST (late by 1 h)")
	r.at(10, "12:00") // too late to be told
	r.posts("alice", "alice")
	r.at(11, "09:00")
	r.posts("alice", "alice", "alice is on call until 2026-03-12 09:00 JST\n")
}

func TestPostsAtSetTimes(t *testing.T) {
	s := daily()
	s.Handoffs, s.Posts = false, []string{"0 10 * * mon-fri", "30 17 * * *"}
	r := newRoom(t, s)
	r.ticks()
	r.at(4, "17:29")
	r.posts()
	r.at(4, "17:30")
	r.at(4, "17:31")
	r.posts("carol")
	r.starts()
	r.at(6, "10:30") // of three that were missed the newest
	r.posts("carol", "bob is on call until 2026-03-07 09:00 JST (late by 30 min)")
	r.at(7, "10:00") // a Saturday; that of 17:30 on Friday is too late
	r.posts("carol", "bob")

	// Set times that are changed count from then on.
	r.cfg.Schedules[0].Posts = []string{"0 12 * * *"}
	r.at(7, "11:00")
	r.at(7, "12:00")
	r.posts("carol", "bob", "carol")
}

// A handoff and a set time at the same moment are one post.
func TestAPostForBoth(t *testing.T) {
	s := daily()
	s.Posts = []string{"0 9 * * *"}
	r := newRoom(t, s)
	r.ticks()
	r.at(5, "09:00")
	r.at(5, "09:01")
	r.posts("alice")
}

// What somebody takes is told by its own message, and its end is a handoff.
func TestATakeIsNoHandoff(t *testing.T) {
	r := newRoom(t, daily())
	r.ticks()
	r.at(4, "12:04:30")
	r.clock.now = r.clock.now.Add(50 * time.Second)
	r.must(bob, "oncall take 2h")
	r.at(4, "12:06")
	r.posts()
	r.at(4, "14:05")
	r.posts("carol is on call until 2026-03-05 09:00 JST")
}

func TestWhatIsHandedOver(t *testing.T) {
	r := newRoom(t, daily())
	r.ticks()
	r.f.HandedOver = []func(*store.Tx) ([]integrations.Rich, error){func(*store.Tx) ([]integrations.Rich, error) {
		return []integrations.Rich{integrations.R("drain-4 is held")}, nil
	}}
	err := r.store.Update(t.Context(), func(tx *store.Tx) error {
		if err := tx.PutHold(&store.Hold{ID: "hold-1", Kind: store.HoldHold, Service: "web", Environment: "production", Owner: gate.ToStore(alice), Reason: "a migration"}, 0); err != nil {
			return err
		}
		if err := tx.PutJob(&store.Job{ID: "job-1", Kind: "apply", Target: "network/production", State: store.JobUnknown}); err != nil {
			return err
		}
		return store.Feature[gate.Incident](tx, gate.IncidentFeature).Put("incident-1", gate.Incident{ID: "incident-1", Title: "the shop is down", By: gate.ToStore(bob), Opened: r.clock.now})
	})
	if err != nil {
		t.Fatal(err)
	}
	r.at(5, "09:00")
	text := strings.Join(r.told(cardHandoff), "")
	for _, want := range []string{"incident-1 “the shop is down” · bob, 21 h", "job-1 on network/production was interrupted", "hold-1 web/production · alice: a migration", "drain-4 is held"} {
		if !strings.Contains(text, want) {
			t.Errorf("the post lacks %q:\n%s", want, text)
		}
	}
}

func TestAGapIsToldOnceAndAhead(t *testing.T) {
	s := daily()
	s.Layers[0].Until, s.Gaps = "2026-03-08 09:00", 48*time.Hour
	r := newRoom(t, s)
	r.ticks()
	if all := r.told(cardGap); len(all) != 0 {
		t.Errorf("too early: %q", all)
	}
	r.at(6, "10:00")
	r.starts()
	r.at(7, "10:00")
	if all := r.told(cardGap); len(all) != 1 || !strings.HasPrefix(all[0], "alerts: ⚠️ platform: nobody is on call from 2026-03-08 09:00 JST") {
		t.Errorf("it is told as %q", all)
	}
	// Whoever presses its button has it.
	r.must(alice, `oncall take 24h platform from "2026-03-08T09:00:00+09:00"`)
	r.expect("carol until 8 09:00, alice until 9 09:00, nobody until …")
	r.at(8, "09:00")
	if all := r.told(cardGap); len(all) != 2 || !strings.Contains(all[1], "from 2026-03-09 09:00 JST") {
		t.Errorf("the rest is told as %q", all)
	}
	// One that has begun is not told, nor any where that is not wanted.
	r.cfg.Schedules[0].Gaps = -1
	r.at(20, "09:00")
	if all := r.told(cardGap); len(all) != 2 {
		t.Errorf("told is %q", all)
	}
}

func TestPruned(t *testing.T) {
	r := newRoom(t, daily())
	r.ticks()
	r.must(bob, "oncall take 2h")
	r.must(alice, "oncall swap bob thursday")
	r.must(bob, "oncall decline swap-1")
	r.at(5, "09:00")
	r.clock.now = r.clock.now.Add(keepFor + 24*time.Hour)
	if err := r.f.prune(t.Context()); err != nil {
		t.Fatal(err)
	}
	err := r.store.View(func(tx *store.Tx) error {
		left, err := tx.SurfacesOf("rota-1")
		if len(left) > 0 {
			t.Errorf("left are %d surfaces", len(left))
		}
		if _, found, _ := swaps(tx).Get("swap-1"); found {
			t.Error("left is a swap")
		}
		all, err2 := overridesOf(tx, "platform")
		if len(all) > 0 || err2 != nil {
			t.Errorf("left are %v %v", all, err2)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The week ahead goes with a post at a set time, drawn once.
func TestThePictureOfTheWeek(t *testing.T) {
	s := daily()
	s.Posts = []string{"0 10 * * *"}
	r := newRoom(t, s)
	r.f.Dir = filepath.Join(r.dir, "weeks")
	r.ticks()
	r.at(4, "12:00")
	if all := r.told(cardWeek); len(all) != 0 {
		t.Errorf("nothing was due: %q", all)
	}
	r.at(5, "09:00")
	r.at(5, "10:00")
	if all := r.told(cardWeek); len(all) != 1 || all[0] != "alerts: The week ahead of platform" {
		t.Errorf("drawn is %q", all)
	}
	files, err := filepath.Glob(filepath.Join(r.f.Dir, "*.png"))
	if err != nil || len(files) != 1 {
		t.Fatalf("the pictures are %v, %v", files, err)
	}
	body, err := os.ReadFile(files[0])
	if err != nil || !strings.HasPrefix(string(body), "\x89PNG") {
		t.Errorf("it is no picture: %v", err)
	}
	old := time.Now().Add(-keepPictures - time.Hour)
	if err := os.Chtimes(files[0], old, old); err != nil {
		t.Fatal(err)
	}
	if err := r.f.prune(t.Context()); err != nil {
		t.Fatal(err)
	}
	if files, _ = filepath.Glob(filepath.Join(r.f.Dir, "*.png")); len(files) != 0 {
		t.Errorf("left are %v", files)
	}
}

// The picture of a week is in the language of its channel.
func TestThePictureOfTheWeekInJapanese(t *testing.T) {
	for language, want := range map[string]string{"en": "platform, Thu 5 Mar – Wed 11 Mar 2026. Now alice until Fri 09:00, then bob.", "ja": "platform, 2026年3月5日(木)〜3月11日(水). 担当中: alice (金曜 09:00まで) 次: bob."} {
		s := daily()
		s.Posts = []string{"0 10 * * *"}
		r := newRoom(t, s)
		r.f.Dir = t.TempDir()
		r.f.Language = func(_ *store.Tx, s *store.Surface) (string, error) {
			return map[string]string{"alerts": language}[s.Where["channel"]], nil
		}
		r.ticks()
		r.at(5, "10:00")
		err := r.store.View(func(tx *store.Tx) error {
			all, err := surfaces(tx)
			for _, s := range all {
				if s.Card != cardWeek {
					continue
				}
				m, err := r.f.weekCard(tx, s)
				if err != nil {
					return err
				}
				if m.File.Alt != want {
					t.Errorf("in %s it shows %q, want %q", language, m.File.Alt, want)
				}
				want = ""
			}
			return err
		})
		if err != nil || want != "" {
			t.Errorf("no picture: %v", err)
		}
	}
}
