package githubsim

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

const (
	filesInAnswer   = 300
	commitsInAnswer = 250
)

func noCommit(ref string) error {
	return unprocessable("No commit found for SHA: %s", ref)
}

func listCommits(c *call) (int, any, error) {
	q := c.r.URL.Query()
	tip := c.resolve(q.Get("sha"))
	if tip == "" {
		return 0, nil, notFound()
	}
	args := []string{}
	for _, name := range []string{"since", "until", "author"} {
		if v := q.Get(name); v != "" {
			args = append(args, "--"+name+"="+v)
		}
	}
	// One page is read from git, so that a long history costs no more.
	total, err := c.s.count(c.repo, append(append([]string{}, args...), append([]string{tip, "--"}, paths(q.Get("path"))...)...)...)
	if err != nil {
		return 0, nil, err
	}
	from, to, _ := pageBounds(c, total, 30, 100)
	args = append(args, "--skip="+strconv.Itoa(from), "--max-count="+strconv.Itoa(to-from), tip, "--")
	commits, err := c.s.gitLog(c.repo, append(args, paths(q.Get("path"))...)...)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, list(commits, c.commitObj), nil
}

func paths(p string) []string {
	if p == "" {
		return nil
	}
	return []string{":(literal)" + p}
}

func (c *call) commitObj(m *commit) obj { return c.s.commitObj(c.repo, m) }

// commitRoutes tells commits/{ref} from what hangs below it; a ref may hold
// slashes, escaped or not.
func commitRoutes(c *call) (int, any, error) {
	rest := c.path("rest")
	for suffix, h := range map[string]func(*call, string) (int, any, error){
		"/status": combinedStatus, "/statuses": statusesAt, "/check-runs": checksAt, "/pulls": pullsOfCommit,
	} {
		if ref, ok := strings.CutSuffix(rest, suffix); ok {
			sha := c.resolve(ref)
			if sha == "" {
				return 0, nil, noCommit(ref)
			}
			return h(c, sha)
		}
	}
	return getCommit(c, rest)
}

func getCommit(c *call, ref string) (int, any, error) {
	sha := c.resolve(ref)
	if sha == "" {
		return 0, nil, noCommit(ref)
	}
	accept := c.r.Header.Get("Accept")
	if strings.Contains(accept, ".sha") {
		return http.StatusOK, sha, nil
	}
	commit, err := c.s.commitOf(c.repo, sha)
	if err != nil {
		return 0, nil, err
	}
	parent := emptyTree
	if len(commit.Parents) > 0 {
		parent = commit.Parents[0]
	}
	if strings.Contains(accept, ".diff") {
		text, err := c.s.diffText(c.repo, parent, sha)
		return http.StatusOK, text, err
	}
	files, err := c.s.diffFull(c.repo, parent, sha)
	if err != nil {
		return 0, nil, err
	}
	added, deleted := 0, 0
	for _, f := range files {
		added, deleted = added+f.added, deleted+f.deleted
	}
	o := c.commitObj(commit)
	o["stats"] = obj{"additions": added, "deletions": deleted, "total": added + deleted}
	o["files"] = list(page(c, files, filesInAnswer, filesInAnswer), c.s.fileObj(c.repo, sha))
	return http.StatusOK, o, nil
}

// pullsOfCommit lists the pull requests that brought a commit: the merged ones
// when it is on the default branch, else the open ones that hold it, too.
func pullsOfCommit(c *call, sha string) (int, any, error) {
	s := c.s
	onDefault := s.isAncestor(c.repo, sha, c.refs()["refs/heads/"+c.repo.DefaultBranch])
	var found []*pullRow
	for _, p := range s.state.Pulls.sorted(func(p *pullRow) bool { return p.Repo == c.repo.ID }) {
		p = c.stale(p)
		if onDefault && p.MergedAt == nil {
			continue
		}
		has, err := s.pullHas(c.repo, p, sha)
		if err != nil {
			return 0, nil, err
		}
		if has {
			found = append(found, p)
		}
	}
	return http.StatusOK, list(page(c, found, 30, 100), s.pullObj), nil
}

func (s *Sim) pullHas(r *repoRow, p *pullRow, sha string) (bool, error) {
	if p.MergedAt != nil && p.MergeSHA == sha || p.HeadSHA == sha {
		return true, nil
	}
	if p.DiffBase == "" || !s.isAncestor(r, sha, p.HeadSHA) {
		return false, nil
	}
	return !s.isAncestor(r, sha, p.DiffBase), nil
}

// side resolves one side of a comparison, which may be "owner:branch" in a fork.
func (c *call) side(name string) string {
	if owner, branch, ok := strings.Cut(name, ":"); ok {
		if owner == c.repo.Owner {
			return c.resolve(branch)
		}
		for _, f := range c.s.state.Repos.rows {
			if f.Owner == owner && f.Parent == c.repo.ID {
				if sha := f.Refs["refs/heads/"+branch]; sha != "" {
					return c.s.peel(c.repo, sha)
				}
			}
		}
		return ""
	}
	return c.resolve(name)
}

