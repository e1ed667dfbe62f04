package digest

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/picture"
	"github.com/signalbox-chatops/signalbox/integrations/kit/rota"
	"github.com/signalbox-chatops/signalbox/store"
)

// reportOf is the report of the week until the morning of the 23rd.
func (s *scene) reportOf() report {
	s.t.Helper()
	var r report
	at := time.Date(2026, 11, 23, 10, 0, 0, 0, s.cfg.zone())
	err := s.store.View(func(tx *store.Tx) (err error) {
		r, err = s.f.report(tx, s.cfg, s.cfg.zone(), midnight(at, s.cfg.zone(), -7), midnight(at, s.cfg.zone(), 0), at)
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

// looking says that the pictures are kept in a folder to be looked at.
func looking() bool { return os.Getenv("PICTURES") != "" }

// see reads a picture; in the folder PICTURES it is kept to be looked at.
func see(t testing.TB, d drawing, name string) image.Image {
	t.Helper()
	b, err := d.draw()
	if err != nil {
		t.Fatal(err)
	}
	if looking() {
		if err := os.WriteFile(filepath.Join(os.Getenv("PICTURES"), name+".png"), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	m, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	bottom := m.Bounds().Dy() - 1
	for x := range picture.Width {
		if rgba(m, x, bottom) != picture.Paper {
			t.Fatalf("%s ends within something", name)
		}
	}
	return m
}

func rgba(m image.Image, x, y int) color.RGBA {
	return color.RGBAModel.Convert(m.At(x, y)).(color.RGBA)
}

// widths are how many pixels of a line have each color.
func widths(m image.Image, y int) map[color.RGBA]int {
	out := map[color.RGBA]int{}
	for x := range picture.Width {
		out[rgba(m, x, y)]++
	}
	return out
}

// Where the first row's bar is, in its upper part, where no letters stand.
const (
	firstDeploys = 196 + tileHigh + 16 + (rowHigh-barHigh)/2 + 3
	firstLoad    = 196 + 66 + 26 + (rowHigh-barHigh)/2 + 3
)

// The bars of the deploys are as long as their numbers: the longest, of four, goes over all
// of the room.
func TestTheBarsOfDeploys(t *testing.T) {
	s := newScene(t)
	s.aWeek()
	m := see(t, deploysOf(s.reportOf(), "en"), "deploys-en")
	if looking() {
		see(t, deploysOf(s.reportOf(), "ja"), "deploys-ja")
	}
	const room = deploysRight - deploysLeft
	for row, want := range []struct{ good, bad, before int }{{room / 4, 0, room / 2}, {3 * room / 4, room / 4, room / 2}} {
		y := firstDeploys + row*rowHigh
		got := widths(m, y)
		if got[goodPaint.Ground] != want.good || got[badPaint.Ground] != want.bad {
			t.Errorf("row %d has %d good and %d bad, want %+v", row, got[goodPaint.Ground], got[badPaint.Ground], want)
		}
		if got := widths(m, y+barHigh-3-thinHigh/2)[beforePaint]; got != want.before {
			t.Errorf("row %d has %d of the time before, want %d", row, got, want.before)
		}
	}
}

// The bars of hours have each kind's part.
func TestTheBarsOfHours(t *testing.T) {
	s := newScene(t)
	s.aRota()
	s.pages = []integrations.Page{}
	s.starts()
	at := func(day, hour int) time.Time { return time.Date(2026, 11, day, hour, 0, 0, 0, s.cfg.zone()) }
	s.pages = append(s.pages, integrations.Page{Person: "alice", At: at(17, 3)}, integrations.Page{Person: "alice", At: at(17, 11)}, integrations.Page{Person: "bob", At: at(21, 12)})
	see(t, loadOf(s.reportOf(), "en"), "load-pages-en")
	if looking() {
		see(t, loadOf(s.reportOf(), "ja"), "load-pages-ja")
	}
	s.f.Pages = nil
	m := see(t, loadOf(s.reportOf(), "en"), "load-en")
	one, _ := loadOf(s.reportOf(), "ja").draw()
	if two, err := loadOf(s.reportOf(), "ja").draw(); err != nil || !bytes.Equal(one, two) {
		t.Errorf("two drawings of the same differ: %v", err)
	}
	for row, want := range []map[string]int{{rota.Working: 18, rota.Evening: 12, rota.Weekend: 13, rota.Sleeping: 20}, {rota.Working: 9, rota.Evening: 8, rota.Weekend: 15, rota.Sleeping: 25}, {rota.Working: 18, rota.Evening: 10, rota.Weekend: 2, rota.Sleeping: 18}} {
		got := widths(m, firstLoad+row*rowHigh)
		for kind, hours := range want {
			if long := (hoursRight - hoursLeft) * hours / 63; got[kindPaints[kind].Ground] != long {
				t.Errorf("row %d has %d of %s, want %d", row, got[kindPaints[kind].Ground], kind, long)
			}
		}
	}
}

func TestAlt(t *testing.T) {
	s := newScene(t)
	s.aWeek()
	s.aRota()
	r := s.reportOf()
	for _, c := range []struct {
		of             pictured
		language, want string
	}{
		{deploysOf, "en", "Deploys, 16 Nov – 22 Nov 2026: deploys 5 (↑ from 4), failed 20 % (↓ from 25 %), lead time 2 h (↓ from 4 h), to restore 20 min (↓ from 2 h). api: 1. web: 4, 1 failed."},
		{deploysOf, "ja", "デプロイ, 2026年11月16日〜11月22日: デプロイ 5 (↑ 前は4), 失敗 20 % (↓ 前は25 %), リードタイム 2時間 (↓ 前は4時間), 復旧まで 20分 (↓ 前は2時間). api: 1. web: 4, 失敗1."},
		{loadOf, "en", "On call, 16 Nov – 22 Nov 2026. platform: carol 63 h (12 weeks 0 %), bob 57 h (12 weeks 0 %), alice 48 h (12 weeks 0 %)."},
		{loadOf, "ja", "オンコール, 2026年11月16日〜11月22日. platform: carol 63時間 (12週間 0 %), bob 57時間 (12週間 0 %), alice 48時間 (12週間 0 %)."},
	} {
		if got := c.of(r, c.language).alt(); got != c.want {
			t.Errorf("it says %s\nwant %s", got, c.want)
		}
	}
}

// No input breaks the drawing, or makes it taller than it was made.
func TestPicturesOfAnything(t *testing.T) {
	long := strings.Repeat("請求書の発行と送付 ", 9)
	r := report{From: time.Date(2025, 12, 29, 0, 0, 0, 0, time.UTC), To: time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC), Zone: "UTC", Paged: true}
	for n := range 30 {
		x := service{Name: fmt.Sprintf("%s%d", []string{"service-", long, "👩‍👩‍👧", "𠮷", ""}[n%5], n), Now: numbers{Deploys: n * n, Failed: n * n / (n%3 + 1)}, Before: numbers{Deploys: (30 - n) * 9 * (n % 2)}}
		r.Services = append(r.Services, x)
		r.All.Now.Deploys += x.Now.Deploys
	}
	r.All.Now.Lead, r.All.Now.Leads, r.All.Now.Restore, r.All.Now.Restores, r.All.Before = 1234*time.Hour, 1, 45*time.Second, 1, numbers{Deploys: 99999, Leads: 1, Restores: 1}
	for i := range 3 {
		x := schedule{Name: []string{"platform", long, "nobody's"}[i], Covered: time.Duration(i+1) * time.Hour, Known: 168 * time.Hour, Weeks: i * 6}
		for n := range mostPeople + 3 {
			l := load{Person: fmt.Sprintf("%s%d", []string{"alice", long, "𠮷田"}[n%3], n), Hours: rota.Load{}, Long: time.Duration(n*n) * time.Hour, Pages: map[string]int{}}
			for k, kind := range rota.Kinds {
				l.Hours[kind], l.Pages[kind] = time.Duration(n*k)*77*time.Minute, n*k/5
			}
			x.People = append(x.People, l)
		}
		r.Schedules = append(r.Schedules, x)
	}
	see(t, deploysOf(r, "ja"), "anything-deploys")
	see(t, loadOf(r, "de"), "anything-load")
	r.Services, r.All = []service{{Now: numbers{Deploys: 1, Failed: 1}}}, service{Now: numbers{Deploys: 1, Failed: 1, Share: 100}}
	r.Schedules = []schedule{{Name: "platform", Covered: time.Minute, People: []load{{Person: "alice", Hours: rota.Load{rota.Sleeping: time.Minute}}}}}
	r.Paged = false
	see(t, deploysOf(r, "en"), "one-deploy")
	see(t, loadOf(r, "en"), "one-person")
}

// No language lacks a word.
func TestWords(t *testing.T) {
	for code, w := range languages() {
		v := reflect.ValueOf(w)
		for i := range v.NumField() {
			if v.Field(i).IsZero() {
				t.Errorf("%s lacks %s", code, v.Type().Field(i).Name)
			}
		}
		for _, kind := range rota.Kinds {
			if w.kinds[kind] == "" {
				t.Errorf("%s lacks %s", code, kind)
			}
		}
	}
	day := func(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC) }
	for _, c := range []struct {
		from, to time.Time
		en, ja   string
	}{
		{day(2026, 11, 16), day(2026, 11, 22), "16 Nov – 22 Nov 2026", "2026年11月16日〜11月22日"},
		{day(2026, 12, 28), day(2027, 1, 3), "28 Dec 2026 – 3 Jan 2027", "2026年12月28日〜2027年1月3日"},
		{day(2026, 11, 16), day(2026, 11, 16), "16 Nov 2026", "2026年11月16日"},
	} {
		if en, ja := wordsOf("en").span(c.from, c.to), wordsOf("ja").span(c.from, c.to); en != c.en || ja != c.ja {
			t.Errorf("it is %s and %s, want %s and %s", en, ja, c.en, c.ja)
		}
	}
	for d, want := range map[time.Duration]string{30 * time.Second: "30 s", 99 * time.Minute: "99 min", 2 * time.Hour: "2 h", 47 * time.Hour: "47 h", 50 * time.Hour: "2 days"} {
		if got := wordsOf("en").length(d); got != want {
			t.Errorf("%v is %s, want %s", d, got, want)
		}
	}
	for d, want := range map[time.Duration]string{0: "0", 90 * time.Minute: "1.5", 2 * time.Hour: "2", 168 * time.Hour: "168", 630 * time.Minute: "10", 2 * time.Minute: "0.1"} {
		if got := hoursTold(d); got != want {
			t.Errorf("%v is told as %s, want %s", d, got, want)
		}
	}
}
