package language

import (
	"regexp"
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/phrase"
)

// shown is what the blocks of a message show, for its plain text says the same
// without a form, by which names and reasons are known there.
type shown struct {
	lines map[string]string // how each line is said
	order []string          // the lines as they come
	typed []string          // what somebody typed or called something, the longest first
}

// note adds a block as it was and as it is said now.
func (s *shown) note(b *phrase.Book, was, now integrations.Block) {
	s.line(was.Text, now.Text)
	s.line(was.Context, now.Context)
	for i, f := range was.Fields {
		s.add(f.Name+": "+f.Value.Plain(), now.Fields[i].Name+": "+now.Fields[i].Value.Plain())
	}
	for _, r := range append([]integrations.Rich{was.Text, was.Context}, values(was.Fields)...) {
		for _, p := range r {
			own := p.Form == "italic" || p.Form == "link" && b.Label(p.Text) == p.Text
			if own && strings.Contains(p.Text, " ") && !slices.Contains(s.typed, p.Text) {
				s.typed = append(s.typed, p.Text)
			}
		}
	}
	slices.SortStableFunc(s.typed, func(x, y string) int { return len(y) - len(x) })
}

func values(fields []integrations.Field) (out []integrations.Rich) {
	for _, f := range fields {
		out = append(out, f.Value)
	}
	return out
}

func (s *shown) line(was, now integrations.Rich) { s.add(was.Plain(), now.Plain()) }

func (s *shown) add(was, now string) {
	from, to := strings.Split(was, "\n"), strings.Split(now, "\n")
	for i, line := range from {
		if len(from) != len(to) || line == "" {
			continue
		}
		for _, c := range [][2]string{{line, to[i]}, {bare(line), bare(to[i])}} {
			if _, known := s.lines[c[0]]; !known && c[0] != "" {
				s.lines[c[0]] = c[1]
				s.order = append(s.order, c[0])
			}
		}
	}
}

// plain says a message's plain text. A line of it that the blocks show is said as
// there.
func (s *shown) plain(b *phrase.Book, plain string) string {
	out := strings.Split(plain, "\n")
	found := false
	for i, line := range out {
		said, ok := s.cover(line)
		if out[i] = said; !ok {
			out[i] = s.say(b, line)
		}
		found = found || ok
	}
	if !found {
		return s.say(b, plain)
	}
	return strings.Join(out, "\n")
}

// cover says a line that lines of the blocks make up, one behind the other, such as
// "op-1 <the first> · <the second>".
func (s *shown) cover(line string) (string, bool) {
	if said, ok := s.lines[line]; ok {
		return said, true
	}
	if head := heading.FindString(line); head != "" {
		said, ok := s.cover(line[len(head):])
		return head + said, ok
	}
	for _, first := range s.order {
		rest, ok := strings.CutPrefix(line, first)
		mark := between.FindString(rest)
		if !ok || mark == "" || !strings.Contains(first, " ") {
			continue
		}
		if more, ok := s.cover(rest[len(mark):]); ok {
			said := s.lines[first]
			if mark == " " && (strings.HasSuffix(said, "。") || strings.HasSuffix(said, "？")) {
				mark = ""
			}
			return said + mark + more, true
		}
	}
	return "", false
}

var (
	// icon is a sign before a sentence.
	icon = regexp.MustCompile(`^[^\x00-\x{2FF}\p{L}\p{P}]+ `)
	// heading is what a plain text says before it says what the blocks do: the icon
	// and the number of what it is about.
	heading = regexp.MustCompile(`^(?:[^\x00-\x{2FF}\p{L}\p{P}]+ )?[a-z]+-\d+ `)
	// between is what stands between two of the lines.
	between = regexp.MustCompile(`^(?: · | )`)
)

func bare(s string) string { return strings.TrimPrefix(s, icon.FindString(s)) }

// say says a plain text with what somebody typed in it left as it is.
func (s *shown) say(b *phrase.Book, plain string) string {
	masked := plain
	if len(s.typed) <= mostTokens && !strings.ContainsFunc(plain, func(c rune) bool { return c >= phrase.Token && c < phrase.Token+0x1900 }) {
		for i, own := range s.typed {
			masked = strings.ReplaceAll(masked, own, string(phrase.Token+rune(i)))
		}
	}
	said, ok := b.Say(masked)
	if masked == plain {
		return said
	}
	if !ok {
		return text(b, plain)
	}
	for i, own := range s.typed {
		said = strings.ReplaceAll(said, string(phrase.Token+rune(i)), own)
	}
	return said
}
