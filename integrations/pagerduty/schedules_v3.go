package pagerduty

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

const (
	memberUser  = "user_member"
	memberEmpty = "empty_member" // a place in a rotation that nobody has
)

type memberV3 struct {
	Type   string `json:"type"`
	UserID string `json:"user_id,omitempty"`
}

// sourceV3 is where an assignment comes from.
type sourceV3 struct {
	Type     string `json:"type"`
	Rotation string `json:"rotation_id"`
	Shift    string `json:"shift_id"` // a custom one
	Override string `json:"override_id"`
}

type assignmentV3 struct {
	Start  time.Time `json:"start_time"`
	End    time.Time `json:"end_time"`
	Member memberV3  `json:"member"`
	Source sourceV3  `json:"source"`
}

type scheduleV3 struct {
	Type      string `json:"type"`
	Name      string `json:"name"`
	Zone      string `json:"time_zone"`
	Rotations []struct {
		ID     string `json:"id"`
		Events []struct {
			Name string `json:"name"`
		} `json:"events"`
	} `json:"rotations"`
	Final *struct {
		Assignments []assignmentV3 `json:"computed_shift_assignments"`
	} `json:"final_schedule"`
}

// getShifts reads GET /v3/schedules/{id}.
func (c *Client) getShifts(ctx context.Context, scheduleID string, from, to time.Time) (scheduleV3, error) {
	const act = "read the schedule"
	at, err := path(act, "v3", "schedules", scheduleID)
	if err != nil {
		return scheduleV3{}, err
	}
	query := span(from, to)
	query.Set("include[]", "final_schedule")
	var got struct {
		Schedule scheduleV3 `json:"schedule"`
	}
	a := call{act: act, thing: scheduleID, method: http.MethodGet, path: at, query: query}
	if err := c.do(ctx, a, &got); err != nil {
		return scheduleV3{}, err
	}
	if got.Schedule.Final == nil || got.Schedule.Final.Assignments == nil { // an empty list is not none
		return scheduleV3{}, otherKind{fmt.Errorf("%s: it is no schedule of shifts but %q", a, got.Schedule.Type)}
	}
	return got.Schedule, nil
}

// readShifts are the assignments of users, in the order of their rotations; custom shifts
// come last.
func (c *Client) readShifts(ctx context.Context, scheduleID string, from, to time.Time) ([]stint, error) {
	s, err := c.getShifts(ctx, scheduleID, from, to)
	if err != nil {
		return nil, err
	}
	ranks, names := map[string]int{}, map[string]string{}
	for i, r := range s.Rotations {
		ranks[r.ID], names[r.ID] = i, r.ID
		if len(r.Events) > 0 && r.Events[0].Name != "" {
			names[r.ID] = r.Events[0].Name
		}
	}
	var out []stint
	for _, a := range s.Final.Assignments {
		if a.Member.Type == memberEmpty || a.Member.UserID == "" {
			continue
		}
		t := stint{start: a.Start, end: a.End, user: a.Member.UserID, override: a.Source.Override, rank: len(s.Rotations), layer: "custom shift"}
		if r, ok := ranks[a.Source.Rotation]; ok {
			t.rank, t.layer = r, names[a.Source.Rotation]
		}
		out = append(out, t)
	}
	return out, nil
}
