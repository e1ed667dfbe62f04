package awssim

import (
	"cmp"
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// Host is the inside of an instance: its app, the connections to it, and the log
// buffer. The zero value is one whose app runs, with nothing in its buffer.
type Host struct {
	Stopped     bool // the app's unit
	Connections int  // while the app runs and gets requests
	// BufferBytes is what waits in the log buffer while the app runs. After a flush
	// with the app stopped it goes down by DrainRate bytes a second, 1 MiB when 0.
	BufferBytes, DrainRate int64
	Stuck                  bool   // it does not go down
	LogsBroken             string // what the logs script prints instead
	GivenUp                int    // chunks that the forwarder gave up
	// Unreachable: its agent has not been heard of, and no command gets to it.
	Unreachable bool
	// TestsFail has the scripts of births fail that are of the kind test.
	TestsFail bool
	// Takes is how long each script runs, 1 s when 0.
	Takes time.Duration

	Since   time.Time     // that the app runs, or does not; the simulator keeps it
	Down    time.Duration // that it was stopped before that
	Flushed time.Time     // when the flush began that counts
	Lost    time.Time     // when it became unreachable
	at      moment
}

// moment is where and when a script runs.
type moment struct {
	site *site
	i    *instance
	now  time.Time
}

func (i *instance) host(s *site, now time.Time) *Host {
	i.Host.at = moment{site: s, i: i, now: now}
	return &i.Host
}

// ID is the instance's.
func (h *Host) ID() string { return h.at.i.ID }

// Now is when the script runs.
func (h *Host) Now() time.Time { return h.at.now }

// Stop stops the app's unit. Its connections end within ten seconds.
func (h *Host) Stop() {
	if !h.Stopped {
		h.Stopped, h.Since, h.Flushed = true, h.at.now, time.Time{}
	}
}

// Start starts the app's unit; the buffer fills again.
func (h *Host) Start() {
	if h.Stopped {
		h.Down = h.at.now.Sub(h.Since)
		h.Stopped, h.Since, h.Flushed = false, h.at.now, time.Time{}
	}
}

// Flush tells the log forwarder to send all that it has. With the app running it is
// of no use, since more comes in.
func (h *Host) Flush() {
	if h.Stopped && h.Flushed.IsZero() {
		h.Flushed = h.at.now
	}
}

// Open is how many connections to the app are open.
func (h *Host) Open() int {
	if state := h.at.i.state(h.at.now); state != "running" {
		return 0
	}
	quiet, leaving := h.at.site.quietSince(h.at.i.ID, h.at.now)
	n := h.Connections
	if leaving && !(h.Stopped && h.Since.Before(quiet)) {
		n = fade(n, quiet, LeavingTime, minTime(h.at.now, h.stopTime()))
	}
	if h.Stopped {
		n = fade(n, h.Since, ClosingTime, h.at.now)
	}
	return n
}

func (h *Host) stopTime() time.Time {
	if h.Stopped {
		return h.Since
	}
	return h.at.now
}

func minTime(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// fade goes from n to none, evenly over d.
func fade(n int, from time.Time, d time.Duration, now time.Time) int {
	gone := now.Sub(from)
	switch {
	case gone <= 0:
		return n
	case gone >= d:
		return 0
	}
	return int((int64(n)*int64(d-gone) + int64(d) - 1) / int64(d))
}

// Buffered is how many bytes wait in the log buffer.
func (h *Host) Buffered() int64 {
	if h.Stuck || h.Flushed.IsZero() {
		return h.BufferBytes
	}
	rate := float64(cmp.Or(h.DrainRate, 1<<20))
	return max(0, h.BufferBytes-int64(rate*h.at.now.Sub(h.Flushed).Seconds()))
}

const chunkBytes = 1 << 20

// logPlugin is an output, in the words of fluentd's monitor agent.
type logPlugin struct {
	ID         string `json:"plugin_id"`
	Type       string `json:"type"`
	Output     bool   `json:"output_plugin"`
	Total      int64  `json:"buffer_total_queued_size"`
	Queue      int64  `json:"buffer_queue_length"`
	Stage      int64  `json:"buffer_stage_length"`
	StageBytes int64  `json:"buffer_stage_byte_size"`
	QueueBytes int64  `json:"buffer_queue_byte_size"`
	Retries    int64  `json:"retry_count"`
	Emits      int64  `json:"emit_count"`
}

type logFile struct {
	Path string `json:"path"`
	Size int64  `json:"size"`
}

// Logs is what a script prints that looks into the log forwarder and its files: one
// line of JSON, as fluentd's monitor agent tells it.
func (h *Host) Logs() string {
	if h.LogsBroken != "" {
		return h.LogsBroken
	}
	left := h.Buffered()
	p := logPlugin{ID: "out", Type: "forward", Output: true, Total: left, Emits: h.emits()}
	chunks, kind := (left+chunkBytes-1)/chunkBytes, "b"
	if h.Flushed.IsZero() {
		p.Stage, p.StageBytes = chunks, left
	} else {
		p.Queue, p.QueueBytes, kind = chunks, left, "q"
		if h.Stuck {
			p.Retries = int64(h.at.now.Sub(h.Flushed) / (10 * time.Second))
		}
	}
	files := []logFile{}
	for n := range chunks {
		name := "/var/log/td-agent/buffer/x." + kind + "5f0a" + strconv.FormatInt(0x100000+n, 16) + ".log"
		files = append(files, logFile{Path: name, Size: min(chunkBytes, left-n*chunkBytes)})
	}
	var out struct {
		Fluentd struct {
			Plugins []logPlugin `json:"plugins"`
		} `json:"fluentd"`
		Files   []logFile `json:"files"`
		GivenUp int       `json:"given_up"`
	}
	out.Fluentd.Plugins, out.Files, out.GivenUp = []logPlugin{p}, files, h.GivenUp
	b, err := json.Marshal(out)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// emits goes up while the app runs.
func (h *Host) emits() int64 {
	until := h.at.now
	if h.Stopped {
		until = h.Since
	}
	return int64(until.Sub(h.at.i.Launched) / time.Second)
}

// RunScript understands a script by a comment in its first line, or in its second
// when the first names an interpreter: "# signalbox:stop app". Another script ends
// with 127, as a shell ends that does not find a command.
func RunScript(h *Host, script string) (stdout string, exit int) {
	lines := strings.SplitN(script, "\n", 3)
	if strings.HasPrefix(lines[0], "#!") && len(lines) > 1 {
		lines = lines[1:]
	}
	order, is := strings.CutPrefix(strings.TrimSpace(lines[0]), "# signalbox:")
	words := strings.Fields(order)
	if !is || len(words) == 0 {
		return "", 127
	}
	verb := scripts[words[0]]
	if verb.do == nil || len(words)-1 != verb.args {
		return "", 127
	}
	return verb.do(h, words[1:])
}

var scripts = map[string]struct {
	args int
	do   func(h *Host, args []string) (out string, exit int)
}{
	"stop":        {1, func(h *Host, _ []string) (string, int) { h.Stop(); return "", 0 }},
	"start":       {1, func(h *Host, _ []string) (string, int) { h.Start(); return "", 0 }},
	"connections": {1, func(h *Host, _ []string) (string, int) { return strconv.Itoa(h.Open()) + "\n", 0 }},
	"flush":       {0, func(h *Host, _ []string) (string, int) { h.Flush(); return "", 0 }},
	"logs":        {0, func(h *Host, _ []string) (string, int) { return h.Logs() + "\n", 0 }},
	"birth":       {2, (*Host).birth},
}

// birth is a step of a birth, by its kind and its name.
func (h *Host) birth(args []string) (string, int) {
	if kind, name := args[0], args[1]; kind == "test" && h.TestsFail {
		return name + ": 3 of 12 examples failed\n", 1
	}
	return "", 0
}
