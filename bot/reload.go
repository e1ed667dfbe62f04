package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/redact"
	"github.com/signalbox-chatops/signalbox/store"
)

// The configuration comes from the file that the process was started with, the
// local one. Where that says so, it is followed in its own repository instead: what
// was last taken from there is kept in the store, and is what the next process
// begins with. Of the local file then only `data` and `config` count, and all of it
// until something was taken.

// reloads is the configuration on its way to a new one; mu keeps two from meeting.
type reloads struct {
	mu    sync.Mutex
	local *Config
	base  *integrations.Catalog // without the links of people
}

// begin takes the configuration that was followed before, if there is one.
func (a *app) begin() {
	a.reloads.local = a.Config
	c, err := a.followed(a.Config)
	if err != nil { // the tools or the environment are others than when it was taken
		a.Log.Error("the configuration that was taken from its repository cannot be read any more; the local file is used", "error", err)
		return
	}
	a.Config = c
	a.config.Store(c)
}

// followed is what was last taken from the repository, for a local configuration
// that says so; else that itself.
func (a *app) followed(local *Config) (*Config, error) {
	if !local.Home.Follow {
		return local, nil
	}
	var text []byte
	err := a.store.View(func(tx *store.Tx) (err error) {
		text, err = keptConfig(tx, local.home())
		return err
	})
	if err != nil || text == nil {
		return local, err
	}
	return local.parseFollowed(text)
}

// parseFollowed reads a text from the configuration's repository.
func (c *Config) parseFollowed(text []byte) (*Config, error) {
	out, err := parseConfig(c.Home.Repository+"/"+c.Home.Path, text, os.LookupEnv)
	if err != nil {
		return nil, err
	}
	out.file, out.Data, out.Home = c.file, c.Data, c.Home
	return out, nil
}

// home is where the configuration's repository is.
func (c *Config) home() configHome {
	h := configHome{Repository: c.Home.Repository, Path: c.Home.Path, Base: c.Home.Base, Follow: c.Home.Follow, Channel: c.Home.Channel, File: filepath.Base(c.file)}
	for _, e := range c.Environments {
		if h.Channel == "" && len(e.Channels) > 0 {
			h.Channel = e.Channels[0]
		}
	}
	return h
}

func (a *app) home() configHome { return a.config.Load().home() }

// relink puts the links of people into the catalog anew.
func (a *app) relink() error {
	a.reloads.mu.Lock()
	defer a.reloads.mu.Unlock()
	return a.use(context.Background(), a.reloads.base, false)
}

// use makes a catalog the one that everybody asks. With fresh, groups that nobody
// has read yet are read first.
func (a *app) use(ctx context.Context, base *integrations.Catalog, fresh bool) error {
	var cat *integrations.Catalog
	err := a.store.View(func(tx *store.Tx) (err error) {
		cat, err = withLinks(tx, base)
		return err
	})
	if err != nil {
		return err
	}
	cat.Members = a.groups.Of(cat)
	if fresh {
		a.readGroups(ctx, cat)
	}
	a.reloads.base = base
	a.catalog.Store(cat)
	return nil
}

// checkText returns every mistake in the text of a configuration.
func (a *app) checkText(text []byte) error {
	c, err := a.config.Load().parseFollowed(text)
	if err == nil {
		_, err = a.catalogOf(c)
	}
	return showable(err)
}

func (a *app) catalogOf(c *Config) (*integrations.Catalog, error) {
	cat, err := c.Catalog(appliers(c, filepath.Join(c.Data, "providers")))
	if err == nil {
		err = c.checkRights(rights(a.wired.verbs))
	}
	return cat, err
}

// adopt makes a text from the configuration's repository the running configuration.
func (a *app) adopt(ctx context.Context, text []byte) (configChanges, error) {
	c, err := a.config.Load().parseFollowed(text)
	if err != nil {
		return configChanges{}, showable(err)
	}
	changes, err := a.take(ctx, c)
	return changes, showable(err)
}

// leastHidden is the length of a value that is hidden: shorter ones are numbers
// and words.
const leastHidden = 6

