package calendar

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
	"unicode"

	ics "github.com/arran4/golang-ical"
)

const (
	// maxICS is the largest file that is read, in bytes: a company's calendar
	// of many years is a tenth of it.
	maxICS = 1 << 20
	// maxOccurrences is how often the events of a file may recur until the
	// horizon, all together: a hundred weekly ones without an end.
	maxOccurrences = 400_000
	// maxMistakes is how many mistakes of one file are told one by one.
	maxMistakes = 10
	// maxSummary is how much of an event's summary is told, in characters.
	maxSummary = 200
)

// readICS reads a file of at most maxICS bytes.
func readICS(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the calendar file: %w", err)
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, maxICS+1))
	if err != nil {
		return nil, fmt.Errorf("read the calendar file: %w", err)
	}
	return data, nil
}

// file is an ICS file that is being read.
type file struct {
	name     string
	zone     *time.Location // of dates and of times without a zone
	free     bool           // what takes up no time closes nothing
	zones    map[string]*time.Location
	replaced map[string]*exceptions // by UID: occurrences that have an event of their own
	left     int                    // of maxOccurrences
}

// parseICS understands a calendar (RFC 5545). Events of whole days close those
// dates in zone, others their exact time; those that are cancelled close nothing,
// nor do to-dos and journals, nor, with free, those that take up no time
// (TRANSP:TRANSPARENT). Holiday feeds mark holidays so, so that nobody is shown as
// busy on them: that says nothing about deploys.
// What it does not understand it refuses, as a closed day that is silently
// missed would let a deploy through.
func parseICS(data []byte, name string, zone *time.Location, free bool) (days []daySpan, timed []closure, err error) {
	if len(data) > maxICS {
		return nil, nil, fmt.Errorf("it is larger than %d KiB; export only the events that close", maxICS>>10)
	}
	// The library takes a file that was cut off between two events for whole.
	if !bytes.HasSuffix(bytes.ToUpper(bytes.TrimSpace(data)), []byte("END:VCALENDAR")) {
		return nil, nil, errors.New("it does not end with END:VCALENDAR: it is no ICS file, or not all of one")
	}
	cal, err := ics.ParseCalendarWithOptions(bytes.NewReader(data), ics.WithUnknownPropertyHandler(ics.AcceptUnknownPropertyHandler))
	if err != nil {
		return nil, nil, fmt.Errorf("it is not a well-formed ICS file: %w", err)
	}
	f := &file{name: name, zone: zone, free: free, replaced: map[string]*exceptions{}, left: maxOccurrences}
	f.readZones(cal)
	var mistakes []error
	var events []event
	for _, c := range cal.Components {
		props, ok := eventOf(c)
		if !ok {
			continue
		}
		e, err := f.readEvent(props)
		if err != nil {
			mistakes = append(mistakes, err)
			continue
		}
		events = append(events, e)
	}
	for _, e := range events {
		if len(mistakes) > maxMistakes {
			break // each may have taken a second to look for
		}
		d, t, err := f.occurrences(e)
		if err != nil {
			mistakes = append(mistakes, err)
		}
		days, timed = append(days, d...), append(timed, t...)
	}
	if len(mistakes) > maxMistakes {
		mistakes = append(mistakes[:maxMistakes], errors.New("and more events after these"))
	}
	return days, timed, errors.Join(mistakes...)
}

// properties are those of a component. Their names are upper or lower case.
type properties []ics.IANAProperty

func eventOf(c ics.Component) (properties, bool) {
	switch c := c.(type) {
	case *ics.VEvent:
		return c.Properties, true
	case *ics.GeneralComponent: // "BEGIN:vevent"
		return c.Properties, strings.EqualFold(c.Token, "VEVENT")
	}
	return nil, false
}

// all returns the properties with a name.
func (p properties) all(name string) (out []ics.IANAProperty) {
	for _, one := range p {
		if strings.EqualFold(one.IANAToken, name) {
			out = append(out, one)
		}
	}
	return out
}

// value is the first property with a name, trimmed; "" if there is none.
func (p properties) value(name string) string {
	for _, one := range p.all(name) {
		return strings.TrimSpace(one.Value)
	}
	return ""
}

// parameter is a property's parameter; "" if there is none.
func parameter(p ics.IANAProperty, name string) string {
	for key, values := range p.ICalParameters {
		if strings.EqualFold(key, name) && len(values) > 0 {
			return values[0]
		}
	}
	return ""
}

// summaryOf is what an event says to people, on one line.
func (f *file) summaryOf(p properties) string {
	visible := func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}
	text := strings.Join(strings.Fields(strings.Map(visible, p.value("SUMMARY"))), " ")
	if text == "" {
		return "an event without a name in " + f.name
	}
	if r := []rune(text); len(r) > maxSummary {
		return string(r[:maxSummary-1]) + "…"
	}
	return text
}

// readZones finds the zones that the file describes itself, for names that are
// not IANA's. Only what needs no rules is understood: a name in X-LIC-LOCATION,
// or one offset all year (Outlook's "Tokyo Standard Time").
func (f *file) readZones(cal *ics.Calendar) {
	f.zones = map[string]*time.Location{}
	for _, c := range cal.Components {
		zone, ok := c.(*ics.VTimezone)
		if !ok {
			continue
		}
		own := properties(zone.Properties)
		name := own.value("TZID")
		if at, err := loadZone(own.value("X-LIC-LOCATION")); err == nil && own.value("X-LIC-LOCATION") != "" {
			f.zones[name] = at
			continue
		}
		var offsets []string
		for _, rule := range zone.Components {
			for _, p := range rule.UnknownPropertiesIANAProperties() {
				if strings.EqualFold(p.IANAToken, "TZOFFSETTO") {
					offsets = append(offsets, strings.TrimSpace(p.Value))
				}
			}
		}
		slices.Sort(offsets)
		if offsets = slices.Compact(offsets); len(offsets) == 1 {
			if t, err := time.Parse("-0700", offsets[0]); err == nil {
				_, offset := t.Zone()
				f.zones[name] = time.FixedZone(name, offset)
			}
		}
	}
}

// zoneNamed finds the zone of a TZID.
func (f *file) zoneNamed(tzid string) (*time.Location, error) {
	if at, err := loadZone(tzid); err == nil {
		return at, nil
	}
	if at, ok := f.zones[tzid]; ok {
		return at, nil
	}
	return nil, fmt.Errorf("TZID %q is not an IANA zone; write one like Asia/Tokyo, or the times in UTC", tzid)
}
