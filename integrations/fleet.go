package integrations

import "time"

// The words of a fleet: machines, the groups that replace them, and what sends them
// requests. A system of machines fills them in; whoever drains reads them.

// A Site is one account of a cloud in one region. Account is the name that the
// configuration gives it.
type Site struct {
	Account string `json:"account"`
	Region  string `json:"region"`
}

func (s Site) String() string {
	if s.Account == "" {
		return s.Region
	}
	return s.Account + "/" + s.Region
}

// States of an instance, in EC2's words.
const (
	InstancePending    = "pending"
	InstanceRunning    = "running"
	InstanceEnding     = "shutting-down"
	InstanceTerminated = "terminated"
	InstanceStopping   = "stopping"
	InstanceStopped    = "stopped"
)

// An Instance is one machine as its cloud shows it.
type Instance struct {
	Site
	ID string `json:"id"` // "i-0abc"
	// Name, Role and Status are the tags of these names, "" where it has none.
	Name     string            `json:"name"`
	Role     string            `json:"role"`
	Status   string            `json:"status"`
	Tags     map[string]string `json:"tags"`
	Zone     string            `json:"zone"`
	Type     string            `json:"type"`
	Address  string            `json:"address"` // the private one
	State    string            `json:"state"`
	Launched time.Time         `json:"launched"`
	Group    string            `json:"group"` // that replaces it, "" if none does
	Spot     bool              `json:"spot,omitempty"`
	// Notice is why its cloud is about to take a Spot instance back, "" if it is not, as
	// far as is known.
	Notice string `json:"notice,omitempty"`
}

// A ScalingGroup keeps a number of instances in service and replaces those that end.
type ScalingGroup struct {
	Name              string
	Min, Max, Desired int
	Members           []Member
	Suspended         []string // names of its processes, such as "Launch"
	Refreshing        bool     // it is replacing all of them
	Tags              map[string]string
	// HookTimeout is the longest that its hooks hold up a termination.
	HookTimeout time.Duration
	// LaunchHooks are what holds up a launch: a new member waits until each of them was
	// told to go on, or its time is over.
	LaunchHooks []LaunchHook
}

// A LaunchHook has a new member of a group wait, in MemberWaiting, before the group puts
// it into its pools.
type LaunchHook struct {
	Name string
	// Timeout is how long it waits from its beginning or the newest heartbeat, Longest
	// from its beginning whatever is said.
	Timeout, Longest time.Duration
	// Ends says that a member is ended whose time is over; else it is let in.
	Ends bool
}

// Hook finds a launch hook of the group by its name.
func (g *ScalingGroup) Hook(name string) (LaunchHook, bool) {
	if g != nil {
		for _, h := range g.LaunchHooks {
			if h.Name == name {
				return h, true
			}
		}
	}
	return LaunchHook{}, false
}

// Member finds an instance in the group.
func (g *ScalingGroup) Member(id string) (Member, bool) {
	if g != nil {
		for _, m := range g.Members {
			if m.ID == id {
				return m, true
			}
		}
	}
	return Member{}, false
}

// Lifecycle states of a member that are asked for by name; there are others.
const (
	MemberInService       = "InService"
	MemberStandby         = "Standby"
	MemberEnteringStandby = "EnteringStandby"
	MemberPending         = "Pending"
	MemberWaiting         = "Pending:Wait" // at a launch hook
)

// A Member is an instance in its group.
type Member struct {
	ID, Zone, Lifecycle string
	Healthy             bool
	Protected           bool // from scale-in
}

// Kinds of pools.
const (
	PoolALB     = "alb"
	PoolNLB     = "nlb"
	PoolClassic = "classic"
	PoolHAProxy = "haproxy"
)

// A Pool sends requests to instances: a target group, a classic load balancer, a
// backend of HAProxy.
type Pool struct {
	ID    string // an ARN, or a name
	Name  string
	Kind  string
	Delay time.Duration // it lets a connection end that long when an instance leaves
	// Spread says that a healthy instance of one zone takes requests of all.
	Spread bool
	Zones  []string // that it takes requests in
	// MinHealthy and MinHealthyPercent are its own setting of how many must be
	// healthy, 0 where it has none.
	MinHealthy, MinHealthyPercent int
	Seats                         []Seat
}

