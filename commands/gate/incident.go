package gate

import (
	"time"

	"github.com/signalbox-chatops/signalbox/store"
)

// Incident is an incident as the feature that keeps them writes it down, by id.
type Incident struct {
	ID          string       `json:"id"`               // "incident-3"
	Source      string       `json:"source,omitempty"` // of the alerts that made it; "" where a person did
	Title       string       `json:"title"`
	Service     string       `json:"service,omitempty"` // "": any
	Environment string       `json:"environment,omitempty"`
	By          store.Person `json:"by"`
	Channel     string       `json:"channel,omitempty"`
	Opened      time.Time    `json:"opened"`
	Over        time.Time    `json:"over,omitzero"`
	OverBy      store.Person `json:"over_by,omitzero"`
}

// IncidentFeature is where they stand.
const IncidentFeature = "incident"

// OpenIncident finds an open incident that touches a service in an environment, and that
// a person declared or has acknowledged: an alert alone lets nobody pass anything, and one
// that names no service none of them. nil if there is none.
func OpenIncident(tx *store.Tx, service, environment string) (*Incident, error) {
	var found *Incident
	err := store.Feature[Incident](tx, IncidentFeature).Each("", func(_ string, i Incident) error {
		if i.Over.IsZero() && i.By != (store.Person{}) && i.Environment == environment && (i.Service == service || i.Service == "" && i.Source == "") {
			found = &i
		}
		return nil
	})
	return found, err
}
