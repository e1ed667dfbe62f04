package slacksim_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations/slack/slacksim"
)

const homeWithButtons = `{"type":"home","blocks":[{"type":"actions","elements":[
	{"type":"button","action_id":"a1","value":"one","text":{"type":"plain_text","text":"Release"}},
	{"type":"button","action_id":"a2","value":"two","text":{"type":"plain_text","text":"Release"}},
	{"type":"button","action_id":"a3","url":"https://example.com","text":{"type":"plain_text","text":"Read"}}]}]}`

// opened is what became of opening a Home tab.
type opened struct {
	slacksim.HomeView
	err error
}

func (o *office) openHome(user string) <-chan opened {
	c := make(chan opened, 1)
	go func() {
		v, err := o.OpenHome(o.t.Context(), user)
		c <- opened{v, err}
	}()
	return c
}

// Somebody opens the Home tab: the bot is told, and what it publishes is what they
// see; the next time it is told what stands there.
func TestHomeTab(t *testing.T) {
	o := open(t, workspace())
	w := o.dial()
	first := o.openHome("bob")
	e := w.next()
	if e.field(t, "event", "type") != "app_home_opened" || e.field(t, "event", "tab") != "home" || e.field(t, "event", "user") != "UBOB" || e.field(t, "event", "view", "id") != "" {
		t.Errorf("the event %s", e.Payload)
	}
	w.ack(e.EnvelopeID, "")
	o.must("views.publish", args("user_id", "UBOB", "view", homeWithButtons))
	got := <-first
	if got.err != nil || got.ViewID == "" || len(got.Buttons) != 3 {
		t.Fatalf("bob sees %+v", got)
	}
	second := o.openHome("bob")
	e = w.next()
	if e.field(t, "event", "view", "id") != got.ViewID || e.field(t, "event", "view", "hash") != got.Hash {
		t.Errorf("the second event does not say what stands there: %s", e.Payload)
	}
	w.ack(e.EnvelopeID, "")
	o.must("views.publish", args("user_id", "UBOB", "hash", got.Hash, "view", homeWithButtons))
	if v := <-second; v.ViewID != got.ViewID || v.Hash == got.Hash {
		t.Errorf("a second view, or the same state: %+v", v)
	}
	if out := o.call("views.publish", args("user_id", "UBOB", "hash", got.Hash, "view", homeWithButtons)); out["error"] != "hash_conflict" {
		t.Errorf("an old hash: %v", out)
	}
	if v, err := o.Home("alice"); err != nil || v.ViewID != "" || len(v.Buttons) != 0 {
		t.Errorf("alice has a Home tab too: %+v, %v", v, err)
	}
	o.clean()
}

// What is pressed there comes with the view, in no channel, and without a
// response_url; what the bot answers directly is the answer.
func TestHomePress(t *testing.T) {
	o := open(t, workspace())
	w := o.dial()
	o.must("views.publish", args("user_id", "UBOB", "view", homeWithButtons))
	for _, c := range []struct{ user, action, value, want string }{
		{"bob", "a9", "", "no_such_button"}, {"bob", "a1", "two", "no_such_button"}, {"bob", "a3", "", "link_button"}, {"alice", "a1", "", "view_not_found"},
	} {
		var r *slacksim.Refusal
		if _, err := o.ClickHomeAction(t.Context(), c.user, c.action, c.value); !errors.As(err, &r) || r.Code != c.want {
			t.Errorf("%+v: %v", c, err)
		}
	}
	pressed := make(chan said, 1)
	go func() {
		a, err := o.ClickHomeAction(t.Context(), "bob", "a2", "two")
		pressed <- said{a, err}
	}()
	e := w.next()
	if e.Type != "interactive" || e.field(t, "type") != "block_actions" || e.field(t, "container", "type") != "view" || e.field(t, "view", "type") != "home" {
		t.Errorf("the press %s", e.Payload)
	}
	if e.field(t, "channel", "id") != "" || e.field(t, "response_url") != "" || e.field(t, "trigger_id") == "" {
		t.Errorf("a press on the Home tab has a channel or a response_url, or no trigger: %s", e.Payload)
	}
	w.ack(e.EnvelopeID, "")
	dm := o.must("conversations.open", args("users", "UBOB"))["channel"].(map[string]any)["id"].(string)
	o.must("chat.postMessage", args("channel", dm, "text", "released"))
	if a := o.wait(pressed); a.Response == nil || a.Response.Text != "released" {
		t.Errorf("answered %+v", a)
	}
}

