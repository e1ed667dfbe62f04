package deploy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// sight is a pull request as it was seen, with all that a transaction needs to
// take it in. A webhook, the reconciler and our own calls all come to it.
type sight struct {
	pr       integrations.PullRequest
	targets  []string // that the changed files touch
	examined bool
	under    string // the targets that there were, for examined
	position uint64 // of the merge commit on the base branch
	byUs     bool   // we merged it, so that whoever asked us to is its merger
	by       string // who pushed the head, where it is not the one we knew: a GitHub login
	told     bool   // GitHub itself said so; else it is the author of the newest commit
}

func (f *feature) onPull(ctx context.Context, h commands.Happening) (commands.Act, error) {
	if h.Forge == nil || h.Forge.PullRequest == nil || !f.watched(h.Forge.PullRequest) {
		return nil, nil
	}
	s, err := f.look(ctx, *h.Forge.PullRequest)
	if err != nil {
		return nil, err
	}
	if h.Forge.Action == "synchronize" && h.Forge.Sender != "" {
		s.by, s.told = h.Forge.Sender, true
	}
	turned, err := f.ticksOf(ctx, h.Forge)
	if err != nil {
		return nil, err
	}
	return func(tx *store.Tx) (commands.Reply, error) {
		return commands.Reply{Subject: pullSubject(s.pr.RepoID, s.pr.Number)}, errors.Join(f.take(tx, s), f.ticked(tx, s.pr, turned))
	}, nil
}

// watched says whether a pull request is any business of ours.
func (f *feature) watched(pr *integrations.PullRequest) bool {
	return slices.Contains(f.Catalog().Repositories(), pr.Repo)
}

// look asks GitHub and the mirror for what take needs: which targets the changed
// files touch, and where a merge stands on its base branch.
func (f *feature) look(ctx context.Context, pr integrations.PullRequest) (sight, error) {
	if pr.State == "merged" && (pr.MergedBy == "" || pr.MergeSHA == "") { // GitHub's lists leave that out
		whole, err := f.Forge.Pull(ctx, pr.Repo, pr.Number)
		if err != nil {
			return sight{}, err
		}
		pr = whole
	}
	targets := f.Catalog().TargetsOf(pr.Repo, pr.Base)
	seen := pr
	s := sight{pr: pr, under: fingerprint(targets)}
	var known *store.Pull
	err := f.Store.View(func(tx *store.Tx) (err error) {
		known, err = tx.Pull(pr.RepoID, pr.Number)
		if errors.Is(err, store.ErrNotFound) {
			known, err = nil, nil
		}
		return err
	})
	if err != nil {
		return s, err
	}
	if known != nil && known.ExaminedHead == pr.Head && known.Base == pr.Base && (known.ExaminedFor == s.under || known.Applied) {
		s.examined, s.targets = true, known.Targets
	} else {
		if known != nil && known.ExaminedFor == "" && pr.State == "open" { // GitHub tells where the base was when it was opened
			if seen.BaseSHA, err = f.Forge.BranchHead(ctx, pr.Repo, pr.Base); err != nil {
				return s, err
			}
		}
		if s.targets, err = f.touched(ctx, seen, targets); err != nil {
			return s, err
		}
		s.examined = true
	}
	if known != nil && (known.Operation != "" || len(known.Targets)+len(s.targets) > 0) && known.Head != pr.Head {
		s.by = f.author(ctx, pr, known.Head)
	}
	if pr.State == "merged" && len(targets)+len(s.targets) > 0 && (known == nil || !known.Applied) {
		if pr.MergeSHA == "" {
			return s, fmt.Errorf("%s#%d is merged and GitHub does not name its merge commit yet", pr.Repo, pr.Number)
		}
		if err := f.Trees.Fetch(ctx, pr.Repo, pr.MergeSHA); err != nil {
			return s, err
		}
		if err := f.brought(ctx, &s, targets); err != nil || len(s.targets) == 0 {
			return s, err
		}
		if s.position, err = f.Trees.Position(ctx, pr.Repo, pr.MergeSHA); err != nil {
			return s, err
		}
		us, err := f.Forge.Login(ctx)
		if err != nil {
			return s, err
		}
		s.byUs = strings.EqualFold(pr.MergedBy, us)
	}
	return s, nil
}

