package githubsim

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// The calls below are for what stands around the simulator in one process: the
// sandbox's page and the tests.

// PullView is a pull request as a page shows it.
type PullView struct {
	Repo, Title, Body, State, Author   string // State: open, closed, merged
	Number                             int
	Draft                              bool
	BaseRef, BaseSHA, HeadRef, HeadSHA string
	HeadRepo, URL                      string
	Mergeable                          bool
	Blocked                            string // the required status that is missing, in a sentence
	MergedBy, MergeSHA                 string
	Created, Updated                   time.Time
	MergedAt                           time.Time // zero unless merged
	ChangedFiles, Additions, Deletions int
	Labels                             []string
	Commits                            []CommitView
	Statuses                           []StatusView // the newest of each context
	Comments                           []CommentView
	Reviews                            []ReviewView
	Diff                               string
}

// CommitView is one commit of a pull request.
type CommitView struct {
	SHA, Message, Author string
	At                   time.Time
}

// StatusView is a commit status at the head.
type StatusView struct {
	Context, State, Description, URL string
	At                               time.Time
}

// CommentView is a comment.
type CommentView struct {
	ID               int64
	Author, Body     string
	Created, Updated time.Time
}

// ReviewView is a review.
type ReviewView struct {
	ID                  int64
	Author, State, Body string
	At                  time.Time
}

// Repos lists the repositories as "owner/name".
func (s *Sim) Repos() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []string
	for _, r := range s.state.Repos.sorted(nil) {
		out = append(out, r.full())
	}
	return out
}

// Refs maps the branches and tags of a repository to their SHAs.
func (s *Sim) Refs(repo string) (map[string]string, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	r, err := s.repoCalled(repo)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for k, v := range r.Refs {
		out[k] = v
	}
	return out, nil
}

// Pulls lists all pull requests, newest first, without commits and diff.
func (s *Sim) Pulls() []PullView {
	s.mu.RLock()
	defer s.mu.RUnlock()
	rows := s.state.Pulls.sorted(nil)
	slices.Reverse(rows)
	out := []PullView{}
	for _, p := range rows {
		out = append(out, s.pullView(p))
	}
	return out
}

// Pull is one pull request with its commits and its diff.
func (s *Sim) Pull(repo string, number int) (PullView, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	r, p, err := s.pullCalled(repo, number)
	if err != nil {
		return PullView{}, err
	}
	v := s.pullView(p)
	commits, err := s.pullCommits(r, p)
	if err != nil {
		return PullView{}, err
	}
	for _, c := range commits {
		v.Commits = append(v.Commits, CommitView{SHA: c.SHA, Message: c.Message, Author: c.Author.Name, At: c.Author.Date})
	}
	v.Diff, err = s.diffText(r, s.mergeBase(r, p.DiffBase, p.HeadSHA), p.HeadSHA)
	return v, err
}

func (s *Sim) repoCalled(repo string) (*repoRow, error) {
	owner, name, _ := strings.Cut(repo, "/")
	r := s.repoNamed(owner, name)
	if r == nil {
		return nil, fmt.Errorf("repository %s: not found", repo)
	}
	return r, nil
}

func (s *Sim) pullCalled(repo string, number int) (*repoRow, *pullRow, error) {
	r, err := s.repoCalled(repo)
	if err != nil {
		return nil, nil, err
	}
	p := s.pullNumbered(r.ID, number)
	if p == nil {
		return nil, nil, fmt.Errorf("pull request %s#%d: not found", repo, number)
	}
	return r, p, nil
}

func (s *Sim) pullView(p *pullRow) PullView {
	r := s.state.Repos.rows[p.Repo]
	v := PullView{
		Repo: r.full(), Number: p.Number, Title: p.Title, Body: p.Body, State: p.State, Author: p.Author, Draft: p.Draft,
		BaseRef: p.BaseRef, BaseSHA: p.BaseSHA, HeadRef: p.HeadRef, HeadSHA: p.HeadSHA, Mergeable: p.State == "open" && p.Mergeable,
		URL:      fmt.Sprintf("%s/pull/%d", s.htmlURL(r), p.Number),
		MergedBy: p.MergedBy, Created: p.Created, Updated: p.Updated,
		ChangedFiles: p.NumFiles, Additions: p.Additions, Deletions: p.Deletions, Labels: slices.Clone(p.Labels),
	}
	if from := s.state.Repos.rows[p.HeadRepo]; from != nil {
		v.HeadRepo = from.full()
	}
	switch {
	case p.MergedAt != nil:
		v.State, v.MergedAt, v.MergeSHA = "merged", *p.MergedAt, p.MergeSHA
	case p.State == "open":
		v.Blocked = s.missingStatus(p)
	}
	for _, t := range s.latestStatuses(p.Repo, p.HeadSHA) {
		v.Statuses = append(v.Statuses, StatusView{Context: t.Context, State: t.State, Description: t.Description, URL: t.TargetURL, At: t.Created})
	}
	for _, m := range s.commentsOf(p.Repo, p.Number) {
		v.Comments = append(v.Comments, CommentView{ID: m.ID, Author: m.Author, Body: m.Body, Created: m.Created, Updated: m.Updated})
	}
	for _, w := range s.reviewsOf(p.Repo, p.Number) {
		v.Reviews = append(v.Reviews, ReviewView{ID: w.ID, Author: w.Author, State: w.State, Body: w.Body, At: w.Submitted})
	}
	return v
}

