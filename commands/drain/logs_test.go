package drain

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func fluentd(plugins string, rest ...string) string {
	more := `"files":[],"given_up":0`
	if len(rest) > 0 {
		more = rest[0]
	}
	return `{"fluentd":{"plugins":[` + plugins + `]},` + more + `}`
}

func bit(total, rest string) string {
	return `{"fluent_bit":{"storage_layer":{"chunks":{"total_chunks":` + total + `}},"input_chunks":{` + rest + `}},"files":[],"given_up":0}`
}

// What hosts print, and what may be said of it: facts/aws.md 1.4. Unknown is never empty.
func TestWhatHostsPrint(t *testing.T) {
	const old = `{"type":"forward","buffer_queue_length":%d,"buffer_total_queued_size":%d,"retry_count":0}`                                                                                // v0.12
	const new = `{"type":"forward","buffer_queue_length":%d,"buffer_total_queued_size":%d,"buffer_stage_length":%d,"buffer_stage_byte_size":0,"buffer_queue_byte_size":%d,"emit_count":9}` // v1
	for _, c := range []struct {
		what, kind, text string
		want             string // "empty", "full" or what is unknown
		workers          int
	}{
		{"v0.12 empty", "fluentd", fluentd(fmt.Sprintf(old, 0, 0)), "empty", 0},
		{"v0.12 full", "fluentd", fluentd(fmt.Sprintf(old, 1, 99)), "full", 0},
		{"a chunk under way has left the queue and not the size", "fluentd", fluentd(fmt.Sprintf(old, 0, 99)), "full", 0},
		{"v1 empty", "fluentd", fluentd(fmt.Sprintf(new, 0, 0, 0, 0)), "empty", 0},
		{"v1 staged", "fluentd", fluentd(fmt.Sprintf(new, 0, 0, 2, 0)), "full", 0},
		{"v1 queued", "fluentd", fluentd(fmt.Sprintf(new, 0, 0, 0, 7)), "full", 0},
		{"one of two is full", "fluentd", fluentd(fmt.Sprintf(new, 0, 0, 0, 0) + "," + fmt.Sprintf(old, 3, 3)), "full", 0},
		{"a file is left", "fluentd", fluentd(fmt.Sprintf(new, 0, 0, 0, 0), `"files":[{"path":"x.b5f.log","size":7}],"given_up":0`), "full", 0},
		{"a file that is not read to its end", "fluentd", fluentd(fmt.Sprintf(new, 0, 0, 0, 0), `"files":[],"given_up":0,"behind":12`), "full", 0},
		{"an input is no output", "fluentd", fluentd(`{"type":"tail"},` + fmt.Sprintf(new, 0, 0, 0, 0)), "empty", 0},
		{"no buffered output", "fluentd", fluentd(`{"type":"tail"},{"type":"stdout","buffer_total_queued_size":null}`), "names no output", 0},
		{"no plugins", "fluentd", fluentd(``), "names no output", 0},
		{"no queue", "fluentd", fluentd(`{"buffer_total_queued_size":0}`), "not its queue", 0},
		{"cut off", "fluentd", fluentd(fmt.Sprintf(new, 0, 0, 0, 0))[:80], "no JSON", 0},
		{"nothing", "fluentd", "", "no JSON", 0},
		{"it does not answer", "fluentd", `{"error":"the monitor agent on port 24220 does not answer"}`, "does not answer", 0},
		{"no files", "fluentd", fluentd(fmt.Sprintf(new, 0, 0, 0, 0), `"given_up":0`), "lacks its files", 0},
		{"of something else", "fluentd", bit("0", `"tail.0":{"chunks":{"total":0,"busy":0}}`), "not of fluentd", 0},
		{"fluent-bit empty", "fluent-bit", bit("0", `"tail.0":{"chunks":{"total":0,"busy":0}}`), "empty", 0},
		{"fluent-bit full", "fluent-bit", bit("2", `"tail.0":{"chunks":{"total":0,"busy":0}}`), "full", 0},
		{"fluent-bit busy", "fluent-bit", bit("0", `"tail.0":{"chunks":{"total":0,"busy":1}}`), "full", 0},
		{"fluent-bit without inputs", "fluent-bit", bit("0", ``), "storage.metrics", 0},
		{"fluent-bit without metrics", "fluent-bit", `{"fluent_bit":{},"files":[],"given_up":0}`, "storage.metrics", 0},
		{"two workers", "fluentd", fluentd(fmt.Sprintf(new, 0, 0, 0, 0), `"workers":[{"plugins":[`+fmt.Sprintf(new, 0, 0, 0, 0)+`]}],"files":[],"given_up":0`), "empty", 2},
		{"the second worker is full", "fluentd", fluentd(fmt.Sprintf(new, 0, 0, 0, 0), `"workers":[{"plugins":[`+fmt.Sprintf(old, 1, 9)+`]}],"files":[],"given_up":0`), "full", 2},
		{"one of two was asked", "fluentd", fluentd(fmt.Sprintf(new, 0, 0, 0, 0)), "1 of 2 workers", 2},
		{"the second says nothing", "fluentd", fluentd(fmt.Sprintf(new, 0, 0, 0, 0), `"workers":[{}],"files":[],"given_up":0`), "on port 24221 names no plugins", 2},
	} {
		t.Run(c.what, func(t *testing.T) {
			s, err := collectors[c.kind].read([]byte(c.text), Role{Workers: c.workers})
			got := "full"
			switch {
			case err != nil:
				got = err.Error()
			case s.empty():
				got = "empty"
			}
			if !strings.Contains(got, c.want) {
				t.Errorf("%s: %q, want %q (%+v)", c.text, got, c.want, s)
			}
		})
	}
}

