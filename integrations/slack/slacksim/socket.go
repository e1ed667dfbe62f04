package slacksim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

const (
	maxSockets = 10
	maxAck     = 20 * 1024 // an acknowledgement this large is dropped
	// forgetAfter is how long an answered envelope is remembered, to tell a
	// double acknowledgement from an unknown one.
	forgetAfter = 10 * time.Minute
)

// hub holds the live sockets and the envelopes under way.
type hub struct {
	mu       sync.Mutex
	tickets  map[string]bool
	ticketNo int
	sockets  []*socket
	next     int // whose turn it is
	flights  map[string]*flight
	no       int // counts sockets and envelopes
	up       int // flights still flying
	tidyAt   int // how many flights there may be before old ones are forgotten
	disabled bool
}

func (h *hub) init() {
	h.tickets, h.flights = map[string]bool{}, map[string]*flight{}
}

type socket struct {
	id     int
	conn   *websocket.Conn
	frames *watchedConn
	write  sync.Mutex
	done   chan struct{} // closed when the socket is
	leave  sync.Once
	going  bool // told to disconnect: gets nothing new while another lives
}

// flight is one envelope sent to one socket.
type flight struct {
	id, kind string
	payload  bool // accepts_response_payload
	sock     *socket
	sent     time.Time
	acked    chan json.RawMessage // gets the one payload
	state    int                  // under hub.mu
}

const (
	flying = iota
	landed
	lost
)

var (
	errNoSocket = errors.New("no socket is connected")
	errTimeout  = errors.New("not acknowledged in time")
	errGone     = errors.New("the socket closed before the acknowledgement")
)

// ticket makes the one-time URL of a socket.
func (s *Sim) ticket() string {
	base := s.baseURL()
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	s.hub.ticketNo++
	t := fmt.Sprintf("%d-%d", time.Now().UnixNano(), s.hub.ticketNo)
	s.hub.tickets[t] = true
	q := url.Values{"ticket": {t}, "app_id": {s.cfg.AppID}}
	return "ws" + strings.TrimPrefix(base, "http") + "/link?" + q.Encode()
}

func (s *Sim) serveLink(w http.ResponseWriter, r *http.Request) {
	t := r.URL.Query().Get("ticket")
	s.hub.mu.Lock()
	good := s.hub.tickets[t]
	delete(s.hub.tickets, t)
	s.hub.mu.Unlock()
	if !good {
		s.violate("websocket opened with a ticket that is unknown or was used before")
		http.Error(w, "invalid ticket", http.StatusForbidden)
		return
	}
	h := &hijacker{ResponseWriter: w}
	// A read buffer of its own keeps the library from reading around h.conn.
	// Clients send Slack's own origin; the ticket is what lets one in.
	up := websocket.Upgrader{ReadBufferSize: 4096, WriteBufferSize: 4096, CheckOrigin: func(*http.Request) bool { return true }}
	conn, err := up.Upgrade(h, r, nil)
	if err != nil {
		return // Upgrade has answered
	}
	k := &socket{conn: conn, frames: h.conn, done: make(chan struct{})}
	life := s.cfg.SocketLife
	if r.URL.Query().Get("debug_reconnects") == "true" {
		life = min(life, 360*time.Second)
	}
	// The request's goroutine belongs to the server, which Close does not wait
	// for; so the socket gets one of ours.
	if !s.goes(func() { s.serveSocket(k, life) }) {
		_ = conn.Close()
	}
}

func (s *Sim) serveSocket(k *socket, life time.Duration) {
	defer k.close()
	n, away := s.join(k)
	defer s.part(k)
	err := k.send(map[string]any{
		"type": "hello", "num_connections": n,
		"debug_info":      map[string]any{"host": "applink-1", "build_number": 1, "approximate_connection_time": int(life.Seconds())},
		"connection_info": map[string]any{"app_id": s.cfg.AppID},
	})
	if err != nil {
		return
	}
	if away != "" {
		_ = k.send(disconnect(away))
		return
	}
	s.arrived()
	if s.goes(func() { s.keepAlive(k, life) }) {
		s.readAcks(k)
	}
}

// join counts the socket in, or says why it is sent away.
func (s *Sim) join(k *socket) (n int, away string) {
	if s.faults.take("too_many_websockets", "") != nil {
		return maxSockets, "too_many_websockets"
	}
	h := &s.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.disabled {
		return len(h.sockets), "link_disabled"
	}
	if len(h.sockets) >= maxSockets {
		return len(h.sockets), "too_many_websockets"
	}
	h.no++
	k.id = h.no
	h.sockets = append(h.sockets, k)
	return len(h.sockets), ""
}

