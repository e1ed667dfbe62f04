package slacksim_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestBlockLimits has for each limit a message that just fits and one that does
// not.
func TestBlockLimits(t *testing.T) {
	cfg := workspace()
	cfg.Lenient = true
	o := open(t, cfg)
	text := func(kind string, n int) string {
		return fmt.Sprintf(`{"type":%q,"text":%q}`, kind, strings.Repeat("é", n))
	}
	times := func(n int, s string) string { return strings.TrimSuffix(strings.Repeat(s+",", n), ",") }
	each := func(n int, f func(i int) string) string {
		var out []string
		for i := range n {
			out = append(out, f(i))
		}
		return strings.Join(out, ",")
	}
	block := func(s string) string { return "[" + s + "]" }
	section := func(n int) string { return `{"type":"section","text":` + text("mrkdwn", n) + `}` }
	button := func(label int, more string) string {
		return `{"type":"button","text":` + text("plain_text", label) + more + `}`
	}
	actions := func(elements string) string { return block(`{"type":"actions","elements":[` + elements + `]}`) }
	option := func(i int) string {
		return fmt.Sprintf(`{"text":{"type":"plain_text","text":"o"},"value":"v%d"}`, i)
	}
	menu := func(kind string, n int) string {
		return actions(fmt.Sprintf(`{"type":%q,"options":[%s]}`, kind, each(n, option)))
	}
	confirm := func(title, body, ok int) string {
		return actions(button(1, fmt.Sprintf(`,"confirm":{"title":%s,"text":%s,"confirm":%s,"deny":%s}`,
			text("plain_text", title), text("mrkdwn", body), text("plain_text", ok), text("plain_text", 1))))
	}
	long := func(n int) string { return strings.Repeat("x", n) }
	for _, c := range []struct {
		what      string
		good, bad string
		code      string // invalid_blocks unless said
	}{
		{what: "blocks", good: block(times(50, `{"type":"divider"}`)), bad: block(times(51, `{"type":"divider"}`))},
		{what: "section text", good: block(section(3000)), bad: block(section(3001))},
		{what: "empty text", good: block(section(1)), bad: block(section(0))},
		{what: "section fields", good: block(`{"type":"section","fields":[` + times(10, text("mrkdwn", 1)) + `]}`), bad: block(`{"type":"section","fields":[` + times(11, text("mrkdwn", 1)) + `]}`)},
		{what: "field text", good: block(`{"type":"section","fields":[` + text("mrkdwn", 2000) + `]}`), bad: block(`{"type":"section","fields":[` + text("mrkdwn", 2001) + `]}`)},
		{what: "section without text", good: block(section(1)), bad: block(`{"type":"section"}`)},
		{what: "header", good: block(`{"type":"header","text":` + text("plain_text", 150) + `}`), bad: block(`{"type":"header","text":` + text("plain_text", 151) + `}`)},
		{what: "header markup", good: block(`{"type":"header","text":` + text("plain_text", 1) + `}`), bad: block(`{"type":"header","text":` + text("mrkdwn", 1) + `}`)},
		{what: "actions", good: actions(times(25, button(1, ""))), bad: actions(times(26, button(1, "")))},
		{what: "no actions", good: actions(button(1, "")), bad: actions("")},
		{what: "context", good: block(`{"type":"context","elements":[` + times(10, text("mrkdwn", 1)) + `]}`), bad: block(`{"type":"context","elements":[` + times(11, text("mrkdwn", 1)) + `]}`)},
		{what: "context holds no button", good: block(`{"type":"context","elements":[` + text("mrkdwn", 1) + `]}`), bad: block(`{"type":"context","elements":[` + button(1, "") + `]}`)},
		{what: "button text", good: actions(button(75, "")), bad: actions(button(76, ""))},
		{what: "button value", good: actions(button(1, `,"value":"`+long(2000)+`"`)), bad: actions(button(1, `,"value":"`+long(2001)+`"`))},
		{what: "button style", good: actions(button(1, `,"style":"danger"`)), bad: actions(button(1, `,"style":"default"`))},
		{what: "button url", good: actions(button(1, `,"url":"https://example.com/`+long(2980)+`"`)), bad: actions(button(1, `,"url":"https://example.com/`+long(2981)+`"`))},
		{what: "button url form", good: actions(button(1, `,"url":"https://example.com"`)), bad: actions(button(1, `,"url":"example"`))},
		{what: "action_id", good: actions(button(1, `,"action_id":"`+long(255)+`"`)), bad: actions(button(1, `,"action_id":"`+long(256)+`"`))},
		{what: "action_id twice", good: actions(button(1, `,"action_id":"a"`) + "," + button(1, `,"action_id":"b"`)), bad: actions(button(1, `,"action_id":"a"`) + "," + button(1, `,"action_id":"a"`))},
		{what: "block_id", good: block(`{"type":"divider","block_id":"` + long(255) + `"}`), bad: block(`{"type":"divider","block_id":"` + long(256) + `"}`)},
		{what: "block_id twice", good: block(`{"type":"divider","block_id":"a"},{"type":"divider","block_id":"b"}`), bad: block(times(2, `{"type":"divider","block_id":"a"}`))},
		{what: "unknown field", good: block(`{"type":"divider"}`), bad: block(`{"type":"divider","colour":"red"}`)},
		{what: "unknown block", good: block(`{"type":"divider"}`), bad: block(`{"type":"card"}`)},
		{what: "unknown text field", good: block(section(1)), bad: block(`{"type":"section","text":{"type":"mrkdwn","text":"x","emoji":true}}`)},
		{what: "select options", good: menu("static_select", 100), bad: menu("static_select", 101)},
		{what: "overflow options", good: menu("overflow", 5), bad: menu("overflow", 6)},
		{what: "radio options", good: menu("radio_buttons", 10), bad: menu("radio_buttons", 11)},
		{what: "checkbox options", good: menu("checkboxes", 10), bad: menu("checkboxes", 11)},
		{what: "confirm title", good: confirm(100, 1, 1), bad: confirm(101, 1, 1)},
		{what: "confirm text", good: confirm(1, 300, 1), bad: confirm(1, 301, 1)},
		{what: "confirm button", good: confirm(1, 1, 30), bad: confirm(1, 1, 31)},
		{what: "image alt", good: block(`{"type":"image","image_url":"https://x","alt_text":"` + long(2000) + `"}`), bad: block(`{"type":"image","image_url":"https://x","alt_text":"` + long(2001) + `"}`)},
		{what: "markdown", good: block(`{"type":"markdown","text":"` + long(12000) + `"}`), bad: block(`{"type":"markdown","text":"` + long(12001) + `"}`)},
		{what: "table rows", good: block(`{"type":"table","rows":[` + times(100, "[]") + `]}`), bad: block(`{"type":"table","rows":[` + times(101, "[]") + `]}`)},
		{what: "all text", good: block(times(4, section(3000)) + "," + section(1200)), bad: block(times(4, section(3000)) + "," + section(1201)), code: "msg_blocks_too_long"},
		{what: "not blocks", good: block(`{"type":"divider"}`), bad: `"x"`, code: "invalid_blocks_format"},
	} {
		if out := o.call("chat.postMessage", args("channel", "COPS", "text", "t", "blocks", c.good)); out["ok"] != true {
			t.Errorf("%s: refused what fits: %v", c.what, out)
		}
		want := c.code
		if want == "" {
			want = "invalid_blocks"
		}
		if out := o.call("chat.postMessage", args("channel", "COPS", "text", "t", "blocks", c.bad)); out["error"] != want {
			t.Errorf("%s: %v, want %s", c.what, out, want)
		}
	}
}

