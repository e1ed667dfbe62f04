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
	bucketMeta = []byte("meta")
	keyVersion = []byte("version")
	keyHashKey = []byte("hash_key")

	bucketSequences  = []byte("sequences")
	bucketOperations = []byte("operations")
	bucketJobs       = []byte("jobs")
	bucketRunLocks   = []byte("run_locks")
	bucketHolds      = []byte("holds")
	bucketPulls      = []byte("pulls")
	bucketInbox      = []byte("inbox")
	bucketSeen       = []byte("seen")
	bucketSurfaces   = []byte("surfaces")
	bucketAudit      = []byte("audit")
	bucketFeature    = []byte("feature")

	leafRows        = []byte("rows")
	leafByScope     = []byte("by_scope")
	leafByTarget    = []byte("by_target")
	leafByPull      = []byte("by_pull")
	leafByKey       = []byte("by_key")
	leafByOperation = []byte("by_operation")
	leafByHead      = []byte("by_head")
	leafBySubject   = []byte("by_subject")
	leafLive        = []byte("live")
	leafQueue       = []byte("queue")
	leafOpen        = []byte("open")
	leafDue         = []byte("due")
	leafEvents      = []byte("events")
	leafBodies      = []byte("bodies")
	leafUndecided   = []byte("undecided")
)

// tree is every bucket that exists from the start; those of seen and feature
// are made when they are first needed.
var tree = [][][]byte{
	{bucketMeta}, {bucketSequences}, {bucketRunLocks}, {bucketHolds}, {bucketSeen}, {bucketFeature},
	{bucketOperations, leafRows}, {bucketOperations, leafByScope}, {bucketOperations, leafByTarget},
	{bucketOperations, leafByPull}, {bucketOperations, leafLive},
	{bucketJobs, leafRows}, {bucketJobs, leafByKey}, {bucketJobs, leafByOperation}, {bucketJobs, leafByTarget},
	{bucketJobs, leafByPull}, {bucketJobs, leafLive}, {bucketJobs, leafQueue},
	{bucketPulls, leafRows}, {bucketPulls, leafOpen}, {bucketPulls, leafByHead},
	{bucketInbox, leafEvents}, {bucketInbox, leafBodies}, {bucketInbox, leafUndecided},
	{bucketSurfaces, leafRows}, {bucketSurfaces, leafBySubject}, {bucketSurfaces, leafDue},
	{bucketAudit, leafRows}, {bucketAudit, leafBySubject}, {bucketAudit, leafByTarget}, {bucketAudit, leafByScope},
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
