package remote

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// At every call, before it was acted on and after, the tool is killed; and so is the one
// that comes after it, at every call of its own. There is never more than one run, what is
// said of it is true, and one more attempt comes to it.
func TestKilledAtEveryCall(t *testing.T) {
	kills := 0
	for first := 1; ; first++ {
		reached := false
		for second := first; second < first+9; second++ {
			for _, done := range []bool{false, true} {
				synctest.Test(t, func(t *testing.T) {
					k := newKit(t)
					k.at = func(n int, _ string, after bool) error {
						if (n == first || n == second) && after == done {
							reached, kills = reached || n == first, kills+1
							panic(killed{})
						}
						return nil
					}
					o := k.apply(t.Context())
					k.at = nil
					k.holds(o, first, second, done)
				})
			}
		}
		if !reached {
			break
		}
	}
	if kills < 90 {
		t.Errorf("it was killed %d times", kills)
	}
}

// holds says what is wrong with what an apply came to.
func (k *kit) holds(o Outcome, at ...any) {
	k.t.Helper()
	if len(k.runs) > 1 {
		k.t.Errorf("killed at %v there are %d runs\n%s", at, len(k.runs), k.log.String())
	}
	ended := len(k.runs) == 1 && k.runs[0].State.Over()
	switch o.State {
	case Done:
		if !ended || k.runs[0].State != Succeeded {
			k.t.Errorf("killed at %v it is done, and the runs are %+v", at, k.runs)
		}
	case Broken:
		if len(k.runs) != 0 || !strings.Contains(o.Why, "before anything was started") {
			k.t.Errorf("killed at %v it says %q, and there are %d runs", at, o.Why, len(k.runs))
		}
	case Unknown:
		if len(k.runs) != 0 || !strings.Contains(o.Why, "it was killed as it began deploy") {
			k.t.Errorf("killed at %v it says %q, and there are %d runs", at, o.Why, len(k.runs))
		}
	default:
		k.t.Errorf("killed at %v it is %+v", at, o)
	}
	k.attempt()
	if o := k.apply(k.t.Context()); o.State != Done || len(k.runs) != 1 {
		k.t.Errorf("killed at %v and tried again it is %+v, of %d runs\n%s", at, o, len(k.runs), k.log.String())
	}
}

// A person's word comes at every call, and the tool is killed at every later one: no run
// is left going on, and there is never more than one.
func TestInterruptedAtEveryCall(t *testing.T) {
	asked := 0
	for first := 1; ; first++ {
		reached := false
		for second := first; second < first+7; second++ {
			for _, done := range []bool{false, true} {
				synctest.Test(t, func(t *testing.T) {
					k := newKit(t)
					k.looks = 1000 // it would go on for longer than anybody looks
					k.q.Limit = 10 * time.Minute
					ctx, stop := context.WithCancel(t.Context())
					defer stop()
					k.at = func(n int, _ string, after bool) error {
						if n == first && after == done {
							reached, asked = true, asked+1
							stop()
						}
						if n == second && n > first && after == done {
							panic(killed{})
						}
						return nil
					}
					o := k.apply(ctx)
					if first > 20 && o.State == Broken { // of its length
						reached = false
					}
					if len(k.runs) > 1 || len(k.runs) == 1 && !k.runs[0].State.Over() {
						t.Errorf("asked at %d and killed at %d (%v) there are %+v\n%s", first, second, done, k.runs, k.log.String())
					}
					if o.State == Done || o.State == Stopped && len(k.runs) == 1 && !strings.Contains(o.Why, "was cancelled and is over") || o.State == Stopped && len(k.runs) == 0 && !strings.Contains(o.Why, "nothing was started") {
						t.Errorf("asked at %d it is %+v", first, o)
					}
				})
			}
		}
		if !reached || first > 24 {
			break
		}
	}
	if asked < 150 {
		t.Errorf("it was asked %d times", asked)
	}
}

