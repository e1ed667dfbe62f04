package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// The pictures in docs/screens show each kind of card and form as the sandbox's page
// does: on a desk, 1400 points wide, and on a phone of 320; to those who like it
// light and to those who like it dark. TestScreens holds that none is missing; with
// -update it plays the conversations below and takes them all anew.

const (
	screensDir   = "../docs/screens"
	screensIndex = "../docs/screens.md"
	screensMost  = 3 << 20 // bytes of all pictures
)

// screen is one picture: what is looked at, by whom and where.
type screen struct {
	name  string
	says  string   // what it shows, for the index and for those who cannot see it
	kinds []string // the cards in it
	who   string   // alice unless said
	at    string   // a channel's button, "ops" unless said; or the path of a pull request, or "/#instances"
	under string   // the message whose thread is opened, by words in it
	sel   string   // what is cut out, a message unless said
	words string   // that it holds; the last such one is meant
}

// screenStep is a line of a conversation, or a picture of what came of it.
type screenStep struct {
	line string
	shot *screen
}

func saying(lines ...string) (out []screenStep) {
	for _, l := range lines {
		out = append(out, screenStep{line: l})
	}
	return out
}

func looking(shots ...screen) (out []screenStep) {
	for _, s := range shots {
		out = append(out, screenStep{shot: &s})
	}
	return out
}

// screenPlay is a conversation in a sandbox of its own.
type screenPlay struct {
	name  string
	edit  []string // of the configuration, as in testdata/talk
	steps []screenStep
}

// screenless are the kinds of cards without a picture, and why.
var screenless = map[string]string{
	"deployment":          "GitHub shows it among its own deployments; the page has none",
	"gate opened":         "one sentence",
	"pulled":              "a plan's message, of a pull request that destroys something",
	"finished":            "one sentence",
	"waived":              "one sentence",
	"mend":                "one sentence, and the tool's words where it did not work; its conversation shows it",
	"direct":              "one sentence",
	"bots":                "a list of counts; its conversation shows it",
	"your change is live": "one sentence",
	"outage":              "one sentence",
	"incident-there":      "one sentence, in the thread",
	"incident-picture":    "a picture of the source's own, in the thread",
	"incident-graph file": "as that of graph, in the thread",
	"incident-mended":     "one sentence",
	"incident-untexted":   "one sentence, in the thread",
	"incident-silence":    "a line for each source; its conversation shows it",
	"check your change":   "one sentence and a button",
	"digest":              "a list of what stands in its thread; its conversation shows it",
	"old":                 "one sentence, with the buttons of the hold's message",
	"hold opened":         "one sentence",
	"hold direct":         "one sentence, with the buttons of the hold's message",
	"stopped":             "one sentence, and Abort while an apply does not stop",
	"open review":         "one sentence",
	"drift look failed":   "as the drift's message, with the log instead of the plan",
	"device":              "a code to type on GitHub, and a link",
	"linked":              "one sentence",
	"reload":              "one sentence",
	"restart":             "one sentence",
	"rollup":              "a line for each end; it comes only when very many end at once",
	"kept":                "an answer that was kept while Slack was away, as it would have been",
	"digest-deploys file": "the picture of a weekly digest, in a direct message",
	"digest-load file":    "the picture of a weekly digest, in a direct message",
	"annotation":          "a mark on a graph of Mackerel",
	"release times":       "numbers in Mackerel",
	"incident-page":       "as the incident's message, in a direct message",
	"incident-awake":      "one sentence",
	"incident-reminder":   "one sentence, with the buttons of the incident's message",
	"past file":           "a picture of its own, of the times of a service",
	"audit file":          "a file",
	"drain held":          "one sentence, with the buttons of the drain's message",
	"birth":               "as a drain's message, with the steps; its conversation shows it",
	"birth failed":        "one sentence, with the buttons of the birth's message",
	"oncall gap":          "one sentence and a button; its conversation shows it",
	"oncall moved":        "one sentence, in a direct message",
	"oncall sync":         "one sentence",
	"ingress-open":        "a sentence with a mention, where a port cannot be shown to be closed",
	"ingress-stray":       "a sentence, where a rule of a security group is nobody's",
	"lease-overdue":       "a sentence with a mention, where an apply outlives the time that its group is kept still",
	"lease-stuck":         "a sentence with a mention, where the processes of a group cannot be resumed",
}

