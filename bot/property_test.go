package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// histories is how many this test tells by itself; under the race detector, which
// is many times slower, a tenth. They begin from one seed, so that a change is
// judged by itself. Ten thousand others are told with
//
//	go test ./bot -run TestHistories -rapid.checks 10000 -rapid.seed 0 -timeout 1h
//
// and one that broke a law again with the -history.tell that the failure prints.
const (
	histories    = 400
	historySeed  = 1876 // 0 would be another one each time
	historyTenth = 10
	historySides = 4 // that are told side by side, the same ones on every machine
)

// A telling is all that a history is told by.
type telling struct {
	Configuration configuration
	Luck          uint64
	Steps         []step
}

var tellAgain = flag.String("history.tell", "", "tell the one history that a failure printed")

var shrinkFor = flag.Duration("history.shrink", time.Minute, "how long a history that broke a law is made shorter")

func checks() int {
	n, _ := strconv.Atoi(flag.Lookup("rapid.checks").Value.String())
	return n
}

// TestHistories drives random histories and asks, while they run and when all has
// come to rest, whether the laws of property_laws_test.go hold.
func TestHistories(t *testing.T) {
	given := map[string]bool{}
	flag.Visit(func(f *flag.Flag) { given[f.Name] = true })
	n := histories
	if testing.Short() || raceDetector {
		n = histories / historyTenth
	}
	warm(t)
	if *tellAgain != "" {
		var one telling
		if err := json.Unmarshal([]byte(*tellAgain), &one); err != nil {
			t.Fatal(err)
		}
		y := told(t, one.Configuration, one.Luck, one.Steps)
		t.Logf("broken: %q\n%s", y.broken, strings.Join(y.lines, "\n"))
		if y.broken != "" {
			t.Fail()
		}
		return
	}
	if given["rapid.checks"] {
		n = checks()
	}
	seed := uint64(historySeed)
	if given["rapid.seed"] {
		seed, _ = strconv.ParseUint(flag.Lookup("rapid.seed").Value.String(), 0, 64)
	}
	set := func(name, value string) {
		if err := flag.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	set("rapid.checks", fmt.Sprint((n+historySides-1)/historySides))
	set("rapid.nofailfile", "true") // a failure prints what it is told again by
	if !given["rapid.shrinktime"] {
		set("rapid.shrinktime", "0s") // we know better what may be left out
	}
	t.Cleanup(func() {
		if seen.first != nil {
			t.Logf("the first history that broke a law, as short as it can be told:\n%s", strings.Join(seen.first, "\n"))
		}
		for _, what := range slices.Sorted(maps.Keys(seen.n)) {
			t.Logf("%7d %s", seen.n[what], what)
		}
		t.Logf("%v a history", seen.spent/time.Duration(max(1, seen.n["histories"])))
	})
	var begins sync.Mutex // rapid reads its seed when it begins
	for i := range historySides {
		t.Run(fmt.Sprint(i+1), func(t *testing.T) {
			t.Parallel()
			begins.Lock()
			begun := sync.OnceFunc(begins.Unlock)
			defer begun()
			if seed != 0 { // each side tells its own
				set("rapid.seed", fmt.Sprint(seed+uint64(i)<<40))
			}
			rapid.Check(t, func(rt *rapid.T) {
				begun()
				tell1(t, rt)
			})
		})
	}
}

// A tally counts what the histories came to, so that it can be seen that they
// come to all that the laws are about.
type tally struct {
	mu    sync.Mutex
	n     map[string]int
	spent time.Duration
	first []string // the first history that broke a law, before it was shrunk
}

var seen = tally{n: map[string]int{}}

// broken keeps the first history that broke a law, as short as it can be told.
func (t *tally) broken(in *testing.T, y *history, c configuration, luck uint64, all []step) {
	t.mu.Lock()
	first := t.first == nil
	if first {
		t.first = y.lines
	}
	t.mu.Unlock()
	if first {
		lines := shrink(in, y, c, luck, all).lines
		t.mu.Lock()
		t.first = lines
		t.mu.Unlock()
	}
}

func (t *tally) add(y *history, spent time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n["histories"]++
	t.spent += spent
	for what, n := range y.tally {
		t.n[what] += n
	}
}

// warm makes what is made once in a process (the compressor's channels) outside
// of any bubble.
func warm(t *testing.T) {
	dir, clean, err := inMemory(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer clean()
	s, err := store.Open(dir+"/warm.db", store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, _, err := s.Accept(t.Context(), store.Event{Kind: "warm", Body: make([]byte, 4096)}); err != nil {
		t.Fatal(err)
	}
	if err := s.View(func(tx *store.Tx) error { _, err := tx.Undecided(0); return err }); err != nil {
		t.Fatal(err)
	}
}

// A step is what happens next; what its numbers mean, its deed knows.
type step struct {
	Do            string
	Who, What, It int
	Then          time.Duration
}

const longest = 45 // steps of a history

// steps draws what happens. A draw is a whole step or the end, so that the
// shrinker can leave steps out.
func steps(rt *rapid.T) (all []step) {
	var names []string
	for _, d := range deeds {
		for range d.often {
			names = append(names, d.name)
		}
	}
	one := rapid.Custom(func(t *rapid.T) (s step) {
		even := func(bits int, what string) (n int) { // where an IntRange likes small numbers better
			for range bits {
				n *= 2
				if rapid.Bool().Draw(t, what) {
					n++
				}
			}
			return n
		}
		if even(5, "more") == 0 {
			return s
		}
		n := even(8, "do")
		return step{
			Do: names[n%len(names)], Who: even(3, "who") % len(people), What: even(4, "what") % 10, It: even(4, "it") % 10,
			Then: []time.Duration{0, 5 * time.Second, 20 * time.Second, 70 * time.Second}[even(2, "then")],
		}
	})
	for len(all) < longest {
		s := one.Draw(rt, "step")
		if s.Do == "" {
			break
		}
		all = append(all, s)
	}
	return all
}

func tell1(t *testing.T, rt *rapid.T) {
	c := rapid.Custom(func(t *rapid.T) (c configuration) {
		for _, on := range []*bool{&c.After, &c.Windows, &c.CoolDown, &c.Checks, &c.Coalesce, &c.Waves, &c.RunOnOpen, &c.Two} {
			*on = rapid.IntRange(0, 3).Draw(t, "rule") == 3
		}
		return c
	}).Draw(rt, "configuration")
	luck := rapid.Uint64Range(0, 1<<32).Draw(rt, "luck")
	all := steps(rt)
	y := told(t, c, luck, all)
	if y.broken == "" {
		return
	}
	seen.broken(t, y, c, luck, all)
	rt.Fatalf("broken: %s", y.broken)
}

// told is a history that was told to its end.
func told(t *testing.T, c configuration, luck uint64, all []step) *history {
	dir, clean, err := inMemory(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer clean()
	var y *history
	start := time.Now()
	synctest.Test(t, func(*testing.T) {
		y = newHistory(dir, c, luck)
		y.tellAll(all)
	})
	seen.add(y, time.Since(start))
	return y
}

// shrink leaves out of a history what it breaks the same law without: first long
// pieces, then short ones, then bad luck and rules of the configuration.
func shrink(t *testing.T, y *history, c configuration, luck uint64, all []step) *history {
	end := time.Now().Add(*shrinkFor)
	try := func(c configuration, luck uint64, all []step) bool {
		if time.Now().After(end) {
			return false
		}
		less := told(t, c, luck, all)
		if less.broken == y.broken {
			y = less
			return true
		}
		return false
	}
	if try(c, 0, all) {
		luck = 0
	}
	if try(configuration{}, luck, all) {
		c = configuration{}
	}
	for size := len(all) / 2; size > 0; size /= 2 {
		for at := 0; at+size <= len(all); {
			if rest := slices.Concat(all[:at], all[at+size:]); try(c, luck, rest) {
				all = rest
			} else {
				at += size
			}
		}
	}
	if try(c, 0, all) {
		luck = 0
	}
	again, _ := json.Marshal(telling{c, luck, all})
	y.lines = append(y.lines, fmt.Sprintf("told again with -history.tell '%s'", again))
	return y
}

// tellAll lets the steps happen, brings all to rest, and asks the laws.
func (y *history) tellAll(all []step) {
	time.Sleep(33 * time.Hour) // a Sunday morning
	luck := y.luckOf
	y.luckOf = 0 // the first look at GitHub is of what was there before the bot
	y.boot()
	y.pass(time.Second)
	y.mu.Lock()
	y.luckOf = luck
	y.mu.Unlock()
	for _, s := range all {
		if y.over() {
			break
		}
		y.up()
		i := slices.IndexFunc(deeds, func(d deed) bool { return d.name == s.Do })
		deeds[i].do(y, s)
		y.pass(s.Then)
	}
	if !y.over() {
		y.settle()
	}
	y.count()
	y.crash()
	y.hooks.Wait()
	y.running.Wait()
}

// count tallies what came of everything.
func (y *history) count() {
	y.tally = map[string]int{"kills": y.kills, "outside calls": y.calls, "sentences": len(y.lines), "posts": len(y.shown), "commits": len(y.hub.made)}
	for _, t := range y.tools {
		y.tally["applies that changed something"] += len(t.begun)
	}
	y.view(func(tx *store.Tx) error {
		ops, err := tx.Operations("", 0)
		for _, op := range ops {
			y.tally["operation "+op.Kind+" "+op.State]++
			jobs, err := tx.JobsOf(op.ID)
			if err != nil {
				return err
			}
			for _, j := range jobs {
				y.tally["job "+j.Kind+" "+j.State]++
			}
		}
		for seq := uint64(1); ; seq++ {
			e, err := tx.Event(seq)
			if err != nil {
				break
			}
			door, _, _ := strings.Cut(e.Kind, ".")
			outcome, _, _ := strings.Cut(e.Outcome, " ")
			y.tally["event "+door+" "+outcome]++
		}
		return err
	})
}

func (y *history) over() bool {
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.broken != ""
}

// settle heals the world and waits until nothing changes any more: a law that
// does not hold then may have been about to be mended by a tick, but not for long.
func (y *history) settle() {
	y.mu.Lock()
	clear(y.outage)
	y.deaf, y.pushless, y.crashIn, y.luckOf = false, false, 0, 0
	y.say("everything is well again, and time passes")
	y.mu.Unlock()
	y.up()
	y.pass(11 * time.Minute) // the last webhooks come
	law, why := "", ""
	for range 6 {
		y.pass(6 * time.Minute)
		if law, why = y.atRest(); law == "" || y.over() {
			return
		}
	}
	y.mu.Lock()
	y.breaks(law, "%s", why)
	y.mu.Unlock()
}

// A deed is one kind of step.
type deed struct {
	name  string
	often int
	do    func(y *history, s step)
}

var (
	people = []string{"alice", "bob", "carol", "dave", "mallory"} // mallory is on GitHub alone, and nobody knows them
	slacks = map[string]string{"alice": "UA", "bob": "UB", "carol": "UC", "dave": "UD", "mallory": "UX"}
)

func (s step) who() string { return people[s.Who] }

// hears has the bot hear somebody, if it is there.
func (y *history) hears(h integrations.Heard, what string, twice bool) {
	h.Channel, h.ChannelName, h.Sent = "C-ops", "ops", y.clock.Now()
	body, _ := json.Marshal(h)
	y.said++
	key := fmt.Sprint("trg:", y.said)
	_, err := y.accept(store.Event{Kind: "slack." + h.Kind, Keys: []string{key}, Sent: h.Sent, Body: body})
	if err == nil && twice {
		_, err = y.accept(store.Event{Kind: "slack." + h.Kind, Keys: []string{key}, Sent: h.Sent, Body: body})
		what += " (Slack delivers it twice)"
	}
	y.mu.Lock()
	defer y.mu.Unlock()
	if err != nil {
		what += ", and nobody listens"
	}
	y.say("%s", what)
}

func types(format func(y *history, s step) string) func(*history, step) {
	return func(y *history, s step) {
		text := format(y, s)
		if strings.Contains(text, " op-1 ") || strings.HasSuffix(text, " op-1") {
			first := false
			y.view(func(tx *store.Tx) error { _, err := tx.Operation("op-1"); first = err == nil; return nil })
			if !first && s.It > 1 { // there is nothing yet to say that of
				text = "deploy web to " + []string{"staging", "production"}[s.What%2]
			}
		}
		y.hears(integrations.Heard{Kind: "command", User: slacks[s.who()], Text: text}, s.who()+" says /ops "+text, s.It == 9)
	}
}

// some is a living subject: an operation, a job or a pull request; a few of the
// newest, so that what is said is mostly about something.
func (y *history) some(s step, want func(*store.Job) bool) string {
	out := "op-1"
	y.view(func(tx *store.Tx) error {
		ops, err := tx.Operations("", 4)
		if err != nil || len(ops) == 0 {
			return err
		}
		op := ops[s.What%len(ops)]
		out = op.ID
		if want != nil {
			live, err := tx.LiveJobs()
			if err != nil {
				return err
			}
			live = slices.DeleteFunc(live, func(j *store.Job) bool { return j.Kind != "apply" || !want(j) })
			if len(live) > 0 {
				out = live[s.What%len(live)].ID
				if s.It%2 == 0 {
					out = live[s.What%len(live)].Operation
				}
				return nil
			}
		}
		if s.It == 3 && op.PR > 0 {
			out = fmt.Sprint("#", op.PR)
		}
		if s.It == 4 {
			if all, err := tx.JobsOf(op.ID); err == nil && len(all) > 0 {
				out = all[s.What%len(all)].ID
			}
		}
		return nil
	})
	return out
}

func in(state string) func(*store.Job) bool {
	return func(j *store.Job) bool { return j.State == state }
}

var deeds = []deed{
	{"deploy", 10, types(func(y *history, s step) string {
		text := "deploy web to " + []string{"staging", "production"}[s.What%2]
		if y.tools["web/production"].y.luckOf%2 == 0 && s.It == 8 {
			text += " --fix"
		}
		return text + []string{"", "", "", " --queue", " --supersede"}[s.It%5]
	})},
	{"merge", 8, types(func(y *history, s step) string { return "merge " + y.some(s, nil) + typed(s) })},
	{"approve", 8, types(func(y *history, s step) string { return "approve " + y.some(s, in(store.JobBlocked)) })},
	{"confirm", 5, types(func(y *history, s step) string { return "confirm " + y.some(s, in(store.JobNeedsConfirm)) + typed(s) })},
	{"cancel", 4, types(func(y *history, s step) string {
		return "cancel " + y.some(s, nil) + []string{"", "", " --kill"}[s.It%3]
	})},
	{"retry", 4, types(func(y *history, s step) string { return "retry " + y.some(s, nil) })},
	{"resolve", 4, types(func(y *history, s step) string {
		return "resolve " + y.some(s, in(store.JobUnknown)) + " " + []string{"succeeded", "failed", "retry"}[s.It%3]
	})},
	{"roll back", 2, types(func(_ *history, s step) string {
		return "rollback web in " + []string{"staging", "production"}[s.What%2]
	})},
	{"include", 2, types(func(y *history, s step) string { return "include " + y.some(s, nil) })},
	{"plan", 2, types(func(y *history, s step) string { return "plan " + y.some(s, nil) })},
	{"why", 1, types(func(y *history, s step) string { return "why " + y.some(s, nil) })},
	{"lock", 4, types(func(_ *history, s step) string {
		what := []string{"web/production", "web/staging", "network/production", "production", "cdn/production"}[s.What%5]
		return []string{"lock " + what + " migration --for 10m", "lock " + what + " migration --for 2h", "lock " + what + " migration", "freeze " + what + " audit --for 30m", "freeze production audit"}[s.It%5]
	})},
	{"unlock", 6, types(func(y *history, s step) string {
		what := []string{"web/production", "web/staging", "network/production", "production", "cdn/production"}[s.What%5]
		y.view(func(tx *store.Tx) error {
			if all, err := tx.Holds(); err == nil && len(all) > 0 {
				what = all[s.What%len(all)].ID
			}
			return nil
		})
		return []string{"unlock ", "unlock ", "unfreeze ", "extend ", "steal "}[s.It%5] + what + []string{"", "", " it is over", "", " she sleeps"}[s.It%5]
	})},
	{"stop", 1, types(func(_ *history, s step) string { return "stop \"the database is on fire\"" })},
	{"go", 2, types(func(_ *history, s step) string { return "go" })},
	{"break the glass", 2, types(func(y *history, s step) string {
		return "break-glass " + y.some(s, nil) + " \"the shop is down\"" + []string{"", " --hotfix"}[s.It%2]
	})},
	{"talk", 1, types(func(y *history, s step) string {
		return []string{"incident in production \"the shop is down\"", "all-clear incident-1", "sign " + y.some(s, nil), "status", "locks", "deploy web", "deploy web c000001 to staging", "merge op-999", "resolve job-1 perhaps", "frobnicate"}[s.What]
	})},
	{"go on", 25, goOn},
	{"go back", 6, goBack},
	{"overtake", 5, overtake},
	{"stand back", 5, standBack},
	{"think again", 3, think},
	{"come unrecognized", 3, unrecognized},
	{"redeliver", 3, redeliver},
	{"press", 20, press},
	{"change", 8, change},
	{"push", 3, onPull(func(y *history, p *hubPull, s step) string {
		if p.State != "open" {
			return ""
		}
		y.hub.move(p.Branch, y.hub.commit(s.who(), "one more", []string{p.Head}, y.edit(s)), s.who())
		return "pushes to the branch of"
	})},
	{"force-push", 2, onPull(func(y *history, p *hubPull, s step) string {
		parent := y.hub.commits[p.Head].parents
		if p.State != "open" || len(parent) == 0 || y.hub.contains(y.hub.branches[p.Base], parent[0]) {
			return ""
		}
		to := parent[0]
		if s.It%2 == 0 {
			to = y.hub.commit(s.who(), "instead", []string{to}, y.edit(s))
		}
		y.hub.move(p.Branch, to, s.who())
		return "force-pushes the branch of"
	})},
	{"close", 2, onPull(func(y *history, p *hubPull, s step) string {
		if p.State != "open" {
			return ""
		}
		y.hub.close(p, s.who())
		return "closes"
	})},
	{"reopen", 2, onPull(func(y *history, p *hubPull, s step) string {
		if !y.hub.reopen(p, s.who()) {
			return ""
		}
		return "reopens"
	})},
	{"merge there", 9, onPull(func(y *history, p *hubPull, s step) string {
		if !y.hub.merge(p, s.who()) {
			return ""
		}
		return "merges, as " + p.MergeSHA[:7] + ","
	})},
	{"merge unheard", 4, onPull(func(y *history, p *hubPull, s step) string {
		deaf := y.deaf
		y.deaf = true
		defer func() { y.deaf = deaf }()
		if !y.hub.merge(p, s.who()) {
			return ""
		}
		return "merges, as " + p.MergeSHA[:7] + " and unheard,"
	})},
	{"lost pushes", 2, func(y *history, s step) {
		y.mu.Lock()
		defer y.mu.Unlock()
		y.pushless = true
		y.say("the webhooks of pushes are lost from now on")
	}},
	{"review", 5, onPull(func(y *history, p *hubPull, s step) string {
		y.hub.review(p, s.who(), []string{"APPROVED", "APPROVED", "APPROVED", "CHANGES_REQUESTED", "COMMENTED"}[s.It%5])
		return []string{"approves", "approves", "approves", "asks for changes of", "comments on"}[s.It%5]
	})},
	{"check", 3, onPull(func(y *history, p *hubPull, s step) string {
		y.hub.check(p.Head, []string{"success", "success", "failure", "pending"}[s.It%4])
		return "has CI say " + []string{"success", "success", "failure", "pending"}[s.It%4] + " of"
	})},
	{"push past everybody", 2, func(y *history, s step) {
		y.mu.Lock()
		defer y.mu.Unlock()
		base := hubBases[s.What%3]
		sha := y.hub.commit(s.who(), "straight in", []string{y.hub.branches[base]}, y.edit(s))
		y.say("%s pushes %s straight to %s", s.who(), sha[:7], base)
		y.hub.move(base, sha, s.who())
	}},
	{"move a base back", 1, func(y *history, s step) {
		y.mu.Lock()
		defer y.mu.Unlock()
		base := hubBases[s.What%3]
		if parents := y.hub.commits[y.hub.branches[base]].parents; len(parents) > 0 {
			y.say("%s moves %s back to %s", s.who(), base, parents[0][:7])
			y.hub.move(base, parents[0], s.who())
		}
	}},
	{"outage", 3, func(y *history, s step) {
		y.mu.Lock()
		defer y.mu.Unlock()
		system := []string{sysGitHub, sysSlack}[s.What%2]
		y.outage[system] = []string{outageDown, outageMute}[s.It%2]
		y.say("%s is %s", system, y.outage[system])
	}},
	{"deafness", 1, func(y *history, s step) {
		y.mu.Lock()
		defer y.mu.Unlock()
		y.deaf = true
		y.say("all webhooks are lost from now on")
	}},
	{"recovery", 4, func(y *history, s step) {
		y.mu.Lock()
		defer y.mu.Unlock()
		clear(y.outage)
		y.deaf, y.pushless = false, false
		y.say("GitHub and Slack are well")
	}},
	{"drift", 2, func(y *history, s step) {
		y.mu.Lock()
		defer y.mu.Unlock()
		name := y.catalog.Targets[s.What%4].Name
		for path := range y.edit(s) {
			if under(y.tools[name].paths, path) {
				y.tools[name].real[path] = fmt.Sprint("drift-", s.It)
				y.say("%s of %s is changed by hand", path, name)
			}
		}
	}},
	{"kill", 4, func(y *history, s step) {
		y.mu.Lock()
		y.crashIn, y.crashAct = s.What, s.It%2 == 0
		y.say("the bot will be killed after %d calls", s.What)
		y.mu.Unlock()
		if s.What == 0 {
			y.crash()
		}
	}},
	{"jump", 5, func(y *history, s step) {
		by := []time.Duration{4 * time.Minute, 16 * time.Minute, time.Hour, 9 * time.Hour, 26 * time.Hour}[s.It%5]
		y.mu.Lock()
		y.say("%s go by at once", by)
		y.mu.Unlock()
		y.clock.jump(by)
		y.pass(10 * time.Second)
	}},
	{"wait", 5, func(y *history, s step) { y.pass(time.Duration(s.What) * 40 * time.Second) }},
	{"delete a message", 1, func(y *history, s step) {
		y.mu.Lock()
		defer y.mu.Unlock()
		if n := len(y.shown); n > 0 && y.shown[n-1-s.What%n].place == "slack.message" {
			y.shown[n-1-s.What%n].gone = true
			y.deleted++
			y.say("somebody deletes the message “%s”", y.shown[n-1-s.What%n].now().Text)
		}
	}},
}

// typed is what somebody types for a plan that destroys.
func typed(s step) string {
	if s.It%2 == 0 {
		return ""
	}
	return " --destroys \"web/production cdn/production network/production web/staging\""
}

// edit is a change of one or two files.
func (y *history) edit(s step) map[string]string {
	v := fmt.Sprint("v", len(y.hub.made))
	out := map[string]string{[]string{"app/a", "app/b", "cdn/a", "network/a", "network/b", "docs/a"}[s.What%6]: v}
	if s.It == 5 {
		out["app/a"], out["network/b"] = v, v
	}
	if s.It == 6 {
		for path := range out {
			out[path] = "" // deleted
		}
	}
	return out
}

// change opens a pull request of people: on main, or straight to where is deployed.
func change(y *history, s step) {
	y.mu.Lock()
	defer y.mu.Unlock()
	base := "main"
	if s.It == 7 {
		base = hubBases[s.What%3]
	}
	branch := fmt.Sprint("branch-", len(y.hub.made))
	sha := y.hub.commit(s.who(), "a change", []string{y.hub.branches[base]}, y.edit(s))
	y.say("%s writes %s (%v) for %s", s.who(), sha[:7], y.edit(s), base)
	y.hub.move(branch, sha, s.who())
	p, err := y.hub.open(s.who(), "A change", "", branch, base)
	if err != nil {
		y.say("  which cannot be opened: %v", err)
		return
	}
	y.say("%s opens #%d", s.who(), p.Number)
}

// onPull is something that somebody does to one of the newest pull requests.
func onPull(do func(y *history, p *hubPull, s step) string) func(*history, step) {
	return func(y *history, s step) {
		y.mu.Lock()
		defer y.mu.Unlock()
		n := len(y.hub.pulls)
		if n == 0 {
			return
		}
		p := y.hub.pulls[n-1-s.What%min(n, 4)]
		at := len(y.lines)
		if what := do(y, p, s); what != "" { // the deed goes before its webhooks
			y.say("%s %s #%d on GitHub", s.who(), what, p.Number)
			last := y.lines[len(y.lines)-1]
			copy(y.lines[at+1:], y.lines[at:len(y.lines)-1])
			y.lines[at] = last
		}
	}
}

// press presses a button of one of the newest messages, also as it was drawn once.
func press(y *history, s step) {
	y.mu.Lock()
	var buttons []integrations.Button
	for _, post := range slices.Backward(y.shown) {
		if post.gone || !strings.HasPrefix(post.place, "slack.") {
			continue
		}
		m := post.now()
		if s.It == 9 {
			m = post.said[s.What%len(post.said)]
		}
		for _, b := range m.Blocks {
			for _, button := range b.Buttons {
				if button.Command != "" && !slices.Contains(buttons, button) {
					buttons = append(buttons, button)
				}
			}
		}
		if len(buttons) > 9 {
			break
		}
	}
	y.mu.Unlock()
	if len(buttons) == 0 {
		return
	}
	b := buttons[s.What%len(buttons)]
	y.hears(integrations.Heard{Kind: "click", User: slacks[s.who()], Command: b.Command, Version: b.Version},
		fmt.Sprintf("%s presses %s (%s)", s.who(), b.Label, b.Command), s.It == 8)
}

// goOn is the next sensible thing, said by somebody who mostly may.
func goOn(y *history, s step) {
	text := ""
	y.view(func(tx *store.Tx) error {
		live, err := tx.LiveOperations()
		if err != nil || len(live) == 0 {
			return err
		}
		op := live[s.What%len(live)]
		if op.State == store.OpOpen {
			text = []string{"approve ", "merge "}[s.It%2] + op.ID + typed(step{It: 1})[:len(typed(step{It: 1}))*(s.It%2)]
			return nil
		}
		jobs, err := tx.JobsOf(op.ID)
		for _, j := range jobs {
			switch j.State {
			case store.JobBlocked:
				text = []string{"approve ", "retry "}[s.It%2] + op.ID
			case store.JobNeedsConfirm:
				text = "confirm " + op.ID + typed(step{It: 1})
			case store.JobUnknown:
				text = "resolve " + j.ID + " " + []string{"succeeded", "failed", "retry"}[s.It%3]
			}
		}
		return err
	})
	if text == "" {
		return
	}
	s.Who %= 3
	y.hears(integrations.Heard{Kind: "command", User: slacks[s.who()], Text: text}, s.who()+" says /ops "+text, s.It == 9)
}
