package slack

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/slack/slacksim"
)

func withGroups(sc *slacksim.Config, _ *Config) {
	sc.Groups = []slacksim.Group{
		{ID: "S0SRE", Handle: "sre", Members: []string{"bob", "alice"}},
		{ID: "S0OLD", Handle: "old-team", Members: []string{"bob"}, Disabled: true},
		{ID: "S0EMPTY", Handle: "empty"},
	}
}

func TestGroupMembers(t *testing.T) {
	o := open(t, withGroups)
	both := []string{"U0ALICE", "U0BOB"}
	for _, name := range []string{"S0SRE", "sre", "@sre"} {
		if got, err := o.GroupMembers(t.Context(), name); err != nil || !slices.Equal(got, both) {
			t.Errorf("%s = %v, %v, want %v", name, got, err, both)
		}
	}
	if got, err := o.GroupMembers(t.Context(), "empty"); err != nil || len(got) != 0 {
		t.Errorf("a group of nobody = %v, %v", got, err)
	}
	for name, say := range map[string]string{
		"S0OLD": "the user group S0OLD is switched off", "old-team": "the user group old-team is switched off", "nosuch": "there is no user group", "S0NOSUCH": "there is no user group",
		"": "there is no user group", "@": "there is no user group",
	} {
		if got, err := o.GroupMembers(t.Context(), name); !errors.As(err, new(*integrations.Gone)) || !strings.Contains(err.Error(), say) {
			t.Errorf("%q = %v, %v, want %q", name, got, err, say)
		}
	}
	if err := o.SetGroup(slacksim.Group{Handle: "sre", Members: []string{"bob"}}); err != nil {
		t.Fatal(err)
	}
	if got, err := o.GroupMembers(t.Context(), "sre"); err != nil || !slices.Equal(got, []string{"U0BOB"}) {
		t.Errorf("after alice has left = %v, %v", got, err)
	}
	if v := o.Violations(); len(v) > 0 {
		t.Errorf("violations %q", v)
	}
}

// No answer is no list, not an empty one.
func TestGroupMembersThatCannotBeRead(t *testing.T) {
	o := open(t, withGroups)
	for _, method := range []string{"usergroups.list", "usergroups.users.list"} {
		for _, kind := range []string{"error", "rate_limit", "lose_reply"} {
			if err := o.Fault(slacksim.FaultSpec{Kind: kind, Method: method}); err != nil {
				t.Fatal(err)
			}
			if got, err := o.GroupMembers(t.Context(), "sre"); !errors.As(err, new(*integrations.Later)) || got != nil {
				t.Errorf("%s of %s: %v, %v, want Later", kind, method, got, err)
			}
		}
	}
	o = open(t, withGroups, func(sc *slacksim.Config, _ *Config) { sc.Scopes = []string{"chat:write"} })
	if _, err := o.GroupMembers(t.Context(), "sre"); err == nil || !strings.Contains(err.Error(), "needs usergroups:read") {
		t.Errorf("without the scope: %v", err)
	}
}
