package terraform

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// erroredState is where Terraform leaves a state that it could not save. Until it is
// saved, a plan knows nothing of what is in it, and would make all of that again.
const erroredState = "errored.tfstate"

// state is what can be told of a state without showing it: it holds secrets.
type state struct {
	Lineage   string `json:"lineage"`
	Serial    uint64 `json:"serial"`
	Outputs   any    `json:"outputs"`
	Resources []any  `json:"resources"`

	sum string
}

func parseState(b []byte) (state, error) {
	var s state
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber() // or large numbers would be rounded, and equal
	if err := d.Decode(&s); err != nil {
		return s, errors.New("it is not JSON as a state is") // the decoder's own words may quote it
	}
	sum := sha256.Sum256(b)
	s.sum = hex.EncodeToString(sum[:8])
	return s, nil
}

// readState reads a state file that stands there as a file of its own.
func readState(path string) (state, error) {
	b, err := readRegular(path)
	if err != nil {
		return state{}, err
	}
	return parseState(b)
}

// readRegular reads a file and follows no link to it: what stands in a work tree may be
// made to lead anywhere.
func readRegular(path string) ([]byte, error) {
	root, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer root.Close()
	info, err := root.Lstat(filepath.Base(path))
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a file", path)
	}
	f, err := root.Open(filepath.Base(path))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

func (s state) empty() bool { return len(s.Resources) == 0 }

// managed counts the resources, data sources left out.
func (s state) managed() int {
	n := 0
	for _, r := range s.Resources {
		if of, ok := r.(map[string]any); ok && of["mode"] == "managed" {
			n++
		}
	}
	return n
}

// holds says whether s has what other has, written then or later. A push raises the
// serial, and a state that was made while its backend was away has no lineage.
func (s state) holds(other state) bool {
	return (s.Lineage == other.Lineage || other.Lineage == "") && s.Serial >= other.Serial &&
		reflect.DeepEqual(s.Outputs, other.Outputs) && reflect.DeepEqual(s.Resources, other.Resources)
}

func (s state) key() string { return fmt.Sprintf("%s/%d/%s", s.Lineage, s.Serial, s.sum) }

// offerSave is the kind of the offer to save a state that was kept.
const offerSave = "save"

// offer is the one to save it; why it was not is added where it is known.
func (s state) offer(why string) integrations.Offer {
	n := fmt.Sprintf("%d resources are", s.managed())
	if s.managed() == 1 {
		n = "1 resource is"
	}
	if why != "" {
		why = ": " + why
	}
	return integrations.Offer{
		Kind: offerSave, Key: s.key(), Label: "Save the state", Words: fmt.Sprintf("the state was not saved%s; %s in it", why, n),
		Confirm: fmt.Sprintf("Push the state that was kept (serial %d, %s in it) to the backend?", s.Serial, n),
		Retry:   "the state is not saved, so that what is in it would be made again",
	}
}

// unsaved keeps the state that an apply could not save, where it outlives the job, and
// offers to save it. Its error is that nobody knows how the apply ended, so that nothing
// else begins on the target.
func (a *Applier) unsaved(r integrations.Run, path string, cause error) error {
	lost := func(err error) error {
		return fmt.Errorf("%w: the new state could not be saved; it stands in %s: %w: %w", integrations.ErrUnknown, path, err, cause)
	}
	b, err := readRegular(path)
	if err != nil {
		return lost(err)
	}
	s, err := parseState(b)
	if err != nil {
		return lost(err)
	}
	if err := os.MkdirAll(r.Keep, 0o700); err != nil {
		return lost(err)
	}
	if err := write(filepath.Join(r.Keep, erroredState), b); err != nil {
		return lost(err)
	}
	return &integrations.Mendable{Offers: []integrations.Offer{s.offer(whyUnsaved(cause))}, Err: fmt.Errorf("%w: %w", integrations.ErrUnknown, cause)}
}

// whyUnsaved is what the tool says of why it could not save the state, in one line.
func whyUnsaved(cause error) string {
	var failed *integrations.CommandError
	if !errors.As(cause, &failed) {
		return ""
	}
	_, said, found := strings.Cut(strings.ReplaceAll(errorText(failed.Tail), "\r", ""), "Error: Failed to save state\n")
	if !found {
		return ""
	}
	said, _, _ = strings.Cut(strings.TrimLeft(said, "\n"), "\n\n")
	said = strings.TrimPrefix(strings.Join(strings.Fields(said), " "), "Error saving state: ")
	return strings.TrimSuffix(said, ".")
}

// write puts a file in place, all of it or nothing, for its owner alone.
func write(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-") // of mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// pull reads the state of the backend.
func (a *Applier) pull(ctx context.Context, r integrations.Run) (state, error) {
	c := a.command(r, "state")
	c.Step, c.Argv, c.Capture = a.tool.Name()+" state pull", []string{a.tool.binary, "state", "pull"}, true
	out, err := r.Exec.Run(ctx, c)
	if err != nil {
		return state{}, plain(err)
	}
	if len(bytes.TrimSpace(out.Stdout)) == 0 {
		return state{}, nil
	}
	s, err := parseState(out.Stdout)
	if err != nil {
		return s, fmt.Errorf("%s: read the state of the backend: %w", a.Describe(), err)
	}
	return s, nil
}

// save pushes the state that was kept. What it pushes stands in the work folder once the
// backend was looked at: the command may run as a user that cannot read Keep, and after
// a restart the look is not repeated.
func (a *Applier) save(ctx context.Context, r integrations.Run, o integrations.Offer) (string, error) {
	kept, file := filepath.Join(r.Keep, erroredState), filepath.Join(r.Work, erroredState)
	if !exists(file) {
		done, err := a.maySave(ctx, r, kept, o)
		if err != nil || done != "" {
			return done, err
		}
		b, err := readRegular(kept)
		if err == nil {
			err = write(file, b)
		}
		if err != nil {
			return "", fmt.Errorf("copy the state that was kept: %w", err)
		}
	}
	c := a.command(r, "state")
	c.Step, c.Argv = a.tool.Name()+" state push", append(append([]string{a.tool.binary, "state", "push"}, a.lock()...), file)
	if _, err := r.Exec.Effect(ctx, offerSave, c); err != nil {
		return "", a.met(plain(err))
	}
	return "The state was saved.", forget(r)
}

// maySave looks whether the kept state is the one that was offered, and whether the
// backend has it already, or something newer. Every other reason not to take it is
// Terraform's to find and to say.
func (a *Applier) maySave(ctx context.Context, r integrations.Run, kept string, o integrations.Offer) (done string, err error) {
	mine, err := readState(kept)
	switch {
	case err != nil:
		return "", fmt.Errorf("read the state that was kept: %w", err)
	case mine.key() != o.Key:
		return "", fmt.Errorf("%w: another state was kept since", integrations.ErrOutdated)
	}
	if err := a.initialize(ctx, r); err != nil {
		return "", err
	}
	there, err := a.pull(ctx, r)
	switch {
	case err != nil:
		return "", err
	case there.holds(mine):
		return "The state was saved already.", forget(r)
	case !there.empty() && there.Serial > mine.Serial:
		return "", fmt.Errorf("%w: somebody has written the state since, its serial is %d and that of what was kept %d; put the two together by hand", integrations.ErrOutdated, there.Serial, mine.Serial)
	}
	return "", nil
}

// forget removes the kept state once the backend has it: it holds secrets.
func forget(r integrations.Run) error {
	if err := os.RemoveAll(r.Keep); err != nil {
		return fmt.Errorf("remove the state that was kept: %w", err)
	}
	return nil
}
