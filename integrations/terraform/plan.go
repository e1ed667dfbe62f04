package terraform

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	tfjson "github.com/hashicorp/terraform-json"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/redact"
)

// maxText bounds Plan.Text; a GitHub comment holds 65,536 characters.
const maxText = 48 << 10

// read turns what "show -json" says of a plan file, and what "plan" printed,
// into a plan. No value of the JSON is kept, only keyed hashes.
func (a *Applier) read(shown []byte, told string, key []byte) (integrations.Plan, error) {
	var p tfjson.Plan
	p.UseJSONNumber(true) // or large numbers would be rounded, and equal
	if err := json.Unmarshal(shown, &p); err != nil {
		return integrations.Plan{}, fmt.Errorf("%s: read the plan: %w", a.Describe(), err)
	}
	out := integrations.Plan{Step: a.Describe(), Tool: a.tool.Name() + " " + p.TerraformVersion}
	for _, rc := range p.ResourceChanges {
		if rc == nil || rc.Change == nil {
			continue
		}
		c, err := change(rc, key)
		if err != nil {
			return integrations.Plan{}, fmt.Errorf("%s: read the plan of %s: %w", a.Describe(), rc.Address, err)
		}
		if len(c.Actions) == 0 {
			continue
		}
		out.Changes = append(out.Changes, c)
		if rc.Mode == tfjson.ManagedResourceMode {
			count(&out, c)
		}
	}
	outputs, err := outputChanges(p.OutputChanges, key)
	if err != nil {
		return integrations.Plan{}, fmt.Errorf("%s: read the plan of outputs: %w", a.Describe(), err)
	}
	out.Changes = append(out.Changes, outputs...)
	out.Notes = notes(&p, outputs, told)
	if a.c.Workspace != "" && p.PriorState == nil && len(out.Changes) > 0 {
		out.Notes = append(out.Notes, "The workspace "+a.c.Workspace+" holds nothing yet; if it is not there, the apply makes it.")
	}
	out.Text = redact.New(sensitive(&p)).String(text(told, out.Changes))
	return out, nil
}

func count(p *integrations.Plan, c integrations.Change) {
	for _, action := range c.Actions {
		switch action {
		case "create":
			p.Add++
		case "update":
			p.Change++
		case "delete":
			p.Destroy++
		}
	}
}

// change is the plan's entry for a resource; without actions if nothing happens.
func change(rc *tfjson.ResourceChange, key []byte) (integrations.Change, error) {
	c := integrations.Change{Address: rc.Address, Provider: rc.ProviderName}
	if rc.DeposedKey != "" {
		c.Address += " (deposed " + rc.DeposedKey + ")"
	}
	if rc.PreviousAddress != "" && rc.PreviousAddress != rc.Address {
		c.Actions = append(c.Actions, "move")
	}
	if rc.Change.Importing != nil {
		c.Actions = append(c.Actions, "import")
	}
	for _, action := range rc.Change.Actions {
		if action != tfjson.ActionNoop {
			c.Actions = append(c.Actions, string(action))
		}
	}
	if len(c.Actions) == 0 {
		return c, nil
	}
	for _, path := range rc.Change.ReplacePaths {
		b, err := json.Marshal(path)
		if err != nil {
			return c, err
		}
		c.ReplacePaths = append(c.ReplacePaths, string(b))
	}
	slices.Sort(c.ReplacePaths)
	var err error
	c.Hash, err = hash(key, rc.Address, rc.PreviousAddress, rc.Change)
	return c, err
}

// hash tells two changes apart without giving their values away to somebody who
// guesses: they may be secrets, short ones too.
func hash(key []byte, address, previous string, c *tfjson.Change) (string, error) {
	b, err := json.Marshal([]any{address, previous, c.Before, c.After, c.AfterUnknown, c.Importing})
	if err != nil {
		return "", err
	}
	h := hmac.New(sha256.New, key)
	h.Write(b)
	return hex.EncodeToString(h.Sum(nil)[:16]), nil
}

// outputChanges are entries too, or a plan that changes outputs alone would
// count as nothing to do. One that goes away destroys nothing, so it is an
// update.
func outputChanges(changes map[string]*tfjson.Change, key []byte) ([]integrations.Change, error) {
	var out []integrations.Change
	for _, name := range slices.Sorted(maps.Keys(changes)) {
		c := changes[name]
		if c == nil || len(c.Actions) == 0 || c.Actions.NoOp() {
			continue
		}
		h, err := hash(key, "output."+name, "", c)
		if err != nil {
			return nil, err
		}
		out = append(out, integrations.Change{Address: "output." + name, Actions: []string{"update"}, Hash: h})
	}
	return out, nil
}

