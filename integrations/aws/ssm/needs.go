package ssm

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/signalbox-chatops/signalbox/integrations/aws/iam"
)

// Needs are the actions that this folder calls. SendCommand needs the instance, where
// it takes a condition on tags, and the document, which has none of ours (the service
// authorization reference of Systems Manager).
var Needs = []iam.Action{
	{Name: "ssm:DescribeInstanceInformation", Why: "sees whether commands can be run on an instance"},
	{Name: "ssm:GetCommandInvocation", Why: "reads what came of a command"},
	{
		Name: "ssm:SendCommand", Why: "runs the scripts of a drain on the instance", Change: true,
		On: "arn:aws:ec2:*:*:instance/*", Tagged: true, Also: "arn:aws:ssm:*::document/AWS-RunShellScript",
	},
}

// Probes try each read.
func (r *Reader) Probes() []iam.Probe {
	return []iam.Probe{
		{Action: "ssm:DescribeInstanceInformation", Try: func(ctx context.Context) error {
			_, err := r.api.DescribeInstanceInformation(ctx, &sdk.DescribeInstanceInformationInput{MaxResults: aws.Int32(5)})
			return err
		}},
		{Action: "ssm:GetCommandInvocation", Try: func(ctx context.Context) error {
			_, err := r.api.GetCommandInvocation(ctx, &sdk.GetCommandInvocationInput{
				CommandId: aws.String("00000000-0000-0000-0000-000000000000"), InstanceId: aws.String("i-00000000000000000"),
			})
			return err
		}},
	}
}
