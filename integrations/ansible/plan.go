package ansible

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/integrations"
)

const (
	maxText   = 48 << 10 // bounds Plan.Text; a GitHub comment holds 65,536 characters
	listBytes = 2 << 10
)

// plan turns the outcome of a check, and what it printed, into a plan: an entry for each
// task that changes a host, with a keyed hash of its diffs.
func (a *Applier) plan(did outcome, told string, key []byte) integrations.Plan {
	p := integrations.Plan{Step: a.Describe(), Tool: strings.TrimSpace("ansible " + did.Version)}
	inOrder(did.Entries)
	untried, again := map[string]bool{}, map[string]int{}
	for _, e := range did.Entries {
		c := integrations.Change{Address: e.Host + ": " + e.Task, Actions: []string{e.Action}, Hash: hash(key, e.Sum)}
		if again[c.Address]++; again[c.Address] > 1 {
			c.Address += fmt.Sprintf(" (%d)", again[c.Address])
		}
		switch e.Action {
		case "create":
			p.Add++
		case "delete":
			p.Destroy++
		default:
			p.Change++
		}
		if e.Action == actionRun {
			untried[e.Task] = true
		}
		p.Changes = append(p.Changes, c)
	}
	if n := len(untried); n > 0 {
		p.Notes = append(p.Notes, fmt.Sprintf("%s cannot be tried in check mode, and would run: %s", plural(n, "task"), few(slices.Sorted(maps.Keys(untried)))))
	}
	if did.Sealed > 0 {
		p.Notes = append(p.Notes, fmt.Sprintf("%s cannot be decrypted with the passwords of vault", plural(did.Sealed, "vaulted value")))
	}
	for _, host := range slices.Sorted(maps.Keys(did.Hosts)) {
		if h := did.Hosts[host]; h.Ignored+h.Rescued > 0 {
			p.Notes = append(p.Notes, fmt.Sprintf("%s: %d failed and ignored, %d rescued", host, h.Ignored, h.Rescued))
		}
	}
	p.Text = strings.TrimSpace(told)
	if len(p.Text) > maxText || !strings.Contains(p.Text, "PLAY RECAP") || !strings.Contains(p.Text, "PLAY [") {
		p.Text = listing(p.Changes)
	}
	return p
}

// inOrder puts the hosts of each task into one order: they come as they are done.
func inOrder(entries []entry) {
	first := map[string]int{}
	for i, e := range entries {
		if _, ok := first[e.Task]; !ok {
			first[e.Task] = i
		}
	}
	slices.SortStableFunc(entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(first[a.Task], first[b.Task]), cmp.Compare(a.Host, b.Host))
	})
}

func hash(key []byte, sum string) string {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(sum))
	return hex.EncodeToString(h.Sum(nil)[:16])
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func few(names []string) string {
	if len(names) > 5 {
		return strings.Join(names[:5], ", ") + fmt.Sprintf(" and %d more", len(names)-5)
	}
	return strings.Join(names, ", ")
}

var signs = map[string]string{"create": "+", "delete": "-", actionRun: "?"}

// listing names what changes, in a few lines.
func listing(changes []integrations.Change) string {
	var b strings.Builder
	for i, c := range changes {
		sign, ok := signs[c.Actions[0]]
		if !ok {
			sign = "~"
		}
		if b.Len() > listBytes {
			fmt.Fprintf(&b, "… and %d more\n", len(changes)-i)
			break
		}
		b.WriteString(sign + " " + c.Address + "\n")
	}
	if len(changes) == 0 {
		return "No changes."
	}
	return strings.TrimRight(b.String(), "\n")
}