// What proves that nothing is left: three looks in a row, far enough apart, with
// nothing taken in and nothing given up.
func TestWhatProves(t *testing.T) {
	at := time.Unix(1700000000, 0)
	for _, c := range []struct {
		what string
		all  string // a look a letter: e empty, f full, u unknown, g gave up, i took something in, r tried again; a digit before it is the seconds since the one before, else 5
		want bool
	}{
		{"three", "eee", true},
		{"two", "ee", false},
		{"four", "eeee", true},
		{"full first", "feee", true},
		{"full between", "eefee", false},
		{"unknown between", "eeue", false},
		{"unknown first", "ueee", true},
		{"too close", "ee2e", false},
		{"it took something in", "eeie", false},
		{"it gave something up", "feegg", false},
		{"it tried again", "eere", false},
		{"it tried again at last", "eer", false},
		{"it tried again before", "reee", true},
		{"none", "", false},
	} {
		t.Run(c.what, func(t *testing.T) {
			var all []Sample
			now, emitted, given, retried := at, int64(1), int64(0), int64(4)
			gap := leastGap
			for _, sign := range c.all {
				switch sign {
				case '2':
					gap = 2 * time.Second
					continue
				case 'i':
					emitted++
				case 'g':
					given++
				case 'r':
					retried++
				}
				now, gap = now.Add(gap), leastGap
				s := Sample{At: now, Emitted: emitted, GivenUp: given, Retries: retried}
				switch sign {
				case 'f':
					s.Bytes = 1
				case 'u':
					s.Unknown = "?"
				}
				all = append(all, s)
			}
			if got := proved(all, 0, leastGap); got != c.want {
				t.Errorf("%s is %t", c.all, got)
			}
		})
	}
}

// answering is a curl that monitor agents answer on some ports.
func answering(ports ...string) string {
	return `case "$4" in *:` + strings.Join(ports, `/*|*:`) + `/*) echo '{"plugins":[{"buffer_total_queued_size":0,"buffer_queue_length":0,"emit_count":1}]}' ;; *) exit 7 ;; esac`
}

