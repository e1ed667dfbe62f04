// Package graph shows how a metric went: `graph web-1 cpu.user.percentage 3h` posts a
// picture of it where it was asked for, so that everybody there looks at the same. The
// values are those of the monitoring; the deploys in that time are marked. It changes
// nothing.
package graph

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/store"
)

// Metrics is a system that measures.
type Metrics interface {
	// Names finds what is called so, with the names of its metrics;
	// *integrations.Unmeasured says that nothing, or more than one, is.
	Names(ctx context.Context, of string) (integrations.Gauge, error)
	// Series are the values of one of them in a time.
	Series(ctx context.Context, g integrations.Gauge, metric string, from, until time.Time) (integrations.Series, error)
}

// Deps are what the feature works with.
type Deps struct {
	Store   *store.Store
	Clock   clock.Clock
	Log     *slog.Logger
	Catalog func() *integrations.Catalog
	// Metrics are what is asked, in this order; none where nothing is configured.
	Metrics []Metrics
	// Zone is the time zone of somebody, by the id that they have in chat.
	Zone func(ctx context.Context, user string) (*time.Location, error)
	// Language is that of a surface: "en" or "ja".
	Language func(tx *store.Tx, s *store.Surface) (string, error)
	// Dir is the folder of pictures until they are sent.
	Dir string
}

type feature struct {
	Deps
	files commands.Files
}

// New is the feature.
func New(d Deps) commands.Feature {
	f := &feature{d, commands.Files{Store: d.Store, Clock: d.Clock, Dir: d.Dir, Of: "graph"}}
	return commands.Feature{
		Name: "graph", Words: map[string]string{"ja": ja},
		Verbs: []commands.Verb{f.verb()},
		Ticks: []commands.Tick{f.files.Tick()},
		Cards: map[string]tell.Card{f.files.CardName(): f.files.Card},
	}
}

const (
	usually  = 3 * time.Hour
	shortest = 10 * time.Minute
	longest  = 32 * 24 * time.Hour
	// askLimit is how long the monitoring is waited for, in wall time.
	askLimit = 8 * time.Second
)

func (f *feature) verb() commands.Verb {
	return commands.Verb{
		Name: "graph", Aliases: []string{"chart"}, Summary: "Post a picture of how a metric of a service or a host went", Effect: commands.Reads,
		Args: []commands.Arg{
			{Name: "of", Kind: commands.ArgWord, Help: "a service or a host, by its name or its instance's id"},
			{Name: "metric", Kind: commands.ArgWord, Optional: true, Help: "such as cpu.user.percentage; without, those that there are are listed"},
			{Name: "time", Kind: commands.ArgDuration, Keyword: "last", Also: []string{"for"}, Optional: true, Help: "how long until now; 3h unless said, 10m to 32d"},
		},
		Examples: []string{"graph web-1", "graph web-1 cpu.user.percentage", "graph {service} access_latency.p99 24h"},
		Detail:   "The picture is posted where you ask for it. Deploys in that time are marked in it. Where nothing was measured the line is broken.",
		Decide:   f.decide,
	}
}

// A question is what is to be shown.
type question struct {
	*commands.Call
	of     string
	metric string
	long   time.Duration
	now    time.Time
	zone   *time.Location
}

func (q question) from() time.Time { return q.now.Add(-q.long) }

// said is how long was asked for, as people type it; "" where they did not.
func (q question) said() string {
	s := q.Arg("time")
	for _, none := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(s, none) {
			s = strings.TrimSuffix(s, none[1:])
		}
	}
	return s
}