// An answer to any call is an error: of one that nobody can judge, of one that did nothing,
// and of one that was refused.
func TestAnErrorAtEveryCall(t *testing.T) {
	for what, bad := range map[string]error{"doubt": errors.New("the answer was lost"), "unsent": &Unsent{Err: errors.New("come again"), After: 3 * time.Second}, "refused": &Refused{errors.New("not you")}} {
		for at := 1; at < 12; at++ {
			for _, done := range []bool{false, true} {
				if done && what == "refused" {
					continue // what was done was done; of "unsent" a server in between may say so and be wrong
				}
				synctest.Test(t, func(t *testing.T) {
					k := newKit(t)
					call := ""
					k.at = func(n int, name string, after bool) error {
						if n == at && after == done {
							call = name
							return bad
						}
						return nil
					}
					o := k.apply(t.Context())
					k.at = nil
					if len(k.runs) > 1 {
						t.Fatalf("%s at %s: there are %d runs", what, call, len(k.runs))
					}
					want := map[string]string{"refused find": Broken, "refused start": Broken, "doubt start": Unknown}[what+" "+call]
					if want == "" || what == "doubt" && done {
						want = Done
					}
					if o.State != want {
						t.Errorf("%s at %s (%v) it is %+v, want %s\n%s", what, call, done, o, want, k.log.String())
					}
				})
			}
		}
	}
}

func TestAnEngineThatDoesNotSayWhichRunItBegan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t)
		k.noID, k.showsFor = true, func(n int) bool { return n > 6 }
		k.says(k.apply(t.Context()), Done)
		if len(k.runs) != 1 {
			t.Errorf("there are %d runs", len(k.runs))
		}
		k.attempt()
		k.showsFor = func(int) bool { return false }
		began := time.Now()
		k.says(k.apply(t.Context()), Unknown, "the CI took it, and does not say which run that is; in 2m0s no run of deploy showed that knows the nonce sb-0123456789ab-abababababab-")
		if took := time.Since(began); took > 3*time.Minute {
			t.Errorf("it took %v", took)
		}
	})
}

// A CI that is away is not waited for longer than was said, whatever it asks for.
func TestACIThatIsAway(t *testing.T) {
	for _, call := range []string{"find", "start"} {
		for _, after := range []time.Duration{0, time.Hour} {
			synctest.Test(t, func(t *testing.T) {
				k := newKit(t)
				k.q.Local = Argv{"make", "deploy"}
				k.at = func(_ int, name string, done bool) error {
					if name == call && !done {
						return &Unsent{After: after, Err: errors.New("connection refused")}
					}
					return nil
				}
				began := time.Now()
				k.says(k.apply(t.Context()), Broken, "the CI cannot be reached since "+began.UTC().Format("15:04")+" UTC (connection refused); nothing was started; it can be run here: make deploy")
				if took := time.Since(began); took > 3*time.Minute {
					t.Errorf("it took %v", took)
				}
				if r := (record{}); readJSON(k.q.Dir, applyFile, &r) != nil || r.Nonce != "" {
					t.Errorf("it left %+v", r)
				}
			})
		}
	}
}

// A run that takes no notice of a cancel is said to go on.
func TestARunThatCannotBeCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t)
		k.looks, k.deaf = 1_000_000, true
		k.q.Limit = time.Minute
		k.says(k.apply(t.Context()), Unknown, "its run was to be cancelled, and 5m0s later it still goes on: running: http://ci/1")
		k.attempt()
		k.q.Limit = time.Hour
		ctx, stop := context.WithCancel(t.Context())
		k.at = func(_ int, name string, _ bool) error {
			if name == "cancel" {
				return errors.New("503")
			}
			if name == "log" {
				stop()
			}
			return nil
		}
		o := k.apply(ctx)
		k.says(o, Stopped, "its run could not be cancelled, and goes on: 503: http://ci/1")
		if len(k.runs) != 1 {
			t.Errorf("there are %d runs", len(k.runs))
		}
	})
}

// A run that the engine does not know yet is looked at again; one that it will not tell of
// any more is unknown.
func TestARunThatIsGone(t *testing.T) {
	for times, want := range map[int]string{patience: Done, patience + 1: Unknown} {
		synctest.Test(t, func(t *testing.T) {
			k, left := newKit(t), times
			k.at = func(_ int, name string, done bool) error {
				if name == "look" && !done && left > 0 {
					left--
					return &Refused{errors.New("404 Not Found")}
				}
				return nil
			}
			o := k.apply(t.Context())
			k.says(o, want)
			if want == Unknown {
				k.says(o, Unknown, "it cannot be followed any more: http://ci/1: 404 Not Found")
			}
		})
	}
}

