package picture

import (
	_ "embed"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"strings"
	"sync"
	"unicode"

	"github.com/go-analyze/charts"
	"github.com/golang/freetype/truetype"
	"github.com/rivo/uniseg"
	"golang.org/x/image/font"
	"golang.org/x/image/math/fixed"
	"golang.org/x/text/unicode/norm"
)

// Geta stands for what cannot be drawn: the mark that Japanese printers set for a sort
// that they lack. A letter is drawn from Noto Sans or, where that lacks it, from BIZ
// UDPGothic, which has kana, all kanji of JIS X 0208 and those that names need besides
// (渡邉, 髙橋, 山﨑). Its file stands as it was published beside its license.
const Geta = '〓'

//go:embed font/BIZUDPGothic-Regular.ttf
var gothicFile []byte

// gothic is parsed once; a parsed font may be read by many at once, a face may not.
var gothic = sync.OnceValues(func() (*truetype.Font, error) {
	f, err := truetype.Parse(gothicFile)
	if err != nil {
		return nil, fmt.Errorf("read the font BIZ UDPGothic: %w", err)
	}
	return f, nil
})

// Letters are what text of one size is written with.
type Letters struct {
	size float64 // of the em, in pixels
	// twice is how far to the right what has no bold of its own is drawn once more,
	// in pixels; 0 for text that is not bold.
	twice fixed.Int26_6
	faces []source
	// lacking are the letters that no font has, as they were met.
	lacking map[rune]bool
}

// A source is a font at a size.
type source struct {
	face font.Face
	has  func(rune) bool
	bold bool
}

// newLetters makes letters of a size in pixels; lacking collects what cannot be drawn.
func newLetters(size float64, bold bool, lacking map[rune]bool) (*Letters, error) {
	japanese, err := gothic()
	if err != nil {
		return nil, err
	}
	latin := charts.GetFont(charts.FontFamilyNotoSans)
	if bold {
		latin = charts.GetFont(charts.FontFamilyNotoSansBold)
	}
	l := &Letters{size: size, lacking: lacking}
	if bold {
		l.twice = fixed.Int26_6(size * 64 / 24)
	}
	for _, f := range []*truetype.Font{latin, japanese} {
		l.faces = append(l.faces, source{
			face: truetype.NewFace(f, &truetype.Options{Size: size, DPI: 72, Hinting: font.HintingNone}),
			has:  func(r rune) bool { return f.Index(r) != 0 }, bold: f == latin,
		})
	}
	return l, nil
}

// plain is text as it is drawn: composed, without what has no width, on one line.
func plain(s string) string {
	return norm.NFC.String(strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r), unicode.Is(unicode.Variation_Selector, r):
			return -1
		}
		return r
	}, s))
}

// pick finds the font for a letter, and what is drawn for it.
func (l *Letters) pick(r rune) (source, rune) {
	for _, s := range l.faces {
		if s.has(r) {
			return s, r
		}
	}
	if k := []rune(norm.NFKC.String(string(r))); len(k) == 1 && k[0] != r {
		return l.pick(k[0])
	}
	l.lacking[r] = true
	return l.pick(Geta)
}

// Width is how many pixels a text takes.
func (l *Letters) Width(s string) int { return l.advance(s).Ceil() }

func (l *Letters) advance(s string) (sum fixed.Int26_6) {
	for _, r := range plain(s) {
		from, r := l.pick(r)
		if a, ok := from.face.GlyphAdvance(r); ok {
			sum += a
		}
	}
	return sum
}

// least is how many letters a name keeps beside the ellipsis; with fewer it says nothing.
const least = 2

// Cut is a text in at most that many pixels, with an ellipsis where something is left
// out; "" where too little of it would be left.
func (l *Letters) Cut(s string, pixels int) string {
	sum, kept, n, short := fixed.Int26_6(0), 0, 0, ""
	room := fixed.I(pixels)
	for g := uniseg.NewGraphemes(s); g.Next(); n++ {
		if sum += l.advance(g.Str()); sum > room {
			return short
		}
		kept += len(g.Str())
		if n+1 >= least && sum+l.advance("…") <= room {
			short = strings.TrimRight(s[:kept], " ") + "…"
		}
	}
	return s
}

// Wrap is a text in lines of at most that many pixels. It is broken at spaces, and
// between letters where there is none.
func (l *Letters) Wrap(s string, pixels int) (lines []string) {
	line, space := "", 0 // where its last space ends
	for g := uniseg.NewGraphemes(s); g.Next(); {
		if line != "" && l.Width(line+g.Str()) > pixels {
			if space == 0 {
				space = len(line)
			}
			lines, line, space = append(lines, strings.TrimRight(line[:space], " ")), line[space:], 0
		}
		line += g.Str()
		if g.Str() == " " {
			space = len(line)
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// First is the first letter of a text, however many runes that is.
func First(s string) string {
	letter, _, _, _ := uniseg.FirstGraphemeClusterInString(s, -1)
	return letter
}

// Write draws a text from x on, its letters standing on base.
func (l *Letters) Write(to draw.Image, x, base int, s string, c color.Color) {
	ink, dot := image.NewUniform(c), fixed.P(x, base)
	for _, r := range plain(s) {
		from, r := l.pick(r)
		at := []fixed.Point26_6{dot}
		if l.twice > 0 && !from.bold {
			at = append(at, dot.Add(fixed.Point26_6{X: l.twice}))
		}
		for _, p := range at {
			if dr, mask, maskp, _, ok := from.face.Glyph(p, r); ok {
				draw.DrawMask(to, dr, ink, image.Point{}, mask, maskp, draw.Over)
			}
		}
		if a, ok := from.face.GlyphAdvance(r); ok {
			dot.X += a
		}
	}
}

// Middle is the base on which letters stand in the middle of y0 to y1.
func (l *Letters) Middle(y0, y1 int) int {
	const capital = 0.72 // the height of a capital letter of Noto Sans, in ems
	return (y0+y1)/2 + int(capital*l.size/2+0.5)
}
