package slacksim

import (
	"bufio"
	"encoding/binary"
	"net"
	"net/http"
	"sync/atomic"
)

// Slack does not put fragmented messages together again: it drops them. The
// websocket library does so silently, before anybody can object; so the bytes
// are looked at on their way to it.

// hijacker hands out a connection whose incoming frames are watched.
type hijacker struct {
	http.ResponseWriter
	conn *watchedConn
}

func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	h.conn = &watchedConn{Conn: c}
	return h.conn, rw, nil
}

// watchedConn follows the frame headers of a client (RFC 6455, section 5.2).
type watchedConn struct {
	net.Conn
	head []byte // of the frame being read, until it is whole
	skip uint64 // payload bytes still to come
	// parts counts messages that came in more than one frame.
	parts atomic.Int64
}

func (c *watchedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	for b := p[:n]; len(b) > 0; {
		if c.skip > 0 {
			k := min(uint64(len(b)), c.skip)
			c.skip -= k
			b = b[k:]
			continue
		}
		c.head = append(c.head, b[0])
		b = b[1:]
		if size, whole := frame(c.head); whole {
			const fin, opcode = 0x80, 0x0f
			if op := c.head[0] & opcode; c.head[0]&fin == 0 && (op == 1 || op == 2) {
				c.parts.Add(1)
			}
			c.skip, c.head = size, c.head[:0]
		}
	}
	return n, err
}

// frame reports whether head is a whole frame header, and the payload's size.
func frame(head []byte) (size uint64, whole bool) {
	if len(head) < 2 {
		return 0, false
	}
	need, ext := 2, 0
	switch head[1] & 0x7f {
	case 126:
		ext = 2
	case 127:
		ext = 8
	}
	need += ext
	if head[1]&0x80 != 0 { // masked, as every client frame is
		need += 4
	}
	if len(head) < need {
		return 0, false
	}
	switch ext {
	case 2:
		return uint64(binary.BigEndian.Uint16(head[2:])), true
	case 8:
		return binary.BigEndian.Uint64(head[2:]), true
	}
	return uint64(head[1] & 0x7f), true
}
