package pagerdutysim

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
)

var noon = time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC) // a Tuesday

// bench is a simulator, and one who asks it.
type bench struct {
	*testing.T
	*Sim
	clock  *clock.Movable
	header http.Header // of the last answer
}

var tokens = map[string]Token{"writes": {Writes: true}, "reads": {}, "alices": {Writes: true, User: "PA"}}

func people() []User {
	return []User{{ID: "PA", Name: "Alice", Email: "alice@example.com"}, {ID: "PB", Name: "Bob", Email: "bob@example.com"}, {ID: "PC", Name: "Carol", Email: "carol@example.com"}}
}

// inBench runs a test in time that only moves when everybody waits.
func inBench(t *testing.T, cfg Config, do func(b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{T: t, clock: clock.NewMovable(noon.Sub(time.Now()))}
		cfg.Clock, cfg.Tokens = b.clock, tokens
		if cfg.Users == nil {
			cfg.Users = people()
		}
		sim, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		b.Sim = sim
		do(b)
	})
}

// ask makes a call, "POST /users {…}", with the headers that are wanted but for those given:
// "Accept: text/html". An answer that is cut off is 0.
func (b *bench) ask(what string, headers ...string) (status int, body string) {
	b.Helper()
	method, rest, _ := strings.Cut(what, " ")
	path, sent, _ := strings.Cut(rest, " ")
	r := httptest.NewRequest(method, "http://sim"+path, strings.NewReader(sent))
	r.Header.Set("Authorization", "Token token=writes")
	r.Header.Set("Accept", mediaType)
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if r.Header.Set(name, value); value == "" {
			r.Header.Del(name)
		}
	}
	w := httptest.NewRecorder()
	defer func() {
		if recover() != nil {
			status, body = 0, "" // nothing was said
		}
	}()
	b.Handler().ServeHTTP(w, r)
	b.header = w.Header()
	out, err := io.ReadAll(w.Body)
	if err != nil {
		b.Fatal(err)
	}
	return w.Code, string(out)
}

// must makes a call that works, and reads its answer.
func (b *bench) must(what string) map[string]any {
	b.Helper()
	code, body := b.ask(what)
	if code >= 300 || code == 0 {
		b.Fatalf("%s: %d %s", what, code, body)
	}
	var out map[string]any
	if code != http.StatusNoContent {
		if err := json.Unmarshal([]byte(body), &out); err != nil {
			var list []any // as an override is answered
			if json.Unmarshal([]byte(body), &list) != nil {
				b.Fatalf("%s: %s", what, body)
			}
			return list[0].(map[string]any)
		}
	}
	return out
}

func (b *bench) pass(d time.Duration) {
	b.Helper()
	if err := b.clock.Advance(b.Context(), d, nil); err != nil {
		b.Fatal(err)
	}
}

func layers(l ...Layer) Schedule { return Schedule{ID: "PL", Name: "Layers", Layers: l} }

func day(n int) time.Time { return time.Date(2026, 12, n, 0, 0, 0, 0, time.UTC) }

// rotations is a schedule of one rotation, alice, nobody and bob for a day each.
func rotations() Schedule {
	return Schedule{ID: "PS", Name: "Shifts", Shifts: true, Rotations: []Rotation{{ID: "RA", Events: []Event{
		{ID: "EA", Name: "Days", Start: "2026-12-01T00:00:00", End: "2026-12-02T00:00:00", Rule: "RRULE:FREQ=DAILY", Members: []string{"PA", "", "PB"}},
	}}}}
}

const span = "?since=2026-12-01T00:00:00Z&until=2026-12-08T00:00:00Z"

