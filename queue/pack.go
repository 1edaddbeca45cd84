package queue

import (
	"strings"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// Results, output files and live events of packMin bytes or more are stored as a frame of zstd (RFC 8878) where that is shorter. A smaller one
// is not worth the time. What is stored otherwise is JSON, and no JSON begins as a frame does.
const (
	packMin   = 2 << 10
	packMagic = "\x28\xb5\x2f\xfd"
	unpackMax = 256 << 20 // bytes that a frame may say it holds
)

var packer = sync.OnceValue(func() *zstd.Encoder {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true),
		zstd.WithAllLitEntropyCompression(true)) // else base64 stays as long as it is
	if err != nil {
		panic(err) // the options are constants
	}
	return e
})

var unpacker = sync.OnceValue(func() *zstd.Decoder {
	d, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(unpackMax), zstd.WithDecoderConcurrency(0))
	if err != nil {
		panic(err) // the options are constants
	}
	return d
})

// pack makes stored JSON of JSON.
func pack(b []byte) []byte {
	if len(b) < packMin {
		return b
	}
	if p := packer().EncodeAll(b, make([]byte, 0, len(b)/4)); len(p) < len(b) {
		return p
	}
	return b
}

// unpack is the inverse of pack. What can't be unpacked is given back as it is, and is no JSON.
func unpack(s string) []byte {
	if !strings.HasPrefix(s, packMagic) {
		return []byte(s)
	}
	b, err := unpacker().DecodeAll([]byte(s), nil)
	if err != nil {
		return []byte(s)
	}
	return b
}
