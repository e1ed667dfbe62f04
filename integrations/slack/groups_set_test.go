package slack

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/slack/slacksim"
)

// counted counts the calls of each method from now on.
func (o *office) counted() func(method string) int {
	var mu sync.Mutex
	calls := map[string]int{}
	o.OnCall(func(stage, method string, _ url.Values) {
		if stage == "before" {
			mu.Lock()
			calls[method]++
			mu.Unlock()
		}
	})
	return func(method string) int {
		mu.Lock()
		defer mu.Unlock()
		n := 0
		for m, c := range calls {
			if method == "" || m == method {
				n += c
			}
		}
		return n
	}
}

// kind is what an error tells whoever gets it to do.
func kind(err error) string {
	switch {
	case err == nil:
		return "done"
	case errors.As(err, new(*integrations.Refused)):
		return "refused"
	case errors.As(err, new(*integrations.Gone)):
		return "gone"
	case errors.As(err, new(*integrations.Later)):
		return "later"
	}
	return "unknown"
}

func (o *office) inGroup(handle string) []string {
	for _, g := range o.Groups() {
		if g.Handle == handle {
			return slices.Sorted(slices.Values(g.Members))
		}
	}
	return nil
}

const groupUpdate = "usergroups.users.update"

func TestSetGroupMembers(t *testing.T) {
	o := open(t, withGroups)
	calls := o.counted()
	for _, step := range []struct {
		group  string
		users  []string
		want   []string
		writes int
	}{
		{"sre", []string{"U0BOB", "U0ALICE"}, []string{"U0ALICE", "U0BOB"}, 0}, // they are in it
		{"@sre", []string{"U0BOB"}, []string{"U0BOB"}, 1},
		{"S0SRE", []string{"U0BOB", "U0BOB"}, []string{"U0BOB"}, 1},
		{"S0SRE", []string{"U0ALICE", "U0BOB", "U0ALICE"}, []string{"U0ALICE", "U0BOB"}, 2},
	} {
		users := slices.Clone(step.users)
		if err := o.SetGroupMembers(t.Context(), step.group, users); err != nil {
			t.Fatalf("%+v: %v", step, err)
		}
		if got := o.inGroup("sre"); !slices.Equal(got, step.want) || calls(groupUpdate) != step.writes {
			t.Errorf("%+v: %v after %d writes", step, got, calls(groupUpdate))
		}
		if !slices.Equal(users, step.users) {
			t.Errorf("the caller's own list became %v", users)
		}
	}
	if got := o.inGroup("old-team"); !slices.Equal(got, []string{"U0BOB"}) {
		t.Errorf("the other group is %v", got)
	}
	o.clean()
}

// What Slack refuses whatever happens is not asked for.
func TestSetGroupMembersBeforeTheWire(t *testing.T) {
	o := open(t, withGroups)
	calls := o.counted()
	for _, x := range []struct {
		users []string
		say   string
	}{
		{nil, "the list is empty"}, {[]string{}, "the list is empty"},
		{[]string{"U0BOB", ""}, `"" is not the id of somebody`}, {[]string{"bob"}, `"bob" is not the id of somebody`},
		{[]string{"U0BOB,U0ALICE"}, "is not the id of somebody"},
	} {
		err := o.SetGroupMembers(t.Context(), "sre", x.users)
		if kind(err) != "refused" || !strings.Contains(err.Error(), x.say) || !strings.Contains(err.Error(), "the user group sre") {
			t.Errorf("%q: %s, %v", x.users, kind(err), err)
		}
	}
	if n := calls(""); n != 0 {
		t.Errorf("%d calls were made", n)
	}
}

