package integrations

import "time"

// PageComponent is one part of a service as a status page tells customers of it.
type PageComponent struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Group  string `json:"group,omitempty"` // the name of the group it stands in
	Status string `json:"status"`
}

// The states of a component, in Statuspage's words, the best first.
const (
	ComponentOperational   = "operational"
	ComponentDegraded      = "degraded_performance"
	ComponentPartialOutage = "partial_outage"
	ComponentMajorOutage   = "major_outage"
	ComponentMaintenance   = "under_maintenance"
)

// ComponentStatuses are all of them.
var ComponentStatuses = []string{ComponentOperational, ComponentDegraded, ComponentPartialOutage, ComponentMajorOutage, ComponentMaintenance}

// The states of an incident on a status page, and how bad it is.
const (
	PageInvestigating = "investigating"
	PageIdentified    = "identified"
	PageMonitoring    = "monitoring"
	PageResolved      = "resolved"
)

// PageImpacts are the words for how bad an incident is.
var PageImpacts = []string{"none", "minor", "major", "critical"}

// PageIncident is an incident as customers read it.
type PageIncident struct {
	ID     string `json:"id"`
	Title  string `json:"title"`
	Status string `json:"status"`
	Impact string `json:"impact"`
	URL    string `json:"url,omitempty"`
	// Components are those that it names, with their states of now.
	Components []PageComponent `json:"components,omitempty"`
	Updates    []PageUpdate    `json:"updates,omitempty"` // the newest first
	Opened     time.Time       `json:"opened"`
	Resolved   time.Time       `json:"resolved,omitzero"`
	// Nonce is that of the newest change that was made from here.
	Nonce string `json:"nonce,omitempty"`
}

// Over says that it is resolved, or was a maintenance that is completed.
func (i PageIncident) Over() bool {
	return i.Status == PageResolved || i.Status == "completed" || i.Status == "postmortem"
}

// PageUpdate is one message of an incident.
type PageUpdate struct {
	ID     string    `json:"id"`
	Status string    `json:"status"`
	Body   string    `json:"body,omitempty"`
	At     time.Time `json:"at"`
}

// PagePost is what is to be posted: a new incident, or a message of one.
type PagePost struct {
	Title  string `json:"title,omitempty"` // of a new incident
	Status string `json:"status"`
	Body   string `json:"body"`
	Impact string `json:"impact,omitempty"` // "" is worked out by the page
	// Components are the states that are to be shown, by the ids of components; all of
	// them are named by the incident.
	Components map[string]string `json:"components,omitempty"`
	// Notify says that those who have subscribed to the page are written to.
	Notify bool `json:"notify"`
	// Nonce is kept with the incident, so that a post whose answer was lost is found.
	Nonce string `json:"nonce"`
}
