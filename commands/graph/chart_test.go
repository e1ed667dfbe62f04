package graph

import (
	"bytes"
	"image/png"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/picture"
)

var noon = time.Date(2026, 11, 27, 3, 0, 0, 0, time.UTC) // in Tokyo

func tokyo(t testing.TB) *time.Location {
	t.Helper()
	z, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// every are values a step apart; leave says at which minutes there is none.
func every(step, long time.Duration, leave func(minute int) bool) (out []integrations.Point) {
	for at := noon.Add(-long); !at.After(noon); at = at.Add(step) {
		n := int(at.Sub(noon.Add(-long)) / time.Minute)
		if leave == nil || !leave(n) {
			out = append(out, integrations.Point{At: at, Value: 40 + 10*math.Sin(float64(n)/20)})
		}
	}
	return out
}

func someChart(t testing.TB, points []integrations.Point, long time.Duration) chart {
	return chart{title: "web-1", metric: "cpu.user.percentage", system: "Mackerel", from: noon.Add(-long), until: noon, zone: tokyo(t), series: integrations.Series{Unit: "%", Points: points}}
}

// However many values there are, a column of pixels has four spots at most, and the
// least and the greatest value of each are among them.
func TestNoPeakIsLost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 3000).Draw(t, "values")
		wide := rapid.IntRange(1, 400).Draw(t, "pixels")
		var run []integrations.Point
		for i := range n {
			run = append(run, integrations.Point{At: noon.Add(time.Duration(i) * time.Second), Value: rapid.Float64Range(-5, 5).Draw(t, "value")})
		}
		x := func(at time.Time) float64 {
			return float64(at.Sub(noon)) / float64(n) / float64(time.Second) * float64(wide)
		}
		way := thin(run, x, func(v float64) float64 { return -v })
		type column struct {
			n           int
			least, most float64
		}
		of := func(at func(func(x, y float64))) map[int]*column {
			out := map[int]*column{}
			at(func(x, y float64) {
				c := out[int(x)]
				if c == nil {
					c = &column{least: y, most: y}
					out[int(x)] = c
				}
				c.n, c.least, c.most = c.n+1, min(c.least, y), max(c.most, y)
			})
			return out
		}
		drawn := of(func(do func(x, y float64)) {
			for _, p := range way {
				do(p.X, p.Y)
			}
		})
		all := of(func(do func(x, y float64)) {
			for _, p := range run {
				do(x(p.At), -p.Value)
			}
		})
		if len(all) != len(drawn) {
			t.Fatalf("%d columns became %d", len(all), len(drawn))
		}
		for k, c := range all {
			if d := drawn[k]; d.n > 4 || d.least != c.least || d.most != c.most {
				t.Fatalf("column %d is %+v, want %+v", k, d, c)
			}
		}
		if first, last := way[0], way[len(way)-1]; first.X != x(run[0].At) || last.X != x(run[n-1].At) {
			t.Fatal("its ends are lost")
		}
	})
}

