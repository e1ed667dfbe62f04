package main

import (
	"fmt"
	"regexp"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// The kinds of integrations.GroupSource, by their keys in the file.
const (
	kindGitHubTeam = "github_team"
	kindSlackGroup = "slack_group"
)

var (
	teamShape  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]*/[a-z0-9_][a-z0-9_-]*$`)
	groupShape = regexp.MustCompile(`^(S[A-Z0-9]{2,}|@?[\p{Ll}\p{Lo}\p{Lm}\p{N}._-]+)$`)
)

// live are the places where a group's people are read.
func (g GroupConfig) live() []integrations.GroupSource {
	var out []integrations.GroupSource
	if g.GitHubTeam != "" {
		out = append(out, integrations.GroupSource{Kind: kindGitHubTeam, Name: g.GitHubTeam})
	}
	if g.SlackGroup != "" {
		out = append(out, integrations.GroupSource{Kind: kindSlackGroup, Name: g.SlackGroup})
	}
	return out
}

func (c *Config) checkGroups() {
	groups := unique{}
	for _, g := range c.Groups {
		at := "groups." + g.Name
		c.claim(groups, at, "the group", g.Name)
		list := at
		if _, mapping := c.r.lines[at+".people"]; mapping {
			list += ".people"
		}
		for i, p := range g.People {
			c.wantOne(fmt.Sprintf("%s[%d]", list, i), "person", p, c.personNames())
		}
		if g.GitHubTeam != "" && !teamShape.MatchString(g.GitHubTeam) {
			c.bad(at+"."+kindGitHubTeam, "%q is not a team; want one like acme/sre, as in the address of its page", g.GitHubTeam)
		}
		if g.SlackGroup != "" && !groupShape.MatchString(g.SlackGroup) {
			c.bad(at+"."+kindSlackGroup, "%q is not a user group; want its handle, like sre, or its id, like S0614TZR7", g.SlackGroup)
		}
	}
}
