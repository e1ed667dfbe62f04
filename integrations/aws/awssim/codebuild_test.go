package awssim

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/codebuild"
	"github.com/aws/aws-sdk-go-v2/service/codebuild/types"
	"github.com/aws/smithy-go"
)

// yard is a bench with a project of CodeBuild.
type yard struct {
	*bench
	builds *codebuild.Client
	logs   *cloudwatchlogs.Client
}

func newYard(t *testing.T, p Project) *yard {
	t.Helper()
	p.Name = "deploy"
	b := newBench(t, Fleet{In: []Estate{{Projects: []Project{p, {Name: "quiet", Silent: true}}}}}, nil)
	cfg := b.config(DemoKey, "", region)
	return &yard{b, codebuild.NewFromConfig(cfg), cloudwatchlogs.NewFromConfig(cfg)}
}

func startInput(project, source, token string) *codebuild.StartBuildInput {
	return &codebuild.StartBuildInput{
		ProjectName: &project, SourceVersion: &source, IdempotencyToken: &token,
		EnvironmentVariablesOverride: []types.EnvironmentVariable{{Name: aws.String("TARGET"), Value: aws.String("shop"), Type: types.EnvironmentVariableTypePlaintext}},
	}
}

func (y *yard) start(source, token string) *types.Build {
	y.Helper()
	return ok[*codebuild.StartBuildOutput](y.bench)(y.builds.StartBuild(y.ctx, startInput("deploy", source, token))).Build
}

func (y *yard) get(id string) types.Build {
	y.Helper()
	got := ok[*codebuild.BatchGetBuildsOutput](y.bench)(y.builds.BatchGetBuilds(y.ctx, &codebuild.BatchGetBuildsInput{Ids: []string{id}}))
	if len(got.Builds) != 1 {
		y.Fatalf("got %+v", got)
	}
	return got.Builds[0]
}

// read is the log as far as it can be read from there, and where to read on.
func (y *yard) read(b types.Build, token *string) (string, *string) {
	y.Helper()
	var text strings.Builder
	for {
		got := ok[*cloudwatchlogs.GetLogEventsOutput](y.bench)(y.logs.GetLogEvents(y.ctx, &cloudwatchlogs.GetLogEventsInput{
			LogGroupName: b.Logs.GroupName, LogStreamName: b.Logs.StreamName, StartFromHead: aws.Bool(true), NextToken: token,
		}))
		for _, e := range got.Events {
			text.WriteString(*e.Message)
		}
		if token != nil && *token == *got.NextForwardToken {
			return text.String(), token
		}
		token = got.NextForwardToken
	}
}

func TestABuildGoesThroughItsPhases(t *testing.T) {
	y := newYard(t, Project{Takes: 10 * time.Second, Prints: []string{"deploying", "deployed"}})
	b := y.start("main", "t1")
	equal(y.bench, "status", b.BuildStatus, types.StatusTypeInProgress)
	equal(y.bench, "phase", *b.CurrentPhase, "SUBMITTED")
	if b.Logs.GroupName != nil || b.ResolvedSourceVersion != nil || b.BuildComplete {
		t.Errorf("it is %+v, and has barely begun", b)
	}
	y.clock.pass(2*PhaseTime + ProvisionTime + PhaseTime)
	now := y.get(*b.Id)
	equal(y.bench, "group", *now.Logs.GroupName, "/aws/codebuild/deploy")
	equal(y.bench, "phase", *now.CurrentPhase, "INSTALL")
	equal(y.bench, "variable", *now.Environment.EnvironmentVariables[0].Value, "shop")
	y.clock.pass(time.Minute)
	now = y.get(*b.Id)
	equal(y.bench, "status", now.BuildStatus, types.StatusTypeSucceeded)
	equal(y.bench, "phases", len(now.Phases), len(buildPhases))
	equal(y.bench, "over", now.BuildComplete, true)
	text, _ := y.read(now, nil)
	if !strings.Contains(text, "deploying\ndeployed\n") || !strings.Contains(text, "Phase complete: BUILD State: SUCCEEDED") {
		t.Errorf("the log is %q", text)
	}
	got := ok[*codebuild.BatchGetBuildsOutput](y.bench)(y.builds.BatchGetBuilds(y.ctx, &codebuild.BatchGetBuildsInput{Ids: []string{"deploy:nope", *b.Id, "none:1"}}))
	equal(y.bench, "not found", fmt.Sprint(got.BuildsNotFound), "[deploy:nope none:1]")
}