func TestWhatIsNotKnownIsRefused(t *testing.T) {
	cfg := Config{Schedules: []Schedule{layers(Layer{Start: day(1), Turn: 86400, Users: []string{"PA"}}), rotations()}}
	inBench(t, cfg, func(b *bench) {
		v2 := func(start, end, user string) string {
			return fmt.Sprintf(`{"overrides":[{"start":%q,"end":%q,"user":{"id":%q,"type":"user_reference"}}]}`, start, end, user)
		}
		v3 := func(kind, source, start, from, by string) string {
			return fmt.Sprintf(`{"overrides":[{"type":%q,%s"start_time":%q,"end_time":"2026-12-05T00:00:00Z","overridden_member":%s,"overriding_member":%s}]}`, kind, source, start, from, by)
		}
		custom := func(kind, end, assignments string) string {
			return fmt.Sprintf(`{"custom_shifts":[{"type":%q,"start_time":"2026-12-02T00:00:00Z","end_time":%q,"assignments":[%s]}]}`, kind, end, assignments)
		}
		const (
			userA, userB, userC = `{"type":"user_member","user_id":"PA"}`, `{"type":"user_member","user_id":"PB"}`, `{"type":"user_member","user_id":"PC"}`
			ofA                 = `{"type":"shift_assignment","member":` + userA + `}`
			ra                  = `"rotation_id":"RA",`
			t1, t2              = "2026-12-02T00:00:00Z", "2026-12-03T00:00:00Z"
		)
		for _, tt := range []struct {
			want    int
			what    string
			headers []string
		}{
			{200, "GET /abilities", nil},
			{200, "GET /abilities", []string{"Authorization: Bearer reads"}},
			{401, "GET /abilities", []string{"Authorization: "}},
			{401, "GET /abilities", []string{"Authorization: Token writes"}},
			{401, "GET /abilities", []string{"Authorization: Token token=other"}},
			{401, "GET /abilities", []string{"Authorization: Token token="}},
			{401, "GET /abilities", []string{"Authorization: Basic writes"}},
			{406, "GET /abilities", []string{"Accept: "}},
			{406, "GET /abilities", []string{"Accept: application/json"}},
			{400, "GET /abilities?limit=3", nil},
			{400, "GET /abilities {}", nil},
			{400, "GET /services", nil},
			{400, "PUT /schedules/PL", nil},
			{400, "GET /schedules/", nil},
			{400, "GET /users/me", nil},
			{200, "GET /users/me", []string{"Authorization: Token token=alices"}},
			{200, "GET /users/PA", nil},
			{404, "GET /users/PX", nil},
			{200, "GET /users?limit=100", nil},
			{400, "GET /users?limit=101", nil},
			{400, "GET /users?limit=0", nil},
			{400, "GET /users?offset=-1", nil},
			{400, "GET /users?offset=x", nil},
			{400, "GET /users?email=x", nil},

			{200, "GET /schedules/PL" + span, nil},
			{200, "GET /schedules/PL?since=2026-12-01T00:00:00%2B09:00&until=2026-12-08T00:00:00-08:00", nil},
			{404, "GET /schedules/PX" + span, nil},
			{400, "GET /schedules/PS" + span, nil}, // of shifts
			{400, "GET /schedules/PL", nil},
			{400, "GET /schedules/PL?since=2026-12-01T00:00:00Z", nil},
			{400, "GET /schedules/PL?since=2026-12-01T00:00:00&until=2026-12-08T00:00:00Z", nil},
			{400, "GET /schedules/PL?since=2026-12-01&until=2026-12-08", nil},
			{400, "GET /schedules/PL?since=2026-12-08T00:00:00Z&until=2026-12-01T00:00:00Z", nil},
			{400, "GET /schedules/PL?since=2026-12-01T00:00:00Z&until=2027-03-04T00:00:00Z", nil},
			{400, "GET /schedules/PL" + span + "&include[]=final_schedule", nil},
			{400, "GET /v3/schedules/PL" + span, nil}, // of layers
			{404, "GET /v3/schedules/PX" + span, nil},
			{200, "GET /v3/schedules/PS" + span + "&include[]=final_schedule", nil},
			{400, "GET /v3/schedules/PS" + span + "&include[]=users", nil},
			{400, "GET /v3/schedules/PS" + span + "&overflow=true", nil},

			{200, "GET /schedules/PL/overrides" + span, nil},
			{400, "GET /schedules/PL/overrides", nil},
			{400, "GET /schedules/PS/overrides" + span, nil},
			{400, "GET /v3/schedules/PL/overrides" + span, nil},
			{400, "GET /v3/schedules/PL/custom_shifts" + span, nil},
			{400, "GET /v3/schedules/PS/overrides", nil},
			{403, "POST /schedules/PL/overrides " + v2(t1, t2, "PA"), []string{"Authorization: Token token=reads"}},
			{400, "POST /schedules/PL/overrides " + v2(t1, t2, "PA"), []string{"Content-Type: "}},
			{404, "POST /schedules/PX/overrides " + v2(t1, t2, "PA"), nil},
			{400, "POST /schedules/PS/overrides " + v2(t1, t2, "PA"), nil},
			{400, "POST /schedules/PL/overrides " + v2(t1, t2, "PX"), nil},
			{400, "POST /schedules/PL/overrides " + v2(t2, t1, "PA"), nil},
			{400, "POST /schedules/PL/overrides " + v2("2026-12-02", t2, "PA"), nil},
			{400, "POST /schedules/PL/overrides " + v2("2026-12-01T11:58:59Z", t2, "PA"), nil}, // in the past
			{400, "POST /schedules/PL/overrides " + v2("2026-11-30T00:00:00Z", "2026-12-01T12:00:00Z", "PA"), nil},
			{400, "POST /schedules/PL/overrides " + strings.Replace(v2(t1, t2, "PA"), "user_reference", "user", 1), nil},
			{400, "POST /schedules/PL/overrides " + strings.Replace(v2(t1, t2, "PA"), "start", "begin", 1), nil},
			{400, "POST /schedules/PL/overrides " + v2(t1, t2, "PA") + "{}", nil},
			{400, `POST /schedules/PL/overrides {"override":{"start":"` + t1 + `","end":"` + t2 + `"}}`, nil}, // deprecated
			{400, `POST /schedules/PL/overrides {"overrides":[]}`, nil},
			{404, "DELETE /schedules/PL/overrides/Q1", nil},
			{403, "DELETE /schedules/PL/overrides/Q1", []string{"Authorization: Token token=reads"}},

			{400, "POST /v3/schedules/PL/overrides " + v3("override_shift", ra, t2, userB, userC), nil},
			{400, "POST /v3/schedules/PS/overrides " + v3("override", ra, t2, userB, userC), nil},
			{400, "POST /v3/schedules/PS/overrides " + v3("override_shift", "", t2, userB, userC), nil},
			{400, "POST /v3/schedules/PS/overrides " + v3("override_shift", ra+`"custom_shift_id":"CX",`, t2, userB, userC), nil},
			{400, "POST /v3/schedules/PS/overrides " + v3("override_shift", `"rotation_id":"RX",`, t2, userB, userC), nil},
			{400, "POST /v3/schedules/PS/overrides " + v3("override_shift", ra, t2, userC, userB), nil}, // who has no shift there
			{400, "POST /v3/schedules/PS/overrides " + v3("override_shift", ra, t2, `{"type":"empty_member"}`, userB), nil},
			{400, "POST /v3/schedules/PS/overrides " + v3("override_shift", ra, t2, userB, `{"type":"empty_member"}`), nil},
			{400, "POST /v3/schedules/PS/overrides " + v3("override_shift", ra, "2026-11-30T00:00:00Z", userA, userC), nil},
			{400, "POST /v3/schedules/PS/overrides " + v3("override_shift", `"time_zone":"UTC",`+ra, t2, userB, userC), nil},
			{400, `POST /v3/schedules/PS/overrides {"overrides":[]}`, nil},
			{404, "DELETE /v3/schedules/PS/overrides/X", nil},
			{400, "DELETE /v3/schedules/PL/overrides/X", nil},
			{400, "POST /v3/schedules/PL/custom_shifts " + custom("custom_shift", t2, ofA), nil},
			{400, "POST /v3/schedules/PS/custom_shifts " + custom("shift", t2, ofA), nil},
			{400, "POST /v3/schedules/PS/custom_shifts " + custom("custom_shift", t1, ofA), nil},
			{400, "POST /v3/schedules/PS/custom_shifts " + custom("custom_shift", t2, ""), nil},
			{400, "POST /v3/schedules/PS/custom_shifts " + custom("custom_shift", t2, ofA+","+ofA), nil},
			{400, "POST /v3/schedules/PS/custom_shifts " + custom("custom_shift", t2, strings.Replace(ofA, "PA", "PX", 1)), nil},
			{400, `POST /v3/schedules/PS/custom_shifts {"custom_shifts":[]}`, nil},
			{404, "DELETE /v3/schedules/PS/custom_shifts/X", nil},
		} {
			if got, body := b.ask(tt.what, tt.headers...); got != tt.want {
				b.Errorf("%s %q: %d %s, want %d", tt.what, tt.headers, got, body, tt.want)
			}
		}
		for _, id := range b.Schedules() {
			if sc, _ := b.Schedule(id); len(sc.Overrides)+len(sc.Custom) > 0 {
				b.Errorf("it was changed: %+v", sc)
			}
		}
		b.must("POST /schedules/PL/overrides " + v2(t1, t2, "PA"))
		b.must("POST /v3/schedules/PS/overrides " + v3("override_shift", ra, t2, userB, userC))
		b.must("POST /v3/schedules/PS/custom_shifts " + custom("custom_shift", t2, ofA))
	})
}

