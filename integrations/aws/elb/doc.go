// Package elb speaks to Elastic Load Balancing for package aws, to its target groups
// and its classic load balancers: it reads pools and moves seats, each with a type of
// its own. Errors are the SDK's.
package elb

import (
	"context"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v1 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	v2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"golang.org/x/sync/errgroup"

	"github.com/signalbox-chatops/signalbox/integrations"
)

const (
	// atOnce is how many calls one question makes at a time.
	atOnce = 4
	// groupsFor is for how long the list of target groups is taken to be right.
	groupsFor = time.Minute
	pageSize  = 400 // the most of both services
)

// Reader reads the pools of one site.
type Reader struct {
	v1  *v1.Client
	v2  *v2.Client
	now func() time.Time

	mu     sync.Mutex
	groups []types.TargetGroup
	asOf   time.Time
}

// NewReader makes one. now tells domain time.
func NewReader(c aws.Config, now func() time.Time) *Reader {
	return &Reader{v1: v1.NewFromConfig(c), v2: v2.NewFromConfig(c), now: now}
}

// Mover takes seats out of their pools, and puts them back.
type Mover struct {
	v1 *v1.Client
	v2 *v2.Client
}

// NewMover makes one.
func NewMover(c aws.Config) *Mover { return &Mover{v1.NewFromConfig(c), v2.NewFromConfig(c)} }

// Of reads the pools that have a seat for an instance. Nothing tells them by the
// instance, so all are asked.
func (r *Reader) Of(ctx context.Context, instance string) ([]integrations.Pool, error) {
	groups, err := r.targetGroups(ctx, false)
	if err != nil {
		return nil, err
	}
	classics, err := r.classics(ctx, nil)
	if err != nil {
		return nil, err
	}
	pools := make([]*integrations.Pool, len(groups)+len(classics))
	all, ctx := errgroup.WithContext(ctx)
	all.SetLimit(atOnce)
	for n, g := range groups {
		all.Go(func() (err error) {
			pools[n], err = r.groupOf(ctx, g, instance)
			return err
		})
	}
	for n, b := range classics {
		all.Go(func() (err error) {
			pools[len(groups)+n], err = r.classicOf(ctx, b, instance)
			return err
		})
	}
	if err := all.Wait(); err != nil {
		return nil, err
	}
	var out []integrations.Pool
	for _, p := range pools {
		if p != nil {
			out = append(out, *p)
		}
	}
	return out, nil
}

// holds says whether a pool has a seat for an instance.
func holds(seats []integrations.Seat, instance string) bool {
	for _, s := range seats {
		if s.Instance == instance {
			return true
		}
	}
	return false
}

// lacking are the asked seats that are not among the seats. A port or a zone that is
// not asked for is any.
func lacking(seats, asked []integrations.Seat) (out []integrations.Seat) {
next:
	for _, a := range asked {
		for _, s := range seats {
			if s.Instance == a.Instance && (a.Port == 0 || s.Port == a.Port) && (a.Zone == "" || s.Zone == a.Zone) {
				continue next
			}
		}
		out = append(out, a)
	}
	return out
}

// gone are the asked seats of a pool that is not there: nothing sends them requests.
func gone(id, name, kind string, asked []integrations.Seat) integrations.Pool {
	p := integrations.Pool{ID: id, Name: name, Kind: kind}
	for _, s := range asked {
		p.Seats = append(p.Seats, unused(s, kind))
	}
	return p
}

func unused(s integrations.Seat, kind string) integrations.Seat {
	s.Kind, s.State, s.Reason, s.Connections = kind, integrations.SeatUnused, integrations.ReasonNotRegistered, -1
	return s
}
