package main

import (
	"fmt"
	"maps"
	"net"
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
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
	c.checkHome()
	c.checkPart("heartbeat", c.Heartbeat)
	c.checkPart("aws", c.AWS)
	c.checkPart("drain", c.Drain)
	c.checkPart("birth", c.Birth)
	if len(c.Birth.Roles) > 0 && len(c.AWS.Accounts) == 0 {
		c.bad("birth", "is given, and aws.accounts has nobody who could be born")
	}
	c.wantPeople("birth.on_call", c.Birth.OnCall)
	c.checkIngress()
	c.checkPart("mackerel", c.Mackerel)
	c.checkHAProxy()
	c.checkOnCall()
	c.checkPart("rounds", c.Rounds)
	c.checkIncidents()
	c.checkDigest()
	c.checkPart("statuspage", c.Statuspage)
	c.checkPeople()
	c.checkGroups()
	c.checkEnvironments()
	c.checkPolicy()
	c.checkTargets()
	c.checkServices()
	c.checkAlerts()
	c.checkOffers()
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
	c.wantOne("slack.language", "language", c.Slack.Language, languages())
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

// checkPart asks a part that stands in a folder of its own for its mistakes: a line
// each, with the field before a colon.
func (c *Config) checkPart(name string, part interface{ Validate() error }) {
	err := part.Validate()
	if err == nil {
		return
	}
	for _, what := range strings.Split(err.Error(), "\n") {
		field, say, _ := strings.Cut(what, ": ")
		if !strings.HasPrefix(field, "[") { // of a list
			field = "." + field
		}
		c.bad(name+field, "%s", say)
	}
}

// checkHAProxy wants each backend to be of instances that may be drained: else it would
// be looked for in none.
func (c *Config) checkHAProxy() {
	c.checkPart("haproxy", c.HAProxy)
	if len(c.HAProxy) > 0 && len(c.AWS.Accounts) == 0 {
		c.bad("haproxy", "is given, and aws.accounts has nobody that stands behind it")
	}
	roles := c.Drain.Names()
	for n, b := range c.HAProxy {
		c.wantOne(fmt.Sprintf("haproxy[%d].role", n), "role of drain.roles", b.Role, roles)
	}
}

// checkIncidents wants whoever is to be called to be somebody, and what is to be quiet in
// an environment to be in one that there is.
func (c *Config) checkIncidents() {
	c.checkPart("incidents", c.Incidents)
	known := slices.Concat(c.personNames(), c.OnCall.Names(), c.groupNames())
	for n, r := range c.Incidents.Escalations {
		for k, s := range r.Steps {
			for m, name := range s.Call {
				c.wantOne(fmt.Sprintf("incidents.escalations[%d].steps[%d].call[%d]", n, k, m), "person, schedule or group", name, known)
			}
			if s.PagerDuty != "" {
				c.wantOne(fmt.Sprintf("incidents.escalations[%d].steps[%d].pagerduty", n, k), "routing key", s.PagerDuty, slices.Sorted(maps.Keys(c.PagerDuty.RoutingKeys)))
			}
			if s.PagerDuty != "" && pagerDutySource(c.Alerts) == "" {
				c.bad(fmt.Sprintf("incidents.escalations[%d].steps[%d].pagerduty", n, k), "has PagerDuty page, and no source of alerts is of the kind pagerduty; what becomes of it there would not be known here")
			}
		}
	}
	for n, s := range c.Incidents.Silences {
		if s.Environment != "" {
			c.wantOne(fmt.Sprintf("incidents.silences[%d].environment", n), "environment", s.Environment, c.environmentNames())
		}
	}
	c.checkTexts()
}

// checkOnCall wants the people of rotations to be known, and their names to be no
// person's: both stand in `on_call`.
func (c *Config) checkOnCall() {
	c.checkPart("oncall", c.OnCall)
	c.checkPart("pagerduty", c.PagerDuty)
	taken := unique{}
	for _, s := range c.OnCall.Schedules {
		at := "oncall.schedules." + s.Name
		c.checkName(taken, at, s.Name, s.Aliases)
		if slices.Contains(c.personNames(), s.Name) {
			c.bad(at, "is a person's name too, and either may stand in on_call; call the schedule something else")
		}
		if s.PagerDuty != "" && c.PagerDuty.None() {
			c.bad(at+".pagerduty", "names a schedule of PagerDuty, and pagerduty has no token to read it with")
		}
		c.wantPeople(at+".group_always", s.Always)
		for n, l := range s.Layers {
			for _, turn := range l.Turns() {
				c.wantPeople(fmt.Sprintf("%s.layers[%d].people", at, n), turn)
			}
		}
	}
}

func (c *Config) checkDigest() {
	c.checkPart("digest", c.Digest)
	if c.Digest.Language != "" {
		c.wantOne("digest.language", "language", c.Digest.Language, languages())
	}
	for n, e := range c.Digest.Environments {
		c.wantOne(fmt.Sprintf("digest.environments[%d]", n), "environment", e, c.environmentNames())
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
	if r.DrainLimit < time.Second {
		c.bad("runner.drain_limit", "is %s; want a second or more", r.DrainLimit)
	}
	for i, name := range r.Env {
		if !variableName.MatchString(name) {
			c.bad(fmt.Sprintf("runner.env[%d]", i), "%q is not the name of an environment variable", name)
		}
	}
}

func (c *Config) checkHome() {
	h := c.Home
	if h.Repository == "" {
		if h.Follow {
			c.bad("config.follow", "is on, and config.repository does not say where the configuration is kept")
		}
		return
	}
	if !repoShape.MatchString(h.Repository) {
		c.bad("config.repository", "%q is not a repository; want one like acme/ops", h.Repository)
	}
	if c.want("config.base", h.Base) && !branchShape.MatchString(h.Base) {
		c.bad("config.base", "%q is not the name of a branch", h.Base)
	}
	if c.want("config.path", h.Path) && (path.IsAbs(h.Path) || path.Clean(h.Path) != h.Path || strings.HasPrefix(h.Path, "..")) {
		c.bad("config.path", "%q is not a path inside the repository; want one like signalbox.yaml", h.Path)
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
