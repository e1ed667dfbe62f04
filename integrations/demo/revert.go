package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// What an apply wrote is kept beside the state, by its serial, as a service keeps
// the versions that it ran: those are the revisions that one can go back to.

var _ integrations.Reverter = (*Applier)(nil)

// kept is the file of a revision.
func kept(stateFile string, serial int) string {
	return filepath.Join(stateFile+".revisions", strconv.Itoa(serial))
}

// Revision is the serial of the state.
func (a *Applier) Revision(ctx context.Context, r integrations.Run) (string, error) {
	c := a.command(r, "revision", a.cfg.State)
	c.Dir, c.Capture = r.Work, true
	o, err := r.Exec.Run(ctx, c)
	if err != nil {
		return "", err
	}
	var serial int
	if err := json.Unmarshal(o.Stdout, &serial); err != nil {
		return "", fmt.Errorf("read what %s said: %w", c.Step, err)
	}
	return strconv.Itoa(serial), nil
}

// Revert writes the state of that serial again, under a new one.
func (a *Applier) Revert(ctx context.Context, r integrations.Run, revision string) error {
	c := a.command(r, "revert", a.cfg.State, revision)
	c.Dir = r.Work
	_, err := r.Exec.Effect(ctx, "revert", c)
	return err
}

func revision(stateFile string, out io.Writer) error {
	s, err := readState(stateFile)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, s.Serial)
	return err
}

func revert(stateFile, serial string, out io.Writer) error {
	n, err := strconv.Atoi(serial)
	if err != nil {
		return fmt.Errorf("the revision %q is no serial", serial)
	}
	now, err := readState(stateFile)
	if err != nil {
		return err
	}
	if _, err := os.Stat(kept(stateFile, n)); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no revision %d of %s any more", n, filepath.Base(stateFile))
	}
	was, err := readState(kept(stateFile, n))
	if err != nil {
		return err
	}
	was.Serial = now.Serial + 1
	if err := writeState(kept(stateFile, was.Serial), was); err != nil {
		return err
	}
	if err := writeState(stateFile, was); err != nil {
		return err
	}
	fmt.Fprintf(out, "This is a demonstration: it wrote the state of serial %d again.\nRevert complete!\n", n)
	return nil
}
