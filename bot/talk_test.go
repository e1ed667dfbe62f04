package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/slack/slacksim"
)

// The files under testdata/talk are conversations. What people do stands at the
// margin; what they then see is indented below it, as the whole bot and the
// simulators made it. With -update the indented lines are written anew.
//
// A line at the margin is one of those in talkLines. One that ends in ", until
// WORDS" waits until some message says so, and shows only what was answered
// privately: what is going on meanwhile is different every time.

const talkPatience = 2 * time.Minute

// talkQuiet is how long nothing must have happened before the next line, by the sandbox's
// clock, which stands still otherwise. A message is edited every second at most, and all of
// them together every 1.4 s.
const talkQuiet, talkStep = 2500 * time.Millisecond, 500 * time.Millisecond

// talkLook is how often it is looked, by both clocks, whether something has happened that
// takes time on the machine's.
const talkLook = 20 * time.Millisecond

// talkAtOnce is how many conversations go on at once: they wait for one another's tools
// only.
const talkAtOnce = 6

// talkQuietAnswer is how long a private answer is waited for once something is decided:
// the race detector makes it come later than Slack's own time; 0 is that.
func talkQuietAnswer() time.Duration {
	if raceDetector {
		return 3 * time.Second
	}
	return 0
}

func TestTalk(t *testing.T) {
	files, err := filepath.Glob("testdata/talk/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no conversations: %v", err)
	}
	var all sync.WaitGroup
	slots := make(chan struct{}, talkAtOnce)
	if testing.Short() {
		files = talkShort(files)
	}
	for _, file := range files {
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { talkFile(t, file) })
		})
	}
	all.Wait()
}

// talkShort is every second conversation in English: a twin in another language runs the
// same code.
func talkShort(files []string) (out []string) {
	english := 0
	for _, file := range files {
		if strings.HasSuffix(file, "-nihongo.txt") {
			continue
		}
		if english++; english%2 == 1 {
			out = append(out, file)
		}
	}
	return out
}

func talkFile(t *testing.T, file string) {
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	script := strings.Split(strings.TrimRight(string(want), "\n"), "\n")
	if talkTool() == "demo" && slices.Contains(script, "# It needs Terraform.") {
		t.Skip("neither terraform nor tofu is on PATH")
	}
	if _, err := exec.LookPath("ansible-playbook"); err != nil && slices.Contains(script, "# It needs Ansible.") {
		t.Skip("no ansible-playbook on PATH")
	}
	got := talkOver(t, script).run(script)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	talkCompare(t, got, string(want))
}

// talkSetting is a line of a script that sets what the sandbox's configuration
// does not: "# The configuration of production: cool_down: 1h". The name is that
// of an environment, a service or a target.
var talkSetting = regexp.MustCompile(`^# The configuration of (\S+): (.*)$`)

// talkDemo is a line of a script that has everything applied by the demonstration,
// also where there is Terraform: it can go back past git.
const talkDemo = "# It is applied by the demonstration."

var talkTerraform = regexp.MustCompile(`- terraform: \{dir: ([^,]+), backend: \{path: ("[^"]*")\}\}`)

// talkInstead is a line of a script that says a part of the configuration otherwise.
var talkInstead = regexp.MustCompile(`^# The configuration says (.*), not (.*)$`)

// talkDayFrom is a day so many days from that on which the conversation begins.
var talkDayFrom = regexp.MustCompile(`\{day([+-]\d+)\}`)

// talkFromNow is a time of day in a setting, counted from the beginning: "{+30m}".
var talkFromNow = regexp.MustCompile(`\{[+-]\w+\}`)

