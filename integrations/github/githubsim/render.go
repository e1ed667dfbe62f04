package githubsim

import (
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"net/url"
	"strings"
)

func nodeID(kind string, id int64) string {
	return kind + "_" + base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "kw:%d", id))
}

func userID(login string) int64 {
	h := fnv.New32a()
	h.Write([]byte(strings.ToLower(login)))
	return int64(h.Sum32())
}

func (s *Sim) user(login string) any {
	if login == "" {
		return nil
	}
	kind := "User"
	if u := s.userNamed(login); u != nil && u.Bot || strings.HasSuffix(login, "[bot]") {
		kind = "Bot"
	}
	id, name := userID(login), url.PathEscape(login)
	return obj{
		"login": login, "id": id, "node_id": nodeID("U", id), "type": kind, "site_admin": false,
		"avatar_url": fmt.Sprintf("%s/avatars/u/%d?v=4", s.base, id), "gravatar_id": "",
		"url": s.base + "/api/v3/users/" + name, "html_url": s.base + "/" + name,
	}
}

func (s *Sim) fullUser(u *User) obj {
	o := s.user(u.Login).(obj)
	o["name"], o["email"] = textOrNil(u.Name), textOrNil(u.Email)
	return o
}

// userByEmail finds whose commit it is, as GitHub links commits to accounts.
func (s *Sim) userByEmail(email string) any {
	for _, u := range s.cfg.Users {
		if email != "" && (strings.EqualFold(u.Email, email) || strings.EqualFold(noreply(u.Login), email)) {
			return s.user(u.Login)
		}
	}
	return nil
}

func noreply(login string) string {
	return fmt.Sprintf("%d+%s@users.noreply.github.com", userID(login), login)
}

func (s *Sim) identOf(login string) ident {
	id := ident{Name: login, Email: noreply(login), Date: s.now()}
	if u := s.userNamed(login); u != nil {
		if u.Name != "" {
			id.Name = u.Name
		}
		if u.Email != "" {
			id.Email = u.Email
		}
	}
	return id
}

func (s *Sim) webFlow() ident {
	return ident{Name: "GitHub", Email: "noreply@github.com", Date: s.now()}
}

func (s *Sim) repoURL(r *repoRow) string { return s.base + "/api/v3/repos/" + r.full() }
func (s *Sim) htmlURL(r *repoRow) string { return s.base + "/" + r.full() }

func (s *Sim) repoObj(r *repoRow) obj {
	visibility := "private"
	if r.Public {
		visibility = "public"
	}
	o := obj{
		"id": r.ID, "node_id": nodeID("R", r.ID), "name": r.Name, "full_name": r.full(),
		"private": !r.Public, "visibility": visibility, "owner": s.user(r.Owner),
		"html_url": s.htmlURL(r), "url": s.repoURL(r), "fork": r.Parent != 0, "description": nil,
		"clone_url": s.base + "/git/" + r.full() + ".git", "git_url": s.base + "/git/" + r.full() + ".git",
		"default_branch": r.DefaultBranch, "archived": false, "disabled": false,
		"created_at": stamp(r.Created), "pushed_at": stamp(r.Pushed), "updated_at": stamp(r.Pushed),
		"has_issues": true, "open_issues_count": s.openPulls(r), "language": nil,
		"allow_merge_commit": true, "allow_squash_merge": true, "allow_rebase_merge": true,
		"delete_branch_on_merge": r.DeleteOnMerge,
		"hooks_url":              s.repoURL(r) + "/hooks", "pulls_url": s.repoURL(r) + "/pulls{/number}",
		"commits_url": s.repoURL(r) + "/commits{/sha}", "statuses_url": s.repoURL(r) + "/statuses/{sha}",
		"compare_url": s.repoURL(r) + "/compare/{base}...{head}", "deployments_url": s.repoURL(r) + "/deployments",
	}
	if p := s.state.Repos.rows[r.Parent]; p != nil {
		o["parent"] = obj{"id": p.ID, "full_name": p.full(), "name": p.Name, "owner": s.user(p.Owner), "default_branch": p.DefaultBranch}
	}
	return o
}

func (s *Sim) openPulls(r *repoRow) int {
	n := 0
	for _, p := range s.state.Pulls.rows {
		if p.Repo == r.ID && p.State == "open" {
			n++
		}
	}
	return n
}

func identObj(i ident) obj {
	return obj{"name": i.Name, "email": i.Email, "date": stamp(i.Date)}
}

func (s *Sim) gitCommitObj(r *repoRow, c *commit) obj {
	base := s.repoURL(r) + "/git"
	return obj{
		"sha": c.SHA, "node_id": "C_" + c.SHA, "url": base + "/commits/" + c.SHA,
		"html_url": s.htmlURL(r) + "/commit/" + c.SHA,
		"author":   identObj(c.Author), "committer": identObj(c.Committer), "message": c.Message,
		"tree":         obj{"sha": c.Tree, "url": base + "/trees/" + c.Tree},
		"parents":      s.parents(r, c, base+"/commits/"),
		"verification": obj{"verified": false, "reason": "unsigned", "signature": nil, "payload": nil},
	}
}

