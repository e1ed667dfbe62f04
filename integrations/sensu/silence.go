package sensu

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/jsonapi"
	"github.com/signalbox-chatops/signalbox/integrations/kit/loose"
)

// Config is how the API of Sensu Go is reached, and which subscription is which service's;
// the zero value asks it nothing.
type Config struct {
	// URL is what stands before /api/core/v2; "" carries no silences there.
	URL string `yaml:"url"`
	// APIKey is that of a user who may read events and change silenced entries.
	APIKey integrations.Secret `yaml:"api_key"`
	// Namespace is whose events they are; "" is "default".
	Namespace string `yaml:"namespace"`
	// Subscriptions are those of services, by "web", or "web/production" for one of its
	// environments: a silenced entry is of a subscription, and of nothing else that tells a
	// service.
	Subscriptions map[string]string `yaml:"subscriptions"`
}

const exampleURL = "https://sensu.example.com:8080"

// subscriptionShape is of the names that Sensu takes (api/core/v2/validators.go in
// github.com/sensu/sensu-go).
var (
	subscriptionShape = regexp.MustCompile(`^[a-z]+:[\w.-]+$|^[\w.-]+$`)
	namespaceShape    = regexp.MustCompile(`^[\w.-]+$`)
)

// check names every mistake, each in a line with its field.
func (c Config) check() error {
	var errs []error
	bad := func(field, say string) { errs = append(errs, errors.New("settings."+field+": "+say)) }
	if c.URL == "" {
		if !c.APIKey.IsZero() || c.Namespace != "" || len(c.Subscriptions) > 0 {
			bad("url", "is missing, and the rest says what to do there; want one like "+exampleURL)
		}
		return errors.Join(errs...)
	}
	if err := jsonapi.Check(c.URL, exampleURL); err != nil {
		bad("url", err.Error())
	}
	if c.APIKey.IsZero() {
		bad("api_key", "is missing; make one with `sensuctl api-key grant <user>`")
	}
	if c.Namespace != "" && !namespaceShape.MatchString(c.Namespace) {
		bad("namespace", fmt.Sprintf("%q is no name of one; want one like default", c.Namespace))
	}
	if len(c.Subscriptions) == 0 {
		bad("subscriptions", "is missing; want the subscription of each service that is to be quiet there, such as {web: web-servers}")
	}
	for _, service := range slices.Sorted(maps.Keys(c.Subscriptions)) {
		if !subscriptionShape.MatchString(c.Subscriptions[service]) {
			bad("subscriptions."+service, fmt.Sprintf("%q is no name of a subscription; want one like web-servers", c.Subscriptions[service]))
		}
	}
	return errors.Join(errs...)
}

// client is a source whose Sensu Go can be asked, over its API
// (docs.sensu.io/sensu-go/latest/api/core/silenced).
type client struct {
	source
	cfg         Config
	api         *jsonapi.Client
	environment string // of events that name none
}

var (
	_ integrations.AlertSilencer = client{}
	_ integrations.AlertLooker   = client{}
	_ integrations.AlertSecrets  = client{}
)

func newClient(c Config, o integrations.AlertOptions) client {
	header := http.Header{"Authorization": {"Key " + c.APIKey.Reveal()}}
	return client{cfg: c, environment: o.Environment, api: jsonapi.New(jsonapi.Options{Name: "sensu", URL: c.URL, Header: header, Secrets: []string{c.APIKey.Reveal()}, HTTP: o.HTTP})}
}

// Secrets implements integrations.AlertSecrets.
func (c client) Secrets() []integrations.Secret { return []integrations.Secret{c.cfg.APIKey} }

func (c client) do(ctx context.Context, a jsonapi.Call, out any) (http.Header, error) {
	a.Path = append([]string{"api", "core", "v2", "namespaces", c.namespace()}, a.Path...)
	header, err := c.api.Do(ctx, a, out)
	return header, integrations.Answered(err, "settings.api_key of the source wants to be a user's who may do that")
}

func (c client) namespace() string { return cmp.Or(c.cfg.Namespace, "default") }

// subscription is that of what is to be quiet.
func (c client) subscription(q integrations.Quiet) (string, error) {
	if len(q.Services) == 0 {
		return "", integrations.ErrQuietNoService
	}
	for _, e := range q.Environments {
		for _, s := range q.Services {
			if name, ok := c.cfg.Subscriptions[s+"/"+e]; ok {
				return name, nil
			}
		}
	}
	if len(q.Environments) > 0 && !slices.ContainsFunc(q.Environments, func(e string) bool { return integrations.Fold(e) == integrations.Fold(c.environment) }) {
		return "", fmt.Errorf("no subscription there is that of %s/%s", q.Services[0], q.Environments[0])
	}
	for _, s := range q.Services {
		if name, ok := c.cfg.Subscriptions[s]; ok {
			return name, nil
		}
	}
	return "", fmt.Errorf("no subscription there is that of %s", q.Services[0])
}

