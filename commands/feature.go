package commands

import (
	"context"
	"net/http"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/runner"
	"github.com/signalbox-chatops/signalbox/commands/tell"
)

// Feature is one folder of this floor as the process wires it: everything that
// it adds to the house.
type Feature struct {
	Name  string
	Verbs []Verb
	// Events are the handlers of what happens outside, by the beginning of the
	// stored event's kind: "github." or "github.push".
	Events map[string]Handler
	Ticks  []Tick
	// Workers go on as long as the process works.
	Workers []Worker
	Kinds   []runner.Kind
	// Cards render what the teller shows, by Surface.Card.
	Cards map[string]CardFunc
	// Prune, if there is one, removes what the feature no longer keeps. It is called
	// with the store's own pruning, every hour.
	Prune func(ctx context.Context) error
	// Serves is what it answers over HTTP, by pattern. What comes that way is a stranger's:
	// it reads, and changes nothing.
	Serves map[string]http.Handler
	// Words are its catalogues of phrases, by language, in gettext's .po form.
	Words map[string]string
}

// Tick is work that comes round. Every is domain time.
type Tick struct {
	Name  string
	Every time.Duration
	Run   func(ctx context.Context) error
}

// Worker is work that goes on until ctx ends. An error that Run returns before
// that ends the process.
type Worker struct {
	Name string
	Run  func(ctx context.Context) error
}

// CardFunc renders a surface as the store stands now.
type CardFunc = tell.Card
