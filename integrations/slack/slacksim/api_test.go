package slacksim_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"

	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/integrations/slack/slacksim"
)

func modal(title, extra string) string {
	return `{"type":"modal","title":{"type":"plain_text","text":"` + title + `"},"blocks":[{"type":"divider"}]` + extra + `}`
}

// TestRefusals holds what the Web API refuses.
func TestRefusals(t *testing.T) {
	cfg := workspace()
	cfg.Lenient = true
	o := open(t, cfg)
	mine := o.must("chat.postMessage", args("channel", "COPS", "text", "card"))["ts"].(string)
	eph := o.must("chat.postEphemeral", args("channel", "COPS", "user", "UBOB", "text", "psst"))["message_ts"].(string)
	theirs := o.wait(o.say("alice", "ops", "hi", "")).TS
	o.must("reactions.add", args("channel", "COPS", "timestamp", mine, "name", "eyes"))
	long := func(n int) string { return strings.Repeat("é", n) }
	for _, c := range []struct {
		method string
		args   url.Values
		want   string
	}{
		{"chat.postMessage", args("channel", "CRANDOM", "text", "x"), "not_in_channel"},
		{"chat.postMessage", args("channel", "CSECRET", "text", "x"), "channel_not_found"},
		{"chat.postMessage", args("channel", "CNONE", "text", "x"), "channel_not_found"},
		{"chat.postMessage", args("channel", "UNOBODY", "text", "x"), "channel_not_found"},
		{"chat.postMessage", args("channel", "COPS"), "no_text"},
		{"chat.postMessage", args("text", "x"), "invalid_arguments"},
		{"chat.postMessage", args("channel", "COPS", "text", "x", "colour", "red"), "invalid_arguments"},
		{"chat.postMessage", args("channel", "COPS", "text", long(40001)), "msg_too_long"},
		{"chat.postMessage", args("channel", "COPS", "markdown_text", long(12001)), "msg_too_long"},
		{"chat.postMessage", args("channel", "COPS", "text", "x", "markdown_text", "y"), "markdown_text_conflict"},
		{"chat.postMessage", args("channel", "COPS", "text", "x", "metadata", `{"event_type":"a"}`), "invalid_metadata_format"},
		{"chat.postMessage", args("channel", "COPS", "text", "x", "metadata", `nonsense`), "invalid_metadata_format"},
		{"chat.postEphemeral", args("channel", "COPS", "user", "UNOBODY", "text", "x"), "user_not_in_channel"},
		{"chat.postEphemeral", args("channel", "COPS", "user", "UBOB", "text", "x", "metadata", "{}"), "invalid_arguments"},
		{"chat.update", args("channel", "COPS", "ts", "1.000000", "text", "x"), "message_not_found"},
		{"chat.update", args("channel", "COPS", "ts", eph, "text", "x"), "message_not_found"},
		{"chat.update", args("channel", "COPS", "ts", theirs, "text", "x"), "cant_update_message"},
		{"chat.update", args("channel", "COPS", "ts", mine), "no_text"},
		{"chat.delete", args("channel", "COPS", "ts", theirs), "cant_delete_message"},
		{"chat.delete", args("channel", "COPS", "ts", "1.000000"), "message_not_found"},
		{"chat.getPermalink", args("channel", "COPS", "message_ts", "1.0"), "message_not_found"},
		{"reactions.add", args("channel", "COPS", "timestamp", mine, "name", "eyes"), "already_reacted"},
		{"reactions.add", args("channel", "COPS", "timestamp", "1.0", "name", "eyes"), "message_not_found"},
		{"conversations.history", args("channel", "CRANDOM"), "not_in_channel"},
		{"conversations.history", args("channel", "CSECRET"), "channel_not_found"},
		{"conversations.history", args("channel", "COPS", "cursor", "x"), "invalid_cursor"},
		{"conversations.history", args("channel", "COPS", "limit", "x"), "invalid_limit"},
		{"conversations.replies", args("channel", "COPS", "ts", "1.0"), "thread_not_found"},
		{"conversations.info", args("channel", "ops"), "channel_not_found"},
		{"conversations.join", args("channel", "CSECRET"), "channel_not_found"},
		{"conversations.open", args("users", "alice"), "user_not_found"},
		{"users.info", args("user", "alice"), "user_not_found"},
		{"users.lookupByEmail", args("email", "nobody@example.com"), "users_not_found"},
		{"bots.info", args("bot", "B1"), "bot_not_found"},
		{"views.open", args("trigger_id", "1.2.3", "view", modal("T", "")), "expired_trigger_id"},
		{"views.open", args("view", modal("T", "")), "invalid_trigger_id"},
		{"views.open", args("trigger_id", "x", "view", modal(long(25), "")), "invalid_arguments"},
		{"views.open", args("trigger_id", "x", "view", modal("T", `,"private_metadata":"`+long(3001)+`"`)), "invalid_arguments"},
		{"views.open", args("trigger_id", "x", "view", modal("T", `,"colour":1`)), "invalid_arguments"},
		{"views.open", args("trigger_id", "x", "view", strings.Replace(modal("T", ""), `{"type":"divider"}`, `{"type":"input","label":{"type":"plain_text","text":"L"},"element":{"type":"plain_text_input"}}`, 1)), "invalid_arguments"},
		{"views.open", args("trigger_id", "x", "view", strings.Repeat(" ", 250*1024)+modal("T", "")), "view_too_large"},
		{"views.update", args("view_id", "V1", "view", modal("T", "")), "not_found"},
		{"views.publish", args("user_id", "UBOB", "hash", "old", "view", `{"type":"home"}`), "hash_conflict"},
		{"views.publish", args("user_id", "UBOB", "view", modal("T", "")), "invalid_arguments"},
		{"views.publish", args("user_id", "bob", "view", `{"type":"home"}`), "invalid_arguments"},
		{"views.publish", args("user_id", "U0SIGNALBOX", "view", `{"type":"home"}`), "invalid_arguments"},
		{"views.publish", args("user_id", "UOTHER", "view", `{"type":"home"}`), "invalid_arguments"},
		{"views.publish", args("view", `{"type":"home"}`), "invalid_arguments"},
		{"views.publish", args("user_id", "UBOB", "view", `{"type":"home","blocks":[`+strings.TrimSuffix(strings.Repeat(`{"type":"divider"},`, 101), ",")+`]}`), "invalid_arguments"},
		{"views.publish", args("user_id", "UBOB", "view", `{"type":"home","blocks":[{"type":"markdown","text":"x"}]}`), "invalid_arguments"},
		{"views.publish", args("user_id", "UBOB", "view", `{"type":"home","blocks":[{"type":"section","text":{"type":"mrkdwn","text":"`+long(3001)+`"}}]}`), "invalid_arguments"},
		{"views.publish", args("user_id", "UBOB", "view", `{"type":"home","blocks":[{"type":"actions","elements":[{"type":"button","action_id":"`+long(256)+`","text":{"type":"plain_text","text":"B"}}]}]}`), "invalid_arguments"},
		{"files.getUploadURLExternal", args("filename", "a", "length", "0"), "invalid_arguments"},
		{"files.completeUploadExternal", args("files", `[{"id":"F1"}]`), "file_not_found"},
		{"files.info", args("file", "F1"), "file_not_found"},
		{"chat.shout", nil, "unknown_method"},
	} {
		if out := o.call(c.method, c.args); out["error"] != c.want {
			t.Errorf("%s %.120v: %v, want %s", c.method, c.args, out, c.want)
		}
	}
	if err := o.Fault(slacksim.FaultSpec{Kind: "archive_channel", Channel: "ops"}); err != nil {
		t.Fatal(err)
	}
	if out := o.call("chat.update", args("channel", "COPS", "ts", mine, "text", "x")); out["error"] != "is_archived" {
		t.Errorf("archived: %v", out)
	}
}

