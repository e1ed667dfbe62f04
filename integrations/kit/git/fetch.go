package git

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
)

// ErrNotFound says that a ref, a commit or a file is not there.
var ErrNotFound = errors.New("not found")

var fullSHA = regexp.MustCompile(`^[0-9a-f]{40}([0-9a-f]{24})?$`)

// Fetch brings the mirror's branches and tags up to the repository's, and the
// commits named, which may be on no branch: the head of a pull request, or what
// a branch held before it was forced. They are asked for by SHA, or looked for
// among the pull requests' heads where the server refuses that. ErrNotFound is
// returned when one is nowhere.
func (r *Repo) Fetch(ctx context.Context, shas ...string) error {
	if err := checkSHAs(shas); err != nil {
		return fmt.Errorf("fetch %s: %w", r.url, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.open(ctx); err != nil {
		return err
	}
	if err := r.fetch(ctx, "--prune", "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"); err != nil {
		return err
	}
	return r.ensure(ctx, shas)
}

// Ensure makes sure that the mirror holds the commits, and asks the server only
// for those it does not hold.
func (r *Repo) Ensure(ctx context.Context, shas ...string) error {
	if err := checkSHAs(shas); err != nil {
		return fmt.Errorf("fetch %s: %w", r.url, err)
	}
	missing, err := r.missing(ctx, shas)
	if err == nil && len(missing) == 0 {
		return nil // without waiting for a fetch that goes on
	}
	waited := !r.mu.TryLock()
	if waited {
		r.mu.Lock()
	}
	defer r.mu.Unlock()
	if err := r.open(ctx); err != nil {
		return err
	}
	if waited || err != nil {
		return r.ensure(ctx, shas)
	}
	return r.bring(ctx, missing)
}

func checkSHAs(shas []string) error {
	for _, sha := range shas {
		if !fullSHA.MatchString(sha) {
			return fmt.Errorf("%q is not a full commit SHA", sha)
		}
	}
	return nil
}

func (r *Repo) ensure(ctx context.Context, shas []string) error {
	missing, err := r.missing(ctx, shas)
	if err != nil || len(missing) == 0 {
		return err
	}
	return r.bring(ctx, missing)
}

// bring fetches commits that the mirror lacks.
func (r *Repo) bring(ctx context.Context, missing []string) error {
	// A ref of its own keeps each from being collected.
	args := []string{"--no-tags"}
	for _, sha := range missing {
		args = append(args, "+"+sha+":refs/signalbox/"+sha)
	}
	var refused *Error
	err := r.fetch(ctx, args...)
	if err == nil { // git has made sure of each before it set its ref
		for _, sha := range missing {
			r.known.add(sha)
		}
		return nil
	}
	if !errors.As(err, &refused) {
		return err
	}
	if missing, err = r.missing(ctx, missing); err != nil || len(missing) == 0 {
		return err
	}
	if err := r.fetch(ctx, "--no-tags", "+refs/pull/*/head:refs/pull/*/head"); err != nil {
		return err
	}
	if missing, err = r.missing(ctx, missing); err != nil || len(missing) == 0 {
		return err
	}
	err = fmt.Errorf("fetch %s from %s: %w", missing[0], r.url, ErrNotFound)
	if refused != nil {
		err = fmt.Errorf("%w (%s)", err, refused.Text)
	}
	return err
}

func (r *Repo) missing(ctx context.Context, shas []string) ([]string, error) {
	var out []string
	for _, sha := range shas {
		if r.known.has(sha) {
			continue
		}
		_, code, err := r.read(ctx, call{op: "look for " + sha, args: []string{"cat-file", "-e", sha + "^{commit}"}, ok: []int{1, 128}})
		if err != nil {
			return nil, err
		}
		if code != 0 {
			out = append(out, sha)
		} else {
			r.known.add(sha)
		}
	}
	return out, nil
}

// commits are some that the mirror was seen to hold. It never gives one up:
// nothing is collected in it.
type commits struct {
	mu  sync.Mutex
	all map[string]bool
}

const commitsMost = 4096

func (c *commits) has(sha string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.all[sha]
}

func (c *commits) add(sha string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all == nil || len(c.all) >= commitsMost {
		c.all = map[string]bool{}
	}
	c.all[sha] = true
}

func (r *Repo) fetch(ctx context.Context, args ...string) error {
	op := "fetch " + r.url
	token := ""
	if r.m.token != nil {
		var err error
		if token, err = r.m.token(ctx, r.url); err != nil {
			return fmt.Errorf("%s: get a token: %w", op, err)
		}
	}
	var flags, specs []string
	for _, a := range args {
		if strings.HasPrefix(a, "--") {
			flags = append(flags, a)
		} else {
			specs = append(specs, a)
		}
	}
	full := append([]string{"fetch", "--quiet", "--no-auto-gc", "--no-write-fetch-head", "--no-recurse-submodules"}, flags...)
	full = append(append(full, "--end-of-options", r.url), specs...)
	_, _, err := r.git(ctx, call{op: op, args: full, token: token})
	return err
}

// Worktree makes dir, which must not exist or be empty, a work tree of the
// commit, which the mirror must hold. Nothing may run git in it afterwards but
// the code of the commit itself. What an interrupted call left of dir must be
// removed first, with RemoveWorktree or by hand.
func (r *Repo) Worktree(ctx context.Context, sha, dir string) error {
	op := fmt.Sprintf("check out %s to %s", sha, dir)
	if err := checkSHAs([]string{sha}); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.open(ctx); err != nil {
		return err
	}
	if err := errors.Join(os.MkdirAll(filepath.Dir(dir), 0o755), r.unlock(dir)); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	_, _, err = r.git(ctx, call{op: op, args: []string{"worktree", "add", "--quiet", "--detach", "--force", "--end-of-options", dir, sha}})
	return err
}

// RemoveWorktree removes a work tree, whatever was done to it or however little
// of it was made. It is not an error if there is none.
func (r *Repo) RemoveWorktree(ctx context.Context, dir string) error {
	dir, err := filepath.Abs(dir)
	if err == nil {
		err = removeAll(dir)
	}
	if err != nil {
		return fmt.Errorf("remove work tree %s: %w", dir, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.open(ctx); err != nil {
		return err
	}
	if err := r.unlock(dir); err != nil {
		return fmt.Errorf("remove work tree %s: %w", dir, err)
	}
	_, _, err = r.git(ctx, call{op: "remove work tree " + dir, args: []string{"worktree", "prune", "--expire=now"}})
	return err
}

// unlock takes the lock of what the mirror knows of a work tree. Git locks one
// while it makes it; killed then, it leaves the lock, and neither prunes the work
// tree nor makes it again. The caller holds the lock of the mirror.
func (r *Repo) unlock(dir string) error {
	known, err := filepath.Glob(filepath.Join(r.dir, "worktrees", "*", "gitdir"))
	if err != nil {
		return err
	}
	for _, path := range known {
		b, err := os.ReadFile(path)
		if err != nil || strings.TrimSpace(string(b)) != filepath.Join(dir, ".git") {
			continue // another one, or one that is going away
		}
		if err := os.Remove(filepath.Join(filepath.Dir(path), "locked")); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// removeAll removes folders too that their owner must not write to, as tools
// leave them in caches.
func removeAll(dir string) error {
	err := os.RemoveAll(dir)
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	err = fs.WalkDir(root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() && err == nil {
			return root.Chmod(path, 0o700)
		}
		return nil
	})
	return errors.Join(err, os.RemoveAll(dir))
}
