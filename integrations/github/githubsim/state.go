package githubsim

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"
)

// The store is one bucket a kind, keyed by id (8 bytes, big endian), holding
// JSON; the webhook bodies are in a bucket of their own and stay on disk. All
// else is also in memory. A request changes rows in memory, marks them, and
// commit writes them in one transaction before the reply.

type metaRow struct {
	LastID int64
	Base   string
}

type repoRow struct {
	ID            int64
	Owner, Name   string
	DefaultBranch string
	Public        bool
	Perms         map[string]string
	Protect       []Protection
	DeleteOnMerge bool
	LastNumber    int
	Pusher        string            // whose push may be under way
	Refs          map[string]string // refs/heads/* and refs/tags/*, as last seen
	Parent        int64             // the repository that this one is a fork of
	Created       time.Time
	Pushed        time.Time
}

func (r *repoRow) full() string { return r.Owner + "/" + r.Name }

type pullRow struct {
	ID, Repo, HeadRepo  int64
	Number              int
	Title, Body, Author string
	State               string // open, closed
	Draft               bool
	BaseRef, BaseSHA    string
	HeadRef, HeadSHA    string
	HeadLabel           string
	Created, Updated    time.Time
	Closed, MergedAt    *time.Time
	MergedBy, MergeSHA  string
	Editor              string // who edited Body last
	// DiffBase is the tip of the base branch that the figures below were
	// taken against; it stands still once the pull request is closed.
	DiffBase                                string
	Mergeable                               bool
	Commits, Additions, Deletions, NumFiles int
	Labels, Reviewers, Assignees            []string
	Turns                                   []turn // to other base branches, oldest first
	// Intent is a merge whose ref update may or may not have happened.
	Intent *mergeIntent
}

// turn is a pull request being turned to another base branch.
type turn struct {
	By string
	At time.Time
}

type mergeIntent struct{ SHA, By string }

type commentRow struct {
	ID, Repo         int64
	Number           int
	Author, Body     string
	Created, Updated time.Time
}

type reviewRow struct {
	ID, Repo            int64
	Number              int
	Author, Body, State string
	Commit              string
	Submitted           time.Time
}

type statusRow struct {
	ID, Repo                     int64
	SHA, State, Context, Creator string
	Description, TargetURL       string
	Created                      time.Time
}

type checkRow struct {
	ID, Repo                        int64
	Suite                           int64
	SHA, Name, Status, Conclusion   string
	DetailsURL, ExternalID, Creator string
	Title, Summary, Text            string
	Started                         time.Time
	Completed                       *time.Time
}

type deploymentRow struct {
	ID, Repo                             int64
	SHA, Ref, Task, Environment, Creator string
	Description                          string
	Payload                              json.RawMessage
	Transient, Production                bool
	Created, Updated                     time.Time
}

type deploymentStatusRow struct {
	ID, Repo, Deployment                int64
	State, Creator, Description         string
	Environment, LogURL, EnvironmentURL string
	Created                             time.Time
}

type hookRow struct {
	ID, Repo    int64
	URL, Secret string
	ContentType string
	Events      []string
	Active      bool
	Config      string // the key of the configured hook that made it
	App         bool   // the App's own
	Created     time.Time
}

type teamRow struct {
	ID                int64
	Org, Slug, Parent string
	Secret            bool
	Members           []string // logins
}

type tokenRow struct {
	ID      int64
	Token   string
	Expires time.Time
}

type deliveryRow struct {
	ID, Repo, Hook      int64
	GUID, Event, Action string
	URL                 string
	Queued              time.Time
	Delivered           time.Time
	Duration            float64
	Pending, Redelivery bool
	Lost                bool
	Status              string
	Code                int
	Headers, RespHeader map[string]string
	RespBody            string
}

type table[T any] struct {
	bucket string
	rows   map[int64]*T
}

