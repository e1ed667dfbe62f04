package pagerduty

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
)

const (
	listOverrides = "overrides"
	listCustom    = "custom_shifts"
	fromCustom    = "custom_shift" // the type of a source
	fromRotation  = "schedule_rotation"
)

// overrideV3 puts a user in the place of another, on the shifts of one source.
type overrideV3 struct {
	ID         string    `json:"id,omitempty"`
	Type       string    `json:"type"`
	Rotation   string    `json:"rotation_id,omitempty"`
	Custom     string    `json:"custom_shift_id,omitempty"` // exactly one of the two
	Start      time.Time `json:"start_time"`
	End        time.Time `json:"end_time"`
	Overridden memberV3  `json:"overridden_member"`
	Overriding memberV3  `json:"overriding_member"`
}

// shiftV3 puts a user on call besides all others.
type shiftV3 struct {
	ID          string         `json:"id,omitempty"`
	Type        string         `json:"type"`
	Start       time.Time      `json:"start_time"`
	End         time.Time      `json:"end_time"`
	Assignments []assignmentOf `json:"assignments"` // exactly one
}

type assignmentOf struct {
	Type   string   `json:"type"`
	Member memberV3 `json:"member"`
}

// listShifts reads the overrides and the custom shifts of a schedule of shifts.
func (c *Client) listShifts(ctx context.Context, scheduleID string, from, to time.Time) (out []listed, err error) {
	const act = "list overrides of"
	at, err := path(act, "v3", "schedules", scheduleID)
	if err != nil {
		return nil, err
	}
	a := call{act: act, thing: scheduleID, method: http.MethodGet, path: at + "/" + listOverrides}
	err = c.pages(ctx, a, span(from, to), func(all page) bool {
		for _, o := range all.Overrides {
			out = append(out, listed{
				kind: integrations.OverrideReplace, remote: listOverrides + "/" + o.ID, start: o.Start.UTC(), end: o.End.UTC(),
				user: o.Overriding.UserID, instead: o.Overridden.UserID, source: o.Rotation, shiftID: o.Custom,
			})
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	a.act, a.path = "list custom shifts of", at+"/"+listCustom
	err = c.pages(ctx, a, span(from, to), func(all page) bool {
		for _, s := range all.Shifts {
			if len(s.Assignments) == 0 || s.Assignments[0].Member.UserID == "" {
				continue
			}
			out = append(out, listed{kind: integrations.OverrideAdd, remote: listCustom + "/" + s.ID, start: s.Start.UTC(), end: s.End.UTC(), user: s.Assignments[0].Member.UserID})
		}
		return true
	})
	return out, err
}

// held are the assignments of a span, one of each source and user, and whether somebody
// is on call for all of it, or for a part.
func (c *Client) held(ctx context.Context, r *request) (each []assignmentV3, all, part bool, err error) {
	var stints []stint
	for at := r.start; at.Before(r.End); at = at.Add(longestAsk) {
		until := at.Add(longestAsk)
		if until.After(r.End) {
			until = r.End
		}
		s, err := c.getShifts(ctx, r.scheduleID, at, until)
		if err != nil {
			return nil, false, false, err
		}
		for _, a := range s.Final.Assignments {
			if a.Member.Type == memberEmpty || a.Member.UserID == "" || !a.Start.Before(r.End) || !a.End.After(r.start) {
				continue
			}
			stints = append(stints, stint{start: a.Start, end: a.End, user: a.Member.UserID})
			if !slices.ContainsFunc(each, func(o assignmentV3) bool { return o.Source == a.Source && o.Member == a.Member }) {
				each = append(each, a)
			}
		}
	}
	var ids []string
	for _, s := range stints {
		ids = append(ids, s.user)
	}
	if err := c.learn(ctx, ids); err != nil {
		return nil, false, false, err
	}
	slices.SortFunc(stints, func(a, b stint) int { return a.start.Compare(b.start) })
	reached := r.start
	for _, s := range stints {
		if s.start.After(reached) {
			return each, false, true, nil
		}
		if s.end.After(reached) {
			reached = s.end
		}
	}
	return each, !reached.Before(r.End), len(stints) > 0, nil
}

// takeShifts puts the person in the place of everybody who is on call, by one request, or
// fills a time in which nobody is.
func (c *Client) takeShifts(ctx context.Context, r *request) (string, error) {
	each, all, part, err := c.held(ctx, r)
	switch {
	case err != nil:
		return "", err
	case !part:
		r.fills = true
		return c.addShift(ctx, r)
	case !all:
		return "", fmt.Errorf("pagerduty override %s: from %s to %s nobody is on call for a part of it, and PagerDuty has no one word for both; replace who is on call, and add %s for the rest", r.scheduleID, r.start.Format(time.RFC3339), r.End.Format(time.RFC3339), r.Person)
	}
	each = slices.DeleteFunc(each, func(a assignmentV3) bool { return a.Member.UserID == r.user })
	if len(each) == 0 {
		r.fills = true // it was made, and nobody heard so
		if found, err := c.ours(ctx, *r); err != nil || remotes(found) != "" {
			return remotes(found), err
		}
		return "", fmt.Errorf("pagerduty override %s: %s is the one on call for all of it already", r.scheduleID, r.Person)
	}
	return c.replace(ctx, r, each)
}

// replaceShifts puts the person in the place of one, wherever that one is.
func (c *Client) replaceShifts(ctx context.Context, r *request) (string, error) {
	each, _, _, err := c.held(ctx, r)
	if err != nil {
		return "", err
	}
	var on []string
	for _, a := range each {
		if name := c.shown(a.Member.UserID, ""); !slices.Contains(on, name) {
			on = append(on, name)
		}
	}
	each = slices.DeleteFunc(each, func(a assignmentV3) bool { return c.shown(a.Member.UserID, "") != r.Instead })
	if len(each) == 0 {
		who := "nobody is"
		if len(on) > 0 {
			who = "there is " + strings.Join(on, ", ")
		}
		return "", fmt.Errorf("pagerduty override %s: %s is not on call from %s to %s, so there is nothing to replace; %s", r.scheduleID, r.Instead, r.start.Format(time.RFC3339), r.End.Format(time.RFC3339), who)
	}
	return c.replace(ctx, r, each)
}

// replace is POST /v3/schedules/{id}/overrides, one of each source and user. Of what
// another override made of a shift PagerDuty does not say what one more would do, so that
// one is to be cancelled first.
func (c *Client) replace(ctx context.Context, r *request, each []assignmentV3) (string, error) {
	var body []overrideV3
	for _, a := range each {
		o := overrideV3{
			Type: "override_shift", Start: r.start, End: r.End, Overridden: memberV3{Type: memberUser, UserID: a.Member.UserID},
			Overriding: memberV3{Type: memberUser, UserID: r.user},
		}
		switch a.Source.Type {
		case fromRotation:
			o.Rotation = a.Source.Rotation
		case fromCustom:
			o.Custom = a.Source.Shift
		default:
			return "", fmt.Errorf("pagerduty override %s: %s is on call there by the override %s already; cancel that one first", r.scheduleID, c.shown(a.Member.UserID, ""), a.Source.Override)
		}
		body = append(body, o)
	}
	var said page
	err := c.do(ctx, call{
		act: "override", thing: r.scheduleID, method: http.MethodPost,
		path: "/v3/schedules/" + r.scheduleID + "/" + listOverrides, body: map[string]any{listOverrides: body},
	}, &said)
	if err != nil {
		return "", err
	}
	var made []listed
	for _, o := range said.Overrides {
		made = append(made, listed{remote: listOverrides + "/" + o.ID})
	}
	return remotes(made), nil
}

// addShift is POST /v3/schedules/{id}/custom_shifts.
func (c *Client) addShift(ctx context.Context, r *request) (string, error) {
	shift := shiftV3{
		Type: fromCustom, Start: r.start, End: r.End,
		Assignments: []assignmentOf{{Type: "shift_assignment", Member: memberV3{Type: memberUser, UserID: r.user}}},
	}
	var said page
	err := c.do(ctx, call{
		act: "add a custom shift to", thing: r.scheduleID, method: http.MethodPost,
		path: "/v3/schedules/" + r.scheduleID + "/" + listCustom, body: map[string]any{listCustom: []shiftV3{shift}},
	}, &said)
	if err != nil {
		return "", err
	}
	var made []listed
	for _, s := range said.Shifts {
		made = append(made, listed{remote: listCustom + "/" + s.ID})
	}
	return remotes(made), nil
}
