package integrationstest

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/proc"
)

// ApplierSuite is what Applier needs to know of an applier. Each function writes a
// repository into tree; what its apply changes stands in the folder outside. One that is
// nil is of what this applier cannot be made to do.
type ApplierSuite struct {
	// Make makes a step. Nothing was applied to outside yet.
	Make func(t testing.TB, outside string) integrations.Applier
	// Change wants something that is not there yet.
	Change func(t testing.TB, tree, outside string)
	// Fails has the plan or the apply fail, and returns a part of the tool's own words.
	Fails func(t testing.TB, tree, outside string) string
	// Leaks has the plan and the apply print the environment variable SUITE_SECRET, and
	// more where the tool has secrets of other kinds, whose values it returns.
	Leaks func(t testing.TB, tree, outside string) []string
	// Hangs has the apply start a child that writes its process id into the file child
	// and stays for ten minutes.
	Hangs func(t testing.TB, tree, outside, child string)
	// Long has the apply print FirstLine, then a megabyte or more, then LastLine.
	Long func(t testing.TB, tree, outside string)
	// Reads says that the apply only looks at things: its plan has entries, and counts none.
	Reads bool
	// Passing are files outside that any use of the tool may make or remove: its locks.
	Passing []string
	// Secrets are further variables that every command sees.
	Secrets map[string]string
	// Elsewhere says that what the apply starts runs on another machine, goes on there
	// when the tool is killed, and has limits of its own: its own tests say how it is
	// followed.
	Elsewhere bool
}

// FirstLine and LastLine stand around a long output.
const (
	FirstLine = "the first of many lines"
	LastLine  = "the last of many lines"
)

const suiteSecret = "tr0ub4dor-and-3"

// Applier holds an applier to the contract of integrations.Applier, with the real tool
// under the real shim.
func Applier(t *testing.T, s ApplierSuite) {
	t.Run("a plan changes nothing", s.planChangesNothing)
	t.Run("an apply happens once and leaves nothing to do", s.appliedOnce)
	for _, c := range []struct {
		name string
		can  bool
		run  func(*testing.T)
	}{
		{"failures carry the tool's own words", s.Fails != nil, s.failure},
		{"secrets stay inside", s.Leaks != nil, s.secrets},
		{"a cancelled apply stops its children", s.Hangs != nil, s.cancelled},
		{"a killed apply is unknown and its probe is true", s.Hangs != nil && !s.Elsewhere, s.killed},
		{"a time-out stops its children", s.Hangs != nil && !s.Elsewhere, s.timedOut},
		{"long output keeps head and tail", s.Long != nil, s.long},
	} {
		if c.can {
			t.Run(c.name, c.run)
		}
	}
}

// stage is one target of one subtest.
type stage struct {
	*testing.T
	suite   ApplierSuite
	tree    string
	outside string
	step    integrations.Applier
}

func (s ApplierSuite) stage(t *testing.T) *stage {
	st := &stage{T: t, suite: s, tree: t.TempDir(), outside: t.TempDir()}
	st.step = s.Make(t, st.outside)
	return st
}

// run is a new attempt.
func (s *stage) run() (integrations.Run, *Exec) {
	secrets := map[string]string{"SUITE_SECRET": suiteSecret}
	for k, v := range s.suite.Secrets {
		secrets[k] = v
	}
	e := NewExec(s, secrets)
	return integrations.Run{
		Target: "suite/test", Environment: "test", Job: "j1", SHA: strings.Repeat("ab", 20),
		Tree: s.tree, Work: s.TempDir(), Keep: filepath.Join(s.TempDir(), "kept"), HashKey: []byte("key"), Exec: e,
	}, e
}

func (s *stage) plan() (integrations.Plans, integrations.Run, *Exec) {
	s.Helper()
	r, e := s.run()
	p, err := s.step.Plan(s.Context(), r)
	if err != nil {
		s.Fatalf("plan: %s", Explain(err))
	}
	if p.Step != s.step.Describe() {
		s.Errorf("the plan is of %q, the step is called %q", p.Step, s.step.Describe())
	}
	return integrations.Plans{p}, r, e
}

func (s *stage) apply(r integrations.Run) {
	s.Helper()
	if err := s.step.Apply(s.Context(), r); err != nil {
		s.Fatalf("apply: %s", Explain(err))
	}
}