// talkConfig edits the sandbox's configuration as a script says.
func talkConfig(script []string) func([]byte) []byte {
	return func(b []byte) []byte {
		text := string(b)
		for _, line := range script {
			if line == talkDemo {
				text = talkTerraform.ReplaceAllString(text, "- demo: {dir: $1, state: $2}")
			}
			line = talkDayFrom.ReplaceAllStringFunc(line, func(s string) string {
				days, err := strconv.Atoi(talkDayFrom.FindStringSubmatch(s)[1])
				if err != nil {
					return s
				}
				return talkBegins().AddDate(0, 0, days).Format(time.DateOnly)
			})
			if m := talkInstead.FindStringSubmatch(line); m != nil {
				says, not := strings.ReplaceAll(m[1], `\n`, "\n"), strings.ReplaceAll(m[2], `\n`, "\n")
				if !strings.Contains(text, not) {
					panic(fmt.Sprintf("the sandbox's configuration does not say %q", not)) // or the conversation would be about something else
				}
				text = strings.Replace(text, not, says, 1)
			}
			if m := talkSetting.FindStringSubmatch(line); m != nil {
				set := talkFromNow.ReplaceAllStringFunc(m[2], func(s string) string {
					d, err := time.ParseDuration(strings.Trim(s, "{}"))
					if err != nil {
						return s
					}
					return talkBegins().Add(d).Format("15:04")
				})
				text = strings.Replace(text, "\n  "+m[1]+":\n", "\n  "+m[1]+":\n    "+set+"\n", 1)
			}
		}
		return []byte(text)
	}
}

// talkTool is what the sandbox applies with.
func talkTool() string {
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		for _, tool := range []string{"terraform", "tofu"} {
			if _, err := os.Stat(filepath.Join(dir, tool)); err == nil {
				return tool
			}
		}
	}
	return "demo"
}

// talkCompare holds a conversation to its file. What a tool printed and counted is
// compared only where it is Terraform.
func talkCompare(t testing.TB, got, want string) {
	t.Helper()
	if talkTool() != "terraform" {
		for _, s := range []*string{&got, &want} {
			*s = talkCounts.ReplaceAllString(talkPrinted.ReplaceAllString(*s, ""), "+n ~n -n")
		}
	}
	if got == want {
		return
	}
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	at := 0
	for at < len(g) && at < len(w) && g[at] == w[at] {
		at++
	}
	from := max(0, at-8)
	t.Errorf("line %d differs.\n--- want\n%s\n--- got\n%s\nIf that is right: go test ./bot -run %s -update",
		at+1, strings.Join(w[from:min(len(w), at+25)], "\n"), strings.Join(g[from:min(len(g), at+25)], "\n"), t.Name())
}

var (
	talkPrinted = regexp.MustCompile(`(?m)^ *(?:\|(?: .*)?|terraform_data\..*)\n`)
	talkCounts  = regexp.MustCompile(`\+\d+ ~\d+ -\d+`)
)

// talk is one conversation going on.
type talk struct {
	*talkWorld
	names talkNames
	out   strings.Builder
	// What everybody has seen: each message, as it looked last.
	seen    map[string]string
	private map[string][]slacksim.Response // to whom, oldest first
	where   map[string]string              // the channel of such a response, by its ts
	modals  map[string]*slacksim.Modal
	cards   map[string]string // the ts of an operation's card

	editsFrom time.Time // when Slack edits messages again
	hello     string    // how the bot introduced itself
	alerts    int       // that were sent
	last      pressed   // what was pressed last
}

func newTalk(t testing.TB, edit func([]byte) []byte) *talk {
	w := talkWorldOf(t, edit, true)
	k := &talk{
		talkWorld: w, names: talkNames{base: w.base, data: w.data}, seen: map[string]string{},
		private: map[string][]slacksim.Response{}, where: map[string]string{}, modals: map[string]*slacksim.Modal{}, cards: map[string]string{},
	}
	return k
}

// run says a script's lines and writes down what comes of them.
func (k *talk) run(script []string) string {
	k.t.Helper()
	k.greeted()
	for _, line := range script {
		switch {
		case strings.HasPrefix(line, " "): // what came of it the last time
		case line == "" || strings.HasPrefix(line, "#"):
			k.out.WriteString(line + "\n")
		default:
			k.out.WriteString(line + "\n")
			k.do(line)
		}
	}
	k.obeyed()
	return k.out.String()
}

// greeted waits until the bot has introduced itself, which every conversation would
// begin with otherwise.
func (k *talk) greeted() {
	k.t.Helper()
	k.settle(time.Millisecond)
	for end := time.Now().Add(talkPatience); len(k.history("ops", "")) == 0; k.pass() {
		if time.Now().After(end) {
			k.t.Fatal("the bot did not introduce itself")
		}
	}
	was := k.out.Len()
	k.watch()
	k.hello = k.out.String()[was:]
	k.out.Reset()
}

