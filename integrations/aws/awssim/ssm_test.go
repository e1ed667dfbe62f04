package awssim

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
)

// send sends a script to an instance, and gives the command's id.
func (b *bench) send(name, script string, change ...func(in *ssm.SendCommandInput)) (string, error) {
	b.Helper()
	in := &ssm.SendCommandInput{
		DocumentName: aws.String("AWS-RunShellScript"), InstanceIds: []string{b.id(name)},
		Parameters: map[string][]string{"commands": strings.Split(script, "\n"), "executionTimeout": {"120"}},
	}
	for _, f := range change {
		f(in)
	}
	out, err := b.ssm.SendCommand(b.ctx, in)
	if err != nil {
		return "", err
	}
	return aws.ToString(out.Command.CommandId), nil
}

func (b *bench) invocation(name, id string) (*ssm.GetCommandInvocationOutput, error) {
	b.Helper()
	return b.ssm.GetCommandInvocation(b.ctx, &ssm.GetCommandInvocationInput{CommandId: aws.String(id), InstanceId: aws.String(b.id(name))})
}

// state is the status of a command, its details and its exit code.
func (b *bench) state(name, id string) string {
	b.Helper()
	out := ok[*ssm.GetCommandInvocationOutput](b)(b.invocation(name, id))
	return fmt.Sprintf("%s %s %d", out.Status, aws.ToString(out.StatusDetails), out.ResponseCode)
}

// early polls a new command, which nobody knows yet.
func (b *bench) early(name, id string) {
	b.Helper()
	_, err := b.invocation(name, id)
	b.refused(err, "InvocationDoesNotExist")
}

// run runs a script to its end, and gives what it printed.
func (b *bench) run(name, script string) string {
	b.Helper()
	id := ok[string](b)(b.send(name, script))
	b.early(name, id)
	b.clock.pass(DeliveryTime + ScriptTime)
	equal(b, script, b.state(name, id), "Success Success 0")
	return aws.ToString(ok[*ssm.GetCommandInvocationOutput](b)(b.invocation(name, id)).StandardOutputContent)
}

func TestACommandGoesItsWay(t *testing.T) {
	b := newBench(t, Demo(), nil)
	id := ok[string](b)(b.send("web-1", "#!/bin/sh\n# signalbox:connections 8080\nss -tn"))
	b.early("web-1", id)
	equal(b, "sent", b.state("web-1", id), "Pending Pending -1")
	b.clock.pass(DeliveryTime)
	equal(b, "delivered", b.state("web-1", id), "InProgress InProgress -1")
	b.clock.pass(ScriptTime)
	equal(b, "done", b.state("web-1", id), "Success Success 0")
	equal(b, "printed", aws.ToString(ok[*ssm.GetCommandInvocationOutput](b)(b.invocation("web-1", id)).StandardOutputContent), "42\n")
	b.refused(errOf(b.invocation("web-2", id)), "InvocationDoesNotExist")
}

func errOf[T any](_ T, err error) error { return err }

func TestAScriptThatIsNotUnderstoodFails(t *testing.T) {
	b := newBench(t, Demo(), nil)
	for _, script := range []string{"rm -rf /", "# signalbox:stop", "# signalbox:reboot now", "# signalbox:"} {
		id := ok[string](b)(b.send("web-1", script))
		b.early("web-1", id)
		b.clock.pass(DeliveryTime + ScriptTime)
		equal(b, script, b.state("web-1", id), "Failed Failed 127")
	}
}

func TestTheInvocationIsNotThereForSoManyPolls(t *testing.T) {
	b := newBench(t, Demo(), func(c *Config) { c.EarlyPolls = 3 })
	id := ok[string](b)(b.send("web-1", "# signalbox:flush"))
	for range 3 {
		b.early("web-1", id)
	}
	equal(b, "then", b.state("web-1", id), "Pending Pending -1")
}

func TestTheOutputIsCut(t *testing.T) {
	b := newBench(t, Demo(), func(c *Config) {
		c.Host = func(*Host, string) (string, int) { return "x" + strings.Repeat("é", 20_000), 0 }
	})
	got := b.run("web-1", "anything")
	if len(got) > 24_000 || len(got) < 23_990 || strings.ContainsRune(got, '�') {
		b.Errorf("%d bytes", len(got))
	}
}

