package slack

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/signalbox-chatops/signalbox/integrations"
)

var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// escape takes from a text what Slack would read as a link or a mention.
func escape(s string) string { return escaper.Replace(s) }

// zeroWidth separates a mark from the letter beside it: Slack only reads marks
// that stand at the edge of a word, and Japanese has no spaces.
const zeroWidth = "\u200b"

// mrkdwn is a rich text in Slack's markup.
func mrkdwn(r integrations.Rich) string {
	var b strings.Builder
	marked := false // what was written last ends with a mark
	for _, s := range r {
		piece, mark := span(s)
		if piece == "" {
			continue
		}
		if mark && wordEnd(b.String()) || marked && wordStart(piece) {
			b.WriteString(zeroWidth)
		}
		b.WriteString(piece)
		marked = mark
	}
	return b.String()
}

// span is one piece, and whether it is enclosed in marks.
func span(s integrations.Span) (piece string, mark bool) {
	switch s.Form {
	case "bold":
		return enclose(s.Text, "*")
	case "italic":
		return enclose(s.Text, "_")
	case "code":
		return enclose(s.Text, "`")
	case "link":
		if s.URL == "" {
			return escape(s.Text), false
		}
		url := strings.NewReplacer("&", "&amp;", "<", "%3C", ">", "%3E", "|", "%7C", " ", "%20", "\n", "").Replace(s.URL)
		label := strings.NewReplacer("\n", " ", "|", "¦").Replace(s.Text)
		if label == "" {
			return "<" + url + ">", false
		}
		return "<" + url + "|" + escape(label) + ">", false
	case "":
		return utcTime.ReplaceAllStringFunc(escape(s.Text), readersTime), false
	case "time":
		if !s.At.IsZero() {
			return date(s.At, s.Text), false
		}
	case "person":
		if s.Person != nil && s.Person.Slack != "" {
			return "<@" + s.Person.Slack + ">", false
		}
	}
	return escape(s.Text), false
}

// date is a time that Slack shows in the zone of whoever reads it; text is what
// is shown where it cannot.
func date(at time.Time, text string) string {
	return fmt.Sprintf("<!date^%d^{date_short_pretty} {time}|%s>", at.Unix(), escape(strings.ReplaceAll(text, "|", "¦")))
}

// utcTime is how a sentence of the house tells a time: until when something is
// held, when a window opens.
var utcTime = regexp.MustCompile(`\b20\d\d-\d\d-\d\d \d\d:\d\d(?::\d\d)? UTC\b`)

// readersTime has Slack show such a time in the zone of whoever reads it.
func readersTime(text string) string {
	for _, form := range []string{"2006-01-02 15:04 MST", "2006-01-02 15:04:05 MST"} {
		if at, err := time.Parse(form, text); err == nil {
			return date(at, text)
		}
	}
	return text
}

// enclose puts marks around each line of a text, inside the spaces at its ends;
// a mark within would end it and becomes a look-alike.
func enclose(text, mark string) (string, bool) {
	alike := map[string]string{"*": "∗", "_": "_", "`": "'"}[mark]
	lines := strings.Split(strings.ReplaceAll(escape(text), mark, alike), "\n")
	for i, l := range lines {
		inner := strings.TrimSpace(l)
		if inner == "" {
			continue
		}
		at := strings.Index(l, inner)
		lines[i] = l[:at] + mark + inner + mark + l[at+len(inner):]
	}
	out := strings.Join(lines, "\n")
	return out, strings.TrimSpace(out) == out && out != ""
}

func wordEnd(s string) bool {
	r, _ := utf8.DecodeLastRuneInString(s)
	return wordRune(r)
}

func wordStart(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return wordRune(r)
}

func wordRune(r rune) bool {
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("*_`~", r))
}

// cut shortens a text to so many characters, never within one, and shows that it did.
func cut(s string, most int) string {
	if len(s) <= most || utf8.RuneCountInString(s) <= most {
		return s
	}
	const ellipsis = "…"
	n := 0
	for i := range s {
		if n == most-1 {
			return s[:i] + ellipsis
		}
		n++
	}
	return s
}

// cutMarkup is cut for text with markup in it: it does not end within an entity
// (&amp;) or a link (<…>), and closes what is open.
func cutMarkup(s string, most int) string {
	if length(s) <= most {
		return s
	}
	short := strings.TrimSuffix(cut(s, most-2), "…")
	if i := strings.LastIndexByte(short, '<'); i >= 0 && !strings.Contains(short[i:], ">") {
		short = short[:i]
	}
	if i := strings.LastIndexByte(short, '&'); i >= 0 && !strings.Contains(short[i:], ";") {
		short = short[:i]
	}
	line := short[strings.LastIndexByte(short, '\n')+1:]
	for _, mark := range []string{"`", "*"} {
		if strings.Count(line, mark)%2 == 1 {
			return short + mark + "…"
		}
	}
	return short + "…"
}

func length(s string) int { return utf8.RuneCountInString(s) }