// Where values are missing the line is broken, and that is said; one that comes late, or
// a metric that has few, is no gap.
func TestGapsStayGaps(t *testing.T) {
	for what, tt := range map[string]struct {
		leave func(int) bool
		runs  int
		says  []string
	}{
		"none":    {runs: 1},
		"one":     {leave: func(n int) bool { return n >= 60 && n < 90 }, runs: 2, says: []string{"No data from 09:59 to 10:30"}},
		"late":    {leave: func(n int) bool { return n == 60 }, runs: 1},
		"several": {leave: func(n int) bool { return n%40 > 30 }, runs: 5, says: []string{"No data from 09:30 to 09:40", "No data from 10:10 to 10:20", "… and 2 more gaps"}},
	} {
		ch := someChart(t, every(time.Minute, 3*time.Hour, tt.leave), 3*time.Hour)
		d := &drawing{chart: ch, runs: ch.runs(), words: english()}
		if got := d.gaps(); len(d.runs) != tt.runs || !slices.Equal(got, tt.says) {
			t.Errorf("%s: %d runs, and %q", what, len(d.runs), got)
		}
	}
	few := someChart(t, []integrations.Point{{At: noon.Add(-20 * time.Hour), Value: 240}, {At: noon.Add(-9 * time.Hour), Value: 310}, {At: noon.Add(-8 * time.Hour), Value: 90}}, 24*time.Hour)
	if d := (&drawing{chart: few, runs: few.runs(), words: english()}); len(d.runs) != 3 || len(d.gaps()) > 0 {
		t.Errorf("few values are %d runs, and %q", len(d.runs), d.gaps())
	}
	if a := few.scale(240, 310); a.bottom != 0 {
		t.Errorf("the axis of few values begins at %v", a.bottom)
	}
	if a := someChart(t, every(time.Minute, time.Hour, nil), time.Hour).scale(240, 310); a.bottom == 0 {
		t.Errorf("that of many begins at %v", a.bottom)
	}
}

// The axis holds all values, in few round steps.
func TestAxisHoldsAllValues(t *testing.T) {
	for _, tt := range []struct {
		least, most float64
		unit        string
		want        string
	}{
		{11, 58, "%", "0 % 20 % 40 % 60 %"}, {96.5, 99.9, "%", "96 % 97 % 98 % 99 % 100 %"}, {0, 0, "", "0 0.25 0.5 0.75 1"}, {7, 7, "", "0 2 4 6 8"}, {-3, 4, "", "-4 -2 0 2 4"},
		{2.5 * (1 << 30), 3.1 * (1 << 30), "B", "2.4 GB 2.6 GB 2.8 GB 3 GB 3.2 GB"}, {0, 900, "B/s", "0 B/s 250 B/s 500 B/s 750 B/s 1000 B/s"}, {95, 310, "s", "0 s 100 s 200 s 300 s 400 s"},
		{0, 0.0004, "", "0 0.0001 0.0002 0.0003 0.0004"},
		{4.722708000000002e+06, 4.722708000000010e+06, "B", "4.5 MB 4.51 MB"}, {1e12, 1e12 + 1, "", "1000 G 1001 G"}, {99.97, 99.99, "%", "99.9 % 100 %"},
	} {
		a := newAxis(tt.least, tt.most, tt.unit)
		var got []string
		for _, l := range a.labels() {
			got = append(got, l.text)
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%v to %v %s: %q, want %q", tt.least, tt.most, tt.unit, got, tt.want)
		}
	}
}

func TestAxisHoldsWhatever(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		least := rapid.Float64Range(-1e9, 1e12).Draw(t, "least")
		most := least + rapid.Float64Range(0, 1e12).Draw(t, "more")
		a := newAxis(least, most, rapid.SampledFrom([]string{"", "%", "B", "B/s", "s"}).Draw(t, "unit"))
		slip := a.step * 1e-6
		if n := len(a.labels()); a.bottom > least+slip || a.top < most-slip || n < 2 || n > 9 || !a.distinct() {
			t.Fatalf("%+v with %d labels", a, n)
		}
	})
}

// Ticks stand at round times of the clock on the wall, also where that is put back.
func TestTicksAreRound(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		from time.Time
		long time.Duration
		zone *time.Location
		want string
	}{
		{noon.Add(-3 * time.Hour), 3 * time.Hour, tokyo(t), "09:00 09:30 10:00 10:30 11:00 11:30 12:00"},
		{noon.Add(-7 * time.Minute), 7 * time.Minute, tokyo(t), "11:54 11:56 11:58 12:00"},
		{noon.Add(-24 * time.Hour), 24 * time.Hour, tokyo(t), "12:00 18:00 27 Nov 06:00 12:00"},
		{noon.Add(-7 * 24 * time.Hour), 7 * 24 * time.Hour, tokyo(t), "22 Nov 24 Nov 26 Nov"},
		{time.Date(2026, 10, 24, 22, 30, 0, 0, time.UTC), 6 * time.Hour, berlin, "01:00 02:00 03:00 04:00 05:00"},
	} {
		var got []string
		for _, at := range ticks(tt.from, tt.from.Add(tt.long), tt.zone) {
			got = append(got, english().tick(at))
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%v of %v: %q, want %q", tt.long, tt.from, got, tt.want)
		}
	}
}

