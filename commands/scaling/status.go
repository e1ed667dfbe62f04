package scaling

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// UnderWay says of each lease that is not over whose job it is, since when its processes
// rest and until when at the latest; and of one that is being given back, what keeps it.
func UnderWay(tx *store.Tx) (out []integrations.Rich, err error) {
	all, err := live(tx, func(*Lease) bool { return true })
	slices.SortFunc(all, func(a, b *Lease) int { return cmp.Or(a.Expires.Compare(b.Expires), cmp.Compare(a.ID, b.ID)) })
	for _, l := range all {
		row := integrations.R("⏸️ ", integrations.Code(l.ID), " ", integrations.Bold(l.group()), " · ", l.doing(), " for ", integrations.Code(l.Job), " on ", l.Target,
			" · since ", integrations.When(l.begun(), nil), ", until ", integrations.When(l.Expires, nil), " at the latest")
		if l.State == stateReleasing && l.Why != "" {
			row = append(row, integrations.R(" · ⚠️ ", l.Why)...)
		}
		out = append(out, append(row, integrations.R(" · ", gate.FromStore(l.By).Display())...))
	}
	return out, err
}

// doing is what happens to its processes. Those that others suspended before are theirs.
func (l *Lease) doing() string {
	what := strings.Join(l.Ours, ", ")
	if what == "" {
		what = "nothing of ours"
	}
	switch l.State {
	case stateTaking:
		return fmt.Sprintf("%s being suspended", what)
	case stateReleasing:
		return fmt.Sprintf("%s being resumed; they were suspended", what)
	}
	return fmt.Sprintf("%s suspended", what)
}
