package main

import (
	"fmt"
	"io"
	"os"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/width"
)

// findingPrinter writes each finding of check as it comes, a line and what to do.
type findingPrinter struct {
	out                  io.Writer
	colours              bool
	right, warned, wrong int
}

func newFindingPrinter(out io.Writer) *findingPrinter {
	return &findingPrinter{out: out, colours: isTerminal(out) && os.Getenv("NO_COLOR") == ""}
}

// isTerminal says whether a person reads or writes there.
func isTerminal(v any) bool {
	f, ok := v.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// whatWidth is how many cells what was looked at gets; longer ones push the
// rest of their line to the right.
const whatWidth = 34

func (p *findingPrinter) print(all ...integrations.Finding) {
	for _, f := range all {
		mark, colour := "✓ ok   ", "32"
		switch {
		case f.OK:
			p.right++
		case f.Warn:
			mark, colour = "! warn ", "33"
			p.warned++
		default:
			mark, colour = "✗ WRONG", "31"
			p.wrong++
		}
		if p.colours {
			mark = "\x1b[" + colour + "m" + mark + "\x1b[0m"
		}
		fmt.Fprintf(p.out, "%s  %s %s\n", mark, width.Pad(f.What, whatWidth), f.Say)
		if f.Do != "" {
			fmt.Fprintf(p.out, "           → %s\n", f.Do)
		}
	}
}

// sum is the last line.
func (p *findingPrinter) sum() {
	fmt.Fprintf(p.out, "\n%d right, %d to look at, %d wrong\n", p.right, p.warned, p.wrong)
}
