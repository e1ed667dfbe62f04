package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/audit"
	"github.com/signalbox-chatops/signalbox/commands/birth"
	"github.com/signalbox-chatops/signalbox/commands/deploy"
	"github.com/signalbox-chatops/signalbox/commands/digest"
	"github.com/signalbox-chatops/signalbox/commands/drain"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/commands/graph"
	"github.com/signalbox-chatops/signalbox/commands/groups"
	"github.com/signalbox-chatops/signalbox/commands/help"
	"github.com/signalbox-chatops/signalbox/commands/home"
	"github.com/signalbox-chatops/signalbox/commands/incident"
	"github.com/signalbox-chatops/signalbox/commands/ingress"
	"github.com/signalbox-chatops/signalbox/commands/joining"
	"github.com/signalbox-chatops/signalbox/commands/language"
	"github.com/signalbox-chatops/signalbox/commands/lock"
	"github.com/signalbox-chatops/signalbox/commands/morning"
	"github.com/signalbox-chatops/signalbox/commands/oncall"
	"github.com/signalbox-chatops/signalbox/commands/outage"
	"github.com/signalbox-chatops/signalbox/commands/past"
	"github.com/signalbox-chatops/signalbox/commands/rounds"
	"github.com/signalbox-chatops/signalbox/commands/runner"
	"github.com/signalbox-chatops/signalbox/commands/scaling"
	"github.com/signalbox-chatops/signalbox/commands/status"
	pagefeature "github.com/signalbox-chatops/signalbox/commands/statuspage"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/alertmanager"
	"github.com/signalbox-chatops/signalbox/integrations/ansible"
	"github.com/signalbox-chatops/signalbox/integrations/aws"
	"github.com/signalbox-chatops/signalbox/integrations/circleci"
	"github.com/signalbox-chatops/signalbox/integrations/cloudwatch"
	"github.com/signalbox-chatops/signalbox/integrations/command"
	"github.com/signalbox-chatops/signalbox/integrations/demo"
	"github.com/signalbox-chatops/signalbox/integrations/described"
	"github.com/signalbox-chatops/signalbox/integrations/github"
	"github.com/signalbox-chatops/signalbox/integrations/haproxy"
	"github.com/signalbox-chatops/signalbox/integrations/heartbeat"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/integrations/mackerel"
	"github.com/signalbox-chatops/signalbox/integrations/packer"
	"github.com/signalbox-chatops/signalbox/integrations/pagerduty"
	"github.com/signalbox-chatops/signalbox/integrations/pingdom"
	"github.com/signalbox-chatops/signalbox/integrations/sensu"
	"github.com/signalbox-chatops/signalbox/integrations/serverspec"
	"github.com/signalbox-chatops/signalbox/integrations/slack"
	"github.com/signalbox-chatops/signalbox/integrations/statuspage"
	"github.com/signalbox-chatops/signalbox/integrations/terraform"
	"github.com/signalbox-chatops/signalbox/store"
)

// This file is the one place where features meet systems. A new feature is a
// folder and two lines here: its import and its place in features. A new applier
// likewise, in appliers, and a new source of alerts in alertSources.

