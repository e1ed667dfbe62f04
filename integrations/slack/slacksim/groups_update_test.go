package slacksim_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations/slack/slacksim"
)

func (o *office) members(id string) []string {
	for _, g := range o.Groups() {
		if g.ID == id {
			return g.Members
		}
	}
	return nil
}

func TestUpdateUserGroup(t *testing.T) {
	cfg := groupedWorkspace()
	cfg.Dir = t.TempDir()
	o := open(t, cfg)
	g, err := o.client().UpdateUserGroupMembersContext(t.Context(), "S0SRE", "UBOB")
	if err != nil || strings.Join(g.Users, " ") != "UBOB" || g.ID != "S0SRE" || g.DateUpdate == 0 {
		t.Fatalf("%+v, %v", g, err)
	}
	out := o.must("usergroups.users.update", args("usergroup", "S0SRE", "users", "UALICE, UBOB,UALICE", "include_count", "true"))
	if g := out["usergroup"].(map[string]any); g["user_count"] != 2.0 {
		t.Errorf("counted: %v", g)
	}
	_, out = o.post(o.url+"/api/usergroups.users.update", "xoxb-sandbox", "application/json", `{"usergroup":"S0SRE","users":["UBOB","UALICE"]}`)
	if out["ok"] != true || !slices.Equal(o.members("S0SRE"), []string{"UBOB", "UALICE"}) {
		t.Errorf("as JSON: %v", out)
	}
	all := o.Groups()
	if len(all) != 2 || all[0].Handle != "sre" || all[0].Disabled || all[1].ID != "SOLD" || !all[1].Disabled {
		t.Errorf("%+v", all)
	}
	o.clean()
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	if o = open(t, cfg); !slices.Equal(o.members("S0SRE"), []string{"UBOB", "UALICE"}) {
		t.Errorf("after a restart: %v", o.members("S0SRE"))
	}
}

// Whatever is refused leaves the group as it was.
func TestUpdateUserGroupIsGuarded(t *testing.T) {
	for name, x := range map[string]struct {
		change      func(*slacksim.Config)
		group, user string
		want        string
	}{
		"nobody":           {nil, "S0SRE", "", "no_users_provided"},
		"only commas":      {nil, "S0SRE", " , ", "no_users_provided"},
		"a stranger":       {nil, "S0SRE", "UBOB,UNOBODY", "invalid_users"},
		"by name":          {nil, "S0SRE", "bob", "invalid_users"},
		"a guest":          {nil, "S0SRE", "UBOB,UGUEST", "invalid_users"},
		"a bot":            {nil, "S0SRE", "U0SIGNALBOX", "invalid_users"},
		"of another team":  {nil, "S0SRE", "UOTHER", "failed_for_some_users"},
		"no such group":    {nil, "S0NOSUCH", "UBOB", "no_such_subteam"},
		"by handle":        {nil, "sre", "UBOB", "no_such_subteam"},
		"switched off":     {nil, "SOLD", "UBOB", "no_such_subteam"},
		"no group":         {nil, "", "UBOB", "invalid_arguments"},
		"only may read":    {func(c *slacksim.Config) { c.Scopes = []string{"usergroups:read"} }, "S0SRE", "UBOB", "missing_scope"},
		"on the free plan": {func(c *slacksim.Config) { c.NoGroups = true }, "S0SRE", "UBOB", "plan_upgrade_required"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := groupedWorkspace()
			if x.change != nil {
				x.change(&cfg)
			}
			o := open(t, cfg)
			form := args("usergroup", x.group, "users", x.user)
			if out := o.call("usergroups.users.update", form); out["error"] != x.want {
				t.Errorf("%v, want %s", out, x.want)
			}
			if !slices.Equal(o.members("S0SRE"), []string{"UALICE", "UBOB"}) || !slices.Equal(o.members("SOLD"), []string{"UALICE"}) {
				t.Errorf("the groups became %+v", o.Groups())
			}
		})
	}
	o := open(t, groupedWorkspace())
	if out := o.call("usergroups.users.update", args("usergroup", "S0SRE", "users", "UBOB", "colour", "red")); out["error"] != "invalid_arguments" {
		t.Errorf("an unknown argument: %v", out)
	}
	for range 19 {
		o.must("usergroups.users.update", args("usergroup", "S0SRE", "users", "UBOB"))
	}
	if out := o.call("usergroups.users.update", args("usergroup", "S0SRE", "users", "UBOB")); out["error"] != "ratelimited" {
		t.Errorf("the 21st call of a minute: %v", out)
	}
	cfg := groupedWorkspace()
	cfg.NoGroups = true
	o = open(t, cfg)
	for method, form := range map[string]url.Values{"usergroups.list": nil, "usergroups.users.list": args("usergroup", "S0SRE")} {
		if out := o.call(method, form); out["error"] != "plan_upgrade_required" {
			t.Errorf("%s on the free plan: %v", method, out)
		}
	}
}

// A refusal that is asked for is given once, and nothing is done.
func TestRefuseFault(t *testing.T) {
	o := open(t, groupedWorkspace())
	if err := o.Fault(slacksim.FaultSpec{Kind: "refuse", Method: "usergroups.users.update", Code: "permission_denied"}); err != nil {
		t.Fatal(err)
	}
	form := args("usergroup", "S0SRE", "users", "UBOB")
	if out := o.call("usergroups.users.update", form); out["error"] != "permission_denied" || !slices.Equal(o.members("S0SRE"), []string{"UALICE", "UBOB"}) {
		t.Errorf("%v, and the group is %v", out, o.members("S0SRE"))
	}
	o.must("usergroups.users.update", form)
	for _, bad := range []slacksim.FaultSpec{{Kind: "refuse"}, {Kind: "error", Code: "permission_denied"}} {
		if err := o.Fault(bad); err == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
	o.clean()
}
