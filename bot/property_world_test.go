package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing/synctest"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/runner"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/calendar"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/store"
)

// A history is the bot as it is wired, on a real store, with the real dispatcher,
// runner, teller and ticks, in a world of Go values: a GitHub and a Slack that
// fit in memory, tools that change a map. It lives in a bubble of
// testing/synctest, where time passes only while everybody waits; what happens is
// drawn beforehand, and luck (who is slow, what fails, which webhook is lost) is
// worked out from a number, so that a history can be told again.
type history struct {
	dir     string
	luckOf  uint64 // 0: everything goes well
	clock   *jumpClock
	catalog *integrations.Catalog
	places  map[string]integrations.Place
	hooks   sync.WaitGroup // webhooks on their way

	mu         sync.Mutex // guards everything below, and is never held while the store is called
	lines      []string   // what happened, in sentences
	broken     string     // the first law that was broken
	rolled     map[string]int
	hub        *hub
	tools      map[string]*tool
	outage     map[string]string // by system: outageDown, outageMute
	shown      []*shownPost
	deleted    int
	kills      int
	calls      int
	tally      map[string]int
	said       int            // commands given, also those that were lost
	deaf       bool           // webhooks are lost
	pushless   bool           // those of pushes are
	delayed    *time.Duration // when not nil, after how long they come, or lost
	lateMerges time.Duration  // how late those of pull requests come
	sent       []sentHook
	crashIn    int  // outside calls until the bot is killed; 0: it is not
	crashAct   bool // the call that kills it still acts
	down       bool
	store      *store.Store
	stop       context.CancelFunc

	running sync.WaitGroup // the parts of the bot
	parts   struct {
		wired      wired
		runner     *runner.Runner
		teller     *tell.Teller
		dispatcher *commands.Dispatcher
		ticks      *clockDoor
	}
}

const (
	sysGitHub = "GitHub"
	sysSlack  = "Slack"

	outageDown = "down" // nothing gets through
	outageMute = "mute" // it acts, and the answer is lost
)

var errOutage = errors.New("503: try again later")

// a configuration is what differs between the workspaces of histories.
type configuration struct {
	After, Windows, CoolDown, Checks, Coalesce, Waves, RunOnOpen, Two bool
}

func newHistory(dir string, c configuration, luck uint64) *history {
	y := &history{dir: dir, luckOf: luck, clock: &jumpClock{timers: map[*jumpTimer]struct{}{}}, rolled: map[string]int{}, tools: map[string]*tool{}, outage: map[string]string{}}
	y.hub = newHub(func() time.Time { return y.clock.Now().Truncate(time.Second) }, y.hook)
	y.catalog = y.config(c)
	y.places = map[string]integrations.Place{}
	for _, name := range []string{"slack.message", "slack.file", "slack.private", "slack.modal"} {
		y.places[name] = wall{y, sysSlack, name}
	}
	for _, name := range []string{"github.comment", "github.status", "github.deployment"} {
		y.places[name] = wall{y, sysGitHub, name}
	}
	return y
}

