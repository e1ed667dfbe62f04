package lock

import (
	"testing"

	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// reload has the feature go on with another configuration.
func (d *desk) reload(change func(*integrations.Catalog)) {
	d.t.Helper()
	d.cat = catalog()
	change(d.cat)
}

func without(name string) func(*integrations.Catalog) {
	return func(c *integrations.Catalog) {
		var left []integrations.Service
		for _, s := range c.Services {
			if s.Name != name {
				left = append(left, s)
			}
		}
		c.Services = left
	}
}

func (d *desk) covered(id, service, environment string, targets ...string) bool {
	return gate.Covers(d.cat, d.hold(id), service, environment, targets)
}

// A lock of a service that a reload took away is still there: it is listed, holds
// the targets that it had, can be released, and holds all again when it comes back.
func TestALockOfWhatIsGoneIsNeverDropped(t *testing.T) {
	d := newDesk(t)
	id := d.says("alice", "lock web/production migration").Subject
	d.reload(without("web"))
	if !d.covered(id, "api", "production", "cdn") {
		t.Error("what shares a target with what is gone is not held")
	}
	if d.covered(id, "api", "production", "db") {
		t.Error("what shares nothing with it is held")
	}
	has(t, private(t, d.says("carol", "locks")), "web/production is locked by alice", "not in the configuration", "web/production, cdn")
	has(t, private(t, d.says("carol", "locks production")), "web/production is locked by alice")
	r := d.says("bob", "locks")
	if r := (shown{Message: *r.Private}); r.labels() != "Ask alice" {
		t.Errorf("bob may press %s", r.labels())
	}
	has(t, d.card(id).Text, "not in the configuration")

	d.reload(func(c *integrations.Catalog) { without("web")(c); without("api")(c); c.Targets = c.Targets[2:] })
	has(t, private(t, d.says("carol", "locks")), "web/production is locked by alice", "it holds nothing")
	list := shown{Message: *d.says("alice", "locks").Private}
	if list.labels() != "Release, Extend" {
		t.Errorf("alice may press %s", list.labels())
	}
	d.reload(func(*integrations.Catalog) {})
	if !d.covered(id, "web", "production", "web/production") || gate.Gone(d.cat, d.hold(id)) {
		t.Error("when it is back it is not held")
	}
	if m := private(t, d.says("carol", "locks")); index(m, "configuration") >= 0 {
		t.Errorf("of what is back the list says %s", m)
	}
	d.reload(without("web"))
	if _, err := d.press("alice", list.buttons()[0].Command, list.buttons()[0].Version); err != nil {
		t.Fatal(err)
	}
	if len(d.holds()) > 0 {
		t.Error("it cannot be released")
	}
}

// Somebody else may release it with the right in every environment.
func TestALockOfAGoneEnvironmentCanBeReleased(t *testing.T) {
	d := newDesk(t)
	id := d.says("alice", "lock staging migration").Subject
	d.reload(func(c *integrations.Catalog) { c.Environments = c.Environments[1:] })
	d.says("root", "unlock "+id)
	if len(d.holds()) > 0 {
		t.Error("it cannot be released")
	}
}

// A lock follows what it holds to its new name.
func TestALockFollowsANewName(t *testing.T) {
	d := newDesk(t)
	id := d.says("alice", "lock web/production migration").Subject
	d.reload(func(c *integrations.Catalog) {
		c.Services[0].Name, c.Services[0].Aliases = "shop", []string{"web"}
		c.Environments[1].Name, c.Environments[1].Aliases = "prod", []string{"production"}
		c.Services[0].Environments = map[string]integrations.ServiceEnvironment{"prod": {Targets: []string{"shop/prod"}}}
		c.Targets[0] = integrations.Target{Name: "shop/prod", Environment: "prod"}
	})
	if !d.covered(id, "shop", "prod", "shop/prod") || d.covered(id, "shop", "staging", "web/staging") {
		t.Error("under its new name it is not held")
	}
	if r := d.says("alice", "lock shop/prod longer"); r.Subject != id {
		t.Errorf("locked again it is %s", r.Subject)
	}
	d.says("alice", "unlock web/production")
	if len(d.holds()) > 0 {
		t.Error("it cannot be released by its old name")
	}
}

// The message of a lock says so when a reload takes away what it holds.
func TestTheMessageOfALockTellsThatItIsGone(t *testing.T) {
	d := newDesk(t)
	id := d.says("alice", "lock web/production migration").Subject
	was := d.marks(id)
	d.tick()
	if d.marks(id) != was {
		t.Error("it is shown anew without a reason")
	}
	for i, change := range []func(*integrations.Catalog){without("web"), func(*integrations.Catalog) {}} {
		d.reload(change)
		d.tick()
		if got := d.marks(id); got != was+1 {
			t.Fatalf("reload %d: it was marked %d times", i, got-was)
		}
		d.tick()
		if got := d.marks(id); got != was+1 {
			t.Fatalf("reload %d: it is marked again and again", i)
		}
		was = d.marks(id)
	}
	d.reload(without("web"))
	d.tick()
	d.says("alice", "unlock "+id)
	d.view(func(tx *store.Tx) error {
		if _, there, err := goneHolds(tx).Get(id); err != nil || there {
			t.Errorf("of a lock that is over it is remembered that it is gone: %v", err)
		}
		return nil
	})
}

// Whoever may not release a lock reads where more is said of it.
func TestARefusalByALockNamesItsLink(t *testing.T) {
	d := newDesk(t)
	id := d.says("alice", "lock web/production migration --link https://tickets.example.com/42").Subject
	has(t, d.refused("bob", "unlock "+id, "held").What, "https://tickets.example.com/42")
	has(t, private(t, d.says("bob", "lock web/production mine")), "https://tickets.example.com/42")
	if m := private(t, d.says("bob", "locks")); index(m, "https://") >= 0 || index(m, "more") < 0 {
		t.Errorf("the list says %s", m)
	}
}
