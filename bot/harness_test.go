package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/bot/sandbox"
	"github.com/signalbox-chatops/signalbox/integrations/github/githubsim"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/integrations/kit/proc"
	"github.com/signalbox-chatops/signalbox/integrations/slack/slacksim"
	"github.com/signalbox-chatops/signalbox/store"
)

// patience is how long a test waits for what must come; a loaded machine is slow.
const patience = 90 * time.Second

// asBot in the environment makes the test binary the bot.
const asBot = "SIGNALBOX_TEST_BOT"

// TestMain lets the test binary be what it tests: the bot in a process of its
// own, which can be killed, and the shim of its steps.
func TestMain(m *testing.M) {
	switch {
	case len(os.Args) == 3 && os.Args[1] == "step":
		waitWhileThere(shimHold(os.Args[2]))
		syscall.Exit(proc.Main(os.Args[2])) // os.Exit sleeps a second under the race detector
	case len(os.Args) == 3 && os.Args[1] == "search":
		os.Exit(searchSecrets(os.Args[2]))
	case len(os.Args) > 1 && tools[os.Args[1]] != nil && os.Getenv(asBot) == "":
		os.Exit(tools[os.Args[1]](os.Args[2:], os.Stdout, os.Stderr))
	case os.Getenv(asBot) != "":
		os.Exit(cli(os.Args[1:], os.Stdout, os.Stderr))
	}
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		// Most of their time the tests of whole bots wait: for what is quiet, or for a clock.
		if err := flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0))); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
	}
	os.Exit(m.Run())
}

// shimHold is the file that keeps the shims of one kind of step from starting:
// "<box>/hold-shim-terraform-apply" for "<box>/bot/work/job-3/log-1/04-terraform-apply".
func shimHold(stepdir string) string {
	_, step, _ := strings.Cut(filepath.Base(stepdir), "-")
	return filepath.Join(stepdir, "../../../../..", "hold-shim-"+step)
}

func waitWhileThere(path string) {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(path); err != nil {
			return
		}
	}
}

// box is a workspace whose simulators live in the test and whose bot can be
// killed and started again.
type box struct {
	t      testing.TB
	dir    string
	slack  *slacksim.Sim
	github *githubsim.Sim
	base   string // URL of the simulators
	listen string // address of the bot's HTTP door
	env    []string
	binary string         // what start starts; "" is the test binary
	clock  *clock.Movable // of an inside bot and the simulators; nil is the machine's
	watch  atomic.Pointer[func(moment)]

	mu     sync.Mutex
	bot    *exec.Cmd
	ended  chan struct{}
	inside atomic.Pointer[sandbox.Bot]
	deaf   bool        // Slack is away when an inside bot starts
	dead   atomic.Bool // killed by the test, and to be started again
}

// moment is something that the bot and a simulator do with one another, such as
// "github after POST /repos/acme/web/pulls" or "slack ack slash_commands".
type moment struct {
	what string
	args url.Values // of a call to Slack
}

// newBox opens a workspace; change alters its description.
func newBox(t testing.TB, change func(*boxWorld)) *box {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("no git")
	}
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} { // steps may run as somebody else
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	b := &box{t: t, dir: dir, listen: freeAddr(t)}
	w := newBoxWorld(b)
	if change != nil {
		change(w)
	}
	b.clock = w.clock
	handler := &lateHandler{}
	server := httptest.NewServer(handler)
	b.base = server.URL
	b.simulate(w, handler)
	w.write()
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(b.describe())
		}
		b.kill()
		b.checkLogs()
		b.sweep()
		err := errors.Join(b.slack.Close(), b.github.Close())
		server.CloseClientConnections()
		server.Close()
		if err != nil {
			t.Error(err)
		}
	})
	return b
}

// lateHandler is a handler that is there before what it serves.
type lateHandler struct{ to atomic.Pointer[http.Handler] }

func (l *lateHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	(*l.to.Load()).ServeHTTP(w, r)
}

