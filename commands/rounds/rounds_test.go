package rounds

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/store"
)

// still is a clock that stands until it is moved.
type still struct{ now time.Time }

func (s *still) Now() time.Time                     { return s.now }
func (s *still) NewTimer(time.Duration) clock.Timer { panic("nothing here waits") }

// estate is a fake Monitor and Cloud.
type estate struct {
	hosts     []integrations.MonitoredHost
	downtimes []integrations.Downtime
	instances []integrations.Instance
	blind     map[string]error // by what is asked
	asked     map[string]int
}

func (e *estate) Hosts(context.Context) ([]integrations.MonitoredHost, error) {
	e.asked["hosts"]++
	if err := e.blind["hosts"]; err != nil {
		return nil, err
	}
	return slices.Clone(e.hosts), nil
}

func (e *estate) Downtimes(context.Context, time.Time) ([]integrations.Downtime, error) {
	return e.downtimes, e.blind["downtimes"]
}

func (e *estate) Instances(context.Context, ...string) ([]integrations.Instance, error) {
	if err := e.blind["instances"]; err != nil {
		return nil, err
	}
	return e.instances, nil
}

// room is the feature on a real store.
type room struct {
	*testing.T
	dir       string
	clock     *still
	store     *store.Store
	cfg       Config
	estate    *estate
	forgotten []integrations.Rich
	deps      Deps
	feat      commands.Feature
}

// newRoom is at seven in the morning of Wednesday, 4 March in Tokyo, two hours before the
// first round.
func newRoom(t *testing.T) *room {
	t.Helper()
	r := &room{T: t, dir: t.TempDir(), clock: &still{time.Date(2026, 3, 3, 22, 0, 0, 0, time.UTC)}, cfg: Config{Channel: "ops", Zone: "Asia/Tokyo"},
		estate: &estate{blind: map[string]error{}, asked: map[string]int{}}}
	r.starts()
	t.Cleanup(func() { _ = r.store.Close() })
	return r
}

// starts is the process after it ended, however it ended.
func (r *room) starts() {
	r.Helper()
	if err := r.cfg.Validate(); err != nil {
		r.Fatal(err)
	}
	if r.store != nil {
		if err := r.store.Close(); err != nil {
			r.Fatal(err)
		}
	}
	var err error
	if r.store, err = store.Open(filepath.Join(r.dir, "signalbox.db"), store.Options{Now: r.clock.Now, Log: slog.New(slog.DiscardHandler)}); err != nil {
		r.Fatal(err)
	}
	r.deps = Deps{Store: r.store, Clock: r.clock, Log: slog.New(slog.DiscardHandler), Config: func() Config { return r.cfg }, Channel: func(name string) string { return "C-" + name },
		Monitor: r.estate, Cloud: r.estate,
		Forgotten: []func(*store.Tx) ([]integrations.Rich, error){func(*store.Tx) ([]integrations.Rich, error) { return r.forgotten, nil }}}
	r.feat = New(r.deps)
}

func (r *room) tick() {
	r.Helper()
	if err := r.feat.Ticks[0].Run(r.Context()); err != nil {
		r.Fatal(err)
	}
}

// until lets time pass to a clock time of Tokyo, looking every minute.
func (r *room) until(clock string) {
	r.Helper()
	for end := r.at(clock); !r.clock.now.After(end); r.clock.now = r.clock.now.Add(time.Minute) {
		r.tick()
	}
	r.clock.now = r.at(clock)
}

// jumps is a standstill until then.
func (r *room) jumps(clock string) {
	r.Helper()
	r.clock.now = r.at(clock)
	r.starts()
	r.tick()
}

func (r *room) at(clock string) time.Time {
	r.Helper()
	at, err := time.ParseInLocation("2006-01-02 15:04", "2026-03-"+clock, r.cfg.zone())
	if err != nil {
		r.Fatal(err)
	}
	return at
}

// told are the rounds that were opened, each as it is shown, without its last line.
func (r *room) told() (out []string) {
	r.Helper()
	err := r.store.View(func(tx *store.Tx) error {
		return rounds(tx).Each("", func(id string, one round) error {
			s, err := tx.Surface(tell.ID(placeMessage, id))
			if err != nil {
				return err
			}
			m, err := r.feat.Cards[card](tx, s)
			if s.Where["channel"] != "C-ops" || s.Where["silent"] != "yes" || m.Hold {
				r.Errorf("%s is told in %v, held back: %v", id, s.Where, m.Hold)
			}
			last := m.Blocks[len(m.Blocks)-1].Context.Plain()
			out = append(out, m.Text+"\n"+last)
			return err
		})
	})
	if err != nil {
		r.Fatal(err)
	}
	return out
}

