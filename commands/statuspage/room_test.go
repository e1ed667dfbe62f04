package statuspage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/store"
)

// still is a clock that moves when it is told to.
type still struct {
	mu  sync.Mutex
	now time.Time
}

func (c *still) Now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.now }
func (c *still) move(d time.Duration) {
	c.mu.Lock()
	c.now = c.now.Add(d)
	c.mu.Unlock()
}
func (c *still) NewTimer(time.Duration) clock.Timer { panic("nothing here sleeps") }

// site is a fake status page: a Go value that keeps to the rules that a notice relies on.
// The wire is the simulator's.
type site struct {
	clock      *still
	components []integrations.PageComponent
	incidents  []integrations.PageIncident // the newest last
	written    []string                    // what subscribers were written
	posts      []string                    // the nonces of what was posted
	next       int
	// fault is called before each call is done, and after it.
	fault func(call string, before bool) error
}

func newSite(c *still) *site {
	s := &site{clock: c}
	for _, name := range []string{"web", "api", "dns"} {
		s.components = append(s.components, integrations.PageComponent{ID: "c-" + name, Name: name, Status: integrations.ComponentOperational})
	}
	return s
}

func (s *site) around(call string, do func() error) error {
	if s.fault != nil {
		if err := s.fault(call, true); err != nil {
			return err
		}
	}
	if err := do(); err != nil {
		return err
	}
	if s.fault != nil {
		return s.fault(call, false)
	}
	return nil
}

// as is an incident as it is read: with its components as they are now.
func (s *site) as(i integrations.PageIncident) integrations.PageIncident {
	i.Updates, i.Components = slices.Clone(i.Updates), slices.Clone(i.Components)
	for n, c := range i.Components {
		i.Components[n] = s.components[slices.IndexFunc(s.components, func(o integrations.PageComponent) bool { return o.ID == c.ID })]
	}
	return i
}

func (s *site) Components(context.Context) (out []integrations.PageComponent, err error) {
	return out, s.around("components", func() error { out = slices.Clone(s.components); return nil })
}

func (s *site) Unresolved(context.Context) (out []integrations.PageIncident, err error) {
	return out, s.around("unresolved", func() error {
		for _, i := range s.incidents {
			if !i.Over() {
				out = append(out, s.as(i))
			}
		}
		return nil
	})
}

func (s *site) at(id string) int {
	return slices.IndexFunc(s.incidents, func(i integrations.PageIncident) bool { return i.ID == id })
}

func (s *site) Incident(_ context.Context, id string) (i integrations.PageIncident, err error) {
	return i, s.around("incident", func() error {
		n := s.at(id)
		if n < 0 {
			return &integrations.Gone{Why: "404"}
		}
		i = s.as(s.incidents[n])
		return nil
	})
}

func (s *site) FindIncident(_ context.Context, nonce string) (i integrations.PageIncident, found bool, err error) {
	return i, found, s.around("find", func() error {
		for _, o := range s.incidents {
			if o.Nonce == nonce {
				i, found = s.as(o), true
			}
		}
		return nil
	})
}

func (s *site) OpenIncident(_ context.Context, p integrations.PagePost) (i integrations.PageIncident, err error) {
	err = s.around("open", func() error { i = s.post("", p); return nil })
	return i, err
}

func (s *site) UpdateIncident(_ context.Context, id string, p integrations.PagePost) (i integrations.PageIncident, err error) {
	err = s.around("update", func() error {
		if s.at(id) < 0 {
			return &integrations.Gone{Why: "404"}
		}
		i = s.post(id, p)
		return nil
	})
	return i, err
}

func (s *site) SetComponent(_ context.Context, id, status string) error {
	return s.around("set", func() error { s.set(id, status); return nil })
}

func (s *site) set(id, status string) {
	for n := range s.components {
		if s.components[n].ID == id {
			s.components[n].Status = status
		}
	}
}

// post is a post, whoever made it.
func (s *site) post(id string, p integrations.PagePost) integrations.PageIncident {
	s.next++
	if id == "" {
		id = fmt.Sprintf("inc-%d", s.next)
		s.incidents = append(s.incidents, integrations.PageIncident{ID: id, Title: p.Title, Opened: s.clock.Now(), URL: "https://stspg.io/" + id})
	}
	i := &s.incidents[s.at(id)]
	i.Status, i.Nonce = p.Status, p.Nonce
	if p.Impact != "" {
		i.Impact = p.Impact
	}
	i.Updates = append([]integrations.PageUpdate{{ID: fmt.Sprintf("upd-%d", s.next), Status: p.Status, Body: p.Body, At: s.clock.Now()}}, i.Updates...)
	for _, c := range slices.Sorted(maps.Keys(p.Components)) {
		s.set(c, p.Components[c])
		if !slices.ContainsFunc(i.Components, func(o integrations.PageComponent) bool { return o.ID == c }) {
			i.Components = append(i.Components, integrations.PageComponent{ID: c})
		}
	}
	if p.Nonce != "" {
		s.posts = append(s.posts, p.Nonce)
	}
	if p.Notify {
		s.written = append(s.written, i.Title+": "+p.Body)
	}
	return s.as(*i)
}

// room is the feature on a real store, a page, and people who type.
type room struct {
	t     testing.TB
	clock *still
	store *store.Store
	site  *site
	f     *feature
	feat  commands.Feature
}