// That its log cannot be read is said, and is no reason to fail.
func TestALogThatCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t)
		k.logErr = errors.New("410 Gone")
		k.says(k.apply(t.Context()), Done)
		if n := strings.Count(k.log.String(), "Its log cannot be read: 410 Gone"); n != 1 {
			t.Errorf("it is said %d times\n%s", n, k.log.String())
		}
	})
}

// Nothing is begun before it is written down.
func TestAFolderThatCannotBeWritten(t *testing.T) {
	k := newKit(t)
	k.q.Dir = filepath.Join(t.TempDir(), "gone")
	if code, _ := k.do(t.Context(), ActApply); code != codeUnknown {
		t.Errorf("the exit code is %d", code)
	}
	if len(k.runs) != 0 {
		t.Errorf("there are %d runs", len(k.runs))
	}
	synctest.Test(t, func(t *testing.T) { // it fills up after the intent
		k := newKit(t)
		k.at = func(_ int, name string, done bool) error {
			if name == "start" && done {
				return os.RemoveAll(k.q.Dir)
			}
			return nil
		}
		code, _ := k.do(t.Context(), ActApply)
		if code != codeUnknown || !strings.Contains(k.log.String(), "no such file or directory") {
			t.Errorf("the exit code is %d: %s", code, k.log.String())
		}
	})
}

func TestThePlanOfALog(t *testing.T) {
	for text, want := range map[string]string{
		"x\n" + PlanBegins + "\na\nb\n" + PlanEnds + "\ny\n":                                "a\nb\n",
		"+ echo '" + PlanBegins + "'\n  " + PlanBegins + " \r\na\n" + PlanEnds:              "a\n",
		PlanBegins + "\nold\n" + PlanEnds + "\n" + PlanBegins + "\nnew\n" + PlanEnds + "\n": "new\n",
		PlanBegins + "\n" + PlanEnds + "\n":                                                 "",
		PlanBegins + "\na\n":                                                                "its log has no plan in it",
		PlanEnds + "\n":                                                                     "its log has no plan in it",
		PlanBegins + "\n" + strings.Repeat(strings.Repeat("x", 99)+"\n", 12_000) + "\n" + PlanEnds + "\n": "its plan is longer than a megabyte",
	} {
		for _, size := range []int{1, 7, len(text)} {
			var log strings.Builder
			c := &cutter{next: &log}
			for rest := text; rest != ""; rest = rest[min(size, len(rest)):] {
				fmt.Fprint(c, rest[:min(size, len(rest))])
			}
			got, err := c.plan()
			if err != nil {
				got = err.Error()
			}
			if got != want && (err == nil || !strings.Contains(got, want)) {
				t.Errorf("%.60q in pieces of %d is %.80q, want %q", text, size, got, want)
			}
			if log.String() != text {
				t.Errorf("%.60q is passed on as %.60q", text, log.String())
			}
		}
	}
}

// The same attempt is applied again, after a kill at any call: it comes to the same run.
func TestAnApplyThatIsBegunAgain(t *testing.T) {
	for at := 1; at < 10; at++ {
		for _, done := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				k := newKit(t)
				k.at = func(n int, _ string, after bool) error {
					if n == at && after == done {
						panic(killed{})
					}
					return nil
				}
				if _, alive := k.do(t.Context(), ActApply); alive {
					return // it makes no more calls than that
				}
				k.showsFor = func(n int) bool { return n > at+3 } // the list is behind
				if _, alive := k.do(t.Context(), ActApply); !alive {
					t.Fatal("it is killed again")
				}
				o, err := Ended(k.q.Dir)
				if sent := len(k.runs); err != nil || sent > 1 || sent == 1 && o.State != Done || sent == 0 && o.State != Unknown {
					t.Errorf("killed at %d (%v) it is %+v %v, of %d runs\n%s", at, done, o, err, sent, k.log.String())
				}
			})
		}
	}
}

// What was refused is not looked for: nothing was to be started any more.
func TestARefusalTakesTheIntentBack(t *testing.T) {
	k := newKit(t)
	k.at = func(_ int, name string, _ bool) error {
		if name == "start" {
			return &Refused{errors.New("no such workflow")}
		}
		return nil
	}
	k.says(k.apply(t.Context()), Broken, "no such workflow; nothing was started")
	if code, _ := k.do(t.Context(), ActProbe); code != 0 || !strings.Contains(k.out.String(), "There is no run of deploy at abababababab.") {
		t.Errorf("the probe says %s", k.out.String())
	}
}
