package awssim

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Text is a text message that SNS has taken.
type Text struct {
	ID    string    `json:"id"`
	Phone string    `json:"phone"`
	From  string    `json:"from,omitempty"`
	Type  string    `json:"type,omitempty"`
	Text  string    `json:"text"`
	At    time.Time `json:"at"`
	// Lost says why it never arrives; "" is that it does.
	Lost string `json:"lost,omitempty"`
}

const (
	keptTexts   = 200
	longestText = 1600 // of one Publish, in characters
)

func snsOps() []op {
	const entry = "MessageAttributes.entry.#."
	return []op{
		{
			service: snsService, action: "Publish", change: true,
			takes: split("PhoneNumber Message " + entry + "Name " + entry + "Value.DataType " + entry + "Value.StringValue"),
			knows: split("TopicArn TargetArn Subject MessageStructure MessageDeduplicationId MessageGroupId " + entry + "Value.BinaryValue"),
			do:    publish,
		},
		{service: snsService, action: "CheckIfPhoneNumberIsOptedOut", takes: split("phoneNumber"), do: checkPhone},
	}
}

// e164 is a number with its country; SNS takes other ways to write one, which nobody here
// uses.
var e164 = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)

func publish(c *call) (any, error) {
	phone, text := c.p["PhoneNumber"], c.p["Message"]
	switch {
	case phone == "":
		return nil, refuse("InvalidParameter", "Invalid parameter: TopicArn or TargetArn Reason: no value for required parameter")
	case !e164.MatchString(phone):
		return nil, refuse("InvalidParameter", "Invalid parameter: PhoneNumber Reason: %s is not valid to publish to", phone)
	case strings.TrimSpace(text) == "":
		return nil, refuse("InvalidParameter", "Invalid parameter: Empty message")
	case utf8.RuneCountInString(text) > longestText:
		return nil, refuse("InvalidParameter", "Invalid parameter: Message too long")
	}
	t := Text{Phone: phone, Text: text, At: c.now}
	for _, a := range c.p.each("MessageAttributes.entry") {
		if err := t.attribute(a["Name"], a["Value.DataType"], a["Value.StringValue"]); err != nil {
			return nil, err
		}
	}
	if slices.Contains(c.site.OptedOut, phone) { // it is taken all the same, and its delivery fails
		t.Lost = "Phone number is opted out"
	}
	t.ID = uuid(c.w.next())
	c.site.Texts = append(c.site.Texts, t)
	if over := len(c.site.Texts) - keptTexts; over > 0 {
		c.site.Texts = slices.Delete(c.site.Texts, 0, over)
	}
	return struct{ MessageId string }{t.ID}, nil
}

// senderShape: 1 to 11 letters and digits, one letter at least (the developer guide, Sender
// IDs).
var senderShape = regexp.MustCompile(`^[0-9]{0,10}[A-Za-z][A-Za-z0-9]{0,10}$`)

func (t *Text) attribute(name, kind, value string) error {
	if kind != "String" {
		return refuse("InvalidParameterValue", "The message attribute '%s' has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String.", name)
	}
	switch name {
	case "AWS.SNS.SMS.SMSType":
		if value != "Transactional" && value != "Promotional" {
			return refuse("InvalidParameter", "Invalid parameter: SMSType Reason: %s is not valid", value)
		}
		t.Type = value
	case "AWS.SNS.SMS.SenderID":
		if len(value) > 11 || !senderShape.MatchString(value) {
			return refuse("InvalidParameter", "Invalid parameter: SenderID Reason: %s is not valid", value)
		}
		t.From = value
	default:
		return refuse(unsimulated, "Publish with the attribute %q", cmp.Or(name, "of no name"))
	}
	return nil
}

func checkPhone(c *call) (any, error) {
	phone := c.p["phoneNumber"]
	if !e164.MatchString(phone) {
		return nil, refuse("InvalidParameter", "Invalid parameter: PhoneNumber Reason: input incorrectly formatted")
	}
	out := struct {
		IsOptedOut bool `xml:"isOptedOut"`
	}{slices.Contains(c.site.OptedOut, phone)}
	return out, nil
}

// Texts are the text messages that SNS has taken in all accounts, the oldest first; those
// with Lost never arrive.
func (s *Sim) Texts() []Text {
	out := []Text{}
	s.look(func(time.Time) {
		for _, st := range s.world.Sites {
			out = append(out, st.Texts...)
		}
	})
	slices.SortStableFunc(out, func(a, b Text) int { return a.At.Compare(b.At) })
	return out
}

// OptOut is that whoever has a phone answers STOP: no text message arrives there any more.
func (s *Sim) OptOut(phone string) error {
	return s.change(func(time.Time) error {
		for _, st := range s.world.Sites {
			if !slices.Contains(st.OptedOut, phone) {
				st.OptedOut = append(st.OptedOut, phone)
			}
		}
		return nil
	})
}
