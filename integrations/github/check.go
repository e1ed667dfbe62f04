package github

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	gh "github.com/google/go-github/v60/github"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// GateStatus is the one status that a merge has to wait for.
const GateStatus = "signalbox/gate"

// Check tries the token, and in each watched repository what it may do, the
// webhook, the branches and whether a merge waits for GateStatus. watch maps a
// repository to the branches whose merges are applied. It changes nothing.
func (c *Client) Check(ctx context.Context, watch map[string][]string) []integrations.Finding {
	return slices.Collect(c.Findings(ctx, watch))
}

// Findings is Check, each finding as it is made.
func (c *Client) Findings(ctx context.Context, watch map[string][]string) iter.Seq[integrations.Finding] {
	return func(yield func(integrations.Finding) bool) {
		token, ok := c.checkToken(ctx)
		for _, f := range token {
			if !yield(f) {
				return
			}
		}
		if !ok || c.app != nil && (!yield(c.checkInstallation(ctx)) || !yield(c.checkAppHook(ctx))) {
			return
		}
		for _, repo := range slices.Sorted(maps.Keys(watch)) {
			if !c.repoFindings(ctx, repo, watch[repo], yield) {
				return
			}
		}
	}
}

// repoFindings looks at one repository; false says that nobody wants more.
func (c *Client) repoFindings(ctx context.Context, repo string, branches []string, yield func(integrations.Finding) bool) bool {
	f, ok := c.checkRepo(ctx, repo)
	if !yield(f) {
		return false
	}
	if !ok {
		return true
	}
	if c.app == nil && !yield(c.checkHook(ctx, repo)) {
		return false
	}
	for _, branch := range branches {
		if !yield(c.checkBranch(ctx, repo, branch)) {
			return false
		}
	}
	return true
}

func (c *Client) checkToken(ctx context.Context) ([]integrations.Finding, bool) {
	f := integrations.Finding{What: "GitHub token"}
	login, err := c.Login(ctx)
	if err != nil {
		f.Say, f.Do = err.Error(), "see that this machine reaches "+c.cfg.APIURL
		switch {
		case says(err, http.StatusUnauthorized) && c.app != nil:
			f.Do = "compare github.app.id and the private key with the App's General page"
		case says(err, http.StatusUnauthorized):
			f.Do = "make a fine-grained token under Settings, Developer settings, for the watched repositories"
		}
		return []integrations.Finding{f}, false
	}
	f.OK, f.Say = true, "acts as "+login
	out := []integrations.Finding{f}
	if c.app == nil {
		if s, ok := c.checkScopes(ctx); ok {
			out = append(out, s)
		}
	}
	return out, true
}

// checkScopes looks at a classic token's scopes; other tokens have none to show.
func (c *Client) checkScopes(ctx context.Context) (integrations.Finding, bool) {
	_, resp, err := c.api.Users.Get(ctx, "")
	if err != nil {
		return integrations.Finding{}, false
	}
	var scopes []string
	for s := range strings.SplitSeq(resp.Header.Get("X-OAuth-Scopes"), ",") {
		if s = strings.TrimSpace(s); s != "" {
			scopes = append(scopes, s)
		}
	}
	if len(scopes) == 0 {
		return integrations.Finding{}, false
	}
	f := integrations.Finding{What: "GitHub scopes", OK: true, Say: strings.Join(scopes, ", ")}
	if !slices.Contains(scopes, "repo") {
		f.OK, f.Do = false, "give the token the scope repo"
	}
	return f, true
}

// checkInstallation compares what the App was granted with what is needed.
func (c *Client) checkInstallation(ctx context.Context) integrations.Finding {
	f := integrations.Finding{What: "GitHub App permissions"}
	inst, _, err := c.app.Apps.GetInstallation(ctx, c.cfg.App.InstallationID)
	if err = shape(err); err != nil {
		f.Say, f.Do = err.Error(), "compare github.app.installation_id with the URL of the installation's page"
		return f
	}
	p := inst.GetPermissions()
	has := map[string]string{"contents": p.GetContents(), "pull_requests": p.GetPullRequests(), "statuses": p.GetStatuses(), "deployments": p.GetDeployments()}
	var lacks []string
	for _, need := range permissions {
		if need.access == "write" && has[need.name] != "write" {
			lacks = append(lacks, need.title)
		}
	}
	if len(lacks) > 0 {
		f.Say = "may not write: " + strings.Join(lacks, ", ")
		f.Do = "give the App Read and write for these under Permissions & events, and accept it on the installation's page"
		return f
	}
	if p.GetIssues() == "" {
		f.Say = "may not read Issues, so it cannot tell for which branch a review was given"
		f.Do = "give the App Issues (read) under Permissions & events, and accept it on the installation's page"
		return f
	}
	f.OK, f.Say = true, "installed for "+inst.GetAccount().GetLogin()
	if p.GetChecks() == "" {
		f.OK, f.Warn, f.Say = false, true, f.Say+"; may not read Checks"
		f.Do = "give the App Checks (read), or a merge that waits for a check run will not be allowed"
	}
	return f
}

func (c *Client) checkAppHook(ctx context.Context) integrations.Finding {
	f := integrations.Finding{What: "GitHub App webhook"}
	hook, _, err := c.app.Apps.GetHookConfig(ctx)
	err = shape(err)
	switch {
	case err != nil:
		f.Warn, f.Say = true, "cannot be read: "+err.Error()
	case hook.GetURL() == "":
		f.Warn, f.Say, f.Do = true, "none is set", "set the webhook to this server's /github on the App's General page, or poll with inbound: none"
	default:
		f.OK, f.Say = true, hook.GetURL()
	}
	return f
}