// A refusal is as PagerDuty has it.
func TestARefusalHasACode(t *testing.T) {
	inBench(t, Config{}, func(b *bench) {
		for what, want := range map[string]string{
			"GET /users/PX":  `{"error":{"code":2100,"message":"Not Found"}}`,
			"GET /users?x=1": `{"error":{"code":2001,"errors":["users.list takes no parameter \"x\""],"message":"Invalid Input Provided"}}`,
		} {
			if _, got := b.ask(what); got != want {
				b.Errorf("%s: %s", what, got)
			}
		}
	})
}

// Where a call is done as somebody, From is the email of a user.
func TestFromIsWantedWhereItIsRequired(t *testing.T) {
	known := compile([]route{{action: "act", method: http.MethodPost, path: "/act/{id}", from: true}})
	inBench(t, Config{}, func(b *bench) {
		for from, want := range map[string]int{"": codeFrom, "nobody@example.com": codeUnknown, "Alice@example.com": 0} {
			r := httptest.NewRequest(http.MethodPost, "/act/1", nil)
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("From", from)
			if _, _, no := b.match(known, r, nil); (no == nil) != (want == 0) || no != nil && no.code != want {
				b.Errorf("%q: %+v, want %d", from, no, want)
			}
		}
	})
}

func TestUsersComeInPages(t *testing.T) {
	cfg := Config{}
	for n := range 60 {
		cfg.Users = append(cfg.Users, User{Name: fmt.Sprint("User ", n), Email: fmt.Sprintf("u%d@example.com", n)})
	}
	inBench(t, cfg, func(b *bench) {
		for what, want := range map[string]string{
			"GET /users": "25 true", "GET /users?offset=50": "10 false", "GET /users?offset=50&limit=10": "10 false", "GET /users?offset=40&limit=10": "10 true",
			"GET /users?query=U59": "1 false", "GET /users?query=u5@": "1 false", "GET /users?query=user+1": "11 false", "GET /users?offset=100": "0 false",
		} {
			got := b.must(what)
			if s := fmt.Sprint(len(got["users"].([]any)), " ", got["more"]); s != want {
				b.Errorf("%s: %s, want %s", what, s, want)
			}
		}
		if _, body := b.ask("GET /users?query=u59"); !strings.Contains(body, `"email":"u59@example.com"`) || !strings.Contains(body, `"name":"User 59"`) {
			b.Error(body)
		}
	})
}

