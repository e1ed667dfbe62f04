package pagerdutysim

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"
)

// How webhooks are delivered (developer.pagerduty.com, Webhooks v3): what times out or is
// answered 429 or 5xx is tried again, under the same id, and later events of its incident
// wait behind it; what is answered otherwise is dropped. PagerDuty does not say how long
// it waits between tries.
const (
	answerLimit   = 5 * time.Second // of wall time
	triesFor      = 48 * time.Hour
	firstPause    = time.Minute // twice as long each time
	longestPause  = time.Hour
	mostDrops     = 3
	disabledFor   = 24 * time.Hour
	heldFor       = time.Minute // by a fault, where no other event comes
	deliveredKept = 500
)

// How a delivery ended.
const (
	delivered = "delivered"
	dropped   = "dropped"
	lost      = "lost" // by a fault, or since the subscription was disabled
)

// Delivery is a webhook for one subscription.
type Delivery struct {
	ID           int       `json:"id"` // in the order of the events
	Webhook      string    `json:"webhook"`
	Subscription string    `json:"subscription"`
	Incident     string    `json:"incident,omitempty"`
	Event        string    `json:"event"`
	Body         string    `json:"body"`
	Queued       time.Time `json:"queued"`
	Next         time.Time `json:"next"` // when it is tried
	Tries        int       `json:"tries"`
	Status       int       `json:"status,omitempty"` // of the last answer; 0 is none
	Ended        string    `json:"ended,omitempty"`  // "" is pending
	Held         bool      `json:"held,omitempty"`   // by a fault, for another to go first
}

// Start begins to send webhooks, and to do what time does by itself. Close ends it.
func (s *Sim) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	s.sender.Go(func() {
		for {
			next, ok := s.pick()
			if ok {
				s.send(ctx, next)
			}
			if ctx.Err() != nil || !ok && !s.wait(ctx, next.due) {
				return
			}
		}
	})
}

// Close stops what Start began, and waits for it. What was not delivered is when it is
// started again.
func (s *Sim) Close() {
	if s.stop != nil {
		s.stop()
		s.sender.Wait()
	}
}

// Idle reports that nothing is due or being delivered.
func (s *Sim) Idle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	due := s.due() // what is on its way was due, and is until it has ended
	return due.IsZero() || due.After(s.clock.Now())
}

// Deliveries lists what was sent and has yet to be, oldest first.
func (s *Sim) Deliveries() (out []Delivery) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.state.Deliveries {
		out = append(out, *d)
	}
	return out
}

// wakeUp tells the sender that something has changed.
func (s *Sim) wakeUp() {
	select {
	case s.woken <- struct{}{}:
	default:
	}
}

// wait waits until a time, or until there is something else to do; false is the end.
func (s *Sim) wait(ctx context.Context, until time.Time) bool {
	var due <-chan time.Time
	if !until.IsZero() {
		t := s.clock.NewTimer(until.Sub(s.clock.Now()))
		defer t.Stop()
		due = t.C()
	}
	select {
	case <-s.woken:
	case <-due:
	case <-ctx.Done():
		return false
	}
	return true
}

// due is when something happens next by itself; zero is never.
func (s *Sim) due() time.Time {
	first, _ := s.earliest()
	for _, d := range s.heads() {
		if first.IsZero() || d.Next.Before(first) {
			first = d.Next
		}
	}
	return first
}

// heads are the deliveries that wait for nothing but their time: the first of each
// incident for each subscription.
func (s *Sim) heads() (out []*Delivery) {
	behind := map[[2]string]bool{}
	for _, d := range s.state.Deliveries {
		of := [2]string{d.Subscription, d.Incident}
		if d.Ended == "" && !behind[of] {
			behind[of], out = true, append(out, d)
		}
	}
	return out
}

// sent is one delivery to be made now; due alone where there is none.
type sent struct {
	Delivery
	to    Subscription
	twice bool
	due   time.Time
}

// pick does what is due and takes the next delivery.
func (s *Sim) pick() (next sent, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := s.advance()
	defer func() {
		if changed {
			s.keep()
		}
	}()
	now := s.clock.Now()
	for _, d := range s.heads() {
		sub := s.subscription(d.Subscription)
		switch {
		case d.Next.After(now):
			continue
		case sub == nil || s.take(faultLoseWebhook, d.Event, d.Incident) != nil:
			d.Ended, changed = lost, true
			continue
		}
		return sent{Delivery: *d, to: *sub, twice: s.take(faultTwice, d.Event, d.Incident) != nil}, true
	}
	return sent{due: s.due()}, false
}

