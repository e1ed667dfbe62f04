package oncall

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/picture"
)

// weekTop is where the first row begins of a picture of one schedule of its own title
// with somebody or nobody on call now.
const weekTop = 354

// aWeek is a week in which bob takes over daily from alice and she from him, at 09:00.
func aWeek(t testing.TB, language string) weekPicture {
	tokyo := zoneOf(t, "Asia/Tokyo")
	from := time.Date(2026, 11, 23, 9, 0, 0, 0, tokyo)
	return weekPicture{
		title: "platform", zone: tokyo, from: from.Add(27 * time.Hour), now: from.Add(29*time.Hour + 20*time.Minute), language: language,
		lanes: []weekLane{{"platform", turns(from, 24*time.Hour, 12, "alice", "bob")}},
	}
}

// colorAt is the color of a row at a time of day; down is how far down in the bar, of 100.
func colorAt(m image.Image, row, high int, wall time.Duration, down int) color.RGBA {
	y := weekTop + row*high + rowSpace/2 + (high-rowSpace)*down/100
	return color.RGBAModel.Convert(m.At(across(wall), y)).(color.RGBA)
}

func TestWeekPicture(t *testing.T) {
	w := aWeek(t, "en")
	b, err := w.draw()
	again, _ := w.draw()
	if !bytes.Equal(b, again) {
		t.Error("two drawings of a week differ")
	}
	m := seePNG(t, b, err)
	if size := m.Bounds().Size(); size.X != picture.Width || size.Y < 1100 || size.Y > 1300 {
		t.Errorf("a week is %v", size)
	}
	paints := picture.PaintsOf([]string{"alice", "bob"})
	for row := range 7 {
		night, day := paints["alice"].Ground, paints["bob"].Ground
		if row%2 == 1 {
			night, day = day, night
		}
		for wall, want := range map[time.Duration]color.RGBA{hm(8, 55): night, hm(9, 5): day, hm(23, 55): day} {
			if got := colorAt(m, row, 104, wall, 90); got != want {
				t.Errorf("day %d at %v is %x, want %x", row, wall, got, want)
			}
		}
	}
	if got := colorAt(m, 0, 104, hm(14, 20), 90); got != picture.Ink {
		t.Errorf("the line of now is %x", got)
	}
	if got := m.At(picture.Edge-8, weekTop+52); got != color.Color(picture.Today) {
		t.Errorf("the row of today is %x", got)
	}
	if got := m.At(picture.Edge-8, weekTop+156); got != color.Color(picture.Paper) {
		t.Errorf("the row of tomorrow is %x", got)
	}
}

// TestWeekPictureMarks: gaps, overrides and several people at once are seen.
func TestWeekPictureMarks(t *testing.T) {
	w := aWeek(t, "en")
	paints := picture.PaintsOf([]string{"alice", "bob", "carol"})
	s := w.lanes[0].shifts
	s[2].On = nil                                                                        // 25 Nov
	s[3].On = []integrations.Duty{{Person: "carol", Override: "7", Instead: "bob"}}      // 26 Nov
	s[4].On = []integrations.Duty{{Person: "alice"}, {Person: "bob"}, {Person: "carol"}} // 27 Nov
	s[6].End = s[6].Start.Add(12 * time.Hour)                                            // 29 Nov
	s = append(s, integrations.Shift{Start: s[6].End, End: s[6].End.Add(time.Minute)})   // a gap of a minute
	s[len(s)-1].On, s[7].Start = nil, s[6].End.Add(time.Minute)
	w.lanes[0].shifts = s
	b, err := w.draw()
	m := seePNG(t, b, err)
	const high = 3*perPerson + rowSpace
	red := map[color.RGBA]bool{}
	for x := range 40 {
		y := weekTop + high + high/2
		red[color.RGBAModel.Convert(m.At(across(hm(10, 0))+x, y)).(color.RGBA)] = true
	}
	if !red[picture.Paper] || !red[gapStripe] {
		t.Errorf("the gap is not hatched: %v", red)
	}
	if got := colorAt(m, 2, high, hm(12, 0), 95); got != paints["carol"].Ground {
		t.Errorf("the override is %x", got)
	}
	x, y := dayRight-6, weekTop+2*high+rowSpace/2+30
	if got := m.At(x-20, y-8); got != color.Color(picture.Ink) {
		t.Errorf("the override's bar has no folded corner: %x", got)
	}
	for i, who := range []string{"alice", "bob", "carol"} {
		if got := colorAt(m, 3, high, hm(20, 0), 15+i*33); got != paints[who].Ground {
			t.Errorf("%s of three is %x", who, got)
		}
	}
	if got := colorAt(m, 5, high, hm(21, 0), 1); got != picture.Alarm {
		t.Errorf("a gap of a minute is %x", got)
	}
}

