package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// Somebody drains an instance of the second account, whose name is in the first too: its
// tasks move to another one, and Mackerel is told. Then a deploy keeps a group still.
func TestBrowserAccounts(t *testing.T) {
	ctx := newBrowser(t)
	w := newTalkWorld(t, talkConfig(nil))
	dir := os.Getenv("SCREENSHOTS")
	if dir == "" {
		dir = t.TempDir()
	}
	step := func(name string, acts ...pageAct) {
		t.Helper()
		if err := chromedp.Do(ctx, acts...); err != nil {
			_ = chromedp.Do(ctx, picture(filepath.Join(dir, "accounts-failed.png")))
			shown, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body.innerText`))
			t.Fatalf("%s: %v\nthe page shows:\n%s", name, err, shown)
		}
	}
	passing := func(expr string) pageAct {
		return func(ctx context.Context, tab *chromedp.Target) (chromedp.Void, error) {
			for range 90 {
				for end := time.Now().Add(time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
					if ok, err := chromedp.Evaluate[bool](expr)(ctx, tab); err != nil || ok {
						return chromedp.Void{}, err
					}
				}
				if err := w.call("", "POST", "/sim/clock/advance", map[string]any{"by": "3s"}, nil); err != nil {
					return chromedp.Void{}, err
				}
			}
			return chromedp.Void{}, fmt.Errorf("never true: %s", expr)
		}
	}
	said := func(sel, text string) string { return "!!" + found(sel, text) }
	pictures := func(name string) pageAct {
		return chromedp.Steps(picture(filepath.Join(dir, name+".png")), colours("dark"), picture(filepath.Join(dir, name+"-dark.png")), colours("light"))
	}
	const (
		site   = `#fleet .site[data-site="staging/us-west-2"]`
		api1   = site + ` .instance[data-name="api-1"]`
		counts = site + " .counts"
		card   = "#messages .message:not(.ephemeral)"
	)
	into := func(sel string) pageAct {
		return evaluates(`document.querySelector(` + quoteJS(sel) + `).scrollIntoView({ block: "end" })`)
	}
	step("the account", chromedp.EmulateViewport(1400, 1000), chromedp.Navigate(w.base+"/#instances"), reads(site+" h3", "us-west-2"),
		reads(counts, "2 of 2 in service"), reads(counts, "cluster apps"), reads(api1, "tasks: 2 api"), reads(api1, "Mackerel: working"), reads(api1, "api: healthy"), into(site), pictures("accounts"))
	step("a name that two have", says("/ops drain api-1"), reads(".message.ephemeral", "2 instances are called"), reads(".message.ephemeral", "staging/us-west-2"))
	step("the button says which", clicks(api1+" button", "Drain…"), holds(`/^\/ops drain i-[0-9a-f]+$/.test(document.querySelector("#composer textarea").value)`),
		clicks("#composer button", "Send"), reads(card, "Drain api-1"), reads(card, "staging"), clicks(card+" button", "Confirm"), clicks("#confirm button", "Confirm"), reads(".message.ephemeral", "Draining api-1"))
	step("its tasks move", passing(said(api1+".leaving dl", "DRAINING")+" && "+said(api1+" dl", "2 api")), reads(api1+" dl", "standby"), reads("#fleet-what", "api-1 (staging)"), into(site), pictures("accounts-drain"))
	step("on a phone", chromedp.EmulateViewport(360, 740, chromedp.EmulateMobile), clicks("#tabs button", "Instances"), holds(`document.querySelector("#fleet").scrollWidth <= 360`),
		clicks("#fleet-what button", "api-1 (staging)"), holds(`document.querySelector(`+quoteJS(api1)+`).getBoundingClientRect().bottom < 740`), pictures("accounts-phone"), chromedp.EmulateViewport(1400, 1000))
	step("they are on another one", passing(said(api1+" dl", "none")+" && "+said(site+` .instance[data-name="api-2"]`, "tasks: 4 api")))
	step("it is replaced", passing(said(card, "done")+" && !document.querySelector("+quoteJS(api1)+") && "+said(site+` .instance[data-name="api-3"].serving`, "Mackerel: working")))
	if err := w.call("", "POST", "/sim/fault", map[string]any{"system": "aws", "kind": "error", "service": "autoscaling", "action": "ResumeProcesses"}, nil); err != nil {
		t.Fatal(err)
	}
	step("a deploy keeps its group still", says("/ops deploy api v1.4.1 to staging"), clicks(card+" button", "Merge"), clicks("#confirm button", "Merge"),
		reads(counts, "kept still for job-"), reads(counts, "suspended: AZRebalance"), into(site), pictures("accounts-deploy"))
	step("which runs again", passing(said(counts, "its processes run again after job-")), holds(`!`+found(counts, "suspended")), holds(`!`+found(counts, "kept still")))
	step("nothing is broken", holds(`document.querySelector("#broken").hidden`))
}