// systems are what the features are handed.
type systems struct {
	store   *store.Store
	slack   *slack.Client
	github  *github.Client
	forge   deploy.Forge
	trees   deploy.Trees
	clock   clock.Clock
	log     *slog.Logger
	catalog func() *integrations.Catalog
	channel func(name string) string
	verbs   func() []commands.Verb
	cards   func() map[string]tell.Card
	watched []integrations.Watched // whose silence people are told of

	channelID func(ctx context.Context, name string) (string, error)
	guest     func(ctx context.Context, user string) (bool, error)
	poll      time.Duration
	data      string // the data folder
	url       string // where we are reached from outside
	hooks     time.Duration
	own       ownConfig
	cloud     drain.Cloud   // nil where no account is configured
	scaling   scaling.Cloud // the same accounts
	doors     ingress.Cloud // the same accounts
	ingress   func() IngressConfig
	births    birth.Cloud                   // the same accounts
	texts     incident.Texter               // the same accounts
	monitor   drain.Monitor                 // nil where none is configured
	hosts     rounds.Monitor                // the same
	graphs    map[string]integrations.Place // on which deploys are marked; the same
	metrics   []graph.Metrics               // in the order in which they are asked
	rounds    func() RoundsConfig
	incidents func() IncidentsConfig
	self      func(context.Context) (id string, onEC2 bool, err error)
	drains    func() DrainConfig
	oncall    func() OnCallConfig
	pager     *pagerduty.Client // nil where none is configured
	paged     func() *incident.Remote
	page      pagefeature.Page // nil where none is configured
	pageOf    StatuspageConfig
	customers func(tx *store.Tx, s integrations.PageSubject) ([]integrations.Button, error) // nil likewise
	born      func() BirthConfig
	alerts    *alertReader // reads the events of the kinds "alert."
	sources   func() []alertSource
	digest    func() WeeklyConfig
	language  func() string // of who asked for none
}

// languageOf is the language in which a surface is spoken to.
func (s systems) languageOf(tx *store.Tx, at *store.Surface) (string, error) {
	return (&language.Speaker{Default: s.language, Channel: s.channel}).Of(tx, at)
}

// ownConfig is what the process lets be done with its own configuration.
type ownConfig struct {
	home   func() configHome
	relink func() error
	check  func(content []byte) error
	adopt  func(ctx context.Context, content []byte) (configChanges, error)
}

// features is the list of everything people can ask for and everything that is
// done without being asked.
func features(s systems) []commands.Feature {
	leases := scaling.New(scaling.Deps{Store: s.store, Clock: s.clock, Log: s.log, Catalog: s.catalog, Cloud: s.scaling, Channel: s.channel})
	windows := ingress.New(ingress.Deps{Store: s.store, Clock: s.clock, Log: s.log, Catalog: s.catalog, Config: s.ingress, Cloud: s.doors, Ask: ownAddress, Channel: s.channel})
	rota := oncall.New(oncall.Deps{URL: s.url, Dir: filepath.Join(s.data, "oncall"), Store: s.store, Clock: s.clock, Log: s.log, Catalog: s.catalog, Config: s.oncall, Language: s.languageOf, Zone: s.slack.Zone, Channel: s.channel, Source: s.rotas(), Chat: s.slack, WithTopic: topicWith, HandedOver: []func(*store.Tx) ([]integrations.Rich, error){drain.Held}})
	return []commands.Feature{
		leases.Feature(),
		windows.Feature(),
		rota.Feature(),
		deploy.New(deploy.Deps{Roster: rota, Scaling: leases, Ingress: windows, Store: s.store, Forge: s.forge, Trees: s.trees, Clock: s.clock, Log: s.log, Catalog: s.catalog, Poll: s.poll, Hooks: s.hooks, Channel: s.channel}),
		lock.New(lock.Deps{Store: s.store, Clock: s.clock, Log: s.log, Catalog: s.catalog, Channel: s.channel}),
		incident.New(incident.Deps{Store: s.store, Clock: s.clock, Log: s.log, Catalog: s.catalog, Config: s.incidents, Channel: s.channel, Read: s.alerts.Read, Called: rota.Called, Drains: s.cloud != nil, Remote: s.paged, Draw: graph.Drawer(graphs(s)), Dir: filepath.Join(s.data, "incident"), Sources: s.incidentSources, Texts: s.texts, Customers: s.customers}),
		joining.New(joiningDeps(s)),
		status.New(status.Deps{Clock: s.clock, Watched: s.watched, Also: []func(*store.Tx) ([]integrations.Rich, error){drain.UnderWay, scaling.UnderWay, ingress.UnderWay, birth.Failed}}),
		drain.New(drain.Deps{Store: s.store, Clock: s.clock, Log: s.log, Cloud: s.cloud, Monitor: s.monitor, Self: s.self, Config: s.drains, Channel: s.channel, Notes: birth.Going}),
		birth.New(birth.Deps{Store: s.store, Clock: s.clock, Log: s.log, Cloud: s.births, Monitor: s.monitor, Config: s.born, Catalog: s.catalog, Channel: s.channel}),
		rounds.New(rounds.Deps{Store: s.store, Clock: s.clock, Log: s.log, Config: s.rounds, Channel: s.channel, Monitor: s.hosts, Cloud: s.cloud, Forgotten: []func(*store.Tx) ([]integrations.Rich, error){oncall.UnknownJobs, lock.PastNag, drain.Held, birth.Failed}}),
		pagefeature.New(pagefeature.Deps{Store: s.store, Clock: s.clock, Log: s.log, Page: s.page, Every: s.pageOf.Often(), Room: s.pageOf.Channel, Channel: s.channel}),
		outage.New(outage.Deps{Store: s.store, Clock: s.clock, Log: s.log, Catalog: s.catalog, Watched: s.watched, Channel: s.channel}),
		past.New(past.Deps{Store: s.store, Forge: s.forge, Clock: s.clock, Log: s.log, Zone: s.slack.Zone, Dir: filepath.Join(s.data, "past")}),
		digest.New(digest.Deps{Store: s.store, Clock: s.clock, Log: s.log, Config: s.digest, Channel: s.channel, Zone: s.slack.Zone, Language: s.languageOf, Deploys: past.Deploys, Pages: incident.Pages, Handled: incident.Handled, Served: rota.Served, Dir: filepath.Join(s.data, "digest")}),
		audit.New(audit.Deps{Store: s.store, Clock: s.clock, Log: s.log, Catalog: s.catalog, Zone: s.slack.Zone, Dir: filepath.Join(s.data, "audit")}),
		graph.New(graphs(s)),
		help.New(s.verbs),
		home.New(home.Deps{Roster: rota, Store: s.store, Clock: s.clock, Log: s.log, Catalog: s.catalog, Cards: s.cards, Guest: s.guest, Channel: s.channelID}),
		language.New(language.Deps{}),
		morning.New(morning.Deps{Cards: s.cards}),
		{Name: "alerts", Events: map[string]commands.Handler{alertEvents: s.alerts.confirm}},
	}
}

