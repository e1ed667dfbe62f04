package drain

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// may is a question that every guard says yes to.
func may() Question {
	seats := func(n int) (out []integrations.Seat) {
		for i := range n {
			out = append(out, integrations.Seat{Pool: "tg/web", Kind: integrations.PoolALB, Instance: fmt.Sprint("i-", i+1), Port: 8080, Zone: []string{"a", "c"}[i%2], State: integrations.SeatHealthy})
		}
		return out
	}
	return Question{
		Role: appRole, Config: Config{Roles: []Role{appRole}},
		Machine: integrations.Machine{
			Instance:  integrations.Instance{ID: "i-1", Role: "app", Zone: "a", Group: "web", State: integrations.InstanceRunning, Tags: map[string]string{"Role": "app"}},
			Group:     &integrations.ScalingGroup{Name: "web", Min: 2, Max: 8, Desired: 4, Tags: map[string]string{}, Members: []integrations.Member{{ID: "i-1", Zone: "a", Lifecycle: integrations.MemberInService}}},
			Pools:     []integrations.Pool{{ID: "tg/web", Name: "web", Kind: integrations.PoolALB, Spread: true, Zones: []string{"a", "c"}, Seats: seats(4)}},
			Reachable: true,
		},
	}
}

// Each guard, with what closes it: facts/aws.md 1.2. The words are what a person reads.
func TestGuards(t *testing.T) {
	unhealthy := func(q *Question, ids ...string) {
		for i, s := range q.Machine.Pools[0].Seats {
			if slices.Contains(ids, s.Instance) {
				q.Machine.Pools[0].Seats[i].State = "unhealthy"
			}
		}
	}
	for _, c := range []struct {
		what  string
		spoil func(q *Question)
		guard string // "" is none
		says  string
	}{
		{"all well", func(*Question) {}, "", ""},
		{"stopped", func(q *Question) { q.Machine.State = integrations.InstanceStopped }, "running", "it is stopped"},
		{"ourselves", func(q *Question) { q.Config.Self = []string{"i-0", "i-1"} }, "G1 self", "signalbox itself"},
		{"ourselves, as the machine says", func(q *Question) { q.Here.Instance = "i-1" }, "G1 self", "signalbox itself"},
		{"ourselves elsewhere", func(q *Question) { q.Here.Instance = "i-2" }, "", ""},
		{"ourselves on EC2, and nobody can tell where", func(q *Question) { q.Here.Lost = "no answer within 1s" }, "G1 self", "cannot tell on which: “no answer within 1s”. Name it under drain.self."},
		{"no role", func(q *Question) { q.Machine.Role, q.Role = "", Role{} }, "G2 role", "no tag Role. Roles that may be drained: app."},
		{"another role", func(q *Question) { q.Machine.Role, q.Role = "batch", Role{} }, "G2 role", "the role batch is not one"},
		{"a database", func(q *Question) { q.Machine.Role = "DB" }, "G2 role", "keeps something that is lost"},
		{"stateful", func(q *Question) { q.Machine.Tags["Stateful"] = "true" }, "G2 precious", "the tag Stateful=true"},
		{"not stateful", func(q *Question) { q.Machine.Tags["Stateful"] = "False" }, "", ""},
		{"protected", func(q *Question) { q.Machine.Tags["Protected"] = "" }, "G2 precious", "the tag Protected="},
		{"protected and kept", func(q *Question) { q.Machine.Tags["Protected"] = ""; q.Keep = true }, "G2 precious", "the tag Protected="},
		{"taken back", func(q *Question) { q.Machine.Notice = "marked-for-termination" }, "G2 Spot notice", "takes this Spot instance back (marked-for-termination): it leaves by itself within two minutes, and there is nothing to drain."},
		{"taken back, to be kept", func(q *Question) { q.Machine.Notice, q.Keep = "marked-for-stop", true }, "G2 Spot notice", "marked-for-stop"},
		{"locked", func(q *Question) { q.Machine.Locked = true }, "G2 precious", "DisableApiTermination"},
		{"locked and kept", func(q *Question) { q.Machine.Locked = true; q.Keep = true }, "", ""},
		{"a disk", func(q *Question) { q.Machine.Loses = []string{"vol-1, which stays", "instance store"} }, "G2 precious", "vol-1, which stays and instance store"},
		{"one healthy besides", func(q *Question) { unhealthy(q, "i-2", "i-3") }, "", ""},
		{"the last healthy", func(q *Question) { unhealthy(q, "i-2", "i-3", "i-4") }, "G3 healthy floor", "no other instance is healthy in web"},
		{"nobody healthy, itself included", func(q *Question) { unhealthy(q, "i-1", "i-2", "i-3", "i-4") }, "G3 healthy floor", "sends requests to all of them"},
		{"initial is not healthy", func(q *Question) {
			for i := range q.Machine.Pools[0].Seats[1:] {
				q.Machine.Pools[0].Seats[i+1].State = "initial"
			}
		}, "G3 healthy floor", "no other instance"},
		{"fewer than the role's number", func(q *Question) { q.Role.Healthy = 4 }, "G3 healthy floor", "web would keep 3 healthy of 4, and needs 4. Wait until 1 more are healthy there."},
		{"as many as the role's number", func(q *Question) { q.Role.Healthy = 3 }, "", ""},
		{"fewer than the role's part, rounded up", func(q *Question) { q.Role.HealthyPercent = 76 }, "G3 healthy floor", "needs 4"},
		{"fewer than the pool's number", func(q *Question) { q.Machine.Pools[0].MinHealthy = 4 }, "G3 healthy floor", "needs 4"},
		{"fewer than the pool's part", func(q *Question) { q.Machine.Pools[0].MinHealthyPercent = 80 }, "G3 healthy floor", "needs 4"},
		{"a zone without anybody", func(q *Question) { q.Machine.Pools[0].Spread = false; unhealthy(q, "i-3") }, "G3 healthy floor", "nobody healthy in a"},
		{"a zone without anybody, across zones", func(q *Question) { unhealthy(q, "i-3") }, "", ""},
		{"a second pool", func(q *Question) {
			p := q.Machine.Pools[0]
			p.ID, p.Name, p.Seats = "tg/b", "b", p.Seats[:1]
			q.Machine.Pools = append(q.Machine.Pools, p)
		}, "G3 healthy floor", "healthy in b"},
		{"others on their way out", func(q *Question) {
			q.Role.Healthy = 2
			q.Others = []*Drain{{ID: "drain-7", Instance: "i-2", Role: "x"}, {ID: "drain-8", Instance: "i-3", Role: "x"}}
		}, "G3 healthy floor", "keep 1 healthy"},
		{"not in service", func(q *Question) { q.Machine.Group.Members[0].Lifecycle = "Pending:Wait" }, "G4 group", "Pending:Wait in web"},
		{"warmed", func(q *Question) { q.Machine.Group.Members[0].Lifecycle = "Warmed:Stopped" }, "G4 group", "warm pool"},
		{"not listed", func(q *Question) { q.Machine.Group.Members = nil }, "G4 group", "does not list it"},
		{"launch suspended", func(q *Question) { q.Machine.Group.Suspended = []string{"AZRebalance", "Launch"} }, "G4 group", "Launch of web is suspended"},
		{"terminate suspended", func(q *Question) { q.Machine.Group.Suspended = []string{"Terminate"} }, "G4 group", "Terminate of web is suspended"},
		{"terminate suspended and kept", func(q *Question) { q.Machine.Group.Suspended = []string{"Terminate"}; q.Keep = true }, "", ""},
		{"refreshing", func(q *Question) { q.Machine.Group.Refreshing = true }, "G4 group", "instance refresh"},
		{"a deploy", func(q *Question) { q.Machine.Group.Tags[tagLock] = "job-4" }, "G4 group", "locked by a deploy: job-4"},
		{"kept at the minimum", func(q *Question) { q.Machine.Group.Min = 4; q.Keep = true }, "G4 group", "a minimum of 4"},
		{"ended at the minimum", func(q *Question) { q.Machine.Group.Min = 4 }, "", ""},
		{"no group", func(q *Question) { q.Machine.Group = nil }, "G4 group", "no auto scaling group replaces it"},
		{"no group, kept", func(q *Question) { q.Machine.Group = nil; q.Keep = true }, "", ""},
		{"no group, as configured", func(q *Question) { q.Machine.Group = nil; q.Role.Alone = true }, "", ""},
		{"out, in standby", func(q *Question) { q.Out = true; q.Machine.Group.Members[0].Lifecycle = integrations.MemberStandby }, "", ""},
		{"out, and put back", func(q *Question) { q.Out = true }, "G4 group", "somebody else moved it"},
		{"the same role", func(q *Question) {
			q.Others = []*Drain{{ID: "drain-7", Instance: "i-9", Role: "app", State: stateFlush}}
		}, "G5 one at a time", "drain-7 (i-9) is shipping its logs, and has its role to itself"},
		{"the same group", func(q *Question) { q.Others = []*Drain{{ID: "drain-7", Instance: "i-9", Role: "x", Group: "web"}} }, "G5 one at a time", "its group"},
		{"the same name of a group elsewhere", func(q *Question) {
			q.Others = []*Drain{{ID: "drain-7", Instance: "i-9", Role: "x", Group: "web", At: integrations.Site{Region: "eu-west-1"}}}
		}, "", ""},
		{"the same pool", func(q *Question) {
			q.Others = []*Drain{{ID: "drain-7", Instance: "i-9", Role: "x", Seats: []integrations.Seat{{Pool: "tg/web"}}}}
		}, "G5 one at a time", "one of its pools"},
		{"itself", func(q *Question) { q.Others = []*Drain{{ID: "drain-7", Instance: "i-1", Role: "x"}} }, "G5 one at a time", "this instance"},
		{"out of reach", func(q *Question) { q.Machine.Reachable = false }, "log gate", "Systems Manager does not reach it"},
		{"out of reach, kept", func(q *Question) { q.Machine.Reachable = false; q.Keep = true }, "", ""},
		{"out of reach, and it keeps no logs", func(q *Question) { q.Machine.Reachable = false; q.Role.Logs = logsNone }, "", ""},
	} {
		t.Run(c.what, func(t *testing.T) {
			q := may()
			c.spoil(&q)
			closed := guards(q)
			if c.guard == "" {
				if len(closed) > 0 {
					t.Errorf("closed is %v", closed)
				}
				return
			}
			if len(closed) != 1 && c.what != "itself" || closed[len(closed)-1].Guard != c.guard || !strings.Contains(closed[len(closed)-1].String(), c.says) {
				t.Errorf("closed is %v, want %s with %q", closed, c.guard, c.says)
			}
		})
	}
}

