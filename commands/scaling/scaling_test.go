package scaling

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

const before = "ScheduledActions,Terminate" // what somebody else suspended

const (
	suspended = "AZRebalance,AlarmNotification,ScheduledActions,Terminate"
	held      = suspended + " job-1 until 2026-03-04T10:30:00Z"
)

// The lease is written down before the group is tagged, and that is before anything
// is suspended; and back. What others suspended is never touched.
func TestTheOrder(t *testing.T) {
	r := newRoom(t)
	j := r.job("web/production")
	var states []string
	r.cloud.watch = func(call string) {
		all := r.leases()
		if len(all) != 1 {
			t.Fatalf("%s: there are %d leases", call, len(all))
		}
		states = append(states, all[0].State+": "+strings.Join(all[0].Ours, ","))
	}
	r.must(r.suspends(j, target("web/production", "web")))
	r.want("web", held)
	if rows := r.underWay(); len(rows) != 1 || !strings.Contains(rows[0], "lease-1 web (main/ap-northeast-1) · AZRebalance, AlarmNotification suspended for job-1 on web/production · since 2026-03-04 10:00 UTC, until 2026-03-04 10:30 UTC at the latest · alice") {
		t.Errorf("under way: %q", rows)
	}
	l := r.leases()[0]
	if l.State != stateHeld || !slices.Equal(l.Before, []string{"ScheduledActions"}) || !slices.Equal(l.Ours, []string{"AZRebalance", "AlarmNotification"}) {
		t.Errorf("the lease is %+v", l)
	}
	r.ends(j, store.JobSucceeded)
	r.must(r.resumes(j))
	r.want("web", before)
	want := []string{"tag web job-1 until 2026-03-04T10:30:00Z", "suspend web AZRebalance,AlarmNotification", "resume web AZRebalance,AlarmNotification", "untag web"}
	if diff := cmp.Diff(want, r.cloud.calls); diff != "" {
		t.Error(diff)
	}
	const ours = ": AZRebalance,AlarmNotification"
	if diff := cmp.Diff([]string{"taking" + ours, "taking" + ours, "releasing" + ours, "releasing" + ours}, states); diff != "" {
		t.Error(diff)
	}
	if all := r.leases(); len(all) > 0 || len(r.told()) > 0 || len(r.underWay()) > 0 {
		t.Errorf("it is over, and there are %+v, %q, %q", all, r.told(), r.underWay())
	}
}

// underWay is what status says of leases.
func (r *room) underWay() (out []string) {
	r.t.Helper()
	r.must(r.store.View(func(tx *store.Tx) error {
		rows, err := UnderWay(tx)
		for _, row := range rows {
			out = append(out, row.Plain())
		}
		return err
	}))
	return out
}

// A group whose processes are all suspended already is locked, and nothing of it is
// suspended or resumed.
func TestNothingIsOurs(t *testing.T) {
	r := newRoom(t)
	r.cloud.group["web"].Suspended = []string{"AZRebalance", "AlarmNotification", "ScheduledActions"}
	j := r.job("web/production")
	r.must(r.suspends(j, target("web/production", "web")))
	r.ends(j, store.JobFailed)
	r.must(r.sweeps())
	if diff := cmp.Diff([]string{"tag web job-1 until 2026-03-04T10:30:00Z", "untag web"}, r.cloud.calls); diff != "" {
		t.Error(diff)
	}
}

// What somebody resumed by hand meanwhile is not resumed again, and what they
// suspended meanwhile stays.
func TestOthersMeanwhile(t *testing.T) {
	r := newRoom(t)
	j := r.job("web/production")
	r.must(r.suspends(j, target("web/production", "web")))
	r.clock.move(time.Minute)
	r.cloud.group["web"].Suspended = []string{"AlarmNotification", "InstanceRefresh"}
	r.ends(j, store.JobSucceeded)
	r.must(r.resumes(j))
	r.want("web", "InstanceRefresh")
	if last := r.cloud.calls[len(r.cloud.calls)-2]; last != "resume web AlarmNotification" {
		t.Errorf("it did %q", last)
	}
}

// What was suspended a moment ago and is not shown may only not be shown yet.
func TestARecentChangeThatIsNotShown(t *testing.T) {
	r := newRoom(t)
	j := r.job("web/production")
	r.must(r.suspends(j, target("web/production", "web")))
	shown := r.cloud.group["web"]
	r.cloud.group["web"] = &integrations.ScalingGroup{Name: "web", Tags: map[string]string{}}
	r.ends(j, store.JobSucceeded)
	var later *integrations.Later
	if err := r.resumes(j); !errors.As(err, &later) || len(r.leases()) != 1 {
		t.Fatalf("nothing of it is shown, and it is over: %v, %v", err, r.leases())
	}
	r.cloud.group["web"] = shown
	r.must(r.sweeps())
	r.want("web", before)
	if all := r.leases(); len(all) > 0 {
		t.Errorf("there are %+v", all)
	}
}

