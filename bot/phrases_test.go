package main

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/signalbox-chatops/signalbox/integrations/kit/phrase"
)

// TestPhrases holds the catalogues to the source: what a folder of commands says
// to people stands in its ja.po with a translation, and nothing else does. Run it
// with -update after a change of words: it puts in what is missing, without a
// translation, and takes out what nobody says any more.
func TestPhrases(t *testing.T) {
	folders, err := filepath.Glob("../commands/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range append(folders, "../commands") {
		said := phrasesOf(t, dir)
		if len(said) == 0 {
			continue
		}
		t.Run(strings.TrimPrefix(dir, "../"), func(t *testing.T) {
			path := filepath.Join(dir, "ja.po")
			text, err := os.ReadFile(path)
			if err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
			known := phrase.Keys(string(text))
			if *update {
				writePhrases(t, path, said, known, kept(string(text)))
				return
			}
			for key, where := range said {
				if known[key] == "" {
					t.Errorf("%s says %q, of which %s has no translation (go test ./bot -run TestPhrases -update writes it down)", where, key, path)
				}
			}
			extra := kept(string(text))
			for key := range known {
				if said[key] == "" && !extra[key] {
					t.Errorf("%s translates %q, which nothing in %s says (put it under \"# Composed:\" if it is put together there)", path, key, dir)
				}
			}
			if _, err := phrase.New(string(text)); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestPhrasesAgree holds the catalogues to one another: they are put together into
// one, where a sentence that two of them translate in two ways would be said in
// whichever came last.
func TestPhrasesAgree(t *testing.T) {
	files, err := filepath.Glob("../commands/*/*.po")
	if err != nil {
		t.Fatal(err)
	}
	type said struct{ text, where string }
	first := map[string]said{}
	for _, path := range append(files, "../commands/ja.po") {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for key, value := range phrase.Keys(string(text)) {
			r, n := utf8.DecodeRuneInString(key) // a sentence is found with a capital letter or without
			lang := filepath.Base(path) + " " + string(unicode.ToLower(r)) + key[n:]
			if was, ok := first[lang]; ok && was.text != value {
				t.Errorf("%q is %q in %s and %q in %s", key, was.text, was.where, value, path)
			} else if !ok {
				first[lang] = said{value, path}
			}
		}
	}
}

// kept are the entries that no single expression says, for they are composed: each
// stands under a comment "# Composed: …" that says where.
func kept(po string) map[string]bool {
	out := map[string]bool{}
	for _, entry := range strings.Split(po, "\n\n") {
		if strings.HasPrefix(strings.TrimSpace(entry), "# Composed:") {
			for key := range phrase.Keys("msgid \"\"\nmsgstr \"\"\n\n" + entry + "\n") {
				out[key] = true
			}
		}
	}
	return out
}

func writePhrases(t *testing.T, path string, said, known map[string]string, extra map[string]bool) {
	t.Helper()
	old, _ := os.ReadFile(path) // none is written anew
	var b strings.Builder
	b.WriteString("msgid \"\"\nmsgstr \"\"\n\"Language: ja\\n\"\n\"Content-Type: text/plain; charset=UTF-8\\n\"\n")
	for _, entry := range strings.Split(string(old), "\n\n") {
		if strings.HasPrefix(strings.TrimSpace(entry), "# Composed:") {
			b.WriteString("\n" + strings.TrimSpace(entry) + "\n")
		}
	}
	keys := slices.SortedFunc(maps.Keys(said), func(x, y string) int { return cmp.Or(cmp.Compare(file(said[x]), file(said[y])), cmp.Compare(x, y)) })
	for _, key := range keys {
		if extra[key] {
			continue
		}
		fmt.Fprintf(&b, "\n#: %s\nmsgid %s\nmsgstr %s\n", file(said[key]), poQuote(key), poQuote(known[key]))
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

func file(where string) string { name, _, _ := strings.Cut(where, ":"); return name }

func poQuote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`).Replace(s) + `"`
}

// phrasesOf are the sentences that a folder's source says to people, and where.
func phrasesOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") || strings.HasSuffix(name, ownWords) {
			continue
		}
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		w := phraseWalk{found: func(key string, at token.Pos) {
			if _, known := out[key]; !known {
				out[key] = fmt.Sprintf("%s:%d", filepath.Base(name), set.Position(at).Line)
			}
		}}
		ast.Inspect(f, w.visit)
	}
	return out
}

// ownWords ends the name of a file that holds its words in each language itself: those of
// a picture or of a calendar, which are made once and not looked up when they are shown.
const ownWords = "_words.go"

// unsaid looks like a sentence and is none: keys of records, names of ticks, layouts
// of time, commands to type, what stands in a pull request's text, where everybody
// reads it, or in a picture.
var unsaid = map[string]bool{
	"%s turn %d": true, "page incident %s": true, "page incident": true, "status page": true, "look at the status page": true,
	"statuspage cancel": true, "statuspage component": true, "statuspage confirm": true, "statuspage notify": true, "statuspage open": true, "statuspage resolve": true, "statuspage update": true,
	"30 days": true, "hold direct": true, "hold opened": true, "watch locks": true, "hold taken": true, "hold asked about": true,
	"job queued": true, "asked for a reason": true, "%s reminder": true, "%s expired": true, "unfreeze %s": true,
	"%s %s because I have looked, and it is as it should be": true, "%s %s because it is no longer needed": true, "%s %s \"database migration\" --for 2h": true,
	"approver turn": true, "lost delivery": true, "unread deliveries": true, "open review": true, "gate opened": true,
	"job log": true, "job log file": true, "pull comment": true, "target status": true, "expire confirmations": true,
	"lost webhooks": true, "show anew": true, "what waits": true, "job apply": true, "job %s": true, "found by looking": true,
	"after %s %d": true, "after %s attempt %d": true, "event %d": true, "|after %s": true, "deploy %s %s to %s": true,
	"rollback %s in %s": true, "to %s": true, "%s: %s in %s, was %s": true,
	"what does not answer": true, "%s: signalbox ops %s": true,
	"pull %d %d": true, "rollup %s %s": true, "hold ended": true, "not stopping": true,
	"audit export": true, "remove audit files that were sent": true, "gate status": true, "audit file": true,
	"ignored: nothing handles it": true, "stale: dropped": true, "people talking": true, "refused: %s": true, "ignored: %s": true,
	"error: %s": true, "panic: %s": true, "English": true, "Japanese": true, "GitHub": true, "Slack": true, "%s help deploy": true,
	"github: your GitHub login": true, "slack: %s": true, "- name: %s": true, "--since 2h": true,
	"include|%s|%s|by itself": true, "merge|%s|%s|by itself": true, "drift look failed": true, "%s has drifted (%s)": true,
	"- looks that saw it: %%d": true, "Record what has drifted on %s": true,
	"The file is in no target's paths: merged as it is, this applies nothing.": true, "There are two ways to end it:": true,
	"| what | what a re-apply would do |": true, "… and %%d more.": true, "%s link octocat": true, "introduction %s": true, "home %s": true,
	"home tabs": true, "look at home tabs": true, "%s file": true, "remove %s files that were sent": true, "2 Jan": true, "2 January": true,
	"Jan 2": true, "January 2": true, "Jan 06": true, "Monday": true, "the last": true, "the past": true,
	"After the merge the running configuration has to be reloaded.":                              true,
	"The merge of this pull request makes it so: the running configuration follows this branch.": true, "tidy config|%s|%s": true, "github: %s": true,
	"{name: %s": true, "config change": true, "tidy config": true, "refused: mistakes": true, "%s unlink %s": true, "link %s": true,
	"environments.%s.channels: - %s": true, "groups.%s: [%s]": true, "people: - %s": true, "services.%s.aliases: - %s": true, "hold gone": true,
	"%s diff %s": true, "%%d failed": true, "%s help stats": true, "deploys %s %s %s": true, "%s changelog %s --since friday": true,
	"%s history %s": true, "%s to %s": true,
	"go round": true, "watch the incidents": true, "agree on the incidents elsewhere": true, "%s wish %d": true, "%s picture": true, "PagerDuty %s": true, "drain held": true, "drain role": true, "drain roles": true, "keep drains going": true, "ABSENT": true, "Status": true, "Protected": true, "Stateful": true,
	"birth failed": true, "birth watched": true, "look for births": true, "keep births going": true, "tried again": true, "let in anyway": true,
	"# signalbox:birth %s %s": true, "aws autoscaling put-lifecycle-hook --region %s --auto-scaling-group-name %s --lifecycle-hook-name %s --lifecycle-transition autoscaling:EC2_INSTANCE_LAUNCHING --heartbeat-timeout 3600 --default-result ABANDON": true,
	"log loss accepted": true, "planned again": true, "going back": true, "%s at %d": true, "exit 64 # %s": true,
	"signalbox %s on %s until %s": true, "aws ec2 revoke-security-group-ingress --region %s --group-id %s %s": true, "--security-group-rule-ids %s": true, "--protocol tcp --port %d --cidr %s": true,
	"PT1H": true, "-PT15M": true, "GREGORIAN": true, "-//signalbox//on call//%s": true, "text/calendar; charset=utf-8": true,
	"Cache-Control": true, "Content-Type": true, "ETag": true, "If-None-Match": true, "oncall calendar": true, "oncall feed": true,
	"private, max-age=300": true, "oncall cancel": true, "oncall cover": true, "oncall cover @alice from tomorrow 9:00 to friday 18:00 by @bob": true,
	"oncall override": true, "oncall take": true, "oncall take 2h from tomorrow 9:00": true,
	"0 9 * * mon": true, "%%q is no time zone; want one like Asia/Tokyo": true, "Local": true,
	"is %%v; want at most %%v": true, "is %%v; want at most 24h": true, "keep PagerDuty in step": true, "keep user groups and topics in step": true,
	"oncall change": true, "oncall gap": true, "oncall handoff": true, "oncall moved": true, "oncall swap": true, "watch the rotations": true,
	"oncall watch": true, "oncall end": true, "oncall read": true, "is %%d; want 1 to %%d": true, "is %%q; want elapsed or active": true,
	"is %%q; want hourly, daily, weekly or monthly": true, "oncall roster": true, "%s oncall calendar": true, "%s oncall swap @bob 2026-12-24": true,
	"oncall mine": true, "oncall next": true, "oncall accept": true, "oncall decline": true, "oncall swap @bob 2026-12-24": true, "group %s": true,
	"oncall mirror": true, "oncall sync": true, "topic %s": true, "gaps: -1s": true, "oncall take %s %s from \"%s\"": true, "oncall week": true,
	"weekly digest": true, "weekly digest deploys": true, "weekly digest load": true, "weekly digest watch": true, "post the weekly digest": true, "digest %s": true, "%s help digest": true,
	"%%q does not come once a week; want one like %%q": true, "%%q is there twice": true, "%%q names a time zone; that is said by digest.zone": true, "is missing; the digest is posted there": true,
	"%%s are working hours too (%%s)": true, "0 10 * * mon": true, "mon-fri %s": true, "mon-fri 09:00-18:00": true,
}

type phraseWalk struct {
	found func(key string, at token.Pos)
}

// What is called with words that no person in a chat reads: logs, the errors of
// operators, comparisons.
var (
	unsaidCalls = regexp.MustCompile(`^(errors\.New|fmt\.Errorf|fmt\.Sscanf|panic|regexp\.MustCompile|strings\.\w+|.*\.(Debug|Info|Warn|Error|Log|DebugContext|InfoContext|WarnContext|ErrorContext)|WithExample|store\..*|.*\.WithExample)$`)
	unsaidKeys  = map[string]bool{"Examples": true, "Example": true, "Command": true, "Code": true, "URL": true, "Context": false}
	boundary    = regexp.MustCompile(`^[\s·;,]+|[\s·;,]+$`)
	anyVerb     = regexp.MustCompile(`%(?:\[\d+\])?[+\-# 0]*[\d.*]*([a-zA-Z])`)
	backticked  = regexp.MustCompile("`[^`]*`")
	words       = regexp.MustCompile(`[A-Za-z]{2}`)
)

func (w phraseWalk) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.ImportSpec, *ast.CaseClause:
		if c, ok := n.(*ast.CaseClause); ok { // what is compared with is not said
			for _, s := range c.Body {
				ast.Inspect(s, w.visit)
			}
		}
		return false
	case *ast.Field:
		return n.Tag == nil
	case *ast.KeyValueExpr:
		if k, ok := n.Key.(*ast.Ident); ok && unsaidKeys[k.Name] {
			return false
		}
		ast.Inspect(n.Value, w.visit)
		return false
	case *ast.IndexExpr:
		ast.Inspect(n.X, w.visit)
		return false
	case *ast.CallExpr:
		if unsaidCalls.MatchString(called(n)) {
			if f, ok := n.Fun.(*ast.SelectorExpr); ok { // what it is called on may say something
				ast.Inspect(f.X, w.visit)
			}
			for _, a := range n.Args {
				if _, lit := a.(*ast.BasicLit); !lit && strings.HasPrefix(called(n), "strings.") {
					ast.Inspect(a, w.visit)
				}
			}
			return false
		}
	case *ast.BinaryExpr:
		if n.Op != token.ADD {
			break
		}
	}
	e, ok := n.(ast.Expr)
	if !ok {
		return true
	}
	key, whole := pattern(e)
	if !whole {
		return true
	}
	w.say(key, e.Pos())
	w.inner(e)
	return false
}

