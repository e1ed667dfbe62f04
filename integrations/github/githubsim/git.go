package githubsim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"
)

const (
	zeroSHA   = "0000000000000000000000000000000000000000"
	emptyTree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
)

var (
	hexRef  = regexp.MustCompile(`^[0-9a-f]{4,40}$`)
	fullSHA = regexp.MustCompile(`^[0-9a-f]{40}$`)
)

// gitRun is one run of git.
type gitRun struct {
	dir string
	env []string
	in  []byte
}

func gitEnv(extra ...string) []string {
	env := []string{
		"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent", "LC_ALL=C", "TZ=UTC",
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_TERMINAL_PROMPT=0",
	}
	return append(env, extra...)
}

// run returns what git wrote. An error carries git's own words.
func (g gitRun) run(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir, cmd.Env = g.dir, gitEnv(g.env...)
	if g.in != nil {
		cmd.Stdin = bytes.NewReader(g.in)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return string(out), fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(stderr.String()))
	}
	return string(out), nil
}

// Git runs git in a work tree, as a Repo.Seed needs it.
func Git(worktree string, args ...string) error {
	_, err := gitRun{dir: worktree}.run(args...)
	return err
}

func exitCode(err error) int {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	return -1
}

func (s *Sim) gitDir(r *repoRow) string {
	return filepath.Join(s.dir, "git", r.Owner, r.Name+".git")
}

func (s *Sim) git(r *repoRow, args ...string) (string, error) {
	return gitRun{dir: s.gitDir(r)}.run(args...)
}

func (s *Sim) gitLine(r *repoRow, args ...string) (string, error) {
	out, err := s.git(r, args...)
	return strings.TrimSpace(out), err
}

// commit is a commit object. It never changes, so it is kept once read.
type commit struct {
	SHA, Tree         string
	Parents           []string
	Author, Committer ident
	Message           string
}

type ident struct {
	Name, Email string
	Date        time.Time
}

func (i ident) env(role string) []string {
	return []string{
		"GIT_" + role + "_NAME=" + i.Name, "GIT_" + role + "_EMAIL=" + i.Email,
		"GIT_" + role + "_DATE=" + i.Date.UTC().Format("2006-01-02T15:04:05Z"),
	}
}

type commitCache struct {
	mu sync.Mutex
	by map[string]*commit
}

const logFormat = "--format=%H%x00%T%x00%P%x00%an%x00%ae%x00%aI%x00%cn%x00%ce%x00%cI%x00%B%x1e"

// gitLog reads the commits that git log prints for args.
func (s *Sim) gitLog(r *repoRow, args ...string) ([]*commit, error) {
	out, err := s.git(r, append([]string{"log", logFormat}, args...)...)
	if err != nil {
		return nil, err
	}
	var commits []*commit
	for record := range strings.SplitSeq(out, "\x1e") {
		f := strings.Split(strings.TrimPrefix(record, "\n"), "\x00")
		if len(f) < 10 {
			continue
		}
		c := &commit{SHA: f[0], Tree: f[1], Parents: strings.Fields(f[2]), Message: strings.TrimRight(f[9], "\n")}
		c.Author = ident{f[3], f[4], parseDate(f[5])}
		c.Committer = ident{f[6], f[7], parseDate(f[8])}
		commits = append(commits, c)
	}
	return commits, nil
}

func parseDate(text string) time.Time {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Unix(0, 0).UTC()
	}
	return at.UTC()
}

func (s *Sim) commitOf(r *repoRow, sha string) (*commit, error) {
	s.commits.mu.Lock()
	c := s.commits.by[sha]
	s.commits.mu.Unlock()
	if c != nil {
		return c, nil
	}
	list, err := s.gitLog(r, "--no-walk", sha, "--")
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("git log %s: no such commit", sha)
	}
	s.commits.mu.Lock()
	defer s.commits.mu.Unlock()
	if s.commits.by == nil {
		s.commits.by = map[string]*commit{}
	}
	s.commits.by[sha] = list[0]
	return list[0], nil
}