// write shows lines under what was done.
func (k *talk) write(head string, lines []string) {
	now := k.now()
	if head != "" {
		k.out.WriteString("  " + k.names.tame(head, now) + "\n")
	}
	for _, l := range lines {
		l = strings.TrimRight("  "+k.names.tame(l, now), " ")
		if head != "" {
			l = "  " + l
		}
		k.out.WriteString(l + "\n")
	}
}

// do does one line, waits for all that comes of it, and shows it.
func (k *talk) do(line string) {
	k.t.Helper()
	what, until, waits := strings.Cut(line, ", until ")
	what = k.names.wild(what)
	for _, l := range slices.Concat(homeLines, talkLines) {
		m := l.form.FindStringSubmatch(what)
		if m == nil {
			continue
		}
		if err := l.do(k, m[1:]); err != nil {
			k.write("", []string{"refused: " + err.Error()})
		}
		switch {
		case waits:
			k.until(k.names.wild(until))
		case l.looks:
		default:
			k.calm()
			k.watch()
		}
		return
	}
	k.t.Fatalf("nobody knows how to do %q", line)
}

// say types a line, in a channel, a direct message or a thread.
func (k *talk) say(who, channel, text, thread string) error {
	var a slacksim.Answer
	in := map[string]string{"user": who, "channel": channel, "text": text}
	if thread != "" {
		in["thread_ts"] = thread
	}
	err := k.call("", "POST", "/sim/slack/say", in, &a)
	if err == nil {
		k.answered(who, channel, a)
	}
	return err
}

// button is one that somebody can press, and where.
type talkButton struct{ channel, ts string }

// find looks for a button: in what only that person saw, newest first, in what
// was sent to them, newest first, then in the channels, newest first. With on it stands in a message that says so.
func (k *talk) find(who, label, on string) (talkButton, bool) {
	has := func(buttons []slacksim.Button, text string, blocks json.RawMessage) bool {
		return strings.Contains(text+string(blocks), on) && slices.ContainsFunc(buttons, func(b slacksim.Button) bool { return b.Label == label })
	}
	mine := k.private[who]
	for i := len(mine) - 1; i >= 0; i-- {
		if has(mine[i].Buttons, mine[i].Text, mine[i].Blocks) {
			return talkButton{k.where[mine[i].TS], mine[i].TS}, true
		}
	}
	var found, own talkButton // a card may speak of another operation
	k.directly(func(to string, m slacksim.Message) {
		if to == who && has(m.Buttons, m.Text, m.Blocks) {
			found = talkButton{"@signalbox", m.TS}
		}
	})
	if found.ts != "" {
		return found, true
	}
	k.everywhere(func(channel string, m slacksim.Message) {
		if !has(m.Buttons, m.Text, m.Blocks) {
			return
		}
		if found = (talkButton{channel, m.TS}); strings.HasPrefix(m.Text, on+" ") {
			own = found
		}
	})
	if own.ts != "" {
		return own, true
	}
	return found, found.ts != ""
}

func (k *talk) press(who, label, on string) error {
	for end := time.Now().Add(talkPatience); ; k.pass() {
		b, ok := k.find(who, label, on)
		if !ok && time.Now().Before(end) && k.working() {
			continue
		}
		if !ok {
			return fmt.Errorf("there is no button %q to press", label)
		}
		k.remember(b, label)
		var a slacksim.Answer
		err := k.call("", "POST", "/sim/slack/click", map[string]string{"user": who, "channel": b.channel, "ts": b.ts, "label": label}, &a)
		if err == nil {
			k.answered(who, b.channel, a)
		}
		return err
	}
}

// working says whether some card is still on its way.
func (k *talk) working() bool {
	found := false
	k.everywhere(func(_ string, m slacksim.Message) {
		found = found || regexp.MustCompile(`^op-\d+ .*: (opening|merged|applying)\b`).MatchString(m.Text)
	})
	return found
}
