package tell

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// finalsAMinute is how many ends a channel is shown one by one; what is more
// becomes one roll-up message, because Slack allows an app about fifty edits a
// minute in a whole workspace.
const finalsAMinute = 40

// rollCard is the card of roll-up messages, rollFeature where their lines are kept.
const (
	rollCard    = "rollup"
	rollFeature = "rollup"
)

// rollups counts the ends shown in the last minute, by channel.
type rollups struct {
	mu    sync.Mutex
	shown map[string][]time.Time
}

// take counts a final message; over says that this one is to be rolled up.
func (r *rollups) take(now time.Time, s *store.Surface, m integrations.Message) (over bool) {
	channel := s.Where["channel"]
	if m.Final == "" || channel == "" || s.Card == rollCard {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.shown == nil {
		r.shown = map[string][]time.Time{}
	}
	var recent []time.Time
	for _, at := range r.shown[channel] {
		if now.Sub(at) < time.Minute {
			recent = append(recent, at)
		}
	}
	if len(recent) >= finalsAMinute {
		r.shown[channel] = recent
		return true
	}
	r.shown[channel] = append(recent, now)
	return false
}

// rolled is the lines of one roll-up message.
type rolled struct {
	Lines []string `json:"lines"`
}

// rollUp puts a final line into the channel's roll-up of this minute; the
// surface itself is told when there is room again.
func (t *Teller) rollUp(ctx context.Context, s *store.Surface, m integrations.Message, hash string) {
	channel := s.Where["channel"]
	err := t.Store.Update(ctx, func(tx *store.Tx) error {
		subject := "rollup " + channel + " " + t.Clock.Now().UTC().Format("2006-01-02T15:04")
		lines := store.Feature[rolled](tx, rollFeature)
		r, _, err := lines.Get(subject)
		if err != nil {
			return err
		}
		seen := false
		for _, l := range r.Lines {
			seen = seen || l == m.Final
		}
		if !seen {
			r.Lines = append(r.Lines, m.Final)
		}
		if err := lines.Put(subject, r); err != nil {
			return err
		}
		now, err := tx.Surface(s.ID)
		if err != nil {
			return err
		}
		now.Due = t.Clock.Now().Add(time.Minute)
		if err := tx.PutSurface(now); err != nil {
			return err
		}
		return Open(tx, store.Surface{ID: ID(s.Place, subject), Place: s.Place, Card: rollCard, Subject: subject, Where: map[string]string{"channel": channel}})
	})
	if err != nil && ctx.Err() == nil {
		t.Log.Error("roll up", "surface", s.ID, "error", err)
	}
}

// RollupCards are the teller's own.
func RollupCards() map[string]Card {
	return map[string]Card{rollCard: func(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
		r, _, err := store.Feature[rolled](tx, rollFeature).Get(s.Subject)
		if err != nil {
			return integrations.Message{}, err
		}
		title := fmt.Sprintf("%d more operations ended this minute", len(r.Lines))
		m := integrations.Message{Text: title, Blocks: []integrations.Block{{Text: integrations.R(integrations.Bold(title))}}}
		for _, l := range r.Lines {
			m.Text += "\n" + l
		}
		for at := 0; at < len(r.Lines); at += 20 {
			text := ""
			for _, l := range r.Lines[at:min(at+20, len(r.Lines))] {
				text += l + "\n"
			}
			m.Blocks = append(m.Blocks, integrations.Block{Text: integrations.R(text)})
		}
		return m, nil
	}}
}
