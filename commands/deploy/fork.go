package deploy

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// A fork's pull request is code of somebody who may do nothing here, and may be
// pushed to between a person's look and their word. So the word is for one head,
// by its whole SHA: the short ones are few enough to be made to match.

var wholeSHA = regexp.MustCompile(`^[0-9a-f]{40}$`)

// cutSHA takes the head off "acme/web#12@<sha>"; "" is one that names none.
func cutSHA(word string) (subject, sha string, err error) {
	subject, sha, named := strings.Cut(strings.TrimSpace(word), "@")
	if sha = strings.ToLower(sha); named && !wholeSHA.MatchString(sha) {
		return "", "", commands.Refuse("bad_sha", fmt.Sprintf("“%s” is no whole SHA.", sha)).
			WithHint("Say all forty characters, as GitHub copies them, or leave it out and press the button.").WithExample("plan " + subject)
	}
	return subject, sha, nil
}

// lookedAt says no to a head that nobody can have looked at, and lets a fork's be
// planned that somebody names.
func lookedAt(p *store.Pull, sha string) error {
	name := fmt.Sprintf("%s#%d", p.Repo, p.Number)
	plan := integrations.Button{Label: "Plan", Command: "plan " + name + "@" + p.Head, Style: "primary",
		Confirm: fmt.Sprintf("Run the code of %s at %s with the plan credentials?", name, short(p.Head))}
	if !p.Fork {
		plan.Confirm = ""
	}
	switch {
	case sha != "" && sha != p.Head:
		return commands.Refuse("moved", fmt.Sprintf("The head of %s is %s now, and not %s, which you looked at.", name, short(p.Head), short(sha))).
			WithHint("Somebody pushed meanwhile. Look at what came with it (" + p.URL + "/files), then plan the new head.").WithButtons(plan)
	case p.Fork && sha == "" && p.ForkAllowed != p.Head:
		return commands.Refuse("fork", fmt.Sprintf("%s is from a fork, by %s; its head is %s. Its code would run with the plan credentials.", name, p.Author, p.Head)).
			WithHint("Look at all of it first (" + p.URL + "/files). The button plans that head and no other.").WithButtons(plan)
	case p.Fork:
		p.ForkAllowed = p.Head
	}
	return nil
}