func TestWhatCodeBuildRefuses(t *testing.T) {
	y := newYard(t, Project{Limit: 2})
	start := func(change func(in *codebuild.StartBuildInput)) error {
		in := startInput("deploy", "main", "")
		in.IdempotencyToken = nil
		change(in)
		return errOf(y.builds.StartBuild(y.ctx, in))
	}
	y.refused(start(func(in *codebuild.StartBuildInput) { in.ProjectName = aws.String("nope") }), "ResourceNotFoundException")
	y.refused(start(func(in *codebuild.StartBuildInput) { in.TimeoutInMinutesOverride = aws.Int32(4) }), "InvalidInputException")
	y.refused(start(func(in *codebuild.StartBuildInput) { in.EnvironmentVariablesOverride[0].Type = "SECRET" }), "InvalidInputException")
	y.refused(start(func(in *codebuild.StartBuildInput) {
		in.EnvironmentVariablesOverride = append(in.EnvironmentVariablesOverride, in.EnvironmentVariablesOverride[0])
	}), "InvalidInputException")
	y.refused(start(func(in *codebuild.StartBuildInput) { in.ImageOverride = aws.String("alpine") }), "NotSimulated")
	equal(y.bench, "builds", len(y.sim.Builds()), 0)
	y.must(start(func(*codebuild.StartBuildInput) {}))
	y.must(start(func(*codebuild.StartBuildInput) {}))
	y.refused(start(func(*codebuild.StartBuildInput) {}), "AccountLimitExceededException")
	_, err := y.builds.ListBuildsForProject(y.ctx, &codebuild.ListBuildsForProjectInput{ProjectName: aws.String("nope")})
	y.refused(err, "ResourceNotFoundException")
	_, err = y.builds.StopBuild(y.ctx, &codebuild.StopBuildInput{Id: aws.String("deploy:nope")})
	y.refused(err, "ResourceNotFoundException")
	_, err = y.builds.BatchGetBuilds(y.ctx, &codebuild.BatchGetBuildsInput{Ids: []string{"no id"}})
	y.refused(err, "InvalidInputException")
}

func TestATokenGivesTheBuildThatItBegan(t *testing.T) {
	y := newYard(t, Project{})
	first := y.start("main", "t1")
	equal(y.bench, "again", *y.start("main", "t1").Id, *first.Id)
	_, err := y.builds.StartBuild(y.ctx, startInput("deploy", "other", "t1"))
	y.refused(err, "InvalidInputException")
	equal(y.bench, "builds", len(y.sim.Builds()), 1)
	y.clock.pass(tokenTime)
	if id := *y.start("main", "t1").Id; id == *first.Id {
		t.Error("the token is known after its time")
	}
	equal(y.bench, "builds", len(y.sim.Builds()), 2)
}

func TestALostReplyOfAStartHasBegunABuild(t *testing.T) {
	y := newYard(t, Project{})
	y.must(y.sim.Fault(Fault{Kind: "lost", Service: "codebuild", Action: "StartBuild"}))
	_, err := y.builds.StartBuild(y.ctx, startInput("deploy", "main", "t1"))
	y.unanswered(err)
	y.must(y.sim.Fault(Fault{Kind: "throttle", Action: "StartBuild"}))
	_, err = y.builds.StartBuild(y.ctx, startInput("deploy", "main", "t2"))
	y.refused(err, "ThrottlingException")
	y.must(y.sim.Fault(Fault{Kind: "error", Action: "StartBuild"}))
	_, err = y.builds.StartBuild(y.ctx, startInput("deploy", "main", "t2"))
	y.refused(err, "InternalFailure")
	equal(y.bench, "builds", len(y.sim.Builds()), 1)
}

func TestBuildsThatEndBeforeTheyShould(t *testing.T) {
	y := newYard(t, Project{Timeout: 5 * time.Minute, Takes: time.Hour})
	late := y.start("main", "late")
	y.clock.pass(5 * time.Minute)
	equal(y.bench, "status", y.get(*late.Id).BuildStatus, types.StatusTypeTimedOut)
	y.must(y.sim.FailBuild("deploy", Verdict{Phase: "DOWNLOAD_SOURCE", Code: "YAML_FILE_ERROR", Message: "YAML file does not exist"}))
	failed := y.start("main", "failed")
	y.clock.pass(time.Minute)
	b := y.get(*failed.Id)
	equal(y.bench, "status", b.BuildStatus, types.StatusTypeFailed)
	last := b.Phases[len(b.Phases)-2]
	equal(y.bench, "phase", last.PhaseType, types.BuildPhaseTypeDownloadSource)
	equal(y.bench, "message", *last.Contexts[0].Message, "YAML file does not exist")
	stopped := y.start("main", "stopped")
	y.clock.pass(20 * time.Second)
	for range 2 {
		_, err := y.builds.StopBuild(y.ctx, &codebuild.StopBuildInput{Id: stopped.Id})
		y.must(err)
	}
	equal(y.bench, "at first", y.get(*stopped.Id).BuildStatus, types.StatusTypeInProgress)
	y.clock.pass(StopBuildTime)
	equal(y.bench, "then", y.get(*stopped.Id).BuildStatus, types.StatusTypeStopped)
	got := ok[*codebuild.StopBuildOutput](y.bench)(y.builds.StopBuild(y.ctx, &codebuild.StopBuildInput{Id: failed.Id}))
	equal(y.bench, "one that was over", got.Build.BuildStatus, types.StatusTypeFailed)
}

