package commands

import "github.com/signalbox-chatops/signalbox/integrations"

// Refusal is an answer of no, for the person who asked: what was wrong, what
// there is, and an example that works.
type Refusal struct {
	Code    string // for the audit and for tests: "unknown_service", "not_allowed", "held", "stale" …
	What    string // one sentence
	Hint    string // what exists, or what to do
	Example string // a whole line that works, without "/ops"
	Buttons []integrations.Button
}

func (r *Refusal) Error() string {
	s := r.What
	if r.Hint != "" {
		s += " " + r.Hint
	}
	return s
}

// Refuse makes a refusal of a code and a sentence.
func Refuse(code, what string) *Refusal { return &Refusal{Code: code, What: what} }

// WithHint and WithExample add to it.
func (r *Refusal) WithHint(h string) *Refusal    { r.Hint = h; return r }
func (r *Refusal) WithExample(e string) *Refusal { r.Example = e; return r }

// WithButtons offers ways on.
func (r *Refusal) WithButtons(b ...integrations.Button) *Refusal { r.Buttons = b; return r }