// send makes a delivery and writes down what came of it. One that the end broke off
// stays as it was, and is made again.
func (s *Sim) send(ctx context.Context, d sent) {
	status := s.post(ctx, d)
	if d.twice && ctx.Err() == nil {
		status = s.post(ctx, d)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n := slices.IndexFunc(s.state.Deliveries, func(o *Delivery) bool { return o.ID == d.ID })
	if ctx.Err() != nil || n < 0 {
		return
	}
	s.answeredWith(s.state.Deliveries[n], status)
	s.prune()
	s.keep()
}

// keep saves what nobody waits for.
func (s *Sim) keep() {
	if err := s.save(); err != nil {
		s.log.Error("pagerduty simulator", "err", err)
	}
}

func (s *Sim) answeredWith(d *Delivery, status int) {
	now := s.clock.Now().UTC()
	d.Tries, d.Status = d.Tries+1, status
	again := status == 0 || status == http.StatusTooManyRequests || status >= 500
	switch {
	case status/100 == 2:
		d.Ended = delivered
		if sub := s.subscription(d.Subscription); sub != nil {
			sub.Drops = 0
		}
	case again && now.Sub(d.Queued) < triesFor:
		d.Next = now.Add(min(firstPause<<min(d.Tries-1, 10), longestPause))
	default:
		d.Ended = dropped
		s.drop(s.subscription(d.Subscription), now)
	}
}

// drop counts a delivery that was dropped. Three in a row disable the subscription, and
// what it has to deliver is lost.
func (s *Sim) drop(sub *Subscription, now time.Time) {
	if sub == nil {
		return
	}
	if sub.Drops++; sub.Drops >= mostDrops {
		s.disable(sub, now)
	}
}

func (s *Sim) disable(sub *Subscription, now time.Time) {
	sub.Drops, sub.Until = 0, now.Add(disabledFor).Truncate(time.Second)
	for _, d := range s.state.Deliveries {
		if d.Subscription == sub.ID && d.Ended == "" {
			d.Ended = lost
		}
	}
}

func (s *Sim) prune() {
	for n := 0; len(s.state.Deliveries)-n > deliveredKept; n++ {
		if s.state.Deliveries[n].Ended == "" {
			return
		}
		s.state.Deliveries = slices.Delete(s.state.Deliveries, n, n+1)
		n--
	}
}

// post is one try; 0 is no answer.
func (s *Sim) post(ctx context.Context, d sent) int {
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, d.to.URL, bytes.NewReader([]byte(d.Body)))
	if err != nil {
		return 0
	}
	mac := hmac.New(sha256.New, []byte(d.to.Secret))
	mac.Write([]byte(d.Body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "PagerDuty-Webhook/V3.0")
	r.Header.Set("X-Webhook-Id", d.Webhook)
	r.Header.Set("X-Webhook-Subscription", d.Subscription)
	r.Header.Set("X-PagerDuty-Signature", "v1="+hex.EncodeToString(mac.Sum(nil)))
	resp, err := s.cfg.HTTP.RoundTrip(r)
	if err != nil {
		s.log.Debug("pagerduty simulator: deliver", "event", d.Event, "err", err)
		return 0
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, maxBody)); err != nil {
		return 0
	}
	return resp.StatusCode
}

// emit tells the subscriptions of an event. data nil is the incident itself.
func (s *Sim) emit(i *Incident, event, user string, data map[string]any) {
	if data == nil {
		data = s.webhook(i)
	}
	for _, sub := range s.state.Subscriptions {
		if sub.Service == "" || sub.Service == i.Service {
			s.queue(sub, i.ID, event, s.eventBody(event, "incident", user, data))
		}
	}
}

func (s *Sim) eventBody(event, resource, user string, data map[string]any) string {
	var agent any
	if user != "" {
		agent = s.reference(user)
	}
	out, err := json.Marshal(map[string]any{"event": map[string]any{
		"id": s.id(true), "event_type": event, "resource_type": resource, "occurred_at": s.clock.Now().UTC().Format("2006-01-02T15:04:05.000Z"), "agent": agent, "client": nil, "data": data,
	}})
	if err != nil { // it is made of texts
		s.log.Error("pagerduty simulator: write an event", "err", err)
	}
	return string(out)
}

// queue has a delivery made, unless the subscription does not want it or is disabled.
func (s *Sim) queue(sub *Subscription, incident, event, body string) {
	ping := incident == ""
	if !sub.Active || !sub.Until.IsZero() || !ping && len(sub.Events) > 0 && !slices.Contains(sub.Events, event) {
		return
	}
	now := s.clock.Now().UTC()
	s.state.Queued++
	d := &Delivery{ID: s.state.Queued, Webhook: fmt.Sprintf("00000000-0000-4000-8000-%012d", s.state.Queued), Subscription: sub.ID, Incident: incident, Event: event, Body: body, Queued: now, Next: now}
	if s.take(faultReorder, event, incident) != nil {
		d.Held, d.Next = true, now.Add(heldFor)
	}
	at := len(s.state.Deliveries)
	for n, o := range s.state.Deliveries {
		if o.Held && o.Ended == "" && o.Subscription == sub.ID && o.Incident == incident && !d.Held {
			o.Held, o.Next, at = false, now, n // this one goes first
			break
		}
	}
	s.state.Deliveries = slices.Insert(s.state.Deliveries, at, d)
}
