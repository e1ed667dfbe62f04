package integrations

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// The states that an alert tells of. They are words, not an enumeration: whoever reads
// one that it does not know takes it for AlertUpdated.
const (
	AlertFiring         = "firing"   // something is wrong, still or anew
	AlertResolved       = "resolved" // it is well again, or the source has closed it
	AlertFlapping       = "flapping" // it goes to and fro; it is neither wrong nor well
	AlertAcknowledged   = "acknowledged"
	AlertUnacknowledged = "unacknowledged" // whoever had it has it no more
	AlertNoted          = "noted"          // somebody wrote something about it; Text is what
	AlertUpdated        = "updated"        // something else of it changed; Kind says what, Text in words
)

// The severities of alerts, the worst first; SeverityUnknown is that of a source that
// says none.
const (
	SeverityCritical = "critical"
	SeverityError    = "error"
	SeverityWarning  = "warning"
	SeverityInfo     = "info"
	SeverityUnknown  = "unknown"
)

// AlertStates and Severities are those that a configuration may name.
var (
	AlertStates = []string{AlertFiring, AlertResolved, AlertFlapping, AlertAcknowledged, AlertUnacknowledged, AlertNoted, AlertUpdated}
	Severities  = []string{SeverityCritical, SeverityError, SeverityWarning, SeverityInfo, SeverityUnknown}
)

// Alert is what a source says of one thing that it watches. All of it was written by
// others: Tidy has bounded each text and taken out what does not belong in one, and
// markup is still whatever the source wrote. What a source does not say is zero.
type Alert struct {
	Source string `json:"source,omitempty"` // as the configuration names it; Read leaves it empty
	// Key says what it is about: the alerts of one source with the same key belong to
	// one incident, from the first to the one that resolves it.
	Key   string `json:"key"`
	Group string `json:"group,omitempty"` // what the source sends together, such as Alertmanager's groupKey
	State string `json:"state"`
	Kind  string `json:"kind,omitempty"` // what the source itself calls it: "incident.escalated"

	Severity    string `json:"severity"`
	Title       string `json:"title"` // one line, never empty
	Text        string `json:"text,omitempty"`
	Service     string `json:"service,omitempty"`     // as the source or the configuration says
	Environment string `json:"environment,omitempty"` // likewise

	Host     string   `json:"host,omitempty"`     // its name, as the source says
	HostID   string   `json:"host_id,omitempty"`  // the source's own id of it
	Instance string   `json:"instance,omitempty"` // of EC2: "i-0123456789abcdef0"
	Roles    []string `json:"roles,omitempty"`
	Check    string   `json:"check,omitempty"` // the check, monitor, rule or alarm
	Metric   Metric   `json:"metric,omitzero"`

	URL      string            `json:"url,omitempty"` // of the alert at its source
	Runbook  string            `json:"runbook,omitempty"`
	Image    string            `json:"image,omitempty"`
	Labels   map[string]string `json:"labels,omitempty"`
	Silenced bool              `json:"silenced,omitempty"` // the source calls nobody for it
	// Maintenance says that what it is about is out of service on purpose.
	Maintenance bool `json:"maintenance,omitempty"`

	At       time.Time     `json:"at,omitzero"`     // when this happened, in UTC
	Opened   time.Time     `json:"opened,omitzero"` // when it began, in UTC
	By       AlertPerson   `json:"by,omitzero"`     // who did it, elsewhere
	Assigned []AlertPerson `json:"assigned,omitempty"`
	Count    int           `json:"count,omitempty"` // how many times in a row the source has seen it
}

// Metric is what was measured, as people read it.
type Metric struct {
	Name      string `json:"name,omitempty"`
	Value     string `json:"value,omitempty"`
	Operator  string `json:"operator,omitempty"` // ">"
	Threshold string `json:"threshold,omitempty"`
}

// AlertPerson is somebody as a source knows them.
type AlertPerson struct {
	ID    string `json:"id,omitempty"`
	Name  string `json:"name,omitempty"`
	Email string `json:"email,omitempty"`
}

// AlertNotice is one delivery of a source.
type AlertNotice struct {
	Source string `json:"source,omitempty"` // as the configuration names it; Read leaves it empty
	// ID is the same when the delivery is made again, and only then; "" where the source
	// has none.
	ID string `json:"id,omitempty"`
	// Kind is what the source calls it. A ping, a test and a kind that is not known have
	// one, and no alerts.
	Kind   string  `json:"kind,omitempty"`
	Alerts []Alert `json:"alerts,omitempty"`
	More   int     `json:"more,omitempty"` // alerts that were left out, here or by the source
}

// AlertSource reads what a system sends when something is wrong.
//
// Read is pure: the same header and body give the same notice, whenever they are read.
// It is total: a kind that it does not know is a notice without alerts, and its error
// says what is wrong with a body that is none of the system's. What it returns has been
// through Tidy. The suite integrationstest.Alerts holds every source to this.
type AlertSource interface {
	Read(header http.Header, body []byte) (AlertNotice, error)
	// Headers are the names of those that Read looks at: no others are kept with a
	// delivery, so that no credentials are.
	Headers() []string
}

// AlertSigner is a source whose deliveries can be signed. It drops what is answered with
// 4xx, or stops sending: what comes of it is kept even where it cannot be read.
type AlertSigner interface {
	AlertSource
	// Signs says that it has what it takes to tell a right signature.
	Signs() bool
	// Authentic checks the signature over a body, in constant time, and reads nothing of
	// the body before. Its error is *Later where it cannot be told now.
	Authentic(ctx context.Context, header http.Header, body []byte) error
}

// AlertConfirmer is a source that wants to be answered before it begins to send.
type AlertConfirmer interface {
	// Confirm does so if the delivery asks for it, and says what it did; "" is nothing.
	// Doing it again does no harm. Its error is *Later where another try may help.
	Confirm(ctx context.Context, header http.Header, body []byte) (did string, err error)
}

// What Authentic refuses.
var (
	ErrAlertUnsigned = errors.New("it is not signed")
	ErrAlertForged   = errors.New("its signature is not made with a secret of ours")
)

// AlertOptions are what a source is made with.
type AlertOptions struct {
	// Secrets are those that deliveries are signed with; several while one is rotated.
	Secrets []Secret
	// Decode lays the settings of the configuration over a struct, strictly.
	Decode func(into any) error
	// Environment is what its alerts are taken for where they do not say; "" is nothing.
	Environment string
	// HTTP makes requests, where a source has to ask its system; nil is one of its own.
	HTTP http.RoundTripper
}

// AlertSecrets is a source whose settings hold what must not be seen.
type AlertSecrets interface{ Secrets() []Secret }

// NoSettings is what a source that has no settings makes of them: a mistake, where there
// are any.
func (o AlertOptions) NoSettings() error {
	if o.Decode == nil {
		return nil
	}
	return o.Decode(&struct{}{})
}
