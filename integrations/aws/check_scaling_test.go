package aws_test

import (
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/aws/awssim"
)

// What would keep a target's group from being kept still is found before that is needed.
func TestCheckScaling(t *testing.T) {
	f := estate()
	f.In[0].Groups = append(f.In[0].Groups, awssim.Group{Name: "bare", Min: 1, Max: 1, Desired: 1})
	w := newWorldOf(t, f)
	look := func(group string) integrations.Finding {
		t.Helper()
		all := w.fleet.CheckScaling(t.Context(), "web/production", []integrations.Scaling{{Site: home, Group: group, Processes: []string{"AZRebalance"}}})
		if len(all) != 1 {
			t.Fatalf("%s: %+v", group, all)
		}
		return all[0]
	}
	if got := look("web"); !got.OK || !strings.Contains(got.Say, "3 instances: AZRebalance may be suspended (its tag Role is app)") {
		t.Errorf("as it should be: %+v", got)
	}
	if got := look("bare"); got.OK || !got.Warn || !strings.Contains(got.Say, "it has no tag Role") {
		t.Errorf("without the tag: %+v", got)
	}
	if got := look("nope"); got.OK || got.Warn || got.Do != "mend targets.web/production.asg" {
		t.Errorf("that is not there: %+v", got)
	}
	w.fault(awssim.Fault{Kind: "error", Service: "autoscaling", Action: "DescribeAutoScalingGroups", Code: "AccessDenied", Status: 403, Count: -1})
	if got := look("web"); got.OK || !strings.Contains(got.Do, "allow it in the policy") {
		t.Errorf("that may not be read: %+v", got)
	}
}
