package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// A deed is one kind of step.
type deed struct {
	name  string
	often int
	do    func(y *history, s step)
}

var (
	people = []string{"alice", "bob", "carol", "dave", "mallory"} // mallory is on GitHub alone, and nobody knows them
	slacks = map[string]string{"alice": "UA", "bob": "UB", "carol": "UC", "dave": "UD", "mallory": "UX"}
)

func (s step) who() string { return people[s.Who] }

// hears has the bot hear somebody, if it is there.
func (y *history) hears(h integrations.Heard, what string, twice bool) {
	h.Channel, h.ChannelName, h.Sent = "C-ops", "ops", y.clock.Now()
	body, _ := json.Marshal(h)
	y.said++
	key := fmt.Sprint("trg:", y.said)
	_, err := y.accept(store.Event{Kind: "slack." + h.Kind, Keys: []string{key}, Sent: h.Sent, Body: body})
	if err == nil && twice {
		_, err = y.accept(store.Event{Kind: "slack." + h.Kind, Keys: []string{key}, Sent: h.Sent, Body: body})
		what += " (Slack delivers it twice)"
	}
	y.mu.Lock()
	defer y.mu.Unlock()
	if err != nil {
		what += ", and nobody listens"
	}
	y.say("%s", what)
}

func types(format func(y *history, s step) string) func(*history, step) {
	return func(y *history, s step) {
		text := format(y, s)
		if strings.Contains(text, " op-1 ") || strings.HasSuffix(text, " op-1") {
			first := false
			y.view(func(tx *store.Tx) error { _, err := tx.Operation("op-1"); first = err == nil; return nil })
			if !first && s.It > 1 { // there is nothing yet to say that of
				text = "deploy web to " + []string{"staging", "production"}[s.What%2]
			}
		}
		y.hears(integrations.Heard{Kind: "command", User: slacks[s.who()], Text: text}, s.who()+" says /ops "+text, s.It == 9)
	}
}

// some is a living subject: an operation, a job or a pull request; a few of the
// newest, so that what is said is mostly about something.
func (y *history) some(s step, want func(*store.Job) bool) string {
	out := "op-1"
	y.view(func(tx *store.Tx) error {
		ops, err := tx.Operations("", 4)
		if err != nil || len(ops) == 0 {
			return err
		}
		op := ops[s.What%len(ops)]
		out = op.ID
		if want != nil {
			live, err := tx.LiveJobs()
			if err != nil {
				return err
			}
			live = slices.DeleteFunc(live, func(j *store.Job) bool { return j.Kind != "apply" || !want(j) })
			if len(live) > 0 {
				out = live[s.What%len(live)].ID
				if s.It%2 == 0 {
					out = live[s.What%len(live)].Operation
				}
				return nil
			}
		}
		if s.It == 3 && op.PR > 0 {
			out = fmt.Sprint("#", op.PR)
		}
		if s.It == 4 {
			if all, err := tx.JobsOf(op.ID); err == nil && len(all) > 0 {
				out = all[s.What%len(all)].ID
			}
		}
		return nil
	})
	return out
}

func in(state string) func(*store.Job) bool {
	return func(j *store.Job) bool { return j.State == state }
}

