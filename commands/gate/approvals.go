package gate

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// Approvals asks for as many people as the environment wants, besides whoever
// chose the change: people who may approve, at the very head that is merged. The
// merger counts once.
func Approvals(_ *store.Tx, q Question) ([]Closed, error) {
	env, err := q.environment()
	if err != nil {
		return nil, err
	}
	if env.Approvals == 0 {
		return nil, nil
	}
	if q.Pull != nil && (q.At == AtMerge || q.At == AtDequeue) { // a review may have been dismissed
		if _, err := q.facts("approvals"); err != nil {
			return nil, err
		}
	}
	agreed := Approvers(q)
	if len(agreed) >= env.Approvals {
		return nil, nil
	}
	if err := q.Catalog.Doubt("approve", q.Environment); err != nil {
		return nil, err // somebody who agreed may be in a group that cannot be read now
	}
	var chose []string
	for _, p := range q.choosers() {
		chose = append(chose, p.Display())
	}
	who := strings.Join(chose, " and ")
	c := Closed{Opens: fmt.Sprintf("somebody other than %s approves", who)}
	switch {
	case env.Approvals == 1:
		c.Reason = fmt.Sprintf("%s wants a second person, and nobody but %s has agreed to this head", q.Environment, who)
	case len(agreed) == 0:
		c.Reason = fmt.Sprintf("%s wants %d people besides %s, and none has agreed to this head", q.Environment, env.Approvals, who)
	default:
		var names []string
		for _, p := range agreed {
			names = append(names, p.Display())
		}
		c.Reason = fmt.Sprintf("%s wants %d people besides %s, and only %s agreed to this head", q.Environment, env.Approvals, who, strings.Join(names, ", "))
		c.Opens = fmt.Sprintf("%d more, other than %s, approve", env.Approvals-len(agreed), strings.Join(append(names, who), ", "))
	}
	return []Closed{c}, nil
}

// Chooser is who chose the head that is to be approved: whoever took newer
// commits in, or else whoever asked.
func Chooser(op *store.Operation, requester integrations.Person) integrations.Person {
	if op != nil && op.HeadBy != nil {
		return FromStore(*op.HeadBy)
	}
	return requester
}

// Choosers are those who are not the second person to the head: who chose it, and
// whoever asked, too, while nobody can tell who is behind the account that did.
func Choosers(op *store.Operation, requester integrations.Person) []integrations.Person {
	who := Chooser(op, requester)
	if who.Linked() || who.Same(requester) {
		return []integrations.Person{who}
	}
	return []integrations.Person{who, requester}
}

// choosers are those of the question; a pull request of people has no operation
// until it is merged.
func (q Question) choosers() []integrations.Person {
	if who, other := q.pusher(); other {
		by := ToStore(who)
		return Choosers(&store.Operation{HeadBy: &by}, q.Requester)
	}
	return Choosers(nil, q.Requester)
}

// Approvers are the people who agreed to the head and count, each once.
func Approvers(q Question) []integrations.Person {
	var out []integrations.Person
	choosers := q.choosers()
	add := func(p integrations.Person) {
		if slices.ContainsFunc(choosers, p.Same) || !q.Catalog.May(p, "approve", q.Environment) || slices.ContainsFunc(out, p.Same) {
			return
		}
		out = append(out, p)
	}
	for _, p := range agreed(q) {
		add(p)
	}
	if q.At == AtMerge || q.At == AtDequeue {
		add(q.Actor)
	}
	return out
}

// agreed are all who said yes to the head in so many words, whoever they are.
func agreed(q Question) (out []integrations.Person) {
	if q.Op != nil {
		for _, a := range q.Op.Approvals {
			if a.Head == q.Head {
				out = append(out, FromStore(a.By))
			}
		}
	}
	if q.Pull != nil {
		for _, login := range slices.Sorted(maps.Keys(q.Pull.Reviews)) {
			if q.Pull.Reviews[login] == q.Head {
				out = append(out, q.Catalog.PersonByGitHub(login))
			}
		}
	}
	if q.Job != nil && q.Job.ApprovedBy != nil {
		out = append(out, FromStore(*q.Job.ApprovedBy))
	}
	return out
}

// FromStore is a stored person as the floor above knows them.
func FromStore(p store.Person) integrations.Person {
	return integrations.Person{Name: p.Name, Slack: p.Slack, GitHub: p.GitHub}
}

// ToStore is the record of a person.
func ToStore(p integrations.Person) store.Person {
	return store.Person{Name: p.Name, Slack: p.Slack, GitHub: p.GitHub}
}
