package drain

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// Closed is a guard that says no: with the numbers, and what would change it.
type Closed struct {
	Guard string `json:"guard"`
	Why   string `json:"why"`
	Opens string `json:"opens"`
}

func (c Closed) String() string {
	s := fmt.Sprintf("%s: %s.", c.Guard, c.Why)
	if c.Opens != "" {
		s += " " + c.Opens + "."
	}
	return s
}

// Question is all that the guards look at. They are pure: they ask nobody.
type Question struct {
	Machine integrations.Machine
	Role    Role // zero if it is not configured
	Config  Config
	Here    Here
	Others  []*Drain // other drains that may change something now
	Keep    bool
	Shrink  bool // its group is to want one less
	// Out says that it has left its pools already, by us: it is asked again before
	// the irreversible step.
	Out bool
}

// Here is where signalbox itself runs, as the machine says: on no instance unless it says
// one. Lost is why nobody can tell which, although it is one of EC2.
type Here struct{ Instance, Lost string }

// here asks the machine, unless the configuration says it.
func (f *feature) here(ctx context.Context) Here {
	if f.Self == nil || len(f.Config().Self) > 0 {
		return Here{}
	}
	id, onEC2, err := f.Self(ctx)
	switch {
	case id != "":
		return Here{Instance: id}
	case onEC2 && err != nil:
		return Here{Lost: err.Error()}
	case onEC2:
		return Here{Lost: "it does not say"}
	case err != nil:
		f.Log.Warn("ask where signalbox runs", "error", err)
	}
	return Here{}
}

// A guard refuses, or says nothing. They are those of facts/aws.md 1.2.
type guard struct {
	name string
	ask  func(q Question) (why, opens string)
}

func allGuards() []guard {
	return []guard{
		{"running", guardRunning},
		{"G1 self", guardSelf},
		{"G2 role", guardRole},
		{"G2 precious", guardPrecious},
		{"G2 Spot notice", guardSpot},
		{"G3 healthy floor", guardFloor},
		{"G4 group", guardGroup},
		{"G5 one at a time", guardOne},
		{"log gate", guardLogs},
	}
}

// guards asks all of them.
func guards(q Question) (closed []Closed) {
	for _, g := range allGuards() {
		if why, opens := g.ask(q); why != "" {
			closed = append(closed, Closed{g.name, why, opens})
		}
	}
	return closed
}

func guardRunning(q Question) (string, string) {
	if q.Machine.State != integrations.InstanceRunning {
		return "it is " + q.Machine.State, ""
	}
	return "", ""
}

func guardSelf(q Question) (string, string) {
	switch {
	case slices.Contains(q.Config.Self, q.Machine.ID), q.Here.Instance == q.Machine.ID && q.Machine.ID != "":
		return "this is where signalbox itself runs", "Have another signalbox do it"
	case q.Here.Lost != "":
		return fmt.Sprintf("signalbox runs on an instance of EC2, and cannot tell on which: “%s”", short(q.Here.Lost)), "Name it under drain.self"
	}
	return "", ""
}

func guardRole(q Question) (string, string) {
	role := q.Machine.Role
	may := "Roles that may be drained: " + strings.Join(q.Config.Names(), ", ")
	if len(q.Config.Roles) == 0 {
		may = "The configuration names no role under drain.roles"
	}
	switch {
	case role == "":
		return "it has no tag Role", may
	case slices.Contains(careful, strings.ToLower(role)):
		return fmt.Sprintf("an instance of the role %s keeps something that is lost with it", role), may
	case q.Role.Name == "":
		return fmt.Sprintf("the role %s is not one that may be drained", role), may
	}
	return "", ""
}

// guardPrecious keeps what a termination would lose. DisableApiTermination does not
// stop a group from terminating, so it is heeded here.
func guardPrecious(q Question) (string, string) {
	m := q.Machine
	for _, tag := range []string{"Stateful", "Protected"} {
		if v, ok := m.Tags[tag]; ok && !strings.EqualFold(v, "false") {
			return fmt.Sprintf("it has the tag %s=%s", tag, v), "Whoever set that takes it off"
		}
	}
	if q.Keep {
		return "", ""
	}
	switch {
	case m.Locked:
		return "its termination is disabled (DisableApiTermination)", "Take it out with --keep, or enable its termination"
	case len(m.Loses) > 0:
		return "it has " + strings.Join(m.Loses, " and "), "Take it out with --keep, and save what is on it"
	}
	return "", ""
}

