package deploy

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// seesSame writes down which other commits a plan is told of.
type seesSame struct {
	*fakeTool
	mu   *sync.Mutex
	told map[string]string // by the commit that is planned
}

func (s seesSame) Plan(ctx context.Context, r integrations.Run) (integrations.Plan, error) {
	s.mu.Lock()
	s.told[r.SHA] = fmt.Sprint(r.Same)
	s.mu.Unlock()
	return s.fakeTool.Plan(ctx, r)
}

// What the CI built of the head stands for its merge, unless that holds other files.
func TestAStepIsToldOfTheHeadThatHoldsTheSameFiles(t *testing.T) {
	for _, other := range []bool{false, true} {
		w := newWorld(t)
		step := seesSame{w.tool, &sync.Mutex{}, map[string]string{}}
		for n := range w.cat.Targets {
			w.cat.Targets[n].Steps = []integrations.Applier{step}
		}
		pr := w.forge.newPull(integrations.PullRequest{Title: "x", Author: "alice", Branch: "x", Base: "deployment/production", Head: w.forge.branches["main"]}, "app/x")
		w.hook(pr)
		w.wait("it is planned", func(tx *store.Tx) (bool, error) {
			p, err := tx.Pull(1, pr.Number)
			return err == nil && p.Plans["web/production"].State == "done", err
		})
		merged := w.forge.mergeAs(pr.Number, "bob")
		if other {
			w.forge.mu.Lock()
			w.forge.trees[merged.MergeSHA] = "with what the base branch had"
			w.forge.mu.Unlock()
		}
		w.hook(merged)
		w.wait("the merge is planned", func(*store.Tx) (bool, error) {
			step.mu.Lock()
			defer step.mu.Unlock()
			_, ok := step.told[merged.MergeSHA]
			return ok, nil
		})
		want := "[" + pr.Head + "]"
		if other {
			want = "[]"
		}
		step.mu.Lock()
		if got := step.told[merged.MergeSHA]; got != want || step.told[pr.Head] != "[]" {
			t.Errorf("of the merge it is told %s, of the head %s; want %s and []", got, step.told[pr.Head], want)
		}
		step.mu.Unlock()
		// What looks at the branch knows of no pull request.
		branch := &store.Job{Repo: "acme/web", SHA: merged.MergeSHA}
		if got := fmt.Sprint(w.f.sameFiles(t.Context(), branch)); got != want {
			t.Errorf("of the branch it is told %s, want %s", got, want)
		}
	}
}
