package githubsim

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

func getMeta(c *call) (int, any, error) {
	return http.StatusOK, obj{"verifiable_password_authentication": true, "installed_version": "3.15.0", "hooks": []string{"127.0.0.0/8"}}, nil
}

func getUser(c *call) (int, any, error) {
	if c.inst {
		return 0, nil, refuse(http.StatusForbidden, "Resource not accessible by integration")
	}
	return http.StatusOK, c.s.fullUser(c.user), nil
}

func getUserByLogin(c *call) (int, any, error) {
	u := c.s.userNamed(c.path("login"))
	if u == nil {
		return 0, nil, notFound()
	}
	return http.StatusOK, c.s.fullUser(u), nil
}

func (c *call) visibleRepos(keep func(*repoRow) bool) []*repoRow {
	return c.s.state.Repos.sorted(func(r *repoRow) bool {
		return c.s.levelOf(c.login(), r) >= read && (keep == nil || keep(r))
	})
}

func listRepos(c *call) (int, any, error) {
	return http.StatusOK, list(page(c, c.visibleRepos(nil), 30, 100), c.s.repoObj), nil
}

func listOrgRepos(c *call) (int, any, error) {
	rows := c.visibleRepos(func(r *repoRow) bool { return r.Owner == c.path("owner") })
	return http.StatusOK, list(page(c, rows, 30, 100), c.s.repoObj), nil
}

func listInstallationRepos(c *call) (int, any, error) {
	if !c.inst {
		return 0, nil, refuse(http.StatusForbidden, "You must authenticate with an installation access token in order to list repositories for an installation.")
	}
	rows := c.visibleRepos(nil)
	return http.StatusOK, obj{"total_count": len(rows), "repositories": list(page(c, rows, 30, 100), c.s.repoObj)}, nil
}

func getRepo(c *call) (int, any, error) {
	o := c.s.repoObj(c.repo)
	l := c.s.levelOf(c.login(), c.repo)
	o["permissions"] = obj{"pull": l >= read, "triage": l >= triage, "push": l >= write, "maintain": l >= maintain, "admin": l >= admin}
	return http.StatusOK, o, nil
}

func isCollaborator(c *call) (int, any, error) {
	if c.s.levelOf(c.path("login"), c.repo) < read {
		return 0, nil, notFound()
	}
	return http.StatusNoContent, nil, nil
}

func getPermission(c *call) (int, any, error) {
	login := c.path("login")
	u := c.s.userNamed(login)
	if u == nil {
		return 0, nil, refuse(http.StatusNotFound, "%s is not a user", login)
	}
	l := c.s.levelOf(login, c.repo)
	role := map[level]string{none: "none", read: "read", triage: "triage", write: "write", maintain: "maintain", admin: "admin"}[l]
	coarse := map[level]string{none: "none", read: "read", triage: "read", write: "write", maintain: "write", admin: "admin"}[l]
	user := c.s.fullUser(u)
	user["role_name"] = role
	user["permissions"] = obj{"pull": l >= read, "triage": l >= triage, "push": l >= write, "maintain": l >= maintain, "admin": l >= admin}
	return http.StatusOK, obj{"permission": coarse, "role_name": role, "user": user}, nil
}

func (c *call) branchNames() []string {
	var out []string
	for name := range c.refs() {
		if short, ok := strings.CutPrefix(name, "refs/heads/"); ok {
			out = append(out, short)
		}
	}
	slices.Sort(out)
	return out
}

func listBranches(c *call) (int, any, error) {
	refs := c.refs()
	return http.StatusOK, list(page(c, c.branchNames(), 30, 100), func(name string) obj {
		sha := refs["refs/heads/"+name]
		return obj{
			"name": name, "protected": len(c.s.contexts(c.repo, name)) > 0,
			"commit": obj{"sha": sha, "url": c.s.repoURL(c.repo) + "/commits/" + sha},
		}
	}), nil
}

func getBranch(c *call) (int, any, error) {
	name := c.path("branch")
	sha := c.refs()["refs/heads/"+name]
	if sha == "" {
		return 0, nil, refuse(http.StatusNotFound, "Branch not found")
	}
	commit, err := c.s.commitOf(c.repo, sha)
	if err != nil {
		return 0, nil, err
	}
	contexts := c.s.contexts(c.repo, name)
	checks := list(contexts, func(ctx string) obj { return obj{"context": ctx, "app_id": nil} })
	enforcement := "off"
	if len(contexts) > 0 {
		enforcement = "everyone"
	}
	url := c.s.repoURL(c.repo) + "/branches/" + name
	return http.StatusOK, obj{
		"name": name, "commit": c.s.commitObj(c.repo, commit), "protected": len(contexts) > 0,
		"_links":         obj{"self": url, "html": c.s.htmlURL(c.repo) + "/tree/" + name},
		"protection":     obj{"enabled": len(contexts) > 0, "required_status_checks": obj{"enforcement_level": enforcement, "contexts": contexts, "checks": checks}},
		"protection_url": url + "/protection",
	}, nil
}