// A token has so many calls in a minute, and is told so.
func TestATokenHasALimit(t *testing.T) {
	inBench(t, Config{PerMinute: 2}, func(b *bench) {
		b.must("GET /abilities")
		b.pass(20 * time.Second)
		b.must("GET /abilities")
		if got := [3]string{b.header.Get("ratelimit-limit"), b.header.Get("ratelimit-remaining"), b.header.Get("ratelimit-reset")}; got != [3]string{"2", "0", "40"} {
			b.Errorf("the headers are %q", got)
		}
		code, body := b.ask("GET /abilities")
		if code != 429 || !strings.Contains(body, `"code":2020`) || b.header.Get("ratelimit-reset") != "40" || b.header.Get("Retry-After") != "" {
			b.Errorf("%d %s %v", code, body, b.header)
		}
		if code, _ := b.ask("GET /abilities", "Authorization: Token token=reads"); code != 200 {
			b.Errorf("another token: %d", code)
		}
		b.pass(40 * time.Second)
		b.must("GET /abilities")
	})
}

func TestAResetHasNotActedAndALostReplyHas(t *testing.T) {
	const made = `POST /schedules/PL/overrides {"overrides":[{"start":"2026-12-02T00:00:00Z","end":"2026-12-03T00:00:00Z","user":{"id":"PB","type":"user_reference"}}]}`
	for kind, want := range map[string]int{"reset": 0, "lost": 1, "throttle": 0, "error": 0, "delay": 1} {
		inBench(t, Config{Schedules: []Schedule{layers(Layer{Start: day(1), Turn: 86400, Users: []string{"PA"}})}}, func(b *bench) {
			if err := b.Fault(Fault{Kind: kind, Action: "overrides.create", ID: "PL", Seconds: 30, Status: 502, Message: "<html>"}); err != nil {
				b.Fatal(err)
			}
			code, body := b.ask(made)
			if wantCode := map[string]int{"throttle": 429, "error": 502, "delay": 201}[kind]; code != wantCode {
				b.Errorf("%s: %d %s", kind, code, body)
			}
			if sc, _ := b.Schedule("PL"); len(sc.Overrides) != want {
				b.Errorf("%s: there are %d", kind, len(sc.Overrides))
			}
			if took := b.clock.Now().Sub(noon); (took == 30*time.Second) != (kind == "delay") {
				b.Errorf("%s: it took %v", kind, took)
			}
			switch after := b.header.Get("Retry-After"); {
			case kind == "error" && (body != "<html>" || after != "30"), kind == "throttle" && b.header.Get("ratelimit-reset") != "30":
				b.Errorf("%s: %s %v", kind, body, b.header)
			}
			if code, body := b.ask(made); code != 201 {
				b.Errorf("%s: it misbehaves again: %d %s", kind, code, body)
			}
		})
	}
}

