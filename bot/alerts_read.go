package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/integrations"
)

// packed is the first line of an alert's event; what was delivered follows it, as it came.
type packed struct {
	Kind   string      `json:"kind"` // of the source
	Header http.Header `json:"header,omitempty"`
}

func packAlert(s alertSource, header http.Header, body []byte) []byte {
	head, err := json.Marshal(packed{s.Kind, header})
	if err != nil {
		head = []byte("{}") // no value that is passed here fails
	}
	return append(append(head, '\n'), body...)
}

// alertReader reads the events that the alert door stored.
type alertReader struct {
	sources func() []alertSource
	log     *slog.Logger
}

// unpack finds the source of an event and what it delivered.
func (a *alertReader) unpack(kind string, event []byte) (s alertSource, header http.Header, body []byte, err error) {
	name, ok := strings.CutPrefix(kind, alertEvents)
	if !ok {
		return s, nil, nil, fmt.Errorf("an event of the kind %q is no alert", kind)
	}
	head, body, _ := bytes.Cut(event, []byte("\n"))
	var p packed
	if err := json.Unmarshal(head, &p); err != nil {
		return s, nil, nil, fmt.Errorf("read the event of an alert of %s: %w", name, err)
	}
	all := a.sources()
	i := slices.IndexFunc(all, func(s alertSource) bool { return s.Name == name && s.Kind == p.Kind })
	if i < 0 {
		return s, nil, nil, fmt.Errorf("alerts.%s is not in the configuration any more, or of another kind than %s", name, p.Kind)
	}
	return all[i], p.Header, body, nil
}

// Read is what an event of a kind "alert.…" says: with the source's name, and with the
// configuration's word where the source has none of its own. Its error is final: the
// same event will not be readable later.
func (a *alertReader) Read(kind string, event []byte) (integrations.AlertNotice, error) {
	s, header, body, err := a.unpack(kind, event)
	if err != nil {
		return integrations.AlertNotice{}, err
	}
	n, err := s.read.Read(header, body)
	if err != nil {
		return integrations.AlertNotice{}, fmt.Errorf("read an alert of %s: %w", s.Name, err)
	}
	n.Source = s.Name
	for i := range n.Alerts {
		alert := &n.Alerts[i]
		alert.Source = s.Name
		alert.Service, alert.Environment = cmp.Or(alert.Service, s.Service), cmp.Or(alert.Environment, s.Environment)
		if alert.Severity == integrations.SeverityUnknown && s.Severity != "" {
			alert.Severity = s.Severity
		}
	}
	return n, nil
}

// confirm answers the sources that want to be answered before they begin to send. It
// comes after the door's answer, and is tried again for as long as that may help.
func (a *alertReader) confirm(ctx context.Context, h commands.Happening) (commands.Act, error) {
	s, header, body, err := a.unpack(h.Kind, h.Body)
	if err != nil {
		return nil, nil // whoever reads the alert is told
	}
	c, ok := s.read.(integrations.AlertConfirmer)
	if !ok {
		return nil, nil
	}
	did, err := c.Confirm(ctx, header, body)
	var later *integrations.Later
	switch {
	case errors.As(err, &later), ctx.Err() != nil:
		return nil, err
	case err != nil:
		a.log.Error("a source of alerts could not be answered", "source", s.Name, "event", h.Event, "err", err)
	case did != "":
		a.log.Info("a source of alerts was answered", "source", s.Name, "event", h.Event, "did", did)
	}
	return nil, nil
}
