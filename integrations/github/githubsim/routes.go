package githubsim

import "net/http"

// access says who a route is for.
type access int

const (
	anyone access = iota
	signedIn
	theApp
	inRepo
)

// routes is the table of what this GitHub can do; the first that fits wins.
func (s *Sim) routes() []route {
	var table []route
	add := func(who access, need level, pattern string, h handler) {
		table = append(table, newRoute(who, need, pattern, h))
	}
	repo := func(need level, method, rest string, h handler) {
		add(inRepo, need, method+" /repos/{owner}/{repo}"+rest, h)
	}
	add(anyone, none, "GET /meta", getMeta)
	add(anyone, none, "GET /rate_limit", getRateLimit)
	add(signedIn, none, "POST /graphql", graphql)
	add(signedIn, none, "GET /user", getUser)
	add(signedIn, none, "GET /user/repos", listRepos)
	add(signedIn, none, "GET /installation/repositories", listInstallationRepos)
	add(signedIn, none, "GET /users/{login}", getUserByLogin)
	add(signedIn, none, "GET /orgs/{owner}/repos", listOrgRepos)
	add(signedIn, none, "GET /orgs/{owner}/teams/{slug}/members", listTeamMembers)
	add(theApp, none, "GET /app", getApp)
	add(theApp, none, "GET /app/hook/config", getAppHookConfig)
	add(theApp, none, "GET /app/hook/deliveries", listAppDeliveries)
	add(theApp, none, "POST /app/hook/deliveries/{delivery}/attempts", redeliverAppDelivery)
	add(theApp, none, "GET /app/installations", listInstallations)
	add(theApp, none, "GET /app/installations/{id}", getInstallation)
	add(theApp, none, "POST /app/installations/{id}/access_tokens", createInstallationToken)
	add(theApp, none, "GET /repos/{owner}/{repo}/installation", getRepoInstallation)

	repo(read, "GET", "", getRepo)
	repo(read, "GET", "/branches", listBranches)
	repo(read, "GET", "/branches/{branch...}", getBranch)
	repo(read, "GET", "/rules/branches/{branch...}", getBranchRules)
	repo(read, "GET", "/collaborators/{login}", isCollaborator)
	repo(read, "GET", "/collaborators/{login}/permission", getPermission)

	repo(read, "GET", "/git/ref/{ref...}", getRef)
	repo(read, "GET", "/git/refs", listRefs)
	repo(read, "GET", "/git/matching-refs/{ref...}", matchingRefs)
	repo(write, "POST", "/git/refs", createRef)
	repo(write, "PATCH", "/git/refs/{ref...}", updateRef)
	repo(write, "DELETE", "/git/refs/{ref...}", deleteRef)
	repo(read, "GET", "/git/commits/{sha}", getGitCommit)
	repo(write, "POST", "/git/commits", createGitCommit)
	repo(read, "GET", "/git/trees/{ref...}", getTree)
	repo(write, "POST", "/git/trees", createTree)
	repo(read, "GET", "/git/blobs/{sha}", getBlob)
	repo(write, "POST", "/git/blobs", createBlob)
	repo(read, "GET", "/commits", listCommits)
	repo(read, "GET", "/commits/{rest...}", commitRoutes)
	repo(read, "GET", "/statuses/{ref...}", listStatusesAt)
	repo(write, "POST", "/statuses/{sha}", createStatus)
	repo(write, "POST", "/check-runs", createCheck)
	repo(write, "PATCH", "/check-runs/{id}", updateCheck)
	repo(read, "GET", "/check-runs/{id}", getCheck)
	repo(read, "GET", "/compare/{basehead...}", compare)
	repo(read, "GET", "/contents/{path...}", getContents)
	repo(write, "PUT", "/contents/{path...}", putContents)
	repo(write, "DELETE", "/contents/{path...}", deleteContents)
	repo(write, "POST", "/merges", mergeBranch)

	repo(read, "GET", "/pulls", listPulls)
	repo(read, "POST", "/pulls", createPull)
	repo(read, "GET", "/pulls/{number}", getPull)
	repo(read, "PATCH", "/pulls/{number}", updatePull)
	repo(read, "GET", "/pulls/{number}/merge", isMerged)
	repo(write, "PUT", "/pulls/{number}/merge", mergePull)
	repo(read, "GET", "/pulls/{number}/files", listPullFiles)
	repo(read, "GET", "/pulls/{number}/commits", listPullCommits)
	repo(read, "GET", "/pulls/{number}/reviews", listReviews)
	repo(read, "POST", "/pulls/{number}/reviews", createReview)
	repo(read, "GET", "/pulls/{number}/reviews/{id}", getReview)
	repo(read, "POST", "/pulls/{number}/reviews/{id}/events", submitReview)
	repo(write, "PUT", "/pulls/{number}/reviews/{id}/dismissals", dismissReview)
	repo(read, "GET", "/pulls/{number}/requested_reviewers", listReviewers)
	repo(triage, "POST", "/pulls/{number}/requested_reviewers", requestReviewers)
	repo(triage, "DELETE", "/pulls/{number}/requested_reviewers", unrequestReviewers)
	repo(read, "GET", "/issues/comments/{id}", getComment)
	repo(read, "PATCH", "/issues/comments/{id}", updateComment)
	repo(read, "DELETE", "/issues/comments/{id}", deleteComment)
	repo(read, "GET", "/issues/{number}", getIssue)
	repo(read, "PATCH", "/issues/{number}", updateIssue)
	repo(read, "GET", "/issues/{number}/events", listIssueEvents)
	repo(read, "GET", "/issues/{number}/comments", listComments)
	repo(read, "POST", "/issues/{number}/comments", createComment)
	repo(read, "GET", "/issues/{number}/labels", listLabels)
	repo(triage, "POST", "/issues/{number}/labels", addLabels)
	repo(triage, "DELETE", "/issues/{number}/labels/{name}", removeLabel)
	repo(triage, "POST", "/issues/{number}/assignees", addAssignees)

	repo(read, "GET", "/deployments", listDeployments)
	repo(write, "POST", "/deployments", createDeployment)
	repo(read, "GET", "/deployments/{id}", getDeployment)
	repo(read, "GET", "/deployments/{id}/statuses", listDeploymentStatuses)
	repo(write, "POST", "/deployments/{id}/statuses", createDeploymentStatus)

	repo(write, "POST", "/actions/workflows/{workflow}/dispatches", dispatchWorkflow)
	repo(read, "GET", "/actions/workflows/{workflow}/runs", listWorkflowRuns)
	repo(read, "GET", "/actions/runs", listWorkflowRuns)
	repo(read, "GET", "/actions/runs/{run}", getWorkflowRun)
	repo(read, "GET", "/actions/runs/{run}/jobs", listWorkflowJobs)
	repo(write, "POST", "/actions/runs/{run}/cancel", cancelWorkflowRun)
	repo(read, "GET", "/actions/jobs/{job}/logs", jobLogs)

	repo(admin, "GET", "/hooks", listHooks)
	repo(admin, "POST", "/hooks", createHook)
	repo(admin, "GET", "/hooks/{id}", getHook)
	repo(admin, "PATCH", "/hooks/{id}", updateHook)
	repo(admin, "DELETE", "/hooks/{id}", deleteHook)
	repo(admin, "POST", "/hooks/{id}/pings", pingHook)
	repo(admin, "GET", "/hooks/{id}/deliveries", listHookDeliveries)
	repo(admin, "GET", "/hooks/{id}/deliveries/{delivery}", getHookDelivery)
	repo(admin, "POST", "/hooks/{id}/deliveries/{delivery}/attempts", redeliverHookDelivery)
	return table
}

