package digest

import (
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// sentFiles are what alice is sent because of what she typed last.
func (s *scene) sentFiles() (out []integrations.File) {
	s.t.Helper()
	err := s.store.View(func(tx *store.Tx) error {
		for _, f := range s.f.sent {
			all, err := tx.SurfacesOf(f.Of + "-" + string(rune('0'+s.event)))
			if err != nil {
				return err
			}
			for _, x := range all {
				m, err := s.f.feature().Cards[x.Card](tx, x)
				if err != nil {
					return err
				}
				if x.Where["channel"] != alice.Slack {
					s.t.Errorf("it is sent to %s", x.Where["channel"])
				}
				out = append(out, *m.File)
			}
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

func TestADigestOnDemand(t *testing.T) {
	s := newScene(t)
	s.aWeek()
	s.clock.now = time.Date(2026, 11, 25, 12, 0, 0, 0, s.cfg.zone()) // a Wednesday
	for line, want := range map[string][]string{
		"digest":                   {"📊 The week behind, 18 Nov – 25 Nov 2026\n• web: 2 deploys (↓ from 4)", "pictures are in our direct message · "},
		"weekly":                   {"📊 The week behind, 18 Nov – 25 Nov 2026\n"},
		"digest last week":         {"📊 The week behind, 16 Nov – 22 Nov 2026\nAll services: 5 deploys (↑ from 4)"},
		"digest since 先週":          {"📊 The week behind, 16 Nov – 22 Nov 2026\nAll services: 5 deploys (↑ from 4)"},
		"digest this week":         {"📊 The time behind, 23 Nov – 25 Nov 2026\n• web: 1 deploy "},
		"digest since friday":      {"📊 The time behind, 20 Nov – 25 Nov 2026\n• web: 2 deploys"},
		"digest since 2026-11-18":  {"📊 The time behind, 18 Nov – 25 Nov 2026\n"},
		"digest since 2026-10-26":  {"📊 The time behind, 26 Oct – 25 Nov 2026\n"},
		"digest since yesterday":   {"📊 The time behind, 24 Nov – 25 Nov 2026\nNothing was deployed; the time before had 1 deploy.\n"},
		"digest since today 11:00": {"📊 The time behind, 25 Nov 2026\n"},
	} {
		reply, err := s.says(line)
		if err != nil || reply.Public != nil || reply.Private == nil {
			t.Errorf("%s: %+v, %v", line, reply, err)
			continue
		}
		for _, w := range want {
			if !strings.Contains(reply.Private.Text, w) {
				t.Errorf("%s lacks %q:\n%s", line, w, reply.Private.Text)
			}
		}
	}
	s.deploys = nil
	s.aRota()
	if reply, err := s.says("digest this week"); err != nil || !strings.Contains(reply.Private.Text, "☎️ platform: somebody was on call for 60 h") {
		t.Errorf("it says %+v, %v", reply.Private, err)
	}
	s.refuses("digest since 2026-10-24", "too_long")
	s.refuses("digest since 2026-12-24", "future")
	if all := s.posts(); len(all) != 0 {
		t.Errorf("it posted %+v", all)
	}
}

// The pictures are sent to whoever asks, in their language; without a zone of the digest's
// own, days are theirs.
func TestPicturesOfWhoAsks(t *testing.T) {
	s := newScene(t)
	s.aWeek()
	s.speaks[alice.Slack] = "ja"
	s.cfg = Config{}
	s.clock.now = time.Date(2026, 11, 22, 22, 0, 0, 0, time.UTC)
	reply, err := s.says("digest last week")
	if err != nil || !strings.Contains(reply.Private.Text, ", 2026年11月9日〜11月15日\n") || !strings.Contains(reply.Private.Text, "America/New_York") {
		t.Fatalf("it says %+v, %v", reply.Private, err)
	}
	sent := s.sentFiles()
	if len(sent) != 1 || sent[0].Name != "deploys-2026-11-16.png" || sent[0].Title != "デプロイ, 2026年11月9日〜11月15日" || !strings.HasPrefix(sent[0].Alt, sent[0].Title+": デプロイ 5, 失敗 20 %") {
		t.Errorf("sent are %+v", sent)
	}
	s.deploys = nil
	if reply, err := s.says("digest"); err != nil || strings.Contains(reply.Private.Text, "picture") || len(s.sentFiles()) != 0 {
		t.Errorf("of nothing it says %+v, %v, and sends %v", reply.Private, err, s.sentFiles())
	}
}

// A zone that has no name which could be found again is UTC.
func TestNamed(t *testing.T) {
	tokyo := zoneOf(t, "Asia/Tokyo")
	if got := named(tokyo); got.String() != "Asia/Tokyo" {
		t.Errorf("it is %v", got)
	}
	if got := named(time.FixedZone("Japan Standard Time", 9*60*60)); got != time.UTC {
		t.Errorf("it is %v", got)
	}
}
