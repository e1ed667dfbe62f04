package calendar

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	ics "github.com/arran4/golang-ical"
	"github.com/teambition/rrule-go"
)

var errTooOften = fmt.Errorf("the events of the file recur more than %d times until %d; give their rules an end (UNTIL)", maxOccurrences, horizon)

// recurrence is an RRULE. The library works it out on a wall clock that is
// never moved; what the real one shows is resolved here.
type recurrence struct {
	option rrule.ROption
	until  int64 // the last key
}

// readRecurrence understands RRULE, RDATE and EXDATE.
func (f *file) readRecurrence(p properties, e *event) error {
	rules := p.all("RRULE")
	switch {
	case len(p.all("EXRULE")) > 0:
		return errors.New("EXRULE is not understood; write EXDATE")
	case len(rules) > 1:
		return errors.New("two RRULEs in one event are not understood; write two events")
	case len(rules) > 0 && !e.master:
		return errors.New("an RRULE beside a RECURRENCE-ID is not understood")
	}
	for _, r := range rules {
		rule, err := f.readRule(r.Value, e.start)
		if err != nil {
			return fmt.Errorf("RRULE %q is not understood: %w", r.Value, err)
		}
		e.rule = rule
	}
	for _, r := range p.all("RDATE") {
		moments, err := f.readMoments(r)
		if err != nil {
			return err
		}
		for _, m := range moments {
			if m.date != e.start.date {
				return errors.New("RDATE and DTSTART are not both dates or both times")
			}
			e.more = append(e.more, m.key())
		}
	}
	for _, x := range p.all("EXDATE") {
		moments, err := f.readMoments(x)
		if err != nil {
			return err
		}
		for _, m := range moments {
			if err := e.except.add(m, e.start); err != nil {
				return fmt.Errorf("EXDATE %s: %w", x.Value, err)
			}
		}
	}
	return nil
}

// ruleParts are the parts of a rule that are understood, with the frequencies
// that RFC 5545 (3.3.10) allows them for where not for all.
var ruleParts = map[string][]string{
	"FREQ": nil, "INTERVAL": nil, "COUNT": nil, "UNTIL": nil, "WKST": nil,
	"BYMONTH": nil, "BYDAY": nil, "BYSETPOS": nil, "BYHOUR": nil, "BYMINUTE": nil, "BYSECOND": nil,
	"BYMONTHDAY": {"DAILY", "MONTHLY", "YEARLY"}, "BYYEARDAY": {"YEARLY"},
}

// readRule understands an RRULE, strictly: the library is lenient, and looks
// for some rules for very long.
func (f *file) readRule(value string, start moment) (*recurrence, error) {
	value = strings.TrimSuffix(strings.ToUpper(strings.TrimSpace(value)), ";")
	parts := map[string]string{}
	var rest []string
	for part := range strings.SplitSeq(value, ";") {
		name, text, _ := strings.Cut(part, "=")
		if _, twice := parts[name]; twice {
			return nil, fmt.Errorf("%s stands twice", name)
		}
		if _, ok := ruleParts[name]; !ok {
			return nil, fmt.Errorf("it says %s", name)
		}
		parts[name] = text
		if name != "UNTIL" {
			rest = append(rest, part)
		}
	}
	if err := checkRule(parts, start); err != nil {
		return nil, err
	}
	option, err := rrule.StrToROption(strings.Join(rest, ";"))
	if err != nil {
		return nil, err
	}
	if err := checkDays(option); err != nil {
		return nil, err
	}
	r := &recurrence{option: *option, until: never}
	if text, ok := parts["UNTIL"]; ok {
		if r.until, err = f.readUntil(text, start); err != nil {
			return nil, err
		}
	}
	r.option.Dtstart = time.Unix(start.wall, 0).UTC()
	r.option.Until = time.Date(horizon, time.December, 31, 23, 59, 59, 0, time.UTC)
	if _, err := rrule.NewRRule(r.option); err != nil { // its bounds
		return nil, err
	}
	return r, nil
}

