package proc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
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
		err = launch(self, stepdir, secrets)
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

func launch(self []string, stepdir string, secrets Secrets) error {
	hidden, err := json.Marshal(secrets)
	if err != nil {
		return err
	}
	shimLog, err := os.OpenFile(filepath.Join(stepdir, shimFile), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer shimLog.Close()
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer w.Close()

	cmd := exec.Command(self[0], append(append([]string{}, self[1:]...), stepdir)...)
	cmd.Dir = stepdir
	cmd.Env = []string{"GOTRACEBACK=none"}
	cmd.Stdout, cmd.Stderr = shimLog, shimLog
	cmd.ExtraFiles = []*os.File{r}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	r.Close()
	if err != nil {
		return err
	}
	pid := cmd.Process.Pid
	go cmd.Wait()
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
