package aws

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// CheckScaling looks whether the groups of a target are there, and may be kept still:
// the policy lets that be done to those alone that have its tag. Nothing is suspended
// for it, so a policy of somebody's own may yet refuse.
func (f *Fleet) CheckScaling(ctx context.Context, target string, groups []integrations.Scaling) []integrations.Finding {
	var out []integrations.Finding
	for _, s := range groups {
		found := integrations.Finding{What: fmt.Sprintf("Scaling group %s of %s", s.Group, target)}
		g, err := f.Group(ctx, s.Site, s.Group)
		var gone *integrations.Gone
		var later *integrations.Later
		switch {
		case errors.As(err, &gone):
			found.Say, found.Do = fmt.Sprintf("there is none in %s", s.Site), fmt.Sprintf("mend targets.%s.asg", target)
		case errors.As(err, &later):
			found.Say, found.Do = err.Error(), "see that this machine reaches AWS in "+s.Region
		case err != nil:
			found.Say, found.Do = err.Error(), "allow it in the policy of the account's role; docs/aws.md has the whole policy"
		case g.Tags[Tag] == "":
			found.Warn, found.Say = true, fmt.Sprintf("it has no tag %s, without which the policy of docs/aws.md lets none of its processes be suspended", Tag)
			found.Do = fmt.Sprintf("give the group the tag %s", Tag)
		default:
			found.OK, found.Say = true, suspendable(s, g)
		}
		out = append(out, found)
	}
	return out
}

// suspendable says what would rest, and what does already.
func suspendable(s integrations.Scaling, g integrations.ScalingGroup) string {
	say := fmt.Sprintf("%s, %d instances: %s may be suspended (its tag %s is %s)", s.Site, len(g.Members), strings.Join(s.Processes, ", "), Tag, g.Tags[Tag])
	if rest := slices.Sorted(slices.Values(g.Suspended)); len(rest) > 0 {
		say += "; somebody has suspended " + strings.Join(rest, ", ")
	}
	return say
}