// refsNow asks git for the branches and tags.
func (s *Sim) refsNow(r *repoRow) (map[string]string, error) {
	out, err := s.git(r, "for-each-ref", "--format=%(objectname) %(refname)", "refs/heads", "refs/tags")
	if err != nil {
		return nil, err
	}
	refs := map[string]string{}
	for line := range strings.Lines(out) {
		if sha, name, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			refs[name] = sha
		}
	}
	return refs, nil
}

// resolve finds the commit that a branch, tag, ref path or (short) SHA names,
// in GitHub's order. "" means that there is none.
func (s *Sim) resolve(r *repoRow, refs map[string]string, ref string) string {
	if ref == "" || ref == "HEAD" {
		ref = "refs/heads/" + r.DefaultBranch
	}
	for _, name := range []string{"refs/heads/" + ref, "refs/tags/" + ref, "refs/" + ref, ref} {
		if sha := refs[name]; sha != "" {
			return s.peel(r, sha)
		}
	}
	if hexRef.MatchString(ref) {
		return s.peel(r, ref)
	}
	return ""
}

func (s *Sim) peel(r *repoRow, sha string) string {
	s.commits.mu.Lock()
	known := s.commits.by[sha] != nil
	s.commits.mu.Unlock()
	if known {
		if _, err := s.git(r, "cat-file", "-e", sha); err == nil {
			return sha
		}
		return ""
	}
	out, err := s.gitLine(r, "rev-parse", "--verify", "--quiet", sha+"^{commit}")
	if err != nil {
		return ""
	}
	return out
}

func (s *Sim) isAncestor(r *repoRow, old, tip string) bool {
	_, err := s.git(r, "merge-base", "--is-ancestor", old, tip)
	return err == nil
}

func (s *Sim) mergeBase(r *repoRow, a, b string) string {
	out, err := s.gitLine(r, "merge-base", a, b)
	if err != nil {
		return ""
	}
	return out
}

// ahead counts the commits of head that base does not hold. rev-list alone
// may count too many when commits are older than their parents, which they
// are once the clock has been moved, so the question of none is asked apart.
func (s *Sim) ahead(r *repoRow, base, head string) (int, error) {
	if s.isAncestor(r, head, base) {
		return 0, nil
	}
	return s.count(r, base+".."+head)
}

func (s *Sim) count(r *repoRow, args ...string) (int, error) {
	out, err := s.gitLine(r, append([]string{"rev-list", "--count"}, args...)...)
	if err != nil {
		return 0, err
	}
	var n int
	if _, err := fmt.Sscan(out, &n); err != nil {
		return 0, fmt.Errorf("read git rev-list --count %q: %w", out, err)
	}
	return n, nil
}

// mergeTree merges two commits without a work tree; ok is false on a conflict.
func (s *Sim) mergeTree(r *repoRow, ours, theirs string) (tree string, ok bool, err error) {
	out, err := s.git(r, "merge-tree", "--write-tree", ours, theirs)
	if err != nil {
		if exitCode(err) == 1 {
			return "", false, nil
		}
		return "", false, err
	}
	tree, _, _ = strings.Cut(out, "\n")
	return tree, true, nil
}

func (s *Sim) commitTree(r *repoRow, tree string, parents []string, message string, author, committer ident) (string, error) {
	args := []string{"commit-tree", tree}
	for _, p := range parents {
		args = append(args, "-p", p)
	}
	g := gitRun{dir: s.gitDir(r), in: []byte(message), env: append(author.env("AUTHOR"), committer.env("COMMITTER")...)}
	out, err := g.run(append(args, "-F", "-")...)
	return strings.TrimSpace(out), err
}

// updateRef moves ref from old to sha, or fails when it is not at old any more.
// An empty old means that the ref must not exist.
func (s *Sim) updateRef(r *repoRow, ref, sha, old string) error {
	if old == "" {
		old = zeroSHA
	}
	_, err := s.git(r, "update-ref", ref, sha, old)
	return err
}