// say notes a sentence, without what joins it to its neighbours.
func (w phraseWalk) say(key string, at token.Pos) {
	for _, line := range strings.Split(key, "\n") {
		line = boundary.ReplaceAllString(line, "")
		bare := anyVerb.ReplaceAllString(backticked.ReplaceAllString(line, ""), "")
		if unsaid[line] || strings.Contains(line, "2006") || strings.Contains(line, "%%s") || strings.HasPrefix(line, "<!--") || strings.Contains(line, "15:04") { // a layout of time
			continue
		}
		if !words.MatchString(bare) || !strings.Contains(strings.TrimSpace(line), " ") && strings.ToLower(line) == line {
			continue // a word of the machine, or nothing
		}
		if !strings.Contains(line, " ") && strings.ContainsAny(line, "/_.=<>{}") {
			continue
		}
		w.found(line, at)
	}
}

// inner visits what stands inside a sentence: what is put in may be said by itself.
func (w phraseWalk) inner(e ast.Expr) {
	switch e := e.(type) {
	case *ast.BinaryExpr:
		w.inner(e.X)
		w.inner(e.Y)
	case *ast.ParenExpr:
		w.inner(e.X)
	case *ast.CallExpr:
		switch called(e) {
		case "integrations.R", "fmt.Sprintf", "fmt.Sprint":
			for _, a := range e.Args {
				if _, lit := a.(*ast.BasicLit); !lit {
					w.inner(a)
				}
			}
		default:
			for _, a := range e.Args {
				ast.Inspect(a, w.visit)
			}
		}
	case *ast.BasicLit:
	default:
		ast.Inspect(e, w.visit)
	}
}

