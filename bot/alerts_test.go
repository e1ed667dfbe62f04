package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/integrations/pagerduty"
	"github.com/signalbox-chatops/signalbox/store"
)

// alertConfig has a source of each way to be let in.
const alertConfig = `alerts:
  sensu: {tokens: [sensu-token-0123456789, sensu-older-0123456789], service: web, environment: production, severity: error}
  alertmanager: {tokens: [am-token-0123456789abc]}
  pagerduty: {secrets: [pd-secret-0123456789, pd-older-0123456789]}
  both: {kind: pagerduty, tokens: [both-token-0123456789], secrets: [pd-secret-0123456789]}
  cloudwatch: {settings: {topics: ["arn:aws:sns:ap-northeast-1:123456789012:alarms"]}}
  plain: {kind: described, tokens: [plain-token-0123456789], settings: {key: [/k], title: [/t], state: /s, states: {bad: firing, good: resolved}, at: /at}}
`

const (
	sensuToken = "sensu-token-0123456789"
	plainToken = "plain-token-0123456789"
)

// alertBox is the door before a real store, on a connection.
type alertBox struct {
	t       *testing.T
	store   *store.Store
	clock   *clock.Movable
	log     *lockedBuffer
	config  *Config
	reader  *alertReader
	address string
}

// lockedBuffer is a log that is read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func withAlerts(t testing.TB, alerts string) *Config {
	t.Helper()
	b, err := os.ReadFile("testdata/config/right.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c, err := parseConfig("right.yaml", append(b, alerts...), testEnv)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newAlertBox(t *testing.T) *alertBox {
	t.Helper()
	b := &alertBox{t: t, store: openDoorStore(t, filepath.Join(t.TempDir(), "door.db")), clock: clock.NewMovable(0), log: new(lockedBuffer), config: withAlerts(t, alertConfig)}
	b.serve()
	return b
}

func (b *alertBox) serve() {
	log := slog.New(slog.NewTextHandler(b.log, nil))
	sources := func() []alertSource { return b.config.sources }
	b.reader = &alertReader{sources: sources, log: log}
	door := newHTTPDoor(HTTPConfig{Store: b.store, Clock: b.clock, Log: log, Alerts: newAlertDoor(sources, b.store, b.clock, log)})
	server := httptest.NewServer(door.Handler())
	b.t.Cleanup(server.Close)
	b.address = server.URL
}

// send delivers a body, and gives the answer.
func (b *alertBox) send(path, body string, header ...string) (int, string, http.Header) {
	b.t.Helper()
	return b.request(http.MethodPost, path, strings.NewReader(body), header...)
}

func (b *alertBox) request(method, path string, body io.Reader, header ...string) (int, string, http.Header) {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.address+path, body)
	if err != nil {
		b.t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp.StatusCode, string(answer), resp.Header
}

// sample is the body of a sample of a source.
func sample(t testing.TB, source, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("../integrations", source, "testdata/alerts", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var s struct{ Body json.RawMessage }
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Fatal(err)
	}
	return string(s.Body)
}

func pdSign(body, secret string) string {
	return pagerduty.Sign([]byte(body), integrations.NewSecret(secret))
}

