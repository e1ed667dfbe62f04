package pagerduty_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations/pagerduty"
	"github.com/signalbox-chatops/signalbox/integrations/pagerduty/pagerdutysim"
)

func (a *account) found(c *pagerduty.Client, schedules ...string) (out []string) {
	for _, f := range c.Check(a.Context(), schedules) {
		mark := map[[2]bool]string{{true, false}: "ok", {false, true}: "warn", {false, false}: "no"}[[2]bool{f.OK, f.Warn}]
		out = append(out, fmt.Sprintf("%s %s: %s | %s", mark, f.What, f.Say, f.Do))
	}
	return out
}

func TestCheck(t *testing.T) {
	readOnly := pagerdutysim.Config{Users: users(), Schedules: []pagerdutysim.Schedule{daily("UTC", "2026-11-30 09:00"), shifts("UTC")}}
	readOnly.Users[3].Role = "read_only_user"
	inAccount(t, readOnly, func(a *account) {
		a.want(strings.Join(a.found(a.client, "PDAILY", "PSHIFTS", "PNONE", "a/b"), "\n"),
			"ok PagerDuty token: is valid at api.pagerduty.com | ",
			"warn PagerDuty overrides: the token is the account's: whether it may write is not said | see in PagerDuty, under API Access Keys, that it is not read-only",
			"warn PagerDuty schedule PDAILY: is there, of layers; not in the configuration by their email: Eve Ek (eve@example.com) | give people their email under people, as PagerDuty has it",
			"ok PagerDuty schedule PSHIFTS: is there, of shifts | ",
			"no PagerDuty schedule PNONE: there is none, or it may not be seen | copy the id from the end of the schedule's address in PagerDuty, such as PABC123",
			`no PagerDuty schedule a/b: pagerduty read the schedule: "a/b" is no id of PagerDuty; one is like PABC123 | `,
		)
		a.want(strings.Join(a.found(a.with("alices")), "\n"),
			"ok PagerDuty token: is valid at api.pagerduty.com | ",
			"ok PagerDuty overrides: may be written, as Alice Ames, as far as the teams of the schedules let that user | ",
		)
		a.want(a.found(a.with("looks"))[1],
			"no PagerDuty overrides: may not be written: the token is Eve Ek's, who is read_only_user | use the token of a user who may change schedules, such as a Responder, or one of the account",
		)
		a.want(strings.Join(a.found(a.with("wrong"), "PDAILY"), "\n"),
			"no PagerDuty token: pagerduty try the token: 401 Unauthorized: Invalid authentication (2006); it needs a valid REST API key, and the url of its region (https://api.eu.pagerduty.com for an account in the EU) | make a REST API key in PagerDuty under Integrations, API Access Keys",
		)
		a.fault(pagerdutysim.Fault{Kind: "reset", Action: "abilities.list", Count: 3})
		if got := a.found(a.client); len(got) != 1 || !strings.HasSuffix(got[0], "| see that this machine reaches api.pagerduty.com") {
			a.Errorf("%q", got)
		}
		a.fault(pagerdutysim.Fault{Kind: "error", Action: "users.me", Status: 403})
		if got := a.found(a.client); !strings.HasPrefix(got[1], "warn PagerDuty overrides: cannot be told: pagerduty read whose the token is: 403") {
			a.Errorf("%q", got)
		}
		for _, s := range a.sent {
			if !strings.HasPrefix(s, "GET ") {
				a.Errorf("it changed something: %s", s)
			}
		}
	})
}
