package store

import (
	"errors"
	"fmt"
	"slices"
	"testing"
)

// A pull request is its repository's id and its number, and everything that is
// asked by one compares the whole: acme/infra#5 is neither acme/infra-prod#5 nor
// acme/infra#51. commands/deploy/rules_test.go lists every rule with its test.
func TestRulePullRequestsAreComparedWhole(t *testing.T) {
	s := open(t)
	all := []Pull{{RepoID: 1, Repo: "acme/infra", Number: 5}, {RepoID: 2, Repo: "acme/infra-prod", Number: 5}, {RepoID: 1, Repo: "acme/infra", Number: 51}, {RepoID: 15, Repo: "acme/infra5", Number: 1}}
	name := func(p Pull) string { return fmt.Sprintf("%s#%d", p.Repo, p.Number) }
	update(t, s, func(tx *Tx) (err error) {
		for _, p := range all {
			p.State, p.Head = "open", "abc"
			_, _, e := tx.InsertJob(&Job{Key: name(p), Target: "t", RepoID: p.RepoID, Repo: p.Repo, PR: p.Number})
			err = errors.Join(err, e, tx.PutPull(&p), tx.PutOperation(&Operation{ID: name(p), RepoID: p.RepoID, Repo: p.Repo, PR: p.Number}))
		}
		return err
	})
	view(t, s, func(tx *Tx) error {
		for _, p := range all {
			got, err := tx.Pull(p.RepoID, p.Number)
			if err != nil || name(*got) != name(p) {
				t.Errorf("%s is %+v: %v", name(p), got, err)
			}
			jobs, err := tx.JobsByPull(p.RepoID, p.Number)
			if err != nil || len(jobs) != 1 || jobs[0].Key != name(p) {
				t.Errorf("%d jobs of %s: %v", len(jobs), name(p), err)
			}
			ops, err := tx.OperationByPull(p.RepoID, p.Number)
			if err != nil || len(ops) != 1 || ops[0].ID != name(p) {
				t.Errorf("%d operations of %s: %v", len(ops), name(p), err)
			}
		}
		for repo, want := range map[string][]string{"acme/infra": {"acme/infra#5", "acme/infra#51"}, "acme/infra-prod": {"acme/infra-prod#5"}, "acme": nil} {
			open, err := tx.OpenPulls(repo)
			heads, err2 := tx.PullsByHead(repo, "abc")
			for what, list := range map[string][]*Pull{"open": open, "by head": heads} {
				var names []string
				for _, p := range list {
					names = append(names, name(*p))
				}
				if slices.Sort(names); !slices.Equal(names, want) {
					t.Errorf("%s in %s: %v, want %v (%v)", what, repo, names, want, errors.Join(err, err2))
				}
			}
		}
		return nil
	})
}