func (y *history) config(c configuration) *integrations.Catalog {
	target := func(name, env, base string, wave int, paths ...string) integrations.Target {
		y.tools[name] = &tool{y: y, target: name, paths: paths, real: map[string]string{}}
		for path, v := range y.hub.commits[y.hub.made[0]].tree {
			if under(paths, path) {
				y.tools[name].real[path] = v
			}
		}
		return integrations.Target{Name: name, Environment: env, Repository: hubRepo, Base: base, Paths: paths, Steps: []integrations.Applier{y.tools[name]}, Wave: wave, Coalesce: c.Coalesce}
	}
	second := 0
	if c.Waves {
		second = 1
	}
	production := integrations.Environment{Name: "production", Channels: []string{"ops"}, Approvals: 1, Review: "required", OnCall: []string{"bob"}}
	if c.Two {
		production.Approvals = 2
	}
	if c.After {
		production.After = "staging"
	}
	if c.Windows {
		production.Windows = daytime{}
	}
	if c.CoolDown {
		production.CoolDown = 20 * time.Minute
	}
	if c.Checks {
		production.Checks = []string{"ci"}
	}
	if c.RunOnOpen {
		production.OnOpen = "run"
	}
	return &integrations.Catalog{
		People: []integrations.Person{
			{Name: "alice", Slack: "UA", GitHub: "alice"}, {Name: "bob", Slack: "UB", GitHub: "bob"},
			{Name: "carol", Slack: "UC", GitHub: "carol"}, {Name: "dave", Slack: "UD", GitHub: "dave"},
		},
		Groups: map[string][]string{"deployers": {"alice", "bob", "carol"}, "stagers": {"dave"}},
		Rules: []integrations.Rule{
			{Groups: []string{"deployers"}, Verbs: []string{"*"}, Environments: []string{"*"}},
			{Groups: []string{"stagers"}, Verbs: []string{"*"}, Environments: []string{"staging"}},
		},
		Environments: []integrations.Environment{{Name: "staging", Channels: []string{"ops"}, Review: "none"}, production},
		Services: []integrations.Service{{Name: "web", Repository: hubRepo, Strategy: "promote", Branch: "main",
			Environments: map[string]integrations.ServiceEnvironment{
				"staging":    {Branch: "deployment/staging", Targets: []string{"web/staging"}},
				"production": {Branch: "deployment/production", Targets: []string{"web/production", "cdn/production"}},
			}}},
		Targets: []integrations.Target{
			target("web/staging", "staging", "deployment/staging", 0, "app/**", "cdn/**"),
			target("web/production", "production", "deployment/production", 0, "app/**"),
			target("cdn/production", "production", "deployment/production", second, "cdn/**"),
			target("network/production", "production", "main", 0, "network/**"),
		},
	}
}

// daytime are deploy windows from eight to twenty, UTC.
type daytime struct{}

func (daytime) Zone() *time.Location { return time.UTC }
func (daytime) At(t time.Time) calendar.State {
	day := t.UTC().Truncate(24 * time.Hour)
	opens, shuts := day.Add(8*time.Hour), day.Add(20*time.Hour)
	switch {
	case t.Before(opens):
		return calendar.State{Why: "it is night", Since: shuts.Add(-24 * time.Hour), Until: opens}
	case t.Before(shuts):
		return calendar.State{Open: true, Since: opens, Until: shuts}
	}
	return calendar.State{Why: "it is night", Since: shuts, Until: opens.Add(24 * time.Hour)}
}

// luck is 0 to 99, the same at every telling: a low one is bad. what names the
// die, and each has its own throws.
func (y *history) luck(what string) int {
	if y.luckOf == 0 {
		return 99
	}
	y.rolled[what]++
	h := fnv.New64a()
	fmt.Fprintf(h, "%d|%s|%d", y.luckOf, what, y.rolled[what])
	return int(h.Sum64() >> 20 % 100)
}

// latency is how long a call takes, each its own, so that what happens at the same
// time happens in the same order at every telling.
func (y *history) latency(what string) time.Duration {
	y.rolled[what]++
	h := fnv.New64a()
	fmt.Fprintf(h, "%s|%d", what, y.rolled[what])
	return time.Millisecond + time.Duration(h.Sum64()>>20%(50*1000))*time.Microsecond
}

// say adds a sentence to the history.
func (y *history) say(format string, args ...any) {
	y.lines = append(y.lines, y.stamped(format, args...))
}

func (y *history) stamped(format string, args ...any) string {
	return y.clock.Now().UTC().Format("Mon 15:04:05 ") + fmt.Sprintf(format, args...)
}

// breaks notes that a law does not hold; only the first counts.
func (y *history) breaks(law, format string, args ...any) {
	if y.broken == "" {
		y.broken = law
		y.say("BROKEN: %s: %s", law, fmt.Sprintf(format, args...))
	}
}

// outside is a call of the bot to the world: it takes its time, may fail, may lose
// its answer, and may be the last thing that the bot does before it is killed.
func (y *history) outside(ctx context.Context, system, what string, act func() error) error {
	y.mu.Lock()
	wait := y.latency(system + what)
	switch n := y.luck("slow " + what); {
	case n < 5:
		wait += 4 * time.Second
	case n < 60:
		wait += 300 * time.Millisecond
	}
	y.mu.Unlock()
	if err := clock.Sleep(ctx, y.clock, wait); err != nil {
		return err
	}
	y.mu.Lock()
	if y.down {
		y.mu.Unlock()
		return errOutage
	}
	y.calls++
	kill := false
	if y.crashIn > 0 {
		y.crashIn--
		kill = y.crashIn == 0
	}
	var err error
	switch how := y.outage[system]; {
	case kill && !y.crashAct, how == outageDown:
		err = errOutage
	default:
		if err = act(); err == nil && (how == outageMute || y.luck("answer "+what) < 2) {
			y.say("  %s does %s, and its answer is lost", system, what)
			err = errOutage
		}
	}
	if kill {
		y.say("  the bot is killed at %s (acted: %v)", what, y.crashAct)
		y.mu.Unlock()
		y.crash()
		return errOutage
	}
	y.mu.Unlock()
	return err
}

