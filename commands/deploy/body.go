package deploy

import (
	"fmt"
	"strings"

	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/store"
)

// title says in one line what an operation is: "deploy web to staging (a1b2c3d → d4e5f6a)".
func title(op *store.Operation) string {
	switch {
	case op.Rollback:
		return backTitle(op)
	case op.Kind == "infra":
		return fmt.Sprintf("merge of #%d “%s” in %s", op.PR, clip(op.Reason, 60), op.Environment)
	case op.Kind == opReapply:
		return fmt.Sprintf("apply %s on %s again", short(op.MergeSHA), strings.Join(op.Targets, ", "))
	case op.Kind == "unplanned":
		return fmt.Sprintf("unplanned commit %s on %s in %s", short(op.MergeSHA), op.Base, op.Environment)
	case op.Strategy == "pin":
		return fmt.Sprintf("deploy %s to %s (%s → %s)", op.Service, op.Environment, version(op.From), version(op.To))
	}
	return fmt.Sprintf("deploy %s to %s (%s → %s)", op.Service, op.Environment, short(op.FromSHA), short(op.ToSHA))
}

// version shortens a version that is a SHA.
func version(v string) string {
	if len(v) == 40 && strings.Trim(v, "0123456789abcdef") == "" {
		return short(v)
	}
	if v == "" {
		return "nothing"
	}
	return v
}

// body is the pull request's text: who asked, what ships, by whom.
func (f *feature) body(op *store.Operation) string {
	var b strings.Builder
	who := gate.FromStore(op.Requester)
	asked := who.Display()
	if who.GitHub != "" {
		asked = "@" + who.GitHub
	}
	if op.Rollback {
		b.WriteString(backAsked(op, asked))
	} else {
		fmt.Fprintf(&b, "%s asked %s for **%s** to be deployed to **%s**.\n", asked, quiet(op.Asked), op.Service, op.Environment)
	}
	if op.Reason != "" {
		fmt.Fprintf(&b, "\n> %s\n", quiet(strings.ReplaceAll(op.Reason, "\n", "\n> ")))
	}
	b.WriteString(arrow(op))
	if op.Unsafe != "" {
		fmt.Fprintf(&b, "\n⚠️ Rolling back may not be enough: %s.\n", quiet(op.Unsafe))
	}
	if len(op.Ships) > 0 {
		b.WriteString("\n### " + shipsTitle(op) + "\n\n")
	}
	for _, s := range op.Ships {
		by := ""
		if s.Author != "" {
			by = " by @" + s.Author
		}
		if s.Number > 0 {
			box, mark := "", ""
			if f.boxes(op) && gate.Boxed(s) {
				if box, mark = "[ ] ", boxMark(s.Number); s.Checked != nil {
					box = "[x] "
				}
			}
			fmt.Fprintf(&b, "- %s#%d %s%s", box, s.Number, quiet(s.Title), by)
			if s.Commits > 0 { // of a merge of people nobody counted them
				fmt.Fprintf(&b, " (%s)", plural(s.Commits, "commit"))
			}
			b.WriteString(mark + "\n")
		} else {
			fmt.Fprintf(&b, "- without a pull request: %s, the first is “%s”%s\n", plural(s.Commits, "commit"), quiet(s.Title), by)
		}
	}
	fmt.Fprintf(&b, "\nThe merge of this pull request starts the apply on %s. Operation `%s`.\n", strings.Join(op.Targets, ", "), op.ID)
	fmt.Fprintf(&b, "\n<!-- signalbox:operation %s -->\n", op.Nonce)
	text := b.String()
	if len(text) > 60000 { // GitHub takes 65,536 characters
		text = strings.ToValidUTF8(text[:59000], "") + fmt.Sprintf("\n…\n\n<!-- signalbox:operation %s -->\n", op.Nonce)
	}
	return text
}

// arrow says from where to where an operation goes.
func arrow(op *store.Operation) string {
	s := fmt.Sprintf("\n`%s` → `%s` (%s)", short(op.FromSHA), short(op.ToSHA), quiet(op.Ref))
	switch {
	case op.Strategy == "restore":
		return ""
	case op.Strategy == "pin":
		s = fmt.Sprintf("\n`%s` → `%s`", strings.ReplaceAll(version(op.From), "`", "'"), strings.ReplaceAll(version(op.To), "`", "'"))
	case op.Rollback:
		s = fmt.Sprintf("\n`%s` → `%s`", short(op.From), short(op.ToSHA))
	}
	if op.CompareURL != "" {
		s += fmt.Sprintf(", [%s](%s)", plural(op.Commits, "commit"), op.CompareURL)
	}
	return s + "\n"
}

// quiet keeps somebody's words from mentioning people or closing issues.
func quiet(s string) string {
	return strings.NewReplacer("@", "@\u200b", "#", "#\u200b", "<!--", "<\u200b!--", "`", "'").Replace(s)
}
