package incident

import (
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

const keptHandled = "incident-handled"

func handled(tx *store.Tx) *store.Records[integrations.Handled] {
	return store.Feature[integrations.Handled](tx, keptHandled)
}

// time writes down how long an incident took, or that it goes on again. A storm counts once,
// for all that it stands for.
func (i *Incident) time(tx *store.Tx) error {
	switch {
	case i.Storm != "":
		return nil
	case i.open():
		if _, was, err := handled(tx).Get(i.ID); err != nil || !was {
			return err
		}
		return handled(tx).Delete(i.ID)
	}
	return handled(tx).Put(i.ID, integrations.Handled{
		Incident: i.ID, Source: i.Source, Service: i.Service, Environment: i.Environment, Severity: i.Severity, Opened: i.Opened, Acked: i.FirstAck, Over: i.Over,
	})
}

// Handled are the incidents that were over in a time, after from and not after to.
func Handled(tx *store.Tx, from, to time.Time) (out []integrations.Handled, err error) {
	err = handled(tx).Each("", func(_ string, h integrations.Handled) error {
		if h.Over.After(from) && !h.Over.After(to) {
			out = append(out, h)
		}
		return nil
	})
	return out, err
}
