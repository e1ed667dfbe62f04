package proc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Status tells how a step stands. Exit is meaningful when the state is Exited.
// It reads the exit file again after it has seen the shim gone, so that a step
// that ends in between is not taken for lost.
func Status(stepdir string) (State, Exit, error) {
	var exit Exit
	err := readJSON(filepath.Join(stepdir, exitFile), &exit)
	if err == nil {
		return Exited, exit, nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return "", Exit{}, fmt.Errorf("status of step %s: %w", stepdir, err)
	}
	id, err := readIdentity(stepdir)
	if errors.Is(err, ErrNotStarted) {
		if _, err := os.Stat(filepath.Join(stepdir, specFile)); errors.Is(err, os.ErrNotExist) {
			return Absent, Exit{}, nil
		}
		return NotStarted, Exit{}, nil
	}
	if err != nil {
		return "", Exit{}, err
	}
	ok, err := id.alive()
	if err != nil {
		return "", Exit{}, fmt.Errorf("status of step %s: %w", stepdir, err)
	}
	if ok {
		return Running, Exit{}, nil
	}
	err = readJSON(filepath.Join(stepdir, exitFile), &exit)
	switch {
	case err == nil:
		return Exited, exit, nil
	case errors.Is(err, os.ErrNotExist):
		return Lost, Exit{}, nil
	}
	return "", Exit{}, fmt.Errorf("status of step %s: %w", stepdir, err)
}

func readIdentity(stepdir string) (identity, error) {
	var id identity
	err := readJSON(filepath.Join(stepdir, pidFile), &id)
	if errors.Is(err, os.ErrNotExist) || err == nil && id.Void {
		return identity{}, fmt.Errorf("step %s: %w", stepdir, ErrNotStarted)
	}
	if err != nil {
		return identity{}, fmt.Errorf("status of step %s: %w", stepdir, err)
	}
	return id, nil
}

// Void makes sure that a step which has not started never will, even if a shim
// of a bot that died is still on its way. It returns ErrStarted when one was
// faster; ask Status then.
func Void(stepdir string) error {
	if err := os.MkdirAll(stepdir, 0o700); err != nil {
		return fmt.Errorf("void step %s: %w", stepdir, err)
	}
	err := claim(stepdir, identity{Void: true}, true)
	if errors.Is(err, ErrStarted) {
		if _, err := readIdentity(stepdir); errors.Is(err, ErrNotStarted) {
			return nil // it was void already
		}
	}
	if err != nil {
		return fmt.Errorf("void step %s: %w", stepdir, err)
	}
	return nil
}

// Wait returns the exit of a step as soon as it is there, whoever started it.
// Errors: ctx's, ErrLost, ErrNotStarted.
func Wait(ctx context.Context, stepdir string) (Exit, error) {
	for {
		state, exit, err := Status(stepdir)
		if err != nil {
			return Exit{}, err
		}
		switch state {
		case Exited:
			return exit, nil
		case Lost:
			return Exit{}, fmt.Errorf("step %s: %w", stepdir, ErrLost)
		case Absent, NotStarted:
			return Exit{}, fmt.Errorf("step %s: %w", stepdir, ErrNotStarted)
		}
		id, err := readIdentity(stepdir)
		if err != nil {
			return Exit{}, err
		}
		if err := id.wait(ctx); err != nil {
			return Exit{}, err
		}
	}
}

// Interrupt asks a running step to stop: its command's process group gets
// SIGINT, once however often this is called. A step that has ended is left
// alone.
func Interrupt(stepdir string) error {
	id, err := readIdentity(stepdir)
	if err != nil {
		return err
	}
	if err := id.signal(syscall.SIGINT); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("interrupt step %s: %w", stepdir, err)
	}
	return nil
}

// Kill ends a step at once, the shim first and then everything it started, so
// that no exit file is written: the step is Lost from then on, unless it had
// ended before. It also ends what a shim that was lost left behind.
func Kill(stepdir string) error {
	id, err := readIdentity(stepdir)
	if err != nil {
		return err
	}
	deadline := time.Now().Add(10 * time.Second)
	victims, err := id.brood(nil)
	if err != nil {
		return fmt.Errorf("kill step %s: %w", stepdir, err)
	}
	if err := id.signal(syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill step %s: %w", stepdir, err)
	}
	for {
		for _, v := range victims {
			if err := v.signal(syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
				return fmt.Errorf("kill process %d of step %s: %w", v.PID, stepdir, err)
			}
		}
		if victims, err = id.brood(victims); err != nil {
			return fmt.Errorf("kill step %s: %w", stepdir, err)
		}
		ok, err := id.alive()
		if err != nil {
			return fmt.Errorf("kill step %s: %w", stepdir, err)
		}
		if !ok && len(victims) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("kill step %s: %d processes are still there", stepdir, len(victims))
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// Leftovers counts the processes of a step that run on although its shim is
// gone. While there are any, the step's effect may still be going on.
func Leftovers(stepdir string) (int, error) {
	id, err := readIdentity(stepdir)
	if errors.Is(err, ErrNotStarted) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	if ok, err := id.alive(); err != nil || ok {
		return 0, err
	}
	left, err := id.brood(nil)
	return len(left), err
}

// brood lists the living processes that came from the shim, but for the shim:
// those of its session, those below it, and those of known still alive. A
// session keeps its number from being given to another process while anyone is
// in it, so members that are no older than the shim are the shim's.
func (id identity) brood(known []identity) ([]identity, error) {
	boot, err := bootID()
	if err != nil || boot != id.Boot || id.Void {
		return nil, err
	}
	all, err := allStats()
	if err != nil {
		return nil, err
	}
	byPID := make(map[int]stat, len(all))
	for _, s := range all {
		byPID[s.pid] = s
	}
	head, ok := byPID[id.PID]
	reused := ok && head.start != id.Start // then nobody of the session is left
	parents := map[identity]bool{}
	for _, k := range known {
		parents[k] = true
	}
	var out []identity
	for _, s := range all {
		me := identity{PID: s.pid, Start: s.start, Boot: boot}
		if s.dead() || me == id || s.start < id.Start {
			continue
		}
		if !reused && s.session == id.PID || parents[me] || below(byPID, s, id, parents) {
			out = append(out, me)
		}
	}
	return out, nil
}

// below says whether the process descends from the shim or from one of its
// known processes.
func below(byPID map[int]stat, s stat, shim identity, known map[identity]bool) bool {
	for range 64 {
		p, ok := byPID[s.parent]
		if !ok || p.pid <= 1 {
			return false
		}
		if p.pid == shim.PID && p.start == shim.Start || known[identity{PID: p.pid, Start: p.start, Boot: shim.Boot}] {
			return true
		}
		s = p
	}
	return false
}
