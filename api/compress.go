// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bytes"
	"compress/gzip"
	"strconv"
	"strings"
	"sync"
)

// compressFrom is the least size of an answer, in bytes, that is compressed. One that fits into a few packets, such as the job of a small
// program, would come no sooner, and costs both sides time.
//
// The length of a compressed answer depends on its content (BREACH). That harms nobody here: no answer has a secret of ours, and no foreign
// page can make a browser send requests in a tenant's name, because credentials are headers and not cookies.
const compressFrom = 4 << 10

// compressors are writers that are used again: each has tables of several hundred KiB.
var compressors = sync.Pool{New: func() any {
	w, err := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	if err != nil {
		panic(err) // the level is one
	}
	return w
}}

func compressed(data []byte) []byte {
	var buf bytes.Buffer
	w := compressors.Get().(*gzip.Writer)
	defer compressors.Put(w)
	w.Reset(&buf)
	_, _ = w.Write(data) // a buffer takes all
	_ = w.Close()
	return buf.Bytes()
}

// compress returns the bytes to send for an answer, and sets the headers for their coding.
func (c *call) compress(data []byte) []byte {
	if len(data) < compressFrom {
		return data
	}
	h := c.w.Header()
	h.Add("Vary", "Accept-Encoding")
	if !takesGzip(c.r.Header["Accept-Encoding"]) {
		return data
	}
	h.Set("Content-Encoding", "gzip")
	return compressed(data)
}

// takesGzip reports whether a client that sends these lines of Accept-Encoding accepts gzip, and prefers plain bytes no more
// (RFC 9110, section 12.5.3).
func takesGzip(lines []string) bool {
	const unset = -1
	zipped, plain, others := float64(unset), float64(unset), float64(unset)
	for element := range strings.SplitSeq(strings.Join(lines, ","), ",") {
		coding, weight, _ := strings.Cut(element, ";")
		q := 1.0
		if name, value, ok := strings.Cut(weight, "="); ok && strings.EqualFold(strings.TrimSpace(name), "q") {
			var err error
			if q, err = strconv.ParseFloat(strings.TrimSpace(value), 64); err != nil {
				continue
			}
		}
		switch strings.ToLower(strings.TrimSpace(coding)) {
		case "gzip", "x-gzip":
			zipped = q
		case "identity":
			plain = q
		case "*":
			others = q
		}
	}
	if zipped == unset {
		zipped = others
	}
	return zipped > 0 && zipped >= plain
}
