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
