package slack

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/slack-go/slack/socketmode"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// The kinds of events that Listen delivers.
const (
	KindCommand  = "slack.command"  // a slash command
	KindEvent    = "slack.event"    // a mention, a direct message, a reply in a thread, somebody opened the Home tab
	KindClick    = "slack.click"    // a pressed button
	KindSubmit   = "slack.submit"   // a submitted modal
	KindShortcut = "slack.shortcut" // a shortcut, of the workspace or of a message
)

// Envelope is one delivery of Slack that somebody has to decide on.
type Envelope struct {
	ID   string
	Type string // Slack's: "slash_commands", "interactive/block_actions", "events_api/app_mention"
	Kind string
	Body []byte // the payload as Slack sent it; DecodeHeard reads it
	// Keys: two envelopes that share one are the same happening. A mention comes
	// as two events, so a message's own address is among them.
	Keys         []string
	RetryAttempt int
	// Sent is when the person acted, by Slack's clock where the payload says so,
	// else when the envelope came.
	Sent    time.Time
	User    string
	Trigger string
	Place   Place

	ResponseURL string
	errorBlock  string // the input under which a modal shows an error
	line        string // what was typed
}

// Place is where somebody spoke.
type Place struct {
	Channel     string `json:"channel,omitempty"`
	ChannelName string `json:"channel_name,omitempty"`
	Thread      string `json:"thread,omitempty"`
}

// verdict says what is to be done with an envelope.
type verdict int

const (
	unknown verdict = iota // a type that was not there when this was written
	ignored                // known, and no word to us: other people's talk, a link that was followed
	forUs
)

// readEnvelope reads what acceptance needs.
func readEnvelope(req *socketmode.Request, self Self) (e Envelope, v verdict) {
	e = Envelope{ID: req.EnvelopeID, Type: req.Type, Body: req.Payload, RetryAttempt: req.RetryAttempt}
	e.key("env", req.EnvelopeID)
	switch req.Type {
	case socketmode.RequestTypeSlashCommands:
		v = e.command()
	case socketmode.RequestTypeInteractive:
		v = e.interactive()
	case socketmode.RequestTypeEventsAPI:
		v = e.event(self)
	}
	return e, v
}

func (e *Envelope) key(prefix, id string) {
	if id != "" {
		e.Keys = append(e.Keys, prefix+":"+id)
	}
}

func (e *Envelope) command() verdict {
	var p commandPayload
	if json.Unmarshal(e.Body, &p) != nil || p.Command == "" {
		return unknown
	}
	e.Kind, e.User, e.Trigger, e.ResponseURL = KindCommand, p.UserID, p.TriggerID, p.ResponseURL
	e.Place = Place{Channel: p.ChannelID, ChannelName: p.ChannelName}
	e.line = strings.TrimSpace(p.Command + " " + p.Text)
	e.key("trg", p.TriggerID)
	return forUs
}

func (e *Envelope) interactive() verdict {
	var p clickPayload
	if json.Unmarshal(e.Body, &p) != nil {
		return unknown
	}
	e.Type += "/" + p.Type
	e.User, e.Trigger, e.ResponseURL = p.User.ID, p.TriggerID, p.ResponseURL
	e.key("trg", p.TriggerID)
	switch p.Type {
	case "block_actions":
		a, ok := p.action()
		if !ok {
			return ignored // a link was followed: Slack only lets us know
		}
		e.Kind, e.Sent = KindClick, slackTime(a.ActionTS)
		e.Place = Place{Channel: cmp.Or(p.Channel.ID, p.Container.ChannelID), ChannelName: p.Channel.Name, Thread: p.thread()}
		return forUs
	case "view_submission":
		if _, ok := p.metadata(); !ok {
			return ignored
		}
		e.Kind = KindSubmit
		for _, b := range p.View.Blocks {
			if b.Type == "input" {
				e.errorBlock = b.BlockID
				break
			}
		}
		return forUs
	case "shortcut", "message_action":
		if _, _, ok := p.shortcut(); !ok {
			return ignored // of an app that was configured otherwise
		}
		e.Kind, e.Sent = KindShortcut, slackTime(p.ActionTS)
		return forUs
	case "view_closed":
		return ignored
	}
	return unknown
}

