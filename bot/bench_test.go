package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/github/githubsim"
	"github.com/signalbox-chatops/signalbox/integrations/kit/proc"
)

// The benchmarks in this file run the real binary, as `signalbox serve`, against
// the simulators. What they report of a flow is its overhead: the wall time from
// the delivery of a webhook until the last of what shows its result is posted,
// less the time that Terraform itself ran. The simulators run on the same
// processors and their time counts as ours: "github-ms" and "slack-ms" say how
// much of it their calls took, side by side or not (git's own are not in it), and
// "between-ms" how long it took from the end of one tool to the start of the next.

// benchBinary builds the bot as it is released, once. SIGNALBOX_BENCH_BINARY
// names one that is built already, to hold two of them against one another.
var benchBinary = sync.OnceValues(func() (string, error) {
	if bin := os.Getenv("SIGNALBOX_BENCH_BINARY"); bin != "" {
		return bin, nil
	}
	dir, err := os.MkdirTemp("", "signalbox-bench-")
	if err != nil {
		return "", err
	}
	bin := filepath.Join(dir, "signalbox")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", bin, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the bot: %w: %s", err, out)
	}
	return bin, nil
})

// benchBox is a box whose bot is the real binary, and a book of what it did when.
type benchBox struct {
	*box
	b *testing.B

	mu      sync.Mutex
	seen    []benchMoment
	waiting func(benchMoment) bool // called at each moment; true ends the wait
	ended   chan time.Time
}

type benchMoment struct {
	moment
	at time.Time
}

func newBenchBox(b *testing.B, change func(*boxWorld)) *benchBox {
	b.Helper()
	k := &benchBox{box: newBox(b, change), b: b}
	k.onMoment(func(m moment) { k.note(benchMoment{m, time.Now()}) })
	return k
}

func (k *benchBox) note(m benchMoment) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.seen = append(k.seen, m)
	if k.waiting != nil && k.waiting(m) {
		k.waiting = nil
		k.ended <- m.at
	}
}

// expect forgets what was seen, and calls done at each moment from now on until
// it says that this was the last of what is waited for.
func (k *benchBox) expect(done func(benchMoment) bool) (wait func() (at time.Time)) {
	ended := make(chan time.Time, 1)
	k.mu.Lock()
	k.seen, k.waiting, k.ended = nil, done, ended
	k.mu.Unlock()
	return func() time.Time {
		k.b.Helper()
		select {
		case at := <-ended:
			return at
		case <-time.After(patience):
			k.b.Fatal("it never came to its end")
			return time.Time{}
		}
	}
}

// first is when something happened that begins with what.
func (k *benchBox) first(what string) time.Time {
	k.b.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, m := range k.seen {
		if strings.HasPrefix(m.what, what) {
			return m.at
		}
	}
	k.b.Fatalf("there was no %q", what)
	return time.Time{}
}

// startReal starts the real binary and returns how long it took until the HTTP
// door answered and the log said that the doors are open.
func (k *benchBox) startReal() time.Duration {
	k.b.Helper()
	bin, err := benchBinary()
	if err != nil {
		k.b.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		k.b.Fatal(err)
	}
	cmd := exec.Command(bin, "serve", "--config", filepath.Join(k.dir, "signalbox.yaml"))
	cmd.Env = append(os.Environ(), "CHECKPOINT_DISABLE=1", "TF_CLI_CONFIG_FILE=")
	cmd.Dir, cmd.Stdout, cmd.Stderr = k.dir, w, w
	began := time.Now()
	if err := cmd.Start(); err != nil {
		k.b.Fatal(err)
	}
	w.Close()
	ended := make(chan struct{})
	k.box.mu.Lock()
	k.bot, k.box.ended = cmd, ended
	k.box.mu.Unlock()
	open := make(chan time.Time, 1)
	go k.readLog(r, open)
	go func() { // ends with the process, which kill and stop wait for
		_ = cmd.Wait()
		close(ended)
	}()
	k.until("the door answers", func() bool {
		resp, err := http.Get("http://" + k.listen + "/healthz")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return true
	})
	answered := time.Now()
	select {
	case said := <-open:
		if said.After(answered) {
			answered = said
		}
	case <-time.After(patience):
		k.b.Fatal("the log does not say that the doors are open")
	}
	return answered.Sub(began)
}