// change runs a change made by a person in this process, under the same rules
// as one that came over the wire.
func (s *Sim) change(ctx context.Context, repo string, f func(*repoRow) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return s.broken
	}
	r, err := s.repoCalled(repo)
	if err != nil {
		return err
	}
	after := s.snapshotForLag(r)
	ferr := f(r)
	after()
	if err := s.commit(); err != nil {
		return err
	}
	s.wakeLocked()
	return ferr
}

func (s *Sim) mayWrite(login string, r *repoRow) error {
	if s.userNamed(login) == nil || s.levelOf(login, r) < write {
		return fmt.Errorf("%s may not write to %s", login, r.full())
	}
	return nil
}

// Merge presses the merge button as somebody.
func (s *Sim) Merge(ctx context.Context, login, repo string, number int) error {
	err := s.change(ctx, repo, func(r *repoRow) error {
		if err := s.mayWrite(login, r); err != nil {
			return err
		}
		_, p, err := s.pullCalled(repo, number)
		if err != nil {
			return err
		}
		_, err = s.merge(r, p, login, mergeIn{})
		return err
	})
	if err != nil {
		return fmt.Errorf("merge %s#%d: %w", repo, number, err)
	}
	return nil
}

// Commit puts files (path to text; nil text removes) on a branch as somebody,
// and gives the new SHA. A branch that is not there yet starts at the default one.
func (s *Sim) Commit(ctx context.Context, login, repo, branch, message string, files map[string]*string) (string, error) {
	var sha string
	err := s.change(ctx, repo, func(r *repoRow) error {
		if err := s.mayWrite(login, r); err != nil {
			return err
		}
		var err error
		sha, err = s.commitFiles(r, login, branch, message, files)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("commit to %s of %s: %w", branch, repo, err)
	}
	return sha, nil
}

func (s *Sim) commitFiles(r *repoRow, login, branch, message string, files map[string]*string) (string, error) {
	ref := "refs/heads/" + branch
	if r.Refs[ref] == "" {
		if _, err := (gitRun{}).run("check-ref-format", ref); err != nil {
			return "", err
		}
		if err := s.updateRef(r, ref, r.Refs["refs/heads/"+r.DefaultBranch], ""); err != nil {
			return "", err
		}
		if err := s.syncRefs(r, login); err != nil {
			return "", err
		}
	}
	blobs := map[string]string{}
	for name, text := range files {
		blobs[name] = ""
		if text == nil {
			continue
		}
		sha, err := s.writeBlob(r, []byte(*text))
		if err != nil {
			return "", err
		}
		blobs[name] = sha
	}
	who := s.identOf(login)
	c, err := s.commitBlobs(r, login, branch, message+"\n", who, who, blobs)
	if err != nil {
		return "", err
	}
	return c.SHA, nil
}

// OpenPull opens a pull request as somebody, and gives its number.
func (s *Sim) OpenPull(ctx context.Context, login, repo, head, base, title, body string) (int, error) {
	number := 0
	err := s.change(ctx, repo, func(r *repoRow) error {
		if err := s.mayWrite(login, r); err != nil {
			return err
		}
		if r.Refs["refs/heads/"+head] == "" || r.Refs["refs/heads/"+base] == "" {
			return fmt.Errorf("no branch %s or %s", head, base)
		}
		p, err := s.openPull(r, r, login, head, base, title, body, false)
		if err == nil {
			number = p.Number
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("open pull request in %s: %w", repo, err)
	}
	return number, nil
}

// ForkPR forks a repository for somebody (once), commits files to a branch of
// the fork, and opens a pull request from it.
func (s *Sim) ForkPR(ctx context.Context, login, repo, branch, base, title string, files map[string]*string) (int, error) {
	number := 0
	err := s.change(ctx, repo, func(r *repoRow) error {
		fork, err := s.fork(r, login)
		if err != nil {
			return err
		}
		if _, err := s.commitFiles(fork, login, branch, title, files); err != nil {
			return err
		}
		p, err := s.openPull(r, fork, login, branch, base, title, "", false)
		if err == nil {
			number = p.Number
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("fork %s as %s: %w", repo, login, err)
	}
	return number, nil
}

func (s *Sim) fork(r *repoRow, login string) (*repoRow, error) {
	if f := s.repoNamed(login, r.Name); f != nil {
		if f.Parent != r.ID {
			return nil, fmt.Errorf("%s exists and is no fork", f.full())
		}
		return f, nil
	}
	f := &repoRow{
		Owner: login, Name: r.Name, DefaultBranch: r.DefaultBranch, Public: r.Public,
		Parent: r.ID, Created: s.now(), Pushed: s.now(),
	}
	dir := s.gitDir(f)
	if err := os.RemoveAll(dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return nil, err
	}
	if err := s.initBare(dir, r.DefaultBranch); err != nil {
		return nil, err
	}
	if _, err := s.git(f, "fetch", "-q", s.gitDir(r), "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"); err != nil {
		return nil, err
	}
	refs, err := s.refsNow(f)
	if err != nil {
		return nil, err
	}
	f.ID, f.Refs = s.newID(), refs
	put(s, &s.state.Repos, f.ID, f)
	s.startSender(f.ID)
	return f, nil
}

// WaitIdle waits until no delivery is pending.
func (s *Sim) WaitIdle(ctx context.Context) error {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !s.Idle() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for deliveries: %w", ctx.Err())
		}
	}
	return nil
}
