package proc

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"
)

// Inner is a command that one of our own tools, itself under the shim, runs in its turn:
// in the same process group, so that whatever ends the step ends it too.
type Inner struct {
	Argv []string
	Env  []string
	Dir  string
	// Out gets both of its outputs.
	Out io.Writer
	// In is read by it from descriptors of its own, the first of which is 3. What is in
	// them passes by a pipe alone.
	In []string
	// Events gets what it writes to the descriptor after those; nil is none.
	Events io.Writer
}

// outlives is how long what it left behind may keep its outputs open.
const outlives = 2 * time.Second

// Run runs it to its end and returns its exit code, 128 and the signal's number where one
// ended it. An interrupt of the process group reaches it by itself, and only ends us
// through it. The error says why it could not be started, or why something that it said
// was not taken.
func (i Inner) Run() (code int, err error) {
	ignored := make(chan os.Signal, 16)
	signal.Notify(ignored, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	defer signal.Stop(ignored)
	path, err := lookPath(i.Argv[0], i.Env)
	if err != nil {
		return -1, err
	}
	cmd := &exec.Cmd{Path: path, Args: i.Argv, Env: i.Env, Dir: i.Dir, Stdout: i.Out, Stderr: i.Out, WaitDelay: outlives}
	var here, there []*os.File // the ends of its pipes
	defer func() {
		for _, f := range append(here, there...) {
			f.Close()
		}
	}()
	pipe := func() (r, w *os.File, err error) {
		if r, w, err = os.Pipe(); err != nil {
			err = fmt.Errorf("make a pipe for %s: %w", i.Argv[0], err)
		}
		return r, w, err
	}
	for _, text := range i.In {
		r, w, err := pipe()
		if err != nil {
			return -1, err
		}
		here, there = append(here, w), append(there, r)
		go func() { // ends with the pipe
			io.WriteString(w, text)
			w.Close()
		}()
	}
	heard := make(chan error, 1)
	var events *os.File
	if i.Events != nil {
		r, w, err := pipe()
		if err != nil {
			return -1, err
		}
		events, here, there = r, append(here, r), append(there, w)
		go func() {
			_, err := io.Copy(i.Events, r)
			heard <- err
		}()
	}
	cmd.ExtraFiles = there
	if err := cmd.Start(); err != nil {
		return -1, err
	}
	for _, f := range there {
		f.Close()
	}
	err = cmd.Wait()
	var ended *exec.ExitError
	if errors.As(err, &ended) || errors.Is(err, exec.ErrWaitDelay) {
		err = nil
	}
	if events != nil {
		events.SetReadDeadline(time.Now().Add(outlives))
		if said := <-heard; said != nil && !errors.Is(said, os.ErrDeadlineExceeded) {
			err = errors.Join(err, said)
		}
	}
	if ws, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal()), err
	}
	return cmd.ProcessState.ExitCode(), err
}
