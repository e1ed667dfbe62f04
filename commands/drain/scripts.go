package drain

import "strconv"

// The other scripts that are run on a host. Each may run twice. What they hold of the
// configuration was checked to be plain words.

// stopScript stops the application.
func stopScript(r Role) string {
	return "# signalbox:stop " + r.Unit + "\nsystemctl stop " + r.Unit + "\n"
}

// startScript starts it, and says by its exit whether it is up.
func startScript(r Role) string {
	return "# signalbox:start " + r.Unit + "\nsystemctl start " + r.Unit + " && systemctl is-active --quiet " + r.Unit + "\n"
}

// connectionsScript counts the connections to its port.
func connectionsScript(r Role) string {
	port := strconv.Itoa(r.Port)
	return "# signalbox:connections " + port + "\nss -Htn state established '( sport = :" + port + " )' | wc -l\n"
}
