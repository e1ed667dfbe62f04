package commands

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// tryMost is how long, of wall time, one try to decide may take: a verb has ten
// seconds, a handler thirty, and the store the rest.
const tryMost = 2 * time.Minute

// Alive says whether the loop goes round and no decision hangs; it waits for the
// loop until ctx ends.
func (d *Dispatcher) Alive(ctx context.Context) error {
	select {
	case d.asks <- struct{}{}:
	case <-ctx.Done():
		return errors.New("its loop does not go round")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for seq, at := range d.begun {
		if took := time.Since(at); took > tryMost {
			return fmt.Errorf("event %d is being decided for %v", seq, took.Round(time.Second))
		}
	}
	return nil
}
