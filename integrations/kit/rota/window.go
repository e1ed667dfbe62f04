package rota

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/kit/calendar"
)

// A Window is a time of day on some days of the week. It begins when the wall clock
// first shows Start on one of its days, and ends when the clock last shows End: on the
// same day, or on the next one if End is not after Start. Where both are the same it is
// a whole day.
type Window struct {
	Days       Days
	Start, End Clock
}

// Days are days of the week.
type Days uint8

// EveryDay are all seven.
const EveryDay Days = 1<<7 - 1

// DaysOf are some days of the week.
func DaysOf(days ...time.Weekday) (out Days) {
	for _, d := range days {
		out |= 1 << d
	}
	return out
}

// Has says whether a day is one of d.
func (d Days) Has(day time.Weekday) bool { return d&(1<<day) != 0 }

// dayWords are days as a week has them, from Monday on.
var dayWords = []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}

// dayGroups are the sets that have a word of their own.
var dayGroups = map[Days]string{
	EveryDay: "daily",
	DaysOf(time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday): "weekdays",
	DaysOf(time.Saturday, time.Sunday):                                            "weekends",
}

// String is d as ParseDays understands it, "" if there are none.
func (d Days) String() string {
	if word, ok := dayGroups[d&EveryDay]; ok {
		return word
	}
	var out []string
	for n := 0; n < 7; n++ {
		first := n
		for n < 7 && d.Has(time.Weekday((n+1)%7)) {
			n++
		}
		switch n - first {
		case 0:
		case 1:
			out = append(out, dayWords[first])
		case 2:
			out = append(out, dayWords[first], dayWords[first+1])
		default:
			out = append(out, dayWords[first]+"-"+dayWords[n-1])
		}
	}
	return strings.Join(out, ",")
}

// ParseDays understands "mon-fri", "fri-mon", "mon,wed", "weekdays", "weekends" and
// "daily". The error names what is no day, and what is one.
func ParseDays(text string) (Days, error) {
	days, err := calendar.ParseDays(strings.ToLower(calendar.Tidy(text)))
	if err != nil {
		return 0, err
	}
	return DaysOf(days...), nil
}

// MarshalText and UnmarshalText let Days stand in a file as text.
func (d Days) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

func (d *Days) UnmarshalText(text []byte) (err error) {
	*d = 0
	if len(text) > 0 {
		*d, err = ParseDays(string(text))
	}
	return err
}

// A Clock is a time of day in minutes since midnight, up to 24:00.
type Clock int

const wholeDay Clock = 24 * 60

func (c Clock) String() string { return fmt.Sprintf("%02d:%02d", int(c)/60, int(c)%60) }

// ParseClock understands "9:00", "09:00" and "24:00". The error names what is no time.
func ParseClock(text string) (Clock, error) {
	minutes, err := calendar.ParseMinutes(strings.TrimSpace(text))
	return Clock(minutes), err
}

// MarshalText and UnmarshalText let a Clock stand in a file as text.
func (c Clock) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

func (c *Clock) UnmarshalText(text []byte) (err error) {
	*c, err = ParseClock(string(text))
	return err
}

func (w Window) String() string {
	return fmt.Sprintf("%s %s-%s", w.Days, w.Start, w.End)
}

// ParseWindow understands "weekdays 09:00-18:00", "fri 20:00-08:00", "weekends" as
// whole days, and "09:00-18:00" as that of every day. The error says what is wrong and
// shows some that work.
func ParseWindow(text string) (w Window, err error) {
	defer func() {
		if err != nil {
			w, err = Window{}, fmt.Errorf("%w; write days and times like \"weekdays 09:00-18:00\", \"fri 20:00-08:00\" or \"weekends\"", err)
		}
	}()
	words := strings.Fields(calendar.Tidy(text))
	if len(words) == 0 || len(words) > 2 {
		return w, fmt.Errorf("%q is not days and times", text)
	}
	w = Window{Days: EveryDay, End: wholeDay}
	if len(words) == 2 || !strings.Contains(words[0], ":") {
		if w.Days, err = ParseDays(words[0]); err != nil {
			return w, err
		}
		words = words[1:]
	}
	if len(words) == 0 {
		return w, nil
	}
	start, end, ok := strings.Cut(words[0], "-")
	if !ok {
		return w, fmt.Errorf("%q is not two times with a hyphen between them", words[0])
	}
	if w.Start, err = ParseClock(start); err == nil {
		w.End, err = ParseClock(end)
	}
	if err == nil && w.Start == wholeDay {
		err = fmt.Errorf("24:00 is the end of a day: a window can end then, and begins at 00:00")
	}
	return w, err
}

// span is [from, to) in Unix seconds.
type span struct{ from, to int64 }

// openSpans are when any of the windows is open within [lo, hi), one after the other
// and apart.
func openSpans(windows []Window, d *dial, lo, hi int64) []span {
	var out []span
	for day := floorDiv(lo-apart, aDay) - 1; day*aDay < hi+apart; day++ {
		for _, w := range windows {
			if !w.Days.Has(weekday(day)) {
				continue
			}
			start, end := day*aDay+int64(w.Start)*60, day*aDay+int64(w.End)*60
			if w.End <= w.Start {
				end += aDay
			}
			if s := (span{max(d.first(start), lo), min(d.last(end), hi)}); s.from < s.to {
				out = append(out, s)
			}
		}
	}
	slices.SortFunc(out, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	n := 0
	for _, s := range out {
		if n > 0 && s.from <= out[n-1].to {
			out[n-1].to = max(out[n-1].to, s.to)
			continue
		}
		out[n] = s
		n++
	}
	return out[:n]
}
