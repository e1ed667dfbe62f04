package githubsim

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-github/v60/github"
)

// post sends a body as it stands, which go-github would not.
func (w *world) post(path, body string) error {
	w.t.Helper()
	c := w.as("alice")
	req, err := c.NewRequest(http.MethodPost, "repos/acme/web/"+path, nil)
	w.must(err)
	req.Body = http.NoBody
	req, err = http.NewRequestWithContext(w.ctx, http.MethodPost, req.URL.String(), strings.NewReader(body))
	w.must(err)
	_, err = c.Do(w.ctx, req, nil)
	return err
}

// What GitHub refuses of a tree is refused here.
func TestTreesAreChecked(t *testing.T) {
	w := newWorld(t, nil)
	head := w.change("alice", "main", "dir/a.txt", "a\n")
	git := w.as("alice").Git
	tree, _, err := git.GetTree(w.ctx, "acme", "web", head, true)
	w.must(err)
	base, sha := tree.GetSHA(), map[string]string{}
	for _, e := range tree.Entries {
		sha[e.GetPath()] = e.GetSHA()
	}
	fill := strings.NewReplacer("$base", base, "$blob", sha["dir/a.txt"], "$dir", sha["dir"], "$none", strings.Repeat("1", 40), "$head", head)
	for _, c := range []struct{ body, say string }{
		{`{}`, `"tree" wasn't supplied`},
		{`{"base_tree":"$base","tree":[]}`, "Invalid tree info"},
		{`{"base_tree":"$none","tree":[{"path":"x","mode":"100644","sha":"$blob"}]}`, "base_tree is not a valid"},
		{`{"base_tree":"$blob","tree":[{"path":"x","mode":"100644","sha":"$blob"}]}`, "base_tree is not a valid"},
		{`{"tree":[{"path":"x","mode":"100644","type":"blob"}]}`, "Must supply either tree.sha or tree.content"},
		{`{"tree":[{"path":"x","mode":"100644","type":"blob","sha":"$blob","content":"x"}]}`, "Must supply either tree.sha or tree.content"},
		{`{"tree":[{"path":"x","mode":"100600","type":"blob","sha":"$blob"}]}`, "tree.mode"},
		{`{"tree":[{"path":"x","type":"blob","sha":"$blob"}]}`, "tree.mode"},
		{`{"tree":[{"path":"x","mode":"100644","type":"tree","sha":"$blob"}]}`, "tree.type"},
		{`{"tree":[{"path":"x","mode":"100644","type":"blob","sha":"$none"}]}`, "not a valid blob"},
		{`{"tree":[{"path":"x","mode":"100644","type":"blob","sha":"$dir"}]}`, "not a valid blob"},
		{`{"tree":[{"path":"x","mode":"040000","type":"tree","sha":"$blob"}]}`, "not a valid tree"},
		{`{"tree":[{"path":"x","mode":"100644","type":"blob","sha":7}]}`, "not a string"},
		{`{"tree":[{"path":"","mode":"100644","type":"blob","sha":"$blob"}]}`, "malformed path"},
		{`{"tree":[{"path":"/x","mode":"100644","type":"blob","sha":"$blob"}]}`, "malformed path"},
		{`{"tree":[{"path":"a/../x","mode":"100644","type":"blob","sha":"$blob"}]}`, "malformed path"},
		{`{"tree":[{"path":".git/config","mode":"100644","type":"blob","sha":"$blob"}]}`, "malformed path"},
		{`{"base_tree":"$base","tree":[{"path":"nosuch","mode":"100644","type":"blob","sha":null}]}`, "BadObjectState"},
		{`{"base_tree":"$base","tree":[{"path":"dir","mode":"040000","type":"tree","sha":null}]}`, "BadObjectState"},
		{`{"tree":[{"path":"dir/a.txt","mode":"100644","type":"blob","sha":null}]}`, "BadObjectState"},
	} {
		err := w.post("git/trees", fill.Replace(c.body))
		t.Run(c.body, func(t *testing.T) { wantError(t, err, 422, c.say) })
	}
	for _, c := range []struct{ body, say string }{
		{`{"tree":"$base","parents":[]}`, "wasn't supplied"},
		{`{"message":"m","parents":[]}`, "wasn't supplied"},
		{`{"message":"m","tree":"$none"}`, "Tree SHA does not exist"},
		{`{"message":"m","tree":"$head"}`, "Tree SHA does not exist"},
		{`{"message":"m","tree":"$base","parents":["$none"]}`, "Parent SHA does not exist"},
		{`{"message":"m","tree":"$base","parents":["$base"]}`, "Parent SHA does not exist"},
		{`{"message":"m","tree":"$base","parents":["main"]}`, "Parent SHA does not exist"},
	} {
		err := w.post("git/commits", fill.Replace(c.body))
		t.Run(c.body, func(t *testing.T) { wantError(t, err, 422, c.say) })
	}
	_, _, err = w.as("carol").Git.CreateTree(w.ctx, "acme", "web", base, []*github.TreeEntry{{Path: text("x"), Mode: text("100644"), SHA: text(sha["dir/a.txt"])}})
	wantError(t, err, 403, "Resource not accessible")
}

func TestTreesTakeFilesFoldersAndDeletions(t *testing.T) {
	w := newWorld(t, nil)
	head := w.change("alice", "main", "dir/a.txt", "a\n")
	git := w.as("alice").Git
	old, _, err := git.GetTree(w.ctx, "acme", "web", head, true)
	w.must(err)
	sha := map[string]string{}
	for _, e := range old.Entries {
		sha[e.GetPath()] = e.GetSHA()
	}
	entry := func(path, mode, sha string) *github.TreeEntry {
		e := &github.TreeEntry{Path: &path, Mode: &mode, Type: text(kindOf[mode])}
		if sha != "" {
			e.SHA = &sha
		}
		return e
	}
	made, _, err := git.CreateTree(w.ctx, "acme", "web", old.GetSHA(), []*github.TreeEntry{
		entry("dir/a.txt", "100644", ""), entry("app", "040000", sha["dir"]), entry("run", "100755", sha["dir/a.txt"]),
		entry("lib", "160000", strings.Repeat("a", 40)), {Path: text("new.txt"), Mode: text("100644"), Content: text("new\n")},
	})
	w.must(err)
	now, _, err := git.GetTree(w.ctx, "acme", "web", made.GetSHA(), true)
	w.must(err)
	var lines []string
	for _, e := range now.Entries {
		lines = append(lines, e.GetMode()+" "+e.GetPath())
	}
	want := "100644 README.md, 040000 app, 100644 app/a.txt, 160000 lib, 100644 new.txt, 100755 run"
	if got := strings.Join(lines, ", "); got != want {
		t.Errorf("the tree is %s\nwant %s", got, want)
	}
}
