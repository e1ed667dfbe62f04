package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// The table of events is written by this test, with -update, from the table that
// decides.
func TestReadmeNotify(t *testing.T) {
	var b strings.Builder
	b.WriteString("| event | what | ways, the default first | calls somebody | in quiet hours |\n| --- | --- | --- | --- | --- |\n")
	for _, e := range integrations.NotifyEvents {
		ways := []string{"`" + e.Default + "`"}
		for _, w := range e.Ways {
			if w != e.Default {
				ways = append(ways, "`"+w+"`")
			}
		}
		calls, quiet := "no", "is told"
		if e.Calls {
			calls = "yes"
		}
		if e.Waits {
			quiet = "waits"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", e.Name, e.What, strings.Join(ways, ", "), calls, quiet)
	}
	before, got, after := marked(t, "events")
	if *update {
		if err := os.WriteFile(readmeFile, []byte(before+b.String()+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if d := cmp.Diff(b.String(), got); d != "" {
		t.Errorf("README.md is behind the events; go test ./bot -run TestReadmeNotify -update writes it anew (-want +got)\n%s", d)
	}
}
