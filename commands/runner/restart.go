package runner

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// What people are told of a drain: a line in each channel where a job is waited
// for, which is edited when that is over, and again by the next process.
const (
	restartCard    = "restart"
	restartFeature = "restart"
	restartPlace   = "slack.message"
	keepRestarts   = 7 * 24 * time.Hour
)

// A restart is one drain, as it is told.
type restart struct {
	Since time.Time     `json:"since"`
	Limit time.Duration `json:"limit"`
	Jobs  []string      `json:"jobs"`           // those that ran when it began
	Asked time.Time     `json:"asked,omitzero"` // when those left were asked to stop
	Down  time.Time     `json:"down,omitzero"`  // when the wait was over
	Back  time.Time     `json:"back,omitzero"`  // when the next process had begun
}

func restarts(tx *store.Tx) *store.Records[restart] {
	return store.Feature[restart](tx, restartFeature)
}

// tellRestart opens the line in the channels of the operations that are waited for.
func (r *Runner) tellRestart(ctx context.Context, limit time.Duration) error {
	r.mu.Lock()
	active := slices.Sorted(maps.Keys(r.active))
	subject := "restart-" + r.boot
	r.mu.Unlock()
	err := r.Store.Update(ctx, func(tx *store.Tx) error {
		if err := forgetRestarts(tx); err != nil {
			return err
		}
		n := restart{Since: r.Clock.Now(), Limit: limit}
		for _, id := range active {
			j, op, err := jobAndOperation(tx, id)
			if err != nil {
				return err
			}
			if !UnderWay(j) { // it was about to begin, and now does not
				continue
			}
			n.Jobs = append(n.Jobs, id)
			if op == nil || op.Channel == "" {
				continue
			}
			err = tell.Open(tx, store.Surface{ID: tell.ID(restartPlace, subject, op.Channel), Place: restartPlace, Card: restartCard, Subject: subject,
				Where: map[string]string{"channel": op.Channel}})
			if err != nil {
				return err
			}
		}
		return restarts(tx).Put(subject, n)
	})
	if err != nil {
		return fmt.Errorf("tell of the restart: %w", err)
	}
	r.mu.Lock()
	r.restart = subject
	r.mu.Unlock()
	return nil
}

// changeRestart notes how far the drain has come.
func (r *Runner) changeRestart(ctx context.Context, change func(*restart)) error {
	r.mu.Lock()
	subject := r.restart
	r.mu.Unlock()
	if subject == "" {
		return nil
	}
	err := r.Store.Update(ctx, func(tx *store.Tx) error {
		n, _, err := restarts(tx).Get(subject)
		if err != nil {
			return err
		}
		change(&n)
		if err := restarts(tx).Put(subject, n); err != nil {
			return err
		}
		return tell.Mark(tx, subject, true)
	})
	if err != nil {
		return fmt.Errorf("tell of the restart: %w", err)
	}
	return nil
}

// markRestart tells the line again: a job has moved.
func (r *Runner) markRestart(tx *store.Tx) error {
	r.mu.Lock()
	subject := r.restart
	r.mu.Unlock()
	if subject == "" {
		return nil
	}
	return tell.Mark(tx, subject, false)
}

// back says of the drains before this process that they are over, however those
// processes ended.
func (r *Runner) back(ctx context.Context) error {
	err := r.Store.Update(ctx, func(tx *store.Tx) error {
		over := map[string]restart{}
		err := restarts(tx).Each("", func(subject string, n restart) error {
			if n.Back.IsZero() {
				n.Back = r.Clock.Now()
				over[subject] = n
			}
			return nil
		})
		if err != nil {
			return err
		}
		for subject, n := range over {
			if err := restarts(tx).Put(subject, n); err != nil {
				return err
			}
			if err := tell.Mark(tx, subject, true); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("tell of the last restart: %w", err)
	}
	return nil
}

// forgetRestarts removes what nobody looks at any more.
func forgetRestarts(tx *store.Tx) error {
	var old []string
	err := restarts(tx).Each("", func(subject string, n restart) error {
		if tx.Now().Sub(n.Since) > keepRestarts {
			old = append(old, subject)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, subject := range old {
		all, err := tx.SurfacesOf(subject)
		if err != nil {
			return err
		}
		for _, s := range all {
			if err := tx.DeleteSurface(s.ID); err != nil {
				return err
			}
		}
		if err := restarts(tx).Delete(subject); err != nil {
			return err
		}
	}
	return nil
}

// jobAndOperation returns a job and what it belongs to, nil for nothing.
func jobAndOperation(tx *store.Tx, id string) (*store.Job, *store.Operation, error) {
	j, err := tx.Job(id)
	if err != nil || j.Operation == "" {
		return j, nil, err
	}
	op, err := tx.Operation(j.Operation)
	return j, op, err
}

// Cards are the runner's own.
func Cards() map[string]tell.Card { return map[string]tell.Card{restartCard: renderRestart} }

func renderRestart(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	n, _, err := restarts(tx).Get(s.Subject)
	if err != nil {
		return integrations.Message{}, err
	}
	var running, ended []string
	for _, id := range n.Jobs {
		j, op, err := jobAndOperation(tx, id)
		if err != nil {
			return integrations.Message{}, err
		}
		if op == nil || op.Channel != s.Where["channel"] {
			continue
		}
		name := fmt.Sprintf("%s of %s (%s)", j.Kind, op.ID, j.ID)
		if j.Target != "" {
			name = fmt.Sprintf("%s of %s on %s", j.Kind, op.ID, j.Target)
		}
		switch {
		case UnderWay(j):
			running = append(running, "the "+name)
		case j.State != store.JobQueued: // that one is the next process's
			ended = append(ended, fmt.Sprintf("The %s: %s.", name, j.State))
		}
	}
	text := strings.Join(append([]string{n.sentence(running)}, ended...), " ")
	return integrations.Message{Text: text, Blocks: []integrations.Block{{Text: integrations.R("🔁 ", text)}}}, nil
}

// sentence says how the drain stands, and what it waits for.
func (n restart) sentence(running []string) string {
	names := strings.Join(running, ", ")
	switch {
	case !n.Back.IsZero() && len(running) > 0:
		return fmt.Sprintf("I was restarted; %s goes on.", names)
	case !n.Back.IsZero():
		return "I was restarted and am back."
	case !n.Down.IsZero() && len(running) > 0:
		return fmt.Sprintf("I am down for a restart, and %s had not ended.", names)
	case !n.Down.IsZero():
		return "I am down for a restart."
	case len(running) == 0:
		return "I am being restarted."
	case !n.Asked.IsZero():
		return fmt.Sprintf("I am being restarted. I have waited %v for %s, and asked it to stop.", n.Limit, names)
	}
	return fmt.Sprintf("I am being restarted, and wait for %s, %v at most. What you ask for meanwhile is kept and decided when I am back; a cancel works at once.", names, n.Limit)
}