// A drain that is refused changes nothing, and says which guard, the numbers and what
// would change it.
func TestARefusalChangesNothing(t *testing.T) {
	r := newRoom(t, 4)
	r.cfg.Roles[0].Healthy = 4
	reply := r.must(alice, "drain web-2")
	want := "Nothing was done: web-2 (i-2) cannot be drained now. G3 healthy floor: web would keep 3 healthy of 4, and needs 4. Wait until 1 more are healthy there."
	if reply.Outcome != "refused" || reply.Private.Text != want {
		t.Errorf("%q: %s", reply.Outcome, reply.Private.Text)
	}
	if len(r.all()) > 0 || len(r.fleet.calls) > 0 {
		t.Errorf("there are %d drains, and %v was done", len(r.all()), r.fleet.calls)
	}
	for line, want := range map[string]string{
		"drain web-9":                    "No instance is called “web-9”. There are ",
		"drain role=db":                  "The role “db” is not one that may be drained.",
		"drain web-1 --keep --terminate": "cannot be kept and terminated",
		"drain role=app --keep":          "who would do its work",
		"undrain web-1":                  "No drain is called “web-1”",
		"drain-confirm drain-9 x":        "No drain is called “drain-9”",
		"drain-pause roll-9":             "No drain is called “roll-9”",
	} {
		if _, err := r.says(alice, line); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", line, err, want)
		}
	}
}

