package status

import (
	"fmt"
	"slices"

	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// silent puts in front which systems do not answer, and what waits for them.
func (f *feature) silent(tx *store.Tx, p *page) error {
	now := f.Clock.Now()
	var rows []integrations.Rich
	for _, w := range f.Watched {
		since, ok := w.Silent()
		if !ok || now.Sub(since) < integrations.SilenceKnown {
			continue
		}
		jobs, err := gate.WaitFor(tx, w.Name)
		if err != nil {
			return err
		}
		untold, err := gate.Untold(tx, w.Name, now)
		if err != nil {
			return err
		}
		row := integrations.R("📡 ", integrations.Bold(w.Silence(since, now)))
		if things := gate.Things(jobs); things != "" {
			row = append(row, integrations.R("; "+things)...)
		}
		switch n := len(untold); n {
		case 0:
		case 1:
			row = append(row, integrations.R("; 1 message waits to be shown there")...)
		default:
			row = append(row, integrations.R(fmt.Sprintf("; %d messages wait to be shown there", n))...)
		}
		rows = append(rows, row)
	}
	p.rows = slices.Concat(rows, p.rows)
	return nil
}
