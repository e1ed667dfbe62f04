package digest

import (
	"fmt"
	"image"
	"image/color"
	"os"
	"path/filepath"

	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/picture"
	"github.com/signalbox-chatops/signalbox/store"
)

// A drawing is a picture of a report.
type drawing interface {
	title() string
	// alt says what it shows, for those who cannot see it.
	alt() string
	// draw is it as PNG. Two drawings of the same are equal byte by byte.
	draw() ([]byte, error)
}

// pictured makes a drawing of a report in a language, nil where there is nothing to show.
type pictured func(r report, language string) drawing

// pictureCard is a picture of a digest. It is drawn when it is to be shown, once.
func (f *feature) pictureCard(of pictured) tell.Card {
	return func(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
		t, found, err := told(tx).Get(s.Subject)
		if err != nil || !found || s.Ref != "" {
			return integrations.Message{Hold: true}, err
		}
		language, err := f.Language(tx, s)
		if err != nil {
			return integrations.Message{}, err
		}
		d := of(t.Report, language)
		if d == nil {
			return integrations.Message{Hold: true}, nil
		}
		name := fileName(s.Card, t.ID)
		path := filepath.Join(f.Dir, language+"-"+name)
		if _, err := os.Stat(path); err != nil {
			body, err := d.draw()
			if err == nil {
				err = os.MkdirAll(f.Dir, 0o700)
			}
			if err == nil {
				err = os.WriteFile(path, body, 0o600)
			}
			if err != nil {
				return integrations.Message{}, fmt.Errorf("draw the %s of %s: %w", s.Card, t.ID, err)
			}
		}
		return integrations.Message{Text: d.title(), File: &integrations.File{Name: name, Path: path, Title: d.title(), Alt: d.alt()}}, nil
	}
}

// fileName is what a picture is called.
func fileName(card, id string) string {
	return map[string]string{cardDeploys: "deploys", cardLoad: "on-call"}[card] + "-" + id + ".png"
}

// A sheet is a canvas that is drawn on from top to bottom, and how far that is.
type sheet struct {
	*picture.Canvas
	words words
	y     int
}

const (
	sheetWide = picture.Width - 2*picture.Edge
	rowHigh   = 88
	barHigh   = 52
)

// newSheet begins a picture that is not higher than that.
func newSheet(w words, high int, title, below string) (*sheet, error) {
	c, err := picture.New(high)
	if err != nil {
		return nil, err
	}
	s := &sheet{Canvas: c, words: w}
	s.Large.Write(s, picture.Edge, 96, s.Large.Cut(title, sheetWide), picture.Ink)
	s.Text.Write(s, picture.Edge, 166, s.Text.Cut(below, sheetWide), picture.Faint)
	s.y = 196
	return s, nil
}

// line draws one across.
func (s *sheet) line() {
	s.Fill(image.Rect(picture.Edge, s.y, picture.Width-picture.Edge, s.y+2), picture.Ruled)
}

// row writes what a row is of, and gives where its bars are.
func (s *sheet) row(name string, wide int) (y0, y1 int) {
	s.line()
	y0 = s.y + (rowHigh-barHigh)/2
	y1 = y0 + barHigh
	s.Text.Write(s, picture.Edge, s.Text.Middle(y0, y1), s.Text.Cut(name, wide), picture.Ink)
	s.y += rowHigh
	return y0, y1
}

// A mark is a color and what it stands for.
type mark struct {
	color color.RGBA
	name  string
	thin  bool // it is drawn as a line
}

// key explains marks, in as many lines as it takes.
func (s *sheet) key(marks []mark) {
	s.y += 28
	x := picture.Edge
	for _, m := range marks {
		wide := 54 + s.Small.Width(m.name)
		if x > picture.Edge && x+wide > picture.Width-picture.Edge {
			x, s.y = picture.Edge, s.y+60
		}
		box := image.Rect(x, s.y, x+40, s.y+40)
		if m.thin {
			box.Min.Y, box.Max.Y = s.y+15, s.y+15+thinHigh
		}
		s.Fill(box, m.color)
		s.Small.Write(s, x+54, s.Small.Middle(s.y, s.y+40), m.name, picture.Ink)
		x += wide + 44
	}
	s.y += 60
}

// end is the picture, with a word on letters that could not be drawn.
func (s *sheet) end() ([]byte, error) {
	if len(s.Lacking) > 0 {
		s.Small.Write(s, picture.Edge, s.Small.Middle(s.y, s.y+40), s.words.lacking, picture.Faint)
		s.y += 52
	}
	return s.PNG(s.y + picture.Edge/2)
}

// more says how many rows were left out.
func (s *sheet) more(n int) {
	if n <= 0 {
		return
	}
	s.line()
	s.Small.Write(s, picture.Edge, s.Small.Middle(s.y, s.y+60), s.words.more(n), picture.Faint)
	s.y += 60
}

// right writes a text that ends at x.
func (s *sheet) right(face *picture.Letters, x, base int, text string, ink color.Color) {
	face.Write(s, x-face.Width(text), base, text, ink)
}
