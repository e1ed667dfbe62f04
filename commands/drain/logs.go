package drain

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
)

// The log gate: what ships the logs of an instance is asked on the host itself, and
// by two ways, until both say three times in a row that nothing is left. Whatever
// cannot be told counts as not empty (facts/aws.md 1.4).

const (
	logsNone = "none"
	needed   = 3               // looks in a row that found nothing
	leastGap = 5 * time.Second // between two of them
	keepSeen = 6               // samples that are remembered
	unknowns = 3               // looks in a row that could not be made, until a person is asked
)

// Sample is one look into the buffers of a host.
type Sample struct {
	At time.Time `json:"at"`
	// Unknown says why nothing can be said; then the rest is nothing.
	Unknown string `json:"unknown,omitempty"`
	Bytes   int64  `json:"bytes"`   // in the buffers, by the collector's own count
	Files   int64  `json:"files"`   // bytes in its files
	Left    string `json:"left"`    // what is left besides, in words
	Emitted int64  `json:"emitted"` // what it took in so far; grows while something still writes
	Retries int64  `json:"retries"` // how often its outputs had to try again so far; grows while one does
	GivenUp int64  `json:"given_up"`
}

// empty says whether nothing was left.
func (s Sample) empty() bool {
	return s.Unknown == "" && s.Bytes == 0 && s.Files == 0 && s.Left == ""
}

// proved says whether samples, oldest first, prove that nothing is left: the last
// three are empty and far enough apart, nothing came in between, no output tried again
// meanwhile, and nothing was given up since the first look of all.
func proved(all []Sample, givenUp int64, gap time.Duration) bool {
	if len(all) < needed {
		return false
	}
	last := all[len(all)-needed:]
	for i, s := range last {
		if !s.empty() || s.Emitted != last[0].Emitted || s.Retries != last[0].Retries || s.GivenUp != givenUp {
			return false
		}
		if i > 0 && s.At.Sub(last[i-1].At) < gap {
			return false
		}
	}
	return true
}

// retries is how often the outputs tried again between the last two looks.
func retries(all []Sample) int64 {
	n := len(all)
	if n < 2 || all[n-2].Unknown != "" {
		return 0
	}
	return all[n-1].Retries - all[n-2].Retries
}

// A collector is what ships logs.
type collector struct {
	gap   time.Duration
	flush string // the script that has it ship what it holds; "" if none does
	look  string // the script that prints one line of JSON; "" if there are no logs
	read  func(b []byte, r Role) (Sample, error)
}

var collectors = map[string]collector{
	"fluentd":    {gap: leastGap, flush: "fluentd-flush", look: "fluentd", read: readFluentd},
	"fluent-bit": {gap: 6 * time.Second, look: "fluent-bit", read: readFluentBit},
	logsNone:     {},
}

func collectorNames() []string { return slices.Sorted(maps.Keys(collectors)) }

// gapOf is how far apart the looks are.
func gapOf(r Role) time.Duration { return max(collectors[r.Logs].gap, r.FlushEvery, leastGap) }

// printed is what both scripts print.
type printed struct {
	Error     string          `json:"error"`
	Fluentd   *fluentdWorker  `json:"fluentd"`
	Workers   []fluentdWorker `json:"workers"` // those of Fluentd after the first
	FluentBit *fluentBit      `json:"fluent_bit"`
	Files     []struct {
		Path string `json:"path"`
		Size int64  `json:"size"`
	} `json:"files"`
	GivenUp *int64 `json:"given_up"`
	Behind  int64  `json:"behind"` // bytes of log files that were not read yet
}

type fluentdWorker struct {
	Plugins []map[string]json.RawMessage `json:"plugins"`
}

func readPrinted(b []byte) (p printed, s Sample, err error) {
	if err := json.Unmarshal(b, &p); err != nil {
		return p, s, stuck("what the host printed is no JSON: " + err.Error())
	}
	if p.Error != "" {
		return p, s, stuck(p.Error)
	}
	if p.Files == nil || p.GivenUp == nil {
		return p, s, stuck("what the host printed lacks its files")
	}
	for _, f := range p.Files {
		s.Files += f.Size
	}
	if s.GivenUp = *p.GivenUp; p.Behind > 0 {
		s.Left = fmt.Sprintf("%d bytes of its log files are not read yet", p.Behind)
	}
	return p, s, nil
}

