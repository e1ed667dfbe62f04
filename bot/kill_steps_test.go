package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations/kit/proc"
	"github.com/signalbox-chatops/signalbox/store"
)

// The bot dies while one of three steps of a target is applied: each is done once, whichever
// it was. Where the step dies with it, nobody can tell how far that came: what was before it
// is not done again, and what comes after it not at all.
func TestKilledAmongSteps(t *testing.T) {
	if _, err := exec.LookPath("ansible-playbook"); err != nil {
		t.Skip("ansible-playbook is not on PATH")
	}
	for i, at := range []string{"apply", "ansible", "zone"} {
		for how, together := range map[string]bool{"alone": false, "with its step": true} {
			t.Run(at+" "+how, func(t *testing.T) {
				t.Parallel()
				b := newBox(t, threeSteps)
				b.start()
				b.say("alice", "/ops deploy web to staging")
				b.untilCard("op-1", ": open", "plan +2 ~1 -0") // of Ansible's task nobody can tell whether it would change anything
				b.tell("hold-" + at)
				b.pressMerge("op-1")
				b.until(at+" has begun", func() bool { return b.told("at-" + at) })
				b.untilCard("op-1", ": applying")
				b.kill()
				state, want := store.JobSucceeded, 3
				if together {
					all := b.steps("")
					if err := proc.Kill(all[len(all)-1]); err != nil {
						t.Fatal(err)
					}
					state, want = store.JobUnknown, i+1
				}
				b.untell("hold-" + at)
				b.start()
				b.untilCard("op-1", ": "+state)
				if j := b.applyJob(); j.State != state || j.Attempt != 1 {
					t.Errorf("%s is %s at the attempt %d: %s", j.ID, j.State, j.Attempt, j.Why)
				}
				marks := []string{"●", "●", "●"}
				if together {
					marks = append(append(marks[:i:i], "✋"), []string{"○", "○"}[:2-i]...)
				}
				stages := "web/staging: " + marks[0] + " terraform deploy/staging  " + marks[1] + " ansible steps/site.yml  " + marks[2] + " zone"
				b.until("the card says "+stages, func() bool { return strings.Contains(string(b.card("op-1").Blocks), stages) })
				begun, err := os.ReadFile(filepath.Join(b.dir, "tool", "begun"))
				if err != nil && want > 1 {
					t.Fatal(err)
				}
				if got := append(b.effects()[:1:1], strings.Fields(string(begun))...); len(b.effects()) != 1 || strings.Join(got[1:], " ") != strings.Join([]string{"ansible", "zone"}[:want-1], " ") {
					t.Errorf("what was begun: %v and %q, want the first %d, each once", b.effects(), begun, want)
				}
			})
		}
	}
}

// threeSteps has web/staging applied by the stand-in of Terraform, by Ansible, and by a tool
// with a dry run. The last two say in "begun" that they have begun, and wait as the first.
func threeSteps(w *boxWorld) {
	tool := filepath.Join(w.b.dir, "tool")
	w.files = map[string]string{
		"steps/hosts.ini": "web-1 ansible_connection=local\n",
		"steps/site.yml":  "- hosts: all\n  gather_facts: false\n  tasks:\n    - name: The release\n      ansible.builtin.command: sh meet ansible " + tool + "\n      args: {chdir: \"{{ playbook_dir }}\"}\n",
		"steps/meet":      "set -eu\nif [ \"$1\" = --dry-run ]; then echo \"create $2\"; exit; fi\necho \"$1\" >> \"$2/begun\"\n: > \"$2/at-$1\"\nwhile [ -e \"$2/hold-$1\" ]; do sleep 0.02; done\n",
	}
	w.edit = func(config string) string {
		before, rest, _ := strings.Cut(config, "      - terraform: {dir: deploy/staging")
		line, after, _ := strings.Cut(rest, "\n")
		return before + "      - terraform: {dir: deploy/staging" + line + "\n" +
			"      - ansible: {dir: steps, playbook: site.yml, inventory: [hosts.ini]}\n" +
			"      - command: {name: zone, dir: steps, plan: [sh, meet, --dry-run, zone], apply: [sh, meet, zone, \"" + tool + "\"], nothing: {pattern: nothing}, add: \"^create (.*)\"}\n" + after
	}
}
