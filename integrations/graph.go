package integrations

import "time"

// Graphs are where what happens to a target is marked: on the graphs of a service of the
// monitoring, or on those of some of its roles alone.
type Graphs struct {
	Service string   `json:"service,omitempty"`
	Roles   []string `json:"roles,omitempty"`
}

// Annotation marks a span of time on graphs. While it lasts Until is From.
type Annotation struct {
	Title string    `json:"title"`
	Text  string    `json:"text"`
	From  time.Time `json:"from"`
	Until time.Time `json:"until"`
}

// Measured is one value that we add to a metric. Number counts up: a place that has
// taken one has taken all below it.
type Measured struct {
	Number uint64    `json:"number"`
	Metric string    `json:"metric"`
	At     time.Time `json:"at"`
	Value  float64   `json:"value"`
}

// What a gauge is of.
const (
	GaugeHost    = "host"
	GaugeService = "service"
)

// A Gauge is something that a monitoring has metrics of.
type Gauge struct {
	System string // whose metrics they are: "Mackerel"
	Kind   string
	Name   string // as people call it
	Key    string // that system's own
	// Services are those of the monitoring that it belongs to.
	Services []string
	Metrics  []string // sorted
}

// Drawn is a picture of a metric.
type Drawn struct {
	Name  string // of the file
	Title string
	Alt   string // what it shows
	PNG   []byte
}

// Unmeasured is that no gauge is called as somebody said, or that several are.
type Unmeasured struct {
	Others  []string // what they are called that there are
	Several []string // what tells those apart that are called so
}

func (e *Unmeasured) Error() string {
	if len(e.Several) > 0 {
		return "several are called so"
	}
	return "nothing is called so"
}

// Units of metrics.
const (
	UnitNone    = ""
	UnitPercent = "%"
	UnitBytes   = "B"
	UnitRate    = "B/s"
	UnitSeconds = "s"
	UnitMillis  = "ms"
)

// A Series are the values of one metric in a time, the oldest first.
type Series struct {
	Unit   string
	Every  time.Duration // between two of them where nothing is missing; 0 is not known
	Points []Point
}

// A Point is one value.
type Point struct {
	At    time.Time
	Value float64
}
