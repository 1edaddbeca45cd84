// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"strings"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// Results, output files and live events of packMin bytes or more are stored as a zstd frame (RFC 8878) if that is shorter. For smaller
// ones it is not worth the time. The others are JSON, which never begins like a frame.
const (
	packMin   = 2 << 10
	packMagic = "\x28\xb5\x2f\xfd"
	unpackMax = 256 << 20 // bytes that a frame may claim to hold
)

var packer = sync.OnceValue(func() *zstd.Encoder {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true),
		zstd.WithAllLitEntropyCompression(true)) // otherwise base64 is not compressed
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

// pack returns JSON in its stored form.
func pack(b []byte) []byte {
	if len(b) < packMin {
		return b
	}
	if p := packer().EncodeAll(b, make([]byte, 0, len(b)/4)); len(p) < len(b) {
		return p
	}
	return b
}

// unpack is the inverse of pack. It returns a damaged frame as it is, which is no JSON.
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
