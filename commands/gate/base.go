package gate

import (
	"fmt"
	"strings"

	"github.com/signalbox-chatops/signalbox/store"
)

// Base is closed where the base branch has moved in a target's paths since the
// head parted from it: what was planned is not what a merge would make.
func Base(_ *store.Tx, q Question) ([]Closed, error) {
	if q.Pull == nil {
		return nil, nil // Covered says so
	}
	facts, err := q.facts("base")
	if err != nil {
		return nil, err
	}
	var out []Closed
	for _, t := range q.Targets {
		moved := facts.Moved[t]
		if len(moved) == 0 {
			continue
		}
		out = append(out, Closed{
			Reason: fmt.Sprintf("%s changed in the paths of %s since: %s", q.Pull.Base, t, few(moved)),
			Opens:  fmt.Sprintf("the pull request takes %s in (Update branch on GitHub) and is planned again", q.Pull.Base),
		})
	}
	return out, nil
}

func few(names []string) string {
	if len(names) > 3 {
		return strings.Join(names[:3], ", ") + fmt.Sprintf(" and %d more", len(names)-3)
	}
	return strings.Join(names, ", ")
}
