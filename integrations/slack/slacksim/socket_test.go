package slacksim_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/integrations/slack/slacksim"
)

// TestAcknowledgements holds each rule of an acknowledgement: what the client
// did, what is written down, and what the person saw.
func TestAcknowledgements(t *testing.T) {
	big := strings.Repeat("x", 21*1024)
	for _, c := range []struct {
		what    string
		text    string // what is typed; a command unless said
		ack     func(o *office, w, other *wire, id string)
		broken  string // the rule, or nothing
		refusal string // what the person saw, or nothing
	}{
		{what: "good", ack: func(_ *office, w, _ *wire, id string) { w.ack(id, "") }},
		{what: "empty payload, as the Node client has it", text: "hi", ack: func(_ *office, w, _ *wire, id string) { w.ack(id, "{}") }},
		{what: "never", ack: func(*office, *wire, *wire, string) {}, refusal: "operation_timeout"},
		{what: "late", broken: "too late", refusal: "operation_timeout", ack: func(o *office, w, _ *wire, id string) {
			_ = o.WaitIdle(context.Background()) // until it has been given up
			w.ack(id, "")
		}},
		{what: "twice", broken: "acknowledged twice", ack: func(_ *office, w, _ *wire, id string) { w.ack(id, ""); w.ack(id, "") }},
		{what: "unknown", broken: "no such envelope", ack: func(_ *office, w, _ *wire, id string) { w.ack("nonsense", ""); w.ack(id, "") }},
		{
			what: "on another socket", broken: "another socket", refusal: "operation_timeout",
			ack: func(_ *office, _, other *wire, id string) { other.ack(id, "") },
		},
		{
			what: "too large", broken: "bytes was dropped", refusal: "operation_timeout",
			ack: func(_ *office, w, _ *wire, id string) { w.ack(id, `{"text":"`+big+`"}`) },
		},
		{
			what: "in fragments", broken: "fragmented", refusal: "operation_timeout",
			ack: func(_ *office, w, _ *wire, id string) { w.fragments(`{"envelope_id":"`, id, `"}`) },
		},
		{
			what: "with a payload where none is accepted", text: "hi", broken: "payload where none is accepted",
			ack: func(_ *office, w, _ *wire, id string) { w.ack(id, `{"text":"no"}`) },
		},
		{
			what: "without an envelope", broken: "without an envelope_id",
			ack: func(_ *office, w, _ *wire, id string) { w.ack("", ""); w.ack(id, "") },
		},
	} {
		t.Run(c.what, func(t *testing.T) {
			cfg := workspace()
			cfg.AckWindow, cfg.Quiet = patience, time.Millisecond
			if c.refusal != "" {
				cfg.AckWindow = 300 * time.Millisecond
			}
			cfg.Events = []string{"message.channels"}
			o := open(t, cfg)
			a, b := o.dial(), o.dial()
			text := c.text
			if text == "" {
				text = "/ops help"
			}
			act := o.say("alice", "ops", text, "")
			w, other, e := either(t, a, b)
			c.ack(o, w, other, e.EnvelopeID)
			r := o.end(act)
			var refusal *slacksim.Refusal
			if errors.As(r.err, &refusal); c.refusal != "" && (refusal == nil || refusal.Code != c.refusal) || c.refusal == "" && r.err != nil {
				t.Errorf("the person saw %v, want %q", r.err, c.refusal)
			}
			if c.broken == "" {
				o.clean()
			} else {
				o.violated(c.broken)
			}
		})
	}
}

// either returns the socket that got the next envelope, and the other one.
func either(t *testing.T, a, b *wire) (w, other *wire, e envelope) {
	t.Helper()
	select {
	case e = <-a.in:
		return a, b, e
	case e = <-b.in:
		return b, a, e
	case <-time.After(patience):
		t.Fatal("no socket got the envelope")
		return nil, nil, e
	}
}

// fragments sends one message in several frames.
func (w *wire) fragments(parts ...string) {
	w.t.Helper()
	raw := w.conn.NetConn()
	for i, p := range parts {
		head := []byte{0, 0x80 | byte(len(p)), 0, 0, 0, 0} // masked with zeros
		if i == 0 {
			head[0] = 1
		}
		if i == len(parts)-1 {
			head[0] |= 0x80
		}
		if _, err := raw.Write(append(head, p...)); err != nil {
			w.t.Error(err)
		}
	}
}

