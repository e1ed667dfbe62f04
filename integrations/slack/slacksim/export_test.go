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
