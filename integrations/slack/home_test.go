package slack

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/slack/slacksim"
)

func homePost(blocks ...integrations.Block) integrations.Post {
	return integrations.Post{Where: map[string]string{"user": "U0BOB"}, Message: integrations.Message{Text: "Home", Blocks: blocks}}
}

func TestHomeIsPublished(t *testing.T) {
	o := open(t)
	release := integrations.Button{Label: "Release", Command: "unlock hold-4", Version: 3}
	p := homePost(integrations.Block{Header: "Your locks"}, integrations.Block{Text: integrations.R(integrations.Bold("web/production"))}, integrations.Block{Buttons: []integrations.Button{release, release}})
	p.Ref = o.show("slack.home", p)
	v, err := o.Home("bob")
	if err != nil || v.ViewID != p.Ref || len(v.Buttons) != 2 || v.Buttons[0].ActionID == v.Buttons[1].ActionID || !strings.Contains(string(v.Blocks), "*web/production*") {
		t.Fatalf("bob sees %+v, %v", v, err)
	}
	p.Message.Blocks = p.Message.Blocks[:2]
	if ref := o.show("slack.home", p); ref != p.Ref {
		t.Errorf("it is another view: %s", ref)
	}
	if v, _ := o.Home("bob"); len(v.Buttons) != 0 {
		t.Errorf("the old buttons are there: %+v", v.Buttons)
	}
	if _, _, err := o.Places()["slack.home"].Find(t.Context(), p); !errors.Is(err, integrations.ErrNotReadable) {
		t.Errorf("find: %v", err)
	}
	o.clean()
}

// However much there is, Slack takes it, and the buttons stay.
func TestHomeKeepsSlacksLimits(t *testing.T) {
	o := open(t)
	var blocks []integrations.Block
	for i := range 80 {
		blocks = append(blocks, integrations.Block{Text: integrations.R(strings.Repeat("x", 4000))},
			integrations.Block{Buttons: []integrations.Button{{Label: strings.Repeat("L", 300), Command: fmt.Sprintf("unlock hold-%d", i), Confirm: strings.Repeat("?", 400)}}})
	}
	o.show("slack.home", homePost(blocks...))
	if v, err := o.Home("bob"); err != nil || len(v.Buttons) < 75 {
		t.Errorf("%d buttons of 80 are left, %v", len(v.Buttons), err)
	}
	o.clean()
}

func TestHomeThatIsGone(t *testing.T) {
	o := open(t)
	p := homePost(integrations.Block{Divider: true})
	p.Where["user"] = "U0NOBODY"
	if _, err := o.Places()["slack.home"].Show(t.Context(), p); !errors.As(err, new(*integrations.Gone)) {
		t.Errorf("nobody of the workspace: %v", err)
	}
	off := open(t, func(s *slacksim.Config, _ *Config) { s.NoHome = true })
	if _, err := off.Places()["slack.home"].Show(t.Context(), homePost(integrations.Block{Divider: true})); !errors.As(err, new(*integrations.Gone)) || !strings.Contains(err.Error(), "App Home") {
		t.Errorf("no Home tab: %v", err)
	}
}

// Opening the tab, pressing there and taking shortcuts arrive, each once.
func TestAppIsHeard(t *testing.T) {
	o := open(t, func(s *slacksim.Config, _ *Config) {
		s.Shortcuts = []slacksim.Shortcut{{CallbackID: Shortcut{Verb: "deploy"}.ID()}, {CallbackID: Shortcut{Verb: "incident", Message: "title"}.ID(), Message: true}}
	})
	e := &ear{}
	o.listen(e)
	o.show("slack.home", homePost(integrations.Block{Buttons: []integrations.Button{{Label: "Deploy…", Command: "deploy"}}}))
	said := o.say("alice", "random", "the shop is down", "")
	_, err1 := o.OpenHome(t.Context(), "bob")
	_, err2 := o.ClickHome(t.Context(), "bob", "Deploy…")
	_, err3 := o.Shortcut(t.Context(), "bob", "verb:deploy", "", "")
	_, err4 := o.Shortcut(t.Context(), "alice", "verb:incident:title", "random", said.TS)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, env := range e.heard() {
		h, err := o.DecodeHeard(env.Kind, env.Body)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%s of %s: app %v, %s%s %s", h.Kind, h.User, h.App, h.Command, h.Verb, strings.TrimPrefix(h.Values["title"], "the shop is down ")))
	}
	want := []string{
		"home of U0BOB: app true,  ", "click of U0BOB: app true, deploy ", "shortcut of U0BOB: app true, deploy ",
		"shortcut of U0ALICE: app true, incident " + strings.TrimSuffix(o.Self().URL, "/") + "/archives/C0RANDOM/p" + strings.ReplaceAll(said.TS, ".", ""),
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("heard\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	o.clean()
}

// Where nothing can be answered in place, somebody is told directly that nothing
// was done.
func TestAppThatIsNotStored(t *testing.T) {
	o := open(t, func(s *slacksim.Config, _ *Config) { s.Shortcuts = []slacksim.Shortcut{{CallbackID: "verb:deploy"}} })
	e := &ear{answer: func(Envelope) (any, error) { return nil, errors.New("the disk is full") }}
	o.listen(e)
	a, err := o.Shortcut(t.Context(), "bob", "verb:deploy", "", "")
	if err != nil || a.Response == nil || !strings.Contains(a.Response.Text, "nothing was done") {
		t.Errorf("bob is told %+v, %v", a.Response, err)
	}
	o.clean()
}
