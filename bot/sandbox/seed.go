package sandbox

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/github/githubsim"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
)

// merged is a pull request that was merged before the sandbox began, so that a
// first promotion has something to list.
type merged struct {
	repo, author, merger string
	branch, title, body  string
	commits              []commit
}

type commit struct {
	message, file string
	edit          func(old string) string
}

func replace(old, new string) func(string) string {
	return func(s string) string { return strings.Replace(s, old, new, 1) }
}

func whole(s string) func(string) string { return func(string) string { return s } }

var history = []merged{
	{
		repo: "acme/web", author: "alice", merger: "bob", branch: "greet-by-name",
		title: "Greet people by name", body: "The front page said “Hello” to everybody alike.",
		commits: []commit{
			{"Greet people by name", "index.html", replace("<h1>Hello.</h1>", `<h1>Hello, <span id="name">traveller</span>.</h1>`)},
			{"Release 1.1.0", "VERSION", whole("1.1.0\n")},
		},
	},
	{
		repo: "acme/web", author: "bob", merger: "alice", branch: "timetable",
		title: "Show the timetable", body: "Reads it from the API, and says so when there is none.",
		commits: []commit{
			{"Show the timetable", "timetable.js", whole("const rows = await (await fetch(\"/api/timetable\")).json();\ndocument.querySelector(\"#timetable\").textContent = rows.length ? rows.join(\"\\n\") : \"No trains today.\";\n")},
			{"Release 1.2.0", "VERSION", whole("1.2.0\n")},
		},
	},
	{
		repo: "acme/web", author: "alice", merger: "alice", branch: "worker",
		title: "Fetch the timetable in a worker", body: "One more replica, which does nothing but that.",
		commits: []commit{
			{"Add the worker to staging", "deploy/staging/main.tf", replace(`["web-1"]`, `["web-1", "worker-1"]`)},
			{"Add the worker to production", "deploy/production/main.tf", replace(`["web-1", "web-2"]`, `["web-1", "web-2", "worker-1"]`)},
			{"Release 1.3.0", "VERSION", whole("1.3.0\n")},
		},
	},
}

// seeds are what repositories hold besides their first commit.
var seeds = map[string]func(work string) error{"api": seedAPI, "tickets": seedTickets}

// seedTickets gives acme/tickets something to deploy.
func seedTickets(work string) error {
	if err := os.WriteFile(filepath.Join(work, "VERSION"), []byte("1.1.0\n"), 0o600); err != nil {
		return err
	}
	return githubsim.Git(work, "-c", "user.name=bob", "-c", "user.email=bob@acme.example", "commit", "-q", "-a", "-m", "Keep the basket for a day")
}

// seedAPI gives acme/api the releases that can be pinned.
func seedAPI(work string) error {
	for _, r := range []struct{ version, author, message string }{
		{"1.4.0", "alice", "Serve the timetable"},
		{"1.4.1", "bob", "Say 404 for a station nobody knows"},
		{"1.5.0-dev", "alice", "Begin 1.5"},
	} {
		if err := os.WriteFile(filepath.Join(work, "VERSION"), []byte(r.version+"\n"), 0o600); err != nil {
			return err
		}
		if err := githubsim.Git(work, "-c", "user.name="+r.author, "-c", "user.email="+r.author+"@acme.example", "commit", "-q", "-a", "-m", r.message); err != nil {
			return err
		}
		if strings.Contains(r.version, "-") {
			continue
		}
		if err := githubsim.Git(work, "tag", "v"+r.version); err != nil {
			return err
		}
	}
	return nil
}

// seed writes the past of the workspace, once: in a life of the simulator that
// has no webhooks and whose clock runs over the last days. It looks before each
// step whether it is done, so that a kill in the middle is made good.
func (w *world) seed() (err error) {
	done := filepath.Join(w.data, "seeded")
	if _, err := os.Stat(done); err == nil {
		return nil
	}
	cfg := w.githubConfig(false)
	past := clock.NewMovable(w.clk.Offset() - time.Duration(len(history)+1)*23*time.Hour)
	cfg.Clock = past
	sim, err := githubsim.New(cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sim.Close()) }()
	for _, m := range history {
		if err := past.Advance(context.Background(), 23*time.Hour, nil); err != nil {
			return err
		}
		if err := (seeder{sim.Handler(), m}).run(); err != nil {
			return fmt.Errorf("%s: %s: %w", m.repo, m.branch, err)
		}
	}
	return writeWhole(done, []byte("1\n"), true)
}