// guardSpot leaves alone what is about to go: its group replaces it, and a drain that
// ends halfway helps nobody. Once it is out, its end is one like any other.
func guardSpot(q Question) (string, string) {
	if q.Machine.Notice == "" || q.Out {
		return "", ""
	}
	return fmt.Sprintf("EC2 takes this Spot instance back (%s): it leaves by itself within two minutes, and there is nothing to drain", q.Machine.Notice), "Look again when its replacement runs"
}

func guardFloor(q Question) (string, string) {
	for _, f := range floors(q) {
		switch {
		case f.After == 0:
			return fmt.Sprintf("no other instance is healthy in %s, and a pool without a healthy one sends requests to all of them: this one may carry everything", f.Pool), "Wait until others are healthy there"
		case f.After < f.Need:
			return fmt.Sprintf("%s would keep %d healthy of %d, and needs %d", f.Pool, f.After, f.Of, f.Need), fmt.Sprintf("Wait until %d more are healthy there", f.Need-f.After)
		case f.Bare != "":
			return fmt.Sprintf("%s does not send across zones, and would keep nobody healthy in %s", f.Pool, f.Bare), "Wait until another one is healthy in that zone"
		}
	}
	return "", ""
}

func guardGroup(q Question) (string, string) {
	g, m := q.Machine.Group, q.Machine
	if g == nil {
		if q.Keep || q.Role.Alone {
			return "", ""
		}
		return "no auto scaling group replaces it", fmt.Sprintf("Take it out with --keep, or set drain.roles.%s.alone", m.Role)
	}
	member, ok := g.Member(m.ID)
	switch {
	case !ok:
		return fmt.Sprintf("the group %s does not list it", g.Name), ""
	case strings.HasPrefix(member.Lifecycle, "Warmed"):
		return fmt.Sprintf("it is in the warm pool of %s", g.Name), ""
	case !q.Out && member.Lifecycle != integrations.MemberInService:
		return fmt.Sprintf("it is %s in %s, and not InService", member.Lifecycle, g.Name), "Wait until it is InService"
	case q.Out && member.Lifecycle != integrations.MemberStandby:
		return fmt.Sprintf("it is %s in %s, and was to be in Standby: somebody else moved it", member.Lifecycle, g.Name), "Undo, and drain it again"
	case slices.Contains(g.Suspended, "Launch"):
		return fmt.Sprintf("the process Launch of %s is suspended, so nothing would replace it and it could not come back", g.Name), "Resume that process"
	case slices.Contains(g.Suspended, "Terminate") && !q.Keep:
		return fmt.Sprintf("the process Terminate of %s is suspended", g.Name), "Resume that process"
	case g.Refreshing:
		return fmt.Sprintf("an instance refresh of %s is going on, which replaces instances itself", g.Name), "Wait for its end, or cancel it"
	case g.Tags[tagLock] != "":
		return fmt.Sprintf("%s is locked by a deploy: %s", g.Name, g.Tags[tagLock]), "Wait for its end"
	case (q.Keep || q.Shrink) && !q.Out && g.Desired-1 < g.Min:
		return fmt.Sprintf("%s wants %d and has a minimum of %d: it cannot go without one", g.Name, g.Desired, g.Min), "Lower the minimum, or drain it without --keep"
	}
	return "", ""
}

// guardOne is also the lock of the group and of each pool: two drains that each keep
// a floor can break it together.
func guardOne(q Question) (string, string) {
	for _, d := range q.Others {
		what := ""
		switch {
		case d.Instance == q.Machine.ID:
			what = "this instance"
		case d.Role == q.Machine.Role:
			what = "its role"
		case d.Group != "" && q.Machine.Group != nil && d.Group == q.Machine.Group.Name && d.At == q.Machine.Site:
			what = "its group"
		case slices.ContainsFunc(d.Seats, func(s integrations.Seat) bool {
			return slices.ContainsFunc(q.Machine.Pools, func(p integrations.Pool) bool { return p.ID == s.Pool })
		}):
			what = "one of its pools"
		}
		if what != "" {
			return fmt.Sprintf("%s (%s) is %s, and has %s to itself until it ends", d.ID, d.machine(), word(d.State), what), "Wait for its end"
		}
	}
	return "", ""
}

// guardLogs asks before anything is done whether the logs could be proved.
func guardLogs(q Question) (string, string) {
	if q.Keep || q.Role.Name == "" || q.Out {
		return "", ""
	}
	if q.Role.Logs != logsNone && !q.Machine.Reachable {
		return "no command can be run on it (Systems Manager does not reach it), so nobody could tell whether its logs are shipped", "Mend its agent, or take it out with --keep"
	}
	return "", ""
}
