package main

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// hide makes a secret of a kind.
func hide(kind string) string {
	b := make([]byte, 8)
	_, _ = rand.Read(b)
	return "HIDDEN-" + kind + "-" + hex.EncodeToString(b)
}

// hostile is a box full of secrets, whose deploys run a hunter for them.
type hostile struct {
	*box
	apart bool // steps run as another user
}

// A pull request's code is run to plan it. It may look wherever it likes: it finds
// the credentials of a plan and no other secret, not in an environment, not in a
// file, not in memory, not in a descriptor. Its apply gets those of an apply.
func TestHostilePlan(t *testing.T) {
	t.Run("stand-in", func(t *testing.T) {
		h := newHostile(t, nil)
		for _, verb := range []string{"plan", "apply"} {
			h.during(verb, h.searcher("found-"+verb))
		}
		h.flow(true)
		h.check("plan", "PLAN", "BAIT", "DECOY")
		h.check("apply", "APPLY", "BAIT", "DECOY")
		h.checkShown()
	})
	// What the language of Terraform itself can reach, and a provisioner.
	t.Run("terraform", func(t *testing.T) {
		h := newHostile(t, realTerraform(t))
		h.start()
		places := fmt.Sprintf(`"/proc/%d/environ"`, h.pid())
		if h.apart {
			for _, name := range []string{"signalbox.yaml", "github.token", "bot/signalbox.db", "bot/planted", "bot.log"} {
				places += fmt.Sprintf(", %q", filepath.Join(h.dir, name))
			}
		}
		text := strings.NewReplacer("HERE", h.dir, "PLACES", places).Replace(hostileTerraform)
		if _, err := h.github.Commit(t.Context(), "alice", "acme/web", "main", "look around", map[string]*string{"deploy/staging/main.tf": &text}); err != nil {
			t.Fatal(err)
		}
		h.flow(true)
		h.check("apply", "APPLY", "BAIT", "DECOY")
		h.checkShown()
		comment := h.pulls("acme/web")[0].Comments[0].Body
		if !strings.Contains(comment, "bait") || !strings.Contains(comment, `= "1 found"`) {
			t.Errorf("the bait was not found, so this shows nothing: %s", comment)
		}
		if !strings.Contains(comment, `= "0 found"`) || strings.Count(comment, `found"`) != 2 {
			t.Errorf("a plan found secrets: %s", comment)
		}
	})
}

const hostileTerraform = `terraform {
  backend "local" {}
}

locals {
  secret = "HIDDEN-(SLACK|GITHUB|HOOK|DATA|ENV|APPLY)-[0-9a-f]{16}"
  parent = split(" ", file("/proc/self/stat"))[3]
  places = [PLACES, "/proc/${local.parent}/environ", "/proc/${local.parent}/cmdline"]
}

resource "terraform_data" "release" {
  input = {
    bait = "${length(regexall("HIDDEN-BAIT-[0-9a-f]{16}", file("HERE/tool/bait")))} found"
  }

  provisioner "local-exec" {
    command = "echo apply >> HERE/tool/effects; exec HERE/bin/searcher search HERE/tool/found-apply"
  }
}

output "secrets" {
  value = "${length(flatten([for p in local.places : regexall(local.secret, try(file(p), ""))]))} found"
}
`

func newHostile(t *testing.T, change func(*boxWorld)) *hostile {
	h := &hostile{apart: os.Getuid() == 0}
	if _, err := user.Lookup("nobody"); err != nil {
		h.apart = false
	}
	if !h.apart {
		t.Log("NOT CHECKED: steps cannot run as another user here, so files that the bot's user may read are not looked into. Run this test as root.")
	}
	plan, apply, env, slack := hide("PLAN"), hide("APPLY"), hide("ENV"), "xoxb-"+hide("SLACK")
	h.box = newBox(t, func(w *boxWorld) {
		w.slackToken, w.githubToken, w.hookSecret = slack, hide("GITHUB"), hide("HOOK")
		w.said = map[string]string{
			w.slackToken:  "${SLACK_TOKEN}",
			w.githubToken: "${file:" + filepath.Join(w.b.dir, "github.token") + "}",
		}
		put(t, filepath.Join(w.b.dir, "github.token"), w.githubToken, 0o600)
		w.staging = "    plan_env: {TF_VAR_key: " + plan + "}\n    apply_env: {TF_VAR_key: " + apply + "}\n"
		if h.apart {
			w.user = "nobody"
		}
		if change != nil {
			change(w)
		}
	})
	h.env = []string{"SLACK_TOKEN=" + slack, "AWS_SECRET_ACCESS_KEY=" + env, "TF_VAR_other=" + env}
	if err := os.Mkdir(filepath.Join(h.dir, "bot"), 0o711); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(h.dir, "bot", "planted"), hide("DATA"), 0o600)
	put(t, filepath.Join(h.dir, "tool", "bait"), hide("BAIT"), 0o644)
	put(t, filepath.Join(h.dir, "tool", "spare"), strconv.Itoa(os.Getpid()), 0o644)
	h.copySelf()
	h.decoy()
	return h
}

