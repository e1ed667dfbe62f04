package drain

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// What is changed on the fake fleet.

// change does something to the outside, unless a fault comes in its way.
func (f *fleet) change(call string, do func() error) error {
	f.settle()
	if f.fault != nil {
		if err := f.fault(call, true); err != nil {
			return err
		}
	}
	f.calls = append(f.calls, call)
	if err := do(); err != nil {
		return err
	}
	if f.watch != nil {
		f.watch(call)
	}
	if f.fault != nil {
		return f.fault(call, false)
	}
	return nil
}

func (f *fleet) Tag(_ context.Context, _ integrations.Site, id string, set map[string]string, unset []string) error {
	return f.change("tag "+id, func() error {
		for k, v := range set {
			f.boxes[id].Tags[k] = v
		}
		for _, k := range unset {
			delete(f.boxes[id].Tags, k)
		}
		return nil
	})
}

func (f *fleet) EnterStandby(_ context.Context, _ integrations.Site, _, id string, shrink bool) error {
	return f.change("standby "+id, func() error {
		b := f.boxes[id]
		if b.lifecycle != integrations.MemberInService {
			return fmt.Errorf("ValidationError: %s is not InService", id)
		}
		if shrink {
			if f.group.Desired-1 < f.group.Min {
				return errors.New("ValidationError: below the minimum")
			}
			f.group.Desired--
		}
		b.lifecycle, b.moving = integrations.MemberStandby, f.clock.Now().Add(3*time.Second)
		for p := range b.seats {
			b.leaving[p] = f.clock.Now()
		}
		b.seats = map[string]time.Time{}
		return nil
	})
}

func (f *fleet) ExitStandby(_ context.Context, _ integrations.Site, _, id string) error {
	return f.change("unstandby "+id, func() error {
		b := f.boxes[id]
		if b.lifecycle != integrations.MemberStandby {
			return fmt.Errorf("ValidationError: %s is not in Standby", id)
		}
		if f.group.Desired+1 > f.group.Max {
			return errors.New("ValidationError: above the maximum")
		}
		f.group.Desired++
		b.lifecycle, b.leaving = integrations.MemberInService, map[string]time.Time{}
		for _, p := range f.pools {
			if p.ID != taskPool { // its services register their tasks themselves
				b.seats[p.ID] = f.clock.Now()
			}
		}
		return nil
	})
}

func (f *fleet) SetDesired(_ context.Context, _ integrations.Site, _ string, n int) error {
	return f.change(fmt.Sprint("desire ", n), func() error {
		if n < f.group.Min || n > f.group.Max {
			return errors.New("ValidationError: out of bounds")
		}
		f.group.Desired = n
		f.settle()
		return nil
	})
}

func (f *fleet) Leave(_ context.Context, _ integrations.Site, s integrations.Seat) error {
	return f.change("leave "+s.Pool+" "+s.Instance, func() error {
		b := f.boxes[s.Instance]
		if s.Pool == taskPool {
			b.off = append(b.off, s.Port)
			return nil
		}
		delete(b.seats, s.Pool)
		b.leaving[s.Pool] = f.clock.Now()
		return nil
	})
}

func (f *fleet) Join(_ context.Context, _ integrations.Site, s integrations.Seat) error {
	return f.change("join "+s.Pool+" "+s.Instance, func() error {
		b := f.boxes[s.Instance]
		delete(b.leaving, s.Pool)
		if _, in := b.seats[s.Pool]; !in {
			b.seats[s.Pool] = f.clock.Now()
		}
		return nil
	})
}

func (f *fleet) Terminate(_ context.Context, _ integrations.Site, group, id string) error {
	return f.change("terminate "+id, func() error {
		f.ended = append(f.ended, id)
		if b := f.boxes[id]; b.State == integrations.InstanceRunning {
			f.finish(b)
		}
		return nil
	})
}
