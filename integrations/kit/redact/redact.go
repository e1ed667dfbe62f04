// Package redact takes secrets out of text before it reaches any sink: a log
// file, a Slack message, a pull request comment, an error.
//
// It is part of the kit that several systems share and imports nothing of
// ours. One Redactor is made from the exact secrets a step was given; it also
// knows the shapes of secrets nobody gave it (AWS keys, GitHub and Slack
// tokens, private keys, bearer headers, passwords in URLs). Text goes through
// String at once or through Writer as it comes.
package redact

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Mark stands in the output where a secret stood.
const Mark = "<redacted>"

const (
	minSecret = 4        // shorter secrets would redact half of every log
	minLine   = 8        // a line of a multi-line secret is a secret of its own from this length
	minShift  = 8        // a base64 form at an unknown offset is matched from this length
	maxLine   = 64 << 10 // a line longer than this is let through in parts
	keepBack  = 4 << 10  // how much of such a line is kept until more has come
)

// Redactor knows a set of secrets in all the forms they are matched in. It is
// immutable and safe for concurrent use; a nil Redactor knows the patterns
// only.
type Redactor struct {
	needles [][]byte // longest first, no duplicates
	multi   [][]byte // those of them that hold a newline
	longest int
}

// New makes a Redactor for the secrets, each also as base64 (standard, URL,
// with and without padding, and inside a longer encoded text), URL-escaped and
// JSON-escaped. Secrets shorter than four bytes are ignored.
func New(secrets []string) *Redactor {
	r := &Redactor{}
	seen := map[string]bool{}
	for _, secret := range secrets {
		for _, form := range forms(secret) {
			if len(form) < minSecret || seen[form] {
				continue
			}
			seen[form] = true
			r.needles = append(r.needles, []byte(form))
		}
	}
	slices.SortFunc(r.needles, func(a, b []byte) int { return len(b) - len(a) })
	for _, n := range r.needles {
		r.longest = max(r.longest, len(n))
		if bytes.IndexByte(n, '\n') >= 0 {
			r.multi = append(r.multi, n)
		}
	}
	return r
}

// forms lists what a secret may look like in a tool's output.
func forms(secret string) []string {
	if len(secret) < minSecret {
		return nil
	}
	out := spellings(secret)
	if trimmed := strings.TrimSpace(secret); trimmed != secret && len(trimmed) >= minSecret {
		out = append(out, spellings(trimmed)...) // tools trim the newline at the end of a file
	}
	lines := strings.FieldsFunc(secret, func(c rune) bool { return c == '\n' || c == '\r' })
	if len(lines) > 1 { // printed indented or with a prefix, only its lines match
		out = append(out, strings.ReplaceAll(strings.ReplaceAll(secret, "\r\n", "\n"), "\n", "\r\n"))
		for _, line := range lines {
			if line = strings.TrimSpace(line); len(line) >= minLine {
				out = append(out, line)
			}
		}
	}
	return out
}

func spellings(s string) []string {
	b := []byte(s)
	out := []string{
		s,
		base64.StdEncoding.EncodeToString(b), base64.RawStdEncoding.EncodeToString(b),
		base64.URLEncoding.EncodeToString(b), base64.RawURLEncoding.EncodeToString(b),
		url.QueryEscape(s), url.PathEscape(s),
		jsonEscape(s, true), jsonEscape(s, false),
		strings.Trim(strconv.Quote(s), `"`),
	}
	for offset := range 3 { // as in base64("user:" + secret)
		for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			if form := shifted(b, offset, enc); len(form) >= minShift {
				out = append(out, form)
			}
		}
	}
	return out
}

// shifted is the part of the base64 form that does not depend on what stands
// around the secret, when it starts at the given offset modulo three.
func shifted(secret []byte, offset int, enc *base64.Encoding) string {
	encoded := enc.EncodeToString(append(make([]byte, offset), secret...))
	first := (offset*8 + 5) / 6
	last := (offset + len(secret)) * 8 / 6
	if first >= last {
		return ""
	}
	return encoded[first:last]
}

func jsonEscape(s string, html bool) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(html)
	if err := e.Encode(s); err != nil {
		return ""
	}
	out := strings.TrimSuffix(b.String(), "\n")
	return out[1 : len(out)-1]
}

// String returns s without its secrets.
func (r *Redactor) String(s string) string {
	st := stream{r: r, buf: []byte(s)}
	return string(st.take(true))
}

// Error returns err with the secrets taken out of its text, or err itself when
// there was none to take out. The redacted error still unwraps to err's chain
// for errors.Is and errors.As; only its text changes.
func (r *Redactor) Error(err error) error {
	if err == nil {
		return nil
	}
	clean := r.String(err.Error())
	if clean == err.Error() {
		return err
	}
	return &redactedError{text: clean, err: err}
}

type redactedError struct {
	text string
	err  error
}

func (e *redactedError) Error() string        { return e.text }
func (e *redactedError) Is(target error) bool { return e.err == target }
func (e *redactedError) Unwrap() error        { return e.err }

// Writer returns a writer that passes whole lines on to w without their
// secrets, wherever the writes are cut. It keeps back an unfinished line, and
// lines that may be the beginning of a secret, until more comes or it is
// closed. Close does not close w. It is safe for concurrent use.
func (r *Redactor) Writer(w io.Writer) io.WriteCloser {
	return &writer{w: w, st: stream{r: r}}
}

type writer struct {
	mu     sync.Mutex
	w      io.Writer
	st     stream
	closed bool
}

func (w *writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return 0, os.ErrClosed
	}
	w.st.buf = append(w.st.buf, p...)
	return len(p), w.flush(false)
}

func (w *writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil
	}
	w.closed = true
	return w.flush(true)
}

func (w *writer) flush(final bool) error {
	out := w.st.take(final)
	if len(out) == 0 {
		return nil
	}
	_, err := w.w.Write(out)
	return err
}
