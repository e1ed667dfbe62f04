package graph

import (
	"image/color"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/picture"
)

// An axis are the values of a chart from its bottom to its top, in round steps.
type axis struct {
	bottom, top, step float64
	unit              string
}

const (
	steps = 4 // about
	// near is which share of the greatest value the least has to be for the axis not to
	// begin at nothing: a line that hardly moves would be flat.
	near = 0.6
)

// newAxis has all values from least to most on it. Its steps are wide enough for no two
// labels to read the same: of 4,722,708 bytes and one more, a picture cannot show the one.
func newAxis(least, most float64, unit string) axis {
	if least >= 0 && least < near*most || least == most && least >= 0 {
		least = 0
	}
	if most <= least {
		most = least + 1
	}
	base := 1.0
	if unit == integrations.UnitBytes || unit == integrations.UnitRate {
		base, _ = scale(max(math.Abs(least), math.Abs(most)))
	}
	a := axis{unit: unit}
	span := max(most-least, 1e-6*max(math.Abs(least), math.Abs(most)))
	for step := span / steps / base; ; step *= 2 {
		a.step = round(step) * base
		a.bottom, a.top = math.Floor(least/a.step+1e-9)*a.step, math.Ceil(most/a.step-1e-9)*a.step
		if a.top <= a.bottom {
			a.top = a.bottom + a.step
		}
		if a.distinct() {
			return a
		}
	}
}

// distinct is whether each label has a text of its own.
func (a axis) distinct() bool {
	last := ""
	for _, l := range a.labels() {
		if l.text == last {
			return false
		}
		last = l.text
	}
	return true
}

// round is the least round number that is not below v: 1, 2, 2.5 or 5 times a power of
// ten.
func round(v float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 2.5, 5} {
		if m*power >= v*(1-1e-9) {
			return m * power
		}
	}
	return 10 * power
}

// A label is a value that a line is drawn at.
type label struct {
	value float64
	text  string
}

func (a axis) labels() (out []label) {
	for n := 0; ; n++ {
		v := a.bottom + float64(n)*a.step
		if v > a.top+a.step/1000 {
			return out
		}
		out = append(out, label{v, say(v, a.unit)})
	}
}

// scale is the unit in which so many bytes are told, and its name; there are 1024 of each
// in the next.
func scale(v float64) (float64, string) {
	unit, names := 1.0, []string{"", "k", "M", "G", "T", "P"}
	for n, name := range names {
		if v < 1024*unit || n == len(names)-1 {
			return unit, name
		}
		unit *= 1024
	}
	return unit, ""
}

// say is a value with its unit, in three digits.
func say(v float64, unit string) string {
	switch unit {
	case integrations.UnitBytes, integrations.UnitRate:
		size, name := scale(math.Abs(v))
		return digits(v/size) + " " + name + unit
	case integrations.UnitNone:
		for _, big := range []struct {
			size float64
			name string
		}{{1e9, " G"}, {1e6, " M"}, {1e5, " k"}} {
			if math.Abs(v) >= big.size {
				if big.size == 1e5 {
					big.size = 1e3
				}
				return digits(v/big.size) + big.name
			}
		}
		return digits(v)
	}
	return digits(v) + " " + unit
}

// digits is a number in three digits, or as many as stand before its point.
func digits(v float64) string {
	places := 0
	switch abs := math.Abs(v); {
	case abs == 0 || abs >= 100:
	case abs >= 10:
		places = 1
	case abs >= 1:
		places = 2
	case abs >= 0.001:
		places = 3
	default:
		return strconv.FormatFloat(v, 'g', 2, 64)
	}
	s := strconv.FormatFloat(v, 'f', places, 64)
	if places > 0 {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	if s == "-0" {
		return "0"
	}
	return s
}

const mostTicks = 7

// tickSteps are the times between two ticks; those of a day and more count days.
var tickSteps = []time.Duration{
	2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour,
	24 * time.Hour, 2 * 24 * time.Hour, 4 * 24 * time.Hour, 7 * 24 * time.Hour,
}

// ticks are the round times of a chart by the clock on a wall there, at most seven.
func ticks(from, until time.Time, zone *time.Location) (out []time.Time) {
	step := tickSteps[len(tickSteps)-1]
	for _, s := range tickSteps {
		if until.Sub(from)/s < mostTicks {
			step = s
			break
		}
	}
	day := from.In(zone)
	for n := 0; ; n++ {
		var at time.Time
		if step >= 24*time.Hour {
			at = time.Date(day.Year(), day.Month(), day.Day()+n*int(step/(24*time.Hour)), 0, 0, 0, 0, zone)
		} else {
			at = time.Date(day.Year(), day.Month(), day.Day(), 0, n*int(step/time.Minute), 0, 0, zone)
		}
		if at.After(until) {
			return out
		}
		if !at.Before(from) && (len(out) == 0 || at.After(out[len(out)-1])) {
			out = append(out, at)
		}
	}
}

// markColor is that of a deploy: orange, and red where it did not work.
func markColor(m mark) color.RGBA {
	if m.good {
		return color.RGBA{0xb8, 0x5a, 0x00, 0xff} // orange that can be read on white
	}
	return picture.Alarm
}
