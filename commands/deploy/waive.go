package deploy

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// When CI is down its checks report nothing, and an environment that wants them
// stands still. Whoever the policy lets may waive them there, for one head and a
// reason that everybody reads. Nothing else is passed by it.

// rightWaive is the right of its own that this asks for.
const rightWaive = "waive-checks"

func (f *feature) waiveVerb() commands.Verb {
	return commands.Verb{
		Name: "waive", Summary: "Let a deploy pass without its checks, when CI is down", Effect: commands.Changes, Right: rightWaive,
		Args: []commands.Arg{
			{Name: "subject", Kind: commands.ArgSubject, Keyword: "checks", Help: "the operation or its pull request"},
			{Name: "reason", Kind: commands.ArgText, Help: "why they cannot be waited for; everybody will read it"},
		},
		Examples: []string{`waive checks op-3 "CircleCI is down"`},
		Detail: "It is for the head as it is now: a push takes it back. It is posted in the channel and on record. Approvals, windows, locks and all other gates stay. " +
			"If GitHub itself requires a check on the branch, GitHub goes on refusing the merge.",
		Decide: func(_ context.Context, c *commands.Call) (commands.Act, error) {
			return func(tx *store.Tx) (commands.Reply, error) { return f.waive(tx, c) }, nil
		},
	}
}

// waived says whether a pass is one of checks alone, by the policy: nobody has to
// review it.
func waived(p store.Pass) bool { return p.Why == rightWaive }

func (f *feature) waive(tx *store.Tx, c *commands.Call) (commands.Reply, error) {
	s, err := f.findOne(tx, c)
	if err != nil {
		return commands.Reply{}, err
	}
	op := s.op
	if op == nil || op.Terminal() || op.Head == "" {
		return commands.Reply{}, commands.Refuse("over", c.Arg("subject")+" is nothing that waits for checks.").WithExample("status")
	}
	reply := commands.Reply{Subject: op.ID, Service: op.Service, Environment: op.Environment}
	if err := commands.Allow(c, rightWaive, op.Environment); err != nil {
		return reply, err
	}
	reason := strings.TrimSpace(c.Arg("reason"))
	if reason == "" {
		return reply, commands.Refuse("no_reason", "Waiving the checks needs a reason: everybody will read it.").WithExample(`waive checks ` + op.ID + ` "CircleCI is down"`)
	}
	q := f.question(gate.AtCard, c.Catalog, op, s.pull)
	lines := gate.List(tx, q)
	i := slices.IndexFunc(lines, func(l gate.Line) bool { return l.Rule.Name == "checks" })
	switch checks := lines[i]; {
	case checks.Passed != nil:
		return reply, commands.Refuse("waived", fmt.Sprintf("The checks of %s at %s were passed already, by %s.", op.ID, short(op.Head), gate.FromStore(checks.Passed.By).Display()))
	case len(checks.Closed) == 0:
		return reply, commands.Refuse("nothing_to_waive", fmt.Sprintf("No check keeps %s waiting.", op.ID)).WithExample("why " + op.ID)
	}
	op.Passes = append(op.Passes, store.Pass{By: gate.ToStore(c.Who), Reason: reason, Why: rightWaive, Gates: []string{"checks"}, Head: op.Head, At: f.Clock.Now()})
	if err := f.releaseBlocked(tx, op); err != nil {
		return reply, err
	}
	if err := f.openWaived(tx, op, c.Heard.Channel); err != nil {
		return reply, err
	}
	reply.Private = say(fmt.Sprintf("The checks of %s are waived at %s. It is posted; a push takes it back.", op.ID, short(op.Head)))
	if err := f.markOperationPull(tx, op); err != nil {
		return reply, err
	}
	return reply, f.putOp(tx, op, true)
}

func (f *feature) openWaived(tx *store.Tx, op *store.Operation, channel string) error {
	if op.Channel != "" {
		channel = op.Channel
	}
	n := strconv.Itoa(len(op.Passes) - 1)
	return tell.Open(tx, store.Surface{ID: tell.ID(placeMessage, op.ID, cardWaived, n), Place: placeMessage, Card: cardWaived, Subject: op.ID,
		Where: map[string]string{"channel": channel, "pass": n}})
}

// waivedLine is such a pass on the card of its operation.
func (f *feature) waivedLine(p store.Pass) integrations.Rich {
	return integrations.R("🚨 ", integrations.Who(known(f.Catalog(), p.By)), " waived the checks at ", integrations.Code(short(p.Head)), ": ", integrations.Italic(p.Reason))
}

// waivedCard is the post about it.
func (f *feature) waivedCard(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	op, err := tx.Operation(s.Subject)
	if err != nil {
		return integrations.Message{}, err
	}
	n, err := strconv.Atoi(s.Where["pass"])
	if err != nil || n >= len(op.Passes) {
		return integrations.Message{Hold: true}, err
	}
	p := op.Passes[n]
	text := integrations.R("🚨 ", integrations.Who(known(f.Catalog(), p.By)), " waived the checks of ", integrations.Code(op.ID), " (", title(op), ") at ", integrations.Code(short(p.Head)), ": ", integrations.Italic(p.Reason))
	m := integrations.Message{Text: "🚨 " + op.ID + " " + strings.TrimPrefix(text.Plain(), "🚨 "), Blocks: []integrations.Block{{Text: text}}}
	if op.Head != p.Head {
		m.Text += " · taken back by a push"
		m.Blocks = append(m.Blocks, integrations.Block{Context: integrations.R("Taken back: somebody pushed since, and ", integrations.Code(short(op.Head)), " needs its own.")})
	}
	return m, nil
}
