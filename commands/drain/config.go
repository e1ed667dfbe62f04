package drain

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
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
	// PosFiles are where Fluentd's in_tail writes down how far it has read: what it has
	// not read yet is in no buffer.
	PosFiles []string `yaml:"pos_files"`
	// Workers are those of Fluentd, each with a monitor agent of its own; 0 is one.
	Workers int `yaml:"workers"`
	// FlushEvery is how far apart the looks into the buffers are; 5 s at least, 6 s for
	// fluent-bit, which refreshes its numbers every 5 s.
	FlushEvery time.Duration `yaml:"flush_every"`
	// Cluster is that of ECS whose tasks are moved away before the application is
	// stopped; "*" is whichever it is in, if any, and "" asks none.
	Cluster string `yaml:"ecs_cluster"`
	// Alone lets one be terminated that no group replaces.
	Alone bool `yaml:"alone"`
}

// mostWorkers keeps their ports, from 24220 on, out of those of others.
const mostWorkers = 64

func (r Role) workers() int { return max(1, r.Workers) }

// Ports are those of Fluentd's monitor agents, one a worker.
func (r Role) Ports() (out []int) {
	for n := range r.workers() {
		out = append(out, fluentdPort+n)
	}
	return out
}

// NextPort is that of one worker more, and 0 where it is Fluentd's own for logs.
func (r Role) NextPort() int {
	if next := fluentdPort + r.workers(); next != fluentdLogs {
		return next
	}
	return 0
}

// fluentdLogs is where Fluentd takes in logs from others, which are not HTTP.
const fluentdLogs = 24224

// Role finds a role by its name.
func (c Config) Role(name string) (Role, bool) {
	i := slices.IndexFunc(c.Roles, func(r Role) bool { return r.Name == name })
	if i < 0 {
		return Role{}, false
	}
	return c.Roles[i], true
}

// Names are those of the roles, in the order of the file.
func (c Config) Names() []string {
	var out []string
	for _, r := range c.Roles {
		out = append(out, r.Name)
	}
	return out
}

// careful are roles that are never drained, whatever the configuration says
// (facts/aws.md 1.2 G2).
var careful = []string{"db", "redis", "mq", "haproxy", "nat", "bastion"}

// Validate names every mistake at once, each line with the field that holds it:
// "roles.app.logs: …".
func (c Config) Validate() error {
	var errs []error
	for _, r := range c.Roles {
		errs = append(errs, r.mistakes()...)
	}
	return errors.Join(errs...)
}

func (r Role) mistakes() (errs []error) {
	at := "roles." + r.Name
	if slices.Contains(careful, strings.ToLower(r.Name)) {
		errs = append(errs, fmt.Errorf("%s: instances of it keep something that is lost with them, so they are never drained (nor are %s)", at, strings.Join(careful, ", ")))
	}
	if _, ok := collectors[r.Logs]; !ok {
		errs = append(errs, fmt.Errorf("%s.logs: is %q; want one of %s: what ships the logs is asked before an instance is terminated", at, r.Logs, strings.Join(collectorNames(), ", ")))
	}
	if r.Logs == "fluentd" && len(r.Buffers) == 0 {
		errs = append(errs, fmt.Errorf("%s.buffers: is missing; name the folders of its file buffers, like /var/log/td-agent/buffer: they are looked into as well", at))
	}
	for n, b := range r.Buffers {
		if !plainPath(b) {
			errs = append(errs, fmt.Errorf("%s.buffers[%d]: %q is not an absolute path of letters, digits and ./_@:-", at, n, b))
		}
	}
	for n, f := range r.PosFiles {
		if !plainPath(f) {
			errs = append(errs, fmt.Errorf("%s.pos_files[%d]: %q is not an absolute path of letters, digits and ./_@:-", at, n, f))
		}
	}
	if len(r.PosFiles) > 0 && r.Logs != "fluentd" {
		errs = append(errs, fmt.Errorf("%s.pos_files: are Fluentd's; logs is %q", at, r.Logs))
	}
	switch {
	case r.Workers < 0 || r.Workers > mostWorkers:
		errs = append(errs, fmt.Errorf("%s.workers: is %d; want 1 to %d, as in Fluentd's <system>", at, r.Workers, mostWorkers))
	case r.Workers > 0 && r.Logs != "fluentd":
		errs = append(errs, fmt.Errorf("%s.workers: are Fluentd's; logs is %q", at, r.Logs))
	}
	if r.Unit != "" && !plainWord(r.Unit) {
		errs = append(errs, fmt.Errorf("%s.unit: %q is not the name of a systemd unit; want one like app.service", at, r.Unit))
	}
	if r.Port < 0 || r.Port > 65535 {
		errs = append(errs, fmt.Errorf("%s.port: is %d; want 1 to 65535", at, r.Port))
	}
	if r.HealthyPercent < 0 || r.HealthyPercent > 100 {
		errs = append(errs, fmt.Errorf("%s.healthy_percent: is %d; want 0 to 100", at, r.HealthyPercent))
	}
	if r.Healthy < 0 {
		errs = append(errs, fmt.Errorf("%s.healthy: is %d; want 0 or more", at, r.Healthy))
	}
	if r.Cluster != "" && r.Cluster != integrations.AnyCluster && !clusterShape.MatchString(r.Cluster) {
		errs = append(errs, fmt.Errorf("%s.ecs_cluster: %q is not the name of a cluster; want up to 255 letters, digits, - and _, or \"*\" for whichever it is in", at, r.Cluster))
	}
	if r.FlushEvery < 0 || r.FlushEvery > time.Minute {
		errs = append(errs, fmt.Errorf("%s.flush_every: is %v; want at most 1m", at, r.FlushEvery))
	}
	return errs
}

// clusterShape is what the names of clusters are made of (the API reference of
// CreateCluster).
var clusterShape = regexp.MustCompile(`^[A-Za-z0-9_-]{1,255}$`)

// plainPath and plainWord say whether a value may stand in a script as it is.
func plainPath(s string) bool { return strings.HasPrefix(s, "/") && plainWord(s) }

func plainWord(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("./_@:-", r))
	}) < 0
}
