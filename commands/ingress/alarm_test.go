package ingress

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// denied has AWS refuse all changes of a kind.
func denied(call string) func(string, bool) error {
	return func(what string, before bool) error {
		if before && strings.HasPrefix(what, call) {
			return errors.New("UnauthorizedOperation: no")
		}
		return nil
	}
}

// A port that cannot be shown to be closed is told of once, after a while, with all that
// whoever closes it by hand needs; and its end is told in the same message.
func TestAPortThatStaysOpen(t *testing.T) {
	const alarm = "C-ops: 🚨 alice: Port 22 of sg-0a000000000000001 (main/ap-northeast-1) was opened to 54.65.0.7/32 for job-1 on hosts/production, and cannot be shown to be closed · "
	const hand = " · sgr-2 · since 2026-03-04 10:00 UTC · It is tried again every minute. By hand: aws ec2 revoke-security-group-ingress --region ap-northeast-1 --group-id sg-0a000000000000001 --security-group-rule-ids sgr-2"
	for what, c := range map[string]struct{ call, why string }{
		"it may not be revoked": {"revoke", "UnauthorizedOperation: no"},
		"nobody tells":          {"read", "UnauthorizedOperation: no"},
	} {
		r := newRoom(t)
		j := r.job("hosts/production")
		r.must(r.opens(j))
		r.cloud.fault = denied(c.call)
		if err := r.closes(j); err == nil {
			t.Errorf("%s: it is closed", what)
		}
		r.ends(j, store.JobSucceeded)
		for range 2 { // not at once: it may pass
			if got := r.told(); len(got) > 0 {
				t.Errorf("%s: told is %q", what, got)
			}
			r.clock.move(time.Minute)
			if err := r.sweeps(); err == nil {
				t.Errorf("%s: it is closed", what)
			}
		}
		if diff := cmp.Diff([]string{alarm + c.why + hand}, r.told()); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
		if rows := r.underWay(); len(rows) != 1 || !strings.Contains(rows[0], "port 22 is being closed to 54.65.0.7/32; it was open") || !strings.Contains(rows[0], "⚠️ "+c.why) {
			t.Errorf("%s: under way: %q", what, rows)
		}
		r.posted()
		for range 60 {
			r.clock.move(time.Minute)
			_ = r.sweeps()
		}
		if got := r.told(); len(got) > 0 {
			t.Errorf("%s: told again is %q", what, got)
		}
		stuck := 0
		for _, a := range r.acts() {
			if strings.Contains(a, "| stuck |") {
				stuck++
			}
		}
		if stuck != 1 {
			t.Errorf("%s: the audit has it %d times", what, stuck)
		}
		r.cloud.fault = nil
		r.must(r.sweeps())
		r.want("")
		const end = "C-ops: ✅ Port 22 of sg-0a000000000000001 is closed to 54.65.0.7/32, which was open for job-1."
		if diff := cmp.Diff([]string{end}, r.told()); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
		r.clock.move(keepTold + time.Hour)
		r.must(r.f.prune(t.Context()))
		if len(r.leases()) > 0 || len(r.told()) > 0 {
			t.Errorf("%s: a month later there are %+v, %q", what, r.leases(), r.told())
		}
	}
}

// Where the id is not known, the command names the address; and what is closed before
// anybody was told is told to nobody.
func TestAPortWhoseRuleIsNotKnown(t *testing.T) {
	r := newRoom(t)
	r.config.Channel = "sec"
	j := r.job("hosts/production")
	r.cloud.fault = func(call string, before bool) error {
		if strings.HasPrefix(call, "authorize") && !before {
			r.cloud.fault = denied("read")
			return errors.New("the answer broke off")
		}
		return nil
	}
	if err := r.opens(j); err == nil {
		t.Fatal("it is open")
	}
	r.ends(j, store.JobFailed)
	for range 3 {
		r.clock.move(time.Minute)
		_ = r.sweeps()
	}
	got := r.told()
	if len(got) != 1 || !strings.HasPrefix(got[0], "C-sec: ") || !strings.Contains(got[0], " · a rule whose id is not known · since ") || !strings.HasSuffix(got[0], "--group-id sg-0a000000000000001 --protocol tcp --port 22 --cidr 54.65.0.7/32") {
		t.Errorf("told is %q", got)
	}
	r.cloud.fault = nil
	r.must(r.sweeps())
	r.want("")
	if got := r.told(); len(got) > 0 { // it never stood anywhere
		t.Errorf("told is %q", got)
	}
}

