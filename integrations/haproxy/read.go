package haproxy

import (
	"encoding/csv"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// A server is one of a backend, as a process shows it.
type server struct {
	name    string
	address string // without the port; "" if it has none yet
	port    int
	out     bool // it gets no requests because somebody, or its weight, says so
	up      bool
	backup  bool // it gets requests when all others are down
	open    int  // sessions on it, and requests that wait for it alone
}

// Bits of srv_admin_state (management guide, "show servers state"): the first is for
// each way into maintenance, the second for each way into drain.
const (
	inMaintenance = 0x01 | 0x02 | 0x04 | 0x20 | 0x40
	inDrain       = 0x08 | 0x10
)

// state is of a seat. One that is down, and not out, is to be told to leave as well: it
// may come up.
func (s server) state() (state, reason string) {
	switch {
	case s.out && s.open > 0:
		return integrations.SeatDraining, ""
	case s.out:
		return integrations.SeatUnused, integrations.ReasonNotRegistered
	case s.up:
		return integrations.SeatHealthy, ""
	}
	return "unhealthy", ""
}

var errCut = errors.New("the answer is cut off")

// read reads the answers to "show servers state" and "show stat", one after the other.
// What is set is only in the first: a server that is down shows nothing else in the
// second. A server that is not in both is an error, and so is a number that is none:
// what is not known is not 0.
func read(answer string) ([]server, error) {
	const head = "# pxname,"
	at := strings.Index(answer, head)
	if at < 0 {
		return nil, refusal(answer)
	}
	numbers, err := readStat(strings.TrimPrefix(answer[at:], "# "))
	if err != nil {
		return nil, err
	}
	out, err := readState(answer[:at])
	if err != nil {
		return nil, err
	}
	for n := range out {
		s := &out[n]
		row, ok := numbers[s.name]
		if !ok {
			return nil, fmt.Errorf("the server %s is not among the statistics: %w", s.name, errCut)
		}
		if err := s.fill(row); err != nil {
			return nil, fmt.Errorf("read the statistics of the server %s: %w", s.name, err)
		}
	}
	return out, nil
}

// refusal is what HAProxy says instead of an answer.
func refusal(answer string) error {
	said := short(answer)
	if said == "" || strings.HasPrefix(said, "1 #") {
		return errCut
	}
	return &refused{said}
}

func short(answer string) string {
	said := strings.Join(strings.Fields(answer), " ")
	if r := []rune(said); len(r) > 200 {
		said = string(r[:200]) + "…"
	}
	return said
}

// refused is an answer in words, where there was to be a table, or nothing.
type refused struct{ said string }

func (r *refused) Error() string { return "it says “" + r.said + "”" }

// readState reads "show servers state": a version, the names of the columns after "# ",
// and a line a server with the columns between blanks.
func readState(text string) (out []server, err error) {
	version, rest, _ := strings.Cut(strings.TrimSpace(text), "\n")
	if strings.TrimSpace(version) != "1" {
		return nil, refusal(text)
	}
	names, rest, _ := strings.Cut(rest, "\n")
	column := index(strings.Fields(strings.TrimPrefix(names, "#")))
	for _, line := range strings.Split(rest, "\n") {
		cells := strings.Fields(line)
		if len(cells) == 0 {
			continue
		}
		if len(cells) < len(column) {
			return nil, errCut
		}
		s, err := column.server(cells)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// columns are where the column of each name is.
type columns map[string]int

func index(names []string) columns {
	c := columns{}
	for n, name := range names {
		c[name] = n
	}
	return c
}

func (c columns) number(cells []string, name string, base int) (int, error) {
	at, ok := c[name]
	if !ok {
		return 0, fmt.Errorf("there is no column %s", name)
	}
	n, err := strconv.ParseInt(cells[at], base, 32)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%s is %q", name, cells[at])
	}
	return int(n), nil
}

func (c columns) server(cells []string) (s server, err error) {
	for _, name := range []string{"srv_name", "srv_addr"} {
		if _, ok := c[name]; !ok {
			return s, fmt.Errorf("there is no column %s", name)
		}
	}
	s.name, s.address = cells[c["srv_name"]], plain(cells[c["srv_addr"]])
	var errs [3]error
	var admin, weight int
	s.port, errs[0] = c.number(cells, "srv_port", 10)
	admin, errs[1] = c.number(cells, "srv_admin_state", 0)
	weight, errs[2] = c.number(cells, "srv_uweight", 10)
	if err := errors.Join(errs[:]...); err != nil {
		return s, fmt.Errorf("read the state of the server %s: %w", s.name, err)
	}
	s.out = admin&(inMaintenance|inDrain) != 0 || weight == 0
	return s, nil
}

// plain is an IP address as it is always written; "" if it is none.
func plain(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return ""
	}
	return a.Unmap().String()
}

// readStat reads the CSV of "show stat", by the names of the servers.
func readStat(text string) (map[string]map[string]string, error) {
	// encoding/csv wants as many cells in each line as in the first.
	table, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errCut, err)
	}
	out := map[string]map[string]string{}
	for _, cells := range table[1:] {
		row := map[string]string{}
		for n, name := range table[0] {
			row[name] = cells[n]
		}
		out[row["svname"]] = row
	}
	return out, nil
}

// fill adds what the statistics say.
func (s *server) fill(row map[string]string) error {
	for _, name := range []string{"scur", "qcur"} {
		n, err := strconv.Atoi(row[name])
		if err != nil || n < 0 {
			return fmt.Errorf("%s is %q", name, row[name])
		}
		s.open += n
	}
	status := row["status"]
	s.up = status == "UP" || strings.HasPrefix(status, "UP ") || status == "no check"
	s.out = s.out || strings.HasPrefix(status, "DRAIN") || strings.HasPrefix(status, "MAINT")
	s.backup = row["bck"] == "1"
	return nil
}
