// Package described reads the alerts of any system that sends JSON, as the configuration
// describes it: by JSON pointers (RFC 6901) to what a title, a state and so on are.
package described

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/loose"
)

// Config is the description. All but Each, States and Severities are JSON pointers, from
// the element of Each where there is one, and else from the whole body.
type Config struct {
	Each       string            `yaml:"each"`       // to a list of alerts; "" is that the body is one alert
	ID         string            `yaml:"id"`         // of the delivery, from the whole body
	Key        []string          `yaml:"key"`        // what it is about: all of these together
	Title      []string          `yaml:"title"`      // the first that is there
	Text       []string          `yaml:"text"`       // likewise
	State      string            `yaml:"state"`      // "" is that everything fires
	States     map[string]string `yaml:"states"`     // what stands there, and the state it means
	Severity   string            `yaml:"severity"`   //
	Severities map[string]string `yaml:"severities"` // where its words are not the usual ones
	Service    string            `yaml:"service"`
	Env        string            `yaml:"environment"`
	Host       string            `yaml:"host"`
	Instance   string            `yaml:"instance"` // of EC2
	Check      string            `yaml:"check"`
	Value      string            `yaml:"value"`
	URL        string            `yaml:"url"`
	Runbook    string            `yaml:"runbook"`
	Image      string            `yaml:"image"`
	Labels     string            `yaml:"labels"` // to an object
	At         string            `yaml:"at"`
	By         string            `yaml:"by"`
}

// New makes the source.
func New(o integrations.AlertOptions) (integrations.AlertSource, error) {
	var c Config
	if err := o.Decode(&c); err != nil {
		return nil, err
	}
	if err := c.Validate(); err != nil {
		return nil, err
	}
	s := source{Config: c, states: map[string]string{}, severities: map[string]string{}}
	for said, means := range c.States {
		s.states[fold(said)] = means
	}
	for said, means := range c.Severities {
		s.severities[fold(said)] = means
	}
	return s, nil
}

// Validate names every mistake at once, each line with the field that holds it:
// "settings.key: …".
func (c Config) Validate() error {
	var errs []error
	bad := func(field, format string, args ...any) {
		errs = append(errs, fmt.Errorf("settings.%s: %s", field, fmt.Sprintf(format, args...)))
	}
	if len(c.Key) == 0 {
		bad("key", "is missing; want what tells one trouble from another, such as [/host, /check]")
	}
	if len(c.Title) == 0 {
		bad("title", "is missing; want where a line for people is, such as [/summary]")
	}
	for field, list := range map[string][]string{"key": c.Key, "title": c.Title, "text": c.Text} {
		for i, p := range list {
			if err := loose.CheckPointer(p); err != nil || p == "" {
				bad(fmt.Sprintf("%s[%d]", field, i), "%q is not a JSON pointer; want one like /alert/title", p)
			}
		}
	}
	for field, p := range map[string]string{
		"each": c.Each, "id": c.ID, "state": c.State, "severity": c.Severity, "service": c.Service, "environment": c.Env, "host": c.Host, "instance": c.Instance,
		"check": c.Check, "value": c.Value, "url": c.URL, "runbook": c.Runbook, "image": c.Image, "labels": c.Labels, "at": c.At, "by": c.By,
	} {
		if err := loose.CheckPointer(p); err != nil {
			bad(field, "%v", err)
		}
	}
	fires := false
	for _, said := range slices.Sorted(maps.Keys(c.States)) {
		fires = fires || c.States[said] == integrations.AlertFiring
		if !slices.Contains(integrations.AlertStates, c.States[said]) {
			bad("states."+said, "unknown state %q; there is %s", c.States[said], strings.Join(integrations.AlertStates, ", "))
		}
	}
	for _, said := range slices.Sorted(maps.Keys(c.Severities)) {
		if !slices.Contains(integrations.Severities, c.Severities[said]) {
			bad("severities."+said, "unknown severity %q; there is %s", c.Severities[said], strings.Join(integrations.Severities, ", "))
		}
	}
	switch {
	case c.State == "" && len(c.States) > 0:
		bad("states", "is given, and state does not say where they stand")
	case c.State != "" && !fires:
		bad("states", "names none that means firing; want one such as {problem: firing, ok: resolved}")
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}

func fold(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

type source struct {
	Config
	states, severities map[string]string
}

// Headers implements integrations.AlertSource.
func (source) Headers() []string { return nil }

// Read implements integrations.AlertSource. A state that is not described is an update
// by that name, so that it is seen; one that is missing fires.
func (s source) Read(_ http.Header, body []byte) (integrations.AlertNotice, error) {
	d, err := loose.Object(body)
	if err != nil {
		return integrations.AlertNotice{}, err
	}
	list := []loose.Value{d}
	if s.Each != "" {
		if !d.Pointer(s.Each).IsList() {
			return integrations.AlertNotice{}, fmt.Errorf("there is no list at %s, where the description says the alerts are", integrations.AlertLine(s.Each, 100))
		}
		list = d.Pointer(s.Each).List()
	}
	n := integrations.AlertNotice{Kind: "described"}
	if s.ID != "" {
		n.ID = d.Pointer(s.ID).Text()
	}
	for _, e := range list {
		a := s.alert(e)
		switch {
		case a.Key == "" && s.Each == "":
			return integrations.AlertNotice{}, fmt.Errorf("there is nothing at %s, where the description says the key is", integrations.AlertLine(strings.Join(s.Key, ", "), 200))
		case a.Key == "" || len(n.Alerts) == integrations.AlertsMost:
			n.More++
		default:
			n.Alerts = append(n.Alerts, a)
		}
	}
	return n.Tidy(), nil
}

func (s source) alert(e loose.Value) integrations.Alert {
	at := func(pointer string) loose.Value {
		if pointer == "" { // not described; "" would be the whole of it
			return loose.Value{}
		}
		return e.Pointer(pointer)
	}
	first := func(pointers []string) string {
		for _, p := range pointers {
			if t := at(p).Text(); strings.TrimSpace(t) != "" {
				return t
			}
		}
		return ""
	}
	var key []string
	for _, p := range s.Key { // one that is missing keeps its place
		key = append(key, strings.TrimSpace(at(p).Text()))
	}
	if !slices.ContainsFunc(key, func(t string) bool { return integrations.AlertLine(t, 10) != "" }) {
		return integrations.Alert{}
	}
	said := at(s.State).Text()
	state := s.states[fold(said)]
	switch {
	case fold(said) == "":
		state = integrations.AlertFiring
	case state == "":
		state = integrations.AlertUpdated
	}
	severity := s.severities[fold(at(s.Severity).Text())]
	if severity == "" {
		severity = integrations.Severity(at(s.Severity).Text())
	}
	title := first(s.Title)
	return integrations.Alert{
		Key: strings.Join(key, "/"), State: state, Kind: said, Severity: severity, Title: title, Text: first(s.Text),
		Service: at(s.Service).Text(), Environment: at(s.Env).Text(), Host: at(s.Host).Text(), Instance: integrations.InstanceID(at(s.Instance).Text(), at(s.Host).Text()),
		Check: at(s.Check).Text(), Metric: integrations.Metric{Value: at(s.Value).Short()}, URL: at(s.URL).Text(), Runbook: at(s.Runbook).Text(), Image: at(s.Image).Text(),
		Labels: at(s.Labels).Map(), At: at(s.At).Time(), By: integrations.AlertPerson{Name: at(s.By).Text()},
	}
}
