package slack

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/slack/slacksim"
)

func TestCommandIsAcceptedThenAcked(t *testing.T) {
	o := open(t)
	e := &ear{}
	acked := make(chan int, 10)
	o.OnAck(func(string, string) { acked <- len(e.heard()) })
	o.listen(e)
	o.say("alice", "ops", "/ops deploy web to staging", "")
	if n := <-acked; n != 1 {
		t.Fatalf("acked when %d envelopes were accepted, want 1", n)
	}
	got := e.heard()[0]
	h, err := o.DecodeHeard(got.Kind, got.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got.Kind != KindCommand || got.User != "U0ALICE" || h.Text != "deploy web to staging" || h.Channel != "C0OPS" || h.Stranger || h.Private {
		t.Errorf("envelope %+v\nheard %+v", got, h)
	}
	if h.Trigger == "" || h.ResponseURL == "" || time.Since(got.Sent) > time.Minute {
		t.Errorf("no trigger, response_url or time: %+v", got)
	}
	if !slices.Contains(got.Keys, "env:"+got.ID) || !slices.Contains(got.Keys, "trg:"+h.Trigger) {
		t.Errorf("keys %q", got.Keys)
	}
	o.clean()
}

func TestEveryWayOfSpeaking(t *testing.T) {
	o := open(t)
	e := &ear{}
	o.listen(e)
	root := o.show("slack.message", post("card"))
	o.say("alice", "ops", "@signalbox status web", "")
	o.say("alice", "ops", "just talking among ourselves", "")
	o.say("alice", "@signalbox", "locks", "")
	o.say("bob", "ops", "merge", root)
	human := o.say("bob", "ops", "lunch?", "")
	o.say("alice", "ops", "yes please", human.TS)
	o.say("olga", "ops", "@signalbox help", "")
	type line struct {
		kind, user, text string
		stranger         bool
	}
	var got []line
	seen := map[string]bool{}
	for _, env := range e.heard() {
		h, err := o.DecodeHeard(env.Kind, env.Body)
		if err != nil {
			t.Fatal(err)
		}
		alone, err := DecodeHeard(env.Kind, env.Body)
		if err != nil || alone.Text != h.Text || alone.Kind != h.Kind || alone.Stranger != h.Stranger {
			t.Errorf("decoded without knowing the bot: %+v, %v; want %+v", alone, err, h)
		}
		key := env.Keys[len(env.Keys)-1]
		if !strings.HasPrefix(key, "msg:") {
			t.Errorf("keys %q: the message's address is missing", env.Keys)
		}
		if !seen[key] { // a mention comes as two events
			got = append(got, line{h.Kind, h.User, h.Text, h.Stranger})
		}
		seen[key] = true
		if h.Kind == "reply" && h.Thread != root {
			t.Errorf("thread %q, want %q", h.Thread, root)
		}
	}
	want := []line{
		{"mention", "U0ALICE", "status web", false},
		{"direct", "U0ALICE", "locks", false},
		{"reply", "U0BOB", "merge", false},
		{"mention", "U0OLGA", "help", true},
	}
	if !slices.Equal(got, want) {
		t.Errorf("heard %+v\nwant %+v\nlog:\n%s", got, want, o.log)
	}
	o.clean()
}

func TestFailedAcceptanceIsAnsweredPrivately(t *testing.T) {
	for name, answer := range map[string]func(Envelope) (any, error){
		"error": func(Envelope) (any, error) { return nil, errors.New("disk full") },
		"panic": func(Envelope) (any, error) { panic("oh no") },
	} {
		t.Run(name, func(t *testing.T) {
			o := open(t)
			e := &ear{answer: answer}
			o.listen(e)
			a := o.say("alice", "ops", "/ops lock web `x`", "")
			if a.Response == nil || !strings.Contains(a.Response.Text, "nothing was done") || !strings.Contains(a.Response.Text, "/ops lock web 'x'") {
				t.Errorf("answer %+v", a.Response)
			}
			o.clean()
		})
	}
}

func TestFailedClickIsAnsweredPrivately(t *testing.T) {
	o := open(t)
	e := &ear{answer: func(Envelope) (any, error) { return nil, errors.New("disk full") }}
	o.listen(e)
	ts := o.show("slack.message", card())
	a, err := o.Click(t.Context(), "alice", "ops", ts, "Merge")
	if err != nil || a.Response == nil || !strings.Contains(a.Response.Text, "nothing was done") {
		t.Errorf("answer %+v, %v", a.Response, err)
	}
	if len(o.history("")) != 1 {
		t.Errorf("the card was replaced: %+v", o.history(""))
	}
	o.clean()
}

func TestFailedEventIsNotAcked(t *testing.T) {
	o := open(t, func(sc *slacksim.Config, _ *Config) { sc.AckWindow = 300 * time.Millisecond })
	var n atomic.Int32
	e := &ear{answer: func(env Envelope) (any, error) {
		if n.Add(1) == 1 {
			return nil, errors.New("disk full")
		}
		return nil, nil
	}}
	o.listen(e)
	o.say("alice", "@signalbox", "status", "")
	o.until("Slack sends it again", func() bool {
		return slices.ContainsFunc(e.heard(), func(e Envelope) bool { return e.RetryAttempt == 1 })
	})
	all := e.heard()
	if all[0].ID == all[1].ID || !slices.Contains(all[1].Keys, all[0].Keys[1]) {
		t.Errorf("the retry shares no key but has its own envelope: %q, %q", all[0].Keys, all[1].Keys)
	}
}

func TestClickAndModalComeBack(t *testing.T) {
	o := open(t)
	e := &ear{}
	o.listen(e)
	ts := o.show("slack.message", card())
	if _, err := o.Click(t.Context(), "alice", "ops", ts, "Merge"); err != nil {
		t.Fatal(err)
	}
	click := e.heard()[0]
	h, err := o.DecodeHeard(click.Kind, click.Body)
	if err != nil || h.Kind != "click" || h.Command != "merge op-12" || h.Version != 7 || h.TS != ts || h.Channel != "C0OPS" || h.User != "U0ALICE" || h.Stranger || h.Ephemeral {
		t.Fatalf("heard %+v, %v", h, err)
	}
	// Its trigger opens a form, which knows the channel without being told.
	o.show("slack.modal", modal(h.Trigger))
	forms, err := o.Modals("alice")
	if err != nil || len(forms) != 1 {
		t.Fatalf("modals %+v, %v", forms, err)
	}
	if _, err := o.Submit(t.Context(), "alice", forms[0].ViewID, map[string]string{"service": "web", "reason": "because <b>"}); err != nil {
		t.Fatalf("submit: %v; violations %q", err, o.Violations())
	}
	all := e.heard()
	sub := all[len(all)-1]
	h, err = o.DecodeHeard(sub.Kind, sub.Body)
	if err != nil || h.Kind != "submit" || h.Verb != "deploy" || h.Channel != "C0OPS" || h.Values["service"] != "web" || h.Version != 9 || h.Values["reason"] != "because <b>" {
		t.Errorf("heard %+v, %v", h, err)
	}
	if _, there := h.Values["note"]; there {
		t.Errorf("an empty optional input has a value: %q", h.Values)
	}
	if forms, _ := o.Modals("alice"); len(forms) != 0 {
		t.Errorf("the form is still open: %+v", forms)
	}
	o.clean()
}

func TestFailedSubmissionKeepsTheForm(t *testing.T) {
	o := open(t)
	e := &ear{}
	o.listen(e)
	o.say("alice", "ops", "/ops deploy", "")
	h, err := o.DecodeHeard(KindCommand, e.heard()[0].Body)
	if err != nil {
		t.Fatal(err)
	}
	o.show("slack.modal", modal(h.Trigger))
	e.mu.Lock()
	e.answer = func(Envelope) (any, error) { return nil, errors.New("disk full") }
	e.mu.Unlock()
	forms, _ := o.Modals("alice")
	_, err = o.Submit(t.Context(), "alice", forms[0].ViewID, map[string]string{"service": "web"})
	if err == nil || !strings.Contains(err.Error(), "nothing was done") {
		t.Errorf("submit: %v", err)
	}
	if forms, _ := o.Modals("alice"); len(forms) != 1 {
		t.Errorf("the form was closed")
	}
	o.clean()
}

func TestTwoSocketsLoseNothing(t *testing.T) {
	o := open(t, func(sc *slacksim.Config, c *Config) {
		c.Connections = 2
		sc.CloseGrace = 50 * time.Millisecond
	})
	e := &ear{}
	o.listen(e)
	o.until("both sockets are ready", func() bool { return o.Connected() == 2 })
	for i := range 10 {
		if i%3 == 1 {
			o.fault(slacksim.FaultSpec{Kind: "refresh", Count: 1})
		}
		o.say("alice", "ops", fmt.Sprintf("/ops job %d", i), "")
	}
	if n := len(e.heard()); n != 10 {
		t.Errorf("%d of 10 commands arrived", n)
	}
	o.until("both sockets are ready again", func() bool { return o.Connected() == 2 })
	o.clean()
}

func TestBrokenSocketIsReopened(t *testing.T) {
	o := open(t)
	e := &ear{}
	o.listen(e)
	o.fault(slacksim.FaultSpec{Kind: "drop_socket"})
	o.until("the socket is reopened", func() bool { return strings.Count(o.log.String(), "socket ready") == 2 })
	o.say("alice", "ops", "/ops status", "")
	if len(e.heard()) != 1 {
		t.Error("the command did not arrive")
	}
	o.clean()
}

func TestHopelessErrorsEndListen(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*slacksim.Config, *Config)
		fault  string
		want   string
	}{
		"link disabled": {fault: "link_disabled", want: "Socket Mode is switched off"},
		"unknown token": {change: func(sc *slacksim.Config, _ *Config) { sc.AppToken = "xapp-other" }, want: "app token: Slack does not know it"},
		"unknown bot":   {change: func(sc *slacksim.Config, _ *Config) { sc.BotToken = "xoxb-other" }, want: "bot token: Slack does not know it"},
	} {
		t.Run(name, func(t *testing.T) {
			change := tt.change
			if change == nil {
				change = func(*slacksim.Config, *Config) {}
			}
			o := open(t, change)
			ended := make(chan error, 1)
			go func() { ended <- o.Listen(t.Context(), (&ear{}).accept) }()
			if tt.fault != "" {
				o.until("the socket is ready", o.Ready)
				o.fault(slacksim.FaultSpec{Kind: tt.fault})
			}
			err := o.ended(ended)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Listen: %v, want %q", err, tt.want)
			}
			if o.Ready() {
				t.Error("still ready")
			}
		})
	}
}

