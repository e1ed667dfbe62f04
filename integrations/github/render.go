package github

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// bodyMost is how many characters GitHub takes in a comment or a description.
const bodyMost = 65536

// titleMost is how many it takes in a title.
const titleMost = 256

// Markdown renders a message for GitHub. A message that is too long loses the
// middle of its longest texts.
func Markdown(m integrations.Message) string { return markdown(m, bodyMost) }

func markdown(m integrations.Message, most int) string {
	if len(m.Blocks) == 0 {
		return cut(escape(m.Text), most)
	}
	for limit := most; ; limit /= 2 {
		parts := make([]string, 0, len(m.Blocks))
		for _, b := range m.Blocks {
			if s := block(b, limit); s != "" {
				parts = append(parts, s)
			}
		}
		out := strings.Join(parts, "\n\n")
		if utf8.RuneCountInString(out) <= most {
			return out
		}
		if limit > 64 {
			continue
		}
		// Not the code is what is long: whole parts go, from the end.
		const note = "… and more than fits here."
		for len(parts) > 0 && utf8.RuneCountInString(out)+len(note)+2 > most {
			parts = parts[:len(parts)-1]
			out = strings.Join(parts, "\n\n")
		}
		return strings.TrimLeft(out+"\n\n"+note, "\n")
	}
}

func block(b integrations.Block, limit int) string {
	switch {
	case b.Header != "":
		return "### " + escapeInline(oneLine(b.Header))
	case len(b.Text) > 0:
		return rich(cutRich(b.Text, limit))
	case len(b.Fields) > 0:
		return table(b.Fields, limit)
	case len(b.Context) > 0:
		return "<sub>" + blankLines.ReplaceAllString(rich(cutRich(b.Context, limit)), "\n") + "</sub>"
	case b.Code != "":
		return codeBlock(cutMiddle(b.Code, limit))
	case b.Details != nil:
		return fmt.Sprintf("<details><summary>%s</summary>\n\n%s\n\n</details>", escapeHTML(b.Details.Title), codeBlock(cutMiddle(b.Details.Code, limit)))
	case len(b.Buttons) > 0:
		return buttons(b.Buttons)
	case b.Picture != nil:
		return fmt.Sprintf("<img src=%q alt=%q>", escapeHTML(b.Picture.URL), escapeHTML(oneLine(b.Picture.Alt)))
	case b.Divider:
		return "---"
	}
	return ""
}

// cutRich shortens a text to the limit.
func cutRich(r integrations.Rich, limit int) integrations.Rich {
	left := limit
	for i, s := range r {
		n := utf8.RuneCountInString(s.Text)
		if n > left {
			s.Text = cut(s.Text, max(left, 1))
			return append(r[:i:i], s)
		}
		left -= n
	}
	return r
}

// rich renders spans. Bold and italic are HTML, because the stars of Markdown do
// nothing between two letters of Japanese, or beside a bracket.
func rich(r integrations.Rich) string {
	out, mentioned := "", false
	for _, s := range r {
		next := span(s, out == "" || strings.HasSuffix(out, "\n"))
		if next == "" {
			continue
		}
		if touches(out, next, mentioned) {
			out += zeroWidth
		}
		out, mentioned = out+next, s.Form == "person" && next[0] == '@'
	}
	return out
}

func span(s integrations.Span, startsLine bool) string {
	switch s.Form {
	case "bold":
		return wrap("b", s.Text)
	case "italic":
		return wrap("i", s.Text)
	case "code":
		return inlineCode(s.Text)
	case "link":
		return link(s.URL, s.Text)
	case "person":
		return mention(s)
	}
	if startsLine {
		return escape(s.Text)
	}
	return escapeInline(s.Text)
}

// touches says whether two pieces would mean something together that neither
// means alone: two code spans, an image, a URL, a longer login or a team.
func touches(a, b string, mentioned bool) bool {
	switch {
	case a == "":
		return false
	case a[len(a)-1] == '`' && b[0] == '`', a[len(a)-1] == '!' && b[0] == '[', a[len(a)-1] == ':' && b[0] == '/':
		return true
	}
	return mentioned && afterLogin.MatchString(b)
}

var afterLogin = regexp.MustCompile(`^[A-Za-z0-9_/-]`)

func wrap(tag, text string) string {
	if strings.TrimSpace(text) == "" {
		return text
	}
	return "<" + tag + ">" + escapeInline(strings.ReplaceAll(text, "\n", " ")) + "</" + tag + ">"
}

func mention(s integrations.Span) string {
	if s.Person != nil && loginForm.MatchString(s.Person.GitHub) {
		return "@" + s.Person.GitHub
	}
	return escapeInline(s.Text)
}

// table shows fields as rows under an empty head, the only table that Markdown has.
func table(fields []integrations.Field, limit int) string {
	var b strings.Builder
	b.WriteString("| | |\n| --- | --- |")
	for _, f := range fields {
		fmt.Fprintf(&b, "\n| <b>%s</b> | %s |", cell(escapeInline(cut(oneLine(f.Name), 200))), cell(rich(cutRich(f.Value, limit))))
	}
	return b.String()
}

var openPipe = regexp.MustCompile(`(\\*)\|`)

// cell keeps a rendered text inside its cell: no line ends, and every bar
// escaped, also inside code, where a table looks for bars all the same.
func cell(s string) string {
	s = openPipe.ReplaceAllStringFunc(s, func(m string) string {
		if strings.Count(m, `\`)%2 == 1 {
			return m
		}
		return m[:len(m)-1] + `\|`
	})
	return strings.ReplaceAll(strings.TrimSpace(s), "\n", "<br>")
}

// buttons become links, and hints of what to type, as there is nothing to press.
func buttons(list []integrations.Button) string {
	var parts []string
	for _, b := range list {
		switch {
		case b.URL != "":
			parts = append(parts, link(b.URL, b.Label))
		case b.Command != "":
			line := b.Command
			if !strings.HasPrefix(line, "/") {
				line = "/ops " + line
			}
			parts = append(parts, escapeInline(oneLine(b.Label))+": type "+inlineCode(line)+" in Slack")
		}
	}
	return strings.Join(parts, " · ")
}

var blankLines = regexp.MustCompile(`\n\s*\n`)

var nonceForm = regexp.MustCompile(`^[A-Za-z0-9._-]{1,100}$`)

// marker is the hidden first line by which a comment of ours is found again.
func marker(nonce string) string { return "<!-- signalbox:" + nonce + " -->" }

// marked renders a message under its marker, both together within GitHub's bounds.
func marked(m integrations.Message, nonce string) string {
	head := marker(nonce) + "\n"
	return head + markdown(m, bodyMost-utf8.RuneCountInString(head))
}
