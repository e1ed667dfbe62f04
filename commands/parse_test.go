package commands

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// say describes what a line was understood as, in one line.
func say(u Understanding) string {
	var b strings.Builder
	switch {
	case u.Refusal != nil:
		b.WriteString("refused " + u.Refusal.Code)
		for _, x := range u.Refusal.Buttons {
			b.WriteString(" [" + x.Command + "]")
		}
		return b.String()
	default:
		b.WriteString(u.Call.Verb.Name)
		for _, k := range slices.Sorted(maps.Keys(u.Call.Args)) {
			fmt.Fprintf(&b, " %s=%s", k, u.Call.Args[k])
		}
	}
	for _, m := range u.Missing {
		b.WriteString(" " + m.Name + "?")
	}
	if len(u.Notes) > 0 {
		b.WriteString(" (noted)")
	}
	return b.String()
}

func TestTalk(t *testing.T) {
	talk := []struct{ typed, want string }{
		// The order and the little words are free where nothing else is meant.
		{`deploy web to staging`, `deploy environment=staging service=web`},
		{`deploy web staging`, `deploy environment=staging service=web`},
		{`deploy web v1.2 to prod because the login is broken`, `deploy environment=production reason=the login is broken ref=v1.2 service=web`},
		{`deploy web v1.2 prod`, `deploy environment=production ref=v1.2 service=web`},
		{`deploy web@v1.2 to prod`, `deploy environment=production ref=v1.2 service=web`},
		{`deploy web staging to production`, `deploy environment=production ref=staging service=web`},
		{`deploy web to staging fix the login`, `deploy environment=staging reason=fix the login service=web`},
		{`deploy web staging to unblock the release`, `deploy environment=staging reason=to unblock the release service=web`},
		{`deploy web -> staging`, `deploy environment=staging service=web`},
		{`/ops deploy web to staging`, `deploy environment=staging service=web`},
		{`deploy --to staging --service web`, `deploy environment=staging service=web`},
		{`deploy web --environment=staging --reason fix login`, `deploy environment=staging reason=fix login service=web`},
		{`--force deploy web to staging`, `refused unknown_verb`},
		{`deploy --force web to staging`, `deploy environment=staging force=true service=web`},
		{`deploy web to staging --force`, `deploy environment=staging force=true service=web`},
		{`deploy www to stg`, `deploy environment=staging service=web`},
		{`ship web to staging`, `deploy environment=staging service=web`},

		{`plan web staging`, `plan environment=staging subject=web`},

		// A thing is a service, for which an environment is wanted, or a subject.
		{`rollback web in production`, `rollback environment=production subject=web`},
		{`rollback web in prod`, `rollback environment=production subject=web`},
		{`rollback web production`, `rollback environment=production subject=web`},
		{`undo www prod`, `rollback environment=production subject=web`},
		{`rollback web to staging`, `rollback environment=staging subject=web`},
		{`rollback op-7`, `rollback subject=op-7`},
		{`revert #12 it broke the login`, `rollback reason=it broke the login subject=#12`},
		{`rollback web in production to 0442232`, `rollback environment=production subject=web version=0442232`},
		{`rollback web production to op-3`, `rollback environment=production subject=web version=op-3`},
		{`rollback op-7 to op-3`, `rollback subject=op-7 version=op-3`},
		{`rollback web in production to op-3 because the login page is broken`, `rollback environment=production reason=the login page is broken subject=web version=op-3`},
		{`rollback web in production to op-3 "the login page is broken"`, `rollback environment=production reason=the login page is broken subject=web version=op-3`},
		{`rollback web in production the login page is broken`, `rollback environment=production reason=the login page is broken subject=web`},
		{`rollback web prod --version=v1.4.0`, `rollback environment=production subject=web version=v1.4.0`},
		{`rollback`, `rollback subject?`},
		{`rollback web`, `rollback subject=web environment?`},
		{`rollback web to op-3`, `rollback subject=web version=op-3 environment?`},
		{`rollback web because it is slow`, `rollback reason=it is slow subject=web environment?`},
		{`rollback wbe in production`, `refused unknown_service [rollback web in production]`},
		{`rollback web in prodution to op-3`, `refused unknown_environment [rollback web in production to op-3]`},
		{`rollbak web in production`, `refused unknown_verb [rollback web in production]`},
		{`rollback worker in production`, `refused unknown_environment`},
		{`plan web staging to prod`, `plan environment=production ref=staging subject=web`},
		{`plan web v1.2 prod`, `plan environment=production ref=v1.2 subject=web`},
		{`plan <https://github.com/acme/web/pull/12>`, `plan subject=https://github.com/acme/web/pull/12`},
		{`plan #12`, `plan subject=#12`},

		// Phones, input methods and habits.
		{`Deploy WEB To Staging.`, `deploy environment=staging service=web`},
		{`deploys web to staging`, `deploy environment=staging service=web`},
		{`ｄｅｐｌｏｙ　ｗｅｂ　ｔｏ　本番`, `deploy environment=production service=web`},
		{`ｄｅｐｌｏｙ　ｗｅｂ　ｖ１．２　ｔｏ　ステージング`, `deploy environment=staging ref=v1.2 service=web`},
		{"deploy\u00a0web\u200b to  staging ", `deploy environment=staging service=web`},
		{`lock web/production “database migration” —for 2h`, `lock for=2h0m0s reason=database migration target=web/production`},
		{`lock web/prod 'it is broken' –for=90m`, `lock for=1h30m0s reason=it is broken target=web/production`},
		{`lock web/本番 －－ｆｏｒ　２ｈ don't touch`, `lock for=2h0m0s reason=don't touch target=web/production`},
		{`lock web/prod ーーfor 1d データ移行`, `lock for=24h0m0s reason=データ移行 target=web/production`},
		{`lock web production db -for 2 hours`, `lock for=2h0m0s reason=db target=web/production`},
		{`lock web in prod db`, `lock for=8h0m0s reason=db target=web/production`},
		{`lock --for 2h30m network/prod moving  the   wires`, `lock for=2h30m0s reason=moving  the   wires target=network/production`},
		{`lock web/prod before --for 2h after`, `lock for=2h0m0s reason=before after target=web/production`},
		{`lock web/prod because of --for 2h`, `lock for=2h0m0s reason=of target=web/production`},
		{`lock web/prod "take it --for 2h"`, `lock for=8h0m0s reason=take it --for 2h target=web/production`},
		{`lock web/prod a — b -- c`, `lock for=8h0m0s reason=a — b -- c target=web/production`},
		{`lock web/prod ＦＵＬＬ width "stays" &amp; so do &lt;these&gt;`, `lock for=8h0m0s reason=ＦＵＬＬ width "stays" & so do <these> target=web/production`},
		{`lock web/prod see <https://x.io/a|x.io/a>`, `lock for=8h0m0s reason=see x.io/a target=web/production`},
		{`lock web/prod see <https://x.io/a|the doc>`, `lock for=8h0m0s reason=see the doc (https://x.io/a) target=web/production`},
		{`lock web/prod <@U2|robert> and <@U1> asked in <#C1|ops>`, `lock for=8h0m0s reason=@robert and @alice asked in #ops target=web/production`},
		{`deploy <http://web|web> to staging`, `deploy environment=staging service=web`},
		{"deploy `web` to *staging*", `deploy environment=staging service=web`},

		// Subjects.
		{`merge op-12`, `merge subject=op-12`},
		{`MERGE OP-12`, `merge subject=op-12`},
		{`merge op12`, `merge subject=op-12`},
		{`merge #12`, `merge subject=#12`},
		{`merge acme/web#12`, `merge subject=acme/web#12`},
		{`merge <https://github.com/acme/web/pull/12/files>`, `merge subject=acme/web#12`},
		{`merge <http://127.0.0.1:80/gh/acme/web/pull/12|this one>`, `merge subject=acme/web#12`},
		{`merge foo`, `refused bad_subject`},

		// What lacks is asked for, what is there is kept.
		{`deploy`, `deploy service? environment?`},
		{`deploy web`, `deploy service=web environment?`},
		{`deploy to staging`, `deploy environment=staging service?`},
		{`deploy staging`, `deploy environment=staging service?`},
		{`deploy web v1.2`, `deploy ref=v1.2 service=web environment?`},
		{`deploy web to`, `deploy service=web environment?`},
		{`deploy web to staging --reason`, `deploy environment=staging service=web reason?`},
		{`lock web/prod`, `lock for=8h0m0s target=web/production reason?`},
		{`lock web/prod ""`, `lock for=8h0m0s target=web/production reason?`},

		// A slip in what changes is offered; in what reads it is put right.
		{`depoly web to staging`, `refused unknown_verb [deploy web to staging]`},
		{`dep web to staging`, `refused unknown_verb [deploy web to staging]`},
		{`deploy wbe to staging`, `refused unknown_service [deploy web to staging]`},
		{`deploy web to stagin`, `refused unknown_environment [deploy web to staging]`},
		{`deploy web stagin`, `refused unknown_environment [deploy web to staging]`},
		{`deplyo wbe to stagin because x`, `refused unknown_verb [deploy web to staging because "x"]`},
		{`lock web/prodution db`, `refused unknown_target [lock web/production "db" --for 8h]`},
		{`lock web/prod db --fro 2h`, `refused unknown_flag [lock web/production "db" --for 2h]`},
		{`merge op-12 now please`, `refused extra_words [merge op-12]`},
		{`statsu web`, `status service=web (noted)`},
		{`status wbe`, `status service=web (noted)`},
		{`status web please`, `refused unknown_environment`},
		{`locks please`, `locks (noted)`},
		{`lok web/prod db`, `refused unknown_verb [lock web/production "db" --for 8h]`},

		// What does not exist is said so.
		{`deploy foo to staging`, `refused unknown_service`},
		{`deploy foo`, `refused unknown_service`},
		{`deploy web to qa`, `refused unknown_environment`},
		{`deploy worker to production`, `refused unknown_environment`},
		{`deploy web -oProxyCommand=x to staging`, `refused unknown_flag`},
		{`deploy web "-o" to staging`, `refused bad_ref`},
		{`deploy web to staging --yes`, `refused unknown_flag`},
		{`deploy web to staging --to production`, `refused misplaced`},
		{`deploy web --to staging --to production`, `refused twice`},
		{`lock web/prod db --for soon`, `refused bad_duration`},
		{`lock web/prod db --for 99999d`, `refused bad_duration`},
		{`lock production db`, `refused unknown_target`},
		{`status nothing`, `refused unknown_service`},
		{`please deploy web to staging`, `refused unknown_verb`},
		{`xyzzy`, `refused unknown_verb`},

		// Help is asked for in several ways.
		{``, `help`},
		{`?`, `help`},
		{`help deploy`, `help command=deploy`},
		{`help depoly`, `help command=deploy (noted)`},
		{`deploy help`, `help command=deploy`},
		{`deploy --help`, `help command=deploy`},
		{`deploy -h`, `help command=deploy`},
		{`locks`, `locks`},
		{`service`, `services`},
		{`who am i`, `whoami (noted)`},
	}
	for _, line := range talk {
		if got := say(Parse(testVerbs(), testCatalog(), line.typed, true)); got != line.want {
			t.Errorf("%s\n got: %s\nwant: %s", line.typed, got, line.want)
		}
	}
}