// fluentdZero are the numbers of a buffered output that have to be 0, where it has
// them: those of v0.12 are the first two.
var fluentdZero = []string{"buffer_queue_length", "buffer_stage_length", "buffer_stage_byte_size", "buffer_queue_byte_size"}

// fluentdPort is that of the monitor agent of the first worker; the next have the next
// ones (fluent/fluentd#1493).
const fluentdPort = 24220

// readFluentd reads the plugins of the monitor agents, one a worker. An output is
// buffered when it says how much it has queued; none that is would be a wrong
// configuration. A worker whose agent says nothing is not known to be empty.
func readFluentd(b []byte, r Role) (Sample, error) {
	p, s, err := readPrinted(b)
	if err != nil {
		return s, err
	}
	if p.Fluentd == nil {
		return s, stuck("what the host printed is not of fluentd")
	}
	workers := append([]fluentdWorker{*p.Fluentd}, p.Workers...)
	if want := r.workers(); len(workers) != want {
		return s, stuck(fmt.Sprintf("%d of %d workers of fluentd were asked", len(workers), want))
	}
	var plugins []map[string]json.RawMessage
	for n, w := range workers {
		if len(w.Plugins) == 0 && len(workers) > 1 {
			return s, stuck(fmt.Sprintf("the worker of fluentd on port %d names no plugins", fluentdPort+n))
		}
		plugins = append(plugins, w.Plugins...)
	}
	buffered := 0
	for _, plugin := range plugins {
		size, ok := number(plugin["buffer_total_queued_size"])
		if !ok {
			continue
		}
		buffered++
		s.Bytes += size
		for _, name := range fluentdZero {
			if n, ok := number(plugin[name]); ok && n != 0 && size == 0 {
				s.Left = fmt.Sprintf("%s is %d", name, n)
			}
		}
		if _, ok := number(plugin["buffer_queue_length"]); !ok {
			return s, stuck("an output says its size and not its queue")
		}
		for _, name := range []string{"emit_count", "emit_records"} {
			n, _ := number(plugin[name])
			s.Emitted += n
		}
		n, _ := number(plugin["retry_count"])
		s.Retries += n
		n, _ = number(plugin["drop_oldest_chunk_count"])
		s.GivenUp += n
	}
	if buffered == 0 {
		return s, stuck("fluentd names no output with a buffer")
	}
	return s, nil
}

// number reads a JSON number; ok is false for null and for what is not there.
func number(raw json.RawMessage) (int64, bool) {
	var n *float64
	if len(raw) == 0 || json.Unmarshal(raw, &n) != nil || n == nil {
		return 0, false
	}
	return int64(*n), true
}

type fluentBit struct {
	Layer *struct {
		Chunks struct {
			Total *int64 `json:"total_chunks"`
		} `json:"chunks"`
	} `json:"storage_layer"`
	Inputs map[string]struct {
		Chunks struct {
			Total int64  `json:"total"`
			Busy  int64  `json:"busy"`
			Size  string `json:"busy_size"`
		} `json:"chunks"`
	} `json:"input_chunks"`
}

// readFluentBit reads the storage metrics.
func readFluentBit(b []byte, _ Role) (Sample, error) {
	p, s, err := readPrinted(b)
	if err != nil {
		return s, err
	}
	if p.FluentBit == nil || p.FluentBit.Layer == nil || p.FluentBit.Layer.Chunks.Total == nil || len(p.FluentBit.Inputs) == 0 {
		return s, stuck("fluent-bit says nothing of its storage: set storage.metrics on")
	}
	if n := *p.FluentBit.Layer.Chunks.Total; n != 0 {
		s.Left = fmt.Sprintf("%d chunks", n)
	}
	for _, name := range slices.Sorted(maps.Keys(p.FluentBit.Inputs)) {
		if c := p.FluentBit.Inputs[name].Chunks; c.Total != 0 || c.Busy != 0 {
			s.Left = fmt.Sprintf("%d chunks of %s", max(c.Total, c.Busy), name)
		}
	}
	return s, nil
}