func TestAFaultEndsOnTheClock(t *testing.T) {
	inBench(t, Config{}, func(b *bench) {
		if err := b.Fault(Fault{Kind: "throttle", ForSeconds: 60}); err != nil {
			b.Fatal(err)
		}
		for range 3 {
			if code, _ := b.ask("GET /abilities"); code != 429 {
				b.Errorf("%d", code)
			}
		}
		b.pass(time.Minute)
		b.must("GET /abilities")
		if err := b.Fault(Fault{Kind: "error", Action: "user.get", ID: "PA", Count: -1}); err != nil {
			b.Fatal(err)
		}
		b.must("GET /users/PB")
		for range 2 {
			if code, _ := b.ask("GET /users/PA"); code != 500 {
				b.Errorf("%d", code)
			}
		}
		b.ClearFaults()
		b.must("GET /users/PA")
		for _, f := range []Fault{{Kind: "slow"}, {Kind: "reset", Action: "host.delete"}} {
			if b.Fault(f) == nil {
				b.Errorf("%+v was taken", f)
			}
		}
		if got := b.Calls(); !slices.Contains(got, "user.get PB") {
			b.Errorf("it was asked %v", got)
		}
	})
}

func TestTheStateIsKept(t *testing.T) {
	dir := t.TempDir()
	cfg := Config{Dir: dir, Schedules: []Schedule{layers(Layer{Start: day(1), Turn: 86400, Users: []string{"PA"}}), rotations()}}
	inBench(t, cfg, func(b *bench) {
		b.must(`POST /schedules/PL/overrides {"overrides":[{"start":"2026-12-02T00:00:00Z","end":"2026-12-03T00:00:00Z","user":{"id":"PB","type":"user_reference"}}]}`)
		b.must(`POST /v3/schedules/PS/custom_shifts {"custom_shifts":[{"type":"custom_shift","start_time":"2026-12-02T00:00:00Z","end_time":"2026-12-03T00:00:00Z","assignments":[{"type":"shift_assignment","member":{"type":"user_member","user_id":"PA"}}]}]}`)
		if _, err := b.AddUser(User{Name: "Dan", Email: "dan@example.com"}); err != nil {
			b.Fatal(err)
		}
		again, err := New(Config{Dir: dir, Users: people()[:1], Clock: b.clock})
		if err != nil {
			b.Fatal(err)
		}
		if d := cmp.Diff(b.Users(), again.Users()); d != "" {
			b.Error(d)
		}
		for _, id := range b.Schedules() {
			was, _ := b.Schedule(id)
			is, ok := again.Schedule(id)
			if d := cmp.Diff(was, is); d != "" || !ok {
				b.Error(d)
			}
		}
		if id, err := again.AddUser(User{Name: "Eve", Email: "eve@example.com"}); err != nil || id == b.Users()[3].ID {
			b.Errorf("an id was given twice: %s, %v", id, err)
		}
		if err := os.WriteFile(again.file(), []byte("{"), 0o600); err != nil {
			b.Fatal(err)
		}
		if _, err := New(Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), again.file()) {
			b.Error(err)
		}
	})
}

