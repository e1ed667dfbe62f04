package proc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// handshake is how long a shim may take to write down who it is.
const handshake = 30 * time.Second

// Start starts the shim for a step and returns once it has written down who it
// is; the command then runs whatever happens to this process, and ctx does not
// reach it. self is the argument prefix that re-execs our binary, as in
// {"/proc/self/exe", "step"}; the step's folder is added to it. ErrStarted is
// returned for a folder that was used before.
//
// A goroutine of the process reaps the shim when it ends; it holds nothing and
// outlives nothing but the shim.
func Start(ctx context.Context, self []string, stepdir string, spec Spec, secrets Secrets) error {
	return begin(ctx, self, stepdir, spec, func(stepdir string) error { return launch(self, stepdir, secrets) })
}

// begin prepares a step's folder and starts its shim with launch.
func begin(ctx context.Context, self []string, stepdir string, spec Spec, launch func(stepdir string) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(self) == 0 || len(spec.Argv) == 0 {
		return fmt.Errorf("start step %s: no command", stepdir)
	}
	stepdir, err := filepath.Abs(stepdir)
	if err == nil {
		err = prepare(stepdir, spec)
	}
	if err == nil {
		err = launch(stepdir)
	}
	if err != nil {
		return fmt.Errorf("start step %s: %w", stepdir, err)
	}
	return nil
}

func prepare(stepdir string, spec Spec) error {
	if err := os.MkdirAll(stepdir, 0o700); err != nil {
		return err
	}
	if _, err := os.Lstat(filepath.Join(stepdir, pidFile)); err == nil {
		return ErrStarted
	}
	b, err := json.Marshal(spec)
	if err != nil {
		return err
	}
	tmp := filepath.Join(stepdir, "."+specFile)
	if err := os.WriteFile(tmp, b, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, filepath.Join(stepdir, specFile))
}

// handed is what goes to a shim by its pipe.
type handed struct {
	Dir string `json:"dir"`
	Secrets
}

func pack(stepdir string, secrets Secrets) ([]byte, error) {
	return json.Marshal(handed{stepdir, secrets})
}

func launch(self []string, stepdir string, secrets Secrets) error {
	hidden, err := pack(stepdir, secrets)
	if err != nil {
		return err
	}
	shimLog, err := os.OpenFile(filepath.Join(stepdir, shimFile), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer shimLog.Close()
	pid, w, err := spawn(self, stepdir, stepdir, shimLog)
	if err != nil {
		return err
	}
	defer w.Close()
	return handOver(w, hidden, stepdir, pid)
}

// handOver gives the secrets to the shim and waits until it has closed its end
// of the pipe, which it does when its identity is on disk.
func handOver(w *os.File, hidden []byte, stepdir string, pid int) error {
	if err := w.SetWriteDeadline(time.Now().Add(handshake)); err != nil {
		return err
	}
	_, writeErr := w.Write(hidden)
	if writeErr == nil {
		raw, err := w.SyscallConn()
		if err != nil {
			return err
		}
		var waitErr error
		if err := raw.Control(func(fd uintptr) { waitErr = readerGone(fd, handshake) }); err != nil {
			return err
		}
		if waitErr != nil { // a disk that hangs: it starts now or never
			if err := Void(stepdir); err == nil {
				return fmt.Errorf("wait for the shim: %w", waitErr)
			}
		}
	}
	id, err := readIdentity(stepdir)
	switch {
	case err == nil && id.PID == pid:
		return nil
	case err == nil:
		return ErrStarted
	case errors.Is(err, ErrNotStarted):
		return fmt.Errorf("the shim gave up: %s", complaint(stepdir, writeErr))
	}
	return err
}

// complaint is what the shim said last.
func complaint(stepdir string, otherwise error) string {
	b, err := os.ReadFile(filepath.Join(stepdir, shimFile))
	if b = bytes.TrimSpace(b); err != nil || len(b) == 0 {
		return fmt.Sprintf("it said nothing (%v)", errors.Join(err, otherwise))
	}
	return string(b[max(0, len(b)-1000):])
}
