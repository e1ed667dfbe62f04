package git

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

func TestFetchFollowsBranches(t *testing.T) {
	o := newOrigin(t)
	first := o.commit("one", "refs/heads/main", "a", "1")
	o.git(o.work, "push", "-q", "origin", "HEAD:refs/heads/old", "HEAD:refs/tags/v1")
	r := mirror(t, o.url())
	if _, err := r.ResolveRef(t.Context(), "main"); !errors.Is(err, ErrNotFound) {
		t.Errorf("before the first fetch: %v", err)
	}
	if err := r.Fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, ref := range []string{"main", "old", "v1", "refs/heads/main", first, first[:8]} {
		if got := must[string](t)(r.ResolveRef(t.Context(), ref)); got != first {
			t.Errorf("%s is %s, want %s", ref, got, first)
		}
	}
	second := o.commit("two", "refs/heads/main", "a", "2")
	o.git(o.work, "push", "-q", "origin", ":refs/heads/old")
	if err := r.Fetch(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	if got := must[string](t)(r.ResolveRef(t.Context(), "main")); got != second {
		t.Errorf("main is %s, want %s", got, second)
	}
	for _, ref := range []string{"old", "nope", "", "-n", "main..old", "main@{1}", "main^", "HEAD~1", "a b", "../x", first[:6]} {
		if got, err := r.ResolveRef(t.Context(), ref); !errors.Is(err, ErrNotFound) {
			t.Errorf("%q is %s (%v), want not found", ref, got, err)
		}
	}
}

func TestCommitsOnNoBranch(t *testing.T) {
	o := newOrigin(t)
	o.commit("one", "refs/heads/main", "a", "1")
	r := mirror(t, o.url())
	if err := r.Fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	pull := o.commit("of a pull request", "refs/pull/7/head", "a", "2")
	gone := o.commit("forced away", "refs/heads/x", "a", "3")
	o.git(o.work, "push", "-q", "--force", "origin", pull+":refs/heads/x")
	if err := r.Ensure(t.Context(), pull, gone); err != nil {
		t.Fatal(err)
	}
	for sha, want := range map[string]string{pull: "2", gone: "3"} {
		if got := must[[]byte](t)(r.Show(t.Context(), sha, "a")); string(got) != want {
			t.Errorf("a is %q, want %q", got, want)
		}
	}
	// What is there is not asked for again.
	if err := os.Rename(o.bare, o.bare+".away"); err != nil {
		t.Fatal(err)
	}
	if err := r.Ensure(t.Context(), pull, gone); err != nil {
		t.Error(err)
	}
	var e *Error
	if err := r.Fetch(t.Context()); !errors.As(err, &e) || !strings.Contains(err.Error(), "fetch "+o.url()) || !strings.Contains(e.Text, "does not appear to be a git repository") {
		t.Errorf("fetch of a repository that is gone: %v", err)
	}
	if err := os.Rename(o.bare+".away", o.bare); err != nil {
		t.Fatal(err)
	}
	nobody := strings.Repeat("ab", 20)
	if err := r.Ensure(t.Context(), pull, nobody); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), nobody) {
		t.Errorf("a commit that is nowhere: %v", err)
	}
	if err := r.Ensure(t.Context(), "main"); err == nil {
		t.Error("a branch was taken for a SHA")
	}
}

