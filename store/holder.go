package store

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// holder names the process that has path locked, as far as /proc tells.
func holder(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return "another process"
	}
	pid := lockOwner(info)
	if pid == 0 {
		pid = fileUser(info)
	}
	switch {
	case pid == 0:
		return "another process"
	case pid == os.Getpid():
		return fmt.Sprintf("this process (pid %d), which opened it already", pid)
	}
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	line := strings.TrimSpace(string(bytes.ReplaceAll(raw, []byte{0}, []byte{' '})))
	if err != nil || line == "" {
		return fmt.Sprintf("pid %d", pid)
	}
	return fmt.Sprintf("pid %d (%.200s)", pid, line)
}

// lockOwner looks into /proc/locks, which everyone may read:
// "3: FLOCK  ADVISORY  WRITE 4711 fd:00:393219 0 EOF".
func lockOwner(info os.FileInfo) int {
	id, ok := lockID(info)
	if !ok {
		return 0
	}
	raw, err := os.ReadFile("/proc/locks")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(raw)) {
		f := strings.Fields(line)
		if len(f) < 6 || f[1] != "FLOCK" || f[5] != id {
			continue
		}
		if pid, err := strconv.Atoi(f[4]); err == nil && pid > 0 {
			return pid
		}
	}
	return 0
}

// fileUser looks for a process that has the file open and locked: some file
// systems show another device number in /proc/locks than in stat.
func fileUser(info os.FileInfo) int {
	fds, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return 0
	}
	for _, fd := range fds {
		if open, err := os.Stat(fd); err != nil || !os.SameFile(info, open) {
			continue
		}
		about, err := os.ReadFile(strings.Replace(fd, "/fd/", "/fdinfo/", 1))
		if err != nil || !bytes.Contains(about, []byte("FLOCK")) {
			continue
		}
		if pid, err := strconv.Atoi(strings.Split(fd, "/")[2]); err == nil {
			return pid
		}
	}
	return 0
}
