package gate

import (
	"fmt"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// Policy holds a merge on GitHub to the rules of chat: whoever asked and whoever
// merged must be people whom the configuration knows and lets do so. A named
// person's Approve opens it.
func Policy(tx *store.Tx, q Question) ([]Closed, error) {
	if q.Job != nil && q.Job.ApprovedBy != nil {
		return nil, nil
	}
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
	right := "deploy"
	if q.rollback() {
		right = "rollback"
	}
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