// A server that refuses to be asked for a SHA still has the pull requests.
func TestPullRequestsAreTheFallback(t *testing.T) {
	o := newOrigin(t)
	o.commit("one", "refs/heads/main", "a", "1")
	r := mirror(t, o.url())
	if err := r.Fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	pull := o.commit("two", "refs/pull/7/head", "a", "2")
	o.commit("three", "refs/pull/7/head", "a", "3") // so that it is no ref's tip
	bin := t.TempDir()
	real := must[string](t)(exec.LookPath("git"))
	script := "#!/bin/sh\ncase \"$*\" in *" + pull + ":refs*) echo 'fatal: Server does not allow request for unadvertised object' >&2; exit 128;; esac\nexec " + real + " \"$@\"\n"
	if err := os.WriteFile(filepath.Join(bin, "git"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	if err := r.Ensure(t.Context(), pull); err != nil {
		t.Fatal(err)
	}
	if got := must[[]byte](t)(r.Show(t.Context(), pull, "a")); string(got) != "2" {
		t.Errorf("a is %q", got)
	}
}

func TestHistory(t *testing.T) {
	o := newOrigin(t)
	one := o.commit("one", "refs/heads/main", "a", "1")
	o.git(o.work, "checkout", "-q", "-b", "topic")
	side := o.commit("side\n\nits body\nhas two lines", "refs/heads/topic", "dir/b", "1")
	o.git(o.work, "checkout", "-q", "main")
	two := o.commit("two", "refs/heads/main", "a", "2")
	o.git(o.work, "merge", "-q", "--no-ff", "-m", "Merge pull request #3", "topic")
	merge := o.commit("three", "refs/heads/main", "c ä", "1")
	o.git(o.work, "checkout", "-q", "--orphan", "other")
	orphan := o.commit("elsewhere", "refs/heads/other", "z", "1")
	r := mirror(t, o.url())
	if err := r.Fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()

	for _, tc := range []struct {
		a, b string
		want bool
	}{{one, merge, true}, {side, merge, true}, {merge, one, false}, {two, side, false}, {two, two, true}, {one, orphan, false}} {
		if got := must[bool](t)(r.IsAncestor(ctx, tc.a, tc.b)); got != tc.want {
			t.Errorf("%s in %s: %v, want %v", tc.a, tc.b, got, tc.want)
		}
	}
	if _, err := r.IsAncestor(ctx, strings.Repeat("0", 40), one); err == nil {
		t.Error("the ancestry of a commit that is not there was told")
	}
	if _, err := r.MergeBase(ctx, one, orphan); !errors.Is(err, ErrNotFound) {
		t.Errorf("merge base with an orphan: %v", err)
	}

	for sha, want := range map[string]int{one: 1, two: 2, merge: 4, side: 0, orphan: 0} {
		pos, ok, err := r.FirstParentPosition(ctx, merge, sha)
		if err != nil || pos != want || ok != (want > 0) {
			t.Errorf("%s stands at %d, %v (%v), want %d", sha, pos, ok, err, want)
		}
	}
	subjects := func(cs []Commit, err error) string {
		t.Helper()
		var out []string
		for _, c := range must[[]Commit](t)(cs, err) {
			out = append(out, c.Subject)
		}
		return strings.Join(out, ", ")
	}
	if got := subjects(r.FirstParentLog(ctx, one, merge, 0)); got != "three, Merge pull request #3, two" {
		t.Errorf("first parents: %s", got)
	}
	if got := subjects(r.FirstParentLog(ctx, "", merge, 2)); got != "three, Merge pull request #3" {
		t.Errorf("two first parents: %s", got)
	}
	all := must[[]Commit](t)(r.Log(ctx, two, merge, 0))
	i := slices.IndexFunc(all, func(c Commit) bool { return c.SHA == side })
	if len(all) != 3 || i < 0 {
		t.Fatalf("log is %+v", all)
	}
	if c := all[i]; c.Author != "Alice Ä" || c.Email != "alice@example.com" || c.Subject != "side" || c.Body != "its body\nhas two lines" || len(c.Parents) != 1 || c.Parents[0] != one || c.Time.IsZero() {
		t.Errorf("commit is %+v", c)
	}
	if got := must[[]string](t)(r.ChangedFiles(ctx, two, side)); strings.Join(got, ",") != "dir/b" {
		t.Errorf("changed files: %q", got)
	}
	if got := must[[]string](t)(r.DiffFiles(ctx, one, merge)); strings.Join(got, ",") != "a,c ä,dir/b" {
		t.Errorf("files that differ: %q", got)
	}
	if got := must[[]byte](t)(r.Show(ctx, merge, "./dir/../c ä")); string(got) != "1" {
		t.Errorf("shown: %q", got)
	}
	for _, path := range []string{"nope", "dir", "", "../a/b"} {
		if _, err := r.Show(ctx, merge, path); !errors.Is(err, ErrNotFound) {
			t.Errorf("show %q: %v", path, err)
		}
	}
}

func TestWorktrees(t *testing.T) {
	o := newOrigin(t)
	one := o.commit("one", "refs/heads/main", "a", "1", ".gitattributes", "* filter=lfs\n")
	two := o.commit("two", "refs/heads/main", "a", "2")
	r := mirror(t, o.url())
	ctx := t.Context()
	if err := r.Fetch(ctx); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var wg sync.WaitGroup
	for name, sha := range map[string]string{"w1": one, "w2": two, "w3": one} {
		wg.Go(func() {
			if err := r.Worktree(ctx, sha, filepath.Join(dir, name)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for name, want := range map[string]string{"w1": "1", "w2": "2"} {
		if b, err := os.ReadFile(filepath.Join(dir, name, "a")); err != nil || string(b) != want {
			t.Errorf("%s holds %q (%v)", name, b, err)
		}
	}
	if err := r.Worktree(ctx, one, filepath.Join(dir, "w1")); err == nil {
		t.Error("a work tree was made over another")
	}
	// As a tool, or an interrupted checkout, may leave it.
	w := filepath.Join(dir, "w1")
	if err := os.MkdirAll(filepath.Join(w, "cache"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(w, "cache", "x"), nil, 0o444); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(w, "cache"), 0o555); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(w, ".git")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"w1", "w2", "w3", "w3", "never"} {
		if err := r.RemoveWorktree(ctx, filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left over: %v (%v)", left, err)
	}
	if left, err := os.ReadDir(filepath.Join(r.dir, "worktrees")); err == nil && len(left) != 0 {
		t.Errorf("the mirror still knows of %v", left)
	}
	if err := r.Worktree(ctx, two, w); err != nil {
		t.Errorf("again at the same place: %v", err)
	}
}

// What a pull request's code does to its work tree, or to the mirror, must not
// make a later git of ours run a command.
func TestAHostileWorktreeRunsNothing(t *testing.T) {
	o := newOrigin(t)
	sha := o.commit("one", "refs/heads/main", "a", "1")
	r := mirror(t, o.url())
	ctx := t.Context()
	if err := r.Fetch(ctx); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "w")
	if err := r.Worktree(ctx, sha, dir); err != nil {
		t.Fatal(err)
	}
	proof := filepath.Join(t.TempDir(), "ran")
	evil := filepath.Join(t.TempDir(), "evil")
	if err := os.WriteFile(evil, []byte("#!/bin/sh\ntouch "+proof+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	bad := "[core]\n\trepositoryformatversion = 0\n\tbare = true\n\tfsmonitor = " + evil + "\n\tpager = " + evil + "\n\tsshCommand = " + evil +
		"\n[filter \"x\"]\n\tsmudge = " + evil + "\n\tclean = " + evil + "\n[diff]\n\texternal = " + evil + "\n[uploadpack]\n\tpackObjectsHook = " + evil +
		"\n[alias]\n\tfetch = !" + evil + "\n[credential]\n\thelper = " + evil + "\n[url \"ext::" + evil + "\"]\n\tinsteadOf = " + o.url() + "\n"
	fake := filepath.Join(dir, "fake.git")
	o.git("", "init", "-q", "--bare", fake)
	write := func(path, text string) {
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(fake, "config"), bad)
	write(filepath.Join(dir, ".git"), "gitdir: "+fake+"\n")
	write(filepath.Join(dir, ".gitattributes"), "* filter=x diff=x\n")
	write(filepath.Join(r.dir, "config"), bad)
	if err := os.MkdirAll(filepath.Join(r.dir, "hooks"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, hook := range []string{"post-checkout", "reference-transaction", "fsmonitor-watchman"} {
		write(filepath.Join(r.dir, "hooks", hook), "#!/bin/sh\ntouch "+proof+"\n")
	}
	o.git(o.work, "checkout", "-q", "-b", "next")
	next := o.commit("two", "refs/heads/main", "a", "2", ".gitattributes", "* filter=x diff=x\n")
	if err := r.Fetch(ctx, next); err != nil {
		t.Fatal(err)
	}
	must[[]string](t)(r.ChangedFiles(ctx, sha, next))
	if err := r.Worktree(ctx, next, dir+"2"); err != nil {
		t.Fatal(err)
	}
	if err := r.RemoveWorktree(ctx, dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(proof); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a command of a work tree ran")
	}
}

func TestAfterAGitThatWasKilled(t *testing.T) {
	o := newOrigin(t)
	sha := o.commit("one", "refs/heads/main", "a", "1")
	root := filepath.Join(t.TempDir(), "mirrors")
	r := must[*Repo](t)(New(root, nil).Repo(o.url()))
	if err := r.Fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, lock := range []string{"packed-refs.lock", "HEAD.lock", "refs/heads/main.lock", "config.lock", "refs/heads/next.lock"} {
		if err := os.WriteFile(filepath.Join(r.dir, lock), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	next := o.commit("two", "refs/heads/main", "a", "2")
	o.git(o.work, "push", "-q", "origin", "HEAD:refs/heads/next")
	if err := r.Fetch(t.Context()); err == nil {
		t.Fatal("the lock files do not matter; this test shows nothing")
	}
	r = must[*Repo](t)(New(root, nil).Repo(o.url()))
	if err := r.Fetch(t.Context(), sha, next); err != nil {
		t.Error(err)
	}
}

// A git that is killed while it makes a work tree leaves it locked.
func TestAfterACheckoutThatWasKilled(t *testing.T) {
	o := newOrigin(t)
	sha := o.commit("one", "refs/heads/main", "a", "1")
	r := mirror(t, o.url())
	if err := r.Fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "w")
	killed := func() {
		t.Helper()
		if err := r.Worktree(t.Context(), sha, dir); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(r.dir, "worktrees", "w", "locked"), []byte("initializing\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	killed()
	killed() // which makes it again
	again := must[*Repo](t)(New(filepath.Dir(r.dir), nil).Repo(o.url()))
	again.dir = r.dir
	if err := again.RemoveWorktree(t.Context(), dir+"-never"); err != nil { // as a later process clears up
		t.Fatal(err)
	}
	if left, err := os.ReadDir(filepath.Join(r.dir, "worktrees")); err == nil && len(left) != 0 {
		t.Errorf("a later process still knows of %v", left)
	}
	killed()
	if err := r.RemoveWorktree(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(filepath.Join(r.dir, "worktrees")); err == nil && len(left) != 0 {
		t.Errorf("the mirror still knows of %v", left)
	}
}

func TestFetchEndsWithItsContext(t *testing.T) {
	stuck, asked := make(chan struct{}), make(chan struct{}, 8)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		select {
		case <-stuck:
		case <-r.Context().Done():
		}
	}))
	defer srv.Close()
	defer close(stuck)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r := mirror(t, srv.URL+"/acme/web.git")
	done := make(chan error, 1)
	go func() { done <- r.Fetch(ctx) }()
	<-asked
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("fetch: %v", err)
	}
}

func TestTheTokenGoesToTheServerAndNowhereElse(t *testing.T) {
	o := newOrigin(t)
	sha := o.commit("one", "refs/heads/main", "a", "1")
	const token = "ghs_the0very1secret2token3"
	elsewhere := make(chan string, 8)
	thief := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { elsewhere <- r.Header.Get("Authorization") }))
	defer thief.Close()
	backend := &cgi.Handler{
		Path: must[string](t)(exec.LookPath("git")), Args: []string{"http-backend"},
		Env: []string{"GIT_PROJECT_ROOT=" + filepath.Dir(filepath.Dir(o.bare)), "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_GLOBAL=/dev/null"},
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, pass, _ := r.BasicAuth()
		switch {
		case strings.HasPrefix(r.URL.Path, "/moved"):
			http.Redirect(w, r, thief.URL+r.URL.Path, http.StatusMovedPermanently)
		case user != "x-access-token" || pass != token:
			http.Error(w, "who are you? not "+r.Header.Get("Authorization"), http.StatusUnauthorized)
		default:
			backend.ServeHTTP(w, r)
		}
	}))
	defer srv.Close()
	current := token
	mirrors := New(filepath.Join(t.TempDir(), "mirrors"), func(_ context.Context, url string) (string, error) { return current, nil })
	ctx := t.Context()

	r := must[*Repo](t)(mirrors.Repo(srv.URL + "/acme/web.git"))
	if err := r.Fetch(ctx, sha); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "w")
	if err := r.Worktree(ctx, sha, dir); err != nil {
		t.Fatal(err)
	}
	for _, root := range []string{r.dir, dir} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			b, err := os.ReadFile(path)
			if strings.Contains(string(b), token) || strings.Contains(string(b), "Authorization") {
				t.Errorf("%s holds the token", path)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}

	current = "ghs_wrong4wrong5wrong6wrong7"
	err := r.Fetch(ctx)
	if err == nil || strings.Contains(err.Error(), current) || !strings.Contains(err.Error(), "Authentication failed") && !strings.Contains(err.Error(), "could not read Username") {
		t.Errorf("a wrong token: %v", err)
	}
	moved := must[*Repo](t)(mirrors.Repo(srv.URL + "/moved/acme/web.git"))
	if err := moved.Fetch(ctx); err == nil {
		t.Error("a redirect was followed")
	}
	select {
	case got := <-elsewhere:
		t.Errorf("another server was asked, with %q", got)
	default:
	}
	failing := New(t.TempDir(), func(context.Context, string) (string, error) { return "", errors.New("no installation") })
	if err := must[*Repo](t)(failing.Repo(srv.URL + "/acme/web.git")).Fetch(ctx); err == nil || !strings.Contains(err.Error(), "get a token: no installation") {
		t.Errorf("no token: %v", err)
	}
}

func TestURLsThatAreRefused(t *testing.T) {
	m := New(t.TempDir(), nil)
	for _, url := range []string{"https://x:hunter22@github.com/a/b", "ssh://git@github.com/a/b", "ext::sh -c id", "--upload-pack=id", "/local/path", "git@github.com:a/b"} {
		if r, err := m.Repo(url); err == nil || strings.Contains(err.Error(), "hunter22") {
			t.Errorf("%s: %v, %v", url, r, err)
		}
	}
	a, b := must[*Repo](t)(m.Repo("https://h/acme/infra")), must[*Repo](t)(m.Repo("https://h/acme/infra-prod"))
	if again := must[*Repo](t)(m.Repo("https://h/acme/infra")); again != a || a.dir == b.dir {
		t.Errorf("mirrors at %s and %s", a.dir, b.dir)
	}
}

// Two commits with the same files have one tree; a path is a name, and what it
// does not name is not found by it.
func TestTreesAndEntries(t *testing.T) {
	o := newOrigin(t)
	first := o.commit("one", "refs/heads/main", "a", "1", "b/*", "2", "b/c", "3", "d e", "4")
	second := o.commit("two", "refs/heads/main", "a", "9")
	third := o.commit("three", "refs/heads/main", "a", "1")
	r := mirror(t, o.url())
	if err := r.Ensure(t.Context(), first, second, third); err != nil {
		t.Fatal(err)
	}
	tree := func(sha string) string { return must[string](t)(r.Tree(t.Context(), sha)) }
	if tree(first) != tree(third) || tree(first) == tree(second) || tree(first) != o.git(o.work, "rev-parse", first+"^{tree}") {
		t.Errorf("trees %s, %s, %s", tree(first), tree(second), tree(third))
	}
	if _, err := r.Tree(t.Context(), strings.Repeat("1", 40)); !errors.Is(err, ErrNotFound) {
		t.Errorf("the tree of what is nowhere: %v", err)
	}
	got := must[map[string]Entry](t)(r.Entries(t.Context(), first, []string{"b/*", "d e", "b", "nothing"}))
	want := map[string]Entry{
		"b/*": {"100644", o.git(o.work, "rev-parse", first+":b/*")},
		"d e": {"100644", o.git(o.work, "rev-parse", first+":d e")},
	}
	if !maps.Equal(got, want) {
		t.Errorf("entries %v, want %v", got, want)
	}
}
