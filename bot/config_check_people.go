package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/calendar"
)

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
	names, slacks, githubs, hosts := unique{}, unique{}, unique{}, unique{}
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
		c.checkHost(hosts, at+".host", p.Host)
		if p.Email != "" && !strings.Contains(p.Email, "@") {
			c.bad(at+".email", "%q is not an address", p.Email)
		}
		if p.Phone != "" && !phoneShape.MatchString(p.Phone) {
			c.bad(at+".phone", "%q is no number with its country; want one like +819012345678, without spaces", p.Phone)
		}
	}
}

// checkHost refuses users of the machine who are not one person: root is whoever
// may use sudo, and the runner's user is the code of every pull request.
func (c *Config) checkHost(taken unique, at, host string) {
	switch {
	case host == "":
	case host == "root":
		c.bad(at, "root is nobody in particular; name the user that they log in as")
	case host == c.Runner.User:
		c.bad(at, "%q is runner.user, whom the code of pull requests runs as", host)
	case !hostShape.MatchString(host):
		c.bad(at, "%q is no user name of Linux", host)
	default:
		c.claim(taken, at, "the user of the host", host)
	}
}

var hostShape = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9._@-]{0,63}$`)

func (c *Config) checkEnvironments() {
	taken := unique{}
	for _, e := range c.Environments {
		at := "environments." + e.Name
		c.checkName(taken, at, e.Name, e.Aliases)
		c.wantOne(at+".review", "review", e.Review, []string{"required", "none"})
		c.wantOne(at+".on_open", "value", e.OnOpen, []string{"ask", "run"})
		c.wantOne(at+".ships", "value", e.Ships, []string{"off", "show", "gate"})
		c.checkGates(at, e)
		c.checkNotify(at, e)
	}
}

// checkGates checks what an environment says of its gates.
func (c *Config) checkGates(at string, e EnvironmentConfig) {
	c.wantRange(at+".approvals", e.Approvals, 0, 20)
	if e.Approvers != "" {
		c.wantOne(at+".approvers", "group", e.Approvers, c.groupNames())
	}
	c.wantOnCall(at+".on_call", e.OnCall)
	c.wantOne(at+".merge", "way to merge", e.Merge, []string{"by_hand", "when_green"})
	if e.Merge == "when_green" && e.Approvals > 0 {
		c.bad(at+".merge", "is %q, but %s wants %d more to agree, and nobody would be asked for the merge; leave one of both out", e.Merge, e.Name, e.Approvals)
	}
	if e.MergeAfter < time.Second || e.MergeAfter > time.Hour {
		c.bad(at+".merge_after", "is %s; want one second to one hour", e.MergeAfter)
	}
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

// wantOnCall wants people and schedules.
func (c *Config) wantOnCall(field string, names []string) {
	for i, n := range names {
		c.wantOne(fmt.Sprintf("%s[%d]", field, i), "person or schedule", n, slices.Concat(c.OnCall.Names(), c.personNames()))
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
