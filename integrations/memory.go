package integrations

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
)

// Memory is what an applier knows of its last apply, where nothing outside remembers it: a
// file for each target and step, in a folder of the data folder.
type Memory struct{ Dir string }

func memoryName(r Run, step string) string {
	sum := sha256.Sum256([]byte(r.Target + "\x00" + step))
	return hex.EncodeToString(sum[:12]) + ".json"
}

// Get reads what is remembered of a step of a target; there is nothing in v where nothing is.
func (m Memory) Get(r Run, step string, v any) error {
	return getNote(m.Dir, memoryName(r, step), v)
}

// Put remembers v in the place of what was.
func (m Memory) Put(r Run, step string, v any) error {
	if err := os.MkdirAll(m.Dir, 0o700); err != nil {
		return fmt.Errorf("make a folder to remember in: %w", err)
	}
	return writeNote(m.Dir, memoryName(r, step), v)
}
