package mackerel_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/mackerel"
	"github.com/signalbox-chatops/signalbox/integrations/mackerel/mackerelsim"
)

// The contracts that the features ask for are here once more, since a system may not name
// a feature: that *mackerel.Client has it is checked when this is compiled.
var _ interface {
	HostByInstance(ctx context.Context, instanceID string) (integrations.MonitoredHost, error)
	SetStatus(ctx context.Context, hostID, status string) error
	Retire(ctx context.Context, hostID string) error
	Hosts(ctx context.Context) ([]integrations.MonitoredHost, error)
	Downtimes(ctx context.Context, at time.Time) ([]integrations.Downtime, error)
} = (*mackerel.Client)(nil)

const (
	key      = "s3cr3t-key-that-writes"
	readOnly = "s3cr3t-key-that-reads"
	web      = "i-0aaa0000000000001"
	unnamed  = "i-0bbb0000000000001" // without a custom identifier
	nobody   = "i-0eee0000000000001"
)

// organisation is a simulated one and the real client of it, below a path.
type organisation struct {
	*testing.T
	sim    *mackerelsim.Sim
	url    string
	client *mackerel.Client
	logged *bytes.Buffer
}

func found(t *testing.T, hosts ...mackerelsim.Host) *organisation {
	t.Helper()
	if hosts == nil {
		hosts = []mackerelsim.Host{{Name: "other", Instance: "i-0fff0000000000001"}, {Name: "web-1", Instance: web}, {Name: "old", Instance: unnamed, Unnamed: true}, {Name: "switch"}}
	}
	sim, err := mackerelsim.New(mackerelsim.Config{Hosts: hosts, Keys: map[string]bool{key: true, readOnly: false}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.StripPrefix("/mackerel", sim.Handler()))
	t.Cleanup(server.Close)
	o := &organisation{T: t, sim: sim, url: server.URL + "/mackerel/", logged: &bytes.Buffer{}}
	o.client = o.with(key)
	return o
}

func (o *organisation) with(key string) *mackerel.Client {
	return mackerel.New(mackerel.Config{APIKey: integrations.NewSecret(key), URL: o.url},
		// Without keep-alive, so that a question that is cut off is not asked again by itself.
		mackerel.Options{HTTP: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, Log: slog.New(slog.NewTextHandler(o.logged, &slog.HandlerOptions{Level: slog.LevelDebug}))})
}

func (o *organisation) host(instance string) integrations.MonitoredHost {
	o.Helper()
	h, err := o.client.HostByInstance(o.Context(), instance)
	if err != nil {
		o.Fatal(err)
	}
	return h
}

func (o *organisation) fault(f mackerelsim.Fault) {
	o.Helper()
	if err := o.sim.Fault(f); err != nil {
		o.Fatal(err)
	}
}

func isLater(err error) *integrations.Later {
	var later *integrations.Later
	errors.As(err, &later)
	return later
}

func isGone(err error) bool {
	var gone *integrations.Gone
	return errors.As(err, &gone)
}

func TestAHostIsFoundByItsInstanceInEachStatus(t *testing.T) {
	o := found(t)
	for _, instance := range []string{web, unnamed} {
		for _, status := range []string{"working", "standby", "maintenance", "poweroff"} {
			h := o.host(instance)
			if err := o.client.SetStatus(t.Context(), h.ID, status); err != nil {
				t.Fatal(err)
			}
			now := o.host(instance)
			if now.ID != h.ID || now.Name != h.Name || now.Status != status || now.Retired || now.Instance != instance {
				t.Errorf("%s: it is %+v, and was %+v", instance, now, h)
			}
		}
	}
	if h := o.host(web); h.Name != "web-1" {
		t.Errorf("it is %s", h.Name)
	}
	if h := o.host(unnamed); h.Name != "old" {
		t.Errorf("it is %s", h.Name)
	}
}

// A host with the identifier is found by one question.
func TestAllHostsAreListedOnlyWhereTheIdentifierIsNotEnough(t *testing.T) {
	o := found(t, mackerelsim.Host{Name: "web-1", Instance: web, Status: "poweroff"})
	o.host(web)
	if got := o.sim.Calls(); len(got) != 1 {
		t.Errorf("it asked %v", got)
	}
}

func TestAnInstanceWithoutAHostIsGone(t *testing.T) {
	o := found(t)
	_, err := o.client.HostByInstance(t.Context(), nobody)
	if !isGone(err) || !strings.Contains(err.Error(), nobody) {
		t.Error(err)
	}
	_, err = o.client.HostByInstance(t.Context(), "")
	if err == nil || isGone(err) {
		t.Errorf("of no instance: %v", err)
	}
	if err := o.client.Retire(t.Context(), o.host(web).ID); err != nil {
		t.Fatal(err)
	}
	if _, err := o.client.HostByInstance(t.Context(), web); !isGone(err) {
		t.Errorf("of one that is retired: %v", err)
	}
}

// Nobody can say which of two is meant, so neither is touched.
func TestTwoHostsOfOneInstanceAreRefused(t *testing.T) {
	o := found(t, mackerelsim.Host{Name: "a", Instance: unnamed, Unnamed: true}, mackerelsim.Host{Name: "b", Instance: unnamed, Unnamed: true})
	_, err := o.client.HostByInstance(t.Context(), unnamed)
	if err == nil || isGone(err) || isLater(err) != nil || !strings.Contains(err.Error(), "2 hosts") {
		t.Error(err)
	}
}

func TestRetiredTwiceIsFine(t *testing.T) {
	o := found(t)
	id := o.host(web).ID
	for range 2 {
		if err := o.client.Retire(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	if h := o.sim.Hosts()[1]; !h.Retired {
		t.Errorf("it is %+v", h)
	}
	if err := o.client.Retire(t.Context(), "3HxMck99999"); !isGone(err) {
		t.Errorf("one that there is not: %v", err)
	}
	if err := o.client.SetStatus(t.Context(), id, "working"); !isGone(err) {
		t.Errorf("its status: %v", err)
	}
}

func TestWhatMackerelDoesNotKnowIsNotAsked(t *testing.T) {
	o := found(t)
	for _, err := range []error{
		o.client.SetStatus(t.Context(), o.sim.Hosts()[0].ID, "draining"),
		o.client.SetStatus(t.Context(), "../services/x", "standby"),
		o.client.Retire(t.Context(), "a/b?c"),
		o.client.Retire(t.Context(), ""),
	} {
		if err == nil || isLater(err) != nil || isGone(err) {
			t.Error(err)
		}
	}
	if got := o.sim.Calls(); len(got) != 0 {
		t.Errorf("it asked %v", got)
	}
}

func TestWhatWillPassIsToldAsLater(t *testing.T) {
	for name, f := range map[string]mackerelsim.Fault{
		"throttled": {Kind: "throttle"}, "reset": {Kind: "reset"}, "lost": {Kind: "lost"}, "broken": {Kind: "error", Status: 503, Message: "<html>"},
	} {
		t.Run(name, func(t *testing.T) {
			o := found(t)
			id := o.host(web).ID
			ask := map[string]func() error{
				"hosts.list":  func() error { _, err := o.client.HostByInstance(t.Context(), web); return err },
				"host.status": func() error { return o.client.SetStatus(t.Context(), id, "standby") },
				"host.retire": func() error { return o.client.Retire(t.Context(), id) },
			}
			for _, action := range []string{"hosts.list", "host.status", "host.retire"} {
				f.Action = action
				o.fault(f)
				before := len(o.sim.Calls())
				later := isLater(ask[action]())
				if later == nil || later.After <= 0 {
					t.Fatalf("%s: it is not to come again", action)
				}
				if later.Unsent != (name == "throttled") {
					t.Errorf("%s: unsent is %t", action, later.Unsent)
				}
				if got := len(o.sim.Calls()) - before; got != 1 {
					t.Errorf("%s: it asked %d times", action, got)
				}
			}
			if h := o.sim.Hosts()[1]; h.Retired != (name == "lost") || (h.Status == "standby") != (name == "lost") {
				t.Errorf("it is %+v", h)
			}
		})
	}
}

func TestAnAnswerSaysWhenToComeAgain(t *testing.T) {
	o := found(t)
	for after, want := range map[string]time.Duration{"7": 7 * time.Second, "": 5 * time.Second, "86400": time.Minute} {
		o.fault(mackerelsim.Fault{Kind: "throttle", RetryAfter: after})
		_, err := o.client.HostByInstance(t.Context(), web)
		if later := isLater(err); later == nil || later.After != want {
			t.Errorf("after %q: %v", after, err)
		}
	}
}

// What a key may not do is said with what it needs, in both forms of Mackerel's errors,
// and the key is told to nobody.
func TestAKeyThatMayNotIsRefusedWithWhatItNeeds(t *testing.T) {
	o := found(t)
	id := o.host(web).ID
	reads, wrong := o.with(readOnly), o.with("s3cr3t-key-of-nobody")
	if _, err := reads.HostByInstance(t.Context(), web); err != nil {
		t.Error(err)
	}
	_, unread := wrong.HostByInstance(t.Context(), web)
	for _, tt := range []struct {
		err  error
		want []string
	}{
		{reads.SetStatus(t.Context(), id, "standby"), []string{"set the status of " + id, "403", "no permission to write", `the permission "write"`}},
		{reads.Retire(t.Context(), id), []string{"retire " + id, "403", `the permission "write"`}},
		{unread, []string{"find the host of " + web, "401", "Authentication failed", `the permission "read"`}},
	} {
		if tt.err == nil || isLater(tt.err) != nil || isGone(tt.err) {
			t.Errorf("%v", tt.err)
			continue
		}
		for _, want := range tt.want {
			if !strings.Contains(tt.err.Error(), want) {
				t.Errorf("%v: it does not say %q", tt.err, want)
			}
		}
	}
	if h := o.sim.Hosts()[1]; h.Status != "working" || h.Retired {
		t.Errorf("it is %+v", h)
	}
	if !strings.Contains(o.logged.String(), "status=403") || strings.Contains(o.logged.String(), "s3cr3t") {
		t.Errorf("the log is %s", o.logged)
	}
}

// An answer that repeats the key does not bring it into an error.
func TestTheKeyIsInNoError(t *testing.T) {
	o := found(t)
	for _, status := range []int{400, 403, 404, 429, 500} {
		o.fault(mackerelsim.Fault{Kind: "error", Status: status, Message: `{"error":{"message":"no such key: ` + key + `"}}`})
		_, err := o.client.HostByInstance(t.Context(), web)
		if err == nil || strings.Contains(err.Error(), key) || !strings.Contains(err.Error(), "no such key") {
			t.Errorf("%d: %v", status, err)
		}
	}
}
