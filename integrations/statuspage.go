package integrations

import (
	"slices"
	"time"
)

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

// PageSubject is an incident here, as far as it decides what customers may be told of it.
type PageSubject struct {
	ID          string // "incident-3"
	Title       string // in the words of whoever reported it
	Source      string // of its alerts, as the configuration names it; "" is a person
	Service     string
	Environment string
	Check       string
	Severity    string
	Over        bool
}

// PageOffer has the messages of some incidents propose to tell customers: of those that
// have one of each list; an empty list is all.
type PageOffer struct {
	Sources      []string `yaml:"sources"`
	Services     []string `yaml:"services"`
	Environments []string `yaml:"environments"`
	Checks       []string `yaml:"checks"`
	Severities   []string `yaml:"severities"`
	// Components are those of the page that are proposed, Status is what they become; "" is
	// ComponentMajorOutage.
	Components []string `yaml:"components"`
	Status     string   `yaml:"status"`
	// Impact is how bad it is; "" is worked out by the page.
	Impact string `yaml:"impact"`
}

// Fits says whether an incident is one of those.
func (o PageOffer) Fits(s PageSubject) bool {
	for _, one := range []struct {
		of   []string
		what string
	}{{o.Sources, s.Source}, {o.Services, s.Service}, {o.Environments, s.Environment}, {o.Checks, s.Check}, {o.Severities, s.Severity}} {
		if len(one.of) > 0 && !slices.Contains(one.of, one.what) {
			return false
		}
	}
	return true
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