func TestAnswerInTheAcknowledgement(t *testing.T) {
	o := open(t, workspace())
	w := o.dial()
	act := o.say("alice", "ops", "/ops help", "")
	w.ack(w.next().EnvelopeID, `{"text":"here you are"}`)
	if a := o.wait(act); a.Response == nil || a.Response.Text != "here you are" {
		t.Errorf("%+v", a)
	}
	if ms, err := o.Ephemerals("bob", "ops"); err != nil || len(ms) != 0 {
		t.Errorf("bob saw %+v, %v", ms, err)
	}
	o.clean()
}

func TestTicketsAreGoodOnce(t *testing.T) {
	o := open(t, workspace())
	u := o.ticket()
	c, _, err := websocket.DefaultDialer.Dial(u, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, bad := range []string{u, strings.Replace(u, "ticket=", "ticket=x", 1)} {
		_, res, err := websocket.DefaultDialer.Dial(bad, nil)
		if err == nil || res == nil || res.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %v, %v", bad, res, err)
		}
	}
	if n := len(o.Violations()); n != 2 {
		t.Errorf("%d violations, want 2", n)
	}
}

func TestOpenWantsTheAppTokenInTheHeader(t *testing.T) {
	o := open(t, workspace())
	form := "application/x-www-form-urlencoded"
	for _, c := range []struct{ token, body, want string }{
		{"", "token=xapp-1-sandbox", "not_authed"},
		{"xoxb-sandbox", "", "not_allowed_token_type"},
		{"xapp-other", "", "invalid_auth"},
	} {
		if _, out := o.post(o.url+"/api/apps.connections.open", c.token, form, c.body); out["error"] != c.want {
			t.Errorf("%+v: %v", c, out)
		}
	}
}

func TestTenSockets(t *testing.T) {
	o := open(t, workspace())
	for range 10 {
		o.dial()
	}
	w := o.dial()
	if e := w.next(); e.Type != "disconnect" || e.Reason != "too_many_websockets" {
		t.Errorf("the eleventh got %+v", e)
	}
	if e := w.next(); e.Type != "" {
		t.Errorf("and then %+v", e)
	}
	if o.Sockets() != 10 {
		t.Errorf("%d sockets", o.Sockets())
	}
}

func TestEachEnvelopeGoesToOneSocketInTurn(t *testing.T) {
	cfg := workspace()
	cfg.Quiet = time.Millisecond
	o := open(t, cfg)
	a, b := o.dial(), o.dial()
	count := map[*wire]int{}
	for range 6 {
		act := o.say("alice", "ops", "/ops help", "")
		w, other, e := either(t, a, b)
		w.ack(e.EnvelopeID, "")
		o.wait(act)
		count[w]++
		if len(other.in) != 0 {
			t.Error("both sockets got the envelope")
		}
	}
	if count[a] != 3 || count[b] != 3 {
		t.Errorf("%d and %d of 6", count[a], count[b])
	}
}

