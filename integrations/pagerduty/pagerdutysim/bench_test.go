package pagerdutysim

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

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
		b := &bench{T: t, clock: clock.NewMovable(time.Until(noon))}
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
	if method == http.MethodPost || method == http.MethodPut {
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
