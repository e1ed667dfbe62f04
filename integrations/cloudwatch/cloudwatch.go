// Package cloudwatch reads the alarms of Amazon CloudWatch: as SNS delivers them over
// HTTPS, wrapped or raw, and as EventBridge sends their changes of state, by way of SNS
// or of an API destination.
//
// SNS signs what it delivers, as Amazon; it says nothing of whose topic it is, and every
// account of the world may have one deliver here. So the signature counts for the topics
// that the configuration names, and for no other.
package cloudwatch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/loose"
)

// Config says whose deliveries are taken.
type Config struct {
	// Topics are the ARNs of the SNS topics whose signed messages are let in. Where there
	// is one, messages of others are refused even with a token.
	Topics []string `yaml:"topics"`
	// ByHand leaves it to people to confirm subscriptions.
	ByHand bool `yaml:"confirm_by_hand"`
}

var topicForm = regexp.MustCompile(`^arn:aws(-cn|-us-gov)?:sns:([a-z0-9-]+):[0-9]{12}:[A-Za-z0-9_-]{1,256}(\.fifo)?$`)

// New makes the source.
func New(o integrations.AlertOptions) (integrations.AlertSource, error) {
	var c Config
	if err := o.Decode(&c); err != nil {
		return nil, err
	}
	var errs []error
	if len(o.Secrets) > 0 {
		errs = append(errs, errors.New("secrets: SNS signs with Amazon's key; want settings.topics, which says whose messages are let in"))
	}
	for i, t := range c.Topics {
		if !topicForm.MatchString(t) {
			errs = append(errs, fmt.Errorf("settings.topics[%d]: %q is not the ARN of a topic; want one like arn:aws:sns:ap-northeast-1:123456789012:alarms", i, t))
		}
	}
	return &source{topics: c.Topics, byHand: c.ByHand, amazon: newAmazon(o.HTTP)}, errors.Join(errs...)
}

type source struct {
	topics []string
	byHand bool
	amazon *amazon
}

// Headers implements integrations.AlertSource.
func (*source) Headers() []string { return []string{"X-Amz-Sns-Message-Id", "X-Amz-Sns-Topic-Arn"} }

// kindOf is what SNS says a delivery is: Notification, SubscriptionConfirmation or
// UnsubscribeConfirmation; "" where it does not come wrapped by SNS. The header that says
// so is not signed, so nothing is made of it.
func kindOf(d loose.Value) string {
	if !d.At("TopicArn").Is() {
		return ""
	}
	return cmp.Or(d.At("Type").Text(), "unknown")
}

// Read implements integrations.AlertSource.
func (s *source) Read(header http.Header, body []byte) (integrations.AlertNotice, error) {
	d, err := loose.Object(body)
	if err != nil {
		return integrations.AlertNotice{}, err
	}
	kind := kindOf(d)
	if kind == "" {
		return readMessage(d, header.Get("X-Amz-Sns-Message-Id"), header.Get("X-Amz-Sns-Topic-Arn"))
	}
	id := d.At("MessageId").Text()
	if kind != "Notification" {
		return integrations.AlertNotice{ID: id, Kind: kind}.Tidy(), nil
	}
	inner, err := loose.Object([]byte(d.At("Message").Text()))
	if err != nil { // somebody published a text
		return integrations.AlertNotice{ID: id, Kind: "message"}.Tidy(), nil
	}
	return readMessage(inner, id, d.At("TopicArn").Text())
}

func readMessage(m loose.Value, id, topic string) (integrations.AlertNotice, error) {
	n := integrations.AlertNotice{ID: id}
	switch {
	case m.At("AlarmName").Text() != "":
		n.Kind, n.Alerts = "alarm", []integrations.Alert{readAlarm(m, topic)}
	case m.At("detail-type").Text() == "CloudWatch Alarm State Change" && m.At("detail", "alarmName").Text() != "":
		n.Kind, n.Alerts = m.At("detail-type").Text(), []integrations.Alert{readEvent(m)}
		if n.ID == "" {
			n.ID = m.At("id").Text()
		}
	case m.At("detail-type").Text() != "":
		n.Kind = m.At("detail-type").Text()
	case id == "":
		return integrations.AlertNotice{}, errors.New("no alarm of CloudWatch: it has neither an AlarmName nor a detail-type")
	default: // something else is published on the topic
		n.Kind = "message"
	}
	return n.Tidy(), nil
}

// states are those of an alarm. Too little data says neither that it is wrong nor that
// it is well again.
var states = map[string]string{"ALARM": integrations.AlertFiring, "OK": integrations.AlertResolved, "INSUFFICIENT_DATA": integrations.AlertUpdated}

