package incident

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// A Texter sends text messages to phones.
type Texter interface {
	// Text sends one at a site, to a phone in E.164; from is the name that the phone shows.
	// The error is *integrations.Later where another try may help: what of it is Unsent was
	// surely not sent. Any other is final.
	Text(ctx context.Context, at integrations.Site, phone, from, text string) (id string, err error)
}

// A Text is one text message to somebody who was called: wanted in the transaction in which
// they were, and sent later.
//
// That it is tried is written down before it is, what came of it right after: one that is
// cut off in between is sent again, so that it is sent at least once, and in a loop of
// restarts no more often than mostTries.
type Text struct {
	ID       string    `json:"id"`
	Incident string    `json:"incident"`
	Call     int       `json:"call"` // which of the calls of its escalation
	Person   string    `json:"person"`
	Wanted   time.Time `json:"wanted"`
	Tries    int       `json:"tries,omitempty"`
	Next     time.Time `json:"next"` // not before
	Sent     time.Time `json:"sent,omitzero"`
	Remote   string    `json:"remote,omitempty"` // its id where it was sent
	Why      string    `json:"why,omitempty"`    // it was not sent
	Last     string    `json:"last,omitempty"`   // what the last try that failed said, in the words of others
}

const (
	keptTexts    = "incident-text"      // those that wait
	keptTextsWas = "incident-text-over" // and those that were sent, or will not be

	textLimit   = 15 * time.Second // of one try, in wall time
	oldestText  = 15 * time.Minute // by then the next steps were taken
	mostTries   = 5
	textsAtOnce = 4
)

func texts(tx *store.Tx) *store.Records[Text]     { return store.Feature[Text](tx, keptTexts) }
func textsOver(tx *store.Tx) *store.Records[Text] { return store.Feature[Text](tx, keptTextsWas) }

// wish has those of a call who have a phone get a text message.
func (f *feature) wish(tx *store.Tx, i *Incident, n int, people []integrations.Person) error {
	now := f.Clock.Now()
	for _, p := range people {
		if p.Phone == "" {
			continue
		}
		t := Text{ID: textID(i.ID, n, p.Display()), Incident: i.ID, Call: n, Person: p.Display(), Wanted: now, Next: now}
		if err := texts(tx).Put(t.ID, t); err != nil {
			return err
		}
	}
	return nil
}

// sends sends text messages as soon as they are wanted, until ctx ends: whoever is called
// has a surface opened in the same transaction. The tick sends those that are to be tried
// again.
func (f *feature) sends(ctx context.Context) error {
	opened, stop := f.Store.Watch(store.TopicSurfaces)
	defer stop()
	for {
		if err := f.send(ctx); err != nil {
			f.Log.Warn("a text message waits", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-opened:
		}
	}
}

func textID(incident string, call int, person string) string {
	return fmt.Sprintf("%s-%03d-%s", incident, call, person)
}

// send sends the text messages that are due.
func (f *feature) send(ctx context.Context) error {
	f.sending.Lock() // each is tried once at a time
	defer f.sending.Unlock()
	var due []string
	err := f.Store.View(func(tx *store.Tx) error {
		due = nil
		return texts(tx).Each("", func(id string, t Text) error {
			if !f.Clock.Now().Before(t.Next) {
				due = append(due, id)
			}
			return nil
		})
	})
	var all errgroup.Group
	all.SetLimit(textsAtOnce) // one phone that hangs keeps nobody else from being called
	for _, id := range due {
		all.Go(func() error { return f.sendOne(ctx, id) })
	}
	err = errors.Join(err, all.Wait())
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("send text messages: %w", err)
	}
	return nil
}

// sendOne tries one.
func (f *feature) sendOne(ctx context.Context, id string) error {
	var t Text
	var phone, text string
	err := f.Store.Update(ctx, func(tx *store.Tx) (err error) {
		phone, text = "", ""
		t, phone, text, err = f.begun(tx, id)
		return err
	})
	if err != nil || text == "" {
		return err
	}
	c := f.Config().SMS
	limited, cancel := context.WithTimeout(ctx, textLimit)
	defer cancel()
	remote, failed := f.Texts.Text(limited, integrations.Site{Account: c.Account, Region: c.Region}, phone, c.Sender, text)
	if ctx.Err() != nil {
		return nil // nobody knows; it is tried again
	}
	if failed != nil {
		f.Log.Warn("send a text message", "incident", t.Incident, "person", t.Person, "try", t.Tries, "error", unphoned(failed, phone))
	}
	return f.Store.Update(ctx, func(tx *store.Tx) error { return f.tried(tx, t, remote, failed, phone) })
}

