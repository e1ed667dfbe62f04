package github

import (
	"encoding/json"
	"errors"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	gh "github.com/google/go-github/v60/github"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/github/githubsim"
)

type sample struct {
	Kind string          `json:"kind"`
	Body json.RawMessage `json:"body"`
}

func samples(tb testing.TB) map[string]sample {
	tb.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "webhooks", "*.json"))
	if err != nil || len(files) < 10 {
		tb.Fatalf("%d samples, %v", len(files), err)
	}
	out := map[string]sample{}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			tb.Fatal(err)
		}
		var s sample
		if err := json.Unmarshal(raw, &s); err != nil {
			tb.Fatalf("%s: %v", f, err)
		}
		out[strings.TrimSuffix(filepath.Base(f), ".json")] = s
	}
	return out
}

// What each sample becomes stands beside it in a golden file.
func TestDecodeForge(t *testing.T) {
	for name, s := range samples(t) {
		t.Run(name, func(t *testing.T) {
			e, err := DecodeForge(s.Kind, s.Body)
			if err != nil {
				t.Fatal(err)
			}
			got, err := json.MarshalIndent(e, "", " ")
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", "webhooks", name+".golden")
			if flag.Lookup("update").Value.String() == "true" {
				if err := os.WriteFile(path, append(got, '\n'), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.TrimSpace(string(want)), string(got)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// The rules that the golden files must not be allowed to drift from.
func TestDecodeForgeRules(t *testing.T) {
	all := samples(t)
	get := func(name string) *integrations.ForgeEvent {
		t.Helper()
		e, err := DecodeForge(all[name].Kind, all[name].Body)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return e
	}
	if p := get("pull_request_merged").PullRequest; p.State != "merged" || p.MergeSHA != strings.Repeat("3d", 20) || p.MergedBy != "bob" || p.Fork {
		t.Errorf("merged: %+v", p)
	}
	if p := get("pull_request_opened").PullRequest; p.State != "open" || p.MergeSHA != "" {
		t.Errorf("opened: the test merge is not a merge: %+v", p)
	}
	if p := get("pull_request_without_number").PullRequest; p.Number != 42 {
		t.Errorf("without number: %+v", p)
	}
	if !get("pull_request_of_a_fork").PullRequest.Fork || !get("pull_request_of_a_deleted_fork").PullRequest.Fork {
		t.Error("a fork's pull request is taken for one of the repository")
	}
	bare, err := DecodeForge("github.pull_request", []byte(`{"repository":{"full_name":"acme/web"},"pull_request":{"number":1}}`))
	if err != nil || !bare.PullRequest.Fork {
		t.Errorf("with nothing said about the head, %+v, %v, want a fork's", bare, err)
	}
	if p := get("pull_request_with_odd_types").PullRequest; p.State != "merged" || p.Number != 42 || p.Head == "" || p.CreatedAt.IsZero() || p.MergedAt.Hour() != 3 {
		t.Errorf("odd types: %+v", p)
	}
	if e := get("push"); e.Kind != "push" || e.Branch != "deployment/production" || e.RepoID != 700 {
		t.Errorf("push: %+v", e)
	}
	for _, name := range []string{"push_of_a_tag", "check_run"} {
		if e := get(name); e.Kind != "ignored" {
			t.Errorf("%s: %+v, want ignored", name, e)
		}
	}
	for _, bad := range []string{"", "{", "[]", "null", "{}", `{"repository":{"full_name":"acme/web"}}`, `{"repository":{"full_name":"acme/web"},"pull_request":{"number":-1}}`} {
		if e, err := DecodeForge("github.pull_request", []byte(bad)); err == nil {
			t.Errorf("%q became %+v", bad, e)
		}
	}
}

// What the simulated GitHub sends is verified and understood as GitHub's is.
func TestSimulatedWebhooks(t *testing.T) {
	secret := integrations.NewSecret("hook secret")
	var mu sync.Mutex
	var got []*integrations.ForgeEvent
	recv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = Verify(body, r.Header.Get("X-Hub-Signature-256"), []integrations.Secret{integrations.NewSecret("older"), secret})
		}
		var e *integrations.ForgeEvent
		if err == nil {
			e, err = DecodeForge("github."+r.Header.Get("X-GitHub-Event"), body)
		}
		if err != nil {
			t.Error(err)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		got = append(got, e)
	}))
	defer recv.Close()
	w := newWorld(t, func(sc *githubsim.Config, _ *Config) {
		sc.Hooks = []githubsim.Hook{{Repo: "*", URL: recv.URL, Secret: secret.Reveal()}}
	})
	p := w.somePull()
	sha, err := w.MergePull(w.ctx, web, p.Number, mustPull(w, p.Number).Head, "")
	w.must(err)
	w.must(w.sim.WaitIdle(w.ctx))
	mu.Lock()
	defer mu.Unlock()
	var story []string
	for _, e := range got {
		if e.Kind != "ignored" {
			story = append(story, e.Kind+" "+e.Action+e.Branch)
		}
		if e.Action == "closed" && (e.PullRequest.State != "merged" || e.PullRequest.MergeSHA != sha || e.PullRequest.RepoID != p.RepoID || e.PullRequest.Fork) {
			t.Errorf("closed: %+v, want merge %s", e.PullRequest, sha)
		}
	}
	for _, want := range []string{"push side", "pull_request opened", "push main", "pull_request closed"} {
		if !strings.Contains(strings.Join(story, "\n"), want) {
			t.Errorf("%q was not heard among %q", want, story)
		}
	}
}

func mustPull(w *world, number int) integrations.PullRequest {
	w.t.Helper()
	p, err := w.Pull(w.ctx, web, number)
	w.must(err)
	return p
}

func TestVerify(t *testing.T) {
	body, a, b := []byte("body"), integrations.NewSecret("first secret"), integrations.NewSecret("second secret")
	good := Sign(body, b)
	// go-github signs and checks the same way.
	req := httptest.NewRequest("POST", "/", strings.NewReader("body"))
	req.Header.Set("X-Hub-Signature-256", good)
	req.Header.Set("Content-Type", "application/json")
	if _, err := gh.ValidatePayload(req, []byte(b.Reveal())); err != nil {
		t.Errorf("go-github refuses what Sign made: %v", err)
	}
	if err := Verify(body, good, []integrations.Secret{a, b}); err != nil {
		t.Errorf("a good signature: %v", err)
	}
	for sig, want := range map[string]error{
		"": ErrUnsigned, "sha1=00": ErrUnsigned, strings.TrimPrefix(good, "sha256="): ErrUnsigned, "SHA256=" + good[7:]: ErrUnsigned,
		"sha256=": ErrBadSignature, good[:len(good)-1]: ErrBadSignature, good + "0": ErrBadSignature,
		Sign(body, integrations.NewSecret("x")): ErrBadSignature, Sign(body, integrations.Secret{}): ErrBadSignature,
		"sha256=" + strings.Repeat("z", 64): ErrBadSignature,
	} {
		if err := Verify(body, sig, []integrations.Secret{a, b, {}}); !errors.Is(err, want) {
			t.Errorf("Verify(%q) = %v, want %v", sig, err, want)
		}
	}
	if err := Verify(body, good, nil); err == nil {
		t.Error("without a secret, a signature was taken")
	}
	if err := Verify([]byte("bodY"), good, []integrations.Secret{b}); err == nil {
		t.Error("another body was taken")
	}
}

// No body of any kind is the end of us, and what is understood is whole.
func FuzzWebhook(f *testing.F) {
	for _, s := range samples(f) {
		f.Add(s.Kind, []byte(s.Body))
	}
	f.Add("github.push", []byte(`{"ref":1,"repository":[]}`))
	f.Add("github.pull_request", []byte(`{"pull_request":{"merged_at":{}}}`))
	f.Fuzz(func(t *testing.T, kind string, body []byte) {
		e, err := DecodeForge(kind, body)
		if (e == nil) == (err == nil) {
			t.Fatalf("DecodeForge = %v, %v", e, err)
		}
		if err != nil {
			return
		}
		switch e.Kind {
		case "ignored":
		case "push":
			if e.Repo == "" || e.Branch == "" {
				t.Fatalf("a push of nothing: %+v", e)
			}
		case "check":
			if e.Repo == "" || !fullSHA.MatchString(e.SHA) {
				t.Fatalf("checks of nothing: %+v", e)
			}
		case "pull_request", "review":
			p := e.PullRequest
			if e.Repo == "" || p == nil || p.Number <= 0 || (e.Kind == "review") != (e.Review != nil) {
				t.Fatalf("a pull request of nobody: %+v", e)
			}
			if p.State != "merged" && (p.MergedBy != "" || p.MergeSHA != "" || !p.MergedAt.IsZero()) {
				t.Fatalf("not merged, and with a merge: %+v", p)
			}
		default:
			t.Fatalf("kind %q", e.Kind)
		}
	})
}
