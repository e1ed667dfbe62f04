package elb

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v1 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancing/types"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// classics lists classic load balancers: all, or those of the names.
func (r *Reader) classics(ctx context.Context, names []string) ([]types.LoadBalancerDescription, error) {
	in := &v1.DescribeLoadBalancersInput{LoadBalancerNames: names}
	if len(names) == 0 {
		in.PageSize = aws.Int32(pageSize)
	}
	var out []types.LoadBalancerDescription
	pages := v1.NewDescribeLoadBalancersPaginator(r.v1, in)
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		out = append(out, page.LoadBalancerDescriptions...)
	}
	return out, nil
}

func noBalancer(err error) bool {
	var none *types.AccessPointNotFoundException
	return errors.As(err, &none)
}

func notRegistered(err error) bool {
	var none *types.InvalidEndPointException
	return errors.As(err, &none)
}

// classicOf reads a classic load balancer if it has a seat for the instance; nil if it
// has none, or is gone. Its health is asked and not its list of instances: one that is
// leaving still has connections.
func (r *Reader) classicOf(ctx context.Context, b types.LoadBalancerDescription, instance string) (*integrations.Pool, error) {
	name := aws.ToString(b.LoadBalancerName)
	seats, err := r.health(ctx, name, "")
	if noBalancer(err) || err == nil && !holds(seats, instance) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	p, err := r.classic(ctx, b)
	if noBalancer(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	p.Seats = seats
	return &p, nil
}

// Classic reads a classic load balancer by its name, with all its seats and those
// asked for.
func (r *Reader) Classic(ctx context.Context, name string, asked []integrations.Seat) (integrations.Pool, error) {
	p, err := r.wholeClassic(ctx, name, asked)
	if noBalancer(err) {
		return gone(name, name, integrations.PoolClassic, asked), nil
	}
	return p, err
}

func (r *Reader) wholeClassic(ctx context.Context, name string, asked []integrations.Seat) (integrations.Pool, error) {
	found, err := r.classics(ctx, []string{name})
	if err != nil {
		return integrations.Pool{}, err
	}
	if len(found) == 0 {
		return gone(name, name, integrations.PoolClassic, asked), nil
	}
	p, err := r.classic(ctx, found[0])
	if err != nil {
		return integrations.Pool{}, err
	}
	if p.Seats, err = r.health(ctx, name, ""); err != nil {
		return integrations.Pool{}, err
	}
	for _, s := range lacking(p.Seats, asked) {
		said, err := r.health(ctx, name, s.Instance)
		switch {
		case notRegistered(err):
			said = nil
		case err != nil:
			return integrations.Pool{}, err
		}
		if len(said) == 0 {
			said = []integrations.Seat{unused(s, integrations.PoolClassic)}
		}
		p.Seats = append(p.Seats, said...)
	}
	return p, nil
}

// What a classic load balancer says of an instance, in part (Configure connection
// draining, and Troubleshoot a Classic Load Balancer: instance registration).
var sayings = []struct {
	say, state, reason string
}{
	// With connections: InService. An unhealthy one says so while OutOfService, which
	// is not yet to be out of it.
	{"deregistration currently in progress", integrations.SeatDraining, "Target.DeregistrationInProgress"},
	{"not currently registered", integrations.SeatUnused, integrations.ReasonNotRegistered},
	{"registration is still in progress", "initial", "Elb.RegistrationInProgress"},
}

func state(s types.InstanceState) (state, reason string) {
	said := aws.ToString(s.Description)
	for _, known := range sayings {
		if strings.Contains(strings.ToLower(said), known.say) {
			return known.state, known.reason
		}
	}
	switch aws.ToString(s.State) {
	case "InService":
		return integrations.SeatHealthy, ""
	case "OutOfService":
		return "unhealthy", said
	}
	return "unavailable", said // "Unknown"
}

// health reads the seats of a classic load balancer, or the one of an instance.
func (r *Reader) health(ctx context.Context, name, instance string) ([]integrations.Seat, error) {
	in := &v1.DescribeInstanceHealthInput{LoadBalancerName: &name}
	if instance != "" {
		in.Instances = []types.Instance{{InstanceId: &instance}}
	}
	got, err := r.v1.DescribeInstanceHealth(ctx, in)
	if err != nil {
		return nil, err
	}
	var out []integrations.Seat
	for _, s := range got.InstanceStates {
		seat := integrations.Seat{Pool: name, Kind: integrations.PoolClassic, Instance: aws.ToString(s.InstanceId), Connections: -1}
		seat.State, seat.Reason = state(s)
		out = append(out, seat)
	}
	return out, nil
}

// classic reads what a classic load balancer is set to.
func (r *Reader) classic(ctx context.Context, b types.LoadBalancerDescription) (integrations.Pool, error) {
	name := aws.ToString(b.LoadBalancerName)
	p := integrations.Pool{ID: name, Name: name, Kind: integrations.PoolClassic, Zones: slices.Sorted(slices.Values(b.AvailabilityZones))}
	got, err := r.v1.DescribeLoadBalancerAttributes(ctx, &v1.DescribeLoadBalancerAttributesInput{LoadBalancerName: &name})
	if err != nil {
		return p, err
	}
	if a := got.LoadBalancerAttributes; a != nil {
		p.Spread = a.CrossZoneLoadBalancing != nil && a.CrossZoneLoadBalancing.Enabled
		if d := a.ConnectionDraining; d != nil && d.Enabled {
			p.Delay = 300 * time.Second // what it has that says nothing
			if d.Timeout != nil {
				p.Delay = time.Duration(*d.Timeout) * time.Second
			}
		}
	}
	return p, nil
}

// LeaveClassic deregisters an instance. One that is not there is InvalidInstance.
func (m *Mover) LeaveClassic(ctx context.Context, s integrations.Seat) error {
	_, err := m.v1.DeregisterInstancesFromLoadBalancer(ctx, &v1.DeregisterInstancesFromLoadBalancerInput{
		LoadBalancerName: &s.Pool, Instances: []types.Instance{{InstanceId: &s.Instance}},
	})
	return err
}

// JoinClassic registers it again.
func (m *Mover) JoinClassic(ctx context.Context, s integrations.Seat) error {
	_, err := m.v1.RegisterInstancesWithLoadBalancer(ctx, &v1.RegisterInstancesWithLoadBalancerInput{
		LoadBalancerName: &s.Pool, Instances: []types.Instance{{InstanceId: &s.Instance}},
	})
	return err
}