func TestTokensAndScopes(t *testing.T) {
	cfg := workspace()
	cfg.Scopes = []string{"chat:write", "users:read"}
	o := open(t, cfg)
	form := "application/x-www-form-urlencoded"
	for _, c := range []struct{ method, token, body, want string }{
		{"auth.test", "", "", "not_authed"},
		{"auth.test", "xoxb-other", "", "invalid_auth"},
		{"chat.postMessage", "xapp-1-sandbox", "channel=COPS&text=x", "not_allowed_token_type"},
		{"reactions.add", "xoxb-sandbox", "channel=COPS", "missing_scope"},
		{"auth.test", "", "token=xoxb-sandbox", ""}, // in the body will do
		{"chat.postMessage", "xoxb-sandbox", "channel=COPS&text=x", ""},
	} {
		res, out := o.post(o.url+"/api/"+c.method, c.token, form, c.body)
		if e, _ := out["error"].(string); e != c.want {
			t.Errorf("%+v: %v", c, out)
		}
		if h := res.Header.Get("X-OAuth-Scopes"); h != "chat:write,users:read" {
			t.Errorf("X-OAuth-Scopes: %q", h)
		}
		if c.want == "missing_scope" && (out["needed"] != "reactions:write" || out["provided"] != "chat:write,users:read") {
			t.Errorf("missing_scope says %v", out)
		}
	}
	u, err := o.client().GetUserInfo("UALICE")
	if err != nil || u.Profile.Email != "" {
		t.Errorf("an email without users:read.email: %+v, %v", u, err)
	}
}

