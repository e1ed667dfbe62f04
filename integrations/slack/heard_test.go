package slack

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack/socketmode"
)

// Payloads as Slack sends them, each with what is heard in it.
func TestPayloadsGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/heard/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, path := range files {
		name := strings.TrimSuffix(filepath.Base(path), ".json")
		t.Run(name, func(t *testing.T) {
			body, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			req := &socketmode.Request{Type: "events_api", EnvelopeID: "e1", Payload: body}
			switch {
			case strings.HasPrefix(name, "command"):
				req.Type = "slash_commands"
			case strings.Contains(name, "click"), strings.HasPrefix(name, "submit"), strings.Contains(name, "shortcut"):
				req.Type = "interactive"
			}
			e, v := readEnvelope(req, Self{})
			if want := strings.HasPrefix(name, "ignored"); want != (v == ignored) || v == unknown {
				t.Fatalf("verdict %d on %+v", v, e)
			}
			if v == ignored {
				return
			}
			e.Body = nil
			h, err := DecodeHeard(e.Kind, body)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, filepath.Join("heard", name+".golden"), strings.Join(e.Keys, " ")+"\n"+mustJSON(t, h)+"\n")
			knowing := Self{Team: "T0ACME", User: "U0BOT"}
			if k, err := knowing.DecodeHeard(e.Kind, body); err != nil || k.Stranger != strings.Contains(name, "stranger") {
				t.Errorf("knowing who the bot is: %+v, %v", k, err)
			}
		})
	}
}

func TestBadBodiesAreErrors(t *testing.T) {
	for _, tt := range []struct{ kind, body, want string }{
		{"slack.nothing", `{}`, "no kind of Slack event"},
		{KindCommand, `[`, "read slack.command"},
		{KindClick, `{"actions":[]}`, "no button of ours"},
		{KindClick, `{"actions":[{"action_id":"cmd:1:x","value":"v"}]}`, "is not ours"},
		{KindSubmit, `{"view":{"private_metadata":"other"}}`, "the modal is not ours"},
		{KindShortcut, `{"type":"shortcut","callback_id":"verb:"}`, "the shortcut is not ours"},
		{KindEvent, `{"event":{"type":"reaction_added"}}`, "nothing that was said"},
		{KindEvent, `{"event":{"type":"message","channel":"C1","ts":"1.2","text":"hi"}}`, "does not mention the bot"},
	} {
		if _, err := DecodeHeard(tt.kind, []byte(tt.body)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s %s: %v, want %q", tt.kind, tt.body, err, tt.want)
		}
	}
}

func TestAfterMention(t *testing.T) {
	for _, tt := range []struct {
		text    string
		certain bool
		want    string
		found   bool
	}{
		{"<@UBOT> status", false, "status", true},
		{"<@UBOT|bot>:\u3000status", false, "status", true},
		{"<@UBOT>、status <@UBOT>", false, "status <@UBOT>", true},
		{"please <@UBOT>", false, "please", true},
		{"<@UBOB> and <@UBOT> status", false, "status", true},
		{"<@UBOTTLE> status", false, "<@UBOTTLE> status", false},
		{" hi <@UBOB", true, "hi <@UBOB", true},
		{"", false, "", false},
	} {
		if got, found := afterMention(tt.text, "UBOT", tt.certain); got != tt.want || found != tt.found {
			t.Errorf("%q: %q %v, want %q %v", tt.text, got, found, tt.want, tt.found)
		}
	}
}

func TestSlackTime(t *testing.T) {
	for ts, want := range map[string]time.Time{
		"1700000000.000100": time.Unix(1700000000, 100_000),
		"1700000000.5":      time.Unix(1700000000, 500_000_000),
		"1700000000":        time.Unix(1700000000, 0),
		"":                  {}, "x.1": {}, "-1.0": {},
	} {
		if got := slackTime(ts); !got.Equal(want) {
			t.Errorf("%q: %v, want %v", ts, got, want)
		}
	}
}

// Whatever comes over the socket, reading it ends in a verdict or an error.
func FuzzEnvelope(f *testing.F) {
	files, _ := filepath.Glob("testdata/heard/*.json")
	for _, path := range files {
		body, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for _, kind := range []string{"slash_commands", "interactive", "events_api"} {
			f.Add(kind, body)
		}
	}
	f.Fuzz(func(t *testing.T, kind string, body []byte) {
		e, v := readEnvelope(&socketmode.Request{Type: kind, EnvelopeID: "e1", Payload: body}, Self{})
		if v != forUs {
			return
		}
		if len(e.Keys) == 0 || e.Kind == "" {
			t.Errorf("accepted without a key or kind: %+v", e)
		}
		_, _ = DecodeHeard(e.Kind, body)
	})
}
