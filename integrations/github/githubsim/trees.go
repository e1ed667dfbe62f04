package githubsim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

func getTree(c *call) (int, any, error) {
	ref := c.path("ref")
	sha := c.resolve(ref)
	if sha == "" && c.isObject(ref, "tree") {
		sha = ref
	}
	if sha == "" {
		return 0, nil, notFound()
	}
	args := []string{sha}
	if c.r.URL.Query().Get("recursive") != "" {
		args = []string{"-r", "-t", sha}
	}
	entries, err := c.s.lsTree(c.repo, args...)
	if err != nil {
		return 0, nil, err
	}
	tree, err := c.s.gitLine(c.repo, "rev-parse", sha+"^{tree}")
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, c.treeObj(tree, entries), nil
}

func (c *call) treeObj(sha string, entries []entry) obj {
	base := c.s.repoURL(c.repo) + "/git/"
	return obj{"sha": sha, "url": base + "trees/" + sha, "truncated": false, "tree": list(entries, func(e entry) obj {
		o := obj{"path": e.path, "mode": e.mode, "type": e.kind, "sha": e.sha, "url": base + e.kind + "s/" + e.sha}
		if e.kind == "blob" {
			o["size"] = e.size
		}
		return o
	})}
}

// treeIn is one entry of a tree that a caller wants. SHA tells null, which
// deletes, from nothing.
type treeIn struct {
	Path, Mode, Type string
	SHA              json.RawMessage
	Content          *string
}

// kindOf is what git keeps under a mode.
var kindOf = map[string]string{"100644": "blob", "100755": "blob", "120000": "blob", "040000": "tree", "160000": "commit"}

func createTree(c *call) (int, any, error) {
	var in struct {
		BaseTree string `json:"base_tree"`
		Tree     []treeIn
	}
	if err := c.in(&in); err != nil {
		return 0, nil, err
	}
	switch {
	case in.Tree == nil:
		return 0, nil, unprocessable("Invalid request.\n\n\"tree\" wasn't supplied.")
	case len(in.Tree) == 0:
		return 0, nil, unprocessable("Invalid tree info")
	case in.BaseTree != "" && !c.isObject(in.BaseTree, "tree") && !c.isObject(in.BaseTree, "commit"):
		return 0, nil, unprocessable("base_tree is not a valid tree oid")
	}
	blobs := map[string]string{}
	for _, e := range in.Tree {
		blob, err := c.treeEntry(in.BaseTree, e)
		if err != nil {
			return 0, nil, err
		}
		blobs[e.Path] = blob
	}
	tree, err := c.s.treeWith(c.repo, in.BaseTree, blobs)
	if err != nil {
		return 0, nil, unprocessable("Invalid tree info")
	}
	entries, err := c.s.lsTree(c.repo, tree)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusCreated, c.treeObj(tree, entries), nil
}

// treeEntry checks one entry as GitHub does, and returns what treeWith takes.
func (c *call) treeEntry(base string, e treeIn) (string, error) {
	const either = "Must supply either tree.sha or tree.content. Request will be rejected if both are present."
	kind, known := kindOf[e.Mode]
	switch {
	case malformedPath(e.Path):
		return "", unprocessable("tree.path contains a malformed path component")
	case !known:
		return "", unprocessable("tree.mode must be one of 100644, 100755, 040000, 160000, 120000")
	case e.Type != "" && e.Type != kind:
		return "", unprocessable("tree.type %s does not fit tree.mode %s", e.Type, e.Mode)
	case (e.SHA == nil) == (e.Content == nil):
		return "", unprocessable(either)
	case e.Content != nil && kind != "blob":
		return "", unprocessable("tree.content is for files")
	case e.Content != nil:
		sha, err := c.s.writeBlob(c.repo, []byte(*e.Content))
		return e.Mode + " " + sha, err
	case string(e.SHA) == "null":
		return "", c.deletable(base, e.Path)
	}
	var sha string
	if err := json.Unmarshal(e.SHA, &sha); err != nil {
		return "", unprocessable("Invalid request.\n\nFor 'properties/sha', %s is not a string or null.", e.SHA)
	}
	// A submodule's commit is in another repository.
	if kind == "commit" && fullSHA.MatchString(sha) || kind != "commit" && c.isObject(sha, kind) {
		return e.Mode + " " + sha, nil
	}
	return "", unprocessable("tree.sha %s is not a valid %s", sha, kind)
}

func malformedPath(file string) bool {
	return file == "" || slices.ContainsFunc(strings.Split(file, "/"), func(part string) bool {
		return part == "" || part == "." || part == ".." || strings.EqualFold(part, ".git")
	})
}

// deletable: only a file that the base has can be deleted.
func (c *call) deletable(base, file string) error {
	bad := unprocessable("GitRPC::BadObjectState")
	if base == "" {
		return bad
	}
	e, err := c.s.entryAt(c.repo, base, file)
	if err == nil && (e == nil || e.kind == "tree") {
		return bad
	}
	return err
}

// folder is what git's index is told to put a tree in the place of what base, if
// any, holds under a folder.
func (s *Sim) folder(r *repoRow, base, folder, tree string) (string, error) {
	var info strings.Builder
	if base != "" {
		old, err := s.lsTree(r, "-r", base, "--", folder)
		if err != nil {
			return "", err
		}
		for _, e := range old {
			fmt.Fprintf(&info, "0 %s\t%s\x00", zeroSHA, e.path)
		}
	}
	files, err := s.lsTree(r, "-r", tree)
	for _, e := range files {
		fmt.Fprintf(&info, "%s %s\t%s/%s\x00", e.mode, e.sha, folder, e.path)
	}
	return info.String(), err
}
