package ingress

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

const open1 = "54.65.0.7/32 ingress-1 job-1 until 2026-03-04T10:42:00Z"

// The lease is written down before the rule is made, and the rule has its tag from the
// first moment; its id is kept; it goes by its id, and the lease goes last.
func TestTheOrder(t *testing.T) {
	r := newRoom(t)
	j := r.job("hosts/production")
	var seen []string
	r.cloud.watch = func(call string) {
		all := r.leases()
		if len(all) != 1 {
			t.Fatalf("%s: there are %d leases", call, len(all))
		}
		seen = append(seen, call+": "+all[0].State+" "+all[0].Rule)
	}
	r.must(r.opens(j))
	r.want(open1)
	if rule := r.cloud.rules[1]; rule.Text != "signalbox job-1 on hosts/production until 2026-03-04T10:42:00Z" {
		t.Errorf("it is described as %q", rule.Text)
	}
	const row = "🔓 ingress-1 sg-0a000000000000001 (main/ap-northeast-1) · port 22 is open to 54.65.0.7/32 for job-1 on hosts/production · since 2026-03-04 10:00 UTC, until 2026-03-04 10:42 UTC at the latest · alice"
	if diff := cmp.Diff([]string{row}, r.underWay()); diff != "" {
		t.Error(diff)
	}
	r.must(r.closes(j))
	r.want("")
	if diff := cmp.Diff([]string{"authorize 54.65.0.7/32: opening ", "revoke sgr-2: closing sgr-2"}, seen); diff != "" {
		t.Error(diff)
	}
	const what = "port 22 of sg-0a000000000000001 to 54.65.0.7/32 by sgr-2"
	if diff := cmp.Diff([]string{"open-port | job-1 | done | " + what, "close-port | job-1 | done | " + what}, r.acts()); diff != "" {
		t.Error(diff)
	}
	if all := r.leases(); len(all) > 0 || len(r.told()) > 0 || len(r.underWay()) > 0 || len(r.cloud.rules) != 1 {
		t.Errorf("it is over, and there are %+v, %q, %q, %+v", all, r.told(), r.underWay(), r.cloud.rules)
	}
}

// Of two jobs that come from the same address the one that ends last closes the port,
// whichever opened it.
func TestTwoJobsFromOneAddress(t *testing.T) {
	for name, firstToEnd := range map[string]int{"the first ends first": 0, "the second ends first": 1} {
		r := newRoom(t)
		jobs := []*store.Job{r.job("hosts/production"), r.job("proxies/production")}
		for _, j := range jobs {
			r.must(r.opens(j))
		}
		r.want(open1)
		r.ends(jobs[firstToEnd], store.JobSucceeded)
		r.must(r.closes(jobs[firstToEnd]))
		r.want(open1)
		r.must(r.sweeps())
		r.want(open1)
		r.must(r.closes(jobs[1-firstToEnd]))
		r.want("")
		if n := len(r.cloud.calls); n != 2 || len(r.leases()) > 0 {
			t.Errorf("%s: %q, %+v", name, r.cloud.calls, r.leases())
		}
	}
}

// A job that shared a rule and never learned its id closes it all the same, when the one
// that opened it is long gone.
func TestTheHeirKnowsNothing(t *testing.T) {
	r := newRoom(t)
	first, second := r.job("hosts/production"), r.job("proxies/production")
	r.must(r.opens(first))
	r.cloud.lag, r.cloud.behind, r.cloud.shown = time.Minute, r.cloud.rules[:1], r.clock.Now().Add(time.Minute)
	r.cloud.fault = func(call string, before bool) error { // it dies with its lease written down
		if strings.HasPrefix(call, "authorize") && before {
			panic(errKilled)
		}
		return nil
	}
	if err := r.opens(second); !errors.Is(err, errKilled) || len(r.leases()) != 2 || r.leases()[1].Rule != "" {
		t.Fatalf("%v, %+v", err, r.leases())
	}
	r.cloud.fault, r.cloud.lag = nil, 0
	r.clock.move(time.Minute)
	r.ends(first, store.JobSucceeded)
	r.must(r.closes(first))
	r.want(open1)
	if all := r.leases(); len(all) != 1 || all[0].Rule != "sgr-2" {
		t.Errorf("left are %+v", all)
	}
	r.ends(second, store.JobFailed)
	r.clock.move(time.Minute)
	r.must(r.sweeps())
	r.want("")
	if all := r.leases(); len(all) > 0 {
		t.Errorf("there are %+v", all)
	}
}

