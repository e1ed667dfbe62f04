package codebuild

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	sdk "github.com/aws/aws-sdk-go-v2/service/codebuild"
	"github.com/aws/aws-sdk-go-v2/service/codebuild/types"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/remote"
)

const (
	// starts is how often a start is sent whose answer does not come: with the same
	// token it begins one build, for the five minutes that CodeBuild knows the token.
	starts     = 3
	startPause = 5 * time.Second
	// perPage is how many builds CodeBuild tells of at a time, and pages how many of
	// these are looked through.
	perPage = 100
	pages   = 5
	// skew is by how much the clocks of CodeBuild and of this machine may differ.
	skew = 10 * time.Minute
)

// Engine is CodeBuild, as kit/remote uses it. It is of one process of the tool.
type Engine struct {
	reads, changes *sdk.Client
	logs           *cloudwatchlogs.Client
	explain        func(ctx context.Context, act, thing string, err error) error
	project        string
	poll           time.Duration

	seen   map[string]*types.Build // as they were last looked at
	linked map[string]bool         // whose log's address was told
}

var _ remote.Engine = (*Engine)(nil)

// New makes one of a project. The clients of reads may try again, those of changes must
// not; explain gives an error of the SDK the words of integrations.
func New(reads, changes aws.Config, explain func(ctx context.Context, act, thing string, err error) error, project string, poll time.Duration) *Engine {
	return &Engine{
		reads: sdk.NewFromConfig(reads), changes: sdk.NewFromConfig(changes), logs: cloudwatchlogs.NewFromConfig(reads),
		explain: explain, project: project, poll: poll, seen: map[string]*types.Build{}, linked: map[string]bool{},
	}
}

// judged is an error in the words of kit/remote. What is to be asked for again is asked
// for at the next look.
func (e *Engine) judged(ctx context.Context, act, thing string, err error) error {
	err = e.explain(ctx, act, thing, err)
	var later *integrations.Later
	switch {
	case err == nil || ctx.Err() != nil:
		return err
	case !errors.As(err, &later):
		return &remote.Refused{Err: err}
	case later.Unsent:
		return &remote.Unsent{Err: err}
	}
	return remote.Judge(err)
}

// certain says that nothing was done.
func certain(err error) bool {
	var refused *remote.Refused
	var unsent *remote.Unsent
	return errors.As(err, &refused) || errors.As(err, &unsent)
}

// variables are those that a build is given, in an order that is always the same: a
// second start with the same token has to say the same.
func variables(q remote.Request, nonce string) []types.EnvironmentVariable {
	all := map[string]string{}
	for k, v := range q.Values(nonce) {
		if _, given := q.Inputs[k]; !given {
			k = prefix + strings.ToUpper(k)
		}
		all[k] = v
	}
	var out []types.EnvironmentVariable
	for _, k := range slices.Sorted(maps.Keys(all)) {
		out = append(out, types.EnvironmentVariable{Name: aws.String(k), Value: aws.String(all[k]), Type: types.EnvironmentVariableTypePlaintext})
	}
	return out
}

// Start begins a build of the commit. Its token is the nonce, so that it is sent again
// where its answer was lost, and still begins one.
func (e *Engine) Start(ctx context.Context, q remote.Request, nonce string) (remote.Run, error) {
	in := &sdk.StartBuildInput{ProjectName: &e.project, SourceVersion: &q.SHA, IdempotencyToken: &nonce, EnvironmentVariablesOverride: variables(q, nonce)}
	var doubt error
	for n := 1; ; n++ {
		got, err := e.changes.StartBuild(ctx, in)
		if err == nil {
			return e.run(got.Build), nil
		}
		err = e.judged(ctx, "start a build of", e.project, err)
		switch {
		case doubt == nil && certain(err):
			return remote.Run{}, err
		case doubt == nil:
			doubt = err
		}
		if n == starts || !e.pause(ctx, startPause) {
			return remote.Run{}, doubt
		}
	}
}

// pause waits for the next look, but no longer than that; it is false when ctx has ended.
func (e *Engine) pause(ctx context.Context, longest time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(min(e.poll, longest)):
		return true
	}
}

