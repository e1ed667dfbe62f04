package commands

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// modalFor is how long after somebody spoke a modal can still be opened for them.
const modalFor = 2500 * time.Millisecond

// hear understands what a person did, asks whether they may, and lets the verb
// decide. The error is that of the verb.
func (d *Dispatcher) hear(ctx context.Context, it *item) (verdict, error) {
	h, cat := *it.heard, d.Catalog()
	if d.TeamID != nil && h.Team != "" && d.TeamID() != "" && h.Team != d.TeamID() {
		h.Stranger = true
	}
	u, ignored, err := d.understandHeard(cat, h)
	switch {
	case err != nil:
		return verdict{call: &Call{Verb: &Verb{}}}, err
	case ignored != "":
		return verdict{outcome: "ignored: " + ignored}, nil
	}
	c := u.Call
	if c == nil {
		c = &Call{Line: h.Text + h.Command, Args: map[string]string{}, Catalog: cat}
	}
	c.Heard, c.Event, c.Version = h, it.event.Seq, h.Version
	if h.Kind == heardHost {
		c.Heard.ChannelName = roomOf(c)
		if c.Heard.Channel = c.Heard.ChannelName; d.Room != nil {
			c.Heard.Channel = d.Room(c.Heard.ChannelName)
		}
		it.heard.Channel = c.Heard.Channel
	}
	c.Who = person(cat, h)
	if h.Stranger {
		c.Who = integrations.Person{Slack: h.User}
	}
	v := verdict{call: c, notes: u.Notes}
	if v.call.Verb == nil {
		v.call.Verb = &Verb{}
	}
	// A Home tab is shown as all is now, so that it is never too late for it.
	if age := d.age(it.event); age > staleAfter && h.Kind != "home" {
		return d.late(v, u, age), nil
	}
	if err := d.admit(ctx, c, u); err != nil {
		return v, err
	}
	if h.Kind == "shortcut" && len(u.Missing) == 0 {
		u.Missing = c.Verb.Args // a shortcut opens a form: nothing comes of one slip in a menu
	}
	if len(u.Missing) > 0 {
		return d.askFor(it, v, u), nil
	}
	if v.kept = d.keeping(c.Verb); v.kept {
		return v, nil
	}
	v.act, err = d.ask(ctx, c)
	return v, err
}

// age is how long ago an event was sent, as far as that is known.
func (d *Dispatcher) age(e *store.Event) time.Duration {
	since := e.Accepted
	if !e.Sent.IsZero() && e.Sent.Before(since) {
		since = e.Sent
	}
	return d.Clock.Now().Sub(since)
}

// late answers what was said too long ago to be acted on: an intent goes stale.
func (d *Dispatcher) late(v verdict, u Understanding, age time.Duration) verdict {
	c := v.call
	if c.Verb.Effect != Changes || u.Refusal != nil || c.Verb.Name == "" {
		return verdict{outcome: "stale: dropped"}
	}
	m := integrations.Message{Text: fmt.Sprintf("You asked for %s %s ago, while I could not listen, and I have not done it.", c.Verb.Name, ago(age))}
	b := integrations.Block{Text: integrations.R(m.Text)}
	line := Render(c)
	m.Blocks = append(m.Blocks, b, integrations.Block{Context: integrations.R(integrations.Code(line))})
	if len(line) <= longestButton {
		m.Blocks = append(m.Blocks, integrations.Block{Buttons: []integrations.Button{{Label: "Run it now", Command: line, Version: c.Version}}})
	}
	m.Text += " To do it now: " + line
	return verdict{call: c, outcome: "stale", reply: Reply{Private: &m}}
}

