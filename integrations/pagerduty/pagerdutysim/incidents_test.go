package pagerdutysim

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const asAlice, asBob = "From: alice@example.com", "From: bob@example.com"

// paging has a service that pages alice and whoever is on call, and then bob, twice.
func paging() Config {
	return Config{
		Schedules: []Schedule{layers(Layer{Start: day(1), Turn: 86400, Users: []string{"PC", "PB"}})},
		Policies: []Policy{
			{ID: "PP", Name: "Platform", Loops: 1, Levels: []Level{{Minutes: 5, Users: []string{"PA"}, Schedules: []string{"PL"}}, {Minutes: 10, Users: []string{"PB"}}}},
			{ID: "PQ", Name: "Quiet", Levels: []Level{{Minutes: 5, Users: []string{"PC"}}}},
		},
		Services: []Service{
			{ID: "SW", Name: "web", RoutingKey: strings.Repeat("w", 32), Policy: "PP", AckTimeout: 1800, AutoResolve: 4 * 3600},
			{ID: "SQ", Name: "quiet", RoutingKey: strings.Repeat("q", 32), Policy: "PQ", Urgency: "severity_based"},
		},
	}
}

func (b *bench) trigger(service, title string) string {
	b.Helper()
	id, err := b.Trigger(service, title, "", "")
	if err != nil {
		b.Fatal(err)
	}
	return id
}

// is is an incident now: "triggered of PA PC".
func (b *bench) is(id string) string {
	b.Helper()
	for _, i := range b.Incidents() {
		if i.ID == id {
			text := i.Status + " of"
			for _, a := range i.Assigned {
				text += " " + a.User
			}
			return text
		}
	}
	return ""
}

// story is its log: "12:05 escalate".
func (b *bench) story(id string) (out []string) {
	for _, i := range b.Incidents() {
		for _, e := range i.Log {
			if i.ID == id {
				out = append(out, strings.TrimSpace(e.At.Format("15:04")+" "+e.Kind+" "+e.User))
			}
		}
	}
	return out
}

func (b *bench) equal(what string, got, want any) {
	b.Helper()
	if d := cmp.Diff(want, got); d != "" {
		b.Errorf("%s: %s", what, d)
	}
}

func change(id, body string) string {
	return "PUT /incidents/" + id + ` {"incident":{"type":"incident_reference",` + body + `}}`
}

func TestAnIncidentEscalatesUntilItsLoopsAreOver(t *testing.T) {
	inBench(t, paging(), func(b *bench) {
		id := b.trigger("web", "slow")
		b.equal("at first", b.is(id), "triggered of PA PC")
		b.pass(4 * time.Hour)
		b.equal("its story", b.story(id), []string{"12:00 trigger", "12:05 escalate", "12:15 escalate", "12:20 escalate", "16:00 resolve"})
		b.equal("then", b.is(id), "resolved of")
		other := b.trigger("quiet", "slow")
		b.pass(24 * time.Hour)
		b.equal("one without", b.story(other), []string{"16:00 trigger"})
		b.equal("one without", b.is(other), "triggered of PC")
	})
}

func TestAnAcknowledgementRunsOut(t *testing.T) {
	inBench(t, paging(), func(b *bench) {
		id := b.trigger("web", "slow")
		b.pass(time.Minute)
		if code, body := b.ask(change(id, `"status":"acknowledged"`), asBob); code != 200 || !strings.Contains(body, `{"at":"2026-12-01T12:31:00Z","type":"unacknowledge"}`) {
			b.Errorf("%d %s", code, body)
		}
		b.equal("had", b.is(id), "acknowledged of PB") // it is whose it was told of
		b.pass(29 * time.Minute)
		b.equal("had still", b.is(id), "acknowledged of PB")
		b.pass(7 * time.Minute)
		b.equal("its story", b.story(id), []string{"12:00 trigger", "12:01 acknowledge PB", "12:31 unacknowledge", "12:36 escalate"})
		if code, _ := b.ask("POST /incidents/"+id+`/snooze {"duration":3600}`, asAlice); code != 201 {
			b.Errorf("%d", code)
		}
		b.pass(59 * time.Minute)
		b.equal("snoozed", b.is(id), "acknowledged of PA")
		b.pass(time.Minute)
		b.equal("awake", b.is(id), "triggered of PA")
	})
}

