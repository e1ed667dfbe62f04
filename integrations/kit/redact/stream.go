package redact

import (
	"bytes"
	"slices"
)

// stream is text on its way: what has come in and is not yet safe to let out.
type stream struct {
	r       *Redactor
	buf     []byte
	swallow bool // inside a secret too long to be held whole
	again   int  // how long the buffer must be before looking at it again is worth it
}

// maxHeld is how much may be held back and looked at again with every write.
const maxHeld = 4 << 10

// span is a stretch of the buffer that must not be shown.
type span struct{ from, to int }

// take removes from the buffer what is safe and returns it redacted. With
// final set, nothing more will come and all of it is taken.
func (s *stream) take(final bool) []byte {
	if s.swallow {
		s.skipWord()
	}
	if !final && len(s.buf) < s.again {
		return nil
	}
	s.again = 0
	var out []byte
	for len(s.buf) > 0 {
		cut, forced := s.cut(final)
		if cut == 0 {
			break
		}
		spans, guards := s.r.find(s.buf)
		cut = s.retreat(cut, guards, final)
		if cut == 0 && forced {
			cut = s.force(spans)
		}
		if cut == 0 {
			if len(s.buf) > maxHeld { // or many small writes would cost its square
				s.again = len(s.buf) + len(s.buf)/4
			}
			break
		}
		out = render(out, s.buf[:cut], spans)
		s.buf = append(s.buf[:0], s.buf[cut:]...)
		if !final {
			break
		}
	}
	return out
}

// cut is where the buffer may be cut at best: after its last whole line, or
// far enough into a line that is too long to wait for.
func (s *stream) cut(final bool) (at int, forced bool) {
	if final {
		return len(s.buf), false
	}
	limit, keep := maxLine, keepBack
	if s.r != nil {
		limit, keep = max(limit, 4*s.r.longest), max(keep, s.r.longest)
	}
	line := bytes.LastIndexByte(s.buf, '\n') + 1
	if len(s.buf) > limit+line {
		return max(line, len(s.buf)-keep), true
	}
	return line, len(s.buf) > 4*limit
}

// retreat moves the cut back so that no secret lies across it, neither a whole
// one nor the beginning of one.
func (s *stream) retreat(cut int, guards []span, final bool) int {
	if final {
		return cut
	}
	if s.r != nil {
		for _, n := range s.r.multi {
			cut = min(cut, begins(s.buf, n, cut))
		}
	}
	for i := len(guards) - 1; i >= 0; i-- {
		if guards[i].from < cut && cut < guards[i].to {
			cut = guards[i].from
		}
	}
	return cut
}

// force finds a cut for a buffer that has grown too large to hold back: past
// the secret at its start, swallowing what still belongs to it.
func (s *stream) force(spans []span) int {
	if len(spans) == 0 {
		return 0
	}
	if spans[0].to == len(s.buf) {
		s.swallow = true
	}
	return spans[0].to
}

func (s *stream) skipWord() {
	end := bytes.IndexAny(s.buf, " \t\r\n\"'")
	if end < 0 {
		s.buf = s.buf[:0]
		return
	}
	s.buf = append(s.buf[:0], s.buf[end:]...)
	s.swallow = false
}

// begins returns the first place before cut where the rest of buf is the
// beginning of the needle, or cut.
func begins(buf, needle []byte, cut int) int {
	for at := max(0, len(buf)-len(needle)+1); at < cut; at++ {
		i := bytes.IndexByte(buf[at:cut], needle[0])
		if i < 0 {
			return cut
		}
		at += i
		if bytes.HasPrefix(needle, buf[at:]) {
			return at
		}
	}
	return cut
}

// find returns what must not be shown, and what the buffer must not be cut
// inside of: the same with the words that gave it away, and a private key
// whose end has not come. Both are sorted and without overlaps.
func (r *Redactor) find(buf []byte) (spans, guards []span) {
	if r != nil {
		for _, n := range r.needles {
			for at := 0; ; {
				i := bytes.Index(buf[at:], n)
				if i < 0 {
					break
				}
				spans = append(spans, span{at + i, at + i + len(n)})
				at += i + 1 // a secret may overlap itself
			}
		}
	}
	secret, around := findPatterns(buf)
	keys, open := findKeys(buf)
	spans = append(append(spans, secret...), keys...)
	guards = append(around, spans...)
	if open >= 0 {
		guards = append(guards, span{open, len(buf) + 1})
	}
	return merge(spans), merge(guards)
}

func merge(spans []span) []span {
	slices.SortFunc(spans, func(a, b span) int { return a.from - b.from })
	out := spans[:0]
	for _, s := range spans {
		if n := len(out); n > 0 && s.from < out[n-1].to {
			out[n-1].to = max(out[n-1].to, s.to)
			continue
		}
		out = append(out, s)
	}
	return out
}

func render(out, buf []byte, spans []span) []byte {
	at := 0
	for _, s := range spans {
		if s.from >= len(buf) {
			break
		}
		out = append(out, buf[at:s.from]...)
		out = append(out, Mark...)
		at = min(s.to, len(buf))
	}
	return append(out, buf[at:]...)
}
