package slacksim_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/slack-go/slack"

	"github.com/signalbox-chatops/signalbox/integrations/slack/slacksim"
)

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

func workspace() slacksim.Config {
	return slacksim.Config{
		Users: []slacksim.User{
			{ID: "UALICE", Name: "alice", RealName: "Alice", Email: "alice@example.com"},
			{ID: "UBOB", Name: "bob"},
			{ID: "UGUEST", Name: "gus", Guest: true},
			{ID: "UOTHER", Name: "olga", OtherTeam: "T0OTHER"},
		},
		Channels: []slacksim.Channel{
			{ID: "COPS", Name: "ops", Members: []string{"alice", "bob", "gus", "olga", "signalbox"}},
			{ID: "CRANDOM", Name: "random", Members: []string{"alice"}},
			{ID: "CSECRET", Name: "secret", Private: true, Members: []string{"alice"}},
		},
		// Long enough for an answer on a busy machine; a test in which none comes
		// says so.
		Quiet: 4 * time.Second,
	}
}

// office is a workspace that listens.
type office struct {
	*slacksim.Sim
	t   testing.TB
	url string
}

func open(t *testing.T, cfg slacksim.Config) *office {
	t.Helper()
	s, err := slacksim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(http.StripPrefix("/slack", s.Handler()))
	s.SetBase(srv.URL + "/slack")
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		srv.Close()
	})
	return &office{Sim: s, t: t, url: srv.URL + "/slack"}
}

func (o *office) client() *slack.Client {
	return slack.New("xoxb-sandbox", slack.OptionAppLevelToken("xapp-1-sandbox"), slack.OptionAPIURL(o.url+"/api/"))
}

// call makes one Web API call with a form and returns the decoded answer.
func (o *office) call(method string, form url.Values) map[string]any {
	o.t.Helper()
	_, out := o.post(o.url+"/api/"+method, "xoxb-sandbox", "application/x-www-form-urlencoded", form.Encode())
	return out
}

func (o *office) post(target, token, kind, body string) (*http.Response, map[string]any) {
	o.t.Helper()
	req, err := http.NewRequest(http.MethodPost, target, strings.NewReader(body))
	if err != nil {
		o.t.Fatal(err)
	}
	req.Header.Set("Content-Type", kind)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		o.t.Fatalf("%s: %v", target, err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		o.t.Fatal(err)
	}
	var out map[string]any
	_ = json.Unmarshal(b, &out) // a plain text answer stays nil
	return res, out
}

// must is call, for what has to go well.
func (o *office) must(method string, form url.Values) map[string]any {
	o.t.Helper()
	out := o.call(method, form)
	if out["ok"] != true {
		o.t.Fatalf("%s: %v", method, out)
	}
	return out
}

func args(kv ...string) url.Values {
	v := url.Values{}
	for i := 0; i < len(kv); i += 2 {
		v.Set(kv[i], kv[i+1])
	}
	return v
}

// envelope is one as it came over a socket.
type envelope struct {
	EnvelopeID   string          `json:"envelope_id"`
	Type         string          `json:"type"`
	Reason       string          `json:"reason"`
	Payload      json.RawMessage `json:"payload"`
	Accepts      bool            `json:"accepts_response_payload"`
	RetryAttempt int             `json:"retry_attempt"`
	RetryReason  string          `json:"retry_reason"`
}

func (e envelope) field(t testing.TB, path ...string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal(e.Payload, &v); err != nil {
		t.Fatal(err)
	}
	for _, p := range path {
		m, _ := v.(map[string]any)
		v = m[p]
	}
	s, _ := v.(string)
	return s
}

// wire is a raw socket: it reads everything and answers by the test's handler.
type wire struct {
	t    testing.TB
	conn *websocket.Conn
	in   chan envelope
	wg   sync.WaitGroup
	mu   sync.Mutex
}

func (o *office) ticket() string {
	o.t.Helper()
	_, out := o.post(o.url+"/api/apps.connections.open", "xapp-1-sandbox", "application/json", "")
	u, _ := out["url"].(string)
	if u == "" {
		o.t.Fatalf("apps.connections.open: %v", out)
	}
	return u
}

// dial opens a raw socket and waits for its hello.
func (o *office) dial() *wire {
	o.t.Helper()
	// The buffer keeps the library from sending a large message in fragments.
	conn, _, err := (&websocket.Dialer{WriteBufferSize: 64 * 1024}).Dial(o.ticket(), nil)
	if err != nil {
		o.t.Fatal(err)
	}
	w := &wire{t: o.t, conn: conn, in: make(chan envelope, 100)}
	w.wg.Go(func() {
		defer close(w.in)
		for {
			var e envelope
			if conn.ReadJSON(&e) != nil {
				return
			}
			w.in <- e
		}
	})
	o.t.Cleanup(w.close)
	if e := w.next(); e.Type != "hello" {
		o.t.Fatalf("the first message was %q, want hello", e.Type)
	}
	return w
}

func (w *wire) close() {
	_ = w.conn.Close()
	w.wg.Wait()
}

// next returns the next message; its zero value means that the socket ended.
func (w *wire) next() envelope {
	w.t.Helper()
	select {
	case e := <-w.in:
		return e
	case <-time.After(patience):
		w.t.Fatal("nothing came over the socket")
		return envelope{}
	}
}

func (w *wire) ack(id, payload string) {
	w.t.Helper()
	b := `{"envelope_id":"` + id + `"}`
	if payload != "" {
		b = `{"envelope_id":"` + id + `","payload":` + payload + `}`
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.conn.WriteMessage(websocket.TextMessage, []byte(b)); err != nil {
		w.t.Errorf("ack: %v", err)
	}
}

// said is what an act came to.
type said struct {
	slacksim.Answer
	err error
}

// say types something while the test plays the bot.
func (o *office) say(user, channel, text, thread string) <-chan said {
	c := make(chan said, 1)
	go func() {
		a, err := o.Say(context.Background(), user, channel, text, thread)
		c <- said{a, err}
	}()
	return c
}

func (o *office) wait(c <-chan said) slacksim.Answer {
	o.t.Helper()
	r := o.end(c)
	if r.err != nil {
		o.t.Fatal(r.err)
	}
	return r.Answer
}

func (o *office) end(c <-chan said) said {
	o.t.Helper()
	select {
	case r := <-c:
		return r
	case <-time.After(patience):
		o.t.Fatal("the act did not end")
		return said{}
	}
}

// until waits for a condition.
func (o *office) until(what string, ok func() bool) {
	o.t.Helper()
	deadline := time.After(patience)
	for {
		changed := o.Changed()
		if ok() {
			return
		}
		select {
		case <-changed:
		case <-time.After(20 * time.Millisecond):
		case <-deadline:
			o.t.Fatalf("%s did not happen; violations: %q", what, o.Violations())
		}
	}
}

// violated waits until a rule broken is written down.
func (o *office) violated(part string) {
	o.t.Helper()
	o.until("the violation "+part, func() bool {
		return slices.ContainsFunc(o.Violations(), func(v string) bool { return strings.Contains(v, part) })
	})
}

func (o *office) clean() {
	o.t.Helper()
	if v := o.Violations(); len(v) > 0 {
		o.t.Errorf("violations: %q", v)
	}
}