func (e *Envelope) event(self Self) verdict {
	var p eventPayload
	if json.Unmarshal(e.Body, &p) != nil {
		return unknown
	}
	ev := p.Event
	e.Type += "/" + ev.Type
	if ev.Subtype != "" {
		e.Type += "/" + ev.Subtype
	}
	if ev.Type == homeOpened {
		if ev.Tab != homeTab || ev.User == "" {
			return ignored // their direct messages
		}
		e.Kind, e.User, e.Sent = KindEvent, ev.User, slackTime(ev.EventTS)
		e.key("evt", p.EventID)
		return forUs
	}
	if ev.Type != "message" && ev.Type != "app_mention" {
		return unknown
	}
	if !p.addressed(self) {
		return ignored
	}
	e.Kind, e.User, e.Sent = KindEvent, ev.User, slackTime(ev.TS)
	e.Place = Place{Channel: ev.Channel, Thread: ev.ThreadTS}
	e.key("evt", p.EventID)
	if ev.Channel != "" && ev.TS != "" {
		e.key("msg", ev.Channel+":"+ev.TS)
	}
	return forUs
}

// slackTime reads "1700000000.000100"; zero if it is none.
func slackTime(ts string) time.Time {
	sec, frac, _ := strings.Cut(ts, ".")
	s, err := strconv.ParseInt(sec, 10, 64)
	if err != nil || s <= 0 {
		return time.Time{}
	}
	var us int64
	if frac != "" {
		if us, err = strconv.ParseInt((frac + "000000")[:6], 10, 64); err != nil {
			us = 0
		}
	}
	return time.Unix(s, us*1000).UTC()
}

const notStored = "signalbox could not write this down, so nothing was done. Please try again in a moment; if it stays like this, its operators find the reason in its log."

// refusal is what goes back with the ack of something that could not be stored.
func refusal(e Envelope) any {
	if e.Kind == KindSubmit {
		if e.errorBlock == "" {
			return nil
		}
		return map[string]any{"response_action": "errors", "errors": map[string]string{e.errorBlock: cut(notStored, 150)}}
	}
	text := notStored
	if e.line != "" {
		text += "\n`" + cut(unquote(e.line), 500) + "`"
	}
	return map[string]any{"response_type": "ephemeral", "text": text}
}

// regret tells the person who pressed a button or took a shortcut the same: an
// ack cannot.
func (l *listener) regret(e Envelope) {
	ctx, cancel := context.WithTimeout(context.Background(), openTimeout)
	defer cancel()
	if e.ResponseURL == "" { // on the Home tab, or by a shortcut
		post := integrations.Post{Where: map[string]string{whereChannel: e.User}, Message: integrations.Message{Text: notStored}}
		if _, err := (messagePlace{l.Client}).Show(ctx, post); err != nil {
			l.log.Warn("tell somebody that nothing was done", "user", e.User, "error", err)
		}
		return
	}
	body := map[string]any{"response_type": "ephemeral", "replace_original": false, "text": notStored}
	if err := l.respond(ctx, e.ResponseURL, body); err != nil {
		l.log.Warn("tell somebody that nothing was done", "user", e.User, "error", err)
	}
}

// unquote keeps a text from ending the code span it is shown in.
func unquote(s string) string { return strings.ReplaceAll(escape(s), "`", "'") }

// triggers remembers for a moment where each trigger came from, so that a modal
// opened by it knows the channel its answer belongs to. A trigger lives 3 s.
type triggers struct {
	mu   sync.Mutex
	at   map[string]triggered
	swep time.Time
}

type triggered struct {
	place Place
	at    time.Time
}

const triggerLife = time.Minute

func newTriggers() *triggers { return &triggers{at: map[string]triggered{}} }

func (t *triggers) remember(e Envelope) {
	if e.Trigger == "" || e.Place.Channel == "" {
		return
	}
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	if now.Sub(t.swep) > triggerLife {
		for k, v := range t.at {
			if now.Sub(v.at) > triggerLife {
				delete(t.at, k)
			}
		}
		t.swep = now
	}
	t.at[e.Trigger] = triggered{e.Place, now}
}

func (t *triggers) place(trigger string) Place {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.at[trigger].place
}

// hasMention says whether text mentions the user.
func hasMention(text []byte, user string) bool {
	if user == "" {
		return false
	}
	return bytes.Contains(text, []byte("<@"+user+">")) || bytes.Contains(text, []byte("<@"+user+"|"))
}
