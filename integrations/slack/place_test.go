package slack

import (
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	slackgo "github.com/slack-go/slack"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/integrations/slack/slacksim"
)

// post is a message with nothing but a text, into #ops.
func post(text string) integrations.Post {
	return integrations.Post{
		Where: map[string]string{"channel": "ops"}, Nonce: "nonce-" + text, Since: time.Now(),
		Message: integrations.Message{Text: text},
	}
}

// card is a message with a button.
func card() integrations.Post {
	p := post("op-12 is open")
	p.Message.Blocks = []integrations.Block{
		{Text: integrations.R("op-12 is ", integrations.Bold("open"))},
		{Buttons: []integrations.Button{
			{Label: "Merge", Command: "merge op-12", Version: 7, Style: "primary", Confirm: "Deploy 3 commits?"},
			{Label: "Log", URL: "https://example.com/log"},
		}},
	}
	return p
}

func modal(trigger string) integrations.Post {
	return integrations.Post{
		Where: map[string]string{"trigger": trigger},
		Message: integrations.Message{Text: "Deploy what?", Modal: &integrations.Modal{
			Title: "Deploy a service to an environment", Submit: "Deploy", Verb: "deploy", Version: 9, Intro: "What is to be deployed?",
			Inputs: []integrations.Input{
				{Name: "service", Label: "Service", Options: []integrations.Option{{Value: "web", Label: "web"}, {Value: "api", Label: "api"}}, Value: "api"},
				{Name: "reason", Label: "Reason", Optional: true, Long: true},
				{Name: "note", Label: "Note", Optional: true},
			},
		}},
	}
}

func TestMessageIsPostedEditedAndFound(t *testing.T) {
	o := open(t)
	place := o.Places()["slack.message"]
	p := card()
	if ref, found, err := place.Find(t.Context(), p); found || err != nil {
		t.Fatalf("found %q before it was posted, %v", ref, err)
	}
	p.Ref = o.show("slack.message", p)
	h := o.history("")
	if len(h) != 1 || h[0].TS != p.Ref || h[0].Text != "op-12 is open" || len(h[0].Buttons) != 2 || h[0].Buttons[0].Label != "Merge" {
		t.Fatalf("history %+v", h)
	}
	p.Message.Text = "op-12 is merged"
	p.Message.Blocks = nil
	if ref := o.show("slack.message", p); ref != p.Ref {
		t.Errorf("the edit has the reference %q", ref)
	}
	h = o.history("")
	if len(h) != 1 || h[0].Text != "op-12 is merged" || len(h[0].Buttons) != 0 {
		t.Errorf("history %+v", h)
	}
	ref, found, err := place.Find(t.Context(), p)
	if err != nil || !found || ref != p.Ref {
		t.Errorf("found %q %v %v, want %q", ref, found, err, p.Ref)
	}
	other := p
	other.Nonce = "another"
	if _, found, err = place.Find(t.Context(), other); found || err != nil {
		t.Errorf("another surface's message was taken for ours: %v", err)
	}
	o.clean()
}

func TestMessageInThreadIsFound(t *testing.T) {
	o := open(t)
	root := o.show("slack.message", post("root"))
	p := post("tail")
	p.Where["thread"] = root
	ref := o.show("slack.message", p)
	if h := o.history(root); len(h) == 0 || h[len(h)-1].TS != ref || h[len(h)-1].ThreadTS != root {
		t.Fatalf("thread %+v", h)
	}
	got, found, err := o.Places()["slack.message"].Find(t.Context(), p)
	if err != nil || !found || got != ref {
		t.Errorf("found %q %v %v, want %q", got, found, err, ref)
	}
}

func TestLostReplyIsFoundAgain(t *testing.T) {
	o := open(t)
	p := post("once")
	o.fault(slacksim.FaultSpec{Kind: "lose_reply", Method: "chat.postMessage"})
	_, err := o.Places()["slack.message"].Show(t.Context(), p)
	if !errors.As(err, new(*integrations.Later)) {
		t.Fatalf("a lost reply is %v, want *Later", err)
	}
	ref, found, err := o.Places()["slack.message"].Find(t.Context(), p)
	if err != nil || !found || ref != o.history("")[0].TS {
		t.Errorf("found %q %v %v", ref, found, err)
	}
}

