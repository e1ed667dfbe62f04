package sandbox

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/slack-go/slack"
)

// browser opens a headless Chromium, or skips the test.
func browser(t *testing.T) context.Context {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		t.Skip("no Chromium on PATH")
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
	)
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), opts...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil { // a time-out of the first call would end the browser
		t.Fatal(err)
	}
	ctx, cancel = context.WithTimeout(ctx, 3*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// action is something done in the browser.
type action = chromedp.Action[chromedp.Void]

// screenshot keeps what the page looks like in $SCREENSHOTS, when that is set.
func screenshot(name string) action {
	return func(ctx context.Context, tab *chromedp.Target) (chromedp.Void, error) {
		dir := os.Getenv("SCREENSHOTS")
		if dir == "" {
			return chromedp.Void{}, nil
		}
		b, err := chromedp.CaptureScreenshot()(ctx, tab)
		if err != nil {
			return chromedp.Void{}, err
		}
		return chromedp.Void{}, os.WriteFile(filepath.Join(dir, name+".png"), b, 0o600)
	}
}

// eventually waits until a JavaScript expression is true. The page's policy
// forbids the evaluation that chromedp.Poll needs.
func eventually(expr string) action {
	return func(ctx context.Context, tab *chromedp.Target) (chromedp.Void, error) {
		for end := time.Now().Add(45 * time.Second); ; {
			ok, err := chromedp.Evaluate[bool](expr)(ctx, tab)
			if err == nil && ok {
				return chromedp.Void{}, nil
			}
			if err == nil && time.Now().After(end) {
				err = fmt.Errorf("never true: %s", expr)
			}
			if err != nil {
				return chromedp.Void{}, err
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
}

// run evaluates JavaScript for what it does.
func run(js string) action {
	return func(ctx context.Context, tab *chromedp.Target) (chromedp.Void, error) {
		_, err := chromedp.Evaluate[bool]("(() => {"+js+"; return true})()")(ctx, tab)
		return chromedp.Void{}, err
	}
}

// types puts keys into an element.
func types(sel, keys string) action { return chromedp.SendKeys(chromedp.CSS(sel), keys) }

// shows waits until an element holds a text.
func shows(sel, text string) action {
	s, _ := json.Marshal(sel)
	x, _ := json.Marshal(text)
	return eventually(`[...document.querySelectorAll(` + string(s) + `)].some(n => n.textContent.includes(` + string(x) + `))`)
}

// press clicks the first element that is called so.
func press(sel, text string) action {
	s, _ := json.Marshal(sel)
	x, _ := json.Marshal(text)
	find := `[...document.querySelectorAll(` + string(s) + `)].find(n => n.textContent.includes(` + string(x) + `) && !n.disabled)`
	return chromedp.Steps(eventually(`!!`+find), run(find+`.click()`))
}

const cardBlocks = `[
 {"type":"header","text":{"type":"plain_text","text":"Deploy web to production"}},
 {"type":"section","text":{"type":"mrkdwn","text":"*op-12* · open · <@U0ALICE> asked: \"fix the &lt;b&gt;timetable&lt;/b&gt; &amp; more\"\n<http://127.0.0.1:1/acme/web/pull/4|acme/web#4> · plan ` + "`+1 ~2 -0`" + `"}},
 {"type":"section","fields":[{"type":"mrkdwn","text":"*From*\n` + "`1a2b3c4`" + `"},{"type":"mrkdwn","text":"*To*\n` + "`5d6e7f8`" + `"},{"type":"mrkdwn","text":"*Commits*\n9"},{"type":"mrkdwn","text":"*Elapsed*\n4 s"}]},
 {"type":"section","text":{"type":"mrkdwn","text":"` + "```" + `+ terraform_data.replica[\"worker-1\"]\n~ terraform_data.release` + "```" + `"}},
 {"type":"context","elements":[{"type":"mrkdwn","text":":white_check_mark: planned  ▰▰▱▱▱  next: a second person approves"}]},
 {"type":"actions","elements":[
  {"type":"button","action_id":"a1","text":{"type":"plain_text","text":"Merge"},"style":"primary","value":"m","confirm":{"title":{"type":"plain_text","text":"Merge?"},"text":{"type":"mrkdwn","text":"This applies *+1 ~2 -0* to production."},"confirm":{"type":"plain_text","text":"Merge"},"deny":{"type":"plain_text","text":"Not now"}}},
  {"type":"button","action_id":"a2","text":{"type":"plain_text","text":"Approve"},"value":"a"},
  {"type":"button","action_id":"a3","text":{"type":"plain_text","text":"Cancel"},"style":"danger","value":"c"}]}]`

// The page shows what is there, in both panes, and acts as the person chosen.
func TestPage(t *testing.T) {
	ctx := browser(t)
	bot := &echoBot{}
	base, _ := sandboxAt(t, t.TempDir(), bot)
	client := slack.New(botToken, slack.OptionAPIURL(base+"/slack/api/"))
	openPull(t, base)
	desk := chromedp.EmulateViewport(1400, 900)
	phone := chromedp.EmulateViewport(360, 740, chromedp.EmulateMobile)

	step := func(name string, actions ...action) {
		t.Helper()
		if err := chromedp.Do(ctx, actions...); err != nil {
			_ = chromedp.Do(ctx, screenshot("failed"))
			said, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`document.querySelector("#toasts").textContent`))
			t.Logf("the page said: %s", said)
			t.Fatalf("%s: %v", name, err)
		}
	}
	step("the empty channel", desk, chromedp.Navigate(base+"/"),
		shows("#messages", "Nothing has been said here yet"), shows("#forge", "Add a second subnet"), shows("#forge", "Show the timetable"),
		eventually(`document.querySelector("#lamp").classList.contains("on")`), screenshot("empty"))
	step("a command answered privately", types("#composer textarea", "/ops status\r"),
		shows(".message.ephemeral", "alice: status"), shows(".message.ephemeral", "Only visible to you"))

	step("the topic", shows("#channel-topic", "Deploys and infrastructure"))
	if _, err := client.SetTopicOfConversation("C0OPS", "Deploys & <b>more</b> [on call: alice]"); err != nil {
		t.Fatal(err)
	}
	step("a new topic", shows("#channel-topic", "Deploys & <b>more</b> [on call: alice]"), shows(".message", "set the channel topic"))

	var blocks slack.Blocks
	if err := json.Unmarshal([]byte(cardBlocks), &blocks); err != nil {
		t.Fatal(err)
	}
	_, ts, err := client.PostMessage("C0OPS", slack.MsgOptionText("op-12 open", false), slack.MsgOptionBlocks(blocks.BlockSet...))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := client.PostMessage("C0OPS", slack.MsgOptionTS(ts), slack.MsgOptionText("terraform_data.release: Creating...", false)); err != nil {
		t.Fatal(err)
	}
	step("a card", shows(".message h3", "Deploy web to production"), shows(".message .mention", "@alice"),
		shows(".message pre", `+ terraform_data.replica["worker-1"]`), shows(".message code", "+1 ~2 -0"), shows(".message", "fix the <b>timetable</b> & more"))
	step("a link from before a restart", eventually(`document.querySelector(".message .section a").href === location.origin + "/acme/web/pull/4"`))
	step("its thread", press(".replies button", "1 reply"), shows("#thread-messages", "Creating..."), screenshot("card"))
	step("a reply", types("#thread-composer textarea", "looks good\r"), shows("#thread-messages", "looks good"))
	step("no command in a thread", types("#thread-composer textarea", "/ops status\r"), shows("#toasts", "not supported in threads"))
	step("the thread closes", run(`document.querySelector("#thread-close").click()`), eventually(`document.querySelector("#thread").hidden`))
	step("a confirm dialog", press(".actions button", "Merge"), shows("#confirm", "This applies +1 ~2 -0 to production."), screenshot("confirm"),
		press("#confirm button", "Not now"), eventually(`!document.querySelector("#confirm").open`))
	bot.wantPress(t, "")
	step("a pressed button", press(".actions button", "Approve"), eventually(`!document.querySelector(".actions .busy")`))
	bot.wantPress(t, "alice a2 a")

	step("a modal", types("#composer textarea", "/ops ask\r"), shows("#modal[open]", "Deploy a service"), screenshot("modal"),
		types(`#modal input[type=text]`, "because"), press("#modal button", "Deploy"), eventually(`!document.querySelector("#modal").open`))
	bot.wantPress(t, "alice reason because")

	step("the pull request", press(".pulls a", "Add a second subnet"), shows("#forge h2", "Add a second subnet"), shows("#forge .md li", "private-b"),
		shows("#forge .checks", "signalbox/gate"), shows("#forge .note", "A plan of sorts"), eventually(`document.querySelector("#forge .md details pre") !== null`),
		eventually(`document.querySelector("#forge").querySelector("script,img") === null`), screenshot("pull"))
	step("its files", press(".tabs button", "Files"), shows("#forge .diff .add", "10.0.32.0/20"))
	step("as bob", run(`const u = document.querySelector("#user"); u.value = "bob"; u.dispatchEvent(new Event("change"))`),
		press(".tabs button", "Conversation"), press(".merge button", "Approve"), shows("#forge .note.approved", "bob"))
	step("bob does not see what alice was told", eventually(`!document.querySelector("#messages").textContent.includes("alice: status")`))
	step("merged", press(".merge button", "Merge pull request"), shows("#forge .badge", "merged"), shows("#forge .event.merged", "bob"), screenshot("merged"))
	step("the clock", press("#clock-menu button", "+1 day"), eventually(`!document.querySelector("#ahead").hidden`))

	step("on a phone", phone, chromedp.Navigate(base+"/"), shows(".message h3", "Deploy web to production"),
		eventually(`document.documentElement.scrollWidth <= 360`), screenshot("phone-slack"),
		press("#tabs button", "GitHub"), press(".pulls a", "Add a second subnet"), shows("#forge h2", "Add a second subnet"),
		eventually(`document.documentElement.scrollWidth <= 360`), screenshot("phone-github"))
}

// openPull opens a pull request of alice's with a comment, hostile in places,
// and statuses.
func openPull(t *testing.T, base string) {
	t.Helper()
	repo := base + "/api/v3/repos/acme/infra"
	must := func(as, method, url string, in any, want int) map[string]any {
		t.Helper()
		code, out := call(t, as, method, url, in)
		if code != want {
			t.Fatalf("%s %s: %d %v", method, url, code, out)
		}
		return out
	}
	sha := must("alice", "GET", repo+"/git/ref/heads/main", nil, 200)["object"].(map[string]any)["sha"]
	must("alice", "POST", repo+"/git/refs", map[string]any{"ref": "refs/heads/subnet", "sha": sha}, 201)
	file := must("alice", "GET", repo+"/contents/network/production/main.tf?ref=subnet", nil, 200)
	text := strings.Replace(repoFiles("infra")["network/production/main.tf"], "  }\n}\n", "    private-b = \"10.0.32.0/20\"\n  }\n}\n", 1)
	must("alice", "PUT", repo+"/contents/network/production/main.tf", map[string]any{"message": "Add private-b", "branch": "subnet", "content": []byte(text), "sha": file["sha"]}, 200)
	pr := must("alice", "POST", repo+"/pulls", map[string]any{"title": "Add a second subnet <img src=x onerror=alert(1)>", "base": "main", "head": "subnet",
		"body": "What it adds:\n\n- `private-b`, for @bob\n- **nothing** else\n\n<script>alert(1)</script>"}, 201)
	head := pr["head"].(map[string]any)["sha"].(string)
	must("signalbox", "POST", repo+"/statuses/"+head, map[string]any{"state": "success", "context": "signalbox/gate", "description": "planned"}, 201)
	must("signalbox", "POST", repo+"/statuses/"+head, map[string]any{"state": "pending", "context": "signalbox/network/production", "description": "+1 ~0 -0"}, 201)
	number := int(pr["number"].(float64))
	must("signalbox", "POST", fmt.Sprintf("%s/issues/%d/comments", repo, number), map[string]any{"body": "<!-- signalbox:x -->\n### A plan of sorts\n\n| target | plan |\n| --- | --- |\n| `network/production` | +1 ~0 -0 |\n\n<details><summary>Terraform says</summary>\n\n```\n+ terraform_data.subnet[\"private-b\"]\n```\n\n</details>\n\n[bad](javascript:alert(1))"}, 201)
}
