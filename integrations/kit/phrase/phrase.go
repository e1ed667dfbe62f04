// Package phrase says in another language what was said in English. Its catalogue
// is gettext's (.po): the English sentence, with %s where something is put in, is
// the key. What is told is composed in many places and kept in the store in
// English; so a sentence is looked up when it is shown, by matching it against the
// keys, and what stands in the places of %s is looked up in turn.
//
// A piece that stands between “ and ” or behind a Token is somebody's own words
// and is never touched. A sentence of which a part is not in the catalogue stays
// as it was: nobody is shown half a sentence of each.
package phrase

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/leonelquinteros/gotext"
)

// Token is where tokens begin: a rune from here on stands for a piece of text that
// is not translated, such as a link. There are 6,000 of them, Unicode's private area.
const Token = '\uE000'

// tokens of our own, for quoted words, come from the other end of the area.
const ownToken = '\uF000'

// Book is a catalogue made ready to be looked up in. It may be used by many at once.
type Book struct {
	exact   map[string]string
	entries []*entry // those with places, the most literal first

	mu    sync.Mutex
	known map[string]said
}

type said struct {
	text string
	ok   bool
}

// keep is how many sentences are remembered.
const keep = 4096

type entry struct {
	key   string
	re    *regexp.Regexp
	probe string // the longest literal piece
	size  int
	out   []piece
	raw   []bool // by place: somebody's own words
	// counts says that nothing but numbers is put in.
	counts bool
}

// piece is literal text, or the place with a number.
type piece struct {
	text  string
	place int
}

var (
	verb    = regexp.MustCompile(`%(?:\[(\d+)\])?[+\-# 0]*[\d.]*([a-zA-Z%])`)
	letters = regexp.MustCompile(`[A-Za-z]`)
	quoted  = regexp.MustCompile(`“[^”]*”`)
)

// New reads catalogues in gettext's .po form. It tells every entry that is wrong:
// without a translation, or with other places than its key.
func New(catalogues ...string) (*Book, error) {
	b := &Book{exact: map[string]string{}, known: map[string]said{}}
	var wrong error
	for _, text := range catalogues {
		po := gotext.NewPo()
		po.Parse([]byte(text))
		for key, t := range po.GetDomain().GetTranslations() {
			if key == "" {
				continue
			}
			if err := b.add(key, t.Get()); err != nil {
				wrong = errors.Join(wrong, fmt.Errorf("phrase %q: %w", key, err))
			}
		}
	}
	slices.SortFunc(b.entries, func(x, y *entry) int {
		return cmp.Or(cmp.Compare(y.size, x.size), cmp.Compare(x.key, y.key))
	})
	return b, wrong
}

// Keys are all sentences that the book knows.
func Keys(catalogue string) map[string]string {
	po := gotext.NewPo()
	po.Parse([]byte(catalogue))
	out := map[string]string{}
	for key, t := range po.GetDomain().GetTranslations() {
		if key != "" {
			out[key] = ""
			if got := t.Get(); got != key || !letters.MatchString(key) {
				out[key] = got
			}
		}
	}
	return out
}

func (b *Book) add(key, value string) error {
	if value == "" || value == key {
		return errors.New("it has no translation")
	}
	lits, kinds, err := split(key)
	if err != nil {
		return err
	}
	if len(kinds) == 0 {
		b.exact[fold(lits[0])] = strings.ReplaceAll(value, "%%", "%")
		return nil
	}
	e := &entry{key: key, counts: !slices.ContainsFunc(kinds, func(k byte) bool { return k != 'd' })}
	pattern := `(?s)^`
	for i, lit := range lits {
		if len(lit) > len(e.probe) {
			e.probe = lit
		}
		e.size += len(lit)
		if i == 0 {
			pattern += insensitive(lit)
		} else {
			pattern += regexp.QuoteMeta(lit)
		}
		if i < len(kinds) {
			if kinds[i] == 'd' {
				pattern += `(\d(?:[\d,.]*\d)?)`
			} else {
				pattern += `(.+?)`
			}
			e.raw = append(e.raw, strings.HasSuffix(lit, "“"))
		}
	}
	e.re, err = regexp.Compile(pattern + `$`)
	if err != nil {
		return err
	}
	if e.out, err = compile(value, len(kinds)); err != nil {
		return err
	}
	if !letters.MatchString(strings.Join(lits, "")) {
		return errors.New("it has no words of its own")
	}
	b.entries = append(b.entries, e)
	return nil
}

// insensitive matches a sentence's beginning with a capital letter or without.
func insensitive(lit string) string {
	r, n := utf8.DecodeRuneInString(lit)
	if n == 0 || !unicode.IsLetter(r) || r > unicode.MaxASCII {
		return regexp.QuoteMeta(lit)
	}
	return fmt.Sprintf("[%c%c]", unicode.ToUpper(r), unicode.ToLower(r)) + regexp.QuoteMeta(lit[n:])
}

func fold(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return s
	}
	return string(unicode.ToLower(r)) + s[n:]
}

// split takes a key apart: its literal pieces and the verbs between them.
func split(key string) (lits []string, kinds []byte, err error) {
	lit, at := "", 0
	for _, m := range verb.FindAllStringSubmatchIndex(key, -1) {
		lit += key[at:m[0]]
		at = m[1]
		kind := key[m[4]]
		if kind == '%' {
			lit += "%"
			continue
		}
		if m[2] >= 0 {
			return nil, nil, errors.New("a key's places are not numbered")
		}
		lits, kinds, lit = append(lits, lit), append(kinds, kind), ""
	}
	return append(lits, lit+key[at:]), kinds, nil
}

