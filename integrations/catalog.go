package integrations

import (
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/signalbox-chatops/signalbox/integrations/kit/calendar"
)

// Person is somebody the configuration knows. One who is not in it has no Name.
type Person struct {
	Name   string   `json:"name,omitempty" yaml:"name"`
	Slack  string   `json:"slack,omitempty" yaml:"slack"`   // Slack user id
	GitHub string   `json:"github,omitempty" yaml:"github"` // GitHub login
	Email  string   `json:"email,omitempty" yaml:"email"`
	Phone  string   `json:"-" yaml:"phone"` // in E.164: "+819012345678"; it stands in no record
	Host   string   `json:"-" yaml:"host"`  // user name on the host that we run on
	Groups []string `json:"-" yaml:"-"`     // filled in from the groups
}

// Linked says whether the configuration knows them.
func (p Person) Linked() bool { return p.Name != "" }

// Display is a name for texts that cannot mention anybody.
func (p Person) Display() string {
	switch {
	case p.Name != "":
		return p.Name
	case p.GitHub != "":
		return p.GitHub
	case p.Slack != "":
		return p.Slack
	}
	return "somebody"
}

// Same says whether two are the same person, by the name of the configuration
// or else by an account that both have.
func (p Person) Same(q Person) bool {
	if p.Name != "" && q.Name != "" {
		return p.Name == q.Name
	}
	return p.Slack != "" && p.Slack == q.Slack || p.GitHub != "" && strings.EqualFold(p.GitHub, q.GitHub)
}

// Environment is where services run, and the rules of deploying there.
type Environment struct {
	Name     string   `json:"name"`
	Aliases  []string `json:"aliases,omitempty"`
	Channels []string `json:"channels,omitempty"` // names or ids; where changing verbs work. Empty: everywhere
	// Approvals is how many people besides whoever asked have to agree to the
	// head that is merged; the merger counts once.
	Approvals int `json:"approvals,omitempty"`
	// Approvers is the group whose members are asked for an approval in turn; ""
	// is everybody who may approve.
	Approvers string `json:"approvers,omitempty"`
	// OnCall are those who are asked first, and who may act alone at night.
	OnCall []string `json:"on_call,omitempty"`
	// Merge is "by_hand", or "when_green": an open deploy merges by itself once
	// nothing is in its way.
	Merge string `json:"merge,omitempty"`
	// MergeAfter is how long a merge by itself is announced before it happens, so
	// that somebody who looks can keep it.
	MergeAfter time.Duration `json:"merge_after,omitempty"`
	// Review is "required" (a plan nobody reviewed needs a confirmation) or "none".
	Review string `json:"review,omitempty"`
	// Windows are when deploys may start; nil is always.
	Windows Windows `json:"-"`
	// OnOpen is what becomes of a merged job that waited for a window or a
	// cool-down when that is over: "ask", or "run".
	OnOpen string `json:"on_open,omitempty"`
	// CoolDown is how long after a deploy the next one waits on the same target.
	CoolDown time.Duration `json:"cool_down,omitempty"`
	// After is the environment where a service's commit has to have succeeded first.
	After string `json:"after,omitempty"`
	// Checks are the names of checks that have to be green at the head; "*" is
	// every one that reports.
	Checks []string `json:"checks,omitempty"`
	// Ships is what the boxes of the pull requests that ship are for: "show" (or
	// ""), "gate" (each author is asked, and the merge waits), or "off".
	Ships string `json:"ships,omitempty"`
	// TellAuthors says that each author is told when their change is live there.
	TellAuthors bool `json:"tell_authors,omitempty"`
	// Notify is how events are told there, where that is not the default.
	Notify map[string]string `json:"notify,omitempty"`
	// Quiet are the hours in which what is only good to know waits; Digest is when
	// the digest of the day is told.
	Quiet  Hours `json:"-"`
	Digest Daily `json:"-"`
}

// Windows are the deploy windows of an environment: a calendar.Windows, or a
// fake.
type Windows interface {
	At(t time.Time) calendar.State
	Zone() *time.Location
}

// Service is something people deploy.
type Service struct {
	Name         string                        `json:"name"`
	Aliases      []string                      `json:"aliases,omitempty"`
	Repository   string                        `json:"repository"`       // where the deploy pull request is opened
	Strategy     string                        `json:"strategy"`         // "promote" or "pin"
	Branch       string                        `json:"branch"`           // what is deployed unless a ref is named; for pin, of Source
	Source       string                        `json:"source,omitempty"` // pin: the repository whose refs are versions; "" takes the ref as it is typed
	Environments map[string]ServiceEnvironment `json:"environments"`
	// OnCall are the people on call for the service; empty: those of the environment.
	OnCall []string `json:"on_call,omitempty"`
}