func TestNoHomeTab(t *testing.T) {
	cfg := workspace()
	cfg.NoHome = true
	o := open(t, cfg)
	if out := o.call("views.publish", args("user_id", "UBOB", "view", homeWithButtons)); out["error"] != "not_enabled" {
		t.Errorf("published on a Home tab that is switched off: %v", out)
	}
	for _, user := range []string{"bob", "olga", "signalbox"} {
		if _, err := o.OpenHome(t.Context(), user); err == nil || !strings.Contains(err.Error(), "no_home") {
			t.Errorf("%s opened it: %v", user, err)
		}
	}
}

func withShortcuts() slacksim.Config {
	cfg := workspace()
	cfg.Shortcuts = []slacksim.Shortcut{{Name: "Deploy…", CallbackID: "verb:deploy"}, {Name: "Escalate this", CallbackID: "verb:incident:title", Message: true}}
	return cfg
}

func (o *office) shortcut(user, id, channel, ts string) <-chan said {
	c := make(chan said, 1)
	go func() {
		a, err := o.Shortcut(o.t.Context(), user, id, channel, ts)
		c <- said{a, err}
	}()
	return c
}

// A shortcut of the ⚡ menu knows nothing but the person; its trigger opens one
// form, for three seconds.
func TestGlobalShortcut(t *testing.T) {
	cfg := withShortcuts()
	o := open(t, cfg)
	w := o.dial()
	taken := o.shortcut("bob", "verb:deploy", "", "")
	e := w.next()
	if e.Type != "interactive" || e.field(t, "type") != "shortcut" || e.field(t, "callback_id") != "verb:deploy" || e.field(t, "user", "id") != "UBOB" || e.Accepts {
		t.Errorf("the shortcut %+v %s", e, e.Payload)
	}
	if strings.Contains(string(e.Payload), "response_url") || strings.Contains(string(e.Payload), `"channel"`) || e.field(t, "action_ts") == "" {
		t.Errorf("it has what only a message's has: %s", e.Payload)
	}
	w.ack(e.EnvelopeID, "")
	trigger := e.field(t, "trigger_id")
	o.must("views.open", args("trigger_id", trigger, "view", modal("Deploy", "")))
	if out := o.call("views.open", args("trigger_id", trigger, "view", modal("Deploy", ""))); out["error"] != "exchanged_trigger_id" {
		t.Errorf("a trigger opened two forms: %v", out)
	}
	if a := o.wait(taken); a.Modal == nil || a.Modal.Title != "Deploy" {
		t.Errorf("it came to %+v", a)
	}
}

func TestShortcutTriggerExpires(t *testing.T) {
	cfg := withShortcuts()
	cfg.TriggerLife = 1 // a nanosecond
	o := open(t, cfg)
	w := o.dial()
	taken := o.shortcut("bob", "verb:deploy", "", "")
	e := w.next()
	w.ack(e.EnvelopeID, "")
	if out := o.call("views.open", args("trigger_id", e.field(t, "trigger_id"), "view", modal("Deploy", ""))); out["error"] != "expired_trigger_id" {
		t.Errorf("a form opened too late: %v", out)
	}
	o.wait(taken)
}

// A shortcut on a message brings the message, its channel and a response_url, also
// where the bot is not.
func TestMessageShortcut(t *testing.T) {
	o := open(t, withShortcuts())
	a, err := o.Say(t.Context(), "alice", "random", "the shop is down", "")
	if err != nil {
		t.Fatal(err)
	}
	w := o.dial()
	taken := o.shortcut("alice", "verb:incident:title", "random", a.TS)
	e := w.next()
	if e.field(t, "type") != "message_action" || e.field(t, "message", "text") != "the shop is down" || e.field(t, "message_ts") != a.TS || e.field(t, "channel", "id") != "CRANDOM" {
		t.Errorf("the shortcut %s", e.Payload)
	}
	w.ack(e.EnvelopeID, "")
	response := e.field(t, "response_url")
	if res, _ := o.post(response, "", "application/json", `{"text":"which environment?"}`); res.StatusCode != 200 {
		t.Errorf("response_url: %s", res.Status)
	}
	if got := o.wait(taken); got.Response == nil || got.Response.Text != "which environment?" {
		t.Errorf("it came to %+v", got)
	}
	for _, c := range []struct{ user, id, channel, ts, want string }{
		{"alice", "verb:incident:title", "random", "1.0", "message_not_found"},
		{"bob", "verb:incident:title", "random", a.TS, "not_in_channel"},
		{"alice", "verb:incident:title", "", "", "channel_not_found"},
		{"alice", "verb:fly", "", "", "no_such_shortcut"},
		{"nobody", "verb:deploy", "", "", "user_not_found"},
	} {
		var r *slacksim.Refusal
		if _, err := o.Shortcut(t.Context(), c.user, c.id, c.channel, c.ts); !errors.As(err, &r) || r.Code != c.want {
			t.Errorf("%+v: %v", c, err)
		}
	}
	o.clean()
}
