package birth

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// What people decide about a birth that has failed: the buttons of its card, and the
// lines they carry.

func say(text string) *integrations.Message { return &integrations.Message{Text: text} }

// on makes a verb's Decide of what it does to the birth that is named, which has to
// have failed.
func (f *feature) on(do func(tx *store.Tx, c *commands.Call, b *Birth) (commands.Reply, error)) func(context.Context, *commands.Call) (commands.Act, error) {
	return func(_ context.Context, c *commands.Call) (commands.Act, error) {
		return func(tx *store.Tx) (commands.Reply, error) {
			b, err := find(tx, c.Arg("birth"))
			if err != nil {
				return commands.Reply{}, err
			}
			if b == nil {
				return commands.Reply{}, commands.Refuse("unknown_birth", fmt.Sprintf("No birth is called “%s”, and none goes on of an instance of that name.", c.Arg("birth"))).WithExample("births")
			}
			if b.State != stateFailed {
				return commands.Reply{Subject: b.ID}, commands.Refuse("not_failed", fmt.Sprintf("%s has not failed: it is %s.", b.ID, word(b.State))).WithExample("births")
			}
			return do(tx, c, b)
		}, nil
	}
}

// find reads the birth that somebody means: by its id, or by its instance; nil is none.
func find(tx *store.Tx, typed string) (*Birth, error) {
	if b, found, err := births(tx).Get(typed); err != nil || found {
		return &b, err
	}
	all, err := list(tx, func(b *Birth) bool { return !b.over() && (b.Instance == typed || b.Name == typed) })
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return all[len(all)-1], nil
}

func (f *feature) retryVerb() commands.Verb {
	return commands.Verb{
		Name: "birth-retry", Summary: "Run the steps of a new instance again, from the one that failed", Effect: commands.Changes, Right: right, Hidden: true,
		Args: []commands.Arg{{Name: "birth", Kind: commands.ArgWord, Help: "birth-3, or its instance"}}, Examples: []string{"birth-retry birth-3"},
		Decide: f.on(f.retry),
	}
}

func (f *feature) retry(tx *store.Tx, c *commands.Call, b *Birth) (commands.Reply, error) {
	f.renew(b)
	b.Retried, b.Anyway, b.EndedBy = &Decision{By: gate.ToStore(c.Who), At: tx.Now()}, nil, nil
	enter(b, b.Failed, tx.Now())
	reply := commands.Reply{Subject: b.ID, Private: say(fmt.Sprintf("Trying again: %s is %s.", b.machine(), word(b.State)))}
	if err := again(tx, b); err != nil {
		return reply, err
	}
	return reply, audit(tx, b, b.Retried.By, "tried again", "")
}

// renew takes the steps as they are configured now, for what was wrong may have been
// they. It goes on with the one that failed, or with the first where there is no such
// step any more.
func (f *feature) renew(b *Birth) {
	role, ok := f.Config().Role(b.Role)
	if !ok {
		return
	}
	at := ""
	if b.Step < len(b.Steps) {
		at = b.Steps[b.Step].Name
	}
	b.Steps = role.Steps
	if at == "" {
		b.Step = len(b.Steps)
		return
	}
	b.Step = max(0, slices.IndexFunc(b.Steps, func(s Step) bool { return s.Name == at }))
}

func (f *feature) letInVerb() commands.Verb {
	return commands.Verb{
		Name: "birth-let-in", Summary: "Let a new instance work although it did not pass its steps", Effect: commands.Changes, Right: right, Hidden: true,
		Args:     []commands.Arg{{Name: "birth", Kind: commands.ArgWord, Help: "birth-3, or its instance"}, {Name: "reason", Kind: commands.ArgText, Help: "why it may work"}},
		Examples: []string{`birth-let-in birth-3 "the test is wrong, and is being mended"`},
		Decide:   f.on(f.letIn),
	}
}

func (f *feature) letIn(tx *store.Tx, c *commands.Call, b *Birth) (commands.Reply, error) {
	reply := commands.Reply{Subject: b.ID}
	why, err := reason(c, b)
	if err != nil {
		return reply, err
	}
	b.Anyway, b.EndedBy = &Decision{By: gate.ToStore(c.Who), At: tx.Now(), Reason: why}, nil
	enter(b, stateEnter, tx.Now())
	reply.Private = say(fmt.Sprintf("Letting %s in. Its card shows how it goes.", b.machine()))
	if err := again(tx, b); err != nil {
		return reply, err
	}
	return reply, audit(tx, b, b.Anyway.By, "let in anyway", why)
}