func TestTheLogComesLate(t *testing.T) {
	y := newYard(t, Project{Takes: 10 * time.Second, Prints: []string{"deploying", strings.Repeat("x", 900_000), strings.Repeat("y", 900_000)}})
	b := y.start("main", "")
	y.clock.pass(2*PhaseTime + ProvisionTime)
	now := y.get(*b.Id)
	_, err := y.logs.GetLogEvents(y.ctx, &cloudwatchlogs.GetLogEventsInput{LogGroupName: now.Logs.GroupName, LogStreamName: aws.String("nope"), StartFromHead: aws.Bool(true)})
	y.refused(err, "ResourceNotFoundException")
	y.clock.pass(3 * PhaseTime) // it prints
	text, token := y.read(now, nil)
	if strings.Contains(text, "deploying") {
		t.Errorf("it is there at once: %q", text)
	}
	y.clock.pass(IngestTime)
	more, _ := y.read(now, token)
	if !strings.Contains(more, "deploying\nxxx") || !strings.HasSuffix(more, "yyy\n") || strings.Count(text+more, "Entering phase INSTALL") != 1 {
		t.Errorf("it goes on with %d bytes", len(more))
	}
	_, err = y.logs.GetLogEvents(y.ctx, &cloudwatchlogs.GetLogEventsInput{LogGroupName: now.Logs.GroupName, LogStreamName: now.Logs.StreamName, StartFromHead: aws.Bool(true), NextToken: aws.String("x")})
	y.refused(err, "InvalidParameterException")
	quiet := ok[*codebuild.StartBuildOutput](y.bench)(y.builds.StartBuild(y.ctx, startInput("quiet", "main", ""))).Build
	y.clock.pass(time.Minute)
	if l := y.get(*quiet.Id).Logs; l.GroupName != nil || l.CloudWatchLogs.Status != types.LogsConfigStatusTypeDisabled {
		t.Errorf("it has a log: %+v", l)
	}
}

func TestAHookBeginsABuild(t *testing.T) {
	y := newYard(t, Project{})
	y.must(y.sim.Hook("deploy", "refs/heads/main", "c0ffee"))
	list := func(order types.SortOrderType) []string {
		return ok[*codebuild.ListBuildsForProjectOutput](y.bench)(y.builds.ListBuildsForProject(y.ctx, &codebuild.ListBuildsForProjectInput{ProjectName: aws.String("deploy"), SortOrder: order})).Ids
	}
	first := list("")[0]
	if b := y.get(first); !strings.HasPrefix(*b.Initiator, "GitHub-Hookshot/") || b.ResolvedSourceVersion != nil {
		t.Errorf("got %+v", b)
	}
	y.clock.pass(time.Minute)
	equal(y.bench, "resolved", *y.get(first).ResolvedSourceVersion, "c0ffee")
	second := *y.start("main", "").Id
	equal(y.bench, "newest first", list("")[0], second)
	equal(y.bench, "oldest first", list(types.SortOrderTypeAscending)[0], first)
	for range 120 {
		y.must(y.sim.Hook("deploy", "main", "c0ffee"))
	}
	var refused smithy.APIError
	_, err := y.builds.ListBuildsForProject(y.ctx, &codebuild.ListBuildsForProjectInput{ProjectName: aws.String("deploy"), SortOrder: types.SortOrderTypeAscending})
	if !errors.As(err, &refused) {
		t.Errorf("an order among 122 builds: %v", err)
	}
	page := ok[*codebuild.ListBuildsForProjectOutput](y.bench)(y.builds.ListBuildsForProject(y.ctx, &codebuild.ListBuildsForProjectInput{ProjectName: aws.String("deploy")}))
	rest := ok[*codebuild.ListBuildsForProjectOutput](y.bench)(y.builds.ListBuildsForProject(y.ctx, &codebuild.ListBuildsForProjectInput{ProjectName: aws.String("deploy"), NextToken: page.NextToken}))
	equal(y.bench, "of two pages", fmt.Sprint(len(page.Ids), len(rest.Ids), rest.NextToken == nil), "100 22 true")
	y.must(y.sim.StopBuilds("deploy"))
	y.clock.pass(StopBuildTime)
	equal(y.bench, "stopped by another hand", y.get(second).BuildStatus, types.StatusTypeStopped)
}
