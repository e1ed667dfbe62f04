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

// WithWords gives the error of a command what its tool said last, by LastWords.
func WithWords(err error, mark string) error {
	var failed *CommandError
	if !errors.As(err, &failed) || failed.Err != nil {
		return err
	}
	if words := LastWords(failed.Tail, mark); words != "" {
		told := *failed
		told.Err = errors.New(words)
		return &told
	}
	return err
}

// LastWords is what a tool said last, by the end of its log: what stands behind the last line
// that begins with a mark, as one line. "" where there is none. No secret is in a log.
func LastWords(tail, mark string) string {
	tail = "\n" + tail
	i := strings.LastIndex(tail, "\n"+mark)
	if i < 0 {
		return ""
	}
	words := []rune(strings.Join(strings.Fields(tail[i+1+len(mark):]), " "))
	if len(words) > mostWords {
		words = append(words[:mostWords], '…')
	}
	return string(words)
}
