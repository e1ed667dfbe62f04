// Package mackerel tells Mackerel which hosts are on their way out of service, so that
// nobody is called for them: standby while they leave, poweroff and retirement once
// they are ended (mackerel.io/docs/entry/howto/alerts: a host that is powered off keeps
// its open alerts for ever; one that is retired has them closed).
//
// It speaks through Mackerel's own client, and keeps out what that one does not do: it
// knows no context, forgets the path of its base URL, follows redirects with the API
// key, does not escape the id of a host, and has no word for an error that is not JSON.
//
// Nothing is tried again here: whoever asked looks before trying again. Every error is
// *integrations.Later, *integrations.Gone, or a refusal in the words of Mackerel; see
// shape.
package mackerel

import (
	"context"
	"errors"
	"fmt"
	"io"
	stdlog "log"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	sdk "github.com/mackerelio/mackerel-client-go"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/integrations/kit/redact"
	"github.com/signalbox-chatops/signalbox/integrations/kit/transport"
)

const (
	ownURL    = "https://api.mackerelio.com"
	callLimit = 10 * time.Second // of one call
	longest   = 16 << 20         // bytes of an answer: a list of all hosts
)

// Options are what a client is given besides its configuration.
type Options struct {
	// HTTP makes the requests; nil is one of our own. Its transport alone is used.
	HTTP  *http.Client
	Clock clock.Clock  // nil is the machine's own
	Log   *slog.Logger // nil is nobody
}

// Client speaks to one organisation of Mackerel.
type Client struct {
	key   integrations.Secret
	base  *url.URL
	http  http.RoundTripper
	clock clock.Clock
	log   *slog.Logger
	hide  *redact.Redactor
}

// New makes the client of a configuration, which is validated. Nothing is asked yet.
func New(c Config, o Options) *Client {
	at := c.URL
	if at == "" {
		at = ownURL
	}
	base, err := url.Parse(at)
	if err != nil {
		base = &url.URL{} // which no request gets to
	}
	out := &Client{key: c.APIKey, base: base, clock: o.Clock, log: o.Log, hide: redact.New([]string{c.APIKey.Reveal()})}
	if out.clock == nil {
		out.clock = clock.Real()
	}
	if out.log == nil {
		out.log = slog.New(slog.DiscardHandler)
	}
	manners := transport.Options{Host: base.Host, Timeout: callLimit, MaxBody: longest, Tries: 1, Redact: out.hide}
	if o.HTTP != nil {
		manners.Base = http.DefaultTransport
		if o.HTTP.Transport != nil {
			manners.Base = o.HTTP.Transport
		}
	}
	out.http = transport.New(manners)
	return out
}

// statuses are all that a host may have. A list without them has no host that is in
// maintenance or powered off.
var statuses = []string{integrations.HostWorking, integrations.HostStandby, integrations.HostMaintenance, integrations.HostPoweroff}

// HostByInstance finds the host of an EC2 instance: by the identifier that the agent
// gives it, else by what it says of its cloud. One that is retired is found where
// Mackerel still lists it. None is *integrations.Gone.
func (c *Client) HostByInstance(ctx context.Context, instanceID string) (integrations.MonitoredHost, error) {
	const act = "find the host of"
	if instanceID == "" {
		return integrations.MonitoredHost{}, errors.New("mackerel " + act + " an instance: it has no id")
	}
	identifier := instanceID + ofEC2
	var found []*sdk.Host
	for _, ask := range []struct {
		param sdk.FindHostsParam
		is    func(*sdk.Host) bool
	}{
		{sdk.FindHostsParam{Statuses: statuses, CustomIdentifier: identifier}, func(h *sdk.Host) bool { return h.CustomIdentifier == identifier }},
		{sdk.FindHostsParam{Statuses: statuses}, func(h *sdk.Host) bool { return instanceOf(h) == instanceID }},
	} {
		err := c.call(ctx, "read", act, instanceID, func(api *sdk.Client) error {
			all, err := api.FindHosts(&ask.param)
			found = slices.DeleteFunc(all, func(h *sdk.Host) bool { return h == nil || !ask.is(h) })
			return err
		})
		if err != nil {
			return integrations.MonitoredHost{}, err
		}
		if len(found) > 0 {
			break
		}
	}
	if alive := slices.DeleteFunc(slices.Clone(found), func(h *sdk.Host) bool { return h.IsRetired }); len(alive) > 0 {
		found = alive
	}
	switch len(found) {
	case 0:
		return integrations.MonitoredHost{}, &integrations.Gone{Why: "mackerel " + act + " " + instanceID + ": it has none"}
	case 1:
		return shown(found[0]), nil
	}
	var ids []string
	for _, h := range found {
		ids = append(ids, h.ID)
	}
	return integrations.MonitoredHost{}, fmt.Errorf("mackerel %s %s: %d hosts say that they are it: %s", act, instanceID, len(found), strings.Join(ids, ", "))
}