// readLog keeps the bot's log, and says when it says that the doors are open.
// It ends with the process.
func (k *benchBox) readLog(r io.ReadCloser, open chan<- time.Time) {
	defer r.Close()
	kept, err := os.OpenFile(filepath.Join(k.dir, "bot.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		k.b.Error(err)
		return
	}
	defer kept.Close()
	lines := bufio.NewScanner(io.TeeReader(r, kept))
	for lines.Scan() {
		if strings.Contains(lines.Text(), `"doors open"`) {
			select {
			case open <- time.Now():
			default:
			}
		}
	}
}

// toolTime adds up how long the tools of the steps ran that ended since, and how
// long it took from the end of each to the start of the one after it.
func (k *benchBox) toolTime(since time.Time) (sum, between time.Duration, steps int) {
	k.b.Helper()
	var all []proc.Exit
	for _, dir := range k.steps("") {
		b, err := os.ReadFile(filepath.Join(dir, "exit.json"))
		if err != nil {
			continue
		}
		var e proc.Exit
		if err := json.Unmarshal(b, &e); err != nil {
			k.b.Fatal(err)
		}
		if e.Started.After(since) {
			all = append(all, e)
		}
	}
	slices.SortFunc(all, func(a, b proc.Exit) int { return a.Started.Compare(b.Started) })
	for i, e := range all {
		sum += e.Ended.Sub(e.Started)
		if i > 0 {
			between += e.Started.Sub(all[i-1].Ended)
		}
	}
	return sum, between, len(all)
}

// callTime adds up what the calls to one simulator took until end.
func (k *benchBox) callTime(system string, end time.Time) (sum time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	open := map[string]time.Time{}
	for _, m := range k.seen {
		what, before := strings.CutPrefix(m.what, system+" before ")
		if before {
			open[what] = m.at
			continue
		}
		what, after := strings.CutPrefix(m.what, system+" after ")
		if at, ok := open[what]; ok && after && !m.at.After(end) {
			sum += m.at.Sub(at)
			delete(open, what)
		}
	}
	return sum
}

// benchSamples are what the rounds of a flow took.
type benchSamples map[string][]time.Duration

func (s benchSamples) add(name string, d time.Duration) { s[name] = append(s[name], d) }

func (s benchSamples) report(b *testing.B) {
	for name, all := range s {
		slices.Sort(all)
		b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, name+"-ms")
		if name == "overhead" || name == "open" { // what a machine with other work still shows
			b.ReportMetric(float64(all[0].Microseconds())/1000, name+"-best-ms")
		}
	}
	b.ReportMetric(0, "ns/op") // it holds the waits between the rounds
}

// round adds up one flow that began with a delivery and was shown at end.
func (k *benchBox) round(s benchSamples, began, end time.Time) {
	k.b.Helper()
	tool, between, steps := k.toolTime(began)
	if steps == 0 {
		k.b.Fatal("no step ran")
	}
	if os.Getenv("SIGNALBOX_BENCH_TIMELINE") != "" {
		k.timeline(began)
	}
	s.add("overhead", end.Sub(began)-tool)
	s.add("tool", tool)
	s.add("between", between/time.Duration(max(1, steps-1)))
	s.add("github", k.callTime("github", end))
	s.add("slack", k.callTime("slack", end))
}

