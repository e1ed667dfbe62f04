package slacksim_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/slack/slacksim"
)

// TestCallFaults holds each misbehaviour of the Web API.
func TestCallFaults(t *testing.T) {
	for _, c := range []struct {
		fault slacksim.FaultSpec
		want  int // the status, 0 for a broken connection
		acted bool
	}{
		{slacksim.FaultSpec{Kind: "rate_limit", RetryAfter: 7}, 429, false},
		{slacksim.FaultSpec{Kind: "error", Status: 503}, 503, false},
		{slacksim.FaultSpec{Kind: "error_after"}, 500, true},
		{slacksim.FaultSpec{Kind: "lose_reply"}, 0, true},
		{slacksim.FaultSpec{Kind: "delay", Delay: "150ms"}, 200, true},
	} {
		t.Run(c.fault.Kind, func(t *testing.T) {
			o := open(t, workspace())
			c.fault.Method = "chat.postMessage"
			if err := o.Fault(c.fault); err != nil {
				t.Fatal(err)
			}
			o.must("auth.test", nil) // another method is spared
			start := time.Now()
			res, err := http.PostForm(o.url+"/api/chat.postMessage", args("token", "xoxb-sandbox", "channel", "COPS", "text", "x"))
			got := 0
			if err == nil {
				got = res.StatusCode
				_ = res.Body.Close()
			}
			if got != c.want {
				t.Errorf("status %d (%v), want %d", got, err, c.want)
			}
			if got == 429 && res.Header.Get("Retry-After") != "7" {
				t.Errorf("Retry-After %q", res.Header.Get("Retry-After"))
			}
			if c.fault.Delay != "" && time.Since(start) < 150*time.Millisecond {
				t.Error("not delayed")
			}
			ms, err := o.History("ops", "")
			if err != nil || (len(ms) == 1) != c.acted {
				t.Errorf("%d messages, %v", len(ms), err)
			}
			o.must("chat.postMessage", args("channel", "COPS", "text", "and after that all is well"))
		})
	}
}

func TestOtherFaults(t *testing.T) {
	o := open(t, workspace())
	ts := o.must("chat.postMessage", args("channel", "COPS", "text", "x"))["ts"].(string)
	for _, f := range []slacksim.FaultSpec{
		{Kind: "earthquake"}, {Kind: "delay", Delay: "soon"}, {Kind: "archive_channel", Channel: "nowhere"},
		{Kind: "delete_message", Channel: "ops", TS: "1.0"},
	} {
		if o.Fault(f) == nil {
			t.Errorf("%+v was taken", f)
		}
	}
	if err := o.Fault(slacksim.FaultSpec{Kind: "delete_message", Channel: "ops", TS: ts}); err != nil {
		t.Fatal(err)
	}
	if out := o.call("chat.update", args("channel", "COPS", "ts", ts, "text", "y")); out["error"] != "message_not_found" {
		t.Errorf("deleted: %v", out)
	}
	if err := o.Fault(slacksim.FaultSpec{Kind: "kick_bot", Channel: "ops"}); err != nil {
		t.Fatal(err)
	}
	if out := o.call("chat.postMessage", args("channel", "COPS", "text", "y")); out["error"] != "not_in_channel" {
		t.Errorf("kicked: %v", out)
	}
}