func TestAlertDoorLetsIn(t *testing.T) {
	sensu, pd := sample(t, "sensu", "go_firing"), sample(t, "pagerduty", "triggered")
	bearer := func(token string) []string { return []string{"Authorization", "Bearer " + token} }
	for _, c := range []struct {
		name, path, body string
		header           []string
		want             int
	}{
		{"bearer", "/alerts/sensu", sensu, bearer(sensuToken), 202},
		{"the older token", "/alerts/sensu", sensu, bearer("sensu-older-0123456789"), 202},
		{"bearer in small letters", "/alerts/sensu", sensu, []string{"Authorization", "bearer  " + sensuToken}, 202},
		{"in the path", "/alerts/sensu/" + sensuToken, sensu, nil, 202},
		{"wrong bearer", "/alerts/sensu", sensu, bearer("x"), 401},
		{"wrong in the path", "/alerts/sensu/x", sensu, nil, 401},
		{"the path counts, where it has one", "/alerts/sensu/x", sensu, bearer(sensuToken), 401},
		{"the beginning of a token", "/alerts/sensu", sensu, bearer(sensuToken[:10]), 401},
		{"a token and more", "/alerts/sensu/" + sensuToken + "/x", sensu, nil, 401},
		{"no token", "/alerts/sensu", sensu, nil, 401},
		{"an empty token", "/alerts/sensu/", sensu, nil, 401},
		{"basic", "/alerts/sensu", sensu, []string{"Authorization", "Basic " + sensuToken}, 401},
		{"another's token", "/alerts/sensu", sensu, bearer(plainToken), 404},
		{"no source", "/alerts/nagios", sensu, nil, 401},
		{"no source, and a token", "/alerts/nagios", sensu, bearer(sensuToken), 404},
		{"no name", "/alerts/", sensu, nil, 401},
		{"signed", "/alerts/pagerduty", pd, []string{"X-PagerDuty-Signature", pdSign(pd, "pd-secret-0123456789")}, 202},
		{"signed with the older secret", "/alerts/pagerduty", pd, []string{"X-PagerDuty-Signature", pdSign(pd, "x") + "," + pdSign(pd, "pd-older-0123456789")}, 202},
		{"signed wrong", "/alerts/pagerduty", pd, []string{"X-PagerDuty-Signature", pdSign(pd, "x")}, 401},
		{"not signed", "/alerts/pagerduty", pd, nil, 401},
		{"signed another body", "/alerts/pagerduty", pd, []string{"X-PagerDuty-Signature", pdSign("{}", "pd-secret-0123456789")}, 401},
		{"the secret as a token", "/alerts/pagerduty", pd, bearer("pd-secret-0123456789"), 401},
		{"signed, where a token would do", "/alerts/both", pd, []string{"X-PagerDuty-Signature", pdSign(pd, "pd-secret-0123456789")}, 202},
		{"a token, where a signature would do", "/alerts/both/both-token-0123456789", pd, nil, 202},
		{"neither", "/alerts/both", pd, []string{"X-PagerDuty-Signature", pdSign(pd, "x")}, 401},
		{"SNS without a signature", "/alerts/cloudwatch", sample(t, "cloudwatch", "raw"), nil, 401},
		{"SNS, another topic", "/alerts/cloudwatch", strings.Replace(sample(t, "cloudwatch", "subscription"), "123456789012", "999999999999", -1), nil, 401},
		{"none of the source's", "/alerts/sensu/" + sensuToken, pd, nil, 400},
		{"not JSON", "/alerts/sensu/" + sensuToken, "hello", nil, 400},
		{"empty", "/alerts/sensu/" + sensuToken, "", nil, 400},
		{"a kind that is not known", "/alerts/sensu/" + sensuToken, sample(t, "sensu", "core_unknown_action"), nil, 202},
		{"signed, and none of the source's", "/alerts/pagerduty", "hello", []string{"X-PagerDuty-Signature", pdSign("hello", "pd-secret-0123456789")}, 202},
		{"too large", "/alerts/sensu/" + sensuToken, strings.Repeat(" ", alertMost) + "{}", nil, 413},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newAlertBox(t)
			code, answer, _ := b.send(c.path, c.body, c.header...)
			if code != c.want {
				t.Fatalf("answered %d %s, want %d", code, answer, c.want)
			}
			events := undecided(t, b.store)
			if kept := len(events) == 1; kept != (c.want == 202) {
				t.Fatalf("%d events are kept", len(events))
			}
			for _, secret := range append([]string{sensuToken, plainToken, "pd-secret-0123456789"}, c.header...) {
				if strings.Contains(b.log.String(), strings.TrimPrefix(secret, "Bearer ")) && len(secret) > 8 && !strings.HasPrefix(secret, "X-Pager") && secret != "Authorization" {
					t.Errorf("the log tells %q:\n%s", secret, b.log)
				}
				if len(events) > 0 && len(secret) > 40 && bytes.Contains(events[0].Body, []byte(secret)) {
					t.Errorf("the event keeps %q", secret)
				}
			}
			if c.want == 401 && strings.Count(b.log.String(), "level=ERROR") != 1 {
				t.Errorf("a refusal was logged as\n%s", b.log)
			}
		})
	}
}

