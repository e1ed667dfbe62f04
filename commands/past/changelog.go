package past

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/commands/gate"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

const (
	changelogUsually = "7d"
	linesShown       = 40 // of a changelog; the rest stands in a file

	// openLongest is how long a deploy is looked for that went live in a time: it
	// may have been asked for long before.
	openLongest = 90 * 24 * time.Hour
)

func (f *feature) changelogVerb() commands.Verb {
	return commands.Verb{
		Name: "changelog", Aliases: []string{"changes", "whats-new"}, Summary: "List the pull requests that went live since a day", Effect: commands.Reads,
		Args: []commands.Arg{
			{Name: "service", Kind: commands.ArgService, Help: "the service"},
			{Name: "environment", Kind: commands.ArgEnvironment, Keyword: "in", Optional: true, Help: "where they went live; production, or the last of the service's environments, unless said"},
			sinceArg("friday, yesterday, last week, 7d, 2026-11-20, \"2026-11-20 10:00\", in your own time zone; " + changelogUsually + " unless said"),
		},
		Examples: []string{"changelog {service} --since friday", "changelog {service} in {environment} --since 2026-11-20", "changelog {service} since last week"},
		Detail:   "The newest deploy comes first, each with its pull requests and their authors. What does not fit into a message is sent to you as a file.",
		Decide:   f.decide(f.changelog),
	}
}

func (f *feature) changelog(_ context.Context, a asked) (answer, error) {
	since, word, err := a.since(changelogUsually)
	if err != nil {
		return answer{}, err
	}
	service, environment := a.Arg("service"), a.Arg("environment")
	if environment == "" {
		environment = last(a.Catalog, service)
	}
	var live []*store.Operation
	err = f.Store.View(func(tx *store.Tx) (err error) {
		live, err = wentLive(tx, service, environment, since)
		return err
	})
	if err != nil {
		return answer{}, err
	}
	title := fmt.Sprintf("Changelog of %s since %s", place(service, environment), spoken(word))
	return a.tellChanges(title, since, live, fmt.Sprintf("changelog-%s-%s-%s.md", service, environment, since.In(a.zone).Format(time.DateOnly))), nil
}

// wentLive are the deploys that ended well in a place since a time, the newest first.
func wentLive(tx *store.Tx, service, environment string, since time.Time) ([]*store.Operation, error) {
	ops, err := tx.FindOperations(store.OperationFilter{Service: service, Environment: environment, Since: since.Add(-openLongest), Keep: func(o *store.Operation) bool {
		return o.Kind == "deploy" && worked(o) && !o.Ended.Before(since)
	}})
	slices.SortStableFunc(ops, func(x, y *store.Operation) int { return y.Ended.Compare(x.Ended) })
	return ops, err
}

// tellChanges tells what went live; what is too long for a message is a file too.
func (a asked) tellChanges(title string, since time.Time, live []*store.Operation, file string) answer {
	s := sheet{title: integrations.R(integrations.Bold(title), " (", integrations.When(since, a.zone), ")")}
	if len(live) == 0 {
		s.line("Nothing went live in that time.")
		s.note("Look further back: ", integrations.Code(commands.Prompt+" "+a.again("when", "30d")), " · what waits: ", integrations.Code(commands.Prompt+" diff "+a.Arg("service")))
		return answer{message: s.message()}
	}
	pulls := 0
	for _, o := range live {
		s.lines = append(s.lines, a.changeOf(o))
		for _, x := range o.Ships {
			s.lines = append(s.lines, a.ship(x))
			pulls += min(x.Number, 1)
		}
	}
	s.title = append(s.title, integrations.R(": ", counted(pulls, "pull request"), " in ", counted(len(live), "deploy"))...)
	if len(s.lines) <= linesShown {
		return answer{message: s.message()}
	}
	more := len(s.lines) - linesShown
	s.lines = s.lines[:linesShown]
	out := answer{file: a.changesFile(title, live), sent: commands.Sent{Name: file, Title: title}}
	s.note(fmt.Sprintf("and %s: all of it is in %s, which I sent you in a direct message.", counted(more, "more line"), file))
	out.message = s.message()
	return out
}

// spoken is a moment as people say it: the weekdays have names.
func spoken(word string) string {
	if _, err := time.Parse("Monday", strings.ToUpper(word[:1])+word[1:]); err == nil {
		return strings.ToUpper(word[:1]) + word[1:]
	}
	return word
}

// changeOf is a deploy in a changelog.
func (a asked) changeOf(o *store.Operation) integrations.Rich {
	out := integrations.R(integrations.Bold("live "), a.when(o.Ended), ": ", brought(o), " · ", integrations.Code(o.ID), " by ", a.name(o.Requester))
	if o.Rollback && o.Undoes != "" {
		out = append(out, integrations.R(", which took back ", integrations.Code(o.Undoes))...)
	}
	return append(out, link(o)...)
}

// changesFile is a changelog as Markdown.
func (a asked) changesFile(title string, live []*store.Operation) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n", markdown(title))
	for _, o := range live {
		fmt.Fprintf(&b, "\n## %s: %s\n\n%s, asked for by %s", o.Ended.In(a.zone).Format("2006-01-02 15:04 MST"), markdown(brought(o).Plain()), o.ID, markdown(gate.FromStore(o.Requester).Display()))
		if o.PRURL != "" {
			fmt.Fprintf(&b, ", [#%d](%s)", o.PR, address(o.PRURL))
		}
		b.WriteString("\n\n")
		for _, s := range o.Ships {
			if s.Number == 0 {
				fmt.Fprintf(&b, "- %s without a pull request: %s, by %s\n", counted(s.Commits, "commit"), markdown(oneLine(s.Title, 200)), markdown(a.author(s.Author)))
				continue
			}
			fmt.Fprintf(&b, "- [#%d](%s) %s, by %s\n", s.Number, address(s.URL), markdown(oneLine(s.Title, 200)), markdown(a.author(s.Author)))
		}
	}
	return []byte(b.String())
}

var markdownMarks = strings.NewReplacer(`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "<", `\<`, ">", `\>`, "#", `\#`, "|", `\|`, "~", `\~`, "!", `\!`, "@", "@\u200b")

// markdown takes from a text what Markdown would read as a link, a mention or form.
func markdown(s string) string { return markdownMarks.Replace(s) }

// address is a URL that cannot end the link it stands in.
func address(url string) string {
	return strings.NewReplacer("(", "%28", ")", "%29", " ", "%20", "<", "%3C", ">", "%3E", "\n", "").Replace(url)
}