// Explain is an error with the tool's own words.
func Explain(err error) string {
	var failed *integrations.CommandError
	if errors.As(err, &failed) {
		return err.Error() + "\n" + failed.Tail
	}
	return err.Error()
}

func (s ApplierSuite) planChangesNothing(t *testing.T) {
	st := s.stage(t)
	s.Change(t, st.tree, st.outside)
	tree, outside := snapshot(t, st.tree), snapshot(t, st.outside)
	first, r, e := st.plan()
	if first.Empty() || (first.String() == "+0 ~0 -0") != s.Reads {
		t.Errorf("the plan of a change says %s, %+v", first, first[0].Changes)
	}
	for _, c := range first[0].Changes {
		if c.Address == "" || len(c.Actions) == 0 || c.Hash == "" {
			t.Errorf("an entry says too little: %+v", c)
		}
	}
	if _, effects := e.Ran(); effects > 0 {
		t.Error("the plan began an effect")
	}
	same(t, "a plan leaves in its tree", tree, snapshot(t, st.tree))
	same(t, "a plan changed", outside, snapshot(t, st.outside))
	again, err := st.step.Plan(t.Context(), r) // as after an interruption
	if err != nil {
		t.Fatal(Explain(err))
	}
	if (integrations.Plans{again}).Digest() != first.Digest() {
		t.Errorf("planned twice it differs (-first +second)\n%s", cmp.Diff(first[0].Changes, again.Changes))
	}
	r.HashKey = []byte("another key")
	other, err := st.step.Plan(t.Context(), r)
	if err != nil {
		t.Fatal(Explain(err))
	}
	if (integrations.Plans{other}).Digest() == first.Digest() {
		t.Error("its hashes do not depend on their key")
	}
	if probe, err := st.step.Probe(t.Context(), r); err != nil || probe.Clean || probe.Text == "" {
		t.Errorf("before any apply the probe says %+v (%v)", probe, err)
	}
	same(t, "a probe leaves in the tree", tree, snapshot(t, st.tree))
	same(t, "a probe changed", outside, snapshot(t, st.outside))
}

func (s ApplierSuite) appliedOnce(t *testing.T) {
	st := s.stage(t)
	s.Change(t, st.tree, st.outside)
	tree, before := snapshot(t, st.tree), snapshot(t, st.outside)
	_, r, e := st.plan()
	st.apply(r)
	applied := snapshot(t, st.outside)
	if cmp.Equal(before, applied) {
		t.Fatal("the apply changed nothing")
	}
	same(t, "an apply leaves in its tree", tree, snapshot(t, st.tree))
	st.apply(r) // as after a restart of the bot
	if steps, effects := e.Ran(); effects != 1 {
		t.Errorf("an apply has %d effects, want one; it ran %q", effects, steps)
	}
	same(t, "an apply that was followed changed", applied, snapshot(t, st.outside))
	empty, r, _ := st.plan()
	if !empty.Empty() {
		t.Fatalf("after the apply the plan is %s: %+v", empty, empty[0].Changes)
	}
	st.apply(r)
	same(t, "the apply of an empty plan changed", applied, snapshot(t, st.outside))
	if probe, err := st.step.Probe(t.Context(), r); err != nil || !probe.Clean {
		t.Errorf("with nothing left to do the probe says %+v (%v)", probe, err)
	}
}

func (s ApplierSuite) failure(t *testing.T) {
	st := s.stage(t)
	words := s.Fails(t, st.tree, st.outside)
	r, _ := st.run()
	_, err := st.step.Plan(t.Context(), r)
	if err == nil {
		err = st.step.Apply(t.Context(), r)
	}
	var failed *integrations.CommandError
	if !errors.As(err, &failed) {
		t.Fatalf("it is no command that failed: %v", err)
	}
	if failed.Code == 0 || failed.Step == "" || !strings.Contains(failed.Tail, words) {
		t.Errorf("%s: exit code %d, and it lacks %q:\n%s", failed.Step, failed.Code, words, failed.Tail)
	}
	if errors.Is(err, integrations.ErrUnknown) || errors.Is(err, integrations.ErrInterrupted) {
		t.Errorf("it just failed, and says %v", err)
	}
}

