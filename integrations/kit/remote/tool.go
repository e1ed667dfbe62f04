package remote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// The acts of the tool.
const (
	ActSee   = "see"   // prints how the newest run of the step stands: Seen
	ActPlan  = "plan"  // has a run plan, follows it and prints its text: Seen
	ActApply = "apply" // starts a run, or adopts one, and follows it to its end
	ActFind  = "find"  // follows what a killed apply began, and prints how it ended: Outcome
	ActProbe = "probe" // prints how that stands now: Left
)

const (
	// ErrorMark begins what the tool says last where it did not go well.
	ErrorMark = "Error: "
	// codeUnknown is the exit code that goes with Unknown.
	codeUnknown = 3
	// endWait is for how long the end of a run that was cancelled is waited for; the
	// shim kills a command that was interrupted after ten minutes.
	endWait = 5 * time.Minute
)

// Tool has an engine run a step. It can be killed between any two calls and started
// again.
type Tool struct {
	e        Engine
	out, log io.Writer
	q        Request
	file     string // of the record
}

// NewTool makes one. What a run prints goes to log.
func NewTool(e Engine, out, log io.Writer) *Tool { return &Tool{e: e, out: out, log: log} }

// Main is the process of the tool: its arguments are an act and a request, from which
// dial makes the engine. It returns the exit code. SIGINT cancels the run.
func Main(args []string, out, errOut io.Writer, dial func(q Request) (Engine, error)) int {
	fail := func(err error) int {
		fmt.Fprintln(errOut, ErrorMark+err.Error())
		return 2
	}
	if len(args) != 2 {
		return fail(errors.New("want an act and a request; signalbox calls this itself"))
	}
	var q Request
	if err := json.Unmarshal([]byte(args[1]), &q); err != nil {
		return fail(fmt.Errorf("read the request: %w", err))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	e, err := dial(q)
	if err != nil {
		return fail(err)
	}
	return NewTool(e, out, errOut).Do(ctx, args[0], q)
}

// Do does one act and returns the exit code. When ctx ends, the run is cancelled, and its
// end waited for.
func (t *Tool) Do(ctx context.Context, act string, q Request) int {
	t.q, t.file = q, applyFile
	if q.Plan {
		t.file = planFile
	}
	do, ok := map[string]func(context.Context) error{
		ActSee: t.see, ActPlan: t.plan, ActApply: t.apply, ActFind: t.find, ActProbe: t.probe,
	}[act]
	if !ok {
		fmt.Fprintf(t.log, "%sthere is no act %q\n", ErrorMark, act)
		return 2
	}
	err := do(ctx)
	if act == ActApply {
		return t.conclude(err)
	}
	if err != nil {
		fmt.Fprintln(t.log, ErrorMark+err.Error())
		return 1
	}
	return 0
}

// unsure is an error after which nobody knows whether something runs, or how it ended.
type unsure struct{ error }

// stopped is the end of a run, or of the way to one, that somebody wanted.
type stopped struct{ error }

// judge puts an error into an outcome.
func judge(err error) Outcome {
	var doubt unsure
	var wanted stopped
	switch {
	case err == nil:
		return Outcome{State: Done}
	case errors.As(err, &doubt):
		return Outcome{Unknown, err.Error()}
	case errors.As(err, &wanted):
		return Outcome{Stopped, err.Error()}
	}
	return Outcome{Broken, err.Error()}
}

// conclude writes down how an apply came out, for the bot, and says it, for people.
func (t *Tool) conclude(err error) int {
	o := judge(err)
	if bad := writeJSON(t.q.Dir, outcomeFile, o); bad != nil {
		fmt.Fprintln(t.log, ErrorMark+bad.Error())
		return codeUnknown
	}
	if o.State == Done {
		return 0
	}
	fmt.Fprintln(t.log, ErrorMark+o.Why)
	if o.State == Unknown {
		return codeUnknown
	}
	return 1
}

func (t *Tool) say(format string, args ...any) { fmt.Fprintf(t.log, format+"\n", args...) }

func (t *Tool) answer(v any) error { return json.NewEncoder(t.out).Encode(v) }

func (t *Tool) read() (r record, err error) { return r, readJSON(t.q.Dir, t.file, &r) }

func (t *Tool) write(r record) error { return writeJSON(t.q.Dir, t.file, r) }

// pause waits for the next look, or longer where that is asked for; it is false when ctx
// has ended.
func (t *Tool) pause(ctx context.Context, atLeast time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(max(t.q.Poll, atLeast)):
		return true
	}
}
