package pagerduty

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// listed is an override as PagerDuty has it: of layers, of shifts, or a custom shift.
type listed struct {
	kind, remote    string // of integrations.Override; what Cancel takes
	start, end      time.Time
	user, summary   string
	instead         string // the user, "" where it is whoever is on
	source, shiftID string // of shifts: the rotation, or the custom shift
}

// Overrides are those of a schedule that touch a time from from until before to, in the
// order of their beginnings. On a schedule of layers each is a take; on one of shifts, a
// custom shift is an add. Remote is what Cancel takes; "" of one of layers that is over.
func (c *Client) Overrides(ctx context.Context, scheduleID string, from, to time.Time) ([]integrations.Override, error) {
	_, all, err := c.list(ctx, scheduleID, from, to)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, l := range all {
		ids = append(ids, l.user)
		if l.instead != "" {
			ids = append(ids, l.instead)
		}
	}
	if err := c.learn(ctx, ids); err != nil {
		return nil, err
	}
	var out []integrations.Override
	for n, l := range all {
		o := integrations.Override{Schedule: scheduleID, Kind: l.kind, Person: c.shown(l.user, l.summary), Start: l.start.UTC(), End: l.end.UTC(), Order: uint64(n + 1), Remote: l.remote}
		if l.instead != "" {
			o.Instead = c.shown(l.instead, "")
		}
		out = append(out, o)
	}
	return out, nil
}

// list reads the overrides in a span, in pieces that PagerDuty gives, and of which kind
// the schedule is.
func (c *Client) list(ctx context.Context, scheduleID string, from, to time.Time) (of kind, all []listed, err error) {
	if !from.Before(to) {
		return "", nil, fmt.Errorf("pagerduty list overrides of %s: from %s to %s is no time", scheduleID, from.Format(time.RFC3339), to.Format(time.RFC3339))
	}
	for at := from; at.Before(to); at = at.Add(longestAsk) {
		until := at.Add(longestAsk)
		if until.After(to) {
			until = to
		}
		of, err = c.byKind(ctx, scheduleID, func(k kind) error {
			piece, err := listers[k](c, ctx, scheduleID, at, until)
			if err == nil {
				all = append(all, piece...)
			}
			return err
		})
		if err != nil {
			return "", nil, err
		}
	}
	slices.SortStableFunc(all, func(a, b listed) int { return a.start.Compare(b.start) })
	var out []listed // one that lies in two pieces is one
	for _, l := range all {
		if !slices.Contains(out, l) {
			out = append(out, l)
		}
	}
	return of, out, nil
}

var listers = map[kind]func(*Client, context.Context, string, time.Time, time.Time) ([]listed, error){
	kindLayers: (*Client).listLayers,
	kindShifts: (*Client).listShifts,
}

// listLayers reads GET /schedules/{id}/overrides. PagerDuty says the id of one only where
// editable is asked for, and then leaves out those that are over (API reference, List
// overrides), so where ids are missing it is asked once more.
func (c *Client) listLayers(ctx context.Context, scheduleID string, from, to time.Time) ([]listed, error) {
	const act = "list overrides of"
	at, err := path(act, "schedules", scheduleID, "overrides")
	if err != nil {
		return nil, err
	}
	ask := func(editable string) (all []entryV2, err error) {
		query := span(from, to)
		query.Set("overflow", "true") // else they are cut at both ends
		if editable != "" {
			query.Set("editable", editable)
		}
		var got struct {
			Overrides []entryV2 `json:"overrides"`
		}
		err = c.do(ctx, call{act: act, thing: scheduleID, method: http.MethodGet, path: at, query: query}, &got)
		return got.Overrides, err
	}
	all, err := ask("")
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(all, func(e entryV2) bool { return e.ID == "" }) {
		named, err := ask("true")
		if err != nil {
			return nil, err
		}
		for i, e := range all {
			same := slices.IndexFunc(named, func(n entryV2) bool {
				return n.User.ID == e.User.ID && n.Start.Equal(e.Start) && n.End.Equal(e.End)
			})
			if same >= 0 {
				all[i].ID = named[same].ID
				named = slices.Delete(named, same, same+1) // two that look the same are two
			}
		}
	}
	var out []listed
	for _, e := range all {
		out = append(out, listed{kind: integrations.OverrideTake, remote: e.ID, start: e.Start.UTC(), end: e.End.UTC(), user: e.User.ID, summary: e.User.Summary})
	}
	return out, nil
}

// Override makes an override, and gives what Cancel takes. It asks first whether it is
// there and counts, by user, start and end, and again where the answer was lost, so none is
// made twice. What PagerDuty has no way to say is refused, with what it has:
//
//   - layers: take; replace, where the one to be replaced is on call for all of the time
//   - shifts: take, where somebody is on call for all of the time or nobody at any;
//     replace; add
func (c *Client) Override(ctx context.Context, scheduleID string, o integrations.Override) (remoteID string, err error) {
	r, of, err := c.wish(ctx, scheduleID, o)
	if err != nil {
		return "", err
	}
	maker, ok := makers[of][o.Kind]
	if !ok {
		return "", fmt.Errorf("pagerduty override %s: %s", scheduleID, cannot(of, o))
	}
	if err := c.person(ctx, &r); err != nil {
		return "", err
	}
	found, err := c.ours(ctx, r)
	if err != nil {
		return "", err
	}
	if len(found) > 0 {
		if holds, err := c.holds(ctx, of, r); err != nil || holds {
			return remotes(found), err
		}
	}
	id, err := maker(c, ctx, &r)
	if err == nil && id != "" || err != nil && !lost(err) {
		return id, err
	}
	if made := c.appeared(ctx, r, found); made != "" {
		return made, nil
	}
	if err == nil {
		err = fmt.Errorf("pagerduty override %s: PagerDuty said yes, and there is none", scheduleID)
	}
	return "", err
}

