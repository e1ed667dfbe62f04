package slacksim

import (
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// channelBurst is how many messages may come at once to one channel, beyond the
// one a second that it takes for long.
const channelBurst = 5

// limits are the rate limits of the workspace, by wall time.
type limits struct {
	mu sync.Mutex
	by map[string]*rate.Limiter
}

func (l *limits) init() { l.by = map[string]*rate.Limiter{} }

// method takes one call from a method's minute, all of which may come at once.
// It returns the seconds to wait, or 0.
func (l *limits) method(name string, perMinute int) int {
	if perMinute == 0 {
		return 0
	}
	return l.take(name, rate.Limit(float64(perMinute)/60), perMinute)
}

// post takes one message to a channel.
func (l *limits) post(channel string) int { return l.take("post "+channel, 1, channelBurst) }

func (l *limits) take(key string, r rate.Limit, burst int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	lim := l.by[key]
	if lim == nil {
		lim = rate.NewLimiter(r, burst)
		l.by[key] = lim
	}
	res := lim.ReserveN(time.Now(), 1)
	wait := res.Delay()
	if wait == 0 {
		return 0
	}
	res.Cancel()
	return int(math.Ceil(wait.Seconds()))
}
