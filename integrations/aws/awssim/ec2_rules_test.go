package awssim

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

const door = "sg-0a000000000000001"

func firewalled(t *testing.T, limit int) *bench {
	return newBench(t, Fleet{In: []Estate{{SecurityGroups: []SecurityGroup{
		{ID: door, Limit: limit, Rules: []SecurityRule{{From: 22, To: 22, CIDR: "54.65.0.9/32", Text: "somebody's"}}},
		{ID: "sg-0a000000000000002"},
	}}}}, nil)
}

// ssh is the permission to come in to port 22 from somewhere.
func ssh(from string) []types.IpPermission {
	return []types.IpPermission{{
		IpProtocol: aws.String("tcp"), FromPort: aws.Int32(22), ToPort: aws.Int32(22),
		IpRanges: []types.IpRange{{CidrIp: aws.String(from), Description: aws.String("signalbox job-1")}},
	}}
}

func (b *bench) authorize(from string, change func(*ec2.AuthorizeSecurityGroupIngressInput)) (*ec2.AuthorizeSecurityGroupIngressOutput, error) {
	in := &ec2.AuthorizeSecurityGroupIngressInput{GroupId: aws.String(door), IpPermissions: ssh(from), TagSpecifications: []types.TagSpecification{{
		ResourceType: types.ResourceTypeSecurityGroupRule, Tags: []types.Tag{{Key: aws.String("signalbox:window"), Value: aws.String("ingress-1")}},
	}}}
	if change != nil {
		change(in)
	}
	return b.ec2.AuthorizeSecurityGroupIngress(b.ctx, in)
}

func (b *bench) rules(filters ...string) (out []string) {
	b.Helper()
	in := &ec2.DescribeSecurityGroupRulesInput{MaxResults: aws.Int32(5)}
	for _, f := range filters {
		name, value, _ := strings.Cut(f, "=")
		in.Filters = append(in.Filters, types.Filter{Name: aws.String(name), Values: []string{value}})
	}
	pages := ec2.NewDescribeSecurityGroupRulesPaginator(b.ec2, in)
	for pages.HasMorePages() {
		for _, r := range ok[*ec2.DescribeSecurityGroupRulesOutput](b)(pages.NextPage(b.ctx)).SecurityGroupRules {
			if !aws.ToBool(r.IsEgress) {
				out = append(out, fmt.Sprintf("%s %d-%d %s %q %d", aws.ToString(r.CidrIpv4), aws.ToInt32(r.FromPort), aws.ToInt32(r.ToPort), aws.ToString(r.IpProtocol), aws.ToString(r.Description), len(r.Tags)))
			}
		}
	}
	return out
}

func TestARuleComesAndGoes(t *testing.T) {
	b := firewalled(t, 0)
	made := ok[*ec2.AuthorizeSecurityGroupIngressOutput](b)(b.authorize("54.65.0.7/32", nil))
	equal(b, "made", len(made.SecurityGroupRules), 1)
	equal(b, "return", aws.ToBool(made.Return), true)
	id := aws.ToString(made.SecurityGroupRules[0].SecurityGroupRuleId)
	equal(b, "rules", strings.Join(b.rules("group-id="+door), ", "), `54.65.0.9/32 22-22 tcp "somebody's" 0, 54.65.0.7/32 22-22 tcp "signalbox job-1" 1`)
	for filter, want := range map[string]int{
		"tag-key=signalbox:window": 1, "tag:signalbox:window=ingress-1": 1, "tag:signalbox:window=ingress-*": 1, "tag:signalbox:window=ingress-2": 0,
		"security-group-rule-id=" + id: 1, "group-id=sg-0a000000000000002": 0, "group-id=sg-0a00000000000000f": 0,
	} {
		equal(b, filter, len(b.rules(filter)), want)
	}
	_, err := b.ec2.DescribeSecurityGroupRules(b.ctx, &ec2.DescribeSecurityGroupRulesInput{Filters: []types.Filter{{Name: aws.String("cidr"), Values: []string{"x"}}}})
	b.refused(err, "InvalidParameterValue")
	revoke := func(group, id string) (*ec2.RevokeSecurityGroupIngressOutput, error) {
		return b.ec2.RevokeSecurityGroupIngress(b.ctx, &ec2.RevokeSecurityGroupIngressInput{GroupId: aws.String(group), SecurityGroupRuleIds: []string{id}})
	}
	_, err = revoke("sg-0a000000000000002", id)
	b.refused(err, "InvalidSecurityGroupRuleId.NotFound")
	equal(b, "revoked", len(ok[*ec2.RevokeSecurityGroupIngressOutput](b)(revoke(door, id)).RevokedSecurityGroupRules), 1)
	_, err = revoke(door, id)
	b.refused(err, "InvalidSecurityGroupRuleId.NotFound")
	equal(b, "rules", len(b.sim.Rules(door)), 1)
}