func TestWhatIsGone(t *testing.T) {
	for name, tt := range map[string]struct {
		before func(*office, *integrations.Post)
		want   string
	}{
		"no channel":  {func(_ *office, p *integrations.Post) { p.Where["channel"] = "nowhere" }, "there is no channel #nowhere"},
		"not invited": {func(_ *office, p *integrations.Post) { p.Where["channel"] = "random" }, "/invite"},
		"archived": {func(o *office, p *integrations.Post) {
			p.Where["channel"] = "C0OPS"
			o.fault(slacksim.FaultSpec{Kind: "archive_channel", Channel: "ops"})
		}, "unarchive it"},
		"deleted": {func(o *office, p *integrations.Post) {
			p.Ref = o.show("slack.message", *p)
			o.fault(slacksim.FaultSpec{Kind: "delete_message", Channel: "ops", TS: p.Ref})
		}, "deleted in Slack"},
		"another's": {func(o *office, p *integrations.Post) {
			p.Ref = o.say("alice", "ops", "mine", "").TS
		}, "cannot be edited"},
		"old trigger": {func(o *office, p *integrations.Post) { *p = modal("1.2.3") }, "type the command again"},
	} {
		t.Run(name, func(t *testing.T) {
			o := open(t)
			if name == "another's" {
				o.listen(&ear{})
			}
			p := post("x")
			tt.before(o, &p)
			place := "slack.message"
			if p.Message.Modal != nil {
				place = "slack.modal"
			}
			_, err := o.Places()[place].Show(t.Context(), p)
			var gone *integrations.Gone
			if !errors.As(err, &gone) || !strings.Contains(gone.Why, tt.want) {
				t.Errorf("show: %v, want *Gone with %q", err, tt.want)
			}
		})
	}
}

func TestRateLimits(t *testing.T) {
	o := open(t)
	place := o.Places()["slack.message"]
	o.fault(slacksim.FaultSpec{Kind: "rate_limit", Method: "chat.postMessage", RetryAfter: 7})
	var later *integrations.Later
	if _, err := place.Show(t.Context(), post("a")); !errors.As(err, &later) || later.After != 7*time.Second {
		t.Fatalf("429 is %v", err)
	}
	// The channel stays closed without asking Slack again; others are open.
	calls := 0
	o.OnCall(func(stage, method string, _ url.Values) {
		if stage == "before" && method == "chat.postMessage" {
			calls++
		}
	})
	if _, err := place.Show(t.Context(), post("b")); !errors.As(err, &later) || later.After > 7*time.Second || later.After < 5*time.Second || calls != 0 {
		t.Errorf("after a 429: %v, %d calls", err, calls)
	}
	dm := post("c")
	dm.Where["channel"] = "U0ALICE"
	o.show("slack.message", dm)
	if calls != 1 {
		t.Errorf("%d calls", calls)
	}
}

func TestOwnBudget(t *testing.T) {
	clk := clock.NewMovable(0)
	b := newBudget(clk)
	var later *integrations.Later
	for method, most := range map[string]int{"chat.update": editsAMinute, "files.completeUploadExternal": filesAMinute} {
		for i := range most {
			if err := b.take(method, "C1"); err != nil {
				t.Fatalf("%s %d: %v", method, i, err)
			}
		}
		if err := b.take(method, "C2"); !errors.As(err, &later) || later.After < 50*time.Second || later.After > time.Minute {
			t.Errorf("%s beyond the minute's, in any channel: %v", method, err)
		}
	}
	for i := range postBurst {
		if err := b.take("chat.postMessage", "C1"); err != nil {
			t.Fatalf("post %d: %v", i, err)
		}
	}
	if err := b.take("chat.postMessage", "C1"); !errors.As(err, &later) || later.After > time.Second {
		t.Errorf("post beyond the burst: %v", err)
	}
	if err := b.take("chat.postMessage", "C2"); err != nil {
		t.Errorf("post in another channel: %v", err)
	}
	b.refused("chat.postMessage", "C2", &integrations.Later{After: 20 * time.Second, Err: &slackgo.RateLimitedError{}})
	// The limits are of the clock that the process runs by: a sandbox that moves
	// it on finds room on both sides.
	if err := clk.Advance(t.Context(), time.Minute, nil); err != nil {
		t.Fatal(err)
	}
	for method, channel := range map[string]string{"chat.update": "C1", "files.completeUploadExternal": "C1", "chat.postMessage": "C2"} {
		if err := b.take(method, channel); err != nil {
			t.Errorf("a minute later: %v", err)
		}
	}
}