// Who has no token cannot tell whether there is a source; who has one is told where it
// belongs.
func TestAlertDoorIsNoOracle(t *testing.T) {
	b := newAlertBox(t)
	_, nobody, _ := b.send("/alerts/nobody", "{}")
	for _, path := range []string{"/alerts/sensu", "/alerts/pagerduty", "/alerts/nobody/x", "/alerts/plain/x", "/alerts/cloudwatch"} {
		if code, answer, _ := b.send(path, "{}"); code != 401 || answer != nobody {
			t.Errorf("%s: answered %d %s", path, code, answer)
		}
	}
	if _, answer, _ := b.send("/alerts/nobody/"+plainToken, "{}"); !strings.Contains(answer, "plain") || strings.Contains(answer, "sensu") || strings.Contains(answer, plainToken) {
		t.Errorf("with a token: %s", answer)
	}
	for _, method := range []string{"GET", "PUT", "HEAD", "DELETE"} {
		for _, path := range []string{"/alerts/sensu", "/alerts/nobody", "/alerts/sensu/" + sensuToken} {
			if code, _, header := b.request(method, path, nil); code != 405 || header.Get("Allow") != "POST" {
				t.Errorf("%s %s: answered %d, allowed is %q", method, path, code, header.Get("Allow"))
			}
		}
	}
}

// The first refusal of each source is logged, however many there were of others.
func TestAlertDoorIsLoudOnceForEach(t *testing.T) {
	b := newAlertBox(t)
	for range 5 {
		b.send("/alerts/sensu/wrong", "{}")
	}
	for range 5 {
		b.send("/alerts/pagerduty", "{}", "X-PagerDuty-Signature", "v1=00")
	}
	log := b.log.String()
	if strings.Count(log, "level=ERROR") != 2 || !strings.Contains(log, "source=sensu") || !strings.Contains(log, "source=pagerduty") {
		t.Errorf("logged\n%s", log)
	}
}

func TestAlertDoorTakesADeliveryOnce(t *testing.T) {
	pd := sample(t, "pagerduty", "triggered")
	am, amRepeat := sample(t, "alertmanager", "firing"), sample(t, "alertmanager", "repeated")
	sensu := sample(t, "sensu", "go_firing")
	undated, dated := `{"k":"disk","t":"full","s":"bad"}`, `{"k":"disk","t":"full","s":"bad","at":1795143845}`
	signed := []string{"X-PagerDuty-Signature", pdSign(pd, "pd-secret-0123456789"), "X-Webhook-Id"}
	for _, c := range []struct {
		name         string
		path, first  string
		then         string
		header, next []string
		after        time.Duration
		events       int
	}{
		{name: "the same webhook", path: "/alerts/pagerduty", first: pd, then: pd, header: append(signed, "w-1"), next: append(signed[:2:2], "X-Webhook-Id", "w-1"), after: 47 * time.Hour, events: 1},
		{name: "another webhook of the same body", path: "/alerts/pagerduty", first: pd, then: pd, header: append(signed, "w-1"), next: append(signed[:2:2], "X-Webhook-Id", "w-2"), events: 2},
		{name: "the same event of Sensu", path: "/alerts/sensu/" + sensuToken, first: sensu, then: sensu, after: 47 * time.Hour, events: 1},
		{name: "another occurrence", path: "/alerts/sensu/" + sensuToken, first: sensu, then: sample(t, "sensu", "go_repeated"), events: 2},
		{name: "the same body, at once", path: "/alerts/alertmanager/am-token-0123456789abc", first: am, then: am, after: 2 * time.Minute, events: 1},
		{name: "the same body, repeated later", path: "/alerts/alertmanager/am-token-0123456789abc", first: am, then: am, after: 4 * time.Hour, events: 2},
		{name: "another body", path: "/alerts/alertmanager/am-token-0123456789abc", first: am, then: amRepeat, events: 2},
		{name: "the same of one with a time", path: "/alerts/plain/" + plainToken, first: dated, then: dated, after: 299 * time.Second, events: 1},
		{name: "the same of one without", path: "/alerts/plain/" + plainToken, first: undated, then: undated, after: 20 * time.Second, events: 1},
		{name: "the same of one without, later", path: "/alerts/plain/" + plainToken, first: undated, then: undated, after: 61 * time.Second, events: 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newAlertBox(t)
			if code, answer, _ := b.send(c.path, c.first, c.header...); code != 202 || strings.Contains(answer, "duplicate") {
				t.Fatalf("answered %d %s", code, answer)
			}
			if err := b.clock.Advance(t.Context(), c.after, nil); err != nil {
				t.Fatal(err)
			}
			if len(c.next) == 0 {
				c.next = c.header
			}
			code, answer, _ := b.send(c.path, c.then, c.next...)
			if duplicate := strings.Contains(answer, "duplicate"); code != 202 || duplicate != (c.events == 1) {
				t.Errorf("answered %d %s", code, answer)
			}
			if got := len(undecided(t, b.store)); got != c.events {
				t.Errorf("%d events are kept, want %d", got, c.events)
			}
		})
	}
}

