package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// builder builds an image, and tester tries what the steps before it have built.
type builder struct {
	fakeTool
	mu       sync.Mutex
	finished []string
	refuse   error
}

func (b *builder) Apply(_ context.Context, r integrations.Run) error {
	if len(r.Earlier) > 0 {
		return errors.New("something came before it")
	}
	return r.PutArtifacts([]integrations.Artifact{{Kind: integrations.ArtifactAMI, ID: "eu-west-1:ami-1", SHA: r.SHA}})
}

func (b *builder) Finish(_ context.Context, r integrations.Run, tests []integrations.Tests) (out []integrations.Built, err error) {
	all, err := r.Own()
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.finished = append(b.finished, fmt.Sprint(tests))
	for _, one := range all {
		built := integrations.Built{Artifact: one, Of: "web.json", Pins: []integrations.Pin{{Service: "api", Environment: "staging", Version: "ami-1"}}}
		for _, t := range tests {
			built.Passed, built.Failed = t.Examples-t.Failed, t.Failed
		}
		out = append(out, built)
	}
	return out, b.refuse
}

type tester struct {
	fakeTool
	failing int
	before  string // what it was told of the steps before it, when it planned
}

func (t *tester) Plan(_ context.Context, r integrations.Run) (integrations.Plan, error) {
	t.set(func(*fakeTool) { t.before = r.Before.String() })
	return integrations.Plan{Step: "tests", Changes: []integrations.Change{{Address: "an example", Actions: []string{"read"}, Hash: "t"}}}, nil
}

func (t *tester) Apply(_ context.Context, r integrations.Run) error {
	all, err := r.Artifacts()
	if err != nil || len(all) != 1 {
		return fmt.Errorf("it was handed %+v (%v)", all, err)
	}
	if err := r.PutTests(integrations.Tests{Examples: 12, Failed: t.failing, Of: []string{all[0].ID}}); err != nil {
		return err
	}
	if t.failing > 0 {
		return errors.New("some examples failed")
	}
	return nil
}

func builtWorld(t *testing.T) (*world, *builder, *tester) {
	w := newWorld(t)
	b, s := &builder{fakeTool: fakeTool{plan: onePlan("a")}}, &tester{}
	n := slices.IndexFunc(w.cat.Targets, func(t integrations.Target) bool { return t.Name == "web/staging" })
	w.cat.Targets[n].Steps = []integrations.Applier{b, s}
	return w, b, s
}

// broughtOut deploys to staging, merges, and waits for the end.
func (w *world) broughtOut(state string) (op *store.Operation, card integrations.Message) {
	w.t.Helper()
	op = w.planned(w.deploy("alice", "staging").ID)
	w.hook(w.forge.mergeAs(op.PR, "alice"))
	op = w.reaches(op.ID, state)
	w.view(func(tx *store.Tx) (err error) {
		card, err = w.f.operationCard(tx, &store.Surface{Subject: op.ID})
		return err
	})
	return op, card
}

func shownOf(m integrations.Message) (lines string, buttons []integrations.Button) {
	for _, b := range m.Blocks {
		lines += b.Text.Plain() + "\n"
		buttons = append(buttons, b.Buttons...)
	}
	return lines, buttons
}

// A step sees what the step before it built; the image is finished with what came of its
// tests, announced, and offered to where it is pinned.
func TestAnImageIsAnnouncedOnceItIsTested(t *testing.T) {
	w, b, s := builtWorld(t)
	op, card := w.broughtOut(store.OpSucceeded)
	lines, buttons := shownOf(card)
	contains(t, lines, fmt.Sprintf("📦 image eu-west-1:ami-1 of web.json was built from %s and tested (12 examples)\n", short(op.MergeSHA)))
	n := slices.IndexFunc(buttons, func(b integrations.Button) bool { return b.Command == "deploy api ami-1 to staging" })
	if n < 0 || buttons[n].Label != "Deploy to staging" {
		t.Errorf("it offers %+v", buttons)
	}
	w.view(func(tx *store.Tx) error {
		done, err := w.f.finishedCard(tx, &store.Surface{Subject: op.ID})
		said, _ := shownOf(done)
		contains(t, said, "and tested (12 examples)")
		return err
	})
	if s.before != "+1 ~0 -0" {
		t.Errorf("the second step was told that the first would change %q", s.before)
	}
	if want := []string{"[{ 12 0 0 [eu-west-1:ami-1]}]"}; !slices.Equal(b.finished, want) {
		t.Errorf("it was finished with %q", b.finished)
	}
	reply := w.must("alice", "deploy", map[string]string{"service": "api", "ref": "ami-1", "environment": "staging"})
	if pin := w.reaches(reply.Subject, store.OpOpen); pin.To != "ami-1" || pin.Strategy != "pin" {
		t.Errorf("the button opens %+v", pin)
	}
}

// What failed its tests is said, and offered to nobody.
func TestAnImageThatFailsItsTestsIsOfferedToNobody(t *testing.T) {
	w, _, s := builtWorld(t)
	s.failing = 2
	_, card := w.broughtOut(store.OpFailed)
	lines, buttons := shownOf(card)
	contains(t, lines, "and failed 2 of 12 examples\n")
	if slices.ContainsFunc(buttons, func(b integrations.Button) bool { return strings.HasPrefix(b.Command, "deploy api") }) {
		t.Errorf("it offers %+v", buttons)
	}
}

// Where it cannot be finished, the apply has failed, and says so.
func TestAnImageThatIsNotFinishedFailsItsApply(t *testing.T) {
	w, b, _ := builtWorld(t)
	b.refuse = errors.New("it was built and tested, and is not tagged: EC2 does not want to")
	op, card := w.broughtOut(store.OpFailed)
	contains(t, w.apply(op.ID, store.JobFailed).Why, "is not tagged: EC2 does not want to")
	lines, _ := shownOf(card)
	contains(t, lines, "and tested (12 examples)\n")
}