func TestBodies(t *testing.T) {
	o := open(t, workspace())
	multi := "--b\r\nContent-Disposition: form-data; name=\"channel\"\r\n\r\nCOPS\r\n" +
		"--b\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\nx\r\n--b--\r\n"
	for kind, body := range map[string]string{
		"application/json; charset=utf-8":   `{"channel":"COPS","text":"x","blocks":[{"type":"divider"}],"unfurl_links":false}`,
		"application/x-www-form-urlencoded": "channel=COPS&text=x",
		"multipart/form-data; boundary=b":   multi,
	} {
		if _, out := o.post(o.url+"/api/chat.postMessage", "xoxb-sandbox", kind, body); out["ok"] != true {
			t.Errorf("%s: %v", kind, out)
		}
	}
	if _, out := o.post(o.url+"/api/chat.postMessage", "xoxb-sandbox", "application/json", "{"); out["error"] != "invalid_form_data" {
		t.Errorf("broken JSON: %v", out)
	}
}

// TestUpdate holds which parts of a message an edit keeps.
func TestUpdate(t *testing.T) {
	o := open(t, workspace())
	blocks := `[{"type":"divider"}]`
	ts := o.must("chat.postMessage", args("channel", "COPS", "text", "one", "blocks", blocks, "metadata", `{"event_type":"e","event_payload":{"n":1}}`))["ts"].(string)
	for _, c := range []struct {
		give   []string
		text   string
		blocks int
	}{
		{[]string{"blocks", blocks}, "one", 1},
		{[]string{"text", "two", "blocks", blocks}, "two", 1},
		{[]string{"text", "three"}, "three", 0},
	} {
		o.must("chat.update", args(append([]string{"channel", "COPS", "ts", ts}, c.give...)...))
		ms, err := o.History("ops", "")
		if err != nil {
			t.Fatal(err)
		}
		var got []any
		if err := json.Unmarshal(ms[0].Blocks, &got); err != nil {
			t.Fatal(err)
		}
		if ms[0].Text != c.text || len(got) != c.blocks || !ms[0].Edited || ms[0].TS != ts {
			t.Errorf("after %v: %+v", c.give, ms[0])
		}
	}
	h, err := o.client().GetConversationHistory(&slack.GetConversationHistoryParameters{ChannelID: "COPS", IncludeAllMetadata: true})
	if err != nil || h.Messages[0].Metadata.EventType != "e" {
		t.Errorf("metadata %+v, %v", h.Messages[0].Metadata, err)
	}
	h, err = o.client().GetConversationHistory(&slack.GetConversationHistoryParameters{ChannelID: "COPS"})
	if err != nil || h.Messages[0].Metadata.EventType != "" {
		t.Errorf("metadata unasked: %+v, %v", h.Messages[0].Metadata, err)
	}
	o.clean()
}

