package slack

import (
	"slices"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// unmentioned is a message that names people and mentions nobody, so that no phone
// rings: Slack calls whoever a new message mentions, also in its root, and has them
// follow its thread.
func unmentioned(m integrations.Message) integrations.Message {
	m.Blocks = slices.Clone(m.Blocks)
	for i := range m.Blocks {
		b := &m.Blocks[i]
		b.Text, b.Context = named(b.Text), named(b.Context)
		b.Fields = slices.Clone(b.Fields)
		for j := range b.Fields {
			b.Fields[j].Value = named(b.Fields[j].Value)
		}
	}
	return m
}

func named(r integrations.Rich) integrations.Rich {
	r = slices.Clone(r)
	for i, s := range r {
		if s.Form == "person" {
			r[i] = integrations.Span{Text: s.Text}
		}
	}
	return r
}
