package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Commit is one commit.
type Commit struct {
	SHA     string
	Parents []string
	Author  string
	Email   string
	Time    time.Time // of the commit, not of its authorship
	Subject string
	Body    string
}

// read runs a command that changes nothing. It needs no lock.
func (r *Repo) read(ctx context.Context, c call) ([]byte, int, error) {
	if _, err := os.Stat(filepath.Join(r.dir, "HEAD")); err != nil {
		return nil, -1, fmt.Errorf("%s: %s was never fetched: %w", c.op, r.url, ErrNotFound)
	}
	if err := r.configure(); err != nil {
		return nil, -1, err
	}
	return r.git(ctx, c)
}

// ResolveRef returns the SHA of the commit that a branch, a tag, a full ref, a
// full SHA or an abbreviation of at least seven digits names in the mirror, in
// that order. ErrNotFound if none.
func (r *Repo) ResolveRef(ctx context.Context, ref string) (string, error) {
	op := fmt.Sprintf("resolve %q in %s", ref, r.url)
	if ref == "" || strings.HasPrefix(ref, "-") || strings.ContainsAny(ref, " ~^:?*[\\\x00\n") || strings.Contains(ref, "..") || strings.Contains(ref, "@{") {
		return "", fmt.Errorf("%s: not a ref: %w", op, ErrNotFound)
	}
	names := []string{"refs/heads/" + ref, "refs/tags/" + ref}
	if strings.HasPrefix(ref, "refs/") {
		names = append(names, ref)
	}
	if isHex(ref) && len(ref) >= 7 {
		names = append(names, ref)
	}
	for _, name := range names {
		out, code, err := r.read(ctx, call{op: op, args: []string{"rev-parse", "--verify", "--quiet", "--end-of-options", name + "^{commit}"}, ok: []int{1, 128}})
		if err != nil {
			return "", err
		}
		if sha := strings.TrimSpace(string(out)); code == 0 && fullSHA.MatchString(sha) {
			return sha, nil
		}
	}
	return "", fmt.Errorf("%s: %w", op, ErrNotFound)
}

func isHex(s string) bool { return strings.Trim(s, "0123456789abcdef") == "" }

// IsAncestor says whether head contains ancestor. A commit contains itself.
func (r *Repo) IsAncestor(ctx context.Context, ancestor, head string) (bool, error) {
	op := fmt.Sprintf("ask whether %s contains %s in %s", head, ancestor, r.url)
	if err := checkSHAs([]string{ancestor, head}); err != nil {
		return false, fmt.Errorf("%s: %w", op, err)
	}
	_, code, err := r.read(ctx, call{op: op, args: []string{"merge-base", "--is-ancestor", ancestor, head}, ok: []int{1}})
	return code == 0, err
}

// MergeBase is the best common ancestor of two commits; ErrNotFound if none.
func (r *Repo) MergeBase(ctx context.Context, a, b string) (string, error) {
	op := fmt.Sprintf("find where %s and %s part in %s", a, b, r.url)
	if err := checkSHAs([]string{a, b}); err != nil {
		return "", fmt.Errorf("%s: %w", op, err)
	}
	out, code, err := r.read(ctx, call{op: op, args: []string{"merge-base", a, b}, ok: []int{1}})
	if err == nil && code == 1 {
		err = fmt.Errorf("%s: %w", op, ErrNotFound)
	}
	return strings.TrimSpace(string(out)), err
}

// FirstParentPosition is where sha stands in the first-parent history of head:
// the root is 1, and the number stays when head moves on. ok is false when sha
// is not in that history.
func (r *Repo) FirstParentPosition(ctx context.Context, head, sha string) (pos int, ok bool, err error) {
	op := fmt.Sprintf("find %s in the history of %s in %s", sha, head, r.url)
	if err := checkSHAs([]string{head, sha}); err != nil {
		return 0, false, fmt.Errorf("%s: %w", op, err)
	}
	out, _, err := r.read(ctx, call{op: op, args: []string{"rev-list", "--first-parent", head}})
	if err != nil {
		return 0, false, err
	}
	lines := bytes.Fields(out)
	for i, line := range lines {
		if string(line) == sha {
			return len(lines) - i, true, nil
		}
	}
	return 0, false, nil
}

// FirstParentLog lists the commits of to's first-parent history that from does
// not contain, newest first: on a base branch, one for each merge. With from ""
// it is the whole history; limit 0 is no limit.
func (r *Repo) FirstParentLog(ctx context.Context, from, to string, limit int) ([]Commit, error) {
	return r.log(ctx, from, to, limit, "--first-parent")
}

// Log lists the commits that to contains and from does not, newest first.
func (r *Repo) Log(ctx context.Context, from, to string, limit int) ([]Commit, error) {
	return r.log(ctx, from, to, limit)
}

