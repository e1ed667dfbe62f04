package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// watch is a run that is being followed.
type watch struct {
	*Tool
	r     record
	log   io.Writer // of what the run prints
	since string    // the place in it
	now   Run       // as it was last seen
	told  string    // what was said of it last
	away  bool      // its engine did not answer last time
	gone  int       // looks, one after the other, at which the engine knew of no such run
	mute  bool      // that its log cannot be read was said
}

// follow waits for the end of a run, and cancels it when ctx ends or its limit is over.
func (t *Tool) follow(ctx context.Context, r record) error { return t.followInto(ctx, r, t.log) }

func (t *Tool) followInto(ctx context.Context, r record, log io.Writer) error {
	w := &watch{Tool: t, r: r, log: log}
	for {
		if w.r.Cancel != "" {
			return w.end()
		}
		run, err := t.e.Look(ctx, r.ID)
		if w.lost(err) && ctx.Err() == nil {
			return unsure{fmt.Errorf("it cannot be followed any more%s: %w", at(Run{URL: r.URL}), err)}
		}
		if over := w.see(ctx, run, err); over {
			return w.ended(run)
		}
		switch {
		case ctx.Err() != nil:
			w.r.Cancel = wantedByPerson
		case time.Since(r.Begun) > t.q.Limit && r.Adopted:
			return unsure{fmt.Errorf("it is not over after %v: %s; it goes on by itself%s", t.q.Limit, said(w.now), at(Run{URL: r.URL}))}
		case time.Since(r.Begun) > t.q.Limit:
			w.r.Cancel = wantedByLimit
		default:
			t.pause(ctx, 0)
			continue
		}
		if err := t.write(w.r); err != nil {
			return unsure{fmt.Errorf("it is to be cancelled, and that cannot be written down: %w%s", err, at(Run{URL: r.URL}))}
		}
	}
}

// patience is how many looks are taken until it is believed that there is not what was just
// begun: an engine may be slow to know its own runs.
const patience = 6

// lost says that the engine has refused to tell of the run for so often that it will not
// any more.
func (w *watch) lost(err error) bool {
	if refused, _, _ := known(err); !refused {
		w.gone = 0
		return false
	}
	w.gone++
	return w.gone > patience
}

// Why the end of a run is wanted.
const (
	wantedByPerson = "person"
	wantedByLimit  = "limit"
)

// see tells of what is new about a run, and says whether it is over.
func (w *watch) see(ctx context.Context, run Run, err error) (over bool) {
	if err != nil {
		if !w.away && ctx.Err() == nil {
			w.say("It cannot be looked at now: %v", err)
		}
		w.away = true
		return false
	}
	w.away, w.now = false, run
	if w.told == "" && w.r.Nonce != "" && run.Name != "" && !strings.Contains(run.Name, w.r.Nonce) {
		w.say("Its name is %q and does not hold the nonce %s: after a crash it could not be found by that", run.Name, w.r.Nonce)
	}
	if now := said(run); now != w.told {
		w.told = now
		w.say("%s", now)
	}
	w.mirror(ctx, run.State.Over())
	return run.State.Over()
}

// mirror writes what a run has printed. Of one that is over, it is asked for a few times:
// the log may come later than the end, and says why it failed.
func (w *watch) mirror(ctx context.Context, over bool) {
	for n := 1; ; n++ {
		next, err := w.e.Log(ctx, w.r.ID, w.since, w.log)
		w.since = next
		if err == nil || ctx.Err() != nil {
			return
		}
		refused, _, after := known(err)
		if refused || !over || n == logTries {
			if !w.mute {
				w.say("Its log cannot be read: %v", err)
			}
			w.mute = !over || refused
			return
		}
		w.pause(ctx, after)
	}
}

// logTries is how often the log of what is over is asked for.
const logTries = 3

// ended is the error of a run that is over; nil where it succeeded.
func (w *watch) ended(run Run) error {
	switch run.State {
	case Succeeded:
		return nil
	case Cancelled:
		return fmt.Errorf("%s was cancelled at %s: %s; what it had done by then stays%s", w.q.What, w.q.Engine, said(run), at(run))
	}
	return fmt.Errorf("%s failed: %s%s", w.q.What, said(run), at(run))
}

// end cancels a run and waits until it is over, whoever waits for that.
func (w *watch) end() error {
	ctx, done := context.WithTimeout(context.Background(), endWait)
	defer done()
	w.say("It is cancelled%s", at(Run{URL: w.r.URL}))
	var last error
	for {
		run, err := w.e.Look(ctx, w.r.ID)
		if w.see(ctx, run, err) {
			return w.cancelled(run)
		}
		// Asked for again each time: it may have been too early, or begin more by itself.
		if err = w.e.Cancel(ctx, w.r.ID); err != nil && ctx.Err() == nil && (last == nil || last.Error() != err.Error()) {
			w.say("It cannot be cancelled: %v", err)
		}
		if ctx.Err() == nil {
			last = err
		}
		if !w.pause(ctx, 0) {
			return w.goesOn(last)
		}
	}
}

