package digest

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/signalbox-chatops/signalbox/integrations/kit/calendar"
	"github.com/signalbox-chatops/signalbox/integrations/kit/rota"
	"github.com/signalbox-chatops/signalbox/integrations/kit/settime"
)

// Config is when and where the digest is posted, and what it counts.
type Config struct {
	// Channel is where it is posted; "" is nowhere.
	Channel string `yaml:"channel"`
	// At is when, once a week, as a cron expression in the zone; "" is usualAt.
	At string `yaml:"at"`
	// Zone is the IANA time zone of all its times; "" is UTC.
	Zone string `yaml:"zone"`
	// Language is that of the digest; "" is the channel's.
	Language string `yaml:"language"`
	// Late is how late it may be posted after a standstill; 0 is usualLate.
	Late time.Duration `yaml:"late"`
	// Working are the hours of work, "mon-fri 09:00-18:00"; without days those of Monday to
	// Friday. A day that is none of these is a weekend. Sleeping are those of sleep.
	Working  string `yaml:"working"`
	Sleeping string `yaml:"sleeping"`
	// Environments are those whose deploys count; none is all.
	Environments []string `yaml:"environments"`
}

const (
	usualAt       = "0 10 * * mon"
	usualWorking  = "mon-fri 09:00-18:00"
	usualSleeping = "22:00-07:00"
	usualLate     = 24 * time.Hour
	longestLate   = 6 * 24 * time.Hour
)

func (c Config) zone() *time.Location {
	z, err := time.LoadLocation(c.Zone) // Validate has read it once
	if err != nil {
		return time.UTC
	}
	return z
}

func (c Config) late() time.Duration { return cmp.Or(c.Late, usualLate) }

func (c Config) times() settime.Times {
	return settime.Times{Expressions: []string{cmp.Or(c.At, usualAt)}, Zone: c.zone()}
}

// hours are the kinds of hours, in a zone.
func (c Config) hours(zone *time.Location) rota.Hours {
	h := rota.Hours{Zone: zone}
	h.Working, _ = working(c.Working) // Validate has read both once
	h.Sleeping, _ = rota.ParseWindow(cmp.Or(c.Sleeping, usualSleeping))
	return h
}

// working reads hours of work: without days they are those of Monday to Friday.
func working(text string) (rota.Window, error) {
	text = calendar.Tidy(cmp.Or(text, usualWorking))
	if strings.IndexFunc(text, unicode.IsDigit) == 0 {
		text = "mon-fri " + text
	}
	return rota.ParseWindow(text)
}

// Validate names every mistake at once, each line with the field that holds it.
func (c Config) Validate() error {
	var errs []error
	bad := func(field, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %s", field, fmt.Sprintf(format, args...)))
	}
	if c.Channel == "" && (c.At != "" || c.Late != 0 || c.Language != "") {
		bad("channel", "is missing; the digest is posted there")
	}
	switch err := settime.Check(cmp.Or(c.At, usualAt), usualAt); {
	case err != nil:
		bad("at", "%v", err)
	case strings.Contains(c.At, "="):
		bad("at", "%q names a time zone; that is said by digest.zone", c.At)
	case !weekly(c.At):
		bad("at", "%q does not come once a week; want one like %q", c.At, usualAt)
	}
	if _, err := time.LoadLocation(c.Zone); err != nil || c.Zone == "Local" {
		bad("zone", "%q is no time zone; want one like Asia/Tokyo", c.Zone)
	}
	if c.Late < 0 || c.Late > longestLate {
		bad("late", "is %v; want at most %v", c.Late, longestLate)
	}
	w, errW := working(c.Working)
	if errW != nil {
		bad("working", "%v", errW)
	}
	s, errS := rota.ParseWindow(cmp.Or(c.Sleeping, usualSleeping))
	if errS != nil {
		bad("sleeping", "%v", errS)
	}
	if errW == nil && errS == nil && overlap(w, s) {
		bad("sleeping", "%s are working hours too (%s)", s, w)
	}
	for n, e := range c.Environments {
		if slices.Contains(c.Environments[:n], e) {
			bad(fmt.Sprintf("environments[%d]", n), "%q is there twice", e)
		}
	}
	return errors.Join(errs...)
}

// aMonday begins a week in which no clock is moved.
var aMonday = time.Date(2026, 11, 16, 0, 0, 0, 0, time.UTC)

// weekly says whether an expression comes exactly once in any week.
func weekly(expression string) bool {
	at := settime.Times{Expressions: []string{cmp.Or(expression, usualAt)}}
	for n, next := 0, at.After(aMonday); n < 60; n++ {
		after := at.After(next)
		if after.Sub(next) != 7*24*time.Hour {
			return false
		}
		next = after
	}
	return true
}

// overlap says whether two windows have a time in common. Sleep would take it from work.
func overlap(working, sleeping rota.Window) bool {
	week := func(sleeping rota.Window) time.Duration {
		return rota.Hours{Working: working, Sleeping: sleeping}.Split(aMonday, aMonday.AddDate(0, 0, 7))[rota.Working]
	}
	return week(sleeping) != week(rota.Window{})
}
