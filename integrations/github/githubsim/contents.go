package githubsim

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// entry is one entry of a tree.
type entry struct {
	mode, kind, sha, path string
	size                  int
}

// lsTree reads the entries of a tree; args may narrow it to paths.
func (s *Sim) lsTree(r *repoRow, args ...string) ([]entry, error) {
	out, err := s.git(r, append([]string{"ls-tree", "-z", "-l", "--full-tree"}, args...)...)
	if err != nil {
		return nil, err
	}
	var entries []entry
	for record := range strings.SplitSeq(strings.TrimSuffix(out, "\x00"), "\x00") {
		meta, name, ok := strings.Cut(record, "\t")
		f := strings.Fields(meta)
		if !ok || len(f) != 4 {
			continue
		}
		e := entry{mode: f[0], kind: f[1], sha: f[2], path: name}
		if f[3] != "-" {
			if e.size, err = strconv.Atoi(f[3]); err != nil {
				return nil, fmt.Errorf("read git ls-tree: %w", err)
			}
		}
		entries = append(entries, e)
	}
	return entries, nil
}

func (s *Sim) entryAt(r *repoRow, tip, file string) (*entry, error) {
	list, err := s.lsTree(r, tip, "--", file)
	if err != nil || len(list) != 1 {
		return nil, err
	}
	return &list[0], nil
}

func (c *call) contentObj(ref string, e entry) obj {
	kind := map[string]string{"blob": "file", "tree": "dir", "commit": "submodule"}[e.kind]
	escaped := (&url.URL{Path: e.path}).EscapedPath()
	self := c.s.repoURL(c.repo) + "/contents/" + escaped + "?ref=" + url.QueryEscape(ref)
	gitURL := c.s.repoURL(c.repo) + "/git/" + e.kind + "s/" + e.sha
	html := c.s.htmlURL(c.repo) + "/" + e.kind + "/" + ref + "/" + escaped
	return obj{
		"type": kind, "name": path.Base(e.path), "path": e.path, "sha": e.sha, "size": e.size,
		"url": self, "git_url": gitURL, "html_url": html,
		"download_url": c.s.htmlURL(c.repo) + "/raw/" + ref + "/" + escaped,
		"_links":       obj{"self": self, "git": gitURL, "html": html},
	}
}

func getContents(c *call) (int, any, error) {
	file := strings.Trim(c.path("path"), "/")
	ref := c.r.URL.Query().Get("ref")
	tip := c.resolve(ref)
	if tip == "" {
		return 0, nil, refuse(http.StatusNotFound, "No commit found for the ref %s", ref)
	}
	if ref == "" {
		ref = c.repo.DefaultBranch
	}
	target := tip
	if file != "" {
		e, err := c.s.entryAt(c.repo, tip, file)
		if err != nil {
			return 0, nil, err
		}
		if e == nil {
			return 0, nil, notFound()
		}
		if e.kind == "blob" {
			return c.fileContents(ref, *e)
		}
		target = e.sha
	}
	entries, err := c.s.lsTree(c.repo, target)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, list(entries, func(e entry) obj {
		e.path = path.Join(file, e.path)
		return c.contentObj(ref, e)
	}), nil
}

func (c *call) fileContents(ref string, e entry) (int, any, error) {
	raw, err := c.s.git(c.repo, "cat-file", "blob", e.sha)
	if err != nil {
		return 0, nil, err
	}
	if strings.Contains(c.r.Header.Get("Accept"), ".raw") {
		return http.StatusOK, raw, nil
	}
	o := c.contentObj(ref, e)
	o["encoding"], o["content"] = "base64", wrapBase64(raw)
	if len(raw) > 1<<20 { // too large for this call; the caller has to ask for it raw
		o["encoding"], o["content"] = "none", ""
	}
	return http.StatusOK, o, nil
}

// wrapBase64 breaks lines as GitHub does.
func wrapBase64(raw string) string {
	text := base64.StdEncoding.EncodeToString([]byte(raw))
	var b strings.Builder
	for len(text) > 0 {
		n := min(60, len(text))
		b.WriteString(text[:n] + "\n")
		text = text[n:]
	}
	return b.String()
}

type contentIn struct {
	Message, Content, SHA, Branch string
	Author, Committer             *identIn
}

// contentChange checks what putting and deleting have in common, and finds the
// branch and the file that is there now.
func (c *call) contentChange() (in contentIn, branch string, file string, now *entry, err error) {
	if err = c.in(&in); err != nil {
		return
	}
	file = strings.Trim(c.path("path"), "/")
	branch = strings.TrimPrefix(in.Branch, "refs/heads/")
	if branch == "" {
		branch = c.repo.DefaultBranch
	}
	tip := c.repo.Refs["refs/heads/"+branch]
	switch {
	case tip == "":
		err = refuse(http.StatusNotFound, "Branch %s not found", branch)
		return
	case file == "" || path.Clean(file) != file || strings.HasPrefix(file, "../") || strings.HasPrefix(file, ".git/"):
		err = unprocessable("path contains a malformed path component")
		return
	case in.Message == "":
		err = unprocessable("Invalid request.\n\n\"message\" wasn't supplied.")
		return
	}
	if now, err = c.s.entryAt(c.repo, tip, file); err != nil {
		return
	}
	switch {
	case now != nil && in.SHA == "":
		err = unprocessable("Invalid request.\n\n\"sha\" wasn't supplied.")
	case now != nil && now.sha != in.SHA:
		err = refuse(http.StatusConflict, "%s does not match %s", file, in.SHA)
	case now == nil && in.SHA != "":
		err = refuse(http.StatusConflict, "%s does not match %s", file, in.SHA)
	}
	return
}

