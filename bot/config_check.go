package main

import (
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/calendar"
)

var (
	nameShape   = regexp.MustCompile(`^[^\s/@#<>&"'` + "`" + `]+$`)
	targetShape = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*$`)
	repoShape   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+$`)
	slackShape  = regexp.MustCompile(`^[UW][A-Z0-9]+$`)
	branchShape = regexp.MustCompile(`^[^\s~^:?*\[\\]+$`)
)

// bad records a mistake unless reading the field already found one.
func (c *Config) bad(field, format string, args ...any) {
	if !c.r.wrong(field) {
		c.r.mistake(field, format, args...)
	}
}

// wrong says whether a mistake about the field is recorded.
func (r *configReader) wrong(field string) bool {
	return slices.ContainsFunc(r.mistakes, func(m Mistake) bool { return m.Field == field })
}

// check finds what is wrong although each value has the right type.
func (c *Config) check() {
	c.checkDoors()
	c.checkSlack()
	c.checkGitHub()
	c.checkRunner()
	c.checkPeople()
	c.checkGroups()
	c.checkEnvironments()
	c.checkPolicy()
	c.checkTargets()
	c.checkServices()
}

func (c *Config) want(field, value string) bool {
	if value == "" {
		c.bad(field, "is missing")
		return false
	}
	return true
}

func (c *Config) wantOne(field, what, value string, allowed []string) bool {
	if !c.want(field, value) {
		return false
	}
	if !slices.Contains(allowed, value) {
		c.bad(field, "%s", oneOf(what, value, allowed))
		return false
	}
	return true
}

func (c *Config) wantURL(field, value string) {
	if value == "" {
		return
	}
	u, err := url.Parse(value)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "" {
		c.bad(field, "%q is not a URL; want one like https://signalbox.example.com", value)
	}
}

func (c *Config) wantRange(field string, value, low, high int) {
	if value < low || value > high {
		c.bad(field, "is %d; want %d to %d", value, low, high)
	}
}

func (c *Config) checkDoors() {
	if c.wantOne("inbound", "value", c.Inbound, []string{"webhook", "none"}) && c.Inbound == "webhook" {
		_, port, err := net.SplitHostPort(c.Listen)
		if n, perr := strconv.ParseUint(port, 10, 16); err != nil || perr != nil || n == 0 && port != "0" {
			c.bad("listen", "%q is not an address; want one like 127.0.0.1:8420", c.Listen)
		}
		if len(c.GitHub.WebhookSecrets) == 0 {
			c.bad("github.webhook_secrets", "is missing, and inbound is webhook; list the webhook's secret, or say inbound: none to poll instead")
		}
	}
	c.wantURL("public_url", c.PublicURL)
	if c.want("data", c.Data) && !filepath.IsAbs(c.Data) {
		c.bad("data", "%q is not an absolute path", c.Data)
	}
}

func (c *Config) wantToken(field string, s integrations.Secret, prefix, where string) {
	switch {
	case s.IsZero():
		c.bad(field, "is missing; %s", where)
	case !strings.HasPrefix(s.Reveal(), prefix):
		c.bad(field, "does not begin with %s; %s", prefix, where)
	}
}

func (c *Config) checkSlack() {
	c.wantToken("slack.app_token", c.Slack.AppToken, "xapp-", "it is under Basic Information, App-Level Tokens, with connections:write")
	c.wantToken("slack.bot_token", c.Slack.BotToken, "xoxb-", "it is under OAuth & Permissions, Bot User OAuth Token")
	c.wantURL("slack.api_url", c.Slack.APIURL)
	c.wantRange("slack.connections", c.Slack.Connections, 1, 10)
	if c.Slack.SecondAfter < 0 {
		c.bad("slack.second_after", "is negative")
	}
}