// States of a seat, in the load balancers' words; HAProxy's are mapped to them.
const (
	SeatHealthy  = "healthy"
	SeatUnused   = "unused"   // it gets no requests, because it is not in the pool
	SeatDraining = "draining" // it gets no new ones
)

// ReasonNotRegistered is why a seat is unused that is not in the pool.
const ReasonNotRegistered = "Target.NotRegistered"

// A Seat is one address of an instance in a pool.
type Seat struct {
	Pool     string `json:"pool"`
	Kind     string `json:"kind"` // of the pool
	Instance string `json:"instance"`
	Port     int    `json:"port,omitempty"`
	Zone     string `json:"zone,omitempty"` // as it was registered: "" unless it says one
	// Address is what a pool knows it by that knows no instances, "" in others.
	Address string `json:"address,omitempty"`
	State   string `json:"-"`
	Reason  string `json:"-"`
	// Connections that are open, where the pool knows; else -1.
	Connections int `json:"-"`
}

// A Machine is an instance with all that decides whether it may go.
type Machine struct {
	Instance
	// Locked says that its termination is disabled.
	Locked bool
	// Loses names the disks whose content a termination would lose or leave behind:
	// instance store, volumes that are kept.
	Loses []string
	Group *ScalingGroup // nil: none replaces it
	Pools []Pool        // those that have a seat for it
	// Reachable says that commands can be run on it.
	Reachable bool
	Seen      time.Time
}

// AnyCluster, in the place of a cluster's name, is to look in all of them.
const AnyCluster = "*"

// States of a task host that are asked for by name; there are others.
const (
	TaskHostActive   = "ACTIVE"
	TaskHostDraining = "DRAINING" // its cluster moves its tasks away, and starts none on it
)

// A TaskHost is an instance as the cluster sees it whose tasks it runs.
type TaskHost struct {
	Cluster, ID, Status string
	Tasks               []Task // that are not over
}

// TaskStopped is the last status of a task that is over; any other one still runs, or
// is on its way.
const TaskStopped = "STOPPED"

// A Task is some containers that run together on a host.
type Task struct {
	ID     string `json:"id"`
	Group  string `json:"group"`  // "service:web", or "family:batch" for one of no service
	Status string `json:"status"` // the last that was seen: "RUNNING", "DEACTIVATING"
	// Ports are those of the host that lead to it, by which pools know it; a task that is
	// started anew may have others.
	Ports []int `json:"ports,omitempty"`
}

// States of a command on a host.
const (
	CommandRunning = "running" // or on its way
	CommandDone    = "done"    // it ran, and ended with Exit
	CommandUnknown = "unknown" // nobody can tell whether it ran: not delivered, timed out, cut off
)

// CommandResult is what came of a command on a host.
type CommandResult struct {
	State  string
	Exit   int
	Output string // at most 24,000 bytes of it
	Why    string
}

// Statuses of a host in the system that watches it, in Mackerel's words. One in
// standby is watched, and nobody is told of it; one in maintenance or poweroff is not
// watched.
const (
	HostWorking     = "working"
	HostStandby     = "standby"
	HostMaintenance = "maintenance"
	HostPoweroff    = "poweroff"
)

// A MonitoredHost is an instance as the system shows it that watches it.
type MonitoredHost struct {
	ID     string // that system's own
	Name   string
	Status string
	// Instance is its id in EC2, "" if it says none.
	Instance string
	// Roles are what it is watched as: "service:role".
	Roles []string
	// Since is when it began to be watched.
	Since time.Time
	// Retired says that it is watched no more, for good: its alerts are closed.
	Retired bool
}

// A Downtime is a time in which that system calls nobody, on purpose.
type Downtime struct {
	ID, Name, Note string
	From, Until    time.Time // half open
	// Covers is what it is of, in words of that system: services, "service:role"s, and
	// monitors by their ids; nothing is all.
	Covers []string
}
