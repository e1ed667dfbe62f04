package birth

import (
	"context"
	"fmt"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// checkWithin is how long the groups may take to be read.
const checkWithin = 20 * time.Second

// Findings say which groups of the roles have no launch hook, with the command that
// makes one, and where the hook does not wait as long as the steps may take.
func Findings(ctx context.Context, cloud Viewer, cfg Config) (out []integrations.Finding) {
	if cloud == nil || len(cfg.Roles) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, checkWithin)
	defer cancel()
	all, err := cloud.Instances(ctx, cfg.Names()...)
	if err != nil {
		return []integrations.Finding{{What: "Births", Say: err.Error(), Do: "see that the accounts under aws.accounts can be read"}}
	}
	seen := map[string]bool{}
	for _, i := range all {
		key := i.Site.String() + " " + i.Group
		if i.Group == "" || seen[key] {
			continue
		}
		seen[key] = true
		role, _ := cfg.Role(i.Role)
		g, err := cloud.Group(ctx, i.Site, i.Group)
		if err != nil {
			out = append(out, integrations.Finding{What: "Births in " + i.Group, Say: err.Error(), Do: "see that its group can be read"})
			continue
		}
		out = append(out, finding(role, i.Site, g))
	}
	return out
}

func finding(role Role, at integrations.Site, g integrations.ScalingGroup) integrations.Finding {
	f := integrations.Finding{What: fmt.Sprintf("Births in %s (%s)", g.Name, at)}
	longest := time.Duration(0)
	for _, s := range role.Steps {
		longest += s.limit()
	}
	hook, has := g.Hook(role.hook())
	switch {
	case !has:
		f.Warn, f.Say = true, fmt.Sprintf("it has no launch hook %s, so it puts new instances of %s into its load balancer by itself, before they are tested", role.hook(), role.Name)
		f.Do = fmt.Sprintf("aws autoscaling put-lifecycle-hook --region %s --auto-scaling-group-name %s --lifecycle-hook-name %s --lifecycle-transition autoscaling:EC2_INSTANCE_LAUNCHING --heartbeat-timeout 3600 --default-result ABANDON", at.Region, g.Name, role.hook())
	case hook.Longest < longest:
		f.Warn, f.Say = true, fmt.Sprintf("AWS lets an instance wait at %s for %v at the longest, and the steps of %s may take %v", hook.Name, hook.Longest, role.Name, longest)
		f.Do = "give the hook a longer --heartbeat-timeout, or the steps shorter limits"
	default:
		f.OK, f.Say = true, fmt.Sprintf("new instances wait at the launch hook %s while they are tested", hook.Name)
	}
	return f
}
