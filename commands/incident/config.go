package incident

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// Config is where incidents are told, and who is called for them.
type Config struct {
	// Channel is where the incidents that alerts make are told; "" makes none of them.
	Channel string `yaml:"channel"`
	// Channels are others, by severity; "none" tells those of a severity nowhere.
	Channels map[string]string `yaml:"channels"`
	// Storm is how many may come to one channel within a minute; what comes beyond is
	// told in one message. 0 is five.
	Storm int `yaml:"storm"`
	// Reopen is how long after its end the same is taken for the same incident. 0 is ten
	// minutes.
	Reopen time.Duration `yaml:"reopen"`
	// Remind is how long somebody may have an incident without a word; 0 is an hour, and
	// less than that reminds nobody.
	Remind time.Duration `yaml:"remind"`
	// SMS is how text messages are sent, for steps that want them.
	SMS SMS `yaml:"sms"`
	// Escalations are tried in this order: the first that fits an incident is taken.
	Escalations []Rule `yaml:"escalations"`
	// Silences are those that come every week by themselves.
	Silences []Recurring `yaml:"silences"`
}

// Rule is who is called for which incidents.
type Rule struct {
	// Services and Environments are those of the incidents; none are all.
	Services     []string `yaml:"services"`
	Environments []string `yaml:"environments"`
	// Severities are critical and error, if none is named.
	Severities []string `yaml:"severities"`
	Steps      []Step   `yaml:"steps"`
	// Repeat is how often all steps are taken once more.
	Repeat int `yaml:"repeat"`
}

// SMS is how text messages are sent: by Amazon SNS.
type SMS struct {
	// Account is one of aws.accounts, Region one of its regions; both may be left out where
	// there is one.
	Account string `yaml:"account"`
	Region  string `yaml:"region"`
	// Sender is the name that a phone shows, where the country allows one: up to 11 letters
	// and digits; "" is a number of the account.
	Sender string `yaml:"sender"`
}

// Step calls people and waits for one of them.
type Step struct {
	// Call names people, schedules and groups.
	Call []string `yaml:"call" json:"call"`
	// PagerDuty has PagerDuty page for one of pagerduty.routing_keys.
	PagerDuty string `yaml:"pagerduty" json:"pagerduty,omitempty"`
	// Wait is how long it waits before the next step; 0 is five minutes.
	Wait time.Duration `yaml:"wait" json:"wait"`
	// SMS sends those a text message too who have a phone.
	SMS bool `yaml:"sms" json:"sms,omitempty"`
}

const (
	usualStorm  = 5
	usualReopen = 10 * time.Minute
	usualRemind = time.Hour
	usualWait   = 5 * time.Minute
	mostSteps   = 20
	mostRepeat  = 9
	nowhere     = "none"
)

// Validate names every mistake at once, each line with the field that holds it.
func (c Config) Validate() error {
	var errs []error
	bad := func(at, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %s", at, fmt.Sprintf(format, args...)))
	}
	severities := func(at string, all []string) {
		for _, s := range all {
			if !slices.Contains(integrations.Severities, s) {
				bad(at, "no severity is called %q; there are %s", s, strings.Join(integrations.Severities, ", "))
			}
		}
	}
	for s, room := range c.Channels {
		severities("channels", []string{s})
		if room == "" {
			bad("channels."+s, "is empty; want a channel, or %q", nowhere)
		}
	}
	if c.Channel == "" && (len(c.Channels) > 0 || len(c.Escalations) > 0) {
		bad("channel", "is missing; what alerts make is told there")
	}
	if c.Storm < 0 {
		bad("storm", "is %d; want how many incidents a minute are told one by one", c.Storm)
	}
	if s := c.SMS.Sender; s != "" && (len(s) > 11 || !senderShape.MatchString(s)) {
		bad("sms.sender", "%q is not 1 to 11 letters and digits with a letter among them, such as signalbox", s)
	}
	if c.Reopen < 0 || c.Reopen > 24*time.Hour {
		bad("reopen", "is %v; want at most 24h", c.Reopen)
	}
	for n, r := range c.Escalations {
		at := fmt.Sprintf("escalations[%d]", n)
		severities(at+".severities", r.Severities)
		if len(r.Steps) == 0 || len(r.Steps) > mostSteps {
			bad(at+".steps", "has %d; want 1 to %d, each with whom to call", len(r.Steps), mostSteps)
		}
		if r.Repeat < 0 || r.Repeat > mostRepeat {
			bad(at+".repeat", "is %d; want 0 to %d", r.Repeat, mostRepeat)
		}
		for k, s := range r.Steps {
			if len(s.Call) == 0 && s.PagerDuty == "" {
				bad(fmt.Sprintf("%s.steps[%d].call", at, k), "is missing; want people, schedules or groups, or pagerduty with the name of one of its services")
			}
			if s.SMS && len(s.Call) == 0 {
				bad(fmt.Sprintf("%s.steps[%d].sms", at, k), "is for whoever is called here, and call names nobody")
			}
			if s.Wait < 0 || s.Wait > 24*time.Hour {
				bad(fmt.Sprintf("%s.steps[%d].wait", at, k), "is %v; want at most 24h", s.Wait)
			}
		}
	}
	if len(c.Silences) > mostRecurring {
		bad("silences", "are %d; want at most %d", len(c.Silences), mostRecurring)
	}
	for n, r := range c.Silences {
		r.check(func(field, format string, args ...any) { bad(fmt.Sprintf("silences[%d]%s", n, field), format, args...) })
	}
	return errors.Join(errs...)
}

// senderShape is that of a sender ID of SNS (its developer guide, Sender IDs).
var senderShape = regexp.MustCompile(`^[0-9]*[A-Za-z][A-Za-z0-9]*$`)

// Texts says that a step sends text messages.
func (c Config) Texts() bool {
	return slices.ContainsFunc(c.Escalations, func(r Rule) bool { return slices.ContainsFunc(r.Steps, func(s Step) bool { return s.SMS }) })
}

// room is where incidents of a severity are told, "" for nowhere.
func (c Config) room(severity string) string {
	room, ok := c.Channels[severity]
	switch {
	case room == nowhere:
		return ""
	case ok:
		return room
	}
	return c.Channel
}

func (c Config) storm() int {
	if c.Storm == 0 {
		return usualStorm
	}
	return c.Storm
}

func (c Config) reopen() time.Duration {
	if c.Reopen == 0 {
		return usualReopen
	}
	return c.Reopen
}

func (c Config) remind() time.Duration {
	if c.Remind == 0 {
		return usualRemind
	}
	return c.Remind
}

func (s Step) wait() time.Duration {
	if s.Wait == 0 {
		return usualWait
	}
	return s.Wait
}

// rule is the first that fits; nil if none does.
func (c Config) rule(service, environment, severity string) *Rule {
	for n, r := range c.Escalations {
		severities := r.Severities
		if len(severities) == 0 {
			severities = []string{integrations.SeverityCritical, integrations.SeverityError}
		}
		if (len(r.Services) == 0 || slices.Contains(r.Services, service)) && (len(r.Environments) == 0 || slices.Contains(r.Environments, environment)) && slices.Contains(severities, severity) {
			return &c.Escalations[n]
		}
	}
	return nil
}
