package gate

import _ "embed"

//go:embed ja.po
var ja string

// Words are its catalogues of phrases, by language.
func Words() map[string]string { return map[string]string{"ja": ja} }