func (f *feature) endVerb() commands.Verb {
	return commands.Verb{
		Name: "birth-end", Summary: "Have a new instance ended that waits at its group's launch hook", Effect: commands.Changes, Right: right, Hidden: true,
		Args:     []commands.Arg{{Name: "birth", Kind: commands.ArgWord, Help: "birth-3, or its instance"}, {Name: "reason", Kind: commands.ArgText, Help: "why it is to be ended"}},
		Examples: []string{`birth-end birth-3 "its disk is broken"`},
		Detail:   "Its group starts another one. One that does not wait there is drained instead.",
		Decide:   f.on(f.endIt),
	}
}

func (f *feature) endIt(tx *store.Tx, c *commands.Call, b *Birth) (commands.Reply, error) {
	reply := commands.Reply{Subject: b.ID}
	why, err := reason(c, b)
	if err != nil {
		return reply, err
	}
	if !b.Waits {
		return reply, commands.Refuse("not_waiting", fmt.Sprintf("%s does not wait at its group's launch hook, so it is drained.", b.machine())).WithExample("drain " + b.short() + " --terminate")
	}
	b.EndedBy, b.Anyway = &Decision{By: gate.ToStore(c.Who), At: tx.Now(), Reason: why}, nil
	enter(b, stateEnd, tx.Now())
	reply.Private = say(fmt.Sprintf("Ending %s. Its group starts another one.", b.machine()))
	if err := again(tx, b); err != nil {
		return reply, err
	}
	return reply, audit(tx, b, b.EndedBy.By, "ended", why)
}

func reason(c *commands.Call, b *Birth) (string, error) {
	why := strings.TrimSpace(c.Arg("reason"))
	if why == "" {
		return "", commands.Refuse("no_reason", "Why? The reason is kept.").WithExample(c.Verb.Name + " " + b.ID + ` "its disk is being mended"`)
	}
	return why, nil
}

const mostRows = 15

func (f *feature) birthsVerb() commands.Verb {
	return commands.Verb{
		Name: "births", Summary: "List the new instances that are provisioned and tested, and the newest that are over", Effect: commands.Reads, Examples: []string{"births"},
		Decide: func(context.Context, *commands.Call) (commands.Act, error) {
			return func(tx *store.Tx) (commands.Reply, error) { return f.births(tx) }, nil
		},
	}
}

func (f *feature) births(tx *store.Tx) (commands.Reply, error) {
	all, err := list(tx, func(*Birth) bool { return true })
	if err != nil {
		return commands.Reply{}, err
	}
	if len(all) == 0 {
		return commands.Reply{Private: say("No instance was born here yet.")}, nil
	}
	slices.Reverse(all)
	slices.SortStableFunc(all, func(a, b *Birth) int { return rank(a) - rank(b) })
	var m integrations.Message
	for _, b := range all[:min(len(all), mostRows)] {
		line := integrations.R(icon(b), " ", integrations.Code(b.ID), " ", b.machine(), " · ", b.Role, " · ", stand(b), " · ", gate.Age(f.Clock.Now().Sub(b.Since)))
		if b.Why != "" {
			line = append(line, integrations.R(" · ", b.Why)...)
		}
		m.Text += line.Plain() + "\n"
		m.Blocks = append(m.Blocks, integrations.Block{Text: line})
		if all := buttons(b); len(all) > 0 {
			m.Blocks = append(m.Blocks, integrations.Block{Buttons: all})
		}
	}
	m.Text = strings.TrimRight(m.Text, "\n")
	return commands.Reply{Private: &m}, nil
}

// rank: what needs somebody comes first, then what goes on.
func rank(b *Birth) int {
	switch {
	case b.State == stateFailed:
		return 0
	case !b.over():
		return 1
	}
	return 2
}

// Failed says of each birth that has failed why: somebody has to decide.
func Failed(tx *store.Tx) (out []integrations.Rich, err error) {
	all, err := list(tx, func(b *Birth) bool { return b.State == stateFailed })
	for _, b := range all {
		out = append(out, integrations.R(icon(b), " ", integrations.Code(b.ID), " ", b.machine(), " · ", word(b.State), " · ", b.Why))
	}
	return out, err
}

// Going says of each instance, by its id, whose birth goes on or has failed, how far it is.
func Going(tx *store.Tx) (map[string]integrations.Rich, error) {
	out := map[string]integrations.Rich{}
	all, err := list(tx, going)
	for _, b := range all {
		out[b.Instance] = integrations.R(integrations.Code(b.ID), " ", stand(b))
	}
	return out, err
}
