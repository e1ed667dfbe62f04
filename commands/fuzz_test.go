package commands

import (
	"maps"
	"testing"
	"unicode/utf8"
)

// Whatever is typed, the parser answers, and what it understood can be written
// as a line that means the same.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		`deploy web v1.2 to prod because "it is" broken`, `lock web/prod “db” —for=2h`, `ｄｅｐｌｏｙ　ｗｅｂ　ｔｏ　本番`,
		`status <@U1|x> <https://a/b/pull/1|y> &amp;&lt;`, `note ""`, `note """"`, `deploy --reason="a b" web --to stg`,
		`lock web prod -- x`, `freeze web in 本番 x`, `freeze web prodction x`, `freeze all "x"`, `thaw hold-4 why`, `thaw api stg`, `lokc "`, `deploy web@ to staging`, `merge <http://x/%zz>`, `note -x`, "lock web/prod \xff\x00",
	} {
		f.Add(s)
	}
	verbs, cat := testVerbs(), testCatalog()
	f.Fuzz(func(t *testing.T, line string) {
		for _, wire := range []bool{true, false} {
			u := Parse(verbs, cat, line, wire)
			if u.Refusal == nil && u.Call == nil {
				t.Fatalf("%q is neither understood nor refused", line)
			}
			if u.Refusal != nil {
				if u.Refusal.Error() == "" || u.Refusal.Code == "" {
					t.Fatalf("%q is refused without a word", line)
				}
				for _, b := range u.Refusal.Buttons {
					if v := Parse(verbs, cat, b.Command, false); v.Refusal != nil {
						t.Fatalf("%q is answered with the button %q, which is refused: %v", line, b.Command, v.Refusal)
					}
				}
				continue
			}
			if len(u.Missing) > 0 {
				NewModal(verbs, u.Call, u.Missing)
				continue
			}
			again := Parse(verbs, cat, Render(u.Call), false)
			if again.Refusal != nil || again.Call.Verb.Name != u.Call.Verb.Name || !maps.Equal(again.Call.Args, u.Call.Args) {
				t.Fatalf("%q means %s; rendered as %q it means %s", line, say(u), Render(u.Call), say(again))
			}
			if utf8.ValidString(line) && !utf8.ValidString(Render(u.Call)) {
				t.Fatalf("%q is rendered as invalid UTF-8", line)
			}
		}
	})
}
