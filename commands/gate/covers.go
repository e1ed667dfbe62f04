package gate

import (
	"fmt"

	"github.com/signalbox-chatops/signalbox/store"
)

// Covered wants every target planned at the very head that is merged: zero
// targets planned is never success.
func Covered(_ *store.Tx, q Question) ([]Closed, error) {
	if q.Pull == nil {
		return []Closed{{Reason: "the pull request is not known yet", Opens: "it is read from GitHub, which takes a moment"}}, nil
	}
	if q.Pull.ExaminedHead != q.Head {
		return []Closed{{Reason: "the pull request's changed files are not read yet", Opens: "they are being read; this takes a moment"}}, nil
	}
	var out []Closed
	for _, t := range q.Targets {
		p, ok := q.Pull.Plans[t]
		switch {
		case !ok || p.Head != q.Head:
			out = append(out, Closed{Reason: t + " is not planned at this head", Opens: fmt.Sprintf("`/ops plan #%d`", q.Pull.Number)})
		case p.State == "pending":
			out = append(out, Closed{Reason: t + " is being planned", Since: p.At, Opens: "the plan ends"})
		case p.State != "done":
			out = append(out, Closed{Reason: "the plan of " + t + " failed: " + p.Why, Since: p.At, Opens: fmt.Sprintf("a push that mends it, or `/ops plan #%d` to try again", q.Pull.Number)})
		}
	}
	return out, nil
}
