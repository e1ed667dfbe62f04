package slack

import (
	"encoding/json"
	"fmt"
	"strings"

	slackgo "github.com/slack-go/slack"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// Slack's limits, in characters and pieces.
const (
	mostText    = 4000  // of a message's text; Slack cuts at 40,000 and splits from here
	mostBlocks  = 50    // of a message
	mostTotal   = 13000 // of all texts of a message's blocks; msg_blocks_too_long comes at about 13,200
	mostSection = 3000
	mostHeader  = 150
	mostFields  = 10
	mostField   = 2000
	mostContext = 2000
	mostButtons = 25 // in one actions block
	mostLabel   = 75
	mostValue   = 2000
	mostURL     = 3000
	mostAction  = 255
	mostConfirm = 300
)

// commandAction and linkAction begin the action_id of our buttons.
const (
	commandAction = "cmd:"
	linkAction    = "url:"
)

// rendered is a message in Slack's form.
type rendered struct {
	text   string
	blocks []slackgo.Block
}

// render gives a message Slack's form. Everything is cut to Slack's limits.
func render(m integrations.Message) rendered {
	buttons := reserve(m, mostTotal)
	r := renderer{room: mostTotal - buttons, buttonRoom: buttons, most: mostBlocks}
	for _, b := range m.Blocks {
		r.block(b)
	}
	return rendered{text: cutMarkup(escape(m.Text), mostText), blocks: r.fit()}
}

// reserve is what the buttons need of the total: they come before other texts.
func reserve(m integrations.Message, most int) int {
	n := 0
	for _, b := range m.Blocks {
		for _, btn := range b.Buttons {
			n += cost(btn)
		}
	}
	return min(n, most)
}

// cost is how many characters a button takes, its dialog's and its value's included.
func cost(b integrations.Button) int {
	label := min(length(b.Label), mostLabel)
	n := 2*label + length(b.Command) + length(b.URL) + 40
	if b.Confirm != "" {
		n += label + 60 + min(length(b.Confirm), mostConfirm)
	}
	return n
}

type renderer struct {
	blocks     []slackgo.Block
	room       int
	buttonRoom int
	buttons    int // so far, over the whole message
	dropped    int // parts there was no room for
	most       int // blocks
}

// spend cuts a text to the limit and to the room that is left.
func (r *renderer) spend(text string, most int, shorten func(string, int) string) string {
	most = min(most, r.room)
	if most < 20 && length(text) > most {
		r.dropped++
		return ""
	}
	text = shorten(text, most)
	r.room -= length(text)
	return text
}

func (r *renderer) add(b slackgo.Block) { r.blocks = append(r.blocks, b) }

func (r *renderer) block(b integrations.Block) {
	switch {
	case b.Header != "":
		if t := r.spend(strings.ReplaceAll(b.Header, "\n", " "), mostHeader, cut); t != "" {
			r.add(slackgo.NewHeaderBlock(plain(t)))
		}
	case len(b.Text) > 0:
		r.sections(mrkdwn(b.Text))
	case len(b.Fields) > 0:
		r.fields(b.Fields)
	case len(b.Context) > 0:
		if t := r.spend(strings.TrimSpace(mrkdwn(b.Context)), mostContext, cutMarkup); t != "" {
			r.add(slackgo.NewContextBlock("", slackgo.NewTextBlockObject(slackgo.MarkdownType, t, false, false)))
		}
	case b.Code != "":
		if t := r.spend(fence(b.Code, mostSection), mostSection, func(_ string, most int) string { return fence(b.Code, most) }); t != "" {
			r.add(section(t))
		}
	case b.Divider:
		r.add(slackgo.NewDividerBlock())
	case len(b.Buttons) > 0:
		r.actions(b.Buttons)
	case b.Picture != nil:
		r.add(slackgo.NewImageBlock(b.Picture.URL, cut(b.Picture.Alt, mostAlt), "", nil))
	}
}

// sections is a text, in as many blocks as its length asks for, cut at lines.
func (r *renderer) sections(text string) {
	for text = strings.TrimSpace(text); text != ""; {
		piece := text
		if length(text) > mostSection {
			piece = string([]rune(text)[:mostSection])
			if at := strings.LastIndexByte(piece, '\n'); at > 0 {
				piece = piece[:at]
			} else {
				if piece = r.spend(text, mostSection, cutMarkup); piece != "" {
					r.add(section(piece))
				}
				return
			}
		}
		text = strings.TrimSpace(text[len(piece):])
		if piece = r.spend(piece, mostSection, cutMarkup); piece == "" {
			return
		}
		r.add(section(piece))
	}
}

func section(text string) slackgo.Block {
	return slackgo.NewSectionBlock(slackgo.NewTextBlockObject(slackgo.MarkdownType, text, false, false), nil, nil)
}

func plain(text string) *slackgo.TextBlockObject {
	return slackgo.NewTextBlockObject(slackgo.PlainTextType, text, true, false)
}

func (r *renderer) fields(fields []integrations.Field) {
	for len(fields) > 0 {
		n := min(len(fields), mostFields)
		var out []*slackgo.TextBlockObject
		for _, f := range fields[:n] {
			text := mrkdwn(integrations.R(integrations.Bold(f.Name), "\n", f.Value))
			if text = r.spend(text, mostField, cutMarkup); text != "" {
				out = append(out, slackgo.NewTextBlockObject(slackgo.MarkdownType, text, false, false))
			}
		}
		if len(out) > 0 {
			r.add(slackgo.NewSectionBlock(nil, out, nil))
		}
		fields = fields[n:]
	}
}

// fence is a code block of at most so many characters, with its end kept: that is
// where tools say how it went.
func fence(code string, most int) string {
	const open, shut, gap = "```\n", "\n```", "…\n"
	code = strings.TrimRight(strings.ReplaceAll(escape(code), "```", "'''"), "\n")
	room := most - length(open) - length(shut)
	if length(code) <= room {
		return open + code + shut
	}
	room -= length(gap)
	runes := []rune(code)
	tail := string(runes[len(runes)-max(0, room):])
	if at := strings.IndexByte(tail, '\n'); at >= 0 && at < len(tail)/2 {
		tail = tail[at+1:]
	} else if at := strings.IndexByte(tail, ';'); at >= 0 && at < len("&quot;") {
		tail = tail[at+1:] // it began within an entity
	}
	return open + gap + tail + shut
}

func (r *renderer) actions(buttons []integrations.Button) {
	for len(buttons) > 0 {
		n := min(len(buttons), mostButtons)
		var elements []slackgo.BlockElement
		for _, b := range buttons[:n] {
			if e := r.button(b); e != nil {
				elements = append(elements, e)
			}
		}
		if len(elements) > 0 {
			r.add(slackgo.NewActionBlock("", elements...))
		}
		buttons = buttons[n:]
	}
}

// button is nil for one that Slack would refuse: a command is never shortened.
func (r *renderer) button(b integrations.Button) slackgo.BlockElement {
	if r.buttonRoom -= cost(b); r.buttonRoom < 0 {
		r.dropped++
		return nil
	}
	r.buttons++
	out := &slackgo.ButtonBlockElement{Type: slackgo.METButton, Text: plain(cut(b.Label, mostLabel))}
	if b.URL != "" {
		if length(b.URL) > mostURL {
			return nil
		}
		out.URL = b.URL
		out.ActionID = cut(fmt.Sprintf("%s%d:%s", linkAction, r.buttons, b.Label), mostAction)
	} else {
		value, err := json.Marshal(pressed{b.Command, b.Version})
		if err != nil || b.Command == "" || length(string(value)) > mostValue {
			return nil
		}
		out.Value = string(value)
		out.ActionID = cut(fmt.Sprintf("%s%d:%s", commandAction, r.buttons, b.Label), mostAction)
	}
	if b.Style == "primary" || b.Style == "danger" {
		out.Style = slackgo.Style(b.Style)
	}
	if b.Confirm != "" {
		out.Confirm = &slackgo.ConfirmationBlockObject{
			Title:   plain(cut(b.Label+"?", 100)),
			Text:    plain(cut(b.Confirm, mostConfirm)),
			Confirm: plain(cut(b.Label, 30)),
			Deny:    plain("Go back"),
		}
		if b.Style == "danger" {
			out.Confirm.Style = slackgo.StyleDanger
		}
	}
	return out
}

// fit keeps the buttons and as many of the other blocks as Slack shows.
func (r *renderer) fit() []slackgo.Block {
	over := len(r.blocks) - r.most
	if over <= 0 && r.dropped == 0 {
		return r.blocks
	}
	if len(r.blocks) >= r.most {
		over++ // for the line that says so
	}
	kept := make([]slackgo.Block, 0, r.most)
	for i := len(r.blocks) - 1; i >= 0; i-- { // from the end, where buttons are seldom the first thing
		if _, isActions := r.blocks[i].(*slackgo.ActionBlock); over > 0 && !isActions {
			over--
			r.dropped++
			continue
		}
		kept = append(kept, r.blocks[i])
	}
	out := make([]slackgo.Block, 0, r.most)
	for i := len(kept) - 1; i >= 0; i-- {
		out = append(out, kept[i])
	}
	note := slackgo.NewTextBlockObject(slackgo.MarkdownType, fmt.Sprintf("… %d more parts do not fit into one message", r.dropped), false, false)
	out = append(out, slackgo.NewContextBlock("", note))
	return out[:min(len(out), r.most)]
}

// simplest is the message with nothing but sections and buttons, for a workspace
// that refuses a block of the full form.
func simplest(m integrations.Message) rendered {
	buttons := reserve(m, mostTotal)
	r := renderer{room: mostTotal - buttons, buttonRoom: buttons, most: mostBlocks}
	r.sections(escape(m.Text))
	for _, b := range m.Blocks {
		if len(b.Buttons) > 0 {
			var bare []integrations.Button
			for _, btn := range b.Buttons {
				bare = append(bare, integrations.Button{Label: btn.Label, Command: btn.Command, Version: btn.Version, URL: btn.URL, Confirm: btn.Confirm})
			}
			r.actions(bare)
		}
	}
	return rendered{text: cutMarkup(escape(m.Text), mostText), blocks: r.fit()}
}
