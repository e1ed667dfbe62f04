package main

import "slices"

// screenPlays are the conversations that the pictures are taken of. Their lines are
// those of testdata/talk.
var screenPlays = []screenPlay{
	{name: "a day", edit: []string{"# The configuration of production: on_call: [alice]", "# The configuration says notify: {drift: channel, log_file: thread}, not notify: {drift: channel}"}, steps: slices.Concat(
		looking(
			screen{name: "introduction", says: "The introduction", kinds: []string{"introduction"}, words: "Three things to try"},
		),
		saying("alice in #ops: /ops plan web to staging"),
		looking(screen{name: "plan", says: "A plan that was asked for", kinds: []string{"plan"}, words: "Plan of web/staging"}),
		saying("alice in #ops: /ops deploy"),
		looking(screen{name: "form-deploy", says: "The form of deploy", sel: "#modal[open]", words: "Deploy"}),
		saying("alice submits Service=web, Environment=staging, Reason=the new timetable"),
		looking(
			screen{name: "deploy-open", says: "A deploy that may be merged", kinds: []string{"operation"}, words: "Merge it here"},
			screen{name: "pull-comment", says: "The comment on its pull request", kinds: []string{"pull comment"}, at: "/acme/web/pull/4", sel: "#forge .note", words: "web/staging at"},
			screen{name: "pull-statuses", says: "Its statuses", kinds: []string{"gate status", "target status"}, at: "/acme/web/pull/4", sel: "#forge .checks", words: "signalbox/gate"},
		),
		saying("alice presses Merge"),
		looking(
			screen{name: "deploy-succeeded", says: "A deploy that succeeded", words: "succeeded"},
			screen{name: "log", says: "The log in its thread", kinds: []string{"job log"}, under: "Deploy web to staging", words: "attempt 1: succeeded"},
			screen{name: "log-file", says: "The whole log", kinds: []string{"job log file"}, under: "Deploy web to staging", words: "The whole log of"},
		),
		saying("alice in #ops: /ops deploy web to production"),
		looking(
			screen{name: "deploy-approval", says: "A deploy that waits for a second person", words: "wants a second person"},
			screen{name: "approval", says: "The call for their approval", kinds: []string{"approval"}, under: "Deploy web to production", words: "waits for your approval"},
			screen{name: "home", says: "The Home tab", kinds: []string{"home"}, at: "Home", sel: ".home", words: "What runs where"},
		),
		saying("alice in #ops: /ops incident in production the shop is down"),
		looking(screen{name: "incident", says: "An incident", kinds: []string{"incident"}, words: "the shop is down"}),
		saying("alice in #ops: /ops break-glass op-2 --hotfix the shop is down"),
		looking(
			screen{name: "pass", says: "Somebody passes the gates alone", kinds: []string{"pass"}, words: "passed"},
			screen{name: "deploy-passed", says: "A deploy whose gates were passed alone", words: "Deploy web to production"},
		),
		saying("bob in #ops: /ops lock"),
		looking(screen{name: "form-lock", says: "The form of lock", who: "bob", sel: "#modal[open]", words: "Lock"}),
		saying("bob submits What=api/production, Reason=the audit runs, For=5h"),
		looking(screen{name: "lock", says: "A lock", kinds: []string{"hold"}, words: "api/production is locked"}),
		saying("alice in #ops: /ops record dns/production opened port 8443 by hand"),
		looking(screen{name: "record", says: "Handwork on record", kinds: []string{"record"}, words: "port 8443"}),
		saying("carol in #ops: /ops deploy web to production"),
		looking(screen{name: "refusal", says: "A refusal", kinds: []string{"reply"}, who: "carol", words: "You may not deploy"}),
		saying("bob takes the shortcut Escalate…"),
		looking(screen{name: "form-incident", says: "The form of incident, by a shortcut", who: "bob", sel: "#modal[open]", words: "Incident"}),
		saying("bob in #ops: /ops stop the database is on fire"),
		looking(screen{name: "stop", says: "Everything is stopped", words: "Everything is stopped"}),
	)},
	{name: "trouble", steps: slices.Concat(
		saying(`alice on GitHub changes acme/web deploy/staging/main.tf on main: "resource \"terraform_data\" \"release\" {" to "resource \"terraform_data\" \"release\" {\n  provisioner \"local-exec\" {\n    command = \"echo looking for the depot; test -e ../../../../../../../depot\"\n  }"`,
			`alice on GitHub changes acme/web VERSION on version: "1.3.0" to "1.4.0"`, "alice on GitHub opens a pull request in acme/web from version: Call it 1.4.0", "bob on GitHub merges acme/web#4",
			`bob on GitHub changes acme/web README.md on words: "#" to "# Our"`, "bob on GitHub opens a pull request in acme/web from words: Better words", "alice on GitHub merges acme/web#5",
			"alice in #ops: /ops deploy web to staging"),
		looking(screen{name: "deploy-folded", says: "A deploy of more than a card names", words: "Details"}),
		saying("alice in #ops: /ops status op-1"),
		looking(screen{name: "details", says: "What its Details say", words: "Operation op-1"}),
		saying("alice presses Merge on op-1"),
		looking(
			screen{name: "deploy-failed", says: "A deploy that failed", words: "failed in terraform apply"},
			screen{name: "attention", says: "The call for whoever asked", kinds: []string{"attention"}, under: "Deploy web to staging", words: "did not work"},
		),
		saying("alice presses Retry"),
		looking(
			screen{name: "deploy-confirm", says: "A deploy whose plan has to be confirmed", words: "The plan has to be confirmed"},
			screen{name: "confirm", says: "The plan that has to be confirmed", kinds: []string{"confirm"}, words: "Confirm the plan of"},
		),
		saying("2m pass", "alice presses Confirm"),
		looking(screen{name: "form-destroys", says: "The form for what is destroyed", sel: "#modal[open]", words: "estroys"}),
		saying(`alice on GitHub changes acme/infra dns/production/main.tf on www: "192.0.2.10" to "192.0.2.20"`,
			"alice on GitHub opens a pull request in acme/infra from www: Move www", "bob on GitHub merges acme/infra#1",
			`somebody changes the state of dns/production by hand: "192.0.2.20" to "192.0.2.99"`, "bob in #ops: /ops drift dns/production"),
		looking(screen{name: "drift", says: "Drift", kinds: []string{"drift"}, who: "bob", words: "has drifted"}),
	)},
	{name: "joining", edit: []string{"# The configuration says   # the others are not known, not   - {name: carol, slack: U0CAROL, github: carol, email: carol@acme.example, host: carol}",
		"# The configuration says config: {repository: acme/infra, follow: true}, not listen: 127.0.0.1:0"}, steps: slices.Concat(
		saying("the configuration is put into acme/infra as signalbox.yaml", "carol in #ops: /ops link carol", "carol presses Confirm"),
		looking(screen{name: "ask", says: "Somebody asks to be known", kinds: []string{"ask"}, words: "carol"}),
		saying("alice presses Confirm", "carol in #ops: /ops role request deployers \"I joined the web team\"", "bob presses Grant"),
		looking(screen{name: "config-change", says: "A change of the configuration", kinds: []string{"config change"}, words: "deployers"}),
	)},
	{name: "drain", steps: slices.Concat(
		saying("alice in #ops: /ops drain web-3"),
		looking(screen{name: "drain-plan", says: "A drain that waits for a confirmation", words: "Drain web-3"}),
		saying("alice presses Confirm", "15s pass"),
		looking(
			screen{name: "drain", says: "A drain that goes on", kinds: []string{"drain"}, words: "Drain web-3"},
			screen{name: "instances", says: "The instances meanwhile", at: "/#instances", sel: "#fleet .group", words: "role app"},
		),
		saying("3m pass", "alice in #ops: /ops drain role=app"),
		looking(screen{name: "drain-role", says: "A drain of a role", kinds: []string{"drain role"}, words: "role=app"}),
	)},
	{name: "on call", edit: []string{"# The configuration says channel: ops, not channel: alerts", `# The configuration says "0 10 * * *", not "0 10 * * mon"`, "# The configuration says turn: daily, not turn: weekly",
		`# The configuration says # no other, not database:\n      zone: Asia/Tokyo\n      channel: alerts\n      pagerduty: PDATABASE`}, steps: slices.Concat(
		saying("alice in #ops: /ops oncall"),
		looking(screen{name: "oncall", says: "Who is on call", words: "platform"}),
		saying("carol in #ops: /ops oncall take 2h"),
		looking(screen{name: "oncall-change", says: "Somebody takes the pager", kinds: []string{"oncall change"}, words: "carol takes the pager"}),
		saying("alice in #ops: /ops oncall swap @bob friday"),
		looking(screen{name: "oncall-swap", says: "Somebody is asked for a swap", kinds: []string{"oncall swap"}, words: "would you swap"}),
		saying("alice in #ops: /ops lock api/production the audit runs", "16h pass"),
		looking(
			screen{name: "oncall-handoff", says: "A handoff", kinds: []string{"oncall handoff"}, words: "Handed over"},
			screen{name: "oncall-week", says: "The week ahead", kinds: []string{"oncall week"}, words: "The week ahead of platform"},
		),
	)},
	{name: "a round", edit: []string{`# The configuration says rounds:\n  at: ["45 * * * *"], not rounds:`, `# The configuration says channel: ops\n  zone: Asia/Tokyo\ndrain:, not channel: alerts\n  zone: Asia/Tokyo\ndrain:`}, steps: slices.Concat(
		saying("web-3 is maintenance in Mackerel", "web-9 is maintenance in Mackerel", "web-5 is poweroff in Mackerel", "web-7 is retired in Mackerel", "worker-2 is standby in Mackerel",
			"bob in #ops: /ops lock web/production the migration runs --for 1h", "45m pass"),
		looking(screen{name: "round", says: "What nobody watches, and what was forgotten", kinds: []string{"round"}, words: "Nobody watches"}),
	)},
	{name: "the week behind", edit: []string{`# The configuration says people: [alice, bob, carol]\n          from: {day-6} 09:00\n          turn: daily, not people: [alice, bob]\n          from: 2026-01-05 10:00\n          turn: weekly`,
		`# The configuration says \ndigest: {channel: ops, zone: Asia/Tokyo, at: 0 10 * * wed}\npeople:\n, not \npeople:\n`}, steps: slices.Concat(
		saying("alice in #ops: /ops deploy web to staging", "alice presses Merge on op-1", `alice on GitHub changes acme/web VERSION on main: "1.3.0" to "1.4.0"`,
			"alice in #ops: /ops deploy web to staging", "alice presses Merge on op-2", "bob presses Roll back on op-2", "bob presses Merge on op-3",
			"alice in #ops: /ops deploy api v1.4.1 to staging", "alice presses Merge on op-4", "carol in #ops: /ops oncall take 2h", "16h pass"),
		looking(
			screen{name: "digest", says: "The week behind", kinds: []string{"weekly digest"}, words: "The week behind"},
			screen{name: "digest-deploys", says: "The deploys of a week", kinds: []string{"weekly digest deploys"}, words: "Deploys, "},
			screen{name: "digest-load", says: "Who was on call in which hours", kinds: []string{"weekly digest load"}, words: "On call, "},
		),
	)},
}