// A job that uses the port again says so where people were told that it stays open.
func TestAPortThatStaysOpenIsUsedAgain(t *testing.T) {
	r := newRoom(t)
	j := r.job("hosts/production")
	r.must(r.opens(j))
	r.cloud.fault = denied("revoke")
	_ = r.closes(j)
	r.clock.move(patience)
	_ = r.sweeps()
	r.posted()
	r.must(r.opens(j))
	if got := r.told(); len(got) != 1 || !strings.Contains(got[0], "✅ Port 22 of sg-0a000000000000001 is open to 54.65.0.7/32 again, for job-1, which closes it.") {
		t.Errorf("told is %q", got)
	}
	r.cloud.fault = nil
	r.must(r.closes(j))
	r.want("")
}

// A rule with our tag that no lease knows is told of once, when it has been there for a
// while, with the command that closes it; it is left alone; and its end is told.
func TestARuleThatNoLeaseKnows(t *testing.T) {
	r := newRoom(t)
	stray := integrations.IngressRule{Group: door, Protocol: "tcp", From: 22, To: 22, CIDR: "54.65.0.8/32", Tags: map[string]string{integrations.TagWindow: "ingress-9 job-9 until 2026-03-04T09:00:00Z"}}
	id := r.cloud.add(stray)
	const want = "C-ops: 🚨 Port 22 of sg-0a000000000000001 (main/ap-northeast-1) is open to 54.65.0.8/32 by a rule with our tag that nobody here knows of: another signalbox opened it, or it is of a time that this one has no record of · ingress-9 job-9 until 2026-03-04T09:00:00Z" +
		" · sgr-2 · since 2026-03-04 10:00 UTC · Nothing here closes it. By hand: aws ec2 revoke-security-group-ingress --region ap-northeast-1 --group-id sg-0a000000000000001 --security-group-rule-ids sgr-2"
	for n := range 10 {
		r.must(r.sweeps())
		var told []string
		if n == 2 {
			told = []string{want}
		}
		if diff := cmp.Diff(told, r.told()); diff != "" {
			t.Errorf("after %d minutes: %s", n, diff)
		}
		r.posted()
		r.clock.move(time.Minute)
	}
	if len(r.cloud.calls) > 0 {
		t.Errorf("it did %q", r.cloud.calls)
	}
	if rows := r.underWay(); len(rows) != 1 || !strings.Contains(rows[0], "🚨 sgr-2 sg-0a000000000000001 (main/ap-northeast-1) · port 22 is open to 54.65.0.8/32, and nobody here opened it") {
		t.Errorf("under way: %q", rows)
	}
	r.must(r.cloud.Revoke(t.Context(), home, door, id))
	r.must(r.sweeps())
	if got := r.told(); len(got) != 1 || !strings.HasPrefix(got[0], "C-ops: ✅ The rule sgr-2 of sg-0a000000000000001") || len(r.underWay()) > 0 {
		t.Errorf("told is %q, under way %q", got, r.underWay())
	}
	r.clock.move(keepTold + time.Hour)
	r.must(r.f.prune(t.Context()))
	if got := r.told(); len(got) > 0 {
		t.Errorf("a month later told is %q", got)
	}
}

// A rule that a read still shows for a moment after it is gone is no stray, nor is one
// that a job uses, which closes it.
func TestWhatIsNoStray(t *testing.T) {
	r := newRoom(t)
	r.cloud.lag = 50 * time.Second
	j := r.job("hosts/production")
	r.must(r.opens(j))
	for range 3 {
		r.clock.move(time.Minute)
		r.must(r.sweeps())
	}
	_ = r.closes(j)
	r.ends(j, store.JobSucceeded)
	for range 4 {
		r.clock.move(30 * time.Second)
		_ = r.sweeps()
	}
	r.want("")
	if got := r.told(); len(got) > 0 {
		t.Errorf("told is %q", got)
	}
	r.view(func(tx *store.Tx) error {
		return strays(tx).Each("", func(id string, s Stray) error { t.Errorf("kept is %+v", s); return nil })
	})
	r = newRoom(t)
	r.cloud.add(integrations.IngressRule{Group: door, Protocol: "tcp", From: 22, To: 22, CIDR: self + "/32", Tags: map[string]string{integrations.TagWindow: "ingress-9"}})
	j = r.job("hosts/production")
	r.must(r.opens(j))
	r.must(r.closes(j))
	r.want("")
}