// What another job asked for last, and gave up, may show late: whoever is left of the same
// address waits for it.
func TestTheHeirWaits(t *testing.T) {
	r := newRoom(t)
	first, second := r.job("hosts/production"), r.job("proxies/production")
	r.cloud.fault = func(call string, before bool) error {
		if strings.HasPrefix(call, "authorize") && before {
			panic(errKilled)
		}
		return nil
	}
	_ = r.opens(first)
	r.clock.move(20 * time.Second)
	r.cloud.lag = 25 * time.Second
	r.cloud.fault = func(call string, before bool) error {
		if strings.HasPrefix(call, "authorize") && !before {
			return errors.New("a reply that nobody understands")
		}
		return nil
	}
	if err := r.opens(second); err == nil || len(r.leases()) != 1 {
		t.Fatalf("%v, %+v", err, r.leases())
	}
	r.cloud.fault, r.cloud.lag = nil, 0
	r.ends(first, store.JobFailed)
	r.clock.move(15 * time.Second) // the rule does not show yet
	if err := r.sweeps(); err == nil || len(r.leases()) != 1 {
		t.Errorf("%v, %+v", err, r.leases())
	}
	r.clock.move(time.Minute)
	r.must(r.sweeps())
	r.want("")
}

// What passes by itself is waited for, a few times.
func TestItIsTriedAgain(t *testing.T) {
	r := newRoom(t)
	for n := range tries {
		left := n
		r.cloud.fault = func(_ string, before bool) error {
			if left--; before && left >= 0 {
				return &integrations.Later{After: 2 * time.Second, Err: errors.New("RequestLimitExceeded"), Unsent: true}
			}
			return nil
		}
		j := r.job(fmt.Sprintf("hosts-%d/production", n))
		r.must(r.opens(j))
		left = n
		r.must(r.closes(j))
		r.want("")
	}
	r.cloud.fault = func(string, bool) error {
		return &integrations.Later{After: 2 * time.Second, Err: errors.New("RequestLimitExceeded"), Unsent: true}
	}
	if err := r.opens(r.job("hosts/production")); err == nil {
		t.Error("it is open")
	}
}

// A rule that was there before is used, and left; also when another address's is closed.
func TestARuleThatWasThereBefore(t *testing.T) {
	r := newRoom(t)
	was := r.cloud.add(integrations.IngressRule{Group: door, Protocol: "tcp", From: 22, To: 22, CIDR: "54.65.0.7/32", Text: "somebody's"})
	r.cloud.loose = true
	j := r.job("hosts/production")
	r.must(r.opens(j))
	r.must(r.closes(j))
	r.want("54.65.0.7/32")
	if len(r.cloud.calls) > 0 || r.cloud.rules[1].ID != was || len(r.leases()) > 0 {
		t.Errorf("it did %q; there are %+v, %+v", r.cloud.calls, r.cloud.rules, r.leases())
	}
	if acts := r.acts(); len(acts) != 2 || !strings.Contains(acts[1], "left as it was") || !strings.Contains(acts[1], "which was there before") {
		t.Errorf("the audit has %q", acts)
	}
}