// decide asks the monitoring and draws outside of the deciding transaction.
func (f *feature) decide(ctx context.Context, c *commands.Call) (commands.Act, error) {
	if len(f.Metrics) == 0 {
		return nil, commands.Refuse("no_metrics", "No monitoring is configured that has metrics.").WithHint("Set mackerel.api_key, or aws.accounts, in the configuration.")
	}
	q := question{Call: c, of: c.Arg("of"), metric: c.Arg("metric"), long: usually, now: f.Clock.Now(), zone: commands.Zones{Of: f.Zone, Log: f.Log}.For(ctx, c)}
	if said := c.Arg("time"); said != "" {
		long, err := time.ParseDuration(said)
		if err != nil || long < shortest || long > longest {
			return nil, commands.Refuse("bad_time", "A graph is of ten minutes to 32 days.").WithExample(line(q.of, cmp.Or(q.metric, "cpu.user.percentage"), "3h"))
		}
		q.long = long
	}
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	all, err := f.find(ctx, q)
	if err != nil {
		return nil, err
	}
	if q.metric == "" {
		m := listed(q, all)
		return func(*store.Tx) (commands.Reply, error) { return commands.Reply{Private: &m}, nil }, nil
	}
	for _, g := range all {
		if i := q.has(g.Gauge); i >= 0 {
			q.metric = g.Metrics[i]
			return f.show(ctx, q, g)
		}
	}
	return nil, unknownMetric(q, all)
}

// has says which metric of a gauge is asked for; -1 is none.
func (q question) has(g integrations.Gauge) int {
	return slices.IndexFunc(g.Metrics, func(m string) bool { return strings.EqualFold(m, q.metric) })
}

// line is a line of the verb, of the words that there are.
func line(words ...string) string {
	words = slices.DeleteFunc(words, func(w string) bool { return w == "" })
	return strings.Join(append([]string{"graph"}, words...), " ")
}

// A gauge is one with the system that has it.
type gauge struct {
	integrations.Gauge
	asks Metrics
}

// find asks each system for what is called so: a service of ours as what the monitoring
// calls it as well.
func (f *feature) find(ctx context.Context, q question) (found []gauge, err error) {
	var others, several []string
	var away error
	for _, m := range f.Metrics {
		for _, name := range f.names(q.of) {
			g, err := m.Names(ctx, name)
			var none *integrations.Unmeasured
			if err == nil {
				found = append(found, gauge{g, m})
				if q.has(g) >= 0 {
					return found, nil
				}
				break
			}
			if errors.As(err, &none) {
				others, several = append(others, none.Others...), append(several, none.Several...)
			} else {
				away = errors.Join(away, err)
			}
		}
	}
	switch {
	case len(found) > 0:
		return found, nil
	case away != nil:
		return nil, f.silent(away)
	case len(several) > 0:
		slices.Sort(several)
		several = slices.Compact(several)
		return nil, commands.Refuse("several", fmt.Sprintf("Several are called “%s”.", q.of)).WithHint("Say which by its id: " + strings.Join(several, ", ") + ".").
			WithExample(line(several[0], q.metric))
	}
	slices.Sort(others)
	others = slices.Compact(others)
	r := commands.Refuse("unknown", fmt.Sprintf("No service and no host is called “%s” in the monitoring.", q.of))
	near := closest(q.of, others, mostNear)
	if len(near) == 0 {
		near = others[:min(len(others), mostNear)]
	}
	if len(near) == 0 {
		return nil, r
	}
	typed := func(name string) string { return line(name, q.metric, q.said()) }
	return nil, r.WithHint("There is " + strings.Join(near, ", ") + ".").WithExample(typed(near[0])).WithButtons(buttons(near, typed)...)
}

