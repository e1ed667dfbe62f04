package phrase_test

import (
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations/kit/phrase"
)

const catalogue = `msgid ""
msgstr ""

msgid "%s is %s."
msgstr "%s は %s です。"

msgid "the plan of %s failed: %s"
msgstr "%s のプランに失敗しました：%s"

msgid "%s of an earlier wave %s"
msgstr "前のウェーブの %s が %s"

msgid "%s was never started: %s"
msgstr "%s は開始されませんでした：%s"

msgid "exit code %d"
msgstr "終了コード %d"

msgid "locked by %s: “%s” (%s)"
msgstr "%s のロック：「%s」（%s）"

msgid "%s is locked by %s: “%s” (%s)"
msgstr "%[1]s は %[2]s がロックしています：「%[3]s」（%[4]s）"

msgid "%s, for %s"
msgstr "%s、%s前から"

msgid "%d min"
msgstr "%d 分"

msgid "and %d more"
msgstr "ほか %d 件"

msgid "Merge"
msgstr "マージ"

msgid "nobody holds it"
msgstr "誰もロックしていません"

msgid "took %s"
msgstr "所要 %s"

msgid "Asked by"
msgstr "依頼者"

msgid "%s went with %s"
msgstr "%s は %s と一緒"

msgid "by %s"
msgstr "%s による"

msgid "%s said yes. It counts from %s on."
msgstr "%s が許可しました。%s から有効です。"

msgid "Asked by %s"
msgstr "%s の依頼"

msgid "%s locked %s: “%s”"
msgstr "%s が %s をロック：「%s」"

msgid "write ` + "`%s`" + ` there"
msgstr "` + "`%s`" + ` と書く"

msgid "%s waits"
msgstr "待機中：%s"
`

func TestSay(t *testing.T) {
	b, err := phrase.New(catalogue)
	if err != nil {
		t.Fatal(err)
	}
	link := string(phrase.Token)
	for _, c := range []struct{ what, said, want string }{
		{"whole", "web/production is locked by alice: “deploy it by hand” (hold-1, for 5 min)", "web/production は alice がロックしています：「deploy it by hand」（hold-1、5 分前から）"},
		{"a capital letter", "Nobody holds it", "誰もロックしていません"},
		{"a stop", "Nobody holds it.", "誰もロックしていません。"},
		{"a reason that is a phrase", "web is locked by alice: “nobody holds it” (hold-2, for 5 min)", "web は alice がロックしています：「nobody holds it」（hold-2、5 分前から）"},
		{"quotes in quotes", "web is locked by alice: “web is down: “it said “no””” (hold-2, for 5 min)", "web は alice がロックしています：「web is down: “it said “no””」（hold-2、5 分前から）"},
		{"sentences in quotes that quote", "web is locked by alice: “web is down. “no”” (hold-2, for 5 min)", "web は alice がロックしています：「web is down. “no”」（hold-2、5 分前から）"},
		{"quotes in a sentence of ours that is quoted", "web is locked by alice: “bob locked api: “nobody holds it”” (hold-2, for 5 min)", "web は alice がロックしています：「bob が api をロック：「nobody holds it」」（hold-2、5 分前から）"},
		{"parts", "op-1 · took 5 min · Asked by", "op-1 · 所要 5 分 · 依頼者"},
		{"people who do it together", "alice + bob · took 5 min", "alice + bob · 所要 5 分"},
		{"lines", "Asked by\nnobody holds it", "依頼者\n誰もロックしていません"},
		{"a token", link + " · took 5 min", link + " · 所要 5 分"},
		{"what it is said of", "web/staging: nobody holds it", "web/staging: 誰もロックしていません"},
		{"a sign and what it is said of", "✋ hold: nobody holds it.", "✋ hold: 誰もロックしていません。"},
		{"the most literal key, with a stop", "web is locked by alice: “x” (hold-1, for 5 min).", "web は alice がロックしています：「x」（hold-1、5 分前から）。"},
		{"a number before a stop", "the plan of web failed: exit code 1.", "web のプランに失敗しました：終了コード 1。"},
		{"two sentences", "dns was never started: web of an earlier wave failed. nobody holds it.", "dns は開始されませんでした：前のウェーブの web が failed。誰もロックしていません。"},
		{"a line that a place would reach over", "web of an earlier wave failed\nweb of an earlier wave failed", "前のウェーブの web が failed\n前のウェーブの web が failed"},
		{"a part that is not known", "took 5 min · something else came", "took 5 min · something else came"},
		{"a thing put in that is not known", "took a long while indeed", "took a long while indeed"},
		{"a list of what one key says", "#1 went with alice, #2 went with bob", "#1 は alice と一緒、#2 は bob と一緒"},
		{"a list in a sentence", "the plan of web failed: #1 went with alice, #2 went with bob", "web のプランに失敗しました：#1 は alice と一緒、#2 は bob と一緒"},
		{"a list of what a key begins", "by alice, by bob", "alice による、bob による"},
		{"a list of what a key ends", "web waits, api waits", "待機中：web、待機中：api"},
		{"a list of what a key begins in small letters", "asked by alice, asked by bob", "alice の依頼、bob の依頼"},
		{"halves that one key says", "#1 went with alice; #2 went with bob", "#1 は alice と一緒；#2 は bob と一緒"},
		{"what is to be written", "write `people: - {name: nobody}` there", "`people: - {name: nobody}` と書く"},
		{"how a command is written", "#1 went with changelog <service> [in <environment>] [--by <word>]", "#1 は changelog <service> [in <environment>] [--by <word>] と一緒"},
		{"what is only like it", "#1 went with Any <service> that runs", "#1 went with Any <service> that runs"},
		{"an item of a list", "• nobody holds it\n• web waits", "• 誰もロックしていません\n• 待機中：web"},
		{"a line that is not known among others", "web waits\nsome other thing\nby alice: web", "web waits\nsome other thing\nby alice: web"},
		{"a sentence before two that are one", "nobody holds it. ✅ alice said yes. It counts from 5 min on.", "誰もロックしていません。✅ alice が許可しました。5 分 から有効です。"},
		{"a sentence behind two that are one", "alice said yes. It counts from 5 min on. nobody holds it.", "alice が許可しました。5 分 から有効です。誰もロックしていません。"},
		{"two halves of a sentence", "nobody holds it; took 5 min", "誰もロックしていません；所要 5 分"},
		{"halves behind a token", link + "; nobody holds it", link + "；誰もロックしていません"},
		{"tokens in a sentence", "web went with " + link + " “x”, " + link + " “y”", "web は " + link + " 「x」、" + link + " 「y」 と一緒"},
		{"no words", "+1 ~0 -0", "+1 ~0 -0"},
		{"Japanese", "本番", "本番"},
	} {
		t.Run(c.what, func(t *testing.T) {
			for range 2 { // the second time from memory
				if got, _ := b.Say(c.said); got != c.want {
					t.Errorf("%q is said as %q, not as %q", c.said, got, c.want)
				}
			}
		})
	}
}

