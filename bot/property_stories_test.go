package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// A story is one step that is several deeds, each at its time: what single deeds
// come to too seldom for a law to be asked about it. The bot may be killed, deaf or
// cut off in the midst of it like anywhere else.

// lost is the time after which a webhook comes that never comes.
const lost = -1

// aside has the webhooks of what is done meanwhile come after a time, or never.
// The mutex is held.
func (y *history) aside(after time.Duration, do func()) {
	was := y.delayed
	y.delayed = &after
	do()
	y.delayed = was
}

// place is where a story takes place: mostly in staging, where nobody has to be
// asked, so that it gets to its end.
func place(s step) (base, file, hold string) {
	switch s.What {
	case 0, 1:
		return "main", "network/a", "network/production"
	case 2:
		return "deployment/production", "app/a", "web/production"
	}
	return "deployment/staging", "app/a", "web/staging"
}

// cast are three people who may, in an order that the step chooses.
func (s step) cast() (author, second, third string) {
	return people[s.Who%3], people[(s.Who+1)%3], people[(s.Who+2)%3]
}

// writes opens a pull request on a commit of its own. The mutex is held.
func (y *history) writes(who, base, on, file string) *hubPull {
	branch := fmt.Sprint("branch-", len(y.hub.made))
	sha := y.hub.commit(who, "a change", []string{on}, map[string]string{file: fmt.Sprint("v", len(y.hub.made))})
	y.say("%s writes %s (%s) for %s", who, sha[:7], file, base)
	y.hub.move(branch, sha, who)
	p, err := y.hub.open(who, "A change", "", branch, base)
	if err != nil {
		y.say("  which cannot be opened: %v", err)
		return nil
	}
	y.say("%s opens #%d", who, p.Number)
	return p
}

// two opens two pull requests, the newer on top of the older, has them planned and
// reviewed; nil where that cannot be.
func (y *history) two(s step) (older, newer *hubPull) {
	base, file, _ := place(s)
	author, second, _ := s.cast()
	y.mu.Lock()
	if older = y.writes(author, base, y.hub.branches[base], file); older != nil {
		newer = y.writes(author, base, older.Head, file)
	}
	y.mu.Unlock()
	if newer == nil {
		return nil, nil
	}
	y.pass(25 * time.Second)
	y.mu.Lock()
	for _, p := range []*hubPull{older, newer} {
		y.hub.review(p, second, "APPROVED")
		y.hub.check(p.Head, "success")
	}
	y.mu.Unlock()
	y.pass(5 * time.Second)
	return older, newer
}

// merges merges on GitHub, which tells of it after a time. The mutex is held.
func (y *history) merges(p *hubPull, who string, told time.Duration) {
	at := len(y.lines)
	y.aside(told, func() {
		if y.hub.merge(p, who) {
			y.lines = slices.Insert(y.lines, at, y.stamped("%s merges #%d on GitHub, as %s", who, p.Number, p.MergeSHA[:7]))
		}
	})
}

// says is a command, if the bot is there.
func (y *history) says(who, text string) {
	y.hears(integrations.Heard{Kind: "command", User: slacks[who], Text: text}, who+" says /ops "+text, false)
}

// appliesOf are the apply jobs of a pull request.
func (y *history) appliesOf(p *hubPull) (out []*store.Job) {
	y.view(func(tx *store.Tx) error {
		all, err := tx.JobsByPull(hubRepoID, p.Number)
		for _, j := range all {
			if j.Kind == "apply" {
				out = append(out, j)
			}
		}
		return err
	})
	return out
}

// overtake has a merge heard of late, and one that came after it at once.
func overtake(y *history, s step) {
	older, newer := y.two(s)
	if newer == nil {
		return
	}
	_, second, _ := s.cast()
	y.mu.Lock()
	y.merges(older, second, []time.Duration{lost, 500 * time.Millisecond, time.Second, 3 * time.Second, 10 * time.Second}[s.It%5])
	y.merges(newer, second, 0)
	y.mu.Unlock()
}

// standBack has a hold keep the first of two merges, and its job given up, let on
// or tried again when the hold is over and the second one may begin.
func standBack(y *history, s step) {
	older, newer := y.two(s)
	if newer == nil {
		return
	}
	_, _, hold := place(s)
	_, second, third := s.cast()
	y.says(third, "lock "+hold+" migration")
	y.pass(time.Second)
	y.mu.Lock()
	y.merges(older, second, 0)
	y.merges(newer, second, time.Second)
	y.mu.Unlock()
	y.pass(20 * time.Second)
	jobs := y.appliesOf(older)
	if len(jobs) == 0 {
		return
	}
	j := jobs[0].ID
	if s.It < 6 {
		y.says(second, "cancel "+j)
	}
	y.pass(time.Second)
	y.says(third, "unlock "+hold)
	y.pass([]time.Duration{0, time.Second, 3 * time.Second, 40 * time.Second}[s.It%4])
	y.says(second, []string{"retry ", "retry ", "approve "}[s.It%3]+j)
	if s.It%3 == 1 {
		y.redeliver(older.Number)
	}
}

