package remote

import (
	"bytes"
	"errors"
	"io"
	"strings"
)

// PlanBegins and PlanEnds are lines of their own that a run prints around its plan.
const (
	PlanBegins = "--- signalbox plan ---"
	PlanEnds   = "--- end of signalbox plan ---"
)

const longestPlan = 1 << 20 // bytes

func hasMark(run Run, q Request) bool { return strings.Contains(run.Name, q.mark()) }

// cutter passes a log on and keeps what stands between the marks, the last of several.
type cutter struct {
	next          io.Writer
	line          []byte
	kept          bytes.Buffer
	inside, ended bool
	cut           bool
}

func (c *cutter) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			c.line = append(c.line, rest...)
			break
		}
		c.take(string(append(c.line, rest[:i]...)))
		c.line, rest = c.line[:0], rest[i+1:]
	}
	return c.next.Write(p)
}

func (c *cutter) take(line string) {
	switch strings.TrimSpace(line) {
	case PlanBegins:
		c.inside, c.ended, c.cut = true, false, false
		c.kept.Reset()
		return
	case PlanEnds:
		c.inside, c.ended = false, c.inside || c.ended
		return
	}
	switch {
	case !c.inside:
	case c.kept.Len()+len(line) > longestPlan:
		c.cut = true
	default:
		c.kept.WriteString(line + "\n")
	}
}

// plan is what was kept.
func (c *cutter) plan() (string, error) {
	if len(c.line) > 0 {
		c.take(string(c.line))
		c.line = nil
	}
	switch {
	case !c.ended:
		return "", errors.New("it succeeded, and its log has no plan in it: it has to print it between the lines " + PlanBegins + " and " + PlanEnds)
	case c.cut:
		return "", errors.New("its plan is longer than a megabyte")
	}
	return c.kept.String(), nil
}
