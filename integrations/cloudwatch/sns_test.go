package cloudwatch

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/integrationstest"
	"github.com/signalbox-chatops/signalbox/integrations/kit/loose"
)

const certAt = "https://sns.ap-northeast-1.amazonaws.com/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"

// fakeAmazon answers as SNS does, and nobody else's address.
type fakeAmazon struct {
	key    *rsa.PrivateKey
	cert   []byte
	status int
	fail   error

	mu    sync.Mutex
	asked []string
}

func newFakeAmazon(t *testing.T, from, to time.Time) *fakeAmazon {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "sns.amazonaws.com"}, NotBefore: from, NotAfter: to}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return &fakeAmazon{key: key, cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), status: 200}
}

func (f *fakeAmazon) RoundTrip(r *http.Request) (*http.Response, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, r.URL.String())
	if f.fail != nil {
		return nil, f.fail
	}
	body := "<ConfirmSubscriptionResponse/>"
	if strings.HasSuffix(r.URL.Path, ".pem") {
		body = string(f.cert)
	}
	return &http.Response{StatusCode: f.status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

func (f *fakeAmazon) times() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.asked)
}

// sign signs a message as SNS does, and gives its body.
func (f *fakeAmazon) sign(t *testing.T, m map[string]any) []byte {
	t.Helper()
	raw, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	d, err := loose.Object(raw)
	if err != nil {
		t.Fatal(err)
	}
	parsed := messageOf(d)
	var signature []byte
	if parsed.SignatureVersion == "2" {
		sum := sha256.Sum256(parsed.signed())
		signature, err = rsa.SignPKCS1v15(rand.Reader, f.key, crypto.SHA256, sum[:])
	} else {
		sum := sha1.Sum(parsed.signed())
		signature, err = rsa.SignPKCS1v15(rand.Reader, f.key, crypto.SHA1, sum[:])
	}
	if err != nil {
		t.Fatal(err)
	}
	m["Signature"] = base64.StdEncoding.EncodeToString(signature)
	if raw, err = json.Marshal(m); err != nil {
		t.Fatal(err)
	}
	return raw
}

func notification() map[string]any {
	return map[string]any{"Type": "Notification", "MessageId": "m-1", "TopicArn": topic, "Subject": "ALARM", "Message": `{"AlarmName":"x"}`, "Timestamp": "2026-11-20T03:04:05.321Z", "SignatureVersion": "1", "SigningCertURL": certAt}
}

func subscription() map[string]any {
	return map[string]any{"Type": "SubscriptionConfirmation", "MessageId": "m-2", "TopicArn": topic, "Message": "You have chosen", "Timestamp": "2026-11-20T03:04:05.321Z", "Token": "t0k3n", "SignatureVersion": "2", "SigningCertURL": certAt,
		"SubscribeURL": "https://sns.ap-northeast-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=" + topic + "&Token=t0k3n"}
}

// The text under the signature is that of Amazon's documentation, line by line.
func TestSigned(t *testing.T) {
	m := message{Type: "Notification", Message: "Hello world!", MessageID: "22b80b92", Subject: "My First Message", HasSubject: true, Timestamp: "2012-05-02T00:54:06.655Z", TopicARN: "arn:aws:sns:us-west-2:123456789012:MyTopic"}
	if got, want := string(m.signed()), "Message\nHello world!\nMessageId\n22b80b92\nSubject\nMy First Message\nTimestamp\n2012-05-02T00:54:06.655Z\nTopicArn\narn:aws:sns:us-west-2:123456789012:MyTopic\nType\nNotification\n"; got != want {
		t.Errorf("a notification is signed as %q", got)
	}
	m = message{Type: "SubscriptionConfirmation", Message: "You have chosen", MessageID: "165545c9", SubscribeURL: "https://x", Timestamp: "2012-04-26T20:45:04.751Z", Token: "2336", TopicARN: "arn"}
	if got, want := string(m.signed()), "Message\nYou have chosen\nMessageId\n165545c9\nSubscribeURL\nhttps://x\nTimestamp\n2012-04-26T20:45:04.751Z\nToken\n2336\nTopicArn\narn\nType\nSubscriptionConfirmation\n"; got != want {
		t.Errorf("a confirmation is signed as %q", got)
	}
}