// says asks, and gives the answer.
func (r *room) says() string {
	r.Helper()
	u := commands.Parse(r.feat.Verbs, &integrations.Catalog{}, "rounds", false)
	if u.Refusal != nil {
		r.Fatal(u.Refusal)
	}
	act, err := u.Call.Verb.Decide(r.Context(), u.Call)
	if err != nil {
		r.Fatal(err)
	}
	var reply commands.Reply
	if err := r.store.Update(r.Context(), func(tx *store.Tx) (err error) { reply, err = act(tx); return err }); err != nil {
		r.Fatal(err)
	}
	return reply.Private.Text
}

func watched(name, instance, status string, roles ...string) integrations.MonitoredHost {
	return integrations.MonitoredHost{ID: "h-" + name, Name: name, Instance: instance, Status: status, Roles: roles, Since: time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)}
}

func machineOf(id, name, role, state string, launched time.Time) integrations.Instance {
	return integrations.Instance{ID: id, Name: name, Role: role, State: state, Zone: "ap-northeast-1a", Launched: launched}
}

// TestARound names what there is to look at, the worst first.
func TestARound(t *testing.T) {
	r := newRoom(t)
	r.cfg.LeaveOut = []string{"bastion"}
	old := r.clock.now.Add(-72 * time.Hour)
	r.estate.hosts = []integrations.MonitoredHost{
		watched("web-2", "i-2", "maintenance", "shop:web"), watched("web-1", "i-1", "working", "shop:web"), watched("web-3", "i-3", "poweroff", "shop:app", "shop:web"),
		watched("db-1", "i-4", "maintenance", "shop:db"), watched("web-9", "i-9", "working", "shop:web"), watched("switch", "", "working"), watched("web-5", "i-5", "standby", "shop:web"),
	}
	r.estate.instances = []integrations.Instance{
		machineOf("i-1", "web-1", "web", "running", old), machineOf("i-2", "web-2", "web", "running", old), machineOf("i-3", "web-3", "web", "stopped", old), machineOf("i-4", "db-1", "db", "running", old),
		machineOf("i-5", "web-5", "web", "running", old), machineOf("i-6", "web-6", "web", "running", old), machineOf("i-7", "jump", "bastion", "running", old),
		machineOf("i-8", "", "", "running", old), machineOf("i-9", "web-9", "web", "terminated", old), machineOf("i-10", "web-10", "web", "running", r.at("04 08:50")), machineOf("i-11", "web-11", "web", "pending", old),
	}
	r.estate.downtimes = []integrations.Downtime{{Name: "batch", Covers: []string{"shop", "shop:db"}, Until: r.at("04 11:30")}, {Name: "all", Until: r.at("04 12:00")}}
	r.forgotten = []integrations.Rich{integrations.R("❓ ", integrations.Code("job-3"), " was interrupted")}
	r.until("04 08:30")
	r.estate.hosts[3].Status = "working" // and back: it is seen each hour
	r.until("04 08:40")
	if told := r.told(); len(told) > 0 {
		t.Errorf("told before its time: %q", told)
	}
	r.until("04 09:00")
	want := strings.Join([]string{
		"👀 Round: 7 things to look at",
		"Nobody watches", "maintenance · shop:web 1: web-2 (2 h or longer)", "poweroff · shop:app 1: web-3 (2 h or longer)",
		"Running, and not in the monitoring", "- i-8 · no role · ap-northeast-1a · 3 days old", "web-6 i-6 · web · ap-northeast-1a · 3 days old",
		"In the monitoring, and no instance of these accounts", "web-9 i-9",
		"In the monitoring without a role", "switch",
		"Forgotten", "❓ job-3 was interrupted",
		"In standby: watched, and nobody is called", "standby · shop:web 1: web-5 (2 h or longer)",
		"Downtimes", "batch · shop, shop:db · until 11:30 JST", "all · everything · until 12:00 JST", "as of 09:00 JST"}, "\n")
	told := r.told()
	if len(told) != 1 {
		t.Fatalf("told were %q", told)
	}
	if got := strings.ReplaceAll(told[0], "2026-03-04 ", ""); got != want {
		t.Errorf("it is\n%s\nwant\n%s", got, want)
	}
	want = strings.TrimSuffix(want, "\nas of 09:00 JST")
	if got := strings.ReplaceAll(r.says(), "2026-03-04 ", ""); got != want {
		t.Errorf("asked, it is\n%s\nwant\n%s", got, want)
	}
}

