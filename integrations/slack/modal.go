package slack

import (
	"cmp"
	"encoding/json"
	"fmt"

	slackgo "github.com/slack-go/slack"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// Slack's limits of a modal.
const (
	mostTitle       = 24
	mostInputs      = 98 // of its 100 blocks, beside the introduction
	mostInputLabel  = 2000
	mostHint        = 2000
	mostInputText   = 3000
	mostOptions     = 100
	mostOption      = 75
	mostOptionValue = 150
	mostMetadata    = 3000
)

// view is a modal in Slack's form. Its private metadata says what it is about:
// Slack's submission names neither the verb nor the channel.
func view(m integrations.Modal, p Place) (slackgo.ModalViewRequest, error) {
	meta, err := json.Marshal(modalMetadata{Verb: m.Verb, Version: m.Version, Place: p})
	if err != nil {
		return slackgo.ModalViewRequest{}, fmt.Errorf("render the form of %s: %w", m.Verb, err)
	}
	if len(meta) > mostMetadata {
		return slackgo.ModalViewRequest{}, fmt.Errorf("render the form of %s: its metadata has %d bytes, Slack takes %d", m.Verb, len(meta), mostMetadata)
	}
	if len(m.Inputs) > mostInputs {
		return slackgo.ModalViewRequest{}, fmt.Errorf("render the form of %s: it has %d inputs, Slack takes %d", m.Verb, len(m.Inputs), mostInputs)
	}
	v := slackgo.ModalViewRequest{
		Type:            slackgo.VTModal,
		Title:           plain(cut(cmp.Or(m.Title, m.Verb), mostTitle)),
		Submit:          plain(cut(cmp.Or(m.Submit, "Go"), mostTitle)),
		Close:           plain("Close"),
		PrivateMetadata: string(meta),
		CallbackID:      cut("signalbox:"+m.Verb, mostAction),
	}
	if m.Intro != "" {
		v.Blocks.BlockSet = append(v.Blocks.BlockSet, section(cutMarkup(escape(m.Intro), mostSection)))
	}
	for _, in := range m.Inputs {
		v.Blocks.BlockSet = append(v.Blocks.BlockSet, input(in))
	}
	return v, nil
}

// input is one question; its block id and action id are the argument's name.
func input(in integrations.Input) slackgo.Block {
	b := slackgo.NewInputBlock(in.Name, plain(cut(cmp.Or(in.Label, in.Name), mostInputLabel)), nil, nil)
	b.Optional = in.Optional
	if in.Hint != "" {
		b.Hint = plain(cut(in.Hint, mostHint))
	}
	if len(in.Options) == 0 || len(in.Options) > mostOptions || !optionsFit(in.Options) {
		b.Element = &slackgo.PlainTextInputBlockElement{
			Type: slackgo.METPlainTextInput, ActionID: in.Name, Multiline: in.Long,
			InitialValue: cut(in.Value, mostInputText),
		}
		return b
	}
	sel := &slackgo.SelectBlockElement{Type: slackgo.OptTypeStatic, ActionID: in.Name}
	for _, o := range in.Options {
		opt := slackgo.NewOptionBlockObject(o.Value, plain(cut(cmp.Or(o.Label, o.Value), mostOption)), nil)
		sel.Options = append(sel.Options, opt)
		if in.Value != "" && o.Value == in.Value {
			sel.InitialOption = opt
		}
	}
	b.Element = sel
	return b
}

// optionsFit says whether every value can be one of Slack's; it could not be cut.
func optionsFit(all []integrations.Option) bool {
	for _, o := range all {
		if o.Value == "" || length(o.Value) > mostOptionValue {
			return false
		}
	}
	return true
}
