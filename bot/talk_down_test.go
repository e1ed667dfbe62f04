package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// onHost types a line on the machine that the bot runs on.
func (k *talk) onHost(m []string) error {
	var a struct {
		Text string
		Code int
	}
	if err := k.call("", "POST", "/sim/host/say", map[string]string{"user": m[0], "line": m[1]}, &a); err != nil {
		return err
	}
	lines := strings.Split(strings.TrimRight(a.Text, "\n"), "\n")
	if a.Code != 0 {
		lines = append(lines, fmt.Sprintf("exit %d", a.Code))
	}
	k.write("the terminal", lines)
	return nil
}

func (k *talk) fault(system, kind string) error {
	return k.call("", "POST", "/sim/fault", map[string]string{"system": strings.ToLower(system), "kind": kind}, nil)
}

// answersAgain ends a silence. Slack is back when a socket is open again.
func (k *talk) answersAgain(m []string) error {
	if err := k.fault(m[0], "up"); err != nil || m[0] == "GitHub" {
		return err
	}
	for end := time.Now().Add(talkPatience); ; k.pass() {
		resp, err := http.Get(k.base + "/bot/readyz")
		if err != nil {
			return err
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			return nil
		} else if time.Now().After(end) {
			return fmt.Errorf("the bot has no socket again")
		}
	}
}

// report sets a check of the head of a pull request, as a CI would.
func (k *talk) report(m []string) error {
	var p struct{ Head struct{ SHA string } }
	if err := k.call(m[0], "GET", talkPull(m[3], m[4]), nil, &p); err != nil {
		return err
	}
	return k.call(m[0], "POST", "/api/v3/repos/"+m[3]+"/statuses/"+p.Head.SHA, map[string]string{"context": m[1], "state": m[2]}, nil)
}
