package past

import (
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// A sheet is an answer on its way: a title, lines, notes in small letters, buttons.
type sheet struct {
	title   integrations.Rich
	lines   []integrations.Rich
	notes   []integrations.Rich
	buttons []integrations.Button
}

func (s *sheet) line(parts ...any) { s.lines = append(s.lines, integrations.R(parts...)) }
func (s *sheet) note(parts ...any) { s.notes = append(s.notes, integrations.R(parts...)) }

const inBlock = 10 // lines of a block, so that one holds them all

// message is the sheet as it is said. Each line of it may be long; a block of
// several is as high as what stands in it.
func (s *sheet) message() integrations.Message {
	m := integrations.Message{Text: s.title.Plain()}
	m.Blocks = append(m.Blocks, integrations.Block{Text: s.title})
	for part := range slices.Chunk(s.lines, inBlock) {
		var text integrations.Rich
		for i, l := range part {
			m.Text += "\n" + l.Plain()
			if i > 0 {
				text = append(text, integrations.Span{Text: "\n"})
			}
			text = append(text, l...)
		}
		m.Blocks = append(m.Blocks, integrations.Block{Text: text})
	}
	for _, n := range s.notes {
		m.Text += "\n" + n.Plain()
		m.Blocks = append(m.Blocks, integrations.Block{Context: n})
	}
	if len(s.buttons) > 0 {
		m.Blocks = append(m.Blocks, integrations.Block{Buttons: s.buttons})
	}
	return m
}

// oneLine makes a title of somebody's into one line of at most so many characters.
func oneLine(s string, most int) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

// counted is "1 deploy" and "2 deploys".
func counted(n int, what string) string {
	s := integrations.R(n, " ", what).Plain()
	if n != 1 {
		s += "s"
	}
	return s
}
