package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"

	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
)

// echoBot stands where the bot will: it answers every command, to the person
// alone, with what they typed, and every webhook with 202.
type echoBot struct {
	mu     sync.Mutex
	config []byte
	clk    clock.Clock
	hooks  []string
	acts   []string // what was pressed and submitted
}

// wantPress waits until the last act is as told, or checks that there is none.
func (e *echoBot) wantPress(t *testing.T, want string) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		e.mu.Lock()
		got := ""
		if len(e.acts) > 0 {
			got = e.acts[len(e.acts)-1]
		}
		e.mu.Unlock()
		if got == want {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the bot heard %q, not %q", got, want)
		}
	}
}

func (e *echoBot) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	e.hooks = append(e.hooks, r.URL.Path+" "+r.Header.Get("X-GitHub-Event"))
	e.mu.Unlock()
	rw.WriteHeader(http.StatusAccepted)
}

func (e *echoBot) run(ctx context.Context, config []byte, clk clock.Clock, started func(Bot)) error {
	e.mu.Lock()
	e.config, e.clk = config, clk
	e.mu.Unlock()
	api := ""
	for line := range strings.Lines(string(config)) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "api_url: "); ok && api == "" {
			api = v
		}
	}
	web := slack.New(botToken, slack.OptionAppLevelToken(appToken), slack.OptionAPIURL(api))
	client := socketmode.New(web)
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case ev := <-client.Events:
				e.answer(web, client, ev)
			}
		}
	})
	started(Bot{Handler: e, UnderWay: func() string { return "" }})
	return client.RunContext(ctx)
}

func (e *echoBot) answer(web *slack.Client, client *socketmode.Client, ev socketmode.Event) {
	switch ev.Type {
	case socketmode.EventTypeSlashCommand:
		cmd := ev.Data.(slack.SlashCommand)
		if cmd.Text != "ask" {
			_ = client.Ack(*ev.Request, map[string]any{"text": cmd.UserName + ": " + cmd.Text})
			return
		}
		_ = client.Ack(*ev.Request)
		plain := func(s string) *slack.TextBlockObject { return slack.NewTextBlockObject("plain_text", s, false, false) }
		_, _ = web.OpenView(cmd.TriggerID, slack.ModalViewRequest{
			Type: "modal", Title: plain("Deploy a service"), Submit: plain("Deploy"), Close: plain("Cancel"),
			Blocks: slack.Blocks{BlockSet: []slack.Block{
				slack.NewInputBlock("reason", plain("Reason"), nil, slack.NewPlainTextInputBlockElement(nil, "reason")),
			}},
		})
	case socketmode.EventTypeEventsAPI:
		_ = client.Ack(*ev.Request)
	case socketmode.EventTypeInteractive:
		cb := ev.Data.(slack.InteractionCallback)
		_ = client.Ack(*ev.Request)
		e.mu.Lock()
		defer e.mu.Unlock()
		for _, a := range cb.ActionCallback.BlockActions {
			e.acts = append(e.acts, cb.User.Name+" "+a.ActionID+" "+a.Value)
		}
		if cb.Type == slack.InteractionTypeViewSubmission {
			e.acts = append(e.acts, cb.User.Name+" reason "+cb.View.State.Values["reason"]["reason"].Value)
		}
	}
}

// sandboxAt runs a sandbox in data until the test ends or stop is called.
func sandboxAt(t *testing.T, data string, bot *echoBot) (base string, stop func()) {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("no git")
	}
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := Main(ctx, Options{Addr: "127.0.0.1:0", Data: data, Out: w, Log: slog.New(slog.DiscardHandler), Run: bot.run})
		_ = w.CloseWithError(fmt.Errorf("ended: %w", err))
		done <- err
	}()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Errorf("the sandbox ended with: %v", err)
			}
		})
	}
	t.Cleanup(stop)
	buf := make([]byte, 256)
	n, err := r.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(buf[:n]), "\n")
	base, ok := strings.CutPrefix(first, "signalbox sandbox http://127.0.0.1:")
	if !ok {
		t.Fatalf("the first line is %q", first)
	}
	go func() { _, _ = io.Copy(io.Discard, r) }() // ends with the pipe
	return "http://127.0.0.1:" + base, stop
}

