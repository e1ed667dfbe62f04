package remote

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// apply has a run, of its own or the CI's, and follows it to its end. Nothing of it is
// done that was done before by a try that was killed.
func (t *Tool) apply(ctx context.Context) error {
	r, err := t.begin(ctx)
	if err != nil {
		return err
	}
	return t.follow(ctx, r)
}

// begin comes to the run that is to be followed.
func (t *Tool) begin(ctx context.Context) (record, error) {
	r, err := t.read()
	switch {
	case err != nil:
		return r, err
	case r.ID != "":
		t.say("It is followed: an earlier process began it%s", at(Run{URL: r.URL}))
		return r, nil
	case r.Nonce != "":
		return t.seek(ctx, r, "an earlier process was killed as it began %s", t.q.What)
	case t.q.Adopt:
		return t.adopt(ctx)
	}
	if r, err = t.earlier(ctx); err != nil || r.ID != "" {
		return r, err
	}
	return t.start(ctx)
}

// earlier is the run of an earlier try that is under way, or that did the same well: its
// answer may have been lost, and it found by nobody.
func (t *Tool) earlier(ctx context.Context) (record, error) {
	run, err := t.newest(ctx)
	if err != nil {
		return record{}, err
	}
	same := hasMark(run, t.q)
	switch {
	case run.ID == "":
		return record{}, nil
	case same && (!run.State.Over() || run.State == Succeeded && !t.q.Plan):
		t.say("An earlier try began %s at this commit, and no second one is started: %s%s", t.q.What, said(run), at(run))
		r := record{ID: run.ID, URL: run.URL, Begun: time.Now()}
		return r, t.write(r)
	case !run.State.Over():
		t.say("Another run of %s is under way, of another commit: %s%s", t.q.What, said(run), at(run))
	}
	return record{}, nil
}

// newest is the newest run of the step, whatever commit it is of.
func (t *Tool) newest(ctx context.Context) (run Run, _ error) {
	err := t.patiently(ctx, func() (err error) {
		run, err = t.e.Find(ctx, Search{Nonce: t.q.Key + "-"})
		return err
	})
	return run, err
}

// patiently does what changes nothing, or asks for what may be asked for again, until the
// CI is there.
func (t *Tool) patiently(ctx context.Context, do func() error) error {
	away := time.Time{}
	for {
		err := do()
		refused, _, after := known(err)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return stopped{fmt.Errorf("nothing was started")}
		case refused:
			return fmt.Errorf("%w; nothing was started", err)
		case away.IsZero():
			away = time.Now()
			t.say("%s cannot be reached; it is tried for %v: %v", t.q.Engine, t.q.StartWait, err)
		}
		if time.Since(away)+after > t.q.StartWait {
			return t.down(away, err)
		}
		if !t.pause(ctx, after) {
			return stopped{fmt.Errorf("nothing was started")}
		}
	}
}

// AwayMark stands in the error of a CI that is away, behind its name.
const AwayMark = " cannot be reached since "

// down is the error of a CI that was away for so long that it is not waited for.
func (t *Tool) down(since time.Time, err error) error {
	text := "this step has no local, by which it could be run here; apply it again when " + t.q.Engine + " is back"
	if len(t.q.Local) > 0 {
		text = "it can be run here: " + strings.Join(t.q.Local, " ")
	}
	return fmt.Errorf("%s%s%s UTC (%w); nothing was started; %s", t.q.Engine, AwayMark, since.UTC().Format("15:04"), err, text)
}

// newNonce is one that nobody else has.
func (t *Tool) newNonce() string {
	var b [4]byte
	rand.Read(b[:]) // never fails
	return t.q.mark() + hex.EncodeToString(b[:])
}

