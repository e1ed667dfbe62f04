package ingress

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// UnderWay says of each port that is open, or may be, for whom, to which address, since
// when and until when at the latest; of one that is being closed, what keeps it; and of
// each rule that nobody here opened that it is there.
func UnderWay(tx *store.Tx) (out []integrations.Rich, err error) {
	all, err := live(tx, func(*Lease) bool { return true })
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b *Lease) int { return cmp.Or(a.Expires.Compare(b.Expires), cmp.Compare(a.ID, b.ID)) })
	for _, l := range all {
		row := integrations.R("🔓 ", integrations.Code(l.ID), " ", integrations.Bold(fmt.Sprintf("%s (%s)", l.Group, l.Site)), " · ", l.doing(), " for ", integrations.Code(l.Job), " on ", l.Target,
			" · since ", integrations.When(l.Begun, nil), ", until ", integrations.When(l.Expires, nil), " at the latest")
		if l.State == stateClosing && l.Why != "" {
			row = append(row, integrations.R(" · ⚠️ ", integrations.Italic(l.Why))...)
		}
		out = append(out, append(row, integrations.R(" · ", gate.FromStore(l.By).Display())...))
	}
	err = strays(tx).Each("", func(_ string, s Stray) error {
		if s.Told && s.Ended.IsZero() {
			out = append(out, integrations.R("🚨 ", integrations.Code(s.Rule), " ", integrations.Bold(fmt.Sprintf("%s (%s)", s.Group, s.Site)), " · ", fmt.Sprintf("port %d is open to %s, and nobody here opened it", s.Port, s.CIDR),
				" · since ", integrations.When(s.Since, nil)))
		}
		return nil
	})
	return out, err
}

// doing is what happens to the port.
func (l *Lease) doing() string {
	switch l.State {
	case stateOpening:
		return fmt.Sprintf("port %d is being opened to %s", l.Port, l.CIDR)
	case stateClosing:
		return fmt.Sprintf("port %d is being closed to %s; it was open", l.Port, l.CIDR)
	}
	return fmt.Sprintf("port %d is open to %s", l.Port, l.CIDR)
}
