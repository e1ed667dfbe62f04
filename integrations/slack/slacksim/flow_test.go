package slacksim_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/slackevents"
	"github.com/slack-go/slack/socketmode"

	"github.com/signalbox-chatops/signalbox/integrations/slack/slacksim"
)

// robot is a bot made of the official-grade client: it acknowledges everything
// and lets the test's function answer.
func (o *office) robot(answer func(api *slack.Client, sm *socketmode.Client, e socketmode.Event)) *slack.Client {
	o.t.Helper()
	api := o.client()
	sm := socketmode.New(api)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = sm.RunContext(ctx) })
	wg.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case e := <-sm.Events:
				if e.Request != nil && e.Request.EnvelopeID != "" {
					answer(api, sm, e)
				}
			}
		}
	})
	o.t.Cleanup(func() { cancel(); wg.Wait() })
	o.until("the socket", func() bool { return o.Sockets() > 0 })
	return api
}

func button(id, label, value string) slack.Block {
	return slack.NewActionBlock("", slack.NewButtonBlockElement(id, value, slack.NewTextBlockObject("plain_text", label, false, false)))
}

// TestConversation is the whole life of a command with the real client: a
// private answer with a button, its press, a modal, its submission and a message
// that is edited.
func TestConversation(t *testing.T) {
	o := open(t, workspace())
	fail := func(err error) {
		if err != nil {
			t.Error(err)
		}
	}
	o.robot(func(api *slack.Client, sm *socketmode.Client, e socketmode.Event) {
		switch d := e.Data.(type) {
		case slack.SlashCommand:
			fail(sm.Ack(*e.Request))
			if d.Text != "deploy web for <@UBOB|bob> &amp; &lt;me&gt;" || d.ChannelName != "ops" || d.UserID != "UALICE" {
				t.Errorf("command %+v", d)
			}
			fail(slack.PostWebhook(d.ResponseURL, &slack.WebhookMessage{
				Text: "sure?", Blocks: &slack.Blocks{BlockSet: []slack.Block{button("go", "Go", "web@1")}},
			}))
		case slack.InteractionCallback:
			switch d.Type {
			case slack.InteractionTypeBlockActions:
				fail(sm.Ack(*e.Request))
				if a := d.ActionCallback.BlockActions[0]; a.Value != "web@1" || !d.Container.IsEphemeral {
					t.Errorf("action %+v in %+v", a, d.Container)
				}
				text := slack.NewTextBlockObject("plain_text", "Reason", false, false)
				in := slack.NewInputBlock("why", text, nil, slack.NewPlainTextInputBlockElement(nil, "reason"))
				_, err := api.OpenView(d.TriggerID, slack.ModalViewRequest{
					Type: "modal", CallbackID: "cb", Title: text, Submit: text, Blocks: slack.Blocks{BlockSet: []slack.Block{in}},
				})
				fail(err)
			case slack.InteractionTypeViewSubmission:
				v := d.View.State.Values["why"]["reason"].Value
				if v == "no" {
					fail(sm.Ack(*e.Request, slack.NewErrorsViewSubmissionResponse(map[string]string{"why": "say more"})))
					return
				}
				fail(sm.Ack(*e.Request))
				_, ts, err := api.PostMessage("COPS", slack.MsgOptionText("deploying: "+v, false),
					slack.MsgOptionMetadata(slack.SlackMetadata{EventType: "op", EventPayload: map[string]any{"id": "1"}}))
				fail(err)
				_, _, _, err = api.UpdateMessage("COPS", ts, slack.MsgOptionText("deployed: "+v, false))
				fail(err)
			}
		case slackevents.EventsAPIEvent:
			fail(sm.Ack(*e.Request))
		}
	})
	ctx := t.Context()
	a, err := o.Say(ctx, "alice", "ops", "/ops deploy web for @bob & <me>", "")
	if err != nil || a.Response == nil || a.Response.Text != "sure?" || a.Response.Buttons[0].Label != "Go" || a.TS != "" {
		t.Fatalf("say: %+v, %v", a, err)
	}
	a, err = o.Click(ctx, "alice", "ops", a.Response.TS, "Go")
	if err != nil || a.Modal == nil || a.Modal.Inputs[0].Label != "Reason" {
		t.Fatalf("click: %+v, %v", a, err)
	}
	_, err = o.Submit(ctx, "alice", a.Modal.ViewID, map[string]string{"Reason": "no"})
	if err == nil || err.Error() != "invalid_values: Reason: say more" {
		t.Fatalf("a refused submission: %v", err)
	}
	if _, err = o.Submit(ctx, "alice", a.Modal.ViewID, map[string]string{"why": "because"}); err != nil {
		t.Fatal(err)
	}
	o.until("the edit", func() bool {
		ms, err := o.History("ops", "")
		return err == nil && len(ms) == 1 && ms[0].Text == "deployed: because" && ms[0].Edited && ms[0].Metadata != nil
	})
	if ms, _ := o.Modals("alice"); len(ms) != 0 {
		t.Errorf("modals still open: %+v", ms)
	}
	o.clean()
}