// begun writes down that one is tried, and gives what is to be sent to which phone; no text
// says that it is not to be.
func (f *feature) begun(tx *store.Tx, id string) (t Text, phone, text string, err error) {
	t, found, err := texts(tx).Get(id)
	if err != nil || !found {
		return t, "", "", err
	}
	i, found, err := records(tx).Get(t.Incident)
	if err != nil {
		return t, "", "", err
	}
	now := f.Clock.Now()
	phone = person(f.Catalog(), t.Person).Phone
	switch {
	case !found || !i.open() || i.Acked.After(t.Wanted): // somebody came meanwhile, or it is over
		t.Why = "nobody had to be called any more"
		return t, "", "", f.textOver(tx, t, false)
	case now.Sub(t.Wanted) > oldestText:
		t.Why = "it would be too late"
	case phone == "":
		t.Why = "the configuration has no phone of them any more"
	case f.Texts == nil || f.Config().SMS.Account == "":
		t.Why = "the configuration says no more how it is sent"
	case t.Tries >= mostTries:
		t.Why = fmt.Sprintf("%d tries were not enough", t.Tries)
	default:
		t.Tries++
		t.Next = now.Add(pause(t.Tries))
		return t, phone, i.short(), texts(tx).Put(t.ID, t)
	}
	return t, "", "", f.textOver(tx, t, true)
}

// pause is how long after a try the next one may be: 15 s, 30 s, 1 min, 2 min.
func pause(tries int) time.Duration { return 15 * time.Second << (tries - 1) }

// tried writes down what came of a try.
func (f *feature) tried(tx *store.Tx, t Text, remote string, failed error, phone string) error {
	var later *integrations.Later
	switch {
	case failed == nil:
		t.Sent, t.Remote, t.Last = f.Clock.Now(), remote, ""
		return f.textOver(tx, t, true)
	case errors.As(failed, &later):
		if later.Err != nil {
			failed = later.Err
		}
		t.Last = unphoned(failed, phone)
		if at := f.Clock.Now().Add(later.After); at.After(t.Next) {
			t.Next = at
		}
		if t.Tries < mostTries {
			return texts(tx).Put(t.ID, t)
		}
		t.Why = fmt.Sprintf("%d tries were not enough", t.Tries)
	default:
		t.Why, t.Last = "it was refused", unphoned(failed, phone)
	}
	return f.textOver(tx, t, true)
}

// unphoned is an error without the phone in it, which is nobody's to read in a channel.
func unphoned(err error, phone string) string {
	return strings.ReplaceAll(err.Error(), phone, "the phone")
}

// textOver ends one: that it was sent is shown beside whom it called, that it was not in a
// message of its own in the thread.
func (f *feature) textOver(tx *store.Tx, t Text, tells bool) error {
	if err := texts(tx).Delete(t.ID); err != nil {
		return err
	}
	if err := textsOver(tx).Put(t.ID, t); err != nil || !tells {
		return err
	}
	i, found, err := records(tx).Get(t.Incident)
	switch {
	case err != nil || !found:
		return err
	case t.Sent.IsZero():
		return f.under(tx, &i, cardUntexted, t.ID, nil)
	}
	return tell.Mark(tx, t.Incident, false)
}

// texted says that somebody was sent a text message in a call.
func texted(tx *store.Tx, incident string, call int, person string) (bool, error) {
	t, found, err := textsOver(tx).Get(textID(incident, call, person))
	return found && !t.Sent.IsZero(), err
}

// untextedCard says in the thread that somebody got no text message.
func (f *feature) untextedCard(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	t, found, err := textsOver(tx).Get(s.Where["n"])
	if err != nil || !found {
		return integrations.Message{Hold: true}, err
	}
	text := integrations.R("📵 no text message to ", t.Person, ": ", t.Why)
	if t.Last != "" {
		text = append(text, integrations.R(" · “", cut(t.Last, mostText), "”")...)
	}
	return integrations.Message{Text: text.Plain(), Blocks: []integrations.Block{{Text: text}}}, nil
}

// short is what a text message says: which incident, what is wrong, and how to answer. It
// is one part of at most 140 characters of GSM, or 70 where it has others (the API
// reference of SNS Publish).
func (i *Incident) short() string {
	head, tail := i.ID+": ", strings.Join([]string{"", commands.Prompt, "ack", strings.TrimPrefix(i.ID, "incident-")}, " ")
	return fitPhone(head, strings.Join(strings.Fields(i.Title), " "), tail)
}
