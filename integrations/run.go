package integrations

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Folder is a folder of the work tree by its full path. dir goes from the root of the
// repository, "" is that root. The error, for people, begins with step and says what is
// wrong: it is not there, it is no folder, or it leads out of the tree.
func (r Run) Folder(step, dir string) (string, error) {
	root, err := os.OpenRoot(r.Tree)
	if err != nil {
		return "", fmt.Errorf("open the work tree: %w", err)
	}
	defer root.Close()
	info, err := root.Stat(filepath.Clean(dir)) // a link out of the tree is an error
	switch {
	case errors.Is(err, os.ErrNotExist):
		return "", fmt.Errorf("%s: there is no folder %s in the repository at %.12s", step, dir, r.SHA)
	case err != nil:
		return "", fmt.Errorf("%s: %w", step, err)
	case !info.IsDir():
		return "", fmt.Errorf("%s: %s is not a folder", step, dir)
	}
	return filepath.Join(r.Tree, dir), nil
}

// Mark puts an empty file of that name into the work folder, or takes it away. Steps may
// write there too: nothing that they put in its place is followed.
func (r Run) Mark(name string, there bool) error {
	path := filepath.Join(r.Work, name)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove what an earlier try left: %w", err)
	}
	if !there {
		return nil
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("mark the work folder: %w", err)
	}
	return f.Close()
}

// Marked says whether Mark put the file there.
func (r Run) Marked(name string) bool {
	_, err := os.Lstat(filepath.Join(r.Work, name))
	return err == nil
}

// mostWords is how many runes of a tool's words stand in an error; all are in its log.
const mostWords = 500

// WithWords gives the error of a command what its tool said last, which stands behind the
// last mark in its log, as one line.
func WithWords(err error, mark string) error {
	var failed *CommandError
	if !errors.As(err, &failed) || failed.Err != nil {
		return err
	}
	if i := strings.LastIndex(failed.Tail, mark); i >= 0 {
		told := *failed
		words := []rune(strings.Join(strings.Fields(failed.Tail[i+len(mark):]), " "))
		if len(words) > mostWords {
			words = append(words[:mostWords], '…')
		}
		told.Err = errors.New(string(words))
		return &told
	}
	return err
}
