package drain

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// The hosts of the fake fleet, and what scripts do on them.

func (f *fleet) Start(_ context.Context, _ integrations.Site, id, script string, _ time.Duration) (string, error) {
	first, _, _ := strings.Cut(strings.TrimPrefix(script, "# signalbox:"), "\n")
	verb, _, _ := strings.Cut(first, " ")
	command := ""
	err := f.change(verb+" "+id, func() error {
		command = fmt.Sprintf("cmd-%d", len(f.commands)+1)
		f.commands[command] = f.host(f.boxes[id], verb)
		return nil
	})
	return command, err
}

// host does what a script says.
func (f *fleet) host(b *box, verb string) func() integrations.CommandResult {
	if b.deaf {
		return func() integrations.CommandResult {
			return integrations.CommandResult{State: integrations.CommandUnknown, Why: "Undeliverable"}
		}
	}
	out := ""
	switch verb {
	case "stop":
		b.running = false
	case "start":
		b.running = true
	case "connections":
		if !b.running {
			b.conns = max(0, b.conns-4)
		}
		out = fmt.Sprint(b.conns)
	case "flush":
		b.flushed = f.clock.Now()
	case "logs":
		if !b.flushed.IsZero() && !b.running && !b.stuck {
			b.bytes = max(0, b.bytes-2048)
		}
		queued := min(b.bytes, 1)
		if b.retried {
			b.retries++
		}
		out = fmt.Sprintf(`{"fluentd":{"plugins":[{"type":"tail"},{"type":"forward","buffer_total_queued_size":%d,"buffer_queue_length":%d,"emit_count":%d,"retry_count":%d}]},"files":[],"given_up":%d}`, b.bytes, queued, b.emitted, b.retries, b.givenUp)
		if b.mute {
			out = `{"error":"the monitor agent on port 24220 does not answer"}`
		}
	}
	return func() integrations.CommandResult {
		return integrations.CommandResult{State: integrations.CommandDone, Output: out}
	}
}

func (f *fleet) Result(_ context.Context, _ integrations.Site, _, command string) (integrations.CommandResult, error) {
	if f.slow {
		return integrations.CommandResult{State: integrations.CommandRunning}, nil
	}
	if result, ok := f.commands[command]; ok {
		return result(), nil
	}
	return integrations.CommandResult{State: integrations.CommandUnknown, Why: "no such command"}, nil
}
