package integrations

import (
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/kit/calendar"
)

// The events that chat is told of, as the configuration names them.
const (
	EventOpened   = "opened"
	EventPlan     = "plan"
	EventDestroys = "destroys"
	EventBots     = "bots"
	EventLog      = "log"
	EventLogFile  = "log_file"
	EventConfirm  = "confirm"
	EventWaits    = "waits"
	EventFailed   = "failed"
	EventFinished = "finished"
	EventDrift    = "drift"
	EventNag      = "nag"
)

// The ways to be told of one.
const (
	WayNone    = "none"
	WayThread  = "thread"  // in the thread of the operation's card
	WayChannel = "channel" // in a message of its own
	WayDirect  = "direct"  // in a direct message to whom it concerns
	WayDigest  = "digest"  // together with others, once a day
)

// NotifyEvent is an event, the ways that it can be told, and what is the rule
// where the configuration says nothing.
type NotifyEvent struct {
	Name    string
	Default string
	Ways    []string
	// Calls: somebody is called by it, with a mention. What calls nobody names
	// people without mentioning them.
	Calls bool
	// Waits: in quiet hours it waits until they end.
	Waits bool
	What  string // for people who read the table of them
}

// NotifyEvents are all of them: the one table that says what wakes a phone.
var NotifyEvents = []NotifyEvent{
	{EventOpened, WayChannel, []string{WayNone, WayChannel}, false, false, "an operation began: its card"},
	{EventPlan, WayNone, []string{WayNone, WayChannel}, false, true, "a pull request of a person was planned"},
	{EventDestroys, WayChannel, []string{WayNone, WayChannel}, false, true, "a plan of a pull request destroys or replaces something"},
	{EventBots, WayChannel, []string{WayNone, WayChannel}, false, true, "pull requests of bots were planned: one message a day"},
	{EventLog, WayThread, []string{WayNone, WayThread}, false, false, "an apply's log: one message, and the whole log when it fails"},
	{EventLogFile, WayNone, []string{WayNone, WayThread}, false, false, "the whole log of an apply that worked"},
	{EventConfirm, WayChannel, []string{WayThread, WayChannel, WayDirect}, true, false, "a plan that nobody reviewed wants a yes"},
	{EventWaits, WayThread, []string{WayThread, WayChannel, WayDirect}, true, true, "somebody has to do something: approve, retry"},
	{EventFailed, WayThread, []string{WayThread, WayChannel, WayDirect}, true, false, "it failed, or nobody knows how it ended"},
	{EventFinished, WayNone, []string{WayNone, WayThread, WayChannel, WayDirect}, true, true, "it succeeded; the card says so anyway"},
	{EventDrift, WayDigest, []string{WayNone, WayChannel, WayDigest}, false, true, "a target has drifted, or cannot be looked at"},
	{EventNag, WayDigest, []string{WayNone, WayChannel, WayDigest}, false, true, "a hold older than a day, a review that nobody signed"},
}

// NotifyEventOf finds an event by its name.
func NotifyEventOf(name string) (NotifyEvent, bool) {
	i := slices.IndexFunc(NotifyEvents, func(e NotifyEvent) bool { return e.Name == name })
	if i < 0 {
		return NotifyEvent{}, false
	}
	return NotifyEvents[i], true
}

// Way is how an event of a service in an environment is told: as the service says
// there, else as the environment says, else by default. Where there is no service,
// or no environment, it is "".
func (c *Catalog) Way(service, environment, event string) string {
	e, _ := NotifyEventOf(event)
	if svc, ok := c.Service(service); ok {
		if way := svc.Environments[environment].Notify[event]; way != "" {
			return way
		}
	}
	if env, ok := c.Environment(environment); ok && env.Notify[event] != "" {
		return env.Notify[event]
	}
	return e.Default
}

// Bot says whether a GitHub login is a machine's: an App's ends with "[bot]", and
// others stand in the configuration.
func (c *Catalog) Bot(login string) bool {
	return strings.HasSuffix(login, "[bot]") || slices.ContainsFunc(c.Bots, func(b string) bool { return strings.EqualFold(b, login) })
}

// Hours is a stretch of each day, by the clock on the wall of a zone; nil is UTC.
// Both ends are since midnight. It may run past midnight; with equal ends there
// is none.
type Hours struct {
	From, To time.Duration
	Zone     *time.Location
}

// End is when the stretch ends that a time is in; zero outside of it.
func (h Hours) End(now time.Time) time.Time {
	if h.From == h.To {
		return time.Time{}
	}
	for _, day := range []int{-1, 0} {
		from, to := onWall(h.Zone, now, day, h.From), onWall(h.Zone, now, day, h.To)
		if h.To < h.From {
			to = onWall(h.Zone, now, day+1, h.To)
		}
		if !now.Before(from) && now.Before(to) {
			return to
		}
	}
	return time.Time{}
}

// Daily is a time of each day, since midnight by the clock on the wall of a zone;
// nil is UTC.
type Daily struct {
	At   time.Duration
	Zone *time.Location
}

// Next is the first such time after now.
func (d Daily) Next(now time.Time) time.Time {
	for day := 0; ; day++ {
		if at := onWall(d.Zone, now, day, d.At); at.After(now) {
			return at
		}
	}
}

// Day is the date of a time there: "2026-11-27".
func (d Daily) Day(t time.Time) string { return t.In(zoneOr(d.Zone)).Format(time.DateOnly) }

func zoneOr(z *time.Location) *time.Location {
	if z == nil {
		return time.UTC
	}
	return z
}

// onWall is a time of the day that is so many days from now.
func onWall(zone *time.Location, now time.Time, days int, since time.Duration) time.Time {
	zone = zoneOr(zone)
	d := now.In(zone).AddDate(0, 0, days)
	return calendar.At(zone, d.Year(), d.Month(), d.Day(), int(since.Hours()), int(since.Minutes())%60, 0)
}
