package proc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// spareDir stands where a shim's folder does, for one that is told its folder later.
const spareDir = "-"

// Spares starts steps as Start does, and can keep one shim at the ready, so that
// a step need not wait for a process to come up: most of what a short step costs.
// A spare knows nothing and holds nothing until it is given a step; it ends with
// the process that made it. The zero value but for Self is ready for use.
type Spares struct {
	// Self is the argument prefix that re-execs our binary.
	Self []string

	mu    sync.Mutex
	spare *spare
}

// spare is a shim that waits for a step, and the pipe by which it comes.
type spare struct {
	pid  int
	pipe *os.File
}

// Ready makes sure that there is a spare. Without one Start takes a little
// longer, so that nothing comes of a failure here.
func (s *Spares) Ready() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.spare != nil || len(s.Self) == 0 {
		return
	}
	if pid, w, err := spawn(s.Self, spareDir, "/", nil); err == nil {
		s.spare = &spare{pid, w}
	}
}

// Release ends the spare, if there is one.
func (s *Spares) Release() {
	if sp := s.take(); sp != nil {
		sp.pipe.Close()
	}
}

func (s *Spares) take() *spare {
	s.mu.Lock()
	defer s.mu.Unlock()
	sp := s.spare
	s.spare = nil
	return sp
}

// Start is Start, with the spare if there is one.
func (s *Spares) Start(ctx context.Context, stepdir string, spec Spec, secrets Secrets) error {
	sp := s.take()
	if sp == nil {
		return Start(ctx, s.Self, stepdir, spec, secrets)
	}
	defer sp.pipe.Close()
	return begin(ctx, s.Self, stepdir, spec, func(stepdir string) error {
		hidden, err := pack(stepdir, secrets)
		if err != nil {
			return err
		}
		if err := handOver(sp.pipe, hidden, stepdir, sp.pid); err == nil || errors.Is(err, ErrStarted) {
			return err
		}
		// The spare had died. Were it alive all the same, one of the two gives up.
		return launch(s.Self, stepdir, secrets)
	})
}

// spawn starts a shim and returns the writing end of its pipe.
func spawn(self []string, arg, dir string, log *os.File) (pid int, w *os.File, err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return 0, nil, err
	}
	defer r.Close()
	cmd := exec.Command(self[0], append(append([]string{}, self[1:]...), arg)...)
	cmd.Dir = dir
	cmd.Env = []string{"GOTRACEBACK=none"}
	if log != nil {
		cmd.Stdout, cmd.Stderr = log, log
	}
	cmd.ExtraFiles = []*os.File{r}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		w.Close()
		return 0, nil, err
	}
	go cmd.Wait()
	return cmd.Process.Pid, w, nil
}

// moveIn makes a spare what a shim started for the folder is.
func moveIn(stepdir string) error {
	if !filepath.IsAbs(stepdir) {
		return fmt.Errorf("a spare was given no folder but %q", stepdir)
	}
	log, err := os.OpenFile(filepath.Join(stepdir, shimFile), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	for fd := 1; fd <= 2; fd++ {
		if err := unix.Dup3(int(log.Fd()), fd, 0); err != nil {
			return err
		}
	}
	return os.Chdir(stepdir)
}