// TestWeekPictureClock: on the days on which the clock is changed, what it skips is
// grey, and what it shows twice is drawn above and below.
func TestWeekPictureClock(t *testing.T) {
	chicago := zoneOf(t, "America/Chicago")
	paints := picture.PaintsOf([]string{"alice", "bob"})
	w := weekPicture{title: "platform", zone: chicago, days: 7}
	w.from = time.Date(2026, 3, 7, 12, 0, 0, 0, chicago)
	w.now = w.from
	change := time.Date(2026, 3, 8, 3, 30, 0, 0, chicago)
	w.lanes = []weekLane{{"platform", turns(change.Add(-40*time.Hour), 40*time.Hour, 5, "alice", "bob")}}
	b, err := w.draw()
	m := seePNG(t, b, err)
	for wall, want := range map[time.Duration]color.RGBA{hm(1, 50): paints["alice"].Ground, hm(2, 30): picture.Ruled, hm(3, 20): paints["alice"].Ground, hm(3, 40): paints["bob"].Ground} {
		if got := colorAt(m, 1, 104, wall, 90); got != want {
			t.Errorf("on 8 March at %v there is %x, want %x", wall, got, want)
		}
	}
	w.from = time.Date(2026, 10, 31, 12, 0, 0, 0, chicago)
	w.now = w.from
	change = time.Date(2026, 11, 1, 6, 45, 0, 0, time.UTC) // 01:45, the first time
	w.lanes = []weekLane{{"platform", turns(change.Add(-40*time.Hour), 40*time.Hour, 5, "alice", "bob")}}
	b, err = w.draw()
	m = seePNG(t, b, err)
	for _, c := range []struct {
		wall time.Duration
		down int
		want string
	}{{hm(1, 15), 10, "alice"}, {hm(1, 52), 10, "bob"}, {hm(1, 15), 90, "bob"}, {hm(1, 52), 90, "bob"}, {hm(0, 30), 90, "alice"}} {
		if got := colorAt(m, 1, 104, c.wall, c.down); got != paints[c.want].Ground {
			t.Errorf("on 1 November at %v, %d down, there is %x, want %s", c.wall, c.down, got, c.want)
		}
	}
}

// TestWeekPictureAny: no input breaks the drawing, or makes it taller than it was made.
func TestWeekPictureAny(t *testing.T) {
	tokyo := zoneOf(t, "Asia/Tokyo")
	now := time.Date(2026, 11, 24, 14, 20, 0, 0, tokyo)
	crowd := turns(now, 24*time.Hour, 9, "alice")
	for i := range crowd {
		for _, n := range []string{"bob", "carol", "dave", "erin", "frank"} {
			crowd[i].On = append(crowd[i].On, integrations.Duty{Person: n})
		}
	}
	var many []weekLane
	for range 3 {
		many = append(many, weekLane{strings.Repeat("とても長い名前 ", 9), turns(now.Add(-99*time.Hour), time.Hour, 500, "𠮷田", "👩‍👩‍👧", "", strings.Repeat("x", 200))})
	}
	people := make([]string, 60)
	for i := range people {
		people[i] = strings.Repeat(string(rune('a'+i)), 3)
	}
	for name, w := range map[string]weekPicture{
		"next week": {from: now.AddDate(0, 0, 7), lanes: []weekLane{{"d", append(turns(now, 24*time.Hour, 1, "zoe"), turns(now.AddDate(0, 0, 1), 24*time.Hour, 20, "alice", "bob")...)}}},
		"nothing":   {}, "no shifts": {lanes: []weekLane{{name: "a"}}}, "crowd": {lanes: []weekLane{{"b", crowd}}}, "many": {lanes: many, days: 14, language: "ja"},
		"a stranger's language": {language: "de", title: strings.Repeat("長", 100)}, "sixty people": {lanes: []weekLane{{"c", turns(now.Add(-10*time.Hour), 20*time.Minute, 900, people...)}}},
	} {
		w.zone, w.now = tokyo, now
		if w.from.IsZero() {
			w.from = now
		}
		b, err := w.draw()
		m := seePNG(t, b, err)
		if o, ok := m.(interface{ Opaque() bool }); !ok || !o.Opaque() {
			t.Errorf("%s: there are holes in the picture", name)
		}
		bottom := m.Bounds().Dy()
		for x := range picture.Width {
			if m.At(x, bottom-1) != color.Color(picture.Paper) {
				t.Errorf("%s: the picture ends within something", name)
				break
			}
		}
		if w.days == 0 {
			w.days = usualDays
		}
		if high := w.mostHigh(len(people)); bottom >= high {
			t.Errorf("%s: %d high, canvas %d", name, bottom, high)
		}
	}
}

