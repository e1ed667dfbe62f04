package packer_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/packer"
)

// account is images of AWS, as far as this step asks for them.
type account struct {
	images map[string]*integrations.Image // by their ids
	refuse error
}

var home = integrations.Site{Account: "main", Region: "eu-west-1"}

func (a *account) Sites() []integrations.Site { return []integrations.Site{home} }

func (a *account) Image(_ context.Context, at integrations.Site, id string) (*integrations.Image, error) {
	return a.images[id], a.refuse
}

func (a *account) ImagesTagged(_ context.Context, at integrations.Site, key, value string) (out []integrations.Image, _ error) {
	for _, i := range a.images {
		if i.Tags[key] == value {
			out = append(out, *i)
		}
	}
	return out, a.refuse
}

func (a *account) TagImage(_ context.Context, at integrations.Site, id string, tags map[string]string) error {
	if a.refuse != nil {
		return a.refuse
	}
	for k, v := range tags {
		a.images[id].Tags[k] = v
	}
	return nil
}

// An AMI is tagged once it is tested, is looked for before it is built again, and is built
// again when it has failed its tests.
func TestOnlyATestedImageIsTagged(t *testing.T) {
	bin, err := filepath.Abs("testdata/bin")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	w := newWorld(t)
	write(t, w.tree, "ami.json", "eu-west-1:ami-0abc,us-east-1:ami-0def\n")
	at := &account{images: map[string]*integrations.Image{"ami-0abc": {ID: "ami-0abc", Tags: map[string]string{}}}}
	a := step(t, w.data, at, packer.Config{Template: "ami.json", Pin: []integrations.Pin{{Service: "web", Environment: "production"}}})
	build := func(sha string) integrations.Run {
		t.Helper()
		r := w.run(sha)
		w.plan(a, r)
		w.apply(a, r)
		return r
	}
	r := build("a1")
	both := []string{"eu-west-1:ami-0abc", "us-east-1:ami-0def"}
	if built, err := a.Finish(t.Context(), r, nil); err != nil || len(built) != 2 || built[0].ID != both[0] || built[0].Passed > 0 || len(at.images["ami-0abc"].Tags) > 0 {
		t.Errorf("untested it is %+v (%v), with the tags %v", built, err, at.images["ami-0abc"].Tags)
	}
	failing := []integrations.Tests{{Examples: 3, Failed: 1, Of: both}}
	if built, err := a.Finish(t.Context(), r, failing); err != nil || built[0].Failed != 1 || len(at.images["ami-0abc"].Tags) > 0 {
		t.Errorf("of what failed its tests it says %+v (%v), with the tags %v", built, err, at.images["ami-0abc"].Tags)
	}
	if p := w.plan(a, w.run("b2")); p.Add != 1 || !strings.Contains(strings.Join(p.Notes, ""), "was built from a1a1a1a1a1a1 of the same sources, and failed its tests") {
		t.Errorf("what failed its tests is not built again: %+v", p)
	}

	r = build("b2")
	passing := []integrations.Tests{{Examples: 3, Pending: 1, Of: both[:1]}, {Examples: 9, Of: []string{"another"}}}
	at.refuse = errors.New("EC2 does not want to")
	if _, err := a.Finish(t.Context(), r, passing); err == nil || !strings.Contains(err.Error(), "eu-west-1:ami-0abc was built and tested, and is not tagged: EC2 does not want to") {
		t.Errorf("a tag that was refused is told as %v", err)
	}
	at.refuse = nil
	next := w.run("c3")
	p := w.plan(a, next)
	if p.Change != 1 || p.Add > 0 || p.Changes[0].Address != "the tag signalbox:tested of eu-west-1:ami-0abc" {
		t.Errorf("without the tag the plan is %+v", p)
	}
	w.apply(a, next)
	if _, effects := w.exec.Ran(); effects > 0 {
		t.Error("for the tag it was built again")
	}
	built, err := a.Finish(t.Context(), next, passing)
	if err != nil || built[0].Passed != 2 || built[0].Pending != 1 || built[0].SHA != r.SHA || built[0].Pins[0].Version != "ami-0abc" {
		t.Errorf("tested it is %+v (%v)", built, err)
	}
	if got := at.images["ami-0abc"].Tags[integrations.TagTested]; got != r.SHA {
		t.Errorf("its tag is %q, and it was built from %s", got, r.SHA)
	}
	if p := w.plan(a, w.run("d4")); len(p.Changes) > 0 {
		t.Errorf("tagged, the plan is %+v", p)
	}
	w.rebuiltWithout(a, at)
}

// rebuiltWithout takes the image away and wants it to be built again.
func (w *world) rebuiltWithout(a integrations.Applier, at *account) {
	w.Helper()
	delete(at.images, "ami-0abc")
	if p := w.plan(a, w.run("e5")); p.Add != 1 || !strings.Contains(strings.Join(p.Notes, ""), "eu-west-1:ami-0abc, which was built of the same sources, is gone") {
		w.Errorf("deregistered, the plan is %+v", p)
	}
}

// Of a build that was killed only AWS knows, where the template tells it which build it is.
func TestAProbeLooksForTheBuild(t *testing.T) {
	w := newWorld(t)
	write(t, w.tree, "ami.json", "eu-west-1:ami-0abc\n")
	at := &account{images: map[string]*integrations.Image{}}
	a := step(t, w.data, at, packer.Config{Template: "ami.json"})
	r := w.run("a1")
	probe, err := a.Probe(t.Context(), r)
	if err != nil || probe.Clean {
		t.Fatalf("%+v (%v)", probe, err)
	}
	_, name, _ := strings.Cut(probe.Text, "There is no AMI with the tag signalbox:run=")
	name, _, _ = strings.Cut(name, ",")
	if name == "" {
		t.Fatalf("it does not say what it looks for: %s", probe.Text)
	}
	at.images["ami-0abc"] = &integrations.Image{ID: "ami-0abc", Tags: map[string]string{integrations.TagRun: name}}
	if probe, err = a.Probe(t.Context(), r); err != nil || probe.Clean {
		t.Fatalf("%+v (%v)", probe, err)
	}
	w.want(probe.Text, "Of this build there is eu-west-1:ami-0abc")
}