// readAlarm reads what an alarm's action publishes.
func readAlarm(m loose.Value, topic string) integrations.Alert {
	trigger := m.At("Trigger")
	arn := m.At("AlarmArn").Text()
	if arn == "" { // Region is a name for people there
		region := ""
		if parts := topicForm.FindStringSubmatch(topic); parts != nil {
			region = parts[2]
		}
		arn = "arn:aws:cloudwatch:" + region + ":" + m.At("AWSAccountId").Text() + ":alarm:" + m.At("AlarmName").Text()
	}
	dimensions := map[string]string{}
	for _, d := range trigger.At("Dimensions").List() {
		dimensions[d.At("name").Text()] = d.At("value").Text()
	}
	a := alarm(arn, m.At("AlarmName").Text(), m.At("NewStateValue").Text(), m.At("NewStateReason").Text(), m.At("AlarmDescription").Text(), dimensions)
	a.At = m.At("StateChangeTime").Time()
	a.Metric = integrations.Metric{Name: strings.TrimPrefix(trigger.At("Namespace").Text()+"/"+trigger.At("MetricName").Text(), "/"), Operator: operator(trigger.At("ComparisonOperator").Text()), Threshold: trigger.At("Threshold").Short()}
	if trigger.At("MetricName").Text() == "" { // a composite alarm, or an expression
		a.Metric = integrations.Metric{}
	}
	return withOpened(a)
}

// readEvent reads what EventBridge says of an alarm that changed its state.
func readEvent(m loose.Value) integrations.Alert {
	detail := m.At("detail")
	name := detail.At("alarmName").Text()
	arn := "arn:aws:cloudwatch:" + m.At("region").Text() + ":" + m.At("account").Text() + ":alarm:" + name
	if r := m.At("resources").Texts(); len(r) > 0 {
		arn = r[0]
	}
	dimensions, metric := map[string]string{}, integrations.Metric{}
	for _, q := range detail.At("configuration", "metrics").List() {
		if of := q.At("metricStat", "metric"); of.IsObject() && metric.Name == "" {
			dimensions, metric.Name = of.At("dimensions").Map(), of.At("namespace").Text()+"/"+of.At("name").Text()
		}
	}
	state := detail.At("state")
	a := alarm(arn, name, state.At("value").Text(), state.At("reason").Text(), detail.At("configuration", "description").Text(), dimensions)
	if a.At = state.At("timestamp").Time(); a.At.IsZero() {
		a.At = m.At("time").Time()
	}
	a.Metric = metric
	return withOpened(a)
}

func withOpened(a integrations.Alert) integrations.Alert {
	if a.State == integrations.AlertFiring {
		a.Opened = a.At
	}
	return a
}

var (
	address   = regexp.MustCompile(`https?://[^\s<>|"']+`)
	operators = map[string]string{"GreaterThanThreshold": ">", "GreaterThanOrEqualToThreshold": ">=", "LessThanThreshold": "<", "LessThanOrEqualToThreshold": "<="}
)

func operator(name string) string {
	if o, ok := operators[name]; ok {
		return o
	}
	return name
}

// alarm is what both forms say. CloudWatch knows no severity. A URL in the description is
// taken for the runbook: there is no other place for one.
func alarm(arn, name, state, reason, description string, dimensions map[string]string) integrations.Alert {
	a := integrations.Alert{
		Key: arn, State: states[state], Kind: state, Check: name, Title: name + ": " + reason, Text: strings.TrimSpace(description + "\n" + reason),
		Host: dimensions["InstanceId"], Instance: integrations.InstanceID(dimensions["InstanceId"]), Labels: dimensions, Runbook: address.FindString(description),
	}
	if state == "ALARM" && description != "" {
		line, _, _ := strings.Cut(description, "\n")
		a.Title = name + ": " + line
	}
	// arn:aws:cloudwatch:<region>:<account>:alarm:<name>
	if parts := strings.SplitN(arn, ":", 7); len(parts) == 7 && parts[3] != "" {
		a.URL = console(parts[1], parts[3], parts[6])
		a.Labels["region"], a.Labels["account"] = parts[3], parts[4]
	}
	return a
}

// Signs implements integrations.AlertSigner.
func (s *source) Signs() bool { return len(s.topics) > 0 }

// Authentic implements integrations.AlertSigner, for messages of the topics that are
// configured. It fetches the certificate that a message names from Amazon, once.
func (s *source) Authentic(ctx context.Context, _ http.Header, body []byte) error {
	d, err := loose.Object(body)
	m := messageOf(d)
	switch {
	case err != nil || m.Signature == "":
		return integrations.ErrAlertUnsigned
	case !slices.Contains(s.topics, m.TopicARN):
		return fmt.Errorf("its topic is not one of settings.topics: %w", integrations.ErrAlertForged)
	}
	return s.amazon.verify(ctx, m)
}

// Confirm implements integrations.AlertConfirmer: it confirms the subscription of a topic.
func (s *source) Confirm(ctx context.Context, _ http.Header, body []byte) (string, error) {
	d, err := loose.Object(body)
	if err != nil || kindOf(d) != "SubscriptionConfirmation" {
		return "", nil
	}
	topic := d.At("TopicArn").Text()
	if len(s.topics) > 0 && !slices.Contains(s.topics, topic) {
		return "", fmt.Errorf("the topic %s wants to send here, and settings.topics does not name it", integrations.AlertLine(topic, 300))
	}
	if s.byHand {
		return "left a subscription of " + integrations.AlertLine(topic, 300) + " to be confirmed by hand", nil
	}
	if err := s.amazon.confirm(ctx, topic, d.At("SubscribeURL").Text()); err != nil {
		return "", fmt.Errorf("confirm the subscription of %s: %w", integrations.AlertLine(topic, 300), err)
	}
	return "subscribed to " + integrations.AlertLine(topic, 300), nil
}