// Neither the description nor the tags make two rules of one.
func TestARuleThatIsThere(t *testing.T) {
	b := firewalled(t, 2)
	_, err := b.authorize("54.65.0.9/32", nil)
	b.refused(err, "InvalidPermission.Duplicate")
	ok[*ec2.AuthorizeSecurityGroupIngressOutput](b)(b.authorize("54.65.0.7/32", nil))
	_, err = b.authorize("54.65.0.7/32", func(in *ec2.AuthorizeSecurityGroupIngressInput) { in.TagSpecifications = nil })
	b.refused(err, "InvalidPermission.Duplicate")
	_, err = b.authorize("54.65.0.8/32", nil)
	b.refused(err, "RulesPerSecurityGroupLimitExceeded")
	equal(b, "rules", len(b.sim.Rules(door)), 2)
}

// What is written out and is not there is no error: the answer is true all the same.
func TestAnUnknownPermissionIsRevokedWithoutAnError(t *testing.T) {
	b := firewalled(t, 0)
	out := ok[*ec2.RevokeSecurityGroupIngressOutput](b)(b.ec2.RevokeSecurityGroupIngress(b.ctx, &ec2.RevokeSecurityGroupIngressInput{GroupId: aws.String(door), IpPermissions: ssh("54.65.0.7/32")}))
	equal(b, "return", aws.ToBool(out.Return), true)
	equal(b, "unknown", len(out.UnknownIpPermissions), 1)
	equal(b, "rules", len(b.sim.Rules(door)), 1)
}

func TestWhatIsNoRule(t *testing.T) {
	b := firewalled(t, 0)
	for what, c := range map[string]struct {
		code   string
		change func(*ec2.AuthorizeSecurityGroupIngressInput)
	}{
		"no such group":    {"InvalidGroup.NotFound", func(in *ec2.AuthorizeSecurityGroupIngressInput) { in.GroupId = aws.String("sg-0a00000000000000f") }},
		"no id of a group": {"InvalidGroupId.Malformed", func(in *ec2.AuthorizeSecurityGroupIngressInput) { in.GroupId = aws.String("door") }},
		"not simulated":    {unsimulated, func(in *ec2.AuthorizeSecurityGroupIngressInput) { in.GroupName = aws.String("door") }},
		"another's tags": {"InvalidParameterValue", func(in *ec2.AuthorizeSecurityGroupIngressInput) {
			in.TagSpecifications[0].ResourceType = types.ResourceTypeInstance
		}},
		"a range with a host": {"InvalidParameterValue", func(in *ec2.AuthorizeSecurityGroupIngressInput) { in.IpPermissions = ssh("54.65.0.7/24") }},
		"a bad description": {"InvalidParameterValue", func(in *ec2.AuthorizeSecurityGroupIngressInput) {
			in.IpPermissions[0].IpRanges[0].Description = aws.String("it's")
		}},
		"a try": {"DryRunOperation", func(in *ec2.AuthorizeSecurityGroupIngressInput) { in.DryRun = aws.Bool(true) }},
	} {
		_, err := b.authorize("54.65.0.7/32", c.change)
		t.Log(what)
		b.refused(err, c.code)
	}
	equal(b, "rules", len(b.sim.Rules(door)), 1)
}

// A lost reply has acted, and a read that lags does not show it yet.
func TestARuleWhoseReplyIsLost(t *testing.T) {
	b := firewalled(t, 0)
	b.must(b.sim.Fault(Fault{Kind: "lost", Action: "AuthorizeSecurityGroupIngress", ID: door}))
	b.must(b.sim.Fault(Fault{Kind: "lag", Action: "AuthorizeSecurityGroupIngress", LagSeconds: 5}))
	_, err := b.authorize("54.65.0.7/32", nil)
	b.unanswered(err)
	equal(b, "seen", len(b.rules("tag-key=signalbox:window")), 0)
	_, err = b.authorize("54.65.0.7/32", nil)
	b.refused(err, "InvalidPermission.Duplicate")
	b.clock.pass(5 * time.Second)
	equal(b, "seen", len(b.rules("tag-key=signalbox:window")), 1)
	b.must(b.sim.Fault(Fault{Kind: "throttle", Action: "DescribeSecurityGroupRules"}))
	_, err = b.ec2.DescribeSecurityGroupRules(b.ctx, nil)
	b.refused(err, "RequestLimitExceeded")
}

func TestRulesArePaged(t *testing.T) {
	b := firewalled(t, 0)
	for n := range 12 {
		ok[*ec2.AuthorizeSecurityGroupIngressOutput](b)(b.authorize(fmt.Sprintf("54.65.1.%d/32", n), nil))
	}
	before := len(b.sim.Calls())
	equal(b, "rules", len(b.rules("group-id="+door)), 13)
	equal(b, "pages", len(b.sim.Calls())-before, 3)
}
