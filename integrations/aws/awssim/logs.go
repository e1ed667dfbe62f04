package awssim

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

func logsOps() []op {
	return []op{{
		service: logsService, action: "GetLogEvents", needs: split("logStreamName"), do: getLogEvents,
		takes: split("logGroupName logStreamName nextToken startFromHead limit startTime"), knows: split("endTime logGroupIdentifier unmask"),
	}}
}

const badLogs = "InvalidParameterException"

// mostEvents and mostLogBytes are of one page (the API reference of GetLogEvents); an
// event counts with 26 bytes more than it has.
const (
	mostEvents   = 10_000
	mostLogBytes = 1 << 20
	eventBytes   = 26
)

// logged finds the build whose log a stream is.
func (c *call) logged() (*build, error) {
	group, stream := c.p["logGroupName"], c.p["logStreamName"]
	if group == "" {
		return nil, refuse(badLogs, "Either logGroupName or logGroupIdentifier must be given.")
	}
	known := false
	for _, p := range c.site.Projects {
		if p.logGroup() != group || p.Silent {
			continue
		}
		for _, b := range p.Builds {
			if !b.logged() {
				continue
			}
			if known = true; b.logStream() == stream {
				return b, nil
			}
		}
	}
	if !known { // a project's group is made with its first stream
		return nil, refuse("ResourceNotFoundException", "The specified log group does not exist.")
	}
	return nil, refuse("ResourceNotFoundException", "The specified log stream does not exist.")
}

// getLogEvents reads on from a token, or from the head. A line is not there until some
// time after it was printed; at the end, for now, the token that came is the one to go on
// with.
func getLogEvents(c *call) (any, error) {
	b, err := c.logged()
	if err != nil {
		return nil, err
	}
	if !c.p.flag("startFromHead") {
		return nil, refuse(unsimulated, "GetLogEvents without startFromHead")
	}
	limit, err := c.number("limit", mostEvents, 1, mostEvents)
	if err != nil {
		return nil, err
	}
	from := 0
	if token := c.p["nextToken"]; token != "" {
		rest, ok := strings.CutPrefix(token, "f/")
		if from, err = strconv.Atoi(strings.TrimSuffix(rest, "/s")); !ok || err != nil || from < 0 || from > len(b.Lines) {
			return nil, refuse(badLogs, "The specified nextToken is invalid.")
		}
	}
	start, err := strconv.ParseInt("0"+c.p["startTime"], 10, 64)
	if err != nil {
		return nil, refuse(badLogs, "The startTime %s is no number of milliseconds", c.p["startTime"])
	}
	events, size := []any{}, 0
	for ; from < len(b.Lines); from++ {
		line := b.Lines[from]
		if line.At.Add(IngestTime).After(c.now) || len(events) >= limit || size+len(line.Text)+eventBytes > mostLogBytes {
			break
		}
		if line.At.UnixMilli() < start {
			continue
		}
		size += len(line.Text) + eventBytes
		events = append(events, map[string]any{"timestamp": line.At.UnixMilli(), "ingestionTime": line.At.Add(IngestTime / time.Duration(2)).UnixMilli(), "message": line.Text})
	}
	return map[string]any{"events": events, "nextForwardToken": fmt.Sprintf("f/%056d/s", from), "nextBackwardToken": fmt.Sprintf("b/%056d/s", from)}, nil
}
