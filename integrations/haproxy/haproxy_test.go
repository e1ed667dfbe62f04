package haproxy_test

import (
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/haproxy"
)

// The contract that the drain asks for is here once more, since a system may not name a
// feature.
var _ interface {
	Holds(role string) bool
	PoolsOf(ctx context.Context, one integrations.Instance, all []integrations.Instance) ([]integrations.Pool, error)
	Pools(ctx context.Context, seats []integrations.Seat) ([]integrations.Pool, error)
	Leave(ctx context.Context, s integrations.Seat) error
	Join(ctx context.Context, s integrations.Seat) error
} = (*haproxy.Client)(nil)

var (
	first  = integrations.Instance{ID: "i-1", Role: "app", Address: "127.0.0.1"}
	second = integrations.Instance{ID: "i-2", Role: "app", Address: "127.0.0.2"}
	both   = []integrations.Instance{first, second}
)

func client(t *testing.T, backends ...haproxy.Backend) *haproxy.Client {
	t.Helper()
	c, err := haproxy.New(backends, haproxy.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (p *proxy) backend(name string) haproxy.Backend {
	return haproxy.Backend{Name: name, Address: p.socket(), Backend: "app", Role: "app"}
}

// seat is the one of an instance in its only pool.
func seat(t *testing.T, pools []integrations.Pool, err error, id string) integrations.Seat {
	t.Helper()
	if err != nil || len(pools) != 1 {
		t.Fatalf("%+v, %v", pools, err)
	}
	for _, s := range pools[0].Seats {
		if s.Instance == id {
			return s
		}
	}
	t.Fatalf("%s has no seat in %+v", id, pools[0])
	return integrations.Seat{}
}

func TestLeaveAndJoin(t *testing.T) {
	one, two := serve(t, first.Address), serve(t, second.Address)
	p := start(t, "server a 127.0.0.1:"+one.port, "server b 127.0.0.2:"+two.port)
	c, ctx := client(t, p.backend("lb-1")), t.Context()
	pools, err := c.PoolsOf(ctx, first, both)
	s := seat(t, pools, err, "i-1")
	if pool := pools[0]; pool.ID != "lb-1/app" || pool.Name != "lb-1/app" || pool.Kind != integrations.PoolHAProxy || !pool.Spread || len(pool.Seats) != 2 {
		t.Errorf("its pool is %+v", pool)
	}
	if other := seat(t, pools, err, "i-2"); s.State != integrations.SeatHealthy || s.Connections != 0 || other.State != integrations.SeatHealthy || s.Pool != "lb-1/app" || s.Kind != integrations.PoolHAProxy {
		t.Fatalf("they are %+v and %+v", s, other)
	}

	var open sync.WaitGroup
	for range 2 { // one each
		open.Go(func() { p.get("/slow") })
	}
	<-one.came
	<-two.came
	now := func() integrations.Seat {
		t.Helper()
		pools, err := c.Pools(ctx, []integrations.Seat{s})
		return seat(t, pools, err, "i-1")
	}
	if s := now(); s.State != integrations.SeatHealthy || s.Connections != 1 {
		t.Errorf("with a request it is %+v", s)
	}
	for range 2 { // the second time it is so already
		if err := c.Leave(ctx, s); err != nil {
			t.Fatal(err)
		}
	}
	if s := now(); s.State != integrations.SeatDraining || s.Connections != 1 {
		t.Errorf("told to leave, with a request, it is %+v", s)
	}
	for range 6 {
		if who := p.get("/"); who != second.Address {
			t.Errorf("a new request came to %s", who)
		}
	}
	one.let <- true
	until(t, "it has no connection any more", func() bool { return now().Connections == 0 })
	if s := now(); s.State != integrations.SeatUnused || s.Reason != integrations.ReasonNotRegistered {
		t.Errorf("drained it is %+v", s)
	}
	if pools, err := c.PoolsOf(ctx, first, both); err != nil || len(pools) > 0 {
		t.Errorf("it is in %+v, %v", pools, err)
	}
	two.let <- true
	open.Wait()

	for range 2 {
		if err := c.Join(ctx, s); err != nil {
			t.Fatal(err)
		}
	}
	if s := now(); s.State != integrations.SeatHealthy {
		t.Errorf("back it is %+v", s)
	}
	got := map[string]bool{}
	for range 4 {
		got[p.get("/")] = true
	}
	if !got[first.Address] || !got[second.Address] {
		t.Errorf("requests came to %v", got)
	}
}

// A reload loses what was set. It is seen, and can be set again.
func TestReloadForgets(t *testing.T) {
	one, two := serve(t, first.Address), serve(t, second.Address)
	p := start(t, "server a 127.0.0.1:"+one.port, "server b 127.0.0.2:"+two.port)
	c, ctx := client(t, p.backend("lb-1")), t.Context()
	pools, err := c.PoolsOf(ctx, first, both)
	s := seat(t, pools, err, "i-1")
	for round := range 2 {
		if err := c.Leave(ctx, s); err != nil {
			t.Fatal(err)
		}
		pools, err := c.Pools(ctx, []integrations.Seat{s})
		if s := seat(t, pools, err, "i-1"); s.State != integrations.SeatUnused {
			t.Fatalf("round %d: drained it is %+v", round, s)
		}
		p.reload()
		pools, err = c.Pools(ctx, []integrations.Seat{s})
		if s := seat(t, pools, err, "i-1"); s.State != integrations.SeatHealthy {
			t.Fatalf("round %d: after a reload it is %+v", round, s)
		}
	}

	// The configuration is made anew without it, and with others in its name's place.
	p.write("server a 127.0.0.2:" + two.port)
	p.reload()
	pools, err = c.Pools(ctx, []integrations.Seat{s})
	if s := seat(t, pools, err, "i-1"); s.State != integrations.SeatUnused || s.Reason != integrations.ReasonNotRegistered || s.Connections != 0 {
		t.Errorf("gone it is %+v", s)
	}
	if err := c.Leave(ctx, s); err != nil {
		t.Errorf("what is gone cannot leave: %v", err)
	}
	if who := p.get("/"); who != second.Address {
		t.Errorf("another one was told to leave: %s", who)
	}
	var later *integrations.Later
	if err := c.Join(ctx, s); !errors.As(err, &later) {
		t.Errorf("what is gone joins: %v", err)
	}
}

// Each process has a state of its own, and is asked.
func TestEveryProcessIsAsked(t *testing.T) {
	one := serve(t, first.Address)
	p, q := start(t, "server a 127.0.0.1:"+one.port), start(t, "server a 127.0.0.1:"+one.port)
	c, ctx := client(t, p.backend("lb-1"), q.backend("lb-2")), t.Context()
	pools, err := c.PoolsOf(ctx, first, both)
	if err != nil || len(pools) != 2 {
		t.Fatalf("%+v, %v", pools, err)
	}
	seats := []integrations.Seat{pools[1].Seats[0], pools[0].Seats[0]}
	states := func() string {
		pools, err := c.Pools(ctx, seats)
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, p := range pools {
			out = append(out, p.ID+" "+p.Seats[0].State)
		}
		return strings.Join(out, ", ")
	}
	if err := c.Leave(ctx, seats[1]); err != nil {
		t.Fatal(err)
	}
	if got := states(); got != "lb-2/app healthy, lb-1/app unused" {
		t.Errorf("they are %s", got)
	}
	if err := c.Leave(ctx, seats[0]); err != nil {
		t.Fatal(err)
	}
	if got := states(); got != "lb-2/app unused, lb-1/app unused" {
		t.Errorf("they are %s", got)
	}
	// One that does not answer is not one that it is not in.
	q.end()
	q.run() // so that it can be ended again
	q.end()
	var later *integrations.Later
	if _, err := c.Pools(ctx, seats); !errors.As(err, &later) || !strings.Contains(err.Error(), "haproxy lb-2/app at ") {
		t.Errorf("read without lb-2: %v", err)
	}
	if _, err := c.PoolsOf(ctx, second, both); !errors.As(err, &later) {
		t.Errorf("its pools without lb-2: %v", err)
	}
	q.run()
}

// What is down, a backup, foreign, or in another role.
func TestOtherServers(t *testing.T) {
	one, two := serve(t, first.Address), serve(t, second.Address)
	p := start(t, "server a 127.0.0.1:"+one.port, "server b 127.0.0.2:"+two.port+" backup", "server c 127.0.0.3:"+two.port, "server d 127.0.0.4:1 check inter 10", "server e 127.0.0.4:2 check inter 10")
	c, ctx := client(t, p.backend("lb-1")), t.Context()
	down := integrations.Instance{ID: "i-4", Role: "app", Address: "127.0.0.4"}
	all := append(both[:2:2], down)
	states := func(of integrations.Instance) string {
		pools, err := c.PoolsOf(ctx, of, all)
		if err != nil {
			return err.Error()
		}
		var out []string
		for _, p := range pools {
			for _, s := range p.Seats {
				out = append(out, s.Instance+" "+s.State)
			}
		}
		return strings.Join(out, ", ")
	}
	until(t, "d and e are down", func() bool { return strings.HasSuffix(states(first), "i-4 unhealthy, i-4 unhealthy") })
	if got, want := states(first), "i-1 healthy, i-2 backup, 127.0.0.3 healthy, i-4 unhealthy, i-4 unhealthy"; got != want {
		t.Errorf("they are %s", got)
	}
	if got, want := states(second), "i-1 healthy, i-2 healthy, 127.0.0.3 healthy, i-4 unhealthy, i-4 unhealthy"; got != want {
		t.Errorf("they are %s", got)
	}
	for what, i := range map[string]integrations.Instance{
		"in another role": {ID: "i-1", Role: "api", Address: first.Address}, "not behind it": {ID: "i-9", Role: "app", Address: "127.0.0.9"}, "without an address": {ID: "i-1", Role: "app"},
	} {
		if got := states(i); got != "" {
			t.Errorf("%s: %s", what, got)
		}
	}
	if c.Holds("api") || !c.Holds("app") {
		t.Error("it does not know its roles")
	}
	// What is down may come up: it is told to leave too.
	pools, err := c.PoolsOf(ctx, down, all)
	s := seat(t, pools, err, "i-4")
	if err := c.Leave(ctx, s); err != nil {
		t.Fatal(err)
	}
	pools, err = c.Pools(ctx, []integrations.Seat{s})
	if s := seat(t, pools, err, "i-4"); s.State != integrations.SeatUnused {
		t.Errorf("down and drained it is %+v", s)
	}
	if got := states(down); !strings.HasSuffix(got, "i-4 unused, i-4 unhealthy") {
		t.Errorf("its other port left too: %s", got)
	}
	all = append(all, integrations.Instance{ID: "i-5", Role: "app", Address: first.Address})
	if got := states(first); !strings.Contains(got, "127.0.0.1 is the address of i-1 and i-5") {
		t.Errorf("two of an address: %s", got)
	}
}

// What is refused is told with what to do, and is not tried again.
func TestRefusals(t *testing.T) {
	one := serve(t, first.Address)
	p := start(t, "server a 127.0.0.1:"+one.port)
	ctx := t.Context()
	var later *integrations.Later
	operator := p.backend("lb-1")
	operator.Address = filepath.Join(p.dir, "operator.sock")
	c := client(t, operator)
	pools, err := c.PoolsOf(ctx, first, both)
	s := seat(t, pools, err, "i-1")
	if err := c.Leave(ctx, s); err == nil || errors.As(err, &later) || !strings.Contains(err.Error(), "set a to drain: it says “Permission denied”; want level admin") {
		t.Errorf("as an operator: %v", err)
	}
	if err := c.Join(ctx, s); err != nil { // it is in
		t.Errorf("nothing is to be done, and that is refused: %v", err)
	}
	other := p.backend("lb-1")
	other.Backend = "nope"
	if _, err := client(t, other).PoolsOf(ctx, first, both); err == nil || errors.As(err, &later) || !strings.Contains(err.Error(), "Can't find backend") {
		t.Errorf("another backend: %v", err)
	}
	c = client(t, other)
	for what, err := range map[string]error{"leave": c.Leave(ctx, s), "join": c.Join(ctx, s), "pools": failure(c.Pools(ctx, []integrations.Seat{s}))} {
		if err == nil || errors.As(err, &later) || !strings.Contains(err.Error(), "the configuration has no lb-1/app any more") {
			t.Errorf("%s what is not configured: %v", what, err)
		}
	}
}

func failure[T any](_ T, err error) error { return err }

// A process that hangs is not waited for longer than 5 s, and whoever asks may give up
// before.
func TestTimeLimit(t *testing.T) {
	hang := func(ctx context.Context, network, address string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() { // ends with the connection
			_, _ = io.Copy(io.Discard, theirs)
			_ = theirs.Close()
		}()
		return ours, nil
	}
	for _, c := range []struct {
		limit, took time.Duration
		want        string
	}{{time.Hour, 5 * time.Second, "lb-1/app at 10.0.0.5:9999: read the servers: no answer within 5s"}, {time.Second, time.Second, "context deadline exceeded"}} {
		synctest.Test(t, func(t *testing.T) {
			client, err := haproxy.New(haproxy.Config{{Name: "lb-1", Address: "10.0.0.5:9999", Backend: "app", Role: "app"}}, haproxy.Options{Dial: hang})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), c.limit)
			defer cancel()
			since := time.Now()
			_, err = client.PoolsOf(ctx, first, both)
			var later *integrations.Later
			if took := time.Since(since); took != c.took || err == nil || !strings.Contains(err.Error(), c.want) || errors.As(err, &later) != (c.took == 5*time.Second) {
				t.Errorf("after %v: %v", took, err)
			}
		})
	}
}
