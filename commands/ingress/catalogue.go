package ingress

import _ "embed"

//go:embed ja.po
var ja string
