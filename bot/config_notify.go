package main

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// checkNotify checks what an environment says of how it is told about.
func (c *Config) checkNotify(at string, e EnvironmentConfig) {
	c.checkWays(at+".notify", e.Notify)
	q := e.Quiet
	if (q.From == "") != (q.To == "") {
		c.bad(at+".quiet", `needs both from and to: {from: "22:00", to: "08:00"}`)
	}
	if q.From != "" && q.From == q.To {
		c.bad(at+".quiet", "begins and ends at %s, so that nobody can tell whether it is always or never", q.From)
	}
	c.wantTime(at+".quiet.from", q.From)
	c.wantTime(at+".quiet.to", q.To)
	c.wantTime(at+".digest.at", e.Digest.At)
	c.wantZone(at+".quiet.zone", q.Zone, e.Windows.Zone)
	c.wantZone(at+".digest.zone", e.Digest.Zone, q.Zone)
}

// checkWays checks a map of events to ways.
func (c *Config) checkWays(at string, ways map[string]string) {
	events := names(integrations.NotifyEvents, func(e integrations.NotifyEvent) string { return e.Name })
	for _, name := range slices.Sorted(maps.Keys(ways)) {
		e, ok := integrations.NotifyEventOf(name)
		if !ok {
			c.bad(at+"."+name, "%s", oneOf("event", name, events))
			continue
		}
		if !slices.Contains(e.Ways, ways[name]) {
			c.bad(at+"."+name, "unknown way %q to tell of %q; there is %s%s", ways[name], name, strings.Join(e.Ways, ", "), nearest(ways[name], e.Ways))
		}
	}
}

func (c *Config) wantTime(field, value string) {
	if _, err := time.Parse("15:04", value); value != "" && err != nil {
		c.bad(field, "%q is not a time of day; want one like \"09:00\", in quotes", value)
	}
}

// wantZone checks a zone that is not the one it was taken from.
func (c *Config) wantZone(field, value, from string) {
	if _, err := zoneOf(value); err != nil && value != from {
		c.bad(field, "%q is not a time zone; want an IANA name like Asia/Tokyo", value)
	}
}

// zoneOf is a zone by its IANA name; "" is UTC. The machine's own is none: it
// differs from machine to machine.
func zoneOf(name string) (*time.Location, error) {
	if name == "Local" {
		return time.UTC, &time.ParseError{Value: name, Message: "differs by machine"}
	}
	z, err := time.LoadLocation(name)
	if err != nil {
		return time.UTC, err
	}
	return z, nil
}

// sinceMidnight reads a time of day that was checked.
func sinceMidnight(text string) time.Duration {
	t, err := time.Parse("15:04", text)
	if err != nil {
		return 0
	}
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute
}

func (q QuietConfig) hours() integrations.Hours {
	z, _ := zoneOf(q.Zone) // a mistake was found by check
	return integrations.Hours{From: sinceMidnight(q.From), To: sinceMidnight(q.To), Zone: z}
}

func (d DigestConfig) daily() integrations.Daily {
	z, _ := zoneOf(d.Zone)
	return integrations.Daily{At: sinceMidnight(d.At), Zone: z}
}