func (b *box) simulate(w *boxWorld, handler *lateHandler) {
	b.t.Helper()
	var err error
	if b.slack, err = slacksim.New(w.slack()); err != nil {
		b.t.Fatal(err)
	}
	if b.github, err = githubsim.New(w.github()); err != nil {
		b.t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/slack/", http.StripPrefix("/slack", b.slack.Handler()))
	mux.Handle("/bot/", http.StripPrefix("/bot", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if in := b.inside.Load(); in != nil {
			in.Handler.ServeHTTP(w, r)
			return
		}
		http.Error(w, "there is no bot", http.StatusBadGateway)
	})))
	mux.Handle("/", b.github.Handler())
	h := http.Handler(mux)
	handler.to.Store(&h)
	b.slack.SetBase(b.base + "/slack")
	b.github.SetBase(b.base)
	b.github.SetHookURL("http://" + b.listen + "/github")
	b.slack.OnAck(func(_, kind string) { b.see("slack ack "+kind, nil) })
	b.slack.OnCall(func(stage, method string, args url.Values) { b.see("slack "+stage+" "+method, args) })
	b.github.SetHooks(
		func(stage, method, path string) { b.see("github "+stage+" "+method+" "+path, nil) },
		func(stage string, d githubsim.Delivery) { b.see("webhook "+stage+" "+d.Event+" "+d.Action, nil) })
}

func (b *box) see(what string, args url.Values) {
	if f := b.watch.Load(); f != nil {
		(*f)(moment{what, args})
	}
}

// onMoment calls f at each moment, in the simulator's goroutine: nothing goes on
// between the two sides before f returns.
func (b *box) onMoment(f func(moment)) { b.watch.Store(&f) }

