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
	small   map[string]bool // keys of exact that are written with a small letter
	entries []*entry        // those with places, the most literal first

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
	key  string
	re   *regexp.Regexp
	lits []string // the literal pieces around its places
	size int
	out  []piece
	raw  []bool // by place: somebody's own words, or what is typed
	stop bool   // it ends with a full stop, a colon or a question mark
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
	quoted  = regexp.MustCompile(`“(?:[^“”]|“(?:[^“”]|“[^“”]*”)*”)*”`)
)

// New reads catalogues in gettext's .po form. It tells every entry that is wrong:
// without a translation, or with other places than its key.
func New(catalogues ...string) (*Book, error) {
	b := &Book{exact: map[string]string{}, small: map[string]bool{}, known: map[string]said{}}
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
		if lits[0] == fold(lits[0]) {
			b.small[lits[0]] = true
		}
		b.exact[fold(lits[0])] = strings.ReplaceAll(value, "%%", "%")
		return nil
	}
	e := &entry{key: key, lits: lits, stop: stopped(key), counts: !slices.ContainsFunc(kinds, func(k byte) bool { return k != 'd' })}
	pattern := `(?s)^`
	for i, lit := range lits {
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
			e.raw = append(e.raw, strings.HasSuffix(lit, "“") || strings.HasSuffix(lit, "`"))
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

// fits says whether the literal pieces stand in a text, in their order and one at
// each end: what its pattern wants, told at a fraction of the cost.
func (e *entry) fits(s string) bool {
	last := len(e.lits) - 1
	if len(s) <= e.size || !strings.HasSuffix(s, e.lits[last]) || !begins(s, e.lits[0]) {
		return false
	}
	rest := s[len(e.lits[0]) : len(s)-len(e.lits[last])]
	for _, lit := range e.lits[1:last] {
		at := strings.Index(rest, lit)
		if at < 0 {
			return false
		}
		rest = rest[at+len(lit):]
	}
	return true
}

// begins says whether a text begins with a literal, its first letter big or small.
func begins(s, lit string) bool {
	if lit == "" || strings.HasPrefix(s, lit) {
		return true
	}
	r, n := utf8.DecodeRuneInString(lit)
	return len(s) >= len(lit) && r <= unicode.MaxASCII && unicode.IsLetter(r) &&
		unicode.ToLower(rune(s[0])) == unicode.ToLower(r) && strings.HasPrefix(s[n:], lit[n:])
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
	got = b.say(s, false)
	b.mu.Lock()
	if len(b.known) >= keep {
		clear(b.known)
	}
	b.known[s] = got
	b.mu.Unlock()
	return got.text, got.ok
}

// say keeps what is quoted out of the way, and looks up the rest; with quoting, by
// keys alone that quote something.
func (b *Book) say(s string, quoting bool) said {
	var own []string
	masked := quoted.ReplaceAllStringFunc(s, func(q string) string {
		q = strings.TrimSuffix(strings.TrimPrefix(q, "“"), "”")
		if strings.Contains(q, "“") { // a sentence of ours, which quotes somebody in turn
			q = b.say(q, true).text
		}
		own = append(own, q)
		return "“" + string(ownToken+rune(len(own)-1)) + "”"
	})
	text, ok := (&look{b, map[asked]said{}, quoting}).whole(masked, 0)
	if !ok {
		return said{s, false}
	}
	for i, q := range own { // what was put in as it was is quoted as the rest is
		token := string(ownToken + rune(i))
		text = strings.ReplaceAll(text, "“"+token+"”", "「"+token+"」")
		text = strings.ReplaceAll(text, string(ownToken+rune(i)), q)
	}
	return said{text, true}
}

// Button says a button's label: as a whole, with nothing but names put in. One that
// shows a command stays as it is typed.
func (b *Book) Button(s string) string {
	if b == nil {
		return s
	}
	if got := b.Label(s); got != s {
		return got
	}
	for _, e := range b.entries {
		if !e.fits(s) {
			continue
		}
		m := e.re.FindStringSubmatch(s)
		if m != nil && unicode.IsUpper([]rune(s)[0]) && !slices.ContainsFunc(m[1:], func(in string) bool { return !name(in) }) {
			if out, ok := (&look{b, map[asked]said{}, false}).fill(e, m[1:], deepest); ok {
				return out
			}
		}
	}
	return s
}

// Label says one that stands alone, such as a link's: only as a whole, with nothing
// but numbers put in, for it may be somebody's own words.
func (b *Book) Label(s string) string {
	if b == nil {
		return s
	}
	if v, ok := b.exact[fold(s)]; ok {
		return v
	}
	for _, e := range b.entries {
		if e.counts && e.fits(s) {
			if m := e.re.FindStringSubmatch(s); m != nil {
				if out, ok := (&look{b, map[asked]said{}, false}).fill(e, m[1:], deepest); ok {
					return out
				}
			}
		}
	}
	return s
}
