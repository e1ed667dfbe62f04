package rota

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Validate names every mistake at once, each line with the field that holds it:
// "layers.primary.epochs[0].every: …". Of an override it is the number in the list and
// its id.
func (s Schedule) Validate() error {
	var errs []error
	if s.Zone == nil {
		errs = append(errs, errors.New("zone: is missing; name one of the IANA database, like Asia/Tokyo or UTC"))
	}
	if len(s.Layers) == 0 {
		errs = append(errs, errors.New("layers: are missing; a schedule has one at least"))
	}
	names := map[string]bool{}
	for n, l := range s.Layers {
		at := "layers." + l.Name
		if strings.TrimSpace(l.Name) == "" {
			at = fmt.Sprintf("layers[%d]", n)
			errs = append(errs, fmt.Errorf("%s.name: is missing; give it one like primary", at))
		} else if names[l.Name] {
			errs = append(errs, fmt.Errorf("%s: there are two layers of this name", at))
		}
		names[l.Name] = true
		errs = append(errs, l.mistakes(at)...)
	}
	for n, o := range s.Overrides {
		errs = append(errs, overrideMistakes(o, strings.TrimSpace(fmt.Sprintf("overrides[%d] %s", n, o.ID)))...)
	}
	return errors.Join(errs...)
}

// ValidateOverride names every mistake of an override at once.
func ValidateOverride(o Override) error {
	return errors.Join(overrideMistakes(o, strings.TrimSpace("override "+o.ID))...)
}

func (l Layer) mistakes(at string) (errs []error) {
	if len(l.Epochs) == 0 {
		errs = append(errs, fmt.Errorf("%s.epochs: are missing; a layer has one roster at least", at))
	}
	for n, e := range l.Epochs {
		field := fmt.Sprintf("%s.epochs[%d]", at, n)
		if n > 0 && minute(e.From) <= minute(l.Epochs[n-1].From) {
			errs = append(errs, fmt.Errorf("%s.from: %s is not after that of the roster before it", field, e.From.Format("2006-01-02 15:04 MST")))
		}
		errs = append(errs, e.mistakes(field)...)
	}
	if len(l.Epochs) > 0 && l.ended(minute(l.Epochs[0].From)) {
		errs = append(errs, fmt.Errorf("%s.until: %s is not after the start of its first roster", at, l.Until.Format("2006-01-02 15:04 MST")))
	}
	return errs
}

// Validate names every mistake of a roster at once, each line with its field.
func (e Epoch) Validate() error { return errors.Join(e.mistakes("roster")...) }

func (e Epoch) mistakes(at string) (errs []error) {
	if e.From.IsZero() {
		errs = append(errs, fmt.Errorf("%s.from: is missing; say from when on it holds", at))
	}
	if e.Anchor == (Local{}) {
		errs = append(errs, fmt.Errorf("%s.anchor: is missing; write one like 2026-12-01 09:00", at))
	} else if !e.Anchor.exists() {
		errs = append(errs, fmt.Errorf("%s.anchor: %s is not on the calendar of the years %d to %d; write one like 2026-12-01 09:00", at, e.Anchor, firstYear, lastYear))
	}
	if _, ok := units[e.Unit]; !ok {
		errs = append(errs, fmt.Errorf("%s.unit: is %q; want one of %s", at, e.Unit, strings.Join(unitNames, ", ")))
	}
	if e.Every < 1 || e.Every > mostEvery {
		errs = append(errs, fmt.Errorf("%s.every: is %d; want 1 to %d", at, e.Every, mostEvery))
	}
	errs = append(errs, e.countMistakes(at)...)
	errs = append(errs, e.groupMistakes(at)...)
	for n, w := range e.Windows {
		errs = append(errs, w.mistakes(fmt.Sprintf("%s.windows[%d]", at, n))...)
	}
	return errs
}

func (e Epoch) countMistakes(at string) (errs []error) {
	switch {
	case e.Count == "" || e.Count == Elapsed:
	case e.Count != Active:
		errs = append(errs, fmt.Errorf("%s.count: is %q; want one of %s, %s", at, e.Count, Elapsed, Active))
	default:
		if _, ok := units[e.Unit]; ok && e.Unit != "daily" {
			errs = append(errs, fmt.Errorf("%s.count: active counts days, and the unit is %s; want the unit daily, like every: 5 for the workdays of a week", at, e.Unit))
		}
		if len(e.Windows) == 0 {
			errs = append(errs, fmt.Errorf("%s.count: active counts the days of the windows, and there are none; add one like \"weekdays\"", at))
		}
	}
	return errs
}

func (e Epoch) groupMistakes(at string) (errs []error) {
	if len(e.Groups) == 0 {
		return append(errs, fmt.Errorf("%s.groups: are missing; name who takes turns", at))
	}
	if e.Start < 0 || e.Start >= len(e.Groups) {
		errs = append(errs, fmt.Errorf("%s.start: is %d; want 0 to %d, the number of a group", at, e.Start, len(e.Groups)-1))
	}
	for n, g := range e.Groups {
		field := fmt.Sprintf("%s.groups[%d]", at, n)
		if len(g) == 0 {
			errs = append(errs, fmt.Errorf("%s: is empty; name who is on call in that turn", field))
		}
		for m, person := range g {
			switch {
			case strings.TrimSpace(person) == "":
				errs = append(errs, fmt.Errorf("%s[%d]: is empty; name a person", field, m))
			case slices.Contains(g[:m], person):
				errs = append(errs, fmt.Errorf("%s[%d]: %s is in this group twice", field, m, person))
			}
		}
	}
	return errs
}

func (w Window) mistakes(at string) (errs []error) {
	if w.Days&EveryDay == 0 || w.Days&^EveryDay != 0 {
		errs = append(errs, fmt.Errorf("%s.days: are missing; write them like mon-fri, weekends or daily", at))
	}
	if w.Start < 0 || w.Start >= wholeDay {
		errs = append(errs, fmt.Errorf("%s.start: %d is not a minute of a day; want 0 to %d, which are 00:00 and 23:59", at, w.Start, wholeDay-1))
	}
	if w.End < 0 || w.End > wholeDay {
		errs = append(errs, fmt.Errorf("%s.end: %d is not a minute of a day; want 0 to %d, which are 00:00 and 24:00", at, w.End, wholeDay))
	}
	return errs
}

func overrideMistakes(o Override, at string) (errs []error) {
	k, known := kinds[o.Kind]
	if !known {
		errs = append(errs, fmt.Errorf("%s.kind: is %q; want one of %s", at, o.Kind, strings.Join(kindNames, ", ")))
	}
	if k.person && strings.TrimSpace(o.Person) == "" {
		errs = append(errs, fmt.Errorf("%s.person: is missing; a %s says who comes on call", at, o.Kind))
	}
	if k.instead && strings.TrimSpace(o.Instead) == "" {
		errs = append(errs, fmt.Errorf("%s.instead: is missing; a %s says who goes off call", at, o.Kind))
	}
	if k.person && k.instead && o.Person == o.Instead && o.Person != "" {
		errs = append(errs, fmt.Errorf("%s.person: %s cannot stand in for themselves", at, o.Person))
	}
	if minute(o.End) <= minute(o.Start) {
		errs = append(errs, fmt.Errorf("%s.end: %s is not after its start, %s; want a minute at least", at, o.End.Format("2006-01-02 15:04 MST"), o.Start.Format("2006-01-02 15:04 MST")))
	}
	return errs
}