// TestBeside: a text is moved away from the line of now, to where there is room.
func TestBeside(t *testing.T) {
	bar := image.Rect(100, 0, 500, 50)
	for _, c := range []struct{ now, wide, want int }{
		{0, 100, 112}, {300, 100, 112}, {90, 100, 112}, {160, 100, 182}, {350, 300, 112}, {480, 360, 112}, {400, 270, 112}, {395, 275, 112}, {120, 300, 142},
	} {
		d := &weekDrawing{nowAt: c.now}
		if got := d.beside(112, c.wide, bar); got != c.want {
			t.Errorf("with now at %d, a text of %d is at %d, want %d", c.now, c.wide, got, c.want)
		}
	}
	d := &weekDrawing{nowAt: 420}
	if got := d.beside(200, 280, bar); got != 118 {
		t.Errorf("a text in the middle is at %d, and not left of the line", got)
	}
}

// TestWeekPictureStrangers: who is on call in none of the days takes nobody's color.
func TestWeekPictureStrangers(t *testing.T) {
	w := aWeek(t, "en")
	want, err := w.draw()
	for i := range 30 {
		s := &w.lanes[0].shifts
		end := (*s)[len(*s)-1].End
		*s = append(*s, turns(end, 24*time.Hour, 1, strings.Repeat("x", i+1))...)
	}
	got, err2 := w.draw()
	if err != nil || err2 != nil || !bytes.Equal(got, want) {
		t.Error("those who are on call later change the picture", err, err2)
	}
}

func TestWeekAlt(t *testing.T) {
	w := aWeek(t, "en")
	if got, want := w.alt(), "platform, Tue 24 Nov – Mon 30 Nov 2026. Now bob until Wed 09:00, then alice."; got != want {
		t.Errorf("it says %q, want %q", got, want)
	}
	w.language, w.lanes[0].shifts[2].On = "ja", nil
	if got, want := w.alt(), "platform, 2026年11月24日(火)〜11月30日(月). 担当中: bob (水曜 09:00まで) 次: 担当なし."; got != want {
		t.Errorf("it says %q, want %q", got, want)
	}
	w.language, w.lanes[0].shifts = "", turns(w.from.Add(-48*time.Hour), 14*24*time.Hour, 2, "", "bob")
	w.lanes = append(w.lanes, weekLane{"shop", nil}, weekLane{"pay", turns(w.from.Add(-48*time.Hour), 50*24*time.Hour, 1, "zoe")})
	w.lanes[2].shifts[0].On = append(w.lanes[2].shifts[0].On, integrations.Duty{Person: "yan"}, integrations.Duty{Person: "xi"})
	if got, want := w.alt(), "platform, Tue 24 Nov – Mon 30 Nov 2026. platform: Now nobody, until Sun 6 Dec 12:00, then bob. pay: Now zoe, yan and xi."; got != want {
		t.Errorf("it says %q, want %q", got, want)
	}
}

// TestPictureWords: no language lacks a word.
func TestPictureWords(t *testing.T) {
	for code, w := range pictureLanguages() {
		lacksNone(t, code, reflect.ValueOf(w))
		lacksNone(t, code, reflect.ValueOf(w.marks))
		lacksNone(t, code, reflect.ValueOf(feedWordsOf(code)))
		if got := feedWordsOf(code).code; got != code {
			t.Errorf("the feed in %s is in %s", code, got)
		}
	}
}

func lacksNone(t *testing.T, code string, words reflect.Value) {
	t.Helper()
	for i := range words.NumField() {
		if words.Field(i).IsZero() {
			t.Errorf("%s lacks %s", code, words.Type().Field(i).Name)
		}
	}
}

// seePNG reads a picture.
func seePNG(t testing.TB, b []byte, err error) image.Image {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	m, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return m
}
