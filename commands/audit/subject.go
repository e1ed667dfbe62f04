package audit

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

var (
	pullForm = regexp.MustCompile(`^([\w.-]+/[\w.-]+)?#([0-9]+)$`)
	opForm   = regexp.MustCompile(`^op-[0-9]+$`)
	jobForm  = regexp.MustCompile(`^job-[0-9]+$`)
)

// subjectsOf are the subjects of rows about one thing: an operation's jobs and
// pull request belong to it, a pull request's operations and jobs to that.
func subjectsOf(tx *store.Tx, word string) ([]string, error) {
	if m := pullForm.FindStringSubmatch(word); m != nil {
		p, err := pullNamed(tx, m[1], m[2])
		if err != nil {
			return nil, err
		}
		return subjectsOfPull(tx, p)
	}
	id := integrations.Fold(word)
	switch {
	case opForm.MatchString(id):
		op, err := tx.Operation(id)
		if err != nil {
			return nil, missing(err, word)
		}
		return subjectsOfOperation(tx, op)
	case jobForm.MatchString(id):
		if _, err := tx.Job(id); err != nil {
			return nil, missing(err, word)
		}
	}
	return []string{id}, nil
}

func subjectsOfOperation(tx *store.Tx, op *store.Operation) ([]string, error) {
	out := []string{op.ID}
	if op.PR > 0 {
		out = append(out, tell.PullSubject(op.RepoID, op.PR))
	}
	jobs, err := tx.JobsOf(op.ID)
	for _, j := range jobs {
		out = append(out, j.ID)
	}
	return out, err
}

func subjectsOfPull(tx *store.Tx, p *store.Pull) ([]string, error) {
	out := []string{tell.PullSubject(p.RepoID, p.Number)}
	ops, err := tx.OperationByPull(p.RepoID, p.Number)
	if err != nil {
		return nil, err
	}
	for _, op := range ops {
		more, err := subjectsOfOperation(tx, op)
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	jobs, err := tx.JobsByPull(p.RepoID, p.Number)
	for _, j := range jobs {
		out = append(out, j.ID)
	}
	slices.Sort(out)
	return slices.Compact(out), err
}

func missing(err error, word string) error {
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return commands.Refuse("unknown_subject", fmt.Sprintf("There is no %s.", word)).
		WithHint("They look like op-3, #4 or acme/web#4; `history` lists them.").WithExample("history")
}

// recent is how many operations are looked at to learn the numbers of repositories.
const recent = 1000

// pullNamed finds a pull request by its number, and its repository where more
// than one has that number.
func pullNamed(tx *store.Tx, repo, number string) (*store.Pull, error) {
	n, err := strconv.Atoi(number)
	if err != nil {
		return nil, missing(store.ErrNotFound, "#"+number)
	}
	ids := map[int64]bool{}
	note := func(name string, id int64) {
		if repo == "" || strings.EqualFold(repo, name) {
			ids[id] = true
		}
	}
	ops, err := tx.Operations("", recent)
	if err != nil {
		return nil, err
	}
	for _, op := range ops {
		note(op.Repo, op.RepoID)
	}
	open, err := tx.OpenPulls("")
	if err != nil {
		return nil, err
	}
	for _, p := range open {
		note(p.Repo, p.RepoID)
	}
	var found []*store.Pull
	for id := range ids {
		p, err := tx.Pull(id, n)
		if err == nil {
			found = append(found, p)
		} else if !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
	}
	if len(found) == 1 {
		return found[0], nil
	}
	if len(found) == 0 {
		return nil, missing(store.ErrNotFound, repo+"#"+number)
	}
	slices.SortFunc(found, func(a, b *store.Pull) int { return cmp.Compare(a.Repo, b.Repo) })
	var names []string
	for _, p := range found {
		names = append(names, fmt.Sprintf("%s#%d", p.Repo, p.Number))
	}
	return nil, commands.Refuse("ambiguous", fmt.Sprintf("More than one repository has a #%d: %s.", n, strings.Join(names, ", "))).WithExample("audit " + names[0])
}