func compare(c *call) (int, any, error) {
	s, r := c.s, c.repo
	baseName, headName, ok := strings.Cut(c.path("basehead"), "...")
	base, head := c.side(baseName), c.side(headName)
	if !ok || base == "" || head == "" {
		return 0, nil, notFound()
	}
	fork := s.mergeBase(r, base, head)
	if fork == "" {
		return 0, nil, refuse(http.StatusNotFound, "No common ancestor between %s and %s.", baseName, headName)
	}
	if strings.Contains(c.r.Header.Get("Accept"), ".diff") {
		text, err := s.diffText(r, fork, head)
		return http.StatusOK, text, err
	}
	commits, err := s.logBetween(r, base, head)
	if err != nil {
		return 0, nil, err
	}
	behind, err := s.ahead(r, head, base)
	if err != nil {
		return 0, nil, err
	}
	baseCommit, err := s.commitOf(r, base)
	if err != nil {
		return 0, nil, err
	}
	forkCommit, err := s.commitOf(r, fork)
	if err != nil {
		return 0, nil, err
	}
	from, to, number := pageBounds(c, len(commits), commitsInAnswer, commitsInAnswer)
	var files []*fileDiff
	if number == 1 { // files come with the first page only
		if files, err = s.diffFull(r, fork, head); err != nil {
			return 0, nil, err
		}
		files = files[:min(len(files), filesInAnswer)]
	}
	html := s.htmlURL(r) + "/compare/" + baseName + "..." + headName
	return http.StatusOK, obj{
		"url": s.repoURL(r) + "/compare/" + baseName + "..." + headName, "html_url": html,
		"permalink_url": fmt.Sprintf("%s/compare/%s:%.7s...%s:%.7s", s.htmlURL(r), r.Owner, base, r.Owner, head),
		"diff_url":      html + ".diff", "patch_url": html + ".patch",
		"base_commit": c.commitObj(baseCommit), "merge_base_commit": c.commitObj(forkCommit),
		"status": compareStatus(len(commits), behind), "ahead_by": len(commits), "behind_by": behind,
		"total_commits": len(commits), "commits": list(commits[from:to], c.commitObj),
		"files": list(files, s.fileObj(r, head)),
	}, nil
}

func compareStatus(ahead, behind int) string {
	switch {
	case ahead > 0 && behind > 0:
		return "diverged"
	case ahead > 0:
		return "ahead"
	case behind > 0:
		return "behind"
	}
	return "identical"
}

func getGitCommit(c *call) (int, any, error) {
	sha := c.path("sha")
	if !fullSHA.MatchString(sha) || c.resolve(sha) != sha {
		return 0, nil, notFound()
	}
	commit, err := c.s.commitOf(c.repo, sha)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, c.s.gitCommitObj(c.repo, commit), nil
}

// identIn is an author or committer that a caller names.
type identIn struct{ Name, Email, Date string }

func (c *call) ident(in *identIn) ident {
	id := c.s.identOf(c.login())
	if in == nil {
		return id
	}
	if in.Name != "" {
		id.Name = in.Name
	}
	if in.Email != "" {
		id.Email = in.Email
	}
	if in.Date != "" {
		id.Date = parseDate(in.Date)
	}
	return id
}

func createGitCommit(c *call) (int, any, error) {
	var in struct {
		Message, Tree     string
		Parents           []string
		Author, Committer *identIn
	}
	if err := c.in(&in); err != nil {
		return 0, nil, err
	}
	for name, value := range map[string]string{"message": in.Message, "tree": in.Tree} {
		if value == "" {
			return 0, nil, unprocessable("Invalid request.\n\n%q wasn't supplied.", name)
		}
	}
	if !c.isObject(in.Tree, "tree") {
		return 0, nil, unprocessable("Tree SHA does not exist")
	}
	for _, p := range in.Parents {
		if !c.isObject(p, "commit") {
			return 0, nil, unprocessable("Parent SHA does not exist or is not a commit object")
		}
	}
	author := c.ident(in.Author)
	committer := author
	if in.Committer != nil {
		committer = c.ident(in.Committer)
	}
	sha, err := c.s.commitTree(c.repo, in.Tree, in.Parents, in.Message, author, committer)
	if err != nil {
		return 0, nil, err
	}
	commit, err := c.s.commitOf(c.repo, sha)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusCreated, c.s.gitCommitObj(c.repo, commit), nil
}

func (c *call) isObject(sha, kind string) bool {
	if !fullSHA.MatchString(sha) {
		return false
	}
	out, err := c.s.gitLine(c.repo, "cat-file", "-t", sha)
	return err == nil && out == kind
}

func listPullFiles(c *call) (int, any, error) {
	p, err := c.pull()
	if err != nil {
		return 0, nil, err
	}
	files, err := c.s.diffFull(c.repo, c.s.mergeBase(c.repo, p.DiffBase, p.HeadSHA), p.HeadSHA)
	if err != nil {
		return 0, nil, err
	}
	files = files[:min(len(files), 3000)]
	return http.StatusOK, list(page(c, files, 30, 100), c.s.fileObj(c.repo, p.HeadSHA)), nil
}

func (s *Sim) pullCommits(r *repoRow, p *pullRow) ([]*commit, error) {
	return s.logBetween(r, p.DiffBase, p.HeadSHA)
}

// logBetween lists the commits of head that base does not hold, oldest first.
func (s *Sim) logBetween(r *repoRow, base, head string) ([]*commit, error) {
	if s.isAncestor(r, head, base) {
		return nil, nil
	}
	return s.gitLog(r, "--reverse", "--topo-order", base+".."+head)
}

func listPullCommits(c *call) (int, any, error) {
	p, err := c.pull()
	if err != nil {
		return 0, nil, err
	}
	commits, err := c.s.pullCommits(c.repo, p)
	if err != nil {
		return 0, nil, err
	}
	commits = slices.Clone(commits[:min(len(commits), 250)])
	return http.StatusOK, list(page(c, commits, 30, 100), c.commitObj), nil
}
