package integrations

import "time"

// A Scaling is an auto scaling group whose processes rest while something that
// changes it, or what runs on it, is under way.
type Scaling struct {
	Site
	Group     string   `json:"group"`
	Processes []string `json:"processes"` // some of RestingProcesses, one at least
	// Limit is how long they rest at most: no alarm adds an instance meanwhile.
	Limit time.Duration `json:"limit"`
}

// RestingProcesses are the processes of a group that may rest, and do where nothing
// else is said.
var RestingProcesses = []string{"AZRebalance", "AlarmNotification", "ScheduledActions", "ReplaceUnhealthy", "InstanceRefresh"}

// BusyProcesses are those that may not, and why (the user guide of Amazon EC2 Auto
// Scaling, "Suspend and resume processes").
var BusyProcesses = map[string]string{
	"Launch":            "nothing would be replaced, and no instance could come back from Standby",
	"Terminate":         "the group could grow past its maximum while it balances its zones",
	"AddToLoadBalancer": "instances that start meanwhile are not added to their load balancers later",
	"HealthCheck":       "instances that break meanwhile would not be found; one that may look broken goes to Standby",
}

// How long processes may rest.
const (
	ScalingLimit    = 30 * time.Minute // where nothing is said
	ScalingShortest = time.Minute
	ScalingLongest  = 2 * time.Hour
)

// TagLock is the tag of a group whose processes rest: "job-7 until 2026-03-04T10:30:00Z".
const TagLock = "signalbox:lock"
