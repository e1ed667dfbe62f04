package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/integrations/slack"
	"github.com/signalbox-chatops/signalbox/store"
)

// benchPeer is the least of a Slack: one socket, over which a benchmark sends
// slash commands and hears when each is acknowledged.
type benchPeer struct {
	srv  *httptest.Server
	conn chan *websocket.Conn

	write sync.Mutex
	sock  *websocket.Conn
	mu    sync.Mutex
	wait  map[string]chan struct{}
}

func newBenchPeer(b *testing.B) *benchPeer {
	p := &benchPeer{conn: make(chan *websocket.Conn, 1), wait: map[string]chan struct{}{}}
	mux := http.NewServeMux()
	mux.HandleFunc("/api/auth.test", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"ok":true,"team_id":"T1","user_id":"UBOT","bot_id":"BBOT"}`)
	})
	mux.HandleFunc("/api/apps.connections.open", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"ok":true,"url":"ws%s/link"}`, strings.TrimPrefix(p.srv.URL, "http"))
	})
	mux.HandleFunc("/link", func(w http.ResponseWriter, r *http.Request) {
		up := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
		conn, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer conn.Close()
		if conn.WriteMessage(websocket.TextMessage, []byte(`{"type":"hello"}`)) != nil {
			return
		}
		p.conn <- conn
		p.read(conn)
	})
	p.srv = httptest.NewServer(mux)
	b.Cleanup(p.srv.Close)
	return p
}

func (p *benchPeer) read(conn *websocket.Conn) {
	for {
		_, msg, err := conn.ReadMessage()
		if err != nil {
			return
		}
		var ack struct {
			ID string `json:"envelope_id"`
		}
		if json.Unmarshal(msg, &ack) != nil {
			continue
		}
		p.mu.Lock()
		if c := p.wait[ack.ID]; c != nil {
			close(c)
			delete(p.wait, ack.ID)
		}
		p.mu.Unlock()
	}
}

// command sends one and returns when its ack has come.
func (p *benchPeer) command(n int) error {
	id := fmt.Sprintf("%08x-0000-4000-8000-000000000000", n)
	body := fmt.Sprintf(`{"envelope_id":%q,"type":"slash_commands","accepts_response_payload":true,"payload":{"token":"x","team_id":"T1","team_domain":"acme","channel_id":"C0OPS","channel_name":"ops","user_id":"U0ALICE","user_name":"alice","command":"/ops","text":"deploy web to staging","api_app_id":"A1","is_enterprise_install":"false","response_url":"https://hooks.slack.com/commands/T1/%d/abcdefghijklmnop","trigger_id":"%d.1.abcdefabcdef"}}`, id, n, n)
	acked := make(chan struct{})
	p.mu.Lock()
	p.wait[id] = acked
	p.mu.Unlock()
	p.write.Lock()
	err := p.sock.WriteMessage(websocket.TextMessage, []byte(body))
	p.write.Unlock()
	if err != nil {
		return err
	}
	select {
	case <-acked:
		return nil
	case <-time.After(20 * time.Second):
		return fmt.Errorf("command %d was not acknowledged", n)
	}
}

// BenchmarkSlackAck is from a slash command's envelope to its ack, with the event
// committed in between.
func BenchmarkSlackAck(b *testing.B) {
	for _, at := range []int{1, 32} {
		b.Run(fmt.Sprintf("%d_at_once", at), func(b *testing.B) { benchmarkSlackAck(b, at) })
	}
}

func benchmarkSlackAck(b *testing.B, at int) {
	p := newBenchPeer(b)
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	st, err := store.Open(filepath.Join(b.TempDir(), "bot.db"), store.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer st.Close()
	client, err := slack.New(slack.Config{
		AppToken: integrations.NewSecret("xapp-1"), BotToken: integrations.NewSecret("xoxb-1"), APIURL: p.srv.URL + "/api/", Connections: 1,
	}, clock.Real(), log)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- newSlackDoor(client, st, clock.Real(), log).Run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	}()
	p.sock = <-p.conn
	if err := p.command(1 << 30); err != nil { // the first one warms up
		b.Fatal(err)
	}
	took := make([]time.Duration, b.N)
	next := make(chan int)
	var wg sync.WaitGroup
	b.ResetTimer()
	for range at {
		wg.Go(func() {
			for n := range next {
				began := time.Now()
				if err := p.command(n); err != nil {
					b.Error(err)
				}
				took[n] = time.Since(began)
			}
		})
	}
	for n := range b.N {
		next <- n
	}
	close(next)
	wg.Wait()
	b.StopTimer()
	slices.Sort(took)
	ms := func(q float64) float64 { return float64(took[int(q*float64(b.N-1))].Microseconds()) / 1000 }
	b.ReportMetric(ms(0.50), "p50-ms")
	b.ReportMetric(ms(0.99), "p99-ms")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "acks/s")
}
