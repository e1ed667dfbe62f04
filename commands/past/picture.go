package past

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math"
	"time"

	"github.com/go-analyze/charts"

	"github.com/signalbox-chatops/signalbox/integrations/kit/picture"
)

// Where things stand in the picture of the statistics, in pixels.
const (
	pictureHeight = 1320

	sizeText = 36.0 // of the charts' letters

	mostLabels  = 6 // below the bars; more would touch each other
	fewestBars  = 3
	widestBar   = 0.6  // of its place
	widestOfAll = 0.12 // of the chart
)

// Who sees no red or no green tells the two apart.
var (
	good  = picture.Blue.Ground
	bad   = color.RGBA{0xe5, 0x70, 0x1e, 0xff}
	faint = chartColor(picture.Faint)
	lines = chartColor(picture.Ruled)
	curve = charts.ParseColor("#44546a")
)

func chartColor(c color.RGBA) charts.Color { return charts.Color{R: c.R, G: c.G, B: c.B, A: c.A} }

// A drawing is what is drawn of some statistics.
type drawing struct {
	title, span string
	tiles       []tile
	bars        []bar
}

// A tile is a number with its name.
type tile struct{ name, value string }

// A bar is what went live in one piece of the time: how many did, how many of
// these failed, and the median lead time; 0 where nothing has one.
type bar struct {
	label        string
	good, failed int
	lead         time.Duration
}

// draw is the picture as PNG.
func (p drawing) draw() ([]byte, error) {
	for len(p.bars) < fewestBars { // one alone would stand anywhere
		p.bars = append(append([]bar{{}}, p.bars...), bar{})
	}
	const wide = picture.Width - 2*picture.Edge
	c, err := picture.New(pictureHeight)
	if err != nil {
		return nil, err
	}
	if err := chart(c, image.Rect(picture.Edge-20, 500, picture.Width-picture.Edge, 860), p.deploys); err != nil {
		return nil, fmt.Errorf("draw the deploys: %w", err)
	}
	if err := chart(c, image.Rect(picture.Edge-20, 970, picture.Width-picture.Edge, 1290), p.leads); err != nil {
		return nil, fmt.Errorf("draw the lead times: %w", err)
	}
	c.Large.Write(c, picture.Edge, 96, c.Large.Cut(p.title, wide), picture.Ink)
	c.Text.Write(c, picture.Edge, 166, c.Text.Cut(p.span, wide), picture.Faint)
	for i, t := range p.tiles {
		x, room := picture.Edge+i*wide/len(p.tiles), wide/len(p.tiles)-20
		c.Large.Write(c, x, 294, c.Large.Cut(t.value, room), picture.Ink)
		c.Text.Write(c, x, 350, c.Text.Cut(t.name, room), picture.Faint)
	}
	c.Fill(image.Rect(picture.Edge, 393, picture.Width-picture.Edge, 396), picture.Ruled)
	c.TextBold.Write(c, picture.Edge, 470, "Deploys", picture.Ink)
	p.legend(c)
	c.TextBold.Write(c, picture.Edge, 940, "Lead time, median", picture.Ink)
	return c.PNG(pictureHeight)
}

// chartMargin is what a chart draws above its place: half a letter, half a dot.
const chartMargin = 30

// chart draws one into a place of the canvas.
func chart(c *picture.Canvas, at image.Rectangle, of func(*charts.Painter) error) error {
	at.Min.Y -= chartMargin
	p := charts.NewPainter(charts.PainterOptions{Width: at.Dx(), Height: at.Dy(), OutputFormat: charts.ChartOutputPNG})
	p.FilledRect(0, 0, at.Dx(), at.Dy(), charts.ColorWhite, charts.ColorWhite, 0)
	if err := of(p.Child(charts.PainterBoxOption(charts.NewBox(0, chartMargin, at.Dx(), at.Dy())))); err != nil {
		return err
	}
	b, err := p.Bytes()
	if err != nil {
		return err
	}
	m, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		return err
	}
	draw.Draw(c, at, m, m.Bounds().Min, draw.Src)
	return nil
}

