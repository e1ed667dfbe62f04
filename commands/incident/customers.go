package incident

import (
	"cmp"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// customers are the buttons by which customers are told of an incident, or that it is over.
// Of one that stands in a storm, and of the storm, nobody proposes anything.
func (f *feature) customers(tx *store.Tx, i *Incident) ([]integrations.Button, error) {
	if f.Customers == nil || i.Members != nil || i.Storm != "" {
		return nil, nil
	}
	return f.Customers(tx, integrations.PageSubject{
		ID: i.ID, Title: i.Title, Source: i.Source, Service: i.Service, Environment: i.Environment, Check: cmp.Or(i.Alert.Check, i.Key), Severity: i.Severity, Over: !i.open(),
	})
}
