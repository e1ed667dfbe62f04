package stats

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// monday is when the week of the examples begins.
var monday = time.Date(2026, 11, 16, 0, 0, 0, 0, time.UTC)

func at(day, hour, minute int) time.Time {
	return monday.AddDate(0, 0, day).Add(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute)
}

// TestCount is worked out by hand. The week is from Monday, day 0, until before day 7.
func TestCount(t *testing.T) {
	good := func(at time.Time, leads ...time.Duration) Deploy {
		return Deploy{Environment: "production", At: at, Leads: leads}
	}
	bad := func(at time.Time) Deploy { return Deploy{Environment: "production", At: at, Bad: true} }
	in := func(environment string, d Deploy) Deploy { d.Environment = environment; return d }
	back := func(d Deploy) Deploy { d.Rollback = true; return d }
	for name, c := range map[string]struct {
		all  []Deploy
		want Tally
	}{
		"nothing":                        {nil, Tally{}},
		"good ones and their lead times": {[]Deploy{good(at(0, 9, 0), time.Hour), good(at(1, 9, 0), 2*time.Hour, 3*time.Hour)}, Tally{Deploys: 2, Leads: []time.Duration{time.Hour, 2 * time.Hour, 3 * time.Hour}}},
		"an outage lasts from its first failure to the next good one": {
			[]Deploy{bad(at(0, 9, 0)), bad(at(0, 9, 10)), good(at(0, 9, 25)), good(at(0, 9, 30)), bad(at(0, 9, 40)), good(at(0, 9, 45))},
			Tally{Deploys: 6, Failed: 3, Restores: []time.Duration{25 * time.Minute, 5 * time.Minute}}},
		"an environment does not mend another one": {
			[]Deploy{bad(at(0, 9, 0)), in("staging", good(at(0, 9, 5))), in("staging", bad(at(0, 9, 6))), good(at(0, 9, 30))},
			Tally{Deploys: 4, Failed: 2, Restores: []time.Duration{30 * time.Minute}, Broken: true}},
		"what broke last week and was mended in this":                 {[]Deploy{bad(at(-1, 23, 0)), good(at(0, 1, 0))}, Tally{Deploys: 1, Restores: []time.Duration{2 * time.Hour}}},
		"what was mended last week is told there":                     {[]Deploy{bad(at(-2, 9, 0)), good(at(-1, 9, 0))}, Tally{}},
		"what is still broken from last week":                         {[]Deploy{bad(at(-1, 23, 0))}, Tally{Broken: true}},
		"what comes after the week":                                   {[]Deploy{bad(at(6, 23, 0)), good(at(7, 0, 1))}, Tally{Deploys: 1, Failed: 1, Broken: true}},
		"its end belongs to it, and its beginning to the week before": {[]Deploy{good(at(0, 0, 0)), good(at(7, 0, 0))}, Tally{Deploys: 1}},
		"a rollback mends, and is no deploy":                          {[]Deploy{bad(at(0, 9, 0)), back(good(at(0, 9, 20)))}, Tally{Deploys: 1, Failed: 1, Rollbacks: 1, Restores: []time.Duration{20 * time.Minute}}},
	} {
		if d := cmp.Diff(c.want, Count("", c.all, at(0, 0, 0), at(7, 0, 0))); d != "" {
			t.Errorf("%s (-want +got)\n%s", name, d)
		}
	}
}

func TestByService(t *testing.T) {
	d := func(service string, at time.Time, bad bool) Deploy { return Deploy{Service: service, At: at, Bad: bad} }
	all := []Deploy{d("old", at(-3, 0, 0), false), d("down", at(-2, 0, 0), true), d("web", at(1, 0, 0), true), d("", at(2, 0, 0), false), d("api", at(3, 0, 0), false), d("web", at(4, 0, 0), false)}
	got := ByService(all, at(0, 0, 0), at(7, 0, 0))
	want := []Tally{{Service: "api", Deploys: 1}, {Service: "down", Broken: true}, {Service: "web", Deploys: 2, Failed: 1, Restores: []time.Duration{72 * time.Hour}}, {Deploys: 1}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	sum := Sum(got)
	if want := (Tally{Deploys: 4, Failed: 1, Restores: []time.Duration{72 * time.Hour}, Broken: true}); !cmp.Equal(sum, want) {
		t.Errorf("together they are %+v", sum)
	}
	if sum.Share() != 25 || (Tally{}).Share() != 0 {
		t.Errorf("of which %v %% failed", sum.Share())
	}
}

// Two weeks that follow on each other count what both as one count.
func TestWeeksAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all []Deploy
		now := at(-20, 0, 0)
		for range rapid.IntRange(0, 40).Draw(t, "deploys") {
			now = now.Add(time.Duration(rapid.IntRange(0, 30*60).Draw(t, "later")) * time.Minute)
			all = append(all, Deploy{Service: rapid.SampledFrom([]string{"", "web", "api"}).Draw(t, "service"), Environment: rapid.SampledFrom([]string{"staging", "production"}).Draw(t, "environment"),
				At: now, Bad: rapid.Bool().Draw(t, "bad"), Rollback: rapid.IntRange(0, 5).Draw(t, "rollback") == 0})
		}
		from, middle, to := at(-7, 0, 0), at(0, 0, 0), at(7, 0, 0)
		one, two, both := Sum(ByService(all, from, middle)), Sum(ByService(all, middle, to)), Sum(ByService(all, from, to))
		if one.Deploys+two.Deploys != both.Deploys || one.Failed+two.Failed != both.Failed || one.Rollbacks+two.Rollbacks != both.Rollbacks ||
			len(one.Restores)+len(two.Restores) != len(both.Restores) || two.Broken != both.Broken {
			t.Fatalf("%+v and %+v are %+v", one, two, both)
		}
	})
}

func TestPercentile(t *testing.T) {
	var ten []time.Duration
	for n := range 10 {
		ten = append(ten, time.Duration(10-n)*time.Minute)
	}
	for _, x := range []struct {
		all     []time.Duration
		percent int
		want    time.Duration
	}{{nil, 50, 0}, {ten[:1], 90, 10 * time.Minute}, {ten, 50, 5 * time.Minute}, {ten, 90, 9 * time.Minute}, {ten, 100, 10 * time.Minute}, {ten[:2], 50, 9 * time.Minute}} {
		if got := Percentile(x.all, x.percent); got != x.want {
			t.Errorf("%d %% of %v is %v, want %v", x.percent, x.all, got, x.want)
		}
	}
}