// TestModalForm fills every kind of field.
func TestModalForm(t *testing.T) {
	o := open(t, workspace())
	w := o.dial() // every act here is answered
	option := func(s string) string {
		return `{"text":{"type":"plain_text","text":"The ` + s + `"},"value":"` + s + `"}`
	}
	options := `"options":[` + option("a") + "," + option("b") + `]`
	in := func(id, element, more string) string {
		return `{"type":"input","block_id":"` + id + `","label":{"type":"plain_text","text":"Field ` + id + `"},"element":` + element + more + `}`
	}
	view := `{"type":"modal","callback_id":"cb","title":{"type":"plain_text","text":"T"},"submit":{"type":"plain_text","text":"S"},"blocks":[` +
		strings.Join([]string{
			in("text", `{"type":"plain_text_input","action_id":"t","max_length":5}`, ""),
			in("kept", `{"type":"plain_text_input","action_id":"k","initial_value":"was"}`, ""),
			in("select", `{"type":"static_select","action_id":"s",`+options+`}`, ""),
			in("checks", `{"type":"checkboxes","action_id":"c",`+options+`}`, ""),
			in("user", `{"type":"users_select","action_id":"u"}`, ""),
			in("empty", `{"type":"plain_text_input","action_id":"e"}`, `,"optional":true`),
		}, ",") + `]}`
	act := o.say("alice", "ops", "/ops deploy", "")
	e := w.next()
	w.ack(e.EnvelopeID, "")
	o.must("views.open", args("trigger_id", e.field(t, "trigger_id"), "view", view))
	m := o.wait(act).Modal
	if m == nil || len(m.Inputs) != 6 || m.Inputs[1].Value != "was" || m.Inputs[2].Options[1].Value != "b" {
		t.Fatalf("%+v", m)
	}
	fill := map[string]string{"text": "hi", "s": "The b", "Field checks": "a, b", "user": "UBOB"}
	for _, bad := range []struct{ key, value, code string }{
		{"text", "", "missing_value"}, {"text", "toolong", "invalid_length"}, {"s", "c", "no_such_option"}, {"colour", "red", "no_such_field"},
	} {
		f := map[string]string{}
		for k, v := range fill {
			f[k] = v
		}
		f[bad.key] = bad.value
		if _, err := o.Submit(t.Context(), "alice", m.ViewID, f); err == nil || !strings.HasPrefix(err.Error(), bad.code) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	if _, err := o.Submit(t.Context(), "bob", m.ViewID, fill); err == nil {
		t.Error("bob submitted alice's modal")
	}
	c := make(chan said, 1)
	go func() {
		a, err := o.Submit(t.Context(), "alice", m.ViewID, fill)
		c <- said{a, err}
	}()
	e = w.next()
	w.ack(e.EnvelopeID, `{"response_action":"update","view":`+strings.Replace(modal("Done", ""), `"modal"`, `"modal","callback_id":"next"`, 1)+`}`)
	if a := o.wait(c); a.Modal == nil || a.Modal.Title != "Done" || a.Modal.ViewID != m.ViewID {
		t.Errorf("%+v", a.Modal)
	}
	var p struct {
		Type string
		View struct {
			State struct {
				Values map[string]map[string]map[string]any
			}
		}
	}
	if err := json.Unmarshal(e.Payload, &p); err != nil {
		t.Fatal(err)
	}
	v := p.View.State.Values
	got := fmt.Sprint(p.Type, v["text"]["t"]["value"], v["kept"]["k"]["value"], v["select"]["s"]["selected_option"].(map[string]any)["value"],
		len(v["checks"]["c"]["selected_options"].([]any)), v["user"]["u"]["selected_user"], v["empty"]["e"]["value"])
	if want := "view_submissionhiwasb2 UBOB<nil>"; strings.ReplaceAll(got, " ", "") != strings.ReplaceAll(want, " ", "") {
		t.Errorf("state %s, want %s", got, want)
	}
	o.clean()
}

func TestMenusAndClosing(t *testing.T) {
	cfg := workspace()
	cfg.Quiet = time.Millisecond
	cfg.Events = []string{}
	o := open(t, cfg)
	w := o.dial()
	ts := o.must("chat.postMessage", args("channel", "COPS", "text", "x", "blocks",
		`[{"type":"actions","elements":[{"type":"overflow","action_id":"more","options":[{"text":{"type":"plain_text","text":"Log"},"value":"log"}]}]}]`))["ts"].(string)
	c := make(chan said, 1)
	go func() {
		a, err := o.ClickAction(t.Context(), "alice", "ops", ts, "more", "log")
		c <- said{a, err}
	}()
	e := w.next()
	w.ack(e.EnvelopeID, "")
	o.wait(c)
	if !strings.Contains(string(e.Payload), `"selected_option":{"text":{"text":"Log","type":"plain_text"},"value":"log"}`) {
		t.Errorf("%s", e.Payload)
	}
	o.must("views.open", args("trigger_id", e.field(t, "trigger_id"), "view", modal("T", `,"notify_on_close":true`)))
	vs, err := o.Modals("alice")
	if err != nil || len(vs) != 1 {
		t.Fatalf("%+v, %v", vs, err)
	}
	done := make(chan error, 1)
	go func() { done <- o.CloseView(t.Context(), "alice", vs[0].ViewID) }()
	e = w.next()
	w.ack(e.EnvelopeID, "")
	if err := <-done; err != nil || e.field(t, "type") != "view_closed" {
		t.Errorf("%s, %v", e.Payload, err)
	}
	o.clean()
}
