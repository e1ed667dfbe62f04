package store

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestOperationsAreFound(t *testing.T) {
	s := open(t)
	update(t, s, func(tx *Tx) error {
		for i, x := range []struct{ service, environment, state string }{
			{"web", "staging", OpSucceeded}, {"web", "production", OpFailed}, {"web-2", "production", OpSucceeded},
			{"web", "production", OpSucceeded}, {"", "production", OpSucceeded}, {"web", "production", OpSucceeded},
		} {
			o := &Operation{ID: fmt.Sprintf("op-%d", i+7), Service: x.service, Environment: x.environment, State: x.state, Created: start.Add(time.Duration(i) * time.Hour)}
			if err := tx.PutOperation(o); err != nil {
				return err
			}
		}
		return nil
	})
	good := func(o *Operation) bool { return o.State == OpSucceeded }
	for _, x := range []struct {
		what string
		f    OperationFilter
		want string
	}{
		{"all", OperationFilter{}, "op-12 op-11 op-10 op-9 op-8 op-7"},
		{"of a place", OperationFilter{Service: "web", Environment: "production"}, "op-12 op-10 op-8"},
		{"of an environment", OperationFilter{Environment: "production", Limit: 2}, "op-12 op-11"},
		{"kept", OperationFilter{Service: "web", Keep: good}, "op-12 op-10 op-7"},
		{"the limit counts what is kept", OperationFilter{Service: "web", Environment: "production", Keep: good, Limit: 2}, "op-12 op-10"},
		{"since", OperationFilter{Service: "web", Since: start.Add(3 * time.Hour)}, "op-12 op-10"},
		{"before", OperationFilter{Service: "web", Before: "op-10"}, "op-8 op-7"},
		{"before one of another place", OperationFilter{Service: "web", Environment: "production", Before: "op-9"}, "op-8"},
	} {
		var got []string
		view(t, s, func(tx *Tx) error {
			ops, err := tx.FindOperations(x.f)
			for _, o := range ops {
				got = append(got, o.ID)
			}
			return err
		})
		if g := strings.Join(got, " "); g != x.want {
			t.Errorf("%s: %s, want %s", x.what, g, x.want)
		}
	}
	view(t, s, func(tx *Tx) error {
		if _, err := tx.FindOperations(OperationFilter{Before: "op-99"}); !errors.Is(err, ErrNotFound) {
			t.Errorf("before an unknown one: %v", err)
		}
		return nil
	})
}
