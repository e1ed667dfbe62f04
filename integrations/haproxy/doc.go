// Package haproxy takes instances out of backends of HAProxy, and puts them back, over
// its stats socket (the Runtime API, management guide section 9.3). HAProxy knows no
// instances: a server of a backend is one by its private address. What is set there
// holds in one process, and is lost when that is reloaded, so each process is a pool of
// its own, and whoever wants a server out looks again and again.
package haproxy
