package lock

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// What a direct message about a hold is, in Where["what"].
const (
	directNag    = "nag"    // it ends soon: Extend or Release
	directAsk    = "ask"    // somebody asks for its release
	directStolen = "stolen" // somebody took it over
	directEnded  = "ended"  // somebody else released it
	directFreed  = "freed"  // what somebody asked for was released
)

// direct opens a message to one person about a hold: a direct one, or, where
// nobody knows their account, one in the channel that begins with their name. more
// tells two of the same sort apart.
func (f *feature) direct(tx *store.Tx, h *store.Hold, to store.Person, what, more string, say map[string]string) error {
	where := map[string]string{"what": what, "channel": to.Slack}
	if to.Slack == "" {
		rooms, err := f.shownIn(tx, h)
		if err != nil || len(rooms) == 0 {
			return err
		}
		where["channel"], where["to"] = rooms[0], gate.FromStore(to).Display()
	}
	for k, v := range say {
		where[k] = v
	}
	return tell.Open(tx, store.Surface{ID: tell.ID(placeMessage, h.ID, what, more), Place: placeMessage, Card: cardDirect, Subject: h.ID, Where: where})
}

// tellStolen tells whoever had a hold that somebody took it over.
func (f *feature) tellStolen(tx *store.Tx, was, now *store.Hold) error {
	return f.direct(tx, now, was.Owner, directStolen, strconv.FormatUint(now.Version, 10), map[string]string{
		"by": gate.FromStore(now.Owner).Display(), "reason": now.Reason, "was": was.Reason, "version": strconv.FormatUint(now.Version, 10),
	})
}

// tellEnd tells the owner of a hold that somebody else ended it, and whoever asked
// for that that it is done.
func (f *feature) tellEnd(tx *store.Tx, e gate.Ended) error {
	h, by := &e.Hold, gate.FromStore(e.By)
	if e.How == gate.EndReleased && !mine(h, by) && h.Kind != store.HoldDirty { // before it expires they were reminded
		if err := f.direct(tx, h, h.Owner, directEnded, "", nil); err != nil {
			return err
		}
	}
	asked, err := f.asked(tx, h)
	if err != nil {
		return err
	}
	for _, s := range asked {
		p := store.Person{Name: s.Where["by"], Slack: s.Where["asker"]}
		if gate.FromStore(p).Same(by) || p.Slack == "" {
			continue
		}
		if err := f.direct(tx, h, p, directFreed, p.Slack, map[string]string{"owner": s.Where["owner"]}); err != nil {
			return err
		}
	}
	return nil
}

// directCard renders a message to one person, as the hold stands now: buttons that
// would come to nothing are gone.
func (f *feature) directCard(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	h, err := tx.Hold(s.Subject)
	over := gate.Ended{}
	if errors.Is(err, store.ErrNotFound) {
		var ok bool
		if over, ok, err = gate.EndedHold(tx, s.Subject); err == nil && !ok {
			return integrations.Message{Hold: true}, nil
		}
		h = &over.Hold
	}
	if err != nil {
		return integrations.Message{}, err
	}
	text, buttons := f.directSays(h, over, s)
	if to := s.Where["to"]; to != "" {
		text = to + ": " + text
	}
	return *say(text, buttons...), nil
}

func (f *feature) directSays(h *store.Hold, over gate.Ended, s *store.Surface) (string, []integrations.Button) {
	w := s.Where
	ended := over.How != ""
	switch w["what"] {
	case directStolen:
		text := fmt.Sprintf("%s took over your %s %s (%s): “%s”. You held it for “%s”; now it stops you too.", w["by"], noun(h), onWhat(h), h.ID, w["reason"], w["was"])
		if ended {
			return text + " Since then it " + f.howEnded(over) + ".", nil
		}
		if w["version"] != strconv.FormatUint(h.Version, 10) && gate.FromStore(h.Owner).Display() != w["by"] {
			return text + " Since then " + gate.FromStore(h.Owner).Display() + " took it over.", nil
		}
		return text, []integrations.Button{{Label: "Ask " + w["by"], Command: "ask-release " + h.ID}}
	case directEnded:
		return fmt.Sprintf("Your %s %s (%s, “%s”) %s.", noun(h), onWhat(h), h.ID, h.Reason, f.howEnded(over)), nil
	case directFreed:
		return fmt.Sprintf("The %s %s (%s), which you asked %s about, %s.", noun(h), onWhat(h), h.ID, w["owner"], f.howEnded(over)), nil
	case directAsk:
		text := fmt.Sprintf("%s asks you to release your %s %s: “%s” (%s%s).", w["by"], noun(h), onWhat(h), h.Reason, h.ID, until(h, ", until "))
		return f.withWays(h, over, w, text, "")
	}
	text := fmt.Sprintf("Your %s %s ends at %s: “%s” (%s).", noun(h), onWhat(h), w["until"], w["reason"], h.ID)
	if h.Stop {
		text = fmt.Sprintf("Everything is stopped, by you, since %s: “%s” (%s). Nothing is deployed until somebody says go.", gate.Clock(h.Created), w["reason"], h.ID)
	}
	return f.withWays(h, over, w, text, "Are you done, or do you need it longer?")
}

// onWhat says where a hold stands: "on web/production".
func onWhat(h *store.Hold) string {
	if h.Stop {
		return "of everything"
	}
	return "on " + gate.Scope(h)
}

// withWays adds the question and the buttons of an owner, or what became of the
// hold since.
func (f *feature) withWays(h *store.Hold, over gate.Ended, w map[string]string, text, question string) (string, []integrations.Button) {
	owner := gate.FromStore(h.Owner)
	release := integrations.Button{Label: "Release", Command: "unlock " + h.ID, Version: h.Version}
	extend := integrations.Button{Label: "Extend", Command: "extend " + h.ID, Version: h.Version}
	if h.Kind == store.HoldFreeze {
		release.Command = "unfreeze " + h.ID
	}
	switch {
	case w["what"] == directNag && w["at"] != strconv.FormatInt(h.Nagged.Unix(), 10): // a newer one asks
		return text, nil
	case over.How != "":
		return text + " Since then it " + f.howEnded(over) + ".", nil
	case owner.Display() != w["owner"]:
		return text + " Since then " + owner.Display() + " took it over.", nil
	case w["what"] == directNag && !h.Stop && w["until"] != gate.Clock(h.Expires):
		return text + " It holds until " + gate.Clock(h.Expires) + " now.", nil
	case h.Stop:
		release.Label = "Go"
		return text, []integrations.Button{release}
	}
	return strings.TrimSpace(text + " " + question), []integrations.Button{extend, release}
}
