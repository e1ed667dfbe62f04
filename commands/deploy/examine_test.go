package deploy

import (
	"slices"
	"testing"

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
