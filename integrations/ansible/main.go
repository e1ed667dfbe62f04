package ansible

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/integrations/kit/proc"
	"github.com/signalbox-chatops/signalbox/integrations/kit/redact"
)

// outcome is what a run of a playbook came to. It holds no secret: names are redacted, and
// of diffs there is only the sum.
type outcome struct {
	Version string           `json:"version"`
	Entries []entry          `json:"entries"`
	Hosts   map[string]recap `json:"hosts"`
	Sealed  int              `json:"sealed"` // vaulted texts that no password fits
}

// entry is one task that changes one host.
type entry struct {
	Host   string `json:"host"`
	Task   string `json:"task"`
	Action string `json:"action"` // "create", "update", "delete" or actionRun
	Sum    string `json:"sum"`    // of its diffs, unredacted
}

// actionRun is of a task that cannot be tried in check mode.
const actionRun = "run"

// recap is a host's line of the recap.
type recap struct {
	OK          int `json:"ok"`
	Changed     int `json:"changed"`
	Failures    int `json:"failures"`
	Unreachable int `json:"unreachable"`
	Skipped     int `json:"skipped"`
	Rescued     int `json:"rescued"`
	Ignored     int `json:"ignored"`
}

// event is a line of the callback plugin.
type event struct {
	Kind    string           `json:"kind"` // "begin", "task" or "end"
	Version string           `json:"version"`
	Host    string           `json:"host"`
	Task    string           `json:"task"`
	Untried bool             `json:"untried"`
	Diffs   json.RawMessage  `json:"diffs"`
	Hosts   map[string]recap `json:"hosts"`
}

//go:embed signalbox_events.py
var plugin []byte

const pluginName = "signalbox_events.py"

// Main is the process between the step shim and Ansible: "check" or "apply", --tree= and
// --vault=id=VARIABLE, --alone, "--", and the arguments of ansible-playbook. What Ansible prints goes
// to errOut without what is vaulted; after a check its outcome goes to out, as JSON. It
// returns Ansible's exit code.
func Main(args []string, out, errOut io.Writer) int {
	p, err := parse(args)
	if err == nil {
		var code int
		if code, err = p.run(out, errOut); err == nil {
			return code
		}
	}
	fmt.Fprintln(errOut, "Error:", p.redactor.String(err.Error()))
	return 1
}

// play is one run of a playbook.
type play struct {
	check    bool
	tree     string
	vaults   map[string]string // variables, by vault id
	alone    bool              // no connection outlives it
	args     []string
	redactor *redact.Redactor
}

func parse(args []string) (*play, error) {
	p := &play{vaults: map[string]string{}}
	at := slices.Index(args, "--")
	if at < 1 || args[0] != "check" && args[0] != "apply" {
		return p, errors.New("want check or apply, --tree=, --vault=id=VARIABLE, --alone, -- and the arguments of ansible-playbook; signalbox calls this itself")
	}
	p.check, p.args = args[0] == "check", args[at+1:]
	for _, a := range args[1:at] {
		name, value, _ := strings.Cut(a, "=")
		switch name {
		case "--tree":
			p.tree = value
		case "--alone":
			p.alone = true
		case "--vault":
			id, variable, _ := strings.Cut(value, "=")
			p.vaults[id] = variable
		default:
			return p, fmt.Errorf("%q is not known", a)
		}
	}
	return p, nil
}

func (p *play) run(out, errOut io.Writer) (code int, err error) {
	inner, did, err := p.prepare()
	if err != nil {
		return 0, err
	}
	plugins, err := os.MkdirTemp("", "callback-")
	if err != nil {
		return 0, fmt.Errorf("make a folder for the callback plugin: %w", err)
	}
	defer os.RemoveAll(plugins)
	if err := os.WriteFile(filepath.Join(plugins, pluginName), plugin, 0o600); err != nil {
		return 0, fmt.Errorf("write the callback plugin: %w", err)
	}
	inner.Env = append(inner.Env, "ANSIBLE_CALLBACK_PLUGINS="+plugins)
	if p.alone {
		masters, err := keepMasters()
		if err != nil {
			return 0, err
		}
		defer masters.end(errOut)
		inner.Env = append(inner.Env, masters.env()...)
	}
	clean := p.redactor.Writer(errOut)
	var events bytes.Buffer
	inner.Out, inner.Events = clean, &events
	code, err = inner.Run()
	clean.Close()
	if err != nil {
		return 0, fmt.Errorf("run ansible-playbook: %w", err)
	}
	ended, err := p.read(&events, did)
	switch {
	case err != nil:
		return 0, err
	case code != 0:
		did.blame(errOut, p.redactor)
		return code, nil
	case !ended:
		return 0, errors.New("ansible-playbook did not tell what came of it: is its callback plugin kept from loading?")
	case len(did.Hosts) == 0:
		return 0, errors.New("the playbook matched no host, so that nothing was looked at; compare its hosts with the inventory, the limit and the tags")
	case !p.check:
		return 0, nil
	}
	return 0, json.NewEncoder(out).Encode(did)
}