func TestRefusalsTellWhatExists(t *testing.T) {
	for line, want := range map[string]string{
		`deploy foo to staging`:       "web, api and worker",
		`deploy web to qa`:            "staging and production",
		`deploy worker to production`: "staging",
		`deploy wbe to staging`:       "Did you mean web?",
		`lock production db`:          "web/production",
		`xyzzy`:                       "help",
		`merge foo`:                   "acme/web#12",
	} {
		r := Parse(testVerbs(), testCatalog(), line, true).Refusal
		if r == nil {
			t.Errorf("%s is not refused", line)
			continue
		}
		if !strings.Contains(r.Error(), want) {
			t.Errorf("%s is answered %q, which does not say %q", line, r.Error(), want)
		}
		if r.Example == "" {
			t.Errorf("%s is answered without an example", line)
		} else if u := Parse(testVerbs(), testCatalog(), r.Example, true); u.Refusal != nil || len(u.Missing) > 0 {
			t.Errorf("the example %q, for %s, does not work: %s", r.Example, line, say(u))
		}
	}
}

func TestRenderIsReadAsTheSameCall(t *testing.T) {
	for _, line := range []string{
		`deploy web to staging`,
		`deploy web staging to production`,
		`deploy web "to" to production because "because"`,
		`lock web/prod "say ""hi"" to “them”" --for 90m`,
		`note "--since"`, `note "“x"`, `note to`, `note "a b"`, `note <@U1|alice>`,
		`status prod`, `status op-1 web prod`, `help deploy`, `merge #3`,
		"lock web/prod \" two\n lines \"",
	} {
		u := Parse(testVerbs(), testCatalog(), line, true)
		if u.Refusal != nil || len(u.Missing) > 0 {
			t.Errorf("%s: %s", line, say(u))
			continue
		}
		again := Parse(testVerbs(), testCatalog(), Render(u.Call), false)
		if say(again) != say(u) {
			t.Errorf("%s is rendered as %s\n read as %s\n want    %s", line, Render(u.Call), say(again), say(u))
		}
	}
}

