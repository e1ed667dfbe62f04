package aws_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/aws"
)

// metadata is the instance metadata service at the wire: a token by PUT, and what is
// asked for by GET with that token.
type metadata struct {
	id string
	// mute drops what asks for a token, as a hop limit of 1 does to a container; old is a
	// service that knows no tokens, and would answer without one.
	mute, old bool

	mu    sync.Mutex // a call that its caller gave up may still be written down
	calls []string
}

// asked is what has been called, in order.
func (m *metadata) asked() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return strings.Join(m.calls, ", ")
}

func (m *metadata) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	m.calls = append(m.calls, r.Method+" "+r.URL.Path)
	m.mu.Unlock()
	const token = "AQAEAtoken=="
	switch {
	case r.Method == http.MethodPut && r.URL.Path == "/latest/api/token" && m.mute:
		<-r.Context().Done()
	case r.Method == http.MethodPut && r.URL.Path == "/latest/api/token" && !m.old:
		w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", r.Header.Get("X-Aws-Ec2-Metadata-Token-Ttl-Seconds"))
		fmt.Fprint(w, token)
	case r.Method == http.MethodGet && r.URL.Path == "/latest/meta-data/instance-id" && (m.old || r.Header.Get("X-Aws-Ec2-Metadata-Token") == token):
		fmt.Fprint(w, m.id)
	case r.Method == http.MethodGet:
		w.WriteHeader(http.StatusUnauthorized)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// firmware is what /sys/class/dmi/id has.
func firmware(asset, vendor string) fs.FS {
	out := fstest.MapFS{}
	for name, text := range map[string]string{"board_asset_tag": asset, "sys_vendor": vendor} {
		if text != "" {
			out[name] = &fstest.MapFile{Data: []byte(text + "\n")}
		}
	}
	return out
}

func TestSelf(t *testing.T) {
	t.Setenv("AWS_EC2_METADATA_DISABLED", "")
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	const id, nitro = "i-0abc0000000000001", "i-0abc0000000000002"
	for _, c := range []struct {
		what  string
		dmi   fs.FS
		imds  *metadata
		id    string
		onEC2 bool
		fails string
		calls string
	}{
		{what: "no EC2", dmi: firmware("Not Specified", "QEMU"), imds: &metadata{id: id}},
		{what: "no firmware", dmi: firmware("", ""), imds: &metadata{id: id}},
		{what: "by its vendor", dmi: firmware("", "Amazon EC2"), imds: &metadata{id: id}, id: id, onEC2: true, calls: "PUT /latest/api/token, GET /latest/meta-data/instance-id"},
		{what: "by its tag", dmi: firmware("i-of-another-shape", "Xen"), imds: &metadata{id: id}, id: id, onEC2: true, calls: "PUT /latest/api/token, GET /latest/meta-data/instance-id"},
		{what: "the service before the firmware", dmi: firmware(nitro, "Amazon EC2"), imds: &metadata{id: id}, id: id, onEC2: true, calls: "PUT /latest/api/token, GET /latest/meta-data/instance-id"},
		{what: "a hop too far", dmi: firmware("", "Amazon EC2"), imds: &metadata{id: id, mute: true}, onEC2: true, fails: "no answer within 1s", calls: "PUT /latest/api/token"},
		{what: "a hop too far, and the firmware knows", dmi: firmware(nitro, "Amazon EC2"), imds: &metadata{id: id, mute: true}, id: nitro, onEC2: true, calls: "PUT /latest/api/token"},
		{what: "the first version is not asked", dmi: firmware("", "Amazon EC2"), imds: &metadata{id: id, old: true}, onEC2: true, fails: "aws ask the instance metadata service for instance-id: ", calls: "PUT /latest/api/token"},
		{what: "another answer", dmi: firmware("", "Amazon EC2"), imds: &metadata{id: "<html>"}, onEC2: true, fails: `it says "<html>"`, calls: "PUT /latest/api/token, GET /latest/meta-data/instance-id"},
		{what: "firmware that cannot be read", dmi: broken{}, imds: &metadata{}, fails: "read what the firmware says: "},
	} {
		t.Run(c.what, func(t *testing.T) {
			web := httptest.NewServer(c.imds)
			defer web.Close()
			self := aws.NewSelf(aws.SelfOptions{Endpoint: web.URL, DMI: c.dmi})
			for again := range 2 { // what was found is kept
				began := time.Now()
				id, onEC2, err := self.Instance(t.Context())
				if id != c.id || onEC2 != c.onEC2 || (err != nil) != (c.fails != "") || err != nil && !strings.Contains(err.Error(), c.fails) {
					t.Errorf("%q, on EC2: %v, %v", id, onEC2, err)
				}
				if took := time.Since(began); took > 5*time.Second {
					t.Errorf("it took %v", took)
				}
				if got := c.imds.asked(); again == 0 && got != c.calls || c.id != "" && got != c.calls {
					t.Errorf("asked was %s", got)
				}
			}
		})
	}
}

// broken is firmware that cannot be read.
type broken struct{}

func (broken) Open(string) (fs.File, error) { return nil, fs.ErrPermission }

// Whoever asks may give up before.
func TestSelfEndsWithWhoAsks(t *testing.T) {
	web := httptest.NewServer(&metadata{mute: true})
	defer web.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if id, onEC2, err := aws.NewSelf(aws.SelfOptions{Endpoint: web.URL, DMI: firmware("", "Amazon EC2")}).Instance(ctx); id != "" || !onEC2 || err == nil || errors.Is(err, fs.ErrPermission) {
		t.Errorf("%q, on EC2: %v, %v", id, onEC2, err)
	}
}