// hider takes out of a text what stood in variables and files: whoever may change
// the configuration is not meant to read them in a channel.
func hider(filled []string) *redact.Redactor {
	return redact.New(slices.DeleteFunc(slices.Clone(filled), func(s string) bool { return len(s) < leastHidden }))
}

// showable is an error of a configuration as a channel may show it.
func showable(err error) error {
	var told *ConfigError
	if !errors.As(err, &told) {
		return err
	}
	return hider(told.filled).Error(err)
}

// take makes a configuration the running one. One with a mistake changes nothing.
func (a *app) take(ctx context.Context, c *Config) (configChanges, error) {
	a.reloads.mu.Lock()
	defer a.reloads.mu.Unlock()
	cat, err := a.catalogOf(c)
	if err != nil {
		return configChanges{}, err
	}
	old := a.config.Load()
	if err := a.use(ctx, cat, true); err != nil {
		return configChanges{}, err
	}
	a.config.Store(c)
	a.groups.Wake()
	a.ticks.Again("reconcile") // pull requests that are open may touch what is new
	changes := diffConfig(old, c)
	a.Log.Info("configuration reloaded", "changes", changes, "after_restart", needRestart(changes))
	words := wordsOfChanges(old, c)
	hide := hider(slices.Concat(old.r.filled, c.r.filled, old.secrets(), c.secrets()))
	for _, lines := range [][]string{words.Now, words.Later} {
		for i := range lines {
			lines[i] = hide.String(lines[i])
		}
	}
	return words, nil
}

// reload reads the local file again. One with a mistake changes nothing. Either way
// it is told where people see it.
func (a *app) reload(ctx context.Context) {
	local := a.reloads.local
	if local.file == "" {
		return
	}
	var changes configChanges
	c, err := loadConfig(local.file)
	if err == nil {
		if a.reloads.local = c; c.Home.Follow {
			c, err = a.followed(c)
		}
	}
	if err == nil {
		changes, err = a.take(ctx, c)
	}
	if err != nil {
		a.Log.Error("the configuration was not reloaded; the old one stays", "error", err)
	}
	if err := tellReload(ctx, a.systems, changes, showable(err)); err != nil {
		a.Log.Error("tell of a reload", "error", err)
	}
	a.ticks.Again("configuration")
}

// needRestart picks the changes that only a restart brings: tokens, addresses
// and how jobs run.
func needRestart(changes []string) []string {
	var out []string
	for _, c := range changes {
		for _, field := range []string{"slack.", "listen", "inbound", "public_url", "data", "heartbeat.", "aws.", "mackerel.", "statuspage.", "haproxy", "runner.", "github.token", "github.app", "github.api_url", "github.git_url", "github.merge_method", "github.oauth"} {
			if strings.HasPrefix(strings.TrimLeft(c, "+-~ "), field) {
				out = append(out, c)
				break
			}
		}
	}
	return out
}

// wordsOfChanges says what another configuration changes, as people say it.
func wordsOfChanges(old, new *Config) configChanges {
	all := diffConfig(old, new)
	out := configChanges{Later: needRestart(all)}
	out.Now = slices.Concat(peopleWords(old.People, new.People), groupWords(old.Groups, new.Groups), policyWords(old.Policy, new.Policy))
	for _, part := range []struct {
		field, what string
		had, has    []string
	}{
		{"environments", "environment", old.environmentNames(), new.environmentNames()},
		{"services", "service", old.serviceNames(), new.serviceNames()},
		{"targets", "target", old.targetNames(), new.targetNames()},
	} {
		out.Now = append(out.Now, partWords(part.field, part.what, part.had, part.has, all)...)
	}
	for _, line := range all {
		told := slices.Contains(out.Later, line)
		for _, field := range []string{"people[", "groups.", "policy[", "environments.", "services.", "targets."} {
			told = told || strings.HasPrefix(line, field)
		}
		if !told {
			out.Now = append(out.Now, line)
		}
	}
	return out
}

