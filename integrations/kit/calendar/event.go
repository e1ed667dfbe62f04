package calendar

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	ics "github.com/arran4/golang-ical"
)

// event is one VEVENT. Its times are keys: for whole days the date as wall
// seconds, otherwise the instant in Unix seconds.
type event struct {
	label  string // for the operator: summary and UID
	why    string // for people
	uid    string
	closes bool // neither cancelled nor, where that counts, transparent
	master bool // not the replacement of one occurrence
	start  moment
	days   int64 // length: whole days, by the calendar
	secs   int64 // and seconds
	rule   *recurrence
	more   []int64 // RDATE
	except exceptions
}

// moment is a DATE or a DATE-TIME, with the zone its wall clock is in.
type moment struct {
	date bool
	wall int64
	zone *time.Location
}

func (m moment) key() int64 {
	if m.date {
		return m.wall
	}
	return resolve(m.zone, m.wall)
}

// exceptions are occurrences that are left out: by key, and for exporters that
// name only the day of an event with times, by date.
type exceptions struct{ keys, dates map[int64]bool }

func (x *exceptions) add(m moment, of moment) error {
	if m.date == of.date {
		if x.keys == nil {
			x.keys = map[int64]bool{}
		}
		x.keys[m.key()] = true
		return nil
	}
	if !m.date {
		return errors.New("leaves out a time, but the event is of whole days")
	}
	if x.dates == nil {
		x.dates = map[int64]bool{}
	}
	x.dates[m.wall/aDay] = true
	return nil
}

// readEvent understands one event. Of one that closes nothing it reads only
// which occurrence it replaces.
func (f *file) readEvent(p properties) (event, error) {
	e := event{why: f.summaryOf(p), uid: p.value("UID"), closes: true, master: true}
	e.label = fmt.Sprintf("event %q", e.why)
	if e.uid != "" {
		e.label += fmt.Sprintf(" (UID %s)", e.uid)
	}
	if strings.EqualFold(p.value("STATUS"), "CANCELLED") || f.free && strings.EqualFold(p.value("TRANSP"), "TRANSPARENT") {
		e.closes = false
	}
	replaces := p.all("RECURRENCE-ID")
	if !e.closes && len(replaces) == 0 {
		return e, nil
	}
	for _, step := range []func(properties, *event) error{f.readTimes, f.readReplaces, f.readRecurrence} {
		if err := step(p, &e); err != nil {
			return event{}, fmt.Errorf("%s: %w", e.label, err)
		}
	}
	return e, nil
}

// readTimes understands DTSTART, and DTEND or DURATION.
func (f *file) readTimes(p properties, e *event) error {
	starts, ends, lengths := p.all("DTSTART"), p.all("DTEND"), p.all("DURATION")
	if len(starts) != 1 || len(ends)+len(lengths) > 1 {
		return errors.New("it needs one DTSTART, and at most one DTEND or DURATION")
	}
	start, err := f.readMoment(starts[0], starts[0].Value)
	if err != nil {
		return err
	}
	e.start = start
	switch {
	case len(ends) == 1:
		end, err := f.readMoment(ends[0], ends[0].Value)
		if err != nil {
			return err
		}
		length := end.key() - start.key()
		switch {
		case end.date != start.date:
			return errors.New("DTSTART and DTEND are not both dates or both times")
		case length < 0:
			return fmt.Errorf("DTEND %s is before DTSTART %s", ends[0].Value, starts[0].Value)
		case start.date: // an end on the day it starts is written by some for one day
			e.days = max(length/aDay, 1)
		default:
			e.secs = length
		}
	case len(lengths) == 1:
		e.days, e.secs, err = readDuration(lengths[0].Value)
		if err == nil && start.date && (e.secs != 0 || e.days == 0) {
			err = fmt.Errorf("DURATION %s of an event of whole days is not in days", lengths[0].Value)
		}
		return err
	case start.date:
		e.days = 1
	}
	return nil
}

// readReplaces notes which occurrence of which event this one stands for.
func (f *file) readReplaces(p properties, e *event) error {
	for _, r := range p.all("RECURRENCE-ID") {
		if parameter(r, "RANGE") != "" {
			return errors.New("RECURRENCE-ID with RANGE changes several occurrences at once, which is not understood; export each")
		}
		if e.uid == "" {
			return errors.New("RECURRENCE-ID without a UID")
		}
		m, err := f.readMoment(r, r.Value)
		if err != nil {
			return err
		}
		e.master = false
		x := f.replaced[e.uid]
		if x == nil {
			x = &exceptions{}
			f.replaced[e.uid] = x
		}
		// The occurrence is the master's: a date here is one there too, or
		// the day of a time.
		if err := x.add(m, m); err != nil {
			return err
		}
		if m.date {
			if err := x.add(m, moment{}); err != nil {
				return err
			}
		}
	}
	return nil
}