// The same body at two sources is two deliveries.
func TestAlertDoorKeepsSourcesApart(t *testing.T) {
	b := newAlertBox(t)
	pd := sample(t, "pagerduty", "triggered")
	for _, path := range []string{"/alerts/pagerduty", "/alerts/both"} {
		b.send(path, pd, "X-PagerDuty-Signature", pdSign(pd, "pd-secret-0123456789"), "X-Webhook-Id", "w-1")
	}
	if got := len(undecided(t, b.store)); got != 2 {
		t.Errorf("%d events are kept, want 2", got)
	}
}

func TestAlertDoorSays503WhenNothingCanBeStored(t *testing.T) {
	b := newAlertBox(t)
	closed, err := store.Open(filepath.Join(t.TempDir(), "door.db"), store.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	kept := b.store
	b.store = closed
	b.serve()
	body := sample(t, "sensu", "go_firing")
	if code, _, header := b.send("/alerts/sensu/"+sensuToken, body); code != 503 || header.Get("Retry-After") == "" {
		t.Errorf("answered %d with Retry-After %q, want 503 and some", code, header.Get("Retry-After"))
	}
	b.store = kept
	b.serve()
	if code, answer, _ := b.send("/alerts/sensu/"+sensuToken, body); code != 202 || strings.Contains(answer, "duplicate") {
		t.Errorf("delivered again it was answered %d %s", code, answer)
	}
}

// doubtful is a source that says what is to be said of signatures.
type doubtful struct {
	shy
	verdict error
}

func (*doubtful) Signs() bool { return true }
func (s *doubtful) Authentic(context.Context, http.Header, []byte) error {
	return s.verdict
}

// A signature that cannot be told now is asked for again; one that is wrong is not.
func TestAlertDoorSays503WhileASignatureCannotBeTold(t *testing.T) {
	for want, verdict := range map[int]error{202: nil, 401: integrations.ErrAlertForged, 503: &integrations.Later{After: 7 * time.Second, Err: errors.New("no route")}} {
		b := newAlertBox(t)
		b.config.sources = []alertSource{{AlertsConfig{Name: "doubtful", Kind: "doubtful"}, &doubtful{verdict: verdict}}}
		code, answer, header := b.send("/alerts/doubtful", "hello")
		if code != want || code == 503 && header.Get("Retry-After") != "7" || len(undecided(t, b.store)) != map[bool]int{true: 1}[want == 202] {
			t.Errorf("answered %d %s, Retry-After %q; want %d", code, answer, header.Get("Retry-After"), want)
		}
	}
}

// Who comes while all places are taken is sent away for a little while.
func TestAlertDoorSays503WhenItIsFull(t *testing.T) {
	b := newAlertBox(t)
	door := newAlertDoor(func() []alertSource { return b.config.sources }, b.store, b.clock, slog.New(slog.DiscardHandler))
	door.patience = 10 * time.Millisecond
	for range alertAtOnce {
		door.room <- struct{}{}
	}
	send := func() *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		door.ServeHTTP(w, httptest.NewRequest("POST", "/alerts/sensu/"+sensuToken, strings.NewReader(sample(t, "sensu", "go_firing"))))
		return w
	}
	if w := send(); w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("full, it answered %d %s", w.Code, w.Body)
	}
	door.patience = alertPatience
	<-door.room
	for range 3 { // each gives its place back
		if w := send(); w.Code != 202 {
			t.Errorf("with one place, it answered %d %s", w.Code, w.Body)
		}
	}
}