func TestSeveralGroups(t *testing.T) {
	r := newRoom(t)
	j := r.job("web/production")
	r.must(r.suspends(j, target("web/production", "worker", "web")))
	r.want("web", held)
	r.want("worker", held)
	r.ends(j, store.JobSucceeded)
	r.must(r.resumes(j))
	r.want("web", before)
	r.want("worker", before)
}

// A group that cannot be kept still gives back those that are.
func TestAllGroupsOrNone(t *testing.T) {
	for name, t2 := range map[string]integrations.Target{"gone": target("web/production", "web", "x"), "another": target("web/production", "web", "worker")} {
		r := newRoom(t)
		r.cloud.fault = func(call string, _ bool) error {
			if strings.HasPrefix(call, "tag worker") {
				return errors.New("AccessDenied: no")
			}
			return nil
		}
		j := r.job("web/production")
		if err := r.suspends(j, t2); err == nil {
			t.Errorf("%s: it holds", name)
		}
		r.want("web", before)
		r.clock.move(time.Minute)
		r.ends(j, store.JobFailed)
		r.must(r.sweeps())
		r.want("worker", before)
		if all := r.leases(); len(all) > 0 {
			t.Errorf("%s: there are %+v", name, all)
		}
	}
}

// Two jobs on one group: what both need is resumed when the last is over, whoever
// suspended it, and the tag names the one that ends last.
func TestTwoJobsOnAGroup(t *testing.T) {
	for _, firstEnds := range []bool{true, false} {
		r := newRoom(t)
		one, two := r.job("web/production"), r.job("api/production")
		narrow := target("api/production", "web")
		narrow.Scaling[0].Processes = []string{"AlarmNotification", "ReplaceUnhealthy"}
		r.must(r.suspends(one, target("web/production", "web")))
		r.clock.move(time.Minute)
		r.must(r.suspends(two, narrow))
		const both = "AZRebalance,AlarmNotification,ReplaceUnhealthy,ScheduledActions,Terminate job-2 until 2026-03-04T10:31:00Z"
		r.want("web", both)
		first, second := one, two
		left := "AlarmNotification,ReplaceUnhealthy,ScheduledActions,Terminate job-2 until 2026-03-04T10:31:00Z"
		if !firstEnds {
			first, second = two, one
			left = held
		}
		r.ends(first, store.JobSucceeded)
		r.must(r.resumes(first))
		r.want("web", left)
		r.starts()
		r.must(r.sweeps())
		r.want("web", left)
		r.ends(second, store.JobSucceeded)
		r.must(r.sweeps())
		r.want("web", before)
	}
}

// A lease that ends earlier than another one does not shorten what the tag says.
func TestTheTagNamesTheLast(t *testing.T) {
	r := newRoom(t)
	one, two := r.job("web/production"), r.job("api/production")
	short := target("api/production", "web")
	short.Scaling[0].Limit = time.Minute
	r.must(r.suspends(one, target("web/production", "web")))
	r.must(r.suspends(two, short))
	r.want("web", held)
}

// What AWS is too busy for, or does not answer, is tried again before the job is put
// off.
func TestABusyCloudIsTriedAgain(t *testing.T) {
	for times, ok := range map[int]bool{1: true, 2: true, 3: false} {
		r := newRoom(t)
		n := 0
		r.cloud.fault = func(call string, before bool) error {
			if n < times && before && strings.HasPrefix(call, "suspend") {
				n++
				return &integrations.Later{After: 5 * time.Second, Err: errors.New("Throttling"), Unsent: true}
			}
			return nil
		}
		err := r.suspends(r.job("web/production"), target("web/production", "web"))
		if ok != (err == nil) {
			t.Errorf("throttled %d times: %v", times, err)
		}
	}
}

// A lease that could not be given back while its job still ran is swept all the same:
// its job changes nothing any more.
func TestGivenUpBeforeTheJobIsOver(t *testing.T) {
	r := newRoom(t)
	j := r.job("web/production")
	r.must(r.suspends(j, target("web/production", "web")))
	r.cloud.fault = func(string, bool) error {
		return &integrations.Later{After: time.Second, Err: errors.New("no answer")}
	}
	if err := r.resumes(j); err == nil {
		t.Fatal("it was given back")
	}
	r.cloud.fault = nil
	r.starts()
	r.must(r.sweeps())
	r.want("web", before)
}

// A group that another signalbox has locked is waited for, one whose time is over is not.
func TestALockOfSomebodyElse(t *testing.T) {
	for tag, free := range map[string]bool{
		"job-77 until 2026-03-04T11:00:00Z": false, "job-77 until 2026-03-04T09:59:59Z": true, "maintenance": false, "job-77 until never": false,
	} {
		r := newRoom(t)
		r.cloud.group["web"].Tags[integrations.TagLock] = tag
		err := r.suspends(r.job("web/production"), target("web/production", "web"))
		var later *integrations.Later
		if free != (err == nil) || !free && (!errors.As(err, &later) || len(r.cloud.calls) > 0 || len(r.leases()) > 0) {
			t.Errorf("%s: %v; %q, %+v", tag, err, r.cloud.calls, r.leases())
		}
	}
}