// checkRule refuses what is against the standard, and what would take long.
func checkRule(parts map[string]string, start moment) error {
	freq := parts["FREQ"]
	if !slices.Contains([]string{"DAILY", "WEEKLY", "MONTHLY", "YEARLY"}, freq) {
		return fmt.Errorf("FREQ is %q, not DAILY, WEEKLY, MONTHLY or YEARLY", freq)
	}
	for name, allowed := range ruleParts {
		if _, ok := parts[name]; ok && allowed != nil && !slices.Contains(allowed, freq) {
			return fmt.Errorf("%s does not go with FREQ=%s", name, freq)
		}
	}
	for _, name := range []string{"INTERVAL", "COUNT"} {
		text, ok := parts[name]
		if n, err := strconv.Atoi(text); ok && (err != nil || n < 1 || n > 100_000) {
			return fmt.Errorf("%s=%s is not a number from 1 to 100000", name, text)
		}
	}
	if _, count := parts["COUNT"]; count && parts["UNTIL"] != "" {
		return errors.New("it has both COUNT and UNTIL")
	}
	for _, name := range []string{"BYHOUR", "BYMINUTE", "BYSECOND"} {
		text, ok := parts[name]
		if ok && (start.date || name != "BYHOUR" && strings.Contains(text, ",")) {
			return fmt.Errorf("%s=%s is not for whole days, and only BYHOUR may be a list", name, text)
		}
	}
	return nil
}

// checkDays refuses the nth weekday of what has no nth: "-53MO" of a month.
func checkDays(o *rrule.ROption) error {
	most := 0
	switch {
	case o.Freq == rrule.MONTHLY || o.Freq == rrule.YEARLY && len(o.Bymonth) > 0:
		most = 5
	case o.Freq == rrule.YEARLY:
		most = 53
	}
	for _, day := range o.Byweekday {
		if n := day.N(); n > most || n < -most {
			return fmt.Errorf("BYDAY=%s does not go with FREQ=%s", day, o.Freq)
		}
	}
	if len(o.Bysetpos) > 0 && len(o.Byweekday)+len(o.Bymonthday)+len(o.Byyearday)+len(o.Bymonth)+len(o.Byhour) == 0 {
		return errors.New("BYSETPOS picks from nothing")
	}
	if slices.Contains(append(slices.Clone(o.Bysetpos), append(o.Bymonthday, o.Byyearday...)...), 0) {
		return errors.New("0 is no position and no day")
	}
	return nil
}

// readUntil is the last key that UNTIL lets an event have. Exporters mix dates
// and times; a date lets the whole of that day be.
func (f *file) readUntil(text string, start moment) (int64, error) {
	m, err := f.readMoment(ics.IANAProperty{BaseProperty: ics.BaseProperty{IANAToken: "UNTIL"}}, text)
	if err != nil {
		return 0, err
	}
	utc := strings.HasSuffix(text, "Z")
	switch {
	case start.date && utc: // the later of the dates that it can mean
		return floorDiv(max(m.wall, wallAt(f.zone, m.wall)), aDay) * aDay, nil
	case start.date:
		return floorDiv(m.wall, aDay) * aDay, nil
	case m.date:
		return resolve(start.zone, m.wall+aDay) - 1, nil
	case !utc:
		m.zone = start.zone
	}
	return m.key(), nil
}

// expand finds the keys of a rule's occurrences until the horizon, and refuses
// to find more than most.
func (r *recurrence) expand(start moment, most int) (keys []int64, err error) {
	rule, err := rrule.NewRRule(r.option)
	if err != nil {
		return nil, err
	}
	next := rule.Iterator()
	for first := true; ; first = false {
		at, ok := next()
		switch {
		case !ok && first: // 30 February
			return nil, fmt.Errorf("RRULE %q finds no day until %d", r.option.RRuleString(), horizon)
		case !ok:
			return keys, nil
		}
		key := moment{date: start.date, wall: at.Unix(), zone: start.zone}.key()
		if key > r.until {
			return keys, nil
		}
		if len(keys) >= most {
			return nil, errTooOften
		}
		keys = append(keys, key)
	}
}