func TestAnInstanceThatIsNotHeardOfGetsNoCommand(t *testing.T) {
	b := newBench(t, Demo(), nil)
	b.must(b.sim.SetHost(b.id("web-1"), func(h *Host) { h.Unreachable = true }))
	id := ok[string](b)(b.send("web-1", "# signalbox:stop app", func(in *ssm.SendCommandInput) { in.TimeoutSeconds = aws.Int32(60) }))
	b.early("web-1", id)
	b.clock.pass(59 * time.Second)
	equal(b, "within the time-out", b.state("web-1", id), "Delayed Delayed -1")
	b.clock.pass(time.Second)
	equal(b, "after it", b.state("web-1", id), "TimedOut DeliveryTimedOut -1")
	equal(b, "unit", b.view("web-1").Unit, "running")
	late := ok[string](b)(b.send("web-1", "# signalbox:stop app"))
	b.early("web-1", late)
	b.clock.pass(time.Minute)
	b.must(b.sim.SetHost(b.id("web-1"), func(h *Host) { h.Unreachable = false }))
	b.clock.pass(20 * time.Second)
	equal(b, "heard of again", b.state("web-1", late), "Success Success 0")
}

func TestACommandToAnInstanceThatEndsIsUndeliverable(t *testing.T) {
	b := newBench(t, Demo(), nil)
	id := ok[string](b)(b.send("bastion", "# signalbox:flush"))
	b.early("bastion", id)
	b.must(b.sim.Kill(b.id("bastion")))
	b.clock.pass(DeliveryTime)
	equal(b, "state", b.state("bastion", id), "Failed Undeliverable -1")
	_, err := b.send("bastion", "# signalbox:flush")
	b.refused(err, "InvalidInstanceId")
}

func TestAScriptThatRunsTooLongIsStopped(t *testing.T) {
	b := newBench(t, Demo(), nil)
	b.must(b.sim.SetHost(b.id("web-1"), func(h *Host) { h.Takes = time.Hour }))
	id := ok[string](b)(b.send("web-1", "# signalbox:flush"))
	b.early("web-1", id)
	b.clock.pass(DeliveryTime + 119*time.Second)
	equal(b, "before", b.state("web-1", id), "InProgress InProgress -1")
	b.clock.pass(time.Second)
	equal(b, "after", b.state("web-1", id), "TimedOut ExecutionTimedOut -1")
}

func TestACommandIsCancelled(t *testing.T) {
	b := newBench(t, Demo(), nil)
	id := ok[string](b)(b.send("web-1", "# signalbox:stop app"))
	b.early("web-1", id)
	_, err := b.ssm.CancelCommand(b.ctx, &ssm.CancelCommandInput{CommandId: aws.String(id)})
	b.must(err)
	b.clock.pass(time.Minute)
	equal(b, "state", b.state("web-1", id), "Cancelled Cancelled -1")
	equal(b, "unit", b.view("web-1").Unit, "running")
	_, err = b.ssm.CancelCommand(b.ctx, &ssm.CancelCommandInput{CommandId: aws.String(uuid(999))})
	b.refused(err, "InvalidCommandId")
}

func TestWhatSendCommandRefuses(t *testing.T) {
	b := newBench(t, Demo(), nil)
	for code, change := range map[string]func(in *ssm.SendCommandInput){
		"InvalidDocument":     func(in *ssm.SendCommandInput) { in.DocumentName = aws.String("AWS-RunPatchBaseline") },
		"InvalidParameters":   func(in *ssm.SendCommandInput) { in.Parameters["shell"] = []string{"x"} },
		"InvalidInstanceId":   func(in *ssm.SendCommandInput) { in.InstanceIds = []string{"i-0bbbbbbbbbbbbbbbb"} },
		"DuplicateInstanceId": func(in *ssm.SendCommandInput) { in.InstanceIds = append(in.InstanceIds, in.InstanceIds[0]) },
		"ValidationException": func(in *ssm.SendCommandInput) { in.TimeoutSeconds = aws.Int32(29) },
		unsimulated: func(in *ssm.SendCommandInput) {
			in.Targets = []types.Target{{Key: aws.String("tag:Role"), Values: []string{"app"}}}
		},
	} {
		_, err := b.send("web-1", "# signalbox:flush", change)
		b.refused(err, code)
	}
}