func called(c *ast.CallExpr) string {
	switch f := c.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		if x, ok := f.X.(*ast.Ident); ok {
			return x.Name + "." + f.Sel.Name
		}
		return "." + f.Sel.Name
	}
	return ""
}

// pattern is an expression as a key: its own words, and %s for what is put in.
// whole says that it has words.
func pattern(e ast.Expr) (key string, whole bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind != token.STRING {
			return "%s", false
		}
		s, err := strconv.Unquote(e.Value)
		if err != nil {
			return "%s", false
		}
		return strings.ReplaceAll(s, "%", "%%"), s != ""
	case *ast.ParenExpr:
		return pattern(e.X)
	case *ast.BinaryExpr:
		if e.Op != token.ADD {
			return "%s", false
		}
		x, wx := pattern(e.X)
		y, wy := pattern(e.Y)
		return together(x, y), wx || wy
	case *ast.CallExpr:
		switch called(e) {
		case "integrations.R":
			whole := false
			key := ""
			for _, a := range e.Args {
				part, w := pattern(a)
				key, whole = together(key, part), whole || w
			}
			return key, whole
		case "fmt.Sprintf":
			if lit, ok := e.Args[0].(*ast.BasicLit); ok && lit.Kind == token.STRING {
				s, err := strconv.Unquote(lit.Value)
				if err == nil {
					return anyVerb.ReplaceAllStringFunc(s, func(v string) string {
						if strings.HasSuffix(v, "d") {
							return "%d"
						}
						if strings.HasSuffix(v, "q") {
							return `"%s"`
						}
						return "%s"
					}), true
				}
			}
		}
	}
	return "%s", false
}

// together joins two patterns; what is put in side by side is put in once.
func together(x, y string) string {
	if strings.HasSuffix(x, "%s") && strings.HasPrefix(y, "%s") {
		return x + y[2:]
	}
	return x + y
}
