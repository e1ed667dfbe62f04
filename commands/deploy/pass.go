package deploy

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// At three in the morning there may be nobody to ask. With an open incident, or
// with the right to break the glass, the person on call passes the gates that
// wait for others or for the day; whoever may break the glass passes a freeze.
// Where nobody is configured as on call, the right to break the glass stands for
// that; where somebody is, it does not.
// It is posted, and stays an open review until a second person has signed it.
// The run lock, a dirty target and somebody's hold are never passed.

// rightBreakGlass is the right of its own that this asks for.
const rightBreakGlass = "break-glass"

// aloneGates are those that the person on call may pass for a rollback or a hotfix.
var aloneGates = []string{"window", "cool-down", "checks", "approvals"}

func (f *feature) passVerb() commands.Verb {
	return commands.Verb{
		Name: "break-glass", Aliases: []string{"breakglass", "emergency"}, Summary: "Pass a freeze, or alone at night the approvals, checks and windows", Effect: commands.Changes,
		Right: commands.RightRead, Who: "`break-glass`, or on call with an open incident", // which it asks itself
		Args: append(subjectArg("the operation or its pull request"),
			commands.Arg{Name: "reason", Kind: commands.ArgText, Help: "why it cannot wait; everybody will read it"}),
		Flags:    []commands.Arg{{Name: "hotfix", Kind: commands.ArgBool, Optional: true, Help: "it is the fix of what is broken now, not a rollback"}},
		Examples: []string{`break-glass op-3 "the shop is down"`, `break-glass op-3 "the shop is down" --hotfix`},
		Detail: "A freeze is passed with the right break-glass. Approvals, checks, cool-down and windows are passed by the person on call, with an open incident or that right, for a rollback or a hotfix; where nobody is configured as on call, that right alone is enough. " +
			"It is posted in the channel and stays an open review until somebody else signs it. Locks, run locks and dirty targets are never passed.",
		Decide: func(_ context.Context, c *commands.Call) (commands.Act, error) {
			return func(tx *store.Tx) (commands.Reply, error) { return f.breakGlass(tx, c) }, nil
		},
	}
}

func (f *feature) breakGlass(tx *store.Tx, c *commands.Call) (commands.Reply, error) {
	s, err := f.findOne(tx, c)
	if err != nil {
		return commands.Reply{}, err
	}
	op := s.op
	if op == nil || op.Terminal() {
		return commands.Reply{}, commands.Refuse("over", c.Arg("subject")+" is nothing that waits for a gate.").WithExample("status")
	}
	reply := commands.Reply{Subject: op.ID, Service: op.Service, Environment: op.Environment}
	if strings.TrimSpace(c.Arg("reason")) == "" {
		return reply, commands.Refuse("no_reason", "Breaking the glass needs a reason: everybody will read it.").WithExample(`break-glass ` + op.ID + ` "the shop is down"`)
	}
	p, err := f.mayPass(tx, c, op)
	if err != nil {
		return reply, err
	}
	p.By, p.Reason, p.Head, p.At = gate.ToStore(c.Who), c.Arg("reason"), op.Head, f.Clock.Now()
	op.Passes = append(op.Passes, p)
	if err := store.Feature[bool](tx, reviewFeature).Put(op.ID, true); err != nil {
		return reply, err
	}
	if err := f.releaseBlocked(tx, op); err != nil {
		return reply, err
	}
	if err := f.openPass(tx, op, len(op.Passes)-1, c.Heard.Channel); err != nil {
		return reply, err
	}
	reply.Private = say(fmt.Sprintf("Passed for %s: %s. It is posted, and stays an open review until somebody else signs it.", op.ID, strings.Join(p.Gates, ", ")))
	if err := f.markOperationPull(tx, op); err != nil {
		return reply, err
	}
	return reply, f.putOp(tx, op, true)
}

