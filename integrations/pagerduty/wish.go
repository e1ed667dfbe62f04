package pagerduty

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// request is an override with its people found.
type request struct {
	integrations.Override
	scheduleID string
	start      time.Time // Start, or now where that is past
	user       string    // of Person
	fills      bool      // a take of a time that nobody has: it is a custom shift
	listed     []listed  // what is there already
}

// already says that one that is listed is what was asked for. PagerDuty lets none begin
// in the past, so one that was made late begins between what was asked and now.
func (r request) already(l listed, now time.Time) bool {
	began := l.start.Equal(r.Start) || r.Start.Before(now) && !l.start.Before(r.Start) && !l.start.After(now)
	return l.user == r.user && l.end.Equal(r.End) && began
}

// Find gives what Cancel takes of an override that was made by Override, and of which
// nobody heard: by user, start and end. "" is none.
func (c *Client) Find(ctx context.Context, scheduleID string, o integrations.Override) (remoteID string, err error) {
	r, _, err := c.wish(ctx, scheduleID, o)
	if err != nil {
		return "", err
	}
	if _, ok := c.email(o.Person); !ok {
		return "", nil // none was made
	}
	if err := c.person(ctx, &r); err != nil {
		return "", err
	}
	found, err := c.ours(ctx, r)
	if len(found) == 0 && err == nil && o.Kind == integrations.OverrideTake {
		r.fills = true
		found, err = c.ours(ctx, r)
	}
	return remotes(found), err
}

// wish is an override with what there is in its time, and of which kind the schedule is.
func (c *Client) wish(ctx context.Context, scheduleID string, o integrations.Override) (r request, of kind, err error) {
	if _, err := path("override", scheduleID); err != nil {
		return r, "", err
	}
	o.Start, o.End = o.Start.UTC().Truncate(time.Second), o.End.UTC().Truncate(time.Second)
	now := c.clock.Now().UTC().Truncate(time.Second)
	switch {
	case !o.Start.Before(o.End):
		return r, "", fmt.Errorf("pagerduty override %s: it ends at %s, before it begins", scheduleID, o.End.Format(time.RFC3339))
	case !o.End.After(now):
		return r, "", fmt.Errorf("pagerduty override %s: it is over since %s; PagerDuty changes nothing that is past", scheduleID, o.End.Format(time.RFC3339))
	}
	r = request{Override: o, scheduleID: scheduleID, start: o.Start}
	if r.start.Before(now) {
		r.start = now
	}
	of, r.listed, err = c.list(ctx, scheduleID, o.Start, o.End)
	return r, of, err
}

// person finds the user of an override.
func (c *Client) person(ctx context.Context, r *request) error {
	email, ok := c.email(r.Person)
	if !ok {
		return fmt.Errorf("pagerduty override %s: %s has no email in the configuration, and PagerDuty knows people by theirs; give one, such as people: [{name: %s, email: %s@example.com}]", r.scheduleID, r.Person, r.Person, r.Person)
	}
	u, err := c.UserByEmail(ctx, email)
	r.user = u.ID
	return err
}

// holds says that what was asked for is there and counts. On a schedule of layers another
// may have been made over it since, and then it is a new wish; one of shifts has no such.
func (c *Client) holds(ctx context.Context, of kind, r request) (bool, error) {
	if of == kindShifts {
		return true, nil
	}
	all, err := c.stints(ctx, r.scheduleID, r.start, r.End)
	return err == nil && !slices.ContainsFunc(all, func(s stint) bool { return s.user != r.user }), err
}

// appeared are those that are what was asked for and were not there before; "" where there
// are none, or nobody can tell.
func (c *Client) appeared(ctx context.Context, r request, before []listed) string {
	var err error
	if _, r.listed, err = c.list(ctx, r.scheduleID, r.Start, r.End); err != nil {
		return ""
	}
	now, err := c.ours(ctx, r)
	if err != nil {
		return ""
	}
	return remotes(slices.DeleteFunc(now, func(l listed) bool { return slices.Contains(before, l) }))
}

// ours are those that are what was asked for.
func (c *Client) ours(ctx context.Context, r request) (out []listed, err error) {
	now := c.clock.Now()
	for _, l := range r.listed {
		if !r.already(l, now) || (l.kind == integrations.OverrideAdd) != (r.Kind == integrations.OverrideAdd || r.fills) {
			continue
		}
		if r.Kind == integrations.OverrideReplace && l.instead != "" {
			if err := c.learn(ctx, []string{l.instead}); err != nil {
				return nil, err
			}
			if c.shown(l.instead, "") != r.Instead {
				continue
			}
		}
		out = append(out, l)
	}
	return out, nil
}

// remotes are the ids of several as one.
func remotes(all []listed) string {
	var ids []string
	for _, l := range all {
		if l.remote != "" {
			ids = append(ids, l.remote)
		}
	}
	slices.Sort(ids)
	return strings.Join(ids, ",")
}
