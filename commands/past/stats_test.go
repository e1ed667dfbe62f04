package past

import (
	"bytes"
	"image/png"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/kit/picture"
	"github.com/signalbox-chatops/signalbox/integrations/kit/stats"
	"github.com/signalbox-chatops/signalbox/integrations/kit/width"
	"github.com/signalbox-chatops/signalbox/store"
)

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// month is a made-up month of two services and the infrastructure.
func month() []*store.Operation {
	at := func(day, hour int) time.Time { return time.Date(2026, 11, day, hour, 0, 0, 0, time.UTC) }
	ship := func(o *store.Operation, number int, merged time.Time) *store.Operation {
		o.Ships = append(o.Ships, store.Ship{Number: number, Title: "Change", At: merged, Commits: 1})
		return o
	}
	rollback := deploy(6, "web", "production", store.OpSucceeded, at(17, 14))
	rollback.Rollback, rollback.Undoes = true, "op-5"
	closed := deploy(9, "web", "production", store.OpFailed, at(18, 10))
	closed.MergeSHA = "" // its pull request could not be opened: nothing was deployed
	pin := deploy(10, "api", "production", store.OpSucceeded, at(19, 10))
	pin.Strategy, pin.Authored = "pin", []time.Time{at(18, 10), at(19, 4)}
	infra := deploy(11, "", "production", store.OpFailed, at(20, 10))
	infra.Kind, infra.Targets = "infra", []string{"network/production"}
	again := deploy(12, "", "production", store.OpSucceeded, at(20, 11))
	again.Kind = "reapply"
	return []*store.Operation{
		ship(deploy(1, "web", "production", store.OpSucceeded, at(1, 10)), 1, at(1, 1)), // before the time
		ship(deploy(2, "web", "production", store.OpSucceeded, at(10, 10)), 2, at(10, 8)),
		ship(deploy(3, "web", "production", store.OpFailed, at(11, 10)), 3, at(11, 9)),
		deploy(4, "web", "production", store.OpPartial, at(11, 11)), // still broken since 10:00
		ship(ship(deploy(5, "web", "production", store.OpSucceeded, at(11, 12)), 3, at(11, 9)), 4, at(10, 12)),
		rollback, // op-5 was bad from 11 Nov 12:00 to 17 Nov 14:00
		ship(ship(deploy(7, "web", "production", store.OpSucceeded, at(18, 9)), 3, at(11, 9)), 5, at(18, 8)), // #3 was live before
		deploy(8, "web", "staging", store.OpFailed, at(18, 9)),
		closed, pin, infra, again,
	}
}

func TestStatsAreCounted(t *testing.T) {
	d := newDesk(t, month()...)
	// Lead times of web: #2 2 h, #3 3 h, #4 24 h, #5 1 h; of api 24 h and 6 h.
	d.says("alice", "stats web --since 2026-11-05",
		"Deploys of web to production, 5 Nov – 26 Nov 2026", "5 deploys and 1 rollback", "Failed or rolled back: 3 of 5 (60 %)",
		"Lead time: median 2 h, p90 24 h", "Time to restore: 6 days", "The picture is in our direct message")
	d.says("alice", "stats --since 2026-11-05",
		"Deploys to production, ", "7 deploys and 1 rollback. Failed or rolled back: 4 of 7 (57 %)", "Lead time: median 3 h, p90 24 h", "Time to restore: 6 days, not restored yet",
		"api: 1 deploy. Failed or rolled back: 0 of 1 (0 %). Lead time: median 6 h, p90 24 h. Time to restore: nothing to restore.",
		"infrastructure: 1 deploy. Failed or rolled back: 1 of 1 (100 %). Lead time: not known. Time to restore: not restored yet.")
	d.says("alice", "stats api", "1 deploy. Failed")
	d.says("alice", "stats web in staging", "Deploys of web to staging", "Failed or rolled back: 1 of 1")
	d.says("alice", "stats cron", "Nothing was deployed there in that time", "/ops stats cron since 90d", "not picture")
}