func TestOutageIsLater(t *testing.T) {
	o := open(t)
	o.fault(slacksim.FaultSpec{Kind: "error", Method: "chat.postMessage", Status: 503})
	if _, err := o.Places()["slack.message"].Show(t.Context(), post("a")); !errors.As(err, new(*integrations.Later)) {
		t.Errorf("503 is %v", err)
	}
	o.cfg.APIURL = "http://127.0.0.1:1/"
	_, _, err := o.Places()["slack.message"].Find(t.Context(), integrations.Post{Where: map[string]string{"channel": "C0OPS"}, Nonce: "n"})
	if !errors.As(err, new(*integrations.Later)) {
		t.Errorf("find when Slack is away: %v", err)
	}
}

func TestPrivateAnswers(t *testing.T) {
	o := open(t)
	e := &ear{}
	o.listen(e)
	answer := func(where map[string]string) (string, error) {
		return o.Places()["slack.private"].Show(t.Context(), integrations.Post{Where: where, Nonce: "n", Message: card().Message})
	}
	o.say("alice", "ops", "/ops help", "")
	h, err := o.DecodeHeard(KindCommand, e.heard()[0].Body)
	if err != nil {
		t.Fatal(err)
	}
	by := map[string]string{"channel": "C0OPS", "user": "U0ALICE", "response_url": h.ResponseURL}
	count := func() int {
		all, err := o.Ephemerals("alice", "ops")
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	for i := range 7 { // the response_url takes five, the rest goes by chat.postEphemeral
		ref, err := answer(by)
		if err != nil || ref == "" || (i < 5) != (ref == shownPrivately) {
			t.Fatalf("answer %d: %q, %v", i, ref, err)
		}
		if count() != i+1 {
			t.Fatalf("alice saw %d answers, want %d", count(), i+1)
		}
	}
	if len(o.history("")) != 0 {
		t.Errorf("others saw %+v", o.history(""))
	}
	// In a direct message it is an ordinary one.
	o.say("alice", "@signalbox", "help", "")
	d, err := o.DecodeHeard(KindEvent, e.heard()[1].Body)
	if err != nil || !d.Private {
		t.Fatal(d, err)
	}
	if _, err := answer(map[string]string{"channel": d.Channel, "user": d.User}); err != nil {
		t.Fatal(err)
	}
	dm, err := o.History(d.Channel, "")
	if err != nil || len(dm) != 2 || dm[1].Text != "op-12 is open" {
		t.Errorf("direct messages %+v, %v", dm, err)
	}
	if _, _, err := o.Places()["slack.private"].Find(t.Context(), integrations.Post{}); !errors.Is(err, integrations.ErrNotReadable) {
		t.Errorf("find: %v", err)
	}
}

// For what is shown at most once, only certainty that it was not shown is *Later.
func TestPrivateAnswerInDoubt(t *testing.T) {
	o := open(t)
	show := func() error {
		_, err := o.Places()["slack.private"].Show(t.Context(), integrations.Post{
			Where: map[string]string{"channel": "C0OPS", "user": "U0ALICE"}, Message: integrations.Message{Text: "psst"},
		})
		return err
	}
	o.fault(slacksim.FaultSpec{Kind: "lose_reply", Method: "chat.postEphemeral"})
	if err := show(); err == nil || errors.As(err, new(*integrations.Later)) {
		t.Errorf("a lost reply is %v", err)
	}
	o.fault(slacksim.FaultSpec{Kind: "rate_limit", Method: "chat.postEphemeral", RetryAfter: 60})
	if err := show(); !errors.As(err, new(*integrations.Later)) {
		t.Errorf("429 is %v", err)
	}
	all, err := o.Ephemerals("alice", "ops")
	if err != nil || len(all) != 1 {
		t.Errorf("alice saw %+v, %v", all, err)
	}
}

func TestPrivateAnswerWaitsForAShortLimit(t *testing.T) {
	o := open(t)
	o.fault(slacksim.FaultSpec{Kind: "rate_limit", Method: "chat.postEphemeral", RetryAfter: 1})
	o.show("slack.private", integrations.Post{
		Where: map[string]string{"channel": "C0OPS", "user": "U0ALICE"}, Message: integrations.Message{Text: "psst"},
	})
}

func TestFileIsUploadedAndFound(t *testing.T) {
	o := open(t)
	if _, err := o.Auth(t.Context()); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, []byte("Apply complete!\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := post("The whole log")
	p.Where["thread"] = o.show("slack.message", post("root"))
	p.Message.File = &integrations.File{Name: "job-31.log", Path: path, Title: "job-31, attempt 1"}
	place := o.Places()["slack.file"]
	if _, found, err := place.Find(t.Context(), p); found || err != nil {
		t.Fatalf("found before it was there, %v", err)
	}
	ref := o.show("slack.file", p)
	h := o.history(p.Where["thread"])
	last := h[len(h)-1]
	if len(last.Files) != 1 || last.Files[0].ID != ref || last.Text != "The whole log" {
		t.Fatalf("thread %+v", h)
	}
	got, found, err := place.Find(t.Context(), p)
	if err != nil || !found || got != ref {
		t.Errorf("found %q %v %v, want %q", got, found, err, ref)
	}
	p.Message.File.Path = path + ".gone"
	if _, err := place.Show(t.Context(), p); !errors.As(err, new(*integrations.Gone)) {
		t.Errorf("a file that is not there: %v", err)
	}
	o.clean()
}

func TestLookups(t *testing.T) {
	o := open(t)
	if _, err := o.Auth(t.Context()); err != nil {
		t.Fatal(err)
	}
	if id, err := o.ChannelID(t.Context(), "#ops"); err != nil || id != "C0OPS" {
		t.Errorf("channel %q, %v", id, err)
	}
	u, err := o.User(t.Context(), "U0ALICE")
	if err != nil || u.Email != "alice@example.com" || u.Guest {
		t.Errorf("user %+v, %v", u, err)
	}
	for id, want := range map[string]bool{"U0ALICE": false, "U0GUS": true, "U0OLGA": true} {
		if got, err := o.Outsider(t.Context(), id); err != nil || got != want {
			t.Errorf("outsider %s: %v, %v", id, got, err)
		}
	}
	if out, err := o.Outsider(t.Context(), "U0NOBODY"); err == nil || !out {
		t.Errorf("nobody: %v, %v", out, err)
	}
}

func TestCheck(t *testing.T) {
	t.Run("good", func(t *testing.T) {
		o := open(t)
		for _, f := range o.Check(t.Context(), []string{"ops"}) {
			if !f.OK {
				t.Errorf("%+v", f)
			}
		}
	})
	t.Run("bad", func(t *testing.T) {
		o := open(t, func(sc *slacksim.Config, _ *Config) {
			sc.AppToken = "xapp-other"
			sc.Scopes = []string{"chat:write", "channels:read", "groups:read"}
		})
		got := map[string]integrations.Finding{}
		for _, f := range o.Check(t.Context(), []string{"ops", "random", "nowhere"}) {
			got[f.What] = f
		}
		for what, want := range map[string]string{
			"Slack app token": "Slack does not know it", "Slack scope commands": "missing",
			"Slack channel random": "not in it", "Slack channel nowhere": "there is no channel",
		} {
			if f := got[what]; f.OK || f.Do == "" || !strings.Contains(f.Say, want) {
				t.Errorf("%s: %+v, want %q", what, f, want)
			}
		}
		if f := got["Slack channel ops"]; !f.OK {
			t.Errorf("%+v", f)
		}
	})
	t.Run("unknown bot", func(t *testing.T) {
		o := open(t, func(sc *slacksim.Config, _ *Config) { sc.BotToken = "xoxb-other" })
		all := o.Check(t.Context(), []string{"ops"})
		if len(all) != 2 || all[0].OK || !strings.Contains(all[0].Say, "Slack does not know it") || !all[1].OK {
			t.Errorf("%+v", all)
		}
	})
}

// Whoever has a response_url can answer in our name: it is in no error.
func TestResponseURLIsInNoError(t *testing.T) {
	o := open(t)
	address := "http://127.0.0.1:1/commands/T0/123/hunter22" // nobody listens there
	err := o.respond(t.Context(), address, "psst")
	if err == nil || strings.Contains(err.Error(), "hunter22") || !unreached(err) {
		t.Errorf("got %v", err)
	}
}
