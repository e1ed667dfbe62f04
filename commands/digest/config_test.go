package digest

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/signalbox-chatops/signalbox/integrations/kit/rota"
)

func TestConfig(t *testing.T) {
	for name, c := range map[string]struct {
		config Config
		want   []string // the mistakes begin so
	}{
		"nothing":        {Config{}, nil},
		"the least":      {Config{Channel: "ops"}, nil},
		"all":            {Config{Channel: "ops", At: "30 9 * * fri", Zone: "Asia/Tokyo", Language: "ja", Late: time.Hour, Working: "sun-thu 8:00-16:00", Sleeping: "23:00-06:00", Environments: []string{"production"}}, nil},
		"for who asks":   {Config{Zone: "Asia/Tokyo", Working: "10:00-19:00", Environments: []string{"production"}}, nil},
		"nowhere":        {Config{At: "0 10 * * mon"}, []string{"channel: is missing"}},
		"no time":        {Config{Channel: "ops", At: "mondays"}, []string{`at: "mondays" is no cron expression: `}},
		"daily":          {Config{Channel: "ops", At: "0 10 * * *"}, []string{`at: "0 10 * * *" does not come once a week; want one like "0 10 * * mon"`}},
		"twice a week":   {Config{Channel: "ops", At: "0 10 * * mon,thu"}, []string{`at: "0 10 * * mon,thu" does not come once a week`}},
		"monthly":        {Config{Channel: "ops", At: "0 10 1 * *"}, []string{`at: "0 10 1 * *" does not come once a week`}},
		"never":          {Config{Channel: "ops", At: "0 10 31 2 *"}, []string{`at: "0 10 31 2 *" does not come once a week`}},
		"a zone in it":   {Config{Channel: "ops", At: "TZ=Asia/Tokyo 0 10 * * mon"}, []string{`at: "TZ=Asia/Tokyo 0 10 * * mon" names a time zone; that is said by digest.zone`}},
		"no zone":        {Config{Channel: "ops", Zone: "Tokio"}, []string{`zone: "Tokio" is no time zone`}},
		"ours":           {Config{Channel: "ops", Zone: "Local"}, []string{`zone: "Local" is no time zone`}},
		"too late":       {Config{Channel: "ops", Late: 200 * time.Hour}, []string{"late: is 200h0m0s; want at most 144h0m0s"}},
		"before it":      {Config{Channel: "ops", Late: -time.Hour}, []string{"late: is -1h0m0s"}},
		"no hours":       {Config{Working: "9-5", Sleeping: "22:00"}, []string{`working: "9"`, `sleeping: "22:00"`}},
		"asleep at work": {Config{Sleeping: "22:00-09:30"}, []string{"sleeping: daily 22:00-09:30 are working hours too (weekdays 09:00-18:00)"}},
		"twice":          {Config{Environments: []string{"production", "production"}}, []string{`environments[1]: "production" is there twice`}},
	} {
		err := c.config.Validate()
		var got []string
		if err != nil {
			got = strings.Split(err.Error(), "\n")
		}
		bad := len(got) != len(c.want)
		for i := range min(len(got), len(c.want)) {
			bad = bad || !strings.HasPrefix(got[i], c.want[i])
		}
		if bad {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// Hours of work without days are those of Monday to Friday; with them, every other day is
// a weekend.
func TestHours(t *testing.T) {
	monday := time.Date(2026, 11, 16, 0, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		config Config
		want   rota.Load
	}{
		"as usual":           {Config{}, rota.Load{rota.Working: 45 * time.Hour, rota.Evening: 30 * time.Hour, rota.Weekend: 30 * time.Hour, rota.Sleeping: 63 * time.Hour}},
		"without days":       {Config{Working: "10:00-19:00", Sleeping: "24:00-08:00"}, nil},
		"Sunday to Thursday": {Config{Working: "sun-thu 10:00-18:00", Sleeping: "00:00-08:00"}, rota.Load{rota.Working: 40 * time.Hour, rota.Evening: 40 * time.Hour, rota.Weekend: 32 * time.Hour, rota.Sleeping: 56 * time.Hour}},
	} {
		if c.want == nil {
			if err := c.config.Validate(); err == nil || !strings.HasPrefix(err.Error(), "sleeping: 24:00") {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if d := cmp.Diff(c.want, c.config.hours(time.UTC).Split(monday, monday.AddDate(0, 0, 7))); d != "" {
			t.Errorf("%s (-want +got)\n%s", name, d)
		}
	}
}
