package rota

import (
	"fmt"
	"testing"
	"time"
)

// aYear is a schedule that changes as often as one may, and the year 2026 in Chicago.
func aYear(b testing.TB, anchor string) (s Schedule, from, to time.Time) {
	z := zone(b, "America/Chicago")
	from, to = instant(b, z, "2026-01-01 00:00"), instant(b, z, "2027-01-01 00:00")
	s.Zone = z
	for n := range 3 {
		e := turn(b, anchor, "hourly", 1, "ann", "bob", "cem", "dee", "eva")
		e.Start = n
		if n > 0 {
			e = e.during(b, "weekdays 09:00-18:00", "weekends 20:00-08:00")
		}
		s.Layers = append(s.Layers, Layer{Name: fmt.Sprint(n), Priority: n / 2, Epochs: []Epoch{e}})
	}
	for n := range 200 {
		at := from.Add(time.Duration(n) * 43 * time.Hour)
		s.Overrides = append(s.Overrides, Override{ID: fmt.Sprint(n), Kind: kindNames[n%4], Person: "flo", Instead: "bob", Start: at, End: at.Add(50 * time.Hour), Order: uint64(n)})
	}
	return s, from, to
}

func BenchmarkTimelineYear(b *testing.B) {
	for _, anchor := range []string{"2026-01-01 00:30", "1976-01-01 00:30"} {
		b.Run("anchor "+anchor[:4], func(b *testing.B) {
			s, from, to := aYear(b, anchor)
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				n = len(Timeline(s, from, to))
			}
			b.ReportMetric(float64(n), "shifts")
			b.ReportMetric(b.Elapsed().Seconds()*1000/float64(b.N), "ms/op")
		})
	}
}

func BenchmarkAt(b *testing.B) {
	s, from, _ := aYear(b, "2026-01-01 00:30")
	for b.Loop() {
		At(s, from.Add(4000*time.Hour))
	}
}

func BenchmarkOn(b *testing.B) {
	s, from, _ := aYear(b, "1976-01-01 00:30")
	for b.Loop() {
		On(s, from.Add(4000*time.Hour))
	}
}