// graphs are what the metrics are drawn with.
func graphs(s systems) graph.Deps {
	return graph.Deps{Store: s.store, Clock: s.clock, Log: s.log, Catalog: s.catalog, Metrics: s.metrics, Zone: s.slack.Zone, Language: s.languageOf, Dir: filepath.Join(s.data, "graph")}
}

// topicWith is a channel's topic with who is on call put in.
func topicWith(topic, schedule, text string) string {
	return slack.TopicWith(topic, slack.OnCallMarkers(schedule), text)
}

// appliers are the steps that a target's `apply:` may name.
func appliers(c *Config, providerCache string) map[string]applierMaker {
	return map[string]applierMaker{
		"terraform":     terraform.NewTool(c.Runner.Terraform, providerCache).Make,
		"demo":          demo.Make,
		"ecs":           aws.Deploys(c.AWS),
		"command":       command.Make,
		"ansible":       ansible.Opening(c.Ingress.Allowed()),
		"actions":       github.Actions(github.Config{APIURL: c.GitHub.APIURL}),
		"circleci":      circleci.Make,
		packer.Word:     packer.NewTool(images(c.AWS), c.pinned).Make,
		serverspec.Word: serverspec.Make,
		"codebuild":     aws.Builds(c.AWS),
	}
}

// images are those of the accounts; nil where none is configured, or they cannot be: clouds
// says why.
func images(c AWSConfig) integrations.Images {
	fleet, err := aws.New(c, aws.Options{})
	if err != nil || len(c.Accounts) == 0 {
		return nil
	}
	return fleet
}