func TestAuthentic(t *testing.T) {
	now := time.Now()
	with := func(k string, v any) func(map[string]any) {
		return func(m map[string]any) {
			if m[k] = v; v == nil {
				delete(m, k)
			}
		}
	}
	for _, c := range []struct {
		name           string
		before, after  func(map[string]any) // the signature is made
		good           bool
		neverAsked     bool
		amazon         func(*fakeAmazon)
		later, anyKind bool
	}{
		{name: "version 1", good: true},
		{name: "version 2", before: with("SignatureVersion", "2"), good: true},
		{name: "without a subject", before: with("Subject", nil), good: true},
		{name: "another message", after: with("Message", `{"AlarmName":"y"}`)},
		{name: "a subject put in", before: with("Subject", nil), after: with("Subject", "x")},
		{name: "another type", after: with("Type", "SubscriptionConfirmation")},
		{name: "version 1 as 2", after: with("SignatureVersion", "2")},
		{name: "version 3", after: with("SignatureVersion", "3"), neverAsked: true},
		{name: "no signature", after: with("Signature", ""), neverAsked: true},
		{name: "no base64", after: with("Signature", "%%%"), neverAsked: true},
		{name: "another topic", before: with("TopicArn", "arn:aws:sns:ap-northeast-1:999999999999:alarms"), neverAsked: true},
		{name: "a certificate elsewhere", before: with("SigningCertURL", "https://sns.ap-northeast-1.amazonaws.com.evil.example/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"), neverAsked: true},
		{name: "a certificate of a bucket", before: with("SigningCertURL", "https://evil.s3.amazonaws.com/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"), neverAsked: true},
		{name: "a certificate without TLS", before: with("SigningCertURL", strings.Replace(certAt, "https", "http", 1)), neverAsked: true},
		{name: "a certificate of a user", before: with("SigningCertURL", strings.Replace(certAt, "//", "//sns.ap-northeast-1.amazonaws.com@", 1)), neverAsked: true},
		{name: "a certificate at a port", before: with("SigningCertURL", strings.Replace(certAt, ".com/", ".com:8443/", 1)), neverAsked: true},
		{name: "a certificate of another region", before: with("SigningCertURL", strings.Replace(certAt, "ap-northeast-1", "us-east-1", 1)), neverAsked: true},
		{name: "another path", before: with("SigningCertURL", "https://sns.ap-northeast-1.amazonaws.com/?Action=Publish"), neverAsked: true},
		{name: "a path above", before: with("SigningCertURL", "https://sns.ap-northeast-1.amazonaws.com/x/../SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"), neverAsked: true},
		{name: "the certificate ended", amazon: func(f *fakeAmazon) { *f = *newFakeAmazon(t, now.Add(-2*time.Hour), now.Add(-time.Hour)) }},
		{name: "the certificate is gone", amazon: func(f *fakeAmazon) { f.status = 404 }},
		{name: "the certificate is none", amazon: func(f *fakeAmazon) { f.cert = []byte("hello") }},
		{name: "Amazon is out of order", amazon: func(f *fakeAmazon) { f.status = 503 }, later: true},
		{name: "Amazon is not there", amazon: func(f *fakeAmazon) { f.fail = errors.New("no route") }, later: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFakeAmazon(t, now.Add(-time.Hour), now.Add(time.Hour))
			if c.amazon != nil {
				c.amazon(f)
			}
			m := notification()
			if c.before != nil {
				c.before(m)
			}
			body := f.sign(t, m)
			if c.after != nil {
				c.after(m)
				var err error
				if body, err = json.Marshal(m); err != nil {
					t.Fatal(err)
				}
			}
			s := makeSource(t, integrations.AlertOptions{HTTP: f}, topic)
			err := s.Authentic(t.Context(), http.Header{}, body)
			var later *integrations.Later
			switch {
			case c.good && err != nil, !c.good && err == nil:
				t.Errorf("good is %v, and the error %v", c.good, err)
			case !c.good && errors.As(err, &later) != c.later:
				t.Errorf("later is %v, and the error %v", c.later, err)
			}
			if asked := f.times(); (asked == 0) != c.neverAsked {
				t.Errorf("Amazon was asked %d times", asked)
			}
		})
	}
}

