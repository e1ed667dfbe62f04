package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"
	"golang.org/x/sys/unix"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/integrations/kit/clock"
	"github.com/signalbox-chatops/signalbox/store"
)

// The host door is a socket in the data folder, for people who are logged in to
// this machine: `signalbox ops` speaks to it. It needs no Slack. Everybody on the
// machine may connect, for it is the kernel that says who they are, and the
// configuration that says which person that is.

const (
	hostSocket  = "host.sock"
	hostAtOnce  = 8
	hostLine    = 8 << 10         // bytes of a line
	hostPatient = 5 * time.Second // for a line to come
	hostDecide  = time.Minute     // for it to be decided, of wall time
)

// hostAsk is what is sent, hostAnswer what comes back, each a line of JSON.
type hostAsk struct {
	Line string `json:"line"`
}

type hostAnswer struct {
	Text string `json:"text"`
	Code int    `json:"code"` // of the exit
}

type hostDoor struct {
	path   string
	store  *store.Store
	clock  clock.Clock
	log    *slog.Logger
	decide func(ctx context.Context, key string) error // waits until an event is decided
	// say puts an answer into the language of a user of the host.
	say func(tx *store.Tx, user string, m integrations.Message) (integrations.Message, error)
	// nobody are the users of whom one is not one person, with why.
	nobody map[uint32]string
	name   func(uid uint32) (string, error)
	room   chan struct{}
}

func (a *app) newHostDoor() *hostDoor {
	d := &hostDoor{path: filepath.Join(a.Config.Data, hostSocket), store: a.store, clock: a.Clock, log: a.Log, decide: a.dispatcher.WaitDecided,
		say: func(tx *store.Tx, user string, m integrations.Message) (integrations.Message, error) {
			return a.answerIn(tx, a.catalog.Load().PersonByHost(user), m)
		},
		nobody: map[uint32]string{}, name: userName, room: make(chan struct{}, hostAtOnce)}
	d.nobody[uint32(os.Getuid())] = "It is the user that signalbox runs as, and so does the code of every pull request that is planned."
	if as, err := runAs(a.Config.Runner.User); err == nil && as != nil {
		d.nobody[uint32(os.Getuid())] = "It is the user that signalbox runs as."
		d.nobody[as.UID] = "The code of every pull request that is planned runs as that user."
	}
	d.nobody[0] = "Root is nobody in particular: use your own user, without sudo."
	return d
}

// openHostDoor opens the socket, if anybody could come in by it.
func (a *app) openHostDoor() error {
	a.host = a.newHostDoor()
	ln, err := a.host.listen()
	if err != nil {
		return fmt.Errorf("open the host door: %w", err)
	}
	a.life.start("host door", stopWait, func(ctx context.Context) error { return a.host.Serve(ctx, ln) })
	return nil
}

// socketName is a name for a socket's path that the kernel takes: it knows 107
// bytes. done is called when it has been used.
func socketName(path string) (name string, done func(), err error) {
	if len(path) < 100 {
		return path, func() {}, nil
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path)), func() { _ = dir.Close() }, nil // it was only read
}

func (d *hostDoor) listen() (*net.UnixListener, error) {
	// Whoever holds the store is alone, so what lies there was left behind.
	if err := os.Remove(d.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	name, done, err := socketName(d.path)
	if err != nil {
		return nil, err
	}
	defer done()
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: name, Net: "unix"})
	if err != nil {
		return nil, err
	}
	ln.SetUnlinkOnClose(false) // by a name that is gone then
	return ln, os.Chmod(d.path, 0o666)
}

// Serve answers until ctx ends, and then lets those under way be answered.
func (d *hostDoor) Serve(ctx context.Context, ln *net.UnixListener) error {
	var all sync.WaitGroup
	defer all.Wait()
	stop := context.AfterFunc(ctx, func() { _ = ln.Close() }) // what cannot be closed ends with the process
	defer stop()
	for {
		conn, err := ln.AcceptUnix()
		if ctx.Err() != nil {
			return os.Remove(d.path)
		} else if err != nil {
			return fmt.Errorf("host door: %w", err)
		}
		select {
		case d.room <- struct{}{}:
			all.Go(func() {
				defer func() { <-d.room }()
				d.serve(ctx, conn)
			})
		default:
			_ = conn.Close() // nothing was promised on it
		}
	}
}

