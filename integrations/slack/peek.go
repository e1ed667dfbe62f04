package slack

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/gorilla/websocket"
)

// slack-go swallows Slack's disconnect frame together with its reason, and one of
// the reasons (link_disabled) must end the bot instead of making it reconnect for
// ever. So the connection below slack-go is one that reads along.

const (
	dialTimeout = 10 * time.Second
	// mostPeeked is how long a frame may be to be looked into; a disconnect has
	// about 150 bytes.
	mostPeeked = 2048
	// writeBuffer holds every ack in one frame: Slack drops those in several.
	writeBuffer = 32 << 10
)

// dialing is how connections are made.
type dialing struct {
	proxy func(*http.Request) (*url.URL, error)
	tls   *tls.Config // nil is the usual; without a server name
}

// dialer makes connections that tell onDisconnect the reason Slack gave.
func (d dialing) dialer(onDisconnect func(reason string)) *websocket.Dialer {
	dial := func(secure bool) func(ctx context.Context, network, addr string) (net.Conn, error) {
		return func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := d.through(ctx, network, addr, secure)
			if err != nil {
				return nil, err
			}
			return &peekConn{Conn: conn, seen: onDisconnect}, nil
		}
	}
	return &websocket.Dialer{
		HandshakeTimeout:  dialTimeout,
		WriteBufferSize:   writeBuffer,
		NetDialContext:    dial(false),
		NetDialTLSContext: dial(true),
	}
}

// through connects to addr, by the proxy that the settings name, if any.
func (d dialing) through(ctx context.Context, network, addr string, secure bool) (net.Conn, error) {
	scheme := "http"
	if secure {
		scheme = "https"
	}
	proxy, err := d.proxy(&http.Request{URL: &url.URL{Scheme: scheme, Host: addr}})
	if err != nil {
		return nil, fmt.Errorf("read the proxy settings: %w", err)
	}
	plain := &net.Dialer{Timeout: dialTimeout}
	var conn net.Conn
	if proxy == nil {
		conn, err = plain.DialContext(ctx, network, addr)
	} else {
		conn, err = d.by(ctx, plain, proxy, addr)
	}
	if err != nil || !secure {
		return conn, err
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("connect to %s: %w", addr, err)
	}
	tc := tls.Client(conn, d.config(host))
	if err := tc.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, fmt.Errorf("TLS with %s: %w", host, err)
	}
	return tc, nil
}

func (d dialing) config(host string) *tls.Config {
	c := d.tls.Clone()
	if c == nil {
		c = &tls.Config{}
	}
	c.ServerName, c.NextProtos = host, []string{"http/1.1"}
	return c
}

// by asks an HTTP proxy for a tunnel to addr.
func (d dialing) by(ctx context.Context, plain *net.Dialer, proxy *url.URL, addr string) (net.Conn, error) {
	ports := map[string]string{"http": "80", "https": "443"}
	port, ok := ports[proxy.Scheme]
	if !ok {
		return nil, fmt.Errorf("connect by the proxy %s: only http and https proxies are understood", proxy.Redacted())
	}
	if proxy.Port() != "" {
		port = proxy.Port()
	}
	at := net.JoinHostPort(proxy.Hostname(), port)
	conn, err := plain.DialContext(ctx, "tcp", at)
	if err != nil {
		return nil, fmt.Errorf("connect to the proxy %s: %w", at, err)
	}
	if proxy.Scheme == "https" {
		conn = tls.Client(conn, d.config(proxy.Hostname()))
	}
	if deadline, ok := ctx.Deadline(); ok {
		conn.SetDeadline(deadline)
	}
	req := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: addr}, Host: addr, Header: http.Header{}}
	if u := proxy.User; u != nil {
		pass, _ := u.Password()
		req.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(u.Username()+":"+pass)))
	}
	if err := req.Write(conn); err != nil {
		conn.Close()
		return nil, fmt.Errorf("ask the proxy %s for %s: %w", at, addr, err)
	}
	// Nothing follows the answer before we speak, so the reader holds back no byte.
	res, err := http.ReadResponse(bufio.NewReader(conn), req)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("it answered %s", res.Status)
	}
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("ask the proxy %s for %s: %w", at, addr, err)
	}
	conn.SetDeadline(time.Time{})
	return conn, nil
}

// peekConn is a connection whose incoming WebSocket frames are looked at as they
// pass. It changes nothing and keeps at most one short frame.
type peekConn struct {
	net.Conn
	seen func(reason string)

	upgraded bool   // the HTTP answer is over
	tail     []byte // the last bytes of the HTTP answer, or an incomplete frame header
	skip     uint64 // bytes left of a frame that is not looked into
	want     int    // length of the frame being kept, 0 if none is
	frame    []byte
}

// Read is called by one goroutine at a time, as gorilla's reader is.
func (p *peekConn) Read(b []byte) (int, error) {
	n, err := p.Conn.Read(b)
	p.look(b[:n])
	return n, err
}

func (p *peekConn) look(b []byte) {
	if !p.upgraded {
		p.tail = append(p.tail, b...)
		end := bytes.Index(p.tail, []byte("\r\n\r\n"))
		if end < 0 {
			p.tail = p.tail[max(0, len(p.tail)-3):]
			return
		}
		b, p.tail, p.upgraded = p.tail[end+4:], nil, true
	}
	for len(b) > 0 {
		switch {
		case p.skip > 0:
			n := min(p.skip, uint64(len(b)))
			b, p.skip = b[n:], p.skip-n
		case p.want > 0:
			n := min(p.want-len(p.frame), len(b))
			p.frame, b = append(p.frame, b[:n]...), b[n:]
			if len(p.frame) == p.want {
				p.read(p.frame)
				p.frame, p.want = p.frame[:0], 0
			}
		default:
			p.tail = append(p.tail, b[0])
			b = b[1:]
			p.header()
		}
	}
}

// header reads the frame header in tail, once it is whole.
func (p *peekConn) header() {
	h := p.tail
	if len(h) < 2 {
		return
	}
	size, need := uint64(h[1]&0x7f), 2
	switch size {
	case 126:
		need = 4
	case 127:
		need = 10
	}
	if len(h) < need {
		return
	}
	switch need {
	case 4:
		size = uint64(binary.BigEndian.Uint16(h[2:]))
	case 10:
		size = binary.BigEndian.Uint64(h[2:])
	}
	const whole, text, masked = 0x80, 0x1, 0x80
	if h[0] == whole|text && h[1]&masked == 0 && size > 0 && size <= mostPeeked {
		p.want = int(size)
	} else {
		p.skip = size
		if h[1]&masked != 0 {
			p.skip += 4
		}
	}
	p.tail = p.tail[:0]
}

func (p *peekConn) read(frame []byte) {
	if !bytes.Contains(frame, []byte(`"disconnect"`)) {
		return
	}
	var f struct{ Type, Reason string }
	if json.Unmarshal(frame, &f) == nil && f.Type == "disconnect" {
		p.seen(f.Reason)
	}
}
