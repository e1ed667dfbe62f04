package slack

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	slackgo "github.com/slack-go/slack"
)

// peer is a Slack of which a test says every frame.
type peer struct {
	*httptest.Server
	opens atomic.Int32
	acks  chan string
	open  func(w http.ResponseWriter) bool // answers apps.connections.open; false: as usual
}

func newPeer(t *testing.T, serve func(n int32, conn *websocket.Conn)) *peer {
	p := &peer{acks: make(chan string, 1000)}
	mux := http.NewServeMux()
	mux.HandleFunc("/api/auth.test", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, `{"ok":true,"team_id":"T1","user_id":"UBOT","bot_id":"BBOT"}`)
	})
	mux.HandleFunc("/api/apps.connections.open", func(w http.ResponseWriter, r *http.Request) {
		p.opens.Add(1)
		if p.open != nil && p.open(w) {
			return
		}
		fmt.Fprintf(w, `{"ok":true,"url":"ws%s/link"}`, strings.TrimPrefix(p.URL, "http"))
	})
	mux.HandleFunc("/link", func(w http.ResponseWriter, r *http.Request) {
		up := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
		conn, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer conn.Close()
		serve(p.opens.Load(), conn)
		go func() {
			time.Sleep(enough)
			conn.Close()
		}()
		for {
			_, b, err := conn.ReadMessage()
			if err != nil {
				return
			}
			p.acks <- string(b)
		}
	})
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.CloseClientConnections)
	return p
}

func (p *peer) client(t *testing.T, e *ear) (*office, <-chan error) {
	o := open(t)
	o.cfg.APIURL = p.URL + "/api/"
	o.api = slackgo.New("xoxb-sandbox", slackgo.OptionAPIURL(o.cfg.APIURL))
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(func() { cancel(); o.ended(ended) })
	go func() { err := o.Listen(ctx, e.accept); ended <- err; ended <- err }()
	return o, ended
}

const hello = `{"type":"hello","num_connections":1,"debug_info":{"host":"applink-1","approximate_connection_time":18060},"connection_info":{"app_id":"A1"}}`

func TestUnknownEnvelopesAreAckedAndSaidOnce(t *testing.T) {
	frames := []string{
		`{"envelope_id":"e1","type":"brand_new","payload":{"a":1}}`,
		`{"envelope_id":"e2","type":"events_api","payload":{"type":"event_callback","event_id":"Ev1","event":{"type":"never_heard_of","x":1}}}`,
		`{"envelope_id":"e3","type":"events_api","payload":{"type":"event_callback","event_id":"Ev2","event":{"type":"never_heard_of","x":1}}}`,
		`{"envelope_id":"e4","type":"interactive","payload":{"type":"block_actions","user":{"id":"U1"},"actions":[{"action_id":"url:1:Log","type":"button","action_ts":"1700000000.1"}]}}`,
		`{"envelope_id":"e5","type":"slash_commands","payload":"not an object"}`,
		`{"envelope_id":"e6","type":"interactive","payload":{"type":"shortcut","callback_id":"x","user":{"id":"U1"}}}`,
	}
	p := newPeer(t, func(_ int32, conn *websocket.Conn) {
		for _, f := range append([]string{hello, `not json`, `{"type":"odd"}`}, frames...) {
			conn.WriteMessage(websocket.TextMessage, []byte(f))
		}
	})
	e := &ear{}
	o, _ := p.client(t, e)
	got := map[string]bool{}
	for range frames {
		select {
		case a := <-p.acks:
			var ack struct {
				ID      string          `json:"envelope_id"`
				Payload json.RawMessage `json:"payload"`
			}
			if err := json.Unmarshal([]byte(a), &ack); err != nil || ack.Payload != nil {
				t.Errorf("ack %s: %v", a, err)
			}
			got[ack.ID] = true
		case <-time.After(enough):
			t.Fatalf("acked only %v; log:\n%s", got, o.log)
		}
	}
	if len(got) != len(frames) || len(e.heard()) != 0 {
		t.Errorf("acked %v, accepted %+v", got, e.heard())
	}
	if n := strings.Count(o.log.String(), "never_heard_of"); n != 1 {
		t.Errorf("the unknown event was logged %d times, want 1:\n%s", n, o.log)
	}
}

func TestMalformedPartDoesNotHideAMessage(t *testing.T) {
	p := newPeer(t, func(_ int32, conn *websocket.Conn) {
		conn.WriteMessage(websocket.TextMessage, []byte(hello))
		conn.WriteMessage(websocket.TextMessage, []byte(`{"envelope_id":"e1","type":"events_api","payload":{"type":"event_callback","event_id":"Ev1","team_id":"T1","authorizations":[{"team_id":"T1","user_id":"UBOT","is_bot":true}],"event":{"type":"message","channel_type":"im","channel":"D1","user":"U1","ts":"1700000000.000100","text":"status","blocks":"no list"}}}`))
	})
	e := &ear{}
	o, _ := p.client(t, e)
	o.until("it is accepted", func() bool { return len(e.heard()) == 1 })
	h, err := o.DecodeHeard(KindEvent, e.heard()[0].Body)
	if err != nil || h.Text != "status" || h.Kind != "direct" {
		t.Errorf("heard %+v, %v", h, err)
	}
}

