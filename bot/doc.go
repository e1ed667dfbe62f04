// Package main is the process: the doors that events come in by, the
// configuration, the table where features meet systems, and the command line.
// It stands on the top floor; nothing can import it.
package main
