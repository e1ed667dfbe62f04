package pagerdutysim

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

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
