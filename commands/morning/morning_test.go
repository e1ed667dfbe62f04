package morning

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// digestOf is the digest of what was raised: each thing's text as its card has it
// now; "" holds it back.
func digestOf(t *testing.T, texts ...string) integrations.Message {
	t.Helper()
	s, err := store.Open(filepath.Join(t.TempDir(), "signalbox.db"), store.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	cat := &integrations.Catalog{Environments: []integrations.Environment{{Name: "production"}}}
	var feature map[string]tell.Card
	cards := func() map[string]tell.Card { return feature }
	feature = New(Deps{Cards: cards}).Cards
	feature["drift"] = func(_ *store.Tx, at *store.Surface) (integrations.Message, error) {
		var i int
		if _, err := fmt.Sscanf(at.Subject, "target-%d", &i); err != nil {
			return integrations.Message{}, err
		}
		return integrations.Message{Text: texts[i], Hold: texts[i] == ""}, nil
	}
	now := time.Now()
	err = s.Update(t.Context(), func(tx *store.Tx) error {
		for i := range texts {
			subject := fmt.Sprintf("target-%d", i)
			err := tell.Raise(tx, cat, now, tell.Notice{Event: integrations.EventDrift, Environment: "production", Channel: "C-ops",
				Surface: store.Surface{ID: tell.ID("slack.message", subject), Place: "slack.message", Card: "drift", Subject: subject}})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	out := integrations.Message{Hold: true}
	if err := s.View(func(tx *store.Tx) error {
		due, err := tx.DueSurfaces(now.Add(48*time.Hour), 0)
		if err != nil {
			return err
		}
		for _, at := range due {
			if at.Card == tell.DigestCard {
				out, err = feature[tell.DigestCard](tx, at)
			}
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

// A digest has one line for each thing, its first, cut where it is long; what is
// over by then is left out.
func TestADigestHasALineForEachThing(t *testing.T) {
	m := digestOf(t, "network/production has drifted\nand more of it", "", strings.Repeat("長", mostOfLine+1))
	want := "☀️ Digest of the day: 2 things to look at\n• network/production has drifted\n• " + strings.Repeat("長", mostOfLine) + "…"
	if m.Text != want || m.Hold {
		t.Errorf("it says %q (held %v), want %q", m.Text, m.Hold, want)
	}
	if m := digestOf(t, "dns/production has drifted", ""); !strings.HasPrefix(m.Text, "☀️ Digest of the day: 1 thing to look at\n") {
		t.Errorf("of one thing it says %q", m.Text)
	}
}

// A digest of which nothing is left is not posted.
func TestADigestOfNothingIsHeld(t *testing.T) {
	if m := digestOf(t, "", ""); !m.Hold {
		t.Errorf("it says %q", m.Text)
	}
}

// A long digest says how many more there are, and stays within what a message holds.
func TestALongDigestIsCut(t *testing.T) {
	var all []string
	for i := range mostLines + 7 {
		all = append(all, fmt.Sprintf("target %d has drifted", i))
	}
	m := digestOf(t, all...)
	if !strings.HasSuffix(m.Text, "\nand 7 more") || !strings.Contains(m.Text, fmt.Sprintf("%d things", len(all))) || strings.Contains(m.Text, "target 40 ") {
		t.Errorf("it says %q", m.Text)
	}
	if n := len(m.Blocks); n != 7 { // a title, five times up to ten lines, and a foot
		t.Errorf("%d blocks", n)
	}
}