func (c *Config) checkGitHub() {
	g := c.GitHub
	switch {
	case g.Token.IsZero() && g.App == nil && c.r.wrong("github.token"):
	case g.Token.IsZero() && g.App == nil:
		c.bad("github", "has neither a token nor an app; it wants one of them")
	case !g.Token.IsZero() && g.App != nil:
		c.bad("github.token", "is given, and github.app too; want one of them")
	case g.App != nil:
		if g.App.ID <= 0 {
			c.bad("github.app.id", "is missing; it is on the App's General page")
		}
		if g.App.InstallationID <= 0 {
			c.bad("github.app.installation_id", "is missing; it is the number at the end of the installation's URL")
		}
		if !strings.Contains(g.App.PrivateKey.Reveal(), "PRIVATE KEY-----") {
			c.bad("github.app.private_key", "is not a PEM private key; want ${file:/path/to/key.pem}")
		}
	}
	c.wantURL("github.api_url", g.APIURL)
	c.wantURL("github.git_url", g.GitURL)
	c.wantOne("github.merge_method", "merge method", g.MergeMethod, []string{"merge", "squash", "rebase"})
	if len(g.WebhookSecrets) > 2 {
		c.bad("github.webhook_secrets", "has %d entries; want one, or two while one replaces the other", len(g.WebhookSecrets))
	}
	for i, s := range g.WebhookSecrets {
		if len(s.Reveal()) < 8 {
			c.bad(fmt.Sprintf("github.webhook_secrets[%d]", i), "is shorter than 8 characters, so that it could be guessed")
		}
	}
}

func (c *Config) checkRunner() {
	r := c.Runner
	c.wantRange("runner.parallel", r.Parallel, 1, 64)
	if r.LogCap < 64<<10 || r.LogCap > 1<<30 {
		c.bad("runner.log_cap", "is %s; want 64kB to 1GB", r.LogCap)
	}
	if r.Timeout < time.Second {
		c.bad("runner.timeout", "is %s; want a second or more", r.Timeout)
	}
	for i, name := range r.Env {
		if !variableName.MatchString(name) {
			c.bad(fmt.Sprintf("runner.env[%d]", i), "%q is not the name of an environment variable", name)
		}
	}
}

// unique refuses a name that another thing of the kind has already.
type unique map[string]string

func (c *Config) claim(u unique, field, what, name string) {
	folded := integrations.Fold(name)
	if first, taken := u[folded]; taken {
		c.bad(field, "%s %q is taken by %s", what, name, first)
		return
	}
	u[folded] = field
}

func (c *Config) checkPeople() {
	names, slacks, githubs := unique{}, unique{}, unique{}
	for i, p := range c.People {
		at := fmt.Sprintf("people[%d]", i)
		if c.want(at+".name", p.Name) {
			c.claim(names, at+".name", "the name", p.Name)
			if !nameShape.MatchString(p.Name) {
				c.bad(at+".name", "%q holds a space or a sign that names cannot hold", p.Name)
			}
		}
		if p.Slack == "" && p.GitHub == "" {
			c.bad(at, "has neither a slack id nor a github login, so nothing leads to them")
		}
		if p.Slack != "" {
			c.claim(slacks, at+".slack", "the Slack id", p.Slack)
			if !slackShape.MatchString(p.Slack) {
				c.bad(at+".slack", "%q is not a Slack user id; want one like U024BE7LH (profile, ⋮, Copy member ID)", p.Slack)
			}
		}
		if p.GitHub != "" {
			c.claim(githubs, at+".github", "the GitHub login", p.GitHub)
		}
		if p.Email != "" && !strings.Contains(p.Email, "@") {
			c.bad(at+".email", "%q is not an address", p.Email)
		}
	}
}

func (c *Config) checkEnvironments() {
	taken := unique{}
	for _, e := range c.Environments {
		at := "environments." + e.Name
		c.checkName(taken, at, e.Name, e.Aliases)
		c.wantOne(at+".review", "review", e.Review, []string{"required", "none"})
		c.wantOne(at+".on_open", "value", e.OnOpen, []string{"ask", "run"})
		c.checkGates(at, e)
	}
}

// checkGates checks what an environment says of its gates.
func (c *Config) checkGates(at string, e EnvironmentConfig) {
	c.wantRange(at+".approvals", e.Approvals, 0, 20)
	if e.Approvers != "" {
		c.wantOne(at+".approvers", "group", e.Approvers, c.groupNames())
	}
	c.wantPeople(at+".on_call", e.OnCall)
	if e.CoolDown < 0 {
		c.bad(at+".cool_down", "is negative")
	}
	if _, err := calendar.Parse(e.Windows); err != nil {
		for _, what := range strings.Split(err.Error(), "\n") {
			c.bad(at+".windows", "%s", what)
		}
	}
	if e.After == "" {
		return
	}
	if !c.wantOne(at+".after", "environment", e.After, c.environmentNames()) {
		return
	}
	after := map[string]string{}
	for _, other := range c.Environments {
		after[other.Name] = other.After
	}
	for name, n := e.After, 0; name != ""; name, n = after[name], n+1 {
		if name == e.Name || n > len(c.Environments) {
			c.bad(at+".after", "leads back to %q, so that nothing could ever be first", e.Name)
			return
		}
	}
}

