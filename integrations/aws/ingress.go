package aws

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/smithy-go"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// Ingress lists the rules that let something into a security group; with tagged only
// those that have the tag of windows. Of a group that is not there it lists none.
func (f *Fleet) Ingress(ctx context.Context, at integrations.Site, group string, tagged bool) ([]integrations.IngressRule, error) {
	s, err := f.one(at)
	if err != nil {
		return nil, err
	}
	tag := ""
	if tagged {
		tag = integrations.TagWindow
	}
	out, err := s.insts.Rules(ctx, group, tag)
	err = shape(ctx, "read the rules of", group, err)
	var gone *integrations.Gone
	if errors.As(err, &gone) {
		return nil, nil
	}
	return out, err
}

// Authorize makes a rule, and returns its id. integrations.ErrRuleExists says that the
// group has it already, with whatever description and tags.
func (f *Fleet) Authorize(ctx context.Context, at integrations.Site, r integrations.IngressRule) (id string, err error) {
	exists := false
	err = f.change(ctx, at, "let "+r.CIDR+" into", r.Group, func(s *site) (err error) {
		id, err = s.doors.Authorize(ctx, r)
		exists = codeOf(err) == "InvalidPermission.Duplicate"
		return err
	})
	if exists {
		err = fmt.Errorf("%w: %s, port %d of %s", integrations.ErrRuleExists, r.CIDR, r.From, r.Group)
	}
	return id, err
}

// Revoke takes a rule away. One that is not there, or whose group is not, is
// *integrations.Gone.
func (f *Fleet) Revoke(ctx context.Context, at integrations.Site, group, id string) error {
	return f.change(ctx, at, "revoke "+id+" of", group, func(s *site) error { return s.doors.Revoke(ctx, group, id) })
}

// codeOf is the code of an answer that refuses, "" of any other error.
func codeOf(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// CheckIngress looks whether the rules of the groups can be read, and asks EC2 whether a
// port of them might be opened, which opens none.
func (f *Fleet) CheckIngress(ctx context.Context, all []integrations.Ingress) (out []integrations.Finding) {
	for _, i := range all {
		found := integrations.Finding{What: fmt.Sprintf("Security group %s of ingress", i.Group)}
		rules, err := f.Ingress(ctx, i.Site, i.Group, false)
		if err == nil {
			err = f.tryIngress(ctx, i)
		}
		var gone *integrations.Gone
		var later *integrations.Later
		switch {
		case errors.As(err, &gone):
			found.Say, found.Do = fmt.Sprintf("there is none in %s", i.Site), "mend ingress.groups"
		case errors.As(err, &later):
			found.Say, found.Do = err.Error(), "see that this machine reaches AWS in "+i.Region
		case err != nil:
			found.Say, found.Do = err.Error(), fmt.Sprintf("give the group the tag %s, and allow it in the policy of the account's role; docs/aws.md has the whole policy", Tag)
		default:
			found.OK, found.Say = true, fmt.Sprintf("%s, %d rules: port %d may be opened", i.Site, len(rules), i.Port)
		}
		out = append(out, found)
	}
	return out
}

// tryIngress has EC2 say whether it would have been allowed: it refuses each try, with a
// code of its own where it would.
func (f *Fleet) tryIngress(ctx context.Context, i integrations.Ingress) error {
	would := false
	err := f.change(ctx, i.Site, "try to open a port of", i.Group, func(s *site) error {
		err := s.doors.TryAuthorize(ctx, i.Group)
		would = codeOf(err) == "DryRunOperation"
		return err
	})
	if would {
		return nil
	}
	return err
}
