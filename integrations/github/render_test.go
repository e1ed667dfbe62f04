package github

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/signalbox-chatops/signalbox/integrations"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "markdown", name+".md")
	if *update {
		if err := os.WriteFile(path, []byte(got+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.TrimSuffix(string(want), "\n"), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func TestMarkdown(t *testing.T) {
	R, alice := integrations.R, integrations.Person{Name: "Alice", GitHub: "alice"}
	for name, m := range map[string]integrations.Message{
		"text": {Text: "op-12 open +1 ~0 -0 https://github.example/acme/web/pull/3"},
		"plan": {Text: "planned", Blocks: []integrations.Block{
			{Header: "Plan of network/production"},
			{Text: R(integrations.Who(alice), " asked for ", integrations.Bold("web"), " in ", integrations.Code("production"), ", ", integrations.Link("https://github.example/acme/web/compare/a...b", "2 commits"), ".")},
			{Fields: []integrations.Field{{Name: "Counts", Value: R(integrations.Code("+1 ~0 -0"))}, {Name: "From → to", Value: R(integrations.Code("a|b"), "\n", "then c|d")}}},
			{Code: "+ aws_instance.web\n  ```\n  fenced\n"},
			{Details: &integrations.Details{Title: "The whole plan of a_b's <x> @bob", Code: "Terraform will\n````four````"}},
			{Divider: true},
			{Buttons: []integrations.Button{{Label: "Merge", Command: "merge op-12"}, {Label: "Log", URL: "https://bot.example/jobs/1"}, {Label: "Confirm", Command: "/ops confirm op-12"}}},
			{Context: R("job-31, ", integrations.Italic("14 s"))},
			{},
		}},
		"japanese": {Text: "x", Blocks: []integrations.Block{{Text: R("これは", integrations.Bold("「本番」"), "への反映です。")}}},
		"hostile": {Text: "x", Blocks: []integrations.Block{
			{Header: "# Fixes #12\n## @acme/owners <img src=x>"},
			{Text: R("Title: fixes #1, closes acme/web#2, GH-3, @everyone @acme/owners <!-- signalbox:x --> <details> &lt;b&gt; [x](http://evil.example) ![i](http://evil.example/i.png) **b** _i_ ~~s~~ `c` | www.evil.example")},
			{Text: R("- item\n# head\n> quote\n1. one\n    code\n=== \n```\nopen fence\n<script>\ttab\u202egnp.exe\x1b[31m")},
			{Text: R("a", integrations.Bold(" <b>x</b>* "), integrations.Italic("_y_\n\nz"), integrations.Code("``x` @bob"), integrations.Code("`"), integrations.Code(" "), integrations.Code("c"), integrations.Code("d"))},
			{Text: R(integrations.Who(alice), "s plan; ", integrations.Who(alice), "/owners; look!", integrations.Link("https://ok.example", "here"), " http:", "//evil.example")},
			{Text: R(integrations.Link("javascript:alert(1)", "click @bob"), " ", integrations.Link("https://ok.example/a) [b](x y\"<>|`*", "t]e[x`t"), " ", integrations.Link("https://ok.example/", ""))},
			{Text: R(integrations.Who(integrations.Person{GitHub: "evil\n@acme/owners"}), " ", integrations.Who(integrations.Person{GitHub: "dependabot[bot]"}), " ", integrations.Who(integrations.Person{Name: "Bob @x"}), " ", integrations.Who(integrations.Person{}))},
			{Fields: []integrations.Field{{Name: "a|b\nc", Value: R("x|y\\|z\n| new | row |")}, {Name: "code", Value: R(integrations.Code(`a\|b`))}}},
			{Details: &integrations.Details{Title: "</summary></details><script>\n\n# x #1", Code: "</details>\n```\n@bob"}},
			{Buttons: []integrations.Button{{Label: "x` @bob", Command: "cancel `op`\n@bob"}, {Label: "y", URL: "javascript:x"}}},
		}},
	} {
		t.Run(name, func(t *testing.T) { golden(t, name, Markdown(m)) })
	}
}

// Whatever somebody writes in a title, nobody is mentioned, nothing is referred
// to, and no tag or comment is opened.
func FuzzEscape(f *testing.F) {
	for _, s := range []string{"@bob", "fixes #1", "<!--", "&#64;bob", "a\\@b", "GH-1", "`@bob`", "http://x/1", "@\u200bbob", "\x1b@b", "wWw.x", "&lt;"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, got := range []string{escape(s), escapeInline(s), escapeHTML(s)} {
			plain := strings.ReplaceAll(got, zeroWidth, "\u200b")
			for i, r := range plain {
				rest := plain[i+utf8.RuneLen(r):]
				if (r == '@' || r == '#') && rest != "" && !strings.HasPrefix(rest, "\u200b") {
					t.Fatalf("escape(%q) = %q: %q can be a reference", s, got, plain[i:])
				}
			}
			if strings.ContainsAny(got, "<>") || strings.Contains(got, "://") || !utf8.ValidString(got) {
				t.Fatalf("escape(%q) = %q", s, got)
			}
		}
		if code := inlineCode(s); code != "" && (longestRun(strings.Trim(code, "`"), '`') >= len(code)-len(strings.TrimLeft(code, "`")) || strings.Contains(code, "\n")) {
			t.Fatalf("inlineCode(%q) = %q", s, code)
		}
	})
}

func TestLongMessagesAreCutAndStayWhole(t *testing.T) {
	long := strings.Repeat("0123456789 計画の行です ```\n", 20000)
	for name, m := range map[string]integrations.Message{
		"code":    {Blocks: []integrations.Block{{Header: "h"}, {Code: "first line\n" + long + "last line"}, {Text: integrations.R("the end")}}},
		"details": {Blocks: []integrations.Block{{Header: "h"}, {Details: &integrations.Details{Title: "t", Code: "first line\n" + long + "last line"}}, {Text: integrations.R("the end")}}},
	} {
		got := marked(m, "n")
		if n := utf8.RuneCountInString(got); n > bodyMost || n < bodyMost/3 {
			t.Errorf("%s: %d characters, want at most %d and most of them", name, n, bodyMost)
		}
		for _, want := range []string{"<!-- signalbox:n -->\n### h\n", "\nfirst line\n", "left out here", "\nlast line\n", "\n\nthe end"} {
			if !strings.Contains(got, want) {
				t.Errorf("%s: lost %q", name, want)
			}
		}
		if strings.Count(got, "<details>") != strings.Count(got, "</details>") || strings.Count(got, "\n````\n") != 2 {
			t.Errorf("%s: a fence or details stayed open", name)
		}
	}
	var many []integrations.Block
	for range 3000 {
		many = append(many, integrations.Block{Text: integrations.R(strings.Repeat("word ", 10))})
	}
	for name, m := range map[string]integrations.Message{
		"text": {Text: long}, "rich": {Blocks: []integrations.Block{{Text: integrations.R(long)}}}, "many": {Blocks: many},
		"fields": {Blocks: []integrations.Block{{Header: "kept"}, {Fields: []integrations.Field{{Name: "x", Value: integrations.R(long)}}}}},
	} {
		if got := marked(m, "n"); utf8.RuneCountInString(got) > bodyMost || !strings.HasPrefix(got, "<!-- signalbox:n -->\n") || len(got) < 60 {
			t.Errorf("%s: %d characters, beginning %.60q", name, utf8.RuneCountInString(got), got)
		}
	}
}