func (c *Config) wantPeople(field string, people []string) {
	for i, p := range people {
		c.wantOne(fmt.Sprintf("%s[%d]", field, i), "person", p, c.personNames())
	}
}

// checkName checks a name that people type, and its aliases.
func (c *Config) checkName(taken unique, at, name string, aliases []string) {
	c.claim(taken, at, "the name", name)
	if !nameShape.MatchString(name) {
		c.bad(at, "%q holds a space or a sign that names cannot hold", name)
	}
	for i, a := range aliases {
		field := fmt.Sprintf("%s.aliases[%d]", at, i)
		c.claim(taken, field, "the alias", a)
		if !nameShape.MatchString(a) {
			c.bad(field, "%q holds a space or a sign that names cannot hold", a)
		}
	}
}

func (c *Config) checkPolicy() {
	groups, environments := append(c.groupNames(), "*"), append(c.environmentNames(), "*")
	for i, p := range c.Policy {
		at := fmt.Sprintf("policy[%d]", i)
		for _, f := range []struct {
			name, what string
			values     []string
			allowed    []string
		}{
			{"groups", "group", p.Groups, groups},
			{"verbs", "", p.Verbs, nil},
			{"environments", "environment", p.Environments, environments},
		} {
			field := at + "." + f.name
			if len(f.values) == 0 {
				c.bad(field, "is missing, so that the rule allows nothing; \"*\" is all")
			}
			for j, v := range f.values {
				if f.allowed != nil {
					c.wantOne(fmt.Sprintf("%s[%d]", field, j), f.what, v, f.allowed)
				}
			}
		}
	}
}

func (c *Config) wantRepo(field, repo string) {
	if c.want(field, repo) && !repoShape.MatchString(repo) {
		c.bad(field, "%q is not a repository; want owner/name", repo)
	}
}

func (c *Config) wantBranch(field, branch string) {
	if c.want(field, branch) && (!branchShape.MatchString(branch) || strings.HasPrefix(branch, "refs/") || strings.HasPrefix(branch, "-") || strings.Contains(branch, "..")) {
		c.bad(field, "%q is not a branch name", branch)
	}
}

func (c *Config) checkTargets() {
	taken := unique{}
	for _, t := range c.Targets {
		at := "targets." + t.Name
		c.claim(taken, at, "the name", t.Name)
		if !targetShape.MatchString(t.Name) {
			c.bad(at, "%q is not a target's name; want one like web/production", t.Name)
		}
		c.wantOne(at+".environment", "environment", t.Environment, c.environmentNames())
		c.wantRepo(at+".repository", t.Repository)
		c.wantBranch(at+".base", t.Base)
		if len(t.Paths) == 0 {
			c.bad(at+".paths", "is missing; \"**\" is every file")
		}
		for i, p := range t.Paths {
			if !doublestar.ValidatePattern(p) || strings.HasPrefix(p, "/") || strings.HasPrefix(p, "!") || p == "" {
				c.bad(fmt.Sprintf("%s.paths[%d]", at, i), "%q is not a pattern; want one like network/production/**", p)
			}
		}
		for kind, env := range map[string]map[string]integrations.Secret{"plan_env": t.PlanEnv, "apply_env": t.ApplyEnv} {
			for name := range env {
				if !variableName.MatchString(name) {
					c.bad(at+"."+kind+"."+name, "%q is not the name of an environment variable", name)
				}
			}
		}
		c.wantRange(at+".wave", t.Wave, 0, 100)
		if t.Drift != 0 && t.Drift < time.Minute {
			c.bad(at+".drift", "is %s; want a minute or more, or nothing for never", t.Drift)
		}
		if len(t.Apply) == 0 {
			c.bad(at+".apply", "is missing; list the steps, such as - terraform: {dir: .}")
		}
	}
}