// seeder merges one pull request, by the API that people use.
type seeder struct {
	github http.Handler
	merged
}

// call calls the API as a person and decodes the answer.
func (s seeder) call(login, method, path string, in, out any) (int, error) {
	var body bytes.Buffer
	if in != nil {
		if err := json.NewEncoder(&body).Encode(in); err != nil {
			return 0, err
		}
	}
	r := httptest.NewRequest(method, "/api/v3/repos/"+s.repo+path, &body)
	r.Header.Set("Authorization", "Bearer "+login+"-token")
	r.Header.Set("User-Agent", "signalbox-sandbox")
	rec := httptest.NewRecorder()
	s.github.ServeHTTP(rec, r)
	if rec.Code >= 300 {
		return rec.Code, fmt.Errorf("%s %s: %d %s", method, path, rec.Code, strings.TrimSpace(rec.Body.String()))
	}
	if out == nil {
		return rec.Code, nil
	}
	return rec.Code, json.Unmarshal(rec.Body.Bytes(), out)
}

func (s seeder) run() error {
	owner, _, _ := strings.Cut(s.repo, "/")
	var found []struct {
		Number   int     `json:"number"`
		MergedAt *string `json:"merged_at"`
	}
	if _, err := s.call(s.author, "GET", "/pulls?state=all&head="+owner+":"+s.branch, nil, &found); err != nil {
		return err
	}
	if len(found) > 0 && found[0].MergedAt != nil {
		return nil
	}
	number := 0
	if len(found) > 0 {
		number = found[0].Number
	} else {
		if err := s.push(); err != nil {
			return err
		}
		var opened struct {
			Number int `json:"number"`
		}
		if _, err := s.call(s.author, "POST", "/pulls", map[string]any{"title": s.title, "body": s.body, "head": s.branch, "base": "main"}, &opened); err != nil {
			return err
		}
		number = opened.Number
	}
	if s.merger != s.author {
		if _, err := s.call(s.merger, "POST", fmt.Sprintf("/pulls/%d/reviews", number), map[string]any{"event": "APPROVE", "body": "Looks right."}, nil); err != nil {
			return err
		}
	}
	_, err := s.call(s.merger, "PUT", fmt.Sprintf("/pulls/%d/merge", number), map[string]any{"merge_method": "merge"}, nil)
	return err
}

// push makes the branch and its commits.
func (s seeder) push() error {
	var main struct {
		Object struct {
			SHA string `json:"sha"`
		} `json:"object"`
	}
	if _, err := s.call(s.author, "GET", "/git/ref/heads/main", nil, &main); err != nil {
		return err
	}
	code, err := s.call(s.author, "POST", "/git/refs", map[string]any{"ref": "refs/heads/" + s.branch, "sha": main.Object.SHA}, nil)
	if err != nil && code != http.StatusUnprocessableEntity { // it is there already
		return err
	}
	for _, c := range s.commits {
		if err := s.put(c.message, c.file, c.edit); err != nil {
			return err
		}
	}
	return nil
}

func (s seeder) put(message, path string, edit func(string) string) error {
	var old struct {
		SHA     string `json:"sha"`
		Content lines  `json:"content"`
	}
	code, err := s.call(s.author, "GET", "/contents/"+path+"?ref="+s.branch, nil, &old)
	if err != nil && code != http.StatusNotFound {
		return err
	}
	text := edit(string(old.Content))
	if text == string(old.Content) {
		return nil
	}
	in := map[string]any{"message": message, "branch": s.branch, "content": base64.StdEncoding.EncodeToString([]byte(text))}
	if old.SHA != "" {
		in["sha"] = old.SHA
	}
	_, err = s.call(s.author, "PUT", "/contents/"+path, in, nil)
	return err
}

// lines is base64 that is broken into lines, as GitHub sends it.
type lines []byte

func (l *lines) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	out, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(s, "\n", ""))
	*l = out
	return err
}