// enter checks who calls and what they may, then runs the handler. What a
// caller may not see does not exist; what they may see but not change is
// forbidden.
func (s *Sim) enter(c *call, t *route) (int, any, error) {
	need, h := t.need, t.handler
	switch t.who {
	case anyone:
		return h(c)
	case theApp:
		if !c.app {
			return 0, nil, refuse(http.StatusUnauthorized, "A JSON web token could not be decoded")
		}
		return h(c)
	case signedIn:
		if c.user == nil {
			return 0, nil, refuse(http.StatusUnauthorized, "Requires authentication")
		}
		return h(c)
	}
	if c.app {
		return 0, nil, refuse(http.StatusForbidden, "Resource not accessible by integration")
	}
	c.repo = s.repoNamed(c.path("owner"), c.path("repo"))
	if c.repo == nil || !c.can(read) || c.bare && (!c.repo.Public || need > read) {
		return 0, nil, notFound()
	}
	if need > read && !c.can(need) {
		if need == admin {
			return 0, nil, notFound()
		}
		return 0, nil, c.forbidden()
	}
	if c.reads() {
		c.lag = s.lagging(c.repo)
		return h(c)
	}
	if c.user == nil {
		return 0, nil, refuse(http.StatusUnauthorized, "Requires authentication")
	}
	after := s.snapshotForLag(c.repo)
	defer after()
	return h(c)
}

func (c *call) forbidden() error {
	if c.inst {
		return refuse(http.StatusForbidden, "Resource not accessible by integration")
	}
	return refuse(http.StatusForbidden, "Resource not accessible by personal access token")
}