// Where all is well nothing is told, and whoever asks is told so. What is in standby and
// what has a downtime is on purpose.
func TestWhereAllIsWellNothingIsTold(t *testing.T) {
	r := newRoom(t)
	r.estate.hosts = []integrations.MonitoredHost{watched("web-1", "i-1", "working", "shop:web"), watched("web-2", "i-2", "standby", "shop:web")}
	r.estate.instances = []integrations.Instance{machineOf("i-1", "web-1", "web", "running", r.clock.now), machineOf("i-2", "web-2", "web", "running", r.clock.now)}
	r.estate.downtimes = []integrations.Downtime{{Name: "batch", Until: r.at("04 11:30")}}
	r.until("05 10:00")
	if told := r.told(); len(told) > 0 {
		t.Errorf("told was %q", told)
	}
	if got := r.says(); !strings.HasPrefix(got, "👀 Round: each host is watched, and nothing was forgotten\nIn standby") {
		t.Errorf("it says %s", got)
	}
	r.deps.Monitor, r.deps.Cloud = nil, nil
	r.feat = New(r.deps)
	if got := r.says(); got != "👀 Round: nothing was forgotten; who watches the hosts is not configured" {
		t.Errorf("it says %s", got)
	}
	r.forgotten = []integrations.Rich{integrations.R("a lock")}
	r.until("05 18:00")
	if told := r.told(); len(told) != 1 || !strings.HasPrefix(told[0], "👀 Round: 1 thing to look at\nForgotten\na lock\n") {
		t.Errorf("told was %q", told)
	}
}

// Each round is told once, however often the process ends; after a standstill the newest
// of those that were missed is told and marked, or none where it is too late.
func TestRoundsAreToldOnce(t *testing.T) {
	r := newRoom(t)
	r.forgotten = []integrations.Rich{integrations.R("a lock")}
	count := func(when string, want int, marks ...string) {
		t.Helper()
		told := r.told()
		if len(told) != want {
			t.Fatalf("%s %d were told: %q", when, len(told), told)
		}
		for _, mark := range marks {
			if !strings.Contains(told[want-1], mark) {
				t.Errorf("%s told was %q, want %q", when, told[want-1], mark)
			}
		}
	}
	r.tick()
	r.jumps("04 09:01")
	count("at nine", 1, "\nas of")
	if got := r.told()[0]; strings.Contains(got, "late") {
		t.Errorf("a minute is not late: %q", got)
	}
	for range 3 {
		r.starts()
		r.tick()
		r.tick()
	}
	count("started again", 1)
	r.jumps("04 18:03")
	count("three minutes late", 2, "late by 3 min")
	r.jumps("05 19:30")
	count("an hour late, and two were missed", 3, "late by 1 h 30 min", "as of ")
	r.jumps("06 11:01")
	count("too late", 3)
	r.until("06 18:00")
	count("and the next", 4)
	// Another time counts from when it is said.
	r.cfg.At = []string{"30 18 * * *"}
	r.jumps("06 18:31")
	count("of other times", 4)
	r.until("07 18:31")
	count("the day after", 5)
	r.cfg.Zone = "Asia/Kolkata"
	r.clock.now = r.clock.now.Add(time.Minute)
	r.starts()
	r.tick()
	r.until("07 18:29")
	count("in another zone", 5)
	r.until("07 18:30")
	count("and there", 6)
	r.cfg.Channel, r.cfg.At = "", nil
	r.until("09 20:00")
	count("without a channel", 6)
}

// Whoever does not answer is asked again for ten minutes, and then that is told.
func TestWhoDoesNotAnswerIsTold(t *testing.T) {
	for _, what := range []string{"hosts", "downtimes", "instances"} {
		r := newRoom(t)
		r.estate.hosts = []integrations.MonitoredHost{watched("web-1", "i-1", "working", "shop:web")}
		r.estate.instances = []integrations.Instance{machineOf("i-1", "web-1", "web", "running", r.clock.now)}
		r.tick()
		r.estate.blind[what] = errors.New("503: try again")
		r.until("04 09:09")
		if told := r.told(); len(told) > 0 {
			t.Errorf("%s: told after nine minutes: %q", what, told)
		}
		r.until("04 09:10")
		want := "👀 Round: 1 thing to look at\n⚠️ Nobody could tell\n" + map[string]string{"hosts": theMonitoring, "downtimes": theDowntimes, "instances": theInstances}[what] + " · “503: try again”\nlate by 10 min"
		if told := r.told(); len(told) != 1 || !strings.HasPrefix(told[0], want) {
			t.Errorf("%s: told was %q, want %q", what, told, want)
		}
		// Once it answers within these, all is told as it is.
		r.until("04 17:59")
		r.until("04 18:05")
		delete(r.estate.blind, what)
		r.until("04 18:06")
		if told := r.told(); len(told) != 1 {
			t.Errorf("%s: all is well, and told was %q", what, told[1:])
		}
	}
}