func TestPings(t *testing.T) {
	cfg := workspace()
	cfg.PingEvery = 10 * time.Millisecond
	o := open(t, cfg)
	conn, _, err := websocket.DefaultDialer.Dial(o.ticket(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var pings atomic.Int32
	stop := errors.New("enough")
	conn.SetPingHandler(func(string) error {
		if pings.Add(1) == 3 {
			return stop
		}
		return nil
	})
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	for err == nil {
		_, _, err = conn.ReadMessage()
	}
	if !errors.Is(err, stop) {
		t.Errorf("%d pings, then %v", pings.Load(), err)
	}
}

func TestDisconnects(t *testing.T) {
	for _, c := range []struct {
		kind string
		want []string
	}{
		{"refresh", []string{"refresh_requested"}},
		{"warning", []string{"warning", "refresh_requested"}},
		{"link_disabled", []string{"link_disabled"}},
		{"drop_socket", nil},
	} {
		t.Run(c.kind, func(t *testing.T) {
			cfg := workspace()
			cfg.CloseGrace = 20 * time.Millisecond
			o := open(t, cfg)
			w := o.dial()
			if err := o.Fault(slacksim.FaultSpec{Kind: c.kind}); err != nil {
				t.Fatal(err)
			}
			for _, reason := range append(c.want, "") {
				if e := w.next(); e.Reason != reason {
					t.Errorf("got %+v, want %q", e, reason)
				}
			}
			o.until("the end", func() bool { return o.Sockets() == 0 })
			_, out := o.post(o.url+"/api/apps.connections.open", "xapp-1-sandbox", "application/json", "")
			if off := c.kind == "link_disabled"; off == (out["ok"] == true) {
				t.Errorf("afterwards: %v", out)
			}
		})
	}
}

// TestNothingNewGoesToASocketThatMustGo holds while another lives.
func TestNothingNewGoesToASocketThatMustGo(t *testing.T) {
	cfg := workspace()
	cfg.Quiet = time.Millisecond
	o := open(t, cfg)
	old, fresh := o.dial(), o.dial()
	if err := o.Fault(slacksim.FaultSpec{Kind: "warning", Count: 1}); err != nil {
		t.Fatal(err)
	}
	if e := old.next(); e.Reason != "warning" {
		t.Fatalf("%+v", e)
	}
	for range 3 {
		act := o.say("alice", "ops", "/ops help", "")
		fresh.ack(fresh.next().EnvelopeID, "")
		o.wait(act)
	}
	o.clean()
}

func TestSocketsGrowOld(t *testing.T) {
	cfg := workspace()
	cfg.SocketLife = 20 * time.Millisecond
	o := open(t, cfg)
	if e := o.dial().next(); e.Reason != "warning" {
		t.Errorf("%+v", e)
	}
}

func TestTooManySocketsAsAFault(t *testing.T) {
	o := open(t, workspace())
	if err := o.Fault(slacksim.FaultSpec{Kind: "too_many_websockets"}); err != nil {
		t.Fatal(err)
	}
	if e := o.dial().next(); e.Reason != "too_many_websockets" {
		t.Errorf("%+v", e)
	}
}

// TestEventsAreRetried holds the three retries, and their times on the clock.
func TestEventsAreRetried(t *testing.T) {
	cfg := workspace()
	clk := clock.NewMovable(0)
	cfg.Clock, cfg.AckWindow, cfg.Quiet = clk, 100*time.Millisecond, time.Millisecond
	cfg.Events = []string{"message.channels"}
	o := open(t, cfg)
	w := o.dial()
	act := o.say("alice", "ops", "anybody?", "")
	first := w.next()
	second := w.next() // at once
	o.wait(act)
	for i, step := range []time.Duration{time.Minute, 5 * time.Minute} {
		var left time.Duration
		o.until("the end of the try", func() bool {
			left = o.NextTry().Sub(clk.Now())
			return o.WaitIdle(t.Context()) == nil && left > step-10*time.Second
		})
		if left > step {
			t.Errorf("try %d comes in %s, want %s", i+3, left, step)
		}
		move(t, o, clk, left-2*time.Second) // not yet
		if len(w.in) != 0 {
			t.Errorf("try %d came too soon", i+3)
		}
		move(t, o, clk, 4*time.Second)
		e := w.next()
		if e.RetryAttempt != i+2 || e.RetryReason != "timeout" || e.field(t, "event_id") != first.field(t, "event_id") {
			t.Errorf("try %d: %+v", i+3, e)
		}
	}
	if second.RetryAttempt != 1 || first.RetryAttempt != 0 {
		t.Errorf("%+v, then %+v", first, second)
	}
	o.until("giving up", func() bool { return o.PendingEvents() == 0 })
}

// move advances the clock and lets what it woke reach the sockets.
func move(t *testing.T, o *office, clk *clock.Movable, by time.Duration) {
	t.Helper()
	if err := clk.Advance(t.Context(), by, o.WaitIdle); err != nil {
		t.Fatal(err)
	}
}

// minuteWaits tells when a wait of about a minute begins.
type minuteWaits struct {
	*clock.Movable
	begun chan struct{}
}

func (w minuteWaits) NewTimer(d time.Duration) clock.Timer {
	t := w.Movable.NewTimer(d)
	if d > 55*time.Second && d <= time.Minute {
		select {
		case w.begun <- struct{}{}:
		default:
		}
	}
	return t
}

// TestEventsWaitForASocket shows that a retry may be the only delivery.
func TestEventsWaitForASocket(t *testing.T) {
	cfg := workspace()
	clk := clock.NewMovable(0)
	waits := minuteWaits{clk, make(chan struct{}, 16)}
	cfg.Clock, cfg.AckWindow = waits, time.Minute
	cfg.Events = []string{"message.channels"}
	o := open(t, cfg)
	a := o.wait(o.say("alice", "ops", "anybody?", ""))
	if a.TS == "" || o.PendingEvents() != 1 {
		t.Fatalf("%+v, %d pending", a, o.PendingEvents())
	}
	<-waits.begun // the try at once found nobody either: the next one is waited for
	w := o.dial()
	o.until("the retry", func() bool {
		if err := clk.Advance(t.Context(), 61*time.Second, nil); err != nil {
			t.Fatal(err)
		}
		return len(w.in) > 0
	})
	e := w.next()
	if e.RetryAttempt != 2 {
		t.Errorf("%+v", e)
	}
	w.ack(e.EnvelopeID, "")
	o.until("the acknowledgement", func() bool { return o.PendingEvents() == 0 })
}

func TestSocketFaults(t *testing.T) {
	for _, c := range []struct {
		kind string
		then func(o *office, w *wire)
	}{
		{"twice", func(o *office, w *wire) {
			a, b := w.next(), w.next()
			if a.EnvelopeID == b.EnvelopeID || a.field(o.t, "event_id") != b.field(o.t, "event_id") {
				o.t.Errorf("%+v and %+v", a, b)
			}
			w.ack(a.EnvelopeID, "")
			w.ack(b.EnvelopeID, "")
		}},
		{"drop_after_send", func(o *office, w *wire) {
			if w.next().Type != "events_api" || w.next().Type != "" {
				o.t.Error("the socket lived on")
			}
		}},
		{"lose_ack", func(o *office, w *wire) {
			w.ack(w.next().EnvelopeID, "")
			e := w.next()
			if e.RetryAttempt != 1 {
				o.t.Errorf("%+v", e)
			}
			w.ack(e.EnvelopeID, "")
			o.until("the acknowledgement", func() bool { return o.PendingEvents() == 0 })
		}},
	} {
		t.Run(c.kind, func(t *testing.T) {
			cfg := workspace()
			cfg.AckWindow, cfg.Quiet = time.Second, time.Millisecond
			cfg.Events = []string{"message.channels"}
			o := open(t, cfg)
			w := o.dial()
			if err := o.Fault(slacksim.FaultSpec{Kind: c.kind}); err != nil {
				t.Fatal(err)
			}
			act := o.say("alice", "ops", "hi", "")
			c.then(o, w)
			o.wait(act)
		})
	}
}

// TestOnAck shows that the hook is called before the acknowledgement counts.
func TestOnAck(t *testing.T) {
	cfg := workspace()
	cfg.Quiet = time.Millisecond
	o := open(t, cfg)
	w := o.dial()
	got := make(chan string, 1)
	o.OnAck(func(id, kind string) { got <- kind + " " + id })
	act := o.say("alice", "ops", "/ops help", "")
	e := w.next()
	w.ack(e.EnvelopeID, "")
	o.wait(act)
	if g := <-got; g != "slash_commands "+e.EnvelopeID {
		t.Errorf("%q", g)
	}
}

// TestCloseEndsEverything: a person waiting, a socket, a retry.
func TestCloseEndsEverything(t *testing.T) {
	cfg := workspace()
	cfg.AckWindow = time.Hour
	o := open(t, cfg)
	w := o.dial()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := o.Say(ctx, "alice", "ops", "nobody acknowledges this", ""); err != nil {
		t.Fatal(err)
	}
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	for w.next().Type != "" {
	}
	if o.PendingEvents() == 0 {
		t.Error("the event was forgotten")
	}
}

func TestMain(m *testing.M) {
	if dir := os.Getenv("SLACKSIM_TEST_DIR"); dir != "" {
		victim(dir)
		return
	}
	os.Exit(m.Run())
}
