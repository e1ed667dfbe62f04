package deploy

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// A phone shows the first lines of a card: what it is, what comes next, the buttons.
func TestCardBeginsWithWhatAPhoneShows(t *testing.T) {
	w := newWorld(t)
	op := w.planned(w.deploy("alice", "production").ID)
	for i := range 15 {
		op.Ships = append(op.Ships, store.Ship{Number: 100 + i, Title: "one of many", URL: fmt.Sprintf("https://github.test/pull/%d", 100+i)})
	}
	if err := w.store.Update(t.Context(), func(tx *store.Tx) error { return tx.PutOperation(op) }); err != nil {
		t.Fatal(err)
	}
	m := w.card(op.ID)
	at := slices.IndexFunc(m.Blocks, func(b integrations.Block) bool { return len(b.Buttons) > 0 })
	if at < 1 || at > 2 {
		t.Fatalf("the buttons are block %d", at)
	}
	contains(t, m.Blocks[0].Text.Plain(), "Deploy web to production · open · +")
	buttons := m.Blocks[at].Buttons
	if buttons[0].Style != "primary" || slices.ContainsFunc(buttons[1:], func(b integrations.Button) bool { return b.Style == "primary" }) {
		t.Errorf("the first button is not the one that is wanted, or not the only one: %+v", buttons)
	}
	if last := buttons[len(buttons)-1]; last.Label != "Details" || last.Command != "status "+op.ID {
		t.Errorf("what is folded is behind %+v", last)
	}
	for _, b := range m.Blocks[at:] {
		if len(b.Fields) > 5 {
			t.Errorf("%d fields", len(b.Fields))
		}
	}
	contains(t, cardText(m), fmt.Sprintf("and %d more", len(op.Ships)-listed))
}

func TestTextBeginsWithTheOneFact(t *testing.T) {
	for _, op := range []*store.Operation{
		{ID: "op-1234", Kind: "deploy", Service: "timetables", Environment: "production", FromSHA: "0123456789", ToSHA: "9876543210", State: store.OpSucceeded},
		{ID: "op-1234", Kind: "infra", PR: 1234, Reason: strings.Repeat("a long title ", 9), Environment: "production", State: store.OpPartial},
		{ID: "op-1234", Kind: "deploy", Rollback: true, Ships: []store.Ship{{Number: 12, Title: strings.Repeat("鉄道 ", 30)}}, Environment: "production", State: store.OpFailed},
	} {
		text := view{op: op, state: op.State}.text()
		first := string([]rune(text)[:min(notified, len([]rune(text)))])
		if !strings.HasPrefix(text, op.ID+" ") || !strings.HasSuffix(first, ": "+op.State) {
			t.Errorf("a locked phone shows %q of %q", first, text)
		}
	}
}
