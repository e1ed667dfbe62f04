package digest

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/store"
)

// titled compares the digests that were posted by the beginnings of their first lines.
func (s *scene) titled(want ...string) {
	s.t.Helper()
	got := s.titles()
	if !slices.EqualFunc(got, want, func(a, b string) bool { return a == "📊 The week behind, "+b }) {
		s.t.Errorf("posted are %q, want %q", got, want)
	}
}

func TestADigestIsPostedOnceAWeek(t *testing.T) {
	s := newScene(t)
	s.aWeek()
	s.on("22 12:00") // what was before it was asked for is not posted
	s.on("23 09:59")
	s.titled()
	for range 3 {
		s.on("23 10:00")
		s.starts()
		s.on("23 10:01")
	}
	s.titled("16 Nov – 22 Nov 2026")
	s.on("30 09:59")
	s.titled("16 Nov – 22 Nov 2026")
	s.on("30 10:00")
	s.titled("16 Nov – 22 Nov 2026", "23 Nov – 29 Nov 2026")
	for _, p := range s.posts() {
		if p.where != "C-ops" {
			t.Errorf("%s is posted in %s", p.card, p.where)
		}
	}
}

// What a digest says stays as it was when it was due.
func TestADigestStaysAsItWas(t *testing.T) {
	s := newScene(t)
	s.aWeek()
	s.on("22 12:00")
	s.on("23 10:00")
	was := s.posts(cardText)[0].message.Text
	s.deploys = nil
	s.on("25 10:00")
	if got := s.posts(cardText)[0].message.Text; got != was || !strings.Contains(was, "5 deploys") {
		t.Errorf("it says\n%s\nand said\n%s", got, was)
	}
}

func TestADigestAfterAStandstill(t *testing.T) {
	s := newScene(t)
	s.on("22 12:00")
	s.starts()
	s.on("23 13:30")
	s.titled("16 Nov – 22 Nov 2026")
	if got := s.posts(cardText)[0].message.Text; !strings.Contains(got, "\nlate by 3 h 30 min · times") {
		t.Errorf("it says %s", got)
	}
	s.at(time.Date(2026, 12, 15, 9, 0, 0, 0, s.cfg.zone())) // three were missed: one, of the newest
	s.titled("16 Nov – 22 Nov 2026", "7 Dec – 13 Dec 2026")
	s.at(time.Date(2026, 12, 22, 10, 1, 0, 0, s.cfg.zone())) // too late
	s.titled("16 Nov – 22 Nov 2026", "7 Dec – 13 Dec 2026")
	s.at(time.Date(2026, 12, 28, 10, 1, 59, 0, s.cfg.zone())) // hardly late is not late
	s.titled("16 Nov – 22 Nov 2026", "7 Dec – 13 Dec 2026", "21 Dec – 27 Dec 2026")
	if got := s.posts(cardText)[2].message.Text; strings.Contains(got, "late") {
		t.Errorf("it says %s", got)
	}
}

// The process is killed before the transaction of a post, or right after it.
func TestKilledAtTheBoundary(t *testing.T) {
	s := newScene(t)
	s.aWeek()
	s.on("22 12:00")
	s.clock.now = time.Date(2026, 11, 23, 10, 0, 30, 0, s.cfg.zone())
	cut := s.store
	if err := cut.Close(); err != nil { // nothing is written any more
		t.Fatal(err)
	}
	if err := s.f.watch(t.Context()); err == nil {
		t.Error("a closed store took it")
	}
	s.store = nil
	s.starts()
	s.titled()
	s.on("23 10:01")
	s.starts()
	s.on("23 10:02")
	s.titled("16 Nov – 22 Nov 2026")
	if n := len(s.posts()); n != 2 {
		t.Errorf("%d posts", n)
	}
}

// Nothing configured posts nothing; other times count from when they are asked for.
func TestOtherTimes(t *testing.T) {
	s := newScene(t)
	s.cfg = Config{}
	s.on("22 12:00")
	s.on("23 10:00")
	s.titled()
	s.cfg = Config{Channel: "ops", Zone: "Asia/Tokyo"}
	s.on("23 12:00")
	s.titled()
	s.cfg.At = "0 13 * * mon"
	s.on("23 12:30")
	s.on("23 13:00")
	s.titled("16 Nov – 22 Nov 2026")
	s.cfg.Zone = "America/New_York"
	s.at(time.Date(2026, 11, 30, 13, 0, 0, 0, s.cfg.zone())) // the first look in that zone
	s.titled("16 Nov – 22 Nov 2026")
	s.cfg.Channel = ""
	s.at(time.Date(2026, 12, 1, 13, 0, 0, 0, s.cfg.zone()))
	s.cfg.Channel = "ops"
	s.at(time.Date(2026, 12, 7, 13, 30, 0, 0, s.cfg.zone())) // while it was off is not missed
	s.titled("16 Nov – 22 Nov 2026")
}