// ServiceEnvironment is one service in one environment.
type ServiceEnvironment struct {
	Branch  string   `json:"branch"`         // the base of the deploy pull request
	File    string   `json:"file,omitempty"` // pin: the file that holds the version
	Key     string   `json:"key,omitempty"`  // pin: where in the file, "image.tag"; "" is the whole (plain) file
	Targets []string `json:"targets"`
	// Auto says that each merge to the service's branch asks for a deploy.
	Auto bool `json:"auto,omitempty"`
	// Notify is how events of the service are told there; what it does not say is
	// as the environment says.
	Notify map[string]string `json:"notify,omitempty"`
}

// Target is the unit of shared state that one apply may change.
type Target struct {
	Name        string   `json:"name"` // "network/production"
	Environment string   `json:"environment"`
	Repository  string   `json:"repository"`
	Base        string   `json:"base"`  // the branch whose merges are applied
	Paths       []string `json:"paths"` // doublestar patterns
	// Timeout is how long one apply of it may take, in domain time from its start
	// to its end; 0 is as long as its steps may.
	Timeout time.Duration `json:"timeout,omitempty"`
	// PlanEnv and ApplyEnv are the credentials of a step: names and values of
	// environment variables.
	PlanEnv  map[string]Secret `json:"-"`
	ApplyEnv map[string]Secret `json:"-"`
	Steps    []Applier         `json:"-"`
	// Wave orders the targets of one operation: a higher one starts when all
	// lower ones have succeeded.
	Wave int `json:"wave,omitempty"`
	// Coalesce runs the newest of several merged commits that wait, and
	// supersedes the older ones: for kinds that declare what is to be.
	Coalesce bool `json:"coalesce,omitempty"`
	// Drift is how often a read-only plan looks for drift; 0 is never.
	Drift time.Duration `json:"drift,omitempty"`
	// Graphs are where its applies are marked; none where Service is "".
	Graphs Graphs `json:"graphs,omitzero"`
	// Scaling are the groups whose processes rest while an apply changes it.
	Scaling []Scaling `json:"scaling,omitempty"`
}

// Schedule is a rotation that says who is on call.
type Schedule struct {
	Name    string   `json:"name"`
	Aliases []string `json:"aliases,omitempty"`
}

// Rule lets groups use verbs in environments. "*" is any.
type Rule struct {
	Groups       []string `json:"groups" yaml:"groups"`
	Verbs        []string `json:"verbs" yaml:"verbs"`
	Environments []string `json:"environments" yaml:"environments"`
}

// GroupSource is where people of a group are read live, a GitHub team or a Slack
// user group: the kind is its key in the configuration, the name what it is called
// there.
type GroupSource struct{ Kind, Name string }

// Catalog is what the configuration says there is. It is read-only; a reload
// makes a new one.
type Catalog struct {
	People []Person
	Groups map[string][]string      // names by group, as the configuration lists them
	Live   map[string][]GroupSource // and where more of a group's people are read
	// Members are the names of those who are in a group by its live sources, nobody
	// for a group that has none. With an error come those of the sources that could
	// be read: who is not among them is not a member. nil: no group has any.
	Members func(group string) ([]string, error)
	// ByLink are the names of those people whom the configuration does not list:
	// they have shown which account is theirs, and may look. "*" of a rule is not
	// them.
	ByLink       map[string]bool
	Rules        []Rule
	Environments []Environment
	Services     []Service
	Targets      []Target
	Schedules    []Schedule
	// Bots are GitHub logins of machines whose name does not end with "[bot]".
	Bots []string
}

// Fold makes two spellings of a name equal: NFKC, case folded, spaces trimmed.
func Fold(s string) string {
	return cases.Fold().String(norm.NFKC.String(strings.TrimSpace(s)))
}

// Service finds a service by name or alias.
func (c *Catalog) Service(name string) (Service, bool) {
	return find(c.Services, name, func(s Service) []string { return append([]string{s.Name}, s.Aliases...) })
}

// Schedule finds a schedule by name or alias.
func (c *Catalog) Schedule(name string) (Schedule, bool) {
	return find(c.Schedules, name, func(s Schedule) []string { return append([]string{s.Name}, s.Aliases...) })
}

// Environment finds an environment by name or alias.
func (c *Catalog) Environment(name string) (Environment, bool) {
	return find(c.Environments, name, func(e Environment) []string { return append([]string{e.Name}, e.Aliases...) })
}

// Target finds a target by its name.
func (c *Catalog) Target(name string) (Target, bool) {
	return find(c.Targets, name, func(t Target) []string { return []string{t.Name} })
}

