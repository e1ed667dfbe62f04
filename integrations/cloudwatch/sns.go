package cloudwatch

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/loose"
	"github.com/signalbox-chatops/signalbox/integrations/kit/transport"
)

const (
	askLimit  = 5 * time.Second // SNS waits 15 for its answer
	certsKept = 64
	longest   = 64 << 10 // of an answer of Amazon's
	certAgain = 3        // certificates that are asked for at once, and one more each
	certEvery = 10 * time.Second
)

// message is what SNS signs (docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html).
type message struct {
	Type, MessageID, TopicARN, Message, Timestamp string
	Subject                                       string
	HasSubject                                    bool
	Token, SubscribeURL                           string
	SignatureVersion, Signature, SigningCertURL   string
}

// messageOf takes the fields from what Read takes them from, so that both see the same
// ones where a body has some of them twice, or in other letters.
func messageOf(d loose.Value) message {
	text := func(name string) string { return d.At(name).Text() }
	return message{
		Type: text("Type"), MessageID: text("MessageId"), TopicARN: text("TopicArn"), Message: text("Message"), Timestamp: text("Timestamp"),
		Subject: text("Subject"), HasSubject: d.At("Subject").Is(), Token: text("Token"), SubscribeURL: text("SubscribeURL"),
		SignatureVersion: text("SignatureVersion"), Signature: text("Signature"), SigningCertURL: text("SigningCertURL"),
	}
}

// signed is the text under the signature: names and values in their order.
func (m message) signed() []byte {
	var b strings.Builder
	put := func(name, value string) { b.WriteString(name + "\n" + value + "\n") }
	put("Message", m.Message)
	put("MessageId", m.MessageID)
	if m.Type == "Notification" {
		if m.HasSubject {
			put("Subject", m.Subject)
		}
	} else {
		put("SubscribeURL", m.SubscribeURL)
	}
	put("Timestamp", m.Timestamp)
	if m.Type != "Notification" {
		put("Token", m.Token)
	}
	put("TopicArn", m.TopicARN)
	put("Type", m.Type)
	return []byte(b.String())
}

// amazon is what is asked of Amazon: certificates, and the confirmation of subscriptions.
type amazon struct {
	http  *http.Client
	asks  *rate.Limiter
	mu    sync.Mutex // held while one certificate is fetched
	certs map[string]*x509.Certificate
}

