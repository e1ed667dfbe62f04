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
//	meta                      version, hash_key
//	sequences                 name -> the last number given
//	operations/rows           id -> Operation
//	operations/by_scope       service or "", environment or "", created, id -> id
//	operations/by_target      target, created, id -> id
//	operations/by_pull        repository, number, id -> id
//	operations/live           created, id -> id, of those not over
//	jobs/rows                 id -> Job
//	jobs/by_key               key -> id
//	jobs/by_operation         operation, created, id -> id
//	jobs/by_target            target, created, id -> id
//	jobs/by_pull              repository, number, created, id -> id
//	jobs/live                 order, id -> id, of those not over
//	jobs/queue                target, order, id -> id, of those not over that lock
//	run_locks                 target -> RunLock
//	holds                     id -> Hold
//	pulls/rows                repository, number -> Pull
//	pulls/open                repository name, number -> key in rows
//	pulls/by_head             repository name, head, number -> key in rows
//	inbox/undecided           sequence -> Event and its compressed body, or the file that holds it
//	inbox/events              sequence -> Event, decided
//	inbox/bodies              sequence -> the body of an event in inbox/events
//	seen/<day>                hash of a remembered key -> when, and the event's sequence
//	surfaces/rows             id -> Surface
//	surfaces/by_subject       subject, order, id -> id
//	surfaces/due              due, order, id -> id, of those marked and not shown
//	audit/rows                at, sequence -> AuditRow
//	audit/by_subject          subject, at, sequence -> key in rows
//	audit/by_target           target, at, sequence -> key in rows
//	audit/by_scope            service or "", environment or "", at, sequence -> key in rows
//	feature/<name>            the feature's own key -> its own record
//
// The names are paths, but the buckets all stand side by side: a bucket inside
// another is one more page to write in every commit that changes it.
package store
