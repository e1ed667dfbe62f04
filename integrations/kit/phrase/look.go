package phrase

import (
	"regexp"
	"strings"
)

// deepest is how far what is put in is looked up in turn.
const deepest = 6

// look is one looking up. The same pieces come up again and again in it, as what
// one key after the other takes, and each is worked out once.
type look struct {
	*Book
	seen map[asked]said
	// quoting leaves out keys that quote nothing, but for what is put into others.
	quoting bool
}

type asked struct {
	text  string
	depth int
}

// whole says a text: as one phrase, or else part by part.
func (b *look) whole(s string, depth int) (string, bool) {
	got, ok := b.seen[asked{s, depth}]
	if !ok {
		got.text, got.ok = b.work(s, depth)
		b.seen[asked{s, depth}] = got
	}
	return got.text, got.ok
}

func (b *look) work(s string, depth int) (string, bool) {
	core := strings.Trim(s, edges)
	if core == "" || !letters.MatchString(core) {
		if depth > 0 {
			s = strings.ReplaceAll(s, ", ", "、")
		}
		return s, true
	}
	out, ok := b.core(core, depth)
	if !ok {
		return s, false
	}
	at := strings.Index(s, core)
	return s[:at] + out + s[at+len(core):], true
}

// core says a text without what stands at its edges.
func (b *look) core(core string, depth int) (string, bool) {
	if command(core) { // what is typed stays as it is, also beside what is said of it
		out, ok := b.parts(core, gap, depth)
		if ok {
			return out, true
		}
	}
	if strings.Contains(core, "\n") { // no key reaches over a line's end, but its places would
		out, ok := b.parts(core, cuts[0], depth)
		if !ok {
			out, ok = b.one(core)
		}
		return out, ok
	}
	if out, ok := b.phrase(core, depth, within); ok {
		return out, true
	}
	if mark := sign.FindString(core); mark != "" {
		rest := core[len(mark):]
		if out, ok := b.phrase(rest, depth, within); ok {
			return mark + out, true
		}
		if name(rest) {
			return core, true
		}
	}
	for _, cut := range cuts[:surely] {
		if out, ok := b.parts(core, cut, depth); ok {
			return out, true
		}
	}
	if out, ok := b.sentences(core, depth); ok {
		return out, true
	}
	if out, ok := b.phrase(core, depth, anything); ok {
		return out, true
	}
	if m := aside.FindStringSubmatch(core); m != nil {
		said, ok := b.whole(m[1], depth)
		more, too := b.whole(m[2], depth)
		if (ok || name(m[1])) && (too || name(m[2])) {
			return said + "（" + more + "）", true
		}
	}
	for _, cut := range cuts[surely:] {
		if out, ok := b.parts(core, cut, depth); ok {
			return out, true
		}
	}
	return core, false
}

// aside is what stands in parentheses at a text's end.
var aside = regexp.MustCompile(`(?s)^(.+) \(([^()]+)\)$`)

const edges = " \n\t·;,"

// sign is one that stands before a sentence, such as a lock's or a list's.
var sign = regexp.MustCompile(`^(?:•|[^\x00-\x{2FF}\p{L}\p{P}\x{E000}-\x{F8FF}]+) `)

// typed is what a command begins with, and gap what stands between it and what is
// said of it in a list.
const typed = "/ops "

var gap = regexp.MustCompile(`  +`)

func command(s string) bool { return strings.HasPrefix(s, typed) }

// leastOfCommand is how many letters of its own a key has that a text beginning with
// a command may be said by: shorter ones, such as "%s to %s", fit its words.
const leastOfCommand = 8

// sentence is the end of one before another.
var sentence = regexp.MustCompile(`[.?!] `)

// What the places of a key may take: within one sentence, or as it comes. A key
// of few words fits whatever has them anywhere, and one that takes a part of the
// sentence before it turns both round.
const (
	within   = false
	anything = true
)