func TestValuesAreTold(t *testing.T) {
	for _, tt := range []struct {
		v    float64
		unit string
		want string
	}{
		{0, "%", "0 %"}, {58.46, "%", "58.5 %"}, {1.234, "", "1.23"}, {0.01234, "", "0.012"}, {0.00001234, "", "1.2e-05"}, {1234, "", "1234"}, {123456, "", "123 k"}, {2345678, "", "2.35 M"},
		{2.68 * (1 << 30), "B", "2.68 GB"}, {512, "B", "512 B"}, {5.8e6, "B/s", "5.53 MB/s"}, {310, "s", "310 s"}, {-3, "", "-3"}, {-0.0001, "%", "-0.0001 %"},
	} {
		if got := say(tt.v, tt.unit); got != tt.want {
			t.Errorf("%v %s: %q, want %q", tt.v, tt.unit, got, tt.want)
		}
	}
}

// A picture can be read by who cannot see it, is the same each time it is drawn, and is
// as wide as all of them; in Japanese no English is left but names.
func TestPicture(t *testing.T) {
	marks := []mark{{noon.Add(-time.Hour), "op-3", "web → production", true}, {noon.Add(-50 * time.Minute), "op-4", "web → production", false}}
	for n := range 5 {
		marks = append(marks, mark{noon.Add(-time.Duration(40-n) * time.Minute), "op-5", "web → production", true})
	}
	ch := someChart(t, every(time.Minute, 3*time.Hour, func(n int) bool { return n >= 60 && n < 90 }), 3*time.Hour)
	ch.marks = marks
	bare := ch
	bare.marks = nil
	one := ch
	one.series.Points = one.series.Points[:1]
	var tall []int
	for _, c := range []chart{ch, bare, one} {
		a, err := c.draw()
		b, err2 := c.draw()
		if err != nil || err2 != nil || !bytes.Equal(a, b) {
			t.Fatalf("two drawings differ: %v, %v", err, err2)
		}
		img, err := png.Decode(bytes.NewReader(a))
		if err != nil || img.Bounds().Dx() != picture.Width {
			t.Fatalf("it is %v, %v", img.Bounds(), err)
		}
		tall = append(tall, img.Bounds().Dy())
	}
	if tall[1] >= tall[0] {
		t.Errorf("with marks it is %d tall, without %d", tall[0], tall[1])
	}
	if got := ch.alt(); !strings.HasPrefix(got, "web-1 cpu.user.percentage, Fri 27 Nov 09:00 – 12:00 JST, last 44.1 % (12:00), min 30 % (10:34), max 50 % (11:37), op-3 web → production deployed 11:00, op-4 web → production did not work 11:10") {
		t.Errorf("its alt is %s", got)
	}
	ch.language = "ja"
	if got := ch.alt(); !strings.HasPrefix(got, "web-1 cpu.user.percentage、11月27日(金) 09:00〜12:00 JST、最新 44.1 % (12:00)、最小") || !strings.Contains(got, "op-4 web → production デプロイ失敗 11:10") {
		t.Errorf("its alt is %s", got)
	}
	ja := wordsOf("ja")
	for _, text := range []string{ja.more(2), ja.moreGaps(3), ja.gap("a", "b"), ja.last, ja.lacking, ja.span(noon.Add(-24*time.Hour), noon), ja.tick(noon.Truncate(24 * time.Hour))} {
		if !strings.ContainsFunc(text, func(r rune) bool { return r > 0x3000 }) {
			t.Errorf("%q is not Japanese", text)
		}
	}
}
