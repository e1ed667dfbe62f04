package codebuild

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/codebuild/types"

	"github.com/signalbox-chatops/signalbox/integrations/kit/remote"
)

// begins are the phases in which a build waits for a machine.
var begins = map[string]bool{
	string(types.BuildPhaseTypeSubmitted): true, string(types.BuildPhaseTypeQueued): true, string(types.BuildPhaseTypeProvisioning): true,
}

// state is how far a build is. One that is stopped was stopped by somebody.
func state(b *types.Build) remote.State {
	switch b.BuildStatus {
	case types.StatusTypeSucceeded:
		return remote.Succeeded
	case types.StatusTypeStopped:
		return remote.Cancelled
	case types.StatusTypeFailed, types.StatusTypeFault, types.StatusTypeTimedOut:
		return remote.Failed
	}
	if begins[aws.ToString(b.CurrentPhase)] {
		return remote.Waiting
	}
	return remote.Running
}

// said is how a build stands, in CodeBuild's words: its phase, and of one that did not
// succeed which phase did not and why.
func said(b *types.Build) string {
	if b.BuildStatus == types.StatusTypeInProgress || b.BuildStatus == "" {
		return fmt.Sprintf("%s: phase %s", types.StatusTypeInProgress, aws.ToString(b.CurrentPhase))
	}
	text := string(b.BuildStatus)
	if b.BuildStatus == types.StatusTypeSucceeded {
		return text
	}
	for _, p := range b.Phases {
		if p.PhaseStatus == "" || p.PhaseStatus == types.StatusTypeSucceeded || p.PhaseStatus == types.StatusTypeInProgress {
			continue
		}
		text += " in the phase " + string(p.PhaseType)
		if p.PhaseStatus != b.BuildStatus {
			text += ", which is " + string(p.PhaseStatus)
		}
		for _, c := range p.Contexts {
			for _, part := range []string{aws.ToString(c.StatusCode), strings.TrimSpace(aws.ToString(c.Message))} {
				if part != "" {
					text += ": " + part
				}
			}
		}
		return text
	}
	return text
}

// consoles are the hosts of the console, by the partition.
var consoles = map[string]string{"aws": "console.aws.amazon.com", "aws-cn": "console.amazonaws.cn", "aws-us-gov": "console.amazonaws-us-gov.com"}

// address is where people see a build in the console; "" where its ARN is none.
func address(b *types.Build) string {
	at, err := arn.Parse(aws.ToString(b.Arn))
	if err != nil {
		return ""
	}
	host, ok := consoles[at.Partition]
	if !ok {
		return ""
	}
	return fmt.Sprintf("https://%s.%s/codesuite/codebuild/%s/projects/%s/build/%s/?region=%s",
		at.Region, host, at.AccountID, url.PathEscape(aws.ToString(b.ProjectName)), url.QueryEscape(aws.ToString(b.Id)), at.Region)
}
