package past

import (
	"fmt"
	"math"
	"time"

	"github.com/go-analyze/charts"
)

// The picture of the statistics is drawn four times as large as the 360 pixels in
// which Slack shows it beside a message, with letters that can still be read there.
const (
	pictureWidth  = 1440
	pictureHeight = 1320
	pictureEdge   = 56

	sizeTitle, sizeValue, sizeText = 48.0, 46.0, 36.0

	mostLabels  = 6 // below the bars; more would touch each other
	fewestBars  = 3
	widestBar   = 0.6  // of its place
	widestOfAll = 0.12 // of the chart
)

var (
	ink      = charts.ParseColor("#1d1c1d")
	faint    = charts.ParseColor("#616061")
	hairline = charts.ParseColor("#dddddd")
	good     = charts.ParseColor("#2f6db5") // blue and orange: who sees no red or no green tells them apart
	bad      = charts.ParseColor("#e5701e")
	line     = charts.ParseColor("#44546a")
)

// A picture is what is drawn of some statistics.
type picture struct {
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
func (p picture) draw() ([]byte, error) {
	for len(p.bars) < fewestBars { // one alone would stand anywhere
		p.bars = append(append([]bar{{}}, p.bars...), bar{})
	}
	c := charts.NewPainter(charts.PainterOptions{Width: pictureWidth, Height: pictureHeight, OutputFormat: charts.ChartOutputPNG})
	c.FilledRect(0, 0, pictureWidth, pictureHeight, charts.ColorWhite, charts.ColorWhite, 0)
	bold := charts.GetFont(charts.FontFamilyNotoSansBold)
	write := func(s string, x, y int, size float64, color charts.Color) {
		c.Text(s, x, y, 0, charts.FontStyle{FontSize: size, FontColor: color})
	}
	heading := func(s string, x, y int, size float64) {
		c.Text(s, x, y, 0, charts.FontStyle{FontSize: size, FontColor: ink, Font: bold})
	}
	heading(p.title, pictureEdge, 100, sizeTitle)
	write(p.span, pictureEdge, 170, sizeText, faint)
	for i, t := range p.tiles {
		x := pictureEdge + i*(pictureWidth-2*pictureEdge)/len(p.tiles)
		heading(t.value, x, 294, sizeValue)
		write(t.name, x, 350, sizeText, faint)
	}
	c.LineStroke([]charts.Point{{X: pictureEdge, Y: 394}, {X: pictureWidth - pictureEdge, Y: 394}}, hairline, 3)
	heading("Deploys", pictureEdge, 470, sizeText)
	p.legend(c, write)
	if err := p.deploys(c.Child(charts.PainterBoxOption(charts.NewBox(pictureEdge-20, 500, pictureWidth-pictureEdge, 860)))); err != nil {
		return nil, fmt.Errorf("draw the deploys: %w", err)
	}
	heading("Lead time, median", pictureEdge, 940, sizeText)
	if err := p.leads(c.Child(charts.PainterBoxOption(charts.NewBox(pictureEdge-20, 970, pictureWidth-pictureEdge, 1290)))); err != nil {
		return nil, fmt.Errorf("draw the lead times: %w", err)
	}
	return c.Bytes()
}

func (p picture) legend(c *charts.Painter, write func(string, int, int, float64, charts.Color)) {
	for i, l := range []struct {
		color charts.Color
		name  string
	}{{good, "good"}, {bad, "failed or rolled back"}} {
		x := 620 + i*210
		c.FilledRect(x, 436, x+36, 472, l.color, l.color, 0)
		write(l.name, x+52, 470, sizeText, faint)
	}
}

// axes are the axes that both charts have: the labels of the bars below, few
// round numbers at the side, from zero.
func (p picture) axes(top float64, say charts.ValueFormatter) (charts.CategoryAxisOption, []charts.ValueAxisOption, charts.ColorPalette) {
	labels := make([]string, len(p.bars))
	every := (len(p.bars) + mostLabels - 1) / mostLabels
	for i := every / 2; i < len(p.bars); i += every {
		labels[i] = p.bars[i].label
	}
	theme := charts.GetTheme(charts.ThemeLight).WithTextColor(faint).WithXAxisColor(hairline).WithAxisSplitLineColor(hairline)
	font := charts.FontStyle{FontSize: sizeText, FontColor: faint}
	x := charts.CategoryAxisOption{Labels: labels, LabelFontStyle: font, LabelCount: len(labels), BoundaryGap: charts.Ptr(true)}
	step, lines := scale(top)
	y := []charts.ValueAxisOption{{Min: charts.Ptr(0.0), Max: charts.Ptr(step * float64(lines)), LabelCount: lines + 1, LabelFontStyle: font, ValueFormatter: say, SplitLineShow: charts.Ptr(true)}}
	return x, y, theme
}

// scale divides what reaches up to top into two or three round steps.
func scale(top float64) (step float64, lines int) {
	for unit := 1.0; ; unit *= 10 {
		for _, m := range []float64{1, 2, 5} {
			if step = m * unit; step*3 >= top {
				return step, max(2, int(math.Ceil(top/step)))
			}
		}
	}
}

func (p picture) deploys(c *charts.Painter) error {
	var ok, failed []float64
	top := 1.0
	for _, b := range p.bars {
		ok, failed = append(ok, float64(b.good)), append(failed, float64(b.failed))
		top = max(top, float64(b.good+b.failed))
	}
	x, y, theme := p.axes(top, func(v float64) string { return fmt.Sprintf("%.0f", v) })
	return c.BarChart(charts.BarChartOption{
		Theme: theme.WithSeriesColors([]charts.Color{good, bad}), CategoryAxis: x, ValueAxis: y, StackSeries: charts.Ptr(true),
		SeriesList: charts.NewSeriesListBar([][]float64{ok, failed}), BarSize: min(widestBar, widestOfAll*float64(len(p.bars))), Legend: charts.LegendOption{Show: charts.Ptr(false)},
	})
}

func (p picture) leads(c *charts.Painter) error {
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
		Theme: theme.WithSeriesColors([]charts.Color{line}), XAxis: x, YAxis: y, LineStrokeWidth: 8,
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
