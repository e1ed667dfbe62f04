package github

import (
	"context"
	"errors"
	"net/http"
	"strings"
)

// BodyEditor is the login of who last edited what a pull request says, "" where
// nobody did. The REST API does not tell; GraphQL does ("editor" of PullRequest).
func (c *Client) BodyEditor(ctx context.Context, repo string, number int) (string, error) {
	owner, name, err := split(repo)
	if err != nil {
		return "", err
	}
	ask := map[string]any{
		"query":     `query($owner:String!,$name:String!,$number:Int!){repository(owner:$owner,name:$name){pullRequest(number:$number){editor{__typename login}}}}`,
		"variables": map[string]any{"owner": owner, "name": name, "number": number},
	}
	// github.com has it beside the REST API, and a server beside its /api/v3/.
	at := *c.api.BaseURL
	at.Path = strings.TrimSuffix(at.Path, "v3/") + "graphql"
	req, err := c.api.NewRequest(http.MethodPost, at.String(), ask)
	if err != nil {
		return "", about(err, "ask who edited %s#%d", repo, number)
	}
	var got struct {
		Data struct {
			Repository struct {
				PullRequest struct {
					Editor *struct {
						Type  string `json:"__typename"`
						Login string `json:"login"`
					} `json:"editor"`
				} `json:"pullRequest"`
			} `json:"repository"`
		} `json:"data"`
		Errors []struct {
			Message string `json:"message"`
		} `json:"errors"`
	}
	if _, err := c.api.Do(ctx, req, &got); err != nil {
		return "", about(shape(err), "ask who edited %s#%d", repo, number)
	}
	if len(got.Errors) > 0 {
		return "", about(errors.New(got.Errors[0].Message), "ask who edited %s#%d", repo, number)
	}
	e := got.Data.Repository.PullRequest.Editor
	if e == nil {
		return "", nil
	}
	if e.Type == "Bot" { // whose login the REST API writes so
		return e.Login + "[bot]", nil
	}
	return e.Login, nil
}