var deeds = []deed{
	{"deploy", 10, types(func(y *history, s step) string {
		text := "deploy web to " + []string{"staging", "production"}[s.What%2]
		if y.tools["web/production"].y.luckOf%2 == 0 && s.It == 8 {
			text += " --fix"
		}
		return text + []string{"", "", "", " --queue", " --supersede"}[s.It%5]
	})},
	{"merge", 8, types(func(y *history, s step) string { return "merge " + y.some(s, nil) + typed(s) })},
	{"approve", 8, types(func(y *history, s step) string { return "approve " + y.some(s, in(store.JobBlocked)) })},
	{"confirm", 5, types(func(y *history, s step) string { return "confirm " + y.some(s, in(store.JobNeedsConfirm)) + typed(s) })},
	{"cancel", 4, types(func(y *history, s step) string {
		return "cancel " + y.some(s, nil) + []string{"", "", " --kill"}[s.It%3]
	})},
	{"retry", 4, types(func(y *history, s step) string { return "retry " + y.some(s, nil) })},
	{"resolve", 4, types(func(y *history, s step) string {
		return "resolve " + y.some(s, in(store.JobUnknown)) + " " + []string{"succeeded", "failed", "retry"}[s.It%3]
	})},
	{"roll back", 2, types(func(_ *history, s step) string {
		return "rollback web in " + []string{"staging", "production"}[s.What%2]
	})},
	{"include", 2, types(func(y *history, s step) string { return "include " + y.some(s, nil) })},
	{"plan", 2, types(func(y *history, s step) string { return "plan " + y.some(s, nil) })},
	{"why", 1, types(func(y *history, s step) string { return "why " + y.some(s, nil) })},
	{"lock", 4, types(func(_ *history, s step) string {
		what := []string{"web/production", "web/staging", "network/production", "production", "cdn/production"}[s.What%5]
		return []string{"lock " + what + " migration --for 10m", "lock " + what + " migration --for 2h", "lock " + what + " migration", "freeze " + what + " audit --for 30m", "freeze production audit"}[s.It%5]
	})},
	{"unlock", 6, types(func(y *history, s step) string {
		what := []string{"web/production", "web/staging", "network/production", "production", "cdn/production"}[s.What%5]
		y.view(func(tx *store.Tx) error {
			if all, err := tx.Holds(); err == nil && len(all) > 0 {
				what = all[s.What%len(all)].ID
			}
			return nil
		})
		return []string{"unlock ", "unlock ", "unfreeze ", "extend ", "steal "}[s.It%5] + what + []string{"", "", " it is over", "", " she sleeps"}[s.It%5]
	})},
	{"stop", 1, types(func(_ *history, s step) string { return "stop \"the database is on fire\"" })},
	{"go", 2, types(func(_ *history, s step) string { return "go" })},
	{"break the glass", 2, types(func(y *history, s step) string {
		return "break-glass " + y.some(s, nil) + " \"the shop is down\"" + []string{"", " --hotfix"}[s.It%2]
	})},
	{"talk", 1, types(func(y *history, s step) string {
		return []string{"incident in production \"the shop is down\"", "all-clear incident-1", "sign " + y.some(s, nil), "status", "locks", "deploy web", "deploy web c000001 to staging", "merge op-999", "resolve job-1 perhaps", "frobnicate"}[s.What]
	})},
	{"go on", 25, goOn},
	{"go back", 6, goBack},
	{"overtake", 5, overtake},
	{"stand back", 5, standBack},
	{"think again", 3, think},
	{"come unrecognized", 3, unrecognized},
	{"redeliver", 3, redeliver},
	{"press", 20, press},
	{"change", 8, change},
	{"push", 3, onPull(func(y *history, p *hubPull, s step) string {
		if p.State != "open" {
			return ""
		}
		y.hub.move(p.Branch, y.hub.commit(s.who(), "one more", []string{p.Head}, y.edit(s)), s.who())
		return "pushes to the branch of"
	})},
	{"force-push", 2, onPull(func(y *history, p *hubPull, s step) string {
		parent := y.hub.commits[p.Head].parents
		if p.State != "open" || len(parent) == 0 || y.hub.contains(y.hub.branches[p.Base], parent[0]) {
			return ""
		}
		to := parent[0]
		if s.It%2 == 0 {
			to = y.hub.commit(s.who(), "instead", []string{to}, y.edit(s))
		}
		y.hub.move(p.Branch, to, s.who())
		return "force-pushes the branch of"
	})},
	{"close", 2, onPull(func(y *history, p *hubPull, s step) string {
		if p.State != "open" {
			return ""
		}
		y.hub.close(p, s.who())
		return "closes"
	})},
	{"reopen", 2, onPull(func(y *history, p *hubPull, s step) string {
		if !y.hub.reopen(p, s.who()) {
			return ""
		}
		return "reopens"
	})},
	{"merge there", 9, onPull(func(y *history, p *hubPull, s step) string {
		if !y.hub.merge(p, s.who()) {
			return ""
		}
		return "merges, as " + p.MergeSHA[:7] + ","
	})},
	{"merge unheard", 4, onPull(func(y *history, p *hubPull, s step) string {
		deaf := y.deaf
		y.deaf = true
		defer func() { y.deaf = deaf }()
		if !y.hub.merge(p, s.who()) {
			return ""
		}
		return "merges, as " + p.MergeSHA[:7] + " and unheard,"
	})},
	{"lost pushes", 2, func(y *history, s step) {
		y.mu.Lock()
		defer y.mu.Unlock()
		y.pushless = true
		y.say("the webhooks of pushes are lost from now on")
	}},
	{"review", 5, onPull(func(y *history, p *hubPull, s step) string {
		y.hub.review(p, s.who(), []string{"APPROVED", "APPROVED", "APPROVED", "CHANGES_REQUESTED", "COMMENTED"}[s.It%5])
		return []string{"approves", "approves", "approves", "asks for changes of", "comments on"}[s.It%5]
	})},
	{"check", 3, onPull(func(y *history, p *hubPull, s step) string {
		y.hub.check(p.Head, []string{"success", "success", "failure", "pending"}[s.It%4])
		return "has CI say " + []string{"success", "success", "failure", "pending"}[s.It%4] + " of"
	})},
	{"push past everybody", 2, func(y *history, s step) {
		y.mu.Lock()
		defer y.mu.Unlock()
		base := hubBases[s.What%3]
		sha := y.hub.commit(s.who(), "straight in", []string{y.hub.branches[base]}, y.edit(s))
		y.say("%s pushes %s straight to %s", s.who(), sha[:7], base)
		y.hub.move(base, sha, s.who())
	}},
	{"move a base back", 1, func(y *history, s step) {
		y.mu.Lock()
		defer y.mu.Unlock()
		base := hubBases[s.What%3]
		if parents := y.hub.commits[y.hub.branches[base]].parents; len(parents) > 0 {
			y.say("%s moves %s back to %s", s.who(), base, parents[0][:7])
			y.hub.move(base, parents[0], s.who())
		}
	}},
	{"outage", 3, func(y *history, s step) {
		y.mu.Lock()
		defer y.mu.Unlock()
		system := []string{sysGitHub, sysSlack}[s.What%2]
		y.outage[system] = []string{outageDown, outageMute}[s.It%2]
		y.say("%s is %s", system, y.outage[system])
	}},
	{"deafness", 1, func(y *history, s step) {
		y.mu.Lock()
		defer y.mu.Unlock()
		y.deaf = true
		y.say("all webhooks are lost from now on")
	}},
	{"recovery", 4, func(y *history, s step) {
		y.mu.Lock()
		defer y.mu.Unlock()
		clear(y.outage)
		y.deaf, y.pushless = false, false
		y.say("GitHub and Slack are well")
	}},
	{"drift", 2, func(y *history, s step) {
		y.mu.Lock()
		defer y.mu.Unlock()
		name := y.catalog.Targets[s.What%4].Name
		for path := range y.edit(s) {
			if under(y.tools[name].paths, path) {
				y.tools[name].real[path] = fmt.Sprint("drift-", s.It)
				y.say("%s of %s is changed by hand", path, name)
			}
		}
	}},
	{"kill", 4, func(y *history, s step) {
		y.mu.Lock()
		y.crashIn, y.crashAct = s.What, s.It%2 == 0
		y.say("the bot will be killed after %d calls", s.What)
		y.mu.Unlock()
		if s.What == 0 {
			y.crash()
		}
	}},
	{"jump", 5, func(y *history, s step) {
		by := []time.Duration{4 * time.Minute, 16 * time.Minute, time.Hour, 9 * time.Hour, 26 * time.Hour}[s.It%5]
		y.mu.Lock()
		y.say("%s go by at once", by)
		y.mu.Unlock()
		y.clock.jump(by)
		y.pass(10 * time.Second)
	}},
	{"wait", 5, func(y *history, s step) { y.pass(time.Duration(s.What) * 40 * time.Second) }},
	{"delete a message", 1, func(y *history, s step) {
		y.mu.Lock()
		defer y.mu.Unlock()
		if n := len(y.shown); n > 0 && y.shown[n-1-s.What%n].place == "slack.message" {
			y.shown[n-1-s.What%n].gone = true
			y.deleted++
			y.say("somebody deletes the message “%s”", y.shown[n-1-s.What%n].now().Text)
		}
	}},
}

