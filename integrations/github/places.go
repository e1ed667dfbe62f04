package github

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	gh "github.com/google/go-github/v60/github"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// Places are the kinds of places on GitHub, by the names a surface calls them:
//
//	github.comment     Where: repo, pr            one comment on a pull request
//	github.status      Where: repo, sha, context  one commit status
//	github.deployment  Where: repo                a deployment and its newest status
func (c *Client) Places() map[string]integrations.Place {
	return map[string]integrations.Place{
		"github.comment":    commentPlace{c},
		"github.status":     statusPlace{c},
		"github.deployment": deploymentPlace{c},
	}
}

const (
	descriptionMost = 140
	// lag is how long after a surface was first due GitHub's REST API may still
	// not know a commit that its webhook spoke of.
	lag = 10 * time.Minute
)

// placed turns what went wrong into what the teller acts on.
func (c *Client) placed(err error, p integrations.Post, what string) error {
	var limit *integrations.Later
	var down *outage
	switch {
	case err == nil:
		return nil
	case errors.As(err, &limit):
		return &integrations.Later{After: limit.After, Err: about(limit.Err, "%s", what)}
	case errors.Is(err, context.DeadlineExceeded):
		return &integrations.Later{After: placesWait, Err: about(err, "%s", what)}
	case errors.As(err, &down):
		return &integrations.Later{After: max(down.Wait(), placesWait), Err: about(err, "%s", what)}
	case says(err, http.StatusUnprocessableEntity, "no commit found", "no ref found") && c.clock.Now().Sub(p.Since) < lag:
		return &integrations.Later{After: 5 * time.Second, Err: about(err, "%s", what)}
	case errors.Is(err, integrations.ErrNotFound),
		says(err, http.StatusUnprocessableEntity, "no commit found", "no ref found", "maximum number of statuses"),
		says(err, http.StatusForbidden, "is locked", "archived"):
		return &integrations.Gone{Why: about(err, "%s", what).Error()}
	}
	return about(err, "%s", what)
}

// repoOf reads the address of a post.
func repoOf(p integrations.Post) (owner, name string, err error) { return split(p.Where["repo"]) }

func idOf(ref string) (int64, error) {
	id, err := strconv.ParseInt(ref, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read reference %q: not a number", ref)
	}
	return id, nil
}

type commentPlace struct{ c *Client }

func (pl commentPlace) address(p integrations.Post) (owner, name string, number int, what string, err error) {
	owner, name, err = repoOf(p)
	if err == nil {
		number, err = strconv.Atoi(p.Where["pr"])
	}
	if err == nil && !nonceForm.MatchString(p.Nonce) {
		err = fmt.Errorf("nonce %q cannot stand in a marker", p.Nonce)
	}
	return owner, name, number, fmt.Sprintf("comment on %s#%d", p.Where["repo"], number), err
}

func (pl commentPlace) Show(ctx context.Context, p integrations.Post) (string, error) {
	owner, name, number, what, err := pl.address(p)
	if err != nil {
		return "", about(err, "%s", what)
	}
	comment := &gh.IssueComment{Body: gh.String(marked(p.Message, p.Nonce))}
	if p.Ref == "" {
		made, _, err := pl.c.api.Issues.CreateComment(ctx, owner, name, number, comment)
		if err != nil {
			return "", pl.c.placed(shape(err), p, what)
		}
		return strconv.FormatInt(made.GetID(), 10), nil
	}
	id, err := idOf(p.Ref)
	if err != nil {
		return "", about(err, "%s", what)
	}
	_, _, err = pl.c.api.Issues.EditComment(ctx, owner, name, id, comment)
	if err != nil {
		return "", pl.c.placed(shape(err), p, "edit "+what)
	}
	return p.Ref, nil
}

// Find takes the first comment with the marker: a copy of ours, quoted by
// somebody, comes after it.
func (pl commentPlace) Find(ctx context.Context, p integrations.Post) (string, bool, error) {
	owner, name, number, what, err := pl.address(p)
	if err != nil {
		return "", false, about(err, "%s", what)
	}
	found, err := search(ctx, pl.c, func(o gh.ListOptions) ([]*gh.IssueComment, *gh.Response, error) {
		return pl.c.api.Issues.ListComments(ctx, owner, name, number, &gh.IssueListCommentsOptions{ListOptions: o})
	}, func(k *gh.IssueComment) bool { return strings.HasPrefix(k.GetBody(), marker(p.Nonce)) })
	if err != nil {
		return "", false, pl.c.placed(err, p, "look for our "+what)
	}
	return ref(found), found != 0, nil
}

func ref(id int64) string {
	if id == 0 {
		return ""
	}
	return strconv.FormatInt(id, 10)
}

type statusPlace struct{ c *Client }