func allScreens() (out []screen) {
	for _, p := range screenPlays {
		for _, s := range p.steps {
			if s.shot != nil {
				out = append(out, *s.shot)
			}
		}
	}
	return out
}

func TestScreens(t *testing.T) {
	if *update {
		for _, p := range screenPlays {
			t.Run(p.name, func(t *testing.T) { playScreens(t, p) })
		}
		writeScreensIndex(t)
	}
	w, err := wire(features(systems{}))
	if err != nil {
		t.Fatal(err)
	}
	var shown []string
	want := map[string]bool{}
	for _, s := range allScreens() {
		shown = append(shown, s.kinds...)
		want[s.name+".png"] = true
	}
	for kind := range w.cards {
		_, without := screenless[kind]
		if slices.Contains(shown, kind) == without {
			t.Errorf("the card %q has no picture and no reason for that, or both: see screenPlays and screenless", kind)
		}
	}
	for _, kind := range slices.Concat(shown, slices.Collect(maps.Keys(screenless))) {
		if w.cards[kind] == nil {
			t.Errorf("there is no card %q", kind)
		}
	}
	index, err := os.ReadFile(screensIndex)
	if err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(screensDir)
	if err != nil {
		t.Fatal(err)
	}
	size := int64(0)
	for _, f := range files {
		if !want[f.Name()] {
			t.Errorf("docs/screens/%s is of no screen", f.Name())
		}
		if info, err := f.Info(); err == nil {
			size += info.Size()
		}
		if !strings.Contains(string(index), "screens/"+f.Name()) {
			t.Errorf("docs/screens.md does not show %s", f.Name())
		}
		delete(want, f.Name())
	}
	for name := range want {
		t.Errorf("docs/screens/%s is missing: go test ./bot -run TestScreens -update", name)
	}
	if size > screensMost {
		t.Errorf("the pictures are %d bytes; more than %d make the repository heavy", size, screensMost)
	}
}

