package slack

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// frame is one as a server sends it.
func frame(first byte, payload []byte) []byte {
	head := []byte{first}
	switch n := len(payload); {
	case n < 126:
		head = append(head, byte(n))
	case n < 1<<16:
		head = binary.BigEndian.AppendUint16(append(head, 126), uint16(n))
	default:
		head = binary.BigEndian.AppendUint64(append(head, 127), uint64(n))
	}
	return append(head, payload...)
}

// The reasons are read however the bytes are cut, and nothing else is.
func TestPeekReadsReasons(t *testing.T) {
	const text, ping, binaryFrame = 0x81, 0x89, 0x82
	stream := []byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n")
	for _, f := range [][]byte{
		frame(text, []byte(hello)),
		frame(ping, []byte(`{"type":"disconnect","reason":"a ping"}`)),
		frame(text, []byte(`{"type":"disconnect","reason":"warning"}`)),
		frame(text, []byte(`{"type":"slash_commands","payload":{"text":"\"disconnect\""}}`)),
		frame(text, bytes.Repeat([]byte("x"), 300)),
		frame(text, append([]byte(`{"type":"disconnect","reason":"long"}`), bytes.Repeat([]byte(" "), mostPeeked)...)),
		frame(binaryFrame, []byte(`{"type":"disconnect","reason":"binary"}`)),
		frame(text, bytes.Repeat([]byte("y"), 70000)),
		frame(0x01, []byte(`{"type":"disconnect","reason":"half"}`)), // not the last of its message
		frame(0x80, nil),
		frame(text, nil),
		frame(text, []byte(`{"type":"disconnect","reason":"link_disabled","debug_info":{"host":"applink-1"}}`)),
	} {
		stream = append(stream, f...)
	}
	for _, size := range []int{1, 2, 3, 7, 64, 1000, 4096, len(stream)} {
		var got []string
		p := &peekConn{seen: func(r string) { got = append(got, r) }}
		for chunk := range slices.Chunk(stream, size) {
			p.look(chunk)
		}
		if want := []string{"warning", "link_disabled"}; !slices.Equal(got, want) {
			t.Errorf("in pieces of %d: %q, want %q", size, got, want)
		}
	}
}

func FuzzPeek(f *testing.F) {
	f.Add([]byte("HTTP/1.1 101 x\r\n\r\n\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff"), 1)
	f.Add(append([]byte("\r\n\r\n"), frame(0x81, []byte(`{"type":"disconnect","reason":"x"}`))...), 5)
	f.Fuzz(func(t *testing.T, stream []byte, size int) {
		read := func(n int) (got []string) {
			p := &peekConn{seen: func(r string) { got = append(got, r) }}
			for chunk := range slices.Chunk(stream, n) {
				p.look(chunk)
			}
			return got
		}
		if size < 1 || size > 1<<16 || len(stream) == 0 {
			return
		}
		if a, b := read(size), read(len(stream)); !slices.Equal(a, b) {
			t.Errorf("in pieces of %d: %q, at once: %q", size, a, b)
		}
	})
}

// secureLink is a wss server that says one disconnect.
func secureLink(t *testing.T) (*httptest.Server, *tls.Config) {
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer conn.Close()
		conn.WriteMessage(websocket.TextMessage, []byte(`{"type":"disconnect","reason":"warning"}`))
		conn.ReadMessage()
	}))
	t.Cleanup(srv.Close)
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	return srv, &tls.Config{RootCAs: roots}
}

func dialAndRead(t *testing.T, d dialing, address string) (reason string, err error) {
	ctx, cancel := context.WithTimeout(t.Context(), enough)
	defer cancel()
	conn, res, err := d.dialer(func(r string) { reason = r }).DialContext(ctx, address, nil)
	if err != nil {
		return "", err
	}
	if res.Body != nil {
		res.Body.Close()
	}
	defer conn.Close()
	conn.SetReadDeadline(time.Now().Add(enough))
	_, _, err = conn.ReadMessage()
	return reason, err
}

func TestDialSecurely(t *testing.T) {
	srv, trust := secureLink(t)
	none := func(*http.Request) (*url.URL, error) { return nil, nil }
	address := "wss" + strings.TrimPrefix(srv.URL, "https")
	if reason, err := dialAndRead(t, dialing{proxy: none, tls: trust}, address); err != nil || reason != "warning" {
		t.Errorf("read %q, %v", reason, err)
	}
	if _, err := dialAndRead(t, dialing{proxy: none}, address); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("an unknown certificate: %v", err)
	}
}

func TestDialByProxy(t *testing.T) {
	srv, trust := secureLink(t)
	var asked atomic.Value
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Store(r.Method + " " + r.Host + " " + r.Header.Get("Proxy-Authorization"))
		if r.Header.Get("Proxy-Authorization") == "" {
			http.Error(w, "who are you", http.StatusProxyAuthRequired)
			return
		}
		to, err := net.Dial("tcp", r.Host)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		from, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer from.Close()
		defer to.Close()
		io.WriteString(from, "HTTP/1.1 200 Connection established\r\n\r\n")
		go func() { io.Copy(to, rw); to.Close() }()
		io.Copy(from, bufio.NewReader(to))
	}))
	t.Cleanup(proxy.Close)
	by := func(user *url.Userinfo) func(*http.Request) (*url.URL, error) {
		return func(r *http.Request) (*url.URL, error) {
			if r.URL.Scheme != "https" {
				t.Errorf("the proxy was asked for for %s", r.URL)
			}
			u, err := url.Parse(proxy.URL)
			u.User = user
			return u, err
		}
	}
	address := "wss" + strings.TrimPrefix(srv.URL, "https")
	reason, err := dialAndRead(t, dialing{proxy: by(url.UserPassword("me", "pw")), tls: trust}, address)
	if err != nil || reason != "warning" {
		t.Errorf("read %q, %v", reason, err)
	}
	want := "CONNECT " + strings.TrimPrefix(srv.URL, "https://") + " Basic " + base64.StdEncoding.EncodeToString([]byte("me:pw"))
	if asked.Load() != want {
		t.Errorf("the proxy was asked %q, want %q", asked.Load(), want)
	}
	if _, err := dialAndRead(t, dialing{proxy: by(nil), tls: trust}, address); err == nil || !strings.Contains(err.Error(), "407") {
		t.Errorf("refused by the proxy: %v", err)
	}
}