// tools are the programs of appliers that are our own binary, by the word it is
// called with.
var tools = map[string]func(args []string, out, errOut io.Writer) int{"demo": demo.Main, "ecs": aws.DeployMain, "ansible": ansible.Main, github.ActionsWord: github.ActionsMain, circleci.Word: circleci.Main, "codebuild": aws.BuildMain, packer.Word: packer.Main, serverspec.Word: serverspec.Main}

const kindPagerDuty = "pagerduty"

// alertSources are the kinds of what sends alerts. A new one is a folder and two lines
// here: its import and its place in this table.
var alertSources = map[string]alertMaker{
	"sensu":        sensu.New,
	"alertmanager": alertmanager.New,
	"mackerel":     mackerel.NewAlerts,
	kindPagerDuty:  pagerduty.NewWebhooks,
	"pingdom":      pingdom.New,
	"cloudwatch":   cloudwatch.New,
	"described":    described.New,
}

// incidentSources are those that alerts come from, as far as they can be asked for more.
func (s systems) incidentSources() (out []incident.Source) {
	if s.sources == nil { // it is asked for its verbs alone
		return nil
	}
	for _, one := range s.sources() {
		silencer, _ := one.read.(integrations.AlertSilencer)
		looker, _ := one.read.(integrations.AlertLooker)
		out = append(out, incident.Source{Name: one.Name, Silencer: silencer, Looker: looker})
	}
	return out
}

// groupSources are where the people of a group are read live, by the keys of the
// configuration.
func groupSources(s systems) map[string]groups.Source {
	return map[string]groups.Source{
		kindGitHubTeam: {
			What: "GitHub team", Needs: "compare it with the address of its page, and let the token or the App read the organisation's Members",
			Read: s.github.TeamMembers, Account: func(p integrations.Person) string { return p.GitHub },
		},
		kindSlackGroup: {
			What: "Slack user group", Needs: "compare its handle under People, User groups, and give the app the scope usergroups:read",
			Read: s.slack.GroupMembers, Account: func(p integrations.Person) string { return p.Slack },
		},
	}
}

// liveGroups knows who is in them.
type liveGroups = groups.Holder

func newLiveGroups(s systems) *liveGroups {
	return groups.New(groups.Deps{Clock: s.clock, Log: s.log, Catalog: s.catalog, Sources: groupSources(s)})
}

// shortcuts are the entries of Slack's menus; each opens the form of a verb.
var shortcuts = []slack.Shortcut{
	{Name: "Deploy…", Description: "Open a deploy pull request, with its plan", Verb: "deploy"},
	{Name: "Escalate…", Description: "Declare an incident, and call whoever is on call", Verb: "raise"},
	{Name: "Escalate this", Description: "Declare an incident because of this message, and call whoever is on call", Verb: "raise", Message: "title"},
}

// configHome and configChanges are what people see of the configuration.
type (
	configHome    = joining.Home
	configChanges = joining.Changes
)

func joiningDeps(s systems) joining.Deps {
	name := func(ctx context.Context, user string) (string, error) {
		u, err := s.slack.User(ctx, user)
		return u.Name, err
	}
	return joining.Deps{NameOf: name, Store: s.store, Forge: s.github, Clock: s.clock, Log: s.log, Catalog: s.catalog, Guest: s.slack.Outsider, Channel: s.channel, Poll: s.poll,
		Home: s.own.home, Relink: s.own.relink, Check: s.own.check, Adopt: s.own.adopt}
}

// withLinks is a catalog with the accounts that people have linked.
func withLinks(tx *store.Tx, cat *integrations.Catalog) (*integrations.Catalog, error) {
	links, err := joining.Links(tx)
	return joining.Merge(cat, links), err
}

// keptConfig is the configuration that was last taken from its repository.
var keptConfig = joining.Kept

// tellReload tells of a reload that was asked for on this machine.
func tellReload(ctx context.Context, s systems, c configChanges, mistakes error) error {
	return joining.Announce(ctx, joiningDeps(s), c, mistakes)
}

