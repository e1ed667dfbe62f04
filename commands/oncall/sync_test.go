package oncall

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// chat is a Chat of which it is known what was written.
type chat struct {
	wrote  []string
	topics map[string]string
	refuse error
}

func (c *chat) SetGroupMembers(_ context.Context, group string, users []string) error {
	if c.refuse != nil {
		return c.refuse
	}
	c.wrote = append(c.wrote, group+" "+strings.Join(users, "+"))
	return nil
}

func (c *chat) Topic(_ context.Context, channel string) (string, error) {
	return c.topics[channel], c.refuse
}

func (c *chat) SetTopic(_ context.Context, channel, topic string) error {
	c.topics[channel] = topic
	c.wrote = append(c.wrote, "topic")
	return c.refuse
}

func (r *room) syncs(c *chat, want ...string) {
	r.t.Helper()
	c.wrote = nil
	r.f.Chat, r.f.WithTopic = c, func(topic, schedule, text string) string {
		theirs, _, _ := strings.Cut(topic, " [")
		return theirs + " [" + schedule + text + "]"
	}
	if err := r.f.sync(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	if !slices.Equal(c.wrote, want) {
		r.t.Errorf("written is %q, want %q", c.wrote, want)
	}
}

// Two schedules fill one group, and those who are always in it are; what stands is not
// written again, but looked at now and then, since people may change it by hand.
func TestAUserGroupFollows(t *testing.T) {
	a, b := daily(), daily()
	a.Group, a.Always = "oncall", []string{"bob"}
	b.Name, b.Group, b.Layers[0].People = "night", "oncall", []string{"alice + bob", "carol"}
	r := newRoom(t, a, b)
	c := &chat{}
	r.syncs(c, "oncall U-alice+U-bob+U-carol") // carol, bob; alice and bob
	r.syncs(c)
	r.starts()
	r.syncs(c)
	r.clock.now = r.clock.now.Add(lookEvery)
	r.syncs(c, "oncall U-alice+U-bob+U-carol")
	r.at(6, "09:00") // bob; alice and bob
	r.syncs(c, "oncall U-alice+U-bob")
	r.must(carol, "oncall take 1h platform")
	r.syncs(c, "oncall U-alice+U-bob+U-carol")
}

// What another system has not told of keeps no other group from being set; its own stays.
func TestAGroupOfWhatIsNotHeardOfStays(t *testing.T) {
	a, b, there := daily(), daily(), daily()
	a.Group, b.Group, there.Group = "oncall", "shared", "shared"
	b.Name, there.Name, there.Layers, there.PagerDuty = "night", "database", nil, "P1"
	r := newRoom(t, there, b, a)
	r.syncs(&chat{}, "oncall U-carol")
}

func TestATopicFollows(t *testing.T) {
	s := daily()
	s.Topic = true
	r := newRoom(t, s)
	c := &chat{topics: map[string]string{"alerts": "Alarms"}}
	r.syncs(c, "topic")
	if got := c.topics["alerts"]; got != "Alarms [carol until Thu 5 Mar 09:00]" {
		t.Errorf("the topic is %q", got)
	}
	r.clock.now = r.clock.now.Add(lookEvery)
	r.syncs(c)
	c.topics["alerts"] = "Alarms!" // somebody cut ours off
	r.clock.now = r.clock.now.Add(lookEvery)
	r.syncs(c, "topic")
}

// What cannot be set is said once; nobody is ever put out of a group for that.
func TestWhatCannotBeShownIsSaidOnce(t *testing.T) {
	s := daily()
	s.Group = "oncall"
	r := newRoom(t, s)
	c := &chat{refuse: &integrations.Refused{Why: "the plan of this workspace has no user groups", Do: "upgrade it"}}
	for range 3 {
		r.syncs(c)
		r.clock.now = r.clock.now.Add(lookEvery)
	}
	all := r.told(cardSync)
	if len(all) != 1 || !strings.Contains(all[0], "@oncall does not follow who is on call: the plan of this workspace has no user groups.") {
		t.Errorf("it is said as %q", all)
	}
	c.refuse = errors.New("a moment of weakness")
	r.at(5, "09:00")
	r.syncs(c)
	c.refuse = nil
	r.syncs(c, "oncall U-alice")

	// Nobody is on call: the group keeps those who were in it.
	r.cfg.Schedules[0].Layers[0].Until = "2026-03-05 10:00"
	r.at(5, "10:00")
	r.syncs(c)
	r.syncs(c)
	if all = r.told(cardSync); len(all) != 2 || !strings.Contains(all[1], "nobody is on call, and a user group cannot be empty") {
		t.Errorf("it is said as %q", all)
	}
	r.must(bob, "oncall take 2h")
	r.syncs(c, "oncall U-bob")
	r.cat.People = r.cat.People[:1] // bob is no longer known
	r.clock.now = r.clock.now.Add(time.Minute)
	r.syncs(c)
	if all = r.told(cardSync); len(all) != 3 || !strings.Contains(all[2], "the Slack account of bob is not known") {
		t.Errorf("it is said as %q", all)
	}
}