// Only a job that runs takes a lease, and one that waits for somebody keeps none.
func TestWhatHolds(t *testing.T) {
	for state, keeps := range map[string]bool{
		store.JobPreparing: true, store.JobRunning: true, store.JobUnknown: true,
		store.JobQueued: false, store.JobBlocked: false, store.JobNeedsConfirm: false, store.JobSucceeded: false, store.JobFailed: false, store.JobCancelled: false,
	} {
		r := newRoom(t)
		j := r.job("web/production")
		r.must(r.suspends(j, target("web/production", "web")))
		r.ends(j, state)
		r.must(r.sweeps())
		if keeps {
			r.want("web", held)
			continue
		}
		r.want("web", before)
		calls := len(r.cloud.calls)
		if err := r.suspends(j, target("web/production", "web")); err == nil || len(r.cloud.calls) > calls {
			t.Errorf("%s: it took one: %v", state, err)
		}
	}
}

func TestNoAccount(t *testing.T) {
	r := newRoom(t)
	r.f.Cloud = nil
	if err := r.suspends(r.job("web/production"), target("web/production", "web")); err == nil {
		t.Error("without a cloud it holds")
	}
	r.must(r.sweeps())
}

// A lease whose time is over ends though its job runs, and people are told once.
func TestALeaseThatExpires(t *testing.T) {
	r := newRoom(t)
	j := r.job("web/production")
	r.must(r.suspends(j, target("web/production", "web")))
	r.clock.move(29 * time.Minute)
	r.must(r.sweeps())
	r.want("web", held)
	r.clock.move(time.Minute)
	for range 3 {
		r.must(r.sweeps())
		r.clock.move(time.Minute)
	}
	r.want("web", before)
	want := []string{"C-ops 1: ⏱️ alice: job-1 on web/production is not over after 30 min, the longest that processes of web (main/ap-northeast-1) may be suspended for it. They run again: the group may start and end instances while it goes on."}
	if diff := cmp.Diff(want, r.told()); diff != "" {
		t.Error(diff)
	}
	r.ends(j, store.JobSucceeded)
	r.must(r.resumes(j))
	if n := len(r.told()); n != 1 {
		t.Errorf("%d messages", n)
	}
	r.clock.move(31 * 24 * time.Hour)
	r.must(r.f.prune(t.Context()))
	if n := len(r.told()) + len(r.leases()); n > 0 {
		t.Errorf("%d of it are kept for ever", n)
	}
}

// What cannot be resumed for five minutes people are told of, once; it is tried on.
func TestStuck(t *testing.T) {
	r := newRoom(t)
	j := r.job("web/production")
	r.must(r.suspends(j, target("web/production", "web")))
	r.ends(j, store.JobSucceeded)
	down := true
	r.cloud.fault = func(call string, before bool) error {
		if down && before && strings.HasPrefix(call, "resume") {
			return errors.New("AccessDenied: not yours")
		}
		return nil
	}
	for n := range 9 {
		if err := r.sweeps(); err == nil {
			t.Fatal("it is resumed")
		}
		if told := len(r.told()); (told > 0) != (n > 5) || told > 1 {
			t.Errorf("after %d minutes there are %d messages", n, told)
		}
		r.clock.move(time.Minute)
	}
	r.want("web", held)
	r.view(func(tx *store.Tx) error {
		rows, err := tx.AuditRows(store.AuditFilter{})
		stuck := slices.DeleteFunc(rows, func(row *store.AuditRow) bool { return row.Outcome != "stuck" })
		if len(stuck) != 1 {
			t.Errorf("it is on record %d times", len(stuck))
		}
		return err
	})
	if got := r.told()[0]; !strings.HasPrefix(got, "C-ops 1: ⚠️ alice: AZRebalance, AlarmNotification of web (main/ap-northeast-1) were suspended for job-1 on web/production, and cannot be resumed: AccessDenied: not yours. Until") {
		t.Error(got)
	}
	down = false
	r.must(r.sweeps())
	r.want("web", before)
	if got := r.told(); len(got) > 0 { // it was not shown yet
		t.Errorf("told of what is over: %q", got)
	}
}

// A group that is deleted meanwhile has nothing to be given back.
func TestAGroupThatIsDeleted(t *testing.T) {
	r := newRoom(t)
	j := r.job("web/production")
	r.must(r.suspends(j, target("web/production", "web")))
	delete(r.cloud.group, "web")
	r.ends(j, store.JobSucceeded)
	r.must(r.resumes(j))
	if all := r.leases(); len(all) > 0 {
		t.Errorf("there are %+v", all)
	}
}
