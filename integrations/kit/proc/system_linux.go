package proc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// HardenSelf makes this process unreadable to others of the same user: they
// can neither trace it nor read its memory, environment or open files.
func HardenSelf() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("make the process not dumpable: %w", err)
	}
	return nil
}

// adoptOrphans makes processes whose parents died children of this one.
func adoptOrphans() error {
	return unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
}

// keepDescriptors keeps what was inherited, the secrets' pipe and whatever the
// bot was started with, from the command.
func keepDescriptors() {
	if err := unix.CloseRange(secretsFD, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		for fd := secretsFD; fd < 1024; fd++ { // an older kernel
			unix.CloseOnExec(fd)
		}
	}
}

// stat is the part of /proc/<pid>/stat that is used here.
type stat struct {
	pid     int
	state   byte
	parent  int
	session int
	start   uint64
}

func (s stat) dead() bool { return s.state == 'Z' || s.state == 'X' }

// readStat returns os.ErrNotExist when there is no such process.
func readStat(pid int) (stat, error) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if errors.Is(err, syscall.ESRCH) {
		return stat{}, os.ErrNotExist
	}
	if err != nil {
		return stat{}, err
	}
	// The name stands in parentheses and may hold anything, parentheses too.
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(fields) < 20 {
		return stat{}, fmt.Errorf("read /proc/%d/stat: %d fields", pid, len(fields))
	}
	s := stat{pid: pid, state: fields[0][0]}
	if s.parent, err = strconv.Atoi(fields[1]); err == nil {
		s.session, err = strconv.Atoi(fields[3])
	}
	if err == nil {
		s.start, err = strconv.ParseUint(fields[19], 10, 64)
	}
	return s, err
}

func allStats() ([]stat, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var out []stat
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if s, err := readStat(pid); err == nil {
			out = append(out, s)
		}
	}
	return out, nil
}

func bootID() (string, error) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return string(bytes.TrimSpace(b)), err
}

func self() (identity, error) {
	s, err := readStat(os.Getpid())
	if err != nil {
		return identity{}, err
	}
	boot, err := bootID()
	return identity{PID: s.pid, Start: s.start, Boot: boot}, err
}

// alive says whether the process still runs. A zombie does not.
func (id identity) alive() (bool, error) {
	boot, err := bootID()
	if err != nil {
		return false, err
	}
	if id.Void || id.PID <= 0 || boot != id.Boot {
		return false, nil
	}
	s, err := readStat(id.PID)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return s.start == id.Start && !s.dead(), nil
}

// open returns a handle on the process that no later process can take, or
// os.ErrProcessDone.
func (id identity) open(flags int) (int, error) {
	fd, err := unix.PidfdOpen(id.PID, flags)
	if errors.Is(err, unix.ESRCH) {
		return -1, os.ErrProcessDone
	}
	if err != nil {
		return -1, err
	}
	ok, err := id.alive()
	if err == nil && !ok {
		err = os.ErrProcessDone
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// signal sends a signal to that very process, or returns os.ErrProcessDone.
func (id identity) signal(sig syscall.Signal) error {
	fd, err := id.open(0)
	if errors.Is(err, os.ErrProcessDone) {
		return err
	}
	if err != nil { // a kernel without pidfds: the window is a few microseconds
		ok, err := id.alive()
		if err != nil {
			return err
		}
		if !ok {
			return os.ErrProcessDone
		}
		return unix.Kill(id.PID, sig)
	}
	defer unix.Close(fd)
	if err := unix.PidfdSendSignal(fd, sig, nil, 0); err != nil {
		if errors.Is(err, unix.ESRCH) {
			return os.ErrProcessDone
		}
		return err
	}
	return nil
}

// pollEvery is how often a process is looked at where it cannot be waited for.
const pollEvery = 25 * time.Millisecond

// wait returns when the process is gone or ctx ends.
func (id identity) wait(ctx context.Context) error {
	fd, err := id.open(unix.PIDFD_NONBLOCK)
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	if err != nil {
		return id.poll(ctx)
	}
	f := os.NewFile(uintptr(fd), "pidfd")
	defer f.Close()
	if err := f.SetReadDeadline(time.Time{}); err != nil {
		return id.poll(ctx)
	}
	stop := context.AfterFunc(ctx, func() { f.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	raw, err := f.SyscallConn()
	if err != nil {
		return id.poll(ctx)
	}
	err = raw.Read(func(fd uintptr) bool {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
		return n > 0 && err == nil
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return id.poll(ctx)
	}
	return nil
}

func (id identity) poll(ctx context.Context) error {
	t := time.NewTicker(pollEvery)
	defer t.Stop()
	for {
		ok, err := id.alive()
		if err != nil || !ok {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.C:
		}
	}
}

// readerGone waits until nobody can read from the pipe any more.
func readerGone(fd uintptr, timeout time.Duration) error {
	deadline := time.Now().Add(timeout)
	for {
		left := time.Until(deadline)
		if left <= 0 {
			return os.ErrDeadlineExceeded
		}
		p := []unix.PollFd{{Fd: int32(fd)}}
		n, err := unix.Poll(p, int(left.Milliseconds())+1)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
		if n > 0 && p[0].Revents&(unix.POLLERR|unix.POLLHUP|unix.POLLNVAL) != 0 {
			return nil
		}
	}
}

// reserve makes sure that size bytes can be written to f even when the disk is
// full by then.
func reserve(f *os.File, size int64) error {
	err := unix.Fallocate(int(f.Fd()), 0, 0, size)
	if errors.Is(err, unix.EOPNOTSUPP) {
		return nil
	}
	return err
}

// awaitExit returns when the child has ended, and leaves it to be waited for.
func awaitExit(pid int) {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

func signalName(sig syscall.Signal) string { return unix.SignalName(sig) }