func newAmazon(base http.RoundTripper) *amazon {
	return &amazon{
		http: &http.Client{
			Transport:     transport.New(transport.Options{Base: base, Timeout: askLimit, Tries: 1, MaxBody: longest}),
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		asks: rate.NewLimiter(rate.Every(certEvery), certAgain), certs: map[string]*x509.Certificate{},
	}
}

var (
	snsHost  = regexp.MustCompile(`^sns\.[a-z]{2}(?:-[a-z]+)+-[0-9]\.amazonaws\.com(?:\.cn)?$`)
	certPath = regexp.MustCompile(`^/SimpleNotificationService-[0-9a-f]{32}\.pem$`)
)

// ofSNS reads an address that a message names: it has to be one of SNS itself, in the
// region of the topic. Whoever may name another would have us take their key, or ask
// their server.
func ofSNS(text, topic string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.User != nil || u.Fragment != "" || !snsHost.MatchString(u.Host) {
		return nil, errors.New("its address is not one of SNS")
	}
	if parts := topicForm.FindStringSubmatch(topic); parts == nil || !strings.HasPrefix(u.Host, "sns."+parts[2]+".amazonaws.com") {
		return nil, errors.New("its address is not one of SNS in the topic's region")
	}
	return u, nil
}

// verify checks the signature of a message: version 1 is SHA-1 with RSA, 2 SHA-256.
func (a *amazon) verify(ctx context.Context, m message) error {
	u, err := ofSNS(m.SigningCertURL, m.TopicARN)
	if err != nil || u.RawQuery != "" || !certPath.MatchString(u.Path) {
		return fmt.Errorf("its certificate is not at SNS: %w", integrations.ErrAlertForged)
	}
	signature, err := base64.StdEncoding.DecodeString(m.Signature)
	if err != nil {
		return integrations.ErrAlertForged
	}
	hash, sum := crypto.SHA256, []byte(nil)
	switch m.SignatureVersion {
	case "1":
		s := sha1.Sum(m.signed())
		hash, sum = crypto.SHA1, s[:]
	case "2":
		s := sha256.Sum256(m.signed())
		sum = s[:]
	default:
		return fmt.Errorf("its signature is of another version than 1 and 2: %w", integrations.ErrAlertForged)
	}
	cert, err := a.cert(ctx, u.String())
	if err != nil {
		return err
	}
	key, ok := cert.PublicKey.(*rsa.PublicKey)
	if !ok || rsa.VerifyPKCS1v15(key, hash, sum, signature) != nil {
		return integrations.ErrAlertForged
	}
	return nil
}

// cert is the certificate at an address, which never changes. Anybody can make us ask, so
// it is done seldom.
func (a *amazon) cert(ctx context.Context, at string) (*x509.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	cert, ok := a.certs[at]
	if !ok {
		if !a.asks.Allow() {
			return nil, &integrations.Later{After: certEvery, Err: errors.New("too many certificates were asked for")}
		}
		body, status, err := a.get(ctx, at)
		switch {
		case err != nil:
			return nil, &integrations.Later{After: certEvery, Err: fmt.Errorf("fetch the certificate of SNS: %w", err)}
		case status >= 500 || status == http.StatusTooManyRequests:
			return nil, &integrations.Later{After: certEvery, Err: fmt.Errorf("fetch the certificate of SNS: the answer is %d", status)}
		case status != http.StatusOK:
			return nil, fmt.Errorf("its certificate is not at SNS: %w", integrations.ErrAlertForged)
		}
		block, _ := pem.Decode(body)
		if block == nil {
			return nil, fmt.Errorf("its certificate is none: %w", integrations.ErrAlertForged)
		}
		if cert, err = x509.ParseCertificate(block.Bytes); err != nil {
			return nil, fmt.Errorf("its certificate is none: %w", integrations.ErrAlertForged)
		}
		if len(a.certs) >= certsKept {
			clear(a.certs)
		}
		a.certs[at] = cert
	}
	// TLS has shown that Amazon gave it to us; its dates are judged by the machine's clock.
	if now := time.Now(); now.Before(cert.NotBefore) || now.After(cert.NotAfter) {
		return nil, fmt.Errorf("its certificate was good from %s to %s: %w", cert.NotBefore.Format(time.DateOnly), cert.NotAfter.Format(time.DateOnly), integrations.ErrAlertForged)
	}
	return cert, nil
}

func (a *amazon) get(ctx context.Context, at string) (body []byte, status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, 0, err
	}
	resp, err := a.http.Do(req)
	if err != nil {
		var outer *url.Error // which holds the address, and so a token
		if errors.As(err, &outer) {
			err = outer.Err
		}
		return nil, 0, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(io.LimitReader(resp.Body, longest))
	return body, resp.StatusCode, err
}

// confirm opens the address that a topic wants opened. SNS answers the same when it is
// opened again.
func (a *amazon) confirm(ctx context.Context, topic, at string) error {
	u, err := ofSNS(at, topic)
	if err != nil {
		return err
	}
	q := u.Query()
	if q.Get("Action") != "ConfirmSubscription" || q.Get("TopicArn") != topic {
		return errors.New("its address confirms something else")
	}
	_, status, err := a.get(ctx, u.String())
	switch {
	case err != nil:
		return &integrations.Later{After: time.Minute, Err: err}
	case status >= 500 || status == http.StatusTooManyRequests:
		return &integrations.Later{After: time.Minute, Err: fmt.Errorf("SNS answers %d", status)}
	case status != http.StatusOK:
		return fmt.Errorf("SNS answers %d; ask for another confirmation in its console", status)
	}
	return nil
}

// console is the page of an alarm.
func console(partition, region, name string) string {
	host := map[string]string{"aws-cn": "console.amazonaws.cn", "aws-us-gov": "console.amazonaws-us-gov.com"}[partition]
	if host == "" {
		host = "console.aws.amazon.com"
	}
	return "https://" + region + "." + host + "/cloudwatch/home?region=" + url.QueryEscape(region) + "#alarmsV2:alarm/" + strings.ReplaceAll(url.QueryEscape(name), "+", "%20")
}