// copySelf puts the hunter where everybody may run it.
func (h *hostile) copySelf() {
	h.t.Helper()
	self, err := os.Executable()
	if err != nil {
		h.t.Fatal(err)
	}
	text, err := os.ReadFile(self)
	if err != nil {
		h.t.Fatal(err)
	}
	put(h.t, filepath.Join(h.dir, "bin", "searcher"), string(text), 0o755)
}

// decoy is a process whose secret can be found: without it, finding none would
// show nothing.
func (h *hostile) decoy() {
	h.t.Helper()
	cmd := exec.Command("sleep", "600")
	cmd.Env = []string{"SECRET=" + hide("DECOY")}
	if h.apart {
		as, err := runAs("nobody")
		if err != nil {
			h.t.Fatal(err)
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: as.UID, Gid: as.GID}}
	}
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
}

func (h *hostile) searcher(out string) string {
	return fmt.Sprintf("env; %s search %s", filepath.Join(h.dir, "bin", "searcher"), filepath.Join(h.dir, "tool", out))
}

// during makes the stand-in run a script in the middle of a plan or an apply.
func (h *hostile) during(verb, script string) {
	put(h.t, filepath.Join(h.dir, "tool", "during-"+verb), "#!/bin/sh\n"+script+"\n", 0o755)
}

// check reads what a hunter found; all of kinds, and nothing else, must be in it.
func (h *hostile) check(verb string, kinds ...string) {
	h.t.Helper()
	text, err := os.ReadFile(filepath.Join(h.dir, "tool", "found-"+verb))
	if err != nil {
		h.t.Fatalf("the hunter left nothing: %v", err)
	}
	var found []find
	if err := json.Unmarshal(text, &found); err != nil {
		h.t.Fatal(err)
	}
	seen := map[string]int{}
	for _, f := range found {
		seen[f.Kind]++
		file := !strings.HasPrefix(f.Where, "the step") && !strings.Contains(f.Where, " of process ")
		switch {
		case slices.Contains(kinds, f.Kind):
		case !h.apart && file && f.Kind != "FD": // the same user may read it, which check warns of
		default:
			h.t.Errorf("a %s finds %s: %s", verb, f.Kind, f.Where)
		}
	}
	for _, k := range kinds {
		if seen[k] == 0 {
			h.t.Errorf("a %s does not find %s, which it should: %v", verb, k, found)
		}
	}
	if seen["DECOY"] < 2 { // its environment and its memory
		h.t.Errorf("a %s does not see through the decoy: %v", verb, found)
	}
}

// checkShown makes sure that no secret was shown to people or written to a log.
func (h *hostile) checkShown() {
	h.t.Helper()
	look := func(where, text string) {
		for _, s := range planted.FindAllString(text, -1) {
			h.t.Errorf("%s shows %s", where, s)
		}
	}
	for _, m := range h.history("") {
		for _, r := range append(h.history(m.TS), m) {
			look("#ops", r.Text+string(r.Blocks))
		}
	}
	for _, c := range h.pulls("acme/web")[0].Comments {
		look("the comment", c.Body)
	}
	logs, err := filepath.Glob(filepath.Join(h.dir, "bot", "work", "*", "log-*", "*", "*"))
	if err != nil {
		h.t.Fatal(err)
	}
	for _, path := range append(logs, filepath.Join(h.dir, "bot.log")) {
		text, err := os.ReadFile(path)
		if err != nil {
			h.t.Fatal(err)
		}
		look(path, string(text))
	}
	if len(logs) == 0 {
		h.t.Error("no step has left a log")
	}
}