func playScreens(t *testing.T, p screenPlay) {
	ctx := newBrowser(t)
	k := newTalk(t, talkConfig(p.edit))
	k.greeted()
	for _, s := range p.steps {
		if s.shot == nil {
			k.do(s.line)
			continue
		}
		shot := *s.shot
		if err := shot.take(ctx, k.base); err != nil {
			dir := cmp.Or(os.Getenv("SCREENSHOTS"), t.TempDir())
			_ = chromedp.Do(ctx, picture(filepath.Join(dir, "failed.png")))
			page, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body.innerText`))
			t.Fatalf("%s: %v\nthe page shows:\n%s", shot.name, err, page)
		}
	}
}

// take opens the page as somebody, goes to the place, and keeps the four pictures
// as one: on the left the desk, on the right the phone.
func (s screen) take(ctx context.Context, base string) error {
	who, at, sel := cmp.Or(s.who, "alice"), cmp.Or(s.at, "ops"), cmp.Or(s.sel, ".message")
	pull, pane := strings.HasPrefix(at, "/"), "chat"
	if pull {
		pane = "forge"
	}
	if strings.HasSuffix(at, "#instances") {
		pane = "fleet"
	}
	open := []pageAct{chromedp.EmulateViewport(1400, 2400), chromedp.Navigate(base + "/"), holds(`document.querySelector("#user").options.length > 0`),
		evaluates(`const u = document.querySelector("#user"); u.value = ` + quoteJS(who) + `; u.dispatchEvent(new Event("change"))`)}
	if pull {
		open = append(open, chromedp.Navigate(base+at), reads("#"+pane, map[string]string{"forge": "#", "fleet": "in service"}[pane]))
	} else {
		open = append(open, clicks("#channels button", at))
	}
	if s.under != "" {
		open = append(open, reads("#messages .message", s.under),
			evaluates(`[...document.querySelectorAll("#messages .message")].filter(n => n.textContent.includes(`+quoteJS(s.under)+`)).at(-1).querySelector(".replies button").click()`))
		sel = "#thread-messages .message"
	}
	if err := chromedp.Do(ctx, open...); err != nil {
		return err
	}
	last := `[...document.querySelectorAll(` + quoteJS(sel) + `)].filter(n => n.textContent.includes(` + quoteJS(s.words) + `)).at(-1)`
	var four []image.Image
	for _, wide := range []bool{true, false} {
		acts := []pageAct{chromedp.EmulateViewport(1400, 2400)}
		if !wide {
			acts = []pageAct{chromedp.EmulateViewport(320, 2400, chromedp.EmulateMobile), evaluates(`document.querySelector('#tabs button[data-pane=` + pane + `]').click()`)}
		}
		for _, scheme := range []string{"light", "dark"} {
			acts = append(acts, colours(scheme), holds("!!"+last),
				evaluates(`document.querySelectorAll("[data-shot]").forEach(n => n.removeAttribute("data-shot")); const n = `+last+`; n.setAttribute("data-shot", ""); n.scrollIntoView({block: "nearest"}); document.activeElement.blur()`),
				holds(fmt.Sprintf(`document.documentElement.scrollWidth <= %d`, map[bool]int{true: 1400, false: 320}[wide])))
			if err := chromedp.Do(ctx, acts...); err != nil {
				return err
			}
			acts = nil
			b, err := chromedp.Run(ctx, chromedp.Screenshot(chromedp.CSS("[data-shot]")))
			if err != nil {
				return err
			}
			one, err := png.Decode(bytes.NewReader(b))
			if err != nil {
				return err
			}
			four = append(four, one)
		}
	}
	if err := chromedp.Do(ctx, colours("light")); err != nil {
		return err
	}
	return writePalette(filepath.Join(screensDir, s.name+".png"), beside(four))
}

// beside puts the wide pictures below each other, and the two of the phone at their right.
func beside(four []image.Image) *image.RGBA {
	const gap = 12
	desk := max(four[0].Bounds().Dx(), four[1].Bounds().Dx())
	phone := max(four[2].Bounds().Dx(), four[3].Bounds().Dx())
	high := max(four[0].Bounds().Dy()+gap+four[1].Bounds().Dy(), four[2].Bounds().Dy(), four[3].Bounds().Dy())
	out := image.NewRGBA(image.Rect(0, 0, desk+2*phone+4*gap, high+2*gap))
	draw.Draw(out, out.Bounds(), image.NewUniform(color.RGBA{0x88, 0x8c, 0x90, 0xff}), image.Point{}, draw.Src)
	for i, at := range []image.Point{{gap, gap}, {gap, 2*gap + four[0].Bounds().Dy()}, {2*gap + desk, gap}, {3*gap + desk + phone, gap}} {
		draw.Draw(out, four[i].Bounds().Sub(four[i].Bounds().Min).Add(at), four[i], four[i].Bounds().Min, draw.Src)
	}
	return out
}

// writePalette keeps a picture with its 256 most frequent colours, which makes it a
// third as big and looks the same.
func writePalette(path string, in *image.RGBA) error {
	count := map[color.RGBA]int{}
	for y := range in.Bounds().Dy() {
		for x := range in.Bounds().Dx() {
			count[in.RGBAAt(x, y)]++
		}
	}
	often := slices.SortedFunc(maps.Keys(count), func(a, b color.RGBA) int {
		return cmp.Or(count[b]-count[a], cmp.Compare(a.R, b.R), cmp.Compare(a.G, b.G), cmp.Compare(a.B, b.B))
	})
	var palette color.Palette
	for _, c := range often[:min(256, len(often))] {
		palette = append(palette, c)
	}
	nearest := map[color.RGBA]uint8{}
	for _, c := range often {
		nearest[c] = uint8(palette.Index(c))
	}
	out := image.NewPaletted(in.Bounds(), palette)
	for y := range in.Bounds().Dy() {
		for x := range in.Bounds().Dx() {
			out.SetColorIndex(x, y, nearest[in.RGBAAt(x, y)])
		}
	}
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&b, out); err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o600)
}

func writeScreensIndex(t *testing.T) {
	var b strings.Builder
	b.WriteString("# What it looks like\n\nEach kind of card and form, as the sandbox's page shows it: at the left on a desk, at the right on a phone of 320 points; light and dark. " +
		"The page stands in for Slack, which draws the same blocks in its own way.\n\nThey are taken by `go test ./bot -run TestScreens -update`, which plays the conversations of `bot/screens_plays_test.go`.\n")
	for _, s := range allScreens() {
		fmt.Fprintf(&b, "\n## %s\n\n![%s](screens/%s.png)\n", s.says, s.says, s.name)
	}
	if err := os.WriteFile(screensIndex, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}
