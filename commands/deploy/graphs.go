package deploy

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/tell"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// openGraph marks an attempt on the graphs of its target from when it begins to change
// things: one that is planned again and asks first leaves no mark.
func (f *feature) openGraph(tx *store.Tx, j *store.Job) error {
	if j.State != store.JobDispatching && j.State != store.JobRunning {
		return nil
	}
	t, ok := f.Catalog().Target(j.Target)
	if !ok || t.Graphs.Service == "" {
		return nil
	}
	attempt := strconv.Itoa(j.Attempt)
	id := tell.ID(placeAnnotation, j.ID, attempt)
	if _, err := tx.Surface(id); err == nil { // its mark has come with the job's
		return nil
	}
	return tell.Open(tx, store.Surface{ID: id, Place: placeAnnotation, Card: cardGraph, Subject: j.ID, Where: map[string]string{
		"service": t.Graphs.Service, "roles": strings.Join(t.Graphs.Roles, ","), "attempt": attempt, "from": strconv.FormatInt(f.Clock.Now().Unix(), 10),
	}})
}

// graphCard is an attempt of an apply as a mark on graphs. One that another attempt came
// after keeps what it showed last.
func (f *feature) graphCard(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	j, op, err := jobAndOperation(tx, s.Subject)
	if err != nil {
		return integrations.Message{}, err
	}
	from, err := strconv.ParseInt(s.Where["from"], 10, 64)
	if err != nil {
		return integrations.Message{}, fmt.Errorf("read the start of %s: %w", s.ID, err)
	}
	a := &integrations.Annotation{From: time.Unix(from, 0).UTC()}
	a.Until = a.From
	state := j.State
	switch {
	case strconv.Itoa(j.Attempt) != s.Where["attempt"]:
		if s.Ref != "" {
			return integrations.Message{Hold: true}, nil
		}
		state, a.Until = "over", j.Started
	case j.Terminal():
		a.Until = j.Ended
	case state == store.JobUnknown:
		a.Until = j.Updated
	default:
		state = store.OpApplying
	}
	if a.Until.Before(a.From) {
		a.Until = a.From
	}
	a.Title = fmt.Sprintf("%s (%s): %s", headline(op), op.ID, state)
	lines := []string{fmt.Sprintf("%s at %s, %s, attempt %s", j.Target, short(j.SHA), j.ID, s.Where["attempt"])}
	if who := known(f.Catalog(), op.Requester); op.Requester != (store.Person{}) {
		lines = append(lines, "asked for by "+who.Display())
	}
	if op.PRURL != "" {
		lines = append(lines, op.PRURL)
	}
	a.Text = strings.Join(lines, "\n")
	return integrations.Message{Text: a.Title, Annotation: a}, nil
}

// A release is how long an operation took from its merge until all of it was applied.
type release struct {
	Number  uint64    `json:"number"`
	Service string    `json:"service"` // of the monitoring
	Metric  string    `json:"metric"`
	At      time.Time `json:"at"`
	Took    float64   `json:"took"` // seconds
}

const (
	releasesFeature = "releases"
	// keepRelease is how long one is offered: Mackerel takes none that is older than
	// a day, and drops it without a word (mackerel.io/api-docs/entry/service-metrics).
	keepRelease = 23 * time.Hour
)

// notInMetric is what the name of a metric cannot hold.
var notInMetric = regexp.MustCompile(`[^a-zA-Z0-9_-]+`)

// measure notes how long an operation took that has now succeeded, once, for the service
// on whose graphs its first target is marked.
func (f *feature) measure(tx *store.Tx, op *store.Operation, was string) error {
	if op.State != store.OpSucceeded || was == store.OpSucceeded || op.Service == "" || op.Merged.IsZero() {
		return nil
	}
	service := f.graphService(op)
	if service == "" {
		return nil
	}
	all := store.Feature[release](tx, releasesFeature)
	if _, have, err := all.Get(op.ID); have || err != nil {
		return err
	}
	if err := pruneReleases(tx, f.Clock.Now()); err != nil {
		return err
	}
	number, err := tx.Next("release")
	if err != nil {
		return err
	}
	metric := strings.Join([]string{"signalbox.release", notInMetric.ReplaceAllString(op.Service, "_"), notInMetric.ReplaceAllString(op.Environment, "_")}, ".")
	if err := all.Put(op.ID, release{Number: number, Service: service, Metric: metric, At: op.Ended, Took: op.Ended.Sub(op.Merged).Seconds()}); err != nil {
		return err
	}
	subject := strings.Join([]string{releasesFeature, service}, " ")
	if err := unpark(tx, tell.ID(placeMetric, subject)); err != nil {
		return err
	}
	return tell.Open(tx, store.Surface{ID: tell.ID(placeMetric, subject), Place: placeMetric, Card: cardReleases, Subject: subject, Where: map[string]string{"service": service}})
}

// unpark has a surface that was given up tried again, once for each new value: a key or
// a service may have been mended since.
func unpark(tx *store.Tx, id string) error {
	s, err := tx.Surface(id)
	if errors.Is(err, store.ErrNotFound) || err == nil && s.Parked == "" {
		return nil
	}
	if err != nil {
		return err
	}
	s.Parked, s.Error, s.Tries = "", "", 0
	return tx.PutSurface(s)
}

// graphService is where the first target of an operation that says so is marked.
func (f *feature) graphService(op *store.Operation) string {
	for _, name := range op.Targets {
		if t, ok := f.Catalog().Target(name); ok && t.Graphs.Service != "" {
			return t.Graphs.Service
		}
	}
	return ""
}

func pruneReleases(tx *store.Tx, now time.Time) error {
	all, old := store.Feature[release](tx, releasesFeature), []string{}
	err := all.Each("", func(op string, r release) error {
		if now.Sub(r.At) > keepRelease {
			old = append(old, op)
		}
		return nil
	})
	for _, op := range old {
		if err == nil {
			err = all.Delete(op)
		}
	}
	return err
}

// releasesCard are the release times of the last day, for the metrics of a service of the
// monitoring, in the order in which they were noted: its place takes those that it has
// not taken.
func (f *feature) releasesCard(tx *store.Tx, s *store.Surface) (integrations.Message, error) {
	found := map[uint64]release{}
	err := store.Feature[release](tx, releasesFeature).Each("", func(_ string, r release) error {
		if r.Service == s.Where["service"] && f.Clock.Now().Sub(r.At) <= keepRelease {
			found[r.Number] = r
		}
		return nil
	})
	m := integrations.Message{Hold: len(found) == 0}
	for _, n := range slices.Sorted(maps.Keys(found)) {
		r := found[n]
		m.Measured = append(m.Measured, integrations.Measured{Number: n, Metric: r.Metric, At: r.At, Value: r.Took})
	}
	return m, err
}
