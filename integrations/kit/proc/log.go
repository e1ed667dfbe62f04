package proc

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// cappedLog keeps the head and the tail of what is written to it: the first
// half of the cap in one file, then segments of a quarter, of which the last
// two are kept. A segment's name says where in the whole it begins, so that a
// reader knows what is left out, and the tail can be read at any time. Write
// never fails: what the disk does not take is left out.
type cappedLog struct {
	dir      string
	headCap  int64
	tailCap  int64
	total    int64 // of what was written
	f        *os.File
	room     int64 // left in f
	segments []int64
	begun    bool // the last segment holds nothing yet
	err      error
}

func newCappedLog(dir string, limit int64) *cappedLog {
	l := &cappedLog{dir: dir, headCap: max(1, limit/2), tailCap: max(1, limit/4)}
	l.f, l.err = os.OpenFile(filepath.Join(dir, logFile), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if l.err == nil {
		l.room = l.headCap
	}
	return l
}

func (l *cappedLog) Write(p []byte) (int, error) {
	all := len(p)
	for len(p) > 0 {
		if l.room == 0 && !l.next() {
			l.total += int64(len(p))
			break
		}
		want := min(int64(len(p)), l.room)
		n, err := l.f.Write(p[:want])
		l.total += want
		l.room -= int64(n)
		if n > 0 {
			l.trim()
		}
		if err != nil { // what comes next goes to a segment that begins after the hole
			l.err = firstErr(l.err, err)
			l.room = 0
		}
		p = p[want:]
	}
	return all, nil
}

// next begins a segment.
func (l *cappedLog) next() bool {
	if l.f != nil {
		l.f.Close()
		l.f = nil
	}
	if l.begun { // the last one took nothing
		os.Remove(segmentPath(l.dir, l.segments[len(l.segments)-1]))
		l.segments = l.segments[:len(l.segments)-1]
		l.begun = false
	}
	f, err := os.OpenFile(segmentPath(l.dir, l.total), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		l.err = firstErr(l.err, err)
		return false
	}
	l.f, l.room, l.begun = f, l.tailCap, true
	l.segments = append(l.segments, l.total)
	return true
}

// trim drops the segments that are no longer of the tail, once a newer one has
// really taken something.
func (l *cappedLog) trim() {
	if !l.begun {
		return
	}
	l.begun = false
	for len(l.segments) > 2 {
		os.Remove(segmentPath(l.dir, l.segments[0]))
		l.segments = l.segments[1:]
	}
}

func segmentPath(dir string, at int64) string {
	return filepath.Join(dir, fmt.Sprintf("%s.%020d", logFile, at))
}

func firstErr(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// close returns why a part of the log is missing, or "".
func (l *cappedLog) close() string {
	if l.f != nil {
		l.err = firstErr(l.err, l.f.Close())
	}
	if l.err != nil {
		return l.err.Error()
	}
	return ""
}

// part is a stretch of a log as it stands on disk, or a line about one that
// does not.
type part struct {
	r    io.Reader
	f    *os.File
	size int64
}

// openLog opens the parts of a log in order. A segment that is dropped in
// between makes it look again.
func openLog(stepdir string) ([]part, error) {
	for range 20 {
		starts, err := segments(stepdir)
		if err != nil {
			return nil, err
		}
		parts, err := openParts(stepdir, starts)
		if err == nil {
			return parts, nil
		}
		closeParts(parts)
		if !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		if len(starts) == 0 {
			return nil, nil // nothing was written yet
		}
	}
	return nil, fmt.Errorf("read the log of step %s: it moves too fast", stepdir)
}

func segments(stepdir string) ([]int64, error) {
	entries, err := os.ReadDir(stepdir)
	if err != nil {
		return nil, err
	}
	var starts []int64
	for _, e := range entries {
		rest, ok := strings.CutPrefix(e.Name(), logFile+".")
		if at, err := strconv.ParseInt(rest, 10, 64); ok && err == nil {
			starts = append(starts, at)
		}
	}
	slices.Sort(starts)
	return starts, nil
}

func openParts(stepdir string, starts []int64) (parts []part, err error) {
	var pos int64
	midLine := false
	add := func(path string, at int64) error {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		info, err := f.Stat()
		if err != nil {
			f.Close()
			return err
		}
		if at > pos {
			note := fmt.Sprintf("[… %d bytes are left out here …]\n", at-pos)
			if midLine {
				note = "\n" + note
			}
			parts = append(parts, part{r: strings.NewReader(note), size: int64(len(note))})
		}
		parts = append(parts, part{r: io.LimitReader(f, info.Size()), f: f, size: info.Size()})
		pos = at + info.Size()
		last := make([]byte, 1)
		if n, _ := f.ReadAt(last, max(0, info.Size()-1)); n > 0 {
			midLine = last[0] != '\n'
		}
		return nil
	}
	if err := add(filepath.Join(stepdir, logFile), 0); err != nil {
		return parts, err
	}
	for _, at := range starts {
		if err := add(segmentPath(stepdir, at), at); err != nil {
			return parts, err
		}
	}
	return parts, nil
}

func closeParts(parts []part) error {
	var errs []error
	for _, p := range parts {
		if p.f != nil {
			errs = append(errs, p.f.Close())
		}
	}
	return errors.Join(errs...)
}

// LogReader reads the redacted log of a step as far as it has come: its head
// and its tail, with a line between them that says how much is left out. A step
// that has written nothing has an empty log.
func LogReader(stepdir string) (io.ReadCloser, error) {
	parts, err := openLog(stepdir)
	if err != nil {
		return nil, fmt.Errorf("read the log of step %s: %w", stepdir, err)
	}
	readers := make([]io.Reader, len(parts))
	for i, p := range parts {
		readers[i] = p.r
	}
	return &logReader{io.MultiReader(readers...), parts}, nil
}

type logReader struct {
	io.Reader
	parts []part
}

func (l *logReader) Close() error { return closeParts(l.parts) }

// Tail returns the last lines of a step's log, at most maxBytes of them. A line
// that alone is longer is cut at its beginning.
func Tail(stepdir string, maxBytes int) ([]byte, error) {
	parts, err := openLog(stepdir)
	if err != nil {
		return nil, fmt.Errorf("read the log of step %s: %w", stepdir, err)
	}
	defer closeParts(parts)
	skip := -int64(maxBytes)
	for _, p := range parts {
		skip += p.size
	}
	cut := skip > 0
	var out bytes.Buffer
	for _, p := range parts {
		if skip >= p.size {
			skip -= p.size
			continue
		}
		if skip > 0 {
			if p.f != nil {
				p.r = io.NewSectionReader(p.f, skip, p.size-skip)
			} else if _, err := io.CopyN(io.Discard, p.r, skip); err != nil {
				return nil, err
			}
			skip = 0
		}
		if _, err := out.ReadFrom(p.r); err != nil {
			return nil, fmt.Errorf("read the log of step %s: %w", stepdir, err)
		}
	}
	b := out.Bytes()
	if i := bytes.IndexByte(b, '\n'); cut && i >= 0 && i+1 < len(b) {
		b = b[i+1:]
	}
	return b, nil
}

// Out returns what a step with Spec.Capture wrote to standard output, as it
// came. It may hold secrets: RemoveOut it once it is used.
func Out(stepdir string) ([]byte, error) {
	b, err := os.ReadFile(filepath.Join(stepdir, outFile))
	if err != nil {
		return nil, fmt.Errorf("read the output of step %s: %w", stepdir, err)
	}
	return b, nil
}

// RemoveOut removes what Out returns. It is not an error if that is gone.
func RemoveOut(stepdir string) error {
	if err := os.Remove(filepath.Join(stepdir, outFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove the output of step %s: %w", stepdir, err)
	}
	return nil
}
