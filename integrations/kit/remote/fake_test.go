package remote

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

// fake is an engine whose runs take so many looks, that does something at one of its
// calls, and that knows what it was asked.
type fake struct {
	t     *testing.T
	runs  []*fakeRun
	calls []string
	// at is asked at each call, before it is acted on and after; an error is the answer.
	at func(n int, call string, done bool) error

	looks    int // that a run takes
	ends     State
	deaf     bool // it takes no notice of a cancel
	noID     bool // Start does not say which run it began
	showsFor func(n int) bool
	log      string
	logErr   error
}

type fakeRun struct {
	Run
	sha   string
	looks int
	begun time.Time
}

// killed is what a call ends with that the tool does not survive.
type killed struct{}

func (f *fake) call(name string, do func() error) error {
	n := len(f.calls) + 1
	f.calls = append(f.calls, name)
	if f.at != nil {
		if err := f.at(n, name, false); err != nil {
			return err
		}
	}
	err := do()
	if f.at != nil {
		if lost := f.at(n, name, true); lost != nil {
			return lost
		}
	}
	return err
}

func (f *fake) begin(name, sha string) *fakeRun {
	r := &fakeRun{Run: Run{ID: fmt.Sprint(len(f.runs) + 1), Name: name, State: Running, URL: fmt.Sprintf("http://ci/%d", len(f.runs)+1)}, sha: sha, begun: time.Now()}
	f.runs = append(f.runs, r)
	return r
}

func (f *fake) Start(_ context.Context, q Request, nonce string) (r Run, err error) {
	err = f.call("start", func() error {
		r = f.begin(nonce, q.SHA).Run
		if f.noID {
			r = Run{}
		}
		return nil
	})
	if err != nil {
		return Run{}, err
	}
	return r, nil
}

func (f *fake) Find(_ context.Context, s Search) (r Run, err error) {
	err = f.call("find", func() error {
		for _, have := range f.runs {
			fits := strings.HasPrefix(have.Name, s.Nonce) && s.Nonce != "" || s.Nonce == "" && have.sha == s.SHA && have.Name == ""
			if fits && !have.begun.Before(s.Since) && (f.showsFor == nil || f.showsFor(len(f.calls))) {
				r = have.Run
			}
		}
		return nil
	})
	return r, err
}

func (f *fake) run(id string) *fakeRun {
	for _, r := range f.runs {
		if r.ID == id {
			return r
		}
	}
	return nil
}

func (f *fake) Look(ctx context.Context, id string) (r Run, err error) {
	err = f.call("look", func() error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		run := f.run(id)
		if run == nil {
			return &Refused{errors.New("no such run")}
		}
		if run.looks++; run.looks >= f.looks && !run.State.Over() {
			run.State = f.ends
		}
		r = run.Run
		return nil
	})
	return r, err
}

func (f *fake) Log(_ context.Context, id, since string, w io.Writer) (string, error) {
	err := f.call("log", func() error {
		if since == "" && f.run(id).State.Over() && f.logErr == nil {
			io.WriteString(w, f.log)
			since = "all"
		}
		return f.logErr
	})
	return since, err
}

func (f *fake) Cancel(_ context.Context, id string) error {
	return f.call("cancel", func() error {
		r := f.run(id)
		if r.State.Over() {
			return &Refused{errors.New("it is over")}
		}
		if !f.deaf {
			r.State = Cancelled
		}
		return nil
	})
}

// kit is a step at a fake engine, with a folder of one attempt.
type kit struct {
	*fake
	q   Request
	log bytes.Buffer
	out bytes.Buffer
}

func newKit(t *testing.T) *kit {
	return &kit{fake: &fake{t: t, looks: 3, ends: Succeeded}, q: Request{
		Order: Default(), Engine: "the CI", What: "deploy", Target: "web/production", Job: "j1", SHA: strings.Repeat("ab", 20), Key: "sb-0123456789ab", Dir: t.TempDir(),
	}}
}

// attempt is a new one.
func (k *kit) attempt() { k.q.Dir = k.t.TempDir() }

// do does one act by a process that may be killed; alive says that it was not.
func (k *kit) do(ctx context.Context, act string) (code int, alive bool) {
	k.out.Reset()
	defer func() {
		if why := recover(); why != nil {
			if _, ok := why.(killed); !ok {
				panic(why)
			}
			alive = false
		}
	}()
	return NewTool(k.fake, &k.out, &k.log).Do(ctx, act, k.q), true
}

// apply is what the bot does: it has the tool apply, and where that was killed look for
// what it left, as often as it takes.
func (k *kit) apply(ctx context.Context) Outcome {
	k.t.Helper()
	_, alive := k.do(ctx, ActApply)
	for n := 0; !alive; n++ {
		if o, err := Ended(k.q.Dir); err != nil || o.State != "" {
			k.t.Fatalf("it was killed, and had ended: %+v %v", o, err)
		}
		if n > 5 {
			k.t.Fatal("it is killed for ever")
		}
		if _, alive = k.do(context.Background(), ActFind); alive {
			var o Outcome
			if err := json.Unmarshal(k.out.Bytes(), &o); err != nil {
				k.t.Fatalf("%v: %s", err, k.out.String())
			}
			return o
		}
	}
	o, err := Ended(k.q.Dir)
	if err != nil || o.State == "" {
		k.t.Fatalf("it has no outcome: %v\n%s", err, k.log.String())
	}
	return o
}

// says holds an outcome to a state and to words.
func (k *kit) says(o Outcome, state string, words ...string) {
	k.t.Helper()
	if o.State != state {
		k.t.Errorf("it is %+v, want %s\n%s", o, state, k.log.String())
	}
	for _, w := range words {
		if !strings.Contains(o.Why, w) {
			k.t.Errorf("it says %q, and nothing of %q", o.Why, w)
		}
	}
}
