package gate

import (
	"fmt"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// Approvals asks for a second person where the environment wants one: somebody
// who may approve, other than whoever asked, at the very head that is merged.
// The merger counts.
func Approvals(tx *store.Tx, q Question) ([]Closed, error) {
	env, ok := q.Catalog.Environment(q.Environment)
	if !ok {
		return nil, fmt.Errorf("no environment is called %q", q.Environment)
	}
	if !env.SecondPerson || Approver(q) != nil {
		return nil, nil
	}
	who := Chooser(q.Op, q.Requester).Display()
	return []Closed{{
		Reason: fmt.Sprintf("%s wants a second person, and nobody but %s has agreed to this head", q.Environment, who),
		Opens:  fmt.Sprintf("somebody other than %s approves", who),
	}}, nil
}

// Chooser is who chose the head that is to be approved: whoever took newer
// commits in, or else whoever asked.
func Chooser(op *store.Operation, requester integrations.Person) integrations.Person {
	if op != nil && op.HeadBy != nil {
		return FromStore(*op.HeadBy)
	}
	return requester
}

// Approver is the second person, nil while there is none.
func Approver(q Question) *integrations.Person {
	counts := func(p integrations.Person) bool {
		return !p.Same(Chooser(q.Op, q.Requester)) && q.Catalog.May(p, "approve", q.Environment)
	}
	if q.Job != nil && q.Job.ApprovedBy != nil {
		p := FromStore(*q.Job.ApprovedBy)
		if counts(p) {
			return &p
		}
	}
	if q.Op != nil {
		for _, a := range q.Op.Approvals {
			if p := FromStore(a.By); a.Head == q.Head && counts(p) {
				return &p
			}
		}
	}
	if q.Pull != nil {
		for login, head := range q.Pull.Reviews {
			if p := q.Catalog.PersonByGitHub(login); head == q.Head && counts(p) {
				return &p
			}
		}
	}
	if (q.At == AtMerge || q.At == AtDequeue) && counts(q.Actor) {
		return &q.Actor
	}
	return nil
}

// FromStore is a stored person as the floor above knows them.
func FromStore(p store.Person) integrations.Person {
	return integrations.Person{Name: p.Name, Slack: p.Slack, GitHub: p.GitHub}
}

// ToStore is the record of a person.
func ToStore(p integrations.Person) store.Person {
	return store.Person{Name: p.Name, Slack: p.Slack, GitHub: p.GitHub}
}