// call calls the control API, or GitHub's as the person named.
func call(t *testing.T, as, method, url string, in any) (int, map[string]any) {
	t.Helper()
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		body = bytes.NewReader(b)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	if in != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if as != "" {
		r.Header.Set("Authorization", "Bearer "+as+"-token")
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(raw, &out); err != nil {
		out = map[string]any{"raw": string(raw)}
	}
	return resp.StatusCode, out
}

func TestSandbox(t *testing.T) {
	bot := &echoBot{}
	data := t.TempDir()
	base, stop := sandboxAt(t, data, bot)

	t.Run("info", func(t *testing.T) {
		code, info := call(t, "", "GET", base+"/sim/info", nil)
		if code != 200 || info["bot_url"] != base+"/bot" || info["github_url"] != base || info["slack_api_url"] != base+"/slack/api" ||
			info["aws_url"] != base+"/aws" || info["data_dir"] != data {
			t.Errorf("%d %v", code, info)
		}
		if f := info["state_files"].(map[string]any)["web/production"]; f != filepath.Join(data, "tfstate/web/production.tfstate") {
			t.Errorf("state file: %v", f)
		}
		if _, err := time.Parse(time.RFC3339Nano, info["now"].(string)); err != nil {
			t.Error(err)
		}
	})
	t.Run("say", func(t *testing.T) {
		code, a := call(t, "", "POST", base+"/sim/slack/say", map[string]any{"user": "alice", "channel": "ops", "text": "/ops status"})
		if r, _ := a["response"].(map[string]any); code != 200 || a["ok"] != true || r["text"] != "alice: status" {
			t.Errorf("%d %v", code, a)
		}
		code, a = call(t, "", "POST", base+"/sim/slack/say", map[string]any{"user": "alice", "channel": "ops", "text": "hello"})
		if code != 200 || a["ts"] == "" || a["response"] != nil {
			t.Errorf("%d %v", code, a)
		}
		code, h := call(t, "", "GET", base+"/sim/slack/history?channel=ops", nil)
		if list, _ := h["messages"].([]any); code != 200 || len(list) != 1 || list[0].(map[string]any)["text"] != "hello" {
			t.Errorf("%d %v", code, h)
		}
	})
	t.Run("refusals", func(t *testing.T) { testRefusals(t, base) })
	t.Run("the past", func(t *testing.T) { testPast(t, base) })
	t.Run("a webhook reaches the bot", func(t *testing.T) {
		code, pr := call(t, "alice", "GET", base+"/api/v3/repos/acme/web/git/ref/heads/main", nil)
		if code != 200 {
			t.Fatalf("%d %v", code, pr)
		}
		sha := pr["object"].(map[string]any)["sha"]
		code, out := call(t, "alice", "POST", base+"/api/v3/repos/acme/web/git/refs", map[string]any{"ref": "refs/heads/x", "sha": sha})
		if code != 201 {
			t.Fatalf("%d %v", code, out)
		}
		if code, _ := call(t, "", "POST", base+"/sim/clock/advance", map[string]any{"by": "1s"}); code != 200 {
			t.Fatal(code) // which waits for the deliveries
		}
		bot.mu.Lock()
		defer bot.mu.Unlock()
		if got := strings.Join(bot.hooks, ","); !strings.Contains(got, "/github create") {
			t.Errorf("the bot heard %q", got)
		}
	})
	var before time.Time
	t.Run("the clock moves", func(t *testing.T) {
		start := bot.clk.Now()
		timer := bot.clk.NewTimer(12 * time.Hour)
		code, a := call(t, "", "POST", base+"/sim/clock/advance", map[string]any{"by": "24h"})
		if before = bot.clk.Now(); code != 200 || before.Sub(start) < 24*time.Hour {
			t.Errorf("%d %v: moved by %s", code, a, before.Sub(start))
		}
		select {
		case at := <-timer.C():
			if d := at.Sub(start); d < 12*time.Hour || d > 13*time.Hour {
				t.Errorf("a timer of 12 hours fired after %s", d)
			}
		default:
			t.Error("a timer of 12 hours has not fired")
		}
	})
	stop()

	again := &echoBot{}
	base, _ = sandboxAt(t, data, again)
	t.Run("it goes on where it was", func(t *testing.T) {
		_, h := call(t, "", "GET", base+"/sim/slack/history?channel=ops", nil)
		if list, _ := h["messages"].([]any); len(list) != 1 {
			t.Errorf("history: %v", h)
		}
		if now := again.clk.Now(); now.Before(before) {
			t.Errorf("the clock went back: %s after %s", now, before)
		}
		code, pr := call(t, "alice", "GET", base+"/api/v3/repos/acme/web/pulls/1", nil)
		if url, _ := pr["html_url"].(string); code != 200 || url != base+"/acme/web/pull/1" {
			t.Errorf("%d %v", code, pr["html_url"])
		}
	})
	t.Run("one at a time", func(t *testing.T) {
		err := Main(t.Context(), Options{Addr: "127.0.0.1:0", Data: data, Out: io.Discard, Log: slog.New(slog.DiscardHandler), Run: (&echoBot{}).run})
		if err == nil || !strings.Contains(err.Error(), "another sandbox") {
			t.Errorf("a second one in the same folder: %v", err)
		}
	})
}

func testRefusals(t *testing.T, base string) {
	for _, c := range []struct {
		name, method, path, contentType, host, body string
		code                                        int
		says                                        string
	}{
		{"no content type", "POST", "/sim/slack/say", "", "", `{}`, 415, "Content-Type"},
		{"a form", "POST", "/sim/clock/advance", "text/plain", "", `{"by":"1h"}`, 415, "Content-Type"},
		{"another host", "GET", "/sim/info", "", "evil.example", ``, 403, "not this machine"},
		{"the page, another host", "GET", "/", "", "evil.example", ``, 403, "not this machine"},
		{"unknown field", "POST", "/sim/slack/say", "application/json", "", `{"user":"alice","chanel":"ops"}`, 400, "chanel"},
		{"not JSON", "POST", "/sim/slack/say", "application/json", "", `user=alice`, 400, "body"},
		{"two objects", "POST", "/sim/clock/advance", "application/json", "", `{"by":"1s"}{}`, 400, "follows"},
		{"unknown user", "POST", "/sim/slack/say", "application/json", "", `{"user":"zoe","channel":"ops","text":"hi"}`, 400, "zoe"},
		{"unknown channel", "GET", "/sim/slack/history?channel=nowhere", "", "", ``, 400, "nowhere"},
		{"unknown parameter", "GET", "/sim/slack/history?chan=ops", "", "", ``, 400, "chan"},
		{"a command in a thread", "POST", "/sim/slack/say", "application/json", "", `{"user":"alice","channel":"ops","text":"/ops status","thread_ts":"1.2"}`, 400, "thread"},
		{"no button", "POST", "/sim/slack/click", "application/json", "", `{"user":"alice","channel":"ops","ts":"1.2"}`, 400, "label"},
		{"no such message", "POST", "/sim/slack/click", "application/json", "", `{"user":"alice","channel":"ops","ts":"1.2","label":"Merge"}`, 400, "message"},
		{"no such view", "POST", "/sim/slack/submit", "application/json", "", `{"user":"alice","view_id":"V1","values":{}}`, 400, "V1"},
		{"no such shortcut", "POST", "/sim/slack/shortcut", "application/json", "", `{"user":"alice","callback_id":"verb:fly"}`, 400, "verb:fly"},
		{"nobody's Home tab", "POST", "/sim/slack/home", "application/json", "", `{"user":"zoe"}`, 400, "zoe"},
		{"a Home tab that nobody opened", "POST", "/sim/slack/click", "application/json", "", `{"user":"alice","home":true,"label":"Help"}`, 400, "Home tab"},
		{"on the Home tab and in a channel", "POST", "/sim/slack/click", "application/json", "", `{"user":"alice","home":true,"channel":"ops","label":"Help"}`, 400, "not both"},
		{"backwards", "POST", "/sim/clock/advance", "application/json", "", `{"by":"-1h"}`, 400, "-1h"},
		{"no such system", "POST", "/sim/fault", "application/json", "", `{"system":"jira","kind":"slow"}`, 400, "jira"},
		{"no such fault", "POST", "/sim/fault", "application/json", "", `{"system":"slack","kind":"melt"}`, 400, "melt"},
		{"no such fault field", "POST", "/sim/fault", "application/json", "", `{"system":"github","kind":"error","often":2}`, 400, "often"},
		{"no such delivery", "POST", "/sim/github/deliveries/999999/redeliver", "application/json", "", `{}`, 404, "999999"},
		{"no such instance", "POST", "/sim/fault", "application/json", "", `{"system":"aws","kind":"stuck","id":"web-99"}`, 400, "web-99"},
		{"no such fault of AWS", "POST", "/sim/fault", "application/json", "", `{"system":"aws","kind":"melt"}`, 400, "melt"},
		{"no such call", "GET", "/sim/weather", "", "", ``, 404, "weather"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), c.method, base+c.path, strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			r.Host = c.host
			if c.contentType != "" {
				r.Header.Set("Content-Type", c.contentType)
			}
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			b, _ := io.ReadAll(resp.Body)
			if resp.StatusCode != c.code || !strings.Contains(string(b), c.says) {
				t.Errorf("%d %s", resp.StatusCode, b)
			}
			if strings.HasPrefix(c.path, "/sim") {
				var e struct {
					OK    *bool  `json:"ok"`
					Error string `json:"error"`
				}
				if err := json.Unmarshal(b, &e); err != nil || e.OK == nil || *e.OK || e.Error == "" {
					t.Errorf("not a refusal: %s", b)
				}
			}
		})
	}
}