// IngressConfig is which ports may be opened to this machine.
type IngressConfig = ingress.Config

// ownAddress asks by which address this machine comes to others.
func ownAddress(ctx context.Context, url string) (netip.Addr, error) {
	return aws.NewOutside(url).Address(ctx)
}

// AWSConfig is the accounts whose instances may be drained, and whose groups are kept
// still while applies go on; DrainConfig is how they are drained.
type (
	AWSConfig   = aws.Config
	awsAccount  = aws.Account
	DrainConfig = drain.Config
)

// PagerDutyConfig is who is asked of schedules that are PagerDuty's.
type PagerDutyConfig = pagerduty.Config

// pagers hands out PagerDuty: to who is on call and to the incidents, which share its limits.
func (s *systems) pagers(c PagerDutyConfig, sources func() []AlertsConfig) {
	if c.None() {
		return
	}
	name := func(email string) (string, bool) { return nameByEmail(s.catalog(), email) }
	email := func(name string) (string, bool) { return emailByName(s.catalog(), name) }
	s.pager = pagerduty.New(c, pagerduty.Options{Clock: s.clock, Log: s.log, Name: name, Email: email, NoWait: true})
	events := &pagedServices{pagerduty.NewEvents(c, pagerduty.Options{Clock: s.clock, Log: s.log}), c.RoutingKeys}
	s.paged = func() *incident.Remote {
		source := pagerDutySource(sources())
		if source == "" {
			return nil
		}
		r := &incident.Remote{System: "PagerDuty", Source: source, Services: c.Services, Read: s.pager, Act: s.pager}
		if len(c.RoutingKeys) > 0 {
			r.Page = events
		}
		if s.url != "" {
			r.Mend = func(ctx context.Context) ([]string, error) {
				h, err := s.pager.MendHook(ctx, strings.TrimRight(s.url, "/")+alertPath+source)
				return h.Did, err
			}
		}
		return r
	}
}

// pagedServices has PagerDuty page for its services, by their names in the configuration.
type pagedServices struct {
	events *pagerduty.Events
	keys   map[string]integrations.Secret
}

func (p *pagedServices) Page(ctx context.Context, service string, e integrations.RemoteEvent) error {
	return p.events.Trigger(ctx, p.keys[service], e)
}

func (p *pagedServices) Over(ctx context.Context, service, dedup string) error {
	return p.events.ResolveEvent(ctx, p.keys[service], dedup)
}

// pagerDutySource is the source that PagerDuty's own webhooks come from; "" is none.
func pagerDutySource(all []AlertsConfig) string {
	for _, s := range all {
		if cmp.Or(s.Kind, s.Name) == kindPagerDuty {
			return s.Name
		}
	}
	return ""
}

// rotas are the schedules that PagerDuty keeps; nil where none is configured.
func (s *systems) rotas() oncall.Source {
	if s.pager == nil {
		return nil
	}
	return s.pager
}

func nameByEmail(cat *integrations.Catalog, email string) (string, bool) {
	for _, p := range cat.People {
		if p.Email != "" && strings.EqualFold(p.Email, email) {
			return p.Name, true
		}
	}
	return "", false
}

func emailByName(cat *integrations.Catalog, name string) (string, bool) {
	for _, p := range cat.People {
		if p.Name == name {
			return p.Email, p.Email != ""
		}
	}
	return "", false
}