// Weeks in which the clock is moved are of seven days, and a time that it shows twice, or
// skips, comes once.
func TestWeeksInWhichTheClockIsMoved(t *testing.T) {
	s := newScene(t)
	s.cfg = Config{Channel: "ops", Zone: "Europe/Berlin", At: "30 2 * * sun"}
	berlin := s.cfg.zone()
	at := func(month time.Month, day, hour, minute int) time.Time {
		return time.Date(2026, month, day, hour, minute, 0, 0, berlin)
	}
	var want []string
	for _, c := range []struct {
		first, last time.Time
		title       string
	}{
		{at(3, 22, 1, 0), at(3, 22, 12, 0), "15 Mar – 21 Mar 2026"},
		{at(3, 29, 1, 0), at(3, 29, 12, 0), "22 Mar – 28 Mar 2026"}, // 02:30 is skipped
		{at(4, 5, 1, 0), at(4, 5, 12, 0), "29 Mar – 4 Apr 2026"},
		{at(10, 18, 1, 0), at(10, 18, 12, 0), "11 Oct – 17 Oct 2026"},
		{at(10, 25, 0, 0), at(10, 25, 12, 0), "18 Oct – 24 Oct 2026"}, // 02:30 comes twice
		{at(11, 1, 1, 0), at(11, 1, 12, 0), "25 Oct – 31 Oct 2026"},
	} {
		for now := c.first; !now.After(c.last); now = now.Add(15 * time.Minute) {
			s.at(now)
		}
		want = append(want, c.title)
	}
	s.titled(want...)
	lengths := map[string]time.Duration{}
	err := s.store.View(func(tx *store.Tx) error {
		return told(tx).Each("", func(k string, t telling) error {
			lengths[k] = t.Report.To.Sub(t.Report.From)
			if first := at(10, 25, 0, 0).Add(150 * time.Minute); k == "weekly-2026-10-25" && !t.Due.Equal(first) {
				s.t.Errorf("the one of the long day is that of %v", t.Due)
			}
			if before := t.Report.before().In(berlin); before.Hour() != 0 || t.Report.From.In(berlin).YearDay()-before.YearDay() != 7 {
				s.t.Errorf("before %s is from %v", k, before)
			}
			return nil
		})
	})
	if err != nil || lengths["weekly-2026-04-05"] != 167*time.Hour || lengths["weekly-2026-11-01"] != 169*time.Hour || lengths["weekly-2026-03-22"] != 168*time.Hour {
		t.Errorf("the weeks are %v long, %v", lengths, err)
	}
}

// Two pictures go with it, each drawn once and in the language of the channel, or in that
// of the digest; where there is nothing to show there is none.
func TestPicturesAreSentOnce(t *testing.T) {
	s := newScene(t)
	s.aWeek()
	s.aRota()
	s.speaks["C-ops"] = "ja"
	s.on("22 12:00")
	s.on("23 10:00")
	all := s.posts()
	if len(all) != 3 || all[0].card != cardText || all[1].message.Text != "デプロイ, 2026年11月16日〜11月22日" || all[2].message.Text != "オンコール, 2026年11月16日〜11月22日" {
		t.Fatalf("posted are %+v", all)
	}
	for _, p := range all[1:] {
		b, err := os.ReadFile(p.message.File.Path)
		if err != nil || !strings.HasPrefix(string(b), "\x89PNG") || p.message.File.Alt == "" || p.message.File.Title != p.message.Text {
			t.Errorf("the picture is %+v: %v", p.message.File, err)
		}
	}
	if got, want := all[1].message.File.Name, "deploys-weekly-2026-11-23.png"; got != want {
		t.Errorf("it is called %s", got)
	}
	// One that is there is not drawn again, and one that was sent is not sent again.
	if err := os.WriteFile(all[1].message.File.Path, []byte("as it was"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.starts()
	if b, err := os.ReadFile(s.posts(cardDeploys)[0].message.File.Path); err != nil || string(b) != "as it was" {
		t.Errorf("it was drawn again: %v", err)
	}
	err := s.store.View(func(tx *store.Tx) error {
		m, err := s.f.pictureCard(deploysOf)(tx, &store.Surface{Subject: "weekly-2026-11-23", Card: cardDeploys, Ref: "F1"})
		if !m.Hold {
			t.Error("what was sent is sent again")
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	s.cfg.Language, s.speaks["en"] = "en", "en"
	s.on("30 10:00")
	for _, p := range s.posts(cardLoad)[1:] {
		if p.message.Text != "On call, 23 Nov – 29 Nov 2026" {
			t.Errorf("with a language of its own it is %q", p.message.Text)
		}
	}
	if n := len(s.posts(cardDeploys)); n != 2 { // web was deployed on the 23rd
		t.Errorf("%d pictures of deploys", n)
	}
	s.at(time.Date(2026, 12, 7, 10, 0, 0, 0, s.cfg.zone()))
	if n := len(s.posts(cardDeploys)); n != 2 {
		t.Errorf("of a week without deploys there is one: %d", n)
	}
}

func TestPruned(t *testing.T) {
	s := newScene(t)
	s.aWeek()
	s.on("22 12:00")
	s.on("23 10:00")
	path := s.posts(cardDeploys)[0].message.File.Path
	old := time.Now().Add(-keepPictures - time.Hour)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		after time.Duration
		left  int
	}{{keepFor, 2}, {keepFor + 24*time.Hour, 0}} {
		s.clock.now = time.Date(2026, 11, 23, 10, 0, 0, 0, s.cfg.zone()).Add(c.after)
		if err := s.f.prune(t.Context()); err != nil {
			t.Fatal(err)
		}
		err := s.store.View(func(tx *store.Tx) error {
			left, err := tx.SurfacesOf("weekly-2026-11-23")
			if len(left) != c.left {
				t.Errorf("left are %d, want %d", len(left), c.left)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(s.f.Dir, "*.png")); len(left) != 0 {
		t.Errorf("left are %v", left)
	}
}