// Look reads a build.
func (e *Engine) Look(ctx context.Context, id string) (remote.Run, error) {
	got, err := e.reads.BatchGetBuilds(ctx, &sdk.BatchGetBuildsInput{Ids: []string{id}})
	if err != nil {
		return remote.Run{}, e.judged(ctx, "read the build", id, err)
	}
	if len(got.Builds) == 0 {
		return remote.Run{}, &remote.Refused{Err: fmt.Errorf("CodeBuild tells of no build %s", id)}
	}
	return e.run(&got.Builds[0]), nil
}

// Find looks through the newest builds.
func (e *Engine) Find(ctx context.Context, s remote.Search) (remote.Run, error) {
	var token *string
	for range pages {
		listed, err := e.reads.ListBuildsForProject(ctx, &sdk.ListBuildsForProjectInput{ProjectName: &e.project, NextToken: token})
		if err != nil {
			return remote.Run{}, e.judged(ctx, "list the builds of", e.project, err)
		}
		for ids := range slices.Chunk(listed.Ids, perPage) {
			got, err := e.reads.BatchGetBuilds(ctx, &sdk.BatchGetBuildsInput{Ids: ids})
			if err != nil {
				return remote.Run{}, e.judged(ctx, "read the builds of", e.project, err)
			}
			newest(got.Builds)
			for n := range got.Builds {
				b := &got.Builds[n]
				if !s.Since.IsZero() && b.StartTime != nil && b.StartTime.Before(s.Since.Add(-skew)) {
					return remote.Run{}, nil
				}
				if fits(b, s) {
					return e.run(b), nil
				}
			}
		}
		if token = listed.NextToken; token == nil {
			break
		}
	}
	return remote.Run{}, nil
}

// newest sorts builds by their numbers: the order of a batch is nobody's promise.
func newest(all []types.Build) {
	slices.SortStableFunc(all, func(a, b types.Build) int {
		return int(aws.ToInt64(b.BuildNumber) - aws.ToInt64(a.BuildNumber))
	})
}

// fits says whether a build is looked for. One that CodeBuild begins by itself for a
// commit has that as its source, or as what a branch came to; those of ours are none of
// these, nor are those of pull requests, whose head may be that very commit.
func fits(b *types.Build, s remote.Search) bool {
	mine := nonceOf(b)
	if s.Nonce != "" {
		return strings.HasPrefix(mine, s.Nonce)
	}
	source := aws.ToString(b.SourceVersion)
	if mine != "" || strings.HasPrefix(source, "pr/") {
		return false
	}
	return source == s.SHA || aws.ToString(b.ResolvedSourceVersion) == s.SHA
}

// nonceOf is the nonce that a build was started with; "" if it is none of ours.
func nonceOf(b *types.Build) string {
	if b.Environment == nil {
		return ""
	}
	for _, v := range b.Environment.EnvironmentVariables {
		if aws.ToString(v.Name) == prefix+"NONCE" {
			return aws.ToString(v.Value)
		}
	}
	return ""
}

// Cancel asks a build to stop. CodeBuild takes that of one that is over, too.
func (e *Engine) Cancel(ctx context.Context, id string) error {
	_, err := e.changes.StopBuild(ctx, &sdk.StopBuildInput{Id: &id})
	return e.judged(ctx, "stop the build", id, err)
}

// run is a build in the words of kit/remote.
func (e *Engine) run(b *types.Build) remote.Run {
	id := aws.ToString(b.Id)
	e.seen[id] = b
	return remote.Run{ID: id, URL: address(b), Name: nonceOf(b), State: state(b), Said: said(b)}
}

// Log writes what a build has printed since a token of CloudWatch Logs. Its last lines
// come later than its end.
func (e *Engine) Log(ctx context.Context, id, since string, w io.Writer) (string, error) {
	b := e.seen[id]
	if b == nil {
		if _, err := e.Look(ctx, id); err != nil {
			return since, err
		}
		b = e.seen[id]
	}
	return e.read(ctx, b, since, w)
}
