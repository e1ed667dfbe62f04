package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/slack/slacksim"
)

// Where there is no Terraform, the demonstration step starts the running binary
// by the name of its tool. That binary is this test's: it must not run the tests
// again instead.
var _ = beTool()

func beTool() bool {
	if len(os.Args) < 2 {
		return false
	}
	if tool, ok := tools[os.Args[1]]; ok {
		os.Exit(tool(os.Args[2:], os.Stdout, os.Stderr))
	}
	return false
}

// talkWorld is a sandbox as somebody with curl has it: its control API, and
// GitHub's with the people's tokens.
type talkWorld struct {
	t      testing.TB
	base   string
	data   string
	config []byte // the bot's
	state  *talkState
}

// newTalkWorld runs the sandbox in the test's own process until the test ends.
func newTalkWorld(t testing.TB, edit func([]byte) []byte) *talkWorld {
	t.Helper()
	return talkWorldOf(t, edit, false)
}

// talkWorldOf is newTalkWorld with a clock that may stand still but for what is said to it.
func talkWorldOf(t testing.TB, edit func([]byte) []byte, stands bool) *talkWorld {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("no git")
	}
	w := &talkWorld{t: t, data: t.TempDir()}
	told := edit
	edit = func(b []byte) []byte { w.config = told(b); return w.config }
	log, err := os.Create(filepath.Join(w.data, "talk.log"))
	if err != nil {
		t.Fatal(err)
	}
	w.must(os.WriteFile(filepath.Join(w.data, "clock.json"), fmt.Appendf(nil, `{"offset": %q}`, time.Until(talkBegins())), 0o600), "set the clock")
	ctx, cancel := context.WithCancel(context.Background())
	r, out := io.Pipe()
	done := make(chan error, 1)
	go func() { // waited for by the cleanup
		err := (sandboxCommand{Addr: "127.0.0.1:0", Data: w.data, Patience: talkPatience, Quiet: talkQuietAnswer(), Stands: stands}).run(&scene{ctx: ctx, out: out, log: slog.New(slog.NewTextHandler(log, nil))}, edit)
		_ = out.CloseWithError(fmt.Errorf("the sandbox ended: %w", errors.Join(err, io.EOF)))
		done <- err
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("the sandbox ended with: %v", err)
		}
		_ = log.Close()
		if said, err := os.ReadFile(log.Name()); t.Failed() && err == nil {
			t.Logf("the sandbox's log:\n%s", said)
		}
	})
	lines := bufio.NewScanner(r)
	if !lines.Scan() {
		t.Fatalf("the first line of the sandbox: %v", lines.Err())
	}
	base, ok := strings.CutPrefix(lines.Text(), "signalbox sandbox ")
	if !ok {
		t.Fatalf("the first line of the sandbox is %q", lines.Text())
	}
	w.base = base
	go func() { _, _ = io.Copy(io.Discard, r) }() // ends with the sandbox, which closes the pipe
	return w
}

// talkBegins is when a conversation begins: on a Tuesday at ten, in the coming week.
// What the morning brings, and what a weekend or a window keeps back, then does not
// depend on when the test is run.
func talkBegins() time.Time {
	day := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, 1)
	for day.Weekday() != time.Tuesday {
		day = day.AddDate(0, 0, 1)
	}
	return day.Add(10 * time.Hour)
}

// call sends JSON and decodes the answer. What is not 2xx is an error with the
// other side's sentence.
func (w *talkWorld) call(as, method, path string, in, out any) error {
	_, err := w.send(as, method, path, nil, in, out)
	return err
}

func (w *talkWorld) send(as, method, path string, header http.Header, in, out any) (int, error) {
	body, isText := in.(string)
	if !isText && in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return 0, err
		}
		body = string(b)
	}
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.base+path, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "curl")
	if as != "" {
		r.Header.Set("Authorization", "Bearer "+as+"-token")
	}
	for k, v := range header {
		r.Header[k] = v
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return resp.StatusCode, err
	}
	if resp.StatusCode >= 300 {
		var said struct{ Error, Message string }
		_ = json.Unmarshal(answer, &said)
		if said.Error+said.Message == "" {
			said.Error = strings.TrimSpace(string(answer))
		}
		return resp.StatusCode, errors.New(said.Error + said.Message)
	}
	if out == nil || len(bytes.TrimSpace(answer)) == 0 {
		return resp.StatusCode, nil
	}
	return resp.StatusCode, json.Unmarshal(answer, out)
}

