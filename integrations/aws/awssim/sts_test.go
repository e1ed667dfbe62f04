package awssim

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// twoAccounts are one with the demo, and one with a single machine that wants an
// external id.
func twoAccounts() Fleet {
	f := Demo()
	f.Accounts = append(f.Accounts, Account{Name: "other", Number: "210987654321", ExternalID: "signalbox"})
	f.Regions = append(f.Regions, "us-east-1")
	f.In = append(f.In, Estate{Account: "other", Region: "us-east-1", Instances: []Instance{{Name: "alone"}}})
	return f
}

func TestARoleIsAssumedInAnotherAccount(t *testing.T) {
	b := newBench(t, twoAccounts(), nil)
	equal(b, "caller", aws.ToString(ok[*sts.GetCallerIdentityOutput](b)(b.sts.GetCallerIdentity(b.ctx, nil)).Account), "123456789012")
	in := &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::210987654321:role/signalbox"), RoleSessionName: aws.String("drain")}
	_, err := b.sts.AssumeRole(b.ctx, in)
	b.refused(err, "AccessDenied")
	in.ExternalId = aws.String("signalbox")
	c := ok[*sts.AssumeRoleOutput](b)(b.sts.AssumeRole(b.ctx, in)).Credentials
	equal(b, "until", aws.ToTime(c.Expiration), b.clock.Now().Add(time.Hour))
	b.connect(b.config(aws.ToString(c.AccessKeyId), aws.ToString(c.SessionToken), "us-east-1"))
	who := ok[*sts.GetCallerIdentityOutput](b)(b.sts.GetCallerIdentity(b.ctx, nil))
	equal(b, "caller", aws.ToString(who.Arn), "arn:aws:sts::210987654321:assumed-role/signalbox/drain")
	equal(b, "machines there", len(b.described(&ec2.DescribeInstancesInput{})), 1)
	b.clock.pass(time.Hour)
	_, err = b.ec2.DescribeInstances(b.ctx, nil)
	b.refused(err, "RequestExpired")
	_, err = b.ssm.DescribeInstanceInformation(b.ctx, nil)
	b.refused(err, "ExpiredTokenException")
	_, err = b.sts.GetCallerIdentity(b.ctx, nil)
	b.refused(err, "ExpiredToken")
	b.connect(b.config(aws.ToString(c.AccessKeyId), "wrong", "us-east-1"))
	_, err = b.ec2.DescribeInstances(b.ctx, nil)
	b.refused(err, "AuthFailure")
}

func TestEachServiceRefusesAKeyInItsWords(t *testing.T) {
	b := newBench(t, Demo(), nil)
	for _, cfg := range []aws.Config{b.config("AKIANOBODY", "", region), b.config(DemoKey, "", "eu-west-1")} {
		b.connect(cfg)
		for _, c := range []struct {
			code string
			call func() error
		}{
			{"AuthFailure", func() error { return errOf(b.ec2.DescribeInstances(b.ctx, nil)) }},
			{"InvalidClientTokenId", func() error {
				return errOf(b.elbv2.DescribeTargetGroups(b.ctx, &elasticloadbalancingv2.DescribeTargetGroupsInput{}))
			}},
			{"InvalidClientTokenId", func() error { return errOf(b.elb.DescribeLoadBalancers(b.ctx, &elb.DescribeLoadBalancersInput{})) }},
			{"InvalidClientTokenId", func() error {
				return errOf(b.asg.DescribeAutoScalingGroups(b.ctx, &autoscaling.DescribeAutoScalingGroupsInput{}))
			}},
			{"UnrecognizedClientException", func() error {
				return errOf(b.ssm.DescribeInstanceInformation(b.ctx, &ssm.DescribeInstanceInformationInput{}))
			}},
			{"InvalidClientTokenId", func() error { return errOf(b.sts.GetCallerIdentity(b.ctx, nil)) }},
		} {
			b.refused(c.call(), c.code)
		}
	}
}
