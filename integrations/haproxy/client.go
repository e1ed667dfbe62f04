package haproxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/signalbox-chatops/signalbox/integrations"
)

const (
	callLimit  = 5 * time.Second // of one call, by the wall clock
	longest    = 16 << 20        // bytes of an answer
	afterAway  = 2 * time.Second // when to come again
	afterMoved = 5 * time.Second // when a server is expected to be there

	// delay is how long connections may take to end before a person is asked. HAProxy
	// has no such setting; this is the default of a target group.
	delay = 5 * time.Minute
)

// Options are what a client is given besides its configuration.
type Options struct {
	// Dial opens a connection: "tcp" or "unix", and an address. Nil is net.Dialer's.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Client speaks to every process that is configured.
type Client struct {
	backends Config
	dial     func(ctx context.Context, network, address string) (net.Conn, error)
}

// New makes the client of a configuration, which is validated. Nothing is asked yet.
func New(c Config, o Options) (*Client, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if o.Dial == nil {
		o.Dial = (&net.Dialer{}).DialContext
	}
	return &Client{backends: slices.Clone(c), dial: o.Dial}, nil
}

// Holds says whether instances of a role may be servers.
func (c *Client) Holds(role string) bool {
	return slices.ContainsFunc(c.backends, func(b Backend) bool { return b.Role == role })
}

// PoolsOf are the pools that send an instance requests. All are the instances of its
// role, itself included, by whose addresses the servers are told; a server that is none
// of them is called by its address. An address that two of them have is an error where
// a backend has it, for nobody can tell who is meant. A process that does not answer is
// *integrations.Later: part of the pools looks like all of them.
func (c *Client) PoolsOf(ctx context.Context, one integrations.Instance, all []integrations.Instance) ([]integrations.Pool, error) {
	address := plain(one.Address)
	if address == "" {
		return nil, nil
	}
	known := map[string][]string{}
	for _, i := range all {
		if a := plain(i.Address); a != "" && !slices.Contains(known[a], i.ID) {
			known[a] = append(known[a], i.ID)
		}
	}
	if !slices.Contains(known[address], one.ID) {
		known[address] = append(known[address], one.ID)
	}
	mine := slices.DeleteFunc(slices.Clone(c.backends), func(b Backend) bool { return b.Role != one.Role })
	pools, err := c.each(ctx, mine, func(b Backend, servers []server) (integrations.Pool, error) {
		p := b.blank()
		for _, s := range servers {
			who, ids := s.called(), known[s.address]
			if len(ids) > 1 {
				return p, fmt.Errorf("haproxy %s: %s is the address of %s, and nobody can tell which of them its server %s is", p.Name, s.address, strings.Join(ids, " and "), s.name)
			}
			if len(ids) == 1 {
				who = ids[0]
			}
			p.Seats = append(p.Seats, s.seat(b, who, who == one.ID))
		}
		return p, nil
	})
	// What it is not in, or is out of, sends it nothing.
	return slices.DeleteFunc(pools, func(p integrations.Pool) bool {
		return !slices.ContainsFunc(p.Seats, func(s integrations.Seat) bool {
			return s.Instance == one.ID && s.State != integrations.SeatUnused
		})
	}), err
}

// Pools reads the pools of the seats, in their order, each with all its servers and with
// those asked for as they are now: unused where HAProxy has no such server any more.
// Other servers are called by their addresses.
func (c *Client) Pools(ctx context.Context, seats []integrations.Seat) ([]integrations.Pool, error) {
	var order Config
	asked := map[string][]integrations.Seat{}
	for _, s := range seats {
		if asked[s.Pool] == nil {
			b, err := c.find(s)
			if err != nil {
				return nil, err
			}
			order = append(order, b)
		}
		asked[s.Pool] = append(asked[s.Pool], s)
	}
	return c.each(ctx, order, func(b Backend, servers []server) (integrations.Pool, error) {
		p, left := b.blank(), slices.Clone(asked[b.pool()])
		for _, s := range servers {
			who, mine := s.called(), false
			if n := slices.IndexFunc(left, s.is); n >= 0 {
				who, mine = left[n].Instance, true
				left = slices.Delete(left, n, n+1)
			}
			p.Seats = append(p.Seats, s.seat(b, who, mine))
		}
		for _, s := range left {
			s.State, s.Reason, s.Connections = integrations.SeatUnused, integrations.ReasonNotRegistered, 0
			p.Seats = append(p.Seats, s)
		}
		return p, nil
	})
}

// Leave sends no new connection to a seat's servers; those that a cookie binds to one of
// them still come (management guide, "set server"). One that is not there has left.
func (c *Client) Leave(ctx context.Context, s integrations.Seat) error {
	_, err := c.set(ctx, s, "drain", func(s server) bool { return s.out })
	return err
}

// Join lets them have connections again. That there is none is *integrations.Later: the
// configuration of HAProxy is made anew after the tags of an instance have changed.
func (c *Client) Join(ctx context.Context, s integrations.Seat) error {
	n, err := c.set(ctx, s, "ready", func(s server) bool { return !s.out })
	if err == nil && n == 0 {
		return &integrations.Later{After: afterMoved, Unsent: true, Err: fmt.Errorf("haproxy %s: no server has the address %s", s.Pool, s.Address)}
	}
	return err
}

// set gives the servers of a seat a state, where they do not have it, and says how many
// of them there are.
func (c *Client) set(ctx context.Context, seat integrations.Seat, state string, already func(server) bool) (n int, err error) {
	b, err := c.find(seat)
	if err != nil {
		return 0, err
	}
	servers, err := c.look(ctx, b)
	if err != nil {
		return 0, err
	}
	for _, s := range servers {
		if !s.is(seat) {
			continue
		}
		if n++; already(s) {
			continue
		}
		if !backendShape.MatchString(s.name) {
			return n, fmt.Errorf("haproxy %s: %q is not the name of a server", b.pool(), s.name)
		}
		said, err := c.call(ctx, b, fmt.Sprintf("set server %s/%s state %s", b.Backend, s.name, state))
		if err == nil && strings.TrimSpace(said) != "" {
			err = refusal(said)
		}
		if err != nil {
			return n, b.shape(ctx, "set "+s.name+" to "+state, err)
		}
	}
	return n, nil
}

// find is the backend of a seat.
func (c *Client) find(s integrations.Seat) (Backend, error) {
	n := slices.IndexFunc(c.backends, func(b Backend) bool { return b.pool() == s.Pool })
	if n < 0 {
		return Backend{}, fmt.Errorf("haproxy: the configuration has no %s any more, and nobody can tell whether %s is out of it", s.Pool, s.Instance)
	}
	return c.backends[n], nil
}

// each makes a pool of each backend, in their order, and asks all at once.
func (c *Client) each(ctx context.Context, of Config, pool func(Backend, []server) (integrations.Pool, error)) ([]integrations.Pool, error) {
	out := make([]integrations.Pool, len(of))
	all, ctx := errgroup.WithContext(ctx)
	for n, b := range of {
		all.Go(func() error {
			servers, err := c.look(ctx, b)
			if err == nil {
				out[n], err = pool(b, servers)
			}
			return err
		})
	}
	if err := all.Wait(); err != nil {
		return nil, err
	}
	return out, nil
}

// look reads the servers of a backend. One connection asks for both tables, so that they
// are of one process.
func (c *Client) look(ctx context.Context, b Backend) ([]server, error) {
	const servers = 4 // the type of what "show stat" shows
	said, err := c.call(ctx, b, fmt.Sprintf("show servers state %s;show stat %s %d -1", b.Backend, b.Backend, servers))
	if err != nil {
		return nil, b.shape(ctx, "read the servers", err)
	}
	out, err := read(said)
	return out, b.shape(ctx, "read the servers", err)
}

// call sends a line and reads until the process closes the connection.
func (c *Client) call(ctx context.Context, b Backend, line string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	conn, err := c.dial(ctx, b.network(), b.Address)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })() // ends what waits
	if _, err := io.WriteString(conn, line+"\n"); err != nil {
		return "", err
	}
	said, err := io.ReadAll(io.LimitReader(conn, longest+1))
	if err == nil && len(said) > longest {
		err = fmt.Errorf("the answer is longer than %d bytes", longest)
	}
	return string(said), err
}