// TestEventsReachTheRealClient shows the words of each kind of message.
func TestEventsReachTheRealClient(t *testing.T) {
	cfg := workspace()
	cfg.Quiet = time.Millisecond
	o := open(t, cfg)
	var mu sync.Mutex
	var got []string
	api := o.robot(func(_ *slack.Client, sm *socketmode.Client, e socketmode.Event) {
		if err := sm.Ack(*e.Request); err != nil {
			t.Error(err)
		}
		d, ok := e.Data.(slackevents.EventsAPIEvent)
		if !ok {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		switch in := d.InnerEvent.Data.(type) {
		case *slackevents.AppMentionEvent:
			got = append(got, "mention by "+in.User+": "+in.Text)
		case *slackevents.MessageEvent:
			who := in.User
			if in.BotID != "" {
				who = in.BotID
			}
			line := in.ChannelType + " " + in.SubType + " " + who + ": " + in.Text
			if in.ThreadTimeStamp != "" {
				line += " (reply)"
			}
			got = append(got, line)
		case *slackevents.AppHomeOpenedEvent:
			got = append(got, "home "+in.User)
		}
	})
	ctx := t.Context()
	a, err := o.Say(ctx, "alice", "ops", "@signalbox status", "")
	if err != nil || a.TS == "" {
		t.Fatalf("%+v, %v", a, err)
	}
	if _, err := o.Say(ctx, "bob", "ops", "me too", a.TS); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Say(ctx, "bob", "@signalbox", "hello", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := o.OpenHome(ctx, "bob"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := api.PostMessage("COPS", slack.MsgOptionText("I am <@U0SIGNALBOX>", false)); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Say(ctx, "alice", "random", "the bot is not here: @signalbox", ""); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"mention by UALICE: <@U0SIGNALBOX> status",
		"channel  UALICE: <@U0SIGNALBOX> status",
		"channel  UBOB: me too (reply)",
		"im  UBOB: hello",
		"home UBOB",
		"channel  B0SIGNALBOX: I am <@U0SIGNALBOX>",
	}
	o.until("all events", func() bool { return o.PendingEvents() == 0 })
	mu.Lock()
	defer mu.Unlock()
	for _, w := range want {
		if !strings.Contains(strings.Join(got, "\n"), w) {
			t.Errorf("no event %q in %q", w, got)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d events, want %d: %q", len(got), len(want), got)
	}
	o.clean()
}

func TestDirectMessageIsTheAnswer(t *testing.T) {
	o := open(t, workspace())
	o.robot(func(api *slack.Client, sm *socketmode.Client, e socketmode.Event) {
		if err := sm.Ack(*e.Request); err != nil {
			t.Error(err)
		}
		if m, ok := e.Data.(slackevents.EventsAPIEvent).InnerEvent.Data.(*slackevents.MessageEvent); ok && m.BotID == "" {
			if _, _, err := api.PostMessage(m.Channel, slack.MsgOptionText("hello yourself", false)); err != nil {
				t.Error(err)
			}
		}
	})
	a, err := o.Say(t.Context(), "bob", "@signalbox", "hello", "")
	if err != nil || a.Response == nil || a.Response.Text != "hello yourself" {
		t.Fatalf("%+v, %v", a.Response, err)
	}
}

// TestDecidedOnce shows that one of a mention's two events is enough: a bot
// drops the other and never decides it.
func TestDecidedOnce(t *testing.T) {
	cfg := workspace()
	cfg.Quiet = time.Millisecond
	var mu sync.Mutex
	var asked int
	ended := make(chan error, 2)
	cfg.Decided = func(ctx context.Context, _ slacksim.Delivery) error {
		mu.Lock()
		asked++
		dropped := asked == 1
		mu.Unlock()
		if dropped {
			<-ctx.Done()
			ended <- ctx.Err()
		}
		return ctx.Err()
	}
	o := open(t, cfg)
	o.robot(func(_ *slack.Client, sm *socketmode.Client, e socketmode.Event) {
		if err := sm.Ack(*e.Request); err != nil {
			t.Error(err)
		}
	})
	if _, err := o.Say(t.Context(), "alice", "ops", "@signalbox whoami", ""); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the wait for the event that was dropped ended with %v", err)
	}
}

// TestDecided shows that Say asks the bot's side about each delivery, and finds
// the ephemeral answer to a mention.
func TestDecided(t *testing.T) {
	cfg := workspace()
	var mu sync.Mutex
	var asked []slacksim.Delivery
	cfg.Decided = func(_ context.Context, d slacksim.Delivery) error {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, d)
		return nil
	}
	o := open(t, cfg)
	o.robot(func(api *slack.Client, sm *socketmode.Client, e socketmode.Event) {
		if err := sm.Ack(*e.Request); err != nil {
			t.Error(err)
		}
		if c, ok := e.Data.(slack.SlashCommand); ok {
			if _, err := api.PostEphemeral(c.ChannelID, c.UserID, slack.MsgOptionText("again", false)); err != nil {
				t.Error(err)
			}
		}
		ev, _ := e.Data.(slackevents.EventsAPIEvent)
		if m, ok := ev.InnerEvent.Data.(*slackevents.AppMentionEvent); ok {
			if _, err := api.PostEphemeral(m.Channel, m.User, slack.MsgOptionText("only you", false)); err != nil {
				t.Error(err)
			}
		}
	})
	a, err := o.Say(t.Context(), "alice", "ops", "@signalbox whoami", "")
	if err != nil || a.Response == nil || a.Response.Text != "only you" {
		t.Fatalf("%+v, %v", a, err)
	}
	a, err = o.Say(t.Context(), "alice", "ops", "/ops whoami", "")
	if err != nil || a.Response == nil || a.Response.Text != "again" {
		t.Fatalf("%+v, %v", a, err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(asked) != 3 || asked[0].EventID == "" || asked[0].EnvelopeID == "" || asked[2].TriggerID == "" {
		t.Errorf("asked about %+v", asked)
	}
}

func TestUpload(t *testing.T) {
	o := open(t, workspace())
	api := o.client()
	_, ts, err := api.PostMessage("COPS", slack.MsgOptionText("card", false))
	if err != nil {
		t.Fatal(err)
	}
	f, err := api.UploadFile(slack.UploadFileParameters{
		Channel: "COPS", ThreadTimestamp: ts, Filename: "apply.log", Title: "Log", Reader: strings.NewReader("done\n"), FileSize: 5,
	})
	if err != nil {
		t.Fatal(err)
	}
	ms, err := o.History("ops", ts)
	if err != nil || len(ms) != 2 || len(ms[1].Files) != 1 || ms[1].Files[0].ID != f.ID {
		t.Fatalf("%+v, %v", ms, err)
	}
	res, err := http.Get(ms[1].Files[0].URL)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if b, _ := io.ReadAll(res.Body); !bytes.Equal(b, []byte("done\n")) {
		t.Errorf("file %q", b)
	}
	o.clean()
}

func TestPeopleAreRefused(t *testing.T) {
	o := open(t, workspace())
	if out := o.must("chat.postMessage", args("channel", "COPS", "text", "x", "blocks",
		`[{"type":"actions","elements":[{"type":"button","url":"https://example.com","text":{"type":"plain_text","text":"Link"}}]}]`)); out == nil {
		t.Fatal()
	}
	ms, err := o.History("ops", "")
	if err != nil {
		t.Fatal(err)
	}
	ctx, ts := t.Context(), ms[0].TS
	say := func(user, channel, text, thread string) error {
		_, err := o.Say(ctx, user, channel, text, thread)
		return err
	}
	click := func(user, ts, label string) error {
		_, err := o.Click(ctx, user, "ops", ts, label)
		return err
	}
	_, noView := o.Submit(ctx, "alice", "V1", nil)
	for _, c := range []struct {
		what, code string
		err        error
	}{
		{"a command in a thread", "not_supported_in_threads", say("alice", "ops", "/ops help", ts)},
		{"another command", "invalid_command", say("alice", "ops", "/deploy", "")},
		{"a command with no socket", "dispatch_failed", say("alice", "ops", "/ops help", "")},
		{"a stranger", "user_not_found", say("eve", "ops", "hi", "")},
		{"no such channel", "channel_not_found", say("alice", "nowhere", "hi", "")},
		{"not a member", "not_in_channel", say("bob", "random", "hi", "")},
		{"no such thread", "thread_not_found", say("bob", "ops", "hi", "1.000000")},
		{"nothing", "no_text", say("bob", "ops", " ", "")},
		{"no such button", "no_such_button", click("bob", ts, "Go")},
		{"a link", "link_button", click("bob", ts, "Link")},
		{"no such message", "message_not_found", click("bob", "1.000000", "Link")},
		{"no modal", "view_not_found", noView},
	} {
		var r *slacksim.Refusal
		if !errors.As(c.err, &r) || r.Code != c.code {
			t.Errorf("%s: %v, want %s", c.what, c.err, c.code)
		}
	}
}

func TestAnswerShape(t *testing.T) {
	b, err := json.Marshal(slacksim.Answer{OK: true})
	if err != nil || string(b) != `{"ok":true,"ts":"","response":null,"modal":null}` {
		t.Fatalf("%s, %v", b, err)
	}
}

// A button that an edit took away can still be pressed by somebody whose client
// has not drawn the edit; one that was never there cannot.
func TestAButtonOfAnEarlierLookCanBePressed(t *testing.T) {
	o := open(t, workspace())
	pressed := make(chan string, 1)
	api := o.robot(func(_ *slack.Client, sm *socketmode.Client, e socketmode.Event) {
		if d, ok := e.Data.(slack.InteractionCallback); ok {
			pressed <- d.ActionCallback.BlockActions[0].Value
		}
		if err := sm.Ack(*e.Request); err != nil {
			t.Error(err)
		}
	})
	_, ts, err := api.PostMessage("COPS", slack.MsgOptionText("card", false), slack.MsgOptionBlocks(button("go", "Go", "web@1")))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := api.UpdateMessage("COPS", ts, slack.MsgOptionText("over", false)); err != nil {
		t.Fatal(err)
	}
	if _, err := o.ClickAction(t.Context(), "alice", "ops", ts, "go", "web@1"); err != nil {
		t.Fatal(err)
	}
	if got := <-pressed; got != "web@1" {
		t.Errorf("the bot got %q", got)
	}
	for what, press := range map[string]func() error{
		"by its label":       func() error { _, err := o.Click(t.Context(), "alice", "ops", ts, "Go"); return err },
		"with another value": func() error { _, err := o.ClickAction(t.Context(), "alice", "ops", ts, "go", "web@2"); return err },
	} {
		if err := press(); err == nil || !strings.Contains(err.Error(), "no_such_button") {
			t.Errorf("%s: %v, want no_such_button", what, err)
		}
	}
}
