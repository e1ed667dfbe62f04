package awssim

import (
	"time"
)

// How long things take. AWS promises none of these; they are of the order that is
// seen there, and short enough to watch.
const (
	BootTime      = 20 * time.Second // from launch to running
	JoinTime      = 30 * time.Second // from launch to InService
	AgentTime     = 10 * time.Second // from running to the first ping of its agent
	StandbyTime   = 5 * time.Second  // into Standby, and out of it
	EndTime       = 5 * time.Second  // in Terminating, at the least
	ShutdownTime  = 20 * time.Second // from shutting-down to terminated
	NoticeTime    = 30 * time.Second // until a group sees that a member is dead or unhealthy
	BalanceTime   = 5 * time.Second  // until a group acts on its number of members
	SettleTime    = 120 * time.Second
	SpotTime      = 2 * time.Minute // between the notice and the end
	RemainTime    = time.Hour       // that a terminated instance is still shown
	DeliveryTime  = time.Second     // of a command
	ScriptTime    = time.Second     // that it runs, unless the host says otherwise
	ClosingTime   = 10 * time.Second
	LeavingTime   = 20 * time.Second // until the connections have ended of a host that gets no new ones
	maxSettlement = 1_000_000        // events in one go
)

// An event is something that happens by itself.
type event struct {
	at time.Time
	do func(at time.Time)
}

// settle lets all happen that was to happen until now, in order.
func (s *Sim) settle(now time.Time) {
	w := s.world
	for range maxSettlement {
		e := s.nextEvent()
		if e.do == nil || e.at.After(now) {
			w.Settled = latest(w.Settled, now)
			return
		}
		// What was held up, by a suspended process say, happens now and not when
		// it would have.
		w.Settled = latest(w.Settled, e.at)
		e.do(w.Settled)
		w.watch(w.Settled)
		s.dirty = true
	}
	s.log.Error("aws simulator: the fleet does not come to rest")
}

// nextEvent is the earliest; of two at the same moment, the first in the state's order.
func (s *Sim) nextEvent() event {
	var first event
	offer := func(at time.Time, do func(at time.Time)) {
		if !at.IsZero() && (first.do == nil || at.Before(first.at)) {
			first = event{at: at, do: do}
		}
	}
	for _, st := range s.world.Sites {
		for _, i := range st.Instances {
			st.instanceEvents(s.world, i, offer)
		}
		for _, g := range st.Groups {
			if !g.Off.IsZero() {
				offer(g.Off.Add(BalanceTime), func(at time.Time) { st.balance(s.world, g, at) })
			}
		}
		for _, cl := range st.Clusters {
			st.clusterEvents(s.world, cl, offer)
		}
		st.buildEvents(offer)
		for _, c := range st.Commands {
			for _, r := range c.Runs {
				offer(r.Next, func(at time.Time) { s.proceed(st, c, r, at) })
			}
		}
	}
	return first
}

func (st *site) instanceEvents(w *world, i *instance, offer func(time.Time, func(time.Time))) {
	offer(i.Next, func(at time.Time) { st.advance(w, i, at) })
	if !i.Ended.IsZero() {
		offer(i.Ended.Add(RemainTime), func(time.Time) { st.remove(i) })
	}
	if !i.SpotNotice.IsZero() && i.Ending.IsZero() {
		offer(i.SpotNotice.Add(SpotTime), func(at time.Time) { i.end(at, "Server.SpotInstanceTermination") })
	}
	if g := st.group(i.Group); g != nil && i.Lifecycle == inService && g.replaces() {
		if since := st.unhealthySince(g, i); !since.IsZero() {
			offer(since.Add(NoticeTime), func(at time.Time) {
				st.terminate(w, g, i, at, "was taken out of service in response to a health check failure")
			})
		}
	}
}

// remove makes the site forget an instance.
func (st *site) remove(i *instance) {
	for k, x := range st.Instances {
		if x == i {
			st.Instances = append(st.Instances[:k:k], st.Instances[k+1:]...)
			break
		}
	}
	for _, p := range st.Pools {
		p.forget(i.ID)
	}
}

// watch notes since when each group has had another number of members than it wants.
func (w *world) watch(at time.Time) {
	for _, s := range w.Sites {
		s.watchClusters(at)
		for _, g := range s.Groups {
			switch {
			case !s.unbalanced(g):
				g.Off = time.Time{}
			case g.Off.IsZero():
				g.Off = at
			}
		}
	}
}