// mayPass works out which gates somebody may pass for an operation, and why. What
// is not in the pass that it returns is the caller's.
func (f *feature) mayPass(tx *store.Tx, c *commands.Call, op *store.Operation) (store.Pass, error) {
	glass := c.Catalog.May(c.Who, rightBreakGlass, op.Environment)
	incident, err := gate.OpenIncident(tx, op.Service, op.Environment)
	if err != nil {
		return store.Pass{}, err
	}
	called, known, unread := f.onCall(op, c.Who)
	if unread != nil && !glass {
		return store.Pass{}, noRoster(unread)
	}
	if glass || called && incident != nil {
		if err := commands.Allow(c, commands.RightRead, op.Environment); err != nil {
			return store.Pass{}, err
		}
	}
	p := store.Pass{}
	switch {
	case glass:
		p.Gates, p.Why = append(p.Gates, "freeze"), rightBreakGlass
	case called && incident != nil:
		p.Why = incident.ID
	case called:
		return p, commands.Refuse("no_incident", "You are on call, and no incident is open for "+strings.TrimSpace(op.Service+" in "+op.Environment)+".").
			WithHint("Open one, or ask somebody with the right break-glass: " + f.whoMay(c, rightBreakGlass, op.Environment) + ".").WithExample("incident in " + op.Environment + " \"the shop is down\"")
	default:
		hint := "These may: " + f.whoMay(c, rightBreakGlass, op.Environment) + "."
		if known {
			hint += " With an open incident whoever is on call may, too."
		}
		return p, commands.Refuse("not_allowed", fmt.Sprintf("You may not break the glass in %s.", op.Environment)).WithHint(hint)
	}
	alone := called || !known && unread == nil // with the right, which then stands for on call
	if alone && (op.Rollback || c.Arg("hotfix") != "") {
		p.Gates, p.NoRoster = append(p.Gates, aloneGates...), !called
		if env, _ := c.Catalog.Environment(op.Environment); env.Ships == "gate" {
			p.Gates = append(p.Gates, "checked")
		}
	}
	if len(p.Gates) > 1 {
		return p, nil
	}
	return p, f.onlyFreeze(tx, c, op, alone, unread)
}

// noRoster says why nobody passes the gates that are the person on call's.
func noRoster(unread error) error {
	return commands.Refuse("roster", fmt.Sprintf("Nobody can tell who is on call: %v. So the answer is no.", unread))
}

// onlyFreeze is for somebody who may pass a freeze at most: without one there is
// nothing to pass, and they are told what would let them.
func (f *feature) onlyFreeze(tx *store.Tx, c *commands.Call, op *store.Operation, alone bool, unread error) error {
	q := f.question(gate.AtCard, c.Catalog, op, nil)
	if c.Catalog.May(c.Who, rightBreakGlass, op.Environment) && gate.Named(gate.Ask(tx, q, "freeze"), "freeze") {
		return nil
	}
	if alone {
		return commands.Refuse("not_urgent", "Approvals, checks, cool-down and windows are passed alone for a rollback, or for what you say is the hotfix.").
			WithExample(`break-glass ` + op.ID + ` "` + c.Arg("reason") + `" --hotfix`)
	}
	if unread != nil {
		return noRoster(unread)
	}
	return commands.Refuse("not_on_call", fmt.Sprintf("Nothing is frozen for %s, and the other gates are passed by whoever is on call: %s.", op.ID, f.called(op)))
}

// onCall says whether somebody is on call for an operation; known is false where
// nobody is named for it.
func (f *feature) onCall(op *store.Operation, who integrations.Person) (called, known bool, err error) {
	people, err := f.Roster.OnCall(op.Service, op.Environment, f.Clock.Now())
	return slices.ContainsFunc(people, who.Same), len(people) > 0, err
}

func (f *feature) called(op *store.Operation) string {
	people, err := f.Roster.OnCall(op.Service, op.Environment, f.Clock.Now())
	if err != nil || len(people) == 0 {
		return "nobody"
	}
	return people[0].Display()
}

func (f *feature) whoMay(c *commands.Call, right, environment string) string {
	var out []string
	for _, p := range c.Catalog.Who(right, environment) {
		out = append(out, p.Name)
	}
	if len(out) == 0 {
		return "nobody, by the policy"
	}
	return strings.Join(out[:min(6, len(out))], ", ")
}

// releaseBlocked queues the blocked applies of an operation: they ask the gates
// again.
func (f *feature) releaseBlocked(tx *store.Tx, op *store.Operation) error {
	all, err := (subject{op: op}).applies(tx)
	if err != nil {
		return err
	}
	for _, j := range all {
		if j.State != store.JobBlocked {
			continue
		}
		j.State, j.Why, j.NotBefore = store.JobQueued, "", time.Time{}
		if err := f.letOn(tx, j); err != nil {
			return err
		}
	}
	return nil
}

