package incident

import (
	"strings"
	"unicode"
	"unicode/utf16"
)

// How long one part of a text message is: 140 characters of the GSM alphabet, or 70 of
// UCS-2 where it has another one (the API reference of SNS Publish; SNS sends what is
// longer in several parts, each of which costs).
const (
	longestGSM  = 140
	longestUCS2 = 70
)

// gsm is how many characters of the GSM 7-bit alphabet a text takes (3GPP TS 23.038, 6.2.1,
// without what moves the cursor; those of its extension count twice); false where it has
// others.
func gsm(s string) (n int, ok bool) {
	for _, r := range s {
		switch {
		case strings.ContainsRune("@£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà", r):
			n++
		case strings.ContainsRune("^{}\\[~]|€", r):
			n += 2
		default:
			return 0, false
		}
	}
	return n, true
}

// plainSigns are signs that titles often have and the GSM alphabet has not: one of them
// would halve what fits.
var plainSigns = strings.NewReplacer("“", `"`, "”", `"`, "„", `"`, "‘", "'", "’", "'", "…", "...", "–", "-", "—", "-", "→", "->", "`", "'", "\u00a0", " ")

// fitPhone is head, text and tail in one part; the text is cut where they are too long.
func fitPhone(head, text, tail string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, plainSigns.Replace(text))
	fits := func(s string) bool {
		if n, ok := gsm(s); ok {
			return n <= longestGSM
		}
		return len(utf16.Encode([]rune(s))) <= longestUCS2
	}
	if all := head + text + tail; fits(all) {
		return all
	}
	r := []rune(text)
	for n := len(r) - 1; n > 0; n-- {
		if all := head + strings.TrimRight(string(r[:n]), " ") + "..." + tail; fits(all) {
			return all
		}
	}
	return strings.TrimSpace(head) + tail
}
