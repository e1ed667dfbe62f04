package language_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/signalbox-chatops/signalbox/commands/language"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/phrase"
	"github.com/signalbox-chatops/signalbox/store"
)

const catalogue = `msgid ""
msgstr ""

msgid "%s is locked by %s: “%s”"
msgstr "%sは%sがロックしています：「%s」"

msgid "Ask %s"
msgstr "%sに依頼"

msgid "Asked by"
msgstr "依頼者"

msgid "nothing to change"
msgstr "変更なし"

msgid "%d commits"
msgstr "コミット%d件"

msgid "by %s"
msgstr "（%s）"
`

func book(t *testing.T) *phrase.Book {
	t.Helper()
	b, err := phrase.New(catalogue)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSay(t *testing.T) {
	alice := integrations.Person{Name: "alice", Slack: "U1"}
	in := integrations.Message{
		Text: "web is locked by alice: “by hand”",
		Blocks: []integrations.Block{
			{Text: integrations.R(integrations.Bold("nothing to change"), " · ", integrations.Who(alice), " is locked by ", integrations.Code("bob"), ": “", integrations.Italic("by hand"), "”")},
			{Text: integrations.R("Nothing of this is known: ", integrations.Bold("nothing to change"))},
			{Fields: []integrations.Field{{Name: "Asked by", Value: integrations.R(integrations.Link("https://x", "3 commits"), " ", integrations.Link("https://y", "by alice"))}}},
			{Text: integrations.R("nothing to change\nand nothing of this is known\n", integrations.Code("x"), " · by alice")},
			{Code: "nothing to change"},
			{Buttons: []integrations.Button{{Label: "Ask bob", Command: "ask-release hold-1", Confirm: "nothing to change"}}},
		},
	}
	want := integrations.Message{
		Text: "webはaliceがロックしています：「by hand」",
		Blocks: []integrations.Block{
			{Text: integrations.R(integrations.Bold("変更なし"), " · ", integrations.Who(alice), "は", integrations.Code("bob"), "がロックしています：「", integrations.Italic("by hand"), "」")},
			{Text: integrations.R("Nothing of this is known: ", integrations.Bold("nothing to change"))}, // as a whole
			{Fields: []integrations.Field{{Name: "依頼者", Value: integrations.R(integrations.Link("https://x", "コミット3件"), " ", integrations.Link("https://y", "by alice"))}}},
			{Text: integrations.R("変更なし", "\n", "and nothing of this is known", "\n", integrations.Code("x"), " · （alice）")}, // by line
			{Code: "nothing to change"}, // a tool's own words
			{Buttons: []integrations.Button{{Label: "bobに依頼", Command: "ask-release hold-1", Confirm: "変更なし"}}},
		},
	}
	before := in.Blocks[2].Fields[0].Name
	if diff := cmp.Diff(want, language.Say(book(t), in)); diff != "" {
		t.Errorf("it is said otherwise (-want +got):\n%s", diff)
	}
	if in.Blocks[2].Fields[0].Name != before {
		t.Error("the message that was put into another language was changed itself")
	}
	if diff := cmp.Diff(in, language.Say(nil, in)); diff != "" {
		t.Errorf("without a book it is not as it was:\n%s", diff)
	}
}

// A message's plain text is what a notification shows. It has no form that would
// tell a reason from a sentence, but the blocks have.
func TestPlainText(t *testing.T) {
	reason := integrations.Block{Text: integrations.R(integrations.Who(integrations.Person{Name: "alice"}), " asked: ", integrations.Italic("nothing to change"))}
	for _, c := range []struct {
		what   string
		said   string
		blocks []integrations.Block
		want   string
	}{
		{"a reason that is a phrase", "web/staging: nothing to change · by alice", []integrations.Block{reason}, "web/staging: nothing to change · （alice）"},
		{"the same in no block", "web/staging: nothing to change · by alice", nil, "web/staging: 変更なし · （alice）"},
		{"sentences of two blocks", "web is locked by bob: “x” For example: /ops y", []integrations.Block{
			{Text: integrations.R("web is locked by bob: “x”")}, {Context: integrations.R("For example: ", integrations.Code("/ops y"))},
		}, "webはbobがロックしています：「x」 For example: /ops y"},
		{"a number, and what two blocks show", "op-1 web is locked by bob: “x” · nothing to change", []integrations.Block{
			{Text: integrations.R("🔒 web is locked by bob: “", integrations.Italic("x"), "”")}, {Text: integrations.R("nothing to change")},
		}, "op-1 webはbobがロックしています：「x」 · 変更なし"},
		{"a sign and a number", "🔒 op-1 web is locked by bob: “x”", []integrations.Block{{Text: integrations.R("🔒 web is locked by bob: “x”")}}, "🔒 op-1 webはbobがロックしています：「x」"},
		{"a title that is a phrase", "by alice: nothing to change", []integrations.Block{{Text: integrations.R(integrations.Link("https://x", "by alice"))}}, "by alice: 変更なし"},
	} {
		t.Run(c.what, func(t *testing.T) {
			if got := language.Say(book(t), integrations.Message{Text: c.said, Blocks: c.blocks}).Text; got != c.want {
				t.Errorf("%q is said as %q, not as %q", c.said, got, c.want)
			}
		})
	}
	m := language.Say(book(t), integrations.Message{File: &integrations.File{Title: "nothing to change", Alt: "3 commits"}})
	if diff := cmp.Diff(&integrations.File{Title: "変更なし", Alt: "コミット3件"}, m.File); diff != "" {
		t.Errorf("a file is said otherwise (-want +got):\n%s", diff)
	}
}

// Somebody's own signs from Unicode's private area are not taken for a link of ours.
func TestPrivateSignsAreNoTokens(t *testing.T) {
	r := integrations.R("by "+string(phrase.Token+1)+" ", integrations.Link("https://x", "x"))
	m := language.Say(book(t), integrations.Message{Blocks: []integrations.Block{{Text: r}}})
	if diff := cmp.Diff(r, m.Blocks[0].Text); diff != "" {
		t.Errorf("it was changed:\n%s", diff)
	}
}

// What one person sees is in their language, else in the channel's, else in the
// default; what stands on GitHub is in the default.
func TestWhoseLanguage(t *testing.T) {
	s, err := store.Open(filepath.Join(t.TempDir(), "signalbox.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	byDefault := language.English
	speaker, err := language.NewSpeaker(map[string][]string{"ja": {catalogue}}, func() string { return byDefault }, func(name string) string { return strings.TrimPrefix(name, "#") })
	if err != nil {
		t.Fatal(err)
	}
	card := speaker.Card(func(*store.Tx, *store.Surface) (integrations.Message, error) {
		return integrations.Message{Text: "nothing to change"}, nil
	})
	if err := s.Update(t.Context(), func(tx *store.Tx) error {
		for id, code := range map[string]string{"U1": "ja", "U2": "en", "C1": "ja"} {
			if err := store.Feature[string](tx, "language").Put(id, code); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what, place string
		where       map[string]string
		english     bool
	}{
		{"a Japanese channel", "slack.message", map[string]string{"channel": "C1"}, false},
		{"the same by name", "slack.message", map[string]string{"channel": "#C1"}, false},
		{"another channel", "slack.message", map[string]string{"channel": "C2"}, true},
		{"somebody Japanese elsewhere", "slack.private", map[string]string{"channel": "C2", "user": "U1"}, false},
		{"somebody English in a Japanese channel", "slack.private", map[string]string{"channel": "C1", "user": "U2"}, true},
		{"somebody who asked for none in a Japanese channel", "slack.private", map[string]string{"channel": "C1", "user": "U3"}, false},
		{"a direct message", "slack.message", map[string]string{"channel": "U1"}, false},
		{"one that says its own", "slack.message", map[string]string{"channel": "C1", "language": "en"}, true},
		{"GitHub", "github.comment", map[string]string{"channel": "C1"}, true},
	} {
		t.Run(c.what, func(t *testing.T) {
			if err := s.View(func(tx *store.Tx) error {
				m, err := card(tx, &store.Surface{Place: c.place, Where: c.where})
				if (m.Text == "nothing to change") != c.english {
					t.Errorf("it says %q", m.Text)
				}
				return err
			}); err != nil {
				t.Error(err)
			}
		})
	}
	byDefault = "ja"
	if err := s.View(func(tx *store.Tx) error {
		m, err := card(tx, &store.Surface{Place: "github.comment"})
		if m.Text != "変更なし" {
			t.Errorf("with another default, it says %q", m.Text)
		}
		return err
	}); err != nil {
		t.Error(err)
	}
}

func TestKnown(t *testing.T) {
	for name, want := range map[string]string{"ja": "ja", "日本語": "ja", "JAPANESE": "ja", "english": "en", "英語": "en", "klingon": ""} {
		if got, ok := language.Known(name); got != want || ok != (want != "") {
			t.Errorf("%s is %q", name, got)
		}
	}
}
