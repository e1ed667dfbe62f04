package store

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"
)

var surfaces = table[Surface]{
	what: "surface", rows: bucketSurfacesRows, topic: TopicSurfaces,
	entries: func(s *Surface) []entry {
		list := []entry{{bucketSurfacesBySubject, key{}.text(s.Subject).num(s.Order).last(s.ID)}}
		if s.Marked > s.Shown && s.Parked == "" {
			list = append(list, entry{bucketSurfacesDue, key{}.at(s.Due).num(s.Order).last(s.ID)})
		}
		return list
	},
}

// sequenceSurfaceOrder numbers the surfaces in the order in which they came.
const sequenceSurfaceOrder = "surface.order"

// Surface returns the surface with this id, or ErrNotFound.
func (tx *Tx) Surface(id string) (*Surface, error) { return surfaces.get(tx, []byte(id)) }

// PutSurface writes s, and gives a new one its Order if that is 0. Marked never
// goes down: a mark that came since s was read stays, and s.Marked then tells it.
func (tx *Tx) PutSurface(s *Surface) error {
	if err := checkText(s.ID, s.Subject); err != nil {
		return fmt.Errorf("write surface: %w", err)
	}
	old, have, err := stored(tx, &surfaces, []byte(s.ID))
	if err != nil {
		return err
	}
	if have && old.Marked > s.Marked {
		set(tx, &s.Marked, old.Marked)
	}
	if !have && s.Order == 0 {
		n, err := tx.Next(sequenceSurfaceOrder)
		if err != nil {
			return err
		}
		set(tx, &s.Order, n)
	}
	if s.Created.IsZero() {
		set(tx, &s.Created, tx.now)
	}
	set(tx, &s.Updated, tx.now)
	return surfaces.put(tx, []byte(s.ID), old, s)
}

// DeleteSurface forgets a surface; it is no error if there is none.
func (tx *Tx) DeleteSurface(id string) error {
	old, have, err := stored(tx, &surfaces, []byte(id))
	if err != nil || !have {
		return err
	}
	return surfaces.remove(tx, []byte(id), old)
}

// MarkSurface says that what the surface shows has changed. It is no error if
// there is no such surface.
func (tx *Tx) MarkSurface(id string) error {
	s, have, err := stored(tx, &surfaces, []byte(id))
	if err != nil || !have {
		return err
	}
	s.Marked++
	return tx.PutSurface(s)
}

// MarkSubject marks every surface of a subject.
func (tx *Tx) MarkSubject(subject string) error {
	list, err := tx.SurfacesOf(subject)
	if err != nil {
		return err
	}
	for _, s := range list {
		s.Marked++
		if err := tx.PutSurface(s); err != nil {
			return err
		}
	}
	return nil
}

// SurfacesOf returns the surfaces of a subject, by Order.
func (tx *Tx) SurfacesOf(subject string) ([]*Surface, error) {
	return surfaces.through(tx, bucketSurfacesBySubject, key{}.text(subject), false, 0, nil)
}

var errEnough = errors.New("enough")

// DueSurfaces returns the surfaces that are marked, not shown as they are now,
// not parked and due at now, by Order; a limit of 0 is all.
func (tx *Tx) DueSurfaces(now time.Time, limit int) ([]*Surface, error) {
	due, err := tx.bucket(bucketSurfacesDue)
	if err != nil {
		return nil, fmt.Errorf("list surface: %w", err)
	}
	rows, err := tx.bucket(bucketSurfacesRows)
	if err != nil {
		return nil, fmt.Errorf("list surface: %w", err)
	}
	// All that are due must be looked at to have the first by Order; their keys
	// are enough for that.
	type place struct{ order, id []byte }
	var list []place
	end := after(key{}.at(now))
	err = due.ForEach(func(k, id []byte) error {
		if bytes.Compare(k, end) >= 0 {
			return errEnough
		}
		list = append(list, place{slices.Clone(k[8:16]), slices.Clone(id)})
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, fmt.Errorf("list surface: %w", err)
	}
	slices.SortFunc(list, func(a, b place) int {
		return slices.Compare(slices.Concat(a.order, a.id), slices.Concat(b.order, b.id))
	})
	if limit > 0 && len(list) > limit {
		list = list[:limit]
	}
	var out []*Surface
	for _, p := range list {
		s, err := surfaces.follow(rows, p.id)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// NextDue is when the first surface that is marked and not shown, and not due at
// now, will be; false if there is none.
func (tx *Tx) NextDue(now time.Time) (time.Time, bool) {
	due, err := tx.bucket(bucketSurfacesDue)
	if err != nil {
		return time.Time{}, false
	}
	k, _ := due.Cursor().Seek(after(key{}.at(now)))
	if len(k) < 8 {
		return time.Time{}, false
	}
	return keyTime(key(k).first()), true
}
