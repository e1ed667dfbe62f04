package aws_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/aws/awssim"
)

func doorRule(from string) integrations.IngressRule {
	return integrations.IngressRule{Group: doors, Protocol: "tcp", From: 22, To: 22, CIDR: from, Text: "signalbox job-7 on hosts/production", Tags: map[string]string{integrations.TagWindow: "ingress-1 job-7"}}
}

// A rule is made with its tag and its description in one call, is found by the tag, and
// goes by its id.
func TestARuleOfAWindow(t *testing.T) {
	w := newWorld(t)
	want := doorRule("54.65.0.7/32")
	var err error
	want.ID, err = w.fleet.Authorize(t.Context(), home, want)
	w.ok(err)
	got, err := w.fleet.Ingress(t.Context(), home, doors, true)
	w.ok(err)
	if diff := cmp.Diff([]integrations.IngressRule{want}, got); diff != "" {
		t.Error(diff)
	}
	all, err := w.fleet.Ingress(t.Context(), home, doors, false)
	w.ok(err)
	if len(all) != 2 {
		t.Errorf("all are %+v", all)
	}
	again := want
	again.Text, again.Tags = "another", nil
	if _, err := w.fleet.Authorize(t.Context(), home, again); !errors.Is(err, integrations.ErrRuleExists) {
		t.Errorf("once more: %v", err)
	}
	w.ok(w.fleet.Revoke(t.Context(), home, doors, want.ID))
	w.gone(w.fleet.Revoke(t.Context(), home, doors, want.ID))
	if got, err = w.fleet.Ingress(t.Context(), home, doors, true); err != nil || len(got) > 0 {
		t.Errorf("there are %+v (%v)", got, err)
	}
}

func TestRulesThatCannotBe(t *testing.T) {
	w := newWorld(t)
	for _, from := range []string{"54.65.0.1/32", "54.65.0.2/32"} {
		_, err := w.fleet.Authorize(t.Context(), home, doorRule(from))
		w.ok(err)
	}
	_, err := w.fleet.Authorize(t.Context(), home, doorRule("54.65.0.3/32"))
	w.refused(err, "aws let 54.65.0.3/32 into "+doors+": RulesPerSecurityGroupLimitExceeded: The maximum number of rules per security group has been reached.")
	nowhere := doorRule("54.65.0.7/32")
	nowhere.Group = "sg-0fff0000000000001"
	_, err = w.fleet.Authorize(t.Context(), home, nowhere)
	w.gone(err)
	w.gone(w.fleet.Revoke(t.Context(), home, nowhere.Group, "sgr-0a000000000000001"))
	if all, err := w.fleet.Ingress(t.Context(), home, nowhere.Group, false); err != nil || len(all) > 0 {
		t.Errorf("of no group there are %+v (%v)", all, err)
	}
}

// A description that EC2 would refuse is made one that it takes.
func TestADescriptionIsMadeFit(t *testing.T) {
	w := newWorld(t)
	r := doorRule("54.65.0.7/32")
	r.Text = "it's 本番 " + strings.Repeat("x", 300)
	_, err := w.fleet.Authorize(t.Context(), home, r)
	w.ok(err)
	got, err := w.fleet.Ingress(t.Context(), home, doors, true)
	w.ok(err)
	if len(got) != 1 || !strings.HasPrefix(got[0].Text, "it_s __ xxx") || len(got[0].Text) != 255 {
		t.Errorf("it is described as %+v", got)
	}
}

// What would keep a port from being opened is found before that is needed, and nothing
// is opened for it.
func TestCheckIngress(t *testing.T) {
	w := newWorld(t)
	look := func(group string) integrations.Finding {
		t.Helper()
		all := w.fleet.CheckIngress(t.Context(), []integrations.Ingress{{Site: home, Group: group, Port: 22}})
		if len(all) != 1 || len(w.sim.Rules(doors)) != 1 {
			t.Fatalf("%s: %+v, %+v", group, all, w.sim.Rules(doors))
		}
		return all[0]
	}
	if got := look(doors); !got.OK || !strings.Contains(got.Say, "1 rules: port 22 may be opened") {
		t.Errorf("as it should be: %+v", got)
	}
	if got := look("sg-0fff0000000000001"); got.OK || got.Do != "mend ingress.groups" {
		t.Errorf("that is not there: %+v", got)
	}
	w.fault(awssim.Fault{Kind: "error", Action: "AuthorizeSecurityGroupIngress", Code: "UnauthorizedOperation"})
	if got := look(doors); got.OK || !strings.Contains(got.Do, "allow it in the policy") {
		t.Errorf("that may not be opened: %+v", got)
	}
	w.fault(awssim.Fault{Kind: "reset", Action: "DescribeSecurityGroupRules", Count: 3})
	if got := look(doors); got.OK || !strings.Contains(got.Do, "reaches AWS in "+home.Region) {
		t.Errorf("that cannot be asked: %+v", got)
	}
}
