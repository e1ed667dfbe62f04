package digest

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/stats"
	"github.com/signalbox-chatops/signalbox/store"
)

// A handling is how long incidents took that were over in the time: all of them, or those
// of a source or a service; and in the time before.
type handling struct {
	Of     string `json:"of,omitempty"`   // ofSource or ofService; "" is all
	Name   string `json:"name,omitempty"` // "" is a person, or no service
	Now    spans  `json:"now"`
	Before spans  `json:"before,omitzero"`
}

const (
	ofSource  = "source"
	ofService = "service"

	mostHandlings = 8 // of each
)

// spans are how long it took until somebody had them, and until they were over.
type spans struct {
	Acked span `json:"acked,omitzero"`
	Over  span `json:"over,omitzero"`
}

// A span is how long so many took.
type span struct {
	N       int           `json:"n,omitempty"`
	Half    time.Duration `json:"half,omitempty"` // the median
	Most    time.Duration `json:"most,omitempty"` // the 90th percentile
	Longest time.Duration `json:"longest,omitempty"`
}

func spanOf(all []time.Duration) span {
	return span{N: len(all), Half: stats.Percentile(all, 50), Most: stats.Percentile(all, 90), Longest: stats.Percentile(all, 100)}
}

func spansOf(all []integrations.Handled) spans {
	var acked, over []time.Duration
	for _, h := range all {
		over = append(over, max(0, h.Over.Sub(h.Opened)))
		if !h.Acked.IsZero() {
			acked = append(acked, max(0, h.Acked.Sub(h.Opened)))
		}
	}
	return spans{spanOf(acked), spanOf(over)}
}

// handle counts how long incidents took: all, and by source and by service where there are
// several, those with the most first.
func (f *feature) handle(tx *store.Tx, r *report) error {
	if f.Handled == nil {
		return nil
	}
	now, err := f.Handled(tx, r.From, r.To)
	if err != nil || len(now) == 0 {
		return err
	}
	before, err := f.Handled(tx, r.before(), r.From)
	if err != nil {
		return err
	}
	r.Handled = []handling{{Now: spansOf(now), Before: spansOf(before)}}
	for _, of := range []struct {
		word string
		name func(h integrations.Handled) string
	}{{ofSource, func(h integrations.Handled) string { return h.Source }}, {ofService, func(h integrations.Handled) string { return h.Service }}} {
		is, was := grouped(now, of.name), grouped(before, of.name)
		var some []handling
		for name, all := range is {
			some = append(some, handling{of.word, name, spansOf(all), spansOf(was[name])})
		}
		slices.SortFunc(some, func(a, b handling) int { return cmp.Or(b.Now.Over.N-a.Now.Over.N, cmp.Compare(a.Name, b.Name)) })
		r.Handled = append(r.Handled, some[:min(len(some), mostHandlings)]...)
	}
	return nil
}

func grouped(all []integrations.Handled, name func(h integrations.Handled) string) map[string][]integrations.Handled {
	out := map[string][]integrations.Handled{}
	for _, h := range all {
		out[name(h)] = append(out[name(h)], h)
	}
	return out
}

// handledLines say how long incidents took.
func (r report) handledLines() (out []integrations.Rich) {
	for _, h := range r.Handled {
		out = append(out, integrations.R(h.head(), ": ", h.told()))
	}
	return out
}

// head is whose incidents they were.
func (h handling) head() integrations.Rich {
	switch {
	case h.Of == "":
		return integrations.R("⏱ ", integrations.Bold("How long incidents took"))
	case h.Name != "":
		return integrations.R("• ", integrations.Bold(h.Name))
	case h.Of == ofSource:
		return integrations.R("• ", integrations.Bold("What people declared"))
	}
	return integrations.R("• ", integrations.Bold("Of no service"))
}

func (h handling) told() integrations.Rich {
	var parts []integrations.Rich
	if s, was := h.Now.Acked, h.Before.Acked; s.N > 0 {
		what := integrations.R("acknowledged after ", gate.Age(s.Half))
		if s.N > 1 {
			what = integrations.R(fmt.Sprintf("%d acknowledged: half within %s, nine of ten within %s, the longest after %s", s.N, gate.Age(s.Half), gate.Age(s.Most), gate.Age(s.Longest)))
		}
		parts = append(parts, compared(what, float64(s.Half), float64(was.Half), was.N > 0 && gate.Age(was.Half) != gate.Age(s.Half), gate.Age(was.Half)))
	} else {
		parts = append(parts, integrations.R("nobody acknowledged"))
	}
	s, was := h.Now.Over, h.Before.Over
	what := integrations.R("over after ", gate.Age(s.Half))
	if s.N > 1 {
		what = integrations.R(fmt.Sprintf("%d over: half within %s, nine of ten within %s, the longest after %s", s.N, gate.Age(s.Half), gate.Age(s.Most), gate.Age(s.Longest)))
	}
	return joined(append(parts, compared(what, float64(s.Half), float64(was.Half), was.N > 0 && gate.Age(was.Half) != gate.Age(s.Half), gate.Age(was.Half))))
}
