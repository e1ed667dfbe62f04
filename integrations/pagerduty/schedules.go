package pagerduty

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// longestAsk is the longest span in one call: PagerDuty gives three months at most.
const longestAsk = 80 * 24 * time.Hour

// kind is of which of the two a schedule is; its text stands before paths.
type kind string

const (
	kindLayers kind = ""
	kindShifts kind = "v3"
)

// stint is a stretch that one user is on call.
type stint struct {
	start, end      time.Time
	user, summary   string
	layer, override string
	rank            int // who is first where several are
}

// Timeline is who is on call on a schedule from a time until before another, gaps too,
// in UTC and by the minute. Neighbours that say the same are one. A person is named as in
// the configuration, else as PagerDuty shows them; Layer is the name of the layer or of
// the rotation's first event, and Override PagerDuty's id of the override. No such
// schedule is *integrations.Gone.
func (c *Client) Timeline(ctx context.Context, scheduleID string, from, to time.Time) ([]integrations.Shift, error) {
	from, to = from.UTC().Truncate(time.Minute), to.UTC().Add(time.Minute-time.Nanosecond).Truncate(time.Minute)
	if !from.Before(to) {
		return nil, fmt.Errorf("pagerduty read the schedule %s: from %s to %s is no time", scheduleID, from.Format(time.RFC3339), to.Format(time.RFC3339))
	}
	all, err := c.stints(ctx, scheduleID, from, to)
	if err != nil {
		return nil, err
	}
	return c.build(all, from, to), nil
}