// testPast looks at what a newcomer finds.
func testPast(t *testing.T, base string) {
	code, cmp := call(t, "bob", "GET", base+"/api/v3/repos/acme/web/compare/deployment/production...main", nil)
	if n, _ := cmp["ahead_by"].(float64); code != 200 || n < 9 || cmp["behind_by"] != 0.0 {
		t.Errorf("%d ahead %v, behind %v", code, cmp["ahead_by"], cmp["behind_by"])
	}
	for n, author := range []string{"alice", "bob", "alice"} {
		code, pr := call(t, "carol", "GET", fmt.Sprintf("%s/api/v3/repos/acme/web/pulls/%d", base, n+1), nil)
		if user, _ := pr["user"].(map[string]any); code != 200 || pr["merged"] != true || user["login"] != author {
			t.Errorf("pull request %d: %d merged %v by %v", n+1, code, pr["merged"], user["login"])
		}
	}
	for _, tag := range []string{"v1.4.0", "v1.4.1"} {
		if code, out := call(t, "alice", "GET", base+"/api/v3/repos/acme/api/git/ref/tags/"+tag, nil); code != 200 {
			t.Errorf("%s: %d %v", tag, code, out)
		}
	}
	if code, _ := call(t, "carol", "POST", base+"/api/v3/repos/acme/web/git/refs", map[string]any{"ref": "refs/heads/y", "sha": strings.Repeat("0", 40)}); code != 403 {
		t.Errorf("carol may only read, and got %d", code)
	}
	_, d := call(t, "", "GET", base+"/sim/github/deliveries", nil)
	if list, _ := d["deliveries"].([]any); len(list) != 0 {
		t.Errorf("the bot is told of the past: %v", list)
	}
}

