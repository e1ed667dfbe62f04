package command

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/signalbox-chatops/signalbox/integrations"
)

const (
	maxText    = 48 << 10 // bounds Plan.Text; a GitHub comment holds 65,536 characters
	probeText  = 2 << 10
	maxAddress = 200 // runes of an entry's name
	maxEntries = 1000
)

// read turns what a dry run said into a plan. Counts and hashes come from what it printed,
// whatever people see from what is redacted.
func (a *Applier) read(step string, o integrations.Output, key []byte) (integrations.Plan, error) {
	raw, shown := plain(string(o.Stdout)), plain(o.Redact(string(o.Stdout)))
	p := integrations.Plan{Step: a.Describe(), Text: middle(strings.TrimSpace(shown), maxText)}
	something, known := a.something(o.Code, raw)
	switch {
	case !known && o.Code != 0:
		return p, &integrations.CommandError{Step: step, Code: o.Code, Tail: o.Tail}
	case !known:
		return p, &integrations.CommandError{Step: step, Tail: o.Tail, Err: errors.New("its output matches neither nothing nor pending of the configuration")}
	case !something:
		return p, nil
	}
	hash := a.hash(raw, key)
	for _, k := range a.kinds {
		entries, n := k.entries(raw, shown)
		for _, address := range entries {
			p.Changes = append(p.Changes, integrations.Change{Address: address, Actions: []string{k.action}, Hash: hash})
		}
		switch k.action {
		case "create":
			p.Add = n
		case "update":
			p.Change = n
		case "delete":
			p.Destroy = n
		}
	}
	if len(p.Changes) == 0 {
		p.Change = 1
		p.Changes = []integrations.Change{{Address: a.Describe(), Actions: []string{"update"}, Hash: hash}}
		p.Notes = append(p.Notes, "It gives no counts: ~1 stands for all that it would do.")
	}
	return p, nil
}

// something says whether a dry run found something to do, and whether that is known. What
// both signs fit is something.
func (a *Applier) something(code int, raw string) (something, known bool) {
	holds := func(s Sign, re *regexp.Regexp) bool {
		return s.given() && (s.Exit == nil || *s.Exit == code) && (re == nil || re.MatchString(raw))
	}
	switch {
	case holds(a.c.Pending, a.pending):
		return true, true
	case holds(a.c.Nothing, a.nothing):
		return false, true
	case a.c.Nothing.given() && a.c.Pending.given() || code != 0:
		return false, false
	}
	return !a.c.Pending.given(), true
}

// entries are the names of what a kind matches, and how many there are.
func (k kind) entries(raw, shown string) (names []string, n int) {
	found := k.re.FindAllStringSubmatch(raw, -1)
	if group := k.re.SubexpIndex("n"); group > 0 {
		for _, m := range found {
			if count, err := strconv.Atoi(m[group]); err == nil && count > 0 {
				n += count
			}
		}
		if n > 0 {
			names = []string{fmt.Sprintf("%s %d", k.action, n)}
		}
		return names, n
	}
	visible := k.re.FindAllStringSubmatch(shown, -1)
	for i := range found {
		name := fmt.Sprintf("%s %d", k.action, i+1) // where a secret stood, the pattern may not match any more
		if len(visible) == len(found) {
			name = visible[i][min(1, len(visible[i])-1)]
		}
		if i == maxEntries {
			names = append(names, fmt.Sprintf("and %d more", len(found)-i))
			break
		}
		names = append(names, line(name))
	}
	return names, len(found)
}

// line is a name as it stands in one line.
func line(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if utf8.RuneCountInString(s) > maxAddress {
		s = string([]rune(s)[:maxAddress-1]) + "…"
	}
	return s
}

// hash tells two dry runs apart without giving what they print away to somebody who
// guesses: it may hold secrets.
func (a *Applier) hash(raw string, key []byte) string {
	for _, re := range a.volatile {
		raw = re.ReplaceAllString(raw, "")
	}
	h := hmac.New(sha256.New, key)
	for l := range strings.Lines(raw) {
		if l = strings.TrimRight(l, " \t\n"); l != "" {
			h.Write([]byte(l + "\n"))
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// escapes are the colours and cursor movements of a terminal.
var escapes = regexp.MustCompile(`\x1b(\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[@-Z\\^_])`)

// plain is an output without what is meant for a terminal.
func plain(s string) string {
	return strings.ReplaceAll(escapes.ReplaceAllString(strings.ToValidUTF8(s, "\uFFFD"), ""), "\r\n", "\n")
}

// middle cuts a text that is too long in its middle.
func middle(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	half := (limit - 100) / 2
	head, tail := strings.ToValidUTF8(s[:half], ""), strings.ToValidUTF8(s[len(s)-half:], "")
	return fmt.Sprintf("%s\n[… %d bytes are left out here …]\n%s", head, len(s)-len(head)-len(tail), tail)
}
