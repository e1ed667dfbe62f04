package slack

import (
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/signalbox-chatops/signalbox/integrations/slack/slacksim"
)

var optionalScopes = []string{"usergroups:read", "usergroups:write", "channels:write.topic", "groups:write.topic"}

// Whoever installs the app may leave out what not everybody needs: Slack wants those
// scopes among all, and by themselves too.
func TestManifestSaysWhatIsOptional(t *testing.T) {
	var m struct {
		OAuth struct {
			Scopes struct {
				Bot      []string
				Optional []string `yaml:"bot_optional"`
			}
		} `yaml:"oauth_config"`
	}
	if err := yaml.Unmarshal(Manifest("/ops", nil), &m); err != nil {
		t.Fatal(err)
	}
	got := m.OAuth.Scopes
	if !slices.Equal(got.Optional, optionalScopes) || len(got.Bot) != len(scopes) {
		t.Errorf("%+v", got)
	}
	for _, s := range got.Optional {
		if !slices.Contains(got.Bot, s) {
			t.Errorf("%s is not among all", s)
		}
	}
	for _, s := range optionalScopes {
		if !strings.Contains(string(Manifest("/ops", nil)), "- "+s+" # ") {
			t.Errorf("nothing says what %s is for", s)
		}
	}
}

// A workspace may do without; check says what it does without.
func TestCheckSaysWhatAScopeIsMissedFor(t *testing.T) {
	for name, say := range map[string]string{
		"usergroups:read":      "nobody is in such a group",
		"usergroups:write":     "the people of the user group stay as they are",
		"channels:write.topic": "the topic stays as it is",
		"groups:write.topic":   "the topic stays as it is there",
	} {
		o := open(t, func(sc *slacksim.Config, _ *Config) {
			for _, s := range scopes {
				if s.name != name {
					sc.Scopes = append(sc.Scopes, s.name)
				}
			}
		})
		found := false
		for _, f := range o.Check(t.Context(), []string{"ops"}) {
			isScope := f.What == "Slack scope "+name
			if isScope != f.Warn || isScope == f.OK {
				t.Errorf("%+v", f)
			}
			if isScope {
				found = true
				if !strings.Contains(f.Say, say) || f.Do == "" {
					t.Errorf("%+v, want %q", f, say)
				}
			}
		}
		if !found {
			t.Errorf("nothing is said of %s", name)
		}
	}
	for _, s := range scopes {
		if s.optional() != slices.Contains(optionalScopes, s.name) {
			t.Errorf("%s is optional: %v", s.name, s.optional())
		}
	}
}
