package ec2

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/signalbox-chatops/signalbox/integrations/aws/iam"
)

const (
	instances = "arn:aws:ec2:*:*:instance/*"
	images    = "arn:aws:ec2:*::image/*"
	groups    = "arn:aws:ec2:*:*:security-group/*"
	rules     = "arn:aws:ec2:*:*:security-group-rule/*"
)

// Needs are the actions that this folder calls. TerminateInstances takes a condition
// on the instance's tags, CreateTags and DeleteTags one on the keys too (the service
// authorization reference of EC2).
var Needs = []iam.Action{
	{Name: "ec2:DescribeInstances", Why: "lists and finds instances"},
	{Name: "ec2:DescribeInstanceAttribute", Why: "sees whether a termination is disabled"},
	{Name: "ec2:DescribeInstanceTypes", Why: "sees whether a type has instance store"},
	{Name: "ec2:DescribeSpotInstanceRequests", Why: "sees whether EC2 is about to take a Spot instance back"},
	{Name: "ec2:DescribeImages", Why: "sees whether an image that was built is still there"},
	{Name: "ec2:DescribeSecurityGroupRules", Why: "sees whether a port that was opened for a step is closed"},
	{Name: "ec2:CreateTags", Why: "marks an instance that is being drained; marks a rule of a security group as it is made", Change: true, On: instances, Tagged: true, Keys: true, Also: rules, New: "AuthorizeSecurityGroupIngress"},
	{Name: "ec2:CreateTags", Why: "marks an image that was tested", Change: true, On: images, Keys: true},
	{Name: "ec2:DeleteTags", Why: "takes the marks away", Change: true, On: instances, Tagged: true, Keys: true},
	{Name: "ec2:AuthorizeSecurityGroupIngress", Why: "opens a port to signalbox's own machine while a step runs", Change: true, On: groups, Tagged: true, Also: rules},
	{Name: "ec2:RevokeSecurityGroupIngress", Why: "closes it again", Change: true, On: groups, Tagged: true, Also: rules},
	{Name: "ec2:TerminateInstances", Why: "ends an instance of no group", Change: true, On: instances, Tagged: true},
}

// Probes try each read.
func (r *Reader) Probes() []iam.Probe {
	return []iam.Probe{
		{Action: "ec2:DescribeInstances", Try: func(ctx context.Context) error {
			_, err := r.api.DescribeInstances(ctx, &sdk.DescribeInstancesInput{MaxResults: aws.Int32(5)})
			return err
		}},
		{Action: "ec2:DescribeInstanceAttribute", Try: func(ctx context.Context) error {
			_, err := r.api.DescribeInstanceAttribute(ctx, &sdk.DescribeInstanceAttributeInput{
				InstanceId: aws.String("i-00000000000000000"), Attribute: types.InstanceAttributeNameDisableApiTermination,
			})
			return err
		}},
		{Action: "ec2:DescribeSpotInstanceRequests", Try: func(ctx context.Context) error {
			_, err := r.api.DescribeSpotInstanceRequests(ctx, &sdk.DescribeSpotInstanceRequestsInput{MaxResults: aws.Int32(5)})
			return err
		}},
		{Action: "ec2:DescribeImages", Try: func(ctx context.Context) error {
			_, err := r.api.DescribeImages(ctx, &sdk.DescribeImagesInput{Owners: []string{"self"}, MaxResults: aws.Int32(5)})
			return err
		}},
		{Action: "ec2:DescribeInstanceTypes", Try: func(ctx context.Context) error {
			_, err := r.api.DescribeInstanceTypes(ctx, &sdk.DescribeInstanceTypesInput{MaxResults: aws.Int32(5)})
			return err
		}},
	}
}