// until waits until ok, and meanwhile starts a bot that the test has cut.
func (b *box) until(what string, ok func() bool) {
	b.t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(10 * time.Millisecond) {
		if b.dead.Load() {
			b.start()
		}
		if time.Now().After(end) {
			b.t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

// say types a line as somebody, again until the bot has heard it: while there is
// no bot, Slack says so to whoever types.
func (b *box) say(user, text string) slacksim.Answer {
	b.t.Helper()
	return b.act(user+": "+text, func() (slacksim.Answer, error) {
		return b.slack.Say(b.t.Context(), user, "ops", text, "")
	})
}

// ask types a line and waits until that person alone is answered with a text that
// holds want.
func (b *box) ask(user, text, want string) {
	b.t.Helper()
	seen := map[string]bool{}
	private := func() (out []slacksim.Message) {
		all, err := b.slack.Ephemerals(user, "ops")
		if err != nil {
			b.t.Fatal(err)
		}
		return all
	}
	for _, m := range private() {
		seen[m.TS] = true
	}
	b.say(user, text)
	b.until(fmt.Sprintf("%s, who types %q, reads %q", user, text, want), func() bool {
		for _, m := range private() {
			if !seen[m.TS] && strings.Contains(m.Text, want) {
				return true
			}
		}
		return false
	})
}

// click presses a button of the operation's card, or of another message.
func (b *box) click(user, ts, label string) slacksim.Answer {
	b.t.Helper()
	return b.act(user+" presses "+label, func() (slacksim.Answer, error) {
		return b.slack.Click(b.t.Context(), user, "ops", ts, label)
	})
}

func (b *box) act(what string, do func() (slacksim.Answer, error)) (a slacksim.Answer) {
	b.t.Helper()
	var last error
	for end := time.Now().Add(patience); ; {
		b.until("the bot is there for "+what, func() bool { return b.ready() })
		if a, last = do(); last == nil {
			return a
		}
		if time.Now().After(end) {
			b.t.Fatalf("%s: %v", what, last)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// history is what stands in #ops; in a thread, what stands under its root.
func (b *box) history(thread string) []slacksim.Message {
	b.t.Helper()
	all, err := b.slack.History("ops", thread)
	if err != nil {
		b.t.Fatal(err)
	}
	if thread != "" {
		return all[1:]
	}
	return all
}

// card is the message of an operation; nil before it is there.
func (b *box) card(op string) *slacksim.Message {
	b.t.Helper()
	for _, m := range b.history("") {
		if m.Bot && strings.HasPrefix(m.Text, op+" ") {
			return &m
		}
	}
	return nil
}

// untilCard waits until the card of an operation says all of words.
func (b *box) untilCard(op string, words ...string) *slacksim.Message {
	b.t.Helper()
	var m *slacksim.Message
	b.until(op+" says "+strings.Join(words, ", "), func() bool {
		m = b.card(op)
		if m == nil {
			return false
		}
		for _, w := range words {
			if !strings.Contains(m.Text, w) {
				return false
			}
		}
		return true
	})
	return m
}

// pulls are the pull requests of a repository, newest first.
func (b *box) pulls(repo string) (out []githubsim.PullView) {
	for _, p := range b.github.Pulls() {
		if p.Repo == repo {
			out = append(out, p)
		}
	}
	return out
}

// get asks GitHub's API, as alice.
func (b *box) get(path string, into any) {
	b.t.Helper()
	b.call("alice", http.MethodGet, path, nil, into)
}

// call calls GitHub's API as somebody.
func (b *box) call(user, method, path string, in, into any) {
	b.t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		b.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.base+"/api/v3"+path, bytes.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+user+"-token")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		text, _ := io.ReadAll(resp.Body)
		b.t.Fatalf("%s %s: %s %s", method, path, resp.Status, text)
	}
	if into == nil {
		return
	}
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		b.t.Fatal(err)
	}
}

// book reads the store, of a running bot too: a copy of its file, taken while
// nothing is written to it.
func (b *box) book(read func(tx *store.Tx) error) {
	b.t.Helper()
	path := filepath.Join(b.t.TempDir(), "copy.db")
	var text []byte
	b.until("the store is at rest", func() bool {
		first, err := os.ReadFile(filepath.Join(b.dir, "bot", "signalbox.db"))
		if err != nil {
			b.t.Fatal(err)
		}
		text, err = os.ReadFile(filepath.Join(b.dir, "bot", "signalbox.db"))
		return err == nil && bytes.Equal(first, text)
	})
	put(b.t, path, string(text), 0o600)
	s, err := store.Open(path, store.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.t.Fatal(err)
	}
	if err := errors.Join(s.View(read), s.Close()); err != nil {
		b.t.Fatal(err)
	}
}

// undone says what the store still has to decide, to do or to tell.
func (b *box) undone() (left []string) {
	b.t.Helper()
	b.book(func(tx *store.Tx) error {
		events, err1 := tx.Undecided(0)
		for _, e := range events {
			left = append(left, fmt.Sprintf("event %d %s", e.Seq, e.Kind))
		}
		jobs, err2 := tx.LiveJobs()
		for _, j := range jobs {
			left = append(left, fmt.Sprintf("%s %s %s %s", j.ID, j.Kind, j.State, j.Why))
		}
		locks, err3 := tx.RunLocks()
		for _, l := range locks {
			left = append(left, "run lock of "+l.Target)
		}
		due, err4 := tx.DueSurfaces(time.Now().Add(time.Hour), 0)
		for _, s := range due {
			left = append(left, "surface "+s.ID+" "+s.Error)
		}
		return errors.Join(err1, err2, err3, err4)
	})
	return left
}

// untilDone waits until the bot has nothing left to do.
func (b *box) untilDone() {
	b.t.Helper()
	var left []string
	defer func() {
		if len(left) > 0 {
			b.t.Logf("left undone: %q", left)
		}
	}()
	b.until("everything is done", func() bool {
		left = b.undone()
		return len(left) == 0
	})
}

// describe is what one wants to see of a test that failed.
func (b *box) describe() string {
	var out strings.Builder
	for _, m := range b.history("") {
		fmt.Fprintf(&out, "#ops %s %s: %s\n", m.TS, m.Name, m.Text)
		for _, r := range b.history(m.TS) {
			fmt.Fprintf(&out, "      ↳ %s: %s (%d files)\n", r.Name, r.Text, len(r.Files))
		}
	}
	for _, p := range b.github.Pulls() {
		fmt.Fprintf(&out, "%s#%d %s %s, %+v\n", p.Repo, p.Number, p.State, p.Title, p.Statuses)
		for _, c := range p.Comments {
			fmt.Fprintf(&out, "      ↳ %s: %s\n", c.Author, c.Body)
		}
	}
	log, err := os.ReadFile(filepath.Join(b.dir, "bot.log"))
	if err != nil {
		log = []byte(err.Error())
	}
	fmt.Fprintf(&out, "%s", log[max(0, len(log)-24<<10):])
	return out.String()
}