// cancelled is the error of a run that is over and whose end was wanted.
func (w *watch) cancelled(run Run) error {
	if run.State == Succeeded {
		w.say("It had succeeded before it could be cancelled%s", at(run))
		return nil
	}
	if w.r.Cancel == wantedByLimit {
		return fmt.Errorf("%s was not over after %v and was cancelled; what it had done by then stays%s", w.q.What, w.q.Limit, at(run))
	}
	return stopped{fmt.Errorf("its run was cancelled and is over: %s; what it had done by then stays%s", said(run), at(run))}
}

// goesOn is the error of a run that did not end.
func (w *watch) goesOn(err error) error {
	text := fmt.Errorf("its run was to be cancelled, and %v later it still goes on: %s%s", endWait, said(w.now), at(Run{URL: w.r.URL}))
	if err != nil {
		text = fmt.Errorf("its run could not be cancelled, and goes on: %w%s", err, at(Run{URL: w.r.URL}))
	}
	if w.r.Cancel == wantedByLimit {
		return unsure{text}
	}
	return stopped{text}
}

// find follows what a killed apply began, and answers how it came out. It starts nothing.
func (t *Tool) find(ctx context.Context) error {
	r, err := t.read()
	switch {
	case err != nil:
		return err
	case r.ID == "" && r.Nonce == "":
		return t.answer(Outcome{Broken, "it was killed before anything was started"})
	case r.ID == "":
		if r, err = t.seek(ctx, r, "it was killed as it began %s", t.q.What); err != nil {
			return t.answer(judge(err))
		}
	}
	return t.answer(judge(t.follow(ctx, r)))
}

// probe says how the run of this attempt stands.
func (t *Tool) probe(ctx context.Context) error {
	r, err := t.read()
	if err != nil {
		return err
	}
	var run Run
	switch {
	case r.ID == "" && r.Nonce == "" && t.q.Adopt:
		run, err = t.e.Find(ctx, Search{SHA: t.q.SHA})
	case r.ID == "" && r.Nonce == "":
		run, err = t.e.Find(ctx, Search{Nonce: t.q.mark()})
	case r.ID == "":
		run, err = t.e.Find(ctx, Search{Nonce: r.Nonce, Since: r.Begun})
	default:
		run, err = t.e.Look(ctx, r.ID)
	}
	switch {
	case err != nil:
		return err
	case run.ID == "" && r.Nonce != "":
		return t.answer(Left{Text: fmt.Sprintf("%s was to be started with the nonce %s, and there is no run that knows it.", t.q.What, r.Nonce)})
	case run.ID == "":
		return t.answer(Left{Text: fmt.Sprintf("There is no run of %s at %.12s.", t.q.What, t.q.SHA)})
	case run.State == Succeeded:
		return t.answer(Left{Clean: true, Text: fmt.Sprintf("%s succeeded at %.12s%s", t.q.What, t.q.SHA, at(run))})
	case run.State.Over():
		return t.answer(Left{Text: fmt.Sprintf("%s is over: %s; what it had done by then stays%s", t.q.What, said(run), at(run))})
	}
	return t.answer(Left{Text: fmt.Sprintf("%s goes on at %s: %s%s", t.q.What, t.q.Engine, said(run), at(run))})
}

// see answers how the newest run of the step stands. It is asked right before an apply
// too, so that it is here that people hear of a CI that is away.
func (t *Tool) see(ctx context.Context) error {
	run, err := t.newest(ctx)
	if err != nil {
		return err
	}
	return t.answer(Seen{Run: run, Same: run.ID != "" && hasMark(run, t.q)})
}

// plan has a run plan, and answers what stands between the marks of its log. A plan that
// was begun by a process that is gone is followed; one that is over is made anew.
func (t *Tool) plan(ctx context.Context) error {
	r, err := t.begin(ctx)
	if err != nil {
		return err
	}
	text := &cutter{next: t.log}
	err = t.followInto(ctx, r, text)
	if err := errors.Join(err, t.write(record{})); err != nil {
		return err
	}
	plan, err := text.plan()
	if err != nil {
		return fmt.Errorf("%s: %w%s", t.q.What, err, at(Run{URL: r.URL}))
	}
	return t.answer(Seen{Run: Run{ID: r.ID, URL: r.URL, State: Succeeded}, Same: true, Text: plan})
}
