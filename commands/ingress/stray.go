package ingress

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

const keptStrays = "ingress-strays"

// Stray is a rule with our tag that no lease is of: the store was set back, somebody
// copied the tag, or another signalbox opens ports of the same group.
type Stray struct {
	Rule string `json:"rule"` // its id, under which it is kept
	integrations.Ingress
	CIDR string `json:"cidr"`
	Tag  string `json:"tag"`
	// Since is when it was first seen.
	Since time.Time `json:"since"`
	Room  string    `json:"room,omitempty"`
	Told  bool      `json:"told,omitempty"`
	Ended time.Time `json:"ended,omitzero"`
}

func strays(tx *store.Tx) *store.Records[Stray] { return store.Feature[Stray](tx, keptStrays) }

// lookForStrays looks at each group that may be opened.
func (f *Windows) lookForStrays(ctx context.Context) error {
	var seen []integrations.Ingress
	var err error
	for _, i := range f.Config().Allowed() {
		if slices.ContainsFunc(seen, func(o integrations.Ingress) bool { return o.Site == i.Site && o.Group == i.Group }) {
			continue
		}
		seen = append(seen, i)
		err = errors.Join(err, f.lookAt(ctx, i.Site, i.Group))
	}
	return err
}

// lookAt compares the rules of one group that have our tag with the leases. A lease is
// written down before its rule is made and kept until that is gone, and nobody else here
// is at work on the group meanwhile: so a rule without one is nobody's, but for a moment
// in which a read still shows what is gone.
func (f *Windows) lookAt(ctx context.Context, at integrations.Site, group string) error {
	defer f.alone(at, group)()
	all, err := f.Cloud.Ingress(ctx, at, group, true)
	if err != nil {
		return err
	}
	return f.Store.Update(ctx, func(tx *store.Tx) error {
		known, err := live(tx, func(l *Lease) bool { return l.Site == at && l.Group == group })
		if err != nil {
			return err
		}
		var found []string
		for _, r := range all {
			if slices.ContainsFunc(known, func(l *Lease) bool { return l.is(r) }) {
				continue
			}
			found = append(found, r.ID)
			if err := f.noteStray(tx, at, r); err != nil {
				return err
			}
		}
		return f.endStrays(tx, at, group, found)
	})
}

// noteStray writes one down, and tells people once it has been seen for a while.
func (f *Windows) noteStray(tx *store.Tx, at integrations.Site, r integrations.IngressRule) error {
	s, known, err := strays(tx).Get(r.ID)
	if err != nil {
		return err
	}
	now := f.Clock.Now()
	if !known || !s.Ended.IsZero() {
		told := s.Told
		s = Stray{Rule: r.ID, Ingress: integrations.Ingress{Site: at, Group: r.Group, Port: r.From}, CIDR: r.CIDR, Tag: r.Tags[integrations.TagWindow], Since: now, Room: f.anyRoom(), Told: told}
		if told { // what people were told of is there again
			return errors.Join(strays(tx).Put(s.Rule, s), f.mark(tx, s.Rule))
		}
	}
	if !s.Told && now.Sub(s.Since) >= patience {
		s.Told = true
		f.Log.Error("a rule of a window is there that nobody opened", "group", s.Group, "rule", s.Rule, "cidr", s.CIDR, "tag", s.Tag)
		row := store.AuditRow{Act: "close-port", Subject: s.Rule, Outcome: "stray", Detail: s.Group + ": " + s.CIDR + ", " + s.Tag, Via: "sweeper"}
		if err := errors.Join(f.tell(tx, s.Room, s.Rule, cardStray), tx.Audit(row)); err != nil {
			return err
		}
	}
	return strays(tx).Put(s.Rule, s)
}

// endStrays ends those of a group that were not found now.
func (f *Windows) endStrays(tx *store.Tx, at integrations.Site, group string, found []string) error {
	var over []Stray
	err := strays(tx).Each("", func(_ string, s Stray) error {
		if s.Site == at && s.Group == group && s.Ended.IsZero() && !slices.Contains(found, s.Rule) {
			over = append(over, s)
		}
		return nil
	})
	for _, s := range over {
		if !s.Told {
			err = errors.Join(err, strays(tx).Delete(s.Rule))
			continue
		}
		s.Ended = f.Clock.Now()
		err = errors.Join(err, strays(tx).Put(s.Rule, s), f.mark(tx, s.Rule))
	}
	return err
}
