package git

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// origin is a repository that a test pushes to by hand.
type origin struct {
	t    testing.TB
	bare string
	work string
}

func newOrigin(t testing.TB) *origin {
	t.Helper()
	dir := t.TempDir()
	o := &origin{t: t, bare: filepath.Join(dir, "acme", "web.git"), work: filepath.Join(dir, "work")}
	o.git("", "init", "-q", "--bare", "-b", "main", o.bare)
	o.git("", "init", "-q", "-b", "main", o.work)
	o.git(o.work, "remote", "add", "origin", o.bare)
	return o
}

func (o *origin) git(dir string, args ...string) string {
	o.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=Alice Ä", "GIT_AUTHOR_EMAIL=alice@example.com", "GIT_COMMITTER_NAME=Alice", "GIT_COMMITTER_EMAIL=alice@example.com")
	out, err := cmd.CombinedOutput()
	if err != nil {
		o.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// commit writes the files, pushes them to the ref and returns the commit.
func (o *origin) commit(message, ref string, files ...string) string {
	o.t.Helper()
	for i := 0; i < len(files); i += 2 {
		path := filepath.Join(o.work, files[i])
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			o.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(files[i+1]), 0o644); err != nil {
			o.t.Fatal(err)
		}
	}
	o.git(o.work, "add", "-A")
	o.git(o.work, "commit", "-q", "--allow-empty", "-m", message)
	o.git(o.work, "push", "-q", "--force", "origin", "HEAD:"+ref)
	return o.git(o.work, "rev-parse", "HEAD")
}

func (o *origin) url() string { return "file://" + o.bare }

func mirror(t testing.TB, url string) *Repo {
	t.Helper()
	r, err := New(filepath.Join(t.TempDir(), "mirrors"), nil).Repo(url)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
