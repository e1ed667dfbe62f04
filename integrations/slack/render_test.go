package slack

import (
	"flag"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	slackgo "github.com/slack-go/slack"

	"github.com/signalbox-chatops/signalbox/integrations"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (go test -update writes it anew):\n%s", path, got)
	}
}

// full uses every kind of block.
func full() integrations.Message {
	alice := integrations.Person{Name: "alice", Slack: "U0ALICE"}
	return integrations.Message{
		Text: "op-12 open: web → production, <3 commits> +1 ~0 -0 https://github.com/acme/web/pull/7",
		Blocks: []integrations.Block{
			{Header: "Deploy web to production"},
			{Text: integrations.R("Asked by ", integrations.Who(alice), " for ", integrations.Who(integrations.Person{GitHub: "zed<"}), ": ",
				integrations.Italic("a < b & c"), ", see ", integrations.Link("https://github.com/acme/web/pull/7?a=1&b=2", "#7 <fix | it>"))},
			{Fields: []integrations.Field{
				{Name: "State", Value: integrations.R(integrations.Bold("open"))},
				{Name: "Plan", Value: integrations.R(integrations.Code("+1 ~0 -0"))},
			}},
			{Text: integrations.R(integrations.Bold("本番"), "へ", integrations.Code("web"), "を出す")},
			{Divider: true},
			{Code: "$ terraform apply\n<done> ```no fence```\n"},
			{Details: &integrations.Details{Title: "Whole plan", Code: "left out"}},
			{Context: integrations.R("2m 3s · next: merge")},
			{Buttons: []integrations.Button{
				{Label: "Merge", Command: "merge op-12", Version: 7, Style: "primary", Confirm: "Ship 3 commits to production?"},
				{Label: "Cancel", Command: "cancel op-12", Version: 7, Style: "danger", Confirm: "Close the pull request?"},
				{Label: "Log", URL: "https://example.com/log"},
			}},
		},
	}
}

func TestRenderGolden(t *testing.T) {
	r := render(full())
	golden(t, "card.json", r.text+"\n"+mustJSON(t, slackgo.Blocks{BlockSet: r.blocks})+"\n")
	v, err := view(*modal("").Message.Modal, Place{Channel: "C0OPS", ChannelName: "ops"})
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "modal.json", mustJSON(t, v)+"\n")
	golden(t, "manifest.yaml", string(Manifest("ops", []Shortcut{
		{Name: "Deploy…", Description: "Open a deploy", Verb: "deploy"}, {Name: "Escalate this", Description: "Because of this message", Verb: "incident", Message: "title"},
	})))
}

func TestFullCardIsTaken(t *testing.T) {
	o := open(t)
	p := post("")
	p.Message = full()
	o.show("slack.message", p)
	if h := o.history(""); len(h) != 1 || len(h[0].Buttons) != 3 {
		t.Errorf("history %+v", h)
	}
	o.clean()
}

// Whatever is rendered, Slack takes it: the simulator enforces Slack's limits.
func TestHugeMessagesAreCut(t *testing.T) {
	long := strings.Repeat("長い行 & <tag> `x` *y*\n", 2000)
	var many []integrations.Block
	for i := range 70 {
		many = append(many, integrations.Block{Text: integrations.R("part ", i)})
	}
	var buttons []integrations.Button
	for i := range 40 {
		buttons = append(buttons, integrations.Button{Label: strings.Repeat("ラベル", 40), Command: "merge op-12", Confirm: long, Version: uint64(i)})
	}
	buttons = append(buttons, integrations.Button{Label: "too long", Command: long})
	end := integrations.Block{Buttons: []integrations.Button{{Label: "Merge", Command: "merge op-12"}}}
	for name, blocks := range map[string][]integrations.Block{
		"text":     {{Text: integrations.R(long)}, end},
		"one line": {{Text: integrations.R(strings.ReplaceAll(long, "\n", " "))}, end},
		"bold":     {{Text: integrations.R(integrations.Bold(long))}, end},
		"code":     {{Code: long}, {Code: long}, {Code: long}, {Code: long}, {Code: long}, {Code: long}, end},
		"header":   {{Header: long}, end},
		"context":  {{Context: integrations.R(long)}, end},
		"fields":   {{Fields: []integrations.Field{{Name: long, Value: integrations.R(long)}, {Name: "n"}, {}}}, end},
		"many":     append(many, end),
		"buttons":  {{Text: integrations.R(long)}, {Buttons: buttons}, end},
		"empty":    {{}, {Text: integrations.R(" \n")}, {Context: integrations.R(" ")}, end},
	} {
		t.Run(name, func(t *testing.T) {
			o := open(t)
			p := post("x")
			p.Message = integrations.Message{Text: long, Blocks: blocks}
			o.show("slack.message", p)
			o.clean()
			h := o.history("")
			if len(h) != 1 || len(h[0].Buttons) == 0 || name != "buttons" && h[0].Buttons[len(h[0].Buttons)-1].Label != "Merge" {
				t.Fatalf("the last button is gone: %d messages", len(h))
			}
			if strings.Contains(o.log.String(), "simplest form") {
				t.Errorf("the full form was refused:\n%s", o.log)
			}
			if raw := string(h[0].Blocks); !utf8.ValidString(raw) || strings.ContainsRune(raw, utf8.RuneError) {
				t.Error("a character was cut in two")
			}
		})
	}
}

