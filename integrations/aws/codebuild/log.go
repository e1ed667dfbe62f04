package codebuild

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/codebuild/types"
)

// quiet is how many looks in a row find nothing new until it is believed that all of the
// log of a build that is over has come.
const (
	quiet      = 4
	quietPause = 2 * time.Second
)

// stream is where the log of a build stands; "" where it has none, or none yet.
func stream(b *types.Build) (group, name string) {
	l := b.Logs
	if l == nil || l.CloudWatchLogs != nil && l.CloudWatchLogs.Status == types.LogsConfigStatusTypeDisabled {
		return "", ""
	}
	return aws.ToString(l.GroupName), aws.ToString(l.StreamName)
}

// read writes a log on, and returns the token to go on with. Nothing is said of a log
// that a build has not: its project does not send it to CloudWatch Logs.
func (e *Engine) read(ctx context.Context, b *types.Build, since string, w io.Writer) (string, error) {
	group, name := stream(b)
	if group == "" || name == "" {
		return since, nil
	}
	for still := 0; ; {
		next, some, err := e.page(ctx, b, group, name, since, w)
		switch {
		case err != nil:
			return since, err
		case some:
			still = 0
		case !b.BuildComplete && next == since:
			return since, nil
		case next == since:
			still++
		}
		since = next
		if still == quiet || still > 0 && !e.pause(ctx, quietPause) {
			return since, nil
		}
	}
}

// page writes one page; it is the last for now where the token that comes is the one that
// was given. A stream that is not there is not there yet.
func (e *Engine) page(ctx context.Context, b *types.Build, group, name, since string, w io.Writer) (next string, some bool, _ error) {
	in := &cloudwatchlogs.GetLogEventsInput{LogGroupName: &group, LogStreamName: &name, StartFromHead: aws.Bool(true)}
	if since != "" {
		in.NextToken = &since
	}
	got, err := e.logs.GetLogEvents(ctx, in)
	var absent *logtypes.ResourceNotFoundException
	if errors.As(err, &absent) {
		return since, false, nil
	}
	if err != nil {
		return since, false, e.judged(ctx, "read the log", group+" "+name, err)
	}
	// The address is told when there is something at it.
	if id, at := aws.ToString(b.Id), aws.ToString(b.Logs.DeepLink); !e.linked[id] && at != "" {
		e.linked[id] = true
		fmt.Fprintln(w, "The log at CloudWatch: "+at)
	}
	for _, ev := range got.Events {
		text := aws.ToString(ev.Message)
		if !strings.HasSuffix(text, "\n") {
			text += "\n"
		}
		if _, err := io.WriteString(w, text); err != nil {
			return since, false, err
		}
	}
	return aws.ToString(got.NextForwardToken), len(got.Events) > 0, nil
}
