package slacksim

import (
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
)

// channelBurst is how many messages may come at once to one channel, beyond the
// one a second that it takes for long.
const channelBurst = 5

// limits are the rate limits of the workspace.
type limits struct {
	clock clock.Clock

	mu    sync.Mutex
	posts map[string]*rate.Limiter // by channel
	calls map[string][]time.Time   // of the last minute, by method
}

func (l *limits) init(clk clock.Clock) {
	l.clock, l.posts, l.calls = clk, map[string]*rate.Limiter{}, map[string][]time.Time{}
}

// method takes one of the calls that a method allows in any stretch of a minute,
// which is how the tiers are worded; all of them may come at once. It returns the
// seconds to wait, or 0.
func (l *limits) method(name string, perMinute int) int {
	if perMinute == 0 {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock.Now()
	var lately []time.Time
	for _, at := range l.calls[name] {
		if now.Sub(at) < time.Minute {
			lately = append(lately, at)
		}
	}
	l.calls[name] = lately
	if len(lately) < perMinute {
		l.calls[name] = append(lately, now)
		return 0
	}
	return seconds(time.Minute - now.Sub(lately[len(lately)-perMinute]))
}

// post takes one message to a channel.
func (l *limits) post(channel string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	lim := l.posts[channel]
	if lim == nil {
		lim = rate.NewLimiter(1, channelBurst)
		l.posts[channel] = lim
	}
	now := l.clock.Now()
	res := lim.ReserveN(now, 1)
	wait := res.DelayFrom(now)
	if wait == 0 {
		return 0
	}
	res.CancelAt(now)
	return seconds(wait)
}

func seconds(d time.Duration) int { return int(math.Ceil(d.Seconds())) }