func putContents(c *call) (int, any, error) {
	in, branch, file, now, err := c.contentChange()
	if err != nil {
		return 0, nil, err
	}
	raw, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(in.Content, "\n", ""))
	if err != nil {
		return 0, nil, unprocessable("content is not valid Base64")
	}
	blob, err := c.s.writeBlob(c.repo, raw)
	if err != nil {
		return 0, nil, err
	}
	commit, err := c.commitChange(in, branch, map[string]string{file: blob})
	if err != nil {
		return 0, nil, err
	}
	status := http.StatusOK
	if now == nil {
		status = http.StatusCreated
	}
	content := c.contentObj(branch, entry{mode: "100644", kind: "blob", sha: blob, path: file, size: len(raw)})
	return status, obj{"content": content, "commit": c.s.gitCommitObj(c.repo, commit)}, nil
}

func deleteContents(c *call) (int, any, error) {
	in, branch, file, now, err := c.contentChange()
	if err != nil {
		return 0, nil, err
	}
	if now == nil {
		return 0, nil, notFound()
	}
	commit, err := c.commitChange(in, branch, map[string]string{file: ""})
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, obj{"content": nil, "commit": c.s.gitCommitObj(c.repo, commit)}, nil
}

func (c *call) commitChange(in contentIn, branch string, blobs map[string]string) (*commit, error) {
	committer := c.ident(in.Committer)
	author := committer
	if in.Author != nil {
		author = c.ident(in.Author)
	}
	return c.s.commitBlobs(c.repo, c.login(), branch, in.Message, author, committer, blobs)
}

func (s *Sim) writeBlob(r *repoRow, raw []byte) (string, error) {
	if raw == nil {
		raw = []byte{}
	}
	out, err := gitRun{dir: s.gitDir(r), in: raw}.run("hash-object", "-w", "--stdin")
	return strings.TrimSpace(out), err
}

// commitBlobs puts files (path to blob, "" removes) on top of a branch.
func (s *Sim) commitBlobs(r *repoRow, actor, branch, message string, author, committer ident, blobs map[string]string) (*commit, error) {
	ref := "refs/heads/" + branch
	tip := r.Refs[ref]
	tree, err := s.treeWith(r, tip, blobs)
	if err != nil {
		return nil, err
	}
	sha, err := s.commitTree(r, tree, []string{tip}, message, author, committer)
	if err != nil {
		return nil, err
	}
	if err := s.updateRef(r, ref, sha, tip); err != nil {
		return nil, err
	}
	if err := s.syncRefs(r, actor); err != nil {
		return nil, err
	}
	return s.commitOf(r, sha)
}

// treeWith writes a tree that differs from base in the given files, each given as
// "<mode> <sha>", or as "" to remove it. A mode 040000 puts a whole tree there.
func (s *Sim) treeWith(r *repoRow, base string, blobs map[string]string) (string, error) {
	dir, err := os.MkdirTemp(s.dir, "index-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	g := gitRun{dir: s.gitDir(r), env: []string{"GIT_INDEX_FILE=" + filepath.Join(dir, "index")}}
	if base != "" {
		if _, err := g.run("read-tree", base); err != nil {
			return "", err
		}
	}
	var info strings.Builder
	for file, blob := range blobs {
		mode := "100644"
		if m, rest, ok := strings.Cut(blob, " "); ok {
			mode, blob = m, rest
		}
		if mode == "040000" {
			lines, err := s.folder(r, base, file, blob)
			if err != nil {
				return "", err
			}
			info.WriteString(lines)
			continue
		}
		if blob == "" {
			mode, blob = "0", zeroSHA
		}
		fmt.Fprintf(&info, "%s %s\t%s\x00", mode, blob, file)
	}
	g.in = []byte(info.String())
	if _, err := g.run("update-index", "-z", "--index-info"); err != nil {
		return "", err
	}
	g.in = nil
	out, err := g.run("write-tree")
	return strings.TrimSpace(out), err
}

func getBlob(c *call) (int, any, error) {
	sha := c.path("sha")
	if !c.isObject(sha, "blob") {
		return 0, nil, notFound()
	}
	raw, err := c.s.git(c.repo, "cat-file", "blob", sha)
	if err != nil {
		return 0, nil, err
	}
	if strings.Contains(c.r.Header.Get("Accept"), ".raw") {
		return http.StatusOK, raw, nil
	}
	return http.StatusOK, obj{
		"sha": sha, "size": len(raw), "encoding": "base64", "content": wrapBase64(raw),
		"url": c.s.repoURL(c.repo) + "/git/blobs/" + sha, "node_id": "B_" + sha,
	}, nil
}

func createBlob(c *call) (int, any, error) {
	var in struct{ Content, Encoding string }
	if err := c.in(&in); err != nil {
		return 0, nil, err
	}
	raw := []byte(in.Content)
	if in.Encoding == "base64" {
		var err error
		if raw, err = base64.StdEncoding.DecodeString(strings.ReplaceAll(in.Content, "\n", "")); err != nil {
			return 0, nil, unprocessable("content is not valid Base64")
		}
	}
	sha, err := c.s.writeBlob(c.repo, raw)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusCreated, obj{"sha": sha, "url": c.s.repoURL(c.repo) + "/git/blobs/" + sha}, nil
}