var alice = integrations.Person{Name: "alice", Slack: "U-alice"}

func newRoom(t testing.TB) *room {
	t.Helper()
	clk := &still{now: time.Date(2026, 3, 4, 10, 0, 0, 0, time.UTC)}
	r := &room{t: t, clock: clk, site: newSite(clk)}
	var err error
	r.store, err = store.Open(filepath.Join(t.TempDir(), "signalbox.db"), store.Options{Now: clk.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.store.Close(); err != nil {
			t.Error(err)
		}
	})
	r.f = &feature{Deps: Deps{Store: r.store, Clock: clk, Log: slog.New(slog.DiscardHandler), Page: r.site, Every: 3 * time.Minute, Room: "#ops", Channel: func(name string) string { return "C-" + name }}}
	r.feat = New(r.f.Deps)
	return r
}

// says types a line, or presses a button; what is refused comes back as the error.
func (r *room) says(line string, version uint64) (commands.Reply, error) {
	r.t.Helper()
	u := commands.Parse(r.feat.Verbs, &integrations.Catalog{}, line, false)
	if u.Refusal != nil || len(u.Missing) > 0 {
		r.t.Fatalf("%s: %v, missing %v", line, u.Refusal, u.Missing)
	}
	c := u.Call
	c.Who, c.Version, c.Catalog, c.Heard = alice, version, &integrations.Catalog{}, integrations.Heard{Channel: "C-here", User: alice.Slack}
	act, err := c.Verb.Decide(context.Background(), c)
	if err != nil {
		return commands.Reply{}, err
	}
	var reply commands.Reply
	err = r.store.Update(context.Background(), func(tx *store.Tx) (err error) { reply, err = act(tx); return err })
	return reply, err
}

// must is a line that is not refused.
func (r *room) must(line string) string {
	r.t.Helper()
	reply, err := r.says(line, 0)
	if err != nil {
		r.t.Fatalf("%s: %v", line, err)
	}
	return reply.Subject
}

// refused is what a line is refused with.
func (r *room) refused(line, code string) string {
	r.t.Helper()
	_, err := r.says(line, 0)
	var no *commands.Refusal
	if !errors.As(err, &no) || no.Code != code {
		r.t.Fatalf("%s: %v, want %s", line, err, code)
	}
	return no.Error() + " " + no.Example
}

func (r *room) view(do func(tx *store.Tx) error) {
	r.t.Helper()
	if err := r.store.View(do); err != nil {
		r.t.Fatal(err)
	}
}

func (r *room) notice(id string) (n Notice) {
	r.t.Helper()
	r.view(func(tx *store.Tx) (err error) { n, _, err = notices(tx).Get(id); return err })
	return n
}

// message is the card of a notice, or of an incident.
func (r *room) message(id string) (m integrations.Message) {
	r.t.Helper()
	r.view(func(tx *store.Tx) (err error) {
		if strings.HasPrefix(id, "notice-") {
			m, err = r.f.noticeCard(tx, &store.Surface{Subject: id})
		} else {
			m, err = r.f.incidentCard(tx, &store.Surface{Subject: incidentSubject(id)})
		}
		return err
	})
	return m
}

func (r *room) shown(id string) string {
	r.t.Helper()
	var out strings.Builder
	m := r.message(id)
	out.WriteString(m.Text)
	for _, b := range m.Blocks {
		out.WriteString("\n" + b.Text.Plain() + b.Code + b.Context.Plain())
		for _, button := range b.Buttons {
			out.WriteString("[" + button.Label + "]")
		}
	}
	return out.String()
}

// press presses a button of a notice's card.
func (r *room) press(id, label string) (commands.Reply, error) {
	r.t.Helper()
	for _, b := range r.message(id).Blocks {
		for _, button := range b.Buttons {
			if button.Label == label {
				return r.says(button.Command, button.Version)
			}
		}
	}
	r.t.Fatalf("no button %q: %s", label, r.shown(id))
	return commands.Reply{}, nil
}

func (r *room) pressed(id, label string) commands.Reply {
	r.t.Helper()
	reply, err := r.press(id, label)
	if err != nil {
		r.t.Fatalf("press %s: %v", label, err)
	}
	return reply
}

var errKilled = errors.New("killed")

// step is one run of the job of a notice, as the runner makes it; a fault that panics kills
// it.
func (r *room) step(id string) (again time.Duration, err error) {
	defer func() {
		if p := recover(); p != nil {
			if p != errKilled {
				panic(p)
			}
			again, err = time.Second, errKilled
		}
	}()
	return r.f.step(context.Background(), jobData{id, r.notice(id).Turn})
}

// goes runs the job of a notice for so long at most.
func (r *room) goes(id string, limit time.Duration) Notice {
	r.t.Helper()
	for end := r.clock.Now().Add(limit); r.clock.Now().Before(end); {
		again, err := r.step(id)
		if err != nil {
			again = time.Second
		}
		if again < 0 {
			break
		}
		r.clock.move(max(again, time.Second))
	}
	return r.notice(id)
}

func has(t testing.TB, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("no %q in:\n%s", w, text)
		}
	}
}

func lacks(t testing.TB, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if strings.Contains(text, w) {
			t.Errorf("%q in:\n%s", w, text)
		}
	}
}
