package help

import (
	"strings"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// A message is built block by block, its plain text along with it.
type message struct {
	text   []string
	blocks []integrations.Block
}

func (m *message) add(plain string, b integrations.Block) {
	m.text = append(m.text, strings.TrimRight(plain, "\n"))
	m.blocks = append(m.blocks, b)
}

func (m *message) header(s string) { m.add(s, integrations.Block{Header: s}) }
func (m *message) line(s string)   { m.add(s, integrations.Block{Text: integrations.R(s)}) }
func (m *message) code(s string)   { m.add(s, integrations.Block{Code: s}) }

func (m *message) context(r integrations.Rich) { m.add(r.Plain(), integrations.Block{Context: r}) }

// richest is how many bytes one block of text may hold: less than chats allow.
const richest = 2500

// rich adds a text, in several blocks if it is long.
func (m *message) rich(r integrations.Rich) {
	var part integrations.Rich
	n := 0
	flush := func() {
		if len(part) > 0 {
			m.add(part.Plain(), integrations.Block{Text: part})
		}
		part, n = nil, 0
	}
	for _, s := range r {
		if n += len(s.Text); n > richest && s.Form == "code" {
			flush()
			n = len(s.Text)
		}
		part = append(part, s)
	}
	flush()
}

func (m *message) fields(f ...integrations.Field) {
	var plain []string
	for _, x := range f {
		plain = append(plain, x.Name+": "+x.Value.Plain())
	}
	m.add(strings.Join(plain, "\n"), integrations.Block{Fields: f})
}

func (m *message) done() integrations.Message {
	return integrations.Message{Text: strings.Join(m.text, "\n"), Blocks: m.blocks}
}
