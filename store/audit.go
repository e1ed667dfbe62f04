package store

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

var audit = table[AuditRow]{
	what: "audit row", rows: bucketAuditRows, topic: TopicAudit,
	entries: func(r *AuditRow) []entry {
		at := string(key{}.at(r.At).num(r.Seq))
		list := []entry{}
		for _, scope := range scopes(r.Service, r.Environment)[1:] {
			list = append(list, entry{bucketAuditByScope, scope.last(at)})
		}
		if r.Subject != "" {
			list = append(list, entry{bucketAuditBySubject, key{}.text(r.Subject).last(at)})
		}
		if r.Target != "" {
			list = append(list, entry{bucketAuditByTarget, key{}.text(r.Target).last(at)})
		}
		return list
	},
}

const sequenceAudit = "audit"

// Audit writes a row down for good, in this transaction, at tx.Now() unless the
// row says when. There is no way to change or remove one.
func (tx *Tx) Audit(r AuditRow) error {
	if err := checkText(r.Subject, r.Service, r.Environment, r.Target); err != nil {
		return fmt.Errorf("write audit row: %w", err)
	}
	seq, err := tx.Next(sequenceAudit)
	if err != nil {
		return err
	}
	r.Seq = seq
	if r.At.IsZero() {
		r.At = tx.now
	}
	return audit.put(tx, key{}.at(r.At).num(r.Seq), nil, &r)
}

// AuditFilter says which rows; what is zero does not filter.
type AuditFilter struct {
	Target, Service, Environment, Subject string

	// Who is matched as people are: by name where both have one, else by an
	// account that both have.
	Who   Person
	Since time.Time // not before it
	Until time.Time // before it
	Limit int       // of rows; the newest ones
}

// AuditRows returns the rows that match all of f, newest first.
func (tx *Tx) AuditRows(f AuditFilter) ([]*AuditRow, error) {
	index, prefix := bucketAuditRows, key{}
	switch {
	case f.Subject != "":
		index, prefix = bucketAuditBySubject, prefix.text(f.Subject)
	case f.Target != "":
		index, prefix = bucketAuditByTarget, prefix.text(f.Target)
	case f.Service != "" || f.Environment != "":
		index, prefix = bucketAuditByScope, prefix.text(f.Service).text(f.Environment)
	}
	b, err := tx.bucket(index)
	if err != nil {
		return nil, fmt.Errorf("list audit row: %w", err)
	}
	rows, err := tx.bucket(bucketAuditRows)
	if err != nil {
		return nil, fmt.Errorf("list audit row: %w", err)
	}
	var out []*AuditRow
	since := key{}.at(f.Since)
	var end key
	if !f.Until.IsZero() {
		end = slices.Clone(prefix).at(f.Until)
	}
	err = scan(b, prefix, end, true, func(k, v []byte) (bool, error) {
		if slices.Compare(k[len(prefix):], since) < 0 {
			return false, nil
		}
		var r *AuditRow
		var err error
		if len(prefix) == 0 {
			r, err = audit.decode(k, v)
		} else {
			r, err = audit.follow(rows, v)
		}
		if err == nil && f.matches(r) {
			out = append(out, r)
		}
		return f.Limit <= 0 || len(out) < f.Limit, err
	})
	if err != nil {
		return nil, fmt.Errorf("list audit row: %w", err)
	}
	return out, nil
}

// AuditAfter returns the rows whose sequence number is above seq, in its order:
// the first limit of them (0 or less: all). Numbers are given without gaps, so
// it knows how many there are, and reads back to the first of them; a clock that
// was set back makes it read further, and hides none.
func (tx *Tx) AuditAfter(seq uint64, limit int) ([]*AuditRow, error) {
	last, err := tx.last(sequenceAudit)
	if err != nil || last <= seq {
		return nil, err
	}
	rows, err := tx.bucket(bucketAuditRows)
	if err != nil {
		return nil, fmt.Errorf("list audit row: %w", err)
	}
	var keys []key
	err = scan(rows, nil, nil, true, func(k, _ []byte) (bool, error) {
		if auditSeq(k) > seq {
			keys = append(keys, slices.Clone(k))
		}
		return uint64(len(keys)) < last-seq, nil
	})
	if err != nil {
		return nil, fmt.Errorf("list audit row: %w", err)
	}
	slices.SortFunc(keys, func(a, b key) int { return cmp.Compare(auditSeq(a), auditSeq(b)) })
	if limit > 0 && len(keys) > limit {
		keys = keys[:limit]
	}
	out := make([]*AuditRow, 0, len(keys))
	for _, k := range keys {
		r, err := audit.follow(rows, k)
		if err != nil {
			return nil, fmt.Errorf("list audit row: %w", err)
		}
		out = append(out, r)
	}
	return out, nil
}

// auditSeq is the sequence number in the key of a row, behind its time.
func auditSeq(k []byte) uint64 { return key(k[8:]).first() }

func (f AuditFilter) matches(r *AuditRow) bool {
	return f.Who.same(r.Who) && (f.Subject == "" || f.Subject == r.Subject) && (f.Target == "" || f.Target == r.Target) &&
		(f.Service == "" || f.Service == r.Service) && (f.Environment == "" || f.Environment == r.Environment)
}

// same says whether a row's person is the one that is looked for; an empty p
// looks for nobody in particular.
func (p Person) same(q Person) bool {
	switch {
	case p == Person{}:
		return true
	case p.Name != "" && q.Name != "":
		return p.Name == q.Name
	}
	return p.Slack != "" && p.Slack == q.Slack || p.GitHub != "" && strings.EqualFold(p.GitHub, q.GitHub)
}
