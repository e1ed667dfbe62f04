package slack

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/integrations/kit/window"
)

// Slack's limits. chat.update is tier 3: 50 a minute, in the whole workspace; the
// calls behind a file and that of a Home tab are tier 4, 100 a minute.
// chat.postMessage takes one a second in a channel, with short bursts. Ours are a
// little lower, since calls do not get there in the time in which they were sent.
const (
	editsAMinute = 49
	filesAMinute = 95
	homesAMinute = 95
	postBurst    = 3
	mostChannels = 4096
)

var errBudget = errors.New("the rate limit of Slack is used up")

// budget keeps us from asking for what Slack would refuse. It never blocks: it
// says when there is room. What goes first is the teller's to choose.
type budget struct {
	clock clock.Clock

	mu     sync.Mutex
	edits  *window.Window
	files  *window.Window
	homes  *window.Window
	posts  map[string]*rate.Limiter // by channel
	closed map[string]time.Time     // method, or method and channel: until when Slack said no
}

func newBudget(clk clock.Clock) *budget {
	return &budget{
		clock:  clk,
		edits:  window.New(editsAMinute, time.Minute),
		files:  window.New(filesAMinute, time.Minute),
		homes:  window.New(homesAMinute, time.Minute),
		posts:  map[string]*rate.Limiter{},
		closed: map[string]time.Time{},
	}
}

// take asks for one call. The error is a *Later.
func (b *budget) take(method, channel string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.clock.Now()
	for _, k := range []string{method, method + " " + channel} {
		until, ok := b.closed[k]
		if wait := until.Sub(now); wait > 0 {
			return spent(method, wait)
		} else if ok {
			delete(b.closed, k)
		}
	}
	switch method {
	case "chat.update":
		return takeOf(b.edits, method, now)
	case "files.completeUploadExternal":
		return takeOf(b.files, method, now)
	case "views.publish":
		return takeOf(b.homes, method, now)
	case "chat.postMessage":
		r := b.channel(channel, now).ReserveN(now, 1)
		if wait := r.DelayFrom(now); wait > 0 {
			r.CancelAt(now)
			return spent(method, wait)
		}
	}
	return nil
}

func takeOf(w *window.Window, method string, now time.Time) error {
	if wait := w.Wait(now, 0); wait > 0 {
		return spent(method, wait)
	}
	w.Take(now)
	return nil
}

func spent(method string, wait time.Duration) error {
	return &integrations.Later{After: wait, Err: fmt.Errorf("%s: %w", method, errBudget), Unsent: true}
}

// channel is the limiter of posts in a channel.
func (b *budget) channel(id string, now time.Time) *rate.Limiter {
	l := b.posts[id]
	if l == nil {
		if len(b.posts) >= mostChannels {
			for k, old := range b.posts {
				if old.TokensAt(now) >= postBurst {
					delete(b.posts, k)
				}
			}
		}
		l = rate.NewLimiter(rate.Every(time.Second), postBurst)
		b.posts[id] = l
	}
	return l
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
	b.closed[key] = b.clock.Now().Add(later.After)
}