// Keeps implements integrations.AlertSilencer.
func (c client) Keeps(q integrations.Quiet) error {
	_, err := c.subscription(q)
	return err
}

// entry is a silenced entry at the wire. Its name is that of what it silences: there is one
// of each at a time.
type entry struct {
	Metadata struct {
		Name      string `json:"name"`
		Namespace string `json:"namespace"`
	} `json:"metadata"`
	Expire          int64  `json:"expire"` // seconds from its beginning
	ExpireOnResolve bool   `json:"expire_on_resolve"`
	Creator         string `json:"creator"`
	Reason          string `json:"reason"`
	Subscription    string `json:"subscription"`
	Begin           int64  `json:"begin"` // seconds since 1970
}

const every = "*" // check

// Silence implements integrations.AlertSilencer. Where somebody has silenced the same
// already, it is *integrations.Later: that one may end before ours.
func (c client) Silence(ctx context.Context, q integrations.Quiet) (string, error) {
	subscription, err := c.subscription(q)
	if err != nil {
		return "", err
	}
	e := entry{Expire: int64((q.Until.Sub(q.From) + time.Second - 1) / time.Second), Creator: "signalbox", Reason: q.Comment(), Subscription: subscription, Begin: q.From.Unix()}
	e.Metadata.Name, e.Metadata.Namespace = subscription+":"+every, c.namespace()
	_, err = c.do(ctx, jsonapi.Call{Act: "silence", Thing: e.Metadata.Name, Method: http.MethodPost, Path: []string{"silenced"}, Body: e}, nil)
	var no *jsonapi.Error
	if errors.As(err, &no) && no.Status == http.StatusConflict {
		return "", &integrations.Later{After: time.Minute, Unsent: true, Err: fmt.Errorf("sensu silence %s: it is silenced already, by somebody else", e.Metadata.Name)}
	}
	if err != nil {
		return "", err
	}
	return e.Metadata.Name, nil
}

// FindSilence implements integrations.AlertSilencer. Of one that has ended nothing is left.
func (c client) FindSilence(ctx context.Context, nonce string) (string, bool, error) {
	var all []entry
	if _, err := c.do(ctx, jsonapi.Call{Act: "list", Thing: "what is silenced", Method: http.MethodGet, Path: []string{"silenced"}}, &all); err != nil {
		return "", false, err
	}
	for _, e := range all {
		if integrations.QuietIs(e.Reason, nonce) {
			return e.Metadata.Name, true, nil
		}
	}
	return "", false, nil
}

// Unsilence implements integrations.AlertSilencer. An entry of the same name may be
// somebody else's by now.
func (c client) Unsilence(ctx context.Context, id, nonce string) error {
	var e entry
	_, err := c.do(ctx, jsonapi.Call{Act: "look at the silence", Thing: id, Method: http.MethodGet, Path: []string{"silenced", id}}, &e)
	switch {
	case errors.As(err, new(*integrations.Gone)):
		return nil
	case err != nil:
		return err
	case !integrations.QuietIs(e.Reason, nonce):
		return fmt.Errorf("sensu remove the silence %s: it is another one by now", id)
	}
	_, err = c.do(ctx, jsonapi.Call{Act: "remove the silence", Thing: id, Method: http.MethodDelete, Path: []string{"silenced", id}}, nil)
	if errors.As(err, new(*integrations.Gone)) {
		return nil
	}
	return err
}

// A list of events comes in pages; a page too many is not told.
const (
	eventsAtOnce = "500"
	mostPages    = 40
)

// Wrong implements integrations.AlertLooker. With the filter not_silenced a handler is not
// told of what is well again either.
func (c client) Wrong(ctx context.Context) (map[string]bool, error) {
	out := map[string]bool{}
	next := ""
	for range mostPages {
		query := map[string][]string{"limit": {eventsAtOnce}}
		if next != "" {
			query["continue"] = []string{next}
		}
		var all []json.RawMessage
		header, err := c.do(ctx, jsonapi.Call{Act: "list", Thing: "the events", Method: http.MethodGet, Path: []string{"events"}, Query: query}, &all)
		if err != nil {
			return nil, err
		}
		for _, one := range all {
			e, err := loose.Object(one)
			if err != nil {
				return nil, fmt.Errorf("sensu list the events: %w", err)
			}
			if !e.At("check").IsObject() {
				continue
			}
			if n, err := event(e); err == nil && n.Alerts[0].State != integrations.AlertResolved {
				out[n.Alerts[0].Key] = true
			}
		}
		if next = strings.TrimSpace(header.Get("Sensu-Continue")); next == "" {
			return out, nil
		}
	}
	return nil, fmt.Errorf("sensu list the events: there are more than %d pages of them", mostPages)
}