// crash kills the bot: what was committed stands, and nothing more is.
func (y *history) crash() {
	y.mu.Lock()
	if y.down {
		y.mu.Unlock()
		return
	}
	y.down = true
	y.kills++
	st, stop := y.store, y.stop
	y.mu.Unlock()
	if err := st.Close(); err != nil {
		y.fault("the store closes", err)
	}
	stop()
}

func (y *history) fault(what string, err error) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.breaks("the test's own works", "%s: %v", what, err)
}

// boot starts the bot as bot/app.go does: recovery first.
func (y *history) boot() {
	y.running.Wait() // of the one before
	st, err := store.Open(filepath.Join(y.dir, "signalbox.db"), store.Options{Now: y.clock.Now, Log: slog.New(slog.DiscardHandler)})
	if err == nil {
		err = y.assemble(st)
	}
	ctx, stop := context.WithCancel(context.Background())
	y.mu.Lock()
	y.store, y.stop, y.down, y.crashIn = st, stop, false, 0
	y.mu.Unlock()
	if err == nil {
		err = y.parts.runner.Recover(ctx)
	}
	if err != nil {
		stop()
		y.fault("the bot starts", err)
		return
	}
	for _, run := range []func(context.Context) error{y.parts.teller.Run, y.parts.runner.Run, y.parts.ticks.Run, y.parts.dispatcher.Run} {
		y.running.Go(func() {
			if err := run(ctx); err != nil && ctx.Err() == nil {
				y.fault("a part of the bot runs", err)
			}
		})
	}
}

func (y *history) assemble(st *store.Store) (err error) {
	log, catalog := slog.New(listener{y}), func() *integrations.Catalog { return y.catalog }
	p := &y.parts
	p.wired, err = wire(features(systems{
		store: st, forge: hubClient{y}, trees: hubTrees{y}, clock: y.clock, log: log, catalog: catalog, poll: pollWebhooks, data: y.dir,
		channel:   func(name string) string { return "C-" + name },
		verbs:     func() []commands.Verb { return p.wired.verbs },
		cards:     func() map[string]tell.Card { return p.wired.cards },
		guest:     func(context.Context, string) (bool, error) { return false, nil },
		channelID: func(_ context.Context, name string) (string, error) { return "C-" + name, nil },
		own:       ownConfig{home: func() configHome { return configHome{} }, relink: func() error { return nil }},
	}))
	if err != nil {
		return err
	}
	for i, k := range p.wired.kinds {
		if k.Name == "apply" {
			p.wired.kinds[i] = y.watched(k)
		}
	}
	p.runner, err = runner.New(runner.Deps{Store: st, Clock: y.clock, Log: log, Kinds: p.wired.kinds, Dir: filepath.Join(y.dir, "work"), Parallel: 4})
	p.teller = tell.New(tell.Deps{Store: st, Clock: y.clock, Log: log, Places: y.places, Manners: manners, Cards: p.wired.cards})
	p.ticks = &clockDoor{clock: y.clock, log: log, ticks: p.wired.ticks}
	p.dispatcher = commands.New(commands.Deps{
		Store: st, Clock: y.clock, Log: log, Catalog: catalog, Verbs: p.wired.verbs, Events: p.wired.events,
		DecodeHeard: func(_ string, body []byte) (h integrations.Heard, err error) { return h, json.Unmarshal(body, &h) },
		DecodeForge: func(_ string, body []byte) (*integrations.ForgeEvent, error) {
			e := &integrations.ForgeEvent{}
			return e, json.Unmarshal(body, e)
		},
		ChannelID: func(context.Context, string) (string, error) { return "C-ops", nil },
	})
	return err
}

// up starts the bot again if it was killed.
func (y *history) up() {
	y.mu.Lock()
	down := y.down
	y.mu.Unlock()
	if down {
		y.boot()
		y.mu.Lock()
		y.say("the bot is started again")
		y.mu.Unlock()
	}
}