func TestRenderIsShort(t *testing.T) {
	u := Parse(testVerbs(), testCatalog(), `ship www v1.2 prod it is --force broken`, true)
	const want = `deploy web v1.2 to production because "it is broken" --force`
	if got := Render(u.Call); got != want {
		t.Fatalf("got %s, want %s", got, want)
	}
}

func TestRenderNamesWhatWouldBeMistaken(t *testing.T) {
	cat := testCatalog()
	cat.Services = append(cat.Services, integrations.Service{Name: "staging"}) // a service called like an environment
	u := Parse(testVerbs(), cat, `status --environment stg`, true)
	if got, want := say(u), "status environment=staging"; got != want {
		t.Fatalf("got %s, want %s", got, want)
	}
	if again := Parse(testVerbs(), cat, Render(u.Call), false); say(again) != say(u) {
		t.Fatalf("%s is read as %s", Render(u.Call), say(again))
	}
}

func TestUsage(t *testing.T) {
	want := "deploy <service> [<ref>] to <environment> [because <reason>] [--force]"
	if got := Usage(testVerbs()[0]); got != want {
		t.Fatalf("got %s, want %s", got, want)
	}
}

func TestModalAsksForWhatLacks(t *testing.T) {
	u := Parse(testVerbs(), testCatalog(), `deploy worker because it leaks`, true)
	if got, want := say(u), "deploy reason=it leaks service=worker environment?"; got != want {
		t.Fatalf("got %s, want %s", got, want)
	}
	m := NewModal(testVerbs(), u.Call, u.Missing)
	inputs := map[string]integrations.Input{}
	for _, in := range m.Inputs {
		inputs[in.Name] = in
	}
	if m.Verb != "deploy" || m.Title != "Deploy" {
		t.Errorf("the modal is %q for the verb %q", m.Title, m.Verb)
	}
	if in := inputs["service"]; in.Value != "worker" || len(in.Options) != 3 {
		t.Errorf("service is asked for as %+v", in)
	}
	if in := inputs["environment"]; in.Optional || len(in.Options) != 1 || in.Options[0].Value != "staging" {
		t.Errorf("the environment of worker is asked for as %+v, want its only one, staging", in)
	}
	if in := inputs["reason"]; in.Value != "it leaks" || !in.Optional {
		t.Errorf("the reason is asked for as %+v", in)
	}
}

