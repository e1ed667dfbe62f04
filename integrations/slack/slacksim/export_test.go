package slacksim

import "time"

// NextTry is when the first pending event is tried again.
func (s *Sim) NextTry() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.book.events {
		return e.Next
	}
	return time.Time{}
}

// Encode writes what a person typed as Slack sends it on.
func (s *Sim) Encode(text string, command bool) string { return s.encode(text, command) }