// stints are what the schedule says, in pieces that PagerDuty gives, with the users known.
func (c *Client) stints(ctx context.Context, scheduleID string, from, to time.Time) (all []stint, err error) {
	for at := from; at.Before(to); at = at.Add(longestAsk) {
		until := at.Add(longestAsk)
		if until.After(to) {
			until = to
		}
		_, err := c.byKind(ctx, scheduleID, func(k kind) error {
			piece, err := readers[k](c, ctx, scheduleID, at, until)
			if err == nil {
				all = append(all, piece...)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	var ids []string
	for _, s := range all {
		ids = append(ids, s.user)
	}
	return all, c.learn(ctx, ids)
}

// readers read one piece of a schedule of each kind.
var readers = map[kind]func(*Client, context.Context, string, time.Time, time.Time) ([]stint, error){
	kindLayers: (*Client).readLayers,
	kindShifts: (*Client).readShifts,
}

// otherKind says that a schedule is not of the kind that it was asked as.
type otherKind struct{ error }

func (e otherKind) Unwrap() error { return e.error }

// byKind does something to a schedule as the kind that it is. Of one that is not known,
// v3 is asked first, as PagerDuty's guide has it: 400 says that it is of layers. An
// account that may not use v3 is told 402, 403 or 404, and those are asked again as well.
func (c *Client) byKind(ctx context.Context, scheduleID string, do func(kind) error) (kind, error) {
	c.mu.Lock()
	known, ok := c.kinds[scheduleID]
	c.mu.Unlock()
	order := []kind{kindShifts, kindLayers}
	if ok && known == kindLayers {
		order = []kind{kindLayers, kindShifts}
	}
	said := map[kind]error{}
	for _, k := range order {
		err := do(k)
		if err == nil {
			c.mu.Lock()
			c.kinds[scheduleID] = k
			c.mu.Unlock()
			return k, nil
		}
		if !isOther(err) && !slices.Contains([]int{http.StatusBadRequest, http.StatusPaymentRequired, http.StatusForbidden, http.StatusNotFound}, statusOf(err)) {
			return k, err
		}
		said[k] = err
	}
	// That it is not of a kind says less than why the kind that it is did not answer.
	asLayers, asShifts := said[kindLayers], said[kindShifts]
	if isOther(asLayers) || statusOf(asLayers) == http.StatusBadRequest && statusOf(asShifts) != http.StatusBadRequest {
		return "", asShifts
	}
	return "", asLayers
}

func isOther(err error) bool {
	var other otherKind
	return errors.As(err, &other)
}

// reference is somebody or something that PagerDuty names.
type reference struct {
	ID      string `json:"id"`
	Type    string `json:"type"`
	Summary string `json:"summary,omitempty"`
}

// entryV2 is a stretch of a schedule of layers.
type entryV2 struct {
	ID    string    `json:"id"`
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
	User  reference `json:"user"`
}

// within says that the same user is on for all of another entry.
func (e entryV2) within(all []entryV2) (entryV2, bool) {
	i := slices.IndexFunc(all, func(o entryV2) bool {
		return o.User.ID == e.User.ID && !o.Start.After(e.Start) && !o.End.Before(e.End)
	})
	if i < 0 {
		return entryV2{}, false
	}
	return all[i], true
}

type subschedule struct {
	Name    string    `json:"name"`
	Entries []entryV2 `json:"rendered_schedule_entries"`
}

type scheduleV2 struct {
	Type      string        `json:"type"`
	Name      string        `json:"name"`
	Zone      string        `json:"time_zone"`
	Layers    []subschedule `json:"schedule_layers"`
	Overrides subschedule   `json:"overrides_subschedule"`
	Final     *subschedule  `json:"final_schedule"`
}

// span are the parameters of a stretch of time.
func span(from, to time.Time) url.Values {
	return url.Values{"since": {from.UTC().Format(time.RFC3339)}, "until": {to.UTC().Format(time.RFC3339)}}
}

// readLayers reads GET /schedules/{id}.
func (c *Client) readLayers(ctx context.Context, scheduleID string, from, to time.Time) ([]stint, error) {
	const act = "read the schedule"
	at, err := path(act, "schedules", scheduleID)
	if err != nil {
		return nil, err
	}
	var got struct {
		Schedule scheduleV2 `json:"schedule"`
	}
	a := call{act: act, thing: scheduleID, method: http.MethodGet, path: at, query: span(from, to)}
	if err := c.do(ctx, a, &got); err != nil {
		return nil, err
	}
	s := got.Schedule
	if s.Type != "schedule" || s.Final == nil || s.Final.Entries == nil { // an empty list is not none
		return nil, otherKind{fmt.Errorf("%s: it is no schedule of layers but %q", a, s.Type)}
	}
	var out []stint
	for _, e := range s.Final.Entries {
		t := stint{start: e.Start, end: e.End, user: e.User.ID, summary: e.User.Summary}
		if o, ok := e.within(s.Overrides.Entries); ok {
			t.layer, t.override = s.Overrides.Name, o.ID
		} else {
			for _, l := range s.Layers {
				if _, ok := e.within(l.Entries); ok && t.layer == "" {
					t.layer = l.Name
				}
			}
		}
		out = append(out, t)
	}
	return out, nil
}

// build lays stints on one line, by the minute: of a change within one, its beginning.
func (c *Client) build(all []stint, from, to time.Time) []integrations.Shift {
	points := []time.Time{from, to}
	for i := range all {
		s := &all[i]
		s.start, s.end = s.start.UTC().Truncate(time.Minute), s.end.UTC().Truncate(time.Minute)
		for _, p := range []time.Time{s.start, s.end} {
			if p.After(from) && p.Before(to) {
				points = append(points, p)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b stint) int { return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.user, b.user)) })
	slices.SortFunc(points, time.Time.Compare)
	points = slices.CompactFunc(points, time.Time.Equal)
	var out []integrations.Shift
	for i, start := range points[:len(points)-1] {
		next := integrations.Shift{Start: start, End: points[i+1]}
		for _, s := range all {
			if s.start.After(start) || !s.end.After(start) {
				continue
			}
			d := integrations.Duty{Person: c.shown(s.user, s.summary), Layer: s.layer, Override: s.override}
			if !slices.ContainsFunc(next.On, func(o integrations.Duty) bool { return o.Person == d.Person }) {
				next.On = append(next.On, d)
			}
		}
		if n := len(out); n > 0 && slices.Equal(out[n-1].On, next.On) {
			out[n-1].End = next.End
			continue
		}
		out = append(out, next)
	}
	return out
}
