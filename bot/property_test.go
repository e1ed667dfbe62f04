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
