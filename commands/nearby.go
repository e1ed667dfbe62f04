package commands

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/agnivade/levenshtein"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// nearest lists the names that word was probably meant to be, best first, at
// most most. A word that begins a name counts as one slip.
func nearest(word string, names []string, most int) []string {
	word = integrations.Fold(word)
	length := utf8.RuneCountInString(word)
	if length < 2 || length > 64 {
		return nil
	}
	type close struct {
		name string
		off  int
	}
	var found []close
	for _, n := range names {
		folded := integrations.Fold(n)
		off := distance(word, folded)
		if length >= 3 && strings.HasPrefix(folded, word) {
			off = min(off, 1)
		}
		if off <= slips(min(length, utf8.RuneCountInString(folded))) {
			found = append(found, close{n, off})
		}
	}
	slices.SortStableFunc(found, func(a, b close) int { return cmp.Compare(a.off, b.off) })
	var out []string
	for _, f := range found {
		if len(out) < most && !slices.Contains(out, f.name) {
			out = append(out, f.name)
		}
	}
	return out
}

// slips is how many slips of the finger a word of a length may hold and still
// be recognised.
func slips(length int) int {
	switch {
	case length < 3:
		return 0
	case length < 5:
		return 1
	case length < 9:
		return 2
	}
	return 3
}

// distance is Levenshtein's, but two neighbours that changed places are one slip.
func distance(a, b string) int {
	d := levenshtein.ComputeDistance(a, b)
	if d != 2 {
		return d
	}
	x, y := []rune(a), []rune(b)
	if len(x) != len(y) {
		return d
	}
	for i := 0; i+1 < len(x); i++ {
		if x[i] != y[i] {
			if x[i] == y[i+1] && x[i+1] == y[i] {
				return 1
			}
			return d
		}
	}
	return d
}

// list joins names for a sentence: "a, b and c", or the first few and a count.
func list(names []string, most int) string {
	switch n := len(names); {
	case n == 0:
		return ""
	case n == 1:
		return names[0]
	case n > most:
		return strings.Join(names[:most], ", ") + " and more"
	default:
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
}
