package slack

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// Slack's limits: chat.update is tier 3 (50 a minute, in the whole workspace),
// chat.postMessage one a second in a channel, with short bursts.
const (
	editsAMinute = 45
	editBurst    = 10
	postBurst    = 3
	mostChannels = 4096
)

var errBudget = errors.New("the rate limit of Slack is used up")

// budget keeps us from asking for what Slack would refuse. It never blocks: it
// says when there is room. It counts wall time, as Slack does.
type budget struct {
	mu     sync.Mutex
	edits  *rate.Limiter
	posts  map[string]*rate.Limiter // by channel
	closed map[string]time.Time     // method, or method and channel: until when Slack said no
}

func newBudget() *budget {
	return &budget{
		edits:  rate.NewLimiter(rate.Every(time.Minute/editsAMinute), editBurst),
		posts:  map[string]*rate.Limiter{},
		closed: map[string]time.Time{},
	}
}

// take asks for one call. The error is a *Later.
func (b *budget) take(method, channel string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	for _, k := range []string{method, method + " " + channel} {
		until, ok := b.closed[k]
		if wait := until.Sub(now); wait > 0 {
			return spent(method, wait)
		} else if ok {
			delete(b.closed, k)
		}
	}
	l := b.limiter(method, channel, now)
	if l == nil {
		return nil
	}
	r := l.ReserveN(now, 1)
	if wait := r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
		return spent(method, wait)
	}
	return nil
}

func spent(method string, wait time.Duration) error {
	return &integrations.Later{After: wait, Err: fmt.Errorf("%s: %w", method, errBudget)}
}

func (b *budget) limiter(method, channel string, now time.Time) *rate.Limiter {
	switch method {
	case "chat.update":
		return b.edits
	case "chat.postMessage":
		l := b.posts[channel]
		if l == nil {
			if len(b.posts) >= mostChannels {
				for k, old := range b.posts {
					if old.TokensAt(now) >= postBurst {
						delete(b.posts, k)
					}
				}
			}
			l = rate.NewLimiter(rate.Every(time.Second), postBurst)
			b.posts[channel] = l
		}
		return l
	}
	return nil
}

// refused learns from Slack's own no: a post is limited by channel, the rest by method.
func (b *budget) refused(method, channel string, err error) {
	later, ok := errors.AsType[*integrations.Later](err)
	if !ok || errors.Is(err, errBudget) || !limited(later.Err) {
		return
	}
	key := method
	if method == "chat.postMessage" {
		key += " " + channel
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed[key] = time.Now().Add(later.After)
}