// PagerDuty opens one again that is over and is told a status.
func TestAStatusReopensWhatIsOver(t *testing.T) {
	inBench(t, paging(), func(b *bench) {
		id := b.trigger("web", "slow")
		b.ask(change(id, `"status":"resolved"`), asAlice)
		b.equal("over", b.is(id), "resolved of")
		for _, body := range []string{`"status":"resolved"`, `"escalation_level":2`, `"assignments":[{"assignee":{"id":"PB","type":"user_reference"}}]`, `"escalation_policy":{"id":"PQ","type":"escalation_policy_reference"}`} {
			if code, said := b.ask(change(id, body), asAlice); code != 400 || !strings.Contains(said, alreadyOver) || !strings.Contains(said, "2001") {
				b.Errorf("%s: %d %s", body, code, said)
			}
		}
		b.ask(change(id, `"status":"acknowledged"`), asBob)
		b.equal("open again", b.is(id), "acknowledged of PB")
		b.equal("its story", b.story(id), []string{"12:00 trigger", "12:00 resolve PA", "12:00 reopen PB", "12:00 acknowledge PB"})
	})
}

func TestWhatIsWrongWithAnIncidentIsRefused(t *testing.T) {
	inBench(t, paging(), func(b *bench) {
		id := b.trigger("web", "slow")
		var many []string
		for range 251 {
			many = append(many, fmt.Sprintf(`{"id":%q,"type":"incident_reference","status":"acknowledged"}`, id))
		}
		ack := change(id, `"status":"acknowledged"`)
		for _, tt := range []struct {
			code    int
			says    string
			what    string
			headers []string
		}{
			{400, `"code":2016`, ack, nil},
			{400, `"code":1008`, ack, []string{"From: dan@example.com"}},
			{403, `"code":2010`, ack, []string{asAlice, "Authorization: Token token=reads"}},
			{400, "application/json", ack, []string{asAlice, "Content-Type: text/plain"}},
			{404, "2100", change("QX", `"status":"acknowledged"`), []string{asAlice}},
			{400, "status", change(id, `"status":"closed"`), []string{asAlice}},
			{400, "nothing to change", change(id, `"id":"x"`), []string{asAlice}},
			{400, "state", change(id, `"state":"resolved"`), []string{asAlice}},
			{400, "type", "PUT /incidents/" + id + ` {"incident":{"status":"resolved"}}`, []string{asAlice}},
			{400, "escalation_level", change(id, `"escalation_level":3`), []string{asAlice}},
			{400, "assignments", change(id, `"assignments":[{"assignee":{"id":"PX","type":"user_reference"}}]`), []string{asAlice}},
			{400, "assignments", change(id, `"assignments":[{"assignee":{"id":"PB","type":"user"}}]`), []string{asAlice}},
			{400, "escalation_policy", change(id, `"escalation_policy":{"id":"PX","type":"escalation_policy_reference"}`), []string{asAlice}},
			{400, "escalation_policy", change(id, `"escalation_policy":{"id":"PQ","type":"policy"}`), []string{asAlice}},
			{413, "", `PUT /incidents {"incidents":[` + strings.Join(many, ",") + `]}`, []string{asAlice}},
			{400, "required", `PUT /incidents {"incidents":[]}`, []string{asAlice}},
			{404, "", `PUT /incidents {"incidents":[{"id":"` + id + `","type":"incident_reference","status":"resolved"},{"id":"QX","type":"incident_reference","status":"resolved"}]}`, []string{asAlice}},
			{400, "2016", "POST /incidents/" + id + `/snooze {"duration":60}`, nil},
			{400, "duration", "POST /incidents/" + id + `/snooze {"duration":0}`, []string{asAlice}},
			{400, "duration", "POST /incidents/" + id + `/snooze {"duration":604801}`, []string{asAlice}},
			{400, "2016", "POST /incidents/" + id + `/notes {"note":{"content":"x"}}`, nil},
			{400, "content", "POST /incidents/" + id + `/notes {"note":{"content":""}}`, []string{asAlice}},
			{400, "content", "POST /incidents/" + id + `/notes {"note":{"content":"` + strings.Repeat("駅", 2001) + `"}}`, []string{asAlice}},
			{400, "statuses[]", "GET /incidents?statuses[]=open", nil},
			{400, "limit", "GET /incidents?limit=101", nil},
			{400, "no parameter", "GET /incidents?status=open", nil},
			{404, "", "GET /incidents/QX", nil},
			{404, "", "GET /incidents/QX/log_entries", nil},
			{400, "since", "GET /incidents/" + id + "/log_entries?since=noon", nil},
			{400, "events", `POST /webhook_subscriptions {"webhook_subscription":{"type":"webhook_subscription","events":["incident.opened"],"filter":{"type":"account_reference"},"delivery_method":{"type":"http_delivery_method","url":"https://x"}}}`, nil},
			{400, "URL", `POST /webhook_subscriptions {"webhook_subscription":{"type":"webhook_subscription","events":["incident.triggered"],"filter":{"type":"account_reference"},"delivery_method":{"type":"http_delivery_method","url":"x"}}}`, nil},
			{400, "filter", `POST /webhook_subscriptions {"webhook_subscription":{"type":"webhook_subscription","events":["incident.triggered"],"filter":{"type":"all"},"delivery_method":{"type":"http_delivery_method","url":"https://x"}}}`, nil},
			{404, "", "POST /webhook_subscriptions/PX/enable {}", nil},
		} {
			if code, body := b.ask(tt.what, tt.headers...); code != tt.code || !strings.Contains(body, tt.says) {
				b.Errorf("%.100s %q: %d %s, want %d %s", tt.what, tt.headers, code, body, tt.code, tt.says)
			}
		}
		b.equal("nothing was done", b.story(id), []string{"12:00 trigger"})
		if code, _ := b.ask("PUT /incidents "+`{"incidents":[`+strings.Join(many[:250], ",")+`]}`, asAlice); code != 200 {
			b.Error(code)
		}
	})
}

