package slacksim_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/slack/slacksim"
)

// victim is the other process of TestSurvivesAKill: a workspace in which things
// happen, each told on stdout once it is done, until it is killed.
func victim(dir string) {
	cfg := workspace()
	cfg.Dir, cfg.Lenient = dir, true
	cfg.Events = []string{"message.im"}
	s, err := slacksim.New(cfg)
	if err != nil {
		fmt.Println("error", err)
		return
	}
	srv := httptest.NewServer(s.Handler())
	s.SetBase(srv.URL)
	if _, err := s.Say(context.Background(), "bob", "@signalbox", "nobody hears this", ""); err != nil {
		fmt.Println("error", err)
	}
	for i := 0; ; i++ {
		a, err := s.Say(context.Background(), "alice", "ops", fmt.Sprint("message ", i), "")
		if err != nil {
			fmt.Println("error", err)
			return
		}
		fmt.Println("ts", a.TS)
		form := url.Values{"token": {"xoxb-sandbox"}, "channel": {"COPS"}, "user": {"UBOB"}, "text": {fmt.Sprint("for bob ", i)}}
		res, err := srv.Client().PostForm(srv.URL+"/api/chat.postEphemeral", form)
		if err != nil {
			fmt.Println("error", err)
			return
		}
		_ = res.Body.Close()
		fmt.Println("ephemeral", i)
	}
}

func TestSurvivesAKill(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "SLACKSIM_TEST_DIR="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var told []string
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		kind, what, _ := strings.Cut(lines.Text(), " ")
		if kind == "error" {
			t.Error(what)
			break
		}
		if kind == "ts" {
			told = append(told, what)
		}
		if len(told) == 25 {
			break
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() { // what it said before it died counts too
		if ts, ok := strings.CutPrefix(lines.Text(), "ts "); ok {
			told = append(told, ts)
		}
	}
	_ = cmd.Wait()

	cfg := workspace()
	cfg.Dir = dir
	o := open(t, cfg)
	ms, err := o.History("ops", "")
	if err != nil {
		t.Fatal(err)
	}
	var kept []string
	for _, m := range ms {
		kept = append(kept, m.TS)
	}
	for _, ts := range told {
		if !slices.Contains(kept, ts) {
			t.Errorf("message %s was told and is lost", ts)
		}
	}
	if es, err := o.Ephemerals("bob", "ops"); err != nil || len(es) < 24 {
		t.Errorf("%d ephemeral messages kept, %v", len(es), err)
	}
	// The event that nobody heard is delivered to the first who listens, within
	// its minute of retry on the clock; here the clock is the machine's, so what
	// counts is that it is still there.
	if o.PendingEvents() != 1 {
		t.Errorf("%d events pending, want the one that nobody heard", o.PendingEvents())
	}
	a, err := o.Say(t.Context(), "alice", "ops", "later", "")
	if err != nil || a.TS <= kept[len(kept)-1] {
		t.Errorf("a new ts %s after %s, %v", a.TS, kept[len(kept)-1], err)
	}
}

// TestReopened shows that all kinds of things are there again, and that an
// event interrupted in its first try is retried on the first socket.
func TestReopened(t *testing.T) {
	cfg := workspace()
	cfg.Dir, cfg.AckWindow = t.TempDir(), time.Hour
	cfg.Events = []string{"message.channels"}
	o := open(t, cfg)
	w := o.dial()
	act := o.say("alice", "ops", "first", "")
	if e := w.next(); e.RetryAttempt != 0 {
		t.Fatalf("%+v", e)
	}
	home := `{"type":"home","blocks":[{"type":"divider"}]}`
	o.must("views.publish", args("user_id", "UBOB", "view", home))
	act2 := o.say("bob", "ops", "/ops deploy", "")
	e := w.next()
	w.ack(e.EnvelopeID, "")
	o.must("views.open", args("trigger_id", e.field(t, "trigger_id"), "view", modal("Title", "")))
	r := o.wait(act2)
	if err := o.Fault(slacksim.FaultSpec{Kind: "archive_channel", Channel: "random"}); err != nil {
		t.Fatal(err)
	}
	response := e.field(t, "response_url")
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	o.end(act)

	again := open(t, cfg)
	for range 3 { // the workspace may be up for a while before anybody connects
		again.must("views.publish", args("user_id", "UALICE", "view", home))
	}
	w = again.dial()
	if e := w.next(); e.RetryAttempt != 1 || e.field(t, "event", "text") != "first" {
		t.Errorf("after the restart came %+v", e)
	}
	if vs, err := again.Modals("bob"); err != nil || len(vs) != 1 || vs[0].ViewID != r.Modal.ViewID {
		t.Errorf("modals %+v, %v", vs, err)
	}
	if h, err := again.Home("bob"); err != nil || !strings.Contains(string(h.Blocks), "divider") {
		t.Errorf("home %+v, %v", h, err)
	}
	if _, err := again.Say(t.Context(), "alice", "random", "x", ""); err == nil {
		t.Error("the channel is not archived any more")
	}
	token := response[strings.LastIndex(response, "/"):]
	if res, _ := again.post(again.url+"/response"+token, "", "application/json", `{"text":"late but good"}`); res.StatusCode != 200 {
		t.Errorf("response_url: %s", res.Status)
	}
	if es, err := again.Ephemerals("bob", "ops"); err != nil || len(es) != 1 {
		t.Errorf("%+v, %v", es, err)
	}
}

func TestOneProcessAWorkspace(t *testing.T) {
	cfg := workspace()
	cfg.Dir = t.TempDir()
	open(t, cfg)
	if s, err := slacksim.New(cfg); err == nil {
		_ = s.Close()
		t.Error("opened twice")
	}
}
