package main

import (
	"io/fs"
	"runtime"
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
		"those of " + runtime.Version():  {root: fstest.MapFS{"usr/share/zoneinfo/tzdata.zi": file("# version 2020a\n")}},
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
