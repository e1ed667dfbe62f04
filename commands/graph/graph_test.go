package graph

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/store"
)

// meters is a fake system that measures.
type meters struct {
	system string
	all    map[string]integrations.Gauge
	err    error
	series integrations.Series
	asked  []string
}

func (m *meters) Names(_ context.Context, of string) (integrations.Gauge, error) {
	if m.err != nil {
		return integrations.Gauge{}, m.err
	}
	if of == "twice" {
		return integrations.Gauge{}, &integrations.Unmeasured{Several: []string{"h1", "h2"}}
	}
	if g, ok := m.all[of]; ok {
		g.System = m.system
		return g, nil
	}
	none := &integrations.Unmeasured{}
	for name := range m.all {
		none.Others = append(none.Others, name)
	}
	return integrations.Gauge{}, none
}

func (m *meters) Series(_ context.Context, g integrations.Gauge, metric string, from, until time.Time) (integrations.Series, error) {
	m.asked = append(m.asked, strings.Join([]string{g.Key, metric, until.Sub(from).String()}, " "))
	return m.series, m.err
}

type desk struct {
	*testing.T
	f     *feature
	verb  commands.Verb
	store *store.Store
	clock *clock.Movable
	event uint64
	heard integrations.Heard
}

func newDesk(t *testing.T, systems ...Metrics) *desk {
	clk := clock.NewMovable(0)
	s, err := store.Open(filepath.Join(t.TempDir(), "s.db"), store.Options{Now: clk.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	cat := &integrations.Catalog{
		Services: []integrations.Service{{Name: "shop", Aliases: []string{"store"}, Environments: map[string]integrations.ServiceEnvironment{"production": {Targets: []string{"shop/production"}}}}},
		Targets:  []integrations.Target{{Name: "shop/production", Graphs: integrations.Graphs{Service: "web"}}, {Name: "dns"}},
	}
	d := Deps{Store: s, Clock: clk, Log: slog.New(slog.DiscardHandler), Catalog: func() *integrations.Catalog { return cat }, Metrics: systems, Dir: filepath.Join(t.TempDir(), "graph"),
		Language: func(_ *store.Tx, at *store.Surface) (string, error) {
			if at.Where["channel"] == "C-ja" {
				return "ja", nil
			}
			return "en", nil
		}}
	f := &feature{d, commands.Files{Store: s, Clock: clk, Dir: d.Dir, Of: "graph"}}
	return &desk{T: t, f: f, verb: New(d).Verbs[0], store: s, clock: clk, heard: integrations.Heard{User: "U1", Channel: "C1"}}
}

// ask types a line of arguments; what was posted comes back with what was answered.
func (d *desk) ask(of, metric, long string) (said string, s *store.Surface, err error) {
	d.Helper()
	d.event++
	c := &commands.Call{Verb: &d.verb, Args: map[string]string{"of": of, "metric": metric, "time": long}, Event: d.event, Heard: d.heard}
	act, err := d.verb.Decide(d.Context(), c)
	if err != nil {
		return "", nil, err
	}
	var r commands.Reply
	if err := d.store.Update(d.Context(), func(tx *store.Tx) (err error) { r, err = act(tx); return err }); err != nil {
		d.Fatal(err)
	}
	_ = d.store.View(func(tx *store.Tx) error {
		all, _ := tx.DueSurfaces(d.clock.Now().Add(time.Hour), 0)
		if len(all) > 0 {
			s = all[len(all)-1]
		}
		return nil
	})
	parts := []string{r.Private.Text}
	for _, b := range r.Private.Blocks {
		parts = append(parts, b.Text.Plain()+b.Context.Plain()+b.Code)
	}
	return strings.Join(parts, "\n"), s, nil
}

func (d *desk) refused(of, metric, long, code string) *commands.Refusal {
	d.Helper()
	_, _, err := d.ask(of, metric, long)
	var r *commands.Refusal
	if !errors.As(err, &r) || r.Code != code {
		d.Fatalf("graph %s %s %s: %v, want a refusal %q", of, metric, long, err, code)
	}
	return r
}

func someMeters(now time.Time) *meters {
	m := &meters{system: "Mackerel", all: map[string]integrations.Gauge{
		"web-1": {Kind: integrations.GaugeHost, Name: "web-1", Key: "h1", Services: []string{"web"}, Metrics: []string{"cpu.idle.percentage", "cpu.user.percentage", "loadavg5", "memory.used"}},
		"web":   {Kind: integrations.GaugeService, Name: "web", Key: "web", Services: []string{"web"}, Metrics: []string{"access_latency.p99"}},
	}}
	for n := range 60 {
		m.series.Points = append(m.series.Points, integrations.Point{At: now.Add(-time.Duration(59-n) * time.Minute), Value: float64(n)})
	}
	return m
}

// The picture is posted where it was asked for, under the metric's own name, and stands
// on disk until it is sent.
func TestAGraphIsPosted(t *testing.T) {
	m := &meters{}
	d := newDesk(t, m)
	*m = *someMeters(d.clock.Now())
	said, s, err := d.ask("web-1", "CPU.user.percentage", "")
	if err != nil || said != "The picture follows." {
		t.Fatalf("%q, %v", said, err)
	}
	if s.Place != "slack.file" || s.Where["channel"] != "C1" || s.Where["title"] != "web-1: cpu.user.percentage" || s.Where["name"] != "web-1-cpu.user.percentage.png" || !strings.Contains(s.Where["alt"], "max 59") {
		t.Errorf("it is %+v", s)
	}
	card, err := d.f.files.Card(nil, s)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(card.File.Path); err != nil || !strings.HasPrefix(string(b), "\x89PNG") {
		t.Errorf("its file is %.8q, %v", b, err)
	}
	d.heard.Channel = "C-ja"
	if _, s, err = d.ask("web-1", "loadavg5", "24h0m0s"); err != nil || !strings.Contains(s.Where["alt"], "最大 59") {
		t.Errorf("in Japanese: %+v, %v", s, err)
	}
	d.heard.App = true
	if _, s, err = d.ask("web-1", "loadavg5", ""); err != nil || s.Where["channel"] != "U1" {
		t.Errorf("asked on a page of ours: %+v, %v", s, err)
	}
	if !slices.Equal(m.asked, []string{"h1 cpu.user.percentage 3h0m0s", "h1 loadavg5 24h0m0s", "h1 loadavg5 3h0m0s"}) {
		t.Errorf("it asked for %q", m.asked)
	}
}

// What is not there is answered with what is, as lines that work.
func TestWhatIsNotThereIsAnsweredWithWhatIs(t *testing.T) {
	m := &meters{}
	d := newDesk(t, m)
	*m = *someMeters(d.clock.Now())
	r := d.refused("web-1", "cpu", "24h0m0s", "unknown_metric")
	if r.Hint != "Did you mean cpu.idle.percentage, cpu.user.percentage?" || r.Example != "graph web-1 cpu.idle.percentage 24h" || len(r.Buttons) != 2 || r.Buttons[1].Command != "graph web-1 cpu.user.percentage 24h" {
		t.Errorf("%+v", r)
	}
	if r = d.refused("web-1", "lodavg5", "", "unknown_metric"); r.Example != "graph web-1 loadavg5" {
		t.Errorf("%+v", r)
	}
	if r = d.refused("web-1", "zzz", "", "unknown_metric"); r.Example != "graph web-1" || len(r.Buttons) > 0 {
		t.Errorf("%+v", r)
	}
	if r = d.refused("wbe-1", "loadavg5", "", "unknown"); !strings.Contains(r.Hint, "web-1") || r.Example != "graph web-1 loadavg5" {
		t.Errorf("%+v", r)
	}
	if r = d.refused("twice", "loadavg5", "", "several"); r.Example != "graph h1 loadavg5" || !strings.Contains(r.Hint, "h1, h2") {
		t.Errorf("%+v", r)
	}
	for _, long := range []string{"1m", "1000h", "soon"} {
		if r = d.refused("web-1", "loadavg5", long, "bad_time"); r.Example != "graph web-1 loadavg5 3h" {
			t.Errorf("%+v", r)
		}
	}
	m.series.Points = nil
	d.refused("web-1", "loadavg5", "", "nothing")
	m.err = &integrations.Later{Err: errors.New("503")}
	d.refused("web-1", "loadavg5", "", "away")
	m.err = errors.New("403: the key may not read")
	if _, _, err := d.ask("web-1", "loadavg5", ""); err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("a key that may not read: %v", err)
	}
	newDesk(t).refused("web-1", "", "", "no_metrics")
}

// What holds all the words comes before what is a few slips away, and that before what
// holds one of them.
func TestTheClosestComeFirst(t *testing.T) {
	names := []string{"cpu.usr", "cpu.user.percentage", "disk.user", "cpu.users", "memory.used"}
	if got := closest("cpu.user", names, 4); !slices.Equal(got, []string{"cpu.users", "cpu.user.percentage", "cpu.usr", "disk.user"}) {
		t.Errorf("%q", got)
	}
	if got := closest("1", []string{"web-1", "api-1"}, 4); len(got) > 0 {
		t.Errorf("a number alone proposes %q", got)
	}
}

// Without a metric those that there are are listed, of each system.
func TestMetricsAreListed(t *testing.T) {
	m, two := &meters{}, &meters{system: "CloudWatch", all: map[string]integrations.Gauge{"web-1": {Name: "web-1", Metrics: []string{"CPUUtilization"}}}}
	d := newDesk(t, m, two)
	*m = *someMeters(d.clock.Now())
	said, s, err := d.ask("web-1", "", "")
	if err != nil || s != nil || !strings.Contains(said, "loadavg5\nmemory.used\nCloudWatch\nCPUUtilization") || !strings.Contains(said, "/ops graph web-1 cpu.idle.percentage 3h") {
		t.Errorf("%q, %v", said, err)
	}
	two.series = m.series
	if _, s, err := d.ask("web-1", "CPUUtilization", ""); err != nil || s == nil || len(two.asked) != 1 || len(m.asked) != 0 {
		t.Errorf("the second system's: %v, %v, %v", err, two.asked, m.asked)
	}
	m.err = &integrations.Later{Err: errors.New("503")}
	if _, _, err := d.ask("web-1", "CPUUtilization", ""); err != nil {
		t.Errorf("while the first is away: %v", err)
	}
}

// A service of ours is found under the monitoring's name of it, and its deploys of that
// time are marked; others are not.
func TestDeploysAreMarked(t *testing.T) {
	m := &meters{}
	d := newDesk(t, m)
	*m = *someMeters(d.clock.Now())
	now := d.clock.Now()
	err := d.store.Update(t.Context(), func(tx *store.Tx) error {
		var err error
		for _, o := range []store.Operation{
			{ID: "op-1", State: store.OpSucceeded, Service: "shop", Targets: []string{"shop/production"}, Ended: now.Add(-time.Hour)},
			{ID: "op-2", State: store.OpFailed, Service: "web", Targets: []string{"dns"}, Ended: now.Add(-2 * time.Hour)},
			{ID: "op-3", State: store.OpSucceeded, Service: "other", Targets: []string{"dns"}, Ended: now.Add(-time.Hour)},
			{ID: "op-4", State: store.OpSucceeded, Service: "shop", Targets: []string{"shop/production"}, Ended: now.Add(-4 * time.Hour)},
			{ID: "op-5", State: store.OpNoop, Service: "shop", Targets: []string{"shop/production"}, Ended: now.Add(-time.Hour)},
			{ID: "op-6", State: store.OpSucceeded, Targets: []string{"shop/production"}, Ended: now.Add(-30 * time.Minute)},
		} {
			o.Environment, o.Created = "production", now.Add(-5*time.Hour)
			err = errors.Join(err, tx.PutOperation(&o))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"store", "web", "web-1"} {
		metric := "access_latency.p99"
		if name == "web-1" {
			metric = "loadavg5"
		}
		_, s, err := d.ask(name, metric, "")
		if err != nil {
			t.Fatal(err)
		}
		_, marked, _ := strings.Cut(s.Where["alt"], "max")
		var ids []string
		for _, word := range strings.Fields(marked) {
			if strings.HasPrefix(word, "op-") {
				ids = append(ids, word)
			}
		}
		if strings.Join(ids, " ") != "op-2 op-1 op-6" || !strings.Contains(marked, "op-2 web → production did not work") || !strings.Contains(marked, "op-1 shop → production deployed") {
			t.Errorf("%s: it marks %q: %s", name, ids, marked)
		}
	}
}

// What is drawn for others is of the first name that has the metric; an alarm says the
// namespace too.
func TestDrawnForOthers(t *testing.T) {
	if Drawer(Deps{}) != nil {
		t.Error("something is drawn where nothing measures")
	}
	m := &meters{system: "CloudWatch"}
	d := newDesk(t, m)
	*m = *someMeters(d.clock.Now())
	m.all["i-0abc"] = integrations.Gauge{Kind: integrations.GaugeHost, Name: "web-1", Key: "i-0abc", Metrics: []string{"CPUUtilization"}}
	draw := Drawer(Deps{Store: d.store, Clock: d.clock, Log: slog.New(slog.DiscardHandler), Catalog: func() *integrations.Catalog { return &integrations.Catalog{} }, Metrics: []Metrics{m}})
	until := d.clock.Now()
	for metric, want := range map[string]string{"AWS/EC2/CPUUtilization": "web-1: CPUUtilization", "loadavg5": "web-1: loadavg5"} {
		got, err := draw(t.Context(), []string{"nobody", "i-0abc", "web-1"}, metric, "C1", until.Add(-3*time.Hour), until)
		if err != nil || got.Title != want || got.Alt == "" || !bytes.HasPrefix(got.PNG, []byte("\x89PNG")) {
			t.Errorf("%s: %q, %q, %d bytes, %v", metric, got.Title, got.Alt, len(got.PNG), err)
		}
	}
	var no *commands.Refusal
	if _, err := draw(t.Context(), []string{"web-1"}, "none.such", "C1", until.Add(-time.Hour), until); !errors.As(err, &no) {
		t.Errorf("an unknown metric: %v", err)
	}
	m.err = &integrations.Later{Err: errors.New("503")}
	if _, err := draw(t.Context(), []string{"web-1"}, "loadavg5", "C1", until.Add(-time.Hour), until); !errors.As(err, &no) || no.Code != "away" {
		t.Errorf("while it is away: %v", err)
	}
}