func TestWhatCannotBeWorkedOutIsNotAdded(t *testing.T) {
	inBench(t, Config{}, func(b *bench) {
		ok := Layer{Start: day(1), Turn: 60, Users: []string{"PA"}}
		event := rotations().Rotations[0].Events[0]
		rotation := func(change func(e *Event)) Schedule {
			e := event
			change(&e)
			return Schedule{Shifts: true, Rotations: []Rotation{{Events: []Event{e}}}}
		}
		for name, s := range map[string]Schedule{
			"zone":          {Zone: "Mars/Base"},
			"the host's":    {Zone: "Local"},
			"both":          {Shifts: true, Layers: []Layer{ok}},
			"neither":       {Rotations: rotations().Rotations},
			"no turn":       layers(Layer{Start: day(1), Users: []string{"PA"}}),
			"no start":      layers(Layer{Turn: 60, Users: []string{"PA"}}),
			"no users":      layers(Layer{Start: day(1), Turn: 60}),
			"who":           layers(Layer{Start: day(1), Turn: 60, Users: []string{"PX"}}),
			"restriction":   layers(Layer{Start: day(1), Turn: 60, Users: []string{"PA"}, Restrictions: []Restriction{{From: "9:00", Seconds: 60}}}),
			"eighth day":    layers(Layer{Start: day(1), Turn: 60, Users: []string{"PA"}, Restrictions: []Restriction{{Day: 8, From: "09:00:00", Seconds: 60}}}),
			"rule":          rotation(func(e *Event) { e.Rule = "RRULE:FREQ=NEVER" }),
			"times":         rotation(func(e *Event) { e.End = e.Start }),
			"wrong zone":    rotation(func(e *Event) { e.Zone = "Mars/Base" }),
			"no members":    rotation(func(e *Event) { e.Members = nil }),
			"wrong member":  rotation(func(e *Event) { e.Members = []string{"PX"} }),
			"no event":      {Shifts: true, Rotations: []Rotation{{}}},
			"a sixth event": {Shifts: true, Rotations: []Rotation{{Events: []Event{event, event, event, event, event, event}}}},
		} {
			if _, err := b.AddSchedule(s); err == nil {
				b.Errorf("%s: it was added", name)
			}
		}
		if _, err := b.AddSchedule(layers(ok)); err != nil {
			b.Error(err)
		}
		if _, err := b.AddSchedule(layers(ok)); err == nil {
			b.Error("an id was given twice")
		}
		for _, u := range []User{{Name: "x", Email: "ALICE@example.com"}, {ID: "PA", Name: "x", Email: "x@example.com"}, {Name: "x", Email: "x"}, {Email: "x@example.com"}} {
			if _, err := b.AddUser(u); err == nil {
				b.Errorf("%+v was added", u)
			}
		}
		if err := b.Upgrade("PL", rotations().Rotations); err != nil {
			b.Error(err)
		}
		if b.Upgrade("PL", nil) == nil || b.Upgrade("PX", nil) == nil {
			b.Error("what is no schedule of layers was upgraded")
		}
	})
}