func (c *Config) serviceNames() []string {
	return names(c.Services, func(s ServiceConfig) string { return s.Name })
}

// partWords tells of what is named: what is new, what is gone, and the fields of
// the rest.
func partWords(field, what string, had, has []string, all []string) (out []string) {
	for _, n := range has {
		if !slices.Contains(had, n) {
			out = append(out, fmt.Sprintf("there is a new %s, %s", what, n))
			continue
		}
		for _, line := range all {
			if rest, ok := strings.CutPrefix(line, field+"."+n+"."); ok {
				out = append(out, n+": "+rest)
			}
		}
	}
	for _, n := range had {
		if !slices.Contains(has, n) {
			out = append(out, fmt.Sprintf("the %s %s is gone", what, n))
		}
	}
	return out
}

func peopleWords(old, new []PersonConfig) (out []string) {
	was := map[string]PersonConfig{}
	for _, p := range old {
		was[p.Name] = p
	}
	for _, p := range new {
		before, known := was[p.Name]
		delete(was, p.Name)
		switch {
		case !known && p.GitHub != "":
			out = append(out, fmt.Sprintf("%s is among the people, %s on GitHub", p.Name, p.GitHub))
		case !known:
			out = append(out, p.Name+" is among the people")
		default:
			for _, f := range []struct{ what, a, b string }{{"Slack", before.Slack, p.Slack}, {"GitHub", before.GitHub, p.GitHub}, {"email", before.Email, p.Email}} {
				if f.a != f.b {
					out = append(out, fmt.Sprintf("%s: %s %s → %s", p.Name, f.what, orNone(f.a), orNone(f.b)))
				}
			}
		}
	}
	for _, p := range old {
		if _, gone := was[p.Name]; gone {
			out = append(out, p.Name+" is no longer among the people")
		}
	}
	return out
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func groupWords(old, new []GroupConfig) (out []string) {
	find := func(list []GroupConfig, name string) (GroupConfig, bool) {
		i := slices.IndexFunc(list, func(g GroupConfig) bool { return g.Name == name })
		if i < 0 {
			return GroupConfig{}, false
		}
		return list[i], true
	}
	for _, g := range new {
		before, known := find(old, g.Name)
		if !known {
			out = append(out, "there is a new group, "+g.Name)
		}
		for _, p := range g.People {
			if !slices.Contains(before.People, p) {
				out = append(out, p+" is in "+g.Name)
			}
		}
		for _, p := range before.People {
			if !slices.Contains(g.People, p) {
				out = append(out, p+" is no longer in "+g.Name)
			}
		}
		for _, f := range []struct{ what, a, b string }{{"GitHub team", before.GitHubTeam, g.GitHubTeam}, {"Slack group", before.SlackGroup, g.SlackGroup}} {
			if f.a != f.b {
				out = append(out, fmt.Sprintf("%s: %s %s → %s", g.Name, f.what, orNone(f.a), orNone(f.b)))
			}
		}
	}
	for _, g := range old {
		if _, there := find(new, g.Name); !there {
			out = append(out, "the group "+g.Name+" is gone")
		}
	}
	return out
}

func policyWords(old, new []RuleConfig) (out []string) {
	words := func(rules []RuleConfig) (all []string) {
		for _, r := range rules {
			all = append(all, fmt.Sprintf("%s may %s in %s", everybody(r.Groups), strings.Join(r.Verbs, ", "), everywhere(r.Environments)))
		}
		return all
	}
	was, is := words(old), words(new)
	for _, r := range is {
		if !slices.Contains(was, r) {
			out = append(out, r)
		}
	}
	for _, r := range was {
		if !slices.Contains(is, r) {
			out = append(out, "no longer: "+r)
		}
	}
	return out
}

func everybody(groups []string) string {
	if slices.Contains(groups, "*") {
		return "everybody among the people"
	}
	return strings.Join(groups, ", ")
}

func everywhere(environments []string) string {
	if slices.Contains(environments, "*") {
		return "every environment"
	}
	return strings.Join(environments, ", ")
}
