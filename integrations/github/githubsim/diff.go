package githubsim

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// fileDiff is one file of a comparison.
type fileDiff struct {
	path, from, status, blob string
	added, deleted           int
	patch                    string
}

var diffStatus = map[byte]string{'A': "added", 'D': "removed", 'M': "modified", 'R': "renamed", 'C': "copied", 'T': "changed"}

// diffStat compares two commits (or trees), with renames, without patches. No
// base at all compares with nothing.
func (s *Sim) diffStat(r *repoRow, base, head string) ([]*fileDiff, error) {
	if base == "" {
		base = emptyTree
	}
	out, err := s.git(r, "diff-tree", "-r", "-M", "--raw", "--numstat", "-z", "--abbrev=40", base, head)
	if err != nil {
		return nil, err
	}
	return parseDiff(out)
}

// parseDiff reads git's -z output: first all raw entries, then all counts.
func parseDiff(out string) ([]*fileDiff, error) {
	fields := strings.Split(strings.TrimSuffix(out, "\x00"), "\x00")
	var files []*fileDiff
	next := func() string {
		if len(fields) == 0 {
			return ""
		}
		f := fields[0]
		fields = fields[1:]
		return f
	}
	for len(fields) > 0 && strings.HasPrefix(fields[0], ":") {
		meta := strings.Fields(next())
		if len(meta) != 5 {
			return nil, fmt.Errorf("read git diff: raw entry %q", meta)
		}
		f := &fileDiff{status: diffStatus[meta[4][0]], blob: meta[3]}
		if f.status == "removed" {
			f.blob = meta[2]
		}
		if f.status == "renamed" || f.status == "copied" {
			f.from = next()
		}
		f.path = next()
		files = append(files, f)
	}
	for _, f := range files {
		counts := strings.SplitN(next(), "\t", 3)
		if len(counts) != 3 {
			return nil, fmt.Errorf("read git diff: counts %q of %s", counts, f.path)
		}
		if counts[2] == "" { // a rename: old and new path follow
			next()
			next()
		}
		if counts[0] != "-" { // "-" is a binary file
			var err error
			if f.added, err = strconv.Atoi(counts[0]); err != nil {
				return nil, fmt.Errorf("read git diff: %w", err)
			}
			if f.deleted, err = strconv.Atoi(counts[1]); err != nil {
				return nil, fmt.Errorf("read git diff: %w", err)
			}
		}
	}
	return files, nil
}

// diffFull adds the patches.
func (s *Sim) diffFull(r *repoRow, base, head string) ([]*fileDiff, error) {
	files, err := s.diffStat(r, base, head)
	if err != nil {
		return nil, err
	}
	text, err := s.diffText(r, base, head)
	if err != nil {
		return nil, err
	}
	sections := strings.Split("\n"+text, "\ndiff --git ")[1:]
	for i, section := range sections {
		if i >= len(files) {
			break
		}
		if _, patch, ok := strings.Cut(section, "\n@@ "); ok {
			files[i].patch = strings.TrimSuffix("@@ "+patch, "\n")
		}
	}
	return files, nil
}

func (s *Sim) diffText(r *repoRow, base, head string) (string, error) {
	if base == "" {
		base = emptyTree
	}
	return s.git(r, "diff", "-M", base, head)
}

func (s *Sim) fileObj(r *repoRow, head string) func(*fileDiff) obj {
	return func(f *fileDiff) obj {
		path := (&url.URL{Path: f.path}).EscapedPath()
		o := obj{
			"sha": f.blob, "filename": f.path, "status": f.status,
			"additions": f.added, "deletions": f.deleted, "changes": f.added + f.deleted,
			"blob_url":     s.htmlURL(r) + "/blob/" + head + "/" + path,
			"raw_url":      s.htmlURL(r) + "/raw/" + head + "/" + path,
			"contents_url": s.repoURL(r) + "/contents/" + path + "?ref=" + head,
		}
		if f.patch != "" {
			o["patch"] = f.patch
		}
		if f.from != "" {
			o["previous_filename"] = f.from
		}
		return o
	}
}
