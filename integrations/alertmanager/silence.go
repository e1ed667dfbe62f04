package alertmanager

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/jsonapi"
	"github.com/signalbox-chatops/signalbox/integrations/kit/loose"
)

// client is a source whose Alertmanager can be asked, over its API v2 (api/v2/openapi.yaml
// in github.com/prometheus/alertmanager).
type client struct {
	source
	api         *jsonapi.Client
	environment string // of alerts that name none
}

var (
	_ integrations.AlertSilencer = client{}
	_ integrations.AlertLooker   = client{}
	_ integrations.AlertSecrets  = client{}
)

func newClient(s source, o integrations.AlertOptions) client {
	var hide []string
	for _, secret := range s.cfg.secrets() {
		hide = append(hide, secret.Reveal())
	}
	return client{s, jsonapi.New(jsonapi.Options{Name: "alertmanager", URL: s.cfg.URL, Header: s.cfg.header(), Secrets: hide, HTTP: o.HTTP}), o.Environment}
}

// Secrets implements integrations.AlertSecrets.
func (c client) Secrets() []integrations.Secret { return c.cfg.secrets() }

func (c client) do(ctx context.Context, a jsonapi.Call, out any) (http.Header, error) {
	header, err := c.api.Do(ctx, a, out)
	return header, integrations.Answered(err, "settings.token, or user and password, of the source want to be those of its Alertmanager")
}

// matcher is one condition of a silence; all of them have to hold.
type matcher struct {
	Name    string `json:"name"`
	Value   string `json:"value"`
	IsRegex bool   `json:"isRegex"`
	IsEqual bool   `json:"isEqual"`
}

// silence is one at the wire.
type silence struct {
	Matchers  []matcher `json:"matchers"`
	StartsAt  time.Time `json:"startsAt"`
	EndsAt    time.Time `json:"endsAt"`
	CreatedBy string    `json:"createdBy"`
	Comment   string    `json:"comment"`
}

// known is one that Alertmanager has.
type known struct {
	ID      string `json:"id"`
	Comment string `json:"comment"`
	Status  struct {
		State string `json:"state"`
	} `json:"status"`
}

const expired = "expired"

// Keeps implements integrations.AlertSilencer.
func (c client) Keeps(q integrations.Quiet) error {
	if len(q.Services) == 0 {
		return integrations.ErrQuietNoService
	}
	return nil
}

// oneOf matches a label that has one of some values, or none where it may be missing. A
// regular expression has to match the whole value.
func oneOf(label string, values []string, missing bool) matcher {
	if len(values) == 1 && !missing {
		return matcher{Name: label, Value: values[0], IsEqual: true}
	}
	var quoted []string
	for _, v := range values {
		quoted = append(quoted, regexp.QuoteMeta(v))
	}
	if missing {
		quoted = append(quoted, "")
	}
	return matcher{Name: label, Value: strings.Join(quoted, "|"), IsRegex: true, IsEqual: true}
}

// matchers are those of a silence. Alerts that name no environment are of the source's.
func (c client) matchers(q integrations.Quiet) []matcher {
	out := []matcher{oneOf(c.cfg.serviceLabel(), q.Services, false)}
	if len(q.Environments) > 0 {
		own := func(e string) bool { return integrations.Fold(e) == integrations.Fold(c.environment) }
		out = append(out, oneOf(c.cfg.environmentLabel(), q.Environments, c.environment != "" && slices.ContainsFunc(q.Environments, own)))
	}
	return out
}

