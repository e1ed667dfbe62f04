package main

import (
	"slices"
	"testing"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/integrations"
)

// placeForms are the ways in which people name a service in an environment.
var placeForms = []string{"web in staging", "web to staging", "web on staging", "web staging", "web/staging", "Web in STAGING", "www/stg", "www in stg"}

// Every verb that takes a service or a target, and an environment, understands all
// the ways to name them, and understands the same by each.
func TestEveryVerbTakesAPlaceInEveryForm(t *testing.T) {
	places := map[string]integrations.ServiceEnvironment{"staging": {Targets: []string{"web/staging"}}, "production": {Targets: []string{"web/production", "cdn"}}}
	cat := &integrations.Catalog{
		Environments: []integrations.Environment{{Name: "staging", Aliases: []string{"stg"}}, {Name: "production"}},
		Services:     []integrations.Service{{Name: "web", Aliases: []string{"www"}, Environments: places}},
		Targets:      []integrations.Target{{Name: "web/staging", Environment: "staging"}, {Name: "web/production", Environment: "production"}, {Name: "cdn", Environment: "production"}},
	}
	takes := []commands.ArgKind{commands.ArgService, commands.ArgThing, commands.ArgTarget, commands.ArgScope, commands.ArgHold, commands.ArgAbout}
	tail := map[string]string{"lock": " migration", "freeze": " audit", "steal": " hotfix", "record": " by hand", "unlock": " because it is over"}
	seen := 0
	verbs := ourVerbs(t)
	for _, v := range verbs {
		all := slices.Concat(v.Args, v.Flags)
		kinds := func(k commands.ArgKind) bool {
			return slices.ContainsFunc(all, func(a commands.Arg) bool { return a.Kind == k })
		}
		place := kinds(commands.ArgTarget) || kinds(commands.ArgScope) || kinds(commands.ArgHold) || kinds(commands.ArgAbout)
		if !slices.ContainsFunc(v.Args, func(a commands.Arg) bool { return slices.Contains(takes, a.Kind) }) || !place && !kinds(commands.ArgEnvironment) {
			continue
		}
		seen++
		want := ""
		for _, form := range placeForms {
			line := v.Name + " " + form + tail[v.Name]
			u := commands.Parse(verbs, cat, line, true)
			if u.Refusal != nil || len(u.Missing) > 0 || len(u.Notes) > 0 {
				t.Errorf("%s: missing %v, notes %q, %v", line, u.Missing, u.Notes, u.Refusal)
				continue
			}
			if got := commands.Render(u.Call); want == "" {
				want = got
			} else if got != want {
				t.Errorf("%s is %s, and in another form %s", line, got, want)
			}
		}
	}
	if seen < 16 {
		t.Errorf("only %d verbs take a place", seen)
	}
}
