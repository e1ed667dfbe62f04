package statuspage

import (
	"cmp"
	"errors"
	"strings"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// Offers propose to tell customers of the incidents of another feature: each is a button
// whose line opens the form of this one, filled in, and what is submitted there is shown
// and confirmed as ever. Nothing is posted by itself.
type Offers []integrations.PageOffer

const longestOffered = 200 // characters of a title

// Buttons are those of an incident: to open one on the page if an offer fits, and of one
// that was opened from it to write an update or, once it is over here, to resolve it.
func (o Offers) Buttons(tx *store.Tx, s integrations.PageSubject) ([]integrations.Button, error) {
	var out []integrations.Button
	err := incidents(tx).Each("", func(id string, i Incident) error {
		switch {
		case i.About != s.ID || !i.Ended.IsZero():
		case s.Over:
			out = append(out, integrations.Button{Label: "Resolve on the status page…", Command: "statuspage resolve " + id, Style: "primary"})
		default:
			out = append(out, integrations.Button{Label: "Update the status page…", Command: "statuspage update " + id})
		}
		return nil
	})
	if err != nil || len(out) > 0 || s.Over {
		return out, err
	}
	for _, offer := range o {
		if offer.Fits(s) {
			return []integrations.Button{{Label: "Tell customers…", Command: opens(offer, s)}}, nil
		}
	}
	return nil, nil
}

// opens is the line that opens an incident; it lacks what customers read, so that whoever
// presses it gets the form.
func opens(o integrations.PageOffer, s integrations.PageSubject) string {
	title := []rune(oneLine(s.Title))
	args := map[string]string{"title": string(title[:min(len(title), longestOffered)]), "about": s.ID}
	if o.Impact != "" {
		args["impact"] = o.Impact
	}
	if len(o.Components) > 0 {
		args["components"], args["component-status"] = strings.Join(o.Components, ","), cmp.Or(o.Status, integrations.ComponentMajorOutage)
	}
	verb := (&feature{}).openVerb()
	return commands.Render(&commands.Call{Verb: &verb, Args: args})
}

// about writes down from which incident here one of the page was opened.
func about(tx *store.Tx, id, incident string) error {
	i, found, err := incidents(tx).Get(id)
	if err != nil || !found || incident == "" || i.About == incident {
		return err
	}
	i.About = incident
	return errors.Join(incidents(tx).Put(id, i), tell.Mark(tx, incidentSubject(id), false), tell.Mark(tx, incident, true))
}