// A body that claims nothing about its length is cut at 1 MB all the same.
func TestAlertDoorCutsABodyWithoutALength(t *testing.T) {
	b := newAlertBox(t)
	if code, _, _ := b.request("POST", "/alerts/sensu/"+sensuToken, io.MultiReader(io.LimitReader(zeros{}, alertMost+1))); code != 413 {
		t.Errorf("answered %d, want 413", code)
	}
}

// A new token counts from the next delivery on, and the old one no more.
func TestAlertDoorFollowsTheConfiguration(t *testing.T) {
	b := newAlertBox(t)
	b.config = withAlerts(t, "alerts: {sensu: {tokens: [another-token-0123456789]}}\n")
	for token, want := range map[string]int{sensuToken: 401, "another-token-0123456789": 202} {
		if code, _, _ := b.send("/alerts/sensu/"+token, sample(t, "sensu", "go_firing")); code != want {
			t.Errorf("%s: answered %d, want %d", token, code, want)
		}
	}
}

// A token that is empty opens nothing, even if a configuration should have one.
func TestAnEmptyTokenOpensNothing(t *testing.T) {
	all := []alertSource{{AlertsConfig: AlertsConfig{Name: "a", Tokens: []integrations.Secret{{}, integrations.NewSecret("x")}}}}
	if got := opens(all, ""); len(got) > 0 {
		t.Errorf("it opens %q", got)
	}
	if got := opens(all, "x"); len(got) != 1 {
		t.Errorf("the other one opens %q", got)
	}
}

// Whatever is sent, the door answers in its own words, and keeps what it took.
func FuzzAlertDoor(f *testing.F) {
	config := withAlerts(f, alertConfig)
	for _, s := range [][3]string{
		{"/alerts/sensu", sensuToken, sample(f, "sensu", "go_firing")}, {"/alerts/plain/" + plainToken, "", `{"k":1,"t":2}`}, {"/alerts/alertmanager", "am-token-0123456789abc", sample(f, "alertmanager", "firing")},
		{"/alerts/both", "both-token-0123456789", sample(f, "pagerduty", "ping")}, {"/alerts/cloudwatch", "", sample(f, "cloudwatch", "subscription")}, {"/alerts//x/..", "y", ""},
	} {
		f.Add(s[0], s[1], []byte(s[2]))
	}
	s := openDoorStore(f, filepath.Join(f.TempDir(), "door.db"))
	log := slog.New(slog.DiscardHandler)
	sources := func() []alertSource { return config.sources }
	door, reader := newAlertDoor(sources, s, clock.Real(), log), &alertReader{sources: sources, log: log}
	f.Fuzz(func(t *testing.T, path, token string, body []byte) {
		r := httptest.NewRequest("POST", "/alerts/", bytes.NewReader(body))
		r.URL.Path = path
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		door.ServeHTTP(w, r)
		switch w.Code {
		case 202, 400, 401, 404, 413:
		default:
			t.Errorf("answered %d %s", w.Code, w.Body)
		}
		if !json.Valid(w.Body.Bytes()) {
			t.Errorf("answered %q", w.Body)
		}
		var events []*store.Event
		if err := s.Update(t.Context(), func(tx *store.Tx) (err error) {
			if events, err = tx.Undecided(0); err != nil {
				return err
			}
			for _, e := range events {
				if err := tx.Decide(e.Seq, "done"); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			_, err := reader.Read(e.Kind, e.Body)
			if signs := e.Kind == "alert.both" || e.Kind == "alert.cloudwatch"; err != nil && !signs {
				t.Errorf("what was answered %d cannot be read: %v", w.Code, err)
			}
		}
	})
}