func (p drawing) legend(c *picture.Canvas) {
	x := 620
	for _, l := range []struct {
		color color.RGBA
		name  string
	}{{good, "good"}, {bad, "failed or rolled back"}} {
		c.Fill(image.Rect(x, 434, x+40, 474), l.color)
		c.Small.Write(c, x+54, c.Small.Middle(434, 474), l.name, picture.Ink)
		x += 54 + c.Small.Width(l.name) + 44
	}
}

// axes are the axes that both charts have: the labels of the bars below, few
// round numbers at the side, from zero.
func (p drawing) axes(top float64, say charts.ValueFormatter) (charts.CategoryAxisOption, []charts.ValueAxisOption, charts.ColorPalette) {
	labels := make([]string, len(p.bars))
	every := (len(p.bars) + mostLabels - 1) / mostLabels
	for i := every / 2; i < len(p.bars); i += every {
		labels[i] = p.bars[i].label
	}
	theme := charts.GetTheme(charts.ThemeLight).WithTextColor(faint).WithXAxisColor(lines).WithAxisSplitLineColor(lines)
	font := charts.FontStyle{FontSize: sizeText, FontColor: faint}
	x := charts.CategoryAxisOption{Labels: labels, LabelFontStyle: font, LabelCount: len(labels), BoundaryGap: charts.Ptr(true)}
	step, steps := scale(top)
	y := []charts.ValueAxisOption{{Min: charts.Ptr(0.0), Max: charts.Ptr(step * float64(steps)), LabelCount: steps + 1, LabelFontStyle: font, ValueFormatter: say, SplitLineShow: charts.Ptr(true)}}
	return x, y, theme
}

// scale divides what reaches up to top into two or three round steps.
func scale(top float64) (step float64, steps int) {
	for unit := 1.0; ; unit *= 10 {
		for _, m := range []float64{1, 2, 5} {
			if step = m * unit; step*3 >= top {
				return step, max(2, int(math.Ceil(top/step)))
			}
		}
	}
}

func (p drawing) deploys(c *charts.Painter) error {
	var ok, failed []float64
	top := 1.0
	for _, b := range p.bars {
		ok, failed = append(ok, float64(b.good)), append(failed, float64(b.failed))
		top = max(top, float64(b.good+b.failed))
	}
	x, y, theme := p.axes(top, func(v float64) string { return fmt.Sprintf("%.0f", v) })
	return c.BarChart(charts.BarChartOption{
		Theme: theme.WithSeriesColors([]charts.Color{chartColor(good), chartColor(bad)}), CategoryAxis: x, ValueAxis: y, StackSeries: charts.Ptr(true),
		SeriesList: charts.NewSeriesListBar([][]float64{ok, failed}), BarSize: min(widestBar, widestOfAll*float64(len(p.bars))), Legend: charts.LegendOption{Show: charts.Ptr(false)},
	})
}

func (p drawing) leads(c *charts.Painter) error {
	var all []float64
	top := time.Minute
	for _, b := range p.bars {
		top = max(top, b.lead)
	}
	unit, name := leadUnit(top)
	for _, b := range p.bars {
		v := charts.GetNullValue()
		if b.lead > 0 {
			v = float64(b.lead) / float64(unit)
		}
		all = append(all, v)
	}
	x, y, theme := p.axes(float64(top)/float64(unit), func(v float64) string {
		if v == 0 {
			return "0"
		}
		return fmt.Sprintf("%.0f %s", v, name)
	})
	return c.LineChart(charts.LineChartOption{
		Theme: theme.WithSeriesColors([]charts.Color{curve}), XAxis: x, YAxis: y, LineStrokeWidth: 8,
		Symbol:     charts.Symbol{Shape: charts.SymbolDot, Size: 12},
		SeriesList: charts.NewSeriesListLine([][]float64{all}), Legend: charts.LegendOption{Show: charts.Ptr(false)},
	})
}

// leadUnit is what lead times of this length are counted in.
func leadUnit(d time.Duration) (time.Duration, string) {
	switch {
	case d >= 72*time.Hour:
		return 24 * time.Hour, "d"
	case d >= 2*time.Hour:
		return time.Hour, "h"
	}
	return time.Minute, "min"
}