// compile reads a translation, whose places are in order or numbered: %[2]s.
func compile(value string, places int) ([]piece, error) {
	var out []piece
	lit, at, next := "", 0, 0
	used := map[int]bool{}
	for _, m := range verb.FindAllStringSubmatchIndex(value, -1) {
		lit += value[at:m[0]]
		at = m[1]
		if value[m[4]] == '%' {
			lit += "%"
			continue
		}
		place := next
		if m[2] >= 0 {
			n, err := strconv.Atoi(value[m[2]:m[3]])
			if err != nil {
				return nil, err
			}
			place = n - 1
		}
		next = place + 1
		if place < 0 || place >= places {
			return nil, fmt.Errorf("place %d of %d", place+1, places)
		}
		used[place] = true
		out, lit = append(out, piece{text: lit, place: -1}, piece{place: place}), ""
	}
	if len(used) != places {
		return nil, fmt.Errorf("its translation shows %d of the %d things put in", len(used), places)
	}
	return append(out, piece{text: lit + value[at:], place: -1}), nil
}

// Say is s in the book's language, and whether all of it could be said; if not, it
// is s as it was.
func (b *Book) Say(s string) (string, bool) {
	if b == nil || !letters.MatchString(s) {
		return s, true
	}
	b.mu.Lock()
	got, ok := b.known[s]
	b.mu.Unlock()
	if ok {
		return got.text, got.ok
	}
	got = b.say(s)
	b.mu.Lock()
	if len(b.known) >= keep {
		clear(b.known)
	}
	b.known[s] = got
	b.mu.Unlock()
	return got.text, got.ok
}

// say keeps what is quoted out of the way, and looks up the rest.
func (b *Book) say(s string) said {
	var own []string
	masked := quoted.ReplaceAllStringFunc(s, func(q string) string {
		own = append(own, strings.TrimSuffix(strings.TrimPrefix(q, "“"), "”"))
		return "“" + string(ownToken+rune(len(own)-1)) + "”"
	})
	text, ok := (&look{b, map[asked]said{}}).whole(masked, 0)
	if !ok {
		return said{s, false}
	}
	for i, q := range own {
		text = strings.ReplaceAll(text, string(ownToken+rune(i)), q)
	}
	return said{text, true}
}

// deepest is how far what is put in is looked up in turn.
const deepest = 6

// look is one looking up. The same pieces come up again and again in it, as what
// one key after the other takes, and each is worked out once.
type look struct {
	*Book
	seen map[asked]said
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
		return s, true
	}
	at := strings.Index(s, core)
	if strings.Contains(core, "\n") { // no key reaches over a line's end, but its places would
		if out, ok := b.parts(core, cuts[0], depth); ok {
			return s[:at] + out + s[at+len(core):], true
		}
	}
	if out, ok := b.phrase(core, depth, within); ok {
		return s[:at] + out + s[at+len(core):], true
	}
	for _, cut := range cuts[:surely] {
		if out, ok := b.parts(core, cut, depth); ok {
			return s[:at] + out + s[at+len(core):], true
		}
	}
	if out, ok := b.phrase(core, depth, anything); ok {
		return s[:at] + out + s[at+len(core):], true
	}
	for _, cut := range cuts[surely:] {
		if out, ok := b.parts(core, cut, depth); ok {
			return s[:at] + out + s[at+len(core):], true
		}
	}
	return s, false
}

const edges = " \n\t·;,"

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
		if sentence.MatchString(text) || i < len(in)-1 && clause.MatchString(text) {
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
	regexp.MustCompile(` +→ +|  +`),
	regexp.MustCompile(`, `),
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
		out.WriteString(mark)
		at = m[1]
	}
	return out.String(), true
}

// wide says whether a text ends in a full-width stop.
func wide(s string) bool {
	return strings.HasSuffix(s, "。") || strings.HasSuffix(s, "？") || strings.HasSuffix(s, "」") || strings.HasSuffix(s, "！")
}

// name says whether a part may stand as it is: one word, an address, a command.
func name(s string) bool {
	s = strings.Trim(s, edges+".:()")
	return !strings.ContainsAny(s, " \n") || strings.HasPrefix(s, "/ops ") || strings.HasPrefix(s, "`")
}

// phrase looks a text up as one entry, its full stop or colon apart.
func (b *look) phrase(s string, depth int, loose bool) (string, bool) {
	if v, ok := b.exact[fold(s)]; ok {
		return v, true
	}
	bare, stop := unstopped(s)
	if v, ok := b.exact[fold(bare)]; ok && stop != "" {
		return v + stop, true
	}
	return b.match(s, bare, stop, depth, loose)
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

// match finds the most literal key that all of a text can be said by: with the
// text's stop where the key has it, and else without.
func (b *look) match(s, bare, stop string, depth int, loose bool) (string, bool) {
	if depth >= deepest {
		return "", false
	}
	for _, e := range b.entries {
		if e.size >= len(s) || !strings.Contains(s, e.probe) && !strings.Contains(fold(s), fold(e.probe)) {
			continue
		}
		text, end := bare, stop
		if _, own := unstopped(e.key); own != "" {
			text, end = s, ""
		}
		m := e.re.FindStringSubmatch(text)
		if m == nil || !loose && !plain(m[1:]) {
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

// Label says one that stands alone, such as a button's or a link's: only as a
// whole, with nothing but numbers put in, for it may be somebody's own words.
func (b *Book) Label(s string) string {
	if b == nil {
		return s
	}
	if v, ok := b.exact[fold(s)]; ok {
		return v
	}
	for _, e := range b.entries {
		if e.counts && strings.Contains(s, e.probe) {
			if m := e.re.FindStringSubmatch(s); m != nil {
				if out, ok := (&look{b, map[asked]said{}}).fill(e, m[1:], deepest); ok {
					return out
				}
			}
		}
	}
	return s
}
