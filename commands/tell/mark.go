package tell

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/store"
)

// ID names a surface by its place and subject and by what tells two of them apart.
func ID(place, subject string, more ...string) string {
	return strings.Join(append([]string{place, subject}, more...), " | ")
}

// PullSubject is the subject of what shows a pull request.
func PullSubject(repoID int64, number int) string { return fmt.Sprintf("pull %d %d", repoID, number) }

// Open makes a surface and marks it, or marks the one that has its ID already.
func Open(tx *store.Tx, s store.Surface) error {
	_, err := tx.Surface(s.ID)
	switch {
	case err == nil:
		return mark(tx, s.ID, false)
	case !errors.Is(err, store.ErrNotFound):
		return err
	}
	if s.Order, err = tx.Next("surface"); err != nil {
		return err
	}
	s.Marked, s.Created = 1, tx.Now()
	if s.After.After(s.Due) {
		s.Due = s.After
	}
	return tx.PutSurface(&s)
}

// Mark says that a subject changed: its surfaces are told again. urgent is for
// what people wait for (an end, a question): it does not wait for the pace of edits.
func Mark(tx *store.Tx, subject string, urgent bool) error {
	all, err := tx.SurfacesOf(subject)
	if err != nil {
		return err
	}
	for _, s := range all {
		if err := mark(tx, s.ID, urgent); err != nil {
			return err
		}
	}
	return nil
}

func mark(tx *store.Tx, id string, urgent bool) error {
	s, err := tx.Surface(id)
	if err != nil {
		return err
	}
	s.Marked++
	if urgent {
		s.Urgent = s.Marked
	}
	if urgent && s.Error == "" { // with an error, Due is the wait that the place asked for
		s.Due = time.Time{}
		if s.Ref == "" {
			s.Due = s.After
		}
	}
	return tx.PutSurface(s)
}