func TestReopeningIsPaced(t *testing.T) {
	p := newPeer(t, func(_ int32, conn *websocket.Conn) {
		conn.WriteMessage(websocket.TextMessage, []byte(hello))
		conn.WriteMessage(websocket.TextMessage, []byte(`{"type":"disconnect","reason":"too_many_websockets"}`))
	})
	o := open(t)
	o.cfg.APIURL = p.URL + "/api/"
	o.links.base, o.links.most = 50*time.Millisecond, 200*time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	began := time.Now()
	go func() { ended <- o.Listen(ctx, (&ear{}).accept) }()
	o.until("the alarm", func() bool { return strings.Contains(o.log.String(), "reopened too often") })
	cancel()
	if err := o.ended(ended); err != nil {
		t.Errorf("Listen: %v", err)
	}
	// 50+100+200+200+200 ms lie between six opens; without a pace they take 6 ms.
	if took := time.Since(began); took < 700*time.Millisecond || p.opens.Load() > 8 {
		t.Errorf("%d opens in %v", p.opens.Load(), took)
	}
	if n := strings.Count(o.log.String(), "reopened too often"); n != 1 {
		t.Errorf("%d alarms", n)
	}
}

func TestLateAckGoesNowhere(t *testing.T) {
	drop := make(chan struct{})
	p := newPeer(t, func(n int32, conn *websocket.Conn) {
		conn.WriteMessage(websocket.TextMessage, []byte(hello))
		if n == 1 {
			conn.WriteMessage(websocket.TextMessage, []byte(`{"envelope_id":"e1","type":"slash_commands","accepts_response_payload":true,"payload":{"command":"/ops","text":"status","trigger_id":"1.1","user_id":"U1","team_id":"T1","channel_id":"C1"}}`))
			<-drop
			conn.Close()
		}
	})
	goOn := make(chan struct{})
	e := &ear{answer: func(Envelope) (any, error) { <-goOn; return nil, nil }}
	o, _ := p.client(t, e)
	o.until("it arrives", func() bool { return len(e.heard()) == 1 })
	close(drop)
	o.until("the next socket is ready", func() bool { return p.opens.Load() == 2 && o.Ready() })
	close(goOn)
	o.until("the ack is given up", func() bool { return strings.Contains(o.log.String(), "ack not sent") })
	select {
	case a := <-p.acks:
		t.Errorf("acked on another socket: %s", a)
	default:
	}
}

func TestRefusedOpensAreTriedAgain(t *testing.T) {
	p := newPeer(t, func(_ int32, conn *websocket.Conn) { conn.WriteMessage(websocket.TextMessage, []byte(hello)) })
	p.open = func(w http.ResponseWriter) bool {
		if p.opens.Load() == 1 {
			w.WriteHeader(http.StatusBadGateway)
			return true
		}
		if p.opens.Load() == 2 {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
			return true
		}
		return false
	}
	began := time.Now()
	o, _ := p.client(t, &ear{})
	o.until("the third open", func() bool { return o.Ready() })
	if took := time.Since(began); took < time.Second {
		t.Errorf("ready after %v: Retry-After was not honoured", took)
	}
}

func TestHungOpenIsGivenUp(t *testing.T) {
	p := newPeer(t, func(_ int32, conn *websocket.Conn) { conn.WriteMessage(websocket.TextMessage, []byte(hello)) })
	release := make(chan struct{})
	defer close(release)
	p.open = func(http.ResponseWriter) bool {
		if p.opens.Load() == 1 {
			<-release
			return true
		}
		return false
	}
	o := open(t)
	o.cfg.APIURL = p.URL + "/api/"
	o.links.open = 100 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- o.Listen(ctx, (&ear{}).accept) }()
	o.until("the second open", o.Ready)
	cancel()
	if err := o.ended(ended); err != nil {
		t.Errorf("Listen: %v", err)
	}
}

func TestLinkDisabledIsReadFromTheWire(t *testing.T) {
	p := newPeer(t, func(_ int32, conn *websocket.Conn) {
		conn.WriteMessage(websocket.TextMessage, []byte(hello))
		conn.WriteMessage(websocket.TextMessage, []byte(`{"type":"disconnect","reason":"link_disabled","debug_info":{"host":"applink-1"}}`))
	})
	o, ended := p.client(t, &ear{})
	if err := o.ended(ended); err == nil || !strings.Contains(err.Error(), "link_disabled") {
		t.Errorf("Listen: %v", err)
	}
	if n := p.opens.Load(); n != 1 {
		t.Errorf("%d opens, want 1", n)
	}
}
