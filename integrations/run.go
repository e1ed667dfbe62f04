package integrations

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
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
