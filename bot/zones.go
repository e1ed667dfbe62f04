package main

import (
	"bufio"
	"io/fs"
	"os"
	"path"
	"runtime"
	"strings"
	_ "time/tzdata" // where the machine has no time zones
)

// zoneDirs are where time.LoadLocation looks first, below the root.
var zoneDirs = []string{"usr/share/zoneinfo", "usr/share/lib/zoneinfo", "usr/lib/locale/TZ", "etc/zoneinfo"}

// zoneData tells the version of the time zones that are used, and where they are from:
// who is on call at a time depends on it where a country changes its clocks. own is the
// value of ZONEINFO, which goes before all.
func zoneData(root fs.FS, own string) string {
	dirs := zoneDirs
	if own = strings.Trim(own, "/"); own != "" {
		dirs = append([]string{own}, dirs...)
	}
	for _, dir := range dirs {
		if _, err := fs.Stat(root, path.Join(dir, "Asia/Tokyo")); err == nil {
			return zoneVersion(root, dir) + " of /" + dir
		}
	}
	return "those of " + runtime.Version() // in the binary; lib/time/update.bash of it names their version
}

// zoneVersion is the version of a folder, "unknown" if it does not say.
func zoneVersion(root fs.FS, dir string) string {
	for _, name := range []string{"tzdata.zi", "+VERSION", "version"} {
		f, err := root.Open(path.Join(dir, name))
		if err != nil {
			continue
		}
		line := bufio.NewScanner(f)
		line.Scan()
		_ = f.Close() // it was read
		if v := strings.TrimSpace(strings.TrimPrefix(line.Text(), "# version")); v != "" {
			return v
		}
	}
	return "unknown"
}

// machineZones is that of this machine.
func machineZones() string { return zoneData(os.DirFS("/"), os.Getenv("ZONEINFO")) }
