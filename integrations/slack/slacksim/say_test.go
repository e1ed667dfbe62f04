package slacksim_test

import (
	"slices"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
)

func TestTypedTextIsMarkedUp(t *testing.T) {
	o := open(t, workspace())
	for _, c := range []struct {
		typed, want string
		command     bool
	}{
		{"a & b < c > d", "a &amp; b &lt; c &gt; d", false},
		{"@bob and @nobody", "<@UBOB> and @nobody", false},
		{"@bob", "<@UBOB|bob>", true},
		{"in #ops, not #nowhere", "in <#COPS|ops>, not #nowhere", false},
		{"see https://example.com/a?b=1&c=2", "see <https://example.com/a?b=1&amp;c=2>", false},
		{"<https://example.com|web> & <@UBOB>", "<https://example.com|web> &amp; <@UBOB>", false},
		{"alice@example.com", "alice@example.com", false},
		{"本番 — “now”", "本番 — “now”", true},
	} {
		if got := o.Encode(c.typed, c.command); got != c.want {
			t.Errorf("%q became %q, want %q", c.typed, got, c.want)
		}
	}
}

// frozen is a clock that stands.
type frozen struct{ clock.Clock }

func (frozen) Now() time.Time { return time.Unix(1700000000, 0) }

func TestTimestampsAreUniqueAndGrow(t *testing.T) {
	cfg := workspace()
	cfg.Clock = frozen{clock.Real()}
	o := open(t, cfg)
	var got []string
	for range 3 {
		got = append(got, o.must("chat.postMessage", args("channel", "COPS", "text", "x"))["ts"].(string))
	}
	if want := []string{"1700000000.000000", "1700000000.000001", "1700000000.000002"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
