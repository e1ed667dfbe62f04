package serverspec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/proc"
)

// The acts of the tool.
const (
	actList = "list" // prints which examples there are
	actRun  = "run"  // runs them
)

// errorMark stands before what went wrong.
const errorMark = "Error: "

// codeCut is the exit code of tests that were interrupted.
const codeCut = 130

// report is what RSpec's JSON formatter writes.
type report struct {
	Version  string    `json:"version"`
	Messages []string  `json:"messages,omitempty"` // of what went wrong outside of examples
	Examples []example `json:"examples"`
	Summary  struct {
		Failed  int `json:"failure_count"`
		Pending int `json:"pending_count"`
		Outside int `json:"errors_outside_of_examples_count"`
	} `json:"summary"`
}

type example struct {
	ID        string `json:"id"`
	Text      string `json:"full_description"`
	Status    string `json:"status"` // "passed", "failed", "pending"
	File      string `json:"file_path"`
	Line      int    `json:"line_number"`
	Exception struct {
		Message string `json:"message"`
	} `json:"exception,omitzero"`
}

// name is what people know it by. What it expects has no words before it was run.
func (e example) name() string {
	return fmt.Sprintf("%s (%s:%d)", strings.TrimSpace(e.Text), strings.TrimPrefix(e.File, "./"), e.Line)
}

// Main is the process between the step shim and RSpec: "list" or "run", --work= and the work
// folder, "--", and a call of RSpec. What RSpec prints goes to errOut; the report of a list
// goes to out, and the counts of a run into the work folder. It returns the exit code.
func Main(args []string, out, errOut io.Writer) int {
	code, err := do(args, out, errOut)
	if err != nil {
		fmt.Fprintln(errOut, errorMark+err.Error())
		return max(code, 1)
	}
	return code
}

func do(args []string, out, errOut io.Writer) (int, error) {
	if len(args) < 4 || args[0] != actList && args[0] != actRun || !strings.HasPrefix(args[1], "--work=") || args[2] != "--" {
		return 0, errors.New("want list or run, --work=, -- and a call of RSpec; signalbox calls this itself")
	}
	dir, err := os.Getwd()
	if err != nil {
		return 0, err
	}
	options := []string{"--no-color", "--format", "json", "--out", "/dev/fd/3"}
	if args[0] == actList {
		options = append(options, "--dry-run")
	} else {
		options = append([]string{"--format", "progress"}, options...)
	}
	cut := make(chan os.Signal, 1)
	signal.Notify(cut, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(cut)
	var told bytes.Buffer
	code, err := proc.Inner{Argv: slices.Concat(args[3:], options), Env: os.Environ(), Dir: dir, Out: errOut, Events: &told}.Run()
	if err != nil {
		return 0, fmt.Errorf("run %s: %w", args[3], err)
	}
	if len(cut) > 0 { // RSpec may end with 0 then, whatever it has left out
		return codeCut, errors.New("it was interrupted before all examples were run")
	}
	var r report
	if err := json.Unmarshal(told.Bytes(), &r); err != nil {
		return code, fmt.Errorf("%s ended with %d and did not tell what came of it", args[3], code)
	}
	if args[0] == actRun {
		t := integrations.Tests{Examples: len(r.Examples), Failed: r.Summary.Failed, Pending: r.Summary.Pending}
		if err := (integrations.Run{Work: strings.TrimPrefix(args[1], "--work=")}).PutTests(t); err != nil {
			return code, err
		}
	}
	switch {
	case r.wrong() != nil:
		return code, r.wrong()
	case code != 0:
		return code, fmt.Errorf("%s ended with %d", args[3], code)
	case args[0] == actList:
		return 0, json.NewEncoder(out).Encode(r)
	}
	return 0, nil
}

// most is how many failures are told.
const most = 20

// wrong is why a report is none of tests that pass.
func (r report) wrong() error {
	if r.Summary.Outside > 0 {
		return errors.New(strings.TrimSpace(strings.Join(r.Messages, "\n")))
	}
	if len(r.Examples) == 0 {
		return errors.New("there is no example, so that nothing was tested; compare dir and files with where the specs are")
	}
	if r.Summary.Failed == 0 {
		return nil
	}
	lines := []string{fmt.Sprintf("%d of %s failed:", r.Summary.Failed, plural(len(r.Examples), "example"))}
	for _, e := range r.Examples {
		if e.Status == "failed" {
			lines = append(lines, "  "+e.name()+": "+strings.Join(strings.Fields(e.Exception.Message), " "))
		}
	}
	if more := len(lines) - 1 - most; more > 0 {
		lines = append(lines[:most+1], fmt.Sprintf("  … and %d more", more))
	}
	return errors.New(strings.Join(lines, "\n"))
}
