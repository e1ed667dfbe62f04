package main

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

// The zones that are used are those of the machine, else those of the binary.
func TestZoneData(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	for want, c := range map[string]struct {
		root fs.FS
		own  string
	}{
		embeddedZones + " of the binary": {root: fstest.MapFS{"usr/share/zoneinfo/tzdata.zi": file("# version 2020a\n")}},
		"2025b of /usr/share/zoneinfo":   {root: fstest.MapFS{"usr/share/zoneinfo/Asia/Tokyo": file("TZif"), "usr/share/zoneinfo/tzdata.zi": file("# version 2025b\n# Jones\n"), "etc/zoneinfo/Asia/Tokyo": file("TZif")}},
		"2024a of /etc/zoneinfo":         {root: fstest.MapFS{"etc/zoneinfo/Asia/Tokyo": file("TZif"), "etc/zoneinfo/+VERSION": file("2024a\n")}},
		"unknown of /usr/share/zoneinfo": {root: fstest.MapFS{"usr/share/zoneinfo/Asia/Tokyo": file("TZif"), "usr/share/zoneinfo/tzdata.zi": file("")}},
		"2026a of /opt/zones":            {root: fstest.MapFS{"opt/zones/Asia/Tokyo": file("TZif"), "opt/zones/version": file("2026a"), "usr/share/zoneinfo/Asia/Tokyo": file("TZif")}, own: "/opt/zones/"},
	} {
		if got := zoneData(c.root, c.own); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// What the binary is said to have is what Go has.
func TestEmbeddedZones(t *testing.T) {
	root, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(root)), "lib", "time", "update.bash"))
	if err != nil {
		t.Skipf("this Go comes without lib/time/update.bash: %v", err)
	}
	_, rest, _ := strings.Cut(string(script), "\nDATA=")
	if got, _, _ := strings.Cut(rest, "\n"); got != embeddedZones {
		t.Errorf("Go has %q, and embeddedZones is %q", got, embeddedZones)
	}
}
