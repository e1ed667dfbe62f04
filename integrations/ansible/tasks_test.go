package ansible

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/integrationstest"
)

// everyKind has a task of each kind that a check tells apart.
const everyKind = `- hosts: all
  gather_facts: false
  tasks:
  - name: a folder
    file: {path: "OUTSIDE/{{ inventory_hostname }}", state: directory}
    tags: [files]
  - name: the old one
    file: {path: OUTSIDE/old, state: absent}
    run_once: true
    tags: [files]
  - name: the settings
    copy: {content: "{{ colour }} {{ size }}\n", dest: "OUTSIDE/settings"}
    run_once: true
    tags: [files]
  - name: one of several
    copy: {content: "{{ item }}\n", dest: "OUTSIDE/item-{{ item }}"}
    loop: [1, 2]
    run_once: true
    tags: [files]
  - name: a query
    command: "true"
    changed_when: false
    check_mode: false
  - name: what cannot be tried
    command: touch OUTSIDE/touched-{{ inventory_hostname }}
    tags: [files]
  - name: what its condition skips
    command: "false"
    when: false
  - name: hidden
    command: "true"
    no_log: true
    run_once: true
    tags: [files]
  - name: skipped by its tag
    command: "true"
    tags: [files, never-here]
  - name: not for us
    copy: {content: no, dest: "OUTSIDE/not"}
    tags: [other]
`

func TestWhatTasksWouldDo(t *testing.T) {
	at := newPlace(t)
	at.write("hosts.ini", "web-1\nweb-2\nweb-9\n[all:vars]\nansible_connection=local\n")
	at.write("more.yml", "colour: blue\n")
	at.write("site.yml", everyKind)
	write(t, filepath.Join(at.outside, "old"), "")
	write(t, filepath.Join(at.outside, "settings"), "red 1\n")
	a := at.step(Config{Inventory: []string{"hosts.ini"}, Limit: "all:!web-9", Tags: []string{"files"}, SkipTags: []string{"never-here"}, ExtraVars: map[string]string{"size": "2"}, ExtraVarsFiles: []string{"more.yml"}})
	if got := a.Describe(); got != "ansible site.yml (all:!web-9)" {
		t.Errorf("described as %q", got)
	}
	p, r := at.plan(a, "+2 ~5 -1")
	const want = `web-1: a folder create
web-2: a folder create
web-1: the old one delete
web-1: the settings update
web-1: one of several update
web-1: what cannot be tried run
web-2: what cannot be tried run
web-1: hidden run`
	if got := entries(p); got != want {
		t.Errorf("entries are\n%s\nwant\n%s", got, want)
	}
	if len(p.Notes) != 1 || p.Notes[0] != "2 tasks cannot be tried in check mode, and would run: hidden, what cannot be tried" || !strings.HasPrefix(p.Tool, "ansible 2.") {
		t.Errorf("by %s, notes are %q", p.Tool, p.Notes)
	}
	if !strings.Contains(p.Text, "-red 1\n+blue 2") || !strings.Contains(p.Text, "PLAY RECAP") || strings.Contains(p.Text, "\x1b") {
		t.Errorf("text is %s", p.Text)
	}
	first := integrations.Plans{p}
	if got := first.Destroyed(); len(got) != 1 || got[0] != "web-1: the old one" {
		t.Errorf("it destroys %q", got)
	}
	write(t, filepath.Join(at.outside, "settings"), "green 1\n")
	if other, _ := at.plan(a, "+2 ~5 -1"); (integrations.Plans{other}).Digest() == first.Digest() {
		t.Error("another diff has the same digest")
	}
	if err := a.Apply(t.Context(), r); err != nil {
		t.Fatal(integrationstest.Explain(err))
	}
	left, err := os.ReadDir(at.outside)
	var names []string
	for _, e := range left {
		names = append(names, e.Name())
	}
	if got := strings.Join(names, " "); err != nil || got != "item-1 item-2 settings touched-web-1 touched-web-2 web-1 web-2" {
		t.Errorf("it made %s (%v)", got, err)
	}
	probe, err := a.Probe(t.Context(), at.run())
	if err != nil || probe.Clean || !strings.Contains(probe.Text, "? web-1: what cannot be tried") || !strings.Contains(probe.Text, "change +0 ~3 -0") || !strings.Contains(probe.Text, "cannot be tried in check mode") {
		t.Errorf("probe says %+v (%v)", probe, err)
	}
}
