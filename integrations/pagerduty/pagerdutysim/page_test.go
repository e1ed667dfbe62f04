package pagerdutysim

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// looks is the page of a schedule, in a line.
func (b *bench) looks(schedule string, from, to time.Time) string {
	b.Helper()
	all, err := b.Final(schedule, from, to)
	if err != nil {
		b.Fatal(err)
	}
	var out []string
	for _, s := range all {
		line := s.Start.Format("2 15:04") + " " + strings.Join(s.Users, "+")
		if len(s.Overrides) > 0 {
			line += fmt.Sprint(" ", len(s.Overrides))
		}
		out = append(out, line)
	}
	return strings.Join(out, ", ")
}

// What somebody changes on PagerDuty's page counts there and for the API, of both kinds of
// schedules, whatever the API does meanwhile.
func TestThePage(t *testing.T) {
	for id, want := range map[string][2]string{
		"PL": {"1 12:00 PA, 2 00:00 PB, 3 00:00 PA", "1 12:00 PC 1, 1 14:00 PA, 2 00:00 PB, 3 00:00 PA"},
		"PS": {"1 12:00 PA, 2 00:00 , 3 00:00 PB", "1 12:00 PC 1, 1 14:00 PA, 2 00:00 , 3 00:00 PB"},
	} {
		inBench(t, Config{Schedules: []Schedule{layers(Layer{Start: day(1), Turn: 86400, Users: []string{"PA", "PB"}}), rotations()}}, func(b *bench) {
			if got := b.looks(id, noon, day(4)); got != want[0] {
				b.Errorf("%s: %s, want %s", id, got, want[0])
			}
			if err := b.Fault(Fault{Kind: "error", Count: -1}); err != nil {
				b.Fatal(err)
			}
			made, err := b.Put(id, "PC", noon.Add(-time.Hour), noon.Add(2*time.Hour))
			if err != nil || len(made) != 1 {
				b.Fatal(made, err)
			}
			if got := b.looks(id, noon, day(4)); got != want[1] {
				b.Errorf("%s: with it %s, want %s", id, got, want[1])
			}
			b.ClearFaults()
			b.pass(time.Hour)
			if err := b.TakeOut(id, made[0]); err != nil {
				b.Fatal(err)
			}
			if got := b.looks(id, noon, day(2)); got != "1 12:00 PC 1, 1 13:00 PA" {
				b.Errorf("%s: ended %s", id, got)
			}
			if err := b.TakeOut(id, made[0]); err == nil || !strings.Contains(err.Error(), "is over") {
				b.Errorf("%s: again: %v", id, err)
			}
		})
	}
}

// A time that nobody has is filled; what cannot be is refused.
func TestThePageFillsAndRefuses(t *testing.T) {
	inBench(t, Config{Schedules: []Schedule{layers(Layer{Start: day(1), Turn: 86400, Users: []string{"PA"}}), rotations()}}, func(b *bench) {
		made, err := b.Put("PS", "PC", day(2), day(3))
		if err != nil || len(made) != 1 || b.looks("PS", day(2), day(4)) != "2 00:00 PC, 3 00:00 PB" {
			b.Error(made, err, b.looks("PS", day(2), day(4)))
		}
		if err := b.TakeOut("PS", made[0]); err != nil || b.looks("PS", day(2), day(4)) != "2 00:00 , 3 00:00 PB" {
			b.Error(err, b.looks("PS", day(2), day(4)))
		}
		for what, err := range map[string]error{
			"no schedule": second(b.Put("PX", "PC", noon, day(2))), "no user": second(b.Put("PL", "PX", noon, day(2))),
			"before it begins": second(b.Put("PL", "PC", noon.Add(-2*time.Hour), noon.Add(-time.Hour))), "no override": b.TakeOut("PL", "Q1"),
			"there is no schedule": b.TakeOut("PX", "Q1"), "is no time": second(b.Final("PL", noon, noon)), `schedule "PX"`: second(b.Final("PX", noon, day(2))),
		} {
			if err == nil || !strings.Contains(err.Error(), what) {
				b.Errorf("%s: %v", what, err)
			}
		}
		if sc, _ := b.Schedule("PL"); len(sc.Overrides) != 0 {
			b.Errorf("there are %v", sc.Overrides)
		}
	})
}

func second[T any](_ T, err error) error { return err }
