package packer

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"

	"github.com/signalbox-chatops/signalbox/integrations"
)

// sources is what an image is made of.
type sources struct {
	Sum string `json:"sum"` // of all of it, keyed
	// Files are the keyed sums of files, by their paths from the root of the repository,
	// and of the settings.
	Files map[string]string `json:"files"`
}

// settings is the name of those among the files.
const settings = "(the step's settings)"

// sources reads them. What stands in the environment is not among them: secrets are.
func (a *Applier) sources(r integrations.Run) (sources, error) {
	dir := cmp.Or(a.c.Dir, ".")
	if _, err := r.Folder(a.Describe(), dir); err != nil {
		return sources{}, err
	}
	files, err := r.Sums(a.Describe(), append([]string{dir}, a.c.Sources...)...)
	if err != nil {
		return sources{}, err
	}
	how, err := json.Marshal([]any{a.c.Template, a.c.VarFiles, a.c.Vars, a.c.Only})
	if err != nil {
		return sources{}, err
	}
	files[settings] = r.Keyed(string(how))
	return sources{r.KeyedAll(files), files}, nil
}

// since are the sources that differ from those of an earlier build.
func (s sources) since(was sources) (out []string) {
	for _, path := range slices.Sorted(maps.Keys(s.Files)) {
		switch before, there := was.Files[path]; {
		case !there:
			out = append(out, "+ "+path)
		case before != s.Files[path]:
			out = append(out, "~ "+path)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(was.Files)) {
		if _, there := s.Files[path]; !there {
			out = append(out, "- "+path)
		}
	}
	return out
}
