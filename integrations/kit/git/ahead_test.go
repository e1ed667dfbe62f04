package git

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestWhatIsFetchedAheadIsThere(t *testing.T) {
	o := newOrigin(t)
	first := o.commit("one", "refs/heads/main", "a", "1")
	m := New(filepath.Join(t.TempDir(), "mirrors"), nil)
	r := must[*Repo](t)(m.Repo(o.url()))
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	r.Ahead(strings.Repeat("0", 40)) // one that is nowhere stops nothing
	r.Ahead(first)
	for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		if missing, err := r.missing(ctx, []string{first}); err == nil && len(missing) == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("it was not fetched")
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	for range 2 * aheadMost { // and nobody waits when nobody fetches
		r.Ahead(first)
	}
}

// What the mirror holds, or was just brought, is not looked for again.
func TestEnsureOfWhatIsKnownRunsNoGit(t *testing.T) {
	o := newOrigin(t)
	sha := o.commit("one", "refs/heads/main", "a", "1")
	r := mirror(t, o.url())
	if err := r.Ensure(t.Context(), sha); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", t.TempDir()) // where there is no git
	if err := r.Ensure(t.Context(), sha); err != nil {
		t.Errorf("ensure what is known: %v", err)
	}
	if err := r.Ensure(t.Context(), strings.Repeat("1", 40)); err == nil {
		t.Error("ensure found what is nowhere, without git")
	}
}

func TestAMirrorWhoseInitWasKilledIsMended(t *testing.T) {
	for _, missing := range []string{"HEAD", "config", "objects", "refs"} {
		t.Run(missing, func(t *testing.T) {
			o := newOrigin(t)
			sha := o.commit("one", "main", "a", "1")
			dir := t.TempDir()
			first, err := New(dir, nil).Repo("file://" + o.bare)
			if err != nil {
				t.Fatal(err)
			}
			if err := first.Fetch(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := os.RemoveAll(filepath.Join(first.dir, missing)); err != nil {
				t.Fatal(err)
			}
			again, err := New(dir, nil).Repo("file://" + o.bare) // another process
			if err != nil {
				t.Fatal(err)
			}
			if err := again.Ensure(t.Context(), sha); err != nil {
				t.Errorf("with no %s: %v", missing, err)
			}
		})
	}
}
