package githubsim

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// GitHub waits this long for an answer to a webhook.
const deliveryTimeout = 10 * time.Second

// Delivery is one attempt to tell a webhook of an event.
type Delivery struct {
	ID          int64     `json:"id"`
	GUID        string    `json:"guid"`
	HookID      int64     `json:"hook_id"`
	Repo        string    `json:"repo"`
	Event       string    `json:"event"`
	Action      string    `json:"action"`
	URL         string    `json:"url"`
	QueuedAt    time.Time `json:"queued_at"`
	DeliveredAt time.Time `json:"delivered_at"`
	Duration    float64   `json:"duration"` // seconds
	Status      string    `json:"status"`   // "OK" or what went wrong
	StatusCode  int       `json:"status_code"`
	Redelivery  bool      `json:"redelivery"`
	Pending     bool      `json:"pending"`
	Lost        bool      `json:"lost"` // by a fault
}

func (s *Sim) delivery(d *deliveryRow) Delivery {
	out := Delivery{
		ID: d.ID, GUID: d.GUID, HookID: d.Hook, Event: d.Event, Action: d.Action, URL: d.URL,
		QueuedAt: d.Queued, DeliveredAt: d.Delivered, Duration: d.Duration, Status: d.Status,
		StatusCode: d.Code, Redelivery: d.Redelivery, Pending: d.Pending, Lost: d.Lost,
	}
	if r := s.state.Repos.rows[d.Repo]; r != nil {
		out.Repo = r.full()
	}
	return out
}

func (s *Sim) view(d *deliveryRow) Delivery {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.delivery(d)
}

// startSender gives a repository the one goroutine that sends its webhooks, in
// order. Call it with the write lock held.
func (s *Sim) startSender(repo int64) {
	wake := make(chan struct{}, 1)
	s.senders[repo] = wake
	s.wg.Go(func() {
		for {
			for s.sendNext(repo) {
			}
			select {
			case <-wake:
			case <-s.ctx.Done():
				return
			}
		}
	})
}

func (s *Sim) wake() {
	s.mu.RLock()
	defer s.mu.RUnlock()
	s.wakeLocked()
}

func (s *Sim) wakeLocked() {
	for _, c := range s.senders {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// sendNext attempts the oldest delivery of a repository that has somewhere to
// go, and reports whether there was one.
func (s *Sim) sendNext(repo int64) bool {
	if s.ctx.Err() != nil {
		return false
	}
	d, h, body, err := s.nextDelivery(repo)
	if err != nil {
		s.log.Error("next delivery", "err", err)
		return false
	}
	if d == nil {
		return false
	}
	m := faultMatch{repo: s.repoName(repo), event: d.Event}
	if f := s.faults.take(faultLoseWebhook, m); f != nil {
		d.Pending, d.Lost, d.Status, d.Delivered = false, true, "timed out", s.clock.Now().UTC()
		return s.attempted(d)
	}
	if f := s.faults.take(faultSlowWebhook, m); f != nil {
		select {
		case <-time.After(time.Duration(f.DelayMS) * time.Millisecond):
		case <-s.ctx.Done():
			return false
		}
	}
	twice := s.faults.take(faultTwice, m)
	s.onDelivery("before", s.view(d))
	if !s.attempt(d, h, body) {
		return false
	}
	if twice != nil {
		again := *d
		if twice.NewID {
			again.GUID = newGUID()
		}
		if !s.attempt(&again, h, body) {
			return false
		}
		s.record(&again, body)
	}
	ok := s.attempted(d)
	s.onDelivery("after", s.view(d))
	return ok
}

// nextDelivery copies what an attempt needs out of the state.
func (s *Sim) nextDelivery(repo int64) (*deliveryRow, *hookRow, []byte, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var first *deliveryRow
	for _, d := range s.state.Deliveries.rows {
		if d.Pending && d.Repo == repo && (first == nil || d.ID < first.ID) {
			if h := s.state.Hooks.rows[d.Hook]; h == nil || s.urlOf(h) != "" {
				first = d
			}
		}
	}
	if first == nil || s.broken != nil {
		return nil, nil, nil, nil
	}
	d := *first
	body, err := s.payload(d.ID)
	if err != nil {
		return nil, nil, nil, err
	}
	h := &hookRow{ID: d.Hook}
	if row := s.state.Hooks.rows[d.Hook]; row != nil {
		*h = *row
		h.URL = s.urlOf(row)
	}
	return &d, h, body, nil
}

func (s *Sim) urlOf(h *hookRow) string {
	if h.URL == "" {
		return s.hookURL
	}
	return h.URL
}

func (s *Sim) repoName(id int64) string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if r := s.state.Repos.rows[id]; r != nil {
		return r.full()
	}
	return ""
}

// attempted writes down how an attempt ended.
func (s *Sim) attempted(d *deliveryRow) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	put(s, &s.state.Deliveries, d.ID, d)
	if err := s.commit(); err != nil {
		s.log.Error("record delivery", "delivery", d.GUID, "err", err)
		return false
	}
	return true
}

