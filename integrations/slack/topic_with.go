package slack

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Markers are what ours stands between in a topic that people edit too: the one that
// opens it and the one that closes it.
type Markers = [2]string

// OnCallMarkers mark who is on call:
//
//	Deploys and infrastructure [on call: alice until Mon 09:00]
//
// with the name of a schedule, where a channel has several: [web on call: bob]. They
// read as a remark that somebody put there, say themselves what they are for, and
// show where one should not write. An emoji (☎️ … ☎️) would be prettier, but Slack
// keeps it as :phone:, and people put the same one there; a bar (| … |) is what
// people separate their own things with; ｜ looks broken among Latin letters.
func OnCallMarkers(schedule string) Markers {
	if schedule == "" {
		return Markers{"[on call:", "]"}
	}
	return Markers{"[" + schedule + " on call:", "]"}
}

// TopicWith is the topic old with text between the markers. Only what stands between
// them is changed; where they are not, or not any more, they and text are put at the
// end. With text "" they are taken out again. old is in Slack's form, as
// Client.Topic gives it; text and markers are plain.
//
// If the whole would be longer than Slack takes, text is cut and nothing else; if
// there is no room even for the markers, old is left as it is. Of an opening marker
// whose closing one is lost nobody can say how far ours goes: it stays, as theirs.
func TopicWith(old string, markers Markers, text string) string {
	markers = Markers{strings.TrimSpace(markers[0]), strings.TrimSpace(markers[1])}
	m := Markers{escape(markers[0]), escape(markers[1])}
	if m[0] == "" || m[1] == "" {
		return old
	}
	stays, ours := apart(old, m)
	text = plainly(text, markers)
	if text == "" {
		return without(stays, ours, m)
	}
	added := len(ours) == 0
	if added {
		gap := ""
		if last, _ := utf8.DecodeLastRuneInString(old); old != "" && !unicode.IsSpace(last) {
			gap = " "
		}
		stays, ours = []string{old + gap + m[0], m[1]}, []string{""}
	}
	room := mostTopic
	for _, s := range stays {
		room -= length(s)
	}
	line := fit(text, room/len(ours)-1) // a space stands before it
	if line == "" && added {
		return old
	}
	var b strings.Builder
	for i, s := range stays {
		b.WriteString(s)
		switch {
		case i == len(ours):
		case strings.TrimSpace(ours[i]) == line || strings.TrimSpace(ours[i]) == escape(text):
			b.WriteString(ours[i]) // spaced as somebody liked it
		case line != "":
			b.WriteString(" " + line)
		}
	}
	return b.String()
}

// apart cuts a topic into what stays, the markers included, and what stands between
// the markers: one more of the first than of the second.
func apart(topic string, m Markers) (stays, ours []string) {
	at := 0
	for {
		from, to, ok := between(topic, m, at)
		if !ok {
			return append(stays, topic[at:]), ours
		}
		stays, ours = append(stays, topic[at:from]), append(ours, topic[from:to])
		at = to
	}
}

// between finds what stands between a pair of markers, from at on. What looks like a
// pair and has another opening in it is none: its own closing one is lost.
func between(s string, m Markers, at int) (from, to int, ok bool) {
	for {
		i := foldIndex(s[at:], m[0])
		if i < 0 {
			return 0, 0, false
		}
		from = at + i + len(m[0])
		n := strings.Index(s[from:], m[1])
		if n < 0 {
			return 0, 0, false
		}
		if foldIndex(s[from:from+n], bracket(m)) < 0 {
			return from, from + n, true
		}
		at = from
	}
}

// bracket is the sign that the opening marker begins with, where it is one, as in
// "[on call:"; ours has none in it, so one that stands there is somebody's. It is
// the whole marker where it begins with a letter, or with an escaped sign.
func bracket(m Markers) string {
	r, n := utf8.DecodeRuneInString(m[0])
	if unicode.IsLetter(r) || unicode.IsDigit(r) || r == '&' || r == utf8.RuneError {
		return m[0]
	}
	return m[0][:n]
}

// foldIndex is strings.Index, whatever the case: people write "[On call:" too.
func foldIndex(s, sub string) int {
	for i := 0; i+len(sub) <= len(s); i++ {
		if strings.EqualFold(s[i:i+len(sub)], sub) {
			return i
		}
	}
	return -1
}

// without is a topic without ours, the markers, and the space before them.
func without(stays, ours []string, m Markers) string {
	var b strings.Builder
	for i, s := range stays {
		if i > 0 {
			s = s[len(m[1]):]
		}
		if i < len(ours) {
			s = strings.TrimSuffix(s[:len(s)-len(m[0])], " ")
		}
		b.WriteString(s)
	}
	return b.String()
}

// plainly is a text on one line in which nothing could be taken for a marker.
func plainly(text string, markers Markers) string {
	for was := ""; text != was; {
		was = text
		for _, sign := range []string{markers[0], markers[1], bracket(markers)} {
			text = drop(text, sign)
		}
		text = strings.Join(strings.Fields(text), " ") // which may join one again
	}
	return text
}

// drop puts a space where a sign stood.
func drop(text, sign string) string {
	var b strings.Builder
	for {
		i := foldIndex(text, sign)
		if i < 0 {
			b.WriteString(text)
			return b.String()
		}
		b.WriteString(text[:i] + " ")
		text = text[i+len(sign):]
	}
}

// fit is a text in Slack's form, cut to so many characters; "" if nothing of it fits.
func fit(text string, room int) string {
	for most := room; most > 1; most-- {
		if s := escape(cut(text, most)); length(s) <= room {
			return s
		}
	}
	return ""
}