// A link may show somebody's own title, which is not looked into.
func TestLabel(t *testing.T) {
	b, err := phrase.New(catalogue)
	if err != nil {
		t.Fatal(err)
	}
	for said, want := range map[string]string{
		"Merge": "マージ", "and 3 more": "ほか 3 件", "by alice": "by alice", "Add by hand": "Add by hand",
	} {
		if got := b.Label(said); got != want {
			t.Errorf("the label %q is said as %q, not as %q", said, got, want)
		}
	}
}

func TestAWrongCatalogueIsTold(t *testing.T) {
	for what, c := range map[string]struct{ entry, want string }{
		"no translation":      {`msgid "Merge"` + "\n" + `msgstr ""`, "no translation"},
		"a place is left out": {`msgid "%s of %s"` + "\n" + `msgstr "%s"`, "1 of the 2"},
		"a place too many":    {`msgid "by %s"` + "\n" + `msgstr "%[2]s による"`, "place 2 of 1"},
		"no words":            {`msgid "%s: %s"` + "\n" + `msgstr "%s：%s"`, "no words"},
	} {
		t.Run(what, func(t *testing.T) {
			if _, err := phrase.New("msgid \"\"\nmsgstr \"\"\n\n" + c.entry + "\n"); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the error is %v, without %q", err, c.want)
			}
		})
	}
}

// TestNoWordsOfTheMachine holds that what is typed, rights and names of things are
// no words of a language, however short the keys are that would fit them.
func TestNoWordsOfTheMachine(t *testing.T) {
	b, err := phrase.New(catalogue + `
msgid "%s to %s"
msgstr "%sを%sへ"

msgid "Hold"
msgstr "保留"

msgid "Deploy it"
msgstr "デプロイする"

msgid "Ask %s"
msgstr "%sに依頼"

msgid "You may %s."
msgstr "できること：%s。"

msgid "nothing called %s"
msgstr "%sはありません"
`)
	if err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]string{
		"/ops deploy web to staging":            "/ops deploy web to staging",
		"/ops deploy web to staging  Deploy it": "/ops deploy web to staging  デプロイする",
		"You may hold, merge.":                  "できること：hold、merge。",
		"Hold":                                  "保留",
		"nothing called “web to staging”":       "「web to staging」はありません",
		"🔒 web is locked by bob: “x” (hold-1)":  "🔒 web は bob がロックしています：「x」（hold-1）",
		"web (promote) · nobody holds it":       "web（promote） · 誰もロックしていません",
	} {
		if got, _ := b.Say(in); got != want {
			t.Errorf("%q is said as %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{"Ask alice": "aliceに依頼", "merge web to staging": "merge web to staging", "Ask the whole team": "Ask the whole team"} {
		if got := b.Button(in); got != want {
			t.Errorf("the button %q is %q, want %q", in, got, want)
		}
	}
}
