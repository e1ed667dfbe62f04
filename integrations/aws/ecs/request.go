package ecs

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Request is what the two processes of a step hand each other: the bot's, and that of
// the tool, our own binary. It holds no secret.
type Request struct {
	Order
	// Via is how AWS is reached; the package above knows what stands in it.
	Via json.RawMessage `json:"via"`
	// Tags are those of the images of the commit, the best first.
	Tags []string `json:"tags,omitempty"`
	// Run tells what is registered apart from everything else; SHA is for people.
	Run string `json:"run,omitempty"`
	SHA string `json:"sha,omitempty"`
	// To is the revision to go back to.
	To string `json:"to,omitempty"`
	// Dir holds the plan, and what came of it.
	Dir string `json:"dir,omitempty"`
}

const (
	planFile    = "ecs-plan.json"
	recordFile  = "ecs-record.json"
	outcomeFile = "ecs-outcome.json"
)

// planned is a plan.
type planned struct {
	Base   string `json:"base"`  // the ARN of the task definition that runs
	Image  string `json:"image"` // that its container runs
	New    string `json:"new"`   // that it is to run, by its digest
	Tag    string `json:"tag"`
	Digest string `json:"digest"`
	Tasks  int    `json:"tasks"`
	// Least and Most are the percents of them that run while they are replaced.
	Least int32    `json:"least"`
	Most  int32    `json:"most"`
	Notes []string `json:"notes,omitempty"`
}

func (p planned) empty() bool { return p.Image == p.New }

// record is what was done, each part written right after it was.
type record struct {
	Base       string `json:"base"`       // the ARN that ran before
	Before     string `json:"before"`     // the id of the deployment that was wanted before
	Definition string `json:"definition"` // the ARN that is to run
	Deployment string `json:"deployment"` // the id that ECS gave it
}

// The outcomes of an apply.
const (
	outcomeDone    = "done"
	outcomeFailed  = "failed"  // for good, whatever it says of a roll-back
	outcomeStopped = "stopped" // a person did not want to wait
	outcomeUnknown = "unknown" // ECS may go on
)

// outcome is how an apply came out, in words for people.
type outcome struct {
	State string `json:"state"`
	Why   string `json:"why"`
}

// codeUnknown is the exit code that goes with outcomeUnknown.
const codeUnknown = 3

// writeJSON replaces a file whole, and it is on disk when it returns.
func writeJSON(dir, name string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "."+name)
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(b)
	if err := errors.Join(err, f.Sync(), f.Chmod(0o644), f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return os.Rename(f.Name(), filepath.Join(dir, name))
}

// readJSON reads one; there is nothing in v where there is no file.
func readJSON(dir, name string, v any) error {
	b, err := os.ReadFile(filepath.Join(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	return nil
}
