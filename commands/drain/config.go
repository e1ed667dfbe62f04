package drain

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Config is what may be drained, and how.
type Config struct {
	// Channel is where drains are shown; "" is where they are asked for.
	Channel string `yaml:"channel"`
	// Self are instances that signalbox itself runs on.
	Self []string `yaml:"self"`
	// Roles are those that may be drained, by the tag Role; no other may.
	Roles []Role `yaml:"roles"`
}

// Role is how instances of one role are drained.
type Role struct {
	Name string `yaml:",key"`
	// Unit is stopped before the logs are flushed; "" stops nothing.
	Unit string `yaml:"unit"`
	// Port is where the application is connected to; 0 counts no connections.
	Port int `yaml:"port"`
	// Healthy and HealthyPercent are how many others have to be healthy in each pool,
	// besides what the pool itself asks for. One is the least there is.
	Healthy        int `yaml:"healthy"`
	HealthyPercent int `yaml:"healthy_percent"`
	// Logs is a key of the table of collectors: "fluentd", "fluent-bit", or "none".
	Logs string `yaml:"logs"`
	// Buffers are the folders of the collector's file buffers.
	Buffers []string `yaml:"buffers"`
	// FlushEvery is how far apart the looks into the buffers are; 5 s at least, 6 s for
	// fluent-bit, which refreshes its numbers every 5 s.
	FlushEvery time.Duration `yaml:"flush_every"`
	// Alone lets one be terminated that no group replaces.
	Alone bool `yaml:"alone"`
}

// Role finds a role by its name.
func (c Config) Role(name string) (Role, bool) {
	i := slices.IndexFunc(c.Roles, func(r Role) bool { return r.Name == name })
	if i < 0 {
		return Role{}, false
	}
	return c.Roles[i], true
}

// names are those of the roles.
func (c Config) names() []string {
	var out []string
	for _, r := range c.Roles {
		out = append(out, r.Name)
	}
	return out
}

// careful are roles that are never drained, whatever the configuration says
// (facts/aws.md 1.2 G2).
var careful = []string{"db", "redis", "mq", "haproxy", "nat", "bastion"}

// Check says of each mistake in which field it stands, counted from the feature's
// part: "roles.app.logs".
func (c Config) Check(bad func(field, say string)) {
	for _, r := range c.Roles {
		at := "roles." + r.Name + "."
		if slices.Contains(careful, strings.ToLower(r.Name)) {
			bad("roles."+r.Name, fmt.Sprintf("instances of the role %s keep something that is lost with them, and are never drained (nor are %s)", r.Name, strings.Join(careful, ", ")))
		}
		if _, ok := collectors[r.Logs]; !ok {
			bad(at+"logs", fmt.Sprintf("want one of %s: what ships the logs of an instance is asked before it is terminated", strings.Join(collectorNames(), ", ")))
		}
		if r.Logs == "fluentd" && len(r.Buffers) == 0 {
			bad(at+"buffers", "name the folders of its file buffers, such as /var/log/td-agent/buffer: they are looked into as well")
		}
		for _, b := range r.Buffers {
			if !plainPath(b) {
				bad(at+"buffers", fmt.Sprintf("%q: want an absolute path of letters, digits and ./_-", b))
			}
		}
		if r.Unit != "" && !plainWord(r.Unit) {
			bad(at+"unit", fmt.Sprintf("%q: want the name of a systemd unit, such as app.service", r.Unit))
		}
		if r.Port < 0 || r.Port > 65535 {
			bad(at+"port", fmt.Sprintf("%d: want a port, 1 to 65535", r.Port))
		}
		if r.HealthyPercent < 0 || r.HealthyPercent > 100 || r.Healthy < 0 {
			bad(at+"healthy_percent", "want 0 to 100")
		}
		if r.FlushEvery < 0 || r.FlushEvery > time.Minute {
			bad(at+"flush_every", fmt.Sprintf("%v: want at most 1m", r.FlushEvery))
		}
	}
}

// plainPath and plainWord say whether a value may stand in a script as it is.
func plainPath(s string) bool { return strings.HasPrefix(s, "/") && plainWord(s) }

func plainWord(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("./_@:-", r))
	}) < 0
}
