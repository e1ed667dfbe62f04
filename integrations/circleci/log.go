package circleci

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/signalbox-chatops/signalbox/integrations/kit/jsonapi"
)

// job is a job of a workflow. An approval has no number.
type job struct {
	ID     string `json:"id"`
	Number int    `json:"job_number"`
	Name   string `json:"name"`
	Status string `json:"status"`
}

func (j job) over() bool {
	return slices.Contains([]string{"success", "failed", "canceled", "timedout", "infrastructure_fail", "terminated-unknown"}, j.Status)
}

// Log writes the outputs of the jobs that are over. The place is the list of their ids.
func (e *engine) Log(ctx context.Context, id, since string, w io.Writer) (string, error) {
	done := strings.Fields(since)
	flows, _, err := e.flows(ctx, id)
	if err != nil {
		return since, err
	}
	for _, f := range flows {
		jobs, err := items[job](ctx, e, "list the jobs of the workflow", f.Name, "workflow", f.ID, "job")
		if err != nil {
			return strings.Join(done, " "), err
		}
		for _, j := range jobs {
			if j.Number == 0 || !j.over() || slices.Contains(done, j.ID) {
				continue
			}
			if err := e.jobLog(ctx, j, w); err != nil {
				return strings.Join(done, " "), fmt.Errorf("read the output of the job %s: %w", j.Name, err)
			}
			done = append(done, j.ID)
		}
	}
	return strings.Join(done, " "), nil
}

// jobLog writes the output of each step of a job.
func (e *engine) jobLog(ctx context.Context, j job, w io.Writer) error {
	var got struct {
		Steps []struct {
			Name    string `json:"name"`
			Actions []struct {
				Output bool   `json:"has_output"`
				URL    string `json:"output_url"`
			} `json:"actions"`
		} `json:"steps"`
	}
	_, err := e.old.Do(ctx, jsonapi.Call{Act: "read the job", Thing: strconv.Itoa(j.Number), Method: http.MethodGet, Path: e.project(strconv.Itoa(j.Number))}, &got)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "==> job %s: %s\n", j.Name, j.Status)
	for _, s := range got.Steps {
		fmt.Fprintf(w, "--> %s\n", s.Name)
		for _, a := range s.Actions {
			if !a.Output || a.URL == "" {
				continue
			}
			if err := e.output(ctx, a.URL, w); err != nil {
				return err
			}
		}
	}
	return nil
}

// output writes what a step printed.
func (e *engine) output(ctx context.Context, at string, w io.Writer) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return errors.New("circleci said no place where it is") // err holds the signed address
	}
	resp, err := e.logs.RoundTrip(req)
	if err != nil {
		return fmt.Errorf("%s: %w", req.URL.Host, cmp.Or(errors.Unwrap(err), err))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", req.URL.Host, resp.Status)
	}
	var parts []struct {
		Message string `json:"message"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&parts); err != nil {
		return fmt.Errorf("%s: %w", req.URL.Host, err)
	}
	for _, p := range parts {
		text := strings.ReplaceAll(p.Message, "\r\n", "\n")
		if text != "" && !strings.HasSuffix(text, "\n") {
			text += "\n"
		}
		if _, err := io.WriteString(w, text); err != nil {
			return err
		}
	}
	return nil
}
