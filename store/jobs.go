package store

import "fmt"

var jobs = table[Job]{
	what: "job", rows: bucketJobsRows, topic: TopicJobs,
	entries: func(j *Job) []entry {
		created := key{}.at(j.Created).id(j.ID)
		order := key{}.num(j.Order).id(j.ID)
		list := []entry{}
		if j.Key != "" {
			list = append(list, entry{bucketJobsByKey, key{}.last(j.Key)})
		}
		if j.Operation != "" {
			list = append(list, entry{bucketJobsByOperation, key{}.text(j.Operation).last(string(created))})
		}
		if j.Target != "" {
			list = append(list, entry{bucketJobsByTarget, key{}.text(j.Target).last(string(created))})
		}
		if j.PR != 0 {
			list = append(list, entry{bucketJobsByPull, key{}.pull(j.RepoID, j.PR).last(string(created))})
		}
		if j.Terminal() {
			return list
		}
		list = append(list, entry{bucketJobsLive, order})
		if j.Locks {
			list = append(list, entry{bucketJobsQueue, key{}.text(j.Target).last(string(order))})
		}
		return list
	},
}

// sequenceJobOrder numbers the queue: who comes later stands behind.
const sequenceJobOrder = "job.order"

// Job returns the job with this id, or ErrNotFound.
func (tx *Tx) Job(id string) (*Job, error) { return jobs.get(tx, []byte(id)) }

// JobByKey returns the job that means this, or ErrNotFound.
func (tx *Tx) JobByKey(k string) (*Job, error) {
	b, err := tx.bucket(bucketJobsByKey)
	if err != nil {
		return nil, fmt.Errorf("read job by key: %w", err)
	}
	id := b.Get([]byte(k))
	if id == nil {
		return nil, fmt.Errorf("job with key %q: %w", k, ErrNotFound)
	}
	return tx.Job(string(id))
}

// InsertJob writes a new job unless there is one with the same Key, which it
// then returns instead. It gives the job an ID and, where those are zero, a
// place at the end of the queue (Order) and the time (Created).
func (tx *Tx) InsertJob(j *Job) (inserted bool, existing *Job, err error) {
	if j.Key == "" {
		return false, nil, fmt.Errorf("insert job %s: no key", j.ID)
	}
	switch existing, err = tx.JobByKey(j.Key); {
	case err == nil:
		return false, existing, nil
	case !notFound(err):
		return false, nil, err
	}
	if j.ID == "" {
		id, err := tx.NextID("job")
		if err != nil {
			return false, nil, err
		}
		set(tx, &j.ID, id)
	}
	return true, nil, tx.PutJob(j)
}

// PutJob writes j, whose Version must be the one that is stored (0: none is),
// else it is ErrConflict; a second job with the same Key is ErrConflict too. It
// raises j.Version and sets j.Updated.
func (tx *Tx) PutJob(j *Job) error {
	if err := checkText(j.ID, j.Key, j.Target, j.Operation); err != nil {
		return fmt.Errorf("write job: %w", err)
	}
	if j.Locks && j.Target == "" {
		return fmt.Errorf("write job %s: it locks, but has no target", j.ID)
	}
	old, have, err := stored(tx, &jobs, []byte(j.ID))
	if err != nil {
		return err
	}
	if have && old.Version != j.Version || !have && j.Version != 0 {
		return conflict("job", j.ID, j.Version)
	}
	if j.Key != "" && (!have || old.Key != j.Key) {
		other, err := tx.JobByKey(j.Key)
		if err == nil && other.ID != j.ID {
			return fmt.Errorf("write job %s: %s has its key %q: %w", j.ID, other.ID, j.Key, ErrConflict)
		}
		if err != nil && !notFound(err) {
			return err
		}
	}
	if !have && j.Order == 0 {
		n, err := tx.Next(sequenceJobOrder)
		if err != nil {
			return err
		}
		set(tx, &j.Order, n)
	}
	stamp(tx, &j.Version, &j.Created, &j.Updated)
	return jobs.put(tx, []byte(j.ID), old, j)
}

// JobsOf returns the jobs of an operation, oldest first.
func (tx *Tx) JobsOf(operation string) ([]*Job, error) {
	return jobs.through(tx, bucketJobsByOperation, key{}.text(operation), false, 0, nil)
}

// LiveJobs returns the jobs that are not over, in the order of the queue.
func (tx *Tx) LiveJobs() ([]*Job, error) { return jobs.through(tx, bucketJobsLive, nil, false, 0, nil) }

// JobsByTarget returns the newest jobs on target, newest first; a limit of 0 is all.
func (tx *Tx) JobsByTarget(target string, limit int) ([]*Job, error) {
	return jobs.through(tx, bucketJobsByTarget, key{}.text(target), true, limit, nil)
}

// JobsByPull returns the jobs of a pull request, oldest first.
func (tx *Tx) JobsByPull(repoID int64, number int) ([]*Job, error) {
	return jobs.through(tx, bucketJobsByPull, key{}.pull(repoID, number), false, 0, nil)
}

// Locking counts the jobs that hold or wait for a run lock.
func (tx *Tx) Locking() (int, error) {
	b, err := tx.bucket(bucketJobsQueue)
	if err != nil {
		return 0, fmt.Errorf("count job: %w", err)
	}
	n := 0
	err = b.ForEach(func(_, _ []byte) error { n++; return nil })
	return n, err
}

// TargetQueue returns the jobs that hold or wait for the run lock of target, by
// their Order.
func (tx *Tx) TargetQueue(target string) ([]*Job, error) {
	return jobs.through(tx, bucketJobsQueue, key{}.text(target), false, 0, nil)
}
