package picture

import (
	"bytes"
	"image"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rivo/uniseg"
	"pgregory.net/rapid"
)

// inked is a text drawn black on white, cropped to the same place.
func inked(t *testing.T, l *Letters, s string) []byte {
	t.Helper()
	c := image.NewRGBA(image.Rect(0, 0, 400, 80))
	for i := range c.Pix {
		c.Pix[i] = 0xff
	}
	l.Write(c, 10, 60, s, Ink)
	return c.Pix
}

func someLetters(t testing.TB, size float64, bold bool) *Letters {
	t.Helper()
	l, err := newLetters(size, bold, map[rune]bool{})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestLettersJapanese: each letter of Japanese has a shape of its own, none is the box
// of a missing glyph, and rare kanji of names are there too.
func TestLettersJapanese(t *testing.T) {
	for _, bold := range []bool{false, true} {
		l := someLetters(t, pixelsText, bold)
		seen := map[string]rune{string(inked(t, l, "")): ' ', string(inked(t, l, string(Geta))): Geta}
		for _, f := range l.faces { // the boxes: glyph 0 is what a font draws for what it lacks
			seen[string(inked(t, &Letters{faces: []source{{face: f.face, has: func(rune) bool { return true }}}}, "\U0010FFFD"))] = '□'
		}
		for _, r := range "あ漢字カナ邉髙﨑德栁ー々〜（aÉж" {
			ink := string(inked(t, l, string(r)))
			if other, ok := seen[ink]; ok {
				t.Errorf("%c looks like %c", r, other)
			}
			seen[ink] = r
		}
		if len(l.lacking) > 0 {
			t.Errorf("lacking %v", l.lacking)
		}
	}
}

// TestLettersLacking: what no font has is drawn as a geta, and is told.
func TestLettersLacking(t *testing.T) {
	l := someLetters(t, pixelsText, false)
	if !bytes.Equal(inked(t, l, "𠮷"), inked(t, l, string(Geta))) {
		t.Error("𠮷 is not drawn as a geta")
	}
	if !l.lacking['𠮷'] || len(l.lacking) != 1 {
		t.Errorf("lacking %v", l.lacking)
	}
	if !bytes.Equal(inked(t, l, "葛\U000E0100城\u200d\ufe0f"), inked(t, l, "葛城")) || len(l.lacking) != 1 {
		t.Errorf("selectors and joiners are drawn; lacking %v", l.lacking)
	}
	if !bytes.Equal(inked(t, l, "e\u0301"), inked(t, l, "é")) {
		t.Error("a letter with an accent of its own is not the composed one")
	}
}

func TestLettersBold(t *testing.T) {
	dark := func(pix []byte) (n int) {
		for _, p := range pix {
			n += 255 - int(p)
		}
		return n
	}
	plain, bold := someLetters(t, pixelsText, false), someLetters(t, pixelsText, true)
	for _, s := range []string{"alice", "山田"} {
		if p, b := dark(inked(t, plain, s)), dark(inked(t, bold, s)); b < p*115/100 {
			t.Errorf("%s in bold has ink %d, plain %d", s, b, p)
		}
	}
}

// TestCut: a text that was cut fits, and is a beginning of whole letters.
func TestCut(t *testing.T) {
	l := someLetters(t, pixelsText, true)
	for s, want := range map[string]string{"alice": "alice", "Wolfeschlegelsteinhausen": "Wolfe…", "山田太郎左衛門": "山田太…", "が\u3099か\u3099き\u3099く\u3099け\u3099": "が\u3099か\u3099…"} {
		if got := l.Cut(s, 180); got != want {
			t.Fatalf("%s is cut to %s, want %s", s, got, want)
		}
	}
	if got := l.Cut("山田太郎", 60); got != "" {
		t.Fatalf("too little room leaves %q", got)
	}
	letter := rapid.SampledFrom([]string{"a", "W", "é", "e\u0301", "山", "ガ", "👩‍👩‍👧", "🇯🇵", " ", "𠮷"})
	rapid.Check(t, func(t *rapid.T) {
		s := strings.Join(rapid.SliceOfN(letter, 0, 12).Draw(t, "letters"), "")
		room := rapid.IntRange(0, 600).Draw(t, "room")
		got := l.Cut(s, room)
		if got == s && l.Width(s) <= room || got == "" {
			return
		}
		start, ok := strings.CutSuffix(got, "…")
		if !ok || l.Width(got) > room || !utf8.ValidString(got) {
			t.Fatalf("%q in %d is %q, %d wide", s, room, got, l.Width(got))
		}
		rest, whole := strings.CutPrefix(s, start)
		if n := uniseg.GraphemeClusterCount(start) + uniseg.GraphemeClusterCount(rest); !whole || n != uniseg.GraphemeClusterCount(s) {
			t.Fatalf("%q is cut within a letter: %q", s, got)
		}
	})
}

// TestWrap: nothing is lost but the spaces at which a line ends, and each line fits.
func TestWrap(t *testing.T) {
	l := someLetters(t, pixelsSmall, false)
	for _, s := range []string{"Sun 1 Nov: the clock goes back from 02:00 to 01:00; what it shows twice is drawn above, then below, and so on", strings.Repeat("1日(日): 時計が02:00から01:00に戻ります (その時間は上下に分けています)", 2), strings.Repeat("W", 60), ""} {
		lines := l.Wrap(s, 700)
		if got := strings.ReplaceAll(strings.Join(lines, ""), " ", ""); got != strings.ReplaceAll(s, " ", "") {
			t.Errorf("%q became %q", s, lines)
		}
		for _, line := range lines {
			if l.Width(line) > 700 {
				t.Errorf("%q is %d wide", line, l.Width(line))
			}
		}
	}
	if got := l.Wrap("one two", l.Width("one tw")); len(got) != 2 || got[0] != "one" || got[1] != "two" {
		t.Errorf("broken into %q", got)
	}
}

// TestFontLicense: the license stands beside the font, as it asks for.
func TestFontLicense(t *testing.T) {
	b, err := os.ReadFile("font/OFL.txt")
	if err != nil || !strings.Contains(string(b), "SIL OPEN FONT LICENSE") || !strings.Contains(string(b), "BIZ UDGothic Project Authors") {
		t.Errorf("the license of the font: %v", err)
	}
}
