// Package picture draws: a canvas, text in Latin and Japanese letters, and colors that
// everybody can tell apart. It is a tool of the kit. What a picture shows, and where,
// is up to whoever draws it; two drawings of the same are equal byte by byte.
package picture
