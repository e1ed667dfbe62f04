package aws_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/aws"
	"github.com/signalbox-chatops/signalbox/integrations/aws/awssim"
)

func (w *world) start(script string, limit time.Duration) string {
	w.Helper()
	command, err := w.fleet.Start(w.Context(), home, lone, script, limit)
	w.ok(err)
	return command
}

func (w *world) result(command string) integrations.CommandResult {
	w.Helper()
	got, err := w.fleet.Result(w.Context(), home, lone, command)
	w.ok(err)
	return got
}

func TestACommandThatRuns(t *testing.T) {
	w := newWorld(t)
	w.ok(w.sim.SetHost(lone, func(h *awssim.Host) { h.Connections = 42 }))
	command := w.start("# signalbox:connections 80", time.Minute)
	if got := w.result(command); got.State != integrations.CommandRunning || got.Why == "" { // it is not shown yet
		t.Errorf("got %+v", got)
	}
	if got := w.result(command); got != (integrations.CommandResult{State: integrations.CommandRunning}) {
		t.Errorf("got %+v", got)
	}
	w.pass(10 * time.Second)
	if diff := cmp.Diff(integrations.CommandResult{State: integrations.CommandDone, Output: "42\n"}, w.result(command)); diff != "" {
		t.Error(diff)
	}
	command = w.start("no such command", time.Minute)
	w.pass(10 * time.Second)
	w.result(command)
	if diff := cmp.Diff(integrations.CommandResult{State: integrations.CommandDone, Exit: 127}, w.result(command)); diff != "" {
		t.Error(diff)
	}
}

// What was not delivered, or was cut off, may have run or not.
func TestACommandThatNobodyCanTellOf(t *testing.T) {
	for _, tt := range []struct {
		name, why string
		host      func(h *awssim.Host)
		limit     time.Duration
		after     time.Duration
	}{
		{"it does not get there", "DeliveryTimedOut", func(h *awssim.Host) { h.Unreachable = true }, time.Hour, 61 * time.Second},
		{"it takes too long", "ExecutionTimedOut", func(h *awssim.Host) { h.Takes = time.Hour }, 30 * time.Second, 40 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.ok(w.sim.SetHost(lone, tt.host))
			command := w.start("# signalbox:flush", tt.limit)
			w.result(command)
			w.pass(20 * time.Second)
			if got := w.result(command); got.State != integrations.CommandRunning {
				t.Errorf("after 20s it is %+v", got)
			}
			w.pass(tt.after - 20*time.Second)
			if diff := cmp.Diff(integrations.CommandResult{State: integrations.CommandUnknown, Why: "Systems Manager says " + tt.why}, w.result(command)); diff != "" {
				t.Error(diff)
			}
		})
	}
	w := newWorld(t)
	command := w.start("# signalbox:flush", time.Minute)
	w.ok(w.sim.Kill(lone))
	w.result(command)
	w.pass(time.Minute)
	if got := w.result(command); got.State != integrations.CommandUnknown || !strings.Contains(got.Why, "Undeliverable") {
		t.Errorf("got %+v", got)
	}
}

// A command that Systems Manager does not know is on its way for two minutes: after a
// restart, from when it is first asked for.
func TestACommandThatIsNotKnown(t *testing.T) {
	w := newWorld(t)
	const unknown = "00000000-0000-4000-8000-00000000ffff"
	again, err := aws.New(config(w.url), aws.Options{Clock: w.clock})
	w.ok(err)
	for _, tt := range []struct {
		after time.Duration
		want  string
	}{{0, integrations.CommandRunning}, {119 * time.Second, integrations.CommandRunning}, {time.Second, integrations.CommandUnknown}} {
		w.pass(tt.after)
		if got := w.result(unknown); got.State != tt.want {
			t.Errorf("after %v more it is %+v", tt.after, got)
		}
	}
	got, err := again.Result(t.Context(), home, lone, unknown)
	w.ok(err)
	if got.State != integrations.CommandRunning {
		t.Errorf("another process asks for the first time, and it is %+v", got)
	}
	w.pass(2 * time.Hour) // other commands have taken its place
	w.start("true", time.Minute)
	if got := w.result(unknown); got.State != integrations.CommandRunning {
		t.Errorf("it was remembered for two hours: %+v", got)
	}
}

func TestStartOnWhatTakesNoCommands(t *testing.T) {
	w := newWorld(t)
	_, err := w.fleet.Start(t.Context(), home, nothing, "true", time.Minute)
	w.refused(err, "")
	if !strings.HasPrefix(err.Error(), "aws run a script on "+nothing+": InvalidInstanceId: ") {
		t.Errorf("got %q", err)
	}
	_, err = w.fleet.Start(t.Context(), home, lone, "true", 0)
	w.refused(err, "aws run a script on "+lone+": its limit is 0s; want one of up to 48h0m0s")
	_, err = w.fleet.Result(t.Context(), home, lone, "x")
	w.refused(err, "")
}
