package store

import "fmt"

var pulls = table[Pull]{
	what: "pull request", rows: bucketPullsRows, topic: TopicPulls,
	entries: func(p *Pull) []entry {
		list := []entry{{bucketPullsByHead, key{}.text(p.Repo).text(p.Head).num(uint64(p.Number))}}
		if p.State == "open" {
			list = append(list, entry{bucketPullsOpen, key{}.text(p.Repo).num(uint64(p.Number))})
		}
		return list
	},
}

// Pull returns a pull request by the repository's number and its own, or ErrNotFound.
func (tx *Tx) Pull(repoID int64, number int) (*Pull, error) {
	return pulls.get(tx, key{}.pull(repoID, number))
}

// PutPull writes p, whose Version must be the one that is stored (0: none is),
// else it is ErrConflict. It raises p.Version and sets p.Updated.
func (tx *Tx) PutPull(p *Pull) error {
	if err := checkText(p.Repo, p.Head); err != nil {
		return fmt.Errorf("write pull request: %w", err)
	}
	k := key{}.pull(p.RepoID, p.Number)
	old, have, err := stored(tx, &pulls, k)
	if err != nil {
		return err
	}
	if have && old.Version != p.Version || !have && p.Version != 0 {
		return conflict("pull request", fmt.Sprintf("%s#%d", p.Repo, p.Number), p.Version)
	}
	stamp(tx, &p.Version, &p.Created, &p.Updated)
	return pulls.put(tx, k, old, p)
}

// OpenPulls returns the open pull requests of a repository ("": of all), by
// repository and number.
func (tx *Tx) OpenPulls(repo string) ([]*Pull, error) {
	prefix := key{}
	if repo != "" {
		prefix = prefix.text(repo)
	}
	return pulls.through(tx, bucketPullsOpen, prefix, false, 0, nil)
}

// PullsByHead returns the pull requests of a repository whose head is sha.
func (tx *Tx) PullsByHead(repo, sha string) ([]*Pull, error) {
	return pulls.through(tx, bucketPullsByHead, key{}.text(repo).text(sha), false, 0, nil)
}
