package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// groupsWait is how long the start and a reload wait for live groups.
const groupsWait = 5 * time.Second

// readGroups reads the live groups of a catalog that are not known yet. A source
// that is down is no reason to wait longer: until it answers, it has no members.
func (a *app) readGroups(ctx context.Context, cat *integrations.Catalog) {
	ctx, cancel := context.WithTimeout(ctx, groupsWait)
	defer cancel()
	a.groups.RefreshFor(ctx, cat)
}

// checkGroups reads each live group once, for `signalbox check`.
func checkGroups(ctx context.Context, c *Config, s systems) []integrations.Finding {
	sources := groupSources(s)
	var out []integrations.Finding
	for _, g := range c.Groups {
		for _, live := range g.live() {
			source := sources[live.Kind]
			f := integrations.Finding{What: "Group " + g.Name}
			accounts, err := source.Read(ctx, live.Name)
			if err != nil {
				f.Say, f.Do = fmt.Sprintf("the %s %s cannot be read: %v", source.What, live.Name, err), source.Needs
				out = append(out, f)
				continue
			}
			known := 0
			for _, p := range c.People {
				account := source.Account(integrations.Person{Slack: p.Slack, GitHub: p.GitHub})
				for _, a := range accounts {
					if account != "" && strings.EqualFold(a, account) {
						known++
					}
				}
			}
			f.OK, f.Say = true, fmt.Sprintf("people in the %s %s: %d, of them in `people`: %d", source.What, live.Name, len(accounts), known)
			out = append(out, f)
		}
	}
	return out
}
