package mackerel

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	sdk "github.com/mackerelio/mackerel-client-go"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// AlertsConfig is how downtimes are made in the organisation whose alerts come; the zero
// value makes none.
type AlertsConfig struct {
	// APIKey may read and write.
	APIKey integrations.Secret `yaml:"api_key"`
	// URL is the base of the API; "" is Mackerel's own.
	URL string `yaml:"url"`
	// Services are the names that services have there, by "web", or "web/production" for
	// one of its environments; one that is not named has the same name.
	Services map[string]string `yaml:"services"`
}

// check names every mistake, each in a line with its field.
func (c AlertsConfig) check() error {
	var errs []error
	if err := (Config{APIKey: c.APIKey, URL: c.URL}).Validate(); err != nil {
		for _, line := range strings.Split(err.Error(), "\n") {
			errs = append(errs, errors.New("settings."+line))
		}
	} else if c.APIKey.IsZero() && len(c.Services) > 0 {
		errs = append(errs, errors.New("settings.api_key: is missing, and services says what to do with it; make one in Mackerel that may read and write"))
	}
	for _, name := range slices.Sorted(maps.Keys(c.Services)) {
		if err := CheckGraphs(integrations.Graphs{Service: c.Services[name]}); err != nil {
			errs = append(errs, fmt.Errorf("settings.services.%s%s", name, strings.TrimPrefix(err.Error(), "service")))
		}
	}
	return errors.Join(errs...)
}

// quieter is a source in whose organisation downtimes are made.
type quieter struct {
	alertSource
	cfg         AlertsConfig
	client      *Client
	environment string // of all its alerts: they name none
}

var (
	_ integrations.AlertSilencer = quieter{}
	_ integrations.AlertLooker   = quieter{}
	_ integrations.AlertSecrets  = quieter{}
)

func newQuieter(c AlertsConfig, o integrations.AlertOptions) quieter {
	var with Options
	if o.HTTP != nil {
		with.HTTP = &http.Client{Transport: o.HTTP}
	}
	return quieter{cfg: c, environment: o.Environment, client: New(Config{APIKey: c.APIKey, URL: c.URL}, with)}
}

// Secrets implements integrations.AlertSecrets.
func (k quieter) Secrets() []integrations.Secret { return []integrations.Secret{k.cfg.APIKey} }

// service is the one of Mackerel that is to be quiet.
func (k quieter) service(q integrations.Quiet) (string, error) {
	if len(q.Services) == 0 {
		return "", integrations.ErrQuietNoService
	}
	for _, e := range q.Environments {
		for _, s := range q.Services {
			if name, ok := k.cfg.Services[s+"/"+e]; ok {
				return name, nil
			}
		}
	}
	if len(q.Environments) > 0 && !slices.ContainsFunc(q.Environments, func(e string) bool { return integrations.Fold(e) == integrations.Fold(k.environment) }) {
		return "", fmt.Errorf("no service there is that of %s/%s", q.Services[0], q.Environments[0])
	}
	for _, s := range q.Services {
		if name, ok := k.cfg.Services[s]; ok {
			return name, nil
		}
	}
	if !serviceShape.MatchString(q.Services[0]) {
		return "", fmt.Errorf("%q cannot be the name of a service there", q.Services[0])
	}
	return q.Services[0], nil
}

// Keeps implements integrations.AlertSilencer. Of a downtime that begins on a Sunday what
// is beyond a day is ignored.
func (k quieter) Keeps(q integrations.Quiet) error {
	if _, err := k.service(q); err != nil {
		return err
	}
	if q.From.In(console).Weekday() == time.Sunday && q.Until.Sub(q.From) > sundays {
		return errors.New("a downtime that begins on a Sunday lasts a day at most there")
	}
	return nil
}

// Silence implements integrations.AlertSilencer: a downtime of the service. It lasts whole
// minutes, and ends up to one later than was asked for.
func (k quieter) Silence(ctx context.Context, q integrations.Quiet) (id string, err error) {
	service, err := k.service(q)
	if err != nil {
		return "", err
	}
	in := &sdk.Downtime{
		Name: shortened("signalbox "+q.ID+" "+service, longestTitle), Memo: q.Comment(), ServiceScopes: []string{service},
		Start: q.From.Unix(), Duration: int64((q.Until.Sub(q.From.Truncate(time.Second)) + time.Minute - 1) / time.Minute),
	}
	err = k.client.call(ctx, "write", "make a downtime of", service, func(api *sdk.Client) error {
		made, err := api.CreateDowntime(in)
		if err == nil {
			id = made.ID
		}
		return err
	})
	if err == nil && id == "" {
		err = &integrations.Later{After: time.Second, Err: fmt.Errorf("mackerel make a downtime of %s: the answer does not say which it is", service)}
	}
	return id, err
}

// find is the downtime that is so; nil is none.
func (k quieter) find(ctx context.Context, is func(*sdk.Downtime) bool) (found *sdk.Downtime, err error) {
	err = k.client.call(ctx, "read", "list", "the downtimes", func(api *sdk.Client) error {
		all, err := api.FindDowntimes()
		for _, d := range all {
			if d != nil && is(d) {
				found = d
			}
		}
		return err
	})
	return found, err
}

// FindSilence implements integrations.AlertSilencer.
func (k quieter) FindSilence(ctx context.Context, nonce string) (string, bool, error) {
	d, err := k.find(ctx, func(d *sdk.Downtime) bool { return integrations.QuietIs(d.Memo, nonce) })
	if err != nil || d == nil {
		return "", false, err
	}
	return d.ID, true, nil
}

// Unsilence implements integrations.AlertSilencer.
func (k quieter) Unsilence(ctx context.Context, id, nonce string) error {
	if !hostShape.MatchString(id) {
		return fmt.Errorf("mackerel remove the downtime %q: this is not the id of one", id)
	}
	d, err := k.find(ctx, func(d *sdk.Downtime) bool { return d.ID == id })
	switch {
	case err != nil || d == nil:
		return err
	case !integrations.QuietIs(d.Memo, nonce):
		return fmt.Errorf("mackerel remove the downtime %s: it is another one by now", id)
	}
	err = k.client.call(ctx, "write", "remove the downtime", id, func(api *sdk.Client) error {
		_, err := api.DeleteDowntime(id)
		return err
	})
	if errors.As(err, new(*integrations.Gone)) {
		return nil
	}
	return err
}

// Wrong implements integrations.AlertLooker: the alerts that are open. An alert that closes
// during a downtime is told by nobody.
func (k quieter) Wrong(ctx context.Context) (map[string]bool, error) {
	out := map[string]bool{}
	next, seen := "", map[string]bool{}
	for range mostPages {
		var got *sdk.AlertsResp
		err := k.client.call(ctx, "read", "list", "the open alerts", func(api *sdk.Client) (err error) {
			if next == "" {
				got, err = api.FindAlerts()
			} else {
				got, err = api.FindAlertsByNextID(next)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		for _, a := range got.Alerts {
			if a != nil && a.ClosedAt == 0 {
				out[integrations.AlertKey(a.ID)] = true
			}
		}
		if next = got.NextID; next == "" || seen[next] {
			return out, nil
		}
		seen[next] = true
	}
	return nil, fmt.Errorf("mackerel list the open alerts: there are more than %d pages of them", mostPages)
}
