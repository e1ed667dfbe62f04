package oncall

import (
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// waits is what whoever comes on call finds: open incidents, jobs of which nobody can
// tell how they ended, what is held, and what other features hand over.
func (f *Rota) waits(tx *store.Tx) (out []integrations.Rich, err error) {
	for _, more := range append([]func(*store.Tx) ([]integrations.Rich, error){f.incidents, UnknownJobs, f.held}, f.HandedOver...) {
		rows, err := more(tx)
		if err != nil {
			return nil, err
		}
		out = append(out, rows...)
	}
	return out, nil
}

func (f *Rota) incidents(tx *store.Tx) (out []integrations.Rich, err error) {
	err = store.Feature[gate.Incident](tx, gate.IncidentFeature).Each("", func(_ string, i gate.Incident) error {
		if i.Over.IsZero() {
			row := integrations.R("🔥 ", integrations.Code(i.ID), " “", i.Title, "” · ")
			if i.By != (store.Person{}) {
				row = append(row, integrations.R(gate.FromStore(i.By).Display(), ", ")...)
			}
			out = append(out, append(row, integrations.R(gate.Age(tx.Now().Sub(i.Opened)))...))
		}
		return nil
	})
	return out, err
}

// UnknownJobs are those of which nobody can tell how they ended.
func UnknownJobs(tx *store.Tx) (out []integrations.Rich, err error) {
	all, err := tx.LiveJobs()
	for _, j := range all {
		if j.State == store.JobUnknown {
			out = append(out, integrations.R("❓ ", integrations.Code(j.ID), " on ", integrations.Bold(j.Target), " was interrupted; somebody has to say how it ended"))
		}
	}
	return out, err
}

func (f *Rota) held(tx *store.Tx) (out []integrations.Rich, err error) {
	all, err := tx.Holds()
	for _, h := range all {
		if h.Over(tx.Now()) {
			continue
		}
		icon := map[string]string{store.HoldFreeze: "🧊", store.HoldDirty: "🧹"}[h.Kind]
		if icon == "" {
			icon = "🔒"
		}
		row := integrations.R(icon, " ", integrations.Code(h.ID), " ", heldWhat(h), " · ", h.Owner.Name)
		if h.Reason != "" {
			row = append(row, integrations.R(": ", integrations.Italic(h.Reason))...)
		}
		out = append(out, row)
	}
	return out, err
}

// heldWhat is what a hold holds, in a word.
func heldWhat(h *store.Hold) string {
	switch {
	case h.Target != "":
		return h.Target
	case h.Service != "" && h.Environment != "":
		return h.Service + "/" + h.Environment
	case h.Service != "":
		return h.Service
	case h.Environment != "":
		return h.Environment
	}
	return "everything"
}