// Silence implements integrations.AlertSilencer. A start that is past is now, to
// Alertmanager; an end that is past by its clock is a refusal.
func (c client) Silence(ctx context.Context, q integrations.Quiet) (string, error) {
	var made struct {
		ID string `json:"silenceID"`
	}
	in := silence{Matchers: c.matchers(q), StartsAt: q.From.UTC(), EndsAt: q.Until.UTC(), CreatedBy: q.By + " (signalbox)", Comment: q.Comment()}
	if _, err := c.do(ctx, jsonapi.Call{Act: "make a silence", Method: http.MethodPost, Path: []string{"api", "v2", "silences"}, Body: in}, &made); err != nil {
		return "", err
	}
	if made.ID == "" {
		return "", &integrations.Later{After: time.Second, Err: errors.New("alertmanager make a silence: the answer does not say which it is")}
	}
	return made.ID, nil
}

// FindSilence implements integrations.AlertSilencer. One that has expired counts:
// Alertmanager keeps it for days, and somebody ended it.
func (c client) FindSilence(ctx context.Context, nonce string) (string, bool, error) {
	var all []known
	if _, err := c.do(ctx, jsonapi.Call{Act: "list the silences", Method: http.MethodGet, Path: []string{"api", "v2", "silences"}}, &all); err != nil {
		return "", false, err
	}
	for _, s := range all {
		if integrations.QuietIs(s.Comment, nonce) {
			return s.ID, true, nil
		}
	}
	return "", false, nil
}

// Unsilence implements integrations.AlertSilencer. It looks first: to remove one that there
// is not is an error of the server to Alertmanager up to 0.25 at least, and one that has
// expired is left as it is.
func (c client) Unsilence(ctx context.Context, id, nonce string) error {
	var s known
	path := []string{"api", "v2", "silence", id}
	_, err := c.do(ctx, jsonapi.Call{Act: "look at the silence", Thing: id, Method: http.MethodGet, Path: path}, &s)
	switch {
	case errors.As(err, new(*integrations.Gone)):
		return nil
	case err != nil:
		return err
	case s.Status.State == expired:
		return nil
	case !integrations.QuietIs(s.Comment, nonce):
		return fmt.Errorf("alertmanager remove the silence %s: it is another one by now", id)
	}
	_, err = c.do(ctx, jsonapi.Call{Act: "remove the silence", Thing: id, Method: http.MethodDelete, Path: path}, nil)
	if errors.As(err, new(*integrations.Gone)) {
		return nil
	}
	return err
}

// youngest is how long an Alertmanager has to be up to know what is wrong: one that has
// just begun has heard of nothing until whoever watches says it again, within the minute.
const youngest = 2 * time.Minute

// Wrong implements integrations.AlertLooker.
func (c client) Wrong(ctx context.Context) (map[string]bool, error) {
	var about struct {
		Uptime time.Time `json:"uptime"` // since when it is up
	}
	header, err := c.do(ctx, jsonapi.Call{Act: "ask how long it is up", Method: http.MethodGet, Path: []string{"api", "v2", "status"}}, &about)
	if err != nil {
		return nil, err
	}
	if now, err := http.ParseTime(header.Get("Date")); err == nil && now.Sub(about.Uptime) < youngest {
		return nil, &integrations.Later{After: youngest - now.Sub(about.Uptime), Err: fmt.Errorf("alertmanager: it is up for less than %d minutes, and may not have heard of all that is wrong", int(youngest.Minutes()))}
	}
	var all []json.RawMessage
	query := map[string][]string{"active": {"true"}, "silenced": {"true"}, "inhibited": {"true"}, "unprocessed": {"true"}}
	if _, err := c.do(ctx, jsonapi.Call{Act: "list the alerts", Method: http.MethodGet, Path: []string{"api", "v2", "alerts"}, Query: query}, &all); err != nil {
		return nil, err
	}
	out := map[string]bool{}
	for _, one := range all {
		a, err := loose.Object(one)
		if err != nil {
			return nil, fmt.Errorf("alertmanager list the alerts: %w", err)
		}
		for _, key := range []string{strings.TrimSpace(a.At("fingerprint").Text()), digest(a.At("labels").Map())} {
			out[integrations.AlertKey(key)] = true
		}
	}
	return out, nil
}
