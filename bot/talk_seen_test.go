package main

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/slack/slacksim"
)

// calm lets time go by until nothing more comes of what was done.
func (k *talk) calm() {
	k.t.Helper()
	was, quiet := "", time.Duration(0)
	for end := time.Now().Add(talkPatience); quiet < talkQuiet; quiet += talkStep {
		k.settle(talkStep)
		var b strings.Builder
		k.everywhere(func(channel string, m slacksim.Message) {
			fmt.Fprintln(&b, channel, m.TS, m.Text, string(m.Blocks), len(m.Files))
		})
		k.directly(func(who string, m slacksim.Message) { fmt.Fprintln(&b, who, m.TS, m.Text, string(m.Blocks)) })
		if b.String() != was {
			was, quiet = b.String(), 0
		}
		if time.Now().After(end) {
			k.t.Fatalf("it never calms down:\n%s", was)
		}
	}
}

// everywhere calls f for each message and each reply, in the order of the page;
// in a thread the files come last, whichever was quicker.
func (k *talk) everywhere(f func(channel string, m slacksim.Message)) {
	for _, channel := range []string{"ops", "alerts"} {
		for _, m := range k.history(channel, "") {
			f(channel, m)
			if m.Replies == 0 {
				continue
			}
			replies := k.history(channel, m.TS)
			slices.SortStableFunc(replies, func(a, b slacksim.Message) int {
				return cmp.Or(cmp.Compare(len(a.Files), len(b.Files)), strings.Compare(talkKind(a), talkKind(b)))
			})
			for _, r := range replies {
				if r.TS != m.TS {
					f(channel, r)
				}
			}
		}
	}
}

// directly calls f for each direct message of the bot to a person, but for what
// was answered to what they said there.
func (k *talk) directly(f func(who string, m slacksim.Message)) {
	for _, who := range []string{"alice", "bob", "carol"} {
		var page struct{ Messages []slacksim.Message }
		k.must(k.call("", "GET", "/sim/page/state?user="+who+"&channel=@signalbox", nil, &page), "read the direct messages of %s", who)
		for _, m := range page.Messages {
			if _, answer := k.where[m.TS]; m.Bot && !answer {
				f(who, m)
			}
		}
	}
}

// talkKind sorts a thread: logs by their target, then who is called.
func talkKind(m slacksim.Message) string {
	first, rest, _ := strings.Cut(m.Text, " ")
	if strings.HasPrefix(first, "job-") {
		return "1 " + rest
	}
	if strings.HasPrefix(first, "op-") {
		return "2"
	}
	return "3 " + m.Text
}

// until waits until some message says words.
func (k *talk) until(words string) {
	k.t.Helper()
	for end := time.Now().Add(talkPatience); ; k.pass() {
		found := false
		k.everywhere(func(_ string, m slacksim.Message) {
			found = found || strings.Contains(m.Text+string(m.Blocks), words)
		})
		if found {
			return
		}
		if time.Now().After(end) {
			k.t.Fatalf("no message says %q\n%s", words, k.out.String())
		}
	}
}

// watch shows the bot's messages that are new or look different.
func (k *talk) watch() {
	k.t.Helper()
	k.everywhere(func(channel string, m slacksim.Message) {
		if !m.Bot {
			return
		}
		lines := talkMessage(m.Text, m.Blocks, m.Buttons, m.Files)
		key, look := channel+" "+m.TS, strings.Join(lines, "\n")
		was, known := k.seen[key]
		if was == look {
			return
		}
		k.seen[key] = look
		head := "signalbox in #" + channel
		if m.ThreadTS != "" && m.ThreadTS != m.TS {
			head = "signalbox in the thread"
		}
		if known {
			head += ", edited"
		}
		k.write(head+":", lines)
		k.checkCard(m)
	})
	k.directly(func(who string, m slacksim.Message) {
		lines := talkMessage(m.Text, m.Blocks, m.Buttons, m.Files)
		key, look := "@"+who+" "+m.TS, strings.Join(lines, "\n")
		was, known := k.seen[key]
		if was == look {
			return
		}
		k.seen[key] = look
		head := "signalbox to " + who
		if known {
			head += ", edited"
		}
		k.write(head+":", lines)
	})
}

var talkCard = regexp.MustCompile(`^(op-\d+) .*?: ([a-z_]+)\b`)

// checkCard holds the messages about an operation to what scripts rely on: the
// state is one of the words, and there is one card.
func (k *talk) checkCard(m slacksim.Message) {
	k.t.Helper()
	if m.ThreadTS != "" && m.ThreadTS != m.TS {
		return
	}
	found := talkCard.FindStringSubmatch(m.Text)
	if found == nil || strings.Contains(m.Text, " would change ") || strings.Contains(m.Text, "asked about here") {
		return
	}
	op, state := found[1], found[2]
	words := []string{"opening", "open", "merged", "applying", "succeeded", "noop", "failed", "partial", "closed", "blocked", "needs_confirm", "unknown"}
	if !slices.Contains(words, state) {
		k.t.Errorf("the card of %s says the state %q", op, state)
	}
	if ts, ok := k.cards[op]; ok && ts != m.TS {
		k.t.Errorf("%s has two cards", op)
	}
	k.cards[op] = m.TS
}

// talkHelp is how help begins, whose jobs are examples.
var talkHelp = regexp.MustCompile(`^(What you can ask for|/ops \w+\n)`)

// answered shows what only one person saw.
func (k *talk) answered(who, channel string, a slacksim.Answer) {
	if a.Response != nil {
		k.names.examples = talkHelp.MatchString(a.Response.Text)
		defer func() { k.names.examples = false }()
		k.private[who] = append(k.private[who], *a.Response)
		k.where[a.Response.TS] = channel
		k.write("only "+who+":", talkMessage(a.Response.Text, a.Response.Blocks, a.Response.Buttons, nil))
	}
	if a.Modal != nil {
		k.modals[who] = a.Modal
		k.write("only "+who+":", talkModal(a.Modal))
	}
}

// obeyed checks that the bot broke no rule of Slack's and GitHub's.
func (k *talk) obeyed() {
	k.t.Helper()
	var broken map[string][]string
	k.must(k.call("", "GET", "/sim/violations", nil, &broken), "ask for violations")
	if len(broken) != 2 {
		k.t.Errorf("violations of %d systems: %v", len(broken), broken)
	}
	for system, list := range broken {
		for _, v := range list {
			k.t.Errorf("the bot broke a rule of %s: %s", system, v)
		}
	}
}
