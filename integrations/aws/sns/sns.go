// Package sns speaks to Amazon SNS for package aws: it sends text messages to phones.
// Errors are the SDK's.
package sns

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"

	"github.com/signalbox-chatops/signalbox/integrations/aws/iam"
)

// Needs are the actions that this folder calls. A text message to a phone has no resource:
// the policy allows Publish on what is no topic (the service authorization reference of
// Amazon SNS).
var Needs = []iam.Action{
	{Name: "sns:CheckIfPhoneNumberIsOptedOut", Why: "sees whether a phone takes text messages, for steps of escalations with `sms`"},
	{Name: "sns:Publish", Why: "sends text messages, for steps of escalations with `sms`", Change: true, Except: "arn:aws:sns:*:*:*"},
}

// Reader asks about phones.
type Reader struct{ api *sdk.Client }

// NewReader makes one for the account and the region of c.
func NewReader(c aws.Config) *Reader { return &Reader{sdk.NewFromConfig(c)} }

// OptedOut says that whoever has a phone, "+819012345678", wants no text messages of this
// account: Publish takes one for it, and delivers nothing.
func (r *Reader) OptedOut(ctx context.Context, phone string) (bool, error) {
	out, err := r.api.CheckIfPhoneNumberIsOptedOut(ctx, &sdk.CheckIfPhoneNumberIsOptedOutInput{PhoneNumber: aws.String(phone)})
	if err != nil {
		return false, err
	}
	return out.IsOptedOut, nil
}

// Sender sends text messages.
type Sender struct{ api *sdk.Client }

// NewSender makes one for the account and the region of c.
func NewSender(c aws.Config) *Sender { return &Sender{sdk.NewFromConfig(c)} }

// transactional is the type of what must arrive: SNS sends others by the cheapest way
// (the developer guide, Publishing to a mobile phone).
const transactional = "Transactional"

// Text sends a text message to a phone in E.164, "+819012345678", and gives its id at SNS:
// that it was taken, not that it arrived. from is the name that a phone shows, up to 11
// letters and digits, where the country allows one; "" is a number of the account.
func (s *Sender) Text(ctx context.Context, phone, from, text string) (id string, err error) {
	of := func(value string) types.MessageAttributeValue {
		return types.MessageAttributeValue{DataType: aws.String("String"), StringValue: aws.String(value)}
	}
	in := &sdk.PublishInput{PhoneNumber: aws.String(phone), Message: aws.String(text), MessageAttributes: map[string]types.MessageAttributeValue{"AWS.SNS.SMS.SMSType": of(transactional)}}
	if from != "" {
		in.MessageAttributes["AWS.SNS.SMS.SenderID"] = of(from)
	}
	out, err := s.api.Publish(ctx, in)
	if err != nil {
		return "", err
	}
	return aws.ToString(out.MessageId), nil
}
