package commands

import (
	"github.com/signalbox-chatops/signalbox/integrations"
)

// testCatalog is a workspace as a configuration describes one.
func testCatalog() *integrations.Catalog {
	env := integrations.ServiceEnvironment{}
	return &integrations.Catalog{
		People: []integrations.Person{
			{Name: "alice", Slack: "U1", GitHub: "alice"},
			{Name: "bob", Slack: "U2", GitHub: "bob"},
			{Name: "carol", Slack: "U3", GitHub: "carol"},
		},
		Groups: map[string][]string{"deployers": {"alice", "bob"}, "all": {"alice", "bob", "carol"}},
		Rules: []integrations.Rule{
			{Groups: []string{"deployers"}, Verbs: []string{"deploy", "lock", "merge"}, Environments: []string{"staging", "production"}},
		},
		Environments: []integrations.Environment{
			{Name: "staging", Aliases: []string{"stg", "ステージング"}, Channels: []string{"#ops", "C1"}},
			{Name: "production", Aliases: []string{"prod", "本番"}, Channels: []string{"ops"}},
			{Name: "sandbox"},
		},
		Services: []integrations.Service{
			{Name: "web", Aliases: []string{"www"}, Environments: map[string]integrations.ServiceEnvironment{"staging": env, "production": env}},
			{Name: "api", Environments: map[string]integrations.ServiceEnvironment{"staging": env, "production": env, "sandbox": env}},
			{Name: "worker", Environments: map[string]integrations.ServiceEnvironment{"staging": env}},
		},
		Schedules: []integrations.Schedule{{Name: "platform", Aliases: []string{"infra"}}},
		Targets: []integrations.Target{
			{Name: "network/production", Environment: "production"},
			{Name: "web/production", Environment: "production"},
		},
	}
}

// testVerbs are shaped like those of the house.
func testVerbs() []Verb {
	return []Verb{
		{Name: "deploy", Aliases: []string{"ship"}, Summary: "Open a deploy pull request", Effect: Changes,
			Args: []Arg{
				{Name: "service", Kind: ArgService},
				{Name: "ref", Kind: ArgRef, Optional: true},
				{Name: "environment", Kind: ArgEnvironment, Keyword: "to"},
				{Name: "reason", Kind: ArgText, Optional: true, Keyword: "because"},
			},
			Flags:    []Arg{{Name: "force", Kind: ArgBool, Optional: true}},
			Examples: []string{"deploy {service} to {environment}"}},
		{Name: "lock", Summary: "Hold a target", Effect: Changes,
			Args:     []Arg{{Name: "target", Kind: ArgTarget}, {Name: "reason", Kind: ArgText}},
			Flags:    []Arg{{Name: "for", Kind: ArgDuration, Optional: true, Default: "8h"}},
			Examples: []string{`lock {service}/{environment} "database migration" --for 2h`}},
		{Name: "freeze", Effect: Changes, Args: []Arg{{Name: "what", Kind: ArgScope}, {Name: "reason", Kind: ArgText}}, Examples: []string{`freeze {environment} "audit"`}},
		{Name: "thaw", Effect: Changes, Args: []Arg{{Name: "what", Kind: ArgHold}, {Name: "reason", Kind: ArgText, Optional: true}}, Examples: []string{"thaw hold-4"}},
		{Name: "locks", Effect: Reads, Examples: []string{"locks"}},
		{Name: "merge", Effect: Changes, Args: []Arg{{Name: "subject", Kind: ArgSubject}}, Examples: []string{"merge op-12"}},
		{Name: "approve", Effect: Changes, Args: []Arg{{Name: "subject", Kind: ArgSubject}}},
		{Name: "status", Effect: Reads, Args: []Arg{
			{Name: "subject", Kind: ArgSubject, Optional: true},
			{Name: "service", Kind: ArgService, Optional: true},
			{Name: "environment", Kind: ArgEnvironment, Optional: true},
		}, Examples: []string{"status {service}"}},
		{Name: "services", Effect: Reads},
		{Name: "note", Effect: Reads, Args: []Arg{{Name: "word", Kind: ArgWord}}, Flags: []Arg{{Name: "since", Kind: ArgDuration, Optional: true}}},
		{Name: "plan", Effect: Changes, Right: "deploy", Args: []Arg{
			{Name: "subject", Kind: ArgWord},
			{Name: "ref", Kind: ArgRef, Optional: true},
			{Name: "environment", Kind: ArgEnvironment, Keyword: "to", Optional: true},
		}},
		{Name: "rollback", Aliases: []string{"revert", "undo"}, Effect: Changes, Args: []Arg{
			{Name: "subject", Kind: ArgThing},
			{Name: "environment", Kind: ArgEnvironment, Keyword: "in", Optional: true},
			{Name: "version", Kind: ArgWord, Keyword: "to", Strict: true, Optional: true},
			{Name: "reason", Kind: ArgText, Optional: true},
		}, Examples: []string{"rollback {service} in {environment}"}},
		{Name: "whoami", Effect: Reads, Open: true},
		{Name: "help", Effect: Reads, Open: true, Args: []Arg{{Name: "command", Kind: ArgVerb, Optional: true}}},
	}
}