// pagerDutyFindings says what the account does not allow.
func pagerDutyFindings(ctx context.Context, c *Config) []integrations.Finding {
	if c.PagerDuty.None() {
		return nil
	}
	var ids []string
	for _, s := range c.OnCall.Schedules {
		if s.PagerDuty != "" {
			ids = append(ids, s.PagerDuty)
		}
	}
	var people integrations.Catalog
	for _, p := range c.People {
		people.People = append(people.People, integrations.Person{Name: p.Name, Email: p.Email})
	}
	name := func(email string) (string, bool) { return nameByEmail(&people, email) }
	client := pagerduty.New(c.PagerDuty, pagerduty.Options{Name: name})
	out := client.Check(ctx, ids)
	source := pagerDutySource(c.Alerts)
	if source == "" {
		return out
	}
	hook := ""
	if c.PublicURL != "" {
		hook = strings.TrimRight(c.PublicURL, "/") + alertPath + source
	}
	return append(out, client.CheckIncidents(ctx, hook)...)
}

// StatuspageConfig is where customers read of incidents.
type StatuspageConfig = statuspage.Config

// pages hands out the status page. What these sources report is proposed to customers where
// the configuration proposes nothing else.
func (s *systems) pages(c StatuspageConfig, sources []string) {
	if s.pageOf = c; c.None() {
		return
	}
	s.page = statuspage.New(c, statuspage.Options{Clock: s.clock, Log: s.log})
	offers := pagefeature.Offers(slices.Clone(c.Offers))
	if len(sources) > 0 {
		offers = append(offers, integrations.PageOffer{Sources: sources})
	}
	s.customers = offers.Buttons
}

// kindOutages is the kind of sources that see what customers see.
const kindOutages = "pingdom"

// statuspageFindings tries the key and the page's id.
func statuspageFindings(ctx context.Context, c StatuspageConfig) []integrations.Finding {
	if c.None() {
		return nil
	}
	return statuspage.New(c, statuspage.Options{}).Check(ctx)
}

// OnCallConfig is who is on call when.
type OnCallConfig = oncall.Config

// BirthConfig is how new instances are brought in.
type BirthConfig = birth.Config

// WeeklyConfig is when and where the weekly digest is posted.
type WeeklyConfig = digest.Config

// HAProxyConfig is what sends instances requests besides their accounts' load balancers.
type HAProxyConfig = haproxy.Config

// MackerelConfig is what watches the instances.
type MackerelConfig = mackerel.Config

// checkGraphs says what cannot be graphs of Mackerel.
var checkGraphs = mackerel.CheckGraphs

// IncidentsConfig is where incidents are told, and who is called for them.
type IncidentsConfig = incident.Config

// RoundsConfig is when rounds are made.
type RoundsConfig = rounds.Config

// monitors hands out what watches the instances.
func (s *systems) monitors(c MackerelConfig) {
	if c.None() {
		return
	}
	client := mackerel.New(c, mackerel.Options{Clock: s.clock, Log: s.log})
	s.monitor, s.hosts, s.graphs = client, client, client.Places()
	s.metrics = append([]graph.Metrics{client}, s.metrics...)
}

// clouds hands the fleet of these accounts out: behind these backends too, for drains;
// and by itself, for the groups and for what is born.
func (s *systems) clouds(c AWSConfig, behind HAProxyConfig) error {
	if len(c.Accounts) == 0 {
		return nil
	}
	fleet, err := aws.New(c, aws.Options{Clock: s.clock, Log: s.log})
	if err != nil {
		return err
	}
	s.cloud, s.scaling, s.doors, s.births, s.texts, s.metrics = fleet, fleet, fleet, fleet, fleet, append(s.metrics, fleet)
	if len(behind) == 0 {
		return nil
	}
	proxies, err := haproxy.New(behind, haproxy.Options{})
	s.cloud = drain.With(fleet, map[string]drain.Pooler{integrations.PoolHAProxy: proxies})
	return err
}

// ownInstance tells on which instance this process runs; nil where every account is a
// sandbox's, whose instances are nowhere.
func ownInstance(c AWSConfig) func(context.Context) (id string, onEC2 bool, err error) {
	if !slices.ContainsFunc(c.Accounts, func(a aws.Account) bool { return a.Endpoint == "" }) {
		return nil
	}
	return aws.NewSelf(aws.SelfOptions{}).Instance
}

