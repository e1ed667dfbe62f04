package main

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

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// pageAct is something done in the browser.
type pageAct = chromedp.Action[chromedp.Void]

// newBrowser opens a headless Chromium. Without one the test is skipped, unless
// this is the machine that must have it.
func newBrowser(t *testing.T) context.Context {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" && os.Getenv("CI") == "true" {
		t.Fatal("Chromium is not on PATH; the page's test needs it")
	} else if path == "" {
		t.Skip("THE PAGE IS NOT TESTED: Chromium is not on PATH")
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()), chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
	)
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), opts...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil { // a time-out of the first call would end the browser
		t.Fatal(err)
	}
	ctx, cancel = context.WithTimeout(ctx, 5*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// holds waits until a JavaScript expression is true.
func holds(expr string) pageAct {
	return func(ctx context.Context, tab *chromedp.Target) (chromedp.Void, error) {
		for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
			ok, err := chromedp.Evaluate[bool](expr)(ctx, tab)
			if err == nil && !ok && time.Now().After(end) {
				err = fmt.Errorf("never true: %s", expr)
			}
			if err != nil || ok {
				return chromedp.Void{}, err
			}
		}
	}
}

func quoteJS(s string) string {
	b, _ := json.Marshal(s) // a string always has a form
	return string(b)
}

// found is the expression of the first usable element of a selector that says a text.
func found(sel, text string) string {
	return "[...document.querySelectorAll(" + quoteJS(sel) + ")].find(n => n.textContent.includes(" + quoteJS(text) + ") && !n.disabled)"
}

// reads waits until an element says a text; clicks waits for one and clicks it.
func reads(sel, text string) pageAct { return holds("!!" + found(sel, text)) }

func clicks(sel, text string) pageAct {
	return chromedp.Steps(reads(sel, text), evaluates(found(sel, text)+".click()"))
}

func evaluates(js string) pageAct {
	return func(ctx context.Context, tab *chromedp.Target) (chromedp.Void, error) {
		_, err := chromedp.Evaluate[bool]("(() => {"+js+"; return true})()")(ctx, tab)
		return chromedp.Void{}, err
	}
}

// says types a line into the channel and sends it.
func says(text string) pageAct {
	return chromedp.Steps(chromedp.SendKeys(chromedp.CSS("#composer textarea"), text), clicks("#composer button", "Send"))
}

// picture keeps what the page looks like.
func picture(path string) pageAct {
	return func(ctx context.Context, tab *chromedp.Target) (chromedp.Void, error) {
		b, err := chromedp.CaptureScreenshot()(ctx, tab)
		if err != nil {
			return chromedp.Void{}, err
		}
		return chromedp.Void{}, os.WriteFile(path, b, 0o600)
	}
}

// colours shows the page as to somebody who prefers dark, or light.
func colours(scheme string) pageAct {
	return func(ctx context.Context, tab *chromedp.Target) (chromedp.Void, error) {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
		return chromedp.Void{}, err
	}
}

// A newcomer opens the page, deploys, reads the pull request, merges from Slack
// and watches; with -update the picture of the sandbox is taken anew.
func TestBrowser(t *testing.T) {
	ctx := newBrowser(t)
	w := newTalkWorld(t, talkConfig(nil))
	dir := os.Getenv("SCREENSHOTS")
	if dir == "" {
		dir = t.TempDir()
	}
	step := func(name string, acts ...pageAct) {
		t.Helper()
		if err := chromedp.Do(ctx, acts...); err != nil {
			_ = chromedp.Do(ctx, picture(filepath.Join(dir, "failed.png")))
			shown, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body.innerText`))
			t.Fatalf("%s: %v\nthe page shows:\n%s", name, err, shown)
		}
	}
	const card = "#messages .message:not(.ephemeral)"
	step("the page", chromedp.EmulateViewport(1400, 1000), chromedp.Navigate(w.base+"/"),
		holds(`document.querySelector("#lamp").classList.contains("on")`), reads("#forge", "Pull requests"))
	step("a deploy is asked for", says("/ops deploy web to staging the new timetable"),
		reads(card, "Deploy web to staging"), reads(card+" code", "+3 ~0 -0"), reads(card, "the new timetable"), reads(card+" button", "Merge"))
	step("its pull request", clicks(card+" a", "acme/web#4"), reads("#forge h2", "Deploy web to staging"), reads("#forge .badge", "open"),
		reads("#forge .md li", "Show the timetable"), reads("#forge .md", "web/staging"), reads("#forge .checks", "signalbox/gate"),
		holds(`location.pathname === "/acme/web/pull/4"`))
	step("merged from Slack", clicks(card+" button", "Merge"), reads("#confirm[open]", "+3 ~0 -0"), clicks("#confirm button", "Merge"))
	step("applied", reads(card, "succeeded"), reads(card, "Merged by"), reads("#forge .badge", "merged"),
		holds(`!`+found(card+" button", "Merge")), reads(card+" button", "Log"))
	if state := strings.Join(w.stateFile("web/staging"), "\n"); !strings.Contains(state, `worker-1`) || !strings.Contains(state, `"version":"1.3.0"`) {
		t.Errorf("the state holds %q", state)
	}
	step("its log", clicks(".replies button", "repl"), reads("#thread-messages", "attempt 1: succeeded"),
		evaluates(`document.querySelector("#thread-close").click()`), holds(`document.querySelector("#thread").hidden`))

	step("production wants somebody else", says("/ops deploy web to production"),
		reads(card, "Deploy web to production"), reads(card+" button", "Approve"), clicks(card+" button", "Approve"),
		reads(".message.ephemeral", "You asked for op-2"))
	step("bob approves", evaluates(`const u = document.querySelector("#user"); u.value = "bob"; u.dispatchEvent(new Event("change"))`),
		holds(`!`+found(".message", "You asked for op-2")), clicks(card+" button", "Approve"), reads(".message.ephemeral", "You approved op-2"),
		reads(card, "Approved by"), clicks(card+" a", "acme/web#5"), reads("#forge h2", "Deploy web to production"), reads("#forge .badge", "open"))
	step("pictures", picture(filepath.Join(dir, "desk.png")), colours("dark"), picture(filepath.Join(dir, "dark.png")), colours("light"),
		chromedp.EmulateViewport(360, 740, chromedp.EmulateMobile), evaluates(`document.querySelector('#tabs button[data-pane=chat]').click()`),
		holds(`document.documentElement.scrollWidth <= 360`), reads(card, "Deploy web to production"),
		evaluates(`document.querySelector("#messages").scrollTop = 1e6`), picture(filepath.Join(dir, "phone.png")),
		clicks("#tabs button", "GitHub"), holds(`document.documentElement.scrollWidth <= 360`), picture(filepath.Join(dir, "phone-github.png")))
	if *update {
		b, err := os.ReadFile(filepath.Join(dir, "desk.png"))
		if err == nil {
			err = os.WriteFile("../docs/sandbox.png", b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	step("nothing is broken", holds(`document.querySelector("#broken").hidden`))
	var broken map[string][]string
	w.must(w.call("", "GET", "/sim/violations", nil, &broken), "ask for violations")
	if len(broken["slack"])+len(broken["github"]) > 0 {
		t.Errorf("the bot broke rules: %v", broken)
	}
}