func TestAgentsAreListed(t *testing.T) {
	b := newBench(t, Demo(), nil)
	b.must(b.sim.SetHost(b.id("web-1"), func(h *Host) { h.Unreachable = true }))
	pages := ssm.NewDescribeInstanceInformationPaginator(b.ssm, &ssm.DescribeInstanceInformationInput{MaxResults: aws.Int32(10)})
	states := map[types.PingStatus]int{}
	for pages.HasMorePages() {
		for _, i := range ok[*ssm.DescribeInstanceInformationOutput](b)(pages.NextPage(b.ctx)).InstanceInformationList {
			states[i.PingStatus]++
		}
	}
	equal(b, "online", states[types.PingStatusOnline], 16)
	equal(b, "lost", states[types.PingStatusConnectionLost], 1)
	out := ok[*ssm.DescribeInstanceInformationOutput](b)(b.ssm.DescribeInstanceInformation(b.ctx, &ssm.DescribeInstanceInformationInput{
		Filters: []types.InstanceInformationStringFilter{{Key: aws.String("InstanceIds"), Values: []string{b.id("web-1")}}},
	}))
	lost := out.InstanceInformationList[0]
	equal(b, "status", lost.PingStatus, types.PingStatusConnectionLost)
	equal(b, "last heard of", aws.ToTime(lost.LastPingDateTime), b.clock.Now())
}

func TestTheAppStopsAndStarts(t *testing.T) {
	b := newBench(t, Demo(), nil)
	b.run("web-1", "# signalbox:stop app")
	b.clock.pass(ClosingTime - ScriptTime)
	equal(b, "connections", b.run("web-1", "# signalbox:connections 8080"), "0\n")
	equal(b, "unit", b.view("web-1").Unit, "stopped")
	b.run("web-1", "# signalbox:start app")
	equal(b, "connections", b.run("web-1", "# signalbox:connections 8080"), "42\n")
	equal(b, "unit", b.view("web-1").Unit, "running")
}

type logs struct {
	Fluentd struct {
		Plugins []struct {
			Total   *int64 `json:"buffer_total_queued_size"`
			Queue   int64  `json:"buffer_queue_length"`
			Stage   int64  `json:"buffer_stage_length"`
			Retries int64  `json:"retry_count"`
			Emits   int64  `json:"emit_count"`
		} `json:"plugins"`
	} `json:"fluentd"`
	Files   []logFile `json:"files"`
	GivenUp int       `json:"given_up"`
}

func (b *bench) logs(name string) logs {
	b.Helper()
	text := b.run(name, "# signalbox:logs")
	var out logs
	if strings.Count(text, "\n") != 1 || json.Unmarshal([]byte(text), &out) != nil {
		b.Fatalf("not one line of JSON: %s", text)
	}
	return out
}

func (b *bench) logState(name string) string {
	b.Helper()
	l := b.logs(name)
	p := l.Fluentd.Plugins[0]
	return fmt.Sprintf("total %d, staged %d, queued %d, files %d", *p.Total, p.Stage, p.Queue, len(l.Files))
}

// patient is the demo with a group that does not replace a member whose app stops.
func patient() Fleet {
	f := Demo()
	f.In[0].Groups[0].HealthCheck = "EC2"
	return f
}

func TestTheLogBufferEmptiesWhenTheAppHasStopped(t *testing.T) {
	b := newBench(t, patient(), nil)
	full := "total 3145728, staged 3, queued 0, files 3"
	equal(b, "before", b.logState("web-1"), full)
	b.run("web-1", "# signalbox:flush")
	equal(b, "a flush with the app running", b.logState("web-1"), full)
	b.run("web-1", "# signalbox:stop app")
	b.clock.pass(time.Minute)
	equal(b, "without a flush", b.logState("web-1"), full)
	emits := b.logs("web-1").Fluentd.Plugins[0].Emits
	b.run("web-1", "# signalbox:flush")
	equal(b, "on the way", b.logState("web-1"), "total 1048576, staged 0, queued 1, files 1")
	b.clock.pass(time.Minute)
	equal(b, "empty", b.logState("web-1"), "total 0, staged 0, queued 0, files 0")
	equal(b, "emits", b.logs("web-1").Fluentd.Plugins[0].Emits, emits)
	b.run("web-1", "# signalbox:start app")
	equal(b, "started again", b.logState("web-1"), full)
}

func TestALogBufferThatIsStuck(t *testing.T) {
	b := newBench(t, patient(), nil)
	b.must(b.sim.SetHost(b.id("web-1"), func(h *Host) { h.Stuck = true }))
	b.run("web-1", "# signalbox:stop app")
	b.run("web-1", "# signalbox:flush")
	b.clock.pass(time.Hour)
	equal(b, "stuck", b.logState("web-1"), "total 3145728, staged 0, queued 3, files 3")
	if n := b.logs("web-1").Fluentd.Plugins[0].Retries; n < 300 {
		b.Errorf("%d retries in an hour", n)
	}
	b.must(b.sim.SetHost(b.id("web-1"), func(h *Host) { h.LogsBroken = "connection refused" }))
	equal(b, "broken", b.run("web-1", "# signalbox:logs"), "connection refused\n")
}
