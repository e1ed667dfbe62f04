package deploy

import (
	"errors"

	"github.com/signalbox-chatops/signalbox/commands/runner"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// stoppedShort is the end of an apply that did not work, with what it says that it left.
func stoppedShort(err error) runner.End {
	end := runner.Failed(err)
	var left *integrations.Left
	if errors.As(err, &left) {
		end.Save = func(_ *store.Tx, j *store.Job) error {
			rec := recordOf(j)
			rec.Left = left.What
			return setRecord(j, rec)
		}
	}
	return end
}
