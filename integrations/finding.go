package integrations

// Finding is one line of what `signalbox check` found out.
type Finding struct {
	What string `json:"what"`           // what was looked at: "Slack bot token"
	OK   bool   `json:"ok"`             // it is as it should be
	Warn bool   `json:"warn,omitempty"` // it is not, and signalbox works without it
	Say  string `json:"say"`            // what was found
	Do   string `json:"do,omitempty"`   // what to do about it
}