func TestCodeKeepsItsEnd(t *testing.T) {
	got := fence(strings.Repeat("line\n", 2000)+"Error: the end", mostSection)
	if length(got) > mostSection || !strings.HasSuffix(got, "Error: the end\n```") || !strings.HasPrefix(got, "```\n…\n") {
		t.Errorf("%d characters: %.40q … %q", length(got), got, got[len(got)-40:])
	}
	if got := fence(strings.Repeat("&", 3000), mostSection); strings.Contains(strings.ReplaceAll(got, "&amp;", ""), "amp;") {
		t.Errorf("an entity was cut: %q", got[:60])
	}
}

func TestMrkdwn(t *testing.T) {
	for _, tt := range []struct {
		in   integrations.Rich
		want string
	}{
		{integrations.R("<!channel> & co"), "&lt;!channel&gt; &amp; co"},
		{integrations.R(integrations.Bold("a*b")), "*a∗b*"},
		{integrations.R(integrations.Bold(" a ")), " *a* "},
		{integrations.R(integrations.Bold("a\nb")), "*a*\n*b*"},
		{integrations.R(integrations.Bold("")), ""},
		{integrations.R(integrations.Code("a`b")), "`a'b`"},
		{integrations.R("x", integrations.Code("y"), "z"), "x\u200b`y`\u200bz"},
		{integrations.R("x ", integrations.Code("y"), ", z"), "x `y`, z"},
		{integrations.R(integrations.Bold("a"), integrations.Code("b")), "*a*\u200b`b`"},
		{integrations.R(integrations.Link("https://x/?a=1&b=<>|", "a|b>")), "<https://x/?a=1&amp;b=%3C%3E%7C|a¦b&gt;>"},
		{integrations.R(integrations.Link("", "a")), "a"},
		{integrations.R(integrations.Link("https://x", "")), "<https://x>"},
	} {
		if got := mrkdwn(tt.in); got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestCutMarkup(t *testing.T) {
	for _, tt := range []struct {
		in   string
		most int
		want string
	}{
		{"short", 10, "short"},
		{"abcdefghij", 6, "abc…"},
		{"ab &amp; cd", 8, "ab …"},
		{"ab <https://x|y> cd", 12, "ab …"},
		{"ab `code here`", 10, "ab `cod`…"},
	} {
		got := cutMarkup(tt.in, tt.most)
		if got != tt.want || length(got) > tt.most {
			t.Errorf("%q to %d: %q, want %q", tt.in, tt.most, got, tt.want)
		}
	}
}

func TestRefusedBlocksAreSentPlainly(t *testing.T) {
	o := open(t)
	o.http.Transport = &refuser{method: "/chat.postMessage", answer: `{"ok":false,"error":"invalid_blocks"}`}
	o.show("slack.message", card())
	h := o.history("")
	if len(h) != 1 || h[0].Text != "op-12 is open" || len(h[0].Buttons) != 2 {
		t.Errorf("history %+v", h)
	}
	if !strings.Contains(o.log.String(), "simplest form") {
		t.Error("it was not said")
	}
}

// refuser answers the first call of a method itself.
type refuser struct {
	method, answer string
	done           bool
}

func (r *refuser) RoundTrip(req *http.Request) (*http.Response, error) {
	if r.done || !strings.HasSuffix(req.URL.Path, r.method) {
		return http.DefaultTransport.RoundTrip(req)
	}
	r.done = true
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(r.answer)), Request: req}, nil
}

func TestATimeIsShownInTheZoneOfWhoeverReads(t *testing.T) {
	at := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	tokyo, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		t.Fatal(err)
	}
	got := mrkdwn(integrations.R("live ", integrations.When(at, tokyo), " by bob"))
	if want := "live <!date^1795168800^{date_short_pretty} {time}|2026-11-20 19:00 JST> by bob"; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	for text, want := range map[string]string{
		"held until 2026-11-20 10:00 UTC, by <bob>": "held until <!date^1795168800^{date_short_pretty} {time}|2026-11-20 10:00 UTC>, by &lt;bob&gt;",
		"since 2026-11-20 10:00:59 UTC":             "since <!date^1795168859^{date_short_pretty} {time}|2026-11-20 10:00:59 UTC>",
		"at 2026-11-20 25:00 UTC or 10:00 UTC":      "at 2026-11-20 25:00 UTC or 10:00 UTC",
	} {
		if got := mrkdwn(integrations.R(text)); got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
	if got := mrkdwn(integrations.R(integrations.Code("2026-11-20 10:00 UTC"))); got != "`2026-11-20 10:00 UTC`" {
		t.Errorf("in code, where Slack shows no dates: %s", got)
	}
	if got := integrations.R(integrations.When(at, nil)).Plain(); got != "2026-11-20 10:00 UTC" {
		t.Errorf("without a zone it is told as %s", got)
	}
}
