package gate

import (
	"fmt"
	"slices"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// Policy holds what is done on GitHub to the rules of chat: whoever asked, whoever
// pushed the head and whoever merged must be people whom the configuration knows
// and lets do so. A named person's Approve opens it; for a push it has to be for
// that very head, and not the pusher's own.
func Policy(_ *store.Tx, q Question) ([]Closed, error) {
	out, err := pushedBy(q)
	if err != nil || q.At != AtDequeue || q.Job != nil && q.Job.ApprovedBy != nil {
		return out, err
	}
	asked, err := askedAndMerged(q)
	return append(asked, out...), err
}

// askedAndMerged is for what has been merged; before that chat has asked.
func askedAndMerged(q Question) ([]Closed, error) {
	var out []Closed
	check := func(who integrations.Person, did, right string) {
		switch {
		case !who.Linked():
			out = append(out, Closed{Reason: fmt.Sprintf("%s, who %s, is not linked to anybody here", who.Display(), did)})
		case !q.Catalog.May(who, right, q.Environment):
			out = append(out, Closed{Reason: fmt.Sprintf("%s, who %s, may not %s in %s", who.Display(), did, right, q.Environment)})
		default:
			return
		}
		out[len(out)-1].Opens = "somebody who may approve in " + q.Environment + " presses Approve"
	}
	right := q.right()
	if q.Requester.Same(q.Actor) {
		check(q.Actor, "asked for it and merged it", "merge")
	} else {
		check(q.Requester, "asked for it", right)
		check(q.Actor, "merged it", "merge")
	}
	if len(out) == 0 {
		return nil, nil
	}
	for _, right := range []string{right, "merge"} { // they may be in a group that cannot be read now
		if err := q.Catalog.Doubt(right, q.Environment); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// right is what somebody needs to ask for the change.
func (q Question) right() string {
	if q.rollback() {
		return "rollback"
	}
	return "deploy"
}

// pusher is who pushed the head, as the configuration has them today; false where
// that was whoever asked.
func (q Question) pusher() (integrations.Person, bool) {
	var who integrations.Person
	switch {
	case q.Op != nil && q.Op.HeadBy != nil:
		who = FromStore(*q.Op.HeadBy)
	case q.Op == nil && q.Pull != nil && q.Pull.HeadBy != "":
		who = integrations.Person{GitHub: q.Pull.HeadBy}
	default:
		return who, false
	}
	for _, p := range q.Catalog.People {
		if who.Same(p) {
			who = p
		}
	}
	return who, !who.Same(q.Requester)
}

// pushedBy is closed while a head was pushed by somebody who might not have asked
// for it, and nobody who may approve has agreed to that head.
func pushedBy(q Question) ([]Closed, error) {
	who, other := q.pusher()
	if !other || q.Catalog.May(who, q.right(), q.Environment) {
		return nil, nil
	}
	if q.Pull != nil && (q.At == AtMerge || q.At == AtDequeue) { // a review may have been dismissed
		if _, err := q.facts("approvals"); err != nil {
			return nil, err
		}
	}
	if len(vouchers(q, who)) > 0 {
		return nil, nil
	}
	for _, right := range []string{q.right(), "approve"} { // they may be in a group that cannot be read now
		if err := q.Catalog.Doubt(right, q.Environment); err != nil {
			return nil, err
		}
	}
	c := Closed{Reason: fmt.Sprintf("%s, who pushed %s, is not linked to anybody here", who.Display(), short(q.Head)),
		Opens: fmt.Sprintf("somebody else who may approve in %s agrees to this head", q.Environment)}
	if who.Linked() {
		c.Reason = fmt.Sprintf("%s, who pushed %s, may not %s in %s", who.Display(), short(q.Head), q.right(), q.Environment)
	}
	return []Closed{c}, nil
}

// vouchers are the people who answer for a head that somebody else pushed: who said
// yes to it, and who merges it. Whoever asked has to say so: they may have pressed
// Merge for what they had asked for.
func vouchers(q Question, pusher integrations.Person) []integrations.Person {
	all := agreed(q)
	if (q.At == AtMerge || q.At == AtDequeue) && !q.Actor.Same(q.Requester) {
		all = append(all, q.Actor)
	}
	return slices.DeleteFunc(all, func(p integrations.Person) bool {
		return p.Same(pusher) || !q.Catalog.May(p, "approve", q.Environment)
	})
}