// cloudFindings says what the accounts do not allow, and which groups do not wait for
// births.
func cloudFindings(ctx context.Context, c AWSConfig, born BirthConfig) []integrations.Finding {
	if len(c.Accounts) == 0 {
		return nil
	}
	fleet, err := aws.New(c, aws.Options{})
	if err != nil {
		return []integrations.Finding{{What: "AWS", Say: err.Error(), Do: "mend aws in the configuration"}}
	}
	return append(fleet.Check(ctx), birth.Findings(ctx, fleet, born)...)
}

// groupFindings looks at the groups that targets are to keep still.
func groupFindings(ctx context.Context, c *Config) (out []integrations.Finding) {
	if len(c.AWS.Accounts) == 0 {
		return nil
	}
	fleet, err := aws.New(c.AWS, aws.Options{})
	if err != nil {
		return nil // the accounts say why
	}
	for _, t := range c.Targets {
		var all []integrations.Scaling
		for _, s := range t.ASG {
			all = append(all, s.scaling())
		}
		out = append(out, fleet.CheckScaling(ctx, t.Name, all)...)
	}
	return out
}

// ingressFindings asks whether the ports that steps may have opened may be, and by which
// address this machine comes to them.
func ingressFindings(ctx context.Context, c *Config) (out []integrations.Finding) {
	if c.Ingress.None() || len(c.AWS.Accounts) == 0 {
		return nil
	}
	fleet, err := aws.New(c.AWS, aws.Options{})
	if err != nil {
		return nil // the accounts say why
	}
	if c.Ingress.Address == "" {
		found := integrations.Finding{What: "Own address"}
		if a, err := ownAddress(ctx, c.Ingress.AddressURL); err == nil {
			found.OK, found.Say = true, a.String()
		} else {
			found.Say, found.Do = err.Error(), "set ingress.address, or ingress.address_url to somebody who tells it"
		}
		out = append(out, found)
	}
	return append(out, fleet.CheckIngress(ctx, c.Ingress.Allowed())...)
}

// proxyFindings looks at the sockets of HAProxy.
func proxyFindings(ctx context.Context, c HAProxyConfig) []integrations.Finding {
	proxies, err := haproxy.New(c, haproxy.Options{})
	if err != nil {
		return []integrations.Finding{{What: "HAProxy", Say: err.Error(), Do: "mend haproxy in the configuration"}}
	}
	return proxies.Check(ctx)
}

// phoneFindings asks whether phones take text messages.
func phoneFindings(ctx context.Context, c *Config, phones map[string]string) (out []integrations.Finding) {
	at := integrations.Site{Account: c.Incidents.SMS.Account, Region: c.Incidents.SMS.Region}
	fleet, err := aws.New(c.AWS, aws.Options{})
	if err != nil || len(phones) == 0 {
		return nil // the accounts say why
	}
	for _, name := range slices.Sorted(maps.Keys(phones)) {
		if err := fleet.CheckPhone(ctx, at, phones[name]); err != nil {
			out = append(out, integrations.Finding{What: "Text messages to " + name, Warn: true, Say: err.Error(), Do: "see that the phone takes text messages, and that the account's role may sns:Publish and sns:CheckIfPhoneNumberIsOptedOut"})
		}
	}
	return out
}

// heartbeats sends them.
func heartbeats(c HeartbeatConfig) sender { return heartbeat.New(c) }

// HeartbeatConfig is where heartbeats go.
type HeartbeatConfig = heartbeat.Config

// printAudit is the part of the audit that is called from the shell.
var printAudit = audit.Print

// places is where surfaces can stand; manners is how they are told there.
func places(s systems) map[string]integrations.Place {
	out := s.slack.Places()
	maps.Copy(out, s.github.Places())
	maps.Copy(out, s.graphs)
	return out
}