// sorted lists the rows that keep accepts, oldest first.
func (t *table[T]) sorted(keep func(*T) bool) []*T {
	ids := make([]int64, 0, len(t.rows))
	for id, row := range t.rows {
		if keep == nil || keep(row) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	out := make([]*T, len(ids))
	for i, id := range ids {
		out[i] = t.rows[id]
	}
	return out
}

type state struct {
	Meta               metaRow
	Repos              table[repoRow]
	Pulls              table[pullRow]
	Comments           table[commentRow]
	Reviews            table[reviewRow]
	Statuses           table[statusRow]
	Checks             table[checkRow]
	Deployments        table[deploymentRow]
	DeploymentStatuses table[deploymentStatusRow]
	Hooks              table[hookRow]
	Teams              table[teamRow]
	Tokens             table[tokenRow]
	Devices            table[deviceRow]
	UserTokens         table[userTokenRow]
	Deliveries         table[deliveryRow]
	Runs               table[workflowRun]
	dirty              map[dirtyKey]any // nil means delete
}

type dirtyKey struct {
	bucket string
	id     int64
}

const (
	metaBucket    = "meta"
	payloadBucket = "payloads"
)

func (s *Sim) load() error {
	st := &s.state
	st.dirty = map[dirtyKey]any{}
	err := s.db.Update(func(tx *bolt.Tx) error {
		meta := map[int64]*metaRow{}
		b, err := tx.CreateBucketIfNotExists([]byte(metaBucket))
		if err != nil {
			return err
		}
		if err := decodeRows(b, meta); err != nil {
			return err
		}
		if m := meta[0]; m != nil {
			st.Meta = *m
		}
		if _, err := tx.CreateBucketIfNotExists([]byte(payloadBucket)); err != nil {
			return err
		}
		for _, load := range []func() error{
			func() error { return loadTable(tx, &st.Repos, "repos") },
			func() error { return loadTable(tx, &st.Pulls, "pulls") },
			func() error { return loadTable(tx, &st.Comments, "comments") },
			func() error { return loadTable(tx, &st.Reviews, "reviews") },
			func() error { return loadTable(tx, &st.Statuses, "statuses") },
			func() error { return loadTable(tx, &st.Checks, "checks") },
			func() error { return loadTable(tx, &st.Deployments, "deployments") },
			func() error { return loadTable(tx, &st.DeploymentStatuses, "deployment_statuses") },
			func() error { return loadTable(tx, &st.Hooks, "hooks") },
			func() error { return loadTable(tx, &st.Teams, "teams") },
			func() error { return loadTable(tx, &st.Tokens, "tokens") },
			func() error { return loadTable(tx, &st.Devices, "devices") },
			func() error { return loadTable(tx, &st.UserTokens, "user_tokens") },
			func() error { return loadTable(tx, &st.Deliveries, "deliveries") },
			func() error { return loadTable(tx, &st.Runs, "workflow_runs") },
		} {
			if err := load(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read %s: %w", s.db.Path(), err)
	}
	s.base = st.Meta.Base
	return nil
}

func loadTable[T any](tx *bolt.Tx, t *table[T], bucket string) error {
	t.bucket, t.rows = bucket, map[int64]*T{}
	b, err := tx.CreateBucketIfNotExists([]byte(bucket))
	if err != nil {
		return err
	}
	return decodeRows(b, t.rows)
}

func decodeRows[T any](b *bolt.Bucket, into map[int64]*T) error {
	return b.ForEach(func(k, v []byte) error {
		row := new(T)
		if err := json.Unmarshal(v, row); err != nil {
			return fmt.Errorf("row %x: %w", k, err)
		}
		into[int64(binary.BigEndian.Uint64(k))] = row
		return nil
	})
}

// put adds or marks a changed row. Call it with the write lock held.
func put[T any](s *Sim, t *table[T], id int64, row *T) {
	t.rows[id] = row
	s.state.dirty[dirtyKey{t.bucket, id}] = row
}

func remove[T any](s *Sim, t *table[T], id int64) {
	delete(t.rows, id)
	s.state.dirty[dirtyKey{t.bucket, id}] = nil
}

func (s *Sim) metaDirty() { s.state.dirty[dirtyKey{metaBucket, 0}] = &s.state.Meta }

func (s *Sim) newID() int64 {
	if s.state.Meta.LastID == 0 {
		s.state.Meta.LastID = 1000
	}
	s.state.Meta.LastID++
	s.metaDirty()
	return s.state.Meta.LastID
}

func rowKey(id int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(id)) }

// commit puts every marked row on disk, in one transaction. After an error the
// memory is ahead of the disk, so nothing is served any more.
func (s *Sim) commit() error {
	if s.broken != nil {
		return s.broken
	}
	if len(s.state.dirty) == 0 {
		return nil
	}
	err := s.db.Update(func(tx *bolt.Tx) error {
		for k, row := range s.state.dirty {
			b := tx.Bucket([]byte(k.bucket))
			if row == nil {
				if err := b.Delete(rowKey(k.id)); err != nil {
					return err
				}
				continue
			}
			raw, isRaw := row.([]byte)
			if !isRaw {
				var err error
				if raw, err = json.Marshal(row); err != nil {
					return err
				}
			}
			if err := b.Put(rowKey(k.id), raw); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		s.broken = fmt.Errorf("write %s: %w", s.db.Path(), err)
		return s.broken
	}
	clear(s.state.dirty)
	return nil
}

// payload reads a webhook body from disk.
func (s *Sim) payload(id int64) ([]byte, error) {
	var out []byte
	err := s.db.View(func(tx *bolt.Tx) error {
		out = append(out, tx.Bucket([]byte(payloadBucket)).Get(rowKey(id))...)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read payload %d: %w", id, err)
	}
	return out, nil
}

func (s *Sim) repoNamed(owner, name string) *repoRow {
	for _, r := range s.state.Repos.rows {
		if r.Owner == owner && r.Name == name {
			return r
		}
	}
	return nil
}

func (s *Sim) pullNumbered(repo int64, number int) *pullRow {
	for _, p := range s.state.Pulls.rows {
		if p.Repo == repo && p.Number == number {
			return p
		}
	}
	return nil
}

func (s *Sim) now() time.Time { return s.clock.Now().UTC().Truncate(time.Second) }