// start has the CI begin a run. It is written down first by which nonce that is known,
// and what a lost answer left is looked for.
func (t *Tool) start(ctx context.Context) (record, error) {
	r := record{Nonce: t.newNonce(), Begun: time.Now()}
	for away := (time.Time{}); ; {
		if ctx.Err() != nil {
			return r, t.unbegun(stopped{fmt.Errorf("nothing was started")})
		}
		if err := t.write(r); err != nil {
			return r, fmt.Errorf("%w; nothing was started", err)
		}
		run, err := t.e.Start(context.WithoutCancel(ctx), t.q, r.Nonce)
		refused, unsent, after := known(err)
		switch {
		case err == nil && run.ID != "":
			return t.begun(r, run)
		case err == nil:
			return t.seek(ctx, r, "%s took it, and does not say which run that is", t.q.Engine)
		case refused:
			return r, t.unbegun(fmt.Errorf("%w; nothing was started", err))
		case !unsent:
			return t.seek(ctx, r, "it is not known whether %s was started: %v", t.q.What, err)
		case away.IsZero():
			away = time.Now()
			t.say("%s takes nothing now; it is tried for %v: %v", t.q.Engine, t.q.StartWait, err)
		}
		if time.Since(away)+after > t.q.StartWait {
			return r, t.unbegun(t.down(away, err))
		}
		t.pause(ctx, after)
		// What stands before an engine may answer for it that it is away, and have let it
		// through all the same.
		if run, err := t.e.Find(context.WithoutCancel(ctx), Search{Nonce: r.Nonce, Since: r.Begun}); err == nil && run.ID != "" {
			return t.begun(r, run)
		}
	}
}

// unbegun takes the intent back: nothing was started, which err says.
func (t *Tool) unbegun(err error) error {
	if bad := t.write(record{}); bad != nil {
		return unsure{fmt.Errorf("%w; and it could not be written down: %w", err, bad)}
	}
	return err
}

// begun writes down which run it is.
func (t *Tool) begun(r record, run Run) (record, error) {
	r.ID, r.URL = run.ID, run.URL
	if err := t.write(r); err != nil {
		return r, unsure{fmt.Errorf("%s was started%s; and it could not be written down: %w", t.q.What, at(run), err)}
	}
	t.say("%s at %.12s%s", t.q.What, t.q.SHA, at(run))
	return r, nil
}

// seek looks for a run by its nonce. That it is not there is believed when it did not
// show for StartWait, and even then nobody knows whether it will.
func (t *Tool) seek(ctx context.Context, r record, why string, args ...any) (record, error) {
	why = fmt.Sprintf(why, args...)
	t.say("It is looked for by %s, for %v: %s", r.Nonce, t.q.StartWait, why)
	// A person who does not want it has it looked for all the same: it has to be stopped.
	ctx = context.WithoutCancel(ctx)
	patient, done := context.WithTimeout(ctx, t.q.StartWait)
	defer done()
	var last error
	for {
		run, err := t.e.Find(ctx, Search{Nonce: r.Nonce, Since: r.Begun})
		if err == nil && run.ID != "" {
			return t.begun(r, run)
		}
		last = err
		if !t.pause(patient, 0) {
			break
		}
	}
	if last != nil {
		return r, unsure{fmt.Errorf("%s; and it cannot be looked for: %w", why, last)}
	}
	return r, unsure{fmt.Errorf("%s; in %v no run of %s showed that knows the nonce %s: look whether there is one before you try it again", why, t.q.StartWait, t.q.What, r.Nonce)}
}

// adopt waits for the run that the CI starts by itself.
func (t *Tool) adopt(ctx context.Context) (record, error) {
	for began, told := time.Now(), false; ; {
		var run Run
		err := t.patiently(ctx, func() (err error) {
			run, err = t.e.Find(ctx, Search{SHA: t.q.SHA})
			return err
		})
		if err != nil {
			return record{}, err
		}
		if run.ID != "" {
			return t.begun(record{Adopted: true, Begun: time.Now()}, run)
		}
		if time.Since(began) > t.q.StartWait {
			return record{}, fmt.Errorf("%s began no run of %s for %.12s by itself within %v, and adopt starts none; look whether it is to, and apply it again when it has", t.q.Engine, t.q.What, t.q.SHA, t.q.StartWait)
		}
		if !told {
			told = true
			t.say("%s has begun no run of %s for %.12s yet; it is waited for, %v at most", t.q.Engine, t.q.What, t.q.SHA, t.q.StartWait)
		}
		if !t.pause(ctx, 0) {
			return record{}, stopped{fmt.Errorf("nothing was followed; if %s begins a run by itself, it goes on", t.q.Engine)}
		}
	}
}
