package main

import (
	"fmt"
	"strings"
	"time"
)

// lookAtGraphs shows what is marked on the graphs of Mackerel, and what the metrics of
// services were sent.
func (k *talk) lookAtGraphs([]string) error {
	var on struct {
		Annotations []struct {
			Title, Description, Service string
			From, To                    time.Time
			Roles                       []string
		}
		Values []struct {
			Service, Name string
			Value         float64
		}
	}
	if err := k.call("", "GET", "/sim/mackerel/annotations", nil, &on); err != nil {
		return err
	}
	var lines []string
	for _, a := range on.Annotations {
		span := "begun"
		if a.To.After(a.From) || !strings.HasSuffix(a.Title, "applying") {
			span = "ended"
		}
		lines = append(lines, fmt.Sprintf("on %s (%s), %s: %s", a.Service, strings.Join(a.Roles, ", "), span, a.Title))
		for _, line := range strings.Split(a.Description, "\n") {
			if !strings.HasPrefix(line, "signalbox ") {
				lines = append(lines, "  "+line)
			}
		}
	}
	for _, v := range on.Values {
		what := "seconds"
		if v.Value <= 0 {
			what = "nothing"
		}
		lines = append(lines, fmt.Sprintf("metric %s of %s: %s", v.Name, v.Service, what))
	}
	if len(lines) == 0 {
		lines = []string{"nothing"}
	}
	k.write("", lines)
	return nil
}