var manners = map[string]tell.Manner{
	"slack.message": {Pace: time.Second, Key: "channel", Edits: 48}, // Slack takes 50 a minute in a workspace
	"slack.file":    {Key: "channel"},
	"slack.private": {AtMostOnce: true},
	"slack.modal":   {AtMostOnce: true},
	"slack.home":    {Pace: 3 * time.Second, Edits: 90}, // and 100 of these
	// Pull requests with the same head share its statuses: one that is on its way
	// must not land on a newer one of another.
	"github.status": {One: []string{"repo", "sha", "context"}},
	// One at a time, so that a Mackerel that hangs keeps no more than one from others.
	"mackerel.annotation": {Key: "service"},
	"mackerel.metric":     {Pace: time.Minute, Key: "service"}, // all values of a minute in one post
}

// wired is the features' parts, sorted by who needs them.
type wired struct {
	verbs  []commands.Verb
	events map[string][]commands.Handler
	ticks  []commands.Tick
	works  []commands.Worker
	kinds  []runner.Kind
	cards  map[string]tell.Card
	prunes []func(context.Context) error
	serves map[string]http.Handler
	words  map[string][]string // catalogues of phrases, by language
}

// wire sorts the features' parts; two of the same name are a mistake.
func wire(all []commands.Feature) (wired, error) {
	w := wired{serves: map[string]http.Handler{}, events: map[string][]commands.Handler{}, cards: map[string]tell.Card{}, words: map[string][]string{}}
	taken := map[string]string{}
	claim := func(what, name, feature string) error {
		if by, twice := taken[what+" "+name]; twice {
			return fmt.Errorf("%s %q is brought by the features %s and %s", what, name, by, feature)
		}
		taken[what+" "+name] = feature
		return nil
	}
	cards := func(from map[string]tell.Card, feature string) error {
		for name, c := range from {
			if err := claim("card", name, feature); err != nil {
				return err
			}
			w.cards[name] = c
		}
		return nil
	}
	if err := cards(commands.Cards(), "commands"); err != nil {
		return w, err
	}
	if err := cards(tell.RollupCards(), "tell"); err != nil {
		return w, err
	}
	if err := cards(runner.Cards(), "runner"); err != nil {
		return w, err
	}
	words := func(from map[string]string) {
		for code, text := range from {
			w.words[code] = append(w.words[code], text)
		}
	}
	for _, of := range []func() map[string]string{commands.Words, gate.Words, groups.Words, runner.Words, tell.Words} {
		words(of())
	}
	for _, f := range all {
		words(f.Words)
		for _, v := range f.Verbs {
			for _, name := range append([]string{v.Name}, v.Aliases...) {
				if err := claim("verb", name, f.Name); err != nil {
					return w, err
				}
			}
			w.verbs = append(w.verbs, v)
		}
		for kind, h := range f.Events {
			w.events[kind] = append(w.events[kind], h)
		}
		for pattern, h := range f.Serves {
			if err := claim("address", pattern, f.Name); err != nil {
				return w, err
			}
			w.serves[pattern] = h
		}
		for _, k := range f.Kinds {
			if err := claim("job kind", k.Name, f.Name); err != nil {
				return w, err
			}
			w.kinds = append(w.kinds, k)
		}
		w.ticks = append(w.ticks, f.Ticks...)
		w.works = append(w.works, f.Workers...)
		if f.Prune != nil {
			w.prunes = append(w.prunes, f.Prune)
		}
		if err := cards(f.Cards, f.Name); err != nil {
			return w, err
		}
	}
	return w, nil
}

// spoken are the cards in the languages of where they are shown, and who puts them
// into these. The error names the phrases that have no translation, which are said in
// English.
func (w wired) spoken(byDefault func() string, channel func(string) string) (map[string]tell.Card, *language.Speaker, error) {
	s, err := language.NewSpeaker(w.words, byDefault, channel)
	out := map[string]tell.Card{}
	for name, c := range w.cards {
		out[name] = s.Card(c)
	}
	return out, s, err
}

// languages are those that can be spoken, by their codes.
func languages() []string { return slices.Sorted(maps.Keys(language.Languages)) }
