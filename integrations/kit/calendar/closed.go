package calendar

import (
	"cmp"
	"container/heap"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"time"
)

const closedForms = "write japan, japan-year-end, a date like 2026-12-24, dates like 2026-12-24..2027-01-04, or ics:/etc/signalbox/company.ics"

// daySpan is closed dates, [first, end) as numbers of days, what they are
// called and, where that does not say it, why they are closed.
type daySpan struct {
	first, end int64
	name, why  string
}

// closure is a closed time, [from, to) in Unix seconds, and why. Where several
// overlap, the one with the lowest rank gives the reason.
type closure struct {
	from, to int64
	rank     int
	why      string
}

// firstEndingAfter is the index of the first closure that is not over at sec.
func firstEndingAfter(closures []closure, sec int64) int {
	return sort.Search(len(closures), func(i int) bool { return closures[i].to > sec })
}

// parseClosed understands what is closed. The reason of a day is that of the
// first entry that closes it; then comes an eve, then an event with times.
func (w *Windows) parseClosed(closed []string, eves bool) error {
	var (
		days  []daySpan
		timed []closure
		errs  []error
	)
	for i, text := range closed {
		d, t, err := w.parseClosing(strings.TrimSpace(text))
		if err != nil {
			errs = append(errs, fmt.Errorf("closed[%d]: %w", i, err))
		}
		days = append(days, d...)
		timed = append(timed, t...)
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if eves {
		days = append(days, evesOf(days)...)
	}
	w.close(days, timed)
	return nil
}

// close works out when the days and the events with times are.
func (w *Windows) close(days []daySpan, timed []closure) {
	var all []closure
	for rank, d := range days {
		for _, s := range shownDuring(w.Zone(), d.first*aDay, d.end*aDay) {
			all = append(all, closure{from: s.from, to: s.to, rank: rank, why: cmp.Or(d.why, d.name)})
		}
	}
	for _, c := range timed {
		c.rank = len(days)
		all = append(all, c)
	}
	w.closures = flatten(all)
}

// parseClosing understands one entry of Closed.
func (w *Windows) parseClosing(text string) ([]daySpan, []closure, error) {
	scheme, path, _ := strings.Cut(text, ":")
	switch {
	case strings.EqualFold(text, "japan"):
		return japanDays(), nil, nil
	case strings.EqualFold(text, "japan-year-end"):
		return japanYearEnds(), nil, nil
	case strings.EqualFold(scheme, "ics"):
		path = strings.TrimSpace(path)
		if path == "" {
			return nil, nil, errors.New("ics: names no file; write one like ics:/etc/signalbox/company.ics")
		}
		data, err := readICS(path)
		if err != nil {
			return nil, nil, err
		}
		days, timed, err := parseICS(data, filepath.Base(path), w.Zone(), w.free)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", path, err)
		}
		return days, timed, nil
	}
	d, err := parseDates(text)
	if err != nil {
		return nil, nil, fmt.Errorf("%w; %s", err, closedForms)
	}
	return []daySpan{d}, nil, nil
}

// parseDates understands a date, or two with ".." between them, both closed.
func parseDates(text string) (daySpan, error) {
	start, end, isRange := strings.Cut(text, "..")
	start, end = strings.TrimSpace(start), strings.TrimSpace(end)
	if !isRange {
		end = start
	}
	first, err := parseDate(start)
	if err != nil {
		return daySpan{}, err
	}
	last, err := parseDate(end)
	if err != nil {
		return daySpan{}, err
	}
	if last < first {
		return daySpan{}, fmt.Errorf("%q ends before it begins", text)
	}
	d := daySpan{first: first, end: last + 1, name: start}
	if isRange {
		d.name += " to " + end
	}
	d.why = d.name + " is closed"
	return d, nil
}

func parseDate(text string) (int64, error) {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return 0, fmt.Errorf("%q is neither a date nor a list that is known", text)
	}
	return dayOf(t.Date()), nil
}

// evesOf finds the day before each stretch of closed days.
func evesOf(days []daySpan) (eves []daySpan) {
	days = slices.Clone(days)
	// Stable: of two that begin on a day, the first gives it its name.
	slices.SortStableFunc(days, func(a, b daySpan) int { return cmp.Compare(a.first, b.first) })
	for i, end := 0, int64(always); i < len(days); i++ {
		if d := days[i]; d.first > end {
			eves = append(eves, daySpan{first: d.first - 1, end: d.first, name: "the eve of " + d.name})
		}
		end = max(end, days[i].end)
	}
	return eves
}

// flatten cuts closures so that none overlap, keeping the reason with the
// lowest rank, and sorts them.
func flatten(in []closure) (out []closure) {
	in = slices.DeleteFunc(in, func(c closure) bool { return c.from >= c.to })
	slices.SortStableFunc(in, func(a, b closure) int { return cmp.Compare(a.from, b.from) })
	var edges []int64
	for _, c := range in {
		edges = append(edges, c.from, c.to)
	}
	slices.Sort(edges)
	edges = slices.Compact(edges)
	var under byRank
	for i := 0; i+1 < len(edges); i++ {
		at := edges[i]
		for len(in) > 0 && in[0].from == at {
			heap.Push(&under, in[0])
			in = in[1:]
		}
		for len(under) > 0 && under[0].to <= at {
			heap.Pop(&under)
		}
		if len(under) == 0 {
			continue
		}
		c := closure{from: at, to: edges[i+1], rank: under[0].rank, why: under[0].why}
		if n := len(out); n > 0 && out[n-1].to == c.from && out[n-1].why == c.why {
			out[n-1].to = c.to
			continue
		}
		out = append(out, c)
	}
	return out
}

// byRank is a heap of closures, the lowest rank on top.
type byRank []closure

func (h byRank) Len() int           { return len(h) }
func (h byRank) Less(i, j int) bool { return h[i].rank < h[j].rank }
func (h byRank) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *byRank) Push(x any)        { *h = append(*h, x.(closure)) }
func (h *byRank) Pop() any {
	last := len(*h) - 1
	c := (*h)[last]
	*h = (*h)[:last]
	return c
}
