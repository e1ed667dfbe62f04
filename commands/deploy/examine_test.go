package deploy

import (
	"slices"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// A pull request that is open while the configuration gets another target is
// examined again: what it touches of that is planned, without a push.
func TestReloadedTargets(t *testing.T) {
	w := newWorld(t)
	pr := w.forge.newPull(integrations.PullRequest{Title: "mail", Author: "alice", Branch: "mail", Base: "main", Head: "aaa"}, "mail/main.tf")
	w.hook(pr)
	targets := func() (out []string) {
		w.view(func(tx *store.Tx) error {
			p, err := tx.Pull(1, pr.Number)
			if err == nil {
				out = p.Targets
			}
			return err
		})
		return out
	}
	if got := targets(); len(got) > 0 {
		t.Fatalf("it touches %q", got)
	}
	look := func(paths ...string) {
		t.Helper()
		mail := w.cat.Targets[0]
		mail.Name, mail.Environment, mail.Base, mail.Paths = "mail/production", "production", "main", paths
		cat := *w.cat
		cat.Targets = append(slices.DeleteFunc(slices.Clone(w.cat.Targets), func(t integrations.Target) bool { return t.Name == mail.Name }), mail)
		w.cat = &cat
		if err := w.f.reconcile(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	look("post/**")
	if got := targets(); len(got) > 0 {
		t.Fatalf("it touches %q", got)
	}
	look("mail/**")
	if got := targets(); !slices.Equal(got, []string{"mail/production"}) {
		t.Fatalf("it touches %q", got)
	}
	w.wait("planned", isPlanned(w, pr.Number, "aaa"))
}

// One that is merged before anybody looked again is applied on the new target too.
func TestReloadedTargetsAtTheMerge(t *testing.T) {
	w := newWorld(t)
	pr := w.forge.newPull(integrations.PullRequest{Title: "mail", Author: "alice", Branch: "mail", Base: "main", Head: "aaa"}, "mail/main.tf")
	w.hook(pr)
	mail := w.cat.Targets[0]
	mail.Name, mail.Environment, mail.Base, mail.Paths = "mail/staging", "staging", "main", []string{"mail/**"}
	cat := *w.cat
	cat.Targets = append(slices.Clone(w.cat.Targets), mail)
	w.cat = &cat
	w.hook(w.forge.mergeAs(pr.Number, "alice"))
	w.wait("it is applied", func(*store.Tx) (bool, error) {
		all := w.jobs(kindApply)
		return len(all) == 1 && all[0].Target == "mail/staging" && all[0].State == store.JobSucceeded, nil
	})
}

// A base branch that loses what it had makes the merge of an open pull request bring
// that, too: what it touches then is planned before somebody merges it, without a
// push. It makes no difference whether the branch was seen where it was meanwhile.
func TestABaseThatWasMovedBackHasItsPullRequestsReadAnew(t *testing.T) {
	for _, seen := range []bool{true, false} {
		w := newWorld(t)
		main := w.forge.branches["main"]
		w.push("main", "", main, "dave")
		w.forge.do(func() { w.forge.touched = map[string][]string{"aaa": {"docs/words.md"}} })
		pr := w.forge.newPull(integrations.PullRequest{Title: "words", Author: "alice", Branch: "words", Base: "main", Head: "aaa"}, "docs/words.md")
		w.hook(pr)
		w.forge.do(func() { w.forge.touched["aaa"] = []string{"docs/words.md", "network/main.tf"} })
		if err := w.f.reconcile(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.view(func(tx *store.Tx) error {
			p, err := tx.Pull(1, pr.Number)
			if err == nil && len(p.Targets) > 0 {
				t.Fatalf("before the branch moves it touches %q", p.Targets)
			}
			return err
		})
		if seen {
			other := w.forge.newPull(integrations.PullRequest{Title: "more words", Author: "alice", Branch: "more", Base: "main", Head: "bbb"}, "docs/more.md")
			w.forge.do(func() { w.forge.beside = map[string]bool{main: true} })
			merged := w.forge.mergeAs(other.Number, "bob")
			w.push("main", main, merged.MergeSHA, "bob")
			w.wait("the branch is looked at", func(tx *store.Tx) (bool, error) {
				last, _, err := store.Feature[string](tx, branchFeature).Get(branchKey(repo, "main"))
				return last == merged.MergeSHA, err
			})
		} else { // it went on and came back before anybody looked
			w.push("main", "c0ffee0", main, "dave")
		}
		var read []string
		for end := time.Now().Add(patience); len(read) == 0 && time.Now().Before(end); {
			if err := w.clock.Advance(t.Context(), time.Second, nil); err != nil {
				t.Fatal(err)
			}
			if err := w.f.reconcile(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.view(func(tx *store.Tx) error {
				p, err := tx.Pull(1, pr.Number)
				if err == nil {
					read = p.Targets
				}
				return err
			})
		}
		if !slices.Equal(read, []string{"network/production"}) {
			t.Errorf("seen meanwhile %v: after the branch moved back it touches %q", seen, read)
			continue
		}
		w.wait("it is planned for the network", isPlanned(w, pr.Number, "aaa"))
	}
}