func TestListenOnlyLocally(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", ":8421", "192.0.2.1:1", "nonsense", "example.com:80"} {
		if l, err := listen(addr); err == nil {
			_ = l.Close()
			t.Errorf("listens on %s", addr)
		}
	}
}

// The infrastructure of the demo is planned and applied by the real tool.
func TestDemoInfrastructure(t *testing.T) {
	tf := ""
	for _, name := range []string{"terraform", "tofu"} {
		if p, err := exec.LookPath(name); err == nil {
			tf = p
			break
		}
	}
	if tf == "" {
		t.Skip("no terraform")
	}
	for _, target := range targets {
		t.Run(target.name, func(t *testing.T) {
			tree, state := t.TempDir(), filepath.Join(t.TempDir(), "a", "b.tfstate")
			_, repo, _ := strings.Cut(target.repository, "/")
			for name, text := range repoFiles(repo) {
				path := filepath.Join(tree, name)
				if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			for _, args := range [][]string{
				{"fmt", "-check", "-diff"},
				{"init", "-input=false", "-no-color", "-backend-config=path=" + state},
				{"apply", "-input=false", "-no-color", "-auto-approve"},
			} {
				cmd := exec.CommandContext(t.Context(), tf, args...)
				cmd.Dir = filepath.Join(tree, target.dir)
				cmd.Env = append(os.Environ(), "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1", "TF_CLI_CONFIG_FILE=")
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%v: %v\n%s", args, err, out)
				}
			}
			if _, err := os.Stat(state); err != nil {
				t.Error(err)
			}
		})
	}
}