// brought adds the targets that the merge commit itself touches: the base branch may
// have lost, since the pull request was examined, what its merge brings back. A
// merge by rebase leaves several commits, of which that is the last.
func (f *feature) brought(ctx context.Context, s *sight, targets []integrations.Target) error {
	files, err := f.Trees.Introduced(ctx, s.pr.Repo, s.pr.MergeSHA)
	if err != nil {
		return err
	}
	s.targets = slices.Clone(s.targets) // they may be those of a record that others read
	for _, t := range targets {
		if matches(t.Paths, files) && !slices.Contains(s.targets, t.Name) {
			s.targets = append(s.targets, t.Name)
		}
	}
	slices.Sort(s.targets)
	return nil
}

// nobodyKnown stands for a login where nobody can tell who pushed; no login holds
// a space.
const nobodyKnown = "somebody unknown"

// fingerprint stands for which files are of which target: a reload that changes
// that has the open pull requests examined again.
func fingerprint(targets []integrations.Target) string {
	h := sha256.New()
	for _, t := range targets {
		fmt.Fprintf(h, "%q %q\n", t.Name, t.Paths)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// author is who wrote the newest commit of a pushed head. Who pushed it is known
// from the webhook alone, and that may have been lost.
func (f *feature) author(ctx context.Context, pr integrations.PullRequest, was string) string {
	cmp, err := f.Forge.Compare(ctx, pr.Repo, was, pr.Head)
	if err != nil || len(cmp.Commits) == 0 {
		f.Log.Info("who wrote a pushed head is not known", "repo", pr.Repo, "pr", pr.Number, "error", err)
		return nobodyKnown
	}
	return cmp.Commits[len(cmp.Commits)-1].Author
}

// touched names the targets whose paths a pull request changes. Those of our own
// operation always count.
func (f *feature) touched(ctx context.Context, pr integrations.PullRequest, targets []integrations.Target) ([]string, error) {
	var out []string
	if strings.HasPrefix(pr.Branch, "signalbox/") {
		if err := f.Store.View(func(tx *store.Tx) error {
			op, err := f.ownOperation(tx, pr)
			if op != nil {
				out = append(out, op.Targets...)
			}
			return err
		}); err != nil {
			return nil, err
		}
	}
	if len(targets) == 0 {
		return out, nil
	}
	files, truncated, err := f.files(ctx, pr)
	if err != nil {
		return nil, err
	}
	for _, t := range targets {
		if (truncated || matches(t.Paths, files)) && !slices.Contains(out, t.Name) {
			out = append(out, t.Name)
		}
	}
	slices.Sort(out)
	return out, nil
}

// files names what a pull request changes. While it is open they are taken from
// git, for the very head: GitHub's list may lag behind the webhook that told of
// it, and a head that was held for touching nothing would never be applied.
func (f *feature) files(ctx context.Context, pr integrations.PullRequest) (files []string, truncated bool, err error) {
	if pr.State == "open" && pr.BaseSHA != "" {
		if files, err = f.Trees.Touched(ctx, pr.Repo, pr.BaseSHA, pr.Head); err == nil {
			return files, false, nil
		}
		f.Log.Info("the mirror does not tell what a pull request changes", "repo", pr.Repo, "pr", pr.Number, "error", err)
	}
	return f.Forge.PullFiles(ctx, pr.Repo, pr.Number)
}

func matches(patterns, files []string) bool {
	for _, p := range patterns {
		for _, file := range files {
			if ok, err := doublestar.Match(p, file); ok && err == nil {
				return true
			}
		}
	}
	return false
}

// ownOperation finds the operation whose branch a pull request has; nil if none.
func (f *feature) ownOperation(tx *store.Tx, pr integrations.PullRequest) (*store.Operation, error) {
	if pr.Fork || !strings.HasPrefix(pr.Branch, "signalbox/") {
		return nil, nil
	}
	id := pr.Branch[strings.LastIndex(pr.Branch, "-op-")+1:]
	op, err := tx.Operation(id)
	if errors.Is(err, store.ErrNotFound) || err == nil && (op.RepoID != pr.RepoID || op.Branch != pr.Branch || op.PR != 0 && op.PR != pr.Number || op.PR == 0 && op.Base != pr.Base) {
		return nil, nil
	}
	return op, err
}

// onto writes down what was seen of a pull request; moved says that its head did.
func (s sight) onto(p *store.Pull, moved bool) {
	pr := s.pr
	if p.Base != "" && p.Base != pr.Base { // a yes to one branch is none to another
		p.TurnedAfter, p.Turned, p.Reviews = p.Seen, pr.UpdatedAt, nil
	}
	p.URL, p.Title, p.Author, p.Base, p.Branch, p.Fork = pr.URL, pr.Title, pr.Author, pr.Base, pr.Branch, pr.Fork
	p.State, p.Head = pr.State, pr.Head
	if pr.UpdatedAt.After(p.Seen) {
		p.Seen = pr.UpdatedAt
	}
	if pr.State == "merged" {
		p.MergeSHA, p.MergedBy, p.MergedAt = pr.MergeSHA, pr.MergedBy, pr.MergedAt
	}
	if moved || s.told { // a webhook that comes late still knows better who pushed
		p.HeadBy = s.by
	}
	if s.examined {
		p.ExaminedHead, p.ExaminedFor, p.Targets = pr.Head, s.under, s.targets
	}
}

// take brings the store to what was seen. It may be given the same sight twice,
// and older ones after newer ones.
func (f *feature) take(tx *store.Tx, s sight) error {
	pr := s.pr
	p, err := tx.Pull(pr.RepoID, pr.Number)
	switch {
	case errors.Is(err, store.ErrNotFound):
		p = &store.Pull{RepoID: pr.RepoID, Repo: pr.Repo, Number: pr.Number, Created: f.Clock.Now(), State: "open"}
	case err != nil:
		return err
	case p.State == "merged" && pr.State != "merged", pr.UpdatedAt.Before(p.Seen) && pr.State != "merged":
		return nil // an older sight than what we know
	}
	if p.Operation == "" {
		op, err := f.ownOperation(tx, pr)
		if err != nil {
			return err
		}
		if op != nil {
			p.Operation = op.ID
		}
	}
	was := p.State
	moved := p.Head != "" && p.Head != pr.Head
	s.onto(p, moved)
	var op *store.Operation
	var held []*store.Operation
	if p.Operation != "" {
		if op, err = tx.Operation(p.Operation); err != nil {
			return err
		}
		if held, err = f.takenMeanwhile(tx, op, p, was); err != nil {
			return err
		}
		f.attach(op, p, was, moved, held)
		if moved || s.told {
			if op.HeadBy, err = f.choseHead(tx, op, s.by); err != nil {
				return err
			}
		}
	}
	switch {
	case len(held) > 0:
		err = f.closeAgain(tx, op, p)
	case p.State == "open":
		if err = f.ensurePlans(tx, p, op); err == nil {
			err = f.queueFacts(tx, p)
		}
	case p.State == "closed":
		err = f.dropPlans(tx, p)
	case p.State == "merged":
		err = f.merged(tx, p, op, s)
	}
	if err != nil {
		return err
	}
	if err := errors.Join(f.tidyAfter(tx, p, op, was), f.recordMoved(tx, p)); err != nil {
		return err
	}
	if err := tx.PutPull(p); err != nil {
		return err
	}
	if op != nil {
		if err := f.putOp(tx, op, true); err != nil {
			return err
		}
	}
	return errors.Join(f.markHead(tx, p), f.markBots(tx, p))
}

const pushed = "Somebody pushed to the branch: "

// pushedNote says what became of the head that was asked for.
func pushedNote(op *store.Operation, head string) string {
	switch {
	case head != headWanted(op):
		return fmt.Sprintf(pushed+"the head is %s now. It is planned again, and approvals of the old head no longer count.", short(head))
	case strings.HasPrefix(op.Note, pushed):
		return fmt.Sprintf("Somebody pushed to the branch and back: the head is %s again, as it was asked for.", short(head))
	}
	return op.Note // we moved it
}

// attach tells an operation what became of its pull request. held are those that
// took its targets while it was over.
func (f *feature) attach(op *store.Operation, p *store.Pull, was string, moved bool, held []*store.Operation) {
	afterAll := openedAfterAll(op)
	if op.PR == 0 {
		op.PR, op.PRURL, op.Opened = p.Number, p.URL, f.Clock.Now()
	}
	for i := range op.Passes { // what was passed before there was a head
		if op.Head == "" && op.Passes[i].Head == "" {
			op.Passes[i].Head = p.Head
		}
	}
	if moved { // whoever pressed Merge did so for another head
		op.MergeAskedBy = nil
	}
	switch p.State {
	case "open":
		if op.State == store.OpOpening {
			op.State, op.Note = store.OpOpen, ""
		}
		if len(held) > 0 {
			op.State, op.Note = store.OpClosed, f.tooLate(op, held)
			break
		}
		if afterAll {
			op.State, op.Note, op.Ended = store.OpOpen, "The pull request was opened after all.", time.Time{}
		}
		if op.State == store.OpClosed && was == "closed" {
			op.State, op.Note, op.CloseAskedBy, op.Ended = store.OpOpen, "The pull request was reopened.", nil, time.Time{}
		}
		if moved && op.State == store.OpOpen {
			op.Note = pushedNote(op, p.Head)
		}
	case "closed":
		op.MergeAskedBy = nil
		if op.State == store.OpOpen || op.State == store.OpOpening {
			op.State, op.Ended = store.OpClosed, f.Clock.Now()
			switch {
			case strings.HasPrefix(op.Note, supersededBy):
			case op.CloseAskedBy == nil:
				op.Note = "The pull request was closed on GitHub without a merge."
			default:
				op.Note = "Cancelled by " + gate.FromStore(*op.CloseAskedBy).Display() + "; the pull request is closed."
			}
		}
	}
	op.Head = p.Head
}

// tidyAfter deletes our branch once its pull request is over.
func (f *feature) tidyAfter(tx *store.Tx, p *store.Pull, op *store.Operation, was string) error {
	if op == nil || p.State == "open" {
		return nil
	}
	j := &store.Job{Key: fmt.Sprintf("tidy|%s|%s", op.ID, p.Head), Kind: kindTidy, Operation: op.ID, Repo: p.Repo, RepoID: p.RepoID, PR: p.Number,
		State: store.JobQueued, Created: f.Clock.Now()}
	if err := setRecord(j, record{Branch: op.Branch}); err != nil {
		return err
	}
	if was == "open" { // it may have been tidied up, and reopened since
		_, err := insertFresh(tx, j)
		return err
	}
	_, _, err := tx.InsertJob(j)
	return err
}

// putOp stores an operation and marks what shows it.
func (f *feature) putOp(tx *store.Tx, op *store.Operation, urgent bool) error {
	if err := tx.PutOperation(op); err != nil {
		return err
	}
	if op.Terminal() && op.Kind == "deploy" {
		if err := errors.Join(f.freed(tx, op), f.promoted(tx, op), f.tellLive(tx, op)); err != nil {
			return err
		}
	}
	if err := f.openFinished(tx, op); err != nil {
		return err
	}
	return tell.Mark(tx, op.ID, urgent)
}