// must ends the test on an error, and names what was tried.
func (w *talkWorld) must(err error, what string, args ...any) {
	w.t.Helper()
	if err != nil {
		w.t.Fatalf("%s: %v", fmt.Sprintf(what, args...), err)
	}
}

// settle lets a few seconds pass and waits until everything is done and told.
func (w *talkWorld) settle(by time.Duration) {
	w.t.Helper()
	w.must(w.call("", "POST", "/sim/clock/advance", map[string]string{"by": by.String()}, nil), "move the clock by %v", by)
}

// pass lets time go by in the midst of things.
func (w *talkWorld) pass() {
	w.t.Helper()
	time.Sleep(talkLook)
	w.must(w.call("", "POST", "/sim/clock/advance", map[string]any{"by": talkLook.String(), "midst": true}, nil), "move the clock by %v", talkLook)
}

func (w *talkWorld) now() time.Time {
	w.t.Helper()
	var info struct{ Now time.Time }
	w.must(w.call("", "GET", "/sim/info", nil, &info), "ask for the time")
	return info.Now
}

func (w *talkWorld) history(channel, thread string) []slacksim.Message {
	w.t.Helper()
	var out struct{ Messages []slacksim.Message }
	path := "/sim/slack/history?channel=" + channel
	if thread != "" {
		path += "&thread_ts=" + thread
	}
	w.must(w.call("", "GET", path, nil, &out), "read %s", path)
	return out.Messages
}

// change edits a file on a branch, which is made from main where there is none.
func (w *talkWorld) change(as, repo, path, branch, old, text string) error {
	api := "/api/v3/repos/" + repo
	var ref struct{ Object struct{ SHA string } }
	if err := w.call(as, "GET", api+"/git/ref/heads/"+branch, nil, &ref); err != nil {
		if err := w.call(as, "GET", api+"/git/ref/heads/main", nil, &ref); err != nil {
			return err
		}
		if err := w.call(as, "POST", api+"/git/refs", map[string]string{"ref": "refs/heads/" + branch, "sha": ref.Object.SHA}, nil); err != nil {
			return err
		}
	}
	content, blob, err := w.file(as, repo, path, branch)
	if err != nil && old != "" {
		return err
	}
	if !strings.Contains(content, old) {
		return fmt.Errorf("%s on %s of %s holds no %q:\n%s", path, branch, repo, old, content)
	}
	if old != "" {
		text = strings.Replace(content, old, text, 1)
	}
	in := map[string]string{"message": "Change " + path, "branch": branch, "content": base64.StdEncoding.EncodeToString([]byte(text))}
	if blob != "" {
		in["sha"] = blob
	}
	return w.call(as, "PUT", api+"/contents/"+path, in, nil)
}

func (w *talkWorld) file(as, repo, path, ref string) (content, blob string, err error) {
	var got struct{ SHA, Content string }
	if err := w.call(as, "GET", "/api/v3/repos/"+repo+"/contents/"+path+"?ref="+ref, nil, &got); err != nil {
		return "", "", err
	}
	b, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(got.Content, "\n", ""))
	return string(b), got.SHA, err
}

// stateFile is what a target's Terraform state holds, an address and its input a
// line, and nothing where there is no state.
func (w *talkWorld) stateFile(target string) []string {
	w.t.Helper()
	var info struct {
		StateFiles map[string]string `json:"state_files"`
	}
	w.must(w.call("", "GET", "/sim/info", nil, &info), "ask for the state files")
	b, err := os.ReadFile(info.StateFiles[target])
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	w.must(err, "read the state of %s", target)
	var state struct {
		Resources []struct {
			Type, Name string
			Instances  []struct {
				IndexKey   any `json:"index_key"`
				Status     string
				Attributes struct {
					Input struct{ Value map[string]any }
				}
			}
		}
	}
	w.must(json.Unmarshal(b, &state), "read the state of %s", target)
	var out []string
	for _, r := range state.Resources {
		for _, i := range r.Instances {
			line := r.Type + "." + r.Name
			if i.IndexKey != nil {
				line += fmt.Sprintf("[%v]", i.IndexKey)
			}
			if len(i.Attributes.Input.Value) > 0 {
				v, err := json.Marshal(i.Attributes.Input.Value)
				w.must(err, "write the state of %s", target)
				line += " " + string(v)
			}
			if i.Status != "" {
				line += " (" + i.Status + ")"
			}
			out = append(out, line)
		}
	}
	return out
}