// An error says whether somebody has to change something, or time will do.
func TestSetGroupMembersRefused(t *testing.T) {
	for code, want := range map[string]struct{ kind, say string }{
		"missing_scope":                         {"refused", "install the app again"},
		"paid_teams_only":                       {"refused", "paid plans"},
		"plan_upgrade_required":                 {"refused", "paid plans"},
		"permission_denied":                     {"refused", "Workspace settings"},
		"no_users_provided":                     {"refused", "empty"},
		"invalid_users":                         {"refused", "guests"},
		"user_is_restricted":                    {"refused", "guest"},
		"failed_for_some_users":                 {"refused", "guests"},
		"single_channel_guests_cannot_be_added": {"refused", "guests"},
		"subteam_max_users_exceeded":            {"refused", "longer"},
		"restricted_action":                     {"refused", "administrators"},
		"no_such_subteam":                       {"gone", "does not exist"},
		"ratelimited":                           {"later", "again after"},
		"internal_error":                        {"later", "again after"},
		"service_unavailable":                   {"later", "again after"},
		"token_revoked":                         {"later", "revoked"},
		"brand_new_error":                       {"unknown", "brand_new_error"},
	} {
		o := open(t, withGroups)
		o.fault(slacksim.FaultSpec{Kind: "refuse", Method: groupUpdate, Code: code})
		err := o.SetGroupMembers(t.Context(), "sre", []string{"U0BOB"})
		if kind(err) != want.kind || !strings.Contains(err.Error(), want.say) || !strings.Contains(err.Error(), code) && want.kind != "later" {
			t.Errorf("%s: %s, %v, want %s, %q", code, kind(err), err, want.kind, want.say)
		}
		if forGood := want.kind == "refused" || want.kind == "gone"; integrations.ForGood(err) != forGood {
			t.Errorf("%s: for good %v", code, !forGood)
		}
	}
	for _, fault := range []string{"rate_limit", "error", "lose_reply", "error_after"} {
		o := open(t, withGroups)
		calls := o.counted()
		o.fault(slacksim.FaultSpec{Kind: fault, Method: groupUpdate})
		if err := o.SetGroupMembers(t.Context(), "sre", []string{"U0BOB"}); kind(err) != "later" {
			t.Errorf("%s: %v", fault, err)
		}
		acted := fault == "lose_reply" || fault == "error_after"
		before := calls(groupUpdate)
		if err := o.SetGroupMembers(t.Context(), "sre", []string{"U0BOB"}); err != nil || !slices.Equal(o.inGroup("sre"), []string{"U0BOB"}) {
			t.Errorf("again after %s: %v", fault, err)
		}
		if again := calls(groupUpdate) > before; again == acted {
			t.Errorf("after %s it was written again: %v", fault, again)
		}
	}
}

func TestSetGroupMembersInAWorkspaceThatDoesNotLetIt(t *testing.T) {
	without := func(missing string) func(*slacksim.Config, *Config) {
		return func(sc *slacksim.Config, _ *Config) {
			for _, s := range scopes {
				if s.name != missing {
					sc.Scopes = append(sc.Scopes, s.name)
				}
			}
		}
	}
	for name, x := range map[string]struct {
		change       func(*slacksim.Config, *Config)
		group, users string
		kind, say    string
	}{
		"without the scope to write": {without("usergroups:write"), "sre", "U0BOB", "refused", "it needs usergroups:write"},
		"without the scope to read":  {without("usergroups:read"), "sre", "U0BOB", "refused", "it needs usergroups:read"},
		"on the free plan":           {func(sc *slacksim.Config, _ *Config) { sc.NoGroups = true }, "sre", "U0BOB", "refused", "paid plans"},
		"a group switched off":       {nil, "old-team", "U0BOB", "gone", "switched off"},
		"no such group":              {nil, "nosuch", "U0BOB", "gone", "there is no user group nosuch"},
		"a guest":                    {nil, "sre", "U0GUS", "refused", "guests"},
		"a colleague elsewhere":      {nil, "sre", "U0OLGA", "refused", "another workspace"},
		"nobody":                     {nil, "sre", "U0NOBODY", "refused", "switched off"},
		"the bot":                    {nil, "sre", "U0SIGNALBOX", "refused", "bots"},
	} {
		t.Run(name, func(t *testing.T) {
			change := []func(*slacksim.Config, *Config){withGroups}
			if x.change != nil {
				change = append(change, x.change)
			}
			o := open(t, change...)
			err := o.SetGroupMembers(t.Context(), x.group, []string{x.users})
			if kind(err) != x.kind || !strings.Contains(err.Error(), x.say) {
				t.Errorf("%s, %v, want %s, %q", kind(err), err, x.kind, x.say)
			}
			if got := o.inGroup("sre"); !slices.Equal(got, []string{"U0ALICE", "U0BOB"}) {
				t.Errorf("the group is %v", got)
			}
		})
	}
}
