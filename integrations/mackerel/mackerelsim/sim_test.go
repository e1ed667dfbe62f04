package mackerelsim

import (
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
)

func bench(t *testing.T, cfg Config) (*Sim, func(method, path, body string) (int, string)) {
	t.Helper()
	cfg.Keys = map[string]bool{"writes": true, "reads": false}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s.Handler())
	t.Cleanup(server.Close)
	return s, func(method, path, body string) (int, string) {
		t.Helper()
		key, path, ok := strings.Cut(path, " ")
		if !ok {
			key, path = "writes", key
		}
		req, err := http.NewRequest(method, server.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Api-Key", key)
		if method == http.MethodPost {
			req.Header.Set("Content-Type", "application/json")
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return 0, err.Error()
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(b)
	}
}

var two = []Host{{Name: "web-1", Instance: "i-1"}, {Name: "web-2", Instance: "i-2", Status: "poweroff"}}

func TestWhatIsNotKnownIsRefused(t *testing.T) {
	s, ask := bench(t, Config{Hosts: two})
	id := s.Hosts()[0].ID
	for _, tt := range []struct {
		method, path, body string
		want               int
	}{
		{"GET", "/api/v0/hosts", "", 200},
		{"GET", "/api/v0/hosts/" + id, "", 200},
		{"GET", "reads /api/v0/hosts", "", 200},
		{"GET", "other /api/v0/hosts", "", 401},
		{"GET", " /api/v0/hosts", "", 401},
		{"GET", "/api/v0/hosts/", "", 400},
		{"GET", "/api/v0/users", "", 400},
		{"DELETE", "/api/v0/hosts/" + id, "", 400},
		{"GET", "/api/v0/hosts?statuses=working", "", 400},
		{"GET", "/api/v0/hosts?status=draining", "", 400},
		{"GET", "/api/v0/hosts", "{}", 400},
		{"GET", "/api/v0/hosts/abc", "", 404},
		{"POST", "reads /api/v0/hosts/" + id + "/status", `{"status":"standby"}`, 403},
		{"POST", "reads /api/v0/hosts/" + id + "/retire", "", 403},
		{"POST", "/api/v0/hosts/abc/status", `{"status":"standby"}`, 404},
		{"POST", "/api/v0/hosts/" + id + "/status", `{"status":"draining"}`, 400},
		{"POST", "/api/v0/hosts/" + id + "/status", `{"status":"standby","why":"x"}`, 400},
		{"POST", "/api/v0/hosts/" + id + "/status", `{"status":"standby"}{}`, 400},
		{"POST", "/api/v0/hosts/" + id + "/status", `{}`, 400},
		{"POST", "/api/v0/hosts/" + id + "/retire", `{"why":"x"}`, 400},
		{"POST", "/api/v0/hosts/abc/retire", `{}`, 404},
	} {
		if got, body := ask(tt.method, tt.path, tt.body); got != tt.want {
			t.Errorf("%s %s %s: %d %s, want %d", tt.method, tt.path, tt.body, got, body, tt.want)
		}
	}
	if h := s.Hosts()[0]; h.Status != "working" || h.Retired {
		t.Errorf("it was changed: %+v", h)
	}
}

func TestAListHasThoseThatAreWatched(t *testing.T) {
	s, ask := bench(t, Config{Hosts: two})
	for query, want := range map[string][2]bool{
		"":                                {true, false},
		"?status=poweroff":                {false, true},
		"?status=poweroff&status=working": {true, true},
		"?name=web-1":                     {true, false},
		"?status=poweroff&customIdentifier=i-2.ec2.amazonaws.com": {false, true},
		"?customIdentifier=i-3.ec2.amazonaws.com":                 {},
	} {
		_, body := ask("GET", "/api/v0/hosts"+query, "")
		if got := [2]bool{strings.Contains(body, "web-1"), strings.Contains(body, "web-2")}; got != want {
			t.Errorf("%q: %v, want %v: %s", query, got, want, body)
		}
	}
	id := s.Hosts()[0].ID
	if code, body := ask("POST", "/api/v0/hosts/"+id+"/retire", "{}"); code != 200 || body != `{"success":true}` {
		t.Fatalf("%d %s", code, body)
	}
	if _, body := ask("GET", "/api/v0/hosts", ""); body != `{"hosts":[]}` {
		t.Errorf("a retired one is listed: %s", body)
	}
	if _, body := ask("GET", "/api/v0/hosts/"+id, ""); !strings.Contains(body, `"isRetired":true`) {
		t.Errorf("a retired one is %s", body)
	}
	if code, _ := ask("POST", "/api/v0/hosts/"+id+"/retire", "{}"); code != 404 {
		t.Errorf("it is retired again with %d", code)
	}
}

func TestAResetHasNotActedAndALostReplyHas(t *testing.T) {
	s, ask := bench(t, Config{Hosts: two})
	id := s.Hosts()[0].ID
	for kind, want := range map[string]string{"reset": "working", "lost": "standby"} {
		if err := s.Fault(Fault{Kind: kind, Action: "host.status", ID: id}); err != nil {
			t.Fatal(err)
		}
		if code, body := ask("POST", "/api/v0/hosts/"+id+"/status", `{"status":"standby"}`); code != 0 {
			t.Errorf("%s: %d %s", kind, code, body)
		}
		if got := s.Hosts()[0].Status; got != want {
			t.Errorf("%s: it is %s", kind, got)
		}
		if code, _ := ask("POST", "/api/v0/hosts/"+id+"/status", `{"status":"working"}`); code != 200 {
			t.Errorf("%s: it misbehaves again: %d", kind, code)
		}
	}
}

func TestAFaultEndsOnTheClock(t *testing.T) {
	clk := clock.NewMovable(0)
	s, ask := bench(t, Config{Hosts: two, Clock: clk})
	if err := s.Fault(Fault{Kind: "throttle", ForSeconds: 60}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if code, _ := ask("GET", "/api/v0/hosts", ""); code != 429 {
			t.Errorf("%d", code)
		}
	}
	if err := clk.Advance(t.Context(), time.Minute, nil); err != nil {
		t.Fatal(err)
	}
	if code, _ := ask("GET", "/api/v0/hosts", ""); code != 200 {
		t.Errorf("after its end: %d", code)
	}
	if err := s.Fault(Fault{Kind: "error", Status: 502, Count: -1}); err != nil {
		t.Fatal(err)
	}
	if code, _ := ask("GET", "/api/v0/hosts", ""); code != 502 {
		t.Errorf("%d", code)
	}
	s.ClearFaults()
	if code, _ := ask("GET", "/api/v0/hosts", ""); code != 200 {
		t.Errorf("cleared: %d", code)
	}
	for _, f := range []Fault{{Kind: "slow"}, {Kind: "reset", Action: "host.delete"}} {
		if s.Fault(f) == nil {
			t.Errorf("%+v was taken", f)
		}
	}
}

func TestTheStateIsKept(t *testing.T) {
	dir := t.TempDir()
	s, ask := bench(t, Config{Hosts: two, Dir: dir})
	ask("POST", "/api/v0/hosts/"+s.Hosts()[0].ID+"/status", `{"status":"maintenance"}`)
	ask("POST", "/api/v0/hosts/"+s.Hosts()[1].ID+"/retire", "")
	again, _ := bench(t, Config{Dir: dir})
	if got, want := again.Hosts(), s.Hosts(); !reflect.DeepEqual(got, want) {
		t.Errorf("it is %+v, and was %+v", got, want)
	}
	if _, err := s.Register(Host{Name: "web-2", Instance: "i-2"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Register(Host{Name: "web-2", Instance: "i-2"}); err == nil {
		t.Error("one identifier was given twice")
	}
	if _, err := s.Register(Host{Name: "web-3", Status: "draining"}); err == nil {
		t.Error("a status that there is not was given")
	}
	again, _ = bench(t, Config{Hosts: []Host{{Name: "other"}}, Dir: dir})
	got, want := again.Hosts(), s.Hosts()
	if len(got) != 3 || !reflect.DeepEqual(got, want) || got[0].Status != "maintenance" || !got[1].Retired {
		t.Errorf("it is %+v, and was %+v", got, want)
	}
}

func TestItIsIdleWhenNothingIsAnswered(t *testing.T) {
	s, err := New(Config{Keys: map[string]bool{"key": true}})
	if err != nil {
		t.Fatal(err)
	}
	body, more := io.Pipe() // of a request that goes on until it is closed
	done := make(chan bool)
	go func() {
		s.Handler().ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), "POST", "/api/v0/hosts/abc/retire", body))
		close(done)
	}()
	if _, err := more.Write([]byte("{")); err != nil { // which returns when it is being read
		t.Fatal(err)
	}
	if s.Idle() {
		t.Error("it is idle while it answers")
	}
	if err := more.Close(); err != nil {
		t.Fatal(err)
	}
	if <-done; !s.Idle() {
		t.Error("it is not idle when it has answered")
	}
}
