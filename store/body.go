package store

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"
)

// A body begins with a byte that says how it is kept.
const (
	codecRaw  = 'r' // as it came
	codecZstd = 'z'
	codecFile = 'f' // the rest is the name of the file that holds it, packed
)

const (
	maxInline  = 32 << 10  // a larger body, packed, is kept in a file of its own
	minPack    = 128       // a smaller one is not worth packing
	maxBody    = 256 << 20 // nothing a door lets in is larger; a guard against a damaged length
	hourFormat = "2006010215"
)

// The encoder's window is kept small: bodies are, and each running encoder
// holds memory by its window.
var (
	encoder = sync.OnceValue(func() *zstd.Encoder {
		e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(128<<10),
			zstd.WithLowerEncoderMem(true), zstd.WithEncoderConcurrency(runtime.GOMAXPROCS(0)))
		if err != nil {
			panic(fmt.Sprintf("make zstd encoder: %v", err)) // only constant options: it cannot
		}
		return e
	})
	decoder = sync.OnceValue(func() *zstd.Decoder {
		d, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(maxBody), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderConcurrency(runtime.GOMAXPROCS(0)))
		if err != nil {
			panic(fmt.Sprintf("make zstd decoder: %v", err))
		}
		return d
	})
)

func pack(body []byte) []byte {
	if len(body) >= minPack {
		out := encoder().EncodeAll(body, append(make([]byte, 0, 64+len(body)/4), codecZstd))
		if len(out) <= len(body) {
			return out
		}
	}
	return append([]byte{codecRaw}, body...)
}

func unpack(packed []byte) ([]byte, error) {
	if len(packed) == 0 {
		return nil, fmt.Errorf("%w: empty", ErrDamaged)
	}
	switch packed[0] {
	case codecRaw:
		return append([]byte{}, packed[1:]...), nil
	case codecZstd:
		body, err := decoder().DecodeAll(packed[1:], nil)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		return body, nil
	}
	return nil, fmt.Errorf("%w: kept in an unknown way %q", ErrDamaged, packed[0])
}

func (s *Store) readBody(packed []byte) ([]byte, error) {
	if len(packed) > 0 && packed[0] == codecFile {
		raw, err := os.ReadFile(s.bodyFile(string(packed[1:])))
		if err != nil {
			return nil, err
		}
		return unpack(raw)
	}
	return unpack(packed)
}

func (s *Store) bodyFile(name string) string { return filepath.Join(s.spill, filepath.Base(name)) }

// spillBody writes a packed body to a file, synced, and its name in the folder
// too. The name begins with the hour it was accepted, by which Prune finds it.
func (s *Store) spillBody(packed []byte, at time.Time) (name string, err error) {
	if err := os.MkdirAll(s.spill, 0o700); err != nil {
		return "", err
	}
	var random [12]byte
	rand.Read(random[:])
	name = at.UTC().Format(hourFormat) + "-" + hex.EncodeToString(random[:])
	f, err := os.OpenFile(s.bodyFile(name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	if _, err = f.Write(packed); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = errors.Join(syncDir(s.spill), syncDir(filepath.Dir(s.spill)))
	}
	if err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return name, nil
}
