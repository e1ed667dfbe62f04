package githubsim

import (
	"fmt"
	"maps"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// The kinds of misbehaviour.
const (
	faultLoseReply   = "lose_reply"    // act, then break the connection
	faultDelay       = "delay"         // wait before acting
	faultError       = "error"         // answer Status (502) without acting
	faultRateLimit   = "rate_limit"    // answer 403 or 429 without acting
	faultLoseWebhook = "lose_webhook"  // a delivery is never attempted
	faultTwice       = "twice"         // a delivery is sent twice
	faultSlowWebhook = "delay_webhook" // wait before sending a delivery
	faultLag         = "lag"           // REST does not know what changed, for Count reads
	faultDown        = "down"          // nobody answers, neither REST nor git, until up
	faultUp          = "up"
	faultMergeable   = "mergeable_unknown" // pulls answer mergeable null, Count times
	faultRunsLate    = "runs_late"         // the list of workflow runs lacks the newest, Count times
)

// FaultSpec is one misbehaviour to come. Method (exact) and Path (a part of the
// path under /api/v3 or /git) narrow it to some requests, Event and Repo
// ("owner/name") to some webhooks; Repo also narrows lag. Empty matches all.
type FaultSpec struct {
	Kind       string `json:"kind"`
	Count      int    `json:"count,omitempty"` // how often; 0 is once, -1 until ClearFaults
	Method     string `json:"method,omitempty"`
	Path       string `json:"path,omitempty"`
	Repo       string `json:"repo,omitempty"`
	Event      string `json:"event,omitempty"`
	DelayMS    int    `json:"delay_ms,omitempty"`
	Status     int    `json:"status,omitempty"`
	RetryAfter int    `json:"retry_after,omitempty"` // seconds, rate_limit; 0 is 1
	Primary    bool   `json:"primary,omitempty"`     // rate_limit: the hourly one, by its headers
	NewID      bool   `json:"new_id,omitempty"`      // twice: the second under another delivery id
}

type faults struct {
	mu   sync.Mutex
	list []*FaultSpec
}

type faultMatch struct{ method, path, repo, event string }

// Fault arms a misbehaviour.
func (s *Sim) Fault(f FaultSpec) error {
	switch f.Kind {
	case faultLoseReply, faultDelay, faultError, faultRateLimit, faultLoseWebhook, faultTwice, faultSlowWebhook, faultLag, faultMergeable, faultRunsLate, faultDown, faultUp:
	default:
		return fmt.Errorf("fault %q: no such kind", f.Kind)
	}
	if f.Kind == faultDown || f.Kind == faultUp {
		s.down.Store(f.Kind == faultDown)
		return nil
	}
	if f.Count == 0 {
		f.Count = 1
	}
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.list = append(s.faults.list, &f)
	return nil
}

// ClearFaults disarms all of them.
func (s *Sim) ClearFaults() {
	s.down.Store(false)
	s.faults.mu.Lock()
	s.faults.list = nil
	s.faults.mu.Unlock()
	s.mu.Lock()
	clear(s.lags)
	s.mu.Unlock()
}

// take uses up one of the first armed fault of the kind that matches.
func (f *faults) take(kind string, m faultMatch) *FaultSpec {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, spec := range f.list {
		if spec.Kind != kind || !spec.matches(m) {
			continue
		}
		if kind == faultLag { // Count is in reads, so it is armed once
			f.list = append(f.list[:i:i], f.list[i+1:]...)
		} else if spec.Count > 0 {
			if spec.Count--; spec.Count == 0 {
				f.list = append(f.list[:i:i], f.list[i+1:]...)
			}
		}
		out := *spec
		return &out
	}
	return nil
}

func (f *FaultSpec) matches(m faultMatch) bool {
	return (f.Method == "" || f.Method == m.method) &&
		(f.Path == "" || strings.Contains(m.path, f.Path)) &&
		(f.Repo == "" || f.Repo == m.repo || strings.Contains(m.path, f.Repo)) &&
		(f.Event == "" || f.Event == m.event)
}

func (c *call) match() faultMatch { return faultMatch{method: c.r.Method, path: c.r.URL.Path} }

// misbehaveBefore applies what happens before a request is acted on, and
// reports whether it has been answered.
func (s *Sim) misbehaveBefore(c *call, w http.ResponseWriter) bool {
	m := c.match()
	if f := s.faults.take(faultDelay, m); f != nil {
		select {
		case <-time.After(time.Duration(f.DelayMS) * time.Millisecond):
		case <-c.r.Context().Done():
			return true
		case <-s.ctx.Done():
			return true
		}
	}
	if f := s.faults.take(faultError, m); f != nil {
		status := f.Status
		if status == 0 {
			status = http.StatusBadGateway
		}
		s.reply(c, w, 0, nil, refuse(status, "Server Error"))
		return true
	}
	if f := s.faults.take(faultRateLimit, m); f != nil {
		s.reply(c, w, 0, nil, rateLimited(c, f))
		return true
	}
	return false
}

func rateLimited(c *call, f *FaultSpec) error {
	status := f.Status
	if status == 0 {
		status = http.StatusForbidden
	}
	if f.Primary {
		c.header.Set("X-RateLimit-Remaining", "0")
		return &apiError{
			status: status, message: "API rate limit exceeded for user ID " + strconv.FormatInt(userID(c.login()), 10) + ".",
			doc: "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api",
		}
	}
	c.header.Set("Retry-After", strconv.Itoa(max(1, f.RetryAfter)))
	return &apiError{
		status:  status,
		message: "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
		doc:     "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits",
	}
}

// lag is a replica that has not heard of the last change yet: what reads see of
// a repository's refs and pull requests until they have used it up.
type lag struct {
	left  atomic.Int64
	refs  map[string]string
	pulls map[int64]*pullRow
	young map[string]bool // commits that the replica does not have
}

// snapshotForLag keeps what a lagging replica would go on showing, when a lag
// is armed for the repository; the function it returns is called after the
// change.
func (s *Sim) snapshotForLag(r *repoRow) (after func()) {
	s.faults.mu.Lock()
	armed := false
	for _, f := range s.faults.list {
		armed = armed || f.Kind == faultLag && (f.Repo == "" || f.Repo == r.full())
	}
	s.faults.mu.Unlock()
	if !armed {
		return func() {}
	}
	old := &lag{refs: maps.Clone(r.Refs), pulls: map[int64]*pullRow{}, young: map[string]bool{}}
	for id, p := range s.state.Pulls.rows {
		if p.Repo == r.ID {
			was := *p
			old.pulls[id] = &was
		}
	}
	return func() {
		if maps.Equal(old.refs, r.Refs) {
			return
		}
		f := s.faults.take(faultLag, faultMatch{repo: r.full()})
		if f == nil {
			return
		}
		known := map[string]bool{}
		for _, sha := range old.refs {
			known[sha] = true
		}
		for _, sha := range r.Refs {
			if !known[sha] {
				old.young[sha] = true
			}
		}
		reads := int64(f.Count)
		if reads < 0 {
			reads = math.MaxInt64
		}
		old.left.Store(reads)
		s.lags[r.ID] = old
	}
}

// lagging gives a read its stale view, if there is one left.
func (s *Sim) lagging(r *repoRow) *lag {
	l := s.lags[r.ID]
	if l == nil || l.left.Add(-1) < 0 {
		return nil
	}
	return l
}

func (c *call) refs() map[string]string {
	if c.lag != nil {
		return c.lag.refs
	}
	return c.repo.Refs
}

// resolve finds a commit as the replica of this call knows it.
func (c *call) resolve(ref string) string {
	sha := c.s.resolve(c.repo, c.refs(), ref)
	if c.lag != nil && c.lag.young[sha] {
		return ""
	}
	return sha
}

// stale gives the row as the replica of this call knows it.
func (c *call) stale(p *pullRow) *pullRow {
	if c.lag != nil {
		if was := c.lag.pulls[p.ID]; was != nil {
			return was
		}
	}
	return p
}