func (d *hostDoor) serve(ctx context.Context, conn *net.UnixConn) {
	defer conn.Close()
	var out hostAnswer
	var ask hostAsk
	// The line is read also of somebody who is refused: what is left unread when the
	// socket is closed takes the answer with it.
	// Without a deadline it only waits longer; the listener ends it all the same.
	_ = conn.SetReadDeadline(time.Now().Add(hostPatient)) // a connection that takes none has gone, and the read says so
	line, err := bufio.NewReaderSize(conn, hostLine).ReadSlice('\n')
	if err != nil {
		return
	}
	who, err := d.peer(conn)
	if err == nil {
		err = json.Unmarshal(line, &ask)
	}
	var no *nobody
	switch {
	case errors.As(err, &no):
		d.log.Warn("refused on the host", "user", no.user, "uid", no.uid)
		out = hostAnswer{Text: no.Error() + "\n", Code: exitFailed}
	case err != nil:
		return
	default:
		out.Text, out.Code = d.answer(ctx, who, ask.Line)
	}
	// Without a deadline a write that nobody reads ends with the process.
	_ = conn.SetWriteDeadline(time.Now().Add(hostPatient)) // as above, and the write fails
	_ = json.NewEncoder(conn).Encode(out)                  // whoever asked has gone when it fails
}

// nobody is a user who is not one person.
type nobody struct {
	user string
	uid  uint32
	why  string
}

func (n *nobody) Error() string {
	return fmt.Sprintf("You are %s here, who may not command signalbox. %s", n.user, n.why)
}

// peer asks the kernel who has connected.
func (d *hostDoor) peer(conn *net.UnixConn) (string, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return "", err
	}
	var cred *unix.Ucred
	var failed error
	if err := raw.Control(func(fd uintptr) { cred, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); err != nil {
		return "", err
	}
	if failed != nil {
		return "", failed
	}
	name, err := d.name(cred.Uid)
	if err != nil {
		return "", &nobody{strconv.Itoa(int(cred.Uid)), cred.Uid, "The user has no name on this machine."}
	}
	if why, no := d.nobody[cred.Uid]; no {
		return "", &nobody{name, cred.Uid, why}
	}
	return name, nil
}

func userName(uid uint32) (string, error) {
	u, err := user.LookupId(strconv.FormatUint(uint64(uid), 10))
	if err != nil {
		return "", err
	}
	return u.Username, nil
}

// answer has a line decided like any other and returns what is said to it, and the
// exit code: 0 for what was done or answered, 1 for what was not.
func (d *hostDoor) answer(ctx context.Context, who, line string) (string, int) {
	key := ulid.Make().String()
	e, err := commands.HostEvent(who, line, key, d.clock.Now())
	if err != nil {
		return fmt.Sprintf("signalbox: %v\n", err), exitFailed
	}
	wait, cancel := context.WithTimeout(ctx, hostDecide)
	defer cancel()
	seq, _, err := d.store.Accept(wait, e)
	if err != nil {
		d.log.Error("a line from the host was not stored, and refused", "error", err)
		return fmt.Sprintf("Nothing was done: it could not be stored: %v\n", err), exitFailed
	}
	waited := d.decide(wait, "host:"+key)
	var text, outcome string
	decided := false
	err = d.store.View(func(tx *store.Tx) error {
		said, how, ok, err := commands.Answered(tx, seq)
		outcome, decided = how, ok
		for _, m := range said {
			if m, err = d.say(tx, who, m); err != nil {
				return err
			}
			text += commands.Plain(m)
		}
		return err
	})
	switch {
	case err != nil:
		return fmt.Sprintf("It was taken in, and its answer cannot be read: %v\n", err), exitFailed
	case !decided && waited == nil:
		return "signalbox is being stopped and has kept this. The next one decides it, if that is within two minutes.\n", exitFailed
	case !decided:
		return "It was taken in and is not decided yet. `signalbox ops status` shows what comes of it.\n", exitFailed
	}
	if strings.HasPrefix(outcome, "refused") || strings.HasPrefix(outcome, "error") || outcome == "stale" {
		return text, exitFailed
	}
	return text, exitOK
}
