package audit

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/signalbox-chatops/signalbox/commands"
	"github.com/signalbox-chatops/signalbox/integrations"
	"github.com/signalbox-chatops/signalbox/store"
)

// jsonLine is a row as every export writes it: one line of JSON, times in UTC.
func jsonLine(r *store.AuditRow) ([]byte, error) {
	utc := *r
	utc.At = r.At.UTC()
	b, err := json.Marshal(utc)
	if err != nil {
		return nil, fmt.Errorf("write audit row %d as JSON: %w", r.Seq, err)
	}
	return append(b, '\n'), nil
}

// send writes the rows to a file, oldest first, and has it sent to the person
// alone.
func (f *feature) send(c *commands.Call, q question, found findings) (commands.Act, error) {
	rows := slices.Clone(found.rows)
	slices.SortFunc(rows, func(a, b *store.AuditRow) int { return cmp.Compare(a.Seq, b.Seq) })
	var b bytes.Buffer
	for _, r := range rows {
		l, err := jsonLine(r)
		if err != nil {
			return nil, err
		}
		b.Write(l)
	}
	if err := f.files.Write(c, b.Bytes()); err != nil {
		return nil, err
	}
	name := "audit-" + f.Clock.Now().UTC().Format("2006-01-02-1504") + ".jsonl"
	text := fmt.Sprintf("%s: %d rows, sent to you as %s in a direct message.", q.title(), len(rows), name)
	if len(rows) == 1 {
		text = strings.Replace(text, "1 rows", "1 row", 1)
	}
	if found.cut {
		text += " These are the newest; older ones are in the files of the months on the bot's machine."
	}
	return func(tx *store.Tx) (commands.Reply, error) {
		m := integrations.Message{Text: text}
		return commands.Reply{Private: &m}, f.files.Send(tx, c, commands.Sent{Name: name, Title: q.title()})
	}, nil
}