// think has people take back what they said of a merge that a hold keeps, and no
// webhook tells of it.
func think(y *history, s step) {
	s.What %= 3
	older, newer := y.two(s)
	if newer == nil {
		return
	}
	_, _, hold := place(s)
	author, second, third := s.cast()
	y.says(third, "lock "+hold+" migration")
	y.pass(time.Second)
	y.mu.Lock()
	y.merges(older, author, 0)
	y.mu.Unlock()
	y.pass([]time.Duration{5 * time.Second, time.Minute}[s.It%2])
	y.mu.Lock()
	y.aside(lost, func() {
		y.say("%s takes back what was said of #%d", second, older.Number)
		y.hub.review(older, second, "CHANGES_REQUESTED")
		y.hub.check(older.Head, "failure")
	})
	y.mu.Unlock()
	y.pass(40 * time.Second)
	y.says(third, "unlock "+hold)
	y.pass(time.Second)
	for _, j := range y.appliesOf(older) {
		y.says(author, "retry "+j.ID)
	}
}

// unrecognized has GitHub not know for a while by which pull request a commit came,
// so that the commit counts as one that came without.
func unrecognized(y *history, s step) {
	base, file, _ := place(s)
	author, second, third := s.cast()
	y.mu.Lock()
	p := y.writes(author, base, y.hub.branches[base], file)
	y.mu.Unlock()
	if p == nil {
		return
	}
	y.pass(20 * time.Second)
	y.mu.Lock()
	y.hub.review(p, second, "APPROVED")
	y.hub.unlinked = true
	y.lateMerges = 70 * time.Second
	y.merges(p, second, 0)
	y.lateMerges = 0
	y.mu.Unlock()
	y.pass(40 * time.Second)
	y.view(func(tx *store.Tx) error {
		live, err := tx.LiveJobs()
		for _, j := range live {
			if j.SHA == p.MergeSHA && j.Kind == "apply" {
				defer y.says(third, "confirm "+j.ID+typed(step{It: 1}))
			}
		}
		return err
	})
	y.pass(20 * time.Second)
	y.mu.Lock()
	y.hub.unlinked = false
	y.mu.Unlock()
	y.pass(20 * time.Second)
}

// goBack goes on with a job that is over or waits, though a newer one has begun.
func goBack(y *history, s step) {
	text := ""
	y.view(func(tx *store.Tx) error {
		ops, err := tx.Operations("", 10)
		if err != nil {
			return err
		}
		var texts []string
		for _, op := range ops {
			jobs, err := tx.JobsOf(op.ID)
			if err != nil {
				return err
			}
			for _, j := range jobs {
				if j.Kind != "apply" {
					continue
				}
				switch j.State {
				case store.JobBlocked:
					texts = append(texts, []string{"approve ", "retry "}[s.It%2]+j.ID)
				case store.JobNeedsConfirm:
					texts = append(texts, "confirm "+j.ID+typed(step{It: 1}))
				case store.JobUnknown:
					texts = append(texts, "resolve "+j.ID+" retry")
				case store.JobFailed, store.JobExpired, store.JobCancelled:
					texts = append(texts, "retry "+j.ID)
				}
			}
		}
		if len(texts) > 0 {
			text = texts[s.What%len(texts)]
		}
		return nil
	})
	if text != "" {
		y.says(people[s.Who%3], text)
	}
}

// redeliver has GitHub send again what it sent long ago: an old merge, say.
func (y *history) redeliver(number int) {
	y.mu.Lock()
	defer y.mu.Unlock()
	for _, h := range slices.Backward(y.sent) {
		if strings.Contains(h.what, fmt.Sprintf("closed of #%d", number)) {
			y.say("GitHub is asked to deliver again: %s", h.what)
			y.rolled["guid"]++
			y.send(h, 0, fmt.Sprint("guid-", y.rolled["guid"]))
			return
		}
	}
}

func redeliver(y *history, s step) {
	y.mu.Lock()
	var merged []int
	for _, p := range y.hub.pulls {
		if p.State == "merged" {
			merged = append(merged, p.Number)
		}
	}
	y.mu.Unlock()
	if len(merged) > 0 {
		y.redeliver(merged[s.What%len(merged)])
	}
}
