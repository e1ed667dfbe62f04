package store

import (
	"fmt"
	"slices"
	"time"
)

var audit = table[AuditRow]{
	what: "audit row", rows: bucketAuditRows,
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

	Since time.Time
	Limit int
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
	err = scan(b, prefix, nil, true, func(k, v []byte) (bool, error) {
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

func (f AuditFilter) matches(r *AuditRow) bool {
	return (f.Subject == "" || f.Subject == r.Subject) && (f.Target == "" || f.Target == r.Target) &&
		(f.Service == "" || f.Service == r.Service) && (f.Environment == "" || f.Environment == r.Environment)
}