// letOn stores a blocked job that a person let on, and has what shows it shown
// anew; its operation is the caller's to store.
func (f *feature) letOn(tx *store.Tx, j *store.Job) error {
	if err := tx.PutJob(j); err != nil {
		return err
	}
	if err := tell.Mark(tx, j.ID, true); err != nil {
		return err
	}
	return f.markPull(tx, j)
}

// markOperationPull has the statuses of an operation's pull request shown anew.
func (f *feature) markOperationPull(tx *store.Tx, op *store.Operation) error {
	if op.PR == 0 {
		return nil
	}
	return tell.Mark(tx, pullSubject(op.RepoID, op.PR), true)
}

func (f *feature) openPass(tx *store.Tx, op *store.Operation, n int, channel string) error {
	if op.Channel != "" {
		channel = op.Channel
	}
	return tell.Open(tx, store.Surface{ID: tell.ID(placeMessage, op.ID, cardPass, strconv.Itoa(n)), Place: placeMessage, Card: cardPass, Subject: op.ID,
		Where: map[string]string{"channel": channel, "pass": strconv.Itoa(n)}})
}

// passLine is a pass as the card of its operation shows it.
func (f *feature) passLine(p store.Pass) integrations.Rich {
	if waived(p) {
		return f.waivedLine(p)
	}
	line := integrations.R("🚨 ", integrations.Who(known(f.Catalog(), p.By)), " passed ", strings.Join(p.Gates, ", "), " alone: ", integrations.Italic(p.Reason))
	if p.SignedBy != nil {
		return integrations.R(line, ", signed by ", integrations.Who(known(f.Catalog(), *p.SignedBy)))
	}
	return integrations.R(line, ", not signed yet")
}

// passCard is the post about a pass, and its review.
func (f *feature) passCard(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	op, err := tx.Operation(s.Subject)
	if err != nil {
		return integrations.Message{}, err
	}
	n, err := strconv.Atoi(s.Where["pass"])
	if err != nil || n >= len(op.Passes) {
		return integrations.Message{Hold: true}, err
	}
	p := op.Passes[n]
	how := "with " + p.Why + " open"
	if p.Why == rightBreakGlass {
		how = "by break-glass"
	}
	if p.NoRoster {
		how += ", which stands for on call: nobody is configured as that for " + strings.TrimSpace(op.Service+" in "+op.Environment)
	}
	who := integrations.Who(known(f.Catalog(), p.By))
	text := integrations.R("🚨 ", who, " passed ", integrations.Bold(strings.Join(p.Gates, ", ")), " for ", integrations.Code(op.ID), " (", title(op), ") ", how, ": ", integrations.Italic(p.Reason))
	m := integrations.Message{Text: "🚨 " + op.ID + " " + strings.TrimPrefix(text.Plain(), "🚨 "), Blocks: []integrations.Block{{Text: text}}}
	if p.SignedBy != nil {
		m.Text += " · signed by " + gate.FromStore(*p.SignedBy).Display()
		m.Blocks = append(m.Blocks, integrations.Block{Context: integrations.R("Reviewed and signed by ", integrations.Who(known(f.Catalog(), *p.SignedBy)), ".")})
		return m, nil
	}
	m.Text += " · open review: somebody else signs it with sign " + op.ID
	m.Blocks = append(m.Blocks, integrations.Block{Buttons: []integrations.Button{{Label: "Sign", Command: "sign " + op.ID, Confirm: "You have looked at what was done alone, and stand by it?"}}},
		integrations.Block{Context: integrations.R("An open review until somebody else has looked and signed it.")})
	return m, nil
}

func (f *feature) signVerb() commands.Verb {
	return commands.Verb{
		Name: "sign", Summary: "Review what somebody passed alone, as the second person", Effect: commands.Changes, Right: "approve",
		Args: subjectArg("the operation"), Examples: []string{"sign op-3"},
		Decide: func(_ context.Context, c *commands.Call) (commands.Act, error) {
			return func(tx *store.Tx) (commands.Reply, error) { return f.sign(tx, c) }, nil
		},
	}
}