// typed is what somebody types for a plan that destroys.
func typed(s step) string {
	if s.It%2 == 0 {
		return ""
	}
	return " --destroys \"web/production cdn/production network/production web/staging\""
}

// edit is a change of one or two files.
func (y *history) edit(s step) map[string]string {
	v := fmt.Sprint("v", len(y.hub.made))
	out := map[string]string{[]string{"app/a", "app/b", "cdn/a", "network/a", "network/b", "docs/a"}[s.What%6]: v}
	if s.It == 5 {
		out["app/a"], out["network/b"] = v, v
	}
	if s.It == 6 {
		for path := range out {
			out[path] = "" // deleted
		}
	}
	return out
}

// change opens a pull request of people: on main, or straight to where is deployed.
func change(y *history, s step) {
	y.mu.Lock()
	defer y.mu.Unlock()
	base := "main"
	if s.It == 7 {
		base = hubBases[s.What%3]
	}
	branch := fmt.Sprint("branch-", len(y.hub.made))
	sha := y.hub.commit(s.who(), "a change", []string{y.hub.branches[base]}, y.edit(s))
	y.say("%s writes %s (%v) for %s", s.who(), sha[:7], y.edit(s), base)
	y.hub.move(branch, sha, s.who())
	p, err := y.hub.open(s.who(), "A change", "", branch, base)
	if err != nil {
		y.say("  which cannot be opened: %v", err)
		return
	}
	y.say("%s opens #%d", s.who(), p.Number)
}

