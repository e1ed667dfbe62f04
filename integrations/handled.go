package integrations

import "time"

// Handled is how long an incident took, once it is over.
type Handled struct {
	Incident    string    `json:"incident"`         // its id
	Source      string    `json:"source,omitempty"` // of its alerts, as the configuration names it; "" is a person
	Service     string    `json:"service,omitempty"`
	Environment string    `json:"environment,omitempty"`
	Severity    string    `json:"severity,omitempty"`
	Opened      time.Time `json:"opened"`
	Acked       time.Time `json:"acked,omitzero"` // the first time that somebody had it; zero is never
	Over        time.Time `json:"over"`           // the last time, where it came back
}