// shape gives an error the words of integrations: *integrations.Later for a process that
// is not reached, or whose answer is cut off, as at a reload; else a refusal.
func (b Backend) shape(ctx context.Context, act string, err error) error {
	what := fmt.Sprintf("haproxy %s at %s: %s", b.pool(), b.Address, act)
	var wire net.Error
	var no *refused
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", what, ctx.Err())
	case errors.As(err, &no) && strings.HasPrefix(no.said, "Permission denied"):
		return fmt.Errorf("%s: %w; want level admin for this socket", what, err)
	case errors.As(err, &wire) && wire.Timeout():
		err = fmt.Errorf("no answer within %v", callLimit)
	case errors.As(err, &wire), errors.Is(err, io.EOF), errors.Is(err, errCut), errors.Is(err, context.DeadlineExceeded):
	default:
		return fmt.Errorf("%s: %w", what, err)
	}
	return &integrations.Later{After: afterAway, Err: fmt.Errorf("%s: %w", what, err)}
}

// blank is its pool without seats. HAProxy knows no zones.
func (b Backend) blank() integrations.Pool {
	return integrations.Pool{ID: b.pool(), Name: b.pool(), Kind: integrations.PoolHAProxy, Delay: delay, Spread: true}
}

// called is what a server is called that is no instance that is known.
func (s server) called() string {
	if s.address == "" {
		return s.name
	}
	return s.address
}

// is says whether a seat is of this server.
func (s server) is(seat integrations.Seat) bool {
	return s.address != "" && s.address == seat.Address && s.port == seat.Port
}

// seat is what it is to whoever asks. A backup is healthy to whoever asks for it alone:
// it does nobody else's work while that goes on.
func (s server) seat(b Backend, instance string, asked bool) integrations.Seat {
	out := integrations.Seat{Pool: b.pool(), Kind: integrations.PoolHAProxy, Instance: instance, Port: s.port, Address: s.address, Connections: s.open}
	out.State, out.Reason = s.state()
	if s.backup && !asked && out.State == integrations.SeatHealthy {
		out.State = "backup"
	}
	return out
}
