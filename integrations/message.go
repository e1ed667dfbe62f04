package integrations

import (
	"fmt"
	"strings"
	"time"
)

// Message is what a card, a comment or an answer says, before a system gives it
// its own form. Text alone must be enough: it is what a phone's notification and
// a screen reader get.
type Message struct {
	Text   string  `json:"text"`
	Blocks []Block `json:"blocks,omitempty"`
	// Status makes it a commit status instead of a text.
	Status *Status `json:"status,omitempty"`
	// Deployment makes it a deployment's status.
	Deployment *Deployment `json:"deployment,omitempty"`
	// Annotation makes it a mark on graphs.
	Annotation *Annotation `json:"annotation,omitempty"`
	// Measured makes it values of metrics, those that a place may lack still.
	Measured []Measured `json:"measured,omitempty"`
	// File is uploaded with Text as its comment.
	File *File `json:"file,omitempty"`
	// Modal is opened for the person who asked, instead of a text.
	Modal *Modal `json:"modal,omitempty"`
	// Final is one line that says how the subject ended, once it has: it is what
	// a roll-up shows when more ends come than a channel can be told one by one.
	Final string `json:"final,omitempty"`
	// Asks says that somebody has to do something now, a confirmation or an answer:
	// it is told before what is only good to know.
	Asks bool `json:"asks,omitempty"`
	// Hold says that there is nothing to show yet; the surface stays as it is.
	Hold bool `json:"hold,omitempty"`
}

// Block is one part of a message, of exactly one kind.
type Block struct {
	Header  string   `json:"header,omitempty"`
	Text    Rich     `json:"text,omitempty"`
	Fields  []Field  `json:"fields,omitempty"` // shown side by side
	Context Rich     `json:"context,omitempty"`
	Code    string   `json:"code,omitempty"`
	Divider bool     `json:"divider,omitempty"`
	Buttons []Button `json:"buttons,omitempty"`
	// Picture is one that stands elsewhere, where everybody may fetch it.
	Picture *Picture `json:"picture,omitempty"`
	// Details is shown closed where the system can (a comment), left out where not.
	Details *Details `json:"details,omitempty"`
}

// Picture is an address of one, and what it shows, for those who cannot see it.
type Picture struct {
	URL string `json:"url"`
	Alt string `json:"alt"`
}

// Field is a short name and its value.
type Field struct {
	Name  string `json:"name"`
	Value Rich   `json:"value"`
}

// Details is a text behind a title.
type Details struct {
	Title string `json:"title"`
	Code  string `json:"code"`
}

// Button carries a command line: pressing it is typing it, as the person who
// pressed, about the subject as it was at Version.
type Button struct {
	Label   string `json:"label"`
	Command string `json:"command,omitempty"`
	Version uint64 `json:"version,omitempty"` // 0: any
	URL     string `json:"url,omitempty"`     // a link instead of a command
	Style   string `json:"style,omitempty"`   // "", "primary" or "danger"
	Confirm string `json:"confirm,omitempty"` // asked before it is sent
}

// Modal asks for what a command line lacked. What is submitted becomes that line.
type Modal struct {
	Title  string `json:"title"`
	Submit string `json:"submit"`
	Verb   string `json:"verb"`
	// Version is of what it was drawn for, as a button's is; it comes back with the answer.
	Version uint64  `json:"version,omitempty"`
	Intro   string  `json:"intro,omitempty"`
	Inputs  []Input `json:"inputs"`
}

// Input is one question of a modal.
type Input struct {
	Name     string   `json:"name"` // of the argument or flag
	Label    string   `json:"label"`
	Hint     string   `json:"hint,omitempty"`
	Value    string   `json:"value,omitempty"`   // filled in beforehand
	Options  []Option `json:"options,omitempty"` // choose one of these
	Optional bool     `json:"optional,omitempty"`
	Long     bool     `json:"long,omitempty"` // several lines
}

// Option is one choice.
type Option struct {
	Value string `json:"value"`
	Label string `json:"label"`
}

// Status is a commit status.
type Status struct {
	Context     string `json:"context"`
	State       string `json:"state"` // "pending", "success", "failure", "error"
	Description string `json:"description"`
	URL         string `json:"url,omitempty"`
}

// Deployment is a deployment and its newest status.
type Deployment struct {
	Ref         string `json:"ref"` // a SHA
	Environment string `json:"environment"`
	Task        string `json:"task"`
	State       string `json:"state"` // "queued", "in_progress", "success", "failure", "error", "inactive"
	Description string `json:"description"`
	LogURL      string `json:"log_url,omitempty"`
}

// File is a file on disk to be uploaded.
type File struct {
	Name  string `json:"name"`
	Path  string `json:"path"`
	Title string `json:"title"`
	// Alt says what a picture shows, for those who cannot see it.
	Alt string `json:"alt,omitempty"`
}

// Rich is a text with a little form, in no system's markup.
type Rich []Span

// Span is a piece of Rich.
type Span struct {
	Text string `json:"text"`
	Form string `json:"form,omitempty"` // "", "bold", "italic", "code", "link", "person", "time"
	URL  string `json:"url,omitempty"`
	// At is a time that the system shows in the zone of whoever reads it, where it
	// can, else it is told by Text.
	At time.Time `json:"at,omitzero"`
	// Person is mentioned where the system knows them, else named by Text.
	Person *Person `json:"person,omitempty"`
}

// R joins strings, spans and rich texts; anything else is formatted as by Sprint.
func R(parts ...any) Rich {
	var out Rich
	for _, p := range parts {
		switch p := p.(type) {
		case string:
			if p != "" {
				out = append(out, Span{Text: p})
			}
		case Span:
			out = append(out, p)
		case Rich:
			out = append(out, p...)
		default:
			out = append(out, Span{Text: fmt.Sprint(p)})
		}
	}
	return out
}

// Bold, Italic, Code and Link make spans.
func Bold(s string) Span      { return Span{Text: s, Form: "bold"} }
func Italic(s string) Span    { return Span{Text: s, Form: "italic"} }
func Code(s string) Span      { return Span{Text: s, Form: "code"} }
func Link(url, s string) Span { return Span{Text: s, Form: "link", URL: url} }

// Who names a person, mentioning them where the system can.
func Who(p Person) Span { return Span{Text: p.Display(), Form: "person", Person: &p} }

// When tells a time: in the zone of whoever reads it where the system can, else
// in the given one, which it names; nil is UTC.
func When(at time.Time, zone *time.Location) Span {
	if zone == nil {
		zone = time.UTC
	}
	return Span{Text: at.In(zone).Format("2006-01-02 15:04 MST"), Form: "time", At: at}
}

// Plain is the text without its form.
func (r Rich) Plain() string {
	var b strings.Builder
	for _, s := range r {
		b.WriteString(s.Text)
	}
	return b.String()
}