// Killed while it asks, it asks again and tells once.
func TestKilledWhileItAsks(t *testing.T) {
	r := newRoom(t)
	r.forgotten = []integrations.Rich{integrations.R("a lock")}
	r.tick()
	r.clock.now = r.at("04 09:00")
	ctx, kill := context.WithCancel(t.Context())
	kill()
	if err := r.feat.Ticks[0].Run(ctx); err == nil {
		t.Error("it went on")
	}
	if told := r.told(); len(told) > 0 {
		t.Fatalf("told was %q", told)
	}
	r.jumps("04 09:01")
	if told := r.told(); len(told) != 1 {
		t.Errorf("told was %q", told)
	}
}

// Since when a host has its status is known to the hour, over restarts; of those that had
// it when they were first seen it is not.
func TestSinceWhenAHostIsNotWatched(t *testing.T) {
	r := newRoom(t)
	r.estate.hosts = []integrations.MonitoredHost{watched("a", "", "maintenance", "s:r"), watched("b", "", "working", "s:r")}
	r.until("04 10:30")
	r.estate.hosts[1].Status = "poweroff"
	fresh := watched("c", "", "maintenance", "s:r")
	fresh.Since = r.at("04 10:20")
	r.estate.hosts = append(r.estate.hosts, fresh)
	r.until("04 11:30")
	r.starts()
	r.until("04 14:00")
	got := r.says()
	for _, want := range []string{"a (7 h or longer)", "c (3 h)", "poweroff · s:r 1: b (2 h)"} {
		if !strings.Contains(got, want) {
			t.Errorf("want %q in %s", want, got)
		}
	}
	if n := r.estate.asked["hosts"]; n > 14 {
		t.Errorf("hosts were asked for %d times in seven hours", n)
	}
	r.estate.hosts[1].Status = "maintenance"
	if got := r.says(); !strings.Contains(got, "b (under 1 h)") {
		t.Errorf("a moment ago: %s", got)
	}
	r.estate.hosts = r.estate.hosts[1:]
	r.until("04 15:10")
	r.estate.hosts = append(r.estate.hosts, watched("a", "", "maintenance", "s:r"))
	if got := r.says(); !strings.Contains(got, "a (nobody knows since when)") {
		t.Errorf("one that was gone is new: %s", got)
	}
}

// Many are cut, and the message stays one that Slack takes.
func TestARoundOfManyHosts(t *testing.T) {
	r := newRoom(t)
	for n := range 400 {
		r.estate.hosts = append(r.estate.hosts, watched(fmt.Sprintf("a-host-with-a-rather-long-name-%03d", n), fmt.Sprintf("i-%d", n), "maintenance", fmt.Sprintf("service:role-%d", n%40)))
		r.estate.instances = append(r.estate.instances, machineOf(fmt.Sprintf("i-x%d", n), fmt.Sprintf("another-host-with-a-long-name-%03d", n), "web", "running", r.clock.now.Add(-time.Hour)))
	}
	got := r.says()
	if !strings.HasPrefix(got, "👀 Round: 1200 things") || !strings.Contains(got, " more\nRunning") || !strings.Contains(got, "and 388 more") {
		t.Errorf("it says %s", got)
	}
	var blocks []integrations.Block
	err := r.store.Update(t.Context(), func(tx *store.Tx) error {
		one := round{At: r.clock.now, Zone: "UTC"}
		f := &feature{Deps: r.deps}
		err := f.fill(tx, &one, f.ask(t.Context(), r.clock.now))
		blocks = f.shown(one).Blocks
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range blocks {
		if n := len(b.Text.Plain()); n > 3000 {
			t.Errorf("a block of %d characters: %.60s", n, b.Text.Plain())
		}
	}
}

// What was told long ago is forgotten.
func TestOldRoundsAreForgotten(t *testing.T) {
	r := newRoom(t)
	r.forgotten = []integrations.Rich{integrations.R("a lock")}
	r.tick()
	r.jumps("04 09:00")
	r.jumps("04 18:00")
	r.clock.now = r.at("04 10:00").Add(keepFor)
	if err := r.feat.Prune(t.Context()); err != nil {
		t.Fatal(err)
	}
	if told := r.told(); len(told) != 1 {
		t.Errorf("left are %q", told)
	}
}

func TestConfigMistakes(t *testing.T) {
	for want, c := range map[string]Config{
		`zone: "Tokio" is no time zone; want one like Asia/Tokyo`:         {Channel: "ops", Zone: "Tokio"},
		`at[1]: "soon" is no cron expression`:                             {Channel: "ops", At: []string{"0 9 * * *", "soon"}},
		`channel: is missing; rounds are told there`:                      {At: []string{"0 9 * * *"}},
		`late: is 13h0m0s; want at most 12h0m0s`:                          {Channel: "ops", Late: 13 * time.Hour},
		"zone: \"Local\" is no time zone; want one like Asia/Tokyo\nlate": {Zone: "Local", Late: -1},
	} {
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if err := (Config{}).Validate(); err != nil {
		t.Error(err)
	}
}
