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
	// Limit of wall time, after which it is killed; 0 is none.
	Limit time.Duration
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
	var p pipes
	defer p.close()
	if err := p.open(i); err != nil {
		return -1, fmt.Errorf("make a pipe for %s: %w", i.Argv[0], err)
	}
	cmd := &exec.Cmd{Path: path, Args: i.Argv, Env: i.Env, Dir: i.Dir, Stdout: i.Out, Stderr: i.Out, WaitDelay: outlives, ExtraFiles: p.there}
	if err := cmd.Start(); err != nil {
		return -1, err
	}
	for _, f := range p.there {
		f.Close()
	}
	if i.Limit > 0 {
		defer time.AfterFunc(i.Limit, func() { _ = cmd.Process.Kill() }).Stop() // it may have ended
	}
	err = cmd.Wait()
	var ended *exec.ExitError
	if errors.As(err, &ended) || errors.Is(err, exec.ErrWaitDelay) {
		err = nil
	}
	err = errors.Join(err, p.wait())
	if ws, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal()), err
	}
	return cmd.ProcessState.ExitCode(), err
}

// pipes are those between us and an inner command besides its outputs.
type pipes struct {
	here, there []*os.File // their ends
	events      *os.File   // of those here; nil is none
	heard       chan error // what came of reading it
}

// open makes the pipes, and begins to write and read ours.
func (p *pipes) open(i Inner) error {
	for _, text := range i.In {
		r, w, err := os.Pipe()
		if err != nil {
			return err
		}
		p.here, p.there = append(p.here, w), append(p.there, r)
		go func() { // ends with the pipe
			io.WriteString(w, text)
			w.Close()
		}()
	}
	if i.Events == nil {
		return nil
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	p.events, p.here, p.there = r, append(p.here, r), append(p.there, w)
	p.heard = make(chan error, 1)
	go func() {
		_, err := io.Copy(i.Events, r)
		p.heard <- err
	}()
	return nil
}

// wait returns when all events are read; for whoever still holds their pipe open it does
// not wait for long.
func (p *pipes) wait() error {
	if p.events == nil {
		return nil
	}
	p.events.SetReadDeadline(time.Now().Add(outlives))
	if err := <-p.heard; err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	return nil
}

func (p *pipes) close() {
	for _, f := range append(p.here, p.there...) {
		f.Close()
	}
}