// notes are what people should see beside the counts.
func notes(p *tfjson.Plan, outputs []integrations.Change, told string) []string {
	var out []string
	var drift, forgotten []string
	for _, d := range p.ResourceDrift {
		if d != nil && d.Change != nil && !d.Change.Actions.NoOp() {
			drift = append(drift, d.Address)
		}
	}
	for _, rc := range p.ResourceChanges {
		if rc != nil && rc.Change != nil && slices.Contains(rc.Change.Actions, tfjson.ActionForget) {
			forgotten = append(forgotten, rc.Address)
		}
	}
	if len(drift) > 0 {
		out = append(out, fmt.Sprintf("%d changed outside of Terraform: %s", len(drift), few(drift)))
	}
	if len(forgotten) > 0 {
		out = append(out, fmt.Sprintf("%d will no longer be managed, and is not destroyed: %s", len(forgotten), few(forgotten)))
	}
	if len(outputs) > 0 {
		var names []string
		for _, o := range outputs {
			names = append(names, strings.TrimPrefix(o.Address, "output."))
		}
		change := "outputs change"
		if len(names) == 1 {
			change = "output changes"
		}
		out = append(out, fmt.Sprintf("%d %s: %s", len(names), change, few(names)))
	}
	if n := len(p.DeferredChanges); n > 0 {
		out = append(out, fmt.Sprintf("%d changes are deferred: another plan will be needed after this one.", n))
	} else if p.Complete != nil && !*p.Complete {
		out = append(out, "The plan is not complete: another will be needed after this one.")
	}
	for _, c := range p.Checks {
		if c.Status == tfjson.CheckStatusFail || c.Status == tfjson.CheckStatusError {
			out = append(out, "Check "+c.Address.ToDisplay+" did not pass.")
		}
	}
	return append(out, warnings(told)...)
}

// warnings are the titles of the tool's warnings, each once.
func warnings(told string) []string {
	var out []string
	for line := range strings.Lines(told) {
		line = strings.TrimLeft(strings.TrimSpace(line), "│ ")
		if strings.HasPrefix(line, "Warning: ") && !slices.Contains(out, line) && len(out) < 5 {
			out = append(out, line)
		}
	}
	return out
}

func few(names []string) string {
	if len(names) > 5 {
		return strings.Join(names[:5], ", ") + fmt.Sprintf(" and %d more", len(names)-5)
	}
	return strings.Join(names, ", ")
}

// text is the tool's own account where all of it is at hand and short enough,
// else a list of what changes. What is at hand is the end of a log: the account
// is whole when the line is there with which it begins.
func text(told string, changes []integrations.Change) string {
	begin := "No changes."
	if len(changes) > 0 {
		begin = "Changes to Outputs:"
	}
	for _, c := range changes {
		if !strings.HasPrefix(c.Address, "output.") {
			begin = " will perform the following actions:"
		}
	}
	at := strings.Index(told, begin)
	if at < 0 {
		return listing(changes)
	}
	if i := strings.Index(told[:at], " used the selected providers to generate "); i >= 0 {
		at = i
	}
	out := told[strings.LastIndexByte(told[:at], '\n')+1:]
	if i := strings.Index(out, "\n───"); i >= 0 { // how to apply it by hand
		out = out[:i]
	}
	if out = strings.TrimSpace(out); len(out) > maxText {
		return listing(changes)
	}
	return out
}

// mark stands before an entry as the tool itself writes it.
func mark(c integrations.Change) string {
	switch {
	case c.Replaces():
		return "-/+"
	case c.Deletes():
		return "  -"
	case slices.Contains(c.Actions, "create"):
		return "  +"
	case slices.Contains(c.Actions, "read"):
		return " <="
	}
	return "  ~"
}

func listing(changes []integrations.Change) string {
	var b strings.Builder
	for i, c := range changes {
		line := mark(c) + " " + c.Address + " (" + strings.Join(c.Actions, ", ") + ")"
		if len(c.ReplacePaths) > 0 {
			line += " because of " + strings.Join(c.ReplacePaths, ", ")
		}
		if b.Len()+len(line) > maxText-100 {
			fmt.Fprintf(&b, "… and %d more\n", len(changes)-i)
			break
		}
		b.WriteString(line + "\n")
	}
	return strings.TrimRight(b.String(), "\n")
}