// record adds a delivery that has already been attempted.
func (s *Sim) record(d *deliveryRow, body []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d.ID = s.newID()
	put(s, &s.state.Deliveries, d.ID, d)
	s.state.dirty[dirtyKey{payloadBucket, d.ID}] = body
}

func signature(algorithm func() hash.Hash, secret string, body []byte) string {
	mac := hmac.New(algorithm, []byte(secret))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// attempt sends one delivery and fills in how it went. It reports false when
// the simulator is closing, and the delivery then stays pending.
func (s *Sim) attempt(d *deliveryRow, h *hookRow, payload []byte) bool {
	body, contentType := payload, "application/json"
	if h.ContentType == "form" {
		body, contentType = []byte(url.Values{"payload": {string(payload)}}.Encode()), "application/x-www-form-urlencoded"
	}
	d.URL = h.URL
	d.Headers = map[string]string{
		"Accept": "*/*", "Content-Type": contentType, "User-Agent": "GitHub-Hookshot/5a1b2c3",
		"X-GitHub-Event": d.Event, "X-GitHub-Delivery": d.GUID, "X-GitHub-Hook-ID": strconv.FormatInt(h.ID, 10),
		"X-GitHub-Hook-Installation-Target-ID": strconv.FormatInt(d.Repo, 10), "X-GitHub-Hook-Installation-Target-Type": "repository",
	}
	if h.App {
		d.Headers["X-GitHub-Hook-Installation-Target-ID"] = strconv.FormatInt(s.cfg.App.ID, 10)
		d.Headers["X-GitHub-Hook-Installation-Target-Type"] = "integration"
	}
	if h.Secret != "" {
		d.Headers["X-Hub-Signature"] = "sha1=" + signature(sha1.New, h.Secret, body)
		d.Headers["X-Hub-Signature-256"] = "sha256=" + signature(sha256.New, h.Secret, body)
	}
	began := time.Now()
	resp, err := s.send(h.URL, d.Headers, body)
	if err != nil && s.ctx.Err() != nil {
		return false
	}
	d.Pending, d.Delivered, d.Duration = false, s.clock.Now().UTC(), time.Since(began).Seconds()
	var timeout interface{ Timeout() bool }
	switch {
	case err == nil && resp.code/100 == 2:
		d.Status, d.Code = "OK", resp.code
	case err == nil:
		d.Status, d.Code = fmt.Sprintf("Invalid HTTP Response: %d", resp.code), resp.code
	case errors.As(err, &timeout) && timeout.Timeout():
		d.Status, d.Code = "timed out", http.StatusGatewayTimeout
	default:
		d.Status, d.Code = "failed to connect to host", http.StatusBadGateway
	}
	if resp != nil {
		d.RespHeader, d.RespBody = resp.header, resp.body
	}
	return true
}

type hookAnswer struct {
	code   int
	header map[string]string
	body   string
}

func (s *Sim) send(url string, headers map[string]string, body []byte) (*hookAnswer, error) {
	ctx, cancel := context.WithTimeout(s.ctx, deliveryTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for k, v := range headers {
		req.Header.Set(k, v)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return nil, err
	}
	out := &hookAnswer{code: resp.StatusCode, header: map[string]string{}, body: string(text)}
	for k := range resp.Header {
		out.header[k] = resp.Header.Get(k)
	}
	return out, nil
}

// Deliveries lists what the webhook sender did and has yet to do, oldest first.
func (s *Sim) Deliveries() []Delivery {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := []Delivery{}
	for _, d := range s.state.Deliveries.sorted(nil) {
		out = append(out, s.delivery(d))
	}
	return out
}

// Payload is the body of a delivery.
func (s *Sim) Payload(id int64) (json.RawMessage, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.state.Deliveries.rows[id] == nil {
		return nil, fmt.Errorf("payload of delivery %d: no such delivery", id)
	}
	return s.payload(id)
}

// Redeliver sends a delivery again under the same GUID, as its button does.
func (s *Sim) Redeliver(id int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.redeliver(id); err != nil {
		return err
	}
	if err := s.commit(); err != nil {
		return err
	}
	s.wakeLocked()
	return nil
}

func (s *Sim) redeliver(id int64) error {
	d := s.state.Deliveries.rows[id]
	if d == nil {
		return fmt.Errorf("redeliver %d: no such delivery", id)
	}
	body, err := s.payload(id)
	if err != nil {
		return err
	}
	s.enqueue(&deliveryRow{Repo: d.Repo, Hook: d.Hook, GUID: d.GUID, Event: d.Event, Action: d.Action, Redelivery: true}, body)
	return nil
}

// Idle reports that no delivery is pending.
func (s *Sim) Idle() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, d := range s.state.Deliveries.rows {
		if d.Pending {
			return false
		}
	}
	return true
}
