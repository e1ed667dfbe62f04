package gate

import (
	"fmt"
	"strings"

	"github.com/signalbox-chatops/signalbox/store"
)

// Boxed says whether a shipped pull request has a box to tick: it is somebody's.
// Loose commits have none, and a bot such as Renovate is nobody to ask.
func Boxed(s store.Ship) bool {
	return s.Number > 0 && s.Author != "" && !strings.HasSuffix(s.Author, "[bot]")
}

// Unchecked are the shipped pull requests whose box nobody has ticked. A rollback
// has no boxes: what it names is what comes back.
func Unchecked(op *store.Operation) []store.Ship {
	if op.Rollback {
		return nil
	}
	var out []store.Ship
	for _, s := range op.Ships {
		if Boxed(s) && s.Checked == nil {
			out = append(out, s)
		}
	}
	return out
}

// Checked is closed, where the environment says ships: gate, until each author
// has ticked the box of what ships of theirs, or somebody who may has for them.
func Checked(_ *store.Tx, q Question) ([]Closed, error) {
	env, err := q.environment()
	if err != nil {
		return nil, err
	}
	if env.Ships != "gate" || q.Op == nil {
		return nil, nil
	}
	var names []string
	for _, s := range Unchecked(q.Op) {
		names = append(names, fmt.Sprintf("#%d by %s", s.Number, q.Catalog.PersonByGitHub(s.Author).Display()))
	}
	if len(names) == 0 {
		return nil, nil
	}
	return []Closed{{Reason: "nobody has checked " + few(names),
		Opens: fmt.Sprintf("the authors tick their boxes on the pull request, or say /ops checked %s", q.Op.ID)}}, nil
}