// timeline prints what happened when.
func (k *benchBox) timeline(began time.Time) {
	type line struct {
		at   time.Time
		what string
	}
	var all []line
	k.mu.Lock()
	for _, m := range k.seen {
		text, _, _ := strings.Cut(m.args.Get("text"), "\n")
		all = append(all, line{m.at, m.what + " " + text})
	}
	k.mu.Unlock()
	for _, dir := range k.steps("") {
		var e proc.Exit
		if b, err := os.ReadFile(filepath.Join(dir, "exit.json")); err == nil && json.Unmarshal(b, &e) == nil && e.Started.After(began) {
			name := strings.TrimPrefix(dir, filepath.Join(k.dir, "bot", "work")+"/")
			all = append(all, line{e.Started, "begin " + name}, line{e.Ended, "end   " + name})
			if info, err := os.Stat(filepath.Join(dir, "spec.json")); err == nil {
				all = append(all, line{info.ModTime(), "spec  " + name})
			}
			if info, err := os.Stat(filepath.Join(dir, "exit.json")); err == nil {
				all = append(all, line{info.ModTime(), "exit  " + name})
			}
		}
	}
	slices.SortFunc(all, func(a, b line) int { return a.at.Compare(b.at) })
	for _, l := range all {
		fmt.Fprintf(os.Stderr, "%8.1f ms  %s\n", float64(l.at.Sub(began).Microseconds())/1000, l.what)
	}
}

// BenchmarkStart is from the start of the process, on a store that is there,
// until the doors are open. Aim: 50 ms.
func BenchmarkStart(b *testing.B) {
	k := newBenchBox(b, nil)
	k.startReal()
	k.kill()
	s := benchSamples{}
	for range b.N {
		s.add("open", k.startReal())
		k.kill()
	}
	s.report(b)
}

// BenchmarkIdleMemory is the bot's resident anonymous memory after a deploy and
// some seconds of quiet. Aim: at most 30 MB.
func BenchmarkIdleMemory(b *testing.B) {
	k := newBenchBox(b, nil)
	k.startReal()
	k.say("alice", "/ops deploy web to staging")
	k.untilCard("op-1", ": open", "plan +1 ~0 -0")
	k.mergeOnGitHub()
	k.untilTold("op-1", "succeeded")
	most := 0.0
	for range b.N {
		time.Sleep(4 * time.Second)
		most = max(most, k.anonymous())
	}
	b.ReportMetric(most, "MB-anonymous")
	b.ReportMetric(0, "ns/op")
}

// anonymous is the bot's RssAnon, in MB.
func (k *benchBox) anonymous() float64 {
	k.b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", k.bot.Process.Pid))
	if err != nil {
		k.b.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var kb float64
		if n, _ := fmt.Sscanf(line, "RssAnon: %f kB", &kb); n == 1 {
			return kb * 1024 / 1e6
		}
	}
	k.b.Fatal("the system does not tell RssAnon")
	return 0
}

// benchTools runs a benchmark with the machine's Terraform, where there is one,
// and with the stand-in, whose few milliseconds leave the overhead to be seen.
func benchTools(b *testing.B, run func(b *testing.B, change func(*boxWorld))) {
	b.Run("stand-in", func(b *testing.B) { run(b, nil) })
	b.Run("terraform", func(b *testing.B) {
		if _, err := exec.LookPath("terraform"); err != nil {
			b.Skip("no terraform on PATH")
		}
		run(b, func(w *boxWorld) {
			w.tool = ""
			w.deploy = benchModule
		})
	})
}

const benchModule = `terraform {
  backend "local" {}
}

resource "terraform_data" "release" {
  input = fileexists("${path.module}/../../VERSION") ? trimspace(file("${path.module}/../../VERSION")) : "1"
}
`

// BenchmarkPlanShown is from the delivery of an opened pull request until its
// plan is on it: the comment, and the status of its target. Aim: 50 ms over
// Terraform's own time.
func BenchmarkPlanShown(b *testing.B) { benchTools(b, benchmarkPlanShown) }

func benchmarkPlanShown(b *testing.B, change func(*boxWorld)) {
	k := newBenchBox(b, change)
	k.startReal()
	k.until("the bot is ready", k.ready)
	s := benchSamples{}
	k.planRound(0, benchSamples{}) // the first one clones
	b.ResetTimer()
	for n := range b.N {
		k.planRound(n+1, s)
	}
	s.report(b)
}

