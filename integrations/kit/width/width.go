// Package width counts text in the cells of a terminal or of text of fixed width: a
// letter of Japanese takes two, an accent none. Columns are laid out and texts are
// cut by it, so that a table stands straight whatever the names in it are, and no
// letter is cut in half.
package width

import (
	"strings"

	"github.com/rivo/uniseg"
)

// Cells is how many cells s takes.
func Cells(s string) int { return uniseg.StringWidth(s) }

// Pad fills s up to that many cells with spaces; a longer one stays as it is.
func Pad(s string, cells int) string {
	return s + strings.Repeat(" ", max(0, cells-Cells(s)))
}

// Cut is s in at most that many cells, with an ellipsis where something is left out.
func Cut(s string, cells int) string {
	if Cells(s) <= cells {
		return s
	}
	at, used := 0, 0
	for state, rest := -1, s; rest != ""; {
		var letter string
		var takes int
		letter, rest, takes, state = uniseg.FirstGraphemeClusterInString(rest, state)
		if used+takes > cells-1 {
			break
		}
		at, used = at+len(letter), used+takes
	}
	return s[:at] + "…"
}
