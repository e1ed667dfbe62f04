package ingress

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands/runner"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

const kept = "ingress" // where the leases are kept

// The states of a lease. Whatever it is found in after a crash, the group says what is
// still to be done.
const (
	stateOpening = "opening" // there may be a rule, and nobody relies on it
	stateOpen    = "open"
	stateClosing = "closing"
	stateOver    = "over"
)

// Lease is one port open to one address for one job.
type Lease struct {
	ID string `json:"id"` // "ingress-2"
	integrations.Ingress
	CIDR  string `json:"cidr"` // one address: "54.65.0.7/32"
	State string `json:"state"`
	// Rule is the id of the rule, "" while it is not known. Foreign says that somebody else
	// made it: it is used, and stays.
	Rule    string `json:"rule,omitempty"`
	Foreign bool   `json:"foreign,omitempty"`

	Job         string       `json:"job"`
	Target      string       `json:"target"`
	Environment string       `json:"environment"`
	By          store.Person `json:"by"` // who asked for the job
	Room        string       `json:"room,omitempty"`

	Begun   time.Time `json:"begun"`
	Expires time.Time `json:"expires"`
	// Sent is when the last rule was asked for that reads may not show yet.
	Sent  time.Time `json:"sent,omitzero"`
	Since time.Time `json:"since,omitzero"` // that it is being closed
	Ended time.Time `json:"ended,omitzero"`
	Why   string    `json:"why,omitempty"` // it could not be closed yet
	// Stuck says that people were told that it stays open.
	Stuck bool `json:"stuck,omitempty"`
}

// tag is the value of the rule's tag. It is for people: that a rule is ours shows in that
// it has one.
func (l *Lease) tag() string {
	return strings.Join([]string{l.ID, l.Job, "until", l.Expires.UTC().Format(time.RFC3339)}, " ")
}

// rule is what is asked for.
func (l *Lease) rule() integrations.IngressRule {
	return integrations.IngressRule{
		Group: l.Group, Protocol: "tcp", From: l.Port, To: l.Port, CIDR: l.CIDR, Tags: map[string]string{integrations.TagWindow: l.tag()},
		Text: fmt.Sprintf("signalbox %s on %s until %s", l.Job, l.Target, l.Expires.UTC().Format(time.RFC3339)),
	}
}

// is says whether a rule is the one that the lease is of, whoever made it.
func (l *Lease) is(r integrations.IngressRule) bool {
	return r.Group == l.Group && r.Protocol == "tcp" && r.From == l.Port && r.To == l.Port && r.CIDR == l.CIDR
}

// with says whether two leases are of the same rule.
func (l *Lease) with(o *Lease) bool { return l.Same(o.Ingress) && l.CIDR == o.CIDR }

func ours(r integrations.IngressRule) bool { _, has := r.Tags[integrations.TagWindow]; return has }

// found looks for the lease's rule among those of its group.
func (l *Lease) found(all []integrations.IngressRule) (integrations.IngressRule, bool) {
	i := slices.IndexFunc(all, l.is)
	if i < 0 {
		return integrations.IngressRule{}, false
	}
	return all[i], true
}

func leases(tx *store.Tx) *store.Records[Lease] { return store.Feature[Lease](tx, kept) }

// live are the leases that are not over and that a condition holds for, by id.
func live(tx *store.Tx, which func(*Lease) bool) (out []*Lease, err error) {
	err = leases(tx).Each("", func(_ string, l Lease) error {
		if l.State != stateOver && which(&l) {
			out = append(out, &l)
		}
		return nil
	})
	return out, err
}

// holds says whether a lease's job may be about to reach its hosts. Of an unknown one
// nobody knows whether anything still runs: the port is closed, which ends nothing that
// has come in already.
func holds(tx *store.Tx, l *Lease) (bool, error) {
	j, err := tx.Job(l.Job)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil && runner.UnderWay(j), err
}