// prepare collects the passwords, opens what is vaulted and makes the command.
func (p *play) prepare() (proc.Inner, *outcome, error) {
	dir, err := os.Getwd()
	if err != nil {
		return proc.Inner{}, nil, err
	}
	i, did := proc.Inner{Argv: append([]string{"ansible-playbook"}, p.args...), Dir: dir}, &outcome{Hosts: map[string]recap{}}
	passwords, secrets := map[string]string{}, []string{}
	for _, id := range slices.Sorted(maps.Keys(p.vaults)) {
		password := strings.TrimSpace(os.Getenv(p.vaults[id])) // Ansible trims it too
		if password == "" {
			return i, nil, fmt.Errorf("vault %s: %s is empty; put the password into plan_env and apply_env of the target, such as {%s: \"${VAULT_PASSWORD}\"}", id, p.vaults[id], p.vaults[id])
		}
		passwords[id], secrets = password, append(secrets, password)
		i.Argv = append(i.Argv, fmt.Sprintf("--vault-id=%s@/dev/fd/%d", id, 3+len(i.In)))
		i.In = append(i.In, password)
	}
	if len(passwords) > 0 {
		texts, sealed, err := vaulted(p.tree, passwords)
		if err != nil {
			return i, nil, err
		}
		did.Sealed = sealed
		for _, text := range texts {
			secrets = append(secrets, hidden(text)...)
		}
	}
	p.redactor = redact.New(secrets)
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		if !slices.Contains(slices.Collect(maps.Values(p.vaults)), name) {
			i.Env = append(i.Env, kv)
		}
	}
	i.Env = append(i.Env, fmt.Sprintf("SIGNALBOX_EVENTS=%d", 3+len(i.In)),
		"ANSIBLE_NOCOLOR=1", "ANSIBLE_RETRY_FILES_ENABLED=0", "PYTHONDONTWRITEBYTECODE=1")
	return i, did, nil
}

// read reads the events of the callback plugin into an outcome, and says whether the last
// of them was there.
func (p *play) read(events io.Reader, did *outcome) (ended bool, err error) {
	for d := json.NewDecoder(events); ; {
		var e event
		if err := d.Decode(&e); errors.Is(err, io.EOF) {
			return ended, nil
		} else if err != nil {
			return false, fmt.Errorf("read what the tasks did: %w", err)
		}
		switch e.Kind {
		case "begin":
			did.Version = e.Version
		case "task":
			did.Entries = append(did.Entries, p.entry(e))
		case "end":
			ended = true
			for host, r := range e.Hosts {
				did.Hosts[p.redactor.String(host)] = r
			}
		}
	}
}

func (p *play) entry(e event) entry {
	sum := sha256.Sum256([]byte(strings.Join([]string{e.Host, e.Task, string(e.Diffs)}, "\x00")))
	out := entry{Host: p.redactor.String(e.Host), Task: p.redactor.String(e.Task), Action: action(e.Diffs), Sum: hex.EncodeToString(sum[:])}
	if e.Untried {
		out.Action = actionRun
	}
	return out
}

// action is what the diffs of a task say of files and folders: all are made, all are
// removed, or else something is changed.
func action(diffs json.RawMessage) string {
	type side struct {
		State string `json:"state"`
	}
	var all []json.RawMessage
	if json.Unmarshal(diffs, &all) != nil || len(all) == 0 {
		return "update"
	}
	seen := map[string]bool{}
	var look func(raw json.RawMessage)
	look = func(raw json.RawMessage) {
		var several []json.RawMessage
		if json.Unmarshal(raw, &several) == nil {
			for _, one := range several {
				look(one)
			}
			return
		}
		var d struct{ Before, After side }
		if json.Unmarshal(raw, &d) != nil {
			seen["update"] = true // its sides are texts
			return
		}
		switch was, is := d.Before.State, d.After.State; {
		case was == "absent" && is != "absent" && is != "":
			seen["create"] = true
		case is == "absent" && was != "absent" && was != "":
			seen["delete"] = true
		case was != is:
			seen["update"] = true
		}
	}
	for _, raw := range all {
		look(raw)
	}
	switch {
	case seen["delete"]: // what is destroyed is said first
		return "delete"
	case seen["create"] && !seen["update"]:
		return "create"
	}
	return "update"
}

// blame names the hosts that did not come through, below what Ansible said of them.
func (o *outcome) blame(w io.Writer, r *redact.Redactor) {
	var failed, away []string
	for _, host := range slices.Sorted(maps.Keys(o.Hosts)) {
		switch h := o.Hosts[host]; {
		case h.Unreachable > 0:
			away = append(away, host)
		case h.Failures > 0:
			failed = append(failed, host)
		}
	}
	if len(failed) > 0 {
		fmt.Fprintln(w, r.String("Failed: "+few(failed)))
	}
	if len(away) > 0 {
		fmt.Fprintln(w, r.String("Unreachable: "+few(away)))
	}
}
