package gate

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/store"
)

// ours is how the names of our own statuses begin: they tell of these gates, so
// that a gate which waited for them would wait for itself.
const ours = "signalbox/"

// Checks wants the environment's checks green at the head. "*" is every one that
// has reported; one that is named and has not reported is not green.
func Checks(_ *store.Tx, q Question) ([]Closed, error) {
	env, err := q.environment()
	if err != nil {
		return nil, err
	}
	if len(env.Checks) == 0 || q.Pull == nil {
		return nil, nil
	}
	facts, err := q.facts("checks")
	if err != nil {
		return nil, err
	}
	wanted := map[string]bool{}
	for _, name := range env.Checks {
		if name != "*" {
			wanted[name] = true
			continue
		}
		for reported := range facts.Checks {
			if !strings.HasPrefix(reported, ours) {
				wanted[reported] = true
			}
		}
	}
	var out []Closed
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		switch facts.Checks[name] {
		case "success":
		case "":
			out = append(out, Closed{Reason: fmt.Sprintf("the check %s has not reported on %s", name, short(q.Head)), Opens: "it reports success"})
		case "pending":
			out = append(out, Closed{Reason: fmt.Sprintf("the check %s is still running on %s", name, short(q.Head)), Opens: "it ends with success"})
		default:
			out = append(out, Closed{Reason: fmt.Sprintf("the check %s is red on %s", name, short(q.Head)), Opens: "it is run again and succeeds, or a push mends it"})
		}
	}
	return out, nil
}
