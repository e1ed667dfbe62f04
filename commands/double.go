package commands

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// doubleWithin is how soon the same command again is taken for a slip: chats
// leave the text in the composer when they lose an answer, and people press
// Enter once more.
const doubleWithin = 10 * time.Second

// A done is a changing command that was carried out.
type done struct {
	At      time.Time `json:"at"` // when it was accepted
	Event   uint64    `json:"event"`
	Subject string    `json:"subject,omitempty"`
	Line    string    `json:"line"`
}

func doneRecords(tx *store.Tx) *store.Records[done] { return store.Feature[done](tx, "double") }

// doneKey is the last command of a kind of one person in one channel. A button
// that was drawn anew is another one.
func doneKey(it *item, c *Call) string {
	return strings.Join([]string{it.heard.User, it.heard.Channel, c.Verb.Name, fmt.Sprint(c.Version), Render(c)}, "\x00")
}

// double is the command that this one repeats, nil if it does not: the same
// line, by the same person, in the same place, while what the first one began
// is still under way.
func double(tx *store.Tx, it *item, c *Call) (*done, error) {
	if c == nil || c.Verb.Effect != Changes {
		return nil, nil
	}
	first, found, err := doneRecords(tx).Get(doneKey(it, c))
	if err != nil || !found || it.event.Accepted.Sub(first.At) > doubleWithin {
		return nil, err
	}
	on, err := underWay(tx, first.Subject)
	if err != nil || !on {
		return nil, err
	}
	return &first, nil
}

func underWay(tx *store.Tx, subject string) (bool, error) {
	over, err := true, error(nil)
	switch {
	case strings.HasPrefix(subject, "op-"):
		var o *store.Operation
		if o, err = tx.Operation(subject); err == nil {
			over = o.Terminal()
		}
	case strings.HasPrefix(subject, "job-"):
		var j *store.Job
		if j, err = tx.Job(subject); err == nil {
			over = j.Terminal()
		}
	}
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return !over, err
}

// remember notes a changing command that was carried out, and forgets those of
// the same person there that are over.
func remember(tx *store.Tx, it *item, c *Call, subject string) error {
	if c == nil || c.Verb.Effect != Changes {
		return nil
	}
	var old []string
	err := doneRecords(tx).Each(it.heard.User+"\x00", func(k string, d done) error {
		if it.event.Accepted.Sub(d.At) > doubleWithin {
			old = append(old, k)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, k := range old {
		if err := doneRecords(tx).Delete(k); err != nil {
			return err
		}
	}
	return doneRecords(tx).Put(doneKey(it, c), done{At: it.event.Accepted, Event: it.event.Seq, Subject: subject, Line: Render(c)})
}

// message points to the first.
func (d *done) message(now time.Time) integrations.Message {
	text := fmt.Sprintf("You asked for that %s ago; it is %s, and still under way.", ago(now.Sub(d.At)), d.Subject)
	return integrations.Message{Text: text, Blocks: []integrations.Block{
		{Text: integrations.R(text)},
		{Buttons: []integrations.Button{{Label: "Show " + d.Subject, Command: "status " + d.Subject}}},
	}}
}