// admit refuses in the order in which it says the least to those who may know
// the least: strangers first, then what was not understood, then what is not allowed.
func (d *Dispatcher) admit(ctx context.Context, c *Call, u Understanding) error {
	open := c.Verb.Open && c.Verb.Name != ""
	if r := linked(c); r != nil && !open {
		return r
	}
	if u.Refusal != nil {
		return u.Refusal
	}
	if open {
		return nil
	}
	host := c.Heard.Kind == heardHost
	if d.Guest != nil && !host {
		guest, err := d.Guest(ctx, c.Heard.User)
		if err != nil {
			return fmt.Errorf("ask whether you are a guest here: %w", err)
		}
		if guest {
			return Refuse("guest", "You are a guest of this workspace.").WithHint("Ask a member to do it for you.").WithExample("whoami")
		}
	}
	if c.Verb.Effect == Changes && !c.Heard.Private && !host {
		if err := d.nameChannel(ctx, c); err != nil {
			return err
		}
	}
	if d.Refresh != nil && RightOf(c.Verb) != RightRead {
		ctx, cancel := context.WithTimeout(ctx, refreshWait)
		d.Refresh(ctx)
		cancel()
	}
	return permit(c)
}

// nameChannel finds out whether the channel where somebody spoke is one that
// the environments name: chat does not always send its name along, and calls
// private ones all alike.
func (d *Dispatcher) nameChannel(ctx context.Context, c *Call) error {
	env := EnvironmentOf(c)
	if d.ChannelID == nil || env != "" && inChannel(c, env) == nil {
		return nil
	}
	var failed error
	asked := map[string]bool{c.Heard.Channel: true, c.Heard.ChannelName: true}
	for _, e := range c.Catalog.Environments {
		for _, name := range e.Channels {
			if name = strings.TrimPrefix(name, "#"); asked[name] {
				continue
			}
			asked[name] = true
			id, err := d.ChannelID(ctx, name)
			var gone *integrations.Gone
			switch {
			case errors.As(err, &gone):
			case err != nil:
				failed = fmt.Errorf("find the channel #%s: %w", name, err)
			case id == c.Heard.Channel:
				c.Heard.ChannelName = name
				return nil
			}
		}
	}
	if env == "" {
		return nil // the verb asks once it knows the environment
	}
	return failed // it may be the right channel
}

// askFor opens a modal for what a line lacks, or says how the line is written
// where none can be opened.
func (d *Dispatcher) askFor(it *item, v verdict, u Understanding) verdict {
	if h := it.heard; h.Trigger != "" && d.age(it.event) < modalFor {
		v.outcome, v.reply = "asked", Reply{Modal: NewModal(d.Deps.Verbs, v.call, u.Missing)}
		return v
	}
	v.refusal = lacks(d.Deps.Verbs, v.call, u.Missing)
	return v
}

// lacks refuses a line that is not complete, with buttons that complete it
// where one choice among a few is missing.
func lacks(verbs []Verb, c *Call, missing []Arg) *Refusal {
	var names []string
	for _, a := range missing {
		names = append(names, a.Name)
	}
	g := &grammar{verbs, c.Catalog}
	r := Refuse("missing", fmt.Sprintf("What is the %s?", list(names, 8))).WithHint("It is written: " + Usage(*c.Verb)).WithExample(g.example(c.Verb))
	if len(missing) != 1 {
		return r
	}
	in := input(verbs, c, missing[0], true)
	if len(in.Options) > 5 {
		return r
	}
	for _, o := range in.Options {
		one := *c
		one.Args = map[string]string{missing[0].Name: o.Value}
		for k, v := range c.Args {
			one.Args[k] = v
		}
		r.Buttons = append(r.Buttons, offer(&one)...)
	}
	return r
}