func (r *Repo) log(ctx context.Context, from, to string, limit int, flags ...string) ([]Commit, error) {
	op := fmt.Sprintf("list %s..%s in %s", from, to, r.url)
	span, shas := to, []string{to}
	if from != "" {
		span, shas = from+".."+to, append(shas, from)
	}
	if err := checkSHAs(shas); err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	args := append([]string{"log", "-z", "--no-color", "--no-show-signature", "--encoding=UTF-8", "--format=%H%n%P%n%an%n%ae%n%ct%n%s%n%b"}, flags...)
	if limit > 0 {
		args = append(args, "--max-count="+strconv.Itoa(limit))
	}
	out, _, err := r.read(ctx, call{op: op, args: append(args, "--end-of-options", span, "--")})
	if err != nil {
		return nil, err
	}
	var commits []Commit
	for _, rec := range strings.Split(string(out), "\x00") {
		f := strings.SplitN(rec, "\n", 7)
		if len(f) < 7 {
			continue
		}
		at, err := strconv.ParseInt(f[4], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%s: time of %s: %w", op, f[0], err)
		}
		commits = append(commits, Commit{f[0], strings.Fields(f[1]), f[2], f[3], time.Unix(at, 0).UTC(), f[5], strings.TrimSpace(f[6])})
	}
	return commits, nil
}

// ChangedFiles lists the files that head changed since it parted from base, as
// a pull request shows them; of a renamed file both names.
func (r *Repo) ChangedFiles(ctx context.Context, base, head string) ([]string, error) {
	from, err := r.MergeBase(ctx, base, head)
	if err != nil {
		return nil, err
	}
	return r.DiffFiles(ctx, from, head)
}

// DiffFiles lists the files that differ between two commits.
func (r *Repo) DiffFiles(ctx context.Context, a, b string) ([]string, error) {
	op := fmt.Sprintf("compare %s with %s in %s", a, b, r.url)
	if err := checkSHAs([]string{a, b}); err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	out, _, err := r.read(ctx, call{op: op, args: []string{"diff-tree", "-r", "-z", "--name-only", "--no-renames", "--no-ext-diff", "--no-textconv", a, b}})
	if err != nil {
		return nil, err
	}
	return strings.FieldsFunc(string(out), func(c rune) bool { return c == 0 }), nil
}

// Tree is the SHA of a commit's tree: two commits with the same hold the same files.
func (r *Repo) Tree(ctx context.Context, sha string) (string, error) {
	op := fmt.Sprintf("find the tree of %s in %s", sha, r.url)
	if err := checkSHAs([]string{sha}); err != nil {
		return "", fmt.Errorf("%s: %w", op, err)
	}
	out, code, err := r.read(ctx, call{op: op, args: []string{"rev-parse", "--verify", "--quiet", "--end-of-options", sha + "^{tree}"}, ok: []int{1, 128}})
	if err == nil && code != 0 {
		err = fmt.Errorf("%s: %w", op, ErrNotFound)
	}
	return strings.TrimSpace(string(out)), err
}

// Entry is a file as a commit holds it.
type Entry struct {
	Mode string // "100644", "100755", "120000", or "160000" for a submodule
	SHA  string // of the blob
}

// Entries are those of the paths that a commit holds; the others it does not.
func (r *Repo) Entries(ctx context.Context, sha string, paths []string) (map[string]Entry, error) {
	op := fmt.Sprintf("list the files of %s in %s", sha, r.url)
	if err := checkSHAs([]string{sha}); err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	// All are listed: what ls-tree is given as a path it takes for a pattern.
	out, _, err := r.read(ctx, call{op: op, args: []string{"ls-tree", "-r", "-z", "--full-tree", sha}})
	if err != nil {
		return nil, err
	}
	wanted := map[string]bool{}
	for _, p := range paths {
		wanted[p] = true
	}
	found := map[string]Entry{}
	for _, rec := range strings.Split(string(out), "\x00") {
		about, path, ok := strings.Cut(rec, "\t")
		if f := strings.Fields(about); ok && wanted[path] && len(f) == 3 {
			found[path] = Entry{Mode: f[0], SHA: f[2]}
		}
	}
	return found, nil
}

// MaxFile is the largest file that Show returns.
const MaxFile = 16 << 20

// Show returns a file as it stands in a commit. ErrNotFound when the commit or
// the file is not there, or is no file.
func (r *Repo) Show(ctx context.Context, sha, path string) ([]byte, error) {
	op := fmt.Sprintf("show %s of %s in %s", path, sha, r.url)
	if err := checkSHAs([]string{sha}); err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	if path == "" || strings.ContainsAny(path, "\x00\n") {
		return nil, fmt.Errorf("%s: %w", op, ErrNotFound)
	}
	object := sha + ":" + strings.TrimPrefix(filepath.ToSlash(filepath.Clean("/"+path)), "/")
	out, code, err := r.read(ctx, call{op: op, args: []string{"cat-file", "-s", object}, ok: []int{128}})
	if err != nil {
		return nil, err
	}
	if code != 0 {
		return nil, fmt.Errorf("%s: %w", op, ErrNotFound)
	}
	size, err := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
	if err != nil {
		return nil, fmt.Errorf("%s: size: %w", op, err)
	}
	if size > MaxFile {
		return nil, fmt.Errorf("%s: it has %d bytes, more than %d", op, size, MaxFile)
	}
	out, code, err = r.read(ctx, call{op: op, args: []string{"cat-file", "blob", object}, ok: []int{128}})
	if err == nil && code != 0 {
		err = fmt.Errorf("%s: %w", op, ErrNotFound)
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, err
	}
	return out, err
}