func TestSubmittedModalIsCheckedAgain(t *testing.T) {
	for _, c := range []struct {
		verb   string
		values map[string]string
		want   string
	}{
		{"deploy", map[string]string{"service": "web", "environment": "prod", "reason": ` a "b" `}, `deploy environment=production reason=a "b" service=web`},
		{"deploy", map[string]string{"service": "web"}, `deploy service=web environment?`},
		{"deploy", map[string]string{"service": "worker", "environment": "production"}, `refused unknown_environment`},
		{"deploy", map[string]string{"service": "gone", "environment": "staging"}, `refused unknown_service`},
		{"deploy", map[string]string{"service": "web", "environment": "staging", "ref": "--exec=x"}, `refused bad_ref`},
		{"lock", map[string]string{"target": "web/prod", "reason": "x", "for": "2 h"}, `lock for=2h0m0s reason=x target=web/production`},
		{"vanished", nil, `refused unknown_verb`},
	} {
		if got := say(FromValues(testVerbs(), testCatalog(), c.verb, c.values)); got != c.want {
			t.Errorf("%s %v\n got: %s\nwant: %s", c.verb, c.values, got, c.want)
		}
	}
}

// A name that two verbs share is told apart by what follows.
func TestANameThatTwoVerbsShare(t *testing.T) {
	verbs := []Verb{
		{Name: "resolve", Args: []Arg{{Name: "subject", Kind: ArgSubject}}},
		{Name: "all-clear", Takes: map[string]string{"resolve": "incident-"}, Args: []Arg{{Name: "incident", Kind: ArgWord}, {Name: "text", Kind: ArgText, Optional: true}}},
	}
	for line, want := range map[string]string{
		"resolve job-3":                    "resolve subject=job-3",
		"resolve incident-3":               "all-clear incident=incident-3",
		"resolve INCIDENT-3 it was a disk": "all-clear incident=INCIDENT-3 text=it was a disk",
		"all-clear incident-3":             "all-clear incident=incident-3",
	} {
		if got := say(Parse(verbs, testCatalog(), line, true)); got != want {
			t.Errorf("%s is understood as %s, want %s", line, got, want)
		}
	}
}
