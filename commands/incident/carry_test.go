package incident

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// elsewhere is a source with silences of its own.
type elsewhere struct {
	silences []integrations.Quiet // those that were ever made there
	removed  map[string]bool
	wrong    map[string]bool
	blind    error // it does not say what is wrong
	asked    []string
	// fault breaks a call, before it is done or after.
	fault func(call string, before bool) error
}

var errKilled = errors.New("killed")

// did is one call, which can be broken.
func (e *elsewhere) did(call string, do func()) error {
	e.asked = append(e.asked, call)
	for _, before := range []bool{true, false} {
		if e.fault != nil {
			err := e.fault(call, before)
			if errors.Is(err, errKilled) {
				panic(errKilled)
			}
			if err != nil {
				return err
			}
		}
		if before {
			do()
		}
	}
	return nil
}

func (e *elsewhere) Keeps(q integrations.Quiet) error {
	if len(q.Services) == 0 {
		return integrations.ErrQuietNoService
	}
	return nil
}

func (e *elsewhere) Silence(_ context.Context, q integrations.Quiet) (id string, err error) {
	err = e.did("make", func() {
		e.silences = append(e.silences, q)
		id = fmt.Sprintf("s%d", len(e.silences))
	})
	return id, err
}

func (e *elsewhere) FindSilence(_ context.Context, nonce string) (id string, found bool, err error) {
	err = e.did("find", func() {
		if n := slices.IndexFunc(e.silences, func(q integrations.Quiet) bool { return q.Nonce == nonce }); n >= 0 {
			id, found = fmt.Sprintf("s%d", n+1), true
		}
	})
	return id, found, err
}

func (e *elsewhere) Unsilence(_ context.Context, id, nonce string) error {
	return e.did("remove", func() {
		if e.removed == nil {
			e.removed = map[string]bool{}
		}
		e.removed[id] = true
	})
}

func (e *elsewhere) Wrong(context.Context) (map[string]bool, error) {
	e.asked = append(e.asked, "wrong")
	if e.blind != nil {
		return nil, e.blind
	}
	return e.wrong, nil
}

// inForce are the silences that are there and were not removed.
func (e *elsewhere) inForce() (n int) {
	for k := range e.silences {
		if !e.removed[fmt.Sprintf("s%d", k+1)] {
			n++
		}
	}
	return n
}

// carries gives the desk a source that has silences.
func (d *desk) carries(name string) *elsewhere {
	e := &elsewhere{}
	d.sources = append(d.sources, Source{Name: name, Silencer: e})
	return e
}

// rounds has the round of silences come so often; one that is killed starts the process
// anew.
func (d *desk) rounds(n int) {
	d.t.Helper()
	for range n {
		if err := d.clock.Advance(context.Background(), carryEvery, nil); err != nil {
			d.t.Fatal(err)
		}
		func() {
			defer func() {
				if p := recover(); p != nil {
					if p != any(errKilled) {
						panic(p)
					}
					d.starts()
				}
			}()
			if err := d.ticking("carry the silences")(context.Background()); err != nil {
				d.t.Fatal(err)
			}
		}()
	}
}

