package integrationstest

import (
	"context"
	"errors"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// SilenceSystem is a source with silences of its own, and its system at the wire.
type SilenceSystem struct {
	Source integrations.AlertSilencer
	// Quiet is a silence that it keeps; it is under way.
	Quiet integrations.Quiet
	// Silent are the ids of the silences that are in force there.
	Silent func() []string
	// Lose has the next change done, and its answer lost; Throttle refuses the next one, as
	// one too many; Refuse takes the credentials away.
	Lose, Throttle, Refuse func()
	// Take makes the one with an id another person's, in its place.
	Take func(id string)
}

// Silences holds a source to the contract of integrations.AlertSilencer. make starts the
// system anew.
func Silences(t *testing.T, make func(t *testing.T) SilenceSystem) {
	in := func(name string, do func(t *testing.T, s SilenceSystem)) {
		t.Run(name, func(t *testing.T) { do(t, make(t)) })
	}
	in("one is made, found and removed", oneIsMade)
	in("what is no service is not kept", func(t *testing.T, s SilenceSystem) {
		s.Quiet.Services = nil
		if err := s.Source.Keeps(s.Quiet); !errors.Is(err, integrations.ErrQuietNoService) {
			t.Errorf("%v", err)
		}
		if id, err := s.Source.Silence(t.Context(), s.Quiet); err == nil && len(s.Silent()) > 0 {
			t.Errorf("it is silent all the same: %s", id)
		}
	})
	in("an answer is lost", func(t *testing.T, s SilenceSystem) {
		s.Lose()
		if _, err := s.Source.Silence(t.Context(), s.Quiet); !later(err, false) {
			t.Errorf("%v", err)
		}
		id, found, err := s.Source.FindSilence(t.Context(), s.Quiet.Nonce)
		if silent := s.Silent(); err != nil || !found || len(silent) != 1 || silent[0] != id {
			t.Fatalf("%s, %v, %v; there are %v", id, found, err, silent)
		}
		s.Lose()
		if err := s.Source.Unsilence(t.Context(), id, s.Quiet.Nonce); !later(err, false) {
			t.Errorf("%v", err)
		}
		if err := s.Source.Unsilence(t.Context(), id, s.Quiet.Nonce); err != nil || len(s.Silent()) > 0 {
			t.Errorf("%v; there are %v", err, s.Silent())
		}
	})
	in("one too many", func(t *testing.T, s SilenceSystem) {
		s.Throttle()
		if _, err := s.Source.Silence(t.Context(), s.Quiet); !later(err, true) || len(s.Silent()) > 0 {
			t.Errorf("%v; there are %v", err, s.Silent())
		}
	})
	in("wrong credentials", func(t *testing.T, s SilenceSystem) {
		s.Refuse()
		_, err := s.Source.Silence(t.Context(), s.Quiet)
		_, _, noFind := s.Source.FindSilence(t.Context(), s.Quiet.Nonce)
		for _, err := range []error{err, noFind} {
			if err == nil || errors.As(err, new(*integrations.Later)) || errors.As(err, new(*integrations.Gone)) {
				t.Errorf("%v", err)
			}
		}
	})
	in("it is another one by now", func(t *testing.T, s SilenceSystem) {
		id := made(t, s)
		s.Take(id)
		if _, found, err := s.Source.FindSilence(t.Context(), s.Quiet.Nonce); err != nil || found {
			t.Errorf("it is found: %v", err)
		}
		if err := s.Source.Unsilence(t.Context(), id, s.Quiet.Nonce); err == nil || errors.As(err, new(*integrations.Later)) || len(s.Silent()) != 1 {
			t.Errorf("%v; there are %v", err, s.Silent())
		}
	})
	in("the context ends", func(t *testing.T, s SilenceSystem) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.Source.Silence(ctx, s.Quiet); !errors.Is(err, context.Canceled) || errors.As(err, new(*integrations.Later)) || len(s.Silent()) > 0 {
			t.Errorf("%v", err)
		}
	})
}

func oneIsMade(t *testing.T, s SilenceSystem) {
	if err := s.Source.Keeps(s.Quiet); err != nil {
		t.Fatal(err)
	}
	if _, found, err := s.Source.FindSilence(t.Context(), s.Quiet.Nonce); err != nil || found {
		t.Errorf("it is found before it is made: %v", err)
	}
	id := made(t, s)
	if got, found, err := s.Source.FindSilence(t.Context(), s.Quiet.Nonce); err != nil || !found || got != id {
		t.Errorf("%s is found as %s, %v, %v", id, got, found, err)
	}
	for _, nonce := range []string{"", "x", s.Quiet.Nonce[1:], s.Quiet.Nonce + "x"} {
		if _, found, err := s.Source.FindSilence(t.Context(), nonce); err != nil || found {
			t.Errorf("it is found by %q: %v", nonce, err)
		}
	}
	for range 2 { // the second time it is gone, which is as it is wanted
		if err := s.Source.Unsilence(t.Context(), id, s.Quiet.Nonce); err != nil || len(s.Silent()) > 0 {
			t.Errorf("%v; there are %v", err, s.Silent())
		}
	}
}

func made(t *testing.T, s SilenceSystem) string {
	t.Helper()
	id, err := s.Source.Silence(t.Context(), s.Quiet)
	if silent := s.Silent(); err != nil || len(silent) != 1 || silent[0] != id {
		t.Fatalf("it is %q, %v; there are %v", id, err, silent)
	}
	return id
}

func later(err error, unsent bool) bool {
	var l *integrations.Later
	return errors.As(err, &l) && l.Unsent == unsent
}
