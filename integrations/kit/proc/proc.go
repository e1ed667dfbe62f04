// Package proc runs one command under a shim: a re-exec of our own binary, in
// a session of its own, that outlives the bot.
//
// It is part of the kit. The shim drains the command's output, redacts it,
// writes it to a log with a size cap, and at the end leaves a synced exit file.
// It never depends on the bot being alive, because a tool that writes to a pipe
// whose reader died gets SIGPIPE in the middle of its work. A bot that was
// restarted finds the shim again by process id, start time and boot id.
//
// All that is known of a step stands in its folder:
//
//	spec.json   what to run; written by Start
//	pid.json    who runs it; written and synced by the shim before the command
//	            starts, exactly once: a second shim in the same folder gives up
//	log         the redacted output from its beginning
//	log.<n>     its end, once it is larger than its cap; n is where it begins
//	out         standard output as it came, when Spec.Capture is set
//	exit.json   how it ended; written and synced by the shim
//	shim.log    what the shim itself had to complain of
//
// Secrets reach the shim by an inherited descriptor, never by arguments, by its
// environment or by the disk. Linux is what it is made for.
package proc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

const (
	specFile = "spec.json"
	pidFile  = "pid.json"
	exitFile = "exit.json"
	logFile  = "log"
	outFile  = "out"
	shimFile = "shim.log"
)

// Spec is what to run. It is written to disk and must hold no secret.
type Spec struct {
	Argv []string `json:"argv"`
	Dir  string   `json:"dir"`
	// Env is the whole environment but for the secrets.
	Env []string `json:"env,omitempty"`
	// Repeatable says that the command may be run again when the machine itself
	// went down: then nothing of the step is synced to disk. A process that dies,
	// ours or the shim, loses nothing either way.
	Repeatable bool `json:"repeatable,omitempty"`
	// Timeout of wall time, after which the command is interrupted; 0 is none.
	Timeout time.Duration `json:"timeout,omitempty"`
	// Grace is how long a command that timed out may take to stop before it is
	// killed; 0 is ten minutes.
	Grace time.Duration `json:"grace,omitempty"`
	// LogCap bounds the log in bytes, half for its head and half for its tail;
	// 0 is 8 MiB.
	LogCap int64 `json:"log_cap,omitempty"`
	// Capture keeps standard output, unredacted, in a file readable by the bot
	// alone instead of in the log.
	Capture bool `json:"capture,omitempty"`
	// Tee writes what is captured to the log as well.
	Tee bool `json:"tee,omitempty"`
	// OutCap bounds that file in bytes; 0 is 256 MiB.
	OutCap int64 `json:"out_cap,omitempty"`
	// RunAs is the user to run as; nil is the bot's own.
	RunAs *User `json:"run_as,omitempty"`
	// Own lists folders given to RunAs, with all that is in them, beforehand.
	Own []string `json:"own,omitempty"`
}

// User is who a command runs as.
type User struct {
	UID    uint32   `json:"uid"`
	GID    uint32   `json:"gid"`
	Groups []uint32 `json:"groups,omitempty"`
}

// Secrets go to the shim by an inherited descriptor.
type Secrets struct {
	// Env is added to the command's environment, and its values are redacted.
	Env map[string]string `json:"env,omitempty"`
	// Redact lists further values that must not be shown.
	Redact []string `json:"redact,omitempty"`
}

// Exit is how a command ended.
type Exit struct {
	// Code is the exit code; -1 when a signal ended it or it never started.
	Code int `json:"code"`
	// Signal is the name of the signal that ended it.
	Signal string `json:"signal,omitempty"`
	// Started is zero when the command never started.
	Started time.Time `json:"started,omitzero"`
	Ended   time.Time `json:"ended"`
	// Interrupted says that Interrupt was called while it ran.
	Interrupted bool `json:"interrupted,omitempty"`
	// TimedOut says that it ran longer than Spec.Timeout.
	TimedOut bool `json:"timed_out,omitempty"`
	// Err says, in the system's words, why it could not be started.
	Err string `json:"err,omitempty"`
	// LogErr says why a part of the log is missing.
	LogErr string `json:"log_err,omitempty"`
	// OutCut says that the captured output was longer than Spec.OutCap.
	OutCut bool `json:"out_cut,omitempty"`
}

// State is what can be told about a step from its folder.
type State string

// The states of a step.
const (
	Absent     State = "absent"      // there is no such step
	NotStarted State = "not started" // its command never ran
	Running    State = "running"
	Exited     State = "exited" // its exit is known
	Lost       State = "lost"   // it was started, is gone, and left no exit
)

// ErrLost says that a step was started and is gone without an exit file:
// nobody can tell how far it came.
var ErrLost = errors.New("step lost: it was started and left no exit file")

// ErrStarted says that a step's folder was used before.
var ErrStarted = errors.New("step was started before")

// ErrNotStarted says that a step's command never ran.
var ErrNotStarted = errors.New("step was never started")

// identity names one process among all that ever ran.
type identity struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"` // in clock ticks since boot
	Boot  string `json:"boot"`
	// Void says that no process ever will: the bot claimed the folder.
	Void bool `json:"void,omitempty"`
}

// readJSON reads a file of a step's folder. One that holds nothing was never
// synced before the machine went down, and counts as not there.
func readJSON(path string, into any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if len(bytes.Trim(b, "\x00")) == 0 {
		return &os.PathError{Op: "read", Path: path, Err: os.ErrNotExist}
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	return nil
}

// claim writes the identity into the folder unless one is there, synced if asked.
func claim(stepdir string, id identity, sync bool) error {
	b, err := json.Marshal(id)
	if err != nil {
		return err
	}
	tmp := filepath.Join(stepdir, fmt.Sprintf(".%s.%d", pidFile, os.Getpid()))
	if err := write(tmp, b, sync); err != nil {
		return err
	}
	defer os.Remove(tmp)
	if err := os.Link(tmp, filepath.Join(stepdir, pidFile)); err != nil {
		if errors.Is(err, os.ErrExist) {
			return ErrStarted
		}
		return err
	}
	if !sync {
		return nil
	}
	return syncDir(stepdir)
}

func write(path string, b []byte, sync bool) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if _, err = f.Write(b); err == nil && sync {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