// What is put beside the signed fields is not read in their place: neither a field in
// other letters nor one that a raw delivery would have.
func TestReadsWhatIsSigned(t *testing.T) {
	f := newFakeAmazon(t, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	s := makeSource(t, integrations.AlertOptions{HTTP: f}, topic)
	signed := string(f.sign(t, notification()))
	for _, extra := range []string{`"message":"{\"AlarmName\":\"forged\"}"`, `"AlarmName":"forged","NewStateValue":"OK"`, `"Message":"{\"AlarmName\":\"forged\"}"`, `"TopicArn":null`} {
		for _, body := range []string{"{" + extra + "," + signed[1:], signed[:len(signed)-1] + "," + extra + "}"} {
			header := http.Header{"X-Amz-Sns-Rawdelivery": {"true"}}
			if s.Authentic(t.Context(), header, []byte(body)) != nil {
				continue
			}
			n, err := s.Read(header, []byte(body))
			if err != nil || len(n.Alerts) != 1 || n.Alerts[0].Check != "x" {
				t.Errorf("%s beside what is signed becomes %+v, %v", extra, n, err)
			}
		}
	}
}

// The certificate is fetched once; what names ever new ones does not have us ask without
// end.
func TestCertificatesAreAskedForSeldom(t *testing.T) {
	f := newFakeAmazon(t, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	s := makeSource(t, integrations.AlertOptions{HTTP: f}, topic)
	for range 5 {
		if err := s.Authentic(t.Context(), nil, f.sign(t, notification())); err != nil {
			t.Fatal(err)
		}
	}
	if f.times() != 1 {
		t.Errorf("asked %d times for one certificate", f.times())
	}
	for i := range 50 {
		m := notification()
		m["SigningCertURL"] = strings.Replace(certAt, "0123", string(rune('a'+i%6))+"00"+string(rune('0'+i%10)), 1)
		_ = s.Authentic(t.Context(), nil, f.sign(t, m)) // what comes of it is another test's
	}
	if f.times() > certAgain+1 {
		t.Errorf("asked %d times", f.times())
	}
}

func TestConfirm(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(map[string]any)
		amazon func(*fakeAmazon)
		topics []string
		did    bool
		later  bool
		asked  int
	}{
		{name: "right", topics: []string{topic}, did: true, asked: 1},
		{name: "any topic, by a token", did: true, asked: 1},
		{name: "another topic", topics: []string{topic + "2"}},
		{name: "another host", change: func(m map[string]any) {
			m["SubscribeURL"] = "https://evil.example/?Action=ConfirmSubscription&TopicArn=" + topic
		}},
		{name: "this machine", change: func(m map[string]any) { m["SubscribeURL"] = "http://169.254.169.254/latest/meta-data/" }},
		{name: "another action", change: func(m map[string]any) {
			m["SubscribeURL"] = "https://sns.ap-northeast-1.amazonaws.com/?Action=DeleteTopic&TopicArn=" + topic
		}},
		{name: "another topic's", change: func(m map[string]any) {
			m["SubscribeURL"] = "https://sns.ap-northeast-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=" + topic + "2"
		}},
		{name: "too late", amazon: func(f *fakeAmazon) { f.status = 403 }, asked: 1},
		{name: "Amazon is out of order", amazon: func(f *fakeAmazon) { f.status = 500 }, asked: 1, later: true},
		{name: "Amazon is not there", amazon: func(f *fakeAmazon) { f.fail = errors.New("no route") }, asked: 1, later: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFakeAmazon(t, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
			if c.amazon != nil {
				c.amazon(f)
			}
			m := subscription()
			if c.change != nil {
				c.change(m)
			}
			did, err := makeSource(t, integrations.AlertOptions{HTTP: f}, c.topics...).Confirm(t.Context(), http.Header{}, f.sign(t, m))
			var later *integrations.Later
			if (did != "") != c.did || (err == nil) != c.did || errors.As(err, &later) != c.later || f.times() != c.asked {
				t.Errorf("did %q, %v; asked %d times", did, err, f.times())
			}
			if err != nil && strings.Contains(err.Error(), "t0k3n") {
				t.Errorf("the error tells the token: %v", err)
			}
		})
	}
	s := makeSource(t, integrations.AlertOptions{HTTP: newFakeAmazon(t, time.Now(), time.Now())})
	for _, name := range []string{"alarm", "unsubscribed", "eventbridge_direct", "malformed", "raw"} {
		header, body := integrationstest.Samples(t, samples)[name].Delivery(t)
		if did, err := s.Confirm(t.Context(), header, body); did != "" || err != nil {
			t.Errorf("%s: did %q, %v", name, did, err)
		}
	}
}
