package github

import (
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"
)

// Much of what we show was written by others: titles, branch names, reasons. In
// Markdown it must stay text. It must notify nobody, close no issue, refer to
// nothing and add no markup. A backslash does for the markup; for mentions and
// references, which GitHub looks for after Markdown is done, an invisible
// zero-width space breaks the word.
const zeroWidth = "&#8203;"

var breaker = strings.NewReplacer(
	"@", "@"+zeroWidth,
	"#", "#"+zeroWidth,
	"://", ":"+zeroWidth+"//",
)

var (
	ghReference = regexp.MustCompile(`(?i)\b(GH-)(\d)`)
	bareWWW     = regexp.MustCompile(`(?i)\b(www)\.`)
	listNumber  = regexp.MustCompile(`^(\d+)([.)])`)
)

var markup = strings.NewReplacer(
	`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "~", `\~`, "[", `\[`, "]", `\]`, "|", `\|`, "$", `\$`,
	"&", "&amp;", "<", "&lt;", ">", "&gt;",
)

func breakWords(s string) string {
	s = breaker.Replace(s)
	s = ghReference.ReplaceAllString(s, "${1}"+zeroWidth+"${2}")
	return bareWWW.ReplaceAllString(s, "${1}"+zeroWidth+".")
}

// escape makes any text plain text in Markdown, line by line.
func escape(s string) string {
	lines := strings.Split(clean(s), "\n")
	for i, l := range lines {
		if i > 0 || strings.TrimLeft(l, " \t") == "" {
			l = strings.TrimLeft(l, " \t") // four spaces would make code
		}
		l = breakWords(markup.Replace(l))
		if l != "" && strings.ContainsRune("-+=", rune(l[0])) {
			l = `\` + l
		}
		lines[i] = listNumber.ReplaceAllString(l, `${1}\${2}`)
	}
	return strings.Join(lines, "\n")
}

// escapeInline is escape for a place in the middle of a line, whose own spaces
// count.
func escapeInline(s string) string {
	trimmed := strings.TrimLeft(s, " \t")
	return s[:len(s)-len(trimmed)] + escape(trimmed)
}

// escapeHTML is for text inside an HTML block, where Markdown does nothing.
func escapeHTML(s string) string { return breakWords(htmlMarks.Replace(oneLine(s))) }

var htmlMarks = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// clean drops what would be invisible or would turn the line around: control
// characters and the marks for the direction of writing.
func clean(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r < ' ', r >= 0x7f && r < 0xa0, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0x2028, r == 0x2029:
			return -1
		}
		return r
	}, s)
}

func oneLine(s string) string { return strings.Join(strings.Fields(clean(s)), " ") }

// inlineCode puts a text between backticks, more of them than it holds itself.
func inlineCode(s string) string {
	s = strings.ReplaceAll(clean(s), "\n", " ")
	if strings.TrimSpace(s) == "" {
		return ""
	}
	fence := strings.Repeat("`", longestRun(s, '`')+1)
	if strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`") {
		s = " " + s + " "
	}
	return fence + s + fence
}

// codeBlock fences a text with more backticks than it holds anywhere.
func codeBlock(s string) string {
	s = strings.TrimRight(clean(s), "\n")
	fence := strings.Repeat("`", max(3, longestRun(s, '`')+1))
	return fence + "\n" + s + "\n" + fence
}

func longestRun(s string, c rune) int {
	longest, run := 0, 0
	for _, r := range s {
		if r == c {
			run++
			longest = max(longest, run)
		} else {
			run = 0
		}
	}
	return longest
}

// link is a Markdown link, or the text alone if the URL is none to follow.
func link(to, text string) string {
	u, err := url.Parse(strings.TrimSpace(to))
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return escapeInline(text)
	}
	if strings.TrimSpace(text) == "" {
		text = u.String()
	}
	safe := strings.NewReplacer("<", "%3C", ">", "%3E", "(", "%28", ")", "%29", "|", "%7C", "\\", "%5C", "`", "%60", "*", "%2A", " ", "%20").Replace(u.String())
	return "[" + escapeInline(oneLine(text)) + "](" + safe + ")"
}

var loginForm = regexp.MustCompile(`^[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})$`)

// cut shortens a text to n characters, the last of them then an ellipsis.
func cut(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}

// cutMiddle keeps the head and the tail of a long text and says what was left out.
func cutMiddle(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	note := []rune("\n… left out here: the middle …\n")
	if n <= 2*len(note) {
		return strings.TrimSpace(string(note))
	}
	head := (n - len(note)) / 3
	tail := n - len(note) - head
	return string(r[:head]) + string(note) + string(r[len(r)-tail:])
}
