package oncall

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
)

// feedTokenBytes make the address of a feed one that nobody guesses.
const feedTokenBytes = 32

// newFeedToken is a token for the address of a feed: 43 letters that may stand in a
// URL. Whoever has it reads the feed, so only its hash is stored and it is told once.
func newFeedToken() string {
	var b [feedTokenBytes]byte
	_, _ = rand.Read(b[:]) // never fails: it ends the process where there is no randomness
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// hashFeedToken is what is stored of a token. It needs no salt, as the token is random,
// so a feed may be found by it as a key.
func hashFeedToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}
