//go:build !linux

package store

import "os"

// lockID has nothing to look up where there is no /proc/locks.
func lockID(os.FileInfo) (string, bool) { return "", false }