func TestTheTableOfServicesIsNarrow(t *testing.T) {
	d := newDesk(t, month()...)
	m := d.says("alice", "stats --since 2026-11-05")
	code := ""
	for _, b := range m.Blocks {
		code += b.Code
	}
	want := strings.Trim(`
               out  fail   lead    p90   mend
api              1    0%  6h00m 24h00m      –
web              5   60%  2h00m 24h00m     6d
infrastructure   1  100%      –      – broken
`, "\n")
	if code != want {
		t.Errorf("the table is\n%s\nwant\n%s", code, want)
	}
}

func TestThePictureIsSentWithWhatItShows(t *testing.T) {
	d := newDesk(t, month()...)
	d.says("bob", "stats web --since 2026-11-05")
	sent := d.files()["UB"]
	if len(sent) != 1 || sent[0].Name != "deploys-web-production-2026-11-27.png" { // it is Friday in Tokyo
		t.Fatalf("sent: %+v", sent)
	}
	for _, want := range []string{"Deploys of web to production, 5 Nov – 27 Nov 2026. 5 deploys and 1 rollback.", "From 9 Nov: 4 deploys, 3 failed, lead time 3 h.", "From 16 Nov: 1 deploy, lead time 1 h."} {
		if !strings.Contains(sent[0].Alt, want) {
			t.Errorf("the description does not say %q:\n%s", want, sent[0].Alt)
		}
	}
	p, err := png.Decode(strings.NewReader(read(t, sent[0].Path)))
	if err != nil {
		t.Fatal(err)
	}
	if b := p.Bounds(); b.Dx() != picture.Width || b.Dy() != pictureHeight {
		t.Errorf("the picture is %v", b)
	}
}

func TestPicturesOfAllLengthsAreDrawn(t *testing.T) {
	for _, days := range []int{1, 10, 30, 90, 400, 20000} {
		r := report{environment: "production", since: thursday.AddDate(0, 0, -days), until: thursday, zone: time.UTC}
		r.deploys = []stats.Deploy{{At: thursday.Add(-time.Hour), Leads: []time.Duration{time.Hour}}, {At: r.since.Add(time.Minute), Bad: true}}
		bars := r.bars()
		n := 0
		for _, b := range bars {
			n += b.good + b.failed
		}
		if n != 2 || bars[0].failed != 1 || bars[len(bars)-1].good != 1 {
			t.Errorf("%d days: %+v", days, bars)
		}
		body, err := r.picture().draw()
		if err != nil {
			t.Errorf("%d days: %v", days, err)
		}
		if _, err := png.Decode(bytes.NewReader(body)); err != nil {
			t.Errorf("%d days: %v", days, err)
		}
	}
}

func TestDaysOfAPictureAreThoseOfWhoeverAsks(t *testing.T) {
	tokyo, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		t.Fatal(err)
	}
	r := report{since: thursday.Add(-72 * time.Hour), until: thursday, zone: tokyo, deploys: []stats.Deploy{{At: time.Date(2026, 11, 25, 16, 0, 0, 0, time.UTC)}}}
	for _, b := range r.bars() {
		if b.good > 0 && b.label != "26 Nov" {
			t.Errorf("a deploy of the night of 26 November in Tokyo is shown at %s", b.label)
		}
	}
}

// A service with a wide name stands in the same columns as the others.
func TestTheTableStandsStraight(t *testing.T) {
	lines := strings.Split(report{services: []tally{{name: "web"}, {name: "請求書"}, {name: "請求書の発行と送付サービス"}}}.table(), "\n")
	for _, l := range lines[1:] {
		if width.Cells(l) != width.Cells(lines[0]) {
			t.Errorf("%q is not as wide as %q", l, lines[0])
		}
	}
	if !strings.HasPrefix(lines[3], "請求書の発行… ") {
		t.Errorf("the long name is cut to %q", lines[3])
	}
}

// A name in Japanese is written in its letters, and not in the same boxes as any other.
func TestJapaneseNamesInThePicture(t *testing.T) {
	var all [][]byte
	for _, name := range []string{"請求書", "納品書"} {
		body, err := report{service: name, environment: "production", since: thursday.AddDate(0, 0, -7), until: thursday, zone: time.UTC}.picture().draw()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, body)
	}
	if bytes.Equal(all[0], all[1]) {
		t.Error("both look the same")
	}
}
