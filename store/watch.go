package store

import "sync"

// The topics that accessors touch. A feature's records touch "feature/<name>".
const (
	TopicInbox      = "inbox"
	TopicJobs       = "jobs"
	TopicSurfaces   = "surfaces"
	TopicOperations = "operations"
	TopicHolds      = "holds"
	TopicPulls      = "pulls"
	TopicAudit      = "audit"
)

// watchers knows who wants to hear of which topic.
type watchers struct {
	mu sync.Mutex
	by map[string]map[chan struct{}]struct{}
}

// Watch returns a channel of capacity 1 that is signalled after each commit
// that changed topic; signals that nobody has taken yet are one signal. The
// function ends the subscription. Look once after subscribing: what was
// committed before is not told.
func (s *Store) Watch(topic string) (<-chan struct{}, func()) {
	c := make(chan struct{}, 1)
	w := &s.watchers
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.by == nil {
		w.by = map[string]map[chan struct{}]struct{}{}
	}
	if w.by[topic] == nil {
		w.by[topic] = map[chan struct{}]struct{}{}
	}
	w.by[topic][c] = struct{}{}
	return c, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.by[topic], c)
	}
}

func (w *watchers) tell(topics []string) {
	if len(topics) == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, topic := range topics {
		for c := range w.by[topic] {
			select {
			case c <- struct{}{}:
			default:
			}
		}
	}
}