// names are what something may be called in the monitoring.
func (f *feature) names(of string) []string {
	out := []string{of}
	s, ok := f.Catalog().Service(of)
	if !ok {
		return out
	}
	add := func(name string) {
		if name != "" && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	for _, t := range f.Catalog().Targets {
		for _, e := range s.Environments {
			if slices.Contains(e.Targets, t.Name) {
				add(t.Graphs.Service)
			}
		}
	}
	add(s.Name)
	return out
}

// silent is what people read of a monitoring that cannot be asked.
func (f *feature) silent(err error) error {
	var later *integrations.Later
	if errors.As(err, &later) || errors.Is(err, context.DeadlineExceeded) {
		f.Log.Warn("metrics cannot be asked", "error", err)
		return commands.Refuse("away", "The monitoring does not answer now.").WithHint("Try it again in a minute.")
	}
	return err
}

// show has the picture posted where it was asked for.
func (f *feature) show(ctx context.Context, q question, g gauge) (commands.Act, error) {
	to := q.channel()
	d, err := f.draw(ctx, q, g, to)
	if err != nil {
		return nil, err
	}
	if err := f.files.Write(q.Call, d.PNG); err != nil {
		return nil, err
	}
	return func(tx *store.Tx) (commands.Reply, error) {
		m := integrations.Message{Text: "The picture follows."}
		return commands.Reply{Private: &m}, f.files.Send(tx, q.Call, commands.Sent{Name: d.Name, Title: d.Title, Alt: d.Alt, Channel: to})
	}, nil
}

// draw makes the picture, for a channel or a person.
func (f *feature) draw(ctx context.Context, q question, g gauge, to string) (d integrations.Drawn, err error) {
	series, err := g.asks.Series(ctx, g.Gauge, q.metric, q.from(), q.now)
	if err != nil {
		return d, f.silent(err)
	}
	series.Points = slices.DeleteFunc(series.Points, func(p integrations.Point) bool { return !finite(p.Value) || p.At.Before(q.from()) || p.At.After(q.now) })
	if len(series.Points) == 0 {
		return d, commands.Refuse("nothing", fmt.Sprintf("%s of %s has no values in that time.", q.metric, g.Name)).WithHint("Ask for a longer one.").WithExample(line(q.of, q.metric, "7d"))
	}
	ch := chart{title: g.Name, metric: q.metric, system: g.System, from: q.from(), until: q.now, zone: q.zone, series: series}
	err = f.Store.View(func(tx *store.Tx) (err error) {
		if f.Language != nil {
			if ch.language, err = f.Language(tx, &store.Surface{Place: "slack.file", Where: map[string]string{"channel": to}}); err != nil {
				return err
			}
		}
		ch.marks, err = f.deploys(tx, q, g.Gauge)
		return err
	})
	if err != nil {
		return d, err
	}
	body, err := ch.draw()
	name := strings.Map(func(r rune) rune {
		if r == '/' || r <= ' ' {
			return '-'
		}
		return r
	}, g.Name+"-"+q.metric+".png")
	return integrations.Drawn{Name: name, Title: g.Name + ": " + q.metric, Alt: ch.alt(), PNG: body}, err
}

// Drawer draws a metric of the first of some names that is measured and has it, over a time,
// for a channel; nil where nothing measures. Its error is a *commands.Refusal where there is nothing to draw; its code is
// "away" where the monitoring does not answer now.
func Drawer(d Deps) func(ctx context.Context, of []string, metric, channel string, from, until time.Time) (integrations.Drawn, error) {
	if len(d.Metrics) == 0 {
		return nil
	}
	f := &feature{Deps: d}
	return func(ctx context.Context, of []string, metric, channel string, from, until time.Time) (integrations.Drawn, error) {
		var none error = commands.Refuse("unknown", fmt.Sprintf("Nothing measures %s.", metric))
		// An alarm of CloudWatch says the namespace too: "AWS/EC2/CPUUtilization".
		metric = metric[strings.LastIndexByte(metric, '/')+1:]
		for _, name := range of {
			q := question{Call: &commands.Call{}, of: name, metric: metric, long: until.Sub(from), now: until, zone: time.UTC}
			all, err := f.find(ctx, q)
			if err != nil {
				none = err
				continue
			}
			for _, g := range all {
				if i := q.has(g.Gauge); i >= 0 {
					q.metric = g.Metrics[i]
					return f.draw(ctx, q, g, channel)
				}
			}
		}
		return integrations.Drawn{}, none
	}
}

// channel is where the picture is posted: where it was asked for, or to the person.
func (q question) channel() string {
	if q.Heard.Channel == "" || q.Heard.App {
		return q.Heard.User
	}
	return q.Heard.Channel
}
