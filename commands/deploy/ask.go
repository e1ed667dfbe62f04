package deploy

import (
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// Who is asked by name looks; who is asked as one of many does not. So an
// approval is asked of one person: on call for the service, or next in the
// group's turn. They are reminded once, and then everybody who may is asked.

const (
	askRemind   = 15 * time.Minute // after the first asking
	askEveryone = 30 * time.Minute

	askedOne, askedAgain, askedAll = 1, 2, 3

	turnFeature = "approver turn" // who was asked last, by environment
)

// askApproval asks for the approvals that an operation lacks, one step at a time.
func (f *feature) askApproval(tx *store.Tx, op *store.Operation, p *store.Pull) error {
	if op.State != store.OpOpen || op.Channel == "" || op.MergeAskedBy != nil || op.CloseAskedBy != nil || p == nil {
		return nil
	}
	if _, ready := counts(p, op.Targets); !ready {
		return nil
	}
	q := f.question(gate.AtCard, f.Catalog(), op, p)
	q.Actor, q.Explicit = q.Requester, true
	if len(gate.Ask(tx, q, "approvals", "policy")) == 0 {
		return nil
	}
	now := f.Clock.Now()
	switch a := op.Ask; {
	case a == nil || a.Head != op.Head:
		return f.askFirst(tx, q, op)
	case a.Level == askedOne && now.Sub(a.At) >= askRemind:
		op.Ask.Level = askedAgain
	case a.Level == askedAgain && now.Sub(a.At) >= askEveryone:
		op.Ask.Level = askedAll
	default:
		return nil
	}
	return f.openAsk(tx, op)
}

func (f *feature) askFirst(tx *store.Tx, q gate.Question, op *store.Operation) error {
	who, why, err := f.approver(tx, q, op)
	if err != nil {
		return err
	}
	op.Ask = &store.Ask{Head: op.Head, Person: gate.ToStore(who), Why: why, At: f.Clock.Now(), Level: askedOne}
	if !who.Linked() { // nobody in particular: everybody at once
		op.Ask.Level = askedAll
	}
	return f.openAsk(tx, op)
}

// approver picks who is asked: on call, or next in turn. Nobody who has agreed
// already, and not whoever chose the change.
func (f *feature) approver(tx *store.Tx, q gate.Question, op *store.Operation) (integrations.Person, string, error) {
	agreed := append(gate.Approvers(q), gate.Choosers(op, q.Requester)...)
	may := func(p integrations.Person) bool {
		return p.Slack != "" && !slices.ContainsFunc(agreed, p.Same) && q.Catalog.May(p, "approve", op.Environment)
	}
	called, err := f.Roster.OnCall(op.Service, op.Environment, q.Now)
	if err != nil {
		f.Log.Warn("who is on call", "operation", op.ID, "error", err)
	}
	for _, p := range called {
		if may(p) {
			what := op.Service
			if what == "" {
				what = op.Environment
			}
			return p, "on call for " + what, nil
		}
	}
	group := q.Catalog.Who("approve", op.Environment)
	if env, ok := q.Catalog.Environment(op.Environment); ok && env.Approvers != "" {
		group = slices.DeleteFunc(slices.Clone(group), func(p integrations.Person) bool { return !q.Catalog.In(p, env.Approvers) })
	}
	last, _, err := store.Feature[string](tx, turnFeature).Get(op.Environment)
	if err != nil || len(group) == 0 {
		return integrations.Person{}, "", err
	}
	from := slices.IndexFunc(group, func(p integrations.Person) bool { return p.Name == last }) + 1
	for i := range group {
		p := group[(from+i)%len(group)]
		if may(p) {
			return p, "next in turn", store.Feature[string](tx, turnFeature).Put(op.Environment, p.Name)
		}
	}
	return integrations.Person{}, "", nil
}

// openAsk opens the message of a step: an edit makes no phone ring.
func (f *feature) openAsk(tx *store.Tx, op *store.Operation) error {
	// One person can be asked at night; everybody is not woken for one deploy.
	return f.raiseOnCall(tx, op, integrations.EventWaits, op.Ask.Level != askedAll, store.Surface{
		ID: tell.ID(placeMessage, op.ID, cardAsk, short(op.Head), strconv.Itoa(op.Ask.Level)), Place: placeMessage, Card: cardAsk, Subject: op.ID,
		Where: map[string]string{"head": op.Head, "level": strconv.Itoa(op.Ask.Level),
			"name": op.Ask.Person.Name, "why": op.Ask.Why},
	})
}

// askCard asks somebody for an approval, in the thread of the card; once that is
// given, or asks for nothing any more, it says so.
func (f *feature) askCard(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	v, err := f.view(tx, s.Subject)
	if err != nil {
		return integrations.Message{}, err
	}
	op := v.op
	if op.Ask == nil {
		return integrations.Message{Hold: true}, nil
	}
	q := f.question(gate.AtCard, f.Catalog(), op, v.pull)
	q.Actor, q.Explicit = q.Requester, true
	settled := ""
	switch agreed := gate.Approvers(q); {
	case op.Head != s.Where["head"]:
		settled = "the head it was about has moved"
	case !gate.Named(gate.Ask(tx, q, "approvals"), "approvals") && len(agreed) > 0:
		settled = agreed[len(agreed)-1].Display() + " agreed"
	case op.State != store.OpOpen:
		settled = op.ID + " is " + op.State
	case !gate.Named(gate.Ask(tx, q, "approvals"), "approvals"):
		settled = "it is not needed any more"
	}
	if overBefore(s, settled != "") {
		return integrations.Message{Hold: true}, nil
	}
	asked := integrations.R(integrations.Who(known(f.Catalog(), store.Person{Name: s.Where["name"]})))
	switch s.Where["level"] {
	case strconv.Itoa(askedOne):
		asked = integrations.R(asked, " (", s.Where["why"], "): ", integrations.Code(op.ID), " waits for your approval")
	case strconv.Itoa(askedAgain):
		asked = integrations.R(asked, ": ", integrations.Code(op.ID), " still waits for your approval")
	default:
		asked = f.everyone(q, op)
	}
	if settled != "" {
		text := integrations.R(asked, "; ", settled, ".")
		return integrations.Message{Text: op.ID + " " + text.Plain(), Blocks: []integrations.Block{{Text: text}}}, nil
	}
	asked = integrations.R(asked, ".")
	return integrations.Message{Text: op.ID + " " + asked.Plain(), Blocks: []integrations.Block{{Text: asked},
		{Buttons: []integrations.Button{{Label: "Approve", Command: "approve " + op.ID, Version: stamp(v.pull, op.Targets), Style: "primary"}}}}}, nil
}

// everyone asks all who may approve, by name.
func (f *feature) everyone(q gate.Question, op *store.Operation) integrations.Rich {
	not := append(gate.Approvers(q), gate.Choosers(op, q.Requester)...)
	var parts []any
	for _, p := range q.Catalog.Who("approve", op.Environment) {
		if len(parts) < 20 && !slices.ContainsFunc(not, p.Same) {
			parts = append(parts, integrations.Who(p), " ")
		}
	}
	if len(parts) == 0 {
		return integrations.R(integrations.Code(op.ID), " waits for an approval, and the policy lets nobody else give it")
	}
	return integrations.R(append(parts, "any of you: ", integrations.Code(op.ID), " waits for an approval")...)
}

// askWhenPlanned asks once an operation's plan stands.
func (f *feature) askWhenPlanned(tx *store.Tx, p *store.Pull) error {
	if p.Operation == "" {
		return nil
	}
	op, err := tx.Operation(p.Operation)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	if err := f.askAuthors(tx, op, p); err != nil {
		return err
	}
	before := op.Ask
	if err := f.askApproval(tx, op, p); err != nil || op.Ask == before {
		return err
	}
	return tx.PutOperation(op)
}
