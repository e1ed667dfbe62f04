package oncall

import (
	"fmt"
	"image"
	"time"
)

// A digestPicture says how the load was shared: a row a person, in the order given,
// with the hours on call and the pages, by the time of day at which they came.
type digestPicture struct {
	title    string
	zone     *time.Location
	from, to time.Time // the first moment, and the first that is no longer counted
	language string    // "en" or "ja"
	rows     []digestRow
}

// A digestRow is one person's share.
type digestRow struct {
	person                     string
	onCall                     time.Duration
	working, evening, sleeping int // pages
}

func (r digestRow) pages() int { return r.working + r.evening + r.sleeping }

// Where the columns of a digest stand, in pixels; a number stands behind each bar.
const (
	digestRowHigh            = 88
	hoursLeft, hoursRight    = 392, 740
	pagesLeft, pagesRight    = 920, 1300
	digestBarHigh, leastPart = 56, 8
)

// Colors of pages: the darker, the worse for whoever was woken.
var pagePaints = []paint{
	{paints[5].ground, inkDark}, // in working hours
	{paints[1].ground, inkDark}, // in the evening
	{paints[4].ground, paper},   // in sleeping hours
}

// draw is the picture as PNG. Two drawings of the same are equal byte by byte.
func (p digestPicture) draw() ([]byte, error) {
	c, err := newCanvas(460 + digestRowHigh*max(1, len(p.rows)))
	if err != nil {
		return nil, err
	}
	const wide = pictureWidth - 2*pictureEdge
	w := wordsOf(p.language)
	c.large.write(c, pictureEdge, 96, c.large.cut(p.title, wide), inkDark)
	when := w.span(p.from.In(p.zone), p.to.Add(-time.Nanosecond).In(p.zone)) + ", " + p.zone.String()
	c.text.write(c, pictureEdge, 166, c.text.cut(when, wide), inkFaint)
	y := 272
	if len(p.rows) == 0 {
		c.text.write(c, pictureEdge, y, w.none, inkDark)
		return c.png(y + pictureEdge)
	}
	c.smallBold.write(c, hoursLeft, y, w.hours, inkDark)
	c.smallBold.write(c, pagesLeft, y, w.pages, inkDark)
	y += 24
	hours, pages := time.Nanosecond, 1
	for _, r := range p.rows {
		hours, pages = max(hours, r.onCall), max(pages, r.pages())
	}
	for _, r := range p.rows {
		c.digestRow(r, w, y, hours, pages)
		y += digestRowHigh
	}
	c.fill(image.Rect(pictureEdge, y, pictureWidth-pictureEdge, y+2), ruled)
	y += 28
	x := pictureEdge
	for i, name := range []string{w.working, w.evening, w.sleeping} {
		c.fill(image.Rect(x, y, x+40, y+40), pagePaints[i].ground)
		c.small.write(c, x+54, c.small.middle(y, y+40), name, inkDark)
		x += 54 + c.small.width(name) + 48
	}
	y += 60
	if len(c.lacking) > 0 {
		c.small.write(c, pictureEdge, c.small.middle(y, y+40), w.marks.lacking, inkFaint)
		y += 52
	}
	return c.png(y + pictureEdge/2)
}

// digestRow draws one person's share at y, in bars of which the longest are hours and
// pages.
func (c *canvas) digestRow(r digestRow, w pictureWords, y int, hours time.Duration, pages int) {
	y0 := y + (digestRowHigh-digestBarHigh)/2
	y1 := y0 + digestBarHigh
	c.fill(image.Rect(pictureEdge, y, pictureWidth-pictureEdge, y+2), ruled)
	c.text.write(c, pictureEdge, c.text.middle(y0, y1), c.text.cut(r.person, hoursLeft-pictureEdge-24), inkDark)
	end := hoursLeft + int(int64(hoursRight-hoursLeft)*int64(r.onCall/time.Second)/max(1, int64(hours/time.Second)))
	c.fill(image.Rect(hoursLeft, y0, end, y1), paints[0].ground)
	c.small.write(c, end+14, c.small.middle(y0, y1), w.length(r.onCall), inkDark)
	x := pagesLeft
	for i, n := range []int{r.working, r.evening, r.sleeping} {
		if n == 0 {
			continue
		}
		bar := image.Rect(x, y0, x+max(leastPart, (pagesRight-pagesLeft)*n/pages), y1)
		c.fill(bar, pagePaints[i].ground)
		if s := fmt.Sprint(n); n < r.pages() && c.small.width(s)+12 <= bar.Dx() {
			c.small.write(c, bar.Min.X+(bar.Dx()-c.small.width(s))/2, c.small.middle(y0, y1), s, pagePaints[i].letters)
		}
		x = bar.Max.X + 2
	}
	c.smallBold.write(c, x+12, c.smallBold.middle(y0, y1), fmt.Sprint(r.pages()), inkDark)
}