// The scripts themselves, run by a real shell against stand-ins of the tools that they
// call: what they print is what is read.
func TestScriptsOnAHost(t *testing.T) {
	bin, buffer := t.TempDir(), filepath.Join(t.TempDir(), "buffer")
	tool := func(name, text string) {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(buffer, "backup"), 0o755); err != nil {
		t.Fatal(err)
	}
	file := func(name string, size int) {
		if err := os.WriteFile(filepath.Join(buffer, name), make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(script string) string {
		cmd := exec.CommandContext(t.Context(), "sh", "-c", script)
		cmd.Env = []string{"PATH=" + bin + ":/usr/bin:/bin"}
		out, err := cmd.Output()
		if err != nil {
			t.Errorf("%v: %s", err, script)
		}
		return string(out)
	}
	role := Role{Name: "app", Unit: "app.service", Port: 8080, Logs: "fluentd", Buffers: []string{buffer}}
	look := func() (Sample, error) { return readFluentd([]byte(run(script("fluentd", role))), role) }

	tool("curl", "exit 7")
	if s, err := look(); err == nil || !strings.Contains(err.Error(), "24220") {
		t.Errorf("without its agent: %+v, %v", s, err)
	}
	tool("curl", answering("24220"))
	file("app.b64f.log.meta", 10)
	file("app.b65a.log", 0)
	if s, err := look(); err != nil || !s.empty() {
		t.Errorf("empty: %+v, %v", s, err)
	}
	file("app.q64f.log", 7)
	file("app.b64e.log", 5)
	file(filepath.Join("backup", "app.b1.log"), 3)
	if s, err := look(); err != nil || s.Files != 12 || s.GivenUp != 1 {
		t.Errorf("full: %+v, %v", s, err)
	}
	// What in_tail has read, by the file and its inode: one to its end, one not, one that
	// was replaced since, one that is watched no more, and one that is gone.
	pos := filepath.Join(buffer, "app.pos")
	lines := ""
	for name, read := range map[string]int{"read": 5, "half": 3, "replaced": 5, "unwatched": -1, "gone": 0} {
		path := filepath.Join(bin, name+".log")
		if name != "gone" {
			if err := os.WriteFile(path, []byte("12345"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		inode := uint64(1)
		if at, err := os.Stat(path); err == nil && name != "replaced" {
			inode = at.Sys().(*syscall.Stat_t).Ino
		}
		lines += fmt.Sprintf("%s\t%016x\t%016x\n", path, uint64(read), inode)
	}
	if err := os.WriteFile(pos, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	role.PosFiles = []string{pos}
	if s, err := look(); err != nil || s.Left != "7 bytes of its log files are not read yet" {
		t.Errorf("in_tail: %+v, %v", s, err)
	}
	role.PosFiles = []string{pos + ".old"}
	if s, err := look(); err == nil || !strings.Contains(err.Error(), "is no file") {
		t.Errorf("a pos file that is not there: %+v, %v", s, err)
	}
	role.PosFiles = nil
	role.Buffers = append(role.Buffers, buffer+"-that-is-not-there")
	if s, err := look(); err == nil || !strings.Contains(err.Error(), "is no folder") {
		t.Errorf("a folder that is not there: %+v, %v", s, err)
	}

	role.Buffers, role.Workers = []string{buffer}, 2
	if s, err := look(); err == nil || !strings.Contains(err.Error(), "on port 24221 does not answer") {
		t.Errorf("a worker that does not answer: %+v, %v", s, err)
	}
	tool("curl", answering("24220", "24221"))
	if s, err := look(); err != nil || s.Emitted != 2 {
		t.Errorf("two workers: %+v, %v", s, err)
	}
	role.Workers = 1
	if s, err := look(); err == nil || !strings.Contains(err.Error(), "more workers than the configuration says: port 24221") {
		t.Errorf("a worker too many: %+v, %v", s, err)
	}

	tool("curl", `echo '{"storage_layer":{"chunks":{"total_chunks":0}},"input_chunks":{"tail.0":{"chunks":{"total":0,"busy":0}}}}'`)
	if s, err := readFluentBit([]byte(run(script("fluent-bit", Role{Buffers: []string{buffer}}))), role); err != nil || !s.empty() {
		t.Errorf("fluent-bit: %+v, %v", s, err)
	}
	tool("ss", `[ "$4" = '( sport = :8080 )' ] && printf 'a\nb\n'`)
	if got := strings.TrimSpace(run(script("connections", role))); got != "2" {
		t.Errorf("connections: %q", got)
	}
	tool("systemctl", `echo "$@" >> `+filepath.Join(bin, "told"))
	run(script("stop", role))
	run(script("start", role))
	if b, err := os.ReadFile(filepath.Join(bin, "told")); err != nil || string(b) != "stop app.service\nstart app.service\nis-active --quiet app.service\n" {
		t.Errorf("systemd was told %q, %v", b, err)
	}

	// The supervisor is signalled, and nobody else.
	supervisor := exec.CommandContext(t.Context(), "sh", "-c", `trap 'exit 9' USR1; echo ready; while :; do sleep 0.05; done`)
	out, err := supervisor.StdoutPipe()
	if err == nil {
		err = supervisor.Start()
	}
	if err == nil {
		_, err = out.Read(make([]byte, 6))
	}
	if err != nil {
		t.Fatal(err)
	}
	tool("systemctl", fmt.Sprintf("echo 0; echo %d", supervisor.Process.Pid))
	run(script("fluentd-flush", role))
	if err := supervisor.Wait(); err == nil || err.Error() != "exit status 9" {
		t.Errorf("the supervisor ended with %v", err)
	}
}
