package ec2

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// Rules lists the rules that let something into a security group; with a tag's key only
// those that have it. Of a group that is not there it lists none.
func (r *Reader) Rules(ctx context.Context, group, tag string) ([]integrations.IngressRule, error) {
	filters := []types.Filter{filter("group-id", group)}
	if tag != "" {
		filters = append(filters, filter("tag-key", tag))
	}
	var out []integrations.IngressRule
	pages := sdk.NewDescribeSecurityGroupRulesPaginator(r.api, &sdk.DescribeSecurityGroupRulesInput{Filters: filters, MaxResults: aws.Int32(1000)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, one := range page.SecurityGroupRules {
			if !aws.ToBool(one.IsEgress) {
				out = append(out, ingressRule(one))
			}
		}
	}
	return out, nil
}

func ingressRule(r types.SecurityGroupRule) integrations.IngressRule {
	out := integrations.IngressRule{
		ID: aws.ToString(r.SecurityGroupRuleId), Group: aws.ToString(r.GroupId), Protocol: aws.ToString(r.IpProtocol),
		From: int(aws.ToInt32(r.FromPort)), To: int(aws.ToInt32(r.ToPort)), CIDR: aws.ToString(r.CidrIpv4),
		Text: aws.ToString(r.Description), Tags: map[string]string{},
	}
	for _, t := range r.Tags {
		out.Tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	return out
}

// Opener lets addresses in to security groups, and takes that away.
type Opener struct{ api *sdk.Client }

// NewOpener makes one.
func NewOpener(c aws.Config) *Opener { return &Opener{sdk.NewFromConfig(c)} }

// Authorize makes a rule with its description and tags, and returns its id. One that is
// there already, whatever its description and tags, is InvalidPermission.Duplicate.
func (o *Opener) Authorize(ctx context.Context, r integrations.IngressRule) (id string, err error) {
	tags := types.TagSpecification{ResourceType: types.ResourceTypeSecurityGroupRule}
	for k, v := range r.Tags {
		tags.Tags = append(tags.Tags, types.Tag{Key: aws.String(k), Value: aws.String(v)})
	}
	out, err := o.api.AuthorizeSecurityGroupIngress(ctx, &sdk.AuthorizeSecurityGroupIngressInput{
		GroupId: aws.String(r.Group),
		IpPermissions: []types.IpPermission{{
			IpProtocol: aws.String(r.Protocol), FromPort: aws.Int32(int32(r.From)), ToPort: aws.Int32(int32(r.To)),
			IpRanges: []types.IpRange{{CidrIp: aws.String(r.CIDR), Description: aws.String(describable(r.Text))}},
		}},
		TagSpecifications: []types.TagSpecification{tags},
	})
	switch {
	case err != nil:
		return "", err
	case !aws.ToBool(out.Return) || len(out.SecurityGroupRules) != 1:
		return "", fmt.Errorf("EC2 tells of %d rules, of which one was asked for", len(out.SecurityGroupRules))
	}
	return aws.ToString(out.SecurityGroupRules[0].SecurityGroupRuleId), nil
}

// TryAuthorize asks whether Authorize is allowed, and changes nothing.
func (o *Opener) TryAuthorize(ctx context.Context, group string) error {
	_, err := o.api.AuthorizeSecurityGroupIngress(ctx, &sdk.AuthorizeSecurityGroupIngressInput{
		GroupId: aws.String(group), DryRun: aws.Bool(true),
		IpPermissions: []types.IpPermission{{
			IpProtocol: aws.String("tcp"), FromPort: aws.Int32(22), ToPort: aws.Int32(22),
			IpRanges: []types.IpRange{{CidrIp: aws.String("192.0.2.1/32")}}, // nobody's, of RFC 5737
		}},
		TagSpecifications: []types.TagSpecification{{
			ResourceType: types.ResourceTypeSecurityGroupRule, Tags: []types.Tag{{Key: aws.String(integrations.TagWindow), Value: aws.String("check")}},
		}},
	})
	return err
}

// Revoke takes a rule away by its id. EC2 answers true also where nothing was revoked,
// so that too is an error.
func (o *Opener) Revoke(ctx context.Context, group, id string) error {
	out, err := o.api.RevokeSecurityGroupIngress(ctx, &sdk.RevokeSecurityGroupIngressInput{GroupId: aws.String(group), SecurityGroupRuleIds: []string{id}})
	switch {
	case err != nil:
		return err
	case !aws.ToBool(out.Return) || len(out.UnknownIpPermissions) > 0:
		return errors.New("EC2 says that nothing was revoked")
	}
	return nil
}

// describable leaves out of a description what EC2 does not take, and what is too much
// (IpRange in the API reference of EC2).
func describable(text string) string {
	text = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(" ._-:/()#,@[]+=&;{}!$*", r) {
			return r
		}
		return '_'
	}, text)
	return text[:min(len(text), 255)]
}