func (c *Config) checkServices() {
	taken := unique{}
	for _, s := range c.Services {
		at := "services." + s.Name
		c.checkName(taken, at, s.Name, s.Aliases)
		c.wantRepo(at+".repository", s.Repository)
		c.wantBranch(at+".branch", s.Branch)
		c.wantPeople(at+".on_call", s.OnCall)
		if s.Source != "" {
			c.wantRepo(at+".source", s.Source)
		}
		if c.wantOne(at+".strategy", "strategy", s.Strategy, []string{"promote", "pin"}) && s.Strategy == "promote" && s.Source != "" {
			c.bad(at+".source", "is for the strategy pin")
		}
		if s.Strategy == "promote" && (c.GitHub.MergeMethod == "squash" || c.GitHub.MergeMethod == "rebase") {
			c.bad("github.merge_method", "is %s, and the service %q is promoted; want merge, as a promotion's commits have to keep their SHAs", c.GitHub.MergeMethod, s.Name)
		}
		if len(s.Environments) == 0 {
			c.bad(at+".environments", "is missing, so that it can be deployed nowhere")
		}
		for _, e := range s.Environments {
			c.checkServiceEnvironment(s, e, at+".environments."+e.Name)
		}
	}
}

func (c *Config) checkServiceEnvironment(s ServiceConfig, e ServiceEnvironmentConfig, at string) {
	if !slices.Contains(c.environmentNames(), e.Name) {
		c.bad(at, "%s", oneOf("environment", e.Name, c.environmentNames()))
	}
	c.wantBranch(at+".branch", e.Branch)
	switch s.Strategy {
	case "promote":
		if e.Branch == s.Branch && e.Branch != "" {
			c.bad(at+".branch", "is %q, the branch that is promoted; want the branch that it is promoted into", e.Branch)
		}
		if e.File != "" {
			c.bad(at+".file", "is for the strategy pin")
		}
		if e.Key != "" {
			c.bad(at+".key", "is for the strategy pin")
		}
	case "pin":
		if c.want(at+".file", e.File) && (filepath.IsAbs(e.File) || !filepath.IsLocal(e.File)) {
			c.bad(at+".file", "%q is not a path inside the repository", e.File)
		}
	}
	if len(e.Targets) == 0 {
		c.bad(at+".targets", "is missing, so that a deploy would change nothing")
	}
	for i, name := range e.Targets {
		field := fmt.Sprintf("%s.targets[%d]", at, i)
		if !c.wantOne(field, "target", name, c.targetNames()) {
			continue
		}
		t := c.Targets[slices.IndexFunc(c.Targets, func(t TargetConfig) bool { return t.Name == name })]
		switch {
		case t.Environment != e.Name:
			c.bad(field, "target %q is in the environment %q, not in %q", name, t.Environment, e.Name)
		case t.Repository != s.Repository:
			c.bad(field, "target %q is applied from %s, but the deploy pull request is opened in %s", name, t.Repository, s.Repository)
		case t.Base != e.Branch:
			c.bad(field, "target %q is applied from the branch %q, but the deploy pull request merges into %q", name, t.Base, e.Branch)
		}
	}
}

// checkRights refuses verbs in the policy that no verb asks for.
func (c *Config) checkRights(known []string) error {
	c.r.mistakes = nil
	allowed := append(slices.Clone(known), "*")
	slices.Sort(allowed)
	for i, p := range c.Policy {
		for j, v := range p.Verbs {
			c.wantOne(fmt.Sprintf("policy[%d].verbs[%d]", i, j), "verb", v, slices.Compact(allowed))
		}
	}
	return c.r.err()
}

func names[T any](list []T, name func(T) string) []string {
	out := make([]string, len(list))
	for i, x := range list {
		out[i] = name(x)
	}
	return out
}

func (c *Config) personNames() []string {
	all := names(c.People, func(p PersonConfig) string { return p.Name })
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(n string) bool { return n == "" })
}

func (c *Config) groupNames() []string {
	return names(c.Groups, func(g GroupConfig) string { return g.Name })
}

func (c *Config) environmentNames() []string {
	return names(c.Environments, func(e EnvironmentConfig) string { return e.Name })
}

func (c *Config) targetNames() []string {
	return names(c.Targets, func(t TargetConfig) string { return t.Name })
}