// An event that slack-go refuses for one malformed block is still a word to us.
// An ack that comes when its socket is gone goes nowhere, not to the next socket.
func TestStoppingLetsWhatWasDeliveredEnd(t *testing.T) {
	o := open(t)
	began := make(chan struct{})
	goOn := make(chan struct{})
	e := &ear{answer: func(Envelope) (any, error) { close(began); <-goOn; return nil, nil }}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- o.Listen(ctx, e.accept) }()
	o.until("the socket is ready", o.Ready)
	said := make(chan error, 1)
	go func() {
		_, err := o.Say(context.Background(), "alice", "ops", "/ops status", "")
		said <- err
	}()
	<-began
	cancel()
	close(goOn)
	if err := o.ended(ended); err != nil {
		t.Errorf("Listen: %v", err)
	}
	if err := <-said; err != nil {
		t.Errorf("the command was not acked: %v", err)
	}
	o.clean()
}

func TestFurtherSocketsComeLater(t *testing.T) {
	o := open(t, func(_ *slacksim.Config, c *Config) { c.Connections, c.SecondAfter = 2, time.Hour })
	e := &ear{}
	o.listen(e) // ready with one
	o.say("alice", "ops", "/ops status", "")
	if len(e.heard()) != 1 || o.Connected() != 1 || o.Sockets() != 1 {
		t.Errorf("heard %d, %d sockets", len(e.heard()), o.Sockets())
	}
}

