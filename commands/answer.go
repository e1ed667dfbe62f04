package commands

import (
	"errors"
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// The places where answers are shown.
const (
	placePrivate = "slack.private"
	placeMessage = "slack.message"
	placeModal   = "slack.modal"
)

// ReplyCard is the card of every answer; RenderReply renders it.
const ReplyCard = "reply"

// An answer is what was said to one event, kept for as long as it may have to
// be shown.
type answer struct {
	At      time.Time             `json:"at"`
	Private *integrations.Message `json:"private,omitempty"`
	Public  *integrations.Message `json:"public,omitempty"`
	Modal   *integrations.Modal   `json:"modal,omitempty"`
}

const (
	keepAnswers  = 48 * time.Hour
	forgetAtOnce = 4 // old answers that a new one sweeps out
)

func answers(tx *store.Tx) *store.Records[answer] { return store.Feature[answer](tx, "reply") }

func answerKey(seq uint64) string { return fmt.Sprintf("%020d", seq) }

// answerWith stores a reply and opens its surfaces, in the deciding transaction.
func answerWith(tx *store.Tx, it *item, r Reply, notes []string) error {
	if it.heard == nil || it.heard.Kind != heardHost && r.Private == nil && r.Public == nil && r.Modal == nil {
		return nil
	}
	if it.heard.Kind == heardHost {
		return answerHost(tx, it, r, notes)
	}
	h := it.heard
	a := answer{At: tx.Now(), Private: r.Private, Public: r.Public, Modal: r.Modal}
	if a.Private != nil {
		a.Private = noted(a.Private, notes)
	} else if a.Public != nil {
		a.Public = noted(a.Public, notes)
	}
	if err := forget(tx); err != nil {
		return err
	}
	if err := answers(tx).Put(answerKey(it.event.Seq), a); err != nil {
		return err
	}
	open := func(place string, where map[string]string) error { return openAnswer(tx, it, place, where) }
	var err error
	if a.Private != nil {
		err = errors.Join(err, open(placePrivate, privately(h)))
	}
	if a.Public != nil {
		err = errors.Join(err, open(placeMessage, filled(map[string]string{"channel": h.Channel, "thread": h.Thread})))
	}
	if a.Modal != nil {
		err = errors.Join(err, open(placeModal, filled(map[string]string{"trigger": h.Trigger, "channel": h.Channel})))
	}
	return err
}

func openAnswer(tx *store.Tx, it *item, place string, where map[string]string) error {
	subject := "event-" + strconv.FormatUint(it.event.Seq, 10)
	return tell.Open(tx, store.Surface{ID: tell.ID(place, subject), Place: place, Card: ReplyCard, Subject: subject, Where: where})
}

// privately is where the person who spoke is answered alone.
func privately(h *integrations.Heard) map[string]string {
	private := ""
	if h.Private {
		private = "true"
	}
	return filled(map[string]string{"channel": h.Channel, "user": h.User, "thread": h.Thread, "response_url": h.ResponseURL, "private": private})
}

// filled leaves out what is empty.
func filled(where map[string]string) map[string]string {
	maps.DeleteFunc(where, func(_, v string) bool { return v == "" })
	return where
}

var errEnough = errors.New("enough")

// forget sweeps out a few old answers with their surfaces, so that they do not
// pile up.
func forget(tx *store.Tx) error {
	var old []string
	err := answers(tx).Each("", func(k string, a answer) error {
		if len(old) == forgetAtOnce || tx.Now().Sub(a.At) < keepAnswers {
			return errEnough
		}
		old = append(old, k)
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return err
	}
	for _, k := range old {
		seq, err := strconv.ParseUint(k, 10, 64)
		if err != nil {
			return fmt.Errorf("forget answer %q: %w", k, err)
		}
		all, err := tx.SurfacesOf("event-" + strconv.FormatUint(seq, 10))
		if err != nil {
			return err
		}
		for _, s := range all {
			if s.Card == ReplyCard {
				if err := tx.DeleteSurface(s.ID); err != nil {
					return err
				}
			}
		}
		if err := answers(tx).Delete(k); err != nil {
			return err
		}
	}
	return nil
}

// RenderReply is the card of an answer.
func RenderReply(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	var seq uint64
	if _, err := fmt.Sscanf(s.Subject, "event-%d", &seq); err != nil {
		return integrations.Message{}, fmt.Errorf("render answer %q: %w", s.Subject, err)
	}
	a, found, err := answers(tx).Get(answerKey(seq))
	if err != nil {
		return integrations.Message{}, err
	}
	switch {
	case !found:
	case s.Place == placeModal && a.Modal != nil:
		return integrations.Message{Text: a.Modal.Title, Modal: a.Modal}, nil
	case s.Place == placePrivate && a.Private != nil:
		return *a.Private, nil
	case s.Place == placeMessage && a.Public != nil:
		return *a.Public, nil
	}
	return integrations.Message{Hold: true}, nil // forgotten: it is too old to be shown
}

// Cards are the dispatcher's own.
func Cards() map[string]CardFunc {
	return map[string]CardFunc{ReplyCard: RenderReply, keptCard: renderKept}
}

// noted puts the notes on how a line was read in front of what it is answered.
func noted(m *integrations.Message, notes []string) *integrations.Message {
	if len(notes) == 0 {
		return m
	}
	out := *m
	blocks := m.Blocks
	if len(blocks) == 0 {
		blocks = []integrations.Block{{Text: integrations.R(m.Text)}}
	}
	out.Blocks = nil
	for i := len(notes) - 1; i >= 0; i-- {
		out.Text = notes[i] + "\n" + out.Text
	}
	for _, n := range notes {
		out.Blocks = append(out.Blocks, integrations.Block{Context: integrations.R(n)})
	}
	out.Blocks = append(out.Blocks, blocks...)
	return &out
}

// refusalMessage says no: why, what there is, and a line that works.
func refusalMessage(r *Refusal, h *integrations.Heard) integrations.Message {
	m := integrations.Message{Text: r.Error()}
	m.Blocks = append(m.Blocks, integrations.Block{Text: integrations.R(r.What)})
	if r.Hint != "" {
		m.Blocks = append(m.Blocks, integrations.Block{Text: integrations.R(r.Hint)})
	}
	if r.Example != "" {
		line := Prompt + " " + r.Example
		if h != nil && (h.Thread != "" || h.Private) { // there, the command cannot or need not be typed
			line = r.Example
		}
		m.Text += " For example: " + line
		m.Blocks = append(m.Blocks, integrations.Block{Context: integrations.R("For example: ", integrations.Code(line))})
	}
	if len(r.Buttons) > 0 {
		m.Blocks = append(m.Blocks, integrations.Block{Buttons: r.Buttons})
	}
	return m
}

// failureMessage says that something went wrong here, not with what was asked.
func failureMessage(c *Call, err error) integrations.Message {
	what := "That"
	if c != nil && c.Verb != nil && c.Verb.Name != "" {
		what = c.Verb.Name
	}
	text := fmt.Sprintf("%s went wrong, and nothing was changed: %v", what, err)
	return integrations.Message{Text: text, Blocks: []integrations.Block{{Text: integrations.R(text)}}}
}