// makers are what can be said on each kind of schedule.
var makers = map[kind]map[string]func(*Client, context.Context, *request) (string, error){
	kindLayers: {integrations.OverrideTake: (*Client).takeLayers, integrations.OverrideReplace: (*Client).replaceLayers},
	kindShifts: {integrations.OverrideTake: (*Client).takeShifts, integrations.OverrideReplace: (*Client).replaceShifts, integrations.OverrideAdd: (*Client).addShift},
}

// cannot says what cannot be said, and what can be instead.
func cannot(of kind, o integrations.Override) string {
	switch {
	case o.Kind == integrations.OverrideRemove:
		return fmt.Sprintf("PagerDuty cannot take %s off call without somebody else; take or replace puts somebody in that place", o.Instead)
	case of == kindLayers && o.Kind == integrations.OverrideAdd:
		return fmt.Sprintf("it is a schedule of layers, with one person at a time, so %s cannot be added; take puts them on instead, and a schedule of shifts could have both", o.Person)
	}
	return fmt.Sprintf("no kind of override is called %q; there is take, replace and add", o.Kind)
}

// replaceLayers is a take, where it is the same: there an override puts aside whoever is on.
func (c *Client) replaceLayers(ctx context.Context, r *request) (string, error) {
	line, err := c.Timeline(ctx, r.scheduleID, r.start, r.End)
	if err != nil {
		return "", err
	}
	var on []string
	for _, s := range line {
		if len(s.On) == 1 && s.On[0].Person == r.Instead {
			on = append(on, s.Start.Format(time.RFC3339)+" to "+s.End.Format(time.RFC3339))
		}
	}
	switch {
	case len(on) == 0:
		return "", fmt.Errorf("pagerduty override %s: %s is not on call from %s to %s, so there is nothing to replace", r.scheduleID, r.Instead, r.start.Format(time.RFC3339), r.End.Format(time.RFC3339))
	case len(on) != len(line):
		return "", fmt.Errorf("pagerduty override %s: %s is on call only for a part of it, and on a schedule of layers an override puts aside whoever is; replace %s", r.scheduleID, r.Instead, strings.Join(on, ", and "))
	}
	return c.takeLayers(ctx, r)
}

// takeLayers is POST /schedules/{id}/overrides.
func (c *Client) takeLayers(ctx context.Context, r *request) (string, error) {
	type override struct {
		Start string    `json:"start"`
		End   string    `json:"end"`
		User  reference `json:"user"`
	}
	var said json.RawMessage
	err := c.do(ctx, call{
		act: "override", thing: r.scheduleID, method: http.MethodPost, path: "/schedules/" + r.scheduleID + "/overrides",
		body: map[string]any{"overrides": []override{{r.start.Format(time.RFC3339), r.End.Format(time.RFC3339), reference{ID: r.user, Type: "user_reference"}}}},
	}, &said)
	if err != nil {
		return "", err
	}
	return madeLayers(r, said)
}

// madeLayers reads the answer in both forms that PagerDuty has: a list with a status of
// each, and {"overrides":[…]}. "" is for one that does not say the id.
func madeLayers(r *request, said []byte) (string, error) {
	var each []struct {
		Status   int      `json:"status"`
		Errors   []string `json:"errors"`
		Override entryV2  `json:"override"`
	}
	if json.Unmarshal(said, &each) == nil {
		if len(each) == 0 {
			return "", nil
		}
		if each[0].Status >= 300 {
			return "", &refusal{status: each[0].Status, text: fmt.Sprintf("pagerduty override %s: %d %s: %s", r.scheduleID, each[0].Status, http.StatusText(each[0].Status), strings.Join(each[0].Errors, ", "))}
		}
		return each[0].Override.ID, nil
	}
	var whole struct {
		Overrides []entryV2 `json:"overrides"`
	}
	if json.Unmarshal(said, &whole) != nil || len(whole.Overrides) == 0 {
		return "", nil
	}
	return whole.Overrides[0].ID, nil
}

// Cancel takes back what Override made, by what it gave. One that runs is ended; one that
// is not there any more is taken back already. PagerDuty refuses one that is over.
func (c *Client) Cancel(ctx context.Context, scheduleID, remoteID string) error {
	const act = "cancel the override"
	if remoteID == "" {
		return errors.New("pagerduty " + act + ": it has no id there")
	}
	for id := range strings.SplitSeq(remoteID, ",") {
		words := []string{"schedules", scheduleID, "overrides", id}
		if list, id, ok := strings.Cut(id, "/"); ok {
			words = []string{"v3", "schedules", scheduleID, list, id}
		}
		at, err := path(act, words...)
		if err != nil {
			return err
		}
		if err := c.do(ctx, call{act: act, thing: id + " of " + scheduleID, method: http.MethodDelete, path: at}, nil); err != nil && statusOf(err) != http.StatusNotFound {
			return err
		}
	}
	return nil
}
