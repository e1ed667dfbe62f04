package digest

import (
	"cmp"
	"fmt"
	"image"
	"math"
	"strings"
	"time"

	"github.com/signalbox-chatops/signalbox/integrations/kit/picture"
)

// deploysPicture shows the deploys of each service: those that went well, those that
// failed, and how many there were in the time before.
type deploysPicture struct {
	report
	words words
}

// deploysOf is the picture of the deploys; there is none where nothing was deployed.
func deploysOf(r report, language string) drawing {
	if r.All.Now.Deploys == 0 {
		return nil
	}
	return deploysPicture{r, wordsOf(language)}
}

// Where the columns stand, in pixels. The number stands behind its bar.
const (
	deploysLeft, deploysRight = 400, 1120
	mostServices              = 14 // rows; the others are counted
	thinHigh                  = 10 // the line of the time before
	leastPart                 = 8
	tileHigh                  = 200
)

var (
	goodPaint   = picture.Blue
	badPaint    = picture.Orange
	beforePaint = picture.Mix(picture.Faint, picture.Paper, 130)
)

func (p deploysPicture) title() string {
	return capital(p.words.deploys) + ", " + p.words.days(p.report)
}

// capital is a text that begins with a capital letter.
func capital(s string) string {
	first := picture.First(s)
	return strings.ToUpper(first) + s[len(first):]
}

func (p deploysPicture) draw() ([]byte, error) {
	shown := p.Services[:min(len(p.Services), mostServices)]
	s, err := newSheet(p.words, 760+tileHigh+rowHigh*len(shown), capital(p.words.deploys), p.words.days(p.report))
	if err != nil {
		return nil, err
	}
	p.tiles(s)
	most, before, failed := 1, false, false
	for _, x := range shown {
		most, before, failed = max(most, x.Now.Deploys, x.Before.Deploys), before || x.Before.Deploys > 0, failed || x.Now.Failed > 0
	}
	for _, x := range shown {
		p.bar(s, x, most)
	}
	s.more(len(p.Services) - len(shown))
	s.line()
	marks := []mark{{color: goodPaint.Ground, name: p.words.good}}
	if failed {
		marks = append(marks, mark{color: badPaint.Ground, name: p.words.bad})
	}
	if before {
		marks = append(marks, mark{color: beforePaint, name: p.words.before, thin: true})
	}
	s.key(marks)
	return s.end()
}

// A tile is a number, its name, and how it was before.
type tile struct{ value, name, was string }

// tilesOf are the four numbers on top, "–" for one that there is none of.
func (p deploysPicture) tilesOf() []tile {
	now, was := p.All.Now, p.All.Before
	out := []tile{{fmt.Sprint(now.Deploys), p.words.deploys, p.was(now.Deploys, was.Deploys, was.Deploys > 0)}, {percent(now.Share), p.words.failed, ""}, {"–", p.words.lead, ""}, {"–", p.words.restore, ""}}
	if was.Deploys > 0 {
		out[1].was = against(now.Share, was.Share, percent(now.Share) == percent(was.Share), percent(was.Share), p.words.was)
	}
	long := func(t *tile, now, was time.Duration, known, before bool) {
		if !known {
			return
		}
		if t.value = p.words.length(now); before {
			t.was = against(float64(now), float64(was), t.value == p.words.length(was), p.words.length(was), p.words.was)
		}
	}
	long(&out[2], now.Lead, was.Lead, now.Leads > 0, was.Leads > 0)
	long(&out[3], now.Restore, was.Restore, now.Restores > 0, was.Restores > 0)
	return out
}

func (p deploysPicture) was(now, was int, known bool) string {
	if !known {
		return ""
	}
	return against(float64(now), float64(was), now == was, fmt.Sprint(was), p.words.was)
}

// against compares a number with how it was; "" where it is the same.
func against(now, was float64, same bool, told string, say func(arrow, told string) string) string {
	switch {
	case same:
		return ""
	case now > was:
		return say("↑", told)
	}
	return say("↓", told)
}

// percent is a share without more digits than it needs.
func percent(share float64) string {
	if share == 0 || share >= 10 {
		return fmt.Sprintf("%.0f %%", math.Round(share))
	}
	return fmt.Sprintf("%.1f %%", share)
}

func (p deploysPicture) tiles(s *sheet) {
	all := p.tilesOf()
	wide := sheetWide / len(all)
	for i, t := range all {
		x := picture.Edge + i*wide
		s.Large.Write(s, x, s.y+80, s.Large.Cut(t.value, wide-20), picture.Ink)
		s.Small.Write(s, x, s.y+134, s.Small.Cut(t.name, wide-20), picture.Ink)
		s.Small.Write(s, x, s.y+182, s.Small.Cut(t.was, wide-20), picture.Faint)
	}
	s.y += tileHigh + 16
}

// bar draws a service; the longest bar is of most deploys.
func (p deploysPicture) bar(s *sheet, x service, most int) {
	y0, y1 := s.row(cmp.Or(x.Name, p.words.infrastructure), deploysLeft-picture.Edge-24)
	long := func(n int) int {
		if n == 0 {
			return 0
		}
		return max(leastPart, (deploysRight-deploysLeft)*n/most)
	}
	if x.Before.Deploys > 0 {
		s.Fill(image.Rect(deploysLeft, y1-thinHigh, deploysLeft+long(x.Before.Deploys), y1), beforePaint)
		y1 -= thinHigh + 2
	}
	good := long(x.Now.Deploys - x.Now.Failed)
	s.Fill(image.Rect(deploysLeft, y0, deploysLeft+good, y1), goodPaint.Ground)
	end := deploysLeft + good
	if x.Now.Failed > 0 {
		if good > 0 {
			end += 2
		}
		bar := image.Rect(end, y0, end+long(x.Now.Failed), y1)
		s.Fill(bar, badPaint.Ground)
		end = bar.Max.X
	}
	told := fmt.Sprint(x.Now.Deploys)
	s.SmallBold.Write(s, end+16, s.SmallBold.Middle(y0, y1), told, picture.Ink)
	if x.Now.Failed > 0 {
		at := end + 16 + s.SmallBold.Width(told) + 18
		s.Small.Write(s, at, s.Small.Middle(y0, y1), s.Small.Cut(p.words.failedN(x.Now.Failed), picture.Width-picture.Edge-at), picture.Faint)
	}
}

func (p deploysPicture) alt() string {
	var out []string
	for _, t := range p.tilesOf() {
		if t.value == "–" {
			continue
		}
		text := t.name + " " + t.value
		if t.was != "" {
			text += " (" + t.was + ")"
		}
		out = append(out, text)
	}
	lines := []string{p.title() + ": " + strings.Join(out, ", ")}
	for _, x := range p.Services {
		text := cmp.Or(x.Name, p.words.infrastructure) + ": " + fmt.Sprint(x.Now.Deploys)
		if x.Now.Failed > 0 {
			text += ", " + p.words.failedN(x.Now.Failed)
		}
		lines = append(lines, text)
	}
	return strings.Join(lines, ". ") + "."
}
