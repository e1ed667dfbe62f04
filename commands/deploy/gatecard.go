package deploy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// gateCard is the one status that a repository should require. A commit has one
// status of that name, however many open pull requests have it as their head: it
// shows the worst of them.
func (f *feature) gateCard(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	p, op, err := f.pullOf(tx, s.Subject)
	if err != nil {
		return integrations.Message{}, err
	}
	sha := s.Where["sha"]
	others, err := f.sameHead(tx, p, sha)
	if err != nil {
		return integrations.Message{}, err
	}
	if len(others) > 0 && (p.State != "open" || p.Head != sha) {
		// It is theirs to show: this one is not marked when they change, so that what
		// it says would stand there, out of date.
		return integrations.Message{Hold: true}, nil
	}
	state, text := f.gateState(tx, p, op, sha)
	if len(others) > 0 { // each of them says the same, whichever is shown last
		state, text = "", ""
		all := append(others, p)
		slices.SortFunc(all, func(a, b *store.Pull) int { return a.Number - b.Number })
		for _, one := range all {
			_, op, err := f.pullOf(tx, pullSubject(one.RepoID, one.Number))
			if err != nil {
				return integrations.Message{}, err
			}
			if st, why := f.gateState(tx, one, op, sha); worse(st, state) {
				state, text = st, fmt.Sprintf("#%d: %s", one.Number, why)
			}
		}
	}
	return integrations.Message{Text: text, Status: &integrations.Status{Context: s.Where["context"], State: state, Description: text}}, nil
}

// sameHead are the other open pull requests with the same head.
func (f *feature) sameHead(tx *store.Tx, p *store.Pull, sha string) ([]*store.Pull, error) {
	all, err := tx.PullsByHead(p.Repo, sha)
	return slices.DeleteFunc(all, func(o *store.Pull) bool { return o.Number == p.Number || o.State != "open" || o.Head != sha }), err
}

// markHead has the statuses of all pull requests with the head of one shown anew.
func (f *feature) markHead(tx *store.Tx, p *store.Pull) error {
	others, err := f.sameHead(tx, p, p.Head)
	if err != nil {
		return err
	}
	for _, o := range append(others, p) {
		if err := tell.Mark(tx, pullSubject(o.RepoID, o.Number), true); err != nil {
			return err
		}
	}
	return nil
}

func worse(a, b string) bool {
	order := []string{"success", "pending", "error", "failure"}
	return slices.Index(order, a) > slices.Index(order, b)
}

// red are the gates that somebody has to mend; the others open by themselves or
// by a person's word, and only keep the status waiting.
var red = []string{"fresh", "base", "dirty"}

func (f *feature) gateState(tx *store.Tx, p *store.Pull, op *store.Operation, sha string) (state, text string) {
	targets := expected(p, op)
	switch {
	case sha != p.Head:
		return "pending", "a newer head is planned instead"
	case p.ExaminedHead != p.Head:
		return "pending", "the changed files are being read"
	case len(targets) == 0:
		return "success", "no target touched"
	case p.Fork && p.ForkAllowed != p.Head:
		return "pending", fmt.Sprintf("from a fork: planned when somebody with the right says /ops plan #%d", p.Number)
	}
	for _, t := range targets {
		if pl := p.Plans[t]; pl.Head == p.Head && pl.State == "failed" {
			return "failure", "the plan of " + t + " did not work: " + pl.Why
		}
	}
	plans, ready := counts(p, targets)
	if !ready {
		return "pending", "planning " + strings.Join(targets, ", ")
	}
	text = plural(len(targets), "target") + " planned: " + plans.String()
	if p.State != "open" || op != nil && op.State != store.OpOpen {
		return "success", text
	}
	closed := f.closedFor(tx, p, op)
	if len(closed) == 0 {
		return "success", text
	}
	state = "pending"
	first := closed[0]
	for _, c := range closed {
		if slices.Contains(red, c.Gate) && state == "pending" {
			state, first = "failure", c
		}
	}
	if text += "; " + first.Reason; len(closed) > 1 {
		text += fmt.Sprintf("; and %d more", len(closed)-1)
	}
	return state, text
}

// closedFor are the closed gates of an open pull request: those of the operation
// that opened it, or of the places that a pull request of people touches. Of
// those the merger may be the last who has to agree.
func (f *feature) closedFor(tx *store.Tx, p *store.Pull, op *store.Operation) []gate.Closed {
	if op != nil {
		q := f.question(gate.AtCard, f.Catalog(), op, p)
		q.Explicit, q.Actor = true, q.Requester
		return gate.Ask(tx, q)
	}
	var out []gate.Closed
	for _, env := range f.environmentsOf(nil, p.Targets) {
		q := f.pullQuestion(f.Catalog(), p, env)
		e, _ := f.Catalog().Environment(env)
		merger := len(gate.Approvers(q)) == e.Approvals-1
		for _, c := range gate.Ask(tx, q) {
			if c.Gate != "approvals" || !merger {
				out = append(out, c)
			}
		}
	}
	return out
}

// gateBlocks lists the closed gates in the comment of an open pull request.
func (f *feature) gateBlocks(tx *store.Tx, p *store.Pull, op *store.Operation) []integrations.Block {
	if p.State != "open" || len(expected(p, op)) == 0 || p.ExaminedHead != p.Head || op != nil && op.State != store.OpOpen {
		return nil
	}
	closed := f.closedFor(tx, p, op)
	if len(closed) == 0 {
		return nil
	}
	out := []integrations.Block{{Header: "Closed gates"}}
	for _, c := range closed {
		out = append(out, integrations.Block{Text: shortLine(c)})
	}
	return out
}
