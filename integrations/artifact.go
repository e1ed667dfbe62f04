package integrations

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// Artifact is what a step built, for the steps after it and for people.
type Artifact struct {
	Step string `json:"step"` // Applier.Describe of what built it
	Kind string `json:"kind"` // ArtifactAMI, ArtifactFile, or what its tool calls it
	// ID is a region and an AMI, "ap-northeast-1:ami-0abc", a path, or what its tool calls
	// it. It is empty where it is only planned.
	ID  string `json:"id"`
	SHA string `json:"sha"` // the commit it was built from
	// Sources is a keyed hash of what it is made of.
	Sources string `json:"sources"`
}

// The kinds of artifacts that more is known of than their name.
const (
	ArtifactAMI  = "ami"
	ArtifactFile = "file"
)

// Tests are what a step has tried of the artifacts before it.
type Tests struct {
	Step     string `json:"step"`
	Examples int    `json:"examples"` // all of them
	Failed   int    `json:"failed"`
	Pending  int    `json:"pending"`
	// Of are the ids of the artifacts that were there to be tried.
	Of []string `json:"of,omitempty"`
}

// Built is an artifact with what came of its tests, and where it may be pinned.
type Built struct {
	Artifact
	Of      string `json:"of"` // the template that it was built of
	Passed  int    `json:"passed"`
	Failed  int    `json:"failed"`
	Pending int    `json:"pending"`
	// Pins are the services whose version it may be.
	Pins []Pin `json:"pins,omitempty"`
}

// Pin is a service in an environment, in which a version of it is set.
type Pin struct {
	Service     string `yaml:"service" json:"service"`
	Environment string `yaml:"environment" json:"environment"`
	// Version is what is set there.
	Version string `yaml:"-" json:"version"`
}

// Finisher is an Applier whose artifacts are worth more once the steps after it have tried
// them.
type Finisher interface {
	Applier
	// Finish is called in the work folder of an Apply when all steps have ended well, or
	// one of them has failed, with what the steps after it have tried. It may be called
	// again after a restart, and does nothing twice. The artifacts are those of this apply.
	Finish(ctx context.Context, r Run, tests []Tests) ([]Built, error)
}

const (
	artifactsFile = "artifacts.json"
	testsFile     = "tests.json"
	longestNote   = 1 << 20
)

// PutArtifacts leaves in the work folder what a step built, or would build.
func (r Run) PutArtifacts(all []Artifact) error { return r.put(artifactsFile, all) }

// Artifacts are those that the steps before this one left, in their order.
func (r Run) Artifacts() (all []Artifact, err error) {
	for _, work := range r.Earlier {
		var some []Artifact
		if err := getNote(work, artifactsFile, &some); err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

// Own are the artifacts that this step itself left.
func (r Run) Own() (all []Artifact, err error) { return all, getNote(r.Work, artifactsFile, &all) }

// PutTests leaves in the work folder what came of tests.
func (r Run) PutTests(t Tests) error { return r.put(testsFile, t) }

// TestsIn are those that a step left in its work folder; there were none where there is no
// example.
func TestsIn(work string) (t Tests, err error) { return t, getNote(work, testsFile, &t) }

// put replaces a note whole. Steps may write into the folder too: nothing that they put in
// its place is followed.
func (r Run) put(name string, v any) error { return writeNote(r.Work, name, v) }

func writeNote(dir, name string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "."+name+"-")
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(b)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return os.Rename(f.Name(), filepath.Join(dir, name))
}

// getNote reads a note; there is nothing in v where there is none.
func getNote(dir, name string, v any) error {
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, longestNote))
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	return nil
}
