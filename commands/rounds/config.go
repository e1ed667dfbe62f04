package rounds

import (
	"errors"
	"fmt"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/kit/settime"
)

// Config is when rounds are made, and where they are told.
type Config struct {
	// Channel is where a round is told; "" is nowhere, and only who asks sees one.
	Channel string `yaml:"channel"`
	// At are the times, as cron expressions in the zone; none are nine and eighteen
	// o'clock.
	At []string `yaml:"at"`
	// Zone is the IANA time zone of these; "" is UTC.
	Zone string `yaml:"zone"`
	// Late is how late a round may be after a standstill; a later one is left out. 0 is
	// two hours.
	Late time.Duration `yaml:"late"`
	// LeaveOut are the roles of instances that nobody is to watch.
	LeaveOut []string `yaml:"leave_out"`
}

const (
	usualAt   = "0 9,18 * * *"
	usualLate = 2 * time.Hour
	mostLate  = 12 * time.Hour
)

// Validate names every mistake at once, each line with the field that holds it.
func (c Config) Validate() error {
	var errs []error
	bad := func(at, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %s", at, fmt.Sprintf(format, args...)))
	}
	if _, err := time.LoadLocation(c.Zone); err != nil || c.Zone == "Local" {
		bad("zone", "%q is no time zone; want one like Asia/Tokyo", c.Zone)
	}
	for n, at := range c.At {
		if err := settime.Check(at, usualAt); err != nil {
			bad(fmt.Sprintf("at[%d]", n), "%v", err)
		}
	}
	if len(c.At) > 0 && c.Channel == "" {
		bad("channel", "is missing; rounds are told there")
	}
	if c.Late < 0 || c.Late > mostLate {
		bad("late", "is %v; want at most %v", c.Late, mostLate)
	}
	return errors.Join(errs...)
}

func (c Config) zone() *time.Location {
	z, err := time.LoadLocation(c.Zone) // Validate has read it once
	if err != nil {
		return time.UTC
	}
	return z
}

func (c Config) at() []string {
	if len(c.At) == 0 {
		return []string{usualAt}
	}
	return c.At
}

func (c Config) late() time.Duration {
	if c.Late == 0 {
		return usualLate
	}
	return c.Late
}

// times are when rounds are made.
func (c Config) times() settime.Times {
	if c.Channel == "" {
		return settime.Times{}
	}
	return settime.Times{Expressions: c.at(), Zone: c.zone()}
}
