package proc

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// bot starts a step and hangs until it is killed.
func bot(stepdir string, argv []string) int {
	if err := HardenSelf(); err != nil {
		fmt.Println(err)
		return 1
	}
	if err := Start(context.Background(), shimArgv, stepdir, Spec{Argv: argv, Dir: "/", Env: os.Environ()}, Secrets{}); err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("started")
	select {}
}

func sh(script string) Spec {
	return Spec{Argv: []string{"sh", "-c", script}, Dir: "/", Env: []string{"PATH=/usr/bin:/bin"}}
}

func start(t testing.TB, spec Spec, secrets Secrets) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "step")
	if err := Start(t.Context(), shimArgv, dir, spec, secrets); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := Kill(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func wait(t testing.TB, dir string) Exit {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	exit, err := Wait(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	return exit
}

func logOf(t testing.TB, dir string) string {
	t.Helper()
	r, err := LogReader(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// until polls for what another process does.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

func wantState(t testing.TB, dir string, want State) {
	t.Helper()
	if got, _, err := Status(dir); err != nil || got != want {
		t.Fatalf("state is %q (%v), want %q", got, err, want)
	}
}
