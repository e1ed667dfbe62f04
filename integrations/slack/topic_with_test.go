package slack

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestTopicWith(t *testing.T) {
	oc, web := OnCallMarkers(""), OnCallMarkers("web")
	long := strings.Repeat("a long topic ", 18) + "end." // 238 characters
	for _, x := range []struct {
		name, old string
		markers   Markers
		text      string
		want      string
	}{
		{"in an empty topic", "", oc, "alice until Mon 09:00", "[on call: alice until Mon 09:00]"},
		{"at the end", "Deploys", oc, "alice", "Deploys [on call: alice]"},
		{"after a space", "Deploys ", oc, "alice", "Deploys [on call: alice]"},
		{"what stands there is replaced", "Deploys [on call: alice] ask first", oc, "bob", "Deploys [on call: bob] ask first"},
		{"people write it their way", "[On Call:alice] Deploys", oc, "bob", "[On Call: bob] Deploys"},
		{"and may space it", "Deploys [on call:  alice ]", oc, "alice", "Deploys [on call:  alice ]"},
		{"emptied", "Deploys [on call:]", oc, "bob", "Deploys [on call: bob]"},
		{"the markers were taken out", "Deploys, ask alice", oc, "bob", "Deploys, ask alice [on call: bob]"},
		{"one of several", "X [on call: alice] [web on call: carol]", web, "bob", "X [on call: alice] [web on call: bob]"},
		{"another of several", "X [web on call: carol]", oc, "bob", "X [web on call: carol] [on call: bob]"},
		{"twice there", "[on call: alice] X [on call: carol]", oc, "bob", "[on call: bob] X [on call: bob]"},
		{"the closing one is lost", "[on call: alice Deploys", oc, "bob", "[on call: alice Deploys [on call: bob]"},
		{"and it stays so", "[on call: alice Deploys [on call: bob]", oc, "carol", "[on call: alice Deploys [on call: carol]"},
		{"and theirs has one", "[on call: alice, see [docs] there", oc, "bob", "[on call: alice, see [docs] there [on call: bob]"},
		{"the opening one is lost", "on call: alice] Deploys", oc, "bob", "on call: alice] Deploys [on call: bob]"},
		{"brackets of theirs", "[prod] Deploys [on call: alice] [x]", oc, "bob", "[prod] Deploys [on call: bob] [x]"},
		{"brackets of ours", "", oc, "alice [sre] on\ncall", "[on call: alice sre on call]"},
		{"a marker in ours", "", oc, "[on call: x]", "[on call: x]"},
		{"ours is escaped, theirs is", "R&amp;D <#C0OPS|ops>", oc, "a & b <c>", "R&amp;D <#C0OPS|ops> [on call: a &amp; b &lt;c&gt;]"},
		{"a marker is escaped", "X [R&amp;D on call: alice]", OnCallMarkers("R&D"), "bob & co", "X [R&amp;D on call: bob &amp; co]"},
		{"taken out", "Deploys [on call: alice] ask first", oc, "", "Deploys ask first"},
		{"taken out at the end", "Deploys [on call: alice]", oc, " ", "Deploys"},
		{"nothing to take out", "Deploys", oc, "", "Deploys"},
		{"other markers", "Deploys | on call: alice |", Markers{"| on call:", "|"}, "bob", "Deploys | on call: bob|"},
		{"markers of letters", "oncall alice.", Markers{"oncall", "."}, "bob o", "oncall bob o."},
		{"markers of letters, the closing one lost", "OnCall alice, ONCALL carol.", Markers{"oncall", "."}, "bob", "OnCall alice, ONCALL bob."},
		{"no markers", "Deploys", Markers{"", "]"}, "bob", "Deploys"},
		{"ours is cut", long[:220], oc, "alice until Monday morning", long[:220] + " [on call: alice until Monda…]"},
		{"there is no room", long, oc, "alice until Monday morning", long},
		{"there is no room at all", long + " 1234567", oc, "a", long + " 1234567"},
		{"cut between the runes", strings.Repeat("番", 230), oc, "日本語の名前", strings.Repeat("番", 230) + " [on call: 日本語の名前]"},
		{"cut between the runes, shorter", strings.Repeat("番", 236), oc, "日本語の名前", strings.Repeat("番", 236) + " [on call: 日…]"},
		{"no half entity", strings.Repeat("番", 232), oc, "a & b & c", strings.Repeat("番", 232) + " [on call: a …]"},
		{"theirs grew", strings.Repeat("番", 236) + " [on call: al…]", oc, "bob", strings.Repeat("番", 236) + " [on call: b…]"},
		{"theirs is longer than we thought possible", strings.Repeat("番", 250) + "[on call: alice]", oc, "bob", strings.Repeat("番", 250) + "[on call:]"},
	} {
		got := TopicWith(x.old, x.markers, x.text)
		if got != x.want {
			t.Errorf("%s: TopicWith(%q, %q)\n got %q\nwant %q", x.name, x.old, x.text, got, x.want)
		}
		if again := TopicWith(got, x.markers, x.text); again != got {
			t.Errorf("%s: again it becomes %q", x.name, again)
		}
	}
}

// Whatever people write, theirs stays, Slack can take it, and a second time changes
// nothing.
func FuzzTopicWith(f *testing.F) {
	for _, old := range []string{"", "Deploys", "X [on call: alice] Y [on call: b]", "[on call: [on call:]", "[On call: é]]", strings.Repeat("番", 249), "[on call:\n]"} {
		f.Add(old, "alice & bob")
	}
	f.Fuzz(func(t *testing.T, old, text string) {
		if !utf8.ValidString(old) || !utf8.ValidString(text) {
			t.Skip()
		}
		m := OnCallMarkers("")
		got := TopicWith(old, m, text)
		if n := length(got); n > max(mostTopic, length(old)) {
			t.Errorf("%d characters", n)
		}
		if again := TopicWith(got, m, text); again != got {
			t.Errorf("%q becomes %q and then %q", old, got, again)
		}
		theirs := TopicWith(old, m, "")
		if strings.TrimSpace(TopicWith(got, m, "")) != strings.TrimSpace(theirs) {
			t.Errorf("of %q is left %q in %q", old, theirs, got)
		}
	})
}
