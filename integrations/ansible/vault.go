package ansible

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"runtime"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"
)

// What is vaulted has to be known to be kept out of logs, plans and messages. It is
// decrypted here, in memory, rather than by ansible-vault, which takes as long as a small
// playbook for each and would need the text to pass by a file.

const (
	vaultHeader = "$ANSIBLE_VAULT;"
	maxVaulted  = 4 << 20 // bytes of a file that is looked into
	iterations  = 10_000  // of the format's key derivation
)

var (
	errSealed = errors.New("no password fits")
	headline  = regexp.MustCompile(`\$ANSIBLE_VAULT;1\.[12];AES256(?:;([^\s"'\\]+))?`)
	hexLine   = regexp.MustCompile(`^[0-9a-f]+$`)
)

// envelope is one vaulted text as it stands in a file.
type envelope struct {
	id   string // of its vault, "" is none
	body string // hexadecimal
}

// vaulted decrypts all that is vaulted in the files of a tree, with passwords by vault id.
// sealed is how much of it no password fits.
func vaulted(tree string, passwords map[string]string) (texts []string, sealed int, err error) {
	envelopes, err := findVaulted(tree)
	if err != nil {
		return nil, 0, err
	}
	opened := make([]string, len(envelopes))
	var all sync.WaitGroup
	next := make(chan int)
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for i := range next {
				opened[i], _ = envelopes[i].open(passwords)
			}
		})
	}
	for i := range envelopes {
		next <- i
	}
	close(next)
	all.Wait()
	for _, text := range opened {
		if text == "" {
			sealed++
			continue
		}
		texts = append(texts, text)
	}
	return texts, sealed, nil
}

// findVaulted reads the files of a tree, those of git aside.
func findVaulted(tree string) ([]envelope, error) {
	var out []envelope
	root, err := os.OpenRoot(tree)
	if err != nil {
		return nil, fmt.Errorf("open the work tree: %w", err)
	}
	defer root.Close()
	err = fs.WalkDir(root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == ".git":
			return fs.SkipDir
		case !d.Type().IsRegular():
			return nil
		}
		if info, err := d.Info(); err != nil || info.Size() > maxVaulted {
			return err
		}
		b, err := root.ReadFile(path)
		if err == nil && bytes.Contains(b, []byte(vaultHeader)) {
			out = append(out, envelopesIn(string(b))...)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look for what is vaulted: %w", err)
	}
	return out, nil
}

// envelopesIn finds vaulted texts in a file: the whole of it, a block of YAML, or a string
// with its newlines escaped.
func envelopesIn(text string) []envelope {
	var out []envelope
	text = strings.ReplaceAll(text, `\n`, "\n")
	for _, m := range headline.FindAllStringSubmatchIndex(text, -1) {
		var e envelope
		if m[2] >= 0 {
			e.id = text[m[2]:m[3]]
		}
		_, rest, _ := strings.Cut(text[m[1]:], "\n")
		for l := range strings.Lines(rest) {
			l = strings.Trim(l, " \t\r\n\"'")
			if !hexLine.MatchString(l) {
				break
			}
			e.body += l
		}
		out = append(out, e)
	}
	return out
}

// open tries the password of the envelope's own vault first.
func (e envelope) open(passwords map[string]string) (string, error) {
	if text, err := e.decrypt(passwords[e.id]); err == nil {
		return text, nil
	}
	for id, password := range passwords {
		if id == e.id {
			continue
		}
		if text, err := e.decrypt(password); err == nil {
			return text, nil
		}
	}
	return "", errSealed
}

// decrypt follows the format that Ansible describes as "vault format 1.1 and 1.2": three
// hexadecimal parts, of salt, HMAC and AES-256 in counter mode.
func (e envelope) decrypt(password string) (string, error) {
	if password == "" {
		return "", errSealed
	}
	inner, err := hex.DecodeString(e.body)
	if err != nil {
		return "", err
	}
	parts := bytes.Split(inner, []byte("\n"))
	if len(parts) != 3 {
		return "", fmt.Errorf("%d parts instead of three", len(parts))
	}
	var raw [3][]byte
	for i, p := range parts {
		if raw[i], err = hex.DecodeString(string(p)); err != nil {
			return "", err
		}
	}
	salt, sum, text := raw[0], raw[1], raw[2]
	key, err := pbkdf2.Key(sha256.New, password, salt, iterations, 2*32+aes.BlockSize)
	if err != nil {
		return "", err
	}
	mac := hmac.New(sha256.New, key[32:64])
	mac.Write(text)
	if !hmac.Equal(mac.Sum(nil), sum) {
		return "", errSealed
	}
	block, err := aes.NewCipher(key[:32])
	if err != nil {
		return "", err
	}
	cipher.NewCTR(block, key[64:]).XORKeyStream(text, text)
	pad := 0
	if len(text) > 0 {
		pad = int(text[len(text)-1])
	}
	if pad == 0 || pad > aes.BlockSize || pad > len(text) {
		return "", fmt.Errorf("a padding of %d bytes", pad)
	}
	return string(text[:len(text)-pad]), nil
}

// hidden are the values that a vaulted text holds: it as a whole, and where it is YAML what
// stands at its leaves.
func hidden(text string) []string {
	out := []string{text}
	var v any
	if yaml.Unmarshal([]byte(text), &v) == nil {
		out = leaves(out, v)
	}
	return out
}

func leaves(out []string, v any) []string {
	switch v := v.(type) {
	case string:
		return append(out, v)
	case bool, nil:
		return out
	case map[string]any:
		for _, sub := range v {
			out = leaves(out, sub)
		}
	case []any:
		for _, sub := range v {
			out = leaves(out, sub)
		}
	default:
		return append(out, fmt.Sprint(v))
	}
	return out
}