func (k *benchBox) planRound(n int, s benchSamples) {
	k.b.Helper()
	branch, text := fmt.Sprintf("change-%d", n), fmt.Sprintf("%s# %d\n", benchModule, n)
	if _, err := k.github.Commit(k.b.Context(), "alice", "acme/infra", branch, "change", map[string]*string{"network/main.tf": &text}); err != nil {
		k.b.Fatal(err)
	}
	k.quiet()
	wait := k.expect(func(m benchMoment) bool {
		if !strings.HasPrefix(m.what, "github after POST ") {
			return false
		}
		p := k.pulls("acme/infra")[0]
		return len(p.Comments) > 0 && slices.ContainsFunc(p.Statuses, func(s githubsim.StatusView) bool {
			return s.Context == "signalbox/network/lab" && s.State == "success"
		})
	})
	number, err := k.github.OpenPull(k.b.Context(), "alice", "acme/infra", branch, "main", "change", "")
	if err != nil {
		k.b.Fatal(err)
	}
	end := wait()
	k.quiet()
	k.round(s, k.first("webhook before pull_request opened"), end)
	k.closePull("acme/infra", number)
	k.quiet()
}

// closePull closes a pull request as alice.
func (k *benchBox) closePull(repo string, number int) {
	k.b.Helper()
	r, err := http.NewRequestWithContext(k.b.Context(), http.MethodPatch, fmt.Sprintf("%s/api/v3/repos/%s/pulls/%d", k.base, repo, number), strings.NewReader(`{"state":"closed"}`))
	if err != nil {
		k.b.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer alice-token")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		k.b.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		k.b.Fatalf("close %s#%d: %s", repo, number, resp.Status)
	}
}

// quiet waits until nothing has happened for a while.
func (k *benchBox) quiet() {
	k.b.Helper()
	const still = 400 * time.Millisecond
	count := func() int {
		k.mu.Lock()
		defer k.mu.Unlock()
		return len(k.seen)
	}
	last, since := count(), time.Now()
	k.until("nothing happens", func() bool {
		if now := count(); now != last {
			last, since = now, time.Now()
		}
		return time.Since(since) > still
	})
}

// BenchmarkResultShown is from the delivery of a merge until the operation's
// card says that it succeeded. Aim: 50 ms over Terraform's own time.
func BenchmarkResultShown(b *testing.B) { benchTools(b, benchmarkResultShown) }

func benchmarkResultShown(b *testing.B, change func(*boxWorld)) {
	k := newBenchBox(b, change)
	k.startReal()
	k.until("the bot is ready", k.ready)
	s := benchSamples{}
	k.mergeRound(0, benchSamples{}) // the first one clones
	b.ResetTimer()
	for n := range b.N {
		k.mergeRound(n+1, s)
	}
	s.report(b)
}

// slackRest lets the limits of Slack, and our own, forget the round before.
const slackRest = 10 * time.Second

func (k *benchBox) mergeRound(n int, s benchSamples) {
	k.b.Helper()
	if n > 0 {
		text := fmt.Sprintf("2.0.%d\n", n)
		if _, err := k.github.Commit(k.b.Context(), "alice", "acme/web", "main", "release", map[string]*string{"VERSION": &text}); err != nil {
			k.b.Fatal(err)
		}
		time.Sleep(slackRest)
	}
	op := fmt.Sprintf("op-%d", n+1)
	k.say("alice", "/ops deploy web to staging")
	k.untilCard(op, ": open", "plan ")
	k.quiet()
	wait := k.expect(func(m benchMoment) bool {
		return m.what == "slack after chat.update" && strings.HasPrefix(m.args.Get("text"), op+" ") && strings.Contains(m.args.Get("text"), ": succeeded")
	})
	k.mergeOnGitHub()
	end := wait()
	k.quiet()
	k.round(s, k.first("webhook before pull_request closed"), end)
	k.untilTold(op, "succeeded")
}