func (c *Client) checkRepo(ctx context.Context, repo string) (integrations.Finding, bool) {
	f := integrations.Finding{What: "GitHub " + repo}
	owner, name, err := split(repo)
	var r *gh.Repository
	if err == nil {
		r, _, err = c.api.Repositories.Get(ctx, owner, name)
		err = shape(err)
	}
	switch {
	case errors.Is(err, integrations.ErrNotFound):
		f.Say, f.Do = "there is none, or it may not be seen", "give the token or the App access to it"
		return f, false
	case err != nil:
		f.Say = err.Error()
		return f, false
	case r.GetArchived():
		f.Say, f.Do = "it is archived: nothing can be written", "take it out of the configuration, or unarchive it"
		return f, false
	case c.app == nil && !r.GetPermissions()["push"]:
		f.Say, f.Do = "may be read and not written", "give the account the Write role, and the token Contents, Pull requests, Commit statuses and Deployments (read and write)"
		return f, true
	case !allows(r, c.cfg.MergeMethod):
		f.Say, f.Do = "does not allow pull requests to be merged by "+c.cfg.MergeMethod, "allow it in the repository's settings, or change github.merge_method"
		return f, true
	}
	f.OK, f.Say = true, "may be read and written"
	return f, true
}

// allows says whether a repository lets pull requests be merged that way. Who may
// not see its settings is not told, and finds out when merging.
func allows(r *gh.Repository, method string) bool {
	allowed := map[string]*bool{"merge": r.AllowMergeCommit, "squash": r.AllowSquashMerge, "rebase": r.AllowRebaseMerge}[method]
	return allowed == nil || *allowed
}

// neededEvents are what signalbox lives by. By usefulEvents it learns at once that
// a check has finished; without them, when it next looks.
var (
	neededEvents = []string{"pull_request", "pull_request_review", "push"}
	usefulEvents = []string{"status", "check_run", "check_suite"}
)

func (c *Client) checkHook(ctx context.Context, repo string) integrations.Finding {
	f := integrations.Finding{What: "GitHub webhook of " + repo, Warn: true}
	owner, name, err := split(repo)
	var hooks []*gh.Hook
	if err == nil {
		hooks, err = c.hooks(ctx, owner, name)
	}
	if errors.Is(err, integrations.ErrNotFound) || says(err, http.StatusForbidden) {
		f.Say = "cannot be seen with this token; that is no harm if there is one"
		return f
	}
	if err != nil {
		f.Say = err.Error()
		return f
	}
	for _, h := range hooks {
		u, err := url.Parse(h.GetConfig().GetURL())
		if err != nil || !strings.HasSuffix(strings.TrimRight(u.Path, "/"), "/github") || !h.GetActive() {
			continue
		}
		if lacks := lacking(h.Events, neededEvents); len(lacks) > 0 {
			f.Say, f.Do = u.Host+" does not get "+strings.Join(lacks, ", "), "choose these events in the webhook's settings"
			return f
		}
		if code, ok := h.LastResponse["code"].(float64); ok && code >= 300 {
			f.Say, f.Do = fmt.Sprintf("%s answered the last delivery with %.0f", u.Host, code), "see the webhook's recent deliveries; 401 is a wrong secret"
			return f
		}
		f.OK, f.Warn, f.Say = true, false, "delivers to "+u.Host
		if lacks := lacking(h.Events, usefulEvents); len(lacks) > 0 {
			f.Say += "; without " + strings.Join(lacks, ", ") + ", finished checks are noticed by polling only"
		}
		return f
	}
	f.Say, f.Do = "there is none: changes are noticed by polling only", "add one to this server's /github, with the secret of github.webhook_secrets and the events "+strings.Join(slices.Concat(neededEvents, usefulEvents), ", ")
	return f
}

func lacking(events, wanted []string) []string {
	if slices.Contains(events, "*") {
		return nil
	}
	var out []string
	for _, e := range wanted {
		if !slices.Contains(events, e) {
			out = append(out, e)
		}
	}
	return out
}

func (c *Client) checkBranch(ctx context.Context, repo, branch string) integrations.Finding {
	f := integrations.Finding{What: fmt.Sprintf("GitHub %s branch %s", repo, branch)}
	head, err := c.BranchHead(ctx, repo, branch)
	if err != nil {
		f.Say = err.Error()
		if errors.Is(err, integrations.ErrNotFound) {
			f.Say, f.Do = "there is none", "create it, at the commit that is deployed now"
		}
		return f
	}
	required, err := c.RequiredChecks(ctx, repo, branch)
	waits := slices.Contains(required, GateStatus)
	switch {
	case err != nil && !waits:
		f.OK, f.Say = true, "is there; its protection cannot be read: "+err.Error()
	case !waits:
		f.Warn, f.Say = true, "is there; a merge does not wait for "+GateStatus
		f.Do = "require the status " + GateStatus + " in the branch's protection or a ruleset"
	default:
		f.OK, f.Say = true, "is there; a merge waits for "+GateStatus
	}
	others := slices.DeleteFunc(required, func(name string) bool { return name == GateStatus })
	if len(others) == 0 {
		return f
	}
	if _, err := c.Checks(ctx, repo, head); err != nil {
		f.OK, f.Warn = false, true
		f.Say += fmt.Sprintf("; whether %s passed cannot be told: %v", strings.Join(others, ", "), err)
		f.Do = "use a GitHub App with Checks (read): a fine-grained token cannot read check runs"
	}
	return f
}