func (s ApplierSuite) secrets(t *testing.T) {
	st := s.stage(t)
	values := append(s.Leaks(t, st.tree, st.outside), suiteSecret)
	for _, v := range s.Secrets {
		values = append(values, v)
	}
	p, r, e := st.plan()
	err := st.step.Apply(t.Context(), r)
	var said bytes.Buffer
	if err := json.NewEncoder(&said).Encode(p); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		said.WriteString(Explain(err))
	}
	probe, err := st.step.Probe(t.Context(), r)
	said.WriteString(probe.Text)
	if err != nil {
		said.WriteString(Explain(err))
	}
	left := e.Left(t)
	for _, v := range values {
		for _, part := range strings.Fields(v) {
			if strings.Contains(said.String(), part) {
				t.Errorf("%q is told: %s", part, said.String())
			}
			if strings.Contains(left, part) {
				t.Errorf("%q is in a log, an argument list or an environment on disk:\n%s", part, around(left, part))
			}
		}
	}
	if !strings.Contains(left, "redacted") {
		t.Errorf("nothing was printed that had to be redacted:\n%s", left)
	}
}

// hang begins an apply whose child stays, and returns the child; 0 where the apply ended
// before it was there.
func (s ApplierSuite) hang(t *testing.T, change func(*Exec)) (st *stage, r integrations.Run, e *Exec, child int, done chan error) {
	st = s.stage(t)
	file := filepath.Join(t.TempDir(), "child")
	s.Hangs(t, st.tree, st.outside, file)
	_, r, e = st.plan()
	if change != nil {
		change(e)
	}
	done = make(chan error, 1)
	ctx := t.Context()
	go func() { done <- st.step.Apply(ctx, r) }()
	until(t, "the child is there", func() bool {
		b, err := os.ReadFile(file)
		if err != nil {
			return len(done) > 0
		}
		child, err = strconv.Atoi(strings.TrimSpace(string(b)))
		return err == nil && strings.HasSuffix(string(b), "\n")
	})
	t.Cleanup(func() {
		if err := proc.Kill(e.Current()); err != nil {
			t.Error(err)
		}
	})
	return st, r, e, child, done
}

func (s ApplierSuite) cancelled(t *testing.T) {
	_, _, e, child, done := s.hang(t, nil)
	if child == 0 {
		t.Fatalf("it does not stay: %v", <-done)
	}
	if err := proc.Interrupt(e.Current()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, integrations.ErrInterrupted) {
		t.Errorf("a cancelled apply says %v", err)
	}
	if !gone(child) {
		t.Error("its child goes on")
	}
}

func (s ApplierSuite) killed(t *testing.T) {
	st, r, e, child, done := s.hang(t, nil)
	if child == 0 {
		t.Fatalf("it does not stay: %v", <-done)
	}
	if err := proc.Kill(e.Current()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, integrations.ErrUnknown) {
		t.Errorf("a killed apply says %v", err)
	}
	outside := snapshot(t, st.outside)
	for _, f := range s.Passing {
		delete(outside, f)
	}
	probe, err := st.step.Probe(t.Context(), r)
	if err != nil {
		t.Fatal(Explain(err))
	}
	if probe.Clean || probe.Text == "" {
		t.Errorf("of an apply that was killed before its end the probe says %+v", probe)
	}
	after := snapshot(t, st.outside)
	for _, f := range s.Passing {
		delete(after, f)
	}
	same(t, "the probe changed", outside, after)
}

func (s ApplierSuite) timedOut(t *testing.T) {
	var child int
	var err error
	for limit := time.Second; child == 0 && limit < 2*time.Minute; limit *= 2 { // a busy machine takes long to get there
		var done chan error
		_, _, _, child, done = s.hang(t, func(e *Exec) { e.Timeout, e.Grace = limit, time.Minute })
		err = <-done
	}
	var failed *integrations.CommandError
	if !errors.As(err, &failed) || !strings.Contains(err.Error(), "longer than its limit") {
		t.Errorf("an apply that took too long says %v", err)
	}
	if child == 0 || !gone(child) {
		t.Errorf("its child %d goes on, or never was", child)
	}
}

func (s ApplierSuite) long(t *testing.T) {
	st := s.stage(t)
	s.Long(t, st.tree, st.outside)
	p, r, e := st.plan()
	if n := len(p[0].Text); n > 64<<10 {
		t.Errorf("the plan's text has %d bytes", n)
	}
	e.LogCap = 128 << 10
	st.apply(r)
	tail, err := proc.Tail(e.Current(), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	log := string(tail)
	if len(log) > 200<<10 {
		t.Errorf("the log has %d bytes", len(log))
	}
	for _, want := range []string{FirstLine, "bytes are left out here", LastLine} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q", want)
		}
	}
}