// A guard that closes between the plan and the load balancer takes the mark off again;
// one that closes just before the termination is waited for.
func TestGuardsAreAskedAgain(t *testing.T) {
	r := newRoom(t, 4)
	before := r.look("i-2")
	d := r.begins("drain web-2")
	r.goes(func() bool { return r.drain(d.ID).State == stateLeave })
	r.fleet.group.Tags = map[string]string{tagLock: "job-4"}
	r.goes(nil)
	if d = r.drain(d.ID); d.State != stateUndone || !strings.Contains(d.Why, "locked by a deploy: job-4") || r.look("i-2") != before {
		t.Errorf("it is %s: %s; %s", d.State, d.Why, r.look("i-2"))
	}
	r.fleet.group.Tags = nil
	d = r.begins("drain web-2")
	r.goes(func() bool { return r.drain(d.ID).State == stateTerminate })
	r.fleet.group.Tags = map[string]string{tagLock: "job-5"}
	if _, err := r.step(r.drain(d.ID)); err != nil {
		t.Fatal(err)
	}
	if d = r.drain(d.ID); d.State != stateTerminate || !strings.Contains(d.Why, "job-5") || len(r.fleet.ended) > 0 {
		t.Errorf("it is %s: %s, ended %v", d.State, d.Why, r.fleet.ended)
	}
	r.fleet.group.Tags = nil
	r.goes(nil)
	if d = r.drain(d.ID); d.State != stateDone {
		t.Errorf("it is %s: %s", d.State, d.Why)
	}
}

