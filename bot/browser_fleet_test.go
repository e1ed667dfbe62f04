package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// Somebody looks at the instances, drains one by its button, confirms the card, and
// watches it leave and be replaced while the clock goes on; on a phone too.
func TestBrowserFleet(t *testing.T) {
	ctx := newBrowser(t)
	w := newTalkWorld(t, talkConfig(nil))
	dir := os.Getenv("SCREENSHOTS")
	if dir == "" {
		dir = t.TempDir()
	}
	step := func(name string, acts ...pageAct) {
		t.Helper()
		if err := chromedp.Do(ctx, acts...); err != nil {
			_ = chromedp.Do(ctx, picture(filepath.Join(dir, "fleet-failed.png")))
			shown, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body.innerText`))
			t.Fatalf("%s: %v\nthe page shows:\n%s", name, err, shown)
		}
	}
	// passing lets the clock go on in small steps until all that is said is true at
	// once: what passes by is seen however long the page takes.
	passing := func(exprs ...string) pageAct {
		all := "(" + strings.Join(exprs, ") && (") + ")"
		return func(ctx context.Context, tab *chromedp.Target) (chromedp.Void, error) {
			for range 90 {
				for end := time.Now().Add(time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
					if ok, err := chromedp.Evaluate[bool](all)(ctx, tab); err != nil || ok {
						return chromedp.Void{}, err
					}
				}
				if err := w.call("", "POST", "/sim/clock/advance", map[string]any{"by": "3s"}, nil); err != nil {
					return chromedp.Void{}, err
				}
			}
			return chromedp.Void{}, fmt.Errorf("never true: %s", all)
		}
	}
	said := func(sel, text string) string { return "!!" + found(sel, text) }
	pictures := func(name string) pageAct {
		return chromedp.Steps(picture(filepath.Join(dir, name+".png")), colours("dark"), picture(filepath.Join(dir, name+"-dark.png")), colours("light"))
	}
	const (
		web3   = `#fleet .instance[data-name="web-3"]`
		web13  = `#fleet .instance[data-name="web-13"]`
		card   = "#messages .message:not(.ephemeral)"
		counts = "#fleet .group .counts"
	)
	typed := func(text string) pageAct {
		return holds(`document.querySelector("#composer textarea").value === ` + quoteJS(text))
	}
	step("the instances", chromedp.EmulateViewport(1400, 1000), chromedp.Navigate(w.base+"/"), clicks("#sides button", "Instances"),
		holds(`document.querySelectorAll("#fleet .instance").length === 22`), reads("#fleet-what", "none is draining"),
		reads(counts, "12 of 12 in service"), reads(counts, "size 6 to 18"), reads(counts, "role app"), reads("#fleet .zone h5", "ap-northeast-1d"),
		reads(web3, "working"), reads(web3, "InService"), reads(web3, "web: healthy"), reads(web3, "42 connections"), reads(web3, "3 MB buffered"), reads(web3, "app runs"), reads(web3, "Mackerel: working"), reads("#fleet-where", "22 in 2 accounts"),
		holds(`location.hash === "#instances"`), holds(`document.querySelector("#fleet-gone").hidden`), pictures("fleet"))
	step("nothing is asked for while nobody looks", clicks("#sides button", "Pull requests"), holds(`!document.querySelector("#fleet").offsetParent`),
		evaluates(`performance.clearResourceTimings()`), says("/ops status"), reads(".message.ephemeral", "Nothing"),
		holds(`performance.getEntriesByType("resource").every(e => !e.name.includes("/sim/aws/") && !e.name.includes("/sim/mackerel/"))`), clicks("#sides button", "Instances"))
	step("Drain… fills the box and sends nothing", clicks(web3+" button", "Drain…"), typed("/ops drain web-3"),
		holds(`document.activeElement === document.querySelector("#composer textarea")`), holds(`!`+found(card, "Drain web-3")))
	step("it is sent and confirmed", clicks("#composer button", "Send"), reads(card, "Drain web-3"), clicks(card+" button", "Confirm"),
		reads("#confirm[open]", "once its logs are shipped"), clicks("#confirm button", "Confirm"), reads(".message.ephemeral", "Draining web-3"))
	step("it leaves", passing(said(web3, "draining"), said(web3+".leaving dl", "Standby"), said(web3+" dl", "standby"), said(counts, "11 of 12 in service"),
		said("#fleet-what", "draining: web-3"), `document.querySelector(`+quoteJS(web3+" progress")+`)?.value < 42`, `!document.querySelector(`+quoteJS(web3+" button")+`)`))
	step("another one comes", passing(said(web3+" dl", "Standby"), said(web13+".coming", "Pending")), pictures("fleet-drain"))
	step("on a phone", chromedp.EmulateViewport(360, 740, chromedp.EmulateMobile), clicks("#tabs button", "Instances"), reads(web3, "draining"),
		holds(`document.documentElement.scrollWidth <= 360`), holds(`document.querySelector("#fleet").scrollWidth <= 360`),
		clicks("#fleet-what button", "web-3"), holds(`document.querySelector(`+quoteJS(web3)+`).getBoundingClientRect().bottom < 740`), pictures("fleet-phone"),
		clicks(`#fleet .instance[data-name="web-1"] button`, "Drain…"), typed("/ops drain web-1"), holds(`!!document.querySelector("#composer").offsetParent`),
		evaluates(`document.querySelector("#composer textarea").value = ""`), chromedp.EmulateViewport(1400, 1000))
	step("its logs are shipped", passing(said(web3+" dl", "stopped"), said(web3+" dl", "empty")))
	step("it is replaced", passing(said(card, "done"), `!document.querySelector(`+quoteJS(web3)+`)`, said(web13+".serving", "web: healthy"),
		said("#fleet-gone summary", "1 terminated"), said("#fleet-gone li", "web-3"), said(counts, "12 of 12 in service"), said("#fleet-what", "none is draining")))
	step("the address keeps it", chromedp.Navigate(w.base+"/"), holds(`!document.querySelector("#fleet").offsetParent`), chromedp.Navigate(w.base+"/#instances"), evaluates(`location.reload()`),
		reads("#fleet-gone summary", "1 terminated"))
	step("nothing is broken", holds(`document.querySelector("#broken").hidden`))
}
