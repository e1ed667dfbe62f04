package integrations

import "time"

// Roster says who is on call. An error means that nobody can tell, which is no.
type Roster interface {
	// OnCall are the people on call for a service in an environment at a moment,
	// who is asked first at the front. An empty list says that nobody is configured
	// as on call there; a schedule in which a moment has nobody is an error, because
	// where nobody is configured the right break-glass stands for on call.
	OnCall(service, environment string, at time.Time) ([]Person, error)
}

// ConfiguredRoster is the roster that stands in the configuration: the people
// on call of a service, or else those of the environment, always the same.
func ConfiguredRoster(catalog func() *Catalog) Roster { return configured{catalog} }

type configured struct{ catalog func() *Catalog }

func (c configured) OnCall(service, environment string, _ time.Time) ([]Person, error) {
	cat := c.catalog()
	var out []Person
	for _, n := range OnCallNames(cat, service, environment) {
		for _, p := range cat.People {
			if p.Name == n {
				out = append(out, p)
			}
		}
	}
	return out, nil
}

// OnCallNames are the people and schedules that the configuration names as on call for a
// service in an environment: those of the service, or else of the environment.
func OnCallNames(cat *Catalog, service, environment string) []string {
	s, _ := cat.Service(service)
	if e, ok := cat.Environment(environment); ok && len(s.OnCall) == 0 {
		return e.OnCall
	}
	return s.OnCall
}
