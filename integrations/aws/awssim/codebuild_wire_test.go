package awssim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/codebuild"
)

// tape is a transport that keeps what goes over it. Without a next one it answers {}.
type tape struct {
	next     http.RoundTripper
	asked    []byte // as a snapshot is written: the head, an empty line, the body
	answered []byte
}

func (p *tape) Do(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	p.asked = fmt.Appendf(nil, "POST %s\nX-Amz-Target: %s\n\n%s", r.URL.Path, r.Header.Get("X-Amz-Target"), body)
	if p.next == nil {
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("{}"))}, nil
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	answer, err := p.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if p.answered, err = io.ReadAll(answer.Body); err != nil {
		return nil, err
	}
	answer.Body = io.NopCloser(bytes.NewReader(p.answered))
	return answer, nil
}

// sentByTheSDK is a request that the SDK's own client makes of an input in which every
// field says something.
func sentByTheSDK(t *testing.T, action string) []byte {
	t.Helper()
	over := &tape{}
	client := codebuild.NewFromConfig(aws.Config{Region: region, Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""), HTTPClient: over})
	call := reflect.ValueOf(client).MethodByName(action)
	in := reflect.New(call.Type().In(1).Elem())
	fill(in.Elem())
	out := call.Call([]reflect.Value{reflect.ValueOf(t.Context()), in})
	if err, failed := out[1].Interface().(error); failed {
		t.Fatal(err)
	}
	return over.asked
}

// fill gives every exported field a value.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Struct:
		for n := range v.NumField() {
			if v.Type().Field(n).IsExported() {
				fill(v.Field(n))
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int32, reflect.Int64:
		v.SetInt(7)
	}
}

// What the simulator answers is read by the SDK whole: every member of it is a field of
// the SDK's output, and says something there.
func TestEveryMemberOfAnAnswerIsReadByTheSDK(t *testing.T) {
	b := newBench(t, Fleet{In: []Estate{{Projects: []Project{{Name: "deploy", Prints: []string{"hello"}}}}}}, nil)
	cfg := b.config(DemoKey, "", region)
	over := &tape{next: http.DefaultTransport}
	cfg.HTTPClient = over
	builds, logs := codebuild.NewFromConfig(cfg), cloudwatchlogs.NewFromConfig(cfg)
	held := func(out any, err error) {
		b.Helper()
		b.must(err)
		var said map[string]any
		b.must(json.Unmarshal(over.answered, &said))
		read(t, reflect.TypeOf(out).Elem().Name(), said, reflect.ValueOf(out))
	}
	b.must(b.sim.FailBuild("deploy", Verdict{Code: "COMMAND_EXECUTION_ERROR", Message: "Error while executing command"}))
	name := aws.String("deploy")
	started, err := builds.StartBuild(b.ctx, startInput("deploy", "main", "token"))
	held(started, err)
	b.clock.pass(time.Minute)
	got, err := builds.BatchGetBuilds(b.ctx, &codebuild.BatchGetBuildsInput{Ids: []string{*started.Build.Id}})
	held(got, err)
	listed, err := builds.ListBuildsForProject(b.ctx, &codebuild.ListBuildsForProjectInput{ProjectName: name})
	held(listed, err)
	stopped, err := builds.StopBuild(b.ctx, &codebuild.StopBuildInput{Id: started.Build.Id})
	held(stopped, err)
	lines, err := logs.GetLogEvents(b.ctx, &cloudwatchlogs.GetLogEventsInput{LogGroupName: got.Builds[0].Logs.GroupName, LogStreamName: got.Builds[0].Logs.StreamName, StartFromHead: aws.Bool(true)})
	held(lines, err)
}

// read holds what was said to what was read of it.
func read(t *testing.T, path string, said any, got reflect.Value) {
	t.Helper()
	for got.Kind() == reflect.Pointer {
		if got.IsNil() {
			t.Errorf("%s is not read", path)
			return
		}
		got = got.Elem()
	}
	switch said := said.(type) {
	case map[string]any:
		for k, v := range said {
			f := reflect.Value{}
			if got.Kind() == reflect.Struct {
				f = got.FieldByName(strings.ToUpper(k[:1]) + k[1:])
			}
			if !f.IsValid() {
				t.Errorf("%s has no %s", path, k)
				continue
			}
			read(t, path+"."+k, v, f)
		}
	case []any:
		if got.Kind() != reflect.Slice || got.Len() != len(said) {
			t.Errorf("%s is not read whole", path)
			return
		}
		for n, v := range said {
			read(t, path, v, got.Index(n))
		}
	case string:
		if got.Kind() != reflect.String || got.String() != said {
			t.Errorf("%s is %v, not %q", path, got, said)
		}
	}
}
