package commands

import (
	"testing"

	"github.com/signalbox-chatops/signalbox/integrations"
)

var noticing = []Verb{{Name: "notice", Effect: Changes,
	Args:     []Arg{{Name: "title", Kind: ArgText}, {Name: "message", Kind: ArgText}},
	Flags:    []Arg{{Name: "state", Kind: ArgWord, Optional: true, Choices: []string{"well", "partly_well", "ill"}}},
	Examples: []string{`notice "Slow" We look.`}}}

// Two texts stand behind each other where the first is in quotes; a word that is one of a
// few is read however it is written, and is refused with the nearest where it is none.
func TestTwoTextsAndChoices(t *testing.T) {
	for _, tt := range []struct{ typed, want string }{
		{`notice "Slow pages" We look into it.`, `notice message=We look into it. title=Slow pages`},
		{`notice “Slow pages” “We look”`, `notice message=We look title=Slow pages`},
		{`notice "Slow pages"`, `notice title=Slow pages message?`},
		{`notice Slow pages`, `notice title=Slow pages message?`},
		{`notice "Slow" --state partly-well We look`, `notice message=We look state=partly_well title=Slow`},
		{`notice "Slow" We look --state=ILL`, `notice message=We look state=ill title=Slow`},
		{`notice "Slow" --state wel We look`, `refused unknown_state [notice "Slow" "We look" --state well]`},
		{`notice "Slow" --state broken We look`, `refused unknown_state`},
	} {
		u := Parse(noticing, &integrations.Catalog{}, tt.typed, true)
		if got := say(u); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.typed, got, tt.want)
		}
		if u.Refusal == nil && len(u.Missing) == 0 {
			if again := say(Parse(noticing, &integrations.Catalog{}, Render(u.Call), false)); again != tt.want {
				t.Errorf("%s is read as %s", Render(u.Call), again)
			}
		}
	}
	u := FromValues(noticing, &integrations.Catalog{}, "notice", map[string]string{"title": `a "quoted" one`, "message": "b", "state": "ill"})
	if got := say(u); got != `notice message=b state=ill title=a "quoted" one` {
		t.Errorf("the form is %s", got)
	}
	for _, in := range NewModal(noticing, u.Call, nil).Inputs {
		if in.Name == "state" && (len(in.Options) != 3 || in.Options[1] != integrations.Option{Value: "partly_well", Label: "Partly well"}) {
			t.Errorf("it offers %+v", in.Options)
		}
	}
}
