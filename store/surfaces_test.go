package store

import (
	"errors"
	"testing"
)

// The teller reads a surface, shows it, and writes down what it showed; a change
// in the meantime must be shown too.
func TestAMarkThatComesWhileItIsShownIsNotLost(t *testing.T) {
	s := open(t)
	update(t, s, func(tx *Tx) error { return tx.PutSurface(&Surface{ID: "s", Subject: "op-1", Marked: 1}) })
	var read *Surface
	due := func() (n int) {
		view(t, s, func(tx *Tx) error {
			list, err := tx.DueSurfaces(start, 0)
			if n = len(list); n > 0 {
				read = list[0]
			}
			return err
		})
		return n
	}
	if due() != 1 {
		t.Fatal("not due")
	}
	update(t, s, func(tx *Tx) error { return tx.MarkSurface("s") })
	read.Shown, read.Ref = read.Marked, "ts-1"
	update(t, s, func(tx *Tx) error { return tx.PutSurface(read) })
	if read.Marked != 2 || due() != 1 || read.Ref != "ts-1" {
		t.Fatalf("after the mark: %+v", read)
	}
	read.Shown = read.Marked
	update(t, s, func(tx *Tx) error {
		return errors.Join(tx.PutSurface(read), tx.MarkSurface("nobody"), tx.DeleteSurface("nobody"))
	})
	if due() != 0 {
		t.Error("still due")
	}
	read.Parked = "archived"
	update(t, s, func(tx *Tx) error { return errors.Join(tx.PutSurface(read), tx.MarkSurface("s")) })
	if due() != 0 {
		t.Error("a parked one is due")
	}
	update(t, s, func(tx *Tx) error { return tx.DeleteSurface("s") })
	view(t, s, func(tx *Tx) error {
		list, err := tx.SurfacesOf("op-1")
		if len(list) != 0 {
			t.Error("deleted, but listed")
		}
		return err
	})
}