// Show writes the status anew each time: GitHub shows the newest of a context.
func (pl statusPlace) Show(ctx context.Context, p integrations.Post) (string, error) {
	owner, name, err := repoOf(p)
	sha, what := p.Where["sha"], fmt.Sprintf("set status %s of %.12s in %s", p.Where["context"], p.Where["sha"], p.Where["repo"])
	s := p.Message.Status
	switch {
	case err != nil:
	case s == nil:
		err = errors.New("the message holds no status")
	case !fullSHA.MatchString(sha):
		err = fmt.Errorf("%q is no full SHA", sha)
	}
	if err != nil {
		return "", about(err, "%s", what)
	}
	status := &gh.RepoStatus{
		State: &s.State, Context: gh.String(cmp.Or(p.Where["context"], s.Context)),
		Description: gh.String(cut(oneLine(s.Description), descriptionMost)),
	}
	if s.URL != "" {
		status.TargetURL = &s.URL
	}
	made, _, err := pl.c.api.Repositories.CreateStatus(ctx, owner, name, sha, status)
	if err != nil {
		return "", pl.c.placed(shape(err), p, what)
	}
	return ref(made.GetID()), nil
}

// Find takes the newest status of the context. Showing it again does no harm,
// so it matters little whose it is.
func (pl statusPlace) Find(ctx context.Context, p integrations.Post) (string, bool, error) {
	owner, name, err := repoOf(p)
	if err != nil {
		return "", false, err
	}
	found, err := search(ctx, pl.c, func(o gh.ListOptions) ([]*gh.RepoStatus, *gh.Response, error) {
		return pl.c.api.Repositories.ListStatuses(ctx, owner, name, p.Where["sha"], &o)
	}, func(s *gh.RepoStatus) bool { return s.GetContext() == p.Where["context"] })
	if err != nil {
		return "", false, pl.c.placed(err, p, fmt.Sprintf("list the statuses of %.12s in %s", p.Where["sha"], p.Where["repo"]))
	}
	return ref(found), found != 0, nil
}

type deploymentPlace struct{ c *Client }

type deploymentPayload struct {
	Nonce string `json:"signalbox"`
}

// Show creates the deployment on the first call and adds a status on each. When
// the second half fails, Find finds the first by its nonce.
func (pl deploymentPlace) Show(ctx context.Context, p integrations.Post) (string, error) {
	owner, name, err := repoOf(p)
	d := p.Message.Deployment
	if err == nil && d == nil {
		err = errors.New("the message holds no deployment")
	}
	if err != nil {
		return "", about(err, "show a deployment in %s", p.Where["repo"])
	}
	what := fmt.Sprintf("deployment of %.12s to %s in %s", d.Ref, d.Environment, p.Where["repo"])
	at := p.Ref
	if at == "" {
		made, _, err := pl.c.api.Repositories.CreateDeployment(ctx, owner, name, &gh.DeploymentRequest{
			Ref: &d.Ref, Environment: &d.Environment, Task: gh.String(cmp.Or(d.Task, "deploy")),
			Description: gh.String(cut(oneLine(d.Description), descriptionMost)),
			Payload:     deploymentPayload{p.Nonce}, AutoMerge: gh.Bool(false), RequiredContexts: &[]string{},
		})
		if err != nil {
			return "", pl.c.placed(shape(err), p, "create the "+what)
		}
		at = ref(made.GetID())
	}
	id, err := idOf(at)
	if err != nil {
		return "", about(err, "%s", what)
	}
	status := &gh.DeploymentStatusRequest{State: &d.State, Description: gh.String(cut(oneLine(d.Description), descriptionMost))}
	if d.LogURL != "" {
		status.LogURL = &d.LogURL
	}
	_, _, err = pl.c.api.Repositories.CreateDeploymentStatus(ctx, owner, name, id, status)
	if err != nil {
		return "", pl.c.placed(shape(err), p, "say "+d.State+" of the "+what)
	}
	return at, nil
}

func (pl deploymentPlace) Find(ctx context.Context, p integrations.Post) (string, bool, error) {
	owner, name, err := repoOf(p)
	d := p.Message.Deployment
	if err == nil && d == nil {
		err = errors.New("the message holds no deployment")
	}
	if err != nil {
		return "", false, about(err, "look for a deployment in %s", p.Where["repo"])
	}
	found, err := search(ctx, pl.c, func(o gh.ListOptions) ([]*gh.Deployment, *gh.Response, error) {
		return pl.c.api.Repositories.ListDeployments(ctx, owner, name, &gh.DeploymentsListOptions{SHA: d.Ref, Environment: d.Environment, ListOptions: o})
	}, func(k *gh.Deployment) bool { return payloadNonce(k.Payload) == p.Nonce })
	if err != nil {
		return "", false, pl.c.placed(err, p, fmt.Sprintf("list the deployments of %.12s in %s", d.Ref, p.Where["repo"]))
	}
	return ref(found), found != 0, nil
}

// payloadNonce reads our nonce from a payload, which GitHub hands back as the
// object it was or as that object in a string.
func payloadNonce(raw json.RawMessage) string {
	var p deploymentPayload
	if json.Unmarshal(raw, &p) == nil && p.Nonce != "" {
		return p.Nonce
	}
	var s string
	if json.Unmarshal(raw, &s) == nil {
		_ = json.Unmarshal([]byte(s), &p) // anything else is somebody else's payload
	}
	return p.Nonce
}