// said are the lines of the message of a silence below the first.
func (d *desk) said(id string) (out []string) {
	d.t.Helper()
	err := d.store.View(func(tx *store.Tx) error {
		m, err := d.feat.Cards[cardSilence](tx, &store.Surface{Subject: id})
		for _, b := range m.Blocks {
			if len(b.Context) > 0 {
				out = append(out, b.Context.Plain())
			}
			for _, one := range b.Buttons {
				out = append(out, "["+one.Label+"]")
			}
		}
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return out
}

func (d *desk) saying(id string, want ...string) {
	d.t.Helper()
	if got := d.said(id); !slices.Equal(got, want) {
		d.t.Errorf("%s says %q, want %q", id, got, want)
	}
}

// A silence is carried to each source that has silences, and ended there when somebody ends
// it; what ends by its time ends there by itself.
func TestASilenceIsCarried(t *testing.T) {
	d := newDesk(t)
	d.cat.Services[0].Aliases, d.cat.Environments[1].Aliases = []string{"website"}, []string{"prod"}
	a, b := d.carries("alertmanager"), d.carries("mackerel")
	d.sources = append(d.sources, Source{Name: "pingdom"})
	d.says("bob", "silence web 1h --environment prod the disks are replaced")
	d.saying("silence-1", "⏳ alertmanager does not have it yet.", "⏳ mackerel does not have it yet.", "[End it]")
	d.rounds(2)
	d.saying("silence-1", "🔕 alertmanager calls nobody either.", "🔕 mackerel calls nobody either.", "[End it]")
	q := a.silences[0]
	if len(a.silences) != 1 || len(b.silences) != 1 || fmt.Sprintf("%v %v %s %s %s", q.Services, q.Environments, q.ID, q.By, q.Reason) != "[web website] [production prod] silence-1 bob the disks are replaced" ||
		d.clock.Now().Add(time.Hour-2*carryEvery).Sub(q.Until).Abs() > 10*time.Second || q.Nonce == b.silences[0].Nonce {
		t.Errorf("it is made as %+v", q)
	}
	if r := d.says("alice", "silences"); !strings.Contains(r.Private.Text, "\n🔕 mackerel calls nobody either.") {
		t.Errorf("%s", r.Private.Text)
	}
	d.says("bob", "unsilence silence-1")
	d.saying("silence-1", "⏳ alertmanager still has it.", "⏳ mackerel still has it.")
	d.rounds(1)
	d.saying("silence-1", "🔔 alertmanager has it no more.", "🔔 mackerel has it no more.")
	if a.inForce()+b.inForce() > 0 {
		t.Errorf("%v, %v", a.asked, b.asked)
	}
	d.says("bob", "silence web 1h again")
	d.rounds(1)
	a.asked = nil
	d.passes(time.Hour)
	d.rounds(2)
	d.saying("silence-2", "🔔 alertmanager has it no more.", "🔔 mackerel has it no more.")
	if len(a.asked) > 0 {
		t.Errorf("at its end it asked %v", a.asked)
	}
}

// What a source cannot keep is said, with the reason.
func TestWhatIsNotCarried(t *testing.T) {
	d := newDesk(t)
	e := d.carries("alertmanager")
	d.says("bob", "silence web-1 1h the disks are replaced")
	d.saying("silence-1", "⚠️ alertmanager does not have it: only what is a service is carried there", "[End it]")
	e.fault = func(call string, _ bool) error { return errors.New("400 Bad Request: no") }
	d.says("bob", "silence web 1h the disks are replaced")
	d.rounds(3)
	d.saying("silence-2", "⚠️ alertmanager does not have it: “400 Bad Request: no”", "[End it]")
	if len(e.asked) != 1 {
		t.Errorf("it asked %v", e.asked)
	}
	e.fault = nil
	d.says("bob", "silence web 1h the disks are replaced")
	d.rounds(1)
	e.fault = func(call string, _ bool) error { return errors.New("403 Forbidden") }
	d.says("bob", "unsilence silence-3")
	d.rounds(3)
	d.saying("silence-3", "⚠️ alertmanager has it until its end: “403 Forbidden”")
	e.fault = nil
	d.says("bob", "silence web 1h the disks are replaced")
	d.sources = nil
	d.rounds(1)
	d.saying("silence-4", "⚠️ alertmanager does not have it: it is not in the configuration any more", "[End it]")
	d.passes(time.Hour)
	d.saying("silence-3", "🔔 alertmanager has it no more.")
}

// A source that does not answer is asked again, less and less often, as long as the silence
// lasts; and others are not kept waiting.
func TestASourceThatDoesNotAnswer(t *testing.T) {
	d := newDesk(t)
	e, other := d.carries("alertmanager"), d.carries("sensu")
	down := &integrations.Later{After: time.Second, Err: errors.New("connection refused"), Unsent: true}
	e.fault = func(string, bool) error { return down }
	d.says("bob", "silence web 1h one")
	d.says("bob", "silence api 1h two")
	d.rounds(1)
	if len(e.asked) != 1 || len(other.silences) != 2 {
		t.Errorf("it asked %v and %v", e.asked, other.asked)
	}
	d.saying("silence-1", "⏳ alertmanager does not have it yet: “connection refused”", "🔕 sensu calls nobody either.", "[End it]")
	d.rounds(59)
	if n := len(e.asked); n < 14 || n > 40 {
		t.Errorf("within ten minutes it asked %d times", n)
	}
	e.fault = nil
	d.rounds(7)
	d.saying("silence-1", "🔕 alertmanager calls nobody either.", "🔕 sensu calls nobody either.", "[End it]")
	e.fault = func(string, bool) error { return down }
	d.says("bob", "silence web 10m three")
	d.rounds(2)
	d.passes(10 * time.Minute)
	d.rounds(7)
	d.saying("silence-3", "⚠️ alertmanager does not have it: “connection refused”", "🔔 sensu has it no more.")
}

func TestWhatWasCarriedIsForgotten(t *testing.T) {
	d := newDesk(t)
	d.carries("alertmanager")
	d.says("bob", "silence web 1h the disks are replaced")
	d.rounds(1)
	for _, c := range []struct {
		after time.Duration
		want  int
	}{{0, 1}, {keepCarried, 1}, {2 * time.Hour, 0}} {
		if err := d.clock.Advance(context.Background(), c.after, nil); err != nil {
			t.Fatal(err)
		}
		n := 0
		err := errors.Join(d.feat.Prune(context.Background()), d.store.View(func(tx *store.Tx) error {
			all, err := carriedOf(tx, "silence-1")
			n = len(all)
			return err
		}))
		if err != nil || n != c.want {
			t.Errorf("after %s more there are %d: %v", c.after, n, err)
		}
	}
}
