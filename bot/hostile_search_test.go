package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// planted is what a secret looks like that a test hid: "HIDDEN-KIND-" and 16
// hexadecimal digits. Whoever looks for them need not know them, and so is not
// found by itself.
var planted = regexp.MustCompile("HIDDEN-[A-Z]+-[0-9a-f]{16}")

// find is a place where a hostile step can do what it should not.
type find struct {
	Kind  string `json:"kind"` // of the secret; or WRITE, or FD
	Where string `json:"where"`
}

// hunt is what a hostile step does: it looks for secrets in its own environment
// and descriptors, in all processes that it may look into, and in every file
// under root.
type hunt struct {
	root  string
	spare []string // process ids that are not to be looked into
	found []find
}

// searchSecrets hunts, and writes what it found as JSON to the file named, which
// stands in the folder "tool" of a box.
func searchSecrets(out string) int {
	h := &hunt{root: filepath.Dir(filepath.Dir(out))}
	if text, err := os.ReadFile(filepath.Join(h.root, "tool", "spare")); err == nil {
		h.spare = strings.Fields(string(text))
	}
	h.descriptors()
	h.text("the step's own environment", []byte(strings.Join(os.Environ(), "\n")))
	h.processes()
	h.files()
	b, err := json.Marshal(h.found)
	if err == nil {
		err = os.WriteFile(out, b, 0o666)
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("hunted:", len(h.found))
	return 0
}

func (h *hunt) add(kind, where string) {
	f := find{kind, where}
	if !slices.Contains(h.found, f) {
		h.found = append(h.found, f)
	}
}

func (h *hunt) text(where string, b []byte) {
	for _, s := range planted.FindAll(b, -1) {
		h.add(strings.Split(string(s), "-")[1], where)
	}
}

// stream searches what may be longer than memory is.
func (h *hunt) stream(where string, r io.Reader) {
	const keep = 64
	buf := make([]byte, 1<<20)
	have := 0
	for {
		n, err := r.Read(buf[have:])
		h.text(where, buf[:have+n])
		if err != nil {
			return
		}
		tail := min(have+n, keep)
		copy(buf, buf[have+n-tail:have+n])
		have = tail
	}
}

// descriptors reports what the step was given beside its three streams.
func (h *hunt) descriptors() {
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		h.add("FD", err.Error())
	}
	for _, fd := range open {
		to, err := os.Readlink("/proc/self/fd/" + fd.Name())
		if n, _ := strconv.Atoi(fd.Name()); err == nil && n > 2 && !strings.HasPrefix(to, "anon_inode:") && !strings.HasPrefix(to, "/proc/") && !strings.HasPrefix(to, "/sys/fs/cgroup/") { // what is left was not opened by Go
			h.add("FD", fd.Name()+" is "+to)
		}
	}
}

func (h *hunt) processes() {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		pid := filepath.Base(dir)
		if pid == strconv.Itoa(os.Getpid()) || slices.Contains(h.spare, pid) {
			continue
		}
		name, _ := os.ReadFile(dir + "/comm")
		who := fmt.Sprintf("of process %s (%s)", pid, strings.TrimSpace(string(name)))
		for _, file := range []string{"environ", "cmdline"} {
			if b, err := os.ReadFile(filepath.Join(dir, file)); err == nil {
				h.text(file+" "+who, b)
			}
		}
		h.memory(dir, who)
		fds, _ := filepath.Glob(dir + "/fd/[0-9]*")
		for _, fd := range fds {
			if info, err := os.Stat(fd); err == nil && info.Mode().IsRegular() {
				h.file("descriptor "+filepath.Base(fd)+" "+who, fd)
			}
		}
	}
}

func (h *hunt) memory(dir, who string) {
	mem, err := os.Open(dir + "/mem")
	if err != nil {
		return
	}
	defer mem.Close()
	maps, err := os.Open(dir + "/maps")
	if err != nil {
		return
	}
	defer maps.Close()
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		var from, to int64
		var mode string
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x %s", &from, &to, &mode); err == nil && mode[0] == 'r' && to-from < 1<<28 {
			h.stream("memory "+who, io.NewSectionReader(mem, from, to-from))
		}
	}
}

func (h *hunt) file(where, path string) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return
	}
	defer f.Close()
	h.stream(where, f)
}

// files looks into every file of the box, and for what a step may write to
// although it is not its own.
func (h *hunt) files() {
	own := os.Getenv("HOME") // <box>/bot/work/job-3/1/home
	_ = filepath.WalkDir(h.root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil // it may not go there
		}
		rel, _ := filepath.Rel(h.root, path)
		if unix.Access(path, unix.W_OK) == nil && d.Type()&fs.ModeSymlink == 0 && !strings.HasPrefix(path, filepath.Dir(own)) && !shared(rel) {
			h.add("WRITE", rel)
		}
		if d.Type().IsRegular() && !strings.HasPrefix(rel, "bin/") {
			h.file(rel, path)
		}
		return nil
	})
}

// shared is what a step is meant to write to: the markers and states of the test,
// and the cache of providers.
func shared(rel string) bool {
	for _, dir := range []string{"tool", "tfstate", "bin", "bot/providers"} {
		if rel == dir || strings.HasPrefix(rel, dir+"/") {
			return true
		}
	}
	return false
}
