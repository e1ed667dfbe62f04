package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/signalbox-chatops/signalbox/integrations"
)

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
		if t.Timeout != 0 && t.Timeout < time.Second {
			c.bad(at+".timeout", "is %s; want a second or more, or none", t.Timeout)
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
		c.checkScaling(t, at)
		c.checkGraphs(t.Mackerel, at+".mackerel")
		if len(t.Apply) == 0 {
			c.bad(at+".apply", "is missing; list the steps, such as - terraform: {dir: .}")
		}
	}
}

func (c *Config) checkGraphs(g GraphsConfig, at string) {
	if g.Service == "" && len(g.Roles) == 0 {
		return
	}
	if c.Mackerel.None() {
		c.bad(at, "names graphs, and mackerel.api_key is missing")
	}
	if err := checkGraphs(integrations.Graphs(g)); err != nil {
		for _, line := range strings.Split(err.Error(), "\n") {
			field, what, _ := strings.Cut(line, ": ")
			c.bad(at+"."+field, "%s", what)
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
		c.wantOnCall(at+".on_call", s.OnCall)
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
	c.checkWays(at+".notify", e.Notify)
	switch {
	case e.Auto == "":
	case s.Strategy == "pin" && s.Source == "":
		c.bad(at+".auto", "needs the service's source: the repository whose merges set the version")
	case e.Auto != s.Branch:
		c.bad(at+".auto", "is %q, but %s is deployed from %q", e.Auto, s.Name, s.Branch)
	}
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

// pinned says what is wrong with where an image is pinned.
func (c *Config) pinned(p integrations.Pin) error {
	i := slices.IndexFunc(c.Services, func(s ServiceConfig) bool { return s.Name == p.Service })
	if i < 0 {
		return fmt.Errorf("there is no service %q", p.Service)
	}
	s := c.Services[i]
	switch {
	case s.Strategy != "pin":
		return fmt.Errorf("the service %q has the strategy %s; want one that is deployed by a version in a file, with the strategy pin", s.Name, s.Strategy)
	case s.Source != "":
		return fmt.Errorf("the versions of the service %q are commits of %s; want one without a source", s.Name, s.Source)
	case !slices.ContainsFunc(s.Environments, func(e ServiceEnvironmentConfig) bool { return e.Name == p.Environment }):
		return fmt.Errorf("the service %q does not run in %q", s.Name, p.Environment)
	}
	return nil
}