// SetStatus gives a host one of the four statuses.
func (c *Client) SetStatus(ctx context.Context, hostID, status string) error {
	const act = "set the status of"
	if !slices.Contains(statuses, status) {
		return fmt.Errorf("mackerel %s %s: no status is called %q; there is %s", act, hostID, status, strings.Join(statuses, ", "))
	}
	return c.on(ctx, act, hostID, func(api *sdk.Client) error { return api.UpdateHostStatus(hostID, status) })
}

// Retire has a host watched no more, for good, and closes its alerts. One that is
// retired already is left as it is.
func (c *Client) Retire(ctx context.Context, hostID string) error {
	err := c.on(ctx, "retire", hostID, func(api *sdk.Client) error { return api.RetireHost(hostID) })
	var later *integrations.Later
	if err == nil || errors.As(err, &later) || ctx.Err() != nil || !hostShape.MatchString(hostID) {
		return err
	}
	var h *sdk.Host
	looked := c.call(ctx, "read", "look at", hostID, func(api *sdk.Client) (err error) { h, err = api.FindHost(hostID); return err })
	if looked == nil && h != nil && h.IsRetired {
		return nil
	}
	return err
}

// hostShape is of the ids that may stand in a path.
var hostShape = regexp.MustCompile(`^[0-9A-Za-z]+$`)

// serviceShape and roleShape are of the names that Mackerel gives services and roles
// (mackerel.io/api-docs/entry/services).
var (
	serviceShape = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z_-]{1,62}$`)
	roleShape    = serviceShape
)

// CheckGraphs says what cannot be the graphs of a service or of its roles, each mistake
// in a line with its field, "service: …"; nil is nothing. Whether there is such a service
// is for Mackerel to say.
func CheckGraphs(g integrations.Graphs) error {
	var errs []error
	if !serviceShape.MatchString(g.Service) {
		errs = append(errs, fmt.Errorf("service: %q is not the name of a service; want 2 to 63 letters, digits, - and _, such as web", g.Service))
	}
	for _, r := range g.Roles {
		if !roleShape.MatchString(r) {
			errs = append(errs, fmt.Errorf("roles: %q is not the name of a role; want one such as app", r))
		}
	}
	return errors.Join(errs...)
}

// on changes a host.
func (c *Client) on(ctx context.Context, act, hostID string, do func(*sdk.Client) error) error {
	if !hostShape.MatchString(hostID) {
		return fmt.Errorf("mackerel %s %q: this is not the id of a host", act, hostID)
	}
	return c.call(ctx, "write", act, hostID, do)
}

// call lets Mackerel's client make one call. right is what the key needs for it.
func (c *Client) call(ctx context.Context, right, act, thing string, do func(*sdk.Client) error) error {
	x := &exchange{ctx: ctx, client: c}
	err := do(&sdk.Client{
		BaseURL: c.base, APIKey: c.key.Reveal(), UserAgent: "signalbox", Logger: stdlog.New(io.Discard, "", 0),
		HTTPClient: &http.Client{Transport: x, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	})
	return x.shape(right, strings.TrimSpace("mackerel "+act+" "+thing), err)
}