// clause is where a thing put in before a key's own words ends at the latest.
var clause = regexp.MustCompile(`[.?!:;] `)

// plain says whether what a key's places take lies within one sentence.
func plain(in []string) bool {
	for i, text := range in {
		if sentence.MatchString(text) || strings.Contains(text, " · ") || strings.HasSuffix(text, ":") || i < len(in)-1 && clause.MatchString(text) {
			return false
		}
	}
	return true
}

// surely is how many of the cuts are tried before a key may take what lies beyond
// its sentence.
const surely = 5

// cuts are where a text falls into parts, the plainest first.
var cuts = []*regexp.Regexp{
	regexp.MustCompile(`\n+`),
	regexp.MustCompile(` · `),
	sentence,
	about,
	regexp.MustCompile(`; `),
	regexp.MustCompile(` +[→+] +|  +`),
	regexp.MustCompile(`, `),
	regexp.MustCompile(` – `),
	regexp.MustCompile(`[\x{E000}-\x{EFFF}]`),
}

// about is what a sentence is said of, where that stands before it: a token or the
// name of a thing, such as "web/staging: " or "#12: ", or any word behind a sign.
var about = regexp.MustCompile(`^(?:[^\x00-\x{2FF}\x{E000}-\x{F8FF}]+ (?:[^\s“:]+|[\x{E000}-\x{F8FF}])|[^\s“:]*[/#0-9][^\s“:]*|[\x{E000}-\x{EFFF}]): `)

func (b *look) parts(s string, cut *regexp.Regexp, depth int) (string, bool) {
	marks := cut.FindAllStringIndex(s, -1)
	if len(marks) == 0 {
		return "", false
	}
	var out strings.Builder
	at := 0
	for _, m := range append(marks, []int{len(s), len(s)}) {
		part, mark := s[at:m[0]], s[m[0]:m[1]]
		if strings.HasPrefix(mark, ".") || strings.HasPrefix(mark, "?") || strings.HasPrefix(mark, "!") {
			part, mark = part+mark[:1], mark[1:] // a sentence keeps its stop
		}
		got, ok := b.whole(part, depth)
		if !ok && !name(part) {
			return "", false
		}
		out.WriteString(got)
		if mark == " " && wide(got) {
			mark = "" // sentences of wide letters need no space between them
		}
		if mark == ", " {
			mark = string(comma)
		}
		if mark == "; " {
			mark = string(semicolon)
		}
		out.WriteString(mark)
		at = m[1]
	}
	said, between, apart := out.String(), ", ", "; "
	if depth > 0 || japanese.MatchString(said) {
		between = "、"
	}
	if japanese.MatchString(said) {
		apart = "；"
	}
	return strings.NewReplacer(string(comma), between, string(semicolon), apart).Replace(said), true
}

// sentences says the first sentence of a text, or the first two as one, and then the
// rest.
func (b *look) sentences(s string, depth int) (string, bool) {
	marks := sentence.FindAllStringIndex(s, -1)
	for i := 0; i < len(marks) && i < 2 && len(marks) > 1; i++ {
		said, ok := b.whole(s[:marks[i][0]+1], depth)
		if !ok {
			continue
		}
		rest, ok := b.whole(s[marks[i][1]:], depth)
		if !ok {
			continue
		}
		if wide(said) {
			return said + rest, true
		}
		return said + " " + rest, true
	}
	return "", false
}

// comma and semicolon stand for one in a list until it is known whether that is
// Japanese.
const (
	comma     = '\uF8FF'
	semicolon = '\uF8FE'
)

// japanese is a letter of Japanese.
var japanese = regexp.MustCompile(`[\p{Hiragana}\p{Katakana}\p{Han}]`)

// wide says whether a text ends in a full-width stop.
func wide(s string) bool {
	return strings.HasSuffix(s, "。") || strings.HasSuffix(s, "？") || strings.HasSuffix(s, "」") || strings.HasSuffix(s, "！")
}

