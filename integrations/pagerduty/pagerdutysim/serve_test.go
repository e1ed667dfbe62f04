package pagerdutysim

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

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
			{400, "GET /teams", nil},
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
			{400, "POST /schedules/PL/overrides " + v2("2026-12-01T11:59:30Z", "2026-12-01T12:00:00Z", "PA"), nil},
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
		for _, source := range []string{"", ra + `"custom_shift_id":"CX",`} {
			if _, body := b.ask("POST /v3/schedules/PS/overrides " + v3("override_shift", source, t2, userB, userC)); !strings.Contains(body, "one of rotation_id and custom_shift_id") {
				b.Errorf("%q: %s", source, body)
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
