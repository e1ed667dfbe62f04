package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Every name of the tree in doc.go, once.
var (
	keyVersion = []byte("version")
	keyHashKey = []byte("hash_key")

	bucketMeta               = []byte("meta")
	bucketSequences          = []byte("sequences")
	bucketOperationsRows     = []byte("operations/rows")
	bucketOperationsByScope  = []byte("operations/by_scope")
	bucketOperationsByTarget = []byte("operations/by_target")
	bucketOperationsByPull   = []byte("operations/by_pull")
	bucketOperationsLive     = []byte("operations/live")
	bucketJobsRows           = []byte("jobs/rows")
	bucketJobsByKey          = []byte("jobs/by_key")
	bucketJobsByOperation    = []byte("jobs/by_operation")
	bucketJobsByTarget       = []byte("jobs/by_target")
	bucketJobsByPull         = []byte("jobs/by_pull")
	bucketJobsLive           = []byte("jobs/live")
	bucketJobsQueue          = []byte("jobs/queue")
	bucketRunLocks           = []byte("run_locks")
	bucketHolds              = []byte("holds")
	bucketPullsRows          = []byte("pulls/rows")
	bucketPullsOpen          = []byte("pulls/open")
	bucketPullsByHead        = []byte("pulls/by_head")
	bucketInboxUndecided     = []byte("inbox/undecided")
	bucketInboxEvents        = []byte("inbox/events")
	bucketInboxBodies        = []byte("inbox/bodies")
	bucketSurfacesRows       = []byte("surfaces/rows")
	bucketSurfacesBySubject  = []byte("surfaces/by_subject")
	bucketSurfacesDue        = []byte("surfaces/due")
	bucketAuditRows          = []byte("audit/rows")
	bucketAuditBySubject     = []byte("audit/by_subject")
	bucketAuditByTarget      = []byte("audit/by_target")
	bucketAuditByScope       = []byte("audit/by_scope")
)

// Of these there is one bucket a day, and one a feature.
const (
	prefixSeen    = "seen/"
	prefixFeature = "feature/"
)

// tree is every bucket that exists from the start; those of seen and feature
// are made when they are first needed.
var tree = [][]byte{
	bucketMeta, bucketSequences,
	bucketOperationsRows, bucketOperationsByScope, bucketOperationsByTarget, bucketOperationsByPull, bucketOperationsLive,
	bucketJobsRows, bucketJobsByKey, bucketJobsByOperation, bucketJobsByTarget, bucketJobsByPull, bucketJobsLive, bucketJobsQueue, bucketRunLocks, bucketHolds,
	bucketPullsRows, bucketPullsOpen, bucketPullsByHead,
	bucketInboxUndecided, bucketInboxEvents, bucketInboxBodies,
	bucketSurfacesRows, bucketSurfacesBySubject, bucketSurfacesDue,
	bucketAuditRows, bucketAuditBySubject, bucketAuditByTarget, bucketAuditByScope,
}

// A key is built part by part. Text ends with a zero byte, so that a scan for
// "web" cannot find "web-2"; text that holds one is refused (see checkText).
type key []byte

func (k key) text(s string) key       { return append(append(k, s...), 0) }
func (k key) num(n uint64) key        { return binary.BigEndian.AppendUint64(k, n) }
func (k key) at(t time.Time) key      { return k.num(timeKey(t)) }
func (k key) last(s string) key       { return append(k, s...) }
func (k key) id(s string) key         { return k.num(idNumber(s)).last(s) }
func (k key) pull(r int64, n int) key { return k.num(uint64(r)).num(uint64(n)) }

// timeKey orders times as numbers; the zero time comes first.
func timeKey(t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	return uint64(t.UnixNano()) ^ 1<<63
}

func keyTime(n uint64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, int64(n^1<<63))
}

// idNumber is the 12 of "op-12", so that op-9 comes before op-12; 0 where there is none.
func idNumber(id string) uint64 {
	n, err := strconv.ParseUint(id[strings.LastIndexByte(id, '-')+1:], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// after is the first key behind all that begin with prefix; nil if there is none.
func after(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

// checkText refuses what would not stay one part of a key.
func checkText(parts ...string) error {
	for _, p := range parts {
		if strings.IndexByte(p, 0) >= 0 || !utf8.ValidString(p) {
			return fmt.Errorf("%q is not text", p) // JSON would not give back what the key was made of
		}
		if len(p) > 4096 {
			return fmt.Errorf("%.40q… is too long for a key: %d bytes", p, len(p))
		}
	}
	return nil
}

// first is the number that a key begins with.
func (k key) first() uint64 { return binary.BigEndian.Uint64(k) }

// sortBy orders records by a key computed from each.
func sortBy[T any](list []T, by func(T) key) {
	slices.SortFunc(list, func(a, b T) int { return bytes.Compare(by(a), by(b)) })
}