func TestPayloadGoesWithTheAck(t *testing.T) {
	o := open(t)
	e := &ear{answer: func(env Envelope) (any, error) {
		text := "hello"
		if strings.Contains(string(env.Body), "huge") {
			text = strings.Repeat("x", 30000) // Slack drops an ack of 20 KB
		}
		return map[string]string{"response_type": "ephemeral", "text": text}, nil
	}}
	o.listen(e)
	if a := o.say("alice", "ops", "/ops hi", ""); a.Response == nil || a.Response.Text != "hello" {
		t.Errorf("answer %+v", a.Response)
	}
	if a := o.say("alice", "ops", "/ops huge", ""); a.Response != nil {
		t.Errorf("answer %+v", a.Response)
	}
	o.say("alice", "@signalbox", "an event takes no payload", "")
	o.clean()
}

func TestConfigNamesEveryMistake(t *testing.T) {
	err := Config{
		AppToken: integrations.NewSecret("xoxb-swapped"), APIURL: "slack.com", Connections: 11, SecondAfter: -1,
	}.Validate()
	for _, want := range []string{"app_token: does not begin with xapp-", "bot_token: is missing", "api_url:", "connections: 11", "second_after:"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %q", err, want)
		}
	}
	if strings.Contains(err.Error(), "swapped") {
		t.Errorf("a token is told: %v", err)
	}
}

// Slack may go on handing out addresses of sockets that it then closes with this
// reason; slack-go would reconnect for ever.
