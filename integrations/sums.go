package integrations

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Sums are the keyed hashes of all files in some folders of the repository, and of single
// files, by their paths from its root. A link is where it leads, and is not followed. The
// error, for people, begins with step.
func (r Run) Sums(step string, from ...string) (map[string]string, error) {
	root, err := os.OpenRoot(r.Tree)
	if err != nil {
		return nil, fmt.Errorf("open the work tree: %w", err)
	}
	defer root.Close()
	out := map[string]string{}
	for _, name := range from {
		top := filepath.ToSlash(filepath.Clean(name))
		err := fs.WalkDir(root.FS(), top, func(path string, d fs.DirEntry, err error) error {
			switch {
			case errors.Is(err, fs.ErrNotExist) && path == top:
				return fmt.Errorf("there is no %s in the repository at %.12s", name, r.SHA)
			case err != nil:
				return err
			case d.Name() == ".git" && d.IsDir():
				return fs.SkipDir
			case d.Name() == ".git" || d.IsDir():
				return nil
			}
			out[path], err = r.sumOf(root, path, d)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("%s: read its sources: %w", step, err)
		}
	}
	return out, nil
}

func (r Run) sumOf(root *os.Root, path string, d fs.DirEntry) (string, error) {
	if d.Type()&fs.ModeSymlink != 0 {
		to, err := root.Readlink(path)
		return r.Keyed("link", to), err
	}
	if !d.Type().IsRegular() {
		return "", fmt.Errorf("%s is no file", path)
	}
	f, err := root.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	h := hmac.New(sha256.New, r.HashKey)
	fmt.Fprintf(h, "file %t\n", info.Mode()&0o100 != 0)
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)[:16]), nil
}

// Keyed is a keyed hash of some texts.
func (r Run) Keyed(texts ...string) string {
	h := hmac.New(sha256.New, r.HashKey)
	fmt.Fprintf(h, "%q", texts)
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// KeyedAll is one hash of what Sums returned.
func (r Run) KeyedAll(sums map[string]string) string {
	var b strings.Builder
	for _, path := range slices.Sorted(maps.Keys(sums)) {
		fmt.Fprintf(&b, "%q %s\n", path, sums[path])
	}
	return r.Keyed(b.String())
}
