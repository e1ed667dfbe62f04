package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
)

// movedClock is a movable clock that remembers how far it was moved.
type movedClock struct {
	*clock.Movable
	path string

	mu    sync.Mutex
	saved time.Duration
}

type clockFile struct {
	Offset string `json:"offset"`
}

func openClock(path string, stands bool) (*movedClock, error) {
	var offset time.Duration
	b, err := os.ReadFile(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return nil, err
	default:
		var f clockFile
		if err := json.Unmarshal(b, &f); err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		if offset, err = time.ParseDuration(f.Offset); err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
	}
	c := &movedClock{Movable: clock.NewMovable(offset), path: path, saved: offset}
	if stands {
		c.Movable = clock.NewStanding(offset)
	}
	return c, nil
}

// save writes the offset down if it has changed. The file is replaced whole, so
// that a kill leaves the old one or the new one; synced, a power cut does too.
func (c *movedClock) save(synced bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	offset := c.Offset()
	if offset == c.saved && !synced {
		return nil
	}
	b, err := json.Marshal(clockFile{Offset: offset.String()})
	if err != nil {
		return err
	}
	if err := writeWhole(c.path, b, synced); err != nil {
		return err
	}
	c.saved = offset
	return nil
}

func writeWhole(path string, b []byte, synced bool) error {
	tmp := path + ".new"
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if synced {
		err = errors.Join(err, f.Sync())
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

const (
	// A moment counts as quiet when nothing was under way for this many looks in
	// a row: a timer that just fired needs a little time to become work.
	quietLooks = 3
	lookEvery  = 400 * time.Microsecond
	// settleLimit is how long one moment may take, in wall time.
	settleLimit = 2 * time.Minute
	// standLimit is for how long, in wall time, a clock that stands does so while something
	// is under way: a deployment of ECS takes the sandbox's own time.
	standLimit = 15 * time.Second
	// goesBy is how far it then goes on at once, with the machine's.
	goesBy = 20 * time.Millisecond
)

var errNotIdle = errors.New("the clock stands where it is now")

// advance moves the clock timer by timer, and waits for all that comes of it. In the middle
// of things it waits for nothing.
func (w *world) advance(ctx context.Context, by time.Duration, midst bool) (time.Time, error) {
	select {
	case w.moving <- struct{}{}:
		defer func() { <-w.moving }()
	case <-ctx.Done():
		return time.Time{}, ctx.Err()
	}
	if midst {
		err := w.clk.Advance(ctx, by, nil)
		return w.clk.Now(), errors.Join(err, w.clk.save(false))
	}
	// What is under way now ends at the time at which it began.
	if err := w.settle(ctx); err != nil {
		return w.clk.Now(), err
	}
	steps, began := 0, time.Now()
	err := w.clk.Advance(ctx, by, func(ctx context.Context) error {
		steps++
		if err := w.clk.save(false); err != nil {
			return err
		}
		return w.settle(ctx)
	})
	w.log.Debug("clock moved", "by", by, "timers", steps-1, "took", time.Since(began))
	return w.clk.Now(), errors.Join(err, w.clk.save(true))
}

func (w *world) settle(ctx context.Context) error {
	began := time.Now()
	limit, goes := began.Add(settleLimit), began.Add(standLimit)
	t := time.NewTicker(lookEvery)
	defer t.Stop()
	for quiet := 0; quiet < quietLooks; {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-t.C:
		}
		what := w.underWay(ctx)
		switch {
		case what == "":
			quiet++
		case time.Now().After(limit):
			return fmt.Errorf("%s is still under way after %s; %w", what, settleLimit, errNotIdle)
		default:
			quiet = 0
			if w.stands && time.Now().After(goes) {
				goes = goes.Add(goesBy)
				if err := w.clk.Advance(ctx, goesBy, nil); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// underWay names what is being done now, and nothing when all is quiet.
func (w *world) underWay(ctx context.Context) string {
	if b := w.bot.Load(); b != nil && b.UnderWay != nil {
		if what := b.UnderWay(); what != "" {
			return what
		}
	}
	if !w.github.Idle() {
		return "a webhook of GitHub"
	}
	if !w.aws.Idle() {
		return "a request to AWS"
	}
	if !w.mackerel.Idle() {
		return "a request to Mackerel"
	}
	if !w.pagerDuty.Idle() {
		return "a webhook of PagerDuty"
	}
	if !w.statuspage.Idle() {
		return "a request to Statuspage"
	}
	ctx, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	if w.slack.WaitIdle(ctx) != nil {
		return "an envelope of Slack"
	}
	return ""
}