func find[T any](all []T, name string, names func(T) []string) (T, bool) {
	folded := Fold(name)
	for _, x := range all {
		for _, n := range names(x) {
			if Fold(n) == folded {
				return x, true
			}
		}
	}
	var none T
	return none, false
}

// TargetsOf are the targets of a repository whose base is the given branch.
func (c *Catalog) TargetsOf(repo, base string) []Target {
	var out []Target
	for _, t := range c.Targets {
		if t.Repository == repo && t.Base == base {
			out = append(out, t)
		}
	}
	return out
}

// Repositories are all that are watched, sorted.
func (c *Catalog) Repositories() []string {
	var out []string
	for _, t := range c.Targets {
		out = append(out, t.Repository)
	}
	for _, s := range c.Services {
		out = append(out, s.Repository)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// PersonBySlack finds somebody by Slack user id; an unknown one comes back
// unlinked, with that id alone.
func (c *Catalog) PersonBySlack(id string) Person {
	for _, p := range c.People {
		if id != "" && p.Slack == id {
			return p
		}
	}
	return Person{Slack: id}
}

// PersonByHost finds somebody by their user name on the host, likewise.
func (c *Catalog) PersonByHost(user string) Person {
	for _, p := range c.People {
		if user != "" && p.Host == user {
			return p
		}
	}
	return Person{Host: user}
}

// PersonByGitHub finds somebody by GitHub login, likewise.
func (c *Catalog) PersonByGitHub(login string) Person {
	for _, p := range c.People {
		if login != "" && strings.EqualFold(p.GitHub, login) {
			return p
		}
	}
	return Person{GitHub: login}
}

// May says whether the policy lets a person use a right in an environment; an
// empty environment asks whether they may use it in any.
func (c *Catalog) May(p Person, right, environment string) bool {
	if !p.Linked() {
		return false
	}
	for _, r := range c.Rules {
		if r.grants(right, environment) && c.inAny(p, r.Groups) {
			return true
		}
	}
	return false
}

// Who lists the people who may use a right in an environment.
func (c *Catalog) Who(right, environment string) []Person {
	var out []Person
	for _, p := range c.People {
		if c.May(p, right, environment) {
			out = append(out, p)
		}
	}
	return out
}

// In says whether a person is in a group.
func (c *Catalog) In(p Person, group string) bool { return p.Linked() && c.in(p, group) }

// Doubt is why a right in an environment may have been refused to somebody who has
// it: the first live group among those that grant it that cannot be read. nil: all
// of them could.
func (c *Catalog) Doubt(right, environment string) error {
	if c.Members == nil {
		return nil
	}
	for _, r := range c.Rules {
		if !r.grants(right, environment) {
			continue
		}
		for _, g := range r.Groups {
			if _, err := c.Members(g); err != nil {
				return err
			}
		}
	}
	return nil
}

// GroupsOf are the groups that somebody is in, sorted.
func (c *Catalog) GroupsOf(p Person) []string {
	var out []string
	for _, all := range [][]string{slices.Collect(maps.Keys(c.Groups)), slices.Collect(maps.Keys(c.Live))} {
		for _, g := range all {
			if c.in(p, g) {
				out = append(out, g)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Named are the people behind a name: that person, or those of that group, in the order of
// the configuration; nobody where the name is neither's. With an error come those whom it
// leaves.
func (c *Catalog) Named(name string) (out []Person, err error) {
	name = Fold(name)
	for _, p := range c.People {
		if Fold(p.Name) == name {
			return []Person{p}, nil
		}
	}
	for _, g := range slices.Concat(slices.Sorted(maps.Keys(c.Groups)), slices.Sorted(maps.Keys(c.Live))) {
		if len(out) > 0 || Fold(g) != name {
			continue
		}
		if c.Members != nil {
			_, err = c.Members(g)
		}
		for _, p := range c.People {
			if c.in(p, g) {
				out = append(out, p)
			}
		}
	}
	return out, err
}

func (r Rule) grants(right, environment string) bool {
	return has(r.Verbs, right) && (environment == "" || has(r.Environments, environment))
}

func (c *Catalog) inAny(p Person, groups []string) bool {
	return slices.ContainsFunc(groups, func(g string) bool { return g == "*" && !c.ByLink[p.Name] || c.in(p, g) })
}

func (c *Catalog) in(p Person, group string) bool {
	if !p.Linked() {
		return false
	}
	if slices.Contains(c.Groups[group], p.Name) {
		return true
	}
	if c.Members == nil {
		return false
	}
	names, _ := c.Members(group) // who cannot be read is not a member; Doubt says why
	return slices.Contains(names, p.Name)
}

func has(list []string, x string) bool {
	return slices.Contains(list, "*") || slices.Contains(list, x)
}