// So is one that shows only when it is asked for.
func TestARuleThatShowsLate(t *testing.T) {
	for name, tags := range map[string]map[string]string{"another's": nil, "ours": {integrations.TagWindow: "ingress-9 job-9 until 2026-03-04T09:00:00Z"}} {
		r := newRoom(t)
		r.cloud.behind = r.cloud.rules
		r.cloud.shown = r.clock.Now().Add(15 * time.Second)
		r.cloud.add(integrations.IngressRule{Group: door, Protocol: "tcp", From: 22, To: 22, CIDR: "54.65.0.7/32", Tags: tags})
		r.cloud.lag = 15 * time.Second
		j := r.job("hosts/production")
		r.must(r.opens(j))
		r.cloud.lag = 0
		if l := r.leases()[0]; l.State != stateOpen || l.Foreign != (tags == nil) || l.Rule != "sgr-2" {
			t.Errorf("%s: the lease is %+v", name, l)
		}
		r.must(r.closes(j))
		want := ""
		if tags == nil {
			want = "54.65.0.7/32"
		}
		r.want(want)
	}
}

// A rule that no read shows yet is revoked by its id.
func TestItIsClosedBeforeItShows(t *testing.T) {
	r := newRoom(t)
	r.cloud.lag = time.Minute
	j := r.job("hosts/production")
	r.must(r.opens(j))
	_ = r.closes(j)
	r.want("")
}

// Revoking is believed only when it shows: a rule that is still shown keeps the lease.
func TestARevocationIsVerified(t *testing.T) {
	r := newRoom(t)
	j := r.job("hosts/production")
	r.must(r.opens(j))
	r.clock.move(time.Minute)
	r.cloud.fault = func(call string, before bool) error { // it says that it revokes, and does not
		if strings.HasPrefix(call, "revoke") && !before {
			r.cloud.add(integrations.IngressRule{Group: door, Protocol: "tcp", From: 22, To: 22, CIDR: "54.65.0.7/32", Tags: map[string]string{integrations.TagWindow: "ingress-1"}})
		}
		return nil
	}
	if err := r.closes(j); err == nil || !strings.Contains(err.Error(), "is still shown") || r.leases()[0].State != stateClosing {
		t.Errorf("it is open, and %v, %+v", err, r.leases())
	}
	r.cloud.fault = nil
	r.must(r.sweeps())
	r.want("")
}

// What was asked for a moment ago and is not shown may only not be shown yet.
func TestALostRuleThatIsNotShown(t *testing.T) {
	r := newRoom(t)
	j := r.job("hosts/production")
	r.cloud.lag = 20 * time.Second
	r.cloud.fault = func(call string, before bool) error {
		if strings.HasPrefix(call, "authorize") && !before {
			return errors.New("a reply that nobody understands")
		}
		return nil
	}
	before := len(r.cloud.rules)
	if err := r.opens(j); err == nil || !strings.Contains(err.Error(), "nobody understands") {
		t.Fatalf("it opened: %v", err)
	}
	if len(r.cloud.rules) > before && len(r.leases()) == 0 {
		t.Fatal("the rule is there, and its lease is not")
	}
	r.cloud.fault, r.cloud.lag = nil, 0
	r.ends(j, store.JobFailed)
	r.clock.move(time.Minute)
	r.must(r.sweeps())
	r.want("")
	if all := r.leases(); len(all) > 0 {
		t.Errorf("there are %+v", all)
	}
}