func TestThreadsAndHistory(t *testing.T) {
	cfg := workspace()
	cfg.Lenient = true
	o := open(t, cfg)
	api := o.client()
	post := func(text string, more ...slack.MsgOption) string {
		_, ts, err := api.PostMessage("COPS", append(more, slack.MsgOptionText(text, false))...)
		if err != nil {
			t.Fatal(err)
		}
		return ts
	}
	root := post("root")
	reply := post("reply", slack.MsgOptionTS(root))
	post("reply to the reply", slack.MsgOptionTS(reply))
	post("broadcast", slack.MsgOptionTS(root), slack.MsgOptionBroadcast())
	post("orphan", slack.MsgOptionTS("1.000000"))
	rs, _, _, err := api.GetConversationReplies(&slack.GetConversationRepliesParameters{ChannelID: "COPS", Timestamp: root})
	if err != nil || len(rs) != 4 || rs[0].Timestamp != root || rs[0].ReplyCount != 3 || rs[2].ThreadTimestamp != root {
		t.Errorf("replies %+v, %v", rs, err)
	}
	var texts []string
	cursor := ""
	for {
		h, err := api.GetConversationHistory(&slack.GetConversationHistoryParameters{ChannelID: "COPS", Limit: 2, Cursor: cursor})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range h.Messages {
			texts = append(texts, m.Text)
		}
		if cursor = h.ResponseMetaData.NextCursor; cursor == "" {
			break
		}
	}
	if want := []string{"orphan", "broadcast", "root"}; !slices.Equal(texts, want) {
		t.Errorf("history %q, want %q", texts, want)
	}
	h, err := api.GetConversationHistory(&slack.GetConversationHistoryParameters{ChannelID: "COPS", Oldest: root, Latest: root, Inclusive: true})
	if err != nil || len(h.Messages) != 1 {
		t.Errorf("one message by its ts: %+v, %v", h, err)
	}
	if h, err = api.GetConversationHistory(&slack.GetConversationHistoryParameters{ChannelID: "COPS", Oldest: root}); err != nil || len(h.Messages) != 2 {
		t.Errorf("after the root: %+v, %v", h, err)
	}
	o.clean()
}

func TestReading(t *testing.T) {
	o := open(t, workspace())
	api := o.client()
	chs, _, err := api.GetConversations(&slack.GetConversationsParameters{Types: []string{"public_channel", "private_channel"}})
	if err != nil || len(chs) != 2 || !chs[0].IsMember || chs[1].IsMember {
		t.Errorf("channels %+v, %v", chs, err)
	}
	us, err := api.GetUsers()
	if err != nil || len(us) != 5 {
		t.Errorf("users %+v, %v", us, err)
	}
	for id, want := range map[string]string{"UGUEST": "restricted", "UOTHER": "stranger T0OTHER"} {
		u, err := api.GetUserInfo(id)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if u.IsRestricted {
			got = "restricted"
		}
		if u.IsStranger {
			got = "stranger " + u.TeamID
		}
		if got != want {
			t.Errorf("%s is %q, want %q", id, got, want)
		}
	}
	if u, err := api.GetUserByEmail("ALICE@example.com"); err != nil || u.ID != "UALICE" {
		t.Errorf("by email: %+v, %v", u, err)
	}
	ids, _, err := api.GetUsersInConversation(&slack.GetUsersInConversationParameters{ChannelID: "COPS"})
	if err != nil || len(ids) != 5 {
		t.Errorf("members %v, %v", ids, err)
	}
	im, _, _, err := api.OpenConversation(&slack.OpenConversationParameters{Users: []string{"UBOB"}})
	if err != nil || !strings.HasPrefix(im.ID, "D") {
		t.Fatalf("im %+v, %v", im, err)
	}
	if same, err := o.DirectMessages("bob"); err != nil || same != im.ID {
		t.Errorf("direct messages %s, want %s, %v", same, im.ID, err)
	}
	if _, _, _, err := api.JoinConversation("CRANDOM"); err != nil {
		t.Error(err)
	}
	_, ts, err := api.PostMessage("CRANDOM", slack.MsgOptionText("I am here now", false))
	if err != nil {
		t.Error(err)
	}
	if link, err := api.GetPermalink(&slack.PermalinkParameters{Channel: "CRANDOM", Ts: ts}); err != nil || !strings.HasSuffix(link, "/archives/CRANDOM/p"+strings.Replace(ts, ".", "", 1)) {
		t.Errorf("permalink %s, %v", link, err)
	}
	if a, err := api.AuthTest(); err != nil || a.BotID != "B0SIGNALBOX" {
		t.Errorf("auth.test %+v, %v", a, err)
	}
	if ti, err := api.GetTeamInfo(); err != nil || ti.Domain != "acme" {
		t.Errorf("team %+v, %v", ti, err)
	}
	if b, err := api.GetBotInfo(slack.GetBotInfoParameters{Bot: "B0SIGNALBOX"}); err != nil || b.UserID != "U0SIGNALBOX" {
		t.Errorf("bot %+v, %v", b, err)
	}
	o.clean()
}

