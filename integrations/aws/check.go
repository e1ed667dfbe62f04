package aws

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"golang.org/x/sync/errgroup"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/aws/iam"
)

// probesAtOnce is how many actions are tried at a time.
const probesAtOnce = 4

// Check says as whom each account is entered, and which reads are not allowed in each
// of its regions. It changes nothing, so it does not tell whether changes are allowed.
func (f *Fleet) Check(ctx context.Context) []integrations.Finding {
	var out []integrations.Finding
	entered := map[string]bool{}
	for _, s := range f.sites {
		ok, asked := entered[s.Account]
		if !asked {
			var found integrations.Finding
			found, ok = s.checkIdentity(ctx)
			entered[s.Account], out = ok, append(out, found)
		}
		if ok {
			out = append(out, s.checkReads(ctx), s.checkTasks(ctx))
		}
	}
	return out
}

func (s *site) checkIdentity(ctx context.Context) (integrations.Finding, bool) {
	found := integrations.Finding{What: "AWS account " + s.Account}
	got, err := s.who.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err = shape(ctx, "enter", s.Account, err); err != nil {
		var later *integrations.Later
		found.Say, found.Do = err.Error(), "see that the credentials are right and, where aws.accounts has a role, that its trust policy lets them assume it"
		if errors.As(err, &later) {
			found.Do = "see that this machine reaches AWS in " + s.Region
		}
		return found, false
	}
	found.OK, found.Say = true, "acts as "+sdk.ToString(got.Arn)
	return found, true
}

// denied are the codes of the services for what a policy does not allow.
var denied = []string{"UnauthorizedOperation", "AccessDenied", "AccessDeniedException"}

// checkReads tries each read. Any other refusal than of the action itself is as good as
// an answer: what is asked for does not exist.
func (s *site) checkReads(ctx context.Context) integrations.Finding {
	found, _ := s.try(ctx, "AWS reads in "+s.Site.String(), slices.Concat(s.insts.Probes(), s.group.Probes(), s.pools.Probes(s.Region), s.hosts.Probes()))
	return found
}

// checkTasks tries the reads of ECS, which few need: that they are not allowed is no
// mistake.
func (s *site) checkTasks(ctx context.Context) integrations.Finding {
	found, lacks := s.try(ctx, "AWS reads of ECS in "+s.Site.String(), s.tasks.Probes())
	if lacks {
		found.OK, found.Do = true, ""
		found.Say += "; only roles with an ecs_cluster need that"
	}
	return found
}

// try tries some probes; lack says that some are not allowed.
func (s *site) try(ctx context.Context, what string, probes []iam.Probe) (found integrations.Finding, lack bool) {
	found.What = what
	errs := make([]error, len(probes))
	var all errgroup.Group
	all.SetLimit(probesAtOnce)
	for n, p := range probes {
		all.Go(func() error {
			errs[n] = p.Try(ctx)
			return nil
		})
	}
	_ = all.Wait() // each error is in errs
	lacks, away := sorted(ctx, probes, errs)
	switch {
	case len(lacks) > 0:
		found.Say = "may not " + strings.Join(lacks, ", ")
		found.Do = "allow it in the policy of the account's role; docs/aws.md has the whole policy"
	case len(away) > 0:
		found.Say, found.Do = errors.Join(away...).Error(), "see that this machine reaches AWS in "+s.Region
	default:
		found.OK, found.Say = true, fmt.Sprintf("all %d are allowed", len(probes))
	}
	return found, len(lacks) > 0
}

// sorted tells the actions that are not allowed from the calls that were not answered.
func sorted(ctx context.Context, probes []iam.Probe, errs []error) (lacks []string, away []error) {
	for n, err := range errs {
		var api smithy.APIError
		var later *integrations.Later
		switch {
		case errors.As(err, &api) && slices.Contains(denied, api.ErrorCode()):
			if !slices.Contains(lacks, probes[n].Action) {
				lacks = append(lacks, probes[n].Action)
			}
		case err == nil:
		case !errors.As(err, &api), errors.As(shape(ctx, "try", probes[n].Action, err), &later):
			away = append(away, shape(ctx, "try", probes[n].Action, err))
		}
	}
	slices.Sort(lacks)
	return lacks, away
}
