package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
)

// Somebody looks at the Home tab in the sandbox, does there what waits for them,
// and takes shortcuts; on a phone too.
func TestBrowserHome(t *testing.T) {
	ctx := newBrowser(t)
	w := newTalkWorld(t, talkConfig([]string{"# The configuration of production: on_call: [bob, alice]"}))
	dir := os.Getenv("SCREENSHOTS")
	if dir == "" {
		dir = t.TempDir()
	}
	step := func(name string, acts ...pageAct) {
		t.Helper()
		if err := chromedp.Do(ctx, acts...); err != nil {
			_ = chromedp.Do(ctx, picture(filepath.Join(dir, "home-failed.png")))
			shown, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body.innerText`))
			t.Fatalf("%s: %v\nthe page shows:\n%s", name, err, shown)
		}
	}
	be := func(who string) pageAct {
		return evaluates(`const u = document.querySelector("#user"); u.value = ` + quoteJS(who) + `; u.dispatchEvent(new Event("change"))`)
	}
	open := chromedp.Steps(clicks("#channels button", "Home"), holds(`document.querySelector("#composer").hidden`), reads(".home h3", "What runs where"))
	step("the introduction", chromedp.EmulateViewport(1400, 1000), chromedp.Navigate(w.base+"/"),
		reads(".message", "Three things to try"), reads(".message button", "Plan web to staging"), picture(filepath.Join(dir, "introduction.png")))
	step("a form by a shortcut", clicks("#shortcuts summary", "⚡"), picture(filepath.Join(dir, "shortcuts.png")), clicks("#shortcuts button", "Deploy…"), reads("#modal[open] h3", "Deploy"),
		evaluates(`const f = document.querySelector("#modal form"); f.querySelector("[name=service]").value = "web"; f.querySelector("[name=environment]").value = "production"; f.querySelector("[name=reason]").value = "the timetable is due"`),
		clicks("#modal button.primary", "Deploy"), holds(`!document.querySelector("#modal").open`), reads(".message", "Deploy web to production"), reads(".message button", "Approve"))
	step("locks", says(`/ops lock api/production "the audit runs" --for 5h`), reads(".message", "api/production"), says(`/ops freeze dns/production "the registrar moves" --for 30m`), reads(".message", "dns/production"))
	step("alice's tab", open, reads(".home h3", "Your operations (1)"), reads(".home h3", "Your locks (2)"), reads(".home button", "Merge"),
		picture(filepath.Join(dir, "home.png")), colours("dark"), picture(filepath.Join(dir, "home-dark.png")), colours("light"))
	step("bob's tab", be("bob"), reads(".home h3", "What waits for you (1)"), reads(".home button", "Approve"))
	step("he approves there", clicks(".home button", "Approve"), reads("#toasts", "You approved op-1"), reads(".home", "Nothing waits for you."))
	step("on a phone", be("alice"), chromedp.EmulateViewport(360, 740, chromedp.EmulateMobile), clicks("#tabs button", "Slack"), reads(".home h3", "Your locks (2)"),
		holds(`document.documentElement.scrollWidth <= 360`), picture(filepath.Join(dir, "home-phone.png")), colours("dark"),
		evaluates(`document.querySelector("#messages").scrollTop = 1e6`), picture(filepath.Join(dir, "home-phone-dark.png")), colours("light"),
		chromedp.EmulateViewport(320, 640, chromedp.EmulateMobile), holds(`document.documentElement.scrollWidth <= 320`), picture(filepath.Join(dir, "home-320.png")))
	step("a message's shortcut", chromedp.EmulateViewport(1400, 1000), clicks("#channels button", "ops"), clicks(".message .more button", "⚡ Escalate this"), reads("#modal[open]", "Title"),
		holds(`document.querySelector("#modal [name=title]").value.includes("/archives/C0OPS/p")`), picture(filepath.Join(dir, "escalate.png")))
	step("nothing is broken", holds(`document.querySelector("#broken").hidden`))
}