func TestOneMessageASecondAChannel(t *testing.T) {
	for _, lenient := range []bool{false, true} {
		cfg := workspace()
		cfg.Lenient = lenient
		o := open(t, cfg)
		limited := false
		for range 30 {
			res, _ := o.post(o.url+"/api/chat.postMessage", "xoxb-sandbox", "application/x-www-form-urlencoded", "channel=COPS&text=x")
			if res.StatusCode == http.StatusTooManyRequests {
				limited = true
				if res.Header.Get("Retry-After") != "1" {
					t.Errorf("Retry-After %q", res.Header.Get("Retry-After"))
				}
				break
			}
		}
		if limited == lenient {
			t.Errorf("limited: %t, lenient: %t", limited, lenient)
		}
	}
}

// A tier is so many calls in any minute of the workspace's clock.
func TestTiers(t *testing.T) {
	cfg := workspace()
	clk := clock.NewMovable(0)
	cfg.Clock = clk
	o := open(t, cfg)
	ts := o.must("chat.postMessage", args("channel", "COPS", "text", "x"))["ts"].(string)
	edits := func() int {
		for n := range 300 {
			if o.call("chat.update", args("channel", "COPS", "ts", ts, "text", fmt.Sprint(n)))["error"] == "ratelimited" {
				return n
			}
		}
		t.Fatal("300 edits at once were taken")
		return 0
	}
	if n := edits(); n != 50 {
		t.Errorf("%d edits at once were taken", n)
	}
	for by, want := range []int{0, 50} {
		if err := clk.Advance(t.Context(), 31*time.Second, nil); err != nil {
			t.Fatal(err)
		}
		if n := edits(); n != want {
			t.Errorf("%d s after those, %d more were taken, want %d", 31*(by+1), n, want)
		}
	}
}

// TestResponseURL holds five uses, half an hour, and the ways to answer.
func TestResponseURL(t *testing.T) {
	cfg := workspace()
	clk := clock.NewMovable(0)
	cfg.Clock, cfg.Quiet = clk, time.Millisecond
	o := open(t, cfg)
	w := o.dial()
	command := func() string {
		act := o.say("alice", "random", "/ops help", "")
		e := w.next()
		w.ack(e.EnvelopeID, "")
		o.wait(act)
		return e.field(t, "response_url")
	}
	send := func(u, body string) (int, any) {
		res, out := o.post(u, "", "application/json", body)
		return res.StatusCode, out["error"]
	}
	u := command()
	if code, e := send(u, `{"text":"x","colour":1}`); code != 400 || e != "invalid_payload" {
		t.Errorf("unknown field: %d %v", code, e)
	}
	if code, e := send(u, `{}`); code != 400 || e != "no_text" {
		t.Errorf("nothing: %d %v", code, e)
	}
	for i := range 5 {
		kind := `"ephemeral"`
		if i == 4 { // public, although the bot is not in that channel
			kind = `"in_channel"`
		}
		if code, e := send(u, `{"text":"x","response_type":`+kind+`}`); code != 200 {
			t.Errorf("use %d: %d %v", i+1, code, e)
		}
	}
	if code, e := send(u, `{"text":"x"}`); code != 404 || e != "used_url" {
		t.Errorf("sixth use: %d %v", code, e)
	}
	if es, _ := o.Ephemerals("alice", "random"); len(es) != 4 {
		t.Errorf("%d ephemeral", len(es))
	}
	if ms, _ := o.History("random", ""); len(ms) != 1 {
		t.Errorf("%d public", len(ms))
	}
	u = command()
	move(t, o, clk, 29*time.Minute)
	if code, e := send(u, `{"text":"x"}`); code != 200 {
		t.Errorf("after 29 minutes: %d %v", code, e)
	}
	move(t, o, clk, 2*time.Minute)
	if code, e := send(u, `{"text":"x"}`); code != 404 || e != "expired_url" {
		t.Errorf("after 31 minutes: %d %v", code, e)
	}
}

