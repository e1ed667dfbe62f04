package integrations

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The bounds of what a source may say, in characters but for the numbers of things.
const (
	AlertTitleMost  = 200
	AlertTextMost   = 3000
	AlertWordMost   = 300 // of every other text
	AlertURLMost    = 2000
	AlertLabelsMost = 32
	AlertListMost   = 20   // roles, people
	AlertsMost      = 1000 // of one delivery
)

// Tidy bounds a notice and everything in it, and puts its times into UTC. It changes
// nothing of what is tidy already.
func (n AlertNotice) Tidy() AlertNotice {
	n.Source, n.ID, n.Kind = AlertLine(n.Source, AlertWordMost), alertID(n.ID), AlertLine(n.Kind, AlertWordMost)
	if over := len(n.Alerts) - AlertsMost; over > 0 {
		n.Alerts, n.More = n.Alerts[:AlertsMost], n.More+over
	}
	n.Alerts = slices.Clone(n.Alerts)
	for i, a := range n.Alerts {
		n.Alerts[i] = a.tidy()
	}
	return n
}

func (a Alert) tidy() Alert {
	for _, word := range []*string{
		&a.Source, &a.State, &a.Kind, &a.Severity, &a.Service, &a.Environment, &a.Host, &a.HostID, &a.Instance, &a.Check,
		&a.Metric.Name, &a.Metric.Value, &a.Metric.Operator, &a.Metric.Threshold,
	} {
		*word = AlertLine(*word, AlertWordMost)
	}
	a.Key, a.Group = alertID(a.Key), alertID(a.Group)
	a.State, a.Severity = cmp.Or(a.State, AlertUpdated), cmp.Or(a.Severity, SeverityUnknown)
	a.Title = cmp.Or(AlertLine(a.Title, AlertTitleMost), AlertLine(a.Check+" "+a.Host, AlertTitleMost), AlertLine(a.Key, AlertTitleMost), "An alert without a title")
	a.Text = AlertText(a.Text, AlertTextMost)
	a.URL, a.Runbook, a.Image = alertURL(a.URL), alertURL(a.Runbook), alertURL(a.Image)
	a.Roles = tidyList(a.Roles, func(s string) (string, bool) {
		s = AlertLine(s, AlertWordMost)
		return s, s != ""
	})
	a.Assigned = tidyList(a.Assigned, func(p AlertPerson) (AlertPerson, bool) {
		p = p.tidy()
		return p, p != AlertPerson{}
	})
	a.By = a.By.tidy()
	a.Labels = tidyLabels(a.Labels)
	a.At, a.Opened = a.At.UTC(), a.Opened.UTC()
	a.Count = max(a.Count, 0)
	return a
}

func (p AlertPerson) tidy() AlertPerson {
	return AlertPerson{ID: AlertLine(p.ID, AlertWordMost), Name: AlertLine(p.Name, AlertWordMost), Email: AlertLine(p.Email, AlertWordMost)}
}

// alertID is AlertLine of what tells things apart: two long ones that begin alike stay
// two.
func alertID(s string) string {
	line := AlertLine(s, 16*len(s)+1) // all of it
	if utf8.RuneCountInString(line) <= AlertWordMost {
		return line
	}
	sum := sha256.Sum256([]byte(line))
	return string([]rune(line)[:AlertWordMost-33]) + "…" + hex.EncodeToString(sum[:16])
}

// tidyList makes a list of its own of the good ones, each once.
func tidyList[T comparable](list []T, tidy func(T) (T, bool)) (out []T) {
	for _, x := range list {
		if x, ok := tidy(x); ok && !slices.Contains(out, x) && len(out) < AlertListMost {
			out = append(out, x)
		}
	}
	return out
}

func tidyLabels(labels map[string]string) map[string]string {
	out := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		value := AlertLine(labels[name], AlertWordMost)
		if name = AlertLine(name, AlertWordMost); name != "" && value != "" && len(out) < AlertLabelsMost {
			out[name] = value
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// alertURL is an address that a browser may be sent to; else "".
func alertURL(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || len(text) > AlertURLMost || strings.ContainsFunc(text, unseen) || strings.ContainsAny(text, " <>|") {
		return ""
	}
	return text
}

// unseen is what nobody sees in a text and what turns the order of its letters round:
// control characters, and Unicode's marks of direction, embedding and width.
func unseen(r rune) bool {
	return r == utf8.RuneError || unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Co, unicode.Zl, unicode.Zp) && r != '\u200d' // which joins emoji
}

// AlertLine is a text as one line of at most so many characters, the last of them "…"
// where it was cut.
func AlertLine(s string, most int) string {
	s = within(s, most)
	return cutRunes(strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unseen(r) }), " "), most)
}

// AlertText is AlertLine of a text that keeps its lines.
func AlertText(s string, most int) string {
	s = strings.ReplaceAll(within(s, most), "\r\n", "\n")
	s = strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && unseen(r) {
			return -1
		}
		return r
	}, s)
	return cutRunes(strings.TrimSpace(s), most)
}

// within keeps what is read of a long text to what can be needed: spaces go, and a
// character has at most four bytes.
func within(s string, most int) string {
	if longest := 16 * (most + 1); len(s) > longest {
		s = s[:longest] // a character that is cut is not valid, and goes
	}
	return strings.ToValidUTF8(s, "")
}

func cutRunes(s string, most int) string {
	if len(s) <= most || utf8.RuneCountInString(s) <= most {
		return s
	}
	runes := []rune(s)
	return strings.TrimRightFunc(string(runes[:most-1]), unicode.IsSpace) + "…"
}

var instanceForm = regexp.MustCompile(`^i-[0-9a-f]{8}(?:[0-9a-f]{9})?$`)

// InstanceID is the first of some texts that is the id of an EC2 instance; "" if none is.
func InstanceID(texts ...string) string {
	for _, t := range texts {
		if instanceForm.MatchString(t) {
			return t
		}
	}
	return ""
}

// Severity is a word for one of other systems as a severity of ours; SeverityUnknown
// where it means none of them.
func Severity(word string) string {
	return cmp.Or(severityWords[strings.ToLower(strings.TrimSpace(word))], SeverityUnknown)
}

var severityWords = map[string]string{
	"critical": SeverityCritical, "crit": SeverityCritical, "page": SeverityCritical, "fatal": SeverityCritical, "emergency": SeverityCritical, "disaster": SeverityCritical, "high": SeverityCritical,
	"error": SeverityError, "err": SeverityError, "major": SeverityError, "average": SeverityError,
	"warning": SeverityWarning, "warn": SeverityWarning, "minor": SeverityWarning, "low": SeverityWarning, "ticket": SeverityWarning,
	"info": SeverityInfo, "information": SeverityInfo, "informational": SeverityInfo, "notice": SeverityInfo, "none": SeverityInfo,
}
