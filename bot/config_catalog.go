package main

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/calendar"
)

// applierMaker makes a step from its settings: decode lays them over a struct,
// strictly. dir is the data folder, for what an applier shares between runs.
type applierMaker = func(dir string, decode func(any) error) (integrations.Applier, error)

// Catalog is what the configuration says there is, in the words of the floors
// below. Mistakes in the settings of the steps come out here, all at once.
func (c *Config) Catalog(appliers map[string]applierMaker) (*integrations.Catalog, error) {
	c.r.mistakes = nil
	out := &integrations.Catalog{Groups: map[string][]string{}, Live: map[string][]integrations.GroupSource{}, Bots: c.GitHub.Bots}
	for _, g := range c.Groups {
		out.Groups[g.Name] = slices.Clone(g.People)
		if live := g.live(); len(live) > 0 {
			out.Live[g.Name] = live
		}
	}
	for _, p := range c.People {
		person := integrations.Person{Name: p.Name, Slack: p.Slack, GitHub: p.GitHub, Email: p.Email, Phone: p.Phone, Host: p.Host}
		for _, g := range c.Groups {
			if slices.Contains(g.People, p.Name) {
				person.Groups = append(person.Groups, g.Name)
			}
		}
		out.People = append(out.People, person)
	}
	for _, p := range c.Policy {
		out.Rules = append(out.Rules, integrations.Rule{Groups: p.Groups, Verbs: p.Verbs, Environments: p.Environments})
	}
	for _, e := range c.Environments {
		out.Environments = append(out.Environments, e.environment())
	}
	for _, s := range c.OnCall.Schedules {
		out.Schedules = append(out.Schedules, integrations.Schedule{Name: s.Name, Aliases: s.Aliases})
	}
	for _, s := range c.Services {
		out.Services = append(out.Services, s.service())
	}
	for _, t := range c.Targets {
		out.Targets = append(out.Targets, c.target(t, appliers))
	}
	if err := c.r.err(); err != nil {
		return nil, err
	}
	return out, nil
}

func (e EnvironmentConfig) environment() integrations.Environment {
	out := integrations.Environment{
		Name: e.Name, Aliases: e.Aliases, Channels: e.Channels, Approvals: e.Approvals, Approvers: e.Approvers, OnCall: e.OnCall,
		Review: e.Review, Merge: e.Merge, MergeAfter: e.MergeAfter, Checks: e.Checks, After: e.After, CoolDown: e.CoolDown, OnOpen: e.OnOpen,
		Ships: e.Ships, TellAuthors: e.TellAuthors != nil && *e.TellAuthors,
	}
	if w, err := calendar.Parse(e.Windows); err == nil && !w.IsZero() { // a mistake was found by check
		out.Windows = w
	}
	out.Notify, out.Quiet, out.Digest = e.Notify, e.Quiet.hours(), e.Digest.daily()
	return out
}

func (s ServiceConfig) service() integrations.Service {
	out := integrations.Service{
		Name: s.Name, Aliases: s.Aliases, Repository: s.Repository, Strategy: s.Strategy,
		Branch: s.Branch, Source: s.Source, OnCall: s.OnCall, Environments: map[string]integrations.ServiceEnvironment{},
	}
	for _, e := range s.Environments {
		out.Environments[e.Name] = integrations.ServiceEnvironment{Branch: e.Branch, File: e.File, Key: e.Key, Targets: e.Targets, Auto: e.Auto != "", Notify: e.Notify}
	}
	return out
}

func (c *Config) target(t TargetConfig, appliers map[string]applierMaker) integrations.Target {
	out := integrations.Target{
		Name: t.Name, Environment: t.Environment, Repository: t.Repository, Base: t.Base,
		Paths: t.Paths, Timeout: t.Timeout, PlanEnv: t.PlanEnv, ApplyEnv: t.ApplyEnv, Wave: t.Wave, Coalesce: t.Coalesce, Drift: t.Drift, Graphs: integrations.Graphs(t.Mackerel),
	}
	for _, s := range t.ASG {
		out.Scaling = append(out.Scaling, s.scaling())
	}
	kinds := slices.Sorted(maps.Keys(appliers))
	for _, s := range t.Apply {
		make, ok := appliers[s.Kind]
		if !ok {
			c.r.mistake(s.path, "%s", oneOf("applier", s.Kind, kinds))
			continue
		}
		a, err := make(c.Data, func(into any) error { return c.r.decodeStep(s, into) })
		var told *ConfigError
		switch {
		case errors.As(err, &told): // decodeStep has recorded it
		case err != nil:
			for _, what := range strings.Split(err.Error(), "\n") {
				c.r.mistake(s.path, "%s", what)
			}
		default:
			out.Steps = append(out.Steps, a)
		}
	}
	return out
}

// decodeStep lays a step's settings over a struct. Its mistakes are recorded
// and returned.
func (r *configReader) decodeStep(s StepConfig, into any) error {
	return r.decode(SettingsConfig{node: s.node, path: s.path}, into)
}

// decode lays settings over a struct, as decodeStep does; where there are none it
// leaves it.
func (r *configReader) decode(s SettingsConfig, into any) error {
	v := reflect.ValueOf(into)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		return fmt.Errorf("decode %s: want a pointer, not %T", s.path, into)
	}
	if s.node == nil {
		return nil
	}
	before := len(r.mistakes)
	r.budget = 10_000
	r.value(s.node, v.Elem(), s.path, 0)
	if len(r.mistakes) == before {
		return nil
	}
	return &ConfigError{Mistakes: slices.Clone(r.mistakes[before:])}
}