// accept is a door: it stores what came, if the bot is there.
func (y *history) accept(e store.Event) (duplicate bool, err error) {
	y.mu.Lock()
	st, down := y.store, y.down
	y.mu.Unlock()
	if down {
		return false, errOutage
	}
	_, duplicate, err = st.Accept(context.Background(), e)
	return duplicate, err
}

// view reads the store.
func (y *history) view(do func(tx *store.Tx) error) {
	y.mu.Lock()
	st := y.store
	y.mu.Unlock()
	if err := st.View(do); err != nil && !errors.Is(err, store.ErrClosed) {
		y.fault("the store is read", err)
	}
}

// A sentHook is a webhook that was sent, or was to be.
type sentHook struct {
	kind, what string
	body       []byte
}

// send lets a webhook arrive after a time. The mutex is held.
func (y *history) send(h sentHook, after time.Duration, guid string) {
	after += y.latency(guid)
	y.hooks.Go(func() {
		time.Sleep(after)
		_, _ = y.accept(store.Event{Kind: h.kind, Keys: []string{"ghd:" + guid}, Body: h.body, Accepted: y.clock.Now()}) // lost, if the bot is down
	})
}

// hook sends a webhook on its way: at once, a moment later, long after, twice, or
// never. It is called with the mutex held.
func (y *history) hook(kind string, e integrations.ForgeEvent) {
	body, err := json.Marshal(e)
	if err != nil {
		y.breaks("the test's own works", "%v", err)
	}
	what := strings.TrimPrefix(kind, "github.") + " " + e.Action
	if e.PullRequest != nil {
		what += fmt.Sprintf(" of #%d", e.PullRequest.Number)
	} else {
		what += " of " + e.Branch + e.SHA
	}
	y.rolled["guid"]++
	id := fmt.Sprint("guid-", y.rolled["guid"])
	h := sentHook{kind, what, body}
	y.sent = append(y.sent, h)
	n := y.luck("webhook " + what)
	if y.delayed != nil && *y.delayed != 0 && !y.deaf {
		n = 100
	}
	if y.lateMerges > 0 && e.Kind == "pull_request" && !y.deaf {
		n = 101
	}
	switch {
	case y.deaf, y.pushless && kind == "github.push", n < 12, n == 100 && *y.delayed == lost:
		y.say("  webhook %s: lost", what)
	case n == 100:
		y.say("  webhook %s: %v late", what, *y.delayed)
		y.send(h, *y.delayed, id)
	case n == 101:
		y.say("  webhook %s: %v late", what, y.lateMerges)
		y.send(h, y.lateMerges, id)
	case n < 22:
		y.say("  webhook %s: ten minutes late", what)
		y.send(h, 10*time.Minute, id)
	case n < 32:
		y.say("  webhook %s: twice", what)
		y.send(h, time.Second, id)
		y.send(h, 2*time.Second, id)
	case n < 38:
		y.say("  webhook %s: from two hooks", what)
		y.send(h, 0, id)
		y.send(h, 3*time.Second, id+"-b")
	case n < 50:
		y.say("  webhook %s: after a while", what)
		y.send(h, 25*time.Second, id)
	default:
		y.send(h, 0, id)
	}
}

// rest lets time pass while everybody waits.
func (y *history) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// listener hears what the bot logs as an error: a caught panic breaks a law.
type listener struct{ y *history }

func (l listener) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelError }
func (l listener) WithAttrs([]slog.Attr) slog.Handler               { return l }
func (l listener) WithGroup(string) slog.Handler                    { return l }
func (l listener) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool { text += fmt.Sprintf(" %s=%v", a.Key, a.Value); return true })
	l.y.mu.Lock()
	defer l.y.mu.Unlock()
	switch {
	case strings.Contains(text, "panic"):
		l.y.breaks("nothing panics", "%s", text)
	case !l.y.down:
		l.y.say("  logged: %s", text)
	}
	return nil
}

// inMemory is where the store's file stands: in memory where there is such a place,
// because a history commits hundreds of times.
func inMemory(fallback string) (string, func(), error) {
	dir, err := os.MkdirTemp("/dev/shm", "signalbox-history-")
	if err != nil {
		if dir, err = os.MkdirTemp(fallback, "history-"); err != nil {
			return "", nil, err
		}
	}
	return dir, func() { os.RemoveAll(dir) }, nil
}
