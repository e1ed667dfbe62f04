package commands

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// inApp is what is heard from the bot's own pages.
func inApp(kind, user string) integrations.Heard {
	return integrations.Heard{Kind: kind, Team: "T1", User: user, Channel: user, Private: true, App: true}
}

// A shortcut opens the form of its verb, also where it lacks nothing, and what is
// submitted there is done although it was said in no channel.
func TestShortcutOpensAForm(t *testing.T) {
	h := build(t, nil).run()
	for i, values := range []map[string]string{{}, {"service": "web", "environment": "production"}} {
		s := inApp("shortcut", "U1")
		s.Verb, s.Values, s.Trigger = "deploy", values, "123"
		if _, outcome := h.hears(s); outcome != "asked" {
			t.Errorf("%v: decided %q", values, outcome)
		}
		m := h.message("slack.modal", uint64(i+1)).Modal
		if m == nil || m.Verb != "deploy" {
			t.Fatalf("%v: the form is %+v", values, m)
		}
		for _, in := range m.Inputs {
			if in.Value != values[in.Name] {
				t.Errorf("%v: %s is filled in with %q", values, in.Name, in.Value)
			}
		}
	}
	if got := h.done(); len(got) > 0 {
		t.Fatalf("a shortcut did %q", got)
	}
	answer := inApp("submit", "U1")
	answer.Verb, answer.Values = "deploy", map[string]string{"service": "web", "environment": "production"}
	if said, outcome := h.hears(answer); outcome != "done" {
		t.Errorf("the submission is decided %q: %s", outcome, said)
	}
	if got := h.done(); !slices.Equal(got, []string{"deploy web to production"}) {
		t.Errorf("done: %q", got)
	}
	direct := answer
	direct.App = false
	direct.Values = map[string]string{"service": "api", "environment": "production"}
	if _, outcome := h.hears(direct); outcome != "refused: wrong_channel" {
		t.Errorf("the same from a direct message is decided %q", outcome)
	}
}

// Who may not, may not by a shortcut either; a verb that is gone is said to be.
func TestShortcutAsksThePolicy(t *testing.T) {
	h := build(t, nil).run()
	for _, c := range []struct{ user, verb, want string }{
		{"U3", "deploy", "refused: not_allowed"}, {"U9", "deploy", "refused: not_linked"}, {"U1", "fly", "refused: unknown_verb"},
	} {
		s := inApp("shortcut", c.user)
		s.Verb, s.Trigger = c.verb, "123"
		if _, outcome := h.hears(s); outcome != c.want {
			t.Errorf("%s by %s: %q, want %q", c.verb, c.user, outcome, c.want)
		}
	}
}

// Three seconds later no form opens: how the line is written is answered instead.
func TestShortcutThatIsLate(t *testing.T) {
	h := build(t, nil)
	s := inApp("shortcut", "U1")
	s.Verb, s.Trigger, s.Values = "deploy", "123", map[string]string{"service": "web", "environment": "production"}
	key := h.post("slack.shortcut", s, h.clock.Now())
	if err := h.clock.Advance(context.Background(), 10*time.Second, nil); err != nil {
		t.Fatal(err)
	}
	h.run()
	answer, outcome := h.wait(key)
	if outcome != "refused: missing" || len(h.done()) > 0 {
		t.Errorf("decided %q, done %q", outcome, h.done())
	}
	contains(t, answer, "deploy <service>")
}

// A Home tab is shown however late it is; everything else that only looks is
// dropped by then. Where no feature has one, nothing is said.
func TestHomeTabIsNeverTooLate(t *testing.T) {
	h := build(t, func(h *house, d *Deps) {
		d.Verbs = append(d.Verbs, Verb{Name: "home", Effect: Reads, Open: true, Hidden: true, Decide: func(_ context.Context, c *Call) (Act, error) {
			h.note("home of " + c.Heard.User)
			return nil, nil
		}})
	})
	late := h.post("slack.event", inApp("home", "U9"), h.clock.Now())
	if err := h.clock.Advance(context.Background(), time.Hour, nil); err != nil {
		t.Fatal(err)
	}
	h.run()
	if answer, outcome := h.wait(late); outcome != "done" || answer != "" || !slices.Equal(h.done(), []string{"home of U9"}) {
		t.Errorf("decided %q, answered %q, done %q", outcome, answer, h.done())
	}
}
