package mackerel

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	sdk "github.com/mackerelio/mackerel-client-go"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// Places are the kinds of places in Mackerel, by the names a surface calls them:
//
//	mackerel.annotation  Where: service, roles (with commas between)  one graph annotation
//	mackerel.metric      Where: service                               values of service metrics
//
// What is told there is good to have, and nobody waits for it: what Mackerel refuses, an
// unknown role or a key that may not write, is *integrations.Gone, so that it is said
// once and not asked for again.
func (c *Client) Places() map[string]integrations.Place {
	return map[string]integrations.Place{"mackerel.annotation": annotationPlace{c}, "mackerel.metric": metricPlace{c}}
}

// What Mackerel takes (mackerel.io/api-docs/entry/graph-annotations).
const (
	longestTitle = 250
	longestText  = 1024
	// around is how far about the span of an annotation it is looked for.
	around = 10 * time.Minute
	// betweenPosts is how often a service takes values of metrics, about.
	betweenPosts = time.Minute
)

// placed is an error as the teller acts on it: everything that waiting does not mend is
// Gone.
func placed(ctx context.Context, err error) error {
	var later *integrations.Later
	var gone *integrations.Gone
	if err == nil || ctx.Err() != nil || errors.As(err, &later) || errors.As(err, &gone) {
		return err
	}
	return &integrations.Gone{Why: err.Error()}
}

type annotationPlace struct{ c *Client }

// marker names a surface in the text of its annotation.
func marker(nonce string) string { return "signalbox " + nonce }

// Show implements integrations.Place. A change says all of it again: Mackerel replaces.
func (pl annotationPlace) Show(ctx context.Context, p integrations.Post) (string, error) {
	a, service := p.Message.Annotation, p.Where["service"]
	if a == nil {
		return "", errors.New("the message holds no annotation")
	}
	mark := marker(p.Nonce)
	in := &sdk.GraphAnnotation{
		Title: shortened(a.Title, longestTitle), Description: shortened(a.Text, longestText-len(mark)-1) + "\n" + mark,
		From: a.From.Unix(), To: a.Until.Unix(), Service: service,
	}
	if roles := p.Where["roles"]; roles != "" {
		in.Roles = strings.Split(roles, ",")
	}
	ref := p.Ref
	if ref != "" && !hostShape.MatchString(ref) {
		return "", &integrations.Gone{Why: fmt.Sprintf("mackerel change the annotation %q: this is not the id of one", ref)}
	}
	act, do := "annotate", func(api *sdk.Client) error {
		made, err := api.CreateGraphAnnotation(in)
		if err == nil {
			ref = made.ID
		}
		return err
	}
	if ref != "" {
		act, do = "change the annotation "+ref+" of", func(api *sdk.Client) error {
			_, err := api.UpdateGraphAnnotation(ref, in)
			return err
		}
	}
	if err := pl.c.call(ctx, "write", act, scope(p.Where), do); err != nil {
		return "", placed(ctx, err)
	}
	return ref, nil
}

// scope names the graphs: "web" or "web: app, worker".
func scope(where map[string]string) string {
	if roles := where["roles"]; roles != "" {
		return where["service"] + ": " + strings.ReplaceAll(roles, ",", ", ")
	}
	return where["service"]
}

// shortened is a text of at most so many bytes, cut between two letters; Mackerel does
// not say whether it counts bytes or letters.
func shortened(s string, most int) string {
	if len(s) <= most {
		return s
	}
	const dots = "…"
	at := 0
	for n := range s {
		if n > most-len(dots) {
			break
		}
		at = n
	}
	return s[:at] + dots
}

// Find implements integrations.Place: it looks through the service's annotations around
// its time.
func (pl annotationPlace) Find(ctx context.Context, p integrations.Post) (ref string, found bool, err error) {
	a, service := p.Message.Annotation, p.Where["service"]
	if a == nil {
		return "", false, errors.New("the message holds no annotation")
	}
	err = pl.c.call(ctx, "read", "list the annotations of", service, func(api *sdk.Client) error {
		all, err := api.FindGraphAnnotations(service, a.From.Add(-around).Unix(), a.Until.Add(around).Unix())
		for _, one := range all {
			if one != nil && strings.HasSuffix(strings.TrimSpace(one.Description), marker(p.Nonce)) {
				ref, found = one.ID, true
			}
		}
		return err
	})
	return ref, found, placed(ctx, err)
}

type metricPlace struct{ c *Client }

// Show implements integrations.Place. The reference is the number of the last value that
// was taken: those above it are sent, all of them in one post. One whose answer is lost
// is sent again, as the same value at the same time.
func (pl metricPlace) Show(ctx context.Context, p integrations.Post) (string, error) {
	taken := uint64(0)
	if p.Ref != "" {
		n, err := strconv.ParseUint(p.Ref, 10, 64)
		if err != nil {
			return "", fmt.Errorf("read reference %q: not a number", p.Ref)
		}
		taken = n
	}
	var send []*sdk.MetricValue
	last := taken
	for _, m := range p.Message.Measured {
		if m.Number > taken {
			send = append(send, &sdk.MetricValue{Name: m.Metric, Time: m.At.Unix(), Value: m.Value})
			last = max(last, m.Number)
		}
	}
	ref := strconv.FormatUint(last, 10)
	if len(send) == 0 {
		return ref, nil
	}
	service := p.Where["service"]
	if !serviceShape.MatchString(service) {
		return "", &integrations.Gone{Why: fmt.Sprintf("mackerel post metrics of %q: this is not the name of a service", service)}
	}
	err := pl.c.call(ctx, "write", "post metrics of", service, func(api *sdk.Client) error { return api.PostServiceMetricValues(service, send) })
	var later *integrations.Later
	if errors.As(err, &later) && later.Unsent {
		later.After = max(later.After, betweenPosts)
	}
	if err != nil {
		return "", placed(ctx, err)
	}
	return ref, nil
}

// Find implements integrations.Place: sending a value again changes nothing.
func (metricPlace) Find(context.Context, integrations.Post) (string, bool, error) {
	return "", false, integrations.ErrNotReadable
}
