package language

import (
	"strings"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/phrase"
)

// Say puts a message into a book's language. Names, reasons, code, what links show
// and what tools printed stay as they are; a part that cannot be said as a whole
// stays in English as a whole. Without a book it is the message as it was.
func Say(b *phrase.Book, m integrations.Message) integrations.Message {
	if b == nil {
		return m
	}
	blocks, seen := make([]integrations.Block, len(m.Blocks)), &shown{lines: map[string]string{}}
	for i, x := range m.Blocks {
		blocks[i] = block(b, x)
		seen.note(b, x, blocks[i])
	}
	m.Text, m.Final = seen.plain(b, m.Text), text(b, m.Final)
	if m.Blocks != nil {
		m.Blocks = blocks
	}
	if m.Status != nil {
		s := *m.Status
		s.Description = text(b, s.Description)
		m.Status = &s
	}
	if m.Deployment != nil {
		d := *m.Deployment
		d.Description = text(b, d.Description)
		m.Deployment = &d
	}
	if m.Annotation != nil {
		a := *m.Annotation
		a.Title, a.Text = text(b, a.Title), text(b, a.Text)
		m.Annotation = &a
	}
	if m.File != nil {
		f := *m.File
		f.Title, f.Alt = text(b, f.Title), text(b, f.Alt)
		m.File = &f
	}
	if m.Modal != nil {
		m.Modal = modal(b, *m.Modal)
	}
	return m
}

func text(b *phrase.Book, s string) string {
	got, _ := b.Say(s)
	return got
}

func block(b *phrase.Book, x integrations.Block) integrations.Block {
	x.Header = text(b, x.Header)
	x.Text, x.Context = rich(b, x.Text), rich(b, x.Context)
	if x.Fields != nil {
		fields := make([]integrations.Field, len(x.Fields))
		for i, f := range x.Fields {
			fields[i] = integrations.Field{Name: text(b, f.Name), Value: rich(b, f.Value)}
		}
		x.Fields = fields
	}
	if x.Buttons != nil {
		buttons := make([]integrations.Button, len(x.Buttons))
		for i, p := range x.Buttons {
			p.Label, p.Confirm = b.Button(p.Label), text(b, p.Confirm)
			buttons[i] = p
		}
		x.Buttons = buttons
	}
	if x.Picture != nil {
		x.Picture = &integrations.Picture{URL: x.Picture.URL, Alt: text(b, x.Picture.Alt)}
	}
	if x.Details != nil {
		x.Details = &integrations.Details{Title: text(b, x.Details.Title), Code: x.Details.Code}
	}
	return x
}

func modal(b *phrase.Book, m integrations.Modal) *integrations.Modal {
	m.Title, m.Submit, m.Intro = text(b, m.Title), text(b, m.Submit), text(b, m.Intro)
	inputs := make([]integrations.Input, len(m.Inputs))
	for i, in := range m.Inputs {
		in.Label, in.Hint = text(b, in.Label), text(b, in.Hint)
		if in.Options != nil {
			options := make([]integrations.Option, len(in.Options))
			for k, o := range in.Options {
				options[k] = integrations.Option{Value: o.Value, Label: b.Label(o.Label)}
			}
			in.Options = options
		}
		inputs[i] = in
	}
	m.Inputs = inputs
	return &m
}

// mostTokens is how many spans of one text may stand in the way of its words.
const mostTokens = 4000

// rich says the words of a text around what is not said: each other span is a
// token while the words are looked up, and comes back in its new place.
func rich(b *phrase.Book, r integrations.Rich) integrations.Rich {
	if len(r) == 0 || len(r) > mostTokens {
		return r
	}
	spans := make(integrations.Rich, len(r))
	var words strings.Builder
	for i, s := range r {
		switch s.Form {
		case "":
			if strings.ContainsFunc(s.Text, func(c rune) bool { return c >= phrase.Token && c < phrase.Token+0x1900 }) {
				return r // somebody's own signs, which must not be taken for a token
			}
			words.WriteString(s.Text)
			continue
		case "bold":
			s.Text = text(b, s.Text)
		case "link":
			s.Text = b.Label(s.Text)
		}
		spans[i] = s
		words.WriteRune(phrase.Token + rune(i))
	}
	said, ok := b.Say(words.String())
	if !ok {
		return line(b, r)
	}
	var out integrations.Rich
	at := 0
	for i, c := range said {
		if n := int(c - phrase.Token); n >= 0 && n < len(r) && c >= phrase.Token {
			if i > at {
				out = append(out, integrations.Span{Text: said[at:i]})
			}
			out = append(out, spans[n])
			at = i + len(string(c))
		}
	}
	if at < len(said) {
		out = append(out, integrations.Span{Text: said[at:]})
	}
	return out
}

// line says each line of a text that cannot be said as a whole, such as a list in
// which somebody's own words stand.
func line(b *phrase.Book, r integrations.Rich) integrations.Rich {
	lines := []integrations.Rich{nil}
	for _, s := range r {
		if s.Form != "" {
			lines[len(lines)-1] = append(lines[len(lines)-1], s)
			continue
		}
		for i, text := range strings.Split(s.Text, "\n") {
			if i > 0 {
				lines = append(lines, nil)
			}
			if text != "" {
				lines[len(lines)-1] = append(lines[len(lines)-1], integrations.Span{Text: text})
			}
		}
	}
	if len(lines) == 1 {
		return r
	}
	var out integrations.Rich
	for i, l := range lines {
		if i > 0 {
			out = append(out, integrations.Span{Text: "\n"})
		}
		out = append(out, rich(b, l)...)
	}
	return out
}