// readMoment understands 20261224, 20261224T100000 and 20261224T100000Z.
func (f *file) readMoment(p ics.IANAProperty, value string) (moment, error) {
	value = strings.ToUpper(strings.TrimSpace(value))
	kind := strings.ToUpper(parameter(p, "VALUE"))
	bad := fmt.Errorf("%s %q is neither a date like 20261224 nor a time like 20261224T100000", strings.ToUpper(p.IANAToken), value)
	if kind == "DATE" || kind == "" && len(value) == len("20060102") {
		t, err := time.Parse("20060102", value)
		if err != nil {
			return moment{}, bad
		}
		// A date is a date everywhere, whatever TZID stands by it.
		return moment{date: true, wall: t.Unix(), zone: f.zone}, nil
	}
	local, utc := strings.CutSuffix(value, "Z")
	t, err := time.Parse("20060102T150405", local)
	if err != nil || kind != "" && kind != "DATE-TIME" {
		return moment{}, bad
	}
	m := moment{wall: t.Unix(), zone: f.zone}
	if utc {
		m.zone = time.UTC
	} else if tzid := parameter(p, "TZID"); tzid != "" {
		if m.zone, err = f.zoneNamed(tzid); err != nil {
			return moment{}, err
		}
	}
	return m, nil
}

// readMoments understands a list of them.
func (f *file) readMoments(p ics.IANAProperty) (out []moment, err error) {
	if strings.EqualFold(parameter(p, "VALUE"), "PERIOD") {
		return nil, fmt.Errorf("%s with periods is not understood; write their starts", strings.ToUpper(p.IANAToken))
	}
	for value := range strings.SplitSeq(p.Value, ",") {
		m, err := f.readMoment(p, value)
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

var duration = regexp.MustCompile(`^\+?P(?:(\d{1,4})W)?(?:(\d{1,5})D)?(T)?(?:(\d{1,6})H)?(?:(\d{1,8})M)?(?:(\d{1,9})S)?$`)

// readDuration understands P1W, P2D and P1DT2H30M: days, and seconds.
func readDuration(value string) (days, secs int64, err error) {
	m := duration.FindStringSubmatch(strings.ToUpper(strings.TrimSpace(value)))
	if m == nil || m[1]+m[2]+m[4]+m[5]+m[6] == "" || (m[3] == "T") != (m[4]+m[5]+m[6] != "") {
		return 0, 0, fmt.Errorf("DURATION %q is not a length like P1D or PT2H30M", value)
	}
	number := func(i int) int64 {
		if m[i] == "" {
			return 0
		}
		n, convErr := strconv.ParseInt(m[i], 10, 64)
		err = errors.Join(err, convErr)
		return n
	}
	return number(1)*7 + number(2), number(4)*3600 + number(5)*60 + number(6), err
}

// occurrences is when an event closes.
func (f *file) occurrences(e event) (days []daySpan, timed []closure, err error) {
	if !e.closes {
		return nil, nil, nil
	}
	keys, err := f.keysOf(e)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", e.label, err)
	}
	for _, key := range keys {
		if e.start.date {
			days = append(days, daySpan{first: floorDiv(key, aDay), end: floorDiv(key, aDay) + e.days, name: e.why})
			continue
		}
		c := closure{from: key, to: key + e.secs, why: e.why}
		if e.days > 0 { // days are as long as the calendar has them
			c.to = resolve(e.start.zone, wallAt(e.start.zone, key)+e.days*aDay) + e.secs
		}
		timed = append(timed, c)
	}
	return days, timed, nil
}

// keysOf finds the starts of all occurrences. DTSTART is one of them, whether
// the rule finds it or not.
func (f *file) keysOf(e event) ([]int64, error) {
	keys := append([]int64{e.start.key()}, e.more...)
	if e.rule != nil {
		found, err := e.rule.expand(e.start, f.left)
		if err != nil {
			return nil, err
		}
		keys = append(keys, found...)
	}
	if f.left -= len(keys); f.left < 0 {
		return nil, errTooOften
	}
	slices.Sort(keys)
	keys = slices.Compact(keys)
	return slices.DeleteFunc(keys, func(key int64) bool {
		return e.except.has(key, e.start) || e.master && f.replaced[e.uid].has(key, e.start)
	}), nil
}

// has reports whether the occurrence of an event is left out.
func (x *exceptions) has(key int64, start moment) bool {
	switch {
	case x == nil:
		return false
	case start.date:
		return x.keys[key]
	}
	return x.keys[key] || x.dates[floorDiv(wallAt(start.zone, key), aDay)]
}
