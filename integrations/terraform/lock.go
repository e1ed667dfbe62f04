package terraform

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/signalbox-chatops/signalbox/integrations"
)

const lockError = "Error acquiring the state lock"

// stateLock is the lock that a run met.
type stateLock struct {
	id        string
	who       string // "" where the backend does not tell
	operation string
	created   string
	process   bool // held by a running process of this machine, and gone with it
}

var (
	// The http backend tells the id of the lock that is held in its message alone: the
	// Lock Info below that is of the lock which this run wanted (Terraform 1.11).
	heldElsewhere = regexp.MustCompile(`already locked:\s+ID=(\S+)`)
	lockInfo      = regexp.MustCompile(`(?m)^\s*(ID|Who|Operation|Created):[ \t]*(.*?)[ \t]*$`)
)

// lockOf is the lock that a command met, as its own words tell.
func lockOf(err error) (stateLock, bool) {
	var failed *integrations.CommandError
	if !errors.As(err, &failed) || !strings.Contains(failed.Tail, lockError) {
		return stateLock{}, false
	}
	text := errorText(failed.Tail)
	text = text[max(0, strings.Index(text, lockError)):]
	if m := heldElsewhere.FindStringSubmatch(text); m != nil {
		return stateLock{id: m[1]}, true
	}
	l := stateLock{process: strings.Contains(text, "resource temporarily unavailable")}
	fields := map[string]*string{"ID": &l.id, "Who": &l.who, "Operation": &l.operation, "Created": &l.created}
	for _, m := range lockInfo.FindAllStringSubmatch(text, -1) {
		if at := fields[m[1]]; *at == "" {
			*at = m[2]
		}
	}
	return l, true
}

// words say who holds the lock, as far as the backend tells.
func (l stateLock) words() string {
	var of []string
	if l.operation != "" {
		of = append(of, "for "+l.operation)
	}
	if l.created != "" {
		of = append(of, "since "+shortTime(l.created))
	}
	if l.id != "" {
		of = append(of, "lock "+l.id)
	}
	detail := ""
	if len(of) > 0 {
		detail = " (" + strings.Join(of, ", ") + ")"
	}
	if l.who == "" {
		return "the state is locked" + detail + ", and the backend does not tell by whom"
	}
	return "the state is locked by " + l.who + detail
}

var fraction = regexp.MustCompile(`(:\d\d)\.\d+`)

// shortTime is Terraform's time without the parts of a second.
func shortTime(s string) string { return fraction.ReplaceAllString(s, "$1") }

// offerUnlock is the kind of the offer to release a lock.
const offerUnlock = "unlock"

// offer is the one to release the lock, where a command can: that of a process ends with
// it, and one without an id, or with one that reads as an option, cannot be named.
func (l stateLock) offer() (integrations.Offer, bool) {
	return integrations.Offer{
		Kind: offerUnlock, Key: l.id, Label: "Release the state lock", Words: l.words(),
		Confirm: "Release the state lock " + l.id + "? Look first that nobody is writing that state any more.",
	}, l.id != "" && !strings.HasPrefix(l.id, "-") && !l.process
}

// met says who holds the lock that a command met, and offers to release it.
func (a *Applier) met(err error) error {
	lock, held := lockOf(err)
	if !held {
		return err
	}
	var failed *integrations.CommandError
	if errors.As(err, &failed) {
		failed.Tail = aboutLock(failed.Tail)
	}
	if o, can := lock.offer(); can {
		return &integrations.Mendable{Offers: []integrations.Offer{o}, Err: err}
	}
	return fmt.Errorf("%w; %s", err, lock.words())
}

// aboutLock is what the tool says of a lock, without what is of no use here: how to go
// without a lock, and of the http backend the lock that this very run wanted, which reads
// as if it were the holder's.
func aboutLock(tail string) string {
	text, _, _ := strings.Cut(errorText(tail), "\nTerraform acquires a state lock")
	text, _, _ = strings.Cut(text, "\nOpenTofu acquires a state lock")
	if heldElsewhere.MatchString(text) {
		text, _, _ = strings.Cut(text, "\nLock Info:")
	}
	return strings.TrimSpace(text)
}

// held looks whether somebody holds the state's lock now. Terraform has no command for
// that; one that wants the lock tells, before it does anything else.
func (a *Applier) held(ctx context.Context, r integrations.Run) (stateLock, bool, error) {
	path := filepath.Join(r.Work, "look.tfplan")
	defer os.Remove(path)
	_, err := a.planTo(ctx, r, path, "-lock-timeout=0s", "-refresh=false")
	if lock, held := lockOf(err); held {
		return lock, true, nil
	}
	return stateLock{}, false, err
}

// unlock releases the lock that was offered. Some backends release whatever is held when
// they are told to (Terraform's http one sends no id at all), so that it is looked first
// whether that is still this lock.
func (a *Applier) unlock(ctx context.Context, r integrations.Run, o integrations.Offer) (string, error) {
	begun := filepath.Join(r.Work, "unlock.begun")
	if !exists(begun) {
		if err := a.initialize(ctx, r); err != nil {
			return "", err
		}
		lock, held, err := a.held(ctx, r)
		switch {
		case err != nil:
			return "", err
		case !held:
			return "Nobody holds the state's lock any more.", nil
		case lock.id != o.Key:
			return "", a.outdated(lock)
		}
		if err := write(begun, nil); err != nil {
			return "", fmt.Errorf("note that the lock was looked at: %w", err)
		}
	}
	c := a.command(r, "force-unlock")
	c.Argv = []string{a.tool.binary, "force-unlock", "-force", o.Key} // it knows no -no-color
	if _, err := r.Exec.Effect(ctx, offerUnlock, c); err != nil {
		return "", plain(err)
	}
	return "The state's lock " + o.Key + " was released.", nil
}

// outdated refuses to release another lock than the one that was offered, and offers that.
func (a *Applier) outdated(lock stateLock) error {
	err := fmt.Errorf("%w: another lock is held by now", integrations.ErrOutdated)
	if o, can := lock.offer(); can {
		return &integrations.Mendable{Offers: []integrations.Offer{o}, Err: err}
	}
	return fmt.Errorf("%w; %s", err, lock.words())
}

// Mend implements integrations.Mender.
func (a *Applier) Mend(ctx context.Context, r integrations.Run, o integrations.Offer) (string, error) {
	can := map[string]func(context.Context, integrations.Run, integrations.Offer) (string, error){offerUnlock: a.unlock, offerSave: a.save}
	mend, ok := can[o.Kind]
	if !ok {
		return "", fmt.Errorf("%s has nothing to offer that is called %q", a.Describe(), o.Kind)
	}
	return mend(ctx, r, o)
}

var colour = regexp.MustCompile("\x1b\\[[0-9;]*m")

// plain takes the colours out of the words of a command that knows no -no-color.
func plain(err error) error {
	var failed *integrations.CommandError
	if errors.As(err, &failed) {
		failed.Tail = errorText(colour.ReplaceAllString(failed.Tail, ""))
	}
	return err
}

// errorText is the tool's own account of what went wrong, at the end of its log.
func errorText(tail string) string {
	if i := strings.Index(tail, "Error: "); i >= 0 {
		tail = tail[i:]
	}
	lines := strings.Split(tail, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(strings.TrimPrefix(strings.TrimPrefix(line, "│ "), "│"), " ")
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n╵")
}
