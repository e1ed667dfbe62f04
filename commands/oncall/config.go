package oncall

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/kit/settime"
)

// Config is who is on call when.
type Config struct {
	Schedules []Schedule `yaml:"schedules"`
}

// Schedule is one rotation, and how it is told.
type Schedule struct {
	Name    string   `yaml:",key"`
	Aliases []string `yaml:"aliases"`
	// Zone is the IANA time zone of all times of the schedule; "" is UTC.
	Zone   string  `yaml:"zone"`
	Layers []Layer `yaml:"layers"`
	// PagerDuty is the id of a schedule there, which is then the roster, in the place of
	// layers. What is changed in chat is written to it as overrides.
	PagerDuty string `yaml:"pagerduty"`
	// Channel is where it is told; "" is nowhere.
	Channel string `yaml:"channel"`
	// Handoffs says that each handoff is posted there.
	Handoffs bool `yaml:"handoffs"`
	// Posts are the times of further posts, as cron expressions in the zone.
	Posts []string `yaml:"posts"`
	// Group is a Slack user group that has those on call in it, and whoever is Always in
	// it; several schedules may share one.
	Group  string   `yaml:"group"`
	Always []string `yaml:"group_always"`
	// Topic says that the topic of the channel tells who is on call.
	Topic bool `yaml:"topic"`
	// Late is how late a post may be after a standstill; a later one is left out. 0 is
	// two hours.
	Late time.Duration `yaml:"late"`
	// Gaps is how long ahead a gap is told; 0 is a week, and less than that nothing is
	// told: a schedule of office hours has a gap each night.
	Gaps time.Duration `yaml:"gaps"`
}

// Layer is people who take turns.
type Layer struct {
	Name string `yaml:"name"`
	// People take turns in this order; those who are on call together are joined by "+".
	People []string `yaml:"people"`
	// From is when the first turn begins, by the clocks of the zone: "2026-12-01 09:00".
	From string `yaml:"from"`
	// Until is when the layer ends; "" is never.
	Until string `yaml:"until"`
	// Turn is how long a turn takes: "hourly", "daily", "weekly" or "monthly"; Every is
	// how many of these, 0 is one.
	Turn  string `yaml:"turn"`
	Every int    `yaml:"every"`
	// Count is "elapsed", or "active": then only days that a window opens on count.
	Count string `yaml:"count"`
	// Windows are when the layer is on call: "mon-fri 09:00-18:00"; none is always.
	Windows []string `yaml:"windows"`
	// Priority: where layers overlap, the highest is on call; equal ones all are.
	Priority int `yaml:"priority"`
}

const (
	usualLate = 2 * time.Hour
	usualGaps = 7 * 24 * time.Hour
	mostGaps  = 60 * 24 * time.Hour
)

func (c Config) schedule(name string) (Schedule, bool) {
	i := slices.IndexFunc(c.Schedules, func(s Schedule) bool { return s.Name == name })
	if i < 0 {
		return Schedule{}, false
	}
	return c.Schedules[i], true
}

// Names are those of the schedules, in the order of the file.
func (c Config) Names() []string {
	var out []string
	for _, s := range c.Schedules {
		out = append(out, s.Name)
	}
	return out
}

// Turns are the people of each turn.
func (l Layer) Turns() (out [][]string) {
	for _, turn := range l.People {
		var group []string
		for _, p := range strings.Split(turn, "+") {
			if p = strings.TrimSpace(p); p != "" {
				group = append(group, p)
			}
		}
		out = append(out, group)
	}
	return out
}

func (s Schedule) zone() *time.Location {
	z, err := time.LoadLocation(s.Zone) // Validate has read it once
	if err != nil {
		return time.UTC
	}
	return z
}

// times are those of the posts at set times.
func (s Schedule) times() settime.Times { return settime.Times{Expressions: s.Posts, Zone: s.zone()} }

func (s Schedule) late() time.Duration {
	if s.Late == 0 {
		return usualLate
	}
	return s.Late
}

func (s Schedule) gaps() time.Duration {
	if s.Gaps == 0 {
		return usualGaps
	}
	return s.Gaps
}

// reserved are words that stand behind "oncall" and are no schedules.
var reserved = []string{"next", "mine", "take", "cover", "swap", "accept", "decline", "cancel", "calendar", "at"}

// Validate names every mistake at once, each line with the field that holds it:
// "schedules.platform.zone: …".
func (c Config) Validate() error {
	var errs []error
	bad := func(at, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %s", at, fmt.Sprintf(format, args...)))
	}
	for _, s := range c.Schedules {
		at := "schedules." + s.Name
		if slices.Contains(reserved, strings.ToLower(s.Name)) {
			bad(at, "is a word of the command itself (%s); call it something else", strings.Join(reserved, ", "))
		}
		if _, err := time.LoadLocation(s.Zone); err != nil || s.Zone == "Local" {
			bad(at+".zone", "%q is no time zone; want one like Asia/Tokyo", s.Zone)
		}
		switch {
		case len(s.Layers) == 0 && !s.elsewhere():
			bad(at+".layers", "is missing; want at least one, with people, from and turn, or the id of a schedule of PagerDuty")
		case len(s.Layers) > 0 && s.elsewhere():
			bad(at+".pagerduty", "is given beside layers; who is on call can stand in one place only")
		}
		for n, p := range s.Posts {
			if err := settime.Check(p, "0 9 * * mon"); err != nil {
				bad(fmt.Sprintf("%s.posts[%d]", at, n), "%v", err)
			}
		}
		if (s.Handoffs || len(s.Posts) > 0) && s.Channel == "" {
			bad(at+".channel", "is missing; handoffs and posts are told there")
		}
		if s.Topic && s.Channel == "" {
			bad(at+".channel", "is missing; its topic is to tell who is on call")
		}
		if len(s.Always) > 0 && s.Group == "" {
			bad(at+".group", "is missing; group_always names who is always in it")
		}
		if s.Late < 0 || s.Late > 24*time.Hour {
			bad(at+".late", "is %v; want at most 24h", s.Late)
		}
		if s.Gaps > mostGaps {
			bad(at+".gaps", "is %v; want at most %v", s.Gaps, mostGaps)
		}
		if err := s.check(); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
