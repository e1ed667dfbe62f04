package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// A copy of the store is made every day, and as many are kept as make a week.
const (
	backupEvery = 24 * time.Hour
	backupsKept = 7
)

// backup writes a copy of the store beside it, whole and synced before it gets
// its name. One of today's is enough, however often the bot is started.
func (a *app) backup(ctx context.Context) error {
	dir := filepath.Join(a.Config.Data, "backup")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the folder of backups: %w", err)
	}
	path := filepath.Join(dir, "signalbox-"+a.Clock.Now().UTC().Format("2006-01-02")+".db")
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	if err := a.writeBackup(path + ".part"); err != nil {
		return errors.Join(fmt.Errorf("back up the store: %w", err), os.Remove(path+".part"))
	}
	if err := os.Rename(path+".part", path); err != nil {
		return fmt.Errorf("back up the store: %w", err)
	}
	all, err := filepath.Glob(filepath.Join(dir, "signalbox-*.db"))
	if err != nil {
		return err
	}
	slices.Sort(all)
	for _, old := range all[:max(0, len(all)-backupsKept)] {
		if err := os.Remove(old); err != nil {
			return fmt.Errorf("remove an old backup: %w", err)
		}
	}
	return ctx.Err()
}

func (a *app) writeBackup(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(a.store.Backup(f), f.Sync(), f.Close())
}