// A list is of the last month, unless all is asked for.
func TestOldIncidentsAreAskedFor(t *testing.T) {
	inBench(t, paging(), func(b *bench) {
		b.trigger("quiet", "old")
		b.pass(31 * 24 * time.Hour)
		b.trigger("quiet", "new")
		for what, want := range map[string]int{"GET /incidents": 1, "GET /incidents?date_range=all": 2, "GET /incidents?date_range=all&user_ids[]=PA": 0, "GET /incidents?date_range=all&statuses[]=triggered&service_ids[]=SQ": 2, "GET /incidents?date_range=all&statuses[]=resolved": 0} {
			if got := b.must(what)["incidents"].([]any); len(got) != want {
				b.Errorf("%s: %d", what, len(got))
			}
		}
	})
}

func TestWhatSomebodyDoesOnThePageOfAnIncident(t *testing.T) {
	inBench(t, paging(), func(b *bench) {
		id := b.trigger("WEB", "slow")
		for _, act := range [][2]string{{"acknowledge", ""}, {"note", "on it"}, {"reassign", "PC"}, {"resolve", ""}, {"note", "it was the cache"}} {
			if err := b.Act(id, "PB", act[0], act[1]); err != nil {
				b.Error(err)
			}
		}
		b.equal("its story", b.story(id), []string{"12:00 trigger", "12:00 acknowledge PB", "12:00 annotate PB", "12:00 assign PB", "12:00 resolve PB", "12:00 annotate PB"})
		for _, bad := range [][4]string{{id, "PB", "acknowledge", ""}, {"QX", "PB", "note", "x"}, {id, "PX", "note", "x"}, {id, "PB", "delete", ""}, {id, "PB", "note", " "}} {
			if b.Act(bad[0], bad[1], bad[2], bad[3]) == nil {
				b.Errorf("%q was done", bad)
			}
		}
		for _, bad := range [][3]string{{"web2", "x", ""}, {"web", " ", ""}, {"web", "x", "PX"}} {
			if _, err := b.Trigger(bad[0], bad[1], "", bad[2]); err == nil {
				b.Errorf("%q was done", bad)
			}
		}
		one, _ := b.Trigger("web", "x", "key", "PA")
		if two, err := b.Trigger("web", "x", "key", "PA"); one != two || err != nil {
			b.Errorf("%s, %s, %v", one, two, err)
		}
	})
}

func TestWhatPagesNobodyIsNotAdded(t *testing.T) {
	for name, change := range map[string]func(c *Config){
		"no levels":      func(c *Config) { c.Policies[0].Levels = nil },
		"nobody":         func(c *Config) { c.Policies[0].Levels[0] = Level{Minutes: 5} },
		"no time":        func(c *Config) { c.Policies[0].Levels[0].Minutes = 0 },
		"who":            func(c *Config) { c.Policies[0].Levels[0].Users = []string{"PX"} },
		"which schedule": func(c *Config) { c.Policies[0].Levels[0].Schedules = []string{"PX"} },
		"which policy":   func(c *Config) { c.Services[0].Policy = "PX" },
		"a short key":    func(c *Config) { c.Services[0].RoutingKey = "w" },
	} {
		c := paging()
		c.Users = people()
		change(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s: it was added", name)
		}
	}
}
