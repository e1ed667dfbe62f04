package ssm

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/google/go-cmp/cmp"

	"github.com/signalbox-chatops/signalbox/integrations"
)

func TestResult(t *testing.T) {
	const running, done, unknown = integrations.CommandRunning, integrations.CommandDone, integrations.CommandUnknown
	for _, tt := range []struct {
		status, details string
		code            int32
		out, errs       string
		want            integrations.CommandResult
	}{
		{"Pending", "Pending", -1, "", "", integrations.CommandResult{State: running}},
		{"InProgress", "In Progress", -1, "", "", integrations.CommandResult{State: running}},
		{"Delayed", "Delayed", -1, "", "", integrations.CommandResult{State: running}},
		{"Cancelling", "Cancelling", -1, "", "", integrations.CommandResult{State: running}},
		{"Success", "Success", 0, "{}\n", "a warning", integrations.CommandResult{State: done, Output: "{}\n"}},
		{"Success", "", 0, "{}", "", integrations.CommandResult{State: done, Output: "{}"}},
		{"Failed", "Failed", 3, "out", "no such unit\n", integrations.CommandResult{State: done, Exit: 3, Output: "out", Why: "no such unit"}},
		{"Failed", "Failed", -1, "", "", integrations.CommandResult{State: unknown, Why: "Systems Manager says Failed"}},
		{"Failed", "Undeliverable", 0, "", "", integrations.CommandResult{State: unknown, Why: "Systems Manager says Undeliverable"}},
		{"Failed", "Terminated", -1, "", "", integrations.CommandResult{State: unknown, Why: "Systems Manager says Terminated"}},
		{"TimedOut", "DeliveryTimedOut", -1, "", "", integrations.CommandResult{State: unknown, Why: "Systems Manager says DeliveryTimedOut"}},
		{"TimedOut", "ExecutionTimedOut", 137, "half", "killed", integrations.CommandResult{State: unknown, Output: "half", Why: "Systems Manager says ExecutionTimedOut: killed"}},
		{"Cancelled", "Cancelled", -1, "", "", integrations.CommandResult{State: unknown, Why: "Systems Manager says Cancelled"}},
		{"New", "New", 0, "", "", integrations.CommandResult{State: unknown, Why: "Systems Manager says New"}},
	} {
		got := result(&sdk.GetCommandInvocationOutput{
			Status: types.CommandInvocationStatus(tt.status), StatusDetails: &tt.details, ResponseCode: tt.code,
			StandardOutputContent: &tt.out, StandardErrorContent: &tt.errs,
		})
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s, %s, %d: %s", tt.status, tt.details, tt.code, diff)
		}
	}
}

func TestAnOutputIsCutBetweenCharacters(t *testing.T) {
	long := strings.Repeat("あ", 10_000) // 3 bytes each
	got := result(&sdk.GetCommandInvocationOutput{StatusDetails: aws.String("Success"), StandardOutputContent: &long}).Output
	if want := strings.Repeat("あ", MaxOutput/3); got != want {
		t.Errorf("got %d bytes; want %d", len(got), len(want))
	}
	if got := cut("aあ", 2); got != "a" {
		t.Errorf("got %q; want no half of a character", got)
	}
}

func TestALimitThatSystemsManagerDoesNotTake(t *testing.T) {
	r := NewRunner(aws.Config{Region: "x"})
	for _, limit := range []time.Duration{0, -time.Second, MaxLimit + 1} {
		if _, err := r.Start(t.Context(), "i-1", "true", limit); err == nil {
			t.Errorf("a limit of %v was let through", limit)
		}
	}
}
