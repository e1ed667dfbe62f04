// Package ssm speaks to AWS Systems Manager for package aws: it runs scripts on
// instances and reads what came of them. Errors are the SDK's.
package ssm

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/signalbox-chatops/signalbox/integrations"
)

const (
	// Delivery is how long a command may be on its way to the agent; 30 s is the
	// least that Systems Manager takes.
	Delivery = time.Minute
	// MaxLimit is the longest executionTimeout of AWS-RunShellScript.
	MaxLimit = 48 * time.Hour
	// MaxOutput is how many bytes of an output are passed on; Systems Manager keeps
	// 24,000 characters.
	MaxOutput = 24_000
	maxWhy    = 500 // bytes of a script's errors
)

// Reader reads the agents of one site and the results of commands.
type Reader struct{ api *sdk.Client }

// NewReader makes one.
func NewReader(c aws.Config) *Reader { return &Reader{sdk.NewFromConfig(c)} }

// Online says whether the agent of an instance answers.
func (r *Reader) Online(ctx context.Context, id string) (bool, error) {
	found, err := r.api.DescribeInstanceInformation(ctx, &sdk.DescribeInstanceInformationInput{
		Filters: []types.InstanceInformationStringFilter{{Key: aws.String("InstanceIds"), Values: []string{id}}},
	})
	if err != nil {
		return false, err
	}
	for _, i := range found.InstanceInformationList {
		if aws.ToString(i.InstanceId) == id {
			return i.PingStatus == types.PingStatusOnline, nil
		}
	}
	return false, nil
}

// Result reads what came of a command. One that Systems Manager does not know, or not
// yet, is InvocationDoesNotExist.
func (r *Reader) Result(ctx context.Context, id, command string) (integrations.CommandResult, error) {
	got, err := r.api.GetCommandInvocation(ctx, &sdk.GetCommandInvocationInput{CommandId: &command, InstanceId: &id})
	if err != nil {
		return integrations.CommandResult{}, err
	}
	return result(got), nil
}

// states are the words of a StatusDetails, which says more than the Status: a Failed
// one may have been Undeliverable. What is not here was not delivered, or timed out,
// or was cut off, and nobody can tell whether it ran.
var states = map[string]string{
	"Pending": integrations.CommandRunning, "InProgress": integrations.CommandRunning, "Delayed": integrations.CommandRunning,
	"Cancelling": integrations.CommandRunning,
	"Success":    integrations.CommandDone, "Failed": integrations.CommandDone,
}

func result(got *sdk.GetCommandInvocationOutput) integrations.CommandResult {
	details := strings.ReplaceAll(aws.ToString(got.StatusDetails), " ", "") // the manual writes "In Progress"
	if details == "" {
		details = string(got.Status)
	}
	out := integrations.CommandResult{State: states[details]}
	switch {
	case out.State == integrations.CommandRunning:
		return out
	case out.State == "", got.ResponseCode < 0: // -1 is what did not end by itself
		out.State = integrations.CommandUnknown
		out.Why = "Systems Manager says " + details
	default:
		out.Exit = int(got.ResponseCode)
	}
	out.Output = cut(aws.ToString(got.StandardOutputContent), MaxOutput)
	if said := strings.TrimSpace(aws.ToString(got.StandardErrorContent)); said != "" && (out.Exit != 0 || out.Why != "") {
		out.Why = strings.TrimPrefix(out.Why+": ", ": ") + cut(said, maxWhy)
	}
	return out
}

// cut keeps whole characters.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}

// Runner runs scripts on instances.
type Runner struct{ api *sdk.Client }

// NewRunner makes one.
func NewRunner(c aws.Config) *Runner { return &Runner{sdk.NewFromConfig(c)} }

// Start runs a script with a shell, as root, for at most limit, which is rounded up to
// seconds. There is no token by which a second start could be told from the first.
func (r *Runner) Start(ctx context.Context, id, script string, limit time.Duration) (command string, err error) {
	if limit <= 0 || limit > MaxLimit {
		return "", fmt.Errorf("its limit is %v; want one of up to %v", limit, MaxLimit)
	}
	seconds := int64((limit + time.Second - 1) / time.Second)
	sent, err := r.api.SendCommand(ctx, &sdk.SendCommandInput{
		DocumentName: aws.String("AWS-RunShellScript"), InstanceIds: []string{id},
		Parameters:     map[string][]string{"commands": {script}, "executionTimeout": {strconv.FormatInt(seconds, 10)}},
		TimeoutSeconds: aws.Int32(int32(Delivery / time.Second)), Comment: aws.String("signalbox"),
	})
	if err != nil {
		return "", err
	}
	if sent.Command == nil || aws.ToString(sent.Command.CommandId) == "" {
		return "", errors.New("the answer names no command")
	}
	return *sent.Command.CommandId, nil
}