// onPull is something that somebody does to one of the newest pull requests.
func onPull(do func(y *history, p *hubPull, s step) string) func(*history, step) {
	return func(y *history, s step) {
		y.mu.Lock()
		defer y.mu.Unlock()
		n := len(y.hub.pulls)
		if n == 0 {
			return
		}
		p := y.hub.pulls[n-1-s.What%min(n, 4)]
		at := len(y.lines)
		if what := do(y, p, s); what != "" { // the deed goes before its webhooks
			y.say("%s %s #%d on GitHub", s.who(), what, p.Number)
			last := y.lines[len(y.lines)-1]
			copy(y.lines[at+1:], y.lines[at:len(y.lines)-1])
			y.lines[at] = last
		}
	}
}

// press presses a button of one of the newest messages, also as it was drawn once.
func press(y *history, s step) {
	y.mu.Lock()
	var buttons []integrations.Button
	for _, post := range slices.Backward(y.shown) {
		if post.gone || !strings.HasPrefix(post.place, "slack.") {
			continue
		}
		m := post.now()
		if s.It == 9 {
			m = post.said[s.What%len(post.said)]
		}
		for _, b := range m.Blocks {
			for _, button := range b.Buttons {
				if button.Command != "" && !slices.Contains(buttons, button) {
					buttons = append(buttons, button)
				}
			}
		}
		if len(buttons) > 9 {
			break
		}
	}
	y.mu.Unlock()
	if len(buttons) == 0 {
		return
	}
	b := buttons[s.What%len(buttons)]
	y.hears(integrations.Heard{Kind: "click", User: slacks[s.who()], Command: b.Command, Version: b.Version},
		fmt.Sprintf("%s presses %s (%s)", s.who(), b.Label, b.Command), s.It == 8)
}

// goOn is the next sensible thing, said by somebody who mostly may.
func goOn(y *history, s step) {
	text := ""
	y.view(func(tx *store.Tx) error {
		live, err := tx.LiveOperations()
		if err != nil || len(live) == 0 {
			return err
		}
		op := live[s.What%len(live)]
		if op.State == store.OpOpen {
			text = []string{"approve ", "merge "}[s.It%2] + op.ID + typed(step{It: 1})[:len(typed(step{It: 1}))*(s.It%2)]
			return nil
		}
		jobs, err := tx.JobsOf(op.ID)
		for _, j := range jobs {
			switch j.State {
			case store.JobBlocked:
				text = []string{"approve ", "retry "}[s.It%2] + op.ID
			case store.JobNeedsConfirm:
				text = "confirm " + op.ID + typed(step{It: 1})
			case store.JobUnknown:
				text = "resolve " + j.ID + " " + []string{"succeeded", "failed", "retry"}[s.It%3]
			}
		}
		return err
	})
	if text == "" {
		return
	}
	s.Who %= 3
	y.hears(integrations.Heard{Kind: "command", User: slacks[s.who()], Text: text}, s.who()+" says /ops "+text, s.It == 9)
}
