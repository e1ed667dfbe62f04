package github

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// What Verify refuses.
var (
	ErrUnsigned     = errors.New("the delivery has no SHA-256 signature")
	ErrBadSignature = errors.New("the delivery's signature is not made with a secret of ours")
)

// Verify checks X-Hub-Signature-256 over a body, in constant time for each of
// the secrets. It parses nothing of the body.
func Verify(body []byte, signature string, secrets []integrations.Secret) error {
	digest, ok := strings.CutPrefix(signature, "sha256=")
	if !ok {
		return ErrUnsigned
	}
	var got [sha256.Size]byte
	if n, err := hex.Decode(got[:], []byte(cutTo(digest, 2*sha256.Size))); err != nil || n != sha256.Size || len(digest) != 2*sha256.Size {
		return ErrBadSignature
	}
	right := false
	for _, s := range secrets {
		if s.IsZero() { // an empty secret would let everybody in
			continue
		}
		mac := hmac.New(sha256.New, []byte(s.Reveal()))
		mac.Write(body)
		if hmac.Equal(mac.Sum(nil), got[:]) {
			right = true
		}
	}
	if !right {
		return ErrBadSignature
	}
	return nil
}

func cutTo(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}

// Sign makes the signature that Verify accepts.
func Sign(body []byte, secret integrations.Secret) string {
	mac := hmac.New(sha256.New, []byte(secret.Reveal()))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// DecodeForge reads a webhook of the kinds "github.pull_request",
// "github.pull_request_review", "github.push" and, as the Kind "check",
// "github.status", "github.check_run" and "github.check_suite"; every other comes
// back with the Kind "ignored". It takes what it needs and minds nothing else:
// genuine deliveries lack fields that their description calls required, and hold
// timestamps of more than one form.
func DecodeForge(kind string, body []byte) (*integrations.ForgeEvent, error) {
	name, _ := strings.CutPrefix(kind, "github.")
	switch name {
	case "pull_request", "pull_request_review", "push", "status", "check_run", "check_suite":
	default:
		return &integrations.ForgeEvent{Kind: "ignored"}, nil
	}
	var h hook
	if err := lenient(body, &h); err != nil {
		return nil, fmt.Errorf("decode webhook %s: %w", name, err)
	}
	e := &integrations.ForgeEvent{Action: h.Action, RepoID: h.Repository.ID, Repo: h.Repository.FullName, Sender: h.Sender.Login}
	if e.Repo == "" {
		return nil, fmt.Errorf("decode webhook %s: it names no repository", name)
	}
	switch name {
	case "status", "check_run", "check_suite":
		h.check(name, e)
		return e, nil
	case "push":
		e.Kind = "push"
		branch, ok := strings.CutPrefix(h.Ref, "refs/heads/")
		if !ok || branch == "" { // a tag
			e.Kind = "ignored"
			return e, nil
		}
		e.Branch, e.Before, e.After = branch, h.Before, h.After
		return e, nil
	}
	p := h.PullRequest.word(e)
	if p.Number == 0 {
		p.Number = h.Number
	}
	if p.Number <= 0 {
		return nil, fmt.Errorf("decode webhook %s: it names no pull request", name)
	}
	e.Kind, e.PullRequest = "pull_request", &p
	if b := h.Changes.Body; b != nil && name == "pull_request" {
		e.BodyFrom = &b.From
	}
	if name == "pull_request_review" {
		e.Kind = "review"
		e.Review = &integrations.Review{
			Author: h.Review.User.Login, State: strings.ToUpper(h.Review.State), Head: h.Review.CommitID, At: h.Review.SubmittedAt.Time,
		}
	}
	return e, nil
}

// check fills in what a "check" holds. One that names no commit is ignored: it is
// only a hint to look.
func (h *hook) check(name string, e *integrations.ForgeEvent) {
	suite := h.CheckSuite
	switch name {
	case "status":
		e.SHA, e.Check = h.SHA, h.Context
		for _, b := range h.Branches {
			e.Branches = append(e.Branches, b.Name)
		}
	case "check_run":
		e.SHA, e.Check, suite = h.CheckRun.HeadSHA, h.CheckRun.Name, h.CheckRun.CheckSuite
	case "check_suite":
		e.SHA = suite.HeadSHA
	}
	if suite.HeadBranch != "" { // a fork's pull request has none
		e.Branches = append(e.Branches, suite.HeadBranch)
	}
	e.Kind = "check"
	if !fullSHA.MatchString(e.SHA) {
		e.Kind, e.SHA, e.Branches, e.Check = "ignored", "", nil, ""
	}
}

// lenient decodes JSON and leaves out what has another type than expected.
func lenient(body []byte, into any) error {
	err := json.Unmarshal(body, into)
	var mismatch *json.UnmarshalTypeError
	if errors.As(err, &mismatch) {
		return nil
	}
	return err
}

type hook struct {
	Action      string   `json:"action"`
	Number      int      `json:"number"`
	Ref         string   `json:"ref"`
	Before      string   `json:"before"`
	After       string   `json:"after"`
	Repository  hookRepo `json:"repository"`
	Sender      hookUser `json:"sender"`
	PullRequest hookPull `json:"pull_request"`
	Changes     struct {
		Body *struct {
			From string `json:"from"`
		} `json:"body"`
	} `json:"changes"` // of an edit
	Review struct {
		User        hookUser  `json:"user"`
		State       string    `json:"state"`
		CommitID    string    `json:"commit_id"`
		SubmittedAt looseTime `json:"submitted_at"`
	} `json:"review"`
	SHA      string `json:"sha"`
	Branches []struct {
		Name string `json:"name"`
	} `json:"branches"`
	CheckRun struct {
		HeadSHA    string    `json:"head_sha"`
		Name       string    `json:"name"`
		CheckSuite hookSuite `json:"check_suite"`
	} `json:"check_run"`
	Context    string    `json:"context"` // of a status
	CheckSuite hookSuite `json:"check_suite"`
}

type hookSuite struct {
	HeadSHA    string `json:"head_sha"`
	HeadBranch string `json:"head_branch"`
}

type hookRepo struct {
	ID       int64  `json:"id"`
	FullName string `json:"full_name"`
}

type hookUser struct {
	Login string `json:"login"`
}

type hookBranch struct {
	Ref  string   `json:"ref"`
	SHA  string   `json:"sha"`
	Repo hookRepo `json:"repo"`
}

type hookPull struct {
	Number    int        `json:"number"`
	Title     string     `json:"title"`
	Body      string     `json:"body"`
	HTMLURL   string     `json:"html_url"`
	User      hookUser   `json:"user"`
	State     string     `json:"state"`
	Draft     bool       `json:"draft"`
	Head      hookBranch `json:"head"`
	Base      hookBranch `json:"base"`
	Merged    bool       `json:"merged"`
	MergeSHA  string     `json:"merge_commit_sha"`
	MergedBy  hookUser   `json:"merged_by"`
	MergedAt  looseTime  `json:"merged_at"`
	UpdatedAt looseTime  `json:"updated_at"`
	CreatedAt looseTime  `json:"created_at"`
}

func (h *hookPull) word(e *integrations.ForgeEvent) integrations.PullRequest {
	p := integrations.PullRequest{
		RepoID: h.Base.Repo.ID, Repo: h.Base.Repo.FullName, Number: h.Number, Title: h.Title, Body: h.Body, URL: h.HTMLURL,
		Author: h.User.Login, State: h.State, Draft: h.Draft, Head: h.Head.SHA, Branch: h.Head.Ref,
		Base: h.Base.Ref, BaseSHA: h.Base.SHA, UpdatedAt: h.UpdatedAt.Time, CreatedAt: h.CreatedAt.Time,
	}
	if p.RepoID == 0 {
		p.RepoID = e.RepoID
	}
	if p.Repo == "" {
		p.Repo = e.Repo
	}
	p.Fork = h.Head.Repo.ID == 0 || h.Head.Repo.ID != p.RepoID
	if h.Merged || !h.MergedAt.IsZero() {
		p.State, p.MergeSHA, p.MergedBy, p.MergedAt = "merged", h.MergeSHA, h.MergedBy.Login, h.MergedAt.Time
	}
	return p
}

// looseTime takes the forms a time has been seen in: RFC 3339, with a space for
// the T, with a zone of four digits, and seconds since 1970 with or without
// quotes. Anything else is no time, and no error.
type looseTime struct{ time.Time }

func (t *looseTime) UnmarshalJSON(b []byte) error {
	s := strings.Trim(string(b), `"`)
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05 -0700", "2006-01-02 15:04:05 MST", "2006-01-02T15:04:05-0700"} {
		if at, err := time.Parse(layout, s); err == nil {
			t.Time = at.UTC()
			return nil
		}
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && n > 0 && n < 1<<40 {
		t.Time = time.Unix(n, 0).UTC()
	}
	return nil
}
