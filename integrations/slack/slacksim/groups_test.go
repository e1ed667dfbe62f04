package slacksim_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/slack-go/slack"

	"github.com/signalbox-chatops/signalbox/integrations/slack/slacksim"
)

func groupedWorkspace() slacksim.Config {
	cfg := workspace()
	cfg.Groups = []slacksim.Group{
		{Handle: "sre", Members: []string{"alice", "UBOB"}}, {ID: "SOLD", Handle: "old", Disabled: true, Members: []string{"alice"}},
	}
	return cfg
}

func TestUserGroups(t *testing.T) {
	cfg := groupedWorkspace()
	cfg.Dir = t.TempDir()
	o := open(t, cfg)
	c := o.client()
	groups, err := c.GetUserGroupsContext(t.Context())
	if err != nil || len(groups) != 1 || groups[0].ID != "S0SRE" || groups[0].Handle != "sre" || groups[0].DateDelete != 0 || groups[0].Users != nil {
		t.Fatalf("the groups are %+v, %v", groups, err)
	}
	groups, err = c.GetUserGroupsContext(t.Context(), slack.GetUserGroupsOptionIncludeDisabled(true), slack.GetUserGroupsOptionIncludeUsers(true))
	if err != nil || len(groups) != 2 || groups[1].ID != "SOLD" || groups[1].DateDelete == 0 || strings.Join(groups[0].Users, " ") != "UALICE UBOB" {
		t.Fatalf("with those switched off, they are %+v, %v", groups, err)
	}
	people, err := c.GetUserGroupMembersContext(t.Context(), "S0SRE")
	if err != nil || strings.Join(people, " ") != "UALICE UBOB" {
		t.Fatalf("the people are %v, %v", people, err)
	}
	for _, form := range []url.Values{{"usergroup": {"SOLD"}}, {"usergroup": {"sre"}}, {"usergroup": {"S0NOSUCH"}}} {
		if out := o.call("usergroups.users.list", form); out["error"] != "no_such_subteam" {
			t.Errorf("%v: %v", form, out)
		}
	}
	if out := o.call("usergroups.users.list", url.Values{"usergroup": {"SOLD"}, "include_disabled": {"true"}}); out["ok"] != true {
		t.Errorf("a group that is switched off, asked for: %v", out)
	}
	if out := o.call("usergroups.users.list", nil); out["error"] != "invalid_arguments" {
		t.Errorf("no group: %v", out)
	}
	if err := o.SetGroup(slacksim.Group{ID: "S0SRE", Members: []string{"bob"}}); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []slacksim.Group{{Handle: "nosuch"}, {Handle: "sre", Members: []string{"nobody"}}, {Handle: "sre", Members: []string{"gus"}}} {
		if err := o.SetGroup(bad); err == nil {
			t.Errorf("SetGroup(%+v) went through", bad)
		}
	}
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	o = open(t, cfg)
	if people, err := o.client().GetUserGroupMembersContext(t.Context(), "S0SRE"); err != nil || strings.Join(people, " ") != "UBOB" {
		t.Errorf("after a change and a restart the people are %v, %v", people, err)
	}
}

func TestUserGroupsAreGuarded(t *testing.T) {
	cfg := groupedWorkspace()
	cfg.Scopes = []string{"chat:write"}
	o := open(t, cfg)
	for _, method := range []string{"usergroups.list", "usergroups.users.list"} {
		if out := o.call(method, url.Values{"usergroup": {"S0SRE"}}); out["error"] != "missing_scope" || out["needed"] != "usergroups:read" {
			t.Errorf("%s without the scope: %v", method, out)
		}
	}
	o = open(t, groupedWorkspace())
	for range 20 {
		if out := o.call("usergroups.list", nil); out["ok"] != true {
			t.Fatalf("a call within the tier: %v", out)
		}
	}
	if out := o.call("usergroups.list", nil); out["error"] != "ratelimited" {
		t.Errorf("the 21st call of a minute: %v", out)
	}
	if _, err := slacksim.New(slacksim.Config{Groups: []slacksim.Group{{Handle: "a"}, {Handle: "a"}}}); err == nil {
		t.Error("two groups of one handle were taken")
	}
}