// name says whether a part may stand as it is: one word, an address, a command.
func name(s string) bool {
	s = strings.Trim(s, edges+".:()")
	return !strings.ContainsAny(s, " \n") || strings.HasPrefix(s, "/ops ") || strings.HasPrefix(s, "`") || usage.MatchString(s)
}

// usage is how a command is written: "changelog <service> [in <environment>]".
var usage = regexp.MustCompile(`^[a-z-]+(?: (?:[a-z-]+ )?<[a-z_-]+>| \[[a-z -]*(?:<[a-z_-]+>)?\])+$`)

// phrase looks a text up as one entry, its full stop or colon apart.
func (b *look) phrase(s string, depth int, loose bool) (string, bool) {
	if v, ok := b.one(s); ok {
		return v, true
	}
	bare, stop := unstopped(s)
	if v, ok := b.one(bare); ok && stop != "" {
		return v + stop, true
	}
	return b.match(s, bare, stop, depth, loose)
}

// one is the entry without places that a text is. A single word in small letters is
// a word of the machine, such as a right, and no label "Hold" that is written so.
func (b *look) one(s string) (string, bool) {
	v, ok := b.exact[fold(s)]
	if ok && s == fold(s) && !strings.Contains(s, " ") && !b.small[s] {
		return "", false
	}
	return v, ok
}

// unstopped is a text without its full stop, colon or question mark, and that in
// wide letters.
func unstopped(s string) (bare, stop string) {
	for end, wide := range map[string]string{".": "。", ":": "：", "?": "？"} {
		if bare, ok := strings.CutSuffix(s, end); ok {
			return bare, wide
		}
	}
	return s, ""
}

// several says whether what was matched is a list of what the key says, of which one
// place took more than its own: "#1 by alice, #2 by bob", "the merge of #1, the merge
// of #2".
func (e *entry) several(in []string) bool {
	first, last := e.lits[0], e.lits[len(e.lits)-1]
	for _, text := range in {
		for _, mark := range []string{", ", "; "} {
			_, more, ok := strings.Cut(text, mark)
			if !ok {
				continue
			}
			if letters.MatchString(first) && (strings.Contains(text, mark+first) || strings.Contains(text, mark+fold(first))) || letters.MatchString(last) && strings.Contains(text, last+mark) {
				return true
			}
			for _, lit := range e.lits[1 : len(e.lits)-1] {
				if letters.MatchString(lit) && strings.Contains(more, lit) {
					return true
				}
			}
		}
	}
	return false
}

func stopped(key string) bool {
	_, stop := unstopped(key)
	return stop != ""
}

// match finds the most literal key that all of a text can be said by: with the
// text's stop where the key has it, and else without.
func (b *look) match(s, bare, stop string, depth int, loose bool) (string, bool) {
	if depth >= deepest {
		return "", false
	}
	for _, e := range b.entries {
		text, end := bare, stop
		if e.stop {
			text, end = s, ""
		}
		if e.size < leastOfCommand && command(s) || b.quoting && depth == 0 && !strings.Contains(e.key, "“") || !e.fits(text) {
			continue
		}
		m := e.re.FindStringSubmatch(text)
		if m == nil || !loose && (!plain(m[1:]) || e.lits[0] == "" && sign.MatchString(m[1])) || e.several(m[1:]) {
			continue
		}
		if out, ok := b.fill(e, m[1:], depth); ok {
			return out + end, true
		}
	}
	return "", false
}

// fill puts what a key was matched with into its translation.
func (b *look) fill(e *entry, in []string, depth int) (string, bool) {
	for i, text := range in {
		if e.raw[i] {
			continue
		}
		got, ok := b.whole(text, depth+1)
		if !ok && !name(text) {
			return "", false
		}
		in[i] = got
	}
	var out strings.Builder
	for _, p := range e.out {
		if p.place < 0 {
			out.WriteString(p.text)
		} else {
			out.WriteString(in[p.place])
		}
	}
	return out.String(), true
}