// getBranchRules tells the required contexts as a ruleset, for who may not read
// the protection itself.
func getBranchRules(c *call) (int, any, error) {
	contexts := c.s.contexts(c.repo, c.path("branch"))
	rules := []obj{}
	if len(contexts) > 0 {
		rules = append(rules, obj{
			"type": "required_status_checks", "ruleset_source_type": "Repository", "ruleset_source": c.repo.full(), "ruleset_id": c.repo.ID,
			"parameters": obj{
				"strict_required_status_checks_policy": false,
				"required_status_checks":               list(contexts, func(name string) obj { return obj{"context": name} }),
			},
		})
	}
	return http.StatusOK, rules, nil
}

func (c *call) refObj(name string) obj {
	sha := c.refs()[name]
	kind := "commit"
	if strings.HasPrefix(name, "refs/tags/") && c.s.peel(c.repo, sha) != sha {
		kind = "tag"
	}
	base := c.s.repoURL(c.repo) + "/git/"
	return obj{
		"ref": name, "node_id": "REF_" + name, "url": base + name,
		"object": obj{"sha": sha, "type": kind, "url": base + kind + "s/" + sha},
	}
}

func getRef(c *call) (int, any, error) {
	name := "refs/" + strings.TrimPrefix(c.path("ref"), "refs/")
	if c.refs()[name] == "" {
		return 0, nil, notFound()
	}
	return http.StatusOK, c.refObj(name), nil
}

func (c *call) refList(prefix string) (int, any, error) {
	var names []string
	for name := range maps.Keys(c.refs()) {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return http.StatusOK, list(page(c, names, 30, 100), c.refObj), nil
}

func listRefs(c *call) (int, any, error) { return c.refList("refs/") }
func matchingRefs(c *call) (int, any, error) {
	return c.refList("refs/" + c.path("ref"))
}

func unprocessable(format string, args ...any) error {
	return refuse(http.StatusUnprocessableEntity, format, args...)
}

func createRef(c *call) (int, any, error) {
	var in struct{ Ref, SHA string }
	if err := c.in(&in); err != nil {
		return 0, nil, err
	}
	if !strings.HasPrefix(in.Ref, "refs/") || strings.Count(in.Ref, "/") < 2 {
		return 0, nil, unprocessable("Reference name must begin with 'refs/' and contain at least two slashes.")
	}
	if _, err := (gitRun{}).run("check-ref-format", in.Ref); err != nil || strings.HasPrefix(in.Ref, "refs/pull/") {
		return 0, nil, unprocessable("%s is not a valid ref name.", in.Ref)
	}
	if !fullSHA.MatchString(in.SHA) || c.s.peel(c.repo, in.SHA) == "" {
		return 0, nil, unprocessable("Object does not exist")
	}
	if c.repo.Refs[in.Ref] != "" {
		return 0, nil, unprocessable("Reference already exists")
	}
	if err := c.s.updateRef(c.repo, in.Ref, in.SHA, ""); err != nil {
		return 0, nil, unprocessable("Reference update failed")
	}
	if err := c.s.syncRefs(c.repo, c.login()); err != nil {
		return 0, nil, err
	}
	return http.StatusCreated, c.refObj(in.Ref), nil
}

func updateRef(c *call) (int, any, error) {
	var in struct {
		SHA   string
		Force bool
	}
	if err := c.in(&in); err != nil {
		return 0, nil, err
	}
	name := "refs/" + strings.TrimPrefix(c.path("ref"), "refs/")
	old := c.repo.Refs[name]
	switch {
	case old == "":
		return 0, nil, unprocessable("Reference does not exist")
	case !fullSHA.MatchString(in.SHA) || c.s.peel(c.repo, in.SHA) == "":
		return 0, nil, unprocessable("Object does not exist")
	case !in.Force && !c.s.isAncestor(c.repo, old, in.SHA):
		return 0, nil, unprocessable("Update is not a fast forward")
	}
	if err := c.s.updateRef(c.repo, name, in.SHA, old); err != nil {
		return 0, nil, err
	}
	if err := c.s.syncRefs(c.repo, c.login()); err != nil {
		return 0, nil, err
	}
	return http.StatusOK, c.refObj(name), nil
}

func deleteRef(c *call) (int, any, error) {
	name := "refs/" + strings.TrimPrefix(c.path("ref"), "refs/")
	old := c.repo.Refs[name]
	if old == "" {
		return 0, nil, unprocessable("Reference does not exist")
	}
	if name == "refs/heads/"+c.repo.DefaultBranch {
		return 0, nil, unprocessable("Cannot delete the default branch")
	}
	if _, err := c.s.git(c.repo, "update-ref", "-d", name, old); err != nil {
		return 0, nil, err
	}
	return http.StatusNoContent, nil, c.s.syncRefs(c.repo, c.login())
}