// arrived lets the events go that waited for the first socket.
func (s *Sim) arrived() {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.firstSocket:
	default:
		close(s.firstSocket)
	}
	s.signal()
}

func (s *Sim) part(k *socket) {
	s.hub.mu.Lock()
	s.hub.sockets = slices.DeleteFunc(s.hub.sockets, func(x *socket) bool { return x == k })
	s.hub.mu.Unlock()
	s.mu.Lock()
	s.signal()
	s.mu.Unlock()
}

// Sockets is how many sockets are connected.
func (s *Sim) Sockets() int {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	return len(s.hub.sockets)
}

func (h *hub) closeAll() {
	h.mu.Lock()
	all := slices.Clone(h.sockets)
	h.mu.Unlock()
	for _, k := range all {
		k.close()
	}
}

func (k *socket) close() {
	k.leave.Do(func() {
		close(k.done)
		_ = k.conn.Close()
	})
}

func (k *socket) send(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	k.write.Lock()
	defer k.write.Unlock()
	_ = k.conn.SetWriteDeadline(time.Now().Add(5 * time.Second))
	return k.conn.WriteMessage(websocket.TextMessage, b)
}

func disconnect(reason string) map[string]any {
	return map[string]any{"type": "disconnect", "reason": reason, "debug_info": map[string]any{"host": "applink-1"}}
}

// keepAlive pings, and asks the client to reconnect when the socket is old.
func (s *Sim) keepAlive(k *socket, life time.Duration) {
	tick := time.NewTicker(s.cfg.PingEvery)
	defer tick.Stop()
	old := time.NewTimer(life)
	defer old.Stop()
	for {
		select {
		case <-k.done:
			return
		case <-s.stop.Done():
			k.close()
			return
		case <-tick.C:
			msg := []byte("Ping from applink-1")
			if err := k.conn.WriteControl(websocket.PingMessage, msg, time.Now().Add(5*time.Second)); err != nil {
				k.close()
				return
			}
		case <-old.C:
			s.dismiss(k, "warning", "refresh_requested")
		}
	}
}

// dismiss tells a socket to go and closes it CloseGrace later; with two reasons
// the first is said now and the second just before the end.
func (s *Sim) dismiss(k *socket, reasons ...string) {
	s.hub.mu.Lock()
	k.going = true
	s.hub.mu.Unlock()
	if err := k.send(disconnect(reasons[0])); err != nil {
		k.close()
		return
	}
	s.goes(func() {
		t := time.NewTimer(s.cfg.CloseGrace)
		defer t.Stop()
		select {
		case <-k.done:
			return
		case <-t.C:
		}
		for _, r := range reasons[1:] {
			_ = k.send(disconnect(r))
		}
		k.close()
	})
}

// readAcks reads the socket until it ends.
func (s *Sim) readAcks(k *socket) {
	parts := int64(0)
	for {
		_, b, err := k.conn.ReadMessage()
		if err != nil {
			return
		}
		if n := k.frames.parts.Load(); n != parts {
			parts = n
			s.violate("a fragmented frame was dropped")
			continue
		}
		if len(b) >= maxAck {
			s.violate("an acknowledgement of %d bytes was dropped: the limit is %d", len(b), maxAck)
			continue
		}
		s.ack(k, b)
	}
}

func (s *Sim) ack(k *socket, b []byte) {
	var a struct {
		EnvelopeID string          `json:"envelope_id"`
		Payload    json.RawMessage `json:"payload"`
	}
	if err := json.Unmarshal(b, &a); err != nil || a.EnvelopeID == "" {
		s.violate("a message without an envelope_id came over a socket: %.80q", b)
		return
	}
	s.hub.mu.Lock()
	f := s.hub.flights[a.EnvelopeID]
	s.hub.mu.Unlock()
	kind := ""
	if f != nil {
		kind = f.kind
	}
	s.mu.Lock()
	hook := s.onAck
	s.mu.Unlock()
	if hook != nil {
		hook(a.EnvelopeID, kind)
	}
	if s.faults.take("lose_ack", "") != nil {
		return
	}
	if wrong := s.land(k, f, a.Payload); wrong != "" {
		s.violate("envelope %s (%s): %s", a.EnvelopeID, kind, wrong)
	}
}