func (f *feature) sign(tx *store.Tx, c *commands.Call) (commands.Reply, error) {
	s, err := f.findOne(tx, c)
	if err != nil {
		return commands.Reply{}, err
	}
	if s.op == nil {
		return commands.Reply{}, f.notWaiting(s, "a signature")
	}
	op := s.op
	reply := commands.Reply{Subject: op.ID, Service: op.Service, Environment: op.Environment}
	if err := commands.Allow(c, "approve", op.Environment); err != nil {
		return reply, err
	}
	signed, own := 0, false
	for i := range op.Passes {
		p := &op.Passes[i]
		switch {
		case p.SignedBy != nil, waived(*p):
		case known(c.Catalog, p.By).Same(c.Who):
			own = true
		default:
			who := gate.ToStore(c.Who)
			p.SignedBy, p.SignedAt = &who, f.Clock.Now()
			signed++
		}
	}
	switch {
	case signed == 0 && own:
		return reply, commands.Refuse("own", "You passed the gates of "+op.ID+" yourself, so somebody else has to sign that.").WithHint(f.whoElse(c, op, c.Who))
	case signed == 0:
		return reply, commands.Refuse("not_waiting", op.ID+" has no open review.")
	}
	if !own { // all of them are signed
		if err := store.Feature[bool](tx, reviewFeature).Delete(op.ID); err != nil {
			return reply, err
		}
	}
	reply.Private = say("Signed: what was passed alone for " + op.ID + ".")
	return reply, f.putOp(tx, op, true)
}

// reviewEvery is how often an open review is brought up again.
const reviewEvery = 24 * time.Hour

// reviewFeature keeps the operations whose open reviews nobody has signed yet, so
// that none is forgotten however much is deployed meanwhile.
const reviewFeature = "open review"

// openReviews are those operations.
func openReviews(tx *store.Tx) (ids []string, err error) {
	err = store.Feature[bool](tx, reviewFeature).Each("", func(id string, _ bool) error {
		ids = append(ids, id)
		return nil
	})
	return ids, err
}

// nagReviews brings up, once a day, what nobody has signed yet.
func (f *feature) nagReviews(tx *store.Tx, id string) error {
	op, err := tx.Operation(id)
	if err != nil {
		return err
	}
	changed := false
	for i := range op.Passes {
		p := &op.Passes[i]
		since := p.At
		if p.Nagged.After(since) {
			since = p.Nagged
		}
		if p.SignedBy != nil || waived(*p) || f.Clock.Now().Sub(since) < reviewEvery {
			continue
		}
		p.Nagged, changed = f.Clock.Now(), true
		if op.Channel == "" {
			continue
		}
		err := f.raise(tx, op, integrations.EventNag, store.Surface{ID: tell.ID(placeMessage, op.ID, cardReview, strconv.Itoa(i), p.Nagged.UTC().Format(time.RFC3339)),
			Place: placeMessage, Card: cardReview, Subject: op.ID, Where: map[string]string{"pass": strconv.Itoa(i)}})
		if err != nil {
			return err
		}
	}
	if !changed {
		return nil
	}
	return tx.PutOperation(op)
}

// reviewCard reminds of an open review.
func (f *feature) reviewCard(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	op, err := tx.Operation(s.Subject)
	if err != nil {
		return integrations.Message{}, err
	}
	n, err := strconv.Atoi(s.Where["pass"])
	if err != nil || n >= len(op.Passes) {
		return integrations.Message{Hold: true}, err
	}
	p := op.Passes[n]
	text := integrations.R(integrations.Code(op.ID), ": what ", integrations.Who(known(f.Catalog(), p.By)), " passed alone is still an open review: ", integrations.Italic(p.Reason))
	if p.SignedBy != nil {
		text = integrations.R(text, ". ", integrations.Who(known(f.Catalog(), *p.SignedBy)), " has signed it since.")
		return integrations.Message{Text: text.Plain(), Blocks: []integrations.Block{{Text: text}}}, nil
	}
	return integrations.Message{Text: text.Plain(), Blocks: []integrations.Block{{Text: text},
		{Buttons: []integrations.Button{{Label: "Sign", Command: "sign " + op.ID, Confirm: "You have looked at what was done alone, and stand by it?"}}}}}, nil
}
