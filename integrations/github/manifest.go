package github

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
)

// permission is what a GitHub App may do in the repositories where it is installed.
type permission struct {
	name, title, access, why string
}

// permissions are those that signalbox cannot do without, by GitHub's names; "read"
// ones are needed for less. Members (of the organisation) is for those whose groups
// are GitHub teams, Workflows for those who deploy changes of .github/workflows.
var permissions = []permission{
	{"contents", "Contents", "write", "branches, commits, merges, and the code to plan"},
	{"pull_requests", "Pull requests", "write", "deploy pull requests and comments"},
	{"issues", "Issues", "read", "when a pull request was turned to another branch: without it reviews cannot be counted"},
	{"statuses", "Commit statuses", "write", "signalbox/gate and one status a target"},
	{"deployments", "Deployments", "write", "what runs where, as GitHub shows it"},
	{"checks", "Checks", "read", "the check runs that a merge has to wait for"},
	{"metadata", "Metadata", "read", "comes with the others"},
}

const (
	appName        = "signalbox-" // and the organisation: no two Apps of GitHub are called the same
	mostAppName    = 34
	appHome        = "https://github.com/signalbox-chatops/signalbox"
	appDescription = "Deploys and infrastructure from Slack, interlocked and on record"
)

// AppManifest is a GitHub App's manifest, in JSON, for GitHub's flow of making an
// App from one. hook is the address of its webhook; "" makes one without.
func AppManifest(organisation, hook string) []byte {
	type hookAttributes struct {
		URL    string `json:"url"`
		Active bool   `json:"active"`
	}
	m := struct {
		Name        string            `json:"name"`
		URL         string            `json:"url"`
		Description string            `json:"description"`
		Public      bool              `json:"public"`
		Hook        *hookAttributes   `json:"hook_attributes,omitempty"`
		Permissions map[string]string `json:"default_permissions"`
		Events      []string          `json:"default_events,omitempty"`
	}{Name: nameOf(organisation), URL: appHome, Description: appDescription, Permissions: map[string]string{}}
	for _, p := range permissions {
		m.Permissions[p.name] = p.access
	}
	if hook != "" {
		m.Hook, m.Events = &hookAttributes{hook, true}, slices.Concat(neededEvents, usefulEvents)
	}
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil { // it is plain data
		panic("encode the App's manifest: " + err.Error())
	}
	return append(b, '\n')
}

func nameOf(organisation string) string {
	name := appName + organisation
	return strings.TrimRight(name[:min(len(name), mostAppName)], "-")
}

// AppLink is the page on which an organisation registers the same App, with the
// form filled in: GitHub has no page where a manifest could be pasted. The webhook's
// secret is left to the person.
func AppLink(organisation, hook string) string {
	q := url.Values{"name": {nameOf(organisation)}, "url": {appHome}, "description": {appDescription}, "public": {"false"}, "webhook_active": {"false"}}
	for _, p := range permissions {
		q.Set(p.name, p.access)
	}
	if hook != "" {
		q.Set("webhook_active", "true")
		q.Set("webhook_url", hook)
		q["events[]"] = slices.Concat(neededEvents, usefulEvents)
	}
	return "https://github.com/organizations/" + url.PathEscape(organisation) + "/settings/apps/new?" + q.Encode()
}
