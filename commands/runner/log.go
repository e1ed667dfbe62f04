package runner

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/integrations/kit/proc"
	"github.com/signalbox-chatops/signalbox/store"
)

func logDir(j *store.Job) string {
	return filepath.Join(filepath.Dir(j.WorkDir), "log-"+filepath.Base(j.WorkDir))
}

// tail is the end of a step's log, whole lines where it can be.
func tail(dir string, limit int) string {
	b, err := proc.Tail(dir, limit)
	if err != nil {
		return ""
	}
	return cut(strings.TrimRight(strings.ToValidUTF8(string(b), ""), "\n"), limit)
}

// cut keeps the end of a text, from the beginning of a line where it can be.
func cut(s string, limit int) string {
	if len(s) < limit {
		return s
	}
	s = strings.ToValidUTF8(s[len(s)-limit:], "")
	if _, rest, ok := strings.Cut(s, "\n"); ok {
		return rest
	}
	return s
}

// readOut takes a step's captured output, which may hold secrets, off the disk.
func readOut(dir string) ([]byte, error) {
	b, err := proc.Out(dir)
	if err != nil {
		return nil, err
	}
	return b, proc.RemoveOut(dir)
}

// WholeLog joins the logs of an attempt's steps into one file and returns its
// path; "" when there is nothing in them.
func WholeLog(j *store.Job) (string, error) {
	if j.WorkDir == "" {
		return "", nil
	}
	dirs, err := filepath.Glob(filepath.Join(logDir(j), "[0-9]*"))
	if err != nil {
		return "", err
	}
	slices.Sort(dirs)
	path := filepath.Join(logDir(j), "all.log")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	} else if err != nil {
		return "", fmt.Errorf("write the whole log: %w", err)
	}
	wrote := int64(0)
	for _, dir := range dirs {
		n, err := appendStep(f, dir)
		wrote += n
		if err != nil {
			return "", errors.Join(fmt.Errorf("write the whole log: %w", err), f.Close())
		}
	}
	if err := f.Close(); err != nil {
		return "", fmt.Errorf("write the whole log: %w", err)
	}
	if wrote == 0 {
		return "", nil
	}
	return path, nil
}

func appendStep(f io.Writer, dir string) (int64, error) {
	r, err := proc.LogReader(dir)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	} else if err != nil {
		return 0, err
	}
	defer r.Close()
	_, name, _ := strings.Cut(filepath.Base(dir), "-")
	if _, err := fmt.Fprintf(f, "==> %s\n", strings.ReplaceAll(name, "-", " ")); err != nil {
		return 0, err
	}
	n, err := io.Copy(f, r)
	if err == nil && n > 0 {
		_, err = io.WriteString(f, "\n")
	}
	return n, err
}

// Leftovers counts the processes that the steps of an attempt still have running.
func Leftovers(j *store.Job) (int, error) {
	n := 0
	for _, e := range j.Effects {
		left, err := proc.Leftovers(e.Dir)
		if err != nil {
			return n, err
		}
		n += left
	}
	return n, nil
}