// Where signalbox runs is asked when a drain is planned, confirmed, and before the
// irreversible step; not where the configuration says it.
func TestWhereWeRunIsAsked(t *testing.T) {
	r := newRoom(t, 4)
	id, onEC2, failed, asked := "", true, errors.New("no answer within 1s"), 0
	r.f.Self = func(context.Context) (string, bool, error) { asked++; return id, onEC2, failed }
	r.feat = New(r.f.Deps)
	for _, line := range []string{"drain web-2", "drain role=app"} {
		reply := r.must(alice, line)
		if reply.Outcome != "refused" || !strings.Contains(reply.Private.Text, "G1 self: signalbox runs on an instance of EC2, and cannot tell on which: “no answer within 1s”. Name it under drain.self.") {
			t.Errorf("%s: %q: %v", line, reply.Outcome, reply.Private)
		}
	}
	if failed = nil; r.must(alice, "drain web-2").Outcome != "refused" {
		t.Error("on EC2, and without an answer, it was planned")
	}
	if id = "i-2"; r.must(alice, "drain web-2").Outcome != "refused" {
		t.Error("it would drain itself")
	}
	id, asked = "i-3", 0
	d := r.drain(r.must(alice, "drain web-2").Subject)
	line := fmt.Sprintf("drain-confirm %s %s", d.ID, d.Plan.Digest(d.Instance))
	id = ""
	if reply := r.must(alice, line); reply.Outcome != "planned again" || asked != 2 {
		t.Errorf("confirmed without an answer: %q, asked %d times", reply.Outcome, asked)
	}
	id, onEC2, failed = "", false, errors.New("a file that cannot be read")
	d = r.begins("drain web-2")
	r.goes(func() bool { return r.drain(d.ID).State == stateTerminate })
	onEC2, asked = true, 0
	if _, err := r.step(r.drain(d.ID)); err != nil {
		t.Fatal(err)
	}
	if d = r.drain(d.ID); asked != 1 || d.State != stateTerminate || !strings.Contains(d.Why, "G1 self") || len(r.fleet.ended) > 0 {
		t.Errorf("asked %d times it is %s: %s", asked, d.State, d.Why)
	}
	r.cfg.Self, asked = []string{"i-9"}, 0
	r.goes(nil)
	if d = r.drain(d.ID); d.State != stateDone || asked != 0 {
		t.Errorf("asked %d times it is %s: %s", asked, d.State, d.Why)
	}
}