// TestReplaceAndDelete: a press may change or remove the message pressed, an
// ephemeral one too.
func TestReplaceAndDelete(t *testing.T) {
	cfg := workspace()
	cfg.Events = []string{}
	o := open(t, cfg)
	w := o.dial()
	buttons := `[{"type":"actions","elements":[{"type":"button","action_id":"a","value":"v","text":{"type":"plain_text","text":"Go"}}]}]`
	public := o.must("chat.postMessage", args("channel", "COPS", "text", "card", "blocks", buttons))["ts"].(string)
	private := o.must("chat.postEphemeral", args("channel", "COPS", "user", "UBOB", "text", "psst", "blocks", buttons))["message_ts"].(string)
	press := func(ts, body string) slacksim.Answer {
		t.Helper()
		c := make(chan said, 1)
		go func() {
			a, err := o.Click(t.Context(), "bob", "ops", ts, "Go")
			c <- said{a, err}
		}()
		e := w.next()
		w.ack(e.EnvelopeID, "")
		if res, out := o.post(e.field(t, "response_url"), "", "application/json", body); res.StatusCode != 200 {
			t.Errorf("%s: %v", body, out)
		}
		return o.wait(c)
	}
	if a := press(private, `{"text":"done","replace_original":true}`); a.Response == nil || a.Response.Text != "done" || a.Response.TS != private {
		t.Errorf("%+v", a.Response)
	}
	if a := press(public, `{"text":"only for bob"}`); a.Response == nil || a.Response.Text != "only for bob" {
		t.Errorf("%+v", a.Response)
	}
	press(public, `{"delete_original":true}`)
	if ms, _ := o.History("ops", ""); len(ms) != 0 {
		t.Errorf("still there: %+v", ms)
	}
	var r *slacksim.Refusal
	if _, err := o.Click(t.Context(), "alice", "ops", private, "Go"); !errors.As(err, &r) || r.Code != "message_not_found" {
		t.Errorf("alice presses what only bob sees: %v", err)
	}
	o.clean()
}

func TestOnCall(t *testing.T) {
	o := open(t, workspace())
	var got []string
	o.OnCall(func(stage, method string, a url.Values) {
		ms, err := o.History("ops", "") // the hook may look around
		got = append(got, fmt.Sprint(stage, " ", method, " ", a.Get("text"), " ", len(ms), err))
	})
	o.must("chat.postMessage", args("channel", "COPS", "text", "x"))
	if want := []string{"before chat.postMessage x 0 <nil>", "after chat.postMessage x 1 <nil>"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestUploadsMustBeWhole(t *testing.T) {
	o := open(t, workspace())
	out := o.must("files.getUploadURLExternal", args("filename", "a.log", "length", "4"))
	u, id := out["upload_url"].(string), out["file_id"].(string)
	if res, _ := o.post(u, "", "text/plain", "abc"); res.StatusCode != 400 {
		t.Errorf("three bytes of four: %s", res.Status)
	}
	files := `[{"id":"` + id + `"}]`
	if out := o.call("files.completeUploadExternal", args("files", files)); out["error"] != "file_not_found" {
		t.Errorf("without bytes: %v", out)
	}
	body := "--b\r\nContent-Disposition: form-data; name=\"body\"; filename=\"a\"\r\n\r\nabcd\r\n--b--\r\n"
	if res, out := o.post(u, "", "multipart/form-data; boundary=b", body); res.StatusCode != 200 {
		t.Errorf("a form: %s %v", res.Status, out)
	}
	o.must("files.completeUploadExternal", args("files", files, "channel_id", "COPS"))
	o.must("files.info", args("file", id))
}
