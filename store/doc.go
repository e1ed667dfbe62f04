// Package store is what signalbox remembers: operations, jobs, locks, what the
// doors accepted, what is shown where, and who did what. It stands beside the
// integrations on the ground floor and imports nothing of the house; commands
// decide inside its transactions, and no type of the database leaves it.
//
// One file (bbolt), one writer. Update queues a function; the writer runs all
// that are queued in one transaction, and answers once it is on disk. A record
// is JSON; what a transaction hands out is a copy.
//
// The buckets, and after the arrow what a key is and what stands under it. A
// part of a key that is text ends with a zero byte; numbers and times are eight
// bytes, big-endian; "created" is a time and the number of the id.
//
//	meta                          version, hash_key
//	sequences                     name -> the last number given
//	operations
//	    rows                      id -> Operation
//	    by_scope                  service or "", environment or "", created, id -> id
//	    by_target                 target, created, id -> id
//	    by_pull                   repository, number, id -> id
//	    live                      created, id -> id, of those not over
//	jobs
//	    rows                      id -> Job
//	    by_key                    key -> id
//	    by_operation              operation, created, id -> id
//	    by_target                 target, created, id -> id
//	    by_pull                   repository, number, created, id -> id
//	    live                      order, id -> id, of those not over
//	    queue                     target, order, id -> id, of those not over that lock
//	run_locks                     target -> RunLock
//	holds                         id -> Hold
//	pulls
//	    rows                      repository, number -> Pull
//	    open                      repository name, number -> key in rows
//	    by_head                   repository name, head, number -> key in rows
//	inbox
//	    events                    sequence -> Event without its body
//	    bodies                    sequence -> compressed body, or the file that holds it
//	    undecided                 sequence -> nothing
//	seen
//	    <day>                     hash of a remembered key -> when
//	surfaces
//	    rows                      id -> Surface
//	    by_subject                subject, order, id -> id
//	    due                       due, order, id -> id, of those marked and not shown
//	audit
//	    rows                      at, sequence -> AuditRow
//	    by_subject                subject, at, sequence -> key in rows
//	    by_target                 target, at, sequence -> key in rows
//	    by_scope                  service or "", environment or "", at, sequence -> key in rows
//	feature
//	    <name>                    the feature's own key -> its own record
package store