// land believes an acknowledgement, or says why not.
func (s *Sim) land(k *socket, f *flight, payload json.RawMessage) string {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	if empty := string(payload); empty == "{}" || empty == "null" { // what the Node client sends for nothing
		payload = nil
	}
	switch {
	case f == nil:
		return "acknowledged, but there is no such envelope"
	case f.sock != k:
		return "acknowledged on another socket than the one that delivered it"
	case f.state == landed:
		return "acknowledged twice"
	case f.state == lost || time.Since(f.sent) > s.cfg.AckWindow:
		return fmt.Sprintf("acknowledged too late, after %s", time.Since(f.sent).Round(time.Millisecond))
	}
	s.hub.end(f, landed)
	wrong := ""
	if payload != nil && !f.payload {
		wrong, payload = "acknowledged with a payload where none is accepted", nil
	}
	f.acked <- payload
	return wrong
}

// envelope is what goes over a socket.
type envelope struct {
	ID      string          `json:"envelope_id"`
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload"`
	Accepts bool            `json:"accepts_response_payload"`
	Attempt *int            `json:"retry_attempt,omitempty"`
	Reason  *string         `json:"retry_reason,omitempty"`
}

// dispatch sends an envelope to one live socket, the next in turn.
func (s *Sim) dispatch(e envelope) (*flight, error) {
	for {
		f := s.hub.assign(&e)
		if f == nil {
			return nil, errNoSocket
		}
		if f.sock.send(e) != nil { // it broke just now: another may live
			s.hub.mu.Lock()
			s.hub.end(f, lost)
			s.hub.sockets = slices.DeleteFunc(s.hub.sockets, func(x *socket) bool { return x == f.sock })
			s.hub.mu.Unlock()
			f.sock.close()
			continue
		}
		if s.faults.take("twice", e.Type) != nil {
			if g := s.hub.assign(&e); g != nil && g.sock.send(e) == nil {
				s.goes(func() { _, _ = s.await(s.stop, g) })
			}
		}
		if s.faults.take("drop_after_send", e.Type) != nil {
			f.sock.close()
		}
		return f, nil
	}
}

// assign gives an envelope a fresh id and the socket whose turn it is, or
// returns nil when none lives.
func (h *hub) assign(e *envelope) *flight {
	h.mu.Lock()
	defer h.mu.Unlock()
	live := slices.DeleteFunc(slices.Clone(h.sockets), func(k *socket) bool { return k.going })
	if len(live) == 0 {
		live = h.sockets
	}
	if len(live) == 0 {
		return nil
	}
	h.tidy()
	h.no++
	h.next++
	now := time.Now()
	e.ID = fmt.Sprintf("%08x-0000-4000-8000-%012x", uint32(h.no), now.UnixNano()&0xffffffffffff)
	f := &flight{id: e.ID, kind: e.Type, payload: e.Accepts, sock: live[h.next%len(live)], sent: now, acked: make(chan json.RawMessage, 1)}
	h.flights[e.ID] = f
	h.up++
	return f
}

// tidy forgets envelopes that were answered long ago, when there are many.
func (h *hub) tidy() {
	if len(h.flights) < max(h.tidyAt, 1024) {
		return
	}
	for id, f := range h.flights {
		if f.state != flying && time.Since(f.sent) > forgetAfter {
			delete(h.flights, id)
		}
	}
	h.tidyAt = 2 * len(h.flights)
}

// await waits for the acknowledgement of an envelope, three seconds from when it
// was sent at most.
func (s *Sim) await(ctx context.Context, f *flight) (json.RawMessage, error) {
	t := time.NewTimer(time.Until(f.sent.Add(s.cfg.AckWindow)))
	defer t.Stop()
	var err error
	select {
	case p := <-f.acked:
		return p, nil
	case <-f.sock.done:
		err = errGone
	case <-t.C:
		err = errTimeout
	case <-ctx.Done():
		err = ctx.Err()
	}
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	if f.state == landed { // it came in the same moment
		return <-f.acked, nil
	}
	s.hub.end(f, lost)
	return nil, err
}

// end settles a flight. The lock is held.
func (h *hub) end(f *flight, state int) {
	if f.state == flying {
		h.up--
	}
	f.state = state
}

// underWay is how many envelopes wait for their acknowledgement.
func (h *hub) underWay() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.up
}