func (s *Sim) parents(r *repoRow, c *commit, prefix string) []obj {
	return list(c.Parents, func(sha string) obj {
		return obj{"sha": sha, "url": prefix + sha, "html_url": s.htmlURL(r) + "/commit/" + sha}
	})
}

func (s *Sim) commitObj(r *repoRow, c *commit) obj {
	inner := s.gitCommitObj(r, c)
	for _, k := range []string{"sha", "node_id", "html_url", "parents"} {
		delete(inner, k)
	}
	inner["comment_count"] = 0
	url := s.repoURL(r) + "/commits/" + c.SHA
	return obj{
		"sha": c.SHA, "node_id": "C_" + c.SHA, "commit": inner, "url": url,
		"html_url": s.htmlURL(r) + "/commit/" + c.SHA, "comments_url": url + "/comments",
		"author": s.userByEmail(c.Author.Email), "committer": s.userByEmail(c.Committer.Email),
		"parents": s.parents(r, c, s.repoURL(r)+"/commits/"),
	}
}

func (s *Sim) branchSide(r *repoRow, label, ref, sha string) obj {
	if r == nil {
		return obj{"label": label, "ref": ref, "sha": sha, "user": nil, "repo": nil}
	}
	return obj{"label": label, "ref": ref, "sha": sha, "user": s.user(r.Owner), "repo": s.repoObj(r)}
}

// pullObj is a pull request as lists show it; the figures that only a single
// one has are added by pullFull.
func (s *Sim) pullObj(p *pullRow) obj {
	r := s.state.Repos.rows[p.Repo]
	api := fmt.Sprintf("%s/pulls/%d", s.repoURL(r), p.Number)
	issue := fmt.Sprintf("%s/issues/%d", s.repoURL(r), p.Number)
	html := fmt.Sprintf("%s/pull/%d", s.htmlURL(r), p.Number)
	link := func(u string) obj { return obj{"href": u} }
	statuses := s.repoURL(r) + "/statuses/" + p.HeadSHA
	return obj{
		"id": p.ID, "node_id": nodeID("PR", p.ID), "number": p.Number, "state": p.State, "locked": false,
		"title": p.Title, "body": textOrNil(p.Body), "user": s.user(p.Author), "draft": p.Draft,
		"url": api, "html_url": html, "diff_url": html + ".diff", "patch_url": html + ".patch",
		"issue_url": issue, "commits_url": api + "/commits", "review_comments_url": api + "/comments",
		"comments_url": issue + "/comments", "statuses_url": statuses,
		"created_at": stamp(p.Created), "updated_at": stamp(p.Updated),
		"closed_at": stampOrNil(p.Closed), "merged_at": stampOrNil(p.MergedAt),
		"merge_commit_sha": textOrNil(p.MergeSHA), "author_association": "COLLABORATOR",
		"labels": s.labels(r, p), "assignees": list(p.Assignees, s.userIn), "assignee": nil, "milestone": nil,
		"requested_reviewers": list(p.Reviewers, s.userIn), "requested_teams": []obj{}, "auto_merge": nil,
		"head": s.branchSide(s.state.Repos.rows[p.HeadRepo], p.HeadLabel, p.HeadRef, p.HeadSHA),
		"base": s.branchSide(r, r.Owner+":"+p.BaseRef, p.BaseRef, p.BaseSHA),
		"_links": obj{
			"self": link(api), "html": link(html), "issue": link(issue), "comments": link(issue + "/comments"),
			"commits": link(api + "/commits"), "statuses": link(statuses), "review_comments": link(api + "/comments"),
		},
	}
}

func (s *Sim) userIn(login string) obj { return s.user(login).(obj) }

func (s *Sim) labels(r *repoRow, p *pullRow) []obj {
	return list(p.Labels, func(name string) obj {
		id := userID("label:" + name)
		return obj{
			"id": id, "node_id": nodeID("LA", id), "name": name, "color": "ededed", "default": false,
			"url": s.repoURL(r) + "/labels/" + url.PathEscape(name),
		}
	})
}

func (s *Sim) pullFull(p *pullRow) obj {
	o := s.pullObj(p)
	merged := p.MergedAt != nil
	comments := 0
	for _, c := range s.state.Comments.rows {
		if c.Repo == p.Repo && c.Number == p.Number {
			comments++
		}
	}
	o["merged"], o["merged_by"] = merged, s.user(p.MergedBy)
	o["commits"], o["additions"], o["deletions"], o["changed_files"] = p.Commits, p.Additions, p.Deletions, p.NumFiles
	o["comments"], o["review_comments"] = comments, 0
	o["maintainer_can_modify"], o["rebaseable"] = false, nil
	switch {
	case p.State == "open":
		o["mergeable"], o["mergeable_state"] = p.Mergeable, s.mergeableState(p)
	default:
		o["mergeable"], o["mergeable_state"] = nil, "unknown"
	}
	return o
}

func (s *Sim) mergeableState(p *pullRow) string {
	switch {
	case !p.Mergeable:
		return "dirty"
	case p.Draft:
		return "draft"
	case s.missingStatus(p) != "":
		return "blocked"
	}
	return "clean"
}