// understandHeard reads what was typed, pressed or submitted. ignored says why
// it is not for us.
func (d *Dispatcher) understandHeard(cat *integrations.Catalog, h integrations.Heard) (u Understanding, ignored string, err error) {
	verbs := d.Deps.Verbs
	if h.Bot {
		return u, "a bot said it", nil
	}
	switch h.Kind {
	case "command", "direct", heardHost:
		return Parse(verbs, cat, h.Text, true), "", nil
	case "mention":
		u = Parse(verbs, cat, h.Text, true)
		if h.Thread != "" && u.Call != nil {
			subject, err := d.cardOf(h.Channel, h.Thread)
			if err != nil {
				return u, "", err
			}
			u.about(subject)
		}
		return u, "", nil
	case "reply":
		return d.understandReply(cat, h)
	case "click":
		if strings.TrimSpace(h.Command) == "" {
			return u, "a link", nil
		}
		u = Parse(verbs, cat, h.Command, false)
		if u.Refusal != nil && u.Refusal.Code == "unknown_verb" {
			u.Refusal = Refuse("stale_button", "This button was made by an older version of me, and what it did is called otherwise now.").WithExample("help")
		}
		return u, "", nil
	case "submit", "shortcut":
		return FromValues(verbs, cat, h.Verb, h.Values), "", nil
	case "home":
		if u = FromValues(verbs, cat, "home", nil); u.Refusal != nil {
			return u, "there is nothing to show on a Home tab", nil
		}
		return u, "", nil
	}
	return u, "nothing is asked", nil
}

// understandReply reads what was said in a thread without a mention. People talk
// in threads: only a whole, well-formed line in the thread of a card is for us.
func (d *Dispatcher) understandReply(cat *integrations.Catalog, h integrations.Heard) (u Understanding, ignored string, err error) {
	first, _, _ := strings.Cut(strings.TrimLeftFunc(h.Text, isSpace), " ")
	g := &grammar{d.Deps.Verbs, cat}
	if toks := tokens(first, nil); h.Thread == "" || len(toks) == 0 || g.verbNamed(toks[0].text) == nil {
		return u, "people talking", nil
	}
	subject, err := d.cardOf(h.Channel, h.Thread)
	if err != nil || subject == "" {
		return u, "people talking", err
	}
	u = Parse(d.Deps.Verbs, cat, h.Text, true)
	u.about(subject)
	if u.Refusal != nil && !u.Close || len(u.Notes) > 0 {
		return u, "people talking", nil
	}
	return u, "", nil
}

// about fills in the card's subject where a line in its thread names none.
func (u *Understanding) about(subject string) {
	if u.Call == nil || u.Refusal != nil || subject == "" {
		return
	}
	for _, a := range u.Call.Verb.Args {
		if u.Call.Args[a.Name] != "" {
			if a.Kind != ArgText {
				return // it speaks of something else
			}
			continue
		}
		if a.Kind == ArgSubject || a.Kind == ArgThing || a.Kind == ArgAbout {
			u.Call.Args[a.Name] = subject
			u.Missing = slices.DeleteFunc(u.Missing, func(m Arg) bool { return m.Name == a.Name })
			return
		}
	}
}

// recentCards is how many of the newest operations a thread is looked for among.
const recentCards = 200

// cardOf is the subject of the card that a thread hangs from, "" if there is none.
func (d *Dispatcher) cardOf(channel, thread string) (subject string, err error) {
	err = d.Store.View(func(tx *store.Tx) error {
		live, err := tx.LiveOperations()
		if err != nil {
			return err
		}
		late, err := tx.Operations("", recentCards)
		if err != nil {
			return err
		}
		for _, o := range append(live, late...) {
			all, err := tx.SurfacesOf(o.ID)
			if err != nil {
				return err
			}
			for _, s := range all {
				if s.Place == placeMessage && s.Ref == thread && s.Where["channel"] == channel && s.Where["thread"] == "" && s.Where["under"] == "" {
					subject = s.Subject
					return nil
				}
			}
		}
		return nil
	})
	return subject, err
}

// ago is a time span in words, roughly.
func ago(d time.Duration) string {
	switch {
	case d < 2*time.Second:
		return "a moment"
	case d < 2*time.Minute:
		return fmt.Sprintf("%d seconds", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d minutes", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d hours", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}