// Nothing is opened to an address that is not one, for a group that is not on the list,
// or for longer than may be.
func TestWhatIsNotOpened(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(r *room, i *integrations.Ingress)
		want  string
	}{
		"another group":     {func(_ *room, i *integrations.Ingress) { i.Group = "sg-0b000000000000001" }, "not among ingress.groups"},
		"another port":      {func(_ *room, i *integrations.Ingress) { i.Port = 23 }, "not among ingress.groups"},
		"another region":    {func(_ *room, i *integrations.Ingress) { i.Region = "us-west-2" }, "not among ingress.groups"},
		"for a day":         {func(_ *room, i *integrations.Ingress) { i.Limit = 24 * time.Hour }, "nothing may stay open for 24h"},
		"for no time":       {func(_ *room, i *integrations.Ingress) { i.Limit = 0 }, "nothing may stay open for 0s"},
		"no account":        {func(r *room, _ *integrations.Ingress) { r.f.Cloud = nil }, "no account of AWS"},
		"a private address": {func(r *room, _ *integrations.Ingress) { r.config.Address = "10.0.0.7" }, "10.0.0.7 is of 10.0.0.0/8"},
		"nobody to be asked": {func(r *room, _ *integrations.Ingress) {
			r.asked = func(string) (netip.Addr, error) { return netip.Addr{}, errors.New("no answer") }
		}, "no answer"},
	} {
		r := newRoom(t)
		i := ssh
		c.spoil(r, &i)
		if err := r.f.Open(t.Context(), r.run(r.job("hosts/production")), i); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if len(r.cloud.calls) > 0 || len(r.leases()) > 0 {
			t.Errorf("%s: it did %q, and there are %+v", name, r.cloud.calls, r.leases())
		}
	}
	r := newRoom(t)
	j := r.job("hosts/production")
	r.ends(j, store.JobCancelled)
	if err := r.opens(j); err == nil || !strings.Contains(err.Error(), "job-1 is not under way any more") || len(r.cloud.calls) > 0 {
		t.Errorf("for a job that is over: %v, %q", err, r.cloud.calls)
	}
}

// The address is the one of the configuration, or what whoever it names tells.
func TestTheAddress(t *testing.T) {
	r := newRoom(t)
	r.config.AddressURL = "https://ip.example.com/"
	asked := ""
	r.asked = func(url string) (netip.Addr, error) { asked = url; return netip.MustParseAddr("54.65.0.8"), nil }
	j := r.job("hosts/production")
	r.must(r.opens(j))
	r.want("54.65.0.8/32 ingress-1 job-1 until 2026-03-04T10:42:00Z")
	r.must(r.closes(j))
	r.config = Config{Groups: r.config.Groups, Address: "54.65.0.9"}
	r.must(r.opens(j))
	r.want("54.65.0.9/32 ingress-2 job-1 until 2026-03-04T10:42:00Z")
	if asked != "https://ip.example.com/" {
		t.Errorf("asked is %q", asked)
	}
}

// A run whose machine has another address after a restart opens the port to that one too,
// and both are closed.
func TestTheAddressChanges(t *testing.T) {
	r := newRoom(t)
	j := r.job("hosts/production")
	r.must(r.opens(j))
	r.asked = func(string) (netip.Addr, error) { return netip.MustParseAddr("54.65.0.8"), nil }
	r.must(r.opens(j))
	r.want(open1 + ", 54.65.0.8/32 ingress-2 job-1 until 2026-03-04T10:42:00Z")
	r.must(r.closes(j))
	r.want("")
}

// What is over its time is closed although its job goes on, as is what a bot that was dead
// for a day finds.
func TestItsTimeIsOver(t *testing.T) {
	for name, later := range map[string]time.Duration{"it goes on": 42 * time.Minute, "dead for a day": 24 * time.Hour} {
		r := newRoom(t)
		j := r.job("hosts/production")
		r.must(r.opens(j))
		r.clock.move(41 * time.Minute)
		r.must(r.sweeps())
		r.want(open1)
		r.clock.move(later)
		r.starts()
		r.must(r.sweeps())
		r.want("")
		if acts := r.acts(); len(acts) != 3 || !strings.HasPrefix(acts[1], "open-port | job-1 | expired") {
			t.Errorf("%s: the audit has %q", name, acts)
		}
	}
}

// The end of a context, as when the process is stopped, does not keep a port open that is
// to be closed.
func TestItIsClosedWhenTheContextIsOver(t *testing.T) {
	r := newRoom(t)
	j := r.job("hosts/production")
	r.must(r.opens(j))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r.f.Close(ctx, r.run(j), ssh)
	r.want("")
}
