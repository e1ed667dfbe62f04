package commands

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// A token is one word of a line. A quoted text is one token.
type token struct {
	start, end int    // in the decoded line, quotes included
	text       string // without its quotes
	quoted     bool
	link       *link

	// A token that looks like --name or --name=value.
	flag  string // the folded name, "" if it does not look like one
	long  bool   // two ASCII dashes stood before it, in whatever width
	value *string
}

// A link is what chat made of an address or a mention that was typed.
type link struct {
	start, end int
	url        string // the address, or "<@U1>", "<#C1>"
	label      string // what it shows
}

// decode undoes what chat did to a typed line on its way here: &amp; and its
// like, <address|label>, <@U1|name>, <#C1|name>. name gives a name to a user id.
func decode(wire string, name func(id string) string) (string, []link) {
	var b strings.Builder
	var links []link
	for i := 0; i < len(wire); {
		switch wire[i] {
		case '&':
			if s, n := entity(wire[i:]); n > 0 {
				b.WriteString(s)
				i += n
				continue
			}
		case '<':
			if end := strings.IndexByte(wire[i:], '>'); end > 1 && !strings.ContainsAny(wire[i+1:i+end], "<\n") {
				l, text := newLink(wire[i+1:i+end], name)
				l.start = b.Len()
				b.WriteString(text)
				l.end = b.Len()
				links = append(links, l)
				i += end + 1
				continue
			}
		}
		b.WriteByte(wire[i])
		i++
	}
	return b.String(), links
}

func entity(s string) (string, int) {
	for _, e := range [...][2]string{{"&amp;", "&"}, {"&lt;", "<"}, {"&gt;", ">"}} {
		if strings.HasPrefix(s, e[0]) {
			return e[1], len(e[0])
		}
	}
	return "", 0
}

// newLink reads the inside of <…>; text is what stands for it in a sentence.
func newLink(inside string, name func(string) string) (l link, text string) {
	target, label, _ := strings.Cut(inside, "|")
	target, label = unescape(target), unescape(label)
	switch {
	case strings.HasPrefix(target, "@"):
		if label == "" {
			label = name(target[1:])
		}
		return link{url: "<" + target + ">", label: label}, "@" + label
	case strings.HasPrefix(target, "#"):
		if label == "" {
			label = target[1:]
		}
		return link{url: "<" + target + ">", label: label}, "#" + label
	case strings.HasPrefix(target, "!"):
		if label == "" {
			label = "@" + strings.TrimPrefix(target, "!")
		}
		return link{url: "<" + target + ">", label: label}, label
	case label == "":
		return link{url: target, label: target}, target
	case strings.HasSuffix(target, label): // it was typed, and chat made an address of it
		return link{url: target, label: label}, label
	}
	return link{url: target, label: label}, label + " (" + target + ")"
}

func unescape(s string) string {
	return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(s)
}

// tokens splits a decoded line at spaces of any width.
func tokens(line string, links []link) []token {
	var out []token
	for i := 0; i < len(line); {
		r, n := utf8.DecodeRuneInString(line[i:])
		if isSpace(r) {
			i += n
			continue
		}
		t := nextToken(line, i, links)
		out = append(out, t)
		i = t.end
	}
	return out
}

func nextToken(line string, start int, links []link) token {
	if text, end, ok := quoted(line, start); ok {
		return token{start: start, end: end, text: text, quoted: true}
	}
	dashed := dashes(line[start:]) > 0
	for i := start; i < len(line); {
		if l := linkAt(links, i); l != nil {
			i = l.end
			continue
		}
		r, n := utf8.DecodeRuneInString(line[i:])
		if isSpace(r) {
			return bare(line, start, i, links)
		}
		i += n
		if dashed && (r == '=' || r == '＝') {
			if text, end, ok := quoted(line, i); ok {
				t := bare(line, start, i, links)
				t.end, t.value = end, &text
				return t
			}
		}
	}
	return bare(line, start, len(line), links)
}

func bare(line string, start, end int, links []link) token {
	t := token{start: start, end: end, text: line[start:end]}
	for i := range links {
		if links[i].start == start && links[i].end == end {
			t.link = &links[i]
			return t
		}
	}
	n := dashes(t.text)
	if n == 0 {
		return t
	}
	rest := norm.NFKC.String(t.text[n:])
	name, value, has := strings.Cut(rest, "=")
	first, _ := utf8.DecodeRuneInString(name)
	if !unicode.IsLetter(first) {
		return t
	}
	t.flag = integrations.Fold(name)
	t.long = strings.HasPrefix(norm.NFKC.String(t.text), "--") || strings.HasPrefix(t.text, "ーー")
	if has {
		// The value stays as it was typed.
		if i := strings.IndexAny(t.text, "=＝"); i >= 0 {
			_, w := utf8.DecodeRuneInString(t.text[i:])
			value = t.text[i+w:]
		}
		t.value = &value
	}
	return t
}

func linkAt(links []link, i int) *link {
	for j := range links {
		if links[j].start <= i && i < links[j].end {
			return &links[j]
		}
	}
	return nil
}

// dashes is the length in bytes of the dashes that s begins with: what phones
// and input methods make of "-" and "--".
func dashes(s string) int {
	n := 0
	for _, r := range s {
		if !strings.ContainsRune("-‐‑‒–—―−﹘﹣－ー", r) {
			break
		}
		n += utf8.RuneLen(r)
	}
	return n
}

const (
	doubleQuotes = "\"“”„‟＂«»"
	singleQuotes = "'‘’‚‛＇"
)

// quoted reads a quoted text that begins at start. It ends at a quote of the
// same family that stands before a space or at the end of the line; a quote
// written twice is one quote of the text.
func quoted(line string, start int) (text string, end int, ok bool) {
	first, n := utf8.DecodeRuneInString(line[start:])
	family := ""
	for _, f := range [...]string{doubleQuotes, singleQuotes} {
		if strings.ContainsRune(f, first) {
			family = f
		}
	}
	if family == "" || n == 0 {
		return "", 0, false
	}
	var b strings.Builder
	for i := start + n; i < len(line); {
		r, n := utf8.DecodeRuneInString(line[i:])
		if strings.ContainsRune(family, r) && r != utf8.RuneError {
			next, _ := utf8.DecodeRuneInString(line[i+n:])
			if next == r {
				b.WriteString(line[i : i+n])
				i += 2 * n
				continue
			}
			if i+n == len(line) || isSpace(next) {
				return b.String(), i + n, true
			}
		}
		b.WriteString(line[i : i+n])
		i += n
	}
	return "", 0, false
}

// quote writes a text so that quoted reads it back.
func quote(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		b.WriteString(text[i : i+n])
		if strings.ContainsRune(doubleQuotes, r) && r != utf8.RuneError {
			b.WriteString(text[i : i+n])
		}
		i += n
	}
	b.WriteByte('"')
	return b.String()
}

// isSpace is any space, also the invisible ones that are pasted along.
func isSpace(r rune) bool {
	return unicode.IsSpace(r) || r == '\u200b' || r == '\ufeff' || r == '\u2060'
}

// narrow makes full-width ASCII plain and leaves everything else as it is.
func narrow(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '！' && r <= '～' {
			return r - '！' + '!'
		}
		return r
	}, s)
}
